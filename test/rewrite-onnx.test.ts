// What exporters spell out, before and after: the layers that files become with and without the importer's rewrites, and that
// both answer the same.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx, type OnnxModel } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Constant, type File, type Node, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import { ref } from "./reference.js";
import { expectClose } from "./tolerance.js";

const C = 6;

function constant(dims: readonly number[], seed = String(dims)): Constant {
  return { dims, data: fill(dims, seed) };
}

const number = (value: number, dims: readonly number[] = []): Constant => ({ dims, data: Float32Array.of(value) });

const CONSTANTS: Readonly<Record<string, Constant>> = {
  w: constant([C, C, 3, 3]),
  zero: number(0),
  one: number(1),
  three: number(3),
  six: number(6, [1]),
  sixth: number(1 / 6, [1, 1, 1, 1]),
  half: number(0.5),
  two: number(2),
  fifth: number(0.2),
  root: number(Math.SQRT2),
  tanhRoot: number(Math.sqrt(2 / Math.PI)),
  cubic: number(0.044715),
  minusSlopes: { dims: [1, C, 1, 1], data: fill([C, 1, 1], "minus").map((v) => -v) },
};

/** "op a b > y,z": one node a line; the input is x, the output y. */
function nodesOf(lines: string, attributes: Readonly<Record<string, Node["attributes"]>> = {}): Node[] {
  return lines
    .trim()
    .split("\n")
    .map((line) => {
      const [left = "", output = ""] = line.split(">").map((part) => part.trim());
      const [op = "", ...inputs] = left.split(/ +/);
      const outputs = output.split(",");
      const given = attributes[outputs[0] as string];
      return {
        op,
        inputs: inputs.map((name) => (name === "_" ? "" : name)),
        outputs,
        ...(given && { attributes: given }),
      };
    });
}

interface Case {
  readonly lines: string;
  readonly after: readonly string[];
  readonly attributes?: Readonly<Record<string, Node["attributes"]>>;
  readonly constants?: Readonly<Record<string, Constant>>;
  readonly shape?: readonly number[];
  readonly opset?: number;
}

function fileOf({ lines, attributes, constants, shape = [2, C, 7, 5], opset = 17 }: Case): File {
  const nodes = nodesOf(lines, attributes);
  const all = { ...CONSTANTS, ...constants };
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  return {
    inputs: { x: shape },
    outputs: ["y"],
    constants: Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name))),
    nodes,
    opset,
  };
}

/** The operators of a model's layers, with their algorithm where it says more. */
function layers(model: OnnxModel): string[] {
  const { rows } = model.summary();
  return rows
    .filter(({ layer, algorithm }) => layer !== "" && algorithm !== "view")
    .map(({ op, algorithm }) => (op === "custom" ? algorithm : op));
}

