// Convolutions and matrix products of bytes: every bit, in every binary, against plain sums.
import { describe, expect, it } from "vitest";
import type { DType, Runtime, Tensor } from "../src/index.js";
import type { Addition, Ending } from "../src/onnx/layers/int8/form.js";
import { convolution, product } from "../src/onnx/layers/int8/product.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { INT8_BINARIES } from "./binaries.js";
import { added, type Conv, convSums, ended, outSize } from "./int8-reference.js";
import { random } from "./random.js";

/** [N, C, pixels] as [N, pixels, C] and back. */
function turned(data: ArrayLike<number>, N: number, rows: number, cols: number): number[] {
  return Array.from({ length: N * rows * cols }, (_, i) => {
    const [n, rest] = [Math.floor(i / (rows * cols)), i % (rows * cols)];
    return data[(n * rows + (rest % rows)) * cols + Math.floor(rest / rows)] as number;
  });
}

interface Case extends Partial<Conv> {
  readonly name: string;
  readonly xZero?: number;
  /** One, or "filter": one each. */
  readonly wZero?: number | "filter";
  readonly wType?: "int8" | "uint8";
  readonly ending?: "uint8" | "int32" | "float32";
  /** One scale for all filters. */
  readonly oneScale?: boolean;
  readonly bias?: boolean;
  readonly addition?: "first" | "second";
  /** Bytes and weights at the ends of their range. */
  readonly extreme?: boolean;
  readonly clamp?: readonly [number, number];
  readonly algorithm?: "winograd43" | "product";
}

const CASES: readonly Case[] = [
  { name: "3x3", algorithm: "product", C: 16, H: 9, W: 11, M: 24, R: 3, S: 3, padding: [1, 1, 1, 1] },
  { name: "3x3, odd channels and filters", C: 13, H: 7, W: 8, M: 11, R: 3, S: 3, padding: [1, 1, 1, 1] },
  { name: "1x1", C: 58, H: 9, W: 7, M: 58 },
  { name: "1x1 of few channels", C: 3, H: 5, W: 4, M: 5 },
  { name: "1x1 of one", C: 1, H: 5, W: 4, M: 1 },
  { name: "1x1, stride", C: 24, H: 9, W: 8, M: 16, strides: [2, 2] },
  { name: "1x1, padded", C: 20, H: 4, W: 5, M: 9, padding: [1, 0, 0, 2] },
  { name: "first layer", C: 3, H: 19, W: 17, M: 24, R: 3, S: 3, strides: [2, 2], padding: [1, 1, 1, 1] },
  { name: "7x7 stride 2", C: 3, H: 22, W: 21, M: 10, R: 7, S: 7, strides: [2, 2], padding: [3, 3, 3, 3] },
  { name: "two images", N: 2, C: 10, H: 6, W: 5, M: 12, R: 3, S: 3, padding: [1, 1, 1, 1] },
  { name: "two images, 1x1", N: 3, C: 17, H: 3, W: 5, M: 9 },
  { name: "groups", C: 24, H: 7, W: 6, M: 36, R: 3, S: 3, groups: 4, padding: [1, 1, 1, 1] },
  { name: "groups of odd sizes, 1x1", C: 15, H: 5, W: 6, M: 21, groups: 3 },
  { name: "dilation", C: 6, H: 12, W: 13, M: 9, R: 3, S: 3, dilations: [2, 3], padding: [2, 3, 2, 3] },
  { name: "dilation of columns", C: 6, H: 12, W: 7, M: 9, R: 3, S: 1, dilations: [3, 1] },
  { name: "uneven", C: 9, H: 8, W: 14, M: 10, R: 2, S: 5, strides: [3, 2], padding: [0, 4, 1, 2] },
  {
    name: "wide kernel of one channel",
    C: 1,
    H: 49,
    W: 10,
    M: 64,
    R: 10,
    S: 4,
    strides: [2, 2],
    padding: [4, 1, 5, 1],
  },
  { name: "no bias", C: 12, H: 6, W: 6, M: 8, R: 3, S: 3, bias: false },
  { name: "uint8 weights", C: 12, H: 6, W: 6, M: 17, R: 3, S: 3, wType: "uint8", wZero: 128 },
  {
    name: "uint8 weights beyond int8",
    C: 12,
    H: 6,
    W: 6,
    M: 17,
    R: 3,
    S: 3,
    wType: "uint8",
    wZero: 110,
    extreme: true,
  },
  { name: "uint8 weights of zero 0", C: 11, H: 6, W: 6, M: 9, wType: "uint8", wZero: 0, extreme: true },
  { name: "zeros by filter", C: 12, H: 6, W: 6, M: 17, R: 3, S: 3, wZero: "filter" },
  { name: "zeros by filter, groups", C: 12, H: 6, W: 6, M: 20, R: 3, S: 3, groups: 4, wType: "uint8", wZero: "filter" },
  { name: "extremes", C: 40, H: 6, W: 6, M: 16, R: 3, S: 3, padding: [1, 1, 1, 1], xZero: 0, extreme: true },
  { name: "extremes of 255", C: 40, H: 6, W: 6, M: 16, R: 3, S: 3, padding: [1, 1, 1, 1], xZero: 255, extreme: true },
  { name: "int32", C: 14, H: 6, W: 7, M: 13, R: 3, S: 3, padding: [1, 1, 1, 1], ending: "int32" },
  { name: "int32, 1x1 groups", C: 14, H: 6, W: 7, M: 10, groups: 2, ending: "int32" },
  { name: "float32", C: 14, H: 6, W: 7, M: 13, R: 3, S: 3, padding: [1, 1, 1, 1], ending: "float32" },
  { name: "float32, one scale", C: 14, H: 6, W: 7, M: 22, ending: "float32", oneScale: true },
  { name: "one scale", C: 14, H: 6, W: 7, M: 22, R: 3, S: 3, oneScale: true },
  { name: "clamped", C: 14, H: 6, W: 7, M: 22, R: 3, S: 3, clamp: [100, 140] },
  { name: "an addition, first", C: 14, H: 6, W: 7, M: 22, R: 3, S: 3, padding: [1, 1, 1, 1], addition: "first" },
  { name: "an addition, second", C: 14, H: 5, W: 5, M: 15, addition: "second", clamp: [90, 255] },
  { name: "many pixels", C: 8, H: 40, W: 41, M: 9, R: 3, S: 3, padding: [1, 1, 1, 1] },
];

