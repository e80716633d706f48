// Winograd's F(4,3) on whole numbers, and when it is chosen: assembly/kernels/int8-winograd.ts.
import { type ConvShape, convMacs, roundUp } from "../../../base/shape.js";
import { stridesOf } from "../../../base/spec.js";
import { PANEL } from "../../../kernels/gen/constants.js";
import { WinogradBytesDesc } from "../../../kernels/gen/int8/winograd-bytes-desc.js";
import { WinogradWeightsBytesDesc } from "../../../kernels/gen/int8/winograd-weights-bytes-desc.js";
import { MEMORY } from "../../../kernels/select.js";
import { panelSource } from "../../../ops/parts/panels.js";
import type { Builder, Planning } from "../../../plan/builder.js";
import { type Operand, type Ref, shift } from "../../../plan/operand.js";
import { channelsOfParts } from "./fits.js";
import { bytesImage } from "./image.js";
import { byFilter } from "./weights.js";

const POINTS = 36;
/** Outputs of a tile, and taps of a piece of a kernel, in each direction. */
const [TILE, TAPS] = [4, 3];
/** Of 9, modulo 2^32. */
const NINTH = 954437177;
/** Filters multiplied together: their Z and weights share an L2 with V. */
const BLOCK_COLS = 64;
/** Least and most, whole micro-tiles. */
const BLOCK_TILES = [20, 40] as const;
/** V of a block: a quarter of an L2. */
const V_BYTES = 2 ** 18;

// Nanoseconds of the reference machine (Zen 4): a multiplication of a product of pairs, of an exact dot product, and of F(4,3), whose
// transforms take so much an element of a tile; a copied element.
const PAIR_NS = 1 / 43;
const QUAD_NS = 1 / 108;
const POINT_NS = 1 / 44;
const INPUT_NS = 1.2;
const OUTPUT_NS = 3;
/** Bytes of a nanosecond, of weights that no cache keeps; half of what they take is beside the sums. */
const WEIGHTS_RATE = 30;

const tilesOf = (s: ConvShape) => s.N * Math.ceil(s.P / TILE) * Math.ceil(s.Q / TILE);

/** Pieces of 3x3 that a kernel is, down and across; channels of each, in whole vectors where there are more; of all. */
function piecesOf({ R, S, C }: ConvShape) {
  const [down, across] = [Math.ceil(R / TAPS), Math.ceil(S / TAPS)];
  const pieces = down * across;
  const each = pieces > 1 ? roundUp(C, 8) : C;
  return { down, across, pieces, each, channels: pieces * each };
}

/** Nanoseconds of a run as a matrix product, and as F(4,3). */
function costs(s: ConvShape, parts: number, isDot: boolean): readonly [number, number] {
  const M = roundUp(s.M, PANEL);
  const { channels } = piecesOf(s);
  const tiles = tilesOf(s);
  const weights = M / WEIGHTS_RATE / 2;
  const transforms = tiles * 8 * (channels * INPUT_NS + M * OUTPUT_NS * parts);
  return [
    (convMacs(s) / s.M) * M * (isDot ? QUAD_NS : PAIR_NS) + s.R * s.S * s.C * weights,
    tiles * POINTS * channels * M * POINT_NS + transforms + 2 * POINTS * channels * weights,
  ];
}

/** Whether F(4,3) does a shape whose channels are exact in so many parts. */
export const isWinograd = (s: ConvShape, parts: number): boolean =>
  Math.min(s.R, s.S) >= TAPS &&
  s.groups * s.strideH * s.strideW * s.dilationH * s.dilationW === 1 &&
  (parts === 1 || (parts < Infinity && Math.max(s.R, s.S) === TAPS));

/** An image of which it is decided for all. */
const USUAL = { N: 1, P: 28, Q: 28 };

/** Why F(4,3) is taken for a shape that it does; undefined where it is not. */
export function winogradReason(
  s: ConvShape,
  parts: number,
  { memory = "fast", isShared, dot }: Planning,
): string | undefined {
  // Plans for other shapes share these weights: what is chosen may not depend on the image.
  const [plain, points] = costs(isShared ? { ...s, ...USUAL } : s, parts, dot !== undefined);
  const saved = plain - points;
  const megabytes = (roundUp(s.M, PANEL) / 1e6) * (2 * POINTS * piecesOf(s).channels - s.R * s.S * s.C);
  const ms = (ns: number) => `${(ns / 1e6).toPrecision(2)} ms`;
  if (isShared ? saved <= 0 || megabytes > 1 || dot : saved / 1e6 <= MEMORY[memory] * megabytes) return undefined;
  return `least estimated cost: ${ms(points)} against ${ms(plain)}`;
}

