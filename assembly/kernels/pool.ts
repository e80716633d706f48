// Maximum and average over windows of a channels-last image: lanes are channels.
//
//   y[n, p, q, c] = max or mean of x[n, h, w, c] over the window of (p, q), clipped to the input
//
// Windows: h from p*U - padTop in steps of the dilation, or (adaptive) from floor(p*H/P) to ceil((p+1)*H/P). One pixel at a
// time, 16 channels at a time (4 maxima + 4 sums + 1 input <= 16 registers; 64 bytes, one cache line, of every tap), then
// 4 by 4; a last vector of fewer than 4 channels is computed whole and stored in part.
//
// NaN: the maximum of a window that holds one is NaN, as in PyTorch. pmax forgets NaN, and f32x4.max is six times slower;
// so the window is summed too (one more instruction), and only where that sum is NaN is the window read again with care.
//
// Maxima of 2x2 in steps of 2 and of 3x3 in steps of 1 and 2, which is nearly all there are, have rows of their own where no tap
// is outside: one check a row, and columns that two windows of 3x3 share are reduced once (64 channels, 112 x 112: 52 us a
// 2x2 and 89 a 3x3, pixel by pixel 95 and 150; without any sum for NaN 79).
//
// global_pool_f32 is for contiguous images, whose channels are rows of H*W floats: no change of layout.
import { GlobalPoolDesc, PoolDesc } from "../abi/image";
import { hsum, maxOf, splat, storeLanes } from "../lib/simd";

/** Maximum that keeps NaN, for windows whose sum is NaN. */
function maxOfWindow(x: usize, rows: i32, columns: i32, rowStep: usize, step: usize): v128 {
  let acc = splat(-Infinity);
  for (let r = 0; r < rows; r++) {
    for (let s = 0; s < columns; s++) {
      const v = v128.load(x + <usize>r * rowStep + <usize>s * step);
      // v where v is NaN, acc where acc is, else the larger
      const larger = v128.bitselect(v, maxOf(acc, v), f32x4.ne(v, v));
      acc = v128.bitselect(acc, larger, f32x4.ne(acc, acc));
    }
  }
  return acc;
}

@inline function isNaN4(v: v128): bool {
  return v128.any_true(f32x4.ne(v, v));
}

/** floor(q * size / count), in 64 bits: the product of two sizes does not fit 32. */
@inline function adaptiveStart(q: i32, size: i32, count: i32): i32 {
  return <i32>((<i64>q * size) / count);
}

/** ceil((q + 1) * size / count). */
@inline function adaptiveEnd(q: i32, size: i32, count: i32): i32 {
  return <i32>((<i64>(q + 1) * size + count - 1) / count);
}

/** First tap inside: taps are `dilation` apart. */
@inline function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

@inline function endTap(start: i32, dilation: i32, size: i32, taps: i32): i32 {
  if (start >= size) return 0;
  return min((size - start + dilation - 1) / dilation, taps);
}

