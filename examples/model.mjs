// A model for the examples in folders: `node examples/model.mjs FOLDER [digits|photos]` writes two files there, model.onnx, and model.json
// with what is done to a photo and the names of classes. digits (default): LeNet-5 of MNIST, 180 KB, made of examples/lenet5. photos:
// ShuffleNet v2, int8, of ImageNet's 1,000 classes, 2.4 MB, as examples/classify.mjs takes it. For a model of yours, put your own two.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "lanewise";
import { presets } from "lanewise/vision";
import { readModel } from "./files.mjs";
import { IMAGENET } from "./labels.mjs";
import { writeOnnx } from "./write-onnx.mjs";

/** LeNet-5: white digits on black, 28 x 28, as MNIST has them. */
function digits() {
  const constants = { rows: { dims: [2], data: BigInt64Array.from([1n, -1n]) } };
  const weights = readSafetensors(readFileSync(new URL("lenet5/lenet5.safetensors", import.meta.url)));
  for (const [name, { shape, data }] of weights) constants[name] = { dims: shape, data };
  const layer = (op, name, from, attributes) => [op, [from, `${name}.weight`, `${name}.bias`], [name], attributes];
  const pool = { kernel_shape: [2, 2], strides: [2, 2] };
  const nodes = [
    layer("Conv", "conv1", "image", { pads: [2, 2, 2, 2] }),
    ["Relu", ["conv1"], ["relu1"]],
    ["MaxPool", ["relu1"], ["pool1"], pool],
    layer("Conv", "conv2", "pool1"),
    ["Relu", ["conv2"], ["relu2"]],
    ["MaxPool", ["relu2"], ["pool2"], pool],
    ["Reshape", ["pool2", "rows"], ["flat"]],
    layer("Gemm", "fc1", "flat", { transB: 1 }),
    ["Relu", ["fc1"], ["relu3"]],
    layer("Gemm", "fc2", "relu3", { transB: 1 }),
    ["Relu", ["fc2"], ["relu4"]],
    layer("Gemm", "fc3", "relu4", { transB: 1 }),
  ];
  const model = writeOnnx({ nodes, inputs: { image: [1, 1, 28, 28] }, outputs: { fc3: [1, 10] }, constants });
  return { model, preprocess: { fit: "letterbox", channels: "gray", scale: 1 / 255 }, labels: [..."0123456789"] };
}

const photos = () => ({
  model: readModel("shufflenet-v2-12-int8.onnx"),
  preprocess: presets.imagenet,
  labels: IMAGENET,
});

const MODELS = { digits, photos };

const [folder, name = "digits"] = process.argv.slice(2);
if (folder === undefined || !Object.hasOwn(MODELS, name)) {
  console.error(`node examples/model.mjs FOLDER [${Object.keys(MODELS).join("|")}]`);
  process.exit(1);
}
const { model, ...more } = MODELS[name]();
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "model.onnx"), model);
writeFileSync(join(folder, "model.json"), JSON.stringify(more));
