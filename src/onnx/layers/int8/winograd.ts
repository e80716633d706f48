// Winograd's F(4,3) on whole numbers, and when it is chosen: assembly/kernels/int8-winograd.ts.
import { type ConvShape, convMacs, roundUp } from "../../../base/shape.js";
import { stridesOf } from "../../../base/spec.js";
import { PANEL } from "../../../kernels/gen/constants.js";
import { WinogradBytesDesc } from "../../../kernels/gen/int8/winograd-bytes-desc.js";
import { WinogradWeightsBytesDesc } from "../../../kernels/gen/int8/winograd-weights-bytes-desc.js";
import { MEMORY } from "../../../kernels/select.js";
import { panelSource } from "../../../ops/parts/panels.js";
import type { Builder, Planning } from "../../../plan/builder.js";
import { type Operand, shift } from "../../../plan/operand.js";
import { bytesImage } from "./image.js";
import { byFilter } from "./weights.js";

const POINTS = 36;
/** Of 9, modulo 2^32. */
const NINTH = 954437177;
/** Outputs beyond are not exact. */
const MOST = 2 ** 25;
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

const tilesOf = (s: ConvShape) => s.N * Math.ceil(s.P / 4) * Math.ceil(s.Q / 4);

/** Nanoseconds of a run as a matrix product, and as F(4,3). */
function costs(s: ConvShape, parts: number, isDot: boolean): readonly [number, number] {
  const M = roundUp(s.M, PANEL);
  const [tiles, weights] = [tilesOf(s), (s.C * M) / WEIGHTS_RATE / 2];
  const transforms = tiles * 8 * (s.C * INPUT_NS + M * OUTPUT_NS * parts);
  return [
    (convMacs(s) / s.M) * M * (isDot ? QUAD_NS : PAIR_NS) + 9 * weights,
    tiles * POINTS * s.C * M * POINT_NS + transforms + 2 * POINTS * weights,
  ];
}

/** Parts of the channels whose outputs are exact each, where an output is at most `bound`. */
const partsOf = (bound: number): number => Math.floor(bound / MOST) + 1;

/** Whether F(4,3) does a shape. */
export const isWinograd = (s: ConvShape): boolean =>
  s.R === 3 && s.S === 3 && s.groups === 1 && s.strideH * s.strideW * s.dilationH * s.dilationW === 1;

/** Why F(4,3) is taken for a shape that it does; undefined where it is not. */
export function winogradReason(
  s: ConvShape,
  bound: number,
  { memory = "fast", isShared, dot }: Planning,
): string | undefined {
  const [plain, points] = costs(s, partsOf(bound), dot !== undefined);
  // Plans for other shapes share these weights: what is chosen may not depend on the image.
  const saved = isShared ? 0.3 * plain : plain - points;
  const megabytes = ((s.C * roundUp(s.M, PANEL)) / 1e6) * (2 * POINTS - 9);
  const ms = (ns: number) => `${(ns / 1e6).toPrecision(2)} ms`;
  if (isShared ? megabytes > 1 || dot : saved / 1e6 <= MEMORY[memory] * megabytes) return undefined;
  return `least estimated cost: ${ms(points)} against ${ms(plain)}`;
}

/** What the layer writes beside its sums' ends: product.ts. */
type Ends = Pick<
  Record<keyof typeof WinogradBytesDesc, number>,
  | "magic"
  | "base"
  | "low"
  | "high"
  | "ownFactor"
  | "addFactor"
  | "addOffset"
  | "ownZero"
  | "addZero"
  | "addShift"
  | "addLow"
  | "addHigh"
> & { readonly scalePtr: Operand["ref"]; readonly addPtr: Operand["ref"] };

/** The steps of a convolution of 3x3 kernels that ends in bytes. */
export function winograd(
  b: Builder,
  operands: { readonly input: Operand; readonly weight: Operand; readonly bias: Operand | undefined },
  s: ConvShape,
  {
    xZero,
    wZero,
    bound,
    ends,
  }: { readonly xZero: number; readonly wZero: readonly number[]; readonly bound: number; readonly ends: Ends },
): void {
  const { input, weight, bias } = operands;
  const [tilesH, tilesW] = [Math.ceil(s.P / 4), Math.ceil(s.Q / 4)];
  const [top, left] = s.padding;
  const image = bytesImage(
    b,
    input,
    [top, left, tilesH * 4 + 2 - s.H - top, tilesW * 4 + 2 - s.W - left],
    xZero,
    "copied",
    true,
  );
  const parts = Math.min(partsOf(bound), Math.ceil(s.C / 8));
  const partChannels = parts > 1 ? roundUp(Math.ceil(s.C / parts), 8) : roundUp(s.C, 2);
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
  const vTileBytes = Math.max(roundUp(s.C, 8), parts * partChannels) * 2;
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
    blockTiles,
    vTileBytes,
    vPointBytes,
    zPointBytes,
    factorsPtr: b.table(Int32Array.from([0, 1, 2, 3, 4], (i) => NINTH << i)),
  };
  const sums = parts > 1 ? blockTiles * 16 * layout.blockCols * 4 : 0;
  const scratch = blockTiles * 4 + 56 * 16 + POINTS * (vPointBytes + zPointBytes) + sums;
  b.step("conv2d_winograd_q8", WinogradBytesDesc, values, tilesOf(s), scratch);
}
