// Classifies an image in the page, as it is: no bundler, no build.
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, topK } from "lanewise/vision";

const here = (name) => new URL(name, import.meta.url);
const { preprocess, labels } = await (await fetch(here("model.json"))).json();
const rt = await createRuntime();
const model = await loadOnnx(rt, fetch(here("model.onnx")));
const pre = createPreprocessor(rt, { ...preprocess, model });
const [output] = model.outputs;

async function classify(file) {
  const bitmap = await createImageBitmap(file); // the browser decodes, and turns as EXIF says
  await pre.runFrom(bitmap);
  bitmap.close();
  const scores = model.run()[output.name];
  return topK(scores, Math.min(3, labels.length), { labels, activation: "softmax" });
}

const status = document.querySelector("output");
document.querySelector("input").addEventListener("change", async ({ target }) => {
  status.textContent = "";
  try {
    const start = performance.now();
    const classes = await classify(target.files[0]);
    const rows = classes.map(({ label, score }) => `${label} ${(100 * score).toFixed(1)} %`);
    document
      .querySelector("ol")
      .replaceChildren(...rows.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    status.textContent = `${(performance.now() - start).toFixed(1)} ms`;
  } catch (error) {
    status.textContent = `${error.name}: ${error.message}`;
  }
});
status.textContent = `ready: ${rt.report().variant}`;
