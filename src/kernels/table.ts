// Kernels by pack, and the ways to compute a convolution.

import { type ConvShape, convMacs, extent, roundUp } from "../base/shape.js";
import { fftTiling, MAX_EXTENT, MAX_SPECTRA_BYTES } from "./fft-tiling.js";
import { PANEL } from "./gen/constants.js";
import { type KERNELS, PACKS } from "./gen/packs.js";

export { KERNELS } from "./gen/packs.js";

/** A wasm module over a runtime's memory, with kernels of its own: scripts/packs.mjs. */
export type PackName = keyof typeof PACKS;

/** Names of wasm exports: operator, algorithm, dtype. What each is: assembly/packs. */
export type KernelName = (typeof KERNELS)[number];

export const PACK_NAMES = Object.keys(PACKS) as readonly PackName[];

/** The pack that a kernel is in. */
export function packOf(kernel: KernelName): PackName {
  return PACK_NAMES.find((pack) => (PACKS[pack].kernels as readonly string[]).includes(kernel)) as PackName;
}

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
  /**
   * Outputs in one direction that are computed together from sums of their inputs: a NaN, an infinity, or the rounding of a
   * large value in one's window reaches all of them. 1: an output is the sum of its own window's products, so one NaN makes
   * R x S of a filter's outputs NaN. m: F(m, 3) spreads it over tiles of m x m; of the two outputs of F(2, 3) only to those
   * that see it, but infinity becomes NaN there, and the rounding is that of the largest value, even under a weight of 0.
   * Infinity: FFT spreads it over tiles of up to 128 x 128 points, and the other tile of its pair, which may lie anywhere.
   * test/precision.test.ts holds docs/convolution.md and the kernels to this.
   */
  readonly spread: number;
  /** Estimated milliseconds on the reference machine; undefined: never chosen by itself. */
  cost(shape: ConvShape, rates: Rates): number | undefined;
  /** Bytes of the weights as the algorithm keeps them. */
  weightBytes(shape: ConvShape): number;
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
  simd: { gflops: 47, gbps: 30 },
  relaxed: { gflops: 58, gbps: 30 },
};

/** Steps of k that starting and storing a micro-tile costs. Long runs take 5 (1x1 of 16 to 512 channels), those of Winograd and of small images more. */
const TILE_OVERHEAD = 8;

/** Milliseconds of a matrix product whose sums have K terms. */
function gemmCost(macs: number, weightBytes: number, K: number, { gflops, gbps }: Rates): number {
  const compute = ((2 * macs) / gflops / 1e6) * (1 + TILE_OVERHEAD / K);
  const memory = weightBytes / gbps / 1e6;
  return Math.max(compute, memory) + 0.5 * Math.min(compute, memory);
}

/** Bytes of weights in panels: every tap of whole panels of filters. */
function panelBytes({ C, M, R, S, groups }: ConvShape): number {
  return roundUp(M / groups, PANEL) * C * R * S * 4;
}

/** 3, 5 and 7 taps a row have tiles of their own; others go tap by tap, and with a multiplier every vector is gathered. */
function depthwiseShare({ C, M, S, strideW }: ConvShape): number {
  if (M !== C) return 0.14;
  if (S === 3) return strideW === 1 ? 0.63 : 0.46;
  if (S === 5) return strideW === 1 ? 0.85 : 0.68;
  if (S === 7 && strideW === 1) return 0.8;
  return S > 15 ? 0.35 : 0.42;
}

