// y = e^(x - max) / sum of e^(x - max) along an axis, or its logarithm x - max - log(sum). Memory is [outer, size,
// inner] in the tensor's own order. Three passes: maximum, exponentials and their sum, result.
//
//   inner > 1   lanes are neighbours of inner: 16 of them (one cache line a step of the axis) are a work item, vector
//               by vector; the last vector is computed whole and stored in part.
//   inner = 1   lanes are neighbours on the axis, one line a work item; lanes past its end count as -infinity.
//
// y may be x: every element is read for the last time before it is written. Source: Milakov and Gimelshein (2018), 2.
import { NEIGHBOURS } from "../abi/constants";
import { SoftmaxDesc } from "../abi/elements";
import { expNegative, log } from "../lib/math";
import { hmax, hsum, maxOf, splat, storeLanes } from "../lib/simd";

/** Four lines side by side, `step` bytes from element to element; `count` of them are stored. */
function softmaxAcross(y: usize, x: usize, size: i32, step: usize, count: i32, logarithm: i32): void {
  const bytes = <usize>size * step;
  let max = v128.load(x);
  for (let i = step; i < bytes; i += step) max = maxOf(v128.load(x + i), max);
  let sum = splat(0);
  for (let i: usize = 0; i < bytes; i += step) {
    const e = expNegative(f32x4.sub(v128.load(x + i), max));
    sum = f32x4.add(sum, e);
    if (!logarithm) storeLanes(y + i, e, count);
  }
  if (logarithm) sum = log(sum);
  // Lanes beyond `count` hold other lines' values, whole or half done: computed along, never stored.
  for (let i: usize = 0; i < bytes; i += step) {
    const v = logarithm ? f32x4.sub(f32x4.sub(v128.load(x + i), max), sum) : f32x4.div(v128.load(y + i), sum);
    storeLanes(y + i, v, count);
  }
}

/** The last vector of a line: lanes from its element `count` on are -infinity. */
@inline function lastLanes(x: usize, count: i32): v128 {
  return v128.bitselect(v128.load(x), splat(-Infinity), i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count)));
}

/** One contiguous line: whole vectors, then one of 1 to 4 elements. */
function softmaxAlong(y: usize, x: usize, size: i32, logarithm: i32): void {
  const whole = <usize>((size - 1) & ~3) << 2;
  const count = size - <i32>(whole >> 2);
  const last = lastLanes(x + whole, count);
  let lanes = last;
  for (let i: usize = 0; i < whole; i += 16) lanes = maxOf(v128.load(x + i), lanes);
  const max = splat(hmax(lanes));
  let sum = splat(0);
  if (logarithm) {
    for (let i: usize = 0; i < whole; i += 16) sum = f32x4.add(sum, expNegative(f32x4.sub(v128.load(x + i), max)));
    sum = log(splat(hsum(f32x4.add(sum, expNegative(f32x4.sub(last, max))))));
    for (let i: usize = 0; i < whole; i += 16) v128.store(y + i, f32x4.sub(f32x4.sub(v128.load(x + i), max), sum));
    storeLanes(y + whole, f32x4.sub(f32x4.sub(last, max), sum), count);
    return;
  }
  let i: usize = 0;
  for (const pairs = whole & ~31; i < pairs; i += 32) {
    const first = v128.load(x + i);
    const second = v128.load(x + i, 16);
    const e = expNegative(f32x4.sub(first, max));
    const f = expNegative(f32x4.sub(second, max));
    sum = f32x4.add(f32x4.add(sum, e), f);
    v128.store(y + i, e);
    v128.store(y + i, f, 16);
  }
  if (i < whole) {
    const e = expNegative(f32x4.sub(v128.load(x + i), max));
    sum = f32x4.add(sum, e);
    v128.store(y + i, e);
  }
  const e = expNegative(f32x4.sub(last, max));
  sum = splat(hsum(f32x4.add(sum, e)));
  for (let i: usize = 0; i < whole; i += 16) v128.store(y + i, f32x4.div(v128.load(y + i), sum));
  storeLanes(y + whole, f32x4.div(e, sum), count);
}

/**
 * Work items: lines where inner = 1, else blocks of 16 lines side by side, numbered outer * ceil(inner / 16) + block.
 */
export function softmax_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<SoftmaxDesc>(desc);
  const blocks = (d.inner + NEIGHBOURS - 1) / NEIGHBOURS;
  const step = <usize>d.inner << 2;
  for (let item = begin; item < end; item++) {
    const outer = item / blocks;
    const offset = <usize>outer * <usize>d.size * step;
    if (d.inner == 1) {
      softmaxAlong(d.yPtr + offset, d.xPtr + offset, d.size, d.logarithm);
      continue;
    }
    let first = (item - outer * blocks) * NEIGHBOURS;
    const last = first + NEIGHBOURS < d.inner ? first + NEIGHBOURS : d.inner;
    for (; first < last; first += 4) {
      const at = offset + (<usize>first << 2);
      softmaxAcross(d.yPtr + at, d.xPtr + at, d.size, step, last - first, d.logarithm);
    }
  }
}
