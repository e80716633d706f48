// Operators that sample images at fractional places, and what detectors do with boxes.
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Taps } from "../layers/resize.js";
import { type Context, type HostOp, need } from "./context.js";
import { type HostTensor, int64s, make, numbers, settle, spend, stridesOf, toNumbers } from "./tensor.js";

/** Where an output position lies in the input, by the coordinate_transformation_mode of Resize. */
function coordinate(
  mode: string,
  scale: number,
  size: number,
  out: number,
  start: number,
  end: number,
): (x: number) => number {
  switch (mode) {
    case "asymmetric":
      return (x) => x / scale;
    case "align_corners":
      return (x) => (out === 1 ? 0 : (x * (size - 1)) / (out - 1));
    case "pytorch_half_pixel":
      return (x) => (out > 1 ? (x + 0.5) / scale - 0.5 : 0);
    case "tf_half_pixel_for_nn":
      return (x) => (x + 0.5) / scale;
    case "half_pixel_symmetric": {
      const adjustment = out / (scale * size);
      const offset = (size / 2) * (1 - adjustment);
      return (x) => offset + (x + 0.5) / scale - 0.5;
    }
    case "tf_crop_and_resize":
      return (x) =>
        out > 1 ? start * (size - 1) + (x * (end - start) * (size - 1)) / (out - 1) : 0.5 * (start + end) * (size - 1);
    default:
      return (x) => (x + 0.5) / scale - 0.5;
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
function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
}

export interface ResizeAxis {
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
}

/** Output sizes and scales of Resize and Upsample. */
export function resizePlan(
  c: Context,
  shape: readonly number[],
  roi: HostTensor | undefined,
  scalesInput: HostTensor | undefined,
  sizesInput: HostTensor | undefined,
): ResizePlan {
  const rank = shape.length;
  const named = c.axes("axes", c.ints("axes") ?? shape.map((_, i) => i), rank);
  const given = (t: HostTensor | undefined) => (t === undefined || t.data.length === 0 ? undefined : toNumbers(t));
  const sizes = given(sizesInput);
  const scales = given(scalesInput) ?? c.floats("scales") ?? oldScales(c);
  const list = sizes ?? scales;
  if (list === undefined || list.length !== named.length)
    throw new ModelError(`"scales" expected ${named.length} numbers, got ${show(list && [...list])}`);
  const policy = c.oneOf("keep_aspect_ratio_policy", "stretch", ["stretch", "not_larger", "not_smaller"]);
  const regions = given(roi) ?? [];
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
      return { scale, out: Math.floor(Math.fround(size * scale * (isCrop ? end - start : 1))), start, end };
    }
    if (common !== undefined) return { scale: common, out: Math.floor(size * common + 0.5), start, end };
    const out = sizes[i] as number;
    return { scale: out / size, out, start, end };
  });
  const isOld = c.opset < 11;
  return {
    axes,
    mode: c
      .oneOf("mode", "nearest", ["nearest", "linear", "cubic", "bilinear" as "linear"])
      .replace("bilinear", "linear"),
    transform: isOld ? "asymmetric" : c.string("coordinate_transformation_mode", "half_pixel"),
    nearestMode: isOld ? "simple" : c.string("nearest_mode", "round_prefer_floor"),
  };
}

/** Upsample before operator set 7. */
function oldScales(c: Context): readonly number[] | undefined {
  return c.has("height_scale") ? [1, 1, c.float("height_scale", 1), c.float("width_scale", 1)] : undefined;
}

/** Whether an axis is left as it is. */
export function isKept(plan: ResizePlan, size: number, axis: ResizeAxis): boolean {
  return axis.out === size && axis.scale === 1 && plan.transform !== "tf_crop_and_resize";
}

/** An entry of a list takes as long, and as many bytes, as this many multiply-accumulates take time. */
const ENTRY = 64;

