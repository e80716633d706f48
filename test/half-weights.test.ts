// Weights of float16 under layers of float32: bits of the same layer on float32, halves as they are rounded, what is refused.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Activation,
  createModel,
  createRuntime,
  Graph,
  type Model,
  type ModelOptions,
  type Runtime,
} from "../src/index.js";
import { loadOnnx, loadQuantizedWeights } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type LinearLayer, linearModel } from "./linear-model.js";
import { node, onnxFile } from "./onnx-file.js";
import { fill, random } from "./random.js";

const FLOAT16 = { quantizeWeights: "float16" } as const;
const largest = (list: Float32Array) => list.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** The nearest number of so many binary places and 11 bits, ties to even. */
function nearest(v: number, places: number): number {
  if (v === 0 || !Number.isFinite(v)) return v;
  let exponent = Math.floor(Math.log2(Math.abs(v)));
  if (2 ** exponent > Math.abs(v)) exponent--;
  const step = 2 ** Math.max(exponent - 10, -places);
  const [low, rest] = [Math.floor(v / step), v / step - Math.floor(v / step)];
  return (rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1) * step;
}

/** Halves as files have them, some of them subnormal, zeros of either sign. */
function halfWeights(shape: readonly number[], seed: string): Float32Array {
  const list = fill(shape, seed).map((v, i) => nearest(i % 7 === 0 ? v * 2 ** -15 : v / 3, 24));
  list.set([0, -0, 2 ** -24, -(2 ** -24), 1023 * 2 ** -24].slice(0, list.length));
  return list;
}

const rowOf = (model: Model) => model.summary().rows.find(({ layer }) => layer === "fc" || layer === "conv");

function answer(
  rt: Runtime,
  model: Model,
  inputs: Readonly<Record<string, readonly [Float32Array, readonly number[]]>>,
) {
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, [data, shape]]) => [name, rt.tensor(data, shape)]),
  );
  const y = model.run(tensors)["y"]?.toArray() as Float32Array;
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return y;
}

const bitsOf = (list: Float32Array) => new Int32Array(list.buffer, list.byteOffset, list.length);
/** Where the first other bits are. */
function otherBits(a: Float32Array, b: Float32Array): number {
  expect(a).toHaveLength(b.length);
  const [left, right] = [bitsOf(a), bitsOf(b)];
  return left.findIndex((v, i) => v !== right[i]);
}

/** Few rows in panels and as they lie (from 8 MB on), more rows, in one and several reduction blocks and steps. */
const LAYERS: readonly LinearLayer[] = [
  { x: [1, 1], M: 1 },
  { x: [1, 5], M: 3, isBare: true },
  { x: [2, 3, 7], M: 17 },
  { x: [2, 130], M: 33, activation: "relu6" },
  { x: [3, 128], M: 32, activation: "hardSwish" },
  { x: [3, 31], M: 70, activation: "gelu" },
  { x: [1, 1283], M: 100, activation: { type: "leakyRelu", alpha: 0.1 } as Activation },
  { x: [1, 8003], M: 263 },
  { x: [3, 70_001], M: 30, activation: "sigmoid" },
  { x: [4, 1], M: 1 },
  { x: [5, 33], M: 9, activation: "sigmoid" },
  { x: [2, 2, 2, 40], M: 12 },
  { x: [16, 769], M: 41, activation: "hardSwish" },
  { x: [49, 1537], M: 300, activation: "relu" },
];

