// Weights of 8 bits under layers of float32: the arithmetic to the bit, its error by a bound, what runs, what is refused.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createModel,
  createRuntime,
  Graph,
  type Model,
  type ModelOptions,
  type Runtime,
  UnsupportedError,
} from "../src/index.js";
import { loadOnnx, loadQuantizedWeights } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type LinearLayer, linearModel } from "./linear-model.js";
import { floats, node, onnxFile } from "./onnx-file.js";
import { fill, random } from "./random.js";

const { fround } = Math;
const nearest = (v: number) => {
  const near = Math.round(v);
  return near - v === 0.5 && near % 2 !== 0 ? near - 1 : near;
};
const largest = (list: Float32Array) => list.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** The length of blocks of K: as few as there are of at most 128, whole fours. */
const blockOf = (K: number) => Math.ceil(Math.ceil(K / Math.ceil(K / 128)) / 4) * 4;

/** A block as whole numbers, the largest of which is `most`, and their scale; what rounding leaves, in 256ths. */
function whole(list: Float32Array, most: number) {
  const scale = fround(largest(list) / most);
  const factor = scale === 0 ? 0 : fround(1 / scale);
  const real = list.map((v) => v * factor);
  const first = Array.from(real, (v) => Math.max(-most, Math.min(most, nearest(v))));
  const rest = Array.from(real, (v) => Math.max(-127, Math.min(127, nearest(fround(fround(v - nearest(v)) * 256)))));
  return { scale, real, first, rest };
}

/**
 * A block of weights, its last plane balanced: while what rounding left sums to more than half a step, the weight of which most was
 * left, the first of several, takes a step more; or one less. All in 65536ths; the outermost steps have no other beyond.
 */
function weightsOf(list: Float32Array, planes: number) {
  const { scale, real, first, rest } = whole(list, 127);
  const last = planes === 1 ? first : rest;
  const left = Array.from(real, (v, i) => {
    const once = fround(v - nearest(v));
    const again = fround(once * 256);
    const open = planes === 1 ? once : fround(again - nearest(again));
    return Math.abs(last[i] as number) < 127 ? nearest(fround(open * 65536)) : 0;
  });
  const sum = left.reduce((total, e) => total + e, 0);
  for (let moves = Math.floor((Math.abs(sum) + 32768) / 65536); moves > 0; moves--) {
    const worst = left.indexOf(sum < 0 ? Math.min(...left) : Math.max(...left));
    left[worst] = 0;
    (last[worst] as number) += Math.sign(sum);
  }
  return { scale, first, rest };
}

/** y [N, M] = x [N, K] w [M, K]^T + bias, as the kernels compute it, every float rounded where theirs is. */
function reference(x: Float32Array, w: Float32Array, bias: Float32Array, K: number, planes: number): Float32Array {
  const [N, M, block] = [x.length / K, w.length / K, blockOf(K)];
  const y = new Float32Array(N * M);
  for (let n = 0; n < N; n++) {
    for (let m = 0; m < M; m++) {
      let sum = 0;
      for (let plane = 0; plane < planes; plane++) {
        for (let k = 0; k < K; k += block) {
          const end = Math.min(K, k + block);
          const a = whole(x.subarray(n * K + k, n * K + end), 32767);
          const b = weightsOf(w.subarray(m * K + k, m * K + end), planes);
          const weights = plane === 0 ? b.first : b.rest;
          const dot = a.first.reduce((total, v, i) => total + v * (weights[i] as number), 0);
          expect(Math.abs(dot)).toBeLessThan(2 ** 31);
          sum = fround(sum + fround(fround(dot) * fround(a.scale * (plane === 0 ? b.scale : b.scale / 256))));
        }
      }
      y[n * M + m] = fround(sum + (bias[m] as number));
    }
  }
  return y;
}

/** Most that rounding weights and rows can do to y[n, m], and float32 sums of blocks. */
function boundOf(x: Float32Array, w: Float32Array, K: number, planes: number): number {
  const block = blockOf(K);
  let bound = 0;
  for (let k = 0; k < K; k += block) {
    const [a, b] = [x.subarray(k, Math.min(K, k + block)), w.subarray(k, Math.min(K, k + block))];
    const sum = (list: Float32Array) => list.reduce((total, v) => total + Math.abs(v), 0);
    const step = (largest(b) / 127) * (planes === 1 ? 1 : 1.001 / 256); // balanced weights are off by up to a step
    bound += step * sum(a) + (largest(a) / 32767 / 2) * (sum(b) + b.length * step) + 2 ** -22 * sum(a) * largest(b);
  }
  return bound;
}