const ACTIVATIONS: Readonly<Record<string, Case>> = {
  "x * sigmoid(x)": { lines: "Sigmoid x > s\n Mul s x > y", after: ["silu"] },
  "hard-swish by Add, Clip, Mul and Div": {
    lines: "Add x three > a\n Clip a zero six > b\n Mul x b > c\n Div c six > y",
    after: ["hardSwish"],
  },
  "hard-swish the other way round": {
    lines: "Add three x > a\n Clip a zero six > b\n Mul sixth b > c\n Mul c x > y",
    after: ["hardSwish"],
  },
  "hard-swish by HardSigmoid": {
    lines: "HardSigmoid x > a\n Mul x a > y",
    attributes: { a: { alpha: { float: 1 / 6 }, beta: { float: 0.5 } } },
    after: ["hardSwish"],
  },
  "hard-swish by Relu and Min": {
    lines: "Add x three > a\n Relu a > b\n Min b six > c\n Div c six > d\n Mul d x > y",
    after: ["hardSwish"],
  },
  "hard-sigmoid by Clip": {
    lines: "Mul x fifth > a\n Add a half > b\n Clip b zero one > y",
    after: ["hardSigmoid"],
  },
  "leaky ReLU by Max": { lines: "Mul x fifth > a\n Max x a > y", after: ["leakyRelu"] },
  "leaky ReLU by Where": {
    lines: "Greater x zero > g\n Mul x fifth > a\n Where g x a > y",
    after: ["leakyRelu"],
  },
  "clamps of clamps": { lines: "Relu x > a\n Min a six > b\n Max b half > y", after: ["clip"] },
  "gelu by Erf": {
    lines: "Div x root > a\n Erf a > b\n Add b one > c\n Mul x c > d\n Mul d half > y",
    after: ["gelu"],
  },
  "gelu by Tanh": {
    lines:
      "Pow x three > p\n Mul p cubic > a\n Add x a > b\n Mul b tanhRoot > c\n Tanh c > d\n Add d one > e\n Mul x half > f\n Mul f e > y",
    after: ["gelu"],
  },
  "PReLU by two Relus": {
    lines: "Relu x > a\n Neg x > b\n Relu b > c\n Mul minusSlopes c > d\n Add a d > y",
    after: ["prelu"],
  },
  "PReLU of as many channels as there may be samples": {
    lines: "Mul line x > a\n Max x a > y",
    shape: [1, 42, 3],
    constants: { line: { dims: [42, 1], data: fill([42, 1], "slopes").map((v) => Math.abs(v) % 1) } },
    after: ["prelu"],
  },
  "into the convolution before it": {
    lines: "Conv x w > v\n Add v three > a\n Clip a zero six > b\n Mul v b > c\n Div c six > y",
    after: ["conv2d"],
  },
  "what changes nothing": {
    lines: "Relu x > a\n Mul a one > b\n Add b zero > c\n Identity c > d\n Sigmoid d > y",
    after: ["relu", "sigmoid"],
  },
};

const [OUTPUTS, SAME] = [8, [1, 1, 1, 1]];
const CHANNEL = { m: constant([C, 1, 1], "m"), a: constant([1, C, 1, 1], "a"), o: constant([OUTPUTS, 1, 1], "o") };
const NORM = {
  gamma: constant([OUTPUTS], "gamma"),
  beta: constant([OUTPUTS], "beta"),
  mean: constant([OUTPUTS], "mean"),
  variance: { dims: [OUTPUTS], data: fill([OUTPUTS], "variance").map((v) => 0.5 + v * v) },
};

const CONSTANT_ARITHMETIC: Readonly<Record<string, Case>> = {
  "numbers and channels into the convolution before them": {
    lines:
      "Conv x k bias > c\n BatchNormalization c gamma beta mean variance > n\n Mul o n > p\n Sub p half > q\n Div q fifth > r\n Sub six r > y",
    constants: { ...CHANNEL, ...NORM, k: constant([OUTPUTS, C, 3, 3], "k"), bias: constant([OUTPUTS], "bias") },
    after: ["conv2d"],
  },
  "into groups without a bias": {
    lines: "Conv x k > c\n Mul c o > p\n Add o p > y",
    attributes: { c: { group: 2, pads: SAME } },
    constants: { ...CHANNEL, k: constant([OUTPUTS, C / 2, 3, 3], "groups") },
    after: ["conv2d"],
  },
  "into transposed groups": {
    lines: "ConvTranspose x k > c\n BatchNormalization c gamma beta mean variance > n\n Add n o > y",
    attributes: { c: { group: 2, strides: [2, 2] } },
    constants: { ...CHANNEL, ...NORM, k: constant([C, OUTPUTS / 2, 2, 2], "transposed") },
    after: ["convTranspose2d"],
  },
  "into a product of rows": {
    lines: "MatMul x k > c\n Add c line > d\n Mul d half > y",
    shape: [2, 3, 4, C],
    constants: { k: constant([C, OUTPUTS], "rows"), line: constant([OUTPUTS], "line") },
    after: ["linear"],
  },
  "chains of them become one": {
    lines: "Relu x > r\n Sub r m > c\n Div c half > d\n Mul a d > e\n Add e three > f\n Sigmoid f > y",
    constants: CHANNEL,
    after: ["relu", "batchNorm"],
  },
  "into the convolution after them, a sum too where nothing is padded": {
    lines: "Relu x > r\n Sub r m > c\n Mul c a > d\n Conv d k > y",
    attributes: { y: { group: 2 } },
    constants: { ...CHANNEL, k: constant([OUTPUTS, C / 2, 3, 3], "groups") },
    after: ["relu", "conv2d"],
  },
  "a factor into the convolution after it": {
    lines: "Relu x > r\n Mul r m > c\n Conv c k bias > y",
    attributes: { y: { pads: SAME } },
    constants: { ...CHANNEL, k: constant([OUTPUTS, C, 3, 3], "k"), bias: constant([OUTPUTS], "bias") },
    after: ["relu", "conv2d"],
  },
  "into the product after them": {
    lines: "Add x line > a\n Mul a half > b\n Gemm b k bias > y",
    shape: [4, C],
    constants: { line: constant([C], "line"), k: constant([C, OUTPUTS], "rows"), bias: constant([OUTPUTS], "bias") },
    after: ["linear"],
  },
  "a sum before a padded convolution stays": {
    lines: "Add x m > c\n Conv c k > y",
    attributes: { y: { pads: SAME } },
    constants: { ...CHANNEL, k: constant([OUTPUTS, C, 3, 3], "k") },
    after: ["add", "conv2d"],
  },
  "what a shortcut reads stays": {
    lines: "Conv x k > c\n Mul c o > d\n Sigmoid c > s\n Add s d > y",
    constants: { ...CHANNEL, k: constant([OUTPUTS, C, 3, 3], "k") },
    after: ["conv2d", "mul", "sigmoid", "add"],
  },
};

