// What the standard's text says where files rarely ask: outputs that nobody reads, bounds that are left out, factors of
// quantised sums. Values by hand.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import type { PlainTensor } from "../src/onnx/file/plain-tensor.js";
import { type NodeProto, parseModel } from "../src/onnx/file/proto.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type File, floats, integers, onnxFile, typed } from "./onnx-file.js";
import { evaluate } from "./onnx-operators.js";
import { fill } from "./random.js";

describe.each(BINARIES)("the standard's text on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  /** Values of all outputs, and how many layers are JavaScript. */
  const run = async (file: File, inputs: Readonly<Record<string, ArrayLike<number>>>) => {
    using model = await loadOnnx(rt, onnxFile(file));
    const tensors = model.inputs.map(({ name, shape, dtype }) => {
      const data = inputs[name] as ArrayLike<number>;
      return [
        name,
        rt.tensor(dtype === "uint8" ? Uint8Array.from(data) : Float32Array.from(data), shape as number[]),
      ] as const;
    });
    const outputs = model.run(Object.fromEntries(tensors));
    const values = Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, [...(tensor.toArray() as Float32Array)]]),
    );
    for (const [, tensor] of tensors) tensor.dispose();
    const rows = model.summary().rows.filter(({ reason }) => reason === "JavaScript");
    return { values, inJavaScript: rows.length };
  };

  describe("outputs that nobody reads", () => {
    const five = { scale: floats(2, -1), bias: floats(0.5, 0), mean: floats(9, 9), variance: floats(4, 4) };
    const normal = (outputs: readonly string[]) => ({
      op: "BatchNormalization",
      inputs: ["x", "scale", "bias", "mean", "variance"],
      outputs,
      attributes: { epsilon: { float: 1e-5 } },
    });
    // Two channels: 0 2 4 2 has mean 2 and variance 2, 1 1 3 3 mean 2 and variance 1.
    const data = [0, 2, 4, 2, 1, 1, 3, 3];
    const root = Math.sqrt(2);

    it.each([7, 9])("BatchNormalization-%i that names five is by the batch's statistics, on kernels", async (opset) => {
      const nodes = [normal(["y", "a", "b", "c", "d"])];
      const file = { nodes, inputs: { x: [1, 2, 2, 2] }, outputs: ["y"], constants: five, opset };
      const { values, inJavaScript } = await run(file, { x: data });
      expect(inJavaScript).toBe(0);
      const wanted = [0.5 - 2 * root, 0.5, 0.5 + 2 * root, 0.5, 1, 1, -1, -1];
      for (const [i, value] of wanted.entries()) expect(values["y"]?.[i]).toBeCloseTo(value, 4);
    });

    it("all five, read: running statistics, then the batch's", async () => {
      const outputs = ["y", "a", "b", "c", "d"];
      const file = { nodes: [normal(outputs)], inputs: { x: [1, 2, 2, 2] }, outputs, constants: five, opset: 9 };
      const { values } = await run(file, { x: data });
      // 0.9 of 9 and 4, and 0.1 of the batch's.
      const wanted = { a: [8.3, 8.3], b: [3.8, 3.7], c: [2, 2], d: [2, 1] };
      for (const [name, list] of Object.entries(wanted))
        for (const [i, value] of list.entries()) expect(values[name]?.[i], name).toBeCloseTo(value, 5);
      expect(values["y"]?.[0]).toBeCloseTo(0.5 - 2 * root, 4);
    });

    it("one is by the given statistics", async () => {
      const file = { nodes: [normal(["y"])], inputs: { x: [1, 2, 2, 2] }, outputs: ["y"], constants: five, opset: 9 };
      const { values } = await run(file, { x: data });
      expect(values["y"]?.[0]).toBeCloseTo(0.5 - 9, 4);
      expect(values["y"]?.[4]).toBeCloseTo(4, 4);
    });

    const pool = {
      op: "MaxPool",
      inputs: ["x"],
      outputs: ["y", "at"],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    };
    const image = { x: [1, 1, 2, 4] };
    const pixels = [1, 7, 2, 3, 5, 4, 8, 6];

    it("MaxPool stays on kernels, and answers indices where they are read, in a branch too", async () => {
      const unread = await run({ nodes: [pool], inputs: image, outputs: ["y"], opset: 12 }, { x: pixels });
      expect(unread).toEqual({ values: { y: [7, 8] }, inJavaScript: 0 });
      const cast = { op: "Cast", inputs: ["at"], outputs: ["z"], attributes: { to: 1 } };
      const nodes = [
        pool,
        {
          op: "If",
          inputs: ["yes"],
          outputs: ["w"],
          attributes: {
            then_branch: { graph: { nodes: [cast], inputs: {}, outputs: ["z"] } },
            else_branch: { graph: { nodes: [cast], inputs: {}, outputs: ["z"] } },
          },
        },
      ];
      const constants = { yes: { dims: [], type: 9, data: Uint8Array.of(1) } };
      const read = await run({ nodes, inputs: image, outputs: ["y", "w"], constants, opset: 12 }, { x: pixels });
      expect(read.values).toEqual({ y: [7, 8], w: [1, 6] });
    });

    it("LayerNormalization stays on kernels; Split keeps its parts, read or not", async () => {
      const layer = { op: "LayerNormalization", inputs: ["x", "s"], outputs: ["y", "mean", "inverse"] };
      const constants = { s: floats(1, 1, 1, 1) };
      const file = { nodes: [layer], inputs: { x: [2, 4] }, outputs: ["y"], constants, opset: 17 };
      expect((await run(file, { x: fill([8], "x") })).inJavaScript).toBe(0);
      const split = { op: "Split", inputs: ["x"], outputs: ["a", "b", "c"], attributes: { axis: 1 } };
      for (const [name, wanted] of [
        ["a", [1, 2]],
        ["b", [3, 4]],
        ["c", [5, 6]],
      ] as const) {
        const one = await run(
          { nodes: [split], inputs: { x: [1, 6] }, outputs: [name], opset: 11 },
          { x: [1, 2, 3, 4, 5, 6] },
        );
        expect(one.values).toEqual({ [name]: wanted });
      }
    });
  });

  const MOST = 3.4028234663852886e38;

  it.each([
    ["a minimum only", 11, { low: typed("float32", [], [-1]) }, ["x", "low"], {}, [MOST, -1, 2, Number.NaN]],
    ["a maximum only", 13, { high: typed("float32", [], [1]) }, ["x", "", "high"], {}, [1, -MOST, 1, Number.NaN]],
    ["no bounds", 12, {}, ["x"], {}, [MOST, -MOST, 2, Number.NaN]],
    ["of operator set 6", 6, {}, ["x"], { min: { float: 0 } }, [MOST, 0, 2, Number.NaN]],
    ["infinity as a bound", 13, { high: floats(Infinity) }, ["x", "", "high"], {}, [Infinity, -MOST, 2, Number.NaN]],
  ] as const)(
    "Clip, %s: infinity is beyond the type's numbers",
    async (_, opset, constants, inputs, attributes, wanted) => {
      const nodes = [{ op: "Clip", inputs, outputs: ["y"], attributes }];
      const x = [Infinity, -Infinity, 2, Number.NaN];
      const file = { nodes, inputs: { x: [4] }, outputs: ["y"], constants, opset };
      expect(await run(file, { x })).toEqual({ values: { y: wanted }, inJavaScript: 0 });
      const { graph } = parseModel(onnxFile(file));
      const given: PlainTensor = { type: "float32", shape: [4], data: Float32Array.from(x) };
      const bounds = inputs.slice(1).map((name) => {
        const constant = (constants as Record<string, { dims: readonly number[]; data: unknown }>)[name];
        return constant && ({ type: "float32", shape: constant.dims, data: constant.data } as PlainTensor);
      });
      const [y] = evaluate(graph?.nodes[0] as NodeProto, opset, [given, ...bounds]) as [PlainTensor];
      expect([...(y.data as Float32Array)]).toEqual(wanted);
    },
  );

  it("Clip with a bound that a run brings, and none on the other side", async () => {
    const nodes = [{ op: "Clip", inputs: ["x", "low"], outputs: ["y"] }];
    const file = { nodes, inputs: { x: [3], low: [] }, outputs: ["y"], opset: 13 };
    const { values } = await run(file, { x: [Infinity, -Infinity, 2], low: [0.5] });
    expect(values["y"]).toEqual([MOST, 0.5, 2]);
  });

  // 3125 of 0.002 * 0.052 / 0.05 in float32 are 6.5, which is 6; of the same float32 scales in float64 6.50000035, which is 7.
  // 625 of 0.003 * 0.04 / 0.05 are 1.49999988 in float32; divided by 0.05 / (0.003 * 0.04), in float64, they are 1.5 rounded.
  it.each([
    [125, 25, 0.002, 0.052, 6],
    [25, 25, 0.003, 0.04, 1],
  ])("quantised sums %i * %i are scaled in float32, on kernels and the host", async (a, b, scaleA, scaleB, wanted) => {
    const constants = {
      sa: typed("float32", [], [scaleA]),
      za: typed("uint8", [], [0]),
      w: typed("int8", [1, 1], [b]),
      sb: typed("float32", [], [scaleB]),
      zb: typed("int8", [], [0]),
      sy: typed("float32", [], [0.05]),
    };
    const nodes = [
      {
        op: "QLinearMatMul",
        inputs: ["x", "sa", "za", "w", "sb", "zb", "sy", "za"],
        outputs: ["y"],
      },
    ];
    const file = { nodes, inputs: { x: [1, 1] }, types: { x: 2 }, outputs: ["y"], constants, opset: 13 };
    expect(await run(file, { x: [a] })).toEqual({ values: { y: [wanted] }, inJavaScript: 0 });
    const real = (value: number): PlainTensor => ({ type: "float32", shape: [], data: Float32Array.of(value) });
    const zero: PlainTensor = { type: "uint8", shape: [], data: Uint8Array.of(0) };
    const noZero: PlainTensor = { type: "int8", shape: [], data: Int8Array.of(0) };
    const x: PlainTensor = { type: "uint8", shape: [1, 1], data: Uint8Array.of(a) };
    const w: PlainTensor = { type: "int8", shape: [1, 1], data: Int8Array.of(b) };
    const node = parseModel(onnxFile(file)).graph?.nodes[0] as NodeProto;
    const answers = evaluate(node, 13, [x, real(scaleA), zero, w, real(scaleB), noZero, real(0.05), zero]);
    expect(answers.map(({ data }) => data[0])).toEqual([wanted]);
    const square = { op: "QLinearConv", inputs: nodes[0]?.inputs as string[], outputs: ["y"] };
    const conv = parseModel(onnxFile({ ...file, nodes: [square] })).graph?.nodes[0] as NodeProto;
    const as4 = (t: PlainTensor): PlainTensor => ({ ...t, shape: [1, 1, 1, 1] });
    const sums = evaluate(conv, 13, [as4(x), real(scaleA), zero, as4(w), real(scaleB), noZero, real(0.05), zero]);
    expect(sums.map(({ data }) => data[0])).toEqual([wanted]);
  });

  it.each([
    ["float32", 1],
    ["float64", 11],
    ["float16", 10],
  ])("Cast of %s to bool: zeros of either sign are false, all else is true, NaN too", async (_, type) => {
    const nodes = [{ op: "Cast", inputs: ["x"], outputs: ["y"], attributes: { to: 9 } }];
    using model = await loadOnnx(rt, onnxFile({ nodes, inputs: { x: [6] }, types: { x: type }, outputs: ["y"] }));
    const data = [Number.NaN, 0, -0, 0.5, -3, Infinity];
    expect(model.run({ x: { data, shape: [6] } })["y"]?.toArray()).toEqual(Uint8Array.of(1, 0, 0, 1, 1, 1));
  });

  it("a backward Slice from below the start has the first element", async () => {
    const nodes = [{ op: "Slice", inputs: ["x", "from", "to", "axes", "steps"], outputs: ["y"] }];
    const constants = { from: integers(-9), to: integers(-9), axes: integers(0), steps: integers(-1) };
    const { values } = await run({ nodes, inputs: { x: [2] }, outputs: ["y"], constants, opset: 13 }, { x: [3, 4] });
    expect(values["y"]).toEqual([3]);
  });

  // onnxruntime takes that end for one before the first element.
  it("a backward Slice to INT_MAX ends at the last element, and has none", async () => {
    const nodes = [{ op: "Slice", inputs: ["x", "from", "to", "axes", "steps"], outputs: ["y"] }];
    const constants = { from: integers(1), to: integers(2 ** 31 - 1), axes: integers(0), steps: integers(-1) };
    using model = await loadOnnx(rt, onnxFile({ nodes, inputs: { x: [2] }, outputs: ["y"], constants, opset: 13 }));
    expect(model.run({ x: { data: [3, 4], shape: [2] } })["y"]?.shape).toEqual([0]);
  });
});
