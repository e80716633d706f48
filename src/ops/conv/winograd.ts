// The lowering of the Winograd algorithms: assembly/conv-winograd.ts.

import type { ConvShape } from "../../base/shape.js";
import { roundUp } from "../../base/shape.js";
import { stridesOf } from "../../base/spec.js";
import { ConvDesc, WinogradWeightsDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { channelsLastImage } from "../parts/image.js";
import { packBias, panelSource, reductionBlocks } from "../parts/panels.js";
import { type Conv, convValues } from "./lowering.js";

/** Cache that a block of tiles may fill: an L2 of 1 MB with room for what streams through it. */
const CACHE_BYTES = 896 * 1024;
/** Weights that no cache of a core's share holds: they come from memory for every block of tiles. */
const MEMORY_BYTES = 12 * 1024 * 1024;

/** Two tables of 8 points by 3 float64, and 3 rows of 8 points by 4: as assembly/conv-winograd.ts lays them out. */
const WEIGHTS_SCRATCH_BYTES = 2 * 8 * 24 + 3 * 8 * 32;

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
  // V and Z of a block share L2 with the weights, where these fit. 12 tiles are whole micro-tiles of 6 and of 4 rows; fewer
  // read the weights too often. Weights from memory want as few blocks as can be.
  const weightBytes = points * C * M * 4;
  const room = CACHE_BYTES - (weightBytes < CACHE_BYTES ? weightBytes : 0);
  const fit = Math.floor(room / (points * 4 * (C + M) * 12)) * 12;
  const wanted = weightBytes > MEMORY_BYTES ? 96 : Math.max(12, Math.min(48, fit));
  const block = Math.ceil(tiles / Math.ceil(tiles / wanted));
  // As many output channels as keep V and Z in the cache, so that the weights are one long stream.
  const columns = Math.floor((CACHE_BYTES / (points * 4 * block) - C) / 8) * 8;
  const colBlock = Math.min(M, Math.max(64, columns));
  return { tileH, tileW, points, tiles, block, colBlock };
}

export function lowerWinograd(b: Builder, conv: Conv, m: number): void {
  const { shape: s } = conv;
  const { tileH, tileW, points, tiles, block, colBlock } = winogradTiling(s, m);
  const perGroup = s.C / s.groups;
  const filters = s.M / s.groups;
  const image = channelsLastImage(b, conv.input, s.groups, [0, 0, 0, 0]);

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
    WEIGHTS_SCRATCH_BYTES,
    panelSource(sM, filters, s.groups),
  );
  const values = {
    ...convValues(b, conv, image, weights, packBias(b, conv.bias, s.M, s.groups), blocks),
    tileH,
    tileW,
    tileBlock: block,
    colBlock,
    zerosPtr: b.constant(colBlock * 4),
  };
  // Constants, two buffers of a tile, tiles, row table, V and Z: as assembly/conv-winograd.ts lays them out.
  const vBytes = points * (block * roundUp(perGroup, 4) * 4 + 64);
  const zBytes = points * (block * colBlock * 4 + 64);
  const smallBytes = 10 * 16 + 2 * 8 * 8 * 16 + roundUp(block * 24, 64) + 64;
  b.step("conv2d_winograd_f32", ConvDesc, values, tiles, smallBytes + vBytes + zBytes);
}