/** The input positions and weights of every output position along one axis; no taps where it lies outside of a crop. */
export function tapsOf(c: Context, plan: ResizePlan, size: number, axis: ResizeAxis): Taps[] {
  const { scale, out, start, end } = axis;
  const place = coordinate(plan.transform, scale, size, out, start, end);
  const isAntialiased = c.int("antialias", 0) === 1 && scale < 1;
  const isExcluding = c.int("exclude_outside", 0) === 1;
  const a = c.float("cubic_coeff_a", -0.75);
  const clamp = (i: number) => Math.max(0, Math.min(size - 1, i));
  const isCrop = plan.transform === "tf_crop_and_resize";
  const isCubic = plan.mode === "cubic";
  const shrink = isAntialiased ? scale : 1;
  const reach = (isCubic ? 2 : 1) / shrink;
  spend(ENTRY * out * (plan.mode === "nearest" ? 1 : 2 * reach + 1));
  return Array.from({ length: out }, (_, o) => {
    const x = place(o);
    if (isCrop && (x < 0 || x > size - 1)) return { at: [], weights: [] };
    if (plan.mode === "nearest") return { at: [clamp(nearest(plan.nearestMode, x, scale))], weights: [1] };
    const kernel = (d: number) => (isCubic ? cubic(d * shrink, a) : Math.max(0, 1 - Math.abs(d * shrink)));
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
    return { at, weights: isExcluding || isAntialiased ? weights.map((weight) => weight / total) : weights };
  });
}

const resize: HostOp = (c, input, second, third, fourth) => {
  const x = need(input, "X");
  // Operator set 10 has scales second; later ones roi, scales, sizes.
  const [roi, scales, sizes] = c.opset < 11 ? [undefined, second, undefined] : [second, third, fourth];
  const plan = resizePlan(c, x.shape, roi, scales, sizes);
  const outside = c.float("extrapolation_value", 0);
  let data = Float64Array.from(x.data as ArrayLike<number>, Number);
  let shape: readonly number[] = x.shape;
  let missing: Uint8Array | undefined;
  plan.axes.forEach((axis, d) => {
    const size = shape[d] as number;
    if (isKept(plan, size, axis)) return;
    const taps = tapsOf(c, plan, size, axis);
    const next = shape.map((s, i) => (i === d ? axis.out : s));
    const inner = countOf(shape.slice(d + 1));
    const outer = countOf(shape.slice(0, d));
    spend(inner * outer * taps.reduce((sum, { at }) => sum + at.length, 0));
    const to = make("float64", next).data as Float64Array<ArrayBuffer>;
    const gone = make("uint8", next).data as Uint8Array;
    for (let o = 0; o < outer; o++) {
      taps.forEach(({ at, weights }, j) => {
        for (let n = 0; n < inner; n++) {
          const p = (o * axis.out + j) * inner + n;
          let sum = 0;
          let isGone = at.length === 0 ? 1 : 0;
          for (let t = 0; t < at.length; t++) {
            const q = (o * size + (at[t] as number)) * inner + n;
            sum += (data[q] as number) * (weights[t] as number);
            if (missing?.[q]) isGone = 1;
          }
          to[p] = sum;
          gone[p] = isGone;
        }
      });
    }
    data = to;
    shape = next;
    missing = gone;
  });
  const out = make(x.type, shape);
  const isInteger = !/float/.test(x.type);
  for (let i = 0; i < data.length; i++) {
    const value = missing?.[i] ? outside : (data[i] as number);
    numbers(out)[i] = isInteger ? Math.round(value) : value;
  }
  return settle(out);
};

const upsample: HostOp = (c, input, scales) => resize(c, input, scales);

/** A place folded back into [low, high] by reflection. */
function reflect(x: number, low: number, high: number): number {
  const span = high - low;
  if (span === 0) return low;
  const folded = Math.abs(x - low) % (2 * span);
  return low + (folded > span ? 2 * span - folded : folded);
}

