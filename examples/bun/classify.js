// bun classify.js photo.jpg …: what is in a photo.
import jpeg from "jpeg-js";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, topK } from "lanewise/vision";
import { PNG } from "pngjs";
import { labels, preprocess } from "./model.json";

const rt = await createRuntime();
const model = await loadOnnx(rt, Bun.file(new URL("model.onnx", import.meta.url)));
const pre = createPreprocessor(rt, { ...preprocess, model });
const [output] = model.outputs;

for (const path of Bun.argv.slice(2)) {
  const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
  pre.run(bytes[0] === 0x89 ? PNG.sync.read(bytes) : jpeg.decode(bytes, { useTArray: true }));
  const scores = model.run()[output.name];
  const classes = topK(scores, Math.min(3, labels.length), { labels, activation: "softmax" });
  console.log(path, classes.map(({ label, score }) => `${label} ${(100 * score).toFixed(1)} %`).join(", "));
}
rt.dispose();
