// The lowering of the Winograd algorithms: assembly/conv-winograd.ts.
import { ConvDesc, WinogradWeightsDesc } from "../gen/desc.js";
import type { Builder } from "../plan.js";
import type { ConvShape } from "../shape.js";
import { stridesOf } from "../spec.js";
import { type Conv, channelsLastImage, convValues, packBias, reductionBlocks, roundUp } from "./conv-lowering.js";

/** Cache that a block of tiles may fill: an L2 of 1 MB with room for what streams through it. */
const CACHE_BYTES = 768 * 1024;

interface Tiling {
  readonly tileH: number;
  readonly tileW: number;
  readonly points: number;
  readonly tiles: number;
  /** Tiles transformed together. */
  readonly block: number;
  /** Output channels multiplied together, a multiple of 8. */
  readonly colBlock: number;
}

/** m outputs a tile along each direction that has three taps. */
function winogradTiling(s: ConvShape, m: number): Tiling {
  const tileH = s.R === 3 ? m : 1;
  const tileW = s.S === 3 ? m : 1;
  const points = (tileH > 1 ? m + 2 : 1) * (tileW > 1 ? m + 2 : 1);
  const tiles = s.N * Math.ceil(s.P / tileH) * Math.ceil(s.Q / tileW);
  const C = roundUp(s.C / s.groups, 4);
  const M = roundUp(s.M / s.groups, 8);
  // Weights that outgrow the cache are read again for every block of tiles: then blocks are as large as the cache allows.
  const weightBytes = points * C * M * 4;
  const colBlock = Math.min(M, weightBytes > CACHE_BYTES ? 32 : 128);
  const fit = Math.floor(CACHE_BYTES / (points * 4 * (C + colBlock)));
  const wanted = Math.max(24, Math.min(weightBytes > CACHE_BYTES ? 96 : 48, fit));
  const blocks = Math.ceil(tiles / wanted);
  return { tileH, tileW, points, tiles, block: Math.ceil(tiles / blocks), colBlock };
}

export function lowerWinograd(b: Builder, conv: Conv, m: number): void {
  const { shape: s } = conv;
  const { tileH, tileW, points, tiles, block, colBlock } = winogradTiling(s, m);
  const perGroup = s.C / s.groups;
  const filters = s.M / s.groups;
  // The image is padded to whole tiles, its channels to whole vectors.
  const [top, left] = s.padding;
  const height = Math.ceil(s.P / tileH) * tileH + s.R - 1;
  const width = Math.ceil(s.Q / tileW) * tileW + s.S - 1;
  const image = channelsLastImage(b, conv.input, s.groups, [top, left, height - s.H - top, width - s.W - left], 4);

  const blocks = reductionBlocks(b, [0], perGroup, perGroup);
  const groupBytes = points * roundUp(filters, 8) * perGroup * 4;
  const weights = { ref: b.constant(s.groups * groupBytes), groupBytes };
  const [sM, sC, sR, sS] = stridesOf(conv.weight.spec).map((stride) => stride * 4) as [number, number, number, number];
  b.prepare(
    "winograd_weights_f32",
    WinogradWeightsDesc,
    {
      srcPtr: conv.weight.ref,
      dstPtr: weights.ref,
      filters,
      channels: perGroup,
      tileH,
      tileW,
      colBlock,
      filterBytes: sM,
      channelBytes: sC,
      kernelHBytes: sR,
      kernelWBytes: sS,
      dstGroupBytes: groupBytes,
    },
    s.groups * Math.ceil(filters / 8),
  );
  const values = {
    ...convValues(b, conv, image, weights, packBias(b, conv.bias, s.M, s.groups), blocks),
    tileH,
    tileW,
    tileBlock: block,
    colBlock,
    zerosPtr: b.constant(colBlock * 4),
  };
  // Row table, one tile between its transforms, V and Z: as assembly/conv-winograd.ts lays them out.
  const vBytes = points * (block * roundUp(perGroup, 4) * 4 + 64);
  const zBytes = points * (block * colBlock * 4 + 64);
  b.step("conv2d_winograd_f32", ConvDesc, values, tiles, roundUp(block * 4, 64) + 8 * 8 * 16 + vBytes + zBytes);
}
