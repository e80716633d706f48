// deno run --allow-read classify.js photo.jpg …: what is in a photo. The library itself asks for no permission.
import { Buffer } from "node:buffer";
import jpeg from "jpeg-js";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, topK } from "lanewise/vision";
import { PNG } from "pngjs";

const here = (name) => new URL(name, import.meta.url);

/** Answers a function from the bytes of a JPEG or a PNG to classes with scores. */
export async function createClassifier() {
  const { preprocess, labels } = JSON.parse(await Deno.readTextFile(here("model.json")));
  const rt = await createRuntime();
  const model = await loadOnnx(rt, await Deno.readFile(here("model.onnx")));
  const pre = createPreprocessor(rt, { ...preprocess, model });
  const [output] = model.outputs;
  return (bytes) => {
    const isPng = bytes[0] === 0x89;
    pre.run(isPng ? PNG.sync.read(Buffer.from(bytes)) : jpeg.decode(bytes, { useTArray: true, maxResolutionInMP: 16 }));
    const scores = model.run()[output.name];
    return topK(scores, Math.min(3, labels.length), { labels, activation: "softmax" });
  };
}

if (import.meta.main) {
  const classify = await createClassifier();
  for (const path of Deno.args) {
    const classes = classify(await Deno.readFile(path));
    console.log(path, classes.map(({ label, score }) => `${label} ${(100 * score).toFixed(1)} %`).join(", "));
  }
}
