// Quantised tensors: the kernels to the bit, and the operators of ONNX within one quantum of the host operators, which
// compute in float64 and are held to the standard's own tests.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countOf } from "../src/base/shape.js";
import type { Runtime, Tensor } from "../src/index.js";
import { ARRAYS } from "../src/onnx/file/element-type.js";
import type { PlainTensor } from "../src/onnx/file/plain-tensor.js";
import { type NodeProto, parseModel, type TensorProto } from "../src/onnx/file/proto.js";
import { readTensorProto } from "../src/onnx/file/tensor.js";
import { loadOnnx } from "../src/onnx/index.js";
import { dequantize, type Quantised, quantize } from "../src/onnx/layers/quantize.js";
import { BINARIES } from "./binaries.js";
import { type Constant, ELEMENTS, type Node, onnxFile, typed } from "./onnx-file.js";
import { evaluate, UNLIMITED } from "./onnx-operators.js";
import { fill, random } from "./random.js";
import { roundToEven } from "./reference.js";
import { apply, FORMATS, tensorOf } from "./tensors.js";

const RANGES = { uint8: [0, 255], int8: [-128, 127], int32: [-(2 ** 31), 2 ** 31 - 1] } as const;

/** Shape, and the axis that has a scale each (-1: one scale). */
const SHAPES: readonly (readonly [readonly number[], number])[] = [
  ...[1, 2, 3, 4, 5, 7, 16, 2049, 4099].map((size) => [[size], -1] as const),
  ...[1, 2, 3, 4, 5, 9].map((C) => [[2, C, 3, 5], 1] as const),
  [[3, 7], 0],
  [[3, 7], 1],
  [[2, 3, 2051], 1],
  [[2, 3, 4, 5], 3],
  [[2, 3, 4, 5], 0],
];

const whole = (type: "uint8" | "int8", dims: readonly number[], seed: string): number[] => {
  const { uniform } = random(seed);
  const [low, high] = RANGES[type];
  return Array.from({ length: countOf(dims) }, () => Math.floor(uniform(low, high + 1)));
};

interface Case {
  readonly op: string;
  readonly domain?: string;
  readonly type: "uint8" | "int8" | "float32";
  readonly shape: readonly number[];
  /** After the first input; "" for none. */
  readonly constants: readonly (Constant | undefined)[];
  readonly attributes?: Node["attributes"];
}

const scale = (value: number): Constant => typed("float32", [], [value]);
const scales = (count: number): Constant =>
  typed(
    "float32",
    [count],
    Array.from({ length: count }, (_, i) => 0.01 + 0.003 * i),
  );
const zero = (type: "uint8" | "int8", value: number): Constant => typed(type, [], [value]);
const image = [2, 6, 7, 9];

