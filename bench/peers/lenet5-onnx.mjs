// LeNet-5 as an ONNX file, for peers.
import { onnxGraph } from "./onnx.mjs";

/** The same network as an ONNX file. */
export function lenet5Onnx(tensors) {
  const names = ["conv1", "conv2", "fc1", "fc2", "fc3"];
  const given = names.flatMap((name) => ["weight", "bias"].map((kind) => `${name}.${kind}`));
  const operands = (name, x) => [x, `${name}.weight`, `${name}.bias`];
  const pool = { kernel_shape: [2, 2], strides: [2, 2] };
  return onnxGraph({
    input: [1, 1, 28, 28],
    output: [1, 10],
    weights: given.map((name) => ({ name, shape: tensors.get(name).shape, data: tensors.get(name).data })),
    nodes: [
      { op: "Conv", inputs: operands("conv1", "x"), output: "a", attributes: { pads: [2, 2, 2, 2] } },
      { op: "Relu", inputs: ["a"], output: "b" },
      { op: "MaxPool", inputs: ["b"], output: "c", attributes: pool },
      { op: "Conv", inputs: operands("conv2", "c"), output: "d" },
      { op: "Relu", inputs: ["d"], output: "e" },
      { op: "MaxPool", inputs: ["e"], output: "f", attributes: pool },
      { op: "Flatten", inputs: ["f"], output: "g" },
      { op: "Gemm", inputs: operands("fc1", "g"), output: "h", attributes: { transB: 1 } },
      { op: "Relu", inputs: ["h"], output: "i" },
      { op: "Gemm", inputs: operands("fc2", "i"), output: "j", attributes: { transB: 1 } },
      { op: "Relu", inputs: ["j"], output: "k" },
      { op: "Gemm", inputs: operands("fc3", "k"), output: "y", attributes: { transB: 1 } },
    ],
  });
}
