// Weights of bytes as products read them: see assembly/lib/int8.ts.
import { roundUp } from "../../../base/shape.js";
import { stridesOf } from "../../../base/spec.js";
import { PANEL } from "../../../kernels/gen/constants.js";
import { PackBytesDesc } from "../../../kernels/gen/int8/pack-bytes-desc.js";
import { MEMORY } from "../../../kernels/select.js";
import { panelSource } from "../../../ops/parts/panels.js";
import type { Builder, Planning } from "../../../plan/builder.js";
import { type Operand, type Ref, shift } from "../../../plan/operand.js";

/** A number by filter, in whole panels of each group. */
export function byFilter<A extends Float32Array | Int32Array>(
  values: ArrayLike<number>,
  filters: number,
  groups: number,
  Type: new (length: number) => A,
): A {
  const own = filters / groups;
  const panels = roundUp(own, PANEL);
  const laid = new Type(groups * panels);
  for (let m = 0; m < filters; m++)
    laid[Math.floor(m / own) * panels + (m % own)] = values[values.length > 1 ? m : 0] as number;
  return laid;
}

/** How weights are held. */
export interface WeightForm {
  readonly name: string;
  readonly reason: string;
  /** As i16. */
  readonly isWide: boolean;
  /** Of int8 whose sum they are. */
  readonly planes: number;
}

/** Rows under which weights are read too rarely to be made wider as they are loaded, and the K from where that costs. */
const WIDE_ROWS = 24;
const WIDE_K = 48;
/** Milliseconds that a million weights of 16 bits save a row: loads that make them wider. */
const WIDE_MS = 2.3e-3;

/** What weights of a range need, and what so many rows of them are fastest with. */
export function weightForm(
  range: readonly [number, number],
  { rows, K }: { readonly rows: number; readonly K: number },
  { dot, isShared, memory = "fast" }: Planning,
): WeightForm {
  const planes = Math.max(1, Math.ceil(range[1] / 127), Math.ceil(range[0] / -128));
  if (dot) {
    const name = planes > 1 ? `dot product of ${planes} planes` : "dot product";
    return { name, reason: `the dot product is exact, of ${dot}`, isWide: false, planes };
  }
  if (planes > 1) return { name: "pairs of 16 bits", reason: "weights are beyond 8 bits", isWide: true, planes: 1 };
  // Plans for other shapes share these weights.
  const isWide = !isShared && K >= WIDE_K && rows >= WIDE_ROWS && rows * WIDE_MS > MEMORY[memory];
  return isWide
    ? { name: "pairs of 16 bits", reason: "6 % faster than of 8, which take half the memory", isWide, planes: 1 }
    : { name: "pairs", reason: "fixed width", isWide, planes: 1 };
}

/** The pieces of a patch that lie together: `taps` of one row or one, of so many channels. */
export interface Segments {
  readonly places: readonly number[];
  readonly taps: number;
  readonly channels: number;
  /** Of a matrix: bytes from filter to filter and from k to k. */
  readonly strides?: { readonly filter: number; readonly channel: number };
}

/** Weights in panels, and biases with what x's zero point makes of the weights. */
export function packed(
  b: Builder,
  { weight, bias }: { readonly weight: Operand; readonly bias: Operand | undefined },
  { places, taps, channels, strides }: Segments,
  { isWide, planes }: WeightForm,
  options: {
    readonly filters: number;
    readonly groups: number;
    readonly xZero: number;
    readonly wZero: readonly number[];
  },
): { readonly ref: Ref; readonly biasRef: Ref; readonly panelBytes: number; readonly segmentSteps: number } {
  const { filters, groups, xZero, wZero } = options;
  const own = filters / groups;
  const panels = groups * Math.ceil(own / PANEL);
  const quads = Boolean(b.planning.dot) && !isWide;
  const segmentSteps = roundUp(taps * channels, quads ? 4 : 2);
  const panelBytes = places.length * segmentSteps * planes * PANEL * (isWide ? 2 : 1);
  const biasAt = panels * panelBytes;
  const ref = b.packed(biasAt + panels * PANEL * 4);
  const biasRef = shift(ref, biasAt);
  const groupBytes = (panels / groups) * PANEL * 4;
  for (let g = 0; bias !== undefined && g < groups; g++)
    b.copy(shift(biasRef, g * groupBytes), shift(bias.ref, g * own * 4), own * 4);
  const [sM = 0, sC = 0, sR = 0, sS = 0] = strides ? [strides.filter, strides.channel] : stridesOf(weight.spec);
  const S = strides ? 1 : (weight.spec.shape[3] as number);
  const values = {
    srcPtr: weight.ref,
    dstPtr: ref,
    biasPtr: biasRef,
    zerosPtr: b.table(byFilter(wZero, filters, groups, Int32Array)),
    signed: Number(weight.spec.dtype === "int8"),
    cols: own,
    colBytes: sM,
    channelBytes: sC,
    tapBytes: sS,
    segmentBytes: sS,
    segmentRowBytes: sR,
    rowSegments: taps === S ? 1 : S,
    channels,
    taps,
    segments: places.length,
    segmentSteps,
    groupBytes: own * sM,
    wide: Number(isWide),
    planes,
    quads: Number(quads),
    xZero,
  };
  const isInOrder = !strides || strides.channel === 1;
  b.prepare("pack_product_q8", PackBytesDesc, values, panels, 0, isInOrder ? panelSource(sM, own, groups) : 0);
  return { ref, biasRef, panelBytes, segmentSteps };
}
