// Maxima and means of bytes, channels-last: lanes are channels.
//
//   max    y = max of x over the window, clipped to the input: first of the rows, to scratch, whole vectors whatever the pixels are, then
//          of the columns there, 16 channels at a time, and of the rest the last 16 or 8 once more
//   mean   y = clamp(round(Σ scale * (x - zero) / taps / divisor + offset) + zero point), every step in float32, taps row by row:
//          the bits of onnxruntime, which sums real numbers; 8 channels at a time
//   all    y = clamp(round(Σ (x - zero) * scale / count / divisor) + zero point), the sum in integers
//
// What numbers end as: lib/int8-bytes.ts.
import { MeanBytesDesc, PoolBytesDesc } from "../abi/int8-bytes";
import { storeBytes, storeFloats } from "../lib/int8-bytes";

/** First tap inside: taps are `dilation` apart. */
@inline function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

@inline function endTap(start: i32, dilation: i32, size: i32, taps: i32): i32 {
  return start >= size ? 0 : min((size - start + dilation - 1) / dilation, taps);
}

/** to = max of a, b and c. */
function most(to: usize, a: usize, b: usize, c: usize, bytes: usize): void {
  for (const end = to + bytes; to < end; to += 16) {
    v128.store(to, i8x16.max_u(i8x16.max_u(v128.load(a), v128.load(b)), v128.load(c)));
    a += 16;
    b += 16;
    c += 16;
  }
}

/** The greatest of `columns` >= 1 pixels from x on, C channels. */
@inline function mostOf(y: usize, x: usize, C: i32, columns: i32, step: usize): void {
  const lanes = C < 16 ? 8 : 16;
  const second = columns > 1 ? step : 0, third = columns > 2 ? step << 1 : second;
  for (let at = 0; at < C; at += lanes) {
    const c = <usize>max(min(at, C - lanes), 0);
    let tap = x + c;
    let v = i8x16.max_u(i8x16.max_u(v128.load(tap), v128.load(tap + second)), v128.load(tap + third));
    for (let s = columns - 3; s > 0; s--) {
      v = i8x16.max_u(v, v128.load(tap + 3 * step));
      tap += step;
    }
    if (lanes == 16) v128.store(y + c, v);
    else storeBytes(y + c, v, C);
  }
}

/** Work items: output rows, numbered n * P + p. Scratch: a row of the input, in whole vectors, and one more. */
export function max_pool_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  pool(changetype<PoolBytesDesc>(desc), begin, end, scratch);
}

/** Work items: output rows, numbered n * P + p. */
export function avg_pool_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  pool(changetype<PoolBytesDesc>(desc), begin, end, 0);
}

/** scratch: of maxima. */
function pool(d: PoolBytesDesc, begin: i32, end: i32, scratch: usize): void {
  const C = d.channels;
  const pixel = <usize>C;
  const row = <usize>d.width * pixel;
  const rowStep = <usize>d.dilationH * row, step = <usize>d.dilationW * pixel;
  let y = d.yPtr + <usize>(begin * d.outW) * pixel;
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const h = (item - n * d.outH) * d.strideH - d.padTop;
    const r0 = firstTap(h, d.dilationH);
    const rows = max(endTap(h, d.dilationH, d.height, d.kernelH) - r0, 0);
    let top = d.xPtr + <usize>(n * d.height + h + r0 * d.dilationH) * row;
    if (scratch) {
      if (rows == 0) memory.fill(scratch, 0, row);
      for (let r = 0; r < rows; r += r ? 2 : 3) {
        const a = top + <usize>r * rowStep;
        const b = r + 1 < rows ? a + rowStep : a;
        if (r) most(scratch, scratch, a, b, row);
        else most(scratch, a, b, rows > 2 ? b + rowStep : b, row);
      }
      top = scratch;
    }
    for (let q = 0; q < d.outW; q++) {
      const w = q * d.strideW - d.padLeft;
      const s0 = firstTap(w, d.dilationW);
      const columns = max(endTap(w, d.dilationW, d.width, d.kernelW) - s0, 0);
      const x = top + <usize>(w + s0 * d.dilationW) * pixel;
      if (scratch) {
        if (columns > 0) mostOf(y, x, C, columns, step);
        else memory.fill(y, 0, pixel);
      } else {
        let taps = rows * columns;
        if (d.countPadding) {
          taps = endTap(h, d.dilationH, d.height + d.padBottom, d.kernelH) * endTap(w, d.dilationW, d.width + d.padRight, d.kernelW);
        }
        for (let c = 0; c < C; c += 8) mean(d, y + <usize>c, x + <usize>c, rows, columns, rowStep, step, taps, C - c);
      }
      y += pixel;
    }
  }
}

