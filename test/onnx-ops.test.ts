// ONNX operators that run on kernels, held to the host operators of the same name, which compute in float64 and are held to
// the standard's own tests; and the errors that assembly/lib/math.ts states for functions only ONNX uses.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countOf } from "../src/base/shape.js";
import type { Runtime, Tensor } from "../src/index.js";
import type { PlainTensor } from "../src/onnx/file/plain-tensor.js";
import { type NodeProto, parseModel, type TensorProto } from "../src/onnx/file/proto.js";
import { readTensorProto } from "../src/onnx/file/tensor.js";
import { cast } from "../src/onnx/host/make.js";
import { loadOnnx } from "../src/onnx/index.js";
import { unary } from "../src/onnx/layers/unary.js";
import { BINARIES } from "./binaries.js";
import { type Constant, type Node, onnxFile } from "./onnx-file.js";
import { evaluate, UNLIMITED } from "./onnx-operators.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { apply } from "./tensors.js";
import { expectExact, ulpOf } from "./tolerance.js";

const floats = (dims: readonly number[], ...values: number[]): Constant => ({
  dims,
  data: values.length > 0 ? Float32Array.from(values) : fill(dims, `${dims}`),
});
const ints = (dims: readonly number[], ...values: number[]): Constant => ({
  dims,
  data: BigInt64Array.from(values, BigInt),
});

interface Case {
  readonly op: string;
  /** Of the first inputs, which every run brings. */
  readonly shapes: readonly (readonly number[])[];
  readonly constants?: readonly (Constant | undefined)[];
  readonly attributes?: Node["attributes"];
  readonly opset?: number;
  /** A share of the largest output; default 1e-6. */
  readonly error?: number;
  /** Values of inputs; default normal around 0. */
  readonly from?: (value: number) => number;
}

const positive = (value: number): number => Math.abs(value) + 0.1;
const image = [2, 6, 5, 7];

const CASES: readonly Case[] = [
  ...["Abs", "Floor", "Ceil", "Round", "Sign", "Neg", "Exp", "Sin", "Cos", "Erf", "Reciprocal"].map((op) => ({
    op,
    shapes: [image],
  })),
  ...["Sqrt", "Log"].map((op) => ({ op, shapes: [image], from: positive })),
  ...[1, 2, 3, 0.5, -1, -2, -0.5].map((e) => ({
    op: "Pow",
    shapes: [image],
    constants: [floats([], e)],
    from: positive,
    error: 2e-6,
  })),
  { op: "Max", shapes: [image, [6, 1, 1], image] },
  { op: "Min", shapes: [[5, 7], image] },
  { op: "Max", shapes: [image], constants: [floats([1], 0.3)] },
  { op: "Min", shapes: [image], constants: [floats([], 0.3), floats([6, 1, 1])] },
  { op: "Max", shapes: [[3]], constants: [floats([1, 1, 1], 0.3)] },
  { op: "Clip", shapes: [image, [], []] },
  // As many columns as channels: a slope of one axis is one a column.
  { op: "PRelu", shapes: [[2, 7, 5, 7]], constants: [floats([7])] },
  { op: "PRelu", shapes: [[2, 5, 5]], constants: [floats([5])] },
  { op: "Cast", shapes: [image], attributes: { to: 1 } },
  ...([[2], [-1], [1], [0], [0, 2, 3], [2, 3], [1, 3], [0, 1, 2, 3]] as const).flatMap((axes) =>
    ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"].map((op, i) => ({
      op,
      shapes: [image],
      attributes: { keepdims: i % 2, ...(op !== "ReduceSum" && { axes }) },
      constants: op === "ReduceSum" ? [ints([axes.length], ...axes)] : [],
    })),
  ),
  { op: "ReduceMax", shapes: [[37, 41]] },
  { op: "ReduceMean", shapes: [[1, 1, 3]], attributes: { axes: [0, 1], keepdims: 0 } },
  { op: "ReduceLogSum", shapes: [image], attributes: { axes: [3] }, from: positive },
  { op: "ReduceSum", shapes: [[3, 301]], constants: [ints([1], 1)] },
  ...(
    [
      [[], 3],
      [[1], -1],
      [[3], 5, 3, 1],
      [[3], 1, 2, 3],
      [[2, 2], 0, 2, 4, 5],
      [[6], 0, 0, 1, 1, 2, 2],
    ] as const
  ).flatMap(([dims, ...values]) =>
    [1, -3].map((axis) => ({
      op: "Gather",
      shapes: [image],
      constants: [ints(dims, ...values)],
      attributes: { axis },
    })),
  ),
  { op: "Gather", shapes: [[4, 5]], constants: [ints([5], 3, 2, 1, 0, 2)] },
  {
    op: "LayerNormalization",
    shapes: [[3, 5, 19]],
    constants: [floats([19]), floats([19])],
    attributes: { epsilon: { float: 0.01 } },
  },
  { op: "LayerNormalization", shapes: [[3, 5, 19]], constants: [floats([5, 19])], attributes: { axis: 1 } },
  { op: "InstanceNormalization", shapes: [image], constants: [floats([6]), floats([6])] },
  { op: "InstanceNormalization", shapes: [[1, 6, 17]], constants: [floats([6]), floats([6])] },
  {
    op: "Resize",
    shapes: [image],
    constants: [undefined, floats([4], 1, 1, 2, 1.5)],
    attributes: { mode: "linear" },
  },
  {
    op: "Resize",
    shapes: [image],
    constants: [undefined, undefined, ints([4], 2, 6, 3, 11)],
    attributes: { mode: "cubic" },
  },
  { op: "Resize", shapes: [[2, 3, 5]], constants: [floats([0]), floats([3], 1, 1, 2)] },
];

