// The one table of kernels: every wasm export has one row here, every row one export (test/kernels.test.ts).

import { type ConvShape, convMacs, extent, roundUp } from "../base/shape.js";
import { fftTiling, MAX_EXTENT, MAX_SPECTRA_BYTES } from "./fft-tiling.js";

/** Names of the wasm exports: operator, algorithm, dtype. */
export const KERNELS = [
  "gemm_f32", // batched matrix product, B in packed panels
  "pack_weights_f32", // weights to panels of 8 filters (plan time)
  "pad_image_f32", // any image to padded channels-last
  "transpose_f32", // contiguous to channels-last and back
  "conv2d_direct_f32", // seven nested loops, 4 pixels x 8 filters in registers
  "im2col_f32", // the patch matrix in memory
  "conv2d_implicit_gemm_f32", // GEMM over row pointers into the image
  "winograd_weights_f32", // weights to Winograd points (plan time)
  "conv2d_winograd_f32", // F(2,3), F(4,3) and F(6,3), transforms and GEMM fused by blocks of tiles
  "depthwise_weights_f32", // depthwise weights in blocks of 4 filters (plan time)
  "conv2d_depthwise_f32", // depthwise, lanes are channels, nothing copied
  "separable_conv2d_f32", // depthwise and pointwise by rows, what lies between in cache
  "activation_f32", // an activation by element, in place where wanted
  "unary_f32", // exp, log, sin, cos, erf, sqrt, abs, rounding, sign and reciprocal by element
  "binary_f32", // add, sub, mul, div, prelu, maximum and minimum by element, broadcast
  "quantize_f32", // float32 to uint8, int8 or int32, a scale and zero point a tensor or an axis
  "dequantize_f32", // and back
  "softmax_f32", // softmax or its logarithm, lanes along the axis or across it
  "max_pool_f32", // maximum over windows, lanes are channels
  "avg_pool_f32", // mean over windows, lanes are channels
  "global_pool_f32", // maximum or mean of contiguous channels
  "resize_f32", // nearest, linear, cubic: separable taps from tables, lanes are channels
  "batch_norm_f32", // (x - center) * scale + shift by channel
  "batch_norm_table_f32", // center, scale and shift of every channel (plan time)
  "batch_statistics_f32", // mean and variance of every channel, two passes in float64
  "local_response_norm_f32", // x over a power of its neighbouring channels' squares
  "copy_nd", // strided copy of up to 8 dimensions, any element size
  "linear_f32", // fully connected, few rows, weights read in place
  "linear_panels_f32", // fully connected, few rows, weights in panels
  "conv_transpose_gather_f32", // columns of a transposed convolution summed by output
  "fft_weights_f32", // weights to spectra (plan time)
  "conv2d_fft_f32", // overlap-save FFT, two tiles as one complex tile
] as const;

export type KernelName = (typeof KERNELS)[number];

/** Ways to compute a convolution; what each accepts is in CONV_ROWS. */
export type ConvAlgorithm =
  | "direct"
  | "im2col"
  | "implicit-gemm"
  | "winograd23"
  | "winograd43"
  | "winograd63"
  | "fft"
  | "depthwise";

/** One way to compute a convolution. */
export interface ConvRow {
  readonly algorithm: ConvAlgorithm;
  /** True, or what the algorithm expects of a shape that it does not get. */
  accepts(shape: ConvShape): true | string;
  /**
   * Largest error on random normal data, as a share of the largest output: both binaries, 3x3 layers of 64 to 512 channels
   * (depthwise: 3x3 to 11x11), rounded up. It grows with the square root of the terms of a sum. test/precision.test.ts holds
   * it, and docs/convolution.md, to this.
   */
  readonly error: number;
  /** Estimated milliseconds on the reference machine; undefined: never chosen by itself. */
  cost(shape: ConvShape, rates: Rates): number | undefined;
  /** Chosen by itself only where it was measured to be the fastest. */
  tunedOnly?(shape: ConvShape): boolean;
}

