// Operators that sum or compare along axes.

import { ModelError } from "../../base/errors.js";
import { isBig } from "../../base/spec.js";
import { roundToType } from "../file/halves.js";
import { int64s, numbers, type PlainTensor } from "../file/plain-tensor.js";
import { type HostOp, need } from "./context.js";
import { along, halvesOf } from "./indexing.js";
import { make } from "./make.js";
import { logSumExp, maximum, minimum, type Row, rowsOf, sum } from "./rows.js";

function reduce(f: (row: Row) => number): HostOp {
  return (c, data, axesInput) => {
    const x = need(data, "data");
    const rank = x.shape.length;
    const given = c.list("axes", axesInput);
    const isNothing = c.int("noop_with_empty_axes", 0) === 1 && (given === undefined || given.length === 0);
    // The sum and the like of nothing but each element itself: still squares, logarithms and magnitudes are taken.
    const axes = isNothing
      ? []
      : given === undefined || given.length === 0
        ? x.shape.map((_, i) => i)
        : c.axes("axes", given, rank);
    const { rows, length, count } = rowsOf(c, x, axes);
    const keep = c.int("keepdims", 1) === 1;
    const shape = x.shape.flatMap((size, i) => (axes.includes(i) ? (keep ? [1] : []) : [size]));
    const out = make(c, x.type, shape);
    const to = out.data as unknown as (number | bigint)[];
    for (let i = 0; i < count; i++) {
      const value = f(rows.subarray(i * length, (i + 1) * length));
      to[i] = isBig(x.type) ? BigInt(Math.trunc(value)) : value;
    }
    return roundToType(out);
  };
}

function argument(isBetter: (a: number, b: number) => boolean): HostOp {
  return (c, data) => {
    const x = need(data, "data");
    const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
    const { rows, length, count } = rowsOf(c, x, [axis]);
    const isLast = c.int("select_last_index", 0) === 1;
    const keep = c.int("keepdims", 1) === 1;
    const found = Array.from({ length: count }, (_, r) => {
      let at = 0;
      for (let i = 1; i < length; i++) {
        const [value, other] = [rows[r * length + i] as number, rows[r * length + at] as number];
        if (isBetter(value, other) || (isLast && value === other)) at = i;
      }
      return at;
    });
    return int64s(
      found,
      x.shape.flatMap((size, i) => (i === axis ? (keep ? [1] : []) : [size])),
    );
  };
}

/** Places of a row's first k elements in order, into `to`; of equal ones the lower place comes first. */
function firstOf(row: ArrayLike<number>, k: number, isLargest: boolean, to: Int32Array): void {
  const isBefore = (a: number, b: number) => (isLargest ? a > b : a < b);
  let count = 0;
  for (let i = 0; i < row.length; i++) {
    const value = row[i] as number;
    if (count === k && !isBefore(value, row[to[k - 1] as number] as number)) continue;
    // Behind all that it is not before: their places are lower.
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(value, row[to[middle] as number] as number)) high = middle;
      else low = middle + 1;
    }
    if (count < k) count++;
    to.copyWithin(low + 1, low, count - 1);
    to[low] = i;
  }
}

/** From so many on, all are sorted. */
const MANY = 1024;

const topK: HostOp = (c, input, kInput) => {
  const x = need(input, "X");
  const axis = c.axis("axis", c.int("axis", -1), x.shape.length);
  const k = kInput === undefined ? c.int("k", 0) : Number(kInput.data[0]);
  const { outer, size, inner } = along(x.shape, axis);
  if (!Number.isInteger(k) || k < 0 || k > size) throw new ModelError(`"k" expected from 0 to ${size}, got ${k}`);
  const isLargest = c.int("largest", 1) === 1;
  const sign = isLargest ? -1 : 1;
  const shape = x.shape.map((s, i) => (i === axis ? k : s));
  const values = make(c, x.type, shape);
  const indices = make(c, "int64", shape);
  if (k === 0) return [values, indices];
  const [data, to, halves] = [numbers(x), numbers(values), halvesOf(indices)];
  const row = isBig(x.type) ? new BigInt64Array(size) : new (data.constructor as Float32ArrayConstructor)(size);
  const places = new Int32Array(k >= MANY ? size : k);
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < inner; n++) {
      const own = row as Float32Array;
      for (let i = 0, at = o * size * inner + n; i < size; i++, at += inner) own[i] = data[at] as number;
      if (k < MANY) firstOf(own, k, isLargest, places);
      else {
        for (let i = 0; i < size; i++) places[i] = i;
        const at = (i: number) => own[i] as number;
        places.sort((a, b) => (at(a) === at(b) ? a - b : at(a) > at(b) ? sign : -sign));
      }
      for (let i = 0, p = o * k * inner + n; i < k; i++, p += inner) {
        to[p] = own[places[i] as number] as number;
        halves[2 * p] = places[i] as number;
      }
    }
  }
  return [values, indices];
};

const cumSum: HostOp = (c, input, axisInput) => {
  const x = need(input, "x");
  const axis = c.axis("axis", Number(need(axisInput, "axis").data[0]), x.shape.length);
  const isExclusive = c.int("exclusive", 0) === 1;
  const isReverse = c.int("reverse", 0) === 1;
  const { outer, size, inner } = along(x.shape, axis);
  const out = make(c, x.type, x.shape);
  const zero = (isBig(x.type) ? 0n : 0) as number;
  const [from, to] = [numbers(x), numbers(out)];
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < inner; n++) {
      let total = zero;
      for (let step = 0; step < size; step++) {
        const at = (o * size + (isReverse ? size - 1 - step : step)) * inner + n;
        const value = from[at] as number;
        to[at] = isExclusive ? total : total + value;
        total += value;
      }
    }
  }
  return roundToType(out);
};

/** What the maximum of nothing is: the least value of the type. */
function lowest({ type }: PlainTensor): number {
  if (/float/.test(type)) return -Infinity;
  const bits = Number(/\d+/.exec(type)?.[0] ?? 1);
  return type.startsWith("u") || type === "bool" ? 0 : -(2 ** (bits - 1));
}

function highest({ type }: PlainTensor): number {
  if (/float/.test(type)) return Infinity;
  if (type === "bool") return 1;
  const bits = Number(/\d+/.exec(type)?.[0] ?? 1);
  return type.startsWith("u") ? 2 ** bits - 1 : 2 ** (bits - 1) - 1;
}

export const REDUCTION: Readonly<Record<string, HostOp>> = {
  ReduceSum: reduce(sum),
  ReduceMean: reduce((row) => sum(row) / row.length),
  ReduceMax: (c, data, axes) => {
    const x = need(data, "data");
    return reduce((row) => (row.length === 0 ? lowest(x) : maximum(row)))(c, x, axes);
  },
  ReduceMin: (c, data, axes) => {
    const x = need(data, "data");
    return reduce((row) => (row.length === 0 ? highest(x) : minimum(row)))(c, x, axes);
  },
  ReduceProd: reduce((row) => Array.prototype.reduce.call(row, (a, b) => (a as number) * (b as number), 1) as number),
  ReduceL1: reduce((row) => sum(row, Math.abs)),
  ReduceL2: reduce((row) => Math.sqrt(sum(row, (x) => x * x))),
  ReduceSumSquare: reduce((row) => sum(row, (x) => x * x)),
  ReduceLogSum: reduce((row) => Math.log(sum(row))),
  ReduceLogSumExp: reduce(logSumExp),
  ArgMax: argument((a, b) => a > b),
  ArgMin: argument((a, b) => a < b),
  TopK: topK,
  CumSum: cumSum,
};
