// Windows and sizes of images of bytes.

import type { Operator } from "../../../ops/operator.js";
import type { Dynamic } from "../../draft.js";
import type { Point } from "../../host/quantisation.js";
import { fitsResize, resize } from "../../layers/int8/moves.js";
import { averagePool, globalMean, maxPool } from "../../layers/int8/pool.js";
import type { Taps } from "../../layers/resize.js";
import { isKept, type ResizeAxis, resizePlan, tapsCost, tapsOf } from "../../semantics/resize.js";
import { type WindowAxis, windowAxes } from "../../semantics/windows.js";
import { dynamicAt, numbersAt, type Site, varies } from "../site.js";
import { onPixels, shaped, UNIT } from "./held.js";
import type { Output } from "./quanta.js";

/** What windows of a pooling operator are, [height, width], of lines as of images one pixel high; undefined for volumes. */
function windowsOf({ c }: Site, { shape }: Dynamic) {
  const kernel = c.ints("kernel_shape");
  const rank = shape.length - 2;
  if ((rank !== 1 && rank !== 2) || kernel?.length !== rank || c.outputs > 1) return undefined;
  const axes = windowAxes(c, shape.slice(2), kernel);
  const [h, w] = (rank === 1 ? [UNIT, ...axes] : axes) as [WindowAxis, WindowAxis];
  // Behind the image and its padding: what ceil_mode adds.
  const beyond = ({ size, stride, taps, dilation, before, after, out }: WindowAxis) =>
    Math.max(0, (out - 1) * stride + (taps - 1) * dilation + 1 - size - before - after);
  return {
    kernel: [h.taps, w.taps] as const,
    strides: [h.stride, w.stride] as const,
    dilations: [h.dilation, w.dilation] as const,
    padding: [h.before, w.before, h.after, w.after] as const,
    beyond: [beyond(h), beyond(w)] as const,
  };
}

const added = ({ draft, layer }: Site, op: Operator, bytes: Dynamic): Dynamic =>
  draft.add(layer, onPixels(op), [bytes], [], {}, "uint8")[0] as Dynamic;

/** The same of lines. */
function pooled(site: Site, op: Operator, bytes: Dynamic): Dynamic {
  const { shape } = bytes;
  if (shape.length === 4) return added(site, op, bytes);
  const y = added(site, op, shaped(site, bytes, shape.toSpliced(2, 0, 1)));
  return shaped(site, y, y.shape.toSpliced(2, 1));
}

export function maxPooled(site: Site, bytes: Dynamic): Dynamic | undefined {
  const windows = windowsOf(site, bytes);
  return windows && pooled(site, maxPool(windows), bytes);
}

/** Means of windows as QLinearAveragePool has them. */
export function averaged(site: Site, bytes: Dynamic, x: Point, y: Output): Dynamic | undefined {
  const windows = windowsOf(site, bytes);
  if (!windows || windows.dilations.some((d) => d > 1)) return undefined;
  const countIncludePad = site.c.int("count_include_pad", 0) === 1;
  const numbers = { xScale: x.scale, xZero: x.zero, yScale: y.scale, offset: y.zero - y.lift, zero: y.lift };
  return pooled(site, averagePool({ ...windows, countIncludePad, ...numbers }), bytes);
}

/** Sums of whole images, less their zero points, times a factor, divided by the divisors. */
export function meaned(
  site: Site,
  bytes: Dynamic,
  x: Point,
  y: Point,
  factor: number,
  divisors: readonly [number, number] = [1, 1],
): Dynamic | undefined {
  return bytes.shape.length < 3
    ? undefined
    : added(site, globalMean({ xZero: x.zero, factor, divisors, zero: y.zero }), bytes);
}

/** Resize of images, of elements as they are or, with their scales, mixed from two in each direction. */
export function resized(site: Site, bytes: Dynamic, quanta?: readonly [x: Point, y: Point]): Dynamic | undefined {
  const { c, budget } = site;
  const { shape } = bytes;
  if (shape.length !== 4 || [1, 2, 3].some((i) => varies(site, i))) return undefined;
  const plan = resizePlan(
    c,
    shape,
    [1, 2, 3].map((i) => numbersAt(site, i)),
  );
  const isKeptAt = (i: number) => isKept(plan, shape[i] as number, plan.axes[i] as ResizeAxis);
  if (!isKeptAt(0) || !isKeptAt(1)) return undefined;
  const [rows, columns] = plan.axes.slice(2).map((axis, i) => {
    budget.spend(tapsCost(plan, axis));
    return tapsOf(plan, shape[i + 2] as number, axis);
  }) as [Taps[], Taps[]];
  if (![rows, columns].every((taps) => fitsResize(taps, quanta !== undefined))) return undefined;
  const [x, y] = quanta ?? [];
  const reals = x && y && { xScale: x.scale, xZero: x.zero, yScale: y.scale, yZero: y.zero };
  return added(site, resize(rows, columns, reals), bytes);
}

const first =
  (lower: (site: Site, bytes: Dynamic) => Dynamic | undefined) =>
  (site: Site): Dynamic | undefined =>
    lower(site, dynamicAt(site, 0) as Dynamic);

/** What commutes with QuantizeLinear, which keeps order; the first input is bytes. */
export const windowed: ReadonlyMap<string, (site: Site, to: Point) => Dynamic | undefined> = new Map([
  ["MaxPool", first(maxPooled)],
  ["Resize", first(resized)],
  ["Upsample", first(resized)],
]);