const sides = (...counts: number[]): Constant => ({ dims: [8], data: BigInt64Array.from(counts, BigInt) });
const PADDED = { p: sides(0, 0, 1, 0, 0, 0, 2, 1), low: number(-Infinity), w: constant([C, C, 3, 3]) };

const PADS: Readonly<Record<string, Case>> = {
  "into every convolution that reads it": {
    lines: "Pad x p > a\n Conv a w > b\n Conv a w > c\n Sub b c > d\n Conv d w > y",
    attributes: { b: { pads: [0, 1, 1, 0] }, c: { pads: [0, 1, 1, 0] }, y: { pads: SAME } },
    constants: PADDED,
    after: ["conv2d", "conv2d", "sub", "conv2d"],
  },
  "into the mean": {
    lines: "Pad x p > a\n AveragePool a > y",
    attributes: { y: { kernel_shape: [3, 3], strides: [2, 2] } },
    constants: PADDED,
    after: ["avgPool2d"],
  },
  "of -infinity into the maximum": {
    lines: "Pad x p low > a\n MaxPool a > y",
    attributes: { y: { kernel_shape: [3, 2] } },
    constants: PADDED,
    after: ["maxPool2d"],
  },
  "of 0 into the maximum of what is never below": {
    lines: "Relu x > r\n Pad r p > a\n MaxPool a > y",
    attributes: { y: { kernel_shape: [3, 3], strides: [2, 2] } },
    constants: PADDED,
    after: ["relu", "maxPool2d"],
  },
  "of 0 before the maximum of anything stays": {
    lines: "Pad x p > a\n MaxPool a > y",
    attributes: { y: { kernel_shape: [3, 3] } },
    constants: PADDED,
    after: ["pad", "maxPool2d"],
  },
  "before a mean that does not count its own stays": {
    lines: "Pad x p > a\n AveragePool a > y",
    attributes: { y: { kernel_shape: [3, 3], pads: SAME } },
    constants: PADDED,
    after: ["pad", "avgPool2d"],
  },
  "of a number stays": {
    lines: "Pad x p half > a\n Conv a w > y",
    constants: PADDED,
    after: ["pad", "conv2d"],
  },
};

