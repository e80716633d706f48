// Quantised operators of onnxruntime's own domain, to the bit, on kernels and in JavaScript. What is expected is written down
// here as onnxruntime computes it, every step in float32: worked out against its web and native builds, with which all bytes agreed.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countOf } from "../src/base/shape.js";
import type { Runtime } from "../src/index.js";
import { type NodeProto, parseModel, type TensorProto } from "../src/onnx/file/proto.js";
import { readTensorProto } from "../src/onnx/file/tensor.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Constant, ELEMENTS, type Node, onnxFile, typed } from "./onnx-file.js";
import { evaluate, UNLIMITED } from "./onnx-operators.js";
import { random } from "./random.js";
import { roundToEven } from "./reference.js";

const f = Math.fround;
const TYPES = { uint8: [0, Uint8Array], int8: [-128, Int8Array] } as const;
type Type = keyof typeof TYPES;

interface Given {
  readonly type: Type;
  readonly data: Uint8Array | Int8Array;
  readonly shape: readonly number[];
}
interface Point {
  readonly scale: number;
  readonly zero: number;
}
/** Scales in whose ratios halves abound, and any. */
const SCALES = [
  [0.025, 0.0125, 0.05],
  [0.5, 0.25, 0.125],
  [0.0371, 0.0113, 0.0523],
] as const;

const points = (type: Type, scales: readonly number[]): [Point, Point, Point] => {
  const { uniform } = random(`${type} ${scales}`);
  const [low] = TYPES[type];
  const made = scales.map((scale) => ({ scale: f(scale), zero: Math.floor(uniform(low, low + 256)) }));
  return made as [Point, Point, Point];
};

/** What a node answers on kernels, and in JavaScript. */
async function answers(
  rt: Runtime,
  op: string,
  inputs: readonly (Given | Constant)[],
  attributes: Node["attributes"] = {},
) {
  const isGiven = (input: Given | Constant): input is Given => "shape" in input;
  const given = new Map<string, Given>(
    inputs.flatMap((input, i) => (isGiven(input) ? [[`x${i}`, input] as const] : [])),
  );
  const names = inputs.map((input, i) => (isGiven(input) ? `x${i}` : `c${i}`) as string);
  const file = onnxFile({
    nodes: [{ op, domain: "com.microsoft", inputs: names, outputs: ["y"], attributes }],
    inputs: Object.fromEntries([...given].map(([name, { shape }]) => [name, shape])),
    types: Object.fromEntries([...given].map(([name, { type }]) => [name, ELEMENTS[type][0]])),
    outputs: ["y"],
    constants: Object.fromEntries(inputs.flatMap((input, i) => (isGiven(input) ? [] : [[`c${i}`, input] as const]))),
    opset: 17,
  });
  const { graph } = parseModel(file);
  const constants = new Map(
    graph?.initializers.map((t) => [t.name, readTensorProto(t as TensorProto, UNLIMITED.budget)]),
  );
  const operands = names.map((name) => given.get(name) ?? constants.get(name));
  const [inJavaScript] = evaluate(graph?.nodes[0] as NodeProto, 17, operands);
  using model = await loadOnnx(rt, file);
  expect(model.summary().rows.filter(({ reason }) => reason === "JavaScript")).toEqual([]);
  const { y } = model.run(Object.fromEntries(given));
  return [y?.toArray(), inJavaScript?.data] as ArrayLike<number>[];
}

const operand = (type: Type, { scale, zero }: Point): [Constant, Constant] => [
  typed("float32", [], [scale]),
  typed(type, [], [zero]),
];

/** How many of the answers are not what the formula says, saturated. */
function apart(type: Type, actual: ArrayLike<number> | undefined, expected: readonly number[]): number {
  const [low] = TYPES[type];
  expect(actual?.length).toBe(expected.length);
  return expected.filter((value, i) => Math.min(low + 255, Math.max(low, value)) !== actual?.[i]).length;
}

