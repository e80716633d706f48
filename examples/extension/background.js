// Classifies images for the extension's pages. A service worker: no import(), so lanewise/inline; no code from elsewhere, as stores ask.
import { createRuntime } from "lanewise/inline";
import { loadOnnx } from "lanewise/inline/onnx";
import { createPreprocessor, topK } from "lanewise/vision";

/** The worker ends when it is idle, and starts again with the next message: so this is made when it is asked for. */
let classifier;

async function load() {
  const { preprocess, labels } = await (await fetch(chrome.runtime.getURL("model.json"))).json();
  const rt = await createRuntime();
  const model = await loadOnnx(rt, fetch(chrome.runtime.getURL("model.onnx")));
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

/** Messages take turns: a preprocessor has one picture at a time. */
let last = Promise.resolve();

chrome.runtime.onMessage.addListener(({ image }, _, respond) => {
  last = last.then(async () => {
    try {
      classifier ??= load();
      const classify = await classifier;
      respond({ classes: await classify(await (await fetch(image)).blob()) });
    } catch (error) {
      respond({ error: `${error.name}: ${error.message}` });
    }
  });
  return true; // the answer comes later
});
