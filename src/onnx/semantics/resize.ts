// Resize and Upsample: sizes, where an output position lies in the input, and the taps it is made of. Pure numbers.
import { ModelError, show } from "../../base/errors.js";
import type { Taps } from "../layers/resize.js";
import type { Attributes } from "./attributes.js";

/** float32, as every other implementation has coordinates and scales: where they meet a whole or a half, rounding decides. */
const f32 = Math.fround;

/** (x + 0.5) / scale. */
const middle = (x: number, scale: number): number => f32(f32(x + 0.5) / scale);

/** Where an output position lies in the input, by the coordinate_transformation_mode of Resize; every step in float32. */
function coordinate(
  mode: string,
  scale: number,
  size: number,
  out: number,
  start: number,
  end: number,
): (x: number) => number {
  const last = size - 1;
  switch (mode) {
    case "asymmetric":
      return (x) => f32(x / scale);
    case "align_corners":
      return (x) => (out === 1 ? 0 : f32(f32(x * last) / (out - 1)));
    case "pytorch_half_pixel":
      return (x) => (out > 1 ? f32(middle(x, scale) - 0.5) : 0);
    case "tf_half_pixel_for_nn":
      return (x) => middle(x, scale);
    case "half_pixel_symmetric": {
      const offset = f32((size / 2) * f32(1 - f32(out / f32(scale * size))));
      return (x) => f32(f32(offset + middle(x, scale)) - 0.5);
    }
    case "tf_crop_and_resize":
      return (x) =>
        f32(
          out > 1
            ? f32(start * last) + f32(f32(f32(x * f32(end - start)) * last) / (out - 1))
            : 0.5 * (start + end) * last,
        );
    default:
      return (x) => f32(middle(x, scale) - 0.5);
  }
}

function nearest(mode: string, x: number, scale: number): number {
  if (mode === "simple") return scale < 1 ? Math.ceil(x) : Math.floor(x); // before operator set 11
  if (mode === "floor") return Math.floor(x);
  if (mode === "ceil") return Math.ceil(x);
  if (mode === "round_prefer_ceil") return Math.floor(x + 0.5);
  return Math.ceil(x - 0.5);
}

/** Keys' cubic kernel. */
export function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
}

export interface ResizeAxis {
  /** As float32 has it. */
  readonly scale: number;
  readonly out: number;
  readonly start: number;
  readonly end: number;
}

export interface ResizePlan {
  readonly axes: readonly ResizeAxis[];
  readonly mode: string;
  readonly transform: string;
  readonly nearestMode: string;
  readonly isAntialiased: boolean;
  /** What lies outside of the image weighs nothing. */
  readonly isExcluding: boolean;
  readonly cubicCoefficient: number;
}

/** Output sizes and scales of Resize and Upsample on an input of this shape; `inputs` are the numbers of those behind it. */
export function resizePlan(
  c: Attributes,
  shape: readonly number[],
  inputs: readonly (readonly number[] | undefined)[],
): ResizePlan {
  // Operator set 10 has scales second; later ones roi, scales, sizes. Of what only says how to do it, an empty list is left out.
  const isOld = c.opset < 11;
  const [roi, scalesInput, sizes] = (isOld ? [undefined, inputs[0]] : inputs).map((list) =>
    list?.length === 0 ? undefined : list,
  );
  const rank = shape.length;
  const named = c.axes("axes", c.ints("axes") ?? shape.map((_, i) => i), rank);
  const scales = scalesInput ?? c.floats("scales") ?? oldScales(c);
  const list = sizes ?? scales;
  if (list === undefined || list.length !== named.length)
    throw new ModelError(`"scales" expected ${named.length} numbers, got ${show(list && [...list])}`);
  const policy = c.oneOf("keep_aspect_ratio_policy", "stretch", ["stretch", "not_larger", "not_smaller"]);
  const regions = roi ?? [];
  let common: number | undefined;
  if (sizes && policy !== "stretch") {
    const ratios = named.map((axis, i) => (sizes[i] as number) / (shape[axis] as number));
    common = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  }
  const axes = shape.map((size, axis): ResizeAxis => {
    const i = named.indexOf(axis);
    if (i < 0) return { scale: 1, out: size, start: 0, end: 1 };
    const [start, end] = [regions[i] ?? 0, regions[named.length + i] ?? 1];
    if (sizes === undefined) {
      const scale = (scales as readonly number[])[i] as number;
      if (!(scale > 0)) throw new ModelError(`"scales" expected numbers above 0, got ${scale}`);
      const isCrop = c.string("coordinate_transformation_mode", "") === "tf_crop_and_resize";
      // In float32, as shape inference has it: 5 pixels at a scale of 2.6, which is a little less there, are 13.
      return { scale, out: Math.floor(f32(size * scale * (isCrop ? end - start : 1))), start, end };
    }
    if (common !== undefined) return { scale: f32(common), out: Math.floor(size * common + 0.5), start, end };
    const out = sizes[i] as number;
    return { scale: f32(out / size), out, start, end };
  });
  return {
    axes,
    mode: c
      .oneOf("mode", "nearest", ["nearest", "linear", "cubic", "bilinear" as "linear"])
      .replace("bilinear", "linear"),
    transform: isOld ? "asymmetric" : c.string("coordinate_transformation_mode", "half_pixel"),
    nearestMode: isOld ? "simple" : c.string("nearest_mode", "round_prefer_floor"),
    isAntialiased: c.int("antialias", 0) === 1,
    isExcluding: c.int("exclude_outside", 0) === 1,
    cubicCoefficient: c.float("cubic_coeff_a", -0.75),
  };
}