const WINOGRAD: Case = {
  name: "winograd",
  C: 16,
  H: 9,
  W: 11,
  M: 24,
  R: 3,
  S: 3,
  padding: [1, 1, 1, 1],
  algorithm: "winograd43",
};
const WINOGRAD_CASES: readonly Case[] = [
  WINOGRAD,
  { ...WINOGRAD, name: "odd channels and filters", C: 13, M: 11, H: 7, W: 8 },
  { ...WINOGRAD, name: "few channels", C: 3, M: 3, H: 5, W: 6 },
  { ...WINOGRAD, name: "one output", C: 9, M: 8, H: 3, W: 3, padding: [0, 0, 0, 0] },
  { ...WINOGRAD, name: "uneven padding", padding: [2, 0, 1, 3], H: 6, W: 14 },
  { ...WINOGRAD, name: "images", N: 3, H: 10, W: 5 },
  { ...WINOGRAD, name: "several blocks of filters and tiles", C: 8, M: 75, H: 41, W: 42 },
  { ...WINOGRAD, name: "no bias, one scale", bias: false, oneScale: true },
  { ...WINOGRAD, name: "clamped", clamp: [100, 140] },
  { ...WINOGRAD, name: "uint8 weights beyond int8", wType: "uint8", wZero: "filter" },
  { ...WINOGRAD, name: "parts of channels", C: 150, M: 9, H: 6, W: 6 },
  { ...WINOGRAD, name: "more parts, odd channels", C: 371, M: 12, H: 5, W: 7, padding: [0, 1, 0, 1] },
  { ...WINOGRAD, name: "extremes, parts", C: 260, M: 9, H: 6, W: 6, xZero: 0, extreme: true },
  { ...WINOGRAD, name: "5x5", C: 13, M: 11, R: 5, S: 5, padding: [2, 2, 2, 2] },
  { ...WINOGRAD, name: "6x6, images", N: 2, C: 16, M: 12, R: 6, S: 6, padding: [2, 2, 3, 3] },
  { ...WINOGRAD, name: "3x7, clamped", C: 9, M: 17, S: 7, padding: [0, 0, 2, 5], clamp: [100, 140] },
  { ...WINOGRAD, name: "8x8 of one channel", C: 1, H: 19, W: 20, R: 8, S: 8, padding: [3, 3, 4, 4] },
  {
    ...WINOGRAD,
    name: "4x5, uint8 weights, an addition",
    R: 4,
    S: 5,
    wType: "uint8",
    wZero: "filter",
    addition: "first",
  },
  { ...WINOGRAD, name: "5x5, extremes of 255", C: 40, M: 9, R: 5, S: 5, xZero: 255, extreme: true },
  {
    ...WINOGRAD,
    name: "extremes of 255, uint8 weights of zero 0",
    C: 33,
    M: 9,
    xZero: 255,
    wType: "uint8",
    wZero: 0,
    extreme: true,
  },
  { ...WINOGRAD, name: "an addition, first", addition: "first" },
  { ...WINOGRAD, name: "an addition, second, parts", C: 140, M: 13, H: 6, W: 5, addition: "second" },
];

