// Scales, zero points and biases that are none, in files made by hand: each a sentence that names node, input and value, of a class of its
// own; nothing is kept of the file, and the runtime goes on.
import { expect, it } from "vitest";
import { createRuntime, type Runtime } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { type Constant, type Node, node, onnxFile, typed } from "./onnx-file.js";

const UINT8 = 2;
const INT8 = 3;
const FLOAT = 1;
const microsoft = (one: Node): Node => ({ ...one, domain: "com.microsoft" });
const float = (...values: number[]) => typed("float32", values.length === 1 ? [] : [values.length], values);
const uint8 = (...values: number[]) => typed("uint8", values.length === 1 ? [] : [values.length], values);
const int8 = (...values: number[]) => typed("int8", values.length === 1 ? [] : [values.length], values);
const int32 = (...values: number[]) => typed("int32", values.length === 1 ? [] : [values.length], values);
const counted = (count: number) => Array.from({ length: count }, (_, i) => ((i * 7) % 90) - 40);

const [IMAGE, ROWS] = [
  [1, 3, 5, 5],
  [2, 3],
] as const;
const filters = typed("int8", [4, 3, 3, 3], counted(108));
const columns = typed("int8", [3, 4], counted(12));
const quanta = { xs: float(0.1), xz: uint8(3), ys: float(0.2), yz: uint8(4) };
const weights = { ws: float(0.1), wz: int8(0) };
const bias = int32(1, 2, 3, 4);

interface Layer {
  readonly nodes: readonly Node[];
  readonly constants: Readonly<Record<string, Constant>>;
  readonly shape: readonly number[];
  readonly type?: number;
  /** What the node calls its first operand; default x. */
  readonly x?: string;
  /** And its weights, where it has some; default w. */
  readonly w?: string;
}

const LAYERS: Readonly<Record<string, Layer>> = {
  QLinearConv: {
    nodes: [node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"])],
    constants: { ...quanta, ...weights, w: filters, b: bias },
    shape: IMAGE,
  },
  QLinearMatMul: {
    nodes: [node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])],
    constants: { ...quanta, ...weights, w: columns },
    shape: ROWS,
    x: "a",
    w: "b",
  },
  QGemm: {
    nodes: [microsoft(node("QGemm", ["x", "xs", "xz", "w", "ws", "wz", "b", "ys", "yz"], ["y"]))],
    constants: { ...quanta, ...weights, w: columns, b: bias },
    shape: ROWS,
    x: "a",
    w: "b",
  },
  QLinearAdd: {
    nodes: [microsoft(node("QLinearAdd", ["x", "xs", "xz", "x", "xs2", "xz2", "ys", "yz"], ["y"]))],
    constants: { ...quanta, xs2: float(0.3), xz2: uint8(1) },
    shape: ROWS,
    x: "a",
  },
  QLinearSigmoid: {
    nodes: [microsoft(node("QLinearSigmoid", ["x", "xs", "xz", "ys", "yz"], ["y"]))],
    constants: quanta,
    shape: ROWS,
  },
  QLinearConcat: {
    nodes: [microsoft(node("QLinearConcat", ["ys", "yz", "x", "xs", "xz", "x", "xs2", "xz2"], ["y"], { axis: 1 }))],
    constants: { ...quanta, xs2: float(0.3), xz2: uint8(1) },
    shape: ROWS,
    x: "x0?",
  },
  Conv: {
    nodes: [
      node("DequantizeLinear", ["x", "xs", "xz"], ["xf"]),
      node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], { axis: 0 }),
      node("Conv", ["xf", "wf"], ["c"]),
      node("QuantizeLinear", ["c", "ys", "yz"], ["y"]),
    ],
    constants: { ...quanta, ...weights, w: filters },
    shape: IMAGE,
    w: "[wx]",
  },
  ConvInteger: {
    nodes: [node("ConvInteger", ["x", "w", "xz", "wz"], ["y"])],
    constants: { xz: uint8(3), wz: int8(0), w: filters },
    shape: IMAGE,
  },
  MatMulInteger: {
    nodes: [node("MatMulInteger", ["x", "w", "xz", "wz"], ["y"])],
    constants: { xz: uint8(3), wz: int8(0), w: columns },
    shape: ROWS,
    x: "a",
    w: "b",
  },
  DynamicQuantizeMatMul: {
    nodes: [microsoft(node("DynamicQuantizeMatMul", ["x", "w", "ws", "wz"], ["y"]))],
    constants: { ...weights, w: columns },
    shape: ROWS,
    type: FLOAT,
    w: "b",
  },
};

type Wrong = readonly [what: string, value: Constant, told: string];
const SCALE: readonly Wrong[] = [
  ["0", float(0), "got 0"],
  ["NaN", float(NaN), "got NaN"],
  ["negative", float(-1), "got -1"],
];
const NOT_ONE: readonly Wrong[] = [
  ["no values", typed("float32", [0], []), "got .*0]?"],
  ["five values", float(1, 2, 3, 4, 5), "got .*5]?"],
];
const INFINITE: Wrong = ["infinite", float(Infinity), "got Infinity"];
const CHANGES: Readonly<Record<string, readonly Wrong[]>> = {
  xs: [...SCALE, INFINITE, ...NOT_ONE],
  ys: [...SCALE, INFINITE, ...NOT_ONE],
  ws: [...SCALE, ["one of them NaN", float(0.1, NaN, 0.1, 0.1), "got NaN"]],
  xz: [
    ["int8", int8(3), "expected uint8, got int8"],
    ["int32", int32(3), "expected uint8, got int32"],
    ["five values", uint8(1, 2, 3, 4, 5), "got .*5]?"],
    ["no values", typed("uint8", [0], []), "got .*0]?"],
  ],
  wz: [
    ["uint8", uint8(3), "expected int8, got uint8"],
    ["int32", int32(3), "expected int8, got int32"],
    ["five values", int8(1, 2, 3, 4, 5), "got .*5]?"],
  ],
  yz: [
    ["int32", int32(3), "got int32"],
    ["of float32", float(3), "got float32"],
    ["five values", uint8(1, 2, 3, 4, 5), "got .*5]?"],
  ],
  b: [
    ["two values", int32(1, 2), "expected 4 values, got 2"],
    ["of float32", float(1, 2, 3, 4), "expected int32, got float32"],
  ],
};