/** Of 8 channels, of which there are `left` or more. */
@inline function mean(
  d: PoolBytesDesc, y: usize, x: usize, rows: i32, columns: i32, rowStep: usize, step: usize, taps: i32, left: i32,
): void {
  const zero = i16x8.splat(<i16>d.zero), scale = f32x4.splat(d.scale);
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let r = rows; r > 0; r--) {
    let tap = x;
    for (let s = columns; s > 0; s--) {
      const v = i16x8.sub(v128.load8x8_u(tap), zero);
      sum0 = f32x4.add(sum0, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)), scale));
      sum1 = f32x4.add(sum1, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v)), scale));
      tap += step;
    }
    x += rowStep;
  }
  const count = f32x4.splat(<f32>taps), divisor = f32x4.splat(d.divisor), offset = f32x4.splat(d.offset);
  const mean0 = f32x4.add(f32x4.div(f32x4.div(sum0, count), divisor), offset);
  const mean1 = f32x4.add(f32x4.div(f32x4.div(sum1, count), divisor), offset);
  storeFloats(y, mean0, mean1, left, d.endPtr);
}

/** Pixels whose bytes add up in 16 bits. */
const RUN: i32 = 256;

/** Work items: blocks of 16 channels, numbered n * blocks + block. */
export function mean_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<MeanBytesDesc>(desc);
  const pixel = <usize>d.channels;
  const zeros = i32x4.splat(d.zeros);
  for (let item = begin; item < end; item++) {
    const n = item / d.blocks;
    const c = (item - n * d.blocks) << 4;
    let x = d.xPtr + <usize>(n * d.pixels) * pixel + <usize>c;
    let a = i32x4.splat(0), b = a, e = a, f = a;
    for (let left = d.pixels; left > 0; left -= RUN) {
      let low = i16x8.splat(0), high = low;
      for (let p = min(left, RUN); p > 0; p--) {
        const v = v128.load(x);
        low = i16x8.add(low, i16x8.extend_low_i8x16_u(v));
        high = i16x8.add(high, i16x8.extend_high_i8x16_u(v));
        x += pixel;
      }
      a = i32x4.add(a, i32x4.extend_low_i16x8_u(low));
      b = i32x4.add(b, i32x4.extend_high_i16x8_u(low));
      e = i32x4.add(e, i32x4.extend_low_i16x8_u(high));
      f = i32x4.add(f, i32x4.extend_high_i16x8_u(high));
    }
    const y = d.yPtr + <usize>n * pixel + <usize>c;
    const count = d.channels - c;
    finish(d, y, i32x4.sub(a, zeros), i32x4.sub(b, zeros), count);
    if (count > 8) finish(d, y + 8, i32x4.sub(e, zeros), i32x4.sub(f, zeros), count - 8);
  }
}

/** Sums of 8 channels, of which there are `count` or more, as means. */
function finish(d: MeanBytesDesc, y: usize, sum0: v128, sum1: v128, count: i32): void {
  const scale = f32x4.splat(d.scale), pixels = f32x4.splat(d.count), divisor = f32x4.splat(d.divisor);
  const v0 = f32x4.div(f32x4.div(f32x4.mul(f32x4.convert_i32x4_s(sum0), scale), pixels), divisor);
  const v1 = f32x4.div(f32x4.div(f32x4.mul(f32x4.convert_i32x4_s(sum1), scale), pixels), divisor);
  storeFloats(y, v0, v1, count, d.endPtr);
}