/** Upsample before operator set 7. */
function oldScales(c: Attributes): readonly number[] | undefined {
  return c.has("height_scale") ? [1, 1, c.float("height_scale", 1), c.float("width_scale", 1)] : undefined;
}

/** Whether an axis is left as it is. */
export function isKept(plan: ResizePlan, size: number, axis: ResizeAxis): boolean {
  return axis.out === size && axis.scale === 1 && plan.transform !== "tf_crop_and_resize";
}

/** An entry of a list takes as long, and as many bytes, as this many multiply-accumulates take time. */
const ENTRY = 64;

/** How far taps reach, in input positions: further where the image shrinks without aliasing. */
function reachOf(plan: ResizePlan, { scale }: ResizeAxis): { shrink: number; reach: number } {
  const shrink = plan.isAntialiased && scale < 1 ? scale : 1;
  return { shrink, reach: (plan.mode === "cubic" ? 2 : 1) / shrink };
}

/** What tapsOf() takes, in multiply-accumulates. */
export function tapsCost(plan: ResizePlan, axis: ResizeAxis): number {
  return ENTRY * axis.out * (plan.mode === "nearest" ? 1 : 2 * reachOf(plan, axis).reach + 1);
}

/** The input positions and weights of every output position along one axis; no taps where it lies outside of a crop. */
export function tapsOf(plan: ResizePlan, size: number, axis: ResizeAxis): Taps[] {
  const { scale, out, start, end } = axis;
  const { isExcluding, cubicCoefficient } = plan;
  const place = coordinate(plan.transform, scale, size, out, start, end);
  const { shrink, reach } = reachOf(plan, axis);
  const isScaled = isExcluding || shrink !== 1;
  const clamp = (i: number) => Math.max(0, Math.min(size - 1, i));
  const isCrop = plan.transform === "tf_crop_and_resize";
  const isCubic = plan.mode === "cubic";
  return Array.from({ length: out }, (_, o) => {
    const x = place(o);
    if (isCrop && (x < 0 || x > size - 1)) return { at: [], weights: [] };
    if (plan.mode === "nearest") return { at: [clamp(nearest(plan.nearestMode, x, scale))], weights: [1] };
    const kernel = (d: number) =>
      isCubic ? cubic(d * shrink, cubicCoefficient) : Math.max(0, 1 - Math.abs(d * shrink));
    const from = Math.ceil(x - reach - 1e-9);
    const to = Math.floor(x + reach + 1e-9);
    const at: number[] = [];
    const weights: number[] = [];
    for (let i = from; i <= to; i++) {
      const weight = kernel(x - i);
      if (isExcluding && (i < 0 || i >= size)) continue;
      at.push(clamp(i));
      weights.push(weight);
    }
    const total = weights.reduce((p, q) => p + q, 0);
    return { at, weights: isScaled ? weights.map((weight) => weight / total) : weights };
  });
}