/** All channels of one pixel: a window of rows x columns taps from x on. Answers where the next pixel is written. */
@inline function poolPixel(
  y: usize, x: usize, left: i32, rows: i32, columns: i32, rowStep: usize, step: usize, divide: v128, maximum: bool,
): usize {
  const start = splat(maximum ? -Infinity : 0);
  const zero = splat(0);
  while (left >= 16) {
    let acc0 = start, acc1 = start, acc2 = start, acc3 = start;
    let sum0 = zero, sum1 = zero, sum2 = zero, sum3 = zero;
    let tapRow = x;
    for (let r = rows; r > 0; r--) {
      let tap = tapRow;
      for (let s = columns; s > 0; s--) {
        const v0 = v128.load(tap), v1 = v128.load(tap, 16), v2 = v128.load(tap, 32), v3 = v128.load(tap, 48);
        if (maximum) {
          acc0 = maxOf(acc0, v0);
          acc1 = maxOf(acc1, v1);
          acc2 = maxOf(acc2, v2);
          acc3 = maxOf(acc3, v3);
        }
        sum0 = f32x4.add(sum0, v0);
        sum1 = f32x4.add(sum1, v1);
        sum2 = f32x4.add(sum2, v2);
        sum3 = f32x4.add(sum3, v3);
        tap += step;
      }
      tapRow += rowStep;
    }
    if (maximum) {
      if (isNaN4(f32x4.add(f32x4.add(sum0, sum1), f32x4.add(sum2, sum3)))) {
        acc0 = maxOfWindow(x, rows, columns, rowStep, step);
        acc1 = maxOfWindow(x + 16, rows, columns, rowStep, step);
        acc2 = maxOfWindow(x + 32, rows, columns, rowStep, step);
        acc3 = maxOfWindow(x + 48, rows, columns, rowStep, step);
      }
    } else {
      acc0 = f32x4.div(sum0, divide);
      acc1 = f32x4.div(sum1, divide);
      acc2 = f32x4.div(sum2, divide);
      acc3 = f32x4.div(sum3, divide);
    }
    v128.store(y, acc0);
    v128.store(y, acc1, 16);
    v128.store(y, acc2, 32);
    v128.store(y, acc3, 48);
    x += 64;
    y += 64;
    left -= 16;
  }
  while (left > 0) {
    let acc = start, sum = zero;
    let tapRow = x;
    for (let r = rows; r > 0; r--) {
      let tap = tapRow;
      for (let s = columns; s > 0; s--) {
        const v = v128.load(tap);
        if (maximum) acc = maxOf(acc, v);
        sum = f32x4.add(sum, v);
        tap += step;
      }
      tapRow += rowStep;
    }
    if (!maximum) acc = f32x4.div(sum, divide);
    else if (isNaN4(sum)) acc = maxOfWindow(x, rows, columns, rowStep, step);
    storeLanes(y, acc, left);
    x += 16;
    y += 16;
    left -= 4;
  }
  return y + <usize>(left << 2); // back over the lanes that were not stored
}

/** The larger of a column of three. */
@inline function columnOf(a: v128, b: v128, c: v128): v128 {
  return maxOf(maxOf(a, b), c);
}

@inline function sumOf(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.add(a, b), c);
}

/** `count` pixels of 2x2 windows, two columns apart. Answers the sum of all taps: NaN where one is. */
function maxRow2(x: usize, row: usize, pixel: usize, y: usize, count: i32): v128 {
  let sum = splat(0);
  do {
    for (let c: usize = 0; c < pixel; c += 16) {
      const a = x + c;
      const b = a + row;
      const a0 = v128.load(a), a1 = v128.load(a + pixel), b0 = v128.load(b), b1 = v128.load(b + pixel);
      sum = f32x4.add(sum, f32x4.add(f32x4.add(a0, a1), f32x4.add(b0, b1)));
      storeLanes(y + c, maxOf(maxOf(maxOf(a0, a1), b0), b1), <i32>(pixel - c) >> 2);
    }
    x += pixel << 1;
    y += pixel;
  } while (--count);
  return sum;
}

/**
 * As maxRow2, of 3x3 windows `stride` columns apart, 1 or 2. columns: room for the maxima of two columns, all channels: the first
 * and, in steps of 1, the second of the window at hand.
 */
