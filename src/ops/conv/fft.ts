// The lowering of FFT convolution: assembly/kernels/conv-fft.ts.

import { roundUp } from "../../base/shape.js";
import { byteStrides } from "../../base/spec.js";
import { type FftTiling, fftTiling } from "../../kernels/fft-tiling.js";
import { CACHE_LINE, FFT_POINT_BYTES, PANEL } from "../../kernels/gen/constants.js";
import { FftDesc, FftWeightsDesc } from "../../kernels/gen/desc.js";
import { RATES } from "../../kernels/table.js";
import type { Builder } from "../../plan/builder.js";
import { channelsLastImage } from "../parts/image.js";
import { packBias } from "../parts/panels.js";
import { type Conv, clipping, convValues } from "./lowering.js";

/** Where frequency f of n lies after a forward transform: assembly/lib/fft.ts. */
export function place(f: number, n: number): number {
  if (n === 1) return 0;
  const radix = n === 2 ? 2 : 4;
  return ((f % radix) * n) / radix + place(Math.floor(f / radix), n / radix);
}

/** cos, sin of 2 pi k / size, computed in float64. */
export function twiddles(size: number): Float32Array {
  return Float32Array.from({ length: 2 * size }, (_, i) =>
    (i % 2 ? Math.sin : Math.cos)((2 * Math.PI * (i >> 1)) / size),
  );
}

/** Bytes from row to row of a tile. */
function rowBytes(logW: number): number {
  return 2 ** logW * FFT_POINT_BYTES + CACHE_LINE;
}

/** Places of f and -f in a tile, of one of each mirrored pair; where all points are kept, every place as they lie. */
function pointTable({ logH, logW, points }: FftTiling): Int32Array {
  const [H, W] = [2 ** logH, 2 ** logW];
  const table: number[] = [];
  for (let h = 0; h < H; h++) {
    for (let w = 0; w < W; w++) {
      const [h2, w2] = [(H - h) % H, (W - w) % W];
      if (points === H * W) table.push(h * rowBytes(logW) + w * FFT_POINT_BYTES, 0);
      else if (h * W + w <= h2 * W + w2) {
        for (const [i, j] of [
          [h, w],
          [h2, w2],
        ] as const)
          table.push(place(i, H) * rowBytes(logW) + place(j, W) * FFT_POINT_BYTES);
      }
    }
  }
  return Int32Array.from(table);
}

export function lowerFft(b: Builder, conv: Conv): void {
  const { shape: s } = conv;
  const tiling = fftTiling(s, RATES[b.planning.variant]);
  const { logH, logW, pairs, points, block, weightBytes } = tiling;
  const size = 2 ** (logH + logW);
  const isDepthwise = s.groups === s.C;
  const groups = isDepthwise ? 1 : s.groups;
  const channels = s.C / s.groups;
  const filters = s.M / groups;
  const panels = Math.ceil(filters / PANEL);
  const image = channelsLastImage(b, conv.input, 1, [0, 0, 0, 0]);
  const tables = {
    twiddlesPtr: b.table(twiddles(2 ** Math.max(logH, logW))),
    pointsPtr: b.table(pointTable(tiling)),
    points,
    logH,
    logW,
  };
  const weights = { ref: b.packed(weightBytes), groupBytes: weightBytes / groups };
  const layout = isDepthwise
    ? {
        dstPairBytes: 2 * size * FFT_POINT_BYTES,
        dstHalfBytes: size * FFT_POINT_BYTES,
        dstChannelBytes: 0,
        dstPointBytes: FFT_POINT_BYTES,
      }
    : {
        dstPairBytes: 2 * channels * FFT_POINT_BYTES,
        dstHalfBytes: FFT_POINT_BYTES,
        dstChannelBytes: 2 * FFT_POINT_BYTES,
        dstPointBytes: 2 * panels * channels * FFT_POINT_BYTES,
      };
  const tileBytes = 2 ** logH * rowBytes(logW);
  const [sM, sC, sR, sS] = byteStrides(conv.weight.spec);
  b.prepare(
    "fft_weights_f32",
    FftWeightsDesc,
    {
      srcPtr: conv.weight.ref,
      dstPtr: weights.ref,
      filters,
      channels,
      kernelH: s.R,
      kernelW: s.S,
      dilationH: s.dilationH,
      dilationW: s.dilationW,
      filterBytes: sM,
      channelBytes: sC,
      kernelHBytes: sR,
      kernelWBytes: sS,
      dstGroupBytes: weights.groupBytes,
      ...layout,
      ...tables,
      scale: 1 / size,
    },
    groups * Math.ceil(filters / 4),
    tileBytes,
  );
  // A point of v and of z, as assembly/kernels/conv-fft.ts draws them: f and -f of every pair.
  const vPointBytes = 2 * block * roundUp(channels, 4) * 8 + CACHE_LINE;
  const zPointBytes = 2 * block * panels * 2 * FFT_POINT_BYTES + CACHE_LINE;
  const values = {
    ...convValues(conv, image, weights, packBias(b, conv.bias, s.M, groups, conv.slope)),
    ...clipping(conv),
    ...tables,
    blockPairs: block,
    vPointBytes,
    zPointBytes,
  };
  b.step(
    "conv2d_fft_f32",
    FftDesc,
    values,
    pairs,
    tileBytes + (isDepthwise ? 0 : points * (vPointBytes + zPointBytes)),
  );
}
