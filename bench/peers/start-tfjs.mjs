// A cold start of TensorFlow.js on its wasm backend; weights are read from the same safetensors file.
import { readFileSync } from "node:fs";
import { report } from "../start/report.mjs";

const [, , weights, image] = process.argv;
const clock = report();
const { default: tf } = await import("@tensorflow/tfjs-core");
const { default: backend } = await import("@tensorflow/tfjs-backend-wasm");
clock.mark("import");
tf.env().set("IS_TEST", true); // no advertisement for tfjs-node
backend.setThreadsCount(1);
await tf.setBackend("wasm");
await tf.ready();
clock.mark("backend");
const file = readFileSync(weights);
const head = Number(file.readBigUInt64LE(0));
const entries = JSON.parse(file.subarray(8, 8 + head).toString());
const weight = (name) => {
  const { shape, data_offsets: at } = entries[name];
  const bytes = Uint8Array.from(file.subarray(8 + head + at[0], 8 + head + at[1]));
  return tf.tensor(new Float32Array(bytes.buffer), shape);
};
const conv = (x, name, pad) =>
  tf.fused.conv2d({
    x,
    filter: tf.transpose(weight(`${name}.weight`), [2, 3, 1, 0]),
    strides: 1,
    pad,
    bias: weight(`${name}.bias`),
    activation: "relu",
  });
const dense = (x, name, activation) =>
  tf.fused.matMul({ a: x, b: tf.transpose(weight(`${name}.weight`)), bias: weight(`${name}.bias`), activation });
let x = tf.tensor(new Float32Array(Uint8Array.from(readFileSync(image)).buffer), [1, 28, 28, 1]);
x = tf.maxPool(conv(x, "conv1", 2), 2, 2, "valid");
x = tf.maxPool(conv(x, "conv2", "valid"), 2, 2, "valid");
x = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [1, 400]);
x = dense(dense(dense(x, "fc1", "relu"), "fc2", "relu"), "fc3", "linear");
clock.finish(x.dataSync());
