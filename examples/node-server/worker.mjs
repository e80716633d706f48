// A worker of the pool: a runtime and a model of its own. Takes the bytes of an image, answers { classes } or { error, status }.
import { parentPort, workerData } from "node:worker_threads";
import jpeg from "jpeg-js";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, topK } from "lanewise/vision";
import { PNG } from "pngjs";

const { file, preprocess, labels } = workerData;
const rt = await createRuntime({ maxBytes: 256e6 });
const model = await loadOnnx(rt, file);
const pre = createPreprocessor(rt, { ...preprocess, model });
const [output] = model.outputs;

const MOST_MEGAPIXELS = 16;

/** { data, width, height } of a JPEG or a PNG; a header that says too much is refused before its pixels are made. */
function decode(bytes) {
  if (bytes.length < 24 || bytes.readUInt32BE(0) !== 0x89504e47)
    return jpeg.decode(bytes, { useTArray: true, maxResolutionInMP: MOST_MEGAPIXELS, maxMemoryUsageInMB: 256 });
  if (bytes.readUInt32BE(16) * bytes.readUInt32BE(20) > MOST_MEGAPIXELS * 1e6) throw new Error("too many pixels");
  return PNG.sync.read(bytes);
}

parentPort.on("message", (message) => {
  let photo;
  try {
    photo = decode(Buffer.from(message));
  } catch (error) {
    return parentPort.postMessage({ error: `expected a JPEG or a PNG: ${error.message}`, status: 400 });
  }
  pre.run(photo);
  const scores = model.run()[output.name];
  parentPort.postMessage({ classes: topK(scores, Math.min(3, labels.length), { labels, activation: "softmax" }) });
});
parentPort.postMessage("ready");
