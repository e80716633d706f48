// Index arithmetic: elements moved by strides, picked and visited.

import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { isBig } from "../../base/spec.js";
import type { Budgeted } from "../file/budget.js";
import { numbers, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { make } from "./make.js";

/** Element strides of a contiguous tensor. */
export function elementStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] as number) * (shape[i + 1] as number);
  return strides;
}

/** Elements at offset + sum(index * stride), in the order of `shape`: transposition, broadcasting, slices and flips. */
export function strided(
  b: Budgeted,
  t: PlainTensor,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): PlainTensor {
  const out = make(b, t.type, shape);
  const from = numbers(t);
  const to = numbers(out);
  if (to.length === 0) return out;
  // The fewest loops, fastest first: axes that go on where the one behind them ends are one.
  const loops: { size: number; stride: number; index: number }[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const [size, stride] = [shape[axis] as number, strides[axis] as number];
    const last = loops.at(-1);
    if (last && stride === last.stride * last.size) last.size *= size;
    else if (size > 1) loops.push({ size, stride, index: 0 });
  }
  const inner = loops.shift() ?? { size: 1, stride: 1 };
  const rows = loops.shift() ?? { size: 1, stride: 0 };
  // Transposed, rows take turns: what is read of a line of the cache is used whole.
  const most = rows.stride === 1 ? 16 : 1;
  let at = offset;
  for (let i = 0; i < to.length; i += rows.size * inner.size) {
    for (let row = 0; row < rows.size; row += most) {
      const [first, end] = [i + row * inner.size, i + Math.min(row + most, rows.size) * inner.size];
      const start = at + row * rows.stride;
      if (inner.stride === 0 && most === 1) {
        to.fill(from[start] as number, first, end);
        continue;
      }
      for (let j = 0; j < inner.size; j++) {
        for (let k = first + j, p = start + j * inner.stride; k < end; k += inner.size, p += rows.stride)
          to[k] = from[p] as number;
      }
    }
    for (const loop of loops) {
      at += loop.stride;
      if (++loop.index < loop.size) break;
      at -= loop.stride * loop.size;
      loop.index = 0;
    }
  }
  return out;
}

export function transpose(b: Budgeted, t: PlainTensor, order: readonly number[]): PlainTensor {
  const strides = elementStrides(t.shape);
  return strided(
    b,
    t,
    order.map((axis) => t.shape[axis] as number),
    order.map((axis) => strides[axis] as number),
  );
}

/** The tensor repeated along its axes of size 1 until it has the shape; itself where it has it already. */
export function broadcast(b: Budgeted, t: PlainTensor, shape: readonly number[]): PlainTensor {
  if (t.shape.length === shape.length && t.shape.every((size, i) => size === shape[i])) return t;
  const own = elementStrides(t.shape);
  const lead = shape.length - t.shape.length;
  if (lead < 0) throw new ModelError(`"shape" expected to broadcast to ${show([...shape])}, got ${show([...t.shape])}`);
  const strides = shape.map((size, i) => {
    const have = t.shape[i - lead] ?? 1;
    if (have !== 1 && have !== size)
      throw new ModelError(`"shape" expected to broadcast to ${show([...shape])}, got ${show([...t.shape])}`);
    return i < lead || have === 1 ? 0 : (own[i - lead] as number);
  });
  return strided(b, t, shape, strides);
}

/** A tensor seen along one axis: element (o, i, n) is at (o * size + i) * inner + n. */
export function along(shape: readonly number[], axis: number): { outer: number; size: number; inner: number } {
  return { outer: countOf(shape.slice(0, axis)), size: shape[axis] ?? 1, inner: countOf(shape.slice(axis + 1)) };
}

/** Indices into an axis, from the end when negative. */
export function wrapIndex(index: number, size: number): number {
  if (index < -size || index >= size)
    throw new ModelError(`"indices" expected from ${-size} to ${size - 1}, got ${index}`);
  return index < 0 ? index + size : index;
}

/** Whole numbers to index with: of 64 bits their lower halves, where the upper ones say no more. */
export function toIndices(t: PlainTensor): ArrayLike<number> {
  if (!isBig(t.type)) return t.data as ArrayLike<number>;
  const { buffer, byteOffset, length } = t.data;
  const halves = new Int32Array(buffer, byteOffset, 2 * length);
  const indices = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const low = halves[2 * i] as number;
    if (halves[2 * i + 1] !== low >> 31) return toNumbers(t);
    indices[i] = low;
  }
  return indices;
}

/** An int64 tensor of 32-bit numbers, none negative: `data` is every other half of its elements, the rest is 0. */
export function halvesOf(t: PlainTensor): Int32Array {
  return new Int32Array(t.data.buffer, t.data.byteOffset, 2 * t.data.length);
}

/** Calls f with where every row along the last axis of a shape begins: in the shape, and by the strides of another. */
export function eachRow(
  shape: readonly number[],
  strides: readonly number[],
  f: (i: number, at: number) => void,
): void {
  const size = shape.at(-1) ?? 1;
  const rows = size === 0 ? 0 : countOf(shape) / size;
  const index = shape.map(() => 0);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    f(row * size, at);
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      at += strides[axis] as number;
      if (++(index[axis] as number) < (shape[axis] as number)) break;
      at -= (strides[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
}

export function pick(b: Budgeted, x: PlainTensor, at: PlainTensor, axis: number): PlainTensor {
  const { outer, size, inner } = along(x.shape, axis);
  const out = make(b, x.type, [...x.shape.slice(0, axis), ...at.shape, ...x.shape.slice(axis + 1)]);
  const picks = Int32Array.from(toIndices(at), (index) => wrapIndex(index, size));
  const [from, to] = [numbers(x), numbers(out)];
  let p = 0;
  for (let o = 0; o < outer; o++) {
    if (inner === 1) {
      for (let i = 0; i < picks.length; i++) to[p + i] = from[o * size + (picks[i] as number)] as number;
      p += picks.length;
      continue;
    }
    for (let k = 0; k < picks.length; k++) {
      const start = (o * size + (picks[k] as number)) * inner;
      if (inner < 16) for (let i = 0; i < inner; i++) to[p + i] = from[start + i] as number;
      else to.set(from.subarray(start, start + inner), p);
      p += inner;
    }
  }
  return out;
}

export function offsetOf(index: readonly number[], shape: readonly number[]): number {
  return index.reduce((at, value, i) => at * (shape[i] as number) + value, 0);
}

export const copied = ({ type, shape, data }: PlainTensor): PlainTensor => ({
  type,
  shape,
  data: data.slice() as PlainTensor["data"],
});

export const zeroOf = (t: PlainTensor): number | bigint => (isBig(t.type) ? 0n : 0);