const ints = (...values: number[]): Constant => ({ dims: [values.length], data: BigInt64Array.from(values, BigInt) });
const SHUFFLED = {
  one: constant([C, C, 1, 1], "one"),
  two: constant([C, C, 1, 1], "two"),
  wide: constant([4, 2 * C, 1, 1], "wide"),
  bias: constant([C], "bias"),
  deep: constant([2 * C, 1, 3, 3], "deep"),
  grouped: constant([C, C / 2, 1, 1], "grouped"),
  parts: ints(2, 2, C, 7, 5),
  image: ints(2, 2 * C, 7, 5),
  halves: ints(C, C),
  lines: ints(2 * C, 2, 35),
  stack: ints(2, 2, C, 7, 5),
  three: ints(2, 3, C / 3, 7, 5),
  same: ints(2, C, 7, 5),
};
const [SWAP, HALVES] = [{ perm: [0, 2, 1, 3, 4] }, { axis: 1 }];
const SHUFFLE = "Reshape j parts > r\n Transpose r > t\n Reshape t image > s";

const SHUFFLES: Readonly<Record<string, Case>> = {
  "two units: halves read where they are computed": {
    lines: `Conv x one bias > a\n Relu a > ra\n Conv x two > b\n Concat ra b > j\n ${SHUFFLE}\n Split s halves > p,q
      Conv q one bias > c\n Concat p c > j2\n Reshape j2 parts > r2\n Transpose r2 > t2\n Reshape t2 image > s2
      Split s2 halves > p2,q2\n Conv q2 two > d\n Concat p2 d > j3\n Conv j3 wide > y`,
    attributes: { j: HALVES, t: SWAP, p: HALVES, j2: HALVES, t2: SWAP, p2: HALVES, j3: HALVES },
    constants: SHUFFLED,
    after: ["conv2d", "conv2d", "channels", "conv2d", "channels", "conv2d", "channels", "conv2d"],
  },
  "by lines and Gather": {
    lines: `Conv x one > a\n Conv x two > b\n Concat a b > j\n Reshape j lines > r\n Transpose r > t\n Reshape t stack > s
      Gather s first > p\n Gather s second > q\n Conv q one > c\n Concat p c > z\n Conv z wide > y`,
    attributes: { j: HALVES, t: { perm: [1, 0, 2] }, z: HALVES },
    constants: {
      ...SHUFFLED,
      stack: ints(2, 1, C, 7, 5),
      first: { dims: [], data: BigInt64Array.of(0n) },
      second: { dims: [], data: BigInt64Array.of(1n) },
      lines: ints(C, 2, 35),
    },
    shape: [1, C, 7, 5],
    after: ["conv2d", "conv2d", "channels", "conv2d", "channels", "conv2d"],
  },
  "what others read keeps its order": {
    lines: `Conv x one > a\n Concat a x > j\n ${SHUFFLE}\n Conv s deep > d\n Conv s wide > e\n Conv d wide > f\n Add e f > y`,
    attributes: { j: HALVES, t: SWAP, d: { group: 2 * C, pads: SAME } },
    constants: SHUFFLED,
    after: ["conv2d", "channels", "conv2d", "conv2d", "conv2d"],
  },
  "of groups, as an output": {
    lines: "Conv x grouped > a\n Reshape a three > r\n Transpose r > t\n Reshape t same > y",
    attributes: { a: { group: 2 }, t: SWAP },
    constants: SHUFFLED,
    after: ["conv2d", "channels"],
  },
  "parts that are only joined and cut stay": {
    lines: "Relu x > a\n Sigmoid x > b\n Concat a b > j\n Split j halves > p,q\n Add p q > y",
    attributes: { j: HALVES, p: HALVES },
    constants: SHUFFLED,
    after: ["relu", "sigmoid", "concat", "slice", "slice", "add"],
  },
};

