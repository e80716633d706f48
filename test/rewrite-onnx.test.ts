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

/** "op a b > y": one node a line; the input is x, the output y. */
function nodesOf(lines: string, attributes: Readonly<Record<string, Node["attributes"]>> = {}): Node[] {
  return lines
    .trim()
    .split("\n")
    .map((line) => {
      const [left = "", output = ""] = line.split(">").map((part) => part.trim());
      const [op = "", ...inputs] = left.split(/ +/);
      const given = attributes[output];
      return {
        op,
        inputs: inputs.map((name) => (name === "_" ? "" : name)),
        outputs: [output],
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
  return rows.filter(({ layer, algorithm }) => layer !== "" && algorithm !== "view").map(({ op }) => op);
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
  "into the convolution before it": {
    lines: "Conv x w > v\n Add v three > a\n Clip a zero six > b\n Mul v b > c\n Div c six > y",
    after: ["conv2d"],
  },
  "what changes nothing": {
    lines: "Relu x > a\n Mul a one > b\n Add b zero > c\n Identity c > d\n Sigmoid d > y",
    after: ["relu", "sigmoid"],
  },
};

const LEFT_ALONE: Readonly<Record<string, Case>> = {
  "a curve that is none of them": { lines: "Sigmoid x > s\n Mul s s > y", after: ["sigmoid", "mul"] },
  "a sum that is almost nothing": { lines: "Add x little > y", constants: { little: number(1e-12) }, after: ["add"] },
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

describe.each(BINARIES)("files on $name, optimised and as they stand", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(Object.entries({ ...ACTIVATIONS, ...LEFT_ALONE }))("%s", async (_, given) => {
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