const CASES: readonly Case[] = (["uint8", "int8"] as const).flatMap((type): readonly Case[] => {
  const point = type === "uint8" ? 114 : -7;
  const weight = (dims: readonly number[], of: "uint8" | "int8" = "int8") =>
    typed(of, dims, whole(of, dims, `${dims}`));
  const bias = typed("int32", [4], [100, -3000, 7, 40000]);
  const microsoft = { domain: "com.microsoft", type, shape: image };
  const x = [scale(0.02), zero(type, point)];
  const y = [scale(0.9), zero(type, point)];
  const small = [scale(0.03), zero(type, point)];
  return [
    { op: "QuantizeLinear", type: "float32", shape: image, constants: [scale(0.02), zero(type, point)] },
    { op: "DynamicQuantizeLinear", type: "float32", shape: image, constants: [] },
    { op: "Cast", type, shape: image, constants: [], attributes: { to: 1 } },
    {
      op: "QuantizeLinear",
      type: "float32",
      shape: image,
      constants: [scales(6), typed(type, [6], [0, 1, 2, 3, 4, 5])],
    },
    { op: "DequantizeLinear", type, shape: image, constants: x },
    { op: "DequantizeLinear", type, shape: [3, 5], constants: [scales(3)], attributes: { axis: 0 } },
    {
      op: "QLinearConv",
      type,
      shape: image,
      constants: [...x, weight([4, 6, 3, 3]), scale(0.01), zero("int8", 0), ...y, bias],
    },
    {
      op: "QLinearConv",
      type,
      shape: image,
      constants: [...x, weight([4, 3, 3, 3]), scales(4), typed("int8", [4], [0, 1, -2, 0]), ...y, bias],
      attributes: { group: 2, pads: [1, 1, 1, 1], strides: [2, 1] },
    },
    {
      op: "QLinearConv",
      type,
      shape: image,
      constants: [...x, weight([6, 1, 3, 3], "uint8"), scale(0.01), zero("uint8", 120), ...y],
      attributes: { group: 6, pads: [1, 1, 1, 1] },
    },
    {
      op: "QLinearConv",
      type,
      shape: [1, 3, 11],
      constants: [...x, weight([4, 3, 5]), scale(0.01), zero("int8", 0), ...y, bias],
    },
    { op: "ConvInteger", type, shape: image, constants: [weight([4, 6, 3, 3]), zero(type, point)] },
    {
      op: "QLinearMatMul",
      type,
      shape: [2, 3, 37],
      constants: [...x, weight([37, 5]), scale(0.01), zero("int8", 3), ...y],
    },
    {
      op: "QLinearMatMul",
      type,
      shape: [4, 37],
      constants: [...x, weight([37, 5]), scales(5), typed("int8", [5], [0, 1, 2, -3, 4]), ...y],
    },
    { op: "MatMulInteger", type, shape: [4, 37], constants: [weight([37, 5]), zero(type, point), zero("int8", 2)] },
    {
      op: "MaxPool",
      type,
      shape: image,
      constants: [],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    },
    {
      ...microsoft,
      op: "QLinearAdd",
      constants: [...x, weight([6, 1, 1], type), scale(0.01), zero(type, 3), ...small],
    },
    { ...microsoft, op: "QLinearMul", constants: [...x, weight([1], type), scale(0.01), zero(type, 3), ...small] },
    {
      ...microsoft,
      op: "QGemm",
      shape: [4, 37],
      constants: [...x, weight([37, 4]), scale(0.01), zero("int8", 3), bias, ...y],
    },
    {
      ...microsoft,
      op: "QGemm",
      shape: [37, 3],
      constants: [...x, weight([5, 37]), scales(5), typed("int8", [5], [0, 1, 2, -3, 4]), undefined, ...y],
      attributes: { transA: 1, transB: 1, alpha: { float: 0.5 } },
    },
    {
      ...microsoft,
      op: "QGemm",
      shape: [4, 37],
      constants: [...x, weight([4, 37]), scales(4), typed("int8", [4], [0, 1, -2, 0]), bias],
      attributes: { transB: 1 },
    },
    { ...microsoft, op: "QLinearSigmoid", constants: [...x, scale(0.004), zero(type, point)] },
    { ...microsoft, op: "QLinearLeakyRelu", constants: [...x, ...small], attributes: { alpha: { float: 0.1 } } },
    { ...microsoft, op: "QLinearAveragePool", constants: [...x, ...small], attributes: { kernel_shape: [3, 3] } },
    { ...microsoft, op: "QLinearGlobalAveragePool", constants: [...x, ...small] },
    {
      ...microsoft,
      op: "QLinearSoftmax",
      constants: [...x, scale(0.004), zero(type, point)],
      attributes: { opset: 13, axis: 1 },
    },
  ];
});

