// Frames in, boxes out: all that takes time, off the page's thread.
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, decodeDistances, presets } from "lanewise/vision";
import { COCO } from "../labels.mjs";

/** A worker that waits at its top level loses what is sent to it meanwhile: so it listens first. */
const detectors = new Map();

async function detectorOf(address) {
  const rt = await createRuntime();
  const model = await loadOnnx(rt, fetch(address));
  const pre = createPreprocessor(rt, { ...presets.picodet, model });
  const names = model.outputs.map(({ name }) => name);
  return async (image) => {
    const view = await pre.runFrom(image); // bands of the frame go straight into linear memory
    const outputs = model.run();
    const heads = [0, 1, 2, 3].map((i) => ({ scores: outputs[names[i]], boxes: outputs[names[4 + i]] }));
    return decodeDistances(heads, { view, labels: COCO, score: 0.4, iou: 0.5 });
  };
}

addEventListener("message", async ({ data: { model, frame } }) => {
  if (!detectors.has(model)) detectors.set(model, detectorOf(model));
  const detect = await detectors.get(model);
  const objects = frame ? await detect(frame) : [];
  frame?.close();
  postMessage({ objects });
});
