// What is in a photo: ShuffleNet v2, int8, of ImageNet's 1,000 classes. `node examples/classify.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, presets, topK } from "lanewise/vision";
import { photos, readModel, readPhoto, report } from "./files.mjs";
import { IMAGENET } from "./labels.mjs";

const rt = await createRuntime();
const model = await loadOnnx(rt, readModel("shufflenet-v2-12-int8.onnx"));
const [output] = model.outputs;

// Resize to 256, crop 224, ImageNet's mean and deviation: as torchvision does it, straight into the model's input.
const pre = createPreprocessor(rt, { ...presets.imagenet, model });
console.log(pre.explain({ width: 451, height: 300 }), "\n");

const found = {};
for (const name of photos(["chelsea.jpg", "coffee.jpg", "ort-examples--goldfish.jpg", "ort-examples--wolves.jpg"])) {
  pre.run(readPhoto(name));
  const { [output.name]: logits } = model.run();
  found[name] = topK(logits, 3, { labels: IMAGENET, activation: "softmax" });
  console.log(name, found[name].map(({ label, score }) => `${label} ${(100 * score).toFixed(1)} %`).join(", "));
}
report(found);
rt.dispose();