const rowOf = (model: Model, layer: string) => model.summary().rows.find((row) => row.layer === layer);

const OPTIONS = [
  ["int8", 1],
  ["int16", 2],
] as const;

describe.each(BINARIES)("weights of 8 bits on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
    await loadQuantizedWeights(rt);
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });

  const LAYERS: readonly LinearLayer[] = [
    { x: [1, 1], M: 1 },
    { x: [1, 5], M: 3 },
    { x: [2, 3, 7], M: 17 },
    { x: [2, 129], M: 9 },
    { x: [3, 128], M: 32 },
    { x: [16, 257], M: 41 },
    { x: [1, 1280], M: 100 },
    { x: [2, 130], M: 33, activation: "relu6" },
  ];
  it.each(OPTIONS)("%s: linear to the bit", (quantizeWeights, planes) => {
    for (const layer of LAYERS) {
      const K = layer.x.at(-1) as number;
      const [x, w, b] = [fill(layer.x, `${K} x`), fill([layer.M, K], `${K} w`), fill([layer.M], `${K} b`)];
      w.fill(0, 0, Math.min(K, 140)); // a block of zeros has a scale of 0
      x[0] = 40; // an outlier
      using model = linearModel(rt, layer, w, b, { quantizeWeights });
      using input = rt.tensor(x, layer.x);
      expect(rowOf(model, "fc")).toMatchObject({ algorithm: `${quantizeWeights} weights` });
      const y = model.run({ x: input })["y"]?.toArray() as Float32Array;
      const expected = reference(x, w, b, K, planes);
      const clamp = (v: number) => (layer.activation === "relu6" ? Math.min(6, Math.max(0, v)) : v);
      expect(y.findIndex((v, i) => v !== clamp(expected[i] as number))).toBe(-1);
    }
  });

  it.each([...OPTIONS.map(([type]) => type), "float16"] as const)(
    "%s: rows of an image that lies channels-last",
    (type) => {
      const [shape, M] = [[1, 3, 4, 8], 5];
      const [x, w] = [fill(shape, "x"), fill([M, 8], "w")];
      const g = new Graph();
      g.output("y", g.linear(g.input("x", shape, { memoryFormat: "channelsLast" }), g.parameter("w", [M, 8]), null));
      const weights = { w: { shape: [M, 8], dtype: "float32", data: w } } as const;
      using model = createModel(rt, g, weights, { quantizeWeights: type });
      using input = rt.tensor(x, shape);
      const y = model.run({ x: input })["y"]?.toArray() as Float32Array;
      const exact = (i: number) => {
        const [row, m] = [Math.floor(i / M) * 8, (i % M) * 8];
        return w.subarray(m, m + 8).reduce((sum, v, k) => sum + v * (x[row + k] as number), 0);
      };
      expect(y).toHaveLength(12 * M);
      expect(y.findIndex((v, i) => !(Math.abs(v - exact(i)) < 0.05))).toBe(-1);
    },
  );

  it("activations that are no clamp come behind", () => {
    const [x, w, b] = [fill([2, 33], "x"), fill([19, 33], "w"), fill([19], "b")];
    using input = rt.tensor(x, [2, 33]);
    using model = linearModel(rt, { x: [2, 33], M: 19, activation: "sigmoid" }, w, b, { quantizeWeights: "int8" });
    const y = model.run({ x: input })["y"]?.toArray() as Float32Array;
    const expected = reference(x, w, b, 33, 1).map((v) => 1 / (1 + Math.exp(-v)));
    expect(Math.max(...y.map((v, i) => Math.abs(v - (expected[i] as number))))).toBeLessThan(1e-6);
  });

  it("what is not finite reaches its row, and no other", () => {
    const [w, b] = [fill([9, 40], "w"), fill([9], "b")];
    for (const value of [NaN, Infinity]) {
      const x = fill([3, 40], "x");
      x[40 + 39] = value;
      using input = rt.tensor(x, [3, 40]);
      using model = linearModel(rt, { x: [3, 40], M: 9 }, w, b, { quantizeWeights: "int8" });
      const y = model.run({ x: input })["y"]?.toArray() as Float32Array;
      expect(Array.from(y, Number.isNaN)).toEqual(Array.from(y, (_, i) => i >= 9 && i < 18));
    }
  });

  it("a 1x1 convolution is the same product of pixels; where rows are many and short it stays, and says so", () => {
    const conv = (K: number, M: number, size: number, quantizeWeights: "int8" | "int16") => {
      const [x, w] = [fill([1, K, size, size], "x"), fill([M, K, 1, 1], "w")];
      const g = new Graph();
      const input = g.input("x", [1, K, size, size], { memoryFormat: "channelsLast" });
      g.output("y", g.layer("conv").conv2d(input, g.parameter("w", [M, K, 1, 1]), null, {}));
      using model = createModel(rt, g, { w: { shape: [M, K, 1, 1], dtype: "float32", data: w } }, { quantizeWeights });
      using tensor = rt.tensor(x, [1, K, size, size]);
      const y = model.run({ x: tensor })["y"]?.toArray() as Float32Array;
      const pixels = Float32Array.from(x, (_, i) => x[(i % K) * size * size + Math.floor(i / K)] as number);
      return { row: rowOf(model, "conv"), y, pixels, w };
    };
    for (const [K, size, planes, name] of [
      [20, 3, 2, "int16"],
      [300, 5, 1, "int8"],
    ] as const) {
      const { row, y, pixels, w } = conv(K, 11, size, name);
      expect(row).toMatchObject({ algorithm: `${name} weights` });
      const expected = reference(pixels, w, new Float32Array(11), K, planes);
      const at = (i: number) => y[(i % 11) * size * size + Math.floor(i / 11)];
      expect(expected.findIndex((v, i) => v !== at(i))).toBe(-1);
    }
    const { row } = conv(20, 11, 5, "int8");
    expect(row?.reason).toMatch(/; float32 weights, since 25 rows of 20 are faster so$/);
    expect(row?.algorithm).not.toMatch(/weights/);
  });

  it("positive rows, as behind a ReLU: half the error of rounding each weight by itself", () => {
    const [K, M] = [1280, 200];
    const { normal, uniform } = random("positive");
    const [x, w] = [
      Float32Array.from({ length: K }, () => uniform(0, 2)),
      Float32Array.from({ length: K * M }, normal),
    ];
    using input = rt.tensor(x, [1, K]);
    using model = linearModel(rt, { x: [1, K], M }, w, new Float32Array(M), { quantizeWeights: "int8" });
    const y = model.run({ x: input })["y"]?.toArray() as Float32Array;
    const block = blockOf(K);
    let [own, plain] = [0, 0];
    for (let m = 0; m < M; m++) {
      let [exact, rounded] = [0, 0];
      for (let k = 0; k < K; k += block) {
        const { scale, first } = whole(w.subarray(m * K + k, m * K + k + block), 127);
        first.forEach((v, i) => {
          rounded += scale * v * (x[k + i] as number);
          exact += (w[m * K + k + i] as number) * (x[k + i] as number);
        });
      }
      own += ((y[m] as number) - exact) ** 2;
      plain += (rounded - exact) ** 2;
    }
    expect(Math.sqrt(own / plain)).toBeLessThan(0.6);
  });

  it.each(OPTIONS)(
    "%s: the error of classifiers is within its bound, and what summary() says",
    (quantizeWeights, planes) => {
      for (const [K, M] of [
        [1280, 1000],
        [4096, 64],
        [9216, 32],
      ] as const) {
        const { normal } = random(`${K}`);
        const [x, w] = [Float32Array.from({ length: K }, normal), Float32Array.from({ length: K * M }, normal)];
        using input = rt.tensor(x, [1, K]);
        using model = linearModel(rt, { x: [1, K], M }, w, new Float32Array(M), { quantizeWeights });
        const y = model.run({ x: input })["y"]?.toArray() as Float32Array;
        let [most, worst] = [0, 0];
        for (let m = 0; m < M; m++) {
          const filter = w.subarray(m * K, (m + 1) * K);
          const exact = filter.reduce((sum, v, k) => sum + v * (x[k] as number), 0);
          const off = Math.abs((y[m] as number) - exact);
          expect(off).toBeLessThan(boundOf(x, filter, K, planes));
          [most, worst] = [Math.max(most, Math.abs(exact)), Math.max(worst, off)];
        }
        expect(worst / most).toBeLessThan(rowOf(model, "fc")?.error as number);
        expect(worst / most).toBeLessThan(planes === 2 ? 1e-4 : 1e-2);
      }
    },
  );
});