/** What the descriptor says of how sums end: product.ts. */
type Ends = Record<"endPtr" | "scalePtr" | "addPtr" | "addTermsPtr" | "addEndPtr", Ref> &
  Record<"bounded" | "addBounded", number>;

/** The steps of a convolution that ends in bytes. */
export function winograd(
  b: Builder,
  operands: { readonly input: Operand; readonly weight: Operand; readonly bias: Operand | undefined },
  s: ConvShape,
  {
    xZero,
    wZero,
    parts,
    ends,
  }: { readonly xZero: number; readonly wZero: readonly number[]; readonly parts: number; readonly ends: Ends },
): void {
  const { input, weight, bias } = operands;
  const [tilesH, tilesW] = [Math.ceil(s.P / TILE), Math.ceil(s.Q / TILE)];
  const { down, across, pieces, each, channels } = piecesOf(s);
  const [top, left] = s.padding;
  const [height, width] = [tilesH * TILE + down * TAPS - 1, tilesW * TILE + across * TAPS - 1];
  const image = bytesImage(b, input, [top, left, height - s.H - top, width - s.W - left], xZero, "copied", true);
  const partChannels = channelsOfParts(channels, parts);
  const panels = Math.ceil(s.M / PANEL);
  const panelBytes = partChannels * PANEL * 2;
  const biasAt = panels * POINTS * parts * panelBytes;
  const ref = b.packed(biasAt + panels * PANEL * 4);
  const biasPtr = shift(ref, biasAt);
  if (bias !== undefined) b.copy(biasPtr, bias.ref, s.M * 4);
  const [colBytes = 0, channelBytes = 0, kernelHBytes = 0, kernelWBytes = 0] = stridesOf(weight.spec);
  const layout = { blockCols: Math.min(BLOCK_COLS, panels * PANEL), parts, partChannels };
  const packing = {
    srcPtr: weight.ref,
    dstPtr: ref,
    zerosPtr: b.table(byFilter(wZero, s.M, 1, Int32Array)),
    signed: Number(weight.spec.dtype === "int8"),
    cols: s.M,
    channels: s.C,
    pieceChannels: each,
    piecesW: across,
    kernelH: s.R,
    kernelW: s.S,
    colBytes,
    channelBytes,
    kernelHBytes,
    kernelWBytes,
    ...layout,
  };
  b.prepare(
    "pack_winograd_q8",
    WinogradWeightsBytesDesc,
    packing,
    panels,
    63 * 4 + POINTS * 32,
    panelSource(colBytes, s.M, 1),
  );
  const vTileBytes = Math.max(roundUp(channels, 8), parts * partChannels) * 2;
  const [least, most] = BLOCK_TILES;
  const fit = Math.floor(V_BYTES / (POINTS * vTileBytes * least)) * least;
  const blockTiles = Math.min(tilesOf(s), Math.max(least, Math.min(most, fit)));
  // Points are 64 bytes longer than their rows: they would share sets of the cache.
  const vPointBytes = blockTiles * vTileBytes + 64;
  const zPointBytes = blockTiles * layout.blockCols * 4 + 64;
  const values = {
    ...ends,
    ...layout,
    segsPtr: b.table(new Int32Array(1)),
    segCount: 1,
    segBytes: partChannels * 2,
    xPtr: image.ref,
    wPtr: ref,
    biasPtr,
    yPtr: b.output.ref,
    filters: s.M,
    xImageBytes: image.imageBytes,
    xRowBytes: image.rowBytes,
    xPixelBytes: image.pixelBytes,
    yPixelBytes: s.M,
    panelBytes,
    tileRows: 4,
    zerosPtr: b.constant(PANEL * 4),
    outH: s.P,
    outW: s.Q,
    tilesH,
    tilesW,
    channels: s.C,
    pieces,
    piecesW: across,
    blockTiles,
    vTileBytes,
    vPointBytes,
    zPointBytes,
    factorsPtr: b.table(Int32Array.from([0, 1, 2, 3, 4], (i) => NINTH << i)),
  };
  const sums = parts > 1 ? blockTiles * 16 * layout.blockCols * 4 : 0;
  const scratch = blockTiles * 20 + 56 * 16 + POINTS * (vPointBytes + zPointBytes) + sums;
  b.step("conv2d_winograd_q8", WinogradBytesDesc, values, tilesOf(s), scratch);
}