describe.each(BINARIES)("to the bit of onnxruntime on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  const cases = (["uint8", "int8"] as const).flatMap((type) => SCALES.map((scales) => [type, scales] as const));

  describe.each(cases)("%s, scales %j", (type, scales) => {
    const [low, Numbers] = TYPES[type];
    const [a, b, c] = points(type, scales);
    const of = (at: (i: number) => number, shape: readonly number[]): Given => ({
      type,
      shape,
      data: (Numbers as Uint8ArrayConstructor).from({ length: countOf(shape) }, (_, i) => at(i)),
    });
    const left = of((i) => low + (i & 255), [256, 256]);
    const right = of((i) => low + (i >> 8), [256, 256]);
    const pairs = (formula: (x: number, y: number) => number): number[] =>
      Array.from(left.data, (x, i) => formula(x, right.data[i] as number));
    const inputs = [left, ...operand(type, a), right, ...operand(type, b), ...operand(type, c)];

    it("QLinearAdd of all pairs of bytes", async () => {
      const [ra, rb] = [f(a.scale / c.scale), f(b.scale / c.scale)];
      const expected = pairs((x, y) => roundToEven(f(f(f((x - a.zero) * ra) + f((y - b.zero) * rb)) + c.zero)));
      for (const actual of await answers(rt, "QLinearAdd", inputs)) expect(apart(type, actual, expected)).toBe(0);
    });

    it("QLinearMul of all pairs of bytes", async () => {
      const ratio = f(f(a.scale * b.scale) / c.scale);
      const expected = pairs((x, y) => roundToEven(f(f((x - a.zero) * (y - b.zero) * ratio) + c.zero)));
      for (const actual of await answers(rt, "QLinearMul", inputs)) expect(apart(type, actual, expected)).toBe(0);
    });

    it("QLinearAdd and QLinearMul with a constant operand, broadcast", async () => {
      const [x, w] = [of((i) => low + ((7 * i) & 255), [2, 3, 5, 7]), [low, 3, low + 255]];
      const constant = typed(type, [3, 1, 1], w);
      const given = [x, ...operand(type, a), constant, ...operand(type, b), ...operand(type, c)];
      const [ra, rb] = [f(a.scale / c.scale), f(b.scale / c.scale)];
      const ratio = f(f(a.scale * b.scale) / c.scale);
      const at = (i: number) => w[Math.floor(i / 35) % 3] as number;
      const sums = Array.from(x.data, (v, i) =>
        roundToEven(f(f(f((v - a.zero) * ra) + f((at(i) - b.zero) * rb)) + c.zero)),
      );
      const products = Array.from(x.data, (v, i) =>
        roundToEven(f(f((v - a.zero) * (at(i) - b.zero) * ratio) + c.zero)),
      );
      for (const actual of await answers(rt, "QLinearAdd", given)) expect(apart(type, actual, sums)).toBe(0);
      for (const actual of await answers(rt, "QLinearMul", given)) expect(apart(type, actual, products)).toBe(0);
    });

    it.each([
      [2, 2],
      [3, 1],
      [3, 2],
    ])("QLinearAveragePool of windows of %d, stride %d", async (K, stride) => {
      const [C, H] = [5, 14];
      const P = Math.floor((H - K) / stride) + 1;
      const { uniform } = random(`${K} ${stride}`);
      const x = of(() => Math.floor(uniform(low, low + 256)), [1, C, H, H]);
      const expected: number[] = [];
      for (let c0 = 0; c0 < C; c0++)
        for (let p = 0; p < P; p++)
          for (let q = 0; q < P; q++) {
            let sum = 0;
            for (let r = 0; r < K; r++)
              for (let s = 0; s < K; s++) {
                const value = x.data[(c0 * H + p * stride + r) * H + q * stride + s] as number;
                sum = f(sum + f(a.scale * (value - a.zero)));
              }
            expected.push(roundToEven(f(f(f(sum / (K * K)) / c.scale) + c.zero)));
          }
      const attributes = { kernel_shape: [K, K], strides: [stride, stride] };
      const given = [x, ...operand(type, a), ...operand(type, c)];
      const [onKernels, inJavaScript] = await answers(rt, "QLinearAveragePool", given, attributes);
      expect(apart(type, onKernels, expected)).toBe(0);
      // There sums are float64: a quantum, where one is next to a half.
      for (const [i, value] of expected.entries())
        expect(Math.abs((inJavaScript?.[i] as number) - Math.min(low + 255, Math.max(low, value)))).toBeLessThanOrEqual(
          1,
        );
    });

    it.each([4, 7])("QLinearGlobalAveragePool of %d by as many", async (H) => {
      const C = 259;
      const { uniform } = random(`global ${H}`);
      const x = of(() => Math.floor(uniform(low, low + 256)), [1, C, H, H]);
      const factor = f(a.scale / f(c.scale * H * H));
      const expected = Array.from({ length: C }, (_, i) => {
        let sum = 0;
        for (const value of x.data.subarray(i * H * H, (i + 1) * H * H)) sum += value - a.zero;
        return roundToEven(f(sum * factor)) + c.zero;
      });
      const given = [x, ...operand(type, a), ...operand(type, c)];
      for (const actual of await answers(rt, "QLinearGlobalAveragePool", given))
        expect(apart(type, actual, expected)).toBe(0);
    });
  });

  it("a convolution of one channel and one group is none by depth", async () => {
    const constants = {
      sx: typed("float32", [], [0.5]),
      zx: typed("uint8", [], [3]),
      w: typed(
        "int8",
        [8, 1, 3, 3],
        Array.from({ length: 72 }, (_, i) => i - 36),
      ),
      sw: typed("float32", [], [0.25]),
      zw: typed("int8", [], [0]),
      sy: typed("float32", [], [2]),
      zy: typed("uint8", [], [7]),
    };
    const nodes = [{ op: "QLinearConv", inputs: ["x", ...Object.keys(constants)], outputs: ["y"] }];
    const file = onnxFile({ nodes, inputs: { x: [1, 1, 9, 9] }, types: { x: 2 }, outputs: ["y"], constants });
    using model = await loadOnnx(rt, file);
    expect(model.summary().rows.map(({ algorithm }) => algorithm)).not.toContain("depthwise");
  });
});
