// Runtime and model, off the page's thread. A worker that waits at its top level loses what is sent to it meanwhile: so it listens first.
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, topK } from "lanewise/vision";

/** base: where model.onnx and model.json are. */
async function load(base) {
  const { preprocess, labels } = await (await fetch(new URL("model.json", base))).json();
  const rt = await createRuntime();
  const model = await loadOnnx(rt, fetch(new URL("model.onnx", base)));
  const pre = createPreprocessor(rt, { ...preprocess, model });
  const [output] = model.outputs;
  return async (file) => {
    const bitmap = await createImageBitmap(file);
    await pre.runFrom(bitmap);
    bitmap.close();
    const scores = model.run()[output.name];
    return topK(scores, Math.min(3, labels.length), { labels, activation: "softmax" });
  };
}

let loading;
/** One after another: a preprocessor has one picture at a time. */
let last = Promise.resolve();

addEventListener("message", ({ data: { base, id, file } }) => {
  if (base) {
    loading = load(base);
    loading.then(
      () => postMessage({ ready: true }),
      (error) => postMessage({ failed: error.message }),
    );
    return;
  }
  last = last.then(async () => {
    try {
      const classify = await loading;
      postMessage({ id, classes: await classify(file) });
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  });
});