const VIEWS: Readonly<Record<string, Case>> = {
  "boxes of a detector move nothing": {
    lines: "Conv x k > c\n Reshape c boxes > r\n Transpose r > t\n Softmax t > y",
    attributes: { c: { pads: SAME }, t: { perm: [0, 2, 1] } },
    constants: { k: constant([4, C, 3, 3], "boxes"), boxes: ints(2, 4, -1) },
    after: ["conv2d", "softmax"],
  },
  "anchors are copied once": {
    lines: "Conv x k > c\n Reshape c anchors > r\n Transpose r > t\n Reshape t flat > f\n Sigmoid f > y",
    attributes: { c: { pads: SAME }, t: { perm: [0, 1, 3, 4, 2] } },
    constants: { k: constant([12, C, 3, 3], "anchors"), anchors: ints(2, 3, 4, 7, 5), flat: ints(2, -1, 4) },
    after: ["conv2d", "moved", "sigmoid"],
  },
  "pixels of a block, and a part of them": {
    lines: `Conv x k > c\n Reshape c parts > r\n Transpose r > t\n Reshape t larger > l\n Slice l from to axis > s\n Relu l > p
      Conv p last > y1\n ReduceMax s > y2\n Add y1 y2 > y`,
    attributes: { c: { pads: SAME }, t: { perm: [0, 1, 4, 2, 5, 3] } },
    constants: {
      k: constant([8, C, 3, 3], "pixels"),
      parts: ints(2, 2, 2, 2, 7, 5),
      larger: ints(2, 2, 14, 10),
      last: constant([3, 2, 3, 3], "last"),
      from: ints(2),
      to: ints(9),
      axis: ints(2),
    },
    after: ["conv2d", "moved", "slice", "relu", "conv2d", "ReduceMax", "add"],
  },
  "a row of images cut unevenly stays": {
    lines: "Relu x > c\n Reshape c rows > r\n Slice r from to axis > s\n Transpose s > t\n Softmax t > y",
    attributes: { t: { perm: [0, 2, 1] } },
    constants: { rows: ints(2, C, 35), from: ints(3), to: ints(23), axis: ints(2) },
    after: ["relu", "slice", "transpose", "softmax"],
  },
};

const LEFT_ALONE: Readonly<Record<string, Case>> = {
  "a curve that is none of them": { lines: "Sigmoid x > s\n Mul s s > y", after: ["sigmoid", "mul"] },
  "a sum that is almost nothing": { lines: "Add x little > y", constants: { little: number(1e-12) }, after: ["add"] },
  "a number that keeps a logarithm finite": {
    lines: "Mul x thousand > t\n Sigmoid t > s\n Add s little > a\n Log a > y",
    constants: { thousand: number(1000), little: number(1e-7) },
    after: ["mul", "add", "Log"],
  },
  "a bound that keeps a logarithm finite": {
    lines: "Mul x thousand > t\n Sigmoid t > s\n Clip s little most > c\n Sub one c > d\n Log d > y",
    constants: { thousand: number(1000), little: number(1e-6), most: number(1 - 1e-6) },
    after: ["mul", "clip", "sub", "Log"],
  },
  "a number that keeps a quotient finite": {
    lines: "Relu x > r\n Abs r > s\n Add s little > a\n Div r a > y",
    constants: { little: number(1e-6) },
    after: ["relu", "Abs", "add", "div"],
  },
  "a jump between samples": {
    lines: "Greater x fifth > g\n Where g x half > y",
    after: ["Greater", "Where"],
  },
  "a jump between samples of a sum": {
    lines: "Add x three > a\n Less a zero > g\n Where g low x > y",
    constants: { low: number(-2.8) },
    after: ["add", "Less", "Where"],
  },
  steps: { lines: "Relu x > r\n Ceil r > c\n Clip c zero one > y", after: ["relu", "Ceil", "clip"] },
  "what is small everywhere": {
    lines: "Sigmoid x > s\n Mul s little > y",
    constants: { little: number(1e-7) },
    after: ["sigmoid", "mul"],
  },
  "a chain that others read": {
    lines: "Relu x > a\n Min a six > b\n Sigmoid a > s\n Mul b s > y",
    after: ["relu", "clip", "sigmoid", "mul"],
  },
  "constants that differ along the image": {
    lines: "Mul x line > a\n Max x a > y",
    constants: { line: constant([5]) },
    after: ["mul", "maximum"],
  },
  "a number of more axes": {
    lines: "Mul x flat > y",
    shape: [C, 5],
    constants: { flat: number(1, [1, 1, 1]) },
    after: ["mul"],
  },
};

const LINE = 5; // the last axis of x
const MEANS = Object.fromEntries(["m", "v", "m2"].map((name) => [name, { axes: [-1] }]));
const LINES = {
  tiny: number(1e-5),
  gamma: constant([LINE], "gamma"),
  beta: constant([LINE], "beta"),
  column: constant([7, 1], "column"),
};