const shapeOf = (c: Case): Conv => ({
  N: 1,
  C: 1,
  H: 1,
  W: 1,
  M: 1,
  R: 1,
  S: 1,
  strides: [1, 1],
  padding: [0, 0, 0, 0],
  dilations: [1, 1],
  groups: 1,
  ...c,
});

/** Operands of a case, and what it answers, [N, M, P, Q]. */
function prepared(c: Case) {
  const conv = shapeOf(c);
  const { N, C, H, W, M, R, S, groups } = conv;
  const r = random(c.name);
  const xZero = c.xZero ?? 3;
  const [low, high] = c.wType === "uint8" ? [0, 255] : [-128, 127];
  const byte = (from: number, to: number) => (c.extreme ? (r.uniform() < 0.5 ? from : to) : r.integer(from, to));
  const x = Uint8Array.from({ length: N * C * H * W }, () => byte(0, 255));
  const count = (M * C * R * S) / groups;
  const w = new (c.wType === "uint8" ? Uint8Array : Int8Array)(Array.from({ length: count }, () => byte(low, high)));
  const wZero =
    c.wZero === "filter"
      ? Array.from({ length: M }, () => r.integer(low, high))
      : [c.wZero ?? (c.wType === "uint8" ? 128 : 0)];
  const bias = c.bias === false ? undefined : Int32Array.from({ length: M }, () => r.integer(-9000, 9000));
  const scale = Float32Array.from({ length: c.oneScale ? 1 : M }, () => {
    return ((0.5 + r.uniform()) * (c.ending === "float32" ? 0.01 : 0.6)) / Math.sqrt((C * R * S) / groups) / 60;
  });
  const [least, most] = c.clamp ?? [0, 255];
  const ending: Ending =
    c.ending === "int32"
      ? { type: "int32" }
      : c.ending === "float32"
        ? { type: "float32", scale, low: -2, high: 3 }
        : { type: "uint8", scale, zero: 117, low: least, high: most };
  const addition: Addition | undefined = c.addition && {
    ra: Math.fround(0.7),
    rb: Math.fround(1.25),
    aZero: 117,
    bZero: 7,
    offset: -11,
    shift: c.addition === "second" ? 128 : 0,
    low: 5,
    high: 250,
  };
  const sums = convSums(conv, x, xZero, w, wZero, bias);
  const [top, left, bottom, right] = conv.padding;
  const P = outSize(H, top, bottom, R, conv.strides[0], conv.dilations[0]);
  const Q = outSize(W, left, right, S, conv.strides[1], conv.dilations[1]);
  const plain = sums.map((sum, i) => ended(sum, Math.floor(i / (P * Q)) % M, ending));
  const addend = Uint8Array.from({ length: addition ? plain.length : 0 }, () => r.integer(0, 255));
  const wanted = addition ? plain.map((v, i) => added(v, addend[i] as number, addition)) : plain;
  const algorithm: NonNullable<Case["algorithm"]> | "auto" = c.algorithm ?? "auto";
  return { conv, x, w, wZero, xZero, bias, ending, addition, addend, wanted, P, Q, algorithm };
}