/** Samples [N, C, spatial…] at a grid of places from -1 to 1, [N, out…, axes], the last axis first. */
const gridSample: HostOp = (c, input, gridInput) => {
  const x = need(input, "X");
  const grid = need(gridInput, "grid");
  const spatial = x.shape.slice(2);
  const dims = spatial.length;
  if (grid.shape.length !== dims + 2 || grid.shape.at(-1) !== dims || grid.shape[0] !== x.shape[0]) {
    throw new ModelError(
      `"grid" expected [${x.shape[0]}, ${"out, ".repeat(dims)}${dims}], got ${show([...grid.shape])}`,
    );
  }
  const modes = ["linear", "nearest", "cubic", "bilinear", "bicubic"] as const;
  const mode = c.oneOf("mode", c.opset < 20 ? "bilinear" : "linear", modes).replace(/^bi/, "");
  const padding = c.oneOf("padding_mode", "zeros", ["zeros", "border", "reflection"]);
  const isAligned = c.int("align_corners", 0) === 1;
  const outSpatial = grid.shape.slice(1, -1);
  const [n = 0, channels = 0] = x.shape;
  const out = make(x.type, [n, channels, ...outSpatial]);
  const strides = stridesOf(spatial);
  const area = countOf(spatial);
  const places = countOf(outSpatial);
  const fold = (at: number, size: number): number =>
    padding === "border"
      ? Math.max(0, Math.min(size - 1, at))
      : padding === "reflection"
        ? isAligned
          ? reflect(at, 0, size - 1)
          : Math.max(0, Math.min(size - 1, reflect(at, -0.5, size - 0.5)))
        : at;
  for (let b = 0; b < n; b++) {
    for (let p = 0; p < places; p++) {
      let corners: { at: number; weight: number }[] = [{ at: 0, weight: 1 }];
      for (let d = 0; d < dims; d++) {
        const size = spatial[d] as number;
        const g = numbers(grid)[(b * places + p) * dims + (dims - 1 - d)] as number;
        const raw = isAligned ? ((g + 1) / 2) * (size - 1) : ((g + 1) * size - 1) / 2;
        const place = mode === "cubic" ? raw : fold(raw, size);
        const base = Math.floor(place);
        const rest = place - base;
        const taps: readonly (readonly [number, number])[] =
          mode === "nearest"
            ? [[halfEven(place), 1]]
            : mode === "linear"
              ? [
                  [base, 1 - rest],
                  [base + 1, rest],
                ]
              : [-1, 0, 1, 2].map((i) => [base + i, cubic(rest - i, -0.75)] as const);
        corners = corners.flatMap(({ at, weight }) =>
          taps.map(([tap, w]) => {
            const inside = mode === "cubic" ? Math.round(fold(tap, size)) : tap;
            const isIn = inside >= 0 && inside < size;
            return { at: isIn ? at + inside * (strides[d] as number) : 0, weight: isIn ? weight * w : 0 };
          }),
        );
      }
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (const { at, weight } of corners)
          if (weight !== 0) sum += weight * (numbers(x)[(b * channels + k) * area + at] as number);
        numbers(out)[(b * channels + k) * places + p] = sum;
      }
    }
  }
  return settle(out);
};

function halfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

const roiAlign: HostOp = (c, input, roisInput, batchInput) => {
  const x = need(input, "X");
  const rois = need(roisInput, "rois");
  const batches = toNumbers(need(batchInput, "batch_indices"));
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [rows, columns] = [c.int("output_height", 1), c.int("output_width", 1)];
  const scale = c.float("spatial_scale", 1);
  const ratio = c.int("sampling_ratio", 0);
  const isMax = c.oneOf("mode", "avg", ["avg", "max"]) === "max";
  const mode = c.oneOf("coordinate_transformation_mode", "half_pixel", ["half_pixel", "output_half_pixel"]);
  const isHalf = c.opset >= 16 && mode === "half_pixel";
  const offset = isHalf ? 0.5 : 0;
  const count = rois.shape[0] ?? 0;
  const out = make(x.type, [count, channels, rows, columns]);
  const data = numbers(x);
  for (let r = 0; r < count; r++) {
    const [x1, y1, x2, y2] = [0, 1, 2, 3].map((i) => (numbers(rois)[r * 4 + i] as number) * scale - offset) as [
      number,
      number,
      number,
      number,
    ];
    const b = batches[r] as number;
    if (!(b >= 0 && b < batch)) throw new ModelError(`"batch_indices" expected from 0 to ${batch - 1}, got ${b}`);
    const [w, h] = isHalf ? [x2 - x1, y2 - y1] : [Math.max(x2 - x1, 1), Math.max(y2 - y1, 1)];
    const [binW, binH] = [w / columns, h / rows];
    const [nx, ny] = ratio > 0 ? [ratio, ratio] : [Math.ceil(binW), Math.ceil(binH)];
    spend(channels * rows * columns * nx * ny);
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        for (let k = 0; k < channels; k++) {
          const plane = (b * channels + k) * height * width;
          let [total, top] = [0, -Infinity];
          for (let i = 0; i < ny; i++) {
            for (let j = 0; j < nx; j++) {
              let y = y1 + p * binH + ((i + 0.5) * binH) / ny;
              let z = x1 + q * binW + ((j + 0.5) * binW) / nx;
              if (y < -1 || y > height || z < -1 || z > width) {
                top = Math.max(top, 0);
                continue;
              }
              y = Math.max(0, y);
              z = Math.max(0, z);
              let [y0, z0] = [Math.floor(y), Math.floor(z)];
              let [yNext, zNext] = [y0 + 1, z0 + 1];
              if (y0 >= height - 1) [y0, yNext, y] = [height - 1, height - 1, height - 1];
              if (z0 >= width - 1) [z0, zNext, z] = [width - 1, width - 1, width - 1];
              const [fy, fz] = [y - y0, z - z0];
              const parts = [
                (1 - fy) * (1 - fz) * (data[plane + y0 * width + z0] as number),
                (1 - fy) * fz * (data[plane + y0 * width + zNext] as number),
                fy * (1 - fz) * (data[plane + yNext * width + z0] as number),
                fy * fz * (data[plane + yNext * width + zNext] as number),
              ];
              // The maximum is over the weighted corners, as the standard's reference has it.
              top = Math.max(top, ...parts);
              total += parts.reduce((s, v) => s + v, 0);
            }
          }
          numbers(out)[((r * channels + k) * rows + p) * columns + q] = isMax ? top : total / Math.max(1, nx * ny);
        }
      }
    }
  }
  return settle(out);
};