describe.each(BINARIES)("ONNX operators on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(CASES)("$op of $shapes, $attributes", async (test) => {
    const { op, shapes, constants = [], attributes = {}, opset = 17, error = 1e-6, from = (v: number) => v } = test;
    const dynamic = shapes.map((_, i) => `x${i}`);
    const rest = constants.map((constant, i) => (constant ? `c${i}` : ""));
    const file = onnxFile({
      // Behind a convolution the image lies channels-last, and in front of another layer nothing is the model's output.
      nodes: [
        { op: "Relu", inputs: ["raw"], outputs: ["positive"] },
        { op: "Neg", inputs: ["raw"], outputs: ["minus"] },
        { op: "Relu", inputs: ["minus"], outputs: ["negative"] },
        { op: "Sub", inputs: ["positive", "negative"], outputs: ["x0"] },
        { op, inputs: [...dynamic, ...rest], outputs: ["y"], attributes },
      ],
      inputs: Object.fromEntries(shapes.map((shape, i) => [i === 0 ? "raw" : `x${i}`, shape])),
      outputs: ["y"],
      constants: Object.fromEntries(constants.flatMap((c, i) => (c ? [[`c${i}`, c] as const] : []))),
      opset,
    });
    const { graph } = parseModel(file);
    const node = graph?.nodes.at(-1) as NodeProto;
    const data = shapes.map((shape, i) => fill(shape, `${op}${i}`).map(from));
    const initializers = new Map(
      graph?.initializers.map((t) => [t.name, readTensorProto(t as TensorProto, UNLIMITED.budget)]),
    );
    const given = node.inputs.map((name): PlainTensor | undefined => {
      const i = dynamic.indexOf(name);
      if (i < 0) return initializers.get(name);
      return { type: "float32", shape: shapes[i] as readonly number[], data: data[i] as Float32Array };
    });
    const [expected] = evaluate(node, opset, given) as [PlainTensor];
    using model = await loadOnnx(rt, file);
    expect(model.summary().rows.filter(({ reason }) => reason === "JavaScript")).toEqual([]);
    const inputs = shapes.map((shape, i) => [i === 0 ? "raw" : `x${i}`, { data: data[i] as Float32Array, shape }]);
    const y = model.run(Object.fromEntries(inputs))["y"] as Tensor;
    expect(y.shape).toEqual(expected.shape);
    const actual = y.toArray() as Float32Array;
    const largest = (expected.data as Float32Array).reduce((p, v) => Math.max(p, Math.abs(v)), 0);
    let worst = 0;
    for (let i = 0; i < countOf(expected.shape); i++)
      worst = Math.max(worst, Math.abs((actual[i] as number) - (expected.data[i] as number)));
    // A mean may cancel to next to nothing.
    expect(worst).toBeLessThanOrEqual(error * Math.max(largest, 0.1));
  });

  const spread = (low: number, high: number): Float32Array =>
    Float32Array.from({ length: 40001 }, (_, i) => low + ((high - low) * i) / 40000);
  const functionsOfOne = [
    ["Exp", Math.exp, spread(-80, 80), 1],
    ["Log", Math.log, spread(1e-30, 20), 1],
    ["Erf", reference.erf, spread(-4.5, 4.5), 7],
    ["Sqrt", Math.sqrt, spread(0, 1e6), 0.5],
    ["Reciprocal", (x: number) => 1 / x, spread(0.001, 9), 0.5],
  ] as const;
  it.each(functionsOfOne)("%s is within its units in the last place", (name, f, data, ulps) => {
    using x = rt.tensor(data, [data.length]);
    using y = apply(rt, unary(name), x);
    const actual = y.toArray() as Float32Array;
    let worst = 0;
    for (let i = 0; i < data.length; i++) {
      const expected = f(data[i] as number);
      if (expected !== 0) worst = Math.max(worst, Math.abs((actual[i] as number) - expected) / ulpOf(expected));
    }
    expect(worst).toBeLessThanOrEqual(ulps);
  });

  // Math.sin and Math.cos reduce any argument exactly (V8: fdlibm).
  it.each(["Sin", "Cos"] as const)("%s is within 2 ulp for every argument, next to its zeros too", (name) => {
    const f = name === "Sin" ? Math.sin : Math.cos;
    const zeros = Float32Array.from({ length: 20_000 }, (_, i) => ((i + 1) * 17 * Math.PI) / 2); // up to 5e5
    const large = Float32Array.from({ length: 40_000 }, (_, i) => 1e6 * 10 ** (i / 1230) * (i % 2 ? -1 : 1)); // up to 3.3e38
    // 16367173 * 2^72 is the float nearest to a multiple of pi / 2: 1.6e-9 of it are left.
    const worstOfAll = Float32Array.of(
      16367173 * 2 ** 72,
      -16367173 * 2 ** 72,
      1e6,
      1000001,
      2 ** 127,
      3.4028234663852886e38,
    );
    const ranges = [2, 100, 8192, 1e5, 2e6].map((range) => spread(-range, range));
    for (const data of [...ranges, zeros, large, worstOfAll]) {
      using x = rt.tensor(data, [data.length]);
      using y = apply(rt, unary(name), x);
      const actual = y.toArray() as Float32Array;
      let worst = 0;
      data.forEach((v, i) => {
        const expected = f(v);
        if (expected !== 0) worst = Math.max(worst, Math.abs((actual[i] as number) - expected) / ulpOf(expected));
      });
      expect(Math.max(...actual.map(Math.abs).filter((v) => !(v <= 1)), 0)).toBe(0);
      expect(worst).toBeLessThanOrEqual(2);
    }
  });

  it("keeps what is special", () => {
    const special = [Number.NaN, Infinity, -Infinity, -0, 0, 2.5, -2.5, 3.5];
    using x = rt.tensor(special, [special.length]);
    const functions = {
      Abs: Math.abs,
      Floor: Math.floor,
      Ceil: Math.ceil,
      Sign: Math.sign,
      Exp: Math.exp,
      Log: Math.log,
    };
    for (const [name, f] of Object.entries({ ...functions, Sqrt: Math.sqrt, Reciprocal: (v: number) => 1 / v })) {
      using y = apply(rt, unary(name as "Abs"), x);
      expect([...(y.toArray() as Float32Array)], name).toEqual(
        special.map((v) => (Number.isFinite(f(v)) && f(v) % 1 !== 0 ? expect.closeTo(f(v), 4) : f(v))),
      );
    }
    using rounded = apply(rt, unary("Round"), x);
    expect([...(rounded.toArray() as Float32Array)]).toEqual([Number.NaN, Infinity, -Infinity, -0, 0, 2, -2, 4]);
    using waves = apply(rt, unary("Sin"), x);
    expect([...(waves.toArray() as Float32Array)].slice(0, 3)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    using limits = apply(rt, unary("Erf"), x);
    expect([...(limits.toArray() as Float32Array)].slice(0, 3)).toEqual([
      Number.NaN,
      expect.closeTo(1, 6),
      expect.closeTo(-1, 6),
    ]);
  });

  it("Half is the nearest float16, ties to even, in kernels and on the host", () => {
    const halves = Array.from({ length: 0x7c01 }, (_, bits) => {
      const [exponent, fraction] = [bits >> 10, bits & 1023];
      return exponent > 0 ? 2 ** (exponent - 25) * (1024 + fraction) : fraction * 2 ** -24;
    }); // the last, 65536, is beyond
    const cases: [x: number, nearest: number][] = [
      [Number.NaN, Number.NaN],
      [Infinity, Infinity],
      [3e38, Infinity],
      [1e-30, 0],
    ];
    const answer = (bits: number) => (bits === 0x7c00 ? Infinity : (halves[bits] as number));
    for (let bits = 0; bits < 0x7c00; bits++) {
      const [low, high] = [halves[bits] as number, halves[bits + 1] as number];
      const [middle, little] = [(low + high) / 2, (high - low) / 1024];
      cases.push([low, low], [middle, answer(bits + (bits & 1))]);
      cases.push([middle - little, low], [middle + little, answer(bits + 1)]);
    }
    const signed = cases.flatMap(([x, nearest]) => [[x, nearest] as const, [-x, -nearest] as const]);
    const data = Float32Array.from(signed, ([x]) => x);
    const expected = Float32Array.from(signed, ([, nearest]) => nearest);
    using x = rt.tensor(data, [data.length]);
    using y = apply(rt, unary("Half"), x);
    expectExact(y.toArray(), expected, "kernel");
    const host = cast(UNLIMITED, { type: "float32", shape: [data.length], data }, "float16").data as Float32Array;
    const positive = (values: Float32Array) => values.map((v) => v + 0); // zeros of either sign
    expectExact(positive(host), positive(expected), "host");
  });
});
