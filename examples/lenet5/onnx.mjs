// LeNet-5 as an ONNX file: what an exporter would write of the network of lenet5(), with a batch of any size.
import { PbfWriter } from "pbf";

const FLOAT = 1;
const INTS = 7;

/** [operator, name of the layer's weights or "", attributes of lists of whole numbers or one]. */
const LAYERS = [
  ["Conv", "conv1", { pads: [2, 2, 2, 2] }],
  ["Relu"],
  ["MaxPool", "", { kernel_shape: [2, 2], strides: [2, 2] }],
  ["Conv", "conv2"],
  ["Relu"],
  ["MaxPool", "", { kernel_shape: [2, 2], strides: [2, 2] }],
  ["Flatten"],
  ["Gemm", "fc1", { transB: 1 }],
  ["Relu"],
  ["Gemm", "fc2", { transB: 1 }],
  ["Relu"],
  ["Gemm", "fc3", { transB: 1 }],
];

/** The file's bytes. weights: what readSafetensors() answers. */
export function lenet5File(weights) {
  const w = new PbfWriter();
  w.writeVarintField(1, 8); // IR version
  w.writeMessage(7, graph, weights);
  w.writeMessage(8, (_, opset) => opset.writeVarintField(2, 17), null);
  return w.finish();
}

function graph(weights, g) {
  LAYERS.forEach(([op, layer, attributes = {}], i) => {
    const inputs = [i === 0 ? "image" : `v${i}`, ...(layer ? [`${layer}.weight`, `${layer}.bias`] : [])];
    g.writeMessage(1, node, { op, inputs, output: i === LAYERS.length - 1 ? "logits" : `v${i + 1}`, attributes });
  });
  g.writeStringField(2, "LeNet-5");
  for (const { name, shape, data } of parameters(weights)) g.writeMessage(5, tensor, { name, shape, data });
  g.writeMessage(11, value, ["image", "N", 1, 28, 28]);
  g.writeMessage(12, value, ["logits", "N", 10]);
}

function node({ op, inputs, output, attributes }, n) {
  for (const input of inputs) n.writeStringField(1, input);
  n.writeStringField(2, output);
  n.writeStringField(4, op);
  for (const [name, given] of Object.entries(attributes)) {
    n.writeMessage(
      5,
      (_, a) => {
        a.writeStringField(1, name);
        if (typeof given === "number") a.writeVarintField(3, given);
        else for (const one of given) a.writeVarintField(8, one);
        a.writeVarintField(20, typeof given === "number" ? 2 : INTS);
      },
      null,
    );
  }
}

function* parameters(weights) {
  for (const [, layer] of LAYERS) {
    if (!layer) continue;
    for (const name of [`${layer}.weight`, `${layer}.bias`]) yield { name, ...weights.get(name) };
  }
}

function tensor({ name, shape, data }, t) {
  for (const size of shape) t.writeVarintField(1, size);
  t.writeVarintField(2, FLOAT);
  t.writeStringField(8, name);
  t.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function value([name, ...sizes], v) {
  v.writeStringField(1, name);
  const dimension = (size, d) => (typeof size === "number" ? d.writeVarintField(1, size) : d.writeStringField(2, size));
  const shape = (_, s) => {
    for (const size of sizes) s.writeMessage(1, dimension, size);
  };
  const type = (_, t) => {
    t.writeVarintField(1, FLOAT);
    t.writeMessage(2, shape, null);
  };
  v.writeMessage(2, (_, t) => t.writeMessage(1, type, null), null);
}
