// Products of bytes whose scale and zero point a run computes, as exporters write them: what they answer, bit for bit, by formulas
// written here; that they are two layers; what is refused.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, ModelError, type Runtime, type Tensor } from "../src/index.js";
import { loadOnnx, type OnnxModel } from "../src/onnx/index.js";
import { INT8_BINARIES } from "./binaries.js";
import { type Conv, convSums, roundEven } from "./int8-reference.js";
import { type Constant, type File, type Node, node, onnxFile, typed } from "./onnx-file.js";
import { draw, fill } from "./random.js";

const f = Math.fround;

/** As the standard has it, every step in float32; of zeros alone the scale is 1, as onnxruntime has it. */
function quantised(x: ArrayLike<number>) {
  const values = Array.from(x);
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const scale = f(f(high - low) / 255) || 1;
  const zero = roundEven(Math.min(255, Math.max(0, f(-low / scale))));
  const bytes = values.map((v) => Math.min(255, Math.max(0, roundEven(f(v / scale)) + zero)));
  return { bytes, scale, zero };
}

const QUANTISE = node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]);
const ENDING = [
  node("Cast", ["sums"], ["whole"], { to: 1 }),
  node("Mul", ["s", "ws"], ["factors"]),
  node("Mul", ["whole", "factors"], ["y"]),
];

const layersOf = (model: OnnxModel): string[] =>
  model
    .summary()
    .rows.filter(({ layer, algorithm }) => layer !== "" && algorithm !== "view" && !/format/i.test(algorithm))
    .map(({ op }) => op);