describe.each(BINARIES)("weights of float16 on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
    await loadQuantizedWeights(rt);
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });

  it("linear: of halves the bits of float32, in half the bytes", () => {
    for (const layer of LAYERS) {
      const { x: shape, M } = layer;
      const K = shape.at(-1) as number;
      const [x, w, b] = [fill(shape, `${K} x`), halfWeights([M, K], `${K} w`), fill([M], `${K} b`)];
      x[0] = 40; // an outlier
      using usual = linearModel(rt, layer, w, b, {});
      using half = linearModel(rt, layer, w, b, FLOAT16);
      expect(rowOf(half)).toMatchObject({
        algorithm: "float16 weights",
        reason: "asked for: 16 bits a weight, as they were",
      });
      expect(rowOf(half)?.error).toBeUndefined();
      const inputs = { x: [x, shape] } as const;
      expect([K, otherBits(answer(rt, half, inputs), answer(rt, usual, inputs))]).toEqual([K, -1]);
      const packed = Math.ceil(M / 8) * 8 * K * 2;
      if (packed > 1e5) expect(half.plan.weightBytes).toBeLessThan(1.01 * packed + 2000);
    }
  });

  it("others are rounded to the nearest half of the layer's scale, ties to even: the bits of such weights", () => {
    for (const [scale, shape, M] of [
      [1, [1, 259], 21],
      [1000, [2, 64], 9],
      [2 ** -20, [5, 130], 11],
      [1e8, [1, 9001], 240],
    ] as const) {
      const K = shape[1];
      const [x, w] = [fill(shape, `${K} x`), fill([M, K], `${K} w`)];
      const odd = [
        1 + 2 ** -11,
        1 + 3 * 2 ** -11,
        2 ** -15 + 2 ** -26,
        3 * 2 ** -26,
        2 ** -27,
        1e-30,
        -(2 ** -25),
        0,
        -0,
      ];
      w.set(odd.map((v) => v / 2));
      for (let i = 0; i < w.length; i++) (w[i] as number) *= scale;
      // The largest lies below 2^exponent, and is packed as if that were 2^16.
      const exponent = Math.floor(Math.log2(largest(w))) + 1;
      const rounded = w.map((v) => nearest(v * 2 ** (16 - exponent), 24) * 2 ** (exponent - 16));
      expect(otherBits(w, rounded)).not.toBe(-1);
      const layer = { x: shape, M };
      using usual = linearModel(rt, layer, rounded, fill([M], "b"), {});
      using half = linearModel(rt, layer, w, fill([M], "b"), FLOAT16);
      expect(rowOf(half)?.reason).toBe("asked for: 16 bits a weight, the nearest");
      const inputs = { x: [x, shape] } as const;
      expect([scale, otherBits(answer(rt, half, inputs), answer(rt, usual, inputs))]).toEqual([scale, -1]);
    }
  });

  it("the error of classifiers is within its bound, and what summary() says", () => {
    for (const [N, K, M] of [
      [1, 1280, 1000],
      [1, 9216, 300],
      [5, 4096, 64],
    ] as const) {
      const { normal } = random(`${K}`);
      const [x, w] = [Float32Array.from({ length: N * K }, normal), Float32Array.from({ length: K * M }, normal)];
      using model = linearModel(rt, { x: [N, K], M }, w, new Float32Array(M), FLOAT16);
      const y = answer(rt, model, { x: [x, [N, K]] });
      let [most, worst] = [0, 0];
      for (let i = 0; i < N * M; i++) {
        const [n, m] = [Math.floor(i / M), i % M];
        let [exact, size] = [0, 0];
        for (let k = 0; k < K; k++) {
          const product = (x[n * K + k] as number) * (w[m * K + k] as number);
          exact += product;
          size += Math.abs(product);
        }
        const off = Math.abs((y[i] as number) - exact);
        expect(off).toBeLessThan(size * (2 ** -11 + K * 2 ** -24)); // half a step of 11 bits; sums of float32
        [most, worst] = [Math.max(most, Math.abs(exact)), Math.max(worst, off)];
      }
      expect(worst / most).toBeLessThan(rowOf(model)?.error as number);
      expect(rowOf(model)?.error).toBeLessThan(4e-4);
    }
  });

  it("rows of any size, infinite and not numbers: what float32 makes of them, in their row alone", () => {
    const [K, M] = [37, 19];
    const [w, b] = [halfWeights([M, K], "w"), fill([M], "b")];
    const row = fill([K], "x");
    const rows = [
      ...[1e30, 1e-30, 1e-42, 0, 2 ** 100, 1].map((by) => row.map((v) => v * by)),
      ...[NaN, Infinity, -Infinity].map((v) => row.with(K - 1, v)),
    ];
    for (const N of [1, 3, 9]) {
      for (let n = 0; n < rows.length; n += N) {
        const x = new Float32Array(N * K);
        for (let i = 0; i < N; i++) x.set(rows[n + i] as Float32Array, i * K);
        using usual = linearModel(rt, { x: [N, K], M }, w, b, {});
        using half = linearModel(rt, { x: [N, K], M }, w, b, FLOAT16);
        const inputs = { x: [x, [N, K]] } as const;
        const [y, expected] = [answer(rt, half, inputs), answer(rt, usual, inputs)];
        expect(y.findIndex((v, i) => !Object.is(v, expected[i]))).toBe(-1);
      }
    }
  });

  it("weights that are not finite, or too large or small: float32, and summary() says why", () => {
    const [x, b] = [fill([2, 50], "x"), fill([10], "b")];
    for (const [value, by, why] of [
      [NaN, 1, "some are not finite"],
      [-Infinity, 1, "some are not finite"],
      [1e12, 1, "the largest is near 2^40"],
      [0, 1e-12, "the largest is near 2^-"],
    ] as const) {
      const w = fill([10, 50], "w").map((v) => v * by);
      w[321] = value;
      using usual = linearModel(rt, { x: [2, 50], M: 10 }, w, b, {});
      using half = linearModel(rt, { x: [2, 50], M: 10 }, w, b, FLOAT16);
      expect(rowOf(half)?.algorithm).toBe(rowOf(usual)?.algorithm);
      expect(rowOf(half)?.reason).toContain(`; float32 weights, since ${why}`);
      const inputs = { x: [x, [2, 50]] } as const;
      const [y, expected] = [answer(rt, half, inputs), answer(rt, usual, inputs)];
      expect(y.findIndex((v, i) => !Object.is(v, expected[i]))).toBe(-1);
    }
    using zeros = linearModel(rt, { x: [2, 50], M: 10 }, new Float32Array(500), b, FLOAT16);
    expect(rowOf(zeros)?.algorithm).toBe("float16 weights");
    expect(answer(rt, zeros, { x: [x, [2, 50]] })).toEqual(
      Float32Array.from({ length: 20 }, (_, i) => b[i % 10] as number),
    );
  });

  it("1x1 convolutions too, with what is added; others stay", () => {
    const conv = (C: number, M: number, size: number, given: object, options: ModelOptions) => {
      const g = new Graph();
      const shape = [2, C, size, size];
      const x = g.input("x", shape, { memoryFormat: "channelsLast" });
      const added = g.input("added", [2, M, size, size], { memoryFormat: "channelsLast" });
      const y = g.layer("conv").conv2d(x, g.parameter("w", [M, C, 1, 1]), g.parameter("b", [M]), given);
      g.output("y", g.add(y, added), { memoryFormat: "channelsLast" });
      const w = { shape: [M, C, 1, 1], dtype: "float32", data: halfWeights([M, C], "w") } as const;
      const b = { shape: [M], dtype: "float32", data: fill([M], "b") } as const;
      return createModel(rt, g, { w, b }, options);
    };
    for (const [C, M, size, given] of [
      [5, 3, 1, {}],
      [1000, 40, 1, {}],
      [24, 77, 7, { activation: "hardSwish" }],
      [600, 150, 5, { activation: "relu" }],
      [700, 30, 3, {}], // one block of linear's, two of a convolution's: what is added comes behind the first
    ] as const) {
      const [shape, added] = [
        [2, C, size, size],
        [2, M, size, size],
      ];
      const inputs = { x: [fill(shape, "x"), shape], added: [fill(added, "a"), added] } as const;
      using usual = conv(C, M, size, given, {});
      using half = conv(C, M, size, given, FLOAT16);
      expect(rowOf(half)?.algorithm).toBe("float16 weights");
      expect([C, otherBits(answer(rt, half, inputs), answer(rt, usual, inputs))]).toEqual([C, -1]);
    }
    using strided = conv(24, 24, 1, { stride: 2 }, FLOAT16);
    expect(rowOf(strided)?.algorithm).not.toBe("float16 weights");
    expect(rowOf(strided)?.reason).toMatch(
      /; float32 weights, since they are no matrix that pixels are multiplied by$/,
    );
  });
});