/** The error of a plain sum of float32 products: all algorithms that are the matrix product in another order of loops. */
const SUM_ERROR = 3.5e-6;
/** Of F(m,3). */
const WINOGRAD_ERROR = { 2: 1.2e-6, 4: 5.5e-6, 6: 3.1e-5 } as const;

/**
 * What the reference machine does (AMD EPYC, Zen 4; simd on Node 20, relaxed on Node 24): GFLOP/s of the GEMM tile, GB/s of
 * weights. Fitted, with the constants below, to the measured times of 45 layers in both binaries, of which the choice is
 * then within 10 % of the best on 86 of 90. Fixed per binary, so that a model computes the same bits everywhere.
 */
export interface Rates {
  readonly gflops: number;
  readonly gbps: number;
}

export const RATES: Readonly<Record<"simd" | "relaxed", Rates>> = {
  simd: { gflops: 45, gbps: 30 },
  relaxed: { gflops: 58, gbps: 30 },
};

/** Steps of k that starting and storing a micro-tile costs. */
const TILE_OVERHEAD = 13;

/** Milliseconds of a matrix product whose sums have K terms. */
function gemmCost(macs: number, weightBytes: number, K: number, { gflops, gbps }: Rates): number {
  const compute = ((2 * macs) / gflops / 1e6) * (1 + TILE_OVERHEAD / K);
  const memory = weightBytes / gbps / 1e6;
  return Math.max(compute, memory) + 0.5 * Math.min(compute, memory);
}

/** 3 and 5 taps a row have tiles of their own; others go tap by tap, and with a multiplier every vector is gathered. */
function depthwiseShare({ C, M, S, strideW }: ConvShape): number {
  if (M !== C) return 0.14;
  if (S === 3) return strideW === 1 ? 0.63 : 0.46;
  if (S === 5) return strideW === 1 ? 0.85 : 0.68;
  return S > 15 ? 0.35 : 0.42;
}

export const CONV_ROWS: readonly ConvRow[] = [
  {
    // GEMM over row pointers into the image, nothing copied but the padding
    algorithm: "implicit-gemm",
    error: SUM_ERROR,
    accepts: () => true,
    cost(s, rates) {
      const filters = s.groups * roundUp(s.M / s.groups, 8); // a panel is computed whole
      return gemmCost(
        (convMacs(s) / s.M) * filters,
        (filters * s.C * s.R * s.S * 4) / s.groups,
        (s.C / s.groups) * s.R * s.S,
        rates,
      );
    },
  },
  {
    // the seven nested loops, tiled by registers
    algorithm: "direct",
    error: SUM_ERROR,
    accepts: () => true,
    // Sums of a few terms, where starting and storing a tile is most of GEMM's work: 4 ns for 8 filters of a pixel.
    cost: (s) =>
      (s.C / s.groups) * s.R * s.S <= 8 && s.groups === 1 ? s.N * s.P * s.Q * Math.ceil(s.M / 8) * 4e-6 : undefined,
  },
  {
    // patch matrix in memory, then one matrix product
    algorithm: "im2col",
    error: SUM_ERROR,
    accepts: () => true,
    cost: () => undefined,
  },
  ...([2, 4, 6] as const).map(winograd),
  {
    // overlap-save FFT: work grows with the logarithm of the kernel
    algorithm: "fft",
    error: 7e-7,
    accepts(s) {
      const [h, w] = [extent(s.R, s.dilationH), extent(s.S, s.dilationW)];
      if (s.strideH !== 1 || s.strideW !== 1) return `stride 1, got [${s.strideH}, ${s.strideW}]`;
      return Math.max(h, w) <= MAX_EXTENT || `a kernel extent of at most ${MAX_EXTENT}, got ${h}x${w}`;
    },
    cost(s, rates) {
      const { ms, weightBytes } = fftTiling(s, rates);
      return weightBytes > MAX_SPECTRA_BYTES ? undefined : ms;
    },
    // Of one tap there is nothing to save.
    tunedOnly: (s) => s.R * s.S === 1,
  },
  {
    // one group a channel: lanes are channels, nothing copied
    algorithm: "depthwise",
    error: 5e-7,
    accepts: (s) => s.groups === s.C || `groups = C = ${s.C}, got ${s.groups}`,
    // Bound by loads: a share of the GEMM's rate that the way of the kernel decides. Lanes are computed whole.
    cost: (s, rates) => (((2 * convMacs(s)) / s.M) * roundUp(s.M, 4)) / (rates.gflops * depthwiseShare(s)) / 1e6,
  },
];

