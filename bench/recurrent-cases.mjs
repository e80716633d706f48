// Recurrent layers, and networks that go on when a run has decided something. Under Node 24, which reads TypeScript: files are made by
// what makes them for the tests. A case is { name, file, feeds: { name: { type, shape, data } } }.
import { onnxFile } from "../test/onnx-file.ts";

let seed = 1;
/** From -1 to 1, the same in every process. */
function random() {
  seed = (seed * 48271) % 2147483647;
  return (2 * (seed - 1)) / 2147483646 - 1;
}
const data = (dims, scale) =>
  Float32Array.from({ length: dims.reduce((p, size) => p * size, 1) }, () => scale * random());
const tensor = (dims, scale = 1 / Math.sqrt(dims.at(-1))) => ({ dims, data: data(dims, scale) });
const fed = (dims) => ({ type: "float32", shape: dims, data: data(dims, 1) });

const GATES = { LSTM: 4, GRU: 3, RNN: 1 };

function layer(op, steps, rows, inputs, hidden, directions, attributes = {}) {
  const gates = GATES[op];
  const outputs = op === "LSTM" ? ["y", "h", "c"] : ["y", "h"];
  const direction = directions === 2 ? "bidirectional" : "forward";
  const file = onnxFile({
    nodes: [
      {
        op,
        inputs: ["x", "w", "r", "b"],
        outputs,
        attributes: { hidden_size: hidden, direction, ...attributes },
      },
    ],
    inputs: { x: [steps, rows, inputs] },
    outputs,
    declared: {
      y: [steps, directions, rows, hidden],
      h: [directions, rows, hidden],
      c: [directions, rows, hidden],
    },
    constants: {
      w: tensor([directions, gates * hidden, inputs]),
      r: tensor([directions, gates * hidden, hidden]),
      b: tensor([directions, 2 * gates * hidden]),
    },
  });
  const form = "linear_before_reset" in attributes ? ", linear before reset" : "";
  const sizes = `[${steps}, ${rows}, ${inputs}] -> ${directions === 2 ? "2 x " : ""}${hidden}`;
  return { name: `${op} ${sizes}${form}`, file, feeds: { x: fed([steps, rows, inputs]) } };
}

const conv = (from, to, weight) => ({
  op: "Conv",
  inputs: [from, weight],
  outputs: [to],
  attributes: { pads: [1, 1, 1, 1] },
});
const relu = (from, to) => ({ op: "Relu", inputs: [from], outputs: [to] });
const filters = (M, C) => ({ dims: [M, C, 3, 3], data: data([M, C, 3, 3], 1 / Math.sqrt(9 * C)) });
const IMAGE = [1, 3, 56, 56];
const MAPS = [1, 64, 56, 56];

/** A branch by the mean of a convolution's outputs, and two convolutions behind it. */
function branch() {
  const graph = (weight, to) => ({
    graph: { nodes: [conv("r", to, weight)], inputs: {}, outputs: [to], declared: { [to]: MAPS } },
  });
  const file = onnxFile({
    nodes: [
      conv("x", "a", "w0"),
      relu("a", "r"),
      { op: "ReduceMean", inputs: ["r"], outputs: ["m"], attributes: { keepdims: 0 } },
      { op: "Greater", inputs: ["m", "zero"], outputs: ["is"] },
      {
        op: "If",
        inputs: ["is"],
        outputs: ["b"],
        attributes: { then_branch: graph("w1", "t"), else_branch: graph("w2", "e") },
      },
      relu("b", "s"),
      conv("s", "c", "w3"),
      relu("c", "u"),
      conv("u", "y", "w4"),
    ],
    inputs: { x: IMAGE },
    outputs: ["y"],
    declared: { y: MAPS },
    constants: {
      w0: filters(64, 3),
      zero: { dims: [], data: Float32Array.of(0) },
      ...Object.fromEntries([1, 2, 3, 4].map((i) => [`w${i}`, filters(64, 64)])),
    },
    opset: 13,
  });
  return { name: "If of a computed condition, 4 convolutions", file, feeds: { x: fed(IMAGE) } };
}

/** Amounts of padding are an input. */
function padding() {
  const file = onnxFile({
    nodes: [
      { op: "Pad", inputs: ["x", "pads"], outputs: ["p"] },
      { op: "Conv", inputs: ["p", "w0"], outputs: ["a"] },
      relu("a", "r"),
      conv("r", "b", "w1"),
      relu("b", "s"),
      conv("s", "y", "w2"),
    ],
    inputs: { x: IMAGE, pads: [8] },
    types: { pads: 7 },
    outputs: ["y"],
    declared: { y: MAPS },
    constants: { w0: filters(64, 3), w1: filters(64, 64), w2: filters(64, 64) },
    opset: 13,
  });
  const pads = { type: "int64", shape: [8], data: BigInt64Array.of(0n, 0n, 1n, 1n, 0n, 0n, 1n, 1n) };
  return { name: "Pad by an input, 3 convolutions", file, feeds: { x: fed(IMAGE), pads } };
}

export const recurrentCases = () => [
  layer("LSTM", 100, 1, 256, 256, 2),
  layer("LSTM", 100, 1, 256, 256, 1),
  layer("GRU", 100, 1, 256, 256, 2),
  layer("GRU", 100, 1, 256, 256, 2, { linear_before_reset: 1 }),
  layer("RNN", 100, 1, 256, 256, 2),
  layer("LSTM", 80, 1, 512, 48, 2),
  layer("LSTM", 50, 8, 128, 128, 2),
  layer("LSTM", 40, 1, 512, 512, 1),
  layer("LSTM", 1, 1, 128, 128, 1),
  branch(),
  padding(),
];