describe("files whose weights are float16", () => {
  const bitsOfHalf = (v: number): number => {
    const sign = v < 0 || Object.is(v, -0) ? 0x8000 : 0;
    const size = Math.abs(v);
    if (size < 2 ** -14) return sign | (size * 2 ** 24);
    const exponent = Math.floor(Math.log2(size));
    return sign | ((exponent + 15) << 10) | ((size / 2 ** exponent - 1) * 1024);
  };
  const constant = (dims: readonly number[], seed: string) => ({
    dims,
    type: 10,
    data: Uint8Array.from(Array.from(halfWeights(dims, seed), bitsOfHalf).flatMap((bits) => [bits & 255, bits >> 8])),
  });
  const [K, H, M] = [300, 500, 70];
  const constants = { w: constant([H, K], "w"), b: constant([H], "b"), v: constant([H, M], "v") };
  // As converters write it that keep what goes in and comes out, and one that only stores so.
  const inHalf = onnxFile({
    nodes: [
      node("Cast", ["x"], ["x16"], { to: 10 }),
      node("Gemm", ["x16", "w", "b"], ["h"], { transB: 1 }),
      node("Relu", ["h"], ["r"]),
      node("MatMul", ["r", "v"], ["y16"]),
      node("Cast", ["y16"], ["y"], { to: 1 }),
    ],
    inputs: { x: ["N", K] },
    outputs: ["y"],
    constants,
  });
  const stored = onnxFile({
    nodes: [
      ...["w", "b", "v"].map((name) => node("Cast", [name], [`${name}32`], { to: 1 })),
      node("Gemm", ["x", "w32", "b32"], ["h"], { transB: 1 }),
      node("Relu", ["h"], ["r"]),
      node("MatMul", ["r", "v32"], ["y"]),
    ],
    inputs: { x: ["N", K] },
    outputs: ["y"],
    constants,
  });

  it.each([
    ["in half", inHalf],
    ["stored so", stored],
  ])("%s: half the bytes, the same bits, for all shapes once", async (_, file) => {
    using rt = await createRuntime();
    for (const N of [1, 3, 20]) {
      const x = { x: { data: fill([N, K], "x"), shape: [N, K] } };
      const usual = await loadOnnx(rt, file, { shapes: { N } });
      const half = await loadOnnx(rt, file, { shapes: { N }, ...FLOAT16 });
      const layers = half.summary().rows.filter(({ algorithm }) => algorithm === "float16 weights");
      expect(layers).toHaveLength(2);
      expect(layers.every(({ error, reason }) => error === undefined && reason.endsWith("as they were"))).toBe(true);
      const [y, expected] = [half, usual].map((model) => model.run(x)["y"]?.toArray() as Float32Array);
      expect(otherBits(y as Float32Array, expected as Float32Array)).toBe(-1);
      expect(half.plan.weightBytes / usual.plan.weightBytes).toBeLessThan(0.55);
      for (const model of [usual, half]) model.dispose();
    }
    const open = await loadOnnx(rt, file, FLOAT16);
    const heldFor = (N: number) => {
      open.run({ x: { data: fill([N, K], "x"), shape: [N, K] } });
      return open.plan.heldBytes - open.plan.arenaBytes;
    };
    const held = heldFor(2);
    expect(heldFor(30) - held).toBeLessThan(5_000);
    open.dispose();
    expect(rt.report().bytesInUse).toBe(0);
  });

  it("what has a slope by channel keeps its bits too", async () => {
    using rt = await createRuntime();
    const file = onnxFile({
      nodes: [
        node("Conv", ["x", "first"], ["f"], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }),
        node("Conv", ["f", "w", "b"], ["c"], { kernel_shape: [1, 1] }),
        node("PRelu", ["c", "slope"], ["y"]),
      ],
      inputs: { x: [1, 8, 9, 9] },
      outputs: ["y"],
      constants: {
        first: constant([24, 8, 3, 3], "first"),
        w: constant([30, 24, 1, 1], "w"),
        b: constant([30], "b"),
        slope: constant([30, 1, 1], "slope"),
      },
    });
    const x = { x: { data: fill([1, 8, 9, 9], "x"), shape: [1, 8, 9, 9] } };
    const [usual, half] = [await loadOnnx(rt, file), await loadOnnx(rt, file, FLOAT16)];
    const rows = half.summary().rows.map(({ op, algorithm }) => `${op}: ${algorithm}`);
    expect(rows.filter((row) => /conv2d/.test(row))).toHaveLength(2);
    expect(rows).toContain("conv2d: float16 weights");
    const [y, expected] = [half, usual].map((model) => model.run(x)["y"]?.toArray() as Float32Array);
    expect(otherBits(y as Float32Array, expected as Float32Array)).toBe(-1);
  });

  it("loads the kernels that its weights need, and no others", async () => {
    using rt = await createRuntime();
    (await loadOnnx(rt, stored, { shapes: { N: 1 }, ...FLOAT16 })).dispose();
    const make = (quantizeWeights: "int8" | "float16") =>
      linearModel(rt, { x: [1, 4], M: 4 }, fill([4, 4], 1), fill([4], 2), { quantizeWeights });
    make("float16").dispose();
    expect(() => make("int8")).toThrow(/^"quantizeWeights" expected loadQuantizedWeights\(\) before/);
    await loadQuantizedWeights(rt);
    make("int8").dispose();
  });
});
