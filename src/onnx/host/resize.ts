// Resize and Upsample along any axes.
import { countOf } from "../../base/shape.js";
import { type ElementType, isFloat } from "../file/element-type.js";
import { roundToType } from "../file/halves.js";
import { numbers, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import type { Taps } from "../layers/resize.js";
import { isKept, type ResizePlan, resizePlan, tapsCost, tapsOf } from "../semantics/resize.js";
import { type Context, type HostOp, need } from "./context.js";
import { elementStrides } from "./indexing.js";
import { make } from "./make.js";

const resize: HostOp = (c, input, second, third, fourth) => {
  const x = need(input, "X");
  const plan = resizePlan(
    c,
    x.shape,
    [second, third, fourth].map((list) => list && toNumbers(list)),
  );
  const out = make(
    c,
    x.type,
    plan.axes.map((axis) => axis.out),
  );
  const outside = c.float("extrapolation_value", 0);
  const isReal = isFloat(x.type);
  const isBlend = !isReal && plan.mode === "linear" && !plan.isAntialiased;
  const data = (isBlend ? blended : byAxis)(c, x, plan, outside);
  const toType = isReal ? Number : toInteger(x.type, plan.isAntialiased);
  for (let i = 0; i < data.length; i++) numbers(out)[i] = toType(data[i] as number);
  return roundToType(out);
};

/** One axis after the other, in float64. */
function byAxis(c: Context, x: PlainTensor, plan: ResizePlan, outside: number): Float64Array {
  let data = Float64Array.from(x.data as ArrayLike<number>, Number);
  let shape: readonly number[] = x.shape;
  let missing: Uint8Array | undefined;
  plan.axes.forEach((axis, d) => {
    const size = shape[d] as number;
    if (isKept(plan, size, axis)) return;
    c.budget.spend(tapsCost(plan, axis));
    const taps = tapsOf(plan, size, axis);
    const next = shape.map((s, i) => (i === d ? axis.out : s));
    const inner = countOf(shape.slice(d + 1));
    const outer = countOf(shape.slice(0, d));
    c.budget.spend(inner * outer * taps.reduce((sum, { at }) => sum + at.length, 0));
    const to = make(c, "float64", next).data as Float64Array<ArrayBuffer>;
    const gone = make(c, "uint8", next).data as Uint8Array;
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
  return missing ? data.map((value, i) => (missing?.[i] ? outside : value)) : data;
}

/**
 * All axes at once, each step in float32, the corners of a pixel from the first to the last: as onnxruntime adds up integers, which
 * are cut afterwards, so that the last digit decides.
 */
function blended(c: Context, x: PlainTensor, plan: ResizePlan, outside: number): Float64Array {
  const strides = elementStrides(x.shape);
  const taps = plan.axes.map((axis, d): readonly Taps[] => {
    const size = x.shape[d] as number;
    if (isKept(plan, size, axis)) return Array.from({ length: size }, (_, i) => ({ at: [i], weights: [1] }));
    c.budget.spend(tapsCost(plan, axis));
    return tapsOf(plan, size, axis).map(merged);
  });
  const most = taps.map((list) => list.reduce((count, { at }) => Math.max(count, at.length), 1));
  const out = make(
    c,
    "float64",
    taps.map((list) => list.length),
  ).data as Float64Array<ArrayBuffer>;
  c.budget.spend(out.length * most.reduce((a, b) => a * b, 1));
  const { fround } = Math;
  if (isOfImages(taps)) {
    blendedImages(x, taps.at(-2) as Taps[], taps.at(-1) as Taps[], out);
    return out;
  }
  /** Adds the corners from axis d on to a sum; NaN where there are none. */
  const add = (sum: number, place: readonly number[], d: number, from: number, weight: number): number => {
    if (d === taps.length) return fround(sum + fround(weight * Number(x.data[from])));
    const { at, weights } = (taps[d] as readonly Taps[])[place[d] as number] as Taps;
    let total = at.length === 0 ? Number.NaN : sum;
    for (let t = 0; t < at.length; t++) {
      const next = from + (at[t] as number) * (strides[d] as number);
      total = add(total, place, d + 1, next, fround(weight * (weights[t] as number)));
    }
    return total;
  };
  const place = new Array<number>(taps.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    const sum = add(0, place, 0, 0, 1);
    out[i] = Number.isNaN(sum) ? outside : sum;
    for (let d = taps.length - 1; d >= 0 && ++(place[d] as number) === taps[d]?.length; d--) place[d] = 0;
  }
  return out;
}

/** Whether only the last two axes change, and every position there has taps. */
const isOfImages = (taps: readonly (readonly Taps[])[]): boolean =>
  taps.length >= 2 &&
  taps.slice(0, -2).every((list) => list.every(({ at }, i) => at.length === 1 && at[0] === i)) &&
  taps.slice(-2).every((list) => list.every(({ at }) => at.length > 0));

/** The same image by image: each corner's weight is that of its row times that of its column, rounded. */
function blendedImages(x: PlainTensor, rows: readonly Taps[], columns: readonly Taps[], out: Float64Array): void {
  const { fround } = Math;
  const [height, width] = x.shape.slice(-2) as [number, number];
  const data = x.data as ArrayLike<number>;
  // Two taps a column, the second of no weight where there is one.
  const [first, second] = [0, 1].map((t) => Int32Array.from(columns, ({ at }) => at[t] ?? (at[0] as number))) as [
    Int32Array,
    Int32Array,
  ];
  const [one, two] = [0, 1].map((t) => Float64Array.from(columns, ({ weights }) => weights[t] ?? 0)) as [
    Float64Array,
    Float64Array,
  ];
  const planes = data.length / (height * width);
  let to = 0;
  for (let plane = 0; plane < planes; plane++) {
    for (const { at, weights } of rows) {
      for (let t = 0; t < at.length; t++) {
        const line = (plane * height + (at[t] as number)) * width;
        const weight = fround(weights[t] as number);
        for (let q = 0; q < columns.length; q++) {
          const p = to + q;
          const sum = fround(
            (out[p] as number) +
              fround(fround(weight * (one[q] as number)) * Number(data[line + (first[q] as number)])),
          );
          out[p] = fround(
            sum + fround(fround(weight * (two[q] as number)) * Number(data[line + (second[q] as number)])),
          );
        }
      }
      to += columns.length;
    }
  }
}

/** Taps that an edge puts on one position, as one: halves of a number add up to it. */
function merged({ at, weights }: Taps): Taps {
  const [first, second] = at;
  return first === second && at.length === 2 ? { at: [first as number], weights: [1] } : { at, weights };
}

/**
 * Cut towards zero, as onnxruntime and the standard's reference do, but for what is antialiased, which onnxruntime and Pillow
 * round. In float32 first: 130 that sums of thirds leave 1e-14 short of it stay 130. What cubics overshoot is the largest.
 */
function toInteger(type: ElementType, isRounded: boolean): (value: number) => number {
  const bits = Number(type.match(/\d+/));
  const low = type.startsWith("u") ? 0 : -(2 ** (bits - 1));
  const high = low + 2 ** bits - 1;
  return (value) => {
    const real = Math.fround(value);
    return Math.max(low, Math.min(high, isRounded ? Math.round(real) : Math.trunc(real)));
  };
}

const upsample: HostOp = (c, input, scales) => resize(c, input, scales);

export const RESIZE: Readonly<Record<string, HostOp>> = {
  Resize: resize,
  Upsample: upsample,
};
