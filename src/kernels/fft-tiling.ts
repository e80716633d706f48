// Which transform size an FFT convolution takes: pure, for its cost as well as for its lowering.
import { type ConvShape, extent } from "../base/shape.js";
import { PANEL } from "./gen/constants.js";

/** Largest kernel extent: half of the largest tile and one more are outputs. */
export const MAX_EXTENT = 64;
const MIN_LOG = 3;
const MAX_LOG = 7;

/**
 * Nanoseconds on the reference machine, where products run at 0.85 of the GEMM tile: 4 lanes of a point read, filtered and
 * stored; a factor of two of its transform, one way; 4 lanes of an output with their part of the input.
 */
const POINT_NS = 2.6;
const LEVEL_NS = 0.15;
const OUTPUT_NS = 3.8;
const PRODUCT_SHARE = 0.85;
/** A tile of 128 x 128 points is 528 KB: out of L2, measured 1.6 times slower a point. */
const LARGE_POINTS = 8192;
const LARGE_FACTOR = 1.6;

/**
 * The spectra of weights take up to size² / (R*S) times their bytes: a tile that keeps them below this is preferred, and the
 * choice table leaves FFT to who asks for it where there is none.
 */
export const MAX_SPECTRA_BYTES = 8 * 1024 * 1024;
/** Spectra of a block of pairs, bytes: the larger, the fewer times the weights are read. */
const BLOCK_BYTES = 4 * 1024 * 1024;

export interface FftTiling {
  /** log2 of the transform size, 0 along an axis of one tap. */
  readonly logH: number;
  readonly logW: number;
  /** Two tiles are one complex transform. */
  readonly pairs: number;
  /** Frequencies kept: all for a depthwise convolution, else half and those that are their own mirror image. */
  readonly points: number;
  /** Pairs multiplied together. */
  readonly block: number;
  /** Bytes of the weights' spectra. */
  readonly weightBytes: number;
  /** Estimated milliseconds. */
  readonly ms: number;
}

function logs(kernelExtent: number, outputs: number): number[] {
  if (kernelExtent === 1) return [0];
  const first = Math.max(MIN_LOG, Math.ceil(Math.log2(kernelExtent)));
  const whole = Math.ceil(Math.log2(kernelExtent - 1 + outputs)); // one tile for all outputs: a larger one only costs more
  const last = Math.max(first, Math.min(MAX_LOG, whole));
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** The tile of least estimated work. */
export function fftTiling(s: ConvShape, rates: { readonly gflops: number; readonly gbps: number }): FftTiling {
  const extentH = extent(s.R, s.dilationH);
  const extentW = extent(s.S, s.dilationW);
  const C = s.C / s.groups;
  const vectorsC = s.groups * Math.ceil(C / 4);
  const vectorsM = C === 1 ? Math.ceil(s.M / 4) : s.groups * Math.ceil(s.M / s.groups / 4);
  const panels = C === 1 ? Math.ceil(s.M / PANEL) : s.groups * Math.ceil(s.M / s.groups / PANEL);
  let best: FftTiling | undefined;
  for (const logH of logs(extentH, s.P)) {
    for (const logW of logs(extentW, s.Q)) {
      const size = 2 ** (logH + logW);
      const points = C === 1 ? size : (size + (logH > 0 ? 2 : 1) * (logW > 0 ? 2 : 1)) / 2;
      const weightBytes = points * panels * C * 64;
      const isSmall = weightBytes <= MAX_SPECTRA_BYTES;
      if (best && !isSmall && best.weightBytes <= MAX_SPECTRA_BYTES) continue;
      const tiles = s.N * Math.ceil(s.P / (2 ** logH - extentH + 1)) * Math.ceil(s.Q / (2 ** logW - extentW + 1));
      const pairs = Math.ceil(tiles / 2);
      const transforms = pairs * (C === 1 ? 2 * vectorsM : vectorsC + vectorsM);
      let ns =
        transforms * size * (POINT_NS + LEVEL_NS * (logH + logW)) * (size > LARGE_POINTS ? LARGE_FACTOR : 1) +
        s.N * s.P * s.Q * vectorsM * OUTPUT_NS;
      let block = 1;
      if (C > 1) {
        const pairBytes = (points * (64 * vectorsC + 128 * panels)) / s.groups;
        block = Math.max(1, Math.min(pairs, Math.floor(BLOCK_BYTES / pairBytes)));
        const products = (pairs * points * panels * C * 128) / rates.gflops / PRODUCT_SHARE; // 2 rows x 8 filters x 8 flop
        const reads = (Math.ceil(pairs / block) * weightBytes) / rates.gbps;
        ns += Math.max(products, reads) + 0.5 * Math.min(products, reads);
      }
      const isFirst = best === undefined || (isSmall && best.weightBytes > MAX_SPECTRA_BYTES);
      if (isFirst || ns / 1e6 < (best as FftTiling).ms)
        best = { logH, logW, pairs, points, block, weightBytes, ms: ns / 1e6 };
    }
  }
  return best as FftTiling;
}
