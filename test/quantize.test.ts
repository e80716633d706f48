// The quantiser: what it writes, node by node; that it computes what the float network does; what it refuses.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, ModelError, type Runtime, ShapeError, UnsupportedError } from "../src/index.js";
import { type NodeProto, parseModel, type TensorProto } from "../src/onnx/file/proto.js";
import { loadOnnx } from "../src/onnx/index.js";
import { makeQuantize } from "../src/quantiser/quantize.js";
import { type CalibrationInput, type QuantizeOptions, quantize } from "../src/quantize.js";
import { type Constant, type File, floats, integers, node, onnxFile, typed } from "./onnx-file.js";
import { fill } from "./random.js";

const weights = (shape: readonly number[], seed: string): Constant => ({ dims: shape, data: fill(shape, seed) });
const SHAPE = [1, 3, 8, 8];
const image = (seed: number | string): CalibrationInput => ({ x: { data: fill(SHAPE, seed), shape: SHAPE } });
const IMAGES = Array.from({ length: 8 }, (_, i) => image(i));

/** Two branches that are added, pooled, moved and multiplied; a normalisation to fold; a function that stays float at the end. */
const NETWORK: File = {
  opset: 17,
  nodes: [
    node("Conv", ["x", "w1", "b1"], ["c1"], { pads: [1, 1, 1, 1] }),
    node("Relu", ["c1"], ["r1"]),
    node("MaxPool", ["r1"], ["p1"], { kernel_shape: [2, 2], strides: [2, 2] }),
    node("Conv", ["p1", "w2"], ["c2"], { pads: [1, 1, 1, 1] }),
    node("BatchNormalization", ["c2", "scale", "shift", "mean", "variance"], ["n2"]),
    node("Add", ["n2", "p1"], ["a2"]),
    node("Clip", ["a2", "zero", "six"], ["r2"]),
    node("GlobalAveragePool", ["r2"], ["g"]),
    node("Flatten", ["g"], ["f"]),
    node("Gemm", ["f", "w3", "b3"], ["logits"], { transB: 1 }),
    node("Softmax", ["logits"], ["y"]),
  ],
  inputs: { x: SHAPE },
  outputs: ["y"],
  constants: {
    w1: weights([6, 3, 3, 3], "w1"),
    b1: weights([6], "b1"),
    w2: weights([6, 6, 3, 3], "w2"),
    scale: floats(1, 2, -1, 0.5, 1, 0),
    shift: floats(0, 1, 0.5, -0.5, 0, 0.25),
    mean: floats(0, 0.1, -0.2, 1, 0, 0),
    variance: floats(1, 4, 2, 0.5, 1, 1),
    zero: typed("float32", [], [0]),
    six: typed("float32", [], [6]),
    w3: weights([10, 6], "w3"),
    b3: weights([10], "b3"),
  },
};

interface Read {
  readonly nodes: readonly NodeProto[];
  readonly by: (output: string) => NodeProto;
  readonly numbers: (name: string) => number[];
  readonly opsets: ReadonlyMap<string, number>;
}

/** A file as it was written, with its initialisers as numbers. */
function read(bytes: Uint8Array): Read {
  const { graph, opsets } = parseModel(bytes);
  const { nodes = [], initializers = [] } = graph ?? {};
  const arrays = { 1: Float32Array, 2: Uint8Array, 3: Int8Array, 6: Int32Array, 7: BigInt64Array } as const;
  return {
    nodes,
    opsets,
    by: (output) => nodes.find(({ outputs }) => outputs.includes(output)) as NodeProto,
    numbers: (name) => {
      const { raw, dataType } = initializers.find((one) => one.name === name) as TensorProto;
      const bytes = raw?.slice() as Uint8Array<ArrayBuffer>;
      return Array.from(new arrays[dataType as 1](bytes.buffer), Number);
    },
  };
}

/** The operators on the way back from a value to what is read as whole numbers. */
function wayBack(file: Read, value: string): string[] {
  const { opType, inputs } = file.by(value);
  return opType === "DequantizeLinear" ? [opType] : [opType, ...wayBack(file, inputs[0] as string)];
}