@inline function maxRow3(x: usize, row: usize, pixel: usize, y: usize, count: i32, stride: i32, columns: usize): v128 {
  const second = columns + (pixel + 15 & ~15);
  let sum = splat(0);
  for (let c: usize = 0; c < pixel; c += 16) {
    const a = x + c;
    const b = a + row;
    const a0 = v128.load(a), b0 = v128.load(b), c0 = v128.load(b + row);
    v128.store(columns + c, columnOf(a0, b0, c0));
    sum = f32x4.add(sum, sumOf(a0, b0, c0));
    if (stride == 1) {
      const a1 = v128.load(a + pixel), b1 = v128.load(b + pixel), c1 = v128.load(b + row + pixel);
      v128.store(second + c, columnOf(a1, b1, c1));
      sum = f32x4.add(sum, sumOf(a1, b1, c1));
    }
  }
  x += pixel;
  if (stride == 1) x += pixel;
  do {
    for (let c: usize = 0; c < pixel; c += 16) {
      const a = x + c;
      const b = a + row;
      const d = b + row;
      const a1 = v128.load(a), b1 = v128.load(b), d1 = v128.load(d);
      sum = f32x4.add(sum, sumOf(a1, b1, d1));
      const first = v128.load(columns + c);
      let result: v128;
      if (stride == 1) {
        const middle = v128.load(second + c);
        const last = columnOf(a1, b1, d1);
        v128.store(columns + c, middle);
        v128.store(second + c, last);
        result = maxOf(maxOf(first, middle), last);
      } else {
        result = maxOf(first, columnOf(a1, b1, d1));
        if (!b) break; // never: Node 20's V8 loads all taps first, and spills
        const a2 = v128.load(a + pixel), b2 = v128.load(b + pixel), d2 = v128.load(d + pixel);
        const last = columnOf(a2, b2, d2);
        v128.store(columns + c, last);
        sum = f32x4.add(sum, sumOf(a2, b2, d2));
        result = maxOf(result, last);
      }
      storeLanes(y + c, result, <i32>(pixel - c) >> 2);
    }
    x += <usize>stride * pixel;
    y += pixel;
  } while (--count);
  return sum;
}

/** Whether `count` pixels of windows inside of the image are done: false where a tap may be NaN. */
function maxRow(x: usize, row: usize, pixel: usize, y: usize, count: i32, size: i32, stride: i32, columns: usize): bool {
  if (size == 2) return !isNaN4(maxRow2(x, row, pixel, y, count));
  if (stride == 2) return !isNaN4(maxRow3(x, row, pixel, y, count, 2, columns));
  return !isNaN4(maxRow3(x, row, pixel, y, count, 1, columns));
}

/** Work items: output rows, numbered n * P + p. Scratch: two columns of all channels, rounded up to 4. */
export function max_pool_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  pool(changetype<PoolDesc>(desc), begin, end, scratch, true);
}

/** Work items: output rows, numbered n * P + p. */
export function avg_pool_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  pool(changetype<PoolDesc>(desc), begin, end, scratch, false);
}

/** The size of windows that maxRow takes, 2 or 3; else 0. */
@inline function rowSize(d: PoolDesc): i32 {
  const size = d.kernelH;
  if (d.adaptive | (d.kernelW - size) | (d.dilationH - 1) | (d.dilationW - 1)) return 0;
  return size == 2 ? (d.strideW == 2 ? 2 : 0) : size == 3 && d.strideW <= 2 ? 3 : 0;
}