describe.each(INT8_BINARIES)("bytes by the range of the values on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report().liveTensors).toBe(0);
    rt.dispose();
  });

  async function answer(file: Omit<File, "inputs">, x: Float32Array, shape: readonly number[]) {
    using model = await loadOnnx(rt, onnxFile({ ...file, inputs: { x: shape } }));
    const answers = model.run({ x: { data: x, shape } });
    const listed = file.outputs.map((name) => Array.from((answers[name] as Tensor).toArray() as Float32Array));
    return { answers: listed, layers: layersOf(model), reasons: model.summary().rows.map(({ reason }) => reason) };
  }
  const parts = (x: Float32Array, shape: readonly number[]) =>
    answer({ nodes: [QUANTISE], outputs: ["q", "s", "z"] }, x, shape).then(({ answers }) => answers);

  it("are worked out by hand: quanta of 1, halves to even", async () => {
    const [q, s, z] = await parts(Float32Array.of(-100, 155, 0.5, 1.5, -0.5, 2.5, 0), [7]);
    expect([q, s, z]).toEqual([[0, 255, 100, 102, 100, 102, 100], [1], [100]]);
  });

  it.each([
    ["zeros", new Float32Array(9)],
    ["of one sign", Float32Array.of(0.5, 1, 3, 0.25)],
    ["of the other", Float32Array.of(-0.5, -1, -3)],
    ["one", Float32Array.of(7)],
    ["many", fill([3, 5, 23, 29], "many")],
    ["more than 256 chunks", fill([600_011], "more")],
  ])("of %s", async (_, x) => {
    const { bytes, scale, zero } = x.length > 1e5 ? quantisedLong(x) : quantised(x);
    const [q = [], s, z] = await parts(x, [x.length]);
    expect([s, z]).toEqual([[scale], [zero]]);
    expect(q.findIndex((byte, i) => byte !== bytes[i])).toBe(-1);
  });

  /** Without a call of so many arguments. */
  function quantisedLong(x: Float32Array) {
    const [low, high] = [x.reduce((a, b) => Math.min(a, b), 0), x.reduce((a, b) => Math.max(a, b), 0)];
    const { scale, zero } = quantised([low, high]);
    return { scale, zero, bytes: Array.from(x, (v) => Math.min(255, Math.max(0, roundEven(f(v / scale)) + zero))) };
  }

  const [K, M] = [21, 13];
  const scalesOf = (count: number) => Float32Array.from({ length: count }, (_, i) => f(0.01 + 0.003 * i));
  const biasOf = (count: number) => fill([count], "bias");

  /** Sums as they end, by index of the filter. */
  const ended = (sum: number, m: number, scale: number, ws: Float32Array, bias?: Float32Array) => {
    const y = f(f(sum) * f(scale * (ws[ws.length > 1 ? m : 0] as number)));
    return bias ? f(y + (bias[m] as number)) : y;
  };

  it.each([
    ["int8", 0, 1, "none", "Mul"],
    ["int8", 5, M, "none", "Add"],
    ["uint8", 128, 1, "Relu", "Add"],
    ["uint8", 119, M, "Clip", "Add"],
    ["int8", 0, M, "Relu", "Mul"],
  ] as const)(
    "times weights of %s less %i, %i scales, clamp %s, behind %s: two layers, every bit",
    async (type, wz, scales, clamp, last) => {
      const shape = [2, 4, K];
      const x = fill(shape, `${type} ${wz}`);
      const [low, high] = type === "int8" ? [-128, 127] : [0, 255];
      const w = draw(K * M, low, high, `${type}`);
      const [ws, bias] = [scalesOf(scales), biasOf(M)];
      const nodes: Node[] = [QUANTISE, node("MatMulInteger", ["q", "w", "z", "wz"], ["sums"]), ...ENDING];
      if (last === "Add") nodes.push(node("Add", ["bias", "y"], ["biased"]));
      const sum = last === "Add" ? "biased" : "y";
      if (clamp === "Relu") nodes.push(node("Relu", [sum], ["out"]));
      if (clamp === "Clip") nodes.push(node("Clip", [sum, "zero", "six"], ["out"]));
      const constants: Record<string, Constant> = {
        w: typed(type, [K, M], w),
        wz: typed(type, [], [wz]),
        ws: typed("float32", scales > 1 ? [M] : [], ws),
        bias: typed("float32", [M], bias),
        zero: typed("float32", [], [0]),
        six: typed("float32", [], [0.75]),
      };
      const got = await answer({ nodes, outputs: [clamp === "none" ? sum : "out"], constants }, x, shape);
      const { bytes, scale, zero } = quantised(x);
      const wanted = Array.from({ length: 8 * M }, (_, at) => {
        const [row, m] = [Math.floor(at / M), at % M];
        let total = 0;
        for (let k = 0; k < K; k++) total += ((bytes[row * K + k] as number) - zero) * ((w[k * M + m] as number) - wz);
        const y = ended(total, m, scale, ws, last === "Add" ? bias : undefined);
        return clamp === "none" ? y : Math.min(clamp === "Clip" ? 0.75 : Infinity, Math.max(0, y));
      });
      expect(got.answers[0]).toEqual(wanted);
      expect(got.layers).toEqual(["quantize dynamic q8", "product of bytes"]);
    },
  );

  const CONVS: Readonly<Record<string, Conv>> = {
    "3x3 with padding": { N: 2, C: 6, H: 7, W: 9, M: 11, R: 3, S: 3, strides: [1, 1], padding: [1, 1, 1, 1], dilations: [1, 1], groups: 1 },
    "3x3 without, stride": { N: 1, C: 5, H: 9, W: 8, M: 10, R: 3, S: 3, strides: [2, 2], padding: [0, 0, 0, 0], dilations: [1, 1], groups: 1 },
    "1x1": { N: 2, C: 9, H: 5, W: 4, M: 17, R: 1, S: 1, strides: [1, 1], padding: [0, 0, 0, 0], dilations: [1, 1], groups: 1 },
    groups: { N: 1, C: 8, H: 6, W: 6, M: 12, R: 3, S: 3, strides: [1, 1], padding: [0, 1, 1, 0], dilations: [1, 1], groups: 2 },
    depthwise: { N: 2, C: 13, H: 6, W: 7, M: 13, R: 3, S: 3, strides: [1, 1], padding: [1, 1, 1, 1], dilations: [1, 1], groups: 13 },
    "depthwise with a multiplier": { N: 1, C: 3, H: 6, W: 7, M: 6, R: 5, S: 5, strides: [2, 1], padding: [2, 2, 2, 2], dilations: [1, 1], groups: 3 },
  }; // biome-ignore format: a table
  it.each(Object.keys(CONVS))("under a convolution, %s: two layers, every bit", async (name) => {
    const conv = CONVS[name] as Conv;
    const { N, C, H, W, M, R, S, groups, strides, padding, dilations } = conv;
    const shape = [N, C, H, W];
    const x = fill(shape, name);
    const w = draw((M * C * R * S) / groups, -128, 127, name);
    const [ws, bias] = [scalesOf(M), biasOf(M)];
    const attributes = { group: groups, kernel_shape: [R, S], strides, pads: padding, dilations };
    const nodes = [
      QUANTISE,
      node("ConvInteger", ["q", "w", "z", "wz"], ["sums"], attributes),
      ...ENDING,
      node("Add", ["y", "bias"], ["out"]),
    ];
    const constants = {
      w: typed("int8", [M, C / groups, R, S], w),
      wz: typed("int8", [], [-3]),
      ws: typed("float32", [M, 1, 1], ws),
      bias: typed("float32", [1, M, 1, 1], bias),
    };
    const got = await answer({ nodes, outputs: ["out"], constants }, x, shape);
    const { bytes, scale, zero } = quantised(x);
    const sums = convSums(conv, bytes, zero, w, [-3], undefined);
    const pixels = sums.length / N / M;
    const wanted = sums.map((sum, i) => ended(sum, Math.floor(i / pixels) % M, scale, ws, bias));
    expect(got.answers[0]).toEqual(wanted);
    expect(got.layers.filter((op) => op !== "toMemoryFormat")).toEqual([
      "quantize dynamic q8",
      groups === C ? "depthwise q8" : "convolution of bytes",
    ]);
  });

  it.each(["DynamicQuantizeMatMul", "MatMulIntegerToFloat"])("%s is the same two layers", async (op) => {
    const shape = [3, K];
    const x = fill(shape, op);
    const w = draw(K * M, -128, 127, op);
    const [ws, bias] = [scalesOf(M), biasOf(M)];
    const inputs =
      op === "DynamicQuantizeMatMul" ? ["x", "w", "ws", "wz", "bias"] : ["q", "w", "s", "ws", "z", "wz", "bias"];
    const joined: Node = { ...node(op, inputs, ["out"]), domain: "com.microsoft" };
    const constants = {
      w: typed("int8", [K, M], w),
      wz: typed("int8", [M], draw(M, -4, 4, "wz")),
      ws: typed("float32", [M], ws),
      bias: typed("float32", [M], bias),
    };
    const nodes = op === "DynamicQuantizeMatMul" ? [joined] : [QUANTISE, joined];
    const got = await answer({ nodes, outputs: ["out"], constants }, x, shape);
    const { bytes, scale, zero } = quantised(x);
    const wzs = draw(M, -4, 4, "wz");
    const wanted = Array.from({ length: 3 * M }, (_, at) => {
      const [row, m] = [Math.floor(at / M), at % M];
      let total = 0;
      for (let k = 0; k < K; k++)
        total += ((bytes[row * K + k] as number) - zero) * ((w[k * M + m] as number) - (wzs[m] as number));
      return ended(total, m, scale, ws, bias);
    });
    expect(got.answers[0]).toEqual(wanted);
    expect(got.layers).toEqual(["quantize dynamic q8", "product of bytes"]);
  });
});

