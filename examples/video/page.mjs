// A video on a canvas, each frame sent to a worker as a VideoFrame, which is moved, not copied. Here the video is a photo that goes
// round; a camera's or a <video>'s frames go the same way: new VideoFrame(video).
const canvas = document.querySelector("canvas");
const context = canvas.getContext("2d");
const photo = await createImageBitmap(await (await fetch("photos/coffee.jpg")).blob());

function draw(n) {
  const [x, y] = [20 * Math.sin(n / 15), 20 * Math.cos(n / 15)];
  context.drawImage(photo, x - 20, y - 20, canvas.width + 40, canvas.height + 40);
}

const worker = new Worker("worker.mjs", { type: "module" });
const answer = () =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });

/** The address of a model; answers when it is there. */
const model = "/model.onnx";
globalThis.start = () => {
  worker.postMessage({ model });
  return answer();
};

/** Milliseconds that the page's thread was busy with each frame, and the frames in which there was a cup. */
globalThis.play = async (frames) => {
  const busy = [];
  let seen = 0;
  for (let n = 0; n < frames; n++) {
    await new Promise(requestAnimationFrame);
    const start = performance.now();
    draw(n);
    const frame = new VideoFrame(canvas, { timestamp: n * 33333 });
    const answered = answer();
    worker.postMessage({ model, frame }, [frame]);
    busy.push(performance.now() - start);
    const { objects } = await answered;
    const since = performance.now();
    for (const { box, label } of objects) {
      context.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      context.fillText(label, box[0], box[1]);
    }
    seen += objects.some(({ label }) => label === "cup");
    busy[n] += performance.now() - since;
  }
  return { busy, seen };
};