describe("quantize", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await createRuntime({ variant: "simd" });
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });
  const run = (file: File | Uint8Array, options: Partial<QuantizeOptions> = {}) =>
    quantize(file instanceof Uint8Array ? file : onnxFile(file), { calibration: IMAGES, runtime: rt, ...options });
  const answer = async (bytes: Uint8Array, inputs: CalibrationInput) => {
    const model = await loadOnnx(rt, bytes);
    const results = Object.values(model.run(inputs)).map((y) => y.toArray() as Float32Array);
    model.dispose();
    return results[0] as Float32Array;
  };
  const difference = async (file: File, bytes: Uint8Array, inputs: CalibrationInput) => {
    const [a, b] = [await answer(onnxFile(file), inputs), await answer(bytes, inputs)];
    const most = (list: Float32Array) => list.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    return most(a.map((v, i) => v - (b[i] as number))) / most(a);
  };

  it("writes values, weights and biases as whole numbers, and leaves activations where runtimes fuse them", async () => {
    const bytes = await run(NETWORK);
    const file = read(bytes);
    const count = (opType: string) => file.nodes.filter((one) => one.opType === opType).length;
    expect(count("BatchNormalization")).toBe(0);
    // x, r1, p1, n2 (which is added), r2, g, f; those and two a layer with a bias
    expect(count("QuantizeLinear")).toBe(7);
    expect(count("DequantizeLinear")).toBe(7 + 6);
    expect(file.opsets.get("")).toBe(17);
    expect(wayBack(file, file.by("r1").inputs[0] as string)).toEqual([
      "QuantizeLinear",
      "Relu",
      "Conv",
      "DequantizeLinear",
    ]);
    expect(wayBack(file, file.by("r2").inputs[0] as string)).toEqual([
      "QuantizeLinear",
      "Clip",
      "Add",
      "DequantizeLinear",
    ]);
    expect(file.by("logits").opType).toBe("Gemm"); // nobody reads its bytes
    expect(file.by("y").opType).toBe("Softmax");
    // What only moves has the quanta of what is moved.
    expect(file.by("p1").inputs.slice(1)).toEqual(file.by("r1").inputs.slice(1));
    expect(file.by("f").inputs.slice(1)).toEqual(file.by("g").inputs.slice(1));
  });

  it("weights: int8 by filter, the largest 127; biases: int32 of input times weight", async () => {
    const file = read(await run(NETWORK));
    const [x, w, b] = (file.nodes.find((one) => one.opType === "Conv") as NodeProto).inputs as [string, string, string];
    const [whole, scale, zero] = file.by(w).inputs.map(file.numbers) as [number[], number[], number[]];
    const given = NETWORK.constants?.["w1"]?.data as Float32Array;
    expect([scale.length, zero]).toEqual([6, [0, 0, 0, 0, 0, 0]]);
    for (let m = 0; m < 6; m++) {
      const filter = given.slice(m * 27, m * 27 + 27);
      const most = Math.max(...filter.map(Math.abs));
      expect(scale[m]).toBe(Math.fround(most / 127));
      filter.forEach((v, i) => {
        expect(Math.abs((whole[m * 27 + i] as number) - v / (scale[m] as number))).toBeLessThanOrEqual(0.5 + 1e-6);
      });
      expect(Math.max(...whole.slice(m * 27, m * 27 + 27).map(Math.abs))).toBe(127);
    }
    const [biases, factors] = file.by(b).inputs.map(file.numbers) as [number[], number[]];
    const [inputScale] = file.numbers(file.by(x).inputs[1] as string) as [number];
    expect(factors).toEqual(scale.map((one) => Math.fround(one * inputScale)));
    const bias = NETWORK.constants?.["b1"]?.data as Float32Array;
    expect(biases).toEqual(factors.map((factor, m) => Math.round((bias[m] as number) / factor)));
  });

  it("ranges: of all inputs and 0, with the zero point where 0 is", async () => {
    const file = read(await run(NETWORK));
    const point = (value: string) => file.by(value).inputs.slice(1).flatMap(file.numbers) as [number, number];
    const all = IMAGES.flatMap(({ x }) => [...(x as { data: Float32Array }).data]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const input = file.nodes.find(({ inputs }) => inputs[0] === "x") as NodeProto;
    const [scale, zero] = input.inputs.slice(1).flatMap(file.numbers) as [number, number];
    expect(scale).toBe(Math.fround((high - low) / 255));
    expect(zero).toBe(Math.round(-low / scale));
    expect(point("r1")[1]).toBe(0); // behind Relu
    expect(point("r2")[0]).toBeLessThanOrEqual(Math.fround(6 / 255));
  });

  it("computes what the float network does, in every form", async () => {
    const forms: Partial<QuantizeOptions>[] = [
      {},
      { perChannel: false },
      { activations: "int8" },
      { method: { percentile: 99.99 } },
      { exclude: ["Gemm-logits"] },
      { exclude: ({ opType }) => opType === "Add" },
    ];
    for (const options of forms) {
      const bytes = await run(NETWORK, options);
      for (const inputs of [IMAGES[0], image("new")]) {
        expect(await difference(NETWORK, bytes, inputs as CalibrationInput), JSON.stringify(options)).toBeLessThan(
          0.05,
        );
      }
    }
    const excluded = read(await run(NETWORK, { exclude: ["Gemm-logits"] }));
    expect(excluded.by("logits").inputs.slice(1)).toEqual(["w3", "b3"]);
    const perTensor = read(await run(NETWORK, { perChannel: false }));
    expect(perTensor.nodes.every(({ attributes }) => attributes.every(({ name }) => name !== "axis"))).toBe(true);
    const signed = read(await run(NETWORK, { activations: "int8" }));
    expect(signed.by("r1").inputs.slice(2).flatMap(signed.numbers)).toEqual([0]);
  });

  it("a percentile leaves outliers out, on both sides", async () => {
    const file: File = {
      nodes: [node("MatMul", ["x", "w"], ["y"])],
      inputs: { x: [1, 1000] },
      outputs: ["y"],
      constants: { w: weights([1000, 2], "w") },
    };
    const data = Float32Array.from({ length: 1000 }, (_, i) => (i - 500) / 500);
    [data[0], data[999]] = [-100, 300];
    const scaleOf = async (method: QuantizeOptions["method"]) => {
      const bytes = await quantize(onnxFile(file), {
        calibration: [{ x: { data, shape: [1, 1000] } }],
        method,
        runtime: rt,
      });
      const { nodes, numbers } = read(bytes);
      return numbers(nodes[0]?.inputs[1] as string)[0] as number;
    };
    expect(await scaleOf("minmax")).toBe(Math.fround(400 / 255));
    const scale = await scaleOf({ percentile: 99 });
    expect(scale * 255).toBeGreaterThan(1.9);
    expect(scale * 255).toBeLessThan(2.1);
    expect(await scaleOf({ percentile: 100 })).toBe(Math.fround(400 / 255));
  });

  it("chains of functions of one value, concatenations, constants and branches", async () => {
    const file: File = {
      opset: 13,
      nodes: [
        node("Conv", ["x", "w1"], ["c"]),
        node("Add", ["c", "three"], ["c3"]),
        node("Clip", ["c3", "zero", "six"], ["clipped"]),
        node("Mul", ["c", "clipped"], ["product"]),
        node("Div", ["product", "six"], ["swish"]),
        node("Conv", ["swish", "w2"], ["d"]),
        node("Sigmoid", ["d"], ["s"]),
        node("Mul", ["d", "s"], ["silu"]),
        node("Concat", ["silu", "swish"], ["both"], { axis: 1 }),
        node("Mul", ["both", "channels"], ["scaled"]),
        node("Transpose", ["scaled"], ["turned"], { perm: [0, 2, 3, 1] }),
        node("Reshape", ["turned", "rows"], ["matrix"]),
        node("MatMul", ["matrix", "w3"], ["y"]),
        node("Identity", ["swish"], ["also"]),
      ],
      inputs: { x: SHAPE },
      outputs: ["y", "also"],
      constants: {
        w1: weights([4, 3, 1, 1], "w1"),
        w2: weights([4, 4, 1, 1], "w2"),
        w3: weights([8, 5], "w3"),
        three: typed("float32", [], [3]),
        zero: typed("float32", [], [0]),
        six: typed("float32", [], [6]),
        channels: weights([1, 8, 1, 1], "channels"),
        rows: integers(64, 8),
      },
    };
    const bytes = await run(file);
    const { by, nodes } = read(bytes);
    const real = (name: string) => by(name).opType !== "DequantizeLinear";
    expect(["c3", "clipped", "product"].map(real)).toEqual([true, true, true]); // inside a chain
    expect(["c", "swish", "d", "s", "silu", "both", "scaled", "matrix"].map(real)).toEqual(Array(8).fill(false));
    expect(nodes.filter(({ opType }) => opType === "QuantizeLinear")).toHaveLength(10);
    expect(await difference(file, bytes, IMAGES[1] as CalibrationInput)).toBeLessThan(0.05);
  });

  it("older operator sets, where DequantizeLinear is com.microsoft's, and files of which initialisers are inputs", async () => {
    for (const [opset, written] of [
      [12, 12],
      [10, 10],
      [8, 10],
    ] as const) {
      const old: File = {
        opset,
        nodes: [
          node("Conv", ["x", "w1", "b1"], ["c1"]),
          node("Relu", ["c1"], ["r1"]),
          node("Conv", ["r1", "w2"], ["y"]),
        ],
        inputs: { x: SHAPE, w1: [6, 3, 3, 3] },
        outputs: ["y"],
        constants: { w1: weights([6, 3, 3, 3], "w1"), b1: weights([6], "b1"), w2: weights([2, 6, 3, 3], "w2") },
      };
      const bytes = await run(old);
      const { nodes, opsets } = read(bytes);
      expect([...opsets]).toEqual([
        ["", written],
        ["com.microsoft", 1],
      ]);
      expect(nodes.filter(({ domain }) => domain === "com.microsoft")).toHaveLength(7);
      expect(parseModel(bytes).graph?.inputs.map(({ name }) => name)).toEqual(["x"]);
      expect(await difference(old, bytes, IMAGES[2] as CalibrationInput)).toBeLessThan(0.05);
    }
    const refused = {
      ...NETWORK,
      opset: 9,
      nodes: [...NETWORK.nodes, node("Slice", ["x"], ["z"], { starts: [0], ends: [1] })],
    };
    await expect(run(refused)).rejects.toThrow(/^"model" expected an operator set from 10 on, got 9 with Slice$/);
  });

  it("looks at large networks in several runs, and at inputs as they come", async () => {
    let loads = 0;
    const counted: typeof loadOnnx = (...given) => {
      loads++;
      return loadOnnx(...given);
    };
    async function* inputs(): AsyncGenerator<CalibrationInput> {
      for (let i = 0; i < 40; i++) yield image(i);
    }
    const whole = await makeQuantize(createRuntime, counted)(onnxFile(NETWORK), { calibration: inputs(), runtime: rt });
    expect(loads).toBe(1);
    for (const [bytes, most] of [
      [13_100, 4],
      [2000, 12], // less than one value takes, which is looked at all the same
    ] as const) {
      loads = 0;
      const options = { calibration: inputs(), runtime: rt };
      expect(await makeQuantize(createRuntime, counted, bytes)(onnxFile(NETWORK), options)).toEqual(whole);
      expect(loads).toBeGreaterThan(most); // what did not fit, then each part for 1, 16, 16 and 7 inputs
    }
    expect(rt.report().bytesInUse).toBe(0);
  });

  it("refuses in one sentence what it cannot quantise", async () => {
    const bytes = await run(NETWORK);
    await expect(run(bytes)).rejects.toThrow(
      /^"model" expected a float32 network, got one that is quantised \(QuantizeLinear\)$/,
    );
    const nothing = { ...NETWORK, nodes: [node("Relu", ["x"], ["y"])] };
    await expect(run(nothing)).rejects.toThrow(ModelError);
    await expect(run(nothing)).rejects.toThrow(/got none to quantise$/);
    await expect(run(NETWORK, { exclude: () => true })).rejects.toThrow(/got none to quantise$/);
    await expect(run(NETWORK, { exclude: ["Conv-c9"] })).rejects.toThrow(
      /^"exclude" expected names of nodes, got "Conv-c9"$/,
    );
    await expect(run(new Uint8Array([1, 2, 3]))).rejects.toThrow(ModelError);
    const external = { ...NETWORK.constants, w1: { ...weights([6, 3, 3, 3], "w1"), external: { location: "w" } } };
    await expect(run({ ...NETWORK, constants: external })).rejects.toThrow(UnsupportedError);
  });

  it("refuses calibration without inputs, of other names and shapes, and what is not finite", async () => {
    const NAN = { x: { data: fill(SHAPE, 1).fill(NaN, 5, 6), shape: SHAPE } };
    const refused: [unknown, new (m: string) => Error, RegExp][] = [
      [[], ModelError, /^"calibration" expected at least one input, got none$/],
      [undefined, TypeError, /^"calibration" expected an iterable of inputs, got undefined$/],
      [{}, TypeError, /^"calibration" expected an iterable of inputs, got an object$/],
      [[5], TypeError, /^"calibration" expected objects of inputs by name, got 5$/],
      [[image(1), NAN], ModelError, /^"calibration" expected finite numbers, got NaN in "x" of input 1$/],
      [[{ y: { data: [1], shape: [1] } }], ModelError, /"y"/],
      [[{}], ModelError, /x/],
      [[{ x: { data: fill([1, 3, 4, 4], 1), shape: [1, 3, 4, 4] } }], ShapeError, /\[1, 3, 8, 8\]/],
      [
        [{ x: { data: fill(SHAPE, 1).fill(3e38), shape: SHAPE } }],
        ModelError,
        /^"calibration" expected runs of finite numbers, got -?(Infinity|NaN) in "/,
      ],
    ];
    for (const [calibration, type, message] of refused) {
      await expect(run(NETWORK, { calibration } as never)).rejects.toThrow(type);
      await expect(run(NETWORK, { calibration } as never)).rejects.toThrow(message);
    }
    expect(rt.report().bytesInUse).toBe(0);
  });

  it("refuses options that it does not know", async () => {
    const refused: [object, new (m: string) => Error][] = [
      [{ method: "entropy" }, RangeError],
      [{ method: { percentile: 40 } }, RangeError],
      [{ method: { percentile: "99" } }, TypeError],
      [{ activations: "int16" }, RangeError],
      [{ perChannel: 1 }, TypeError],
      [{ exclude: [3] }, TypeError],
      [{ symmetric: true }, TypeError],
    ];
    for (const [options, type] of refused) await expect(run(NETWORK, options)).rejects.toThrow(type);
  });
});