const NORMALISATIONS: Readonly<Record<string, Case>> = {
  "layer normalisation": {
    lines:
      "ReduceMean x > m\n Sub x m > d\n Pow d two > p\n ReduceMean p > v\n Add v tiny > a\n Sqrt a > s\n Div d s > n\n Mul n gamma > g\n Add g beta > y",
    attributes: MEANS,
    constants: LINES,
    after: ["LayerNormalization"],
  },
  "with deviations computed twice, factors first": {
    lines:
      "ReduceMean x > m\n Sub x m > d\n Mul d d > p\n ReduceMean p > v\n Add tiny v > a\n Sqrt a > s\n Sub x m > d2\n Div d2 s > n\n Mul gamma n > g\n Add beta g > y",
    attributes: MEANS,
    constants: LINES,
    after: ["LayerNormalization"],
  },
  "over more axes": {
    lines:
      "ReduceMean x > m\n Sub x m > d\n Pow d two > p\n ReduceMean p > v\n Add v tiny > a\n Sqrt a > s\n Div d s > y",
    attributes: { m: { axes: [2, 3] }, v: { axes: [2, 3] } },
    constants: LINES,
    shape: [2, 3, 7, LINE, 2],
    after: ["ReduceMean", "sub", "mul", "ReduceMean", "add", "Sqrt", "div"],
  },
  "RMS normalisation": {
    lines: "Pow x two > p\n ReduceMean p > v\n Add v tiny > a\n Sqrt a > s\n Div x s > n\n Mul n gamma > y",
    attributes: MEANS,
    constants: LINES,
    after: ["RMSNormalization"],
  },
  "factors of another axis stay": {
    lines: "Pow x two > p\n ReduceMean p > v\n Add v tiny > a\n Sqrt a > s\n Div x s > n\n Mul n column > y",
    attributes: MEANS,
    constants: LINES,
    after: ["RMSNormalization", "mul"],
  },
  "a mean of something else stays": {
    lines:
      "ReduceMean x > m\n Relu x > r\n Sub r m > d\n Pow d two > p\n ReduceMean p > v\n Add v tiny > a\n Sqrt a > s\n Sub x m > d2\n Div d2 s > y",
    attributes: MEANS,
    constants: LINES,
    after: ["ReduceMean", "relu", "sub", "mul", "ReduceMean", "add", "Sqrt", "sub", "div"],
  },
  "cuts and borders of nothing": {
    lines: "Relu x > r\n Slice r from far axis > s\n Pad s none > t\n Sigmoid t > y",
    constants: { from: ints(0), far: ints(99), axis: ints(2), none: ints(0, 0, 0, 0, 0, 0, 0, 0) },
    after: ["relu", "sigmoid"],
  },
};

describe.each(BINARIES)("files on $name, optimised and as they stand", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(
    Object.entries({
      activations: ACTIVATIONS,
      constants: CONSTANT_ARITHMETIC,
      padding: PADS,
      shuffles: SHUFFLES,
      views: VIEWS,
      normalisations: NORMALISATIONS,
      alone: LEFT_ALONE,
    }).flatMap(([group, cases]) => Object.entries(cases).map(([name, given]) => [group, name, given] as const)),
  )("%s: %s", async (_, __, given) => {
    const bytes = onnxFile(fileOf(given));
    const shape = given.shape ?? [2, C, 7, 5];
    using plain = await loadOnnx(rt, bytes, { optimize: false });
    using merged = await loadOnnx(rt, bytes);
    expect(layers(merged)).toEqual(given.after);
    expect(layers(plain).length).toBeGreaterThanOrEqual(given.after.length);
    using x = rt.tensor(
      fill(shape, "x").map((v) => 6 * v),
      shape,
    );
    const expected = (plain.run({ x })["y"] as Tensor).toArray() as Float32Array;
    const actual = merged.run({ x })["y"] as Tensor;
    expect(actual.shape).toEqual(plain.outputs[0]?.shape);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expectClose(actual.toArray() as Float32Array, ref([expected.length], expected), 1e-5 * largest, "y");
  });
});