@inline function pool(d: PoolDesc, begin: i32, end: i32, scratch: usize, maximum: bool): void {
  const size = maximum ? rowSize(d) : 0;
  // Outputs [inFrom, inEnd) of a row have all columns inside.
  const inFrom = size == 0 ? -1 : (d.padLeft + d.strideW - 1) / d.strideW;
  const inEnd = size == 0 ? 0 : min((d.width + d.padLeft - d.kernelW + d.strideW) / d.strideW, d.outW);
  const adaptive = d.adaptive != 0;
  if (!ASC_NO_ASSERT) assert(d.channels > 0 && d.kernelH > 0 && d.kernelW > 0 && d.dilationH > 0 && d.dilationW > 0);
  const pixel = <usize>d.channels << 2;
  const row = <usize>d.width * pixel;
  const rowStep = <usize>d.dilationH * row;
  const step = <usize>d.dilationW * pixel;
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const p = item - n * d.outH;
    const h = adaptive ? adaptiveStart(p, d.height, d.outH) : p * d.strideH - d.padTop;
    const tapsH = adaptive ? adaptiveEnd(p, d.height, d.outH) - h : d.kernelH;
    const r0 = firstTap(h, d.dilationH);
    const rows = max(endTap(h, d.dilationH, d.height, tapsH) - r0, 0);
    const top = d.xPtr + <usize>n * <usize>d.height * row + <usize>(h + r0 * d.dilationH) * row;
    let y = d.yPtr + <usize>(item * d.outW) * pixel;
    for (let q = 0; q < d.outW; q++) {
      if (q == inFrom && inEnd > q && rows == size) {
        const x = top + <usize>(q * d.strideW - d.padLeft) * pixel;
        if (maxRow(x, row, pixel, y, inEnd - q, size, d.strideW, scratch)) {
          y += <usize>(inEnd - q) * pixel;
          q = inEnd - 1;
          continue;
        }
      }
      const w = adaptive ? adaptiveStart(q, d.width, d.outW) : q * d.strideW - d.padLeft;
      const tapsW = adaptive ? adaptiveEnd(q, d.width, d.outW) - w : d.kernelW;
      const s0 = firstTap(w, d.dilationW);
      const columns = max(endTap(w, d.dilationW, d.width, tapsW) - s0, 0);
      // The mean's divisor: taps inside, or inside the padded input.
      let divisor = <f32>rows * <f32>columns;
      if (d.countPadding) {
        divisor =
          <f32>(min(h + d.kernelH, d.height + d.padBottom) - h) * <f32>(min(w + d.kernelW, d.width + d.padRight) - w);
      }
      const divide = splat(divisor);
      const x = top + <usize>(w + s0 * d.dilationW) * pixel;
      y = poolPixel(y, x, d.channels, rows, columns, rowStep, step, divide, maximum);
    }
  }
}

/** Work items: rows, one an image and channel. */
export function global_pool_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<GlobalPoolDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.length > 0);
  const bytes = <usize>d.length << 2;
  const lowest = splat(-Infinity);
  const zero = splat(0);
  for (let item = begin; item < end; item++) {
    const row = d.xPtr + <usize>item * bytes;
    let x = row;
    const xEnd = row + bytes;
    const main = row + (bytes & ~63);
    let acc0 = lowest, acc1 = lowest, acc2 = lowest, acc3 = lowest;
    let sum0 = zero, sum1 = zero, sum2 = zero, sum3 = zero;
    while (x < main) {
      const v0 = v128.load(x), v1 = v128.load(x, 16), v2 = v128.load(x, 32), v3 = v128.load(x, 48);
      acc0 = maxOf(acc0, v0);
      acc1 = maxOf(acc1, v1);
      acc2 = maxOf(acc2, v2);
      acc3 = maxOf(acc3, v3);
      sum0 = f32x4.add(sum0, v0);
      sum1 = f32x4.add(sum1, v1);
      sum2 = f32x4.add(sum2, v2);
      sum3 = f32x4.add(sum3, v3);
      x += 64;
    }
    while (x < xEnd) {
      const mask = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>(xEnd - x) >> 2));
      const v = v128.load(x);
      acc0 = maxOf(acc0, v128.bitselect(v, lowest, mask));
      sum0 = f32x4.add(sum0, v128.and(v, mask));
      x += 16;
    }
    const sum = hsum(f32x4.add(f32x4.add(sum0, sum1), f32x4.add(sum2, sum3)));
    let result = sum / d.divisor;
    if (d.maximum) {
      const acc = maxOf(maxOf(acc0, acc1), maxOf(acc2, acc3));
      const pair = maxOf(acc, i32x4.shuffle(acc, acc, 2, 3, 0, 1));
      result = max(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
      // As above: a NaN, or infinities of both signs.
      if (sum != sum) for (x = row; x < xEnd; x += 4) result = max(result, f32.load(x));
    }
    f32.store(d.yPtr + (<usize>item << 2), result);
  }
}
