// Which pixels of a row or column make one of the resized picture, and their weights: any filter as tables.

import { roundUp } from "../../base/shape.js";

/** Bits of a weight behind the point: Pillow's. */
const PRECISION = 22;

/** How pictures are made smaller or larger: Pillow's five filters, OpenCV's INTER_AREA, and Pillow's NEAREST. */
export type Filter = "bilinear" | "bicubic" | "lanczos" | "hamming" | "box" | "area" | "nearest";

export const FILTERS: readonly Filter[] = ["bilinear", "bicubic", "lanczos", "hamming", "box", "area", "nearest"];

/** Weighted pixels from number `start` on. */
export interface Tap {
  readonly start: number;
  readonly weights: readonly number[];
}

/** One axis: pixels `first` to `first + count` of `outSize` that show [from, to) of a picture of `size`. */
export interface Axis {
  readonly size: number;
  readonly outSize: number;
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly count: number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** Pillow has them as floats, whose sum is not 1. */
const HAMMING = [Math.fround(0.54), Math.fround(0.46)] as const;

/** Of Pillow, src/libImaging/Resample.c: half the width of a filter at scale 1, and its weight at a distance. */
const WINDOWS: Readonly<Record<string, readonly [support: number, weight: (x: number) => number]>> = {
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  hamming: [
    1,
    (x) => (x === 0 ? 1 : Math.abs(x) < 1 ? sinc(x) * (HAMMING[0] + HAMMING[1] * Math.cos(x * Math.PI)) : 0),
  ],
  bicubic: [2, (x) => cubic(Math.abs(x), -0.5)],
  lanczos: [3, (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

/** Keys' cubic at a distance. Pillow has a = -0.5; OpenCV, and PyTorch without antialias, -0.75. */
function cubic(x: number, a: number): number {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** The filter as wide as what becomes one pixel: Pillow's. Its box is float32. */
function windowTaps(axis: Axis, filter: string): Tap[] {
  const { size, outSize, first, count } = axis;
  const [support, weight] = WINDOWS[filter] as (typeof WINDOWS)[string];
  const from = Math.fround(axis.from);
  const scale = Math.fround(Math.fround(axis.to) - from) / outSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const step = 1 / stretch;
  return Array.from({ length: count }, (_, i) => {
    const center = from + (first + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(size, Math.trunc(center + reach + 0.5));
    const weights: number[] = [];
    let sum = 0;
    for (let x = start; x < end; x++) {
      const w = weight((x - center + 0.5) * step);
      weights.push(w);
      sum += w;
    }
    return { start, weights: sum === 0 ? weights : weights.map((w) => w / sum) };
  });
}

/** Weights of pixels from `start` on; the outermost pixels stand for those outside. */
function clamped(start: number, weights: readonly number[], size: number): Tap {
  const low = Math.min(Math.max(start, 0), size - 1);
  const high = Math.min(Math.max(start + weights.length - 1, 0), size - 1);
  const sums = new Array<number>(high - low + 1).fill(0);
  weights.forEach((w, i) => {
    const at = Math.min(Math.max(start + i, low), high) - low;
    sums[at] = (sums[at] as number) + w;
  });
  return { start: low, weights: sums };
}

/** Two or four neighbours, however many pixels become one: OpenCV's INTER_LINEAR and INTER_CUBIC. */
function pointTaps({ size, outSize, from, to, first, count }: Axis, filter: string): Tap[] {
  const scale = (to - from) / outSize;
  return Array.from({ length: count }, (_, i) => {
    const x = from + (first + i + 0.5) * scale - 0.5;
    const left = Math.floor(x);
    const t = x - left;
    if (filter === "bilinear") return clamped(left, [1 - t, t], size);
    return clamped(
      left - 1,
      [1 + t, t, 1 - t, 2 - t].map((d) => cubic(d, -0.75)),
      size,
    );
  });
}

/** Pillow's NEAREST: the pixel under the middle, whose place it sums up step by step. */
function nearestTaps({ size, outSize, from, to, first, count }: Axis): Tap[] {
  const scale = (to - from) / outSize;
  const taps: Tap[] = [];
  let x = from + scale * 0.5;
  for (let i = 0; i < first + count; i++, x += scale) {
    if (i >= first) taps.push({ start: Math.min(Math.max(Math.trunc(x), 0), size - 1), weights: [1] });
  }
  return taps;
}

/** OpenCV's INTER_AREA: by the share of each pixel that is covered. */
function areaTaps({ size, outSize, from, to, first, count }: Axis): Tap[] {
  const scale = (to - from) / outSize;
  return Array.from({ length: count }, (_, i) => {
    const low = Math.max(0, from + (first + i) * scale);
    const high = Math.min(size, from + (first + i + 1) * scale);
    const start = Math.min(Math.floor(low + 1e-6), size - 1);
    const weights: number[] = [];
    for (let x = start; x === start || x < high - 1e-6; x++)
      weights.push((Math.min(x + 1, high) - Math.max(x, low)) / (high - low));
    return { start, weights };
  });
}

/** And where either side grows: bilinear, but at most one neighbour is mixed in where the next pixel begins. */
function areaPointTaps({ size, outSize, from, to, first, count }: Axis): Tap[] {
  const scale = (to - from) / outSize;
  return Array.from({ length: count }, (_, i) => {
    const out = first + i;
    const left = Math.floor(from + out * scale);
    const t = out + 1 - (left + 1 - from) / scale;
    const share = t <= 0 ? 0 : t - Math.floor(t);
    return clamped(left, [1 - share, share], size);
  });
}

/** Taps along x and y. Throws nothing: what filters take antialias is checked before. */
export function tapsOf(x: Axis, y: Axis, filter: Filter, antialias: boolean): readonly [Tap[], Tap[]] {
  const shrinks = (axis: Axis) => axis.to - axis.from >= axis.outSize;
  const along = (axis: Axis): Tap[] => {
    if (filter === "nearest") return nearestTaps(axis);
    if (filter === "area") return shrinks(x) && shrinks(y) ? areaTaps(axis) : areaPointTaps(axis);
    return antialias ? windowTaps(axis, filter) : pointTaps(axis, filter);
  };
  return [along(x), along(y)];
}

/** Taps of pixels that are counted from the other end. */
export const mirrored = (taps: readonly Tap[], size: number): Tap[] =>
  taps.map(({ start, weights }) => ({ start: size - start - weights.length, weights: [...weights].reverse() }));

/** Pixels as they are. */
export const identityTaps = (count: number): Tap[] =>
  Array.from({ length: count }, (_, start) => ({ start, weights: [1] }));

/** Taps as the kernel reads them: as many for every pixel, none outside the picture but where that has fewer pixels. */
export interface Table {
  readonly count: number;
  readonly taps: number;
  /** The first tap of each pixel. */
  readonly starts: Int32Array;
  /** Two taps an entry: | high parts | low parts |, i16 each. */
  readonly weights: Int32Array;
}

/** As Pillow rounds a weight: halves away from zero. */
const rounded = (weight: number): number => Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * 2 ** PRECISION);

export function tableOf(list: readonly Tap[], size: number, multiple: number): Table {
  const taps = roundUp(
    list.reduce((most, { weights }) => Math.max(most, weights.length), 1),
    multiple,
  );
  const starts = new Int32Array(list.length);
  const weights = new Int32Array(list.length * taps);
  const whole = new Int32Array(taps);
  list.forEach((tap, i) => {
    const start = Math.max(0, Math.min(tap.start, size - taps));
    starts[i] = start;
    whole.fill(0);
    tap.weights.forEach((weight, k) => {
      whole[tap.start - start + k] = rounded(weight);
    });
    for (let k = 0; k < taps; k += 2) {
      const [a, b] = [whole[k] as number, whole[k + 1] as number];
      weights[i * taps + k] = ((a >> 11) & 0xffff) | ((b >> 11) << 16);
      weights[i * taps + k + 1] = (a & 0x7ff) | ((b & 0x7ff) << 16);
    }
  });
  return { count: list.length, taps, starts, weights };
}