describe.each(BINARIES)("quantised tensors on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  const types: readonly Quantised[] = ["uint8", "int8", "int32"];
  describe.each(types)("%s", (type) => {
    it.each(SHAPES)("%j, a scale each of axis %j, to the bit and back", (shape, axis) => {
      const count = axis < 0 ? 1 : (shape[axis] as number);
      const scale = Float32Array.from({ length: count }, (_, i) => 0.02 + 0.01 * i);
      const zero = Array.from({ length: count }, (_, i) => (type === "int32" ? 0 : type === "int8" ? i - 5 : i + 100));
      const inner = countOf(shape.slice(axis + 1));
      const at = (i: number): number => (axis < 0 ? 0 : Math.floor(i / inner) % count);
      const data = fill(shape, `${shape}`).map((v) => v * 2);
      data[0] = 1e30;
      const [low, high] = RANGES[type];
      for (const multiply of [false, true]) {
        const expected = Array.from(data, (v, i) => {
          const s = scale[at(i)] as number;
          return Math.min(
            high,
            Math.max(low, roundToEven(Math.fround(multiply ? v * s : v / s)) + (zero[at(i)] as number)),
          );
        });
        const real = expected.map((v, i) => {
          const difference = Math.fround(v) - (zero[at(i)] as number);
          return Math.fround(difference * (scale[at(i)] as number));
        });
        for (const format of FORMATS) {
          if (format === "channelsLast" && shape.length < 3) continue;
          using x = tensorOf(rt, data, shape, format);
          using y = apply(rt, quantize({ type, scale, zero, axis, multiply }), x);
          expect(y.dtype).toBe(type);
          expect(y.memoryFormat).toBe(format);
          expect(Array.from(y.toArray() as Int32Array)).toEqual(expected);
          using back = apply(rt, dequantize({ type, scale, zero, axis }), y);
          expect(Array.from(back.toArray() as Float32Array)).toEqual(real);
        }
      }
    });
  });

  it("rounds halves to even, saturates, and takes NaN and infinities", () => {
    using x = rt.tensor([0.5, 1.5, 2.5, -0.5, -1.5, Infinity, -Infinity, Number.NaN], [8]);
    using y = apply(rt, quantize({ type: "int8", scale: [1], zero: [0], axis: 0 }), x);
    expect([...(y.data as Int8Array)].slice(0, 7)).toEqual([0, 2, 2, 0, -2, 127, -128]);
  });

  it("QGemm, by hand: (A - 1)(B - [0, 2]) + C, times 0.5 and [0.5, 1] and 2, and 3", async () => {
    using model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [
          {
            op: "QGemm",
            domain: "com.microsoft",
            inputs: ["x", "sa", "za", "b", "sb", "zb", "c", "sy", "zy"],
            outputs: ["y"],
            attributes: { alpha: { float: 2 } },
          },
        ],
        inputs: { x: [1, 2] },
        types: { x: 2 },
        outputs: ["y"],
        constants: {
          sa: scale(0.5),
          za: zero("uint8", 1),
          b: typed("int8", [2, 2], [1, 2, -3, 4]),
          sb: typed("float32", [2], [0.5, 1]),
          zb: typed("int8", [2], [0, 2]),
          c: typed("int32", [2], [10, -1]),
          sy: scale(0.25),
          zy: zero("uint8", 3),
        },
      }),
    );
    // x - 1 = 4, 2; columns 1 -3 and 0 2: sums -2 + 10 = 8 and 4 - 1 = 3; real 4 and 3; quanta 16 and 12.
    const { y } = model.run({ x: { data: [5, 3], shape: [1, 2] } }) as { y: Tensor };
    expect([...y.toArray()]).toEqual([19, 15]);
  });

  it.each(CASES)(
    "$op of $type $shape, $attributes",
    async ({ op, domain, type, shape, constants, attributes = {} }) => {
      const names = constants.map((c, i) => (c ? `c${i}` : ""));
      const file = onnxFile({
        nodes: [{ op, inputs: ["x", ...names], outputs: ["y"], attributes, ...(domain && { domain }) }],
        inputs: { x: shape },
        types: { x: ELEMENTS[type][0] },
        outputs: ["y"],
        constants: Object.fromEntries(constants.flatMap((c, i) => (c ? [[`c${i}`, c] as const] : []))),
        opset: 17,
      });
      const { graph } = parseModel(file);
      const data = type === "float32" ? fill(shape, op) : ARRAYS[type].from(whole(type, shape, op));
      const initializers = new Map(
        graph?.initializers.map((t) => [t.name, readTensorProto(t as TensorProto, UNLIMITED.budget)]),
      );
      const rest = names.map((name) => initializers.get(name));
      const [expected] = evaluate(graph?.nodes[0] as NodeProto, 17, [{ type, shape, data }, ...rest]) as [PlainTensor];
      using model = await loadOnnx(rt, file);
      expect(model.summary().rows.filter(({ reason }) => reason === "JavaScript")).toEqual([]);
      const y = model.run({ x: { data: data as Float32Array, shape } })["y"] as Tensor;
      expect(y.shape).toEqual(expected.shape);
      expect(y.dtype).toBe(expected.type);
      const actual = y.toArray();
      let apart = 0;
      for (let i = 0; i < expected.data.length; i++) {
        const difference = Math.abs(Number(actual[i]) - Number(expected.data[i]));
        // Real numbers are rounded as the kernels round; whole ones differ where a sum is next to a half.
        expect(difference).toBeLessThanOrEqual(
          expected.type === "float32"
            ? 4e-6 * Math.max(1, Math.abs(Number(expected.data[i])))
            : expected.type === "int32"
              ? 0
              : 1,
        );
        if (difference > 0) apart++;
      }
      if (expected.type !== "float32") expect(apart).toBeLessThanOrEqual(expected.data.length / 100);
    },
  );

  // Sums of 0 to 255, of which many lie on a half once the factor is rounded to float32 as onnxruntime has it, and next to one
  // where it is not, or where a sum is divided by the quantum's inverse.
  it.each([
    [0.05, 0.02, 2],
    [0.05, 0.02, 14],
    [0.3, 0.01, 14],
  ])("QLinearConv multiplies sums by the factor in float32: %d, %d, over %d times both", async (a, b, times) => {
    const product = Math.fround(Math.fround(a) * Math.fround(b));
    const quantum = Math.fround(times * product);
    const factor = Math.fround(product / quantum);
    const shape = [1, 1, 16, 16];
    const operands = [scale(a), zero("uint8", 0), typed("int8", [1, 1, 1, 1], [1]), scale(b), zero("int8", 0)];
    const constants = Object.fromEntries(
      [...operands, scale(quantum), zero("uint8", 0)].map((value, i) => [`c${i}`, value]),
    );
    const nodes = [{ op: "QLinearConv", inputs: ["x", ...Object.keys(constants)], outputs: ["y"] }];
    const file = onnxFile({ nodes, inputs: { x: shape }, types: { x: 2, y: 2 }, outputs: ["y"], constants });
    using model = await loadOnnx(rt, file);
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    const y = model.run<"uint8">({ x: { data, shape } })["y"]?.toArray() as Uint8Array;
    expect([...y]).toEqual(Array.from(data, (sum) => roundToEven(Math.fround(sum * factor))));
  });

  it("quantises by the range of the values, and multiplies less a zero point that is computed", async () => {
    const [shape, weights] = [
      [2, 6, 7, 9],
      [4, 6, 3, 3],
    ];
    const nodes: readonly Node[] = [
      { op: "DynamicQuantizeLinear", inputs: ["x"], outputs: ["q", "scale", "zero"] },
      { op: "ConvInteger", inputs: ["q", "w", "zero", "wz"], outputs: ["sums"] },
      { op: "Cast", inputs: ["sums"], outputs: ["whole"], attributes: { to: 1 } },
      { op: "Mul", inputs: ["whole", "scale"], outputs: ["y"] },
    ];
    const constants = { w: typed("int8", weights, whole("int8", weights, "dynamic")), wz: zero("int8", 3) };
    const file = onnxFile({ nodes, inputs: { x: shape }, outputs: ["y", "scale", "zero"], constants });
    using model = await loadOnnx(rt, file);
    expect(model.summary().rows.filter(({ reason }) => reason === "JavaScript")).toEqual([]);
    const { graph } = parseModel(file);
    for (const data of [fill(shape, "dynamic"), fill(shape, "above").map(Math.abs), new Float32Array(2 * 6 * 7 * 9)]) {
      const values = new Map(
        graph?.initializers.map((t) => [t.name, readTensorProto(t as TensorProto, UNLIMITED.budget)]),
      );
      values.set("x", { type: "float32", shape, data });
      for (const node of graph?.nodes ?? []) {
        const answers = evaluate(
          node,
          17,
          node.inputs.map((name) => values.get(name)),
        );
        node.outputs.forEach((name, i) => {
          values.set(name, answers[i] as PlainTensor);
        });
      }
      const results = model.run({ x: { data, shape } });
      const quantum = Number(values.get("scale")?.data[0]);
      expect(results["scale"]?.toArray()[0]).toBeCloseTo(quantum, 7);
      expect(results["zero"]?.toArray()[0]).toBe(values.get("zero")?.data[0]);
      const expected = values.get("y") as PlainTensor;
      const actual = results["y"]?.toArray() as Float32Array;
      // A value next to a half is quantised to either neighbour: then sums are a weight apart.
      const apart = actual.filter((v, i) => !(Math.abs(v - Number(expected.data[i])) <= quantum * 1e-3));
      expect(apart.length).toBeLessThanOrEqual(expected.data.length / 50);
    }
  });

  /** 258 terms of 255 * 255 are below 2^24, 259 are not. */
  it.each([
    [258, false],
    [259, true],
  ] as const)("MatMulInteger of %i terms, a batch of weights, is whole: in JavaScript %j", async (K, isHost) => {
    const [shape, dims] = [
      [2, 2, K],
      [2, K, 3],
    ];
    const x = Uint8Array.from({ length: 4 * K }, (_, i) => 255 - (i % 97 === 5 ? 2 : 0));
    const w = Uint8Array.from({ length: 6 * K }, (_, i) => (i % 3 === 1 ? 255 : i % 200));
    const wanted = Array.from({ length: 12 }, (_, i) => {
      const [row, column] = [Math.floor(i / 3), i % 3];
      let sum = 0;
      for (let k = 0; k < K; k++) sum += (x[row * K + k] as number) * (w[((row >> 1) * K + k) * 3 + column] as number);
      return sum;
    });
    const file = onnxFile({
      nodes: [{ op: "MatMulInteger", inputs: ["x", "w"], outputs: ["y"] }],
      inputs: { x: shape },
      types: { x: ELEMENTS.uint8[0], y: ELEMENTS.int32[0] },
      outputs: ["y"],
      constants: { w: typed("uint8", dims, w) },
    });
    using model = await loadOnnx(rt, file);
    const { y } = model.run({ x: { data: x, shape } });
    expect(Array.from(y?.toArray() ?? [])).toEqual(wanted);
    expect(model.summary().rows.some(({ reason }) => reason === "JavaScript")).toBe(isHost);
  });
});