describe("around such products", () => {
  const [K, M] = [9, 5];
  const w = draw(K * M, -128, 127, "around");
  const constants = {
    w: typed("int8", [K, M], w),
    wz: typed("int8", [], [0]),
    ws: typed("float32", [], [0.02]),
  };
  const nodes = [QUANTISE, node("MatMulInteger", ["q", "w", "z", "wz"], ["sums"]), ...ENDING];
  const x = fill([4, K], "around");
  const wanted = (rows: number, of: Float32Array) => {
    const { bytes, scale, zero } = quantised(of);
    return Array.from({ length: rows * M }, (_, at) => {
      let total = 0;
      for (let k = 0; k < K; k++)
        total += ((bytes[Math.floor(at / M) * K + k] as number) - zero) * (w[k * M + (at % M)] as number);
      return f(f(total) * f(scale * f(0.02)));
    });
  };
  const wholeSums = (of: Float32Array) => {
    const { bytes, zero } = quantised(of);
    return Array.from({ length: 4 * M }, (_, at) => {
      let total = 0;
      for (let k = 0; k < K; k++)
        total += ((bytes[Math.floor(at / M) * K + k] as number) - zero) * (w[k * M + (at % M)] as number);
      return total;
    });
  };

  it("sums that are read themselves stay whole, and what is made of them is computed apart", async () => {
    using rt = await createRuntime();
    const file = onnxFile({ nodes, inputs: { x: [4, K] }, outputs: ["sums", "y"], constants });
    using model = await loadOnnx(rt, file);
    const { sums, y } = model.run({ x: { data: x, shape: [4, K] } });
    expect(Array.from(sums?.toArray() ?? [])).toEqual(wholeSums(x));
    expect(Array.from(y?.toArray() ?? [])).toEqual(wanted(4, x));
    expect(layersOf(model).filter((op) => op === "product of bytes")).toHaveLength(1);
  });

  it("an open batch, runs that yield and two threads change no bit", async () => {
    for (const threads of [1, 2]) {
      using rt = await createRuntime({ threads });
      using model = await loadOnnx(rt, onnxFile({ nodes, inputs: { x: ["N", K] }, outputs: ["y"], constants }));
      for (const rows of [4, 1, 400]) {
        const data = fill([rows, K], `${rows}`);
        const input = { x: { data, shape: [rows, K] } };
        const { y } = rows === 1 ? model.run(input) : await model.runAsync(input, { yieldEvery: 0 });
        expect(Array.from(y?.toArray() ?? [])).toEqual(wanted(rows, data));
      }
    }
  });

  it("weights that a run brings are multiplied in JavaScript, which says so", async () => {
    using rt = await createRuntime();
    const { w: own, ...others } = constants;
    const file = onnxFile({
      nodes,
      inputs: { x: [4, K], w: [K, M] },
      types: { w: 3 },
      outputs: ["y"],
      constants: others,
    });
    using model = await loadOnnx(rt, file);
    const given = { x: { data: x, shape: [4, K] }, w: { data: own?.data as Int8Array, shape: [K, M] } };
    const { y } = model.run(given as never);
    expect(Array.from((y as Tensor | undefined)?.toArray() ?? [])).toEqual(wanted(4, x));
    expect(model.summary().rows.some(({ reason }) => reason === "JavaScript")).toBe(true);
  });

  it.each([
    [
      "a zero point of weights of another type",
      { wz: typed("uint8", [], [0]) },
      /MatMulInteger.*"b_zero_point" expected int8, got uint8/,
    ],
    [
      "one of another length",
      { wz: typed("int8", [3], [0, 0, 0]) },
      /MatMulInteger.*"b_zero_point" expected 5 values, got 3/,
    ],
  ])("%s is refused in a sentence, and nothing is kept", async (_, other, message) => {
    using rt = await createRuntime();
    const before = rt.report().bytesInUse;
    const file = onnxFile({ nodes, inputs: { x: [4, K] }, outputs: ["y"], constants: { ...constants, ...other } });
    const refused = loadOnnx(rt, file);
    await expect(refused).rejects.toThrow(ModelError);
    await expect(refused).rejects.toThrow(message);
    expect(rt.report()).toMatchObject({ bytesInUse: before, liveTensors: 0 });
  });
});