/** What the layer answers on a runtime, [N, M, P, Q]. */
function run(rt: Runtime, p: ReturnType<typeof prepared>): number[] {
  const { N, C, H, W, M, R, S, groups } = p.conv;
  const { addition, xZero, wZero, ending, algorithm } = p;
  const operator = convolution({ ...p.conv, xZero, wZero, ending, algorithm, ...(addition && { addition }) });
  const tensors: Tensor<DType>[] = [
    rt.tensor(Uint8Array.from(turned(p.x, N, C, H * W)), [N, C, H, W], { memoryFormat: "channelsLast" }),
  ];
  if (addition)
    tensors.push(
      rt.tensor(Uint8Array.from(turned(p.addend, N, M, p.P * p.Q)), [N, M, p.P, p.Q], { memoryFormat: "channelsLast" }),
    );
  tensors.push(rt.tensor(p.w as Int8Array, [M, C / groups, R, S]) as Tensor<DType>);
  if (p.bias) tensors.push(rt.tensor(p.bias, [M]));
  const y = internalsOf(rt).apply(operator, tensors) as Tensor<DType>;
  const answer = Array.from(y.toArray() as Uint8Array);
  for (const tensor of [...tensors, y]) tensor.dispose();
  return answer;
}

const difference = (got: readonly number[], wanted: readonly number[]) => {
  const at = wanted.findIndex((v, i) => v !== got[i]);
  return got.length !== wanted.length
    ? `${got.length} elements for ${wanted.length}`
    : at < 0
      ? "none"
      : `${got[at]} for ${wanted[at]} at ${at}`;
};

const known = new Map<Case, ReturnType<typeof prepared>>();

describe.each(INT8_BINARIES)("convolutions of bytes, $name", ({ create }) => {
  it.each(CASES)("$name", async (c) => {
    const p = known.get(c) ?? prepared(c);
    known.set(c, p);
    using rt = await create();
    expect(difference(run(rt, p), p.wanted)).toBe("none");
    expect(rt.report().bytesInUse).toBe(0);
  });

  it.each(WINOGRAD_CASES)("winograd: $name", async (c) => {
    const p = known.get(c) ?? prepared(c);
    known.set(c, p);
    using rt = await create();
    expect(difference(run(rt, p), p.wanted)).toBe("none");
    expect(rt.report().bytesInUse).toBe(0);
  });
});

const PRODUCTS = [
  { name: "a vector", rows: 1, K: 64, M: 10, transposed: true },
  { name: "odd sizes", rows: 7, K: 33, M: 13, transposed: false },
  { name: "many rows", rows: 395, K: 20, M: 9, transposed: true },
  { name: "a long sum", rows: 3, K: 2050, M: 17, transposed: false },
] as const;

describe.each(INT8_BINARIES)("products of bytes, $name", ({ create }) => {
  it.each(PRODUCTS)("$name", async ({ name, rows, K, M, transposed }) => {
    using rt = await create();
    const r = random(name);
    for (const type of ["uint8", "int32", "float32"] as const) {
      const x = Uint8Array.from({ length: rows * K }, () => r.integer(0, 255));
      const w = Int8Array.from({ length: K * M }, () => r.integer(-128, 127));
      const bias = Int32Array.from({ length: M }, () => r.integer(-9000, 9000));
      const scale = Float32Array.from({ length: M }, () => (0.5 + r.uniform()) / Math.sqrt(K) / 100);
      const ending: Ending =
        type === "int32"
          ? { type }
          : type === "uint8"
            ? { type, scale, zero: 128, low: 0, high: 255 }
            : { type, scale, low: -Infinity, high: Infinity };
      const wanted: number[] = [];
      for (let row = 0; row < rows; row++) {
        for (let m = 0; m < M; m++) {
          let sum = bias[m] as number;
          for (let k = 0; k < K; k++)
            sum += ((x[row * K + k] as number) - 131) * (w[transposed ? m * K + k : k * M + m] as number);
          wanted.push(ended(sum, m, ending));
        }
      }
      using a = rt.tensor(x, [rows, K]);
      using b = rt.tensor(w, transposed ? [M, K] : [K, M]);
      using c = rt.tensor(bias, [M]);
      const operator = product({ xZero: 131, wZero: [0], ending, transposed });
      using y = internalsOf(rt).apply(operator, [a, b, c]) as Tensor<DType>;
      expect(difference(Array.from(y.toArray() as Uint8Array), wanted)).toBe("none");
    }
  });
});