/** Nanoseconds an element of the input and of the output transform takes on the reference machine. */
const TRANSFORM_NS = { 2: [0.28, 0.22], 4: [0.35, 0.25], 6: [0.5, 0.35] } as const;
/** Along one axis only, a vector is carried through fewer sums for each time it is loaded and stored. */
const ONE_AXIS = 2.3;
/** Weights of more bytes are streamed from memory for every block of tiles, slower than the GEMM's. */
const STREAMED_BYTES = 12 * 2 ** 20;
const STREAMED_GBPS = 20;

/** Points of F(m, 3) along one axis; a last tile of F(4,3) with one or two outputs does without two of its points. */
function winogradPoints(m: 2 | 4 | 6, outputs: number): number {
  const rest = outputs % m;
  return (m + 2) * Math.ceil(outputs / m) - (m === 4 && (rest === 1 || rest === 2) ? 2 : 0);
}

function winograd(m: 2 | 4 | 6): ConvRow {
  const n = m + 2;
  return {
    // F(mxm, 3x3), and F(m, 3) for 1x3 and 3x1
    algorithm: `winograd${m}3`,
    error: WINOGRAD_ERROR[m],
    // Six times the error of F(4,3), and seldom much faster.
    tunedOnly: () => m === 6,
    accepts(s) {
      const taps = (s.R === 3 || s.R === 1) && (s.S === 3 || s.S === 1) && s.R + s.S > 2;
      if (!taps) return `a 3x3, 1x3 or 3x1 kernel, got ${s.R}x${s.S}`;
      if (s.strideH !== 1 || s.strideW !== 1) return `stride 1, got [${s.strideH}, ${s.strideW}]`;
      if ((s.R > 1 && s.dilationH !== 1) || (s.S > 1 && s.dilationW !== 1))
        return `dilation 1, got [${s.dilationH}, ${s.dilationW}]`;
      return true;
    },
    cost(s, rates) {
      const points = (s.R === 3 ? n : 1) * (s.S === 3 ? n : 1);
      const computed = s.N * (s.R === 3 ? winogradPoints(m, s.P) : s.P) * (s.S === 3 ? winogradPoints(m, s.Q) : s.Q);
      const [perInput, perOutput] = TRANSFORM_NS[m];
      const transforms = computed * (s.R > 1 && s.S > 1 ? 1 : ONE_AXIS);
      const M = s.groups * roundUp(s.M / s.groups, 8); // panels are computed whole
      const weightBytes = (points * s.C * M * 4) / s.groups;
      const isStreamed = weightBytes > STREAMED_BYTES;
      const product = gemmCost((computed * s.C * M) / s.groups, weightBytes < 1e6 ? 0 : weightBytes, s.C / s.groups, {
        ...rates,
        gbps: isStreamed ? STREAMED_GBPS : rates.gbps,
      });
      return (transforms * (s.C * perInput + M * perOutput)) / 1e6 + product;
    },
  };
}

/** Names of all convolution algorithms, as the `algorithm` option takes them. */
export const CONV_ALGORITHMS: readonly ConvAlgorithm[] = CONV_ROWS.map((row) => row.algorithm);
