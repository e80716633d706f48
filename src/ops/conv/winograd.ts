// The lowering of the Winograd algorithms: assembly/kernels/conv-winograd.ts.

import type { ConvShape } from "../../base/shape.js";
import { roundUp } from "../../base/shape.js";
import { byteStrides } from "../../base/spec.js";
import {
  CACHE_LINE,
  PANEL,
  WINOGRAD_CONSTANT_BYTES,
  WINOGRAD_NEAR_BYTES,
  WINOGRAD_PART_BYTES,
  WINOGRAD_POINTS,
  WINOGRAD_TILE_BYTES,
  WINOGRAD_WEIGHTS_SCRATCH_BYTES,
} from "../../kernels/gen/constants.js";
import { GemmRun, WinogradDesc, WinogradWeightsDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { descBytes } from "../../plan/operand.js";
import { channelsLastImage } from "../parts/image.js";
import { packBias, panelSource, reductionBlocks } from "../parts/panels.js";
import { type Conv, clipping, convValues, product } from "./lowering.js";

/** Cache that a block of tiles may fill: an L2 of 1 MB with room for what streams through it. */
const CACHE_BYTES = 896 * 1024;
/** Weights that no cache of a core's share holds: they come from memory for every block of tiles. */
const MEMORY_BYTES = 12 * 1024 * 1024;

/** Points of a panel that are made before they go to memory: some KB each, so that engines copy past the caches, in a quarter of an L2. */
const POINTS_BYTES = 256 * 1024;

interface Tiling {
  readonly tileH: number;
  readonly tileW: number;
  readonly points: number;
  readonly tiles: number;
  /** Tiles transformed together. */
  readonly blockTiles: number;
  /** Output channels multiplied together, a multiple of a panel. */
  readonly blockCols: number;
}

/**
 * m outputs a tile along each direction that has three taps. isShared: columns as for whole blocks of tiles, also where there are
 * fewer, so that weights of all widths lie alike.
 */
function winogradTiling(s: ConvShape, m: number, isShared = false): Tiling {
  const tileH = s.R === 3 ? m : 1;
  const tileW = s.S === 3 ? m : 1;
  const points = (tileH > 1 ? m + 2 : 1) * (tileW > 1 ? m + 2 : 1);
  const tiles = s.N * Math.ceil(s.P / tileH) * Math.ceil(s.Q / tileW);
  const C = roundUp(s.C / s.groups, 4);
  const M = roundUp(s.M / s.groups, PANEL);
  // V and Z of a block share L2 with the weights, where these fit. 12 tiles are whole micro-tiles of 6 and of 4 rows; fewer
  // read the weights too often. Weights from memory want as few blocks as can be.
  const weightBytes = points * C * M * 4;
  const room = CACHE_BYTES - (weightBytes < CACHE_BYTES ? weightBytes : 0);
  const fit = Math.floor(room / (points * 4 * (C + M) * 12)) * 12;
  const wanted = weightBytes > MEMORY_BYTES ? 96 : Math.max(12, Math.min(48, fit));
  const blockTiles = Math.ceil(tiles / Math.ceil(tiles / wanted));
  // As many output channels as keep V and Z in the cache, so that the weights are one long stream.
  const columns = Math.floor((CACHE_BYTES / (points * 4 * (isShared ? wanted : blockTiles)) - C) / PANEL) * PANEL;
  const blockCols = Math.min(M, Math.max(64, columns));
  return { tileH, tileW, points, tiles, blockTiles, blockCols };
}

/** Work items that threads find enough in. */
const ENOUGH_ITEMS = 16;
/** Weights of more bytes than a core's own cache holds, several times: whoever works on other tiles reads them all once more. */
const SHARED_BYTES = 4 * 1024 * 1024;

/**
 * Tiles and output channels of a work item. Of tiles alone where there are enough; else of columns too. Whoever takes a part of some
 * tiles' columns transforms their input once more, which takes as long as 8 columns do: so 64 at least, or 32 where the weights of a
 * few tiles are what takes the time.
 */
function workItems({ M, groups }: ConvShape, { tiles, blockTiles }: Tiling, weightBytes: number) {
  const most = weightBytes > SHARED_BYTES ? blockTiles : Math.min(blockTiles, 12);
  const itemTiles = Math.ceil(tiles / Math.ceil(tiles / most));
  const parts = Math.ceil(ENOUGH_ITEMS / Math.ceil(tiles / itemTiles));
  const columns = Math.max(tiles > 12 ? 64 : 32, Math.ceil(M / groups / parts));
  return { itemTiles, itemCols: roundUp(Math.min(columns, M / groups), PANEL) };
}

export function lowerWinograd(b: Builder, conv: Conv, m: number): void {
  const { shape: s } = conv;
  const tiling = winogradTiling(s, m, b.planning.isShared);
  const { tileH, tileW, points, tiles, blockTiles, blockCols } = tiling;
  const perGroup = s.C / s.groups;
  const filters = s.M / s.groups;
  const image = channelsLastImage(b, conv.input, s.groups, [0, 0, 0, 0]);

  const blocks = reductionBlocks(b, [0], perGroup, perGroup);
  const groupBytes = points * roundUp(filters, PANEL) * perGroup * 4;
  const weights = { ref: b.packed(s.groups * groupBytes, true), groupBytes };
  const { itemTiles, itemCols } = workItems(s, tiling, groupBytes);
  const blockChannels = Math.min(perGroup, Math.floor(POINTS_BYTES / (points * PANEL * 4)));
  const [sM, sC, sR, sS] = byteStrides(conv.weight.spec);
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
      blockCols,
      filterBytes: sM,
      channelBytes: sC,
      kernelHBytes: sR,
      kernelWBytes: sS,
      dstGroupBytes: groupBytes,
      blockChannels,
    },
    s.groups * Math.ceil(filters / PANEL),
    WINOGRAD_WEIGHTS_SCRATCH_BYTES + points * (blockChannels * PANEL * 4 + CACHE_LINE),
    panelSource(sM, filters, s.groups),
  );
  // A point of V and of Z, longer by a line: see assembly/kernels/conv-winograd.ts, which draws the scratch.
  const vPointBytes = blockTiles * roundUp(perGroup, 4) * 4 + CACHE_LINE;
  const zPointBytes = blockTiles * blockCols * 4 + CACHE_LINE;
  const values = {
    ...convValues(conv, image, weights, packBias(b, conv.bias, s.M, s.groups, conv.slope)),
    ...clipping(conv),
    ...product(b, blocks),
    tileH,
    tileW,
    blockTiles,
    blockCols,
    itemTiles,
    itemCols,
    zerosPtr: b.constant(Math.max(blockCols * 4, WINOGRAD_POINTS * WINOGRAD_NEAR_BYTES, roundUp(perGroup, 4) * 4)),
    vPointBytes,
    zPointBytes,
  };
  const tableBytes = roundUp(blockTiles * WINOGRAD_TILE_BYTES + descBytes(GemmRun), 64) + 64;
  const smallBytes = WINOGRAD_CONSTANT_BYTES + points * WINOGRAD_NEAR_BYTES + WINOGRAD_PART_BYTES + tableBytes;
  const items = Math.ceil(tiles / itemTiles) * Math.ceil(filters / itemCols);
  b.step("conv2d_winograd_f32", WinogradDesc, values, items, smallBytes + points * (vPointBytes + zPointBytes));
}