/** Indices [batch, class, box] of boxes that no better one of their class overlaps. */
const nonMaxSuppression: HostOp = (c, boxesInput, scoresInput, mostInput, overlapInput, thresholdInput) => {
  const boxes = need(boxesInput, "boxes");
  const scores = need(scoresInput, "scores");
  const [batches = 0, count = 0] = boxes.shape;
  const classes = scores.shape[1] ?? 0;
  if (
    boxes.shape.length !== 3 ||
    boxes.shape[2] !== 4 ||
    scores.shape.length !== 3 ||
    scores.shape[0] !== batches ||
    scores.shape[2] !== count
  ) {
    throw new ModelError(`"scores" expected [${batches}, classes, ${count}], got ${show([...scores.shape])}`);
  }
  const most = mostInput === undefined ? 0 : Number(mostInput.data[0]);
  const overlap = overlapInput === undefined ? 0 : Number(overlapInput.data[0]);
  const threshold = thresholdInput === undefined ? -Infinity : Number(thresholdInput.data[0]);
  const isCentre = c.int("center_point_box", 0) === 1;
  const box = (b: number, i: number): readonly [number, number, number, number] => {
    const [p, q, r, s] = [0, 1, 2, 3].map((d) => numbers(boxes)[(b * count + i) * 4 + d] as number) as [
      number,
      number,
      number,
      number,
    ];
    if (isCentre) return [q - s / 2, p - r / 2, q + s / 2, p + r / 2];
    return [Math.min(p, r), Math.min(q, s), Math.max(p, r), Math.max(q, s)];
  };
  const areaOf = (a: readonly [number, number, number, number]) => (a[2] - a[0]) * (a[3] - a[1]);
  const found: number[] = [];
  for (let b = 0; b < batches; b++) {
    for (let k = 0; k < classes; k++) {
      const score = (i: number) => numbers(scores)[(b * classes + k) * count + i] as number;
      const order = Array.from({ length: count }, (_, i) => i)
        .filter((i) => score(i) > threshold)
        .sort((i, j) => score(j) - score(i) || i - j);
      spend(order.length * Math.min(order.length, most));
      const kept: (readonly [number, number, number, number])[] = [];
      for (const i of order) {
        if (kept.length >= most) break;
        const own = box(b, i);
        const isFree = kept.every((other) => {
          const h = Math.min(own[2], other[2]) - Math.max(own[0], other[0]);
          const w = Math.min(own[3], other[3]) - Math.max(own[1], other[1]);
          const shared = Math.max(0, h) * Math.max(0, w);
          return shared <= overlap * (areaOf(own) + areaOf(other) - shared);
        });
        if (!isFree) continue;
        kept.push(own);
        found.push(b, k, i);
      }
    }
  }
  return int64s(found, [found.length / 3, 3]);
};

export const IMAGE: Readonly<Record<string, HostOp>> = {
  Resize: resize,
  Upsample: upsample,
  GridSample: gridSample,
  RoiAlign: roiAlign,
  NonMaxSuppression: nonMaxSuppression,
};
