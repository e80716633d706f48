// What each method multiplies, by its formula, and how it is called.

import { fftTiling } from "#lanewise/kernels/fft-tiling.js";
import { RATES } from "#lanewise/kernels/table.js";
import type { LayerSize, Method } from "../engine/methods.js";

export const METHODS: readonly Method[] = [
  "direct",
  "im2col",
  "implicit-gemm",
  "fft",
  "winograd23",
  "winograd43",
  "winograd63",
  "threads",
  "loops",
];

export const NAMES: Readonly<Record<Method, string>> = {
  loops: "Seven loops, plain JavaScript",
  direct: "Direct",
  im2col: "im2col + GEMM",
  "implicit-gemm": "Implicit GEMM",
  fft: "FFT",
  depthwise: "Depthwise",
  winograd23: "Winograd F(2,3)",
  winograd43: "Winograd F(4,3)",
  winograd63: "Winograd F(6,3)",
  threads: "The fastest, all threads",
};

/** The size of its tiles' outputs, of Winograd's methods. */
const TILES: Partial<Record<Method, number>> = { winograd23: 2, winograd43: 4, winograd63: 6 };

export interface Work {
  readonly multiplications: number;
  readonly formula: string;
}

export const accepts = (method: Method, { K }: LayerSize) => TILES[method] === undefined || K === 3;

/** Multiplications of a layer, transforms of Winograd's inputs and outputs left out, as textbooks do. */
export function workOf(method: Method, { C, M, H, K }: LayerSize): Work {
  const m = TILES[method];
  if (m !== undefined) {
    const tiles = Math.ceil(H / m);
    const side = m + 2;
    const ragged =
      H % m === 0 ? "" : `; without ragged tiles ${(((H / m) ** 2 * side * side * C * M) / 1e6).toFixed(1)} M`;
    return {
      multiplications: tiles * tiles * side * side * C * M,
      formula: `tiles · (m + 2)² · C · M = ${tiles}² · ${side}² · ${C} · ${M}${ragged}`,
    };
  }
  if (method === "fft") {
    const pad = (K - 1) >> 1;
    const { logH, pairs, points } = fftTiling(
      {
        ...{ N: 1, C, H, W: H, M, R: K, S: K, P: H, Q: H, groups: 1 },
        ...{ strideH: 1, strideW: 1, dilationH: 1, dilationW: 1 },
        ...{ padding: [pad, pad, pad, pad] },
      } as Parameters<typeof fftTiling>[0],
      RATES.simd,
    );
    const size = 4 ** logH;
    const transforms = pairs * (C + M) * 4 * logH * size;
    return {
      multiplications: 2 * pairs * points * 4 * C * M + transforms,
      formula: `tiles · points · 4 · C · M + transforms = ${2 * pairs} · ${points} · 4 · ${C} · ${M} + ${(transforms / 1e6).toFixed(1)} M, tiles of ${2 ** logH} × ${2 ** logH} points`,
    };
  }
  return {
    multiplications: M * C * K * K * H * H,
    formula: `M · C · R · S · P · Q = ${M} · ${C} · ${K} · ${K} · ${H} · ${H}`,
  };
}

/** What each one does, in two sentences. */
export const SAYS: Readonly<Record<Method, string>> = {
  loops:
    "The definition, as it stands: for every output, every channel and every weight one product. Nothing is kept in registers, one number is worked on at a time.",
  direct:
    "The same loops, cut so that 4 pixels times 8 filters stay in registers: each number loaded is used several times, and four are multiplied at once.",
  im2col:
    "Every output's patch is written as a row of a matrix; the layer is one matrix product then. Simple, and 9 times the image in memory for 3 × 3.",
  "implicit-gemm":
    "The matrix product of im2col, whose matrix is never written: rows are read where they lie in the image.",
  fft: "Tiles of image and weights become spectra; there a convolution is one product a point. Its work grows with the logarithm of the kernel, not with its area.",
  depthwise:
    "Channels are lanes: each weight is one product with four channels of a pixel, nothing is packed or copied.",
  winograd23:
    "Four products in the place of six for two outputs of three taps, sixteen in the place of 36 in two directions.",
  winograd43: "36 products in the place of 144 for 4 × 4 outputs. The usual choice for 3 × 3 layers.",
  winograd63: "64 products in the place of 324 for 6 × 6 outputs, with more additions around them and more rounding.",
  threads: "What lanewise chooses by itself, on all cores that help.",
};
