// What small inputs decide is planned for: sizes, amounts, branches. Values are worked out by hand, or by the references.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx, type OnnxInput, type OnnxModel } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Constant, type File, floats, type Graph, integers, type Node, node, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import { build, conv2d, ref } from "./reference.js";

const branch = (nodes: Node[], output: string, constants: Graph["constants"] = {}): { graph: Graph } => ({
  graph: { nodes, inputs: {}, outputs: [output], constants },
});
const int64 = (...values: number[]): OnnxInput => ({ data: values, shape: [values.length] });
const scalar = (value: number): OnnxInput => ({ data: [value], shape: [] });
const isOnKernels = (model: OnnxModel): boolean => model.summary().rows.every(({ reason }) => reason !== "JavaScript");

describe("what inputs decide", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await (BINARIES[1] as (typeof BINARIES)[number]).create();
  });
  afterAll(() => rt.dispose());

  const load = (file: File) => loadOnnx(rt, onnxFile(file));
  const answer = (model: OnnxModel, feeds: Record<string, OnnxInput>) => {
    const { y } = model.run(feeds) as { y: Tensor };
    return { shape: [...y.shape], values: Array.from(y.toArray() as Float32Array) };
  };

  it("sizes of Resize, each planned for once", async () => {
    using model = await load({
      nodes: [node("Relu", ["x"], ["r"]), node("Resize", ["r", "", "", "sizes"], ["y"], { mode: "nearest" })],
      inputs: { x: [1, 1, 2, 2], sizes: [4] },
      types: { sizes: 7 },
      outputs: ["y"],
    });
    const x = { data: [1, 2, -3, 4], shape: [1, 1, 2, 2] };
    const wide = { shape: [1, 1, 2, 4], values: [1, 1, 2, 2, 0, 0, 4, 4] };
    const tall = { shape: [1, 1, 4, 2], values: [1, 2, 1, 2, 0, 4, 0, 4] };
    expect(answer(model, { x, sizes: int64(1, 1, 2, 4) })).toEqual(wide);
    expect(isOnKernels(model)).toBe(true);
    expect(answer(model, { x, sizes: int64(1, 1, 4, 2) })).toEqual(tall);
    expect(isOnKernels(model)).toBe(true);
    const { bytesInUse } = rt.report();
    expect(answer(model, { x, sizes: int64(1, 1, 2, 4) })).toEqual(wide);
    expect(answer(model, { x, sizes: { data: Int32Array.of(1, 1, 4, 2), shape: [4] } })).toEqual(tall);
    const sizes = rt.tensor(BigInt64Array.of(1n, 1n, 4n, 2n), [4], { dtype: "int64" });
    expect(answer(model, { x, sizes })).toEqual(tall);
    sizes.dispose();
    expect(rt.report().bytesInUse).toBe(bytesInUse);
  });

  it("scales of Resize, which are floats, and amounts that are computed from inputs", async () => {
    using model = await load({
      nodes: [
        node("Concat", ["ones", "scale"], ["scales"], { axis: 0 }),
        node("Resize", ["x", "", "scales"], ["y"], { mode: "nearest" }),
      ],
      inputs: { x: [1, 1, 1, 2], scale: [2] },
      outputs: ["y"],
      constants: { ones: floats(1, 1) },
    });
    const x = { data: [1, 2], shape: [1, 1, 1, 2] };
    expect(answer(model, { x, scale: { data: [2, 1], shape: [2] } })).toEqual({
      shape: [1, 1, 2, 2],
      values: [1, 2, 1, 2],
    });
    expect(answer(model, { x, scale: { data: [1, 2], shape: [2] } }).values).toEqual([1, 1, 2, 2]);
    expect(isOnKernels(model)).toBe(true);
  });

  it("amounts of padding before a convolution", async () => {
    const [shape, filters] = [
      [1, 3, 5, 6],
      [4, 3, 3, 3],
    ];
    const [x, w] = [fill(shape, "x"), fill(filters, "w")];
    using model = await load({
      nodes: [node("Pad", ["x", "pads"], ["p"]), node("Conv", ["p", "w"], ["y"])],
      inputs: { x: shape, pads: ["n"] },
      types: { pads: 7 },
      outputs: ["y"],
      constants: { w: { dims: filters, data: w } },
    });
    for (const [top, left, bottom, right] of [
      [1, 0, 2, 1],
      [0, 3, 0, 0],
    ] as const) {
      const want = conv2d(ref(shape, x), ref(filters, w), null, { padding: [top, left, bottom, right] });
      const got = answer(model, { x: { data: x, shape }, pads: int64(0, 0, top, left, 0, 0, bottom, right) });
      expect(got.shape).toEqual([...want.shape]);
      got.values.forEach((value, i) => {
        expect(value).toBeCloseTo(want.data[i] as number, 5);
      });
      expect(isOnKernels(model)).toBe(true);
    }
  });

  it("the branch that is taken: a plan for each answer, not for each number", async () => {
    const file: File = {
      nodes: [
        node("Equal", ["rate", "known"], ["is"]),
        node("If", ["is"], ["b"], {
          then_branch: branch([node("MatMul", ["x", "w"], ["t"])], "t"),
          else_branch: branch([node("MatMul", ["x", "v"], ["e"])], "e", {
            v: { dims: [2, 1], data: Float32Array.of(100, 1000) },
          }),
        }),
        node("Relu", ["b"], ["y"]),
      ],
      inputs: { x: ["n", 2], rate: [] },
      types: { rate: 7 },
      outputs: ["y"],
      constants: {
        known: { dims: [], data: BigInt64Array.of(16000n) },
        w: { dims: [2, 1], data: Float32Array.of(1, 10) },
      },
    };
    using model = await load(file);
    const x = { data: [1, 2, 3, 4], shape: [2, 2] };
    expect(answer(model, { x, rate: scalar(16000) }).values).toEqual([21, 43]);
    expect(isOnKernels(model)).toBe(true);
    expect(answer(model, { x, rate: scalar(8000) }).values).toEqual([2100, 4300]);
    expect(isOnKernels(model)).toBe(true);
    const { bytesInUse } = rt.report();
    for (const rate of [1, 2, 3, 44100]) expect(answer(model, { x, rate: scalar(rate) }).values).toEqual([2100, 4300]);
    expect(rt.report().bytesInUse).toBe(bytesInUse);
    // Without tensors: what was planned for last goes on, other values are refused.
    model.input("x").fill(1);
    model.input<"int64">("rate").fill(7n);
    expect(Array.from((model.run() as { y: Tensor }).y.toArray() as Float32Array)).toEqual([1100, 1100]);
    model.input<"int64">("rate").fill(16000n);
    expect(() => model.run()).toThrow(/"inputs" expected tensors, since other values/);
  });

  it("what follows from an input together with shapes on the way, and inside of a branch", async () => {
    const file: File = {
      nodes: [
        node("Relu", ["x"], ["r"]),
        node("Shape", ["r"], ["s"]),
        node("Slice", ["s", "zero", "one"], ["rows"]),
        node("Concat", ["rows", "cols"], ["shape"], { axis: 0 }),
        node("Reshape", ["r", "shape"], ["m"]),
        node("Size", ["x"], ["size"]),
        node("Greater", ["size", "three"], ["isLong"]),
        node("If", ["isLong"], ["y"], {
          then_branch: branch([node("Add", ["from", "one"], ["to"]), node("Slice", ["m", "from", "to"], ["t"])], "t"),
          else_branch: branch([node("Identity", ["m"], ["e"])], "e"),
        }),
      ],
      inputs: { x: ["n", "m"], cols: [2], from: [1] },
      types: { cols: 7, from: 7 },
      outputs: ["y"],
      constants: { zero: integers(0), one: integers(1), three: { dims: [], data: BigInt64Array.of(3n) } },
    };
    using model = await load(file);
    const x = { data: [1, -2, 3, 4, 5, 6, 7, 8], shape: [2, 4] };
    const cols = int64(2, 2);
    expect(answer(model, { x, cols, from: int64(1) })).toEqual({ shape: [1, 2, 2], values: [5, 6, 7, 8] });
    expect(isOnKernels(model)).toBe(true);
    expect(answer(model, { x, cols, from: int64(0) }).values).toEqual([1, 0, 3, 4]);
    expect(answer(model, { x: { data: [1, 2, 3], shape: [1, 3] }, cols: int64(3, 1), from: int64(0) })).toEqual({
      shape: [1, 3, 1],
      values: [1, 2, 3],
    });
  });

  it("not from large inputs, nor where data has a part in it", async () => {
    const pads: Constant = integers(4);
    using model = await load({
      nodes: [
        node("Slice", ["all", "zero", "four"], ["pads"]),
        node("Pad", ["x", "pads"], ["p"]),
        node("NonZero", ["p"], ["n"]),
        node("Shape", ["n"], ["s"]),
        node("Slice", ["s", "one", "two"], ["count"]),
        node("Expand", ["one", "count"], ["y"]),
      ],
      inputs: { x: [1, 2], all: ["many"] },
      types: { all: 7, y: 7 },
      outputs: ["y"],
      constants: { zero: integers(0), one: integers(1), two: integers(2), four: pads },
    });
    const x = { data: [3, 0], shape: [1, 2] };
    for (const length of [4, 1000]) {
      const all = { data: Array.from({ length }, (_, i) => (i < 4 ? 1 : 9)), shape: [length] };
      expect(model.run({ x, all })["y"]?.shape).toEqual([1]);
    }
  });

  it("refuses what an input does not hold, and goes on", async () => {
    using model = await load({
      nodes: [node("Reshape", ["x", "shape"], ["r"]), node("Relu", ["r"], ["y"])],
      inputs: { x: ["n"], shape: ["rank"] },
      types: { shape: 7 },
      outputs: ["y"],
    });
    const x = { data: [1, -2, 3, 4], shape: [4] };
    const good = { x, shape: int64(2, 2) };
    expect(answer(model, good)).toEqual({ shape: [2, 2], values: [1, 0, 3, 4] });
    const { bytesInUse, liveTensors } = rt.report();
    expect(() => model.run({ x, shape: int64(2, 1.5) })).toThrow('"data" expected elements of int64, got 1.5 at 1');
    expect(() => model.run({ x, shape: { data: Float32Array.of(2, 2), shape: [2] } })).not.toThrow();
    const other = rt.tensor([2, 2], [2], { dtype: "float32" });
    expect(() => model.run({ x, shape: other })).toThrow('"shape" expected int64, got float32');
    other.dispose();
    expect(() => model.run({ x, shape: int64(3, 2) })).toThrow(/Reshape/);
    expect(() => model.run({ x, shape: { data: [2], shape: [2] } })).toThrow(/"data" expected/);
    expect(() => model.run({ x } as never)).toThrow('"shape" expected a tensor for this input, got none');
    expect(answer(model, good).values).toEqual([1, 0, 3, 4]);
    expect(rt.report()).toMatchObject({ bytesInUse, liveTensors });
  });

  it("sizes of what is made from nothing", async () => {
    using model = await load({
      nodes: [node("ConstantOfShape", ["shape"], ["c"]), node("Add", ["c", "x"], ["y"])],
      inputs: { x: [1], shape: [2] },
      types: { shape: 7 },
      outputs: ["y"],
    });
    const want = build([2, 3], () => 5);
    expect(answer(model, { x: { data: [5], shape: [1] }, shape: int64(2, 3) })).toEqual({
      shape: [2, 3],
      values: [...want.data],
    });
    expect(answer(model, { x: { data: [5], shape: [1] }, shape: int64(0, 3) })).toEqual({ shape: [0, 3], values: [] });
  });
});
