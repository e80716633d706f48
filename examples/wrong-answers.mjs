// What the usual mistakes in front of a model do to its answers, for docs/vision.md. `node examples/wrong-answers.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, presets, topK } from "lanewise/vision";
import { photos, readModel, readPhoto, report } from "./files.mjs";
import { IMAGENET } from "./labels.mjs";

const rt = await createRuntime();
const model = await loadOnnx(rt, readModel("shufflenet-v2-12-int8.onnx"));
const [{ name: input }] = model.inputs;
const [{ name: output }] = model.outputs;
const right = { ...presets.imagenet, model };

/** Prepares as `spec` says, then does to the model's numbers (N, C, H, W) what a mistake does. */
const made = (spec, spoil) => {
  const pre = createPreprocessor(rt, spec);
  return (photo) => {
    pre.run(photo);
    if (spoil) model.input(input).set(spoil(model.input(input)));
  };
};

/** [1, H, W, 3] given where [1, 3, H, W] is expected. */
const layoutMixedUp = (data) =>
  Float32Array.from(data, (_, i) => data[(i % 3) * (data.length / 3) + Math.floor(i / 3)]);

const WAYS = {
  right: made(right),
  "BGR for RGB": made({ ...right, channels: "bgr", mean: [...right.mean].reverse(), std: [...right.std].reverse() }),
  "0 to 255, no mean": made({ ...right, scale: 1, mean: 0, std: 1 }),
  "0 to 1, no mean": made({ ...right, mean: 0, std: 1 }),
  "channels last in a model of channels first": made(right, layoutMixedUp),
  "stretched to 224x224": made({ ...right, fit: "stretch", resize: undefined }),
  "a canvas's resize (neighbours only)": made({ ...right, antialias: false }),
};

const found = {};
for (const name of photos(["chelsea.jpg", "coffee.jpg", "ort-examples--goldfish.jpg", "ort-examples--wolves.jpg"])) {
  const photo = readPhoto(name);
  found[name] = {};
  for (const [way, prepare] of Object.entries(WAYS)) {
    prepare(photo);
    model.run();
    const answers = topK(model.output(output), 2, { labels: IMAGENET, activation: "softmax" });
    found[name][way] = answers;
    console.log(
      `${name}: ${way}: ${answers.map(({ label, score }) => `${label} ${(100 * score).toFixed(0)} %`).join(", ")}`,
    );
  }
}
report(found);
rt.dispose();