const NAMES: Readonly<Record<string, string>> = { s: "_scale", z: "_zero_point" };

/** The name that a node has for a constant of those above. */
function nameOf({ x = "x", w = "w" }: Layer, key: string): string {
  if (key === "b") return "(?:bias|B)";
  const of: Readonly<Record<string, string>> = { x, w, y: "[yc]" };
  return `${of[key[0] as string]}${NAMES[key[1] as string]}|${key[1] === "z" ? "zero_point" : "scales"}`;
}

function build({ nodes, shape, type = UINT8 }: Layer, constants: Layer["constants"]): Uint8Array {
  return onnxFile({ nodes, inputs: { x: shape }, types: { x: type }, outputs: ["y"], constants });
}

/** Runs it, where it does. */
async function tried(rt: Runtime, layer: Layer, constants: Layer["constants"]): Promise<void> {
  using model = await loadOnnx(rt, build(layer, constants));
  const count = layer.shape.reduce((a, b) => a * b, 1);
  const numbers = Array.from({ length: count }, (_, i) => i);
  const data = layer.type === FLOAT ? Float32Array.from(numbers) : Uint8Array.from(numbers);
  model.run({ x: { data, shape: layer.shape } } as never);
}

const rows = Object.entries(LAYERS).flatMap(([op, layer]) =>
  Object.entries(CHANGES).flatMap(([key, wrongs]) =>
    key in layer.constants ? wrongs.map((wrong) => [op, key, wrong[0], layer, wrong] as const) : [],
  ),
);

it.each(rows)("%s: %s %s", async (op, key, _, layer, [, value, told]) => {
  using rt = await createRuntime();
  await tried(rt, layer, layer.constants);
  const before = rt.report();
  const error = await tried(rt, layer, { ...layer.constants, [key]: value }).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  // Of float and int32 there are no quantised outputs: UnsupportedError where the standard has more types than kernels.
  expect(["ModelError", "UnsupportedError"]).toContain(error?.constructor.name);
  const around = op === "Conv" ? "(?:Conv|QuantizeLinear|DequantizeLinear)" : op;
  expect(error?.message).toMatch(
    new RegExp(`^node "[^"]+" \\(${around}\\): "(?:${nameOf(layer, key)})" [^\n]*${told}$`, "i"),
  );
  await tried(rt, layer, layer.constants);
  const { bytesInUse, liveTensors, livePlans } = before;
  expect(rt.report()).toMatchObject({ bytesInUse, liveTensors, livePlans });
});

it("a real bias beyond int32 goes through float, and says so; its sums are right", async () => {
  using rt = await createRuntime();
  const nodes = [
    node("DequantizeLinear", ["x", "xs", "xz"], ["xf"]),
    node("DequantizeLinear", ["w", "ws", "wz"], ["wf"]),
    node("Gemm", ["xf", "wf", "b"], ["c"]),
    node("QuantizeLinear", ["c", "ys", "yz"], ["y"]),
  ];
  const constants = { ...quanta, ...weights, w: typed("int8", [1, 1], [1]), b: float(3e7), ys: float(2e5) };
  using model = await loadOnnx(
    rt,
    onnxFile({ nodes, inputs: { x: [1, 1] }, types: { x: UINT8 }, outputs: ["y"], constants }),
  );
  const { y } = model.run({ x: { data: Uint8Array.of(203), shape: [1, 1] } });
  expect(Array.from(y?.toArray() ?? [])).toEqual([150 + 4]); // (20 * 0.1 + 3e7) / 2e5
  expect(model.summary().rows.some(({ reason }) => reason.startsWith("float: a bias beyond int32"))).toBe(true);
});

it("a list that does not fit an input of int8 is refused by its first number", async () => {
  using rt = await createRuntime();
  const nodes = [node("DequantizeLinear", ["x", "xs", "xz"], ["y"])];
  const constants = { xs: float(0.5), xz: int8(0) };
  using model = await loadOnnx(
    rt,
    onnxFile({ nodes, inputs: { x: [3] }, types: { x: INT8 }, outputs: ["y"], constants }),
  );
  const run = (data: ArrayLike<number>) => model.run({ x: { data, shape: [3] } } as never);
  expect(() => run([1, 0.5, 2])).toThrow(/elements of int8, got 0\.5 at 1$/);
  expect(() => run(Float32Array.of(1, 200, 2))).toThrow(/elements of int8, got 200 at 1$/);
  expect(
    Array.from((run(Int8Array.of(1, -128, 127)) as never as { y: { toArray(): Float32Array } }).y.toArray()),
  ).toEqual([0.5, -64, 63.5]);
});
