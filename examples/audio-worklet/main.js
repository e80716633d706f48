// A microphone, or a file, without its noise. The network's file is fetched here, since a worklet has no fetch().
const file = fetch(new URL("denoise.onnx", document.baseURI)).then((response) => response.arrayBuffer());

/** A node of one channel that is ready, in a context of any kind. */
async function createDenoiser(context, noise) {
  await context.audioWorklet.addModule(new URL("dist/processor.js", document.baseURI));
  const node = new AudioWorkletNode(context, "denoise", {
    channelCount: 1,
    channelCountMode: "explicit",
    outputChannelCount: [1],
    parameterData: { noise },
    processorOptions: { file: await file },
  });
  await new Promise((resolve, reject) => {
    node.port.onmessage = ({ data }) => (data === "ready" ? resolve() : reject(new Error(data.error)));
    node.onprocessorerror = () => reject(new Error("the processor failed"));
  });
  return node;
}

const noise = document.querySelector("#noise");
const say = (text) => {
  document.querySelector("output").textContent = text;
};
const failed = (error) => say(`${error.name}: ${error.message}`);

document.querySelector("button").addEventListener("click", async () => {
  try {
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
    const context = new AudioContext();
    const node = await createDenoiser(context, Number(noise.value));
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    noise.addEventListener("input", () => node.parameters.get("noise").setValueAtTime(Number(noise.value), 0));
    say("listening: put on headphones");
  } catch (error) {
    failed(error);
  }
});

document.querySelector("input[type=file]").addEventListener("change", async ({ target }) => {
  try {
    const bytes = await target.files[0].arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, 48_000).decodeAudioData(bytes);
    const context = new OfflineAudioContext(1, sound.length + LATENCY, sound.sampleRate);
    const node = await createDenoiser(context, Number(noise.value));
    const source = new AudioBufferSourceNode(context, { buffer: sound });
    source.connect(node).connect(context.destination);
    source.start();
    const clean = (await context.startRendering()).getChannelData(0).subarray(LATENCY);
    document.querySelector("audio").src = URL.createObjectURL(wavOf(clean, sound.sampleRate));
    say(`${(sound.length / sound.sampleRate).toFixed(1)} s`);
  } catch (error) {
    failed(error);
  }
});

/** A block comes out when the next one is there. */
const LATENCY = 128;

/** A WAV file of float32 samples. */
function wavOf(samples, rate) {
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, four) => [...four].forEach((letter, i) => void head.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 36 + samples.byteLength, true);
  text(8, "WAVE");
  text(12, "fmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 3, true); // float
  head.setUint16(22, 1, true); // channel
  head.setUint32(24, rate, true);
  head.setUint32(28, 4 * rate, true);
  head.setUint16(32, 4, true);
  head.setUint16(34, 32, true);
  text(36, "data");
  head.setUint32(40, samples.byteLength, true);
  return new Blob([head, samples], { type: "audio/wav" });
}