describe("quantizeWeights", () => {
  const [K, M] = [512, 256];
  const file = onnxFile({
    nodes: [
      node("Gemm", ["x", "w", "b"], ["h"], { transB: 1 }),
      node("Relu", ["h"], ["r"]),
      node("MatMul", ["r", "v"], ["y"]),
    ],
    inputs: { x: ["N", K] },
    outputs: ["y"],
    constants: {
      w: { dims: [M, K], data: fill([M, K], "w") },
      v: { dims: [M, K], data: fill([M, K], "v") },
      b: floats(...fill([M], "b")),
    },
  });

  it("packs fewer filters than a panel has, also of weights that a file has transposed", async () => {
    using rt = await createRuntime();
    for (const [k, m] of [
      [8, 5],
      [7, 1],
    ] as const) {
      const weights = { dims: [k, m], data: fill([k, m], "few") };
      const nodes = [node("Gemm", ["x", "w"], ["y"], { transB: 0 })];
      const few = onnxFile({ nodes, inputs: { x: [1, k] }, outputs: ["y"], constants: { w: weights } });
      const x = { data: fill([1, k], "x"), shape: [1, k] };
      const [usual, small] = [await loadOnnx(rt, few), await loadOnnx(rt, few, { quantizeWeights: "int8" })];
      const [y, near] = [usual, small].map((model) => model.run({ x })["y"]?.toArray() as Float32Array);
      expect(near).toHaveLength(m);
      for (let i = 0; i < m; i++)
        expect(Math.abs((near?.[i] as number) - (y?.[i] as number))).toBeLessThan(0.02 * Math.sqrt(k));
    }
  });

  it("of a file: a quarter or half of the weights' bytes, for all shapes once, the same within the error", async () => {
    using rt = await createRuntime();
    const load = async (options: ModelOptions) => {
      const model = await loadOnnx(rt, file, { shapes: { N: 1 }, ...options });
      const data = fill([1, K], "x");
      const y = model.run({ x: { data, shape: [1, K] } })["y"]?.toArray() as Float32Array;
      return { model, y, bytes: model.plan.heldBytes };
    };
    const usual = await load({});
    const most = largest(usual.y);
    for (const [quantizeWeights, share, error] of [
      ["int8", 0.3, 1.5e-2],
      ["int16", 0.56, 2e-4],
    ] as const) {
      const { model, y, bytes } = await load({ quantizeWeights });
      expect(model.summary().rows.map((row) => row.algorithm)).toEqual([
        `${quantizeWeights} weights`,
        `${quantizeWeights} weights`,
      ]);
      expect(bytes / usual.bytes).toBeLessThan(share);
      expect(largest(y.map((v, i) => v - (usual.y[i] as number))) / most).toBeLessThan(error);
      model.dispose();
    }
    const open = await loadOnnx(rt, file, { quantizeWeights: "int8" });
    const heldFor = (N: number) => {
      open.run({ x: { data: fill([N, K], "x"), shape: [N, K] } });
      return open.plan.heldBytes;
    };
    const held = heldFor(1);
    expect(heldFor(2) - held).toBeLessThan(20_000);
    open.dispose();
    usual.model.dispose();
    expect(rt.report().bytesInUse).toBe(0);
  });

  it("refuses what it does not know, and a runtime without its kernels", async () => {
    using rt = await createRuntime();
    const make = (quantizeWeights: unknown) =>
      linearModel(rt, { x: [1, 4], M: 4 }, fill([4, 4], 1), fill([4], 2), { quantizeWeights } as ModelOptions);
    expect(() => make("int8")).toThrow(UnsupportedError);
    expect(() => make("int8")).toThrow(/^"quantizeWeights" expected loadQuantizedWeights\(\) before/);
    await loadQuantizedWeights(rt);
    make("int8").dispose();
    expect(() => make("int4")).toThrow(
      new RangeError(`"quantizeWeights" expected one of int8, int16, float16, got "int4"`),
    );
    expect(() => make(8)).toThrow(TypeError);
    await expect(loadOnnx(rt, file, { quantizeWeights: "float8" } as never)).rejects.toThrow(RangeError);
    expect(rt.report().bytesInUse).toBe(0);
    rt.dispose();
    await expect(loadQuantizedWeights(rt)).rejects.toThrow(/disposed/);
  });
});
