// Rows along axes: what reductions and normalisations work on. Sums in float64.
import { countOf } from "../../base/shape.js";
import { isBig } from "../../base/spec.js";
import type { Budgeted } from "../file/budget.js";
import { roundToType } from "../file/halves.js";
import { numbers, type PlainTensor } from "../file/plain-tensor.js";
import { along, transpose } from "./indexing.js";
import { make } from "./make.js";

export type Row = ArrayLike<number>;

/** Rows of the reduced axes' elements, as float64, with what the result's shape is. */
export function rowsOf(
  c: Budgeted,
  t: PlainTensor,
  axes: readonly number[],
): { rows: Float64Array; length: number; count: number } {
  const kept = t.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const moved = transpose(c, t, [...kept, ...axes]);
  const length = countOf(axes.map((axis) => t.shape[axis] as number));
  return {
    rows: toDoubles(moved),
    length,
    count: countOf(kept.map((axis) => t.shape[axis] as number)),
  };
}

/** Elements in float64: of 64 bits from their halves, which is exact up to 2^53. */
function toDoubles({ type, data }: PlainTensor): Float64Array {
  if (!isBig(type)) return Float64Array.from(data as ArrayLike<number>);
  const halves = new Int32Array(data.buffer, data.byteOffset, 2 * data.length);
  const isSigned = type === "int64";
  const doubles = new Float64Array(data.length);
  for (let i = 0; i < doubles.length; i++) {
    const high = halves[2 * i + 1] as number;
    doubles[i] = (isSigned ? high : high >>> 0) * 2 ** 32 + ((halves[2 * i] as number) >>> 0);
  }
  return doubles;
}

export function sum(row: Row, f: (x: number) => number = (x) => x): number {
  let total = 0;
  for (let i = 0; i < row.length; i++) total += f(row[i] as number);
  return total;
}

function best(row: Row, isBetter: (a: number, b: number) => boolean, start: number): number {
  let value = start;
  for (let i = 0; i < row.length; i++) {
    const x = row[i] as number;
    if (Number.isNaN(x)) return x;
    if (isBetter(x, value)) value = x;
  }
  return value;
}

export const maximum = (row: Row): number => best(row, (a, b) => a > b, -Infinity);

export const minimum = (row: Row): number => best(row, (a, b) => a < b, Infinity);

export function logSumExp(row: Row): number {
  const top = maximum(row);
  if (!Number.isFinite(top)) return top;
  return top + Math.log(sum(row, (x) => Math.exp(x - top)));
}

/** Maps every row along an axis; before operator set 13 the rows are all axes from there on. */
export function byRow(
  c: Budgeted,
  t: PlainTensor,
  axis: number,
  isFlat: boolean,
  f: (row: Row, to: (i: number, value: number) => void) => void,
): PlainTensor {
  const { outer, size, inner } = along(t.shape, axis);
  const [length, step] = isFlat ? [size * inner, 1] : [size, inner];
  const out = make(c, t.type, t.shape);
  const [from, to] = [numbers(t), numbers(out)];
  const row = new Float64Array(length);
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < (isFlat ? 1 : inner); n++) {
      const start = o * size * inner + n;
      for (let i = 0; i < length; i++) row[i] = from[start + i * step] as number;
      f(row, (i, value) => {
        to[start + i * step] = value;
      });
    }
  }
  return roundToType(out);
}