export const CONV_ROWS: readonly ConvRow[] = [
  {
    // GEMM over row pointers into the image, nothing copied but the padding
    algorithm: "implicit-gemm",
    error: SUM_ERROR,
    spread: 1,
    accepts: () => true,
    cost(s, rates) {
      const filters = s.groups * roundUp(s.M / s.groups, PANEL); // a panel is computed whole
      return gemmCost((convMacs(s) / s.M) * filters, panelBytes(s), (s.C / s.groups) * s.R * s.S, rates);
    },
    weightBytes: panelBytes,
  },
  {
    // the seven nested loops, tiled by registers
    algorithm: "direct",
    error: SUM_ERROR,
    spread: 1,
    accepts: () => true,
    // Sums of a few terms, where starting and storing a tile is most of GEMM's work: 4 ns for 8 filters of a pixel.
    cost: (s) =>
      (s.C / s.groups) * s.R * s.S <= 8 && s.groups === 1 ? s.N * s.P * s.Q * Math.ceil(s.M / PANEL) * 4e-6 : undefined,
    weightBytes: panelBytes,
  },
  {
    // patch matrix in memory, then one matrix product
    algorithm: "im2col",
    error: SUM_ERROR,
    spread: 1,
    accepts: () => true,
    cost: () => undefined,
    weightBytes: panelBytes,
  },
  ...([2, 4, 6] as const).map(winograd),
  {
    // overlap-save FFT: work grows with the logarithm of the kernel
    algorithm: "fft",
    error: 7e-7,
    spread: Infinity,
    accepts(s) {
      const [h, w] = [extent(s.R, s.dilationH), extent(s.S, s.dilationW)];
      if (s.strideH !== 1 || s.strideW !== 1) return `stride 1, got [${s.strideH}, ${s.strideW}]`;
      return Math.max(h, w) <= MAX_EXTENT || `a kernel extent of at most ${MAX_EXTENT}, got ${h}x${w}`;
    },
    cost(s, rates) {
      const { ms, weightBytes } = fftTiling(s, rates);
      return weightBytes > MAX_SPECTRA_BYTES ? undefined : ms;
    },
    weightBytes: (s) => fftTiling(s, RATES.relaxed).weightBytes,
    // Of one tap there is nothing to save.
    tunedOnly: (s) => s.R * s.S === 1,
  },
  {
    // one group a channel: lanes are channels, nothing copied
    algorithm: "depthwise",
    error: 5e-7,
    spread: 1,
    accepts: (s) => s.groups === s.C || `groups = C = ${s.C}, got ${s.groups}`,
    // Bound by loads: a share of the GEMM's rate that the way of the kernel decides. Lanes are computed whole.
    cost: (s, rates) => (((2 * convMacs(s)) / s.M) * roundUp(s.M, 4)) / (rates.gflops * depthwiseShare(s)) / 1e6,
    weightBytes: (s) => roundUp(s.M, 4) * s.R * s.S * 4,
  },
];

/** Nanoseconds an element of the input and of the output transform takes on the reference machine. */
const TRANSFORM_NS = { 2: [0.15, 0.1], 4: [0.17, 0.12], 6: [0.3, 0.2] } as const;
/** Along one axis only, a vector is carried through fewer sums for each time it is loaded and stored. */
const ONE_AXIS = 1.6;
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
  const weightBytes = ({ C, M, R, S, groups }: ConvShape): number =>
    (R === 3 ? n : 1) * (S === 3 ? n : 1) * C * roundUp(M / groups, PANEL) * 4;
  return {
    // F(mxm, 3x3), and F(m, 3) for 1x3 and 3x1
    algorithm: `winograd${m}3`,
    error: WINOGRAD_ERROR[m],
    spread: m,
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
      const computed = s.N * (s.R === 3 ? winogradPoints(m, s.P) : s.P) * (s.S === 3 ? winogradPoints(m, s.Q) : s.Q);
      const [perInput, perOutput] = TRANSFORM_NS[m];
      const transforms = computed * (s.R > 1 && s.S > 1 ? 1 : ONE_AXIS);
      const M = s.groups * roundUp(s.M / s.groups, PANEL); // panels are computed whole
      const bytes = weightBytes(s);
      const product = gemmCost((computed * s.C * M) / s.groups, bytes < 1e6 ? 0 : bytes, s.C / s.groups, {
        ...rates,
        gbps: bytes > STREAMED_BYTES ? STREAMED_GBPS : rates.gbps,
      });
      return (transforms * (s.C * perInput + M * perOutput)) / 1e6 + product;
    },
    weightBytes,
  };
}

/** Names of all convolution algorithms, as the `algorithm` option takes them. */
export const CONV_ALGORITHMS: readonly ConvAlgorithm[] = CONV_ROWS.map((row) => row.algorithm);
