// A picture of bytes, resampled along its rows and then its columns, to a tensor: what Pillow's resize computes, bit for bit.
//
//   u[h, q, c] = clip((2^21 + sum over s of v[q, s] * x[h, w(q, s), c]) >> 22)
//   t[p, q, c] = clip((2^21 + sum over r of w[p, r] * u[h(p, r), q, c]) >> 22)
//   y[p, q, c] = t[p, q, order(c)] * factor[c] + addend[c]
//
// Weights are integers of 22 bits and a sign, as Pillow has them: the sums are exact, so that no order, tile or engine changes a
// bit, but for the last line, one product and one sum in float32, which is also the same everywhere. A weight is cut in two,
// w = 2048 high + low: i32x4.dot_i16x8_s then takes two taps of a pixel at a time, and (high sum << 11) + low sum is Pillow's sum
// modulo 2^32. Which taps, and their weights, stand in tables made at plan time: any filter, crop and mirror is a table.
//
//   picture    1, 3 or 4 bytes a pixel; u and t in scratch: 4 bytes a pixel, grey three times, alpha 255 where there is none
//   taps       pairs of taps: | high 0, high 1 | low 0, low 1 |, i16 each; columns take four taps of a load of 16 bytes
//   tile       columns: two rows of one output column; rows: 16 bytes, 4 pixels
//   source     Pillow, src/libImaging/Resample.c
import { ElementCode, ResampleDesc } from "../abi/vision";
import { storePart } from "../lib/simd";

// A pair of taps, four channels: byte b of the first and the second as neighbouring i16.
const RGBA_01 = i8x16(0, -128, 4, -128, 1, -128, 5, -128, 2, -128, 6, -128, 3, -128, 7, -128);
const RGBA_23 = i8x16(8, -128, 12, -128, 9, -128, 13, -128, 10, -128, 14, -128, 11, -128, 15, -128);
const RGB_01 = i8x16(0, -128, 3, -128, 1, -128, 4, -128, 2, -128, 5, -128, -128, -128, -128, -128);
const RGB_23 = i8x16(6, -128, 9, -128, 7, -128, 10, -128, 8, -128, 11, -128, -128, -128, -128, -128);
const GREY_01 = i8x16(0, -128, 1, -128, 0, -128, 1, -128, 0, -128, 1, -128, -128, -128, -128, -128);
const GREY_23 = i8x16(2, -128, 3, -128, 2, -128, 3, -128, 2, -128, 3, -128, -128, -128, -128, -128);

@inline function shifted(high: v128, low: v128): v128 {
  return i32x4.shr_s(i32x4.add(i32x4.add(i32x4.shl(high, 11), low), i32x4.splat(1 << 21)), 22);
}

@inline function addDot(sum: v128, taps: v128, weights: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(taps, weights));
}

/**
 * Rows [from, to) of the picture, resampled, to rows of `stride` bytes at dst; two at a time, so that weights are loaded once for
 * both; there is room for an even number. first, second: constants, since a swizzle by what an engine does not know takes twice the time.
 */
@inline function resampleColumnsBy(
  first: v128, second: v128, channels: i32, d: ResampleDesc, from: i32, to: i32, dst: usize, stride: usize,
): void {
  const opaque = i32x4.splat(channels == 4 ? 0 : 0xff000000);
  const step = <usize>channels << 2;
  const weightBytes = <usize>d.columnPairs << 3;
  const zero = i32x4.splat(0);
  let x = d.srcPtr + <usize>(from - d.firstRow) * <usize>d.srcRowBytes;
  for (let row = from; row < to; row += 2) {
    const next: usize = row + 1 < to ? <usize>d.srcRowBytes : 0; // the last of an odd number is its own second
    let start = d.columnsPtr;
    let weight = d.columnWeightsPtr;
    let y = dst;
    for (let q = d.columns; q > 0; q--) {
      let p = x + <usize>load<u32>(start);
      let high0 = zero, low0 = zero, high1 = zero, low1 = zero;
      const end = weight + weightBytes;
      do {
        const a = v128.load(p), b = v128.load(p + next);
        let high = v128.load32_splat(weight), low = v128.load32_splat(weight, 4);
        let taps = i8x16.swizzle(a, first);
        high0 = addDot(high0, taps, high);
        low0 = addDot(low0, taps, low);
        taps = i8x16.swizzle(b, first);
        high1 = addDot(high1, taps, high);
        low1 = addDot(low1, taps, low);
        high = v128.load32_splat(weight, 8);
        low = v128.load32_splat(weight, 12);
        taps = i8x16.swizzle(a, second);
        high0 = addDot(high0, taps, high);
        low0 = addDot(low0, taps, low);
        taps = i8x16.swizzle(b, second);
        high1 = addDot(high1, taps, high);
        low1 = addDot(low1, taps, low);
        p += step;
        weight += 16;
      } while (weight < end);
      const both = i16x8.narrow_i32x4_s(shifted(high0, low0), shifted(high1, low1));
      const pixels = v128.or(i8x16.narrow_i16x8_u(both, both), opaque);
      v128.store32_lane(y, pixels, 0);
      v128.store32_lane(y + stride, pixels, 1);
      start += 4;
      y += 4;
    }
    x += <usize>d.srcRowBytes << 1;
    dst += stride << 1;
  }
}

function resampleColumns(d: ResampleDesc, from: i32, to: i32, dst: usize, stride: usize): void {
  const channels = d.srcChannels;
  if (channels == 4) resampleColumnsBy(RGBA_01, RGBA_23, 4, d, from, to, dst, stride);
  else if (channels == 3) resampleColumnsBy(RGB_01, RGB_23, 3, d, from, to, dst, stride);
  else resampleColumnsBy(GREY_01, GREY_23, 1, d, from, to, dst, stride);
}

/** One row: the weighted sum of rows `stride` bytes apart. Stores whole vectors. */
function resampleRows(src: usize, stride: usize, weights: usize, pairs: i32, dst: usize, bytes: usize): void {
  const zero = i32x4.splat(0);
  const end = weights + (<usize>pairs << 3);
  let i: usize = 0;
  do {
    let high0 = zero, high1 = zero, high2 = zero, high3 = zero;
    let low0 = zero, low1 = zero, low2 = zero, low3 = zero;
    let p = src + i;
    let weight = weights;
    do {
      const a = v128.load(p), b = v128.load(p + stride);
      const high = v128.load32_splat(weight), low = v128.load32_splat(weight, 4);
      const left = i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const right = i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      let taps = i16x8.extend_low_i8x16_u(left);
      high0 = addDot(high0, taps, high);
      low0 = addDot(low0, taps, low);
      taps = i16x8.extend_high_i8x16_u(left);
      high1 = addDot(high1, taps, high);
      low1 = addDot(low1, taps, low);
      taps = i16x8.extend_low_i8x16_u(right);
      high2 = addDot(high2, taps, high);
      low2 = addDot(low2, taps, low);
      taps = i16x8.extend_high_i8x16_u(right);
      high3 = addDot(high3, taps, high);
      low3 = addDot(low3, taps, low);
      p += stride << 1;
      weight += 8;
    } while (weight < end);
    v128.store(
      dst + i,
      i8x16.narrow_i16x8_u(
        i16x8.narrow_i32x4_s(shifted(high0, low0), shifted(high1, low1)),
        i16x8.narrow_i32x4_s(shifted(high2, low2), shifted(high3, low3)),
      ),
    );
    i += 16;
  } while (i < bytes);
}

/** Colours of a row over their alpha again, as Pillow does: truncated, clipped. */
function divideByAlpha(row: usize, pixels: i32): void {
  for (let i = 0; i < pixels; i++) {
    const alpha = load<u8>(row, 3);
    if (alpha != 0 && alpha != 255) {
      store<u8>(row, <u8>min<u32>(255, (255 * <u32>load<u8>(row)) / alpha));
      store<u8>(row, <u8>min<u32>(255, (255 * <u32>load<u8>(row, 1)) / alpha), 1);
      store<u8>(row, <u8>min<u32>(255, (255 * <u32>load<u8>(row, 2)) / alpha), 2);
    }
    row += 4;
  }
}

/** Four floats as bytes: rounded, halves to even, and saturated. */
@inline function toBytes(v: v128, isSigned: bool): v128 {
  const half = i32x4.trunc_sat_f32x4_s(f32x4.nearest(v));
  const narrow = i16x8.narrow_i32x4_s(half, half);
  return isSigned ? i8x16.narrow_i16x8_s(narrow, narrow) : i8x16.narrow_i16x8_u(narrow, narrow);
}

/** Luma of four pixels, as Pillow's convert("L") has it. */
@inline function luma(pixels: v128): v128 {
  const mask = i32x4.splat(255);
  const red = i32x4.mul(v128.and(pixels, mask), i32x4.splat(19595));
  const green = i32x4.mul(v128.and(i32x4.shr_u(pixels, 8), mask), i32x4.splat(38470));
  const blue = i32x4.mul(v128.and(i32x4.shr_u(pixels, 16), mask), i32x4.splat(7471));
  return i32x4.shr_u(i32x4.add(i32x4.add(red, green), i32x4.add(blue, i32x4.splat(32768))), 16);
}

/** Four pixels of a channel as whole numbers; shift: where its byte is. */
@inline function channelOf(isGrey: bool, pixels: v128, shift: i32): v128 {
  if (isGrey) return luma(pixels);
  return v128.and(i32x4.shr_u(pixels, shift), i32x4.splat(255));
}

/** One channel of a row as floats side by side. isGrey: a constant, so that the loop has no branch. */
@inline function storeFloats(isGrey: bool, src: usize, dst: usize, count: i32, shift: i32, factor: v128, addend: v128): void {
  for (; count >= 4; count -= 4) {
    const v = f32x4.convert_i32x4_s(channelOf(isGrey, v128.load(src), shift));
    v128.store(dst, f32x4.add(f32x4.mul(v, factor), addend));
    src += 16;
    dst += 16;
  }
  if (count == 0) return;
  const v = f32x4.convert_i32x4_s(channelOf(isGrey, v128.load(src), shift));
  storePart(dst, f32x4.add(f32x4.mul(v, factor), addend), count);
}

/** And as bytes. */
@inline function storeBytes(isGrey: bool, isSigned: bool, src: usize, dst: usize, count: i32, shift: i32, factor: v128, addend: v128): void {
  for (; count > 0; count -= 4) {
    const v = f32x4.convert_i32x4_s(channelOf(isGrey, v128.load(src), shift));
    const bytes = toBytes(f32x4.add(f32x4.mul(v, factor), addend), isSigned);
    if (count >= 4) v128.store32_lane(dst, bytes, 0);
    else {
      v128.store8_lane(dst, bytes, 0);
      if (count > 1) v128.store8_lane(dst, bytes, 1, 1);
      if (count > 2) v128.store8_lane(dst, bytes, 2, 2);
    }
    src += 16;
    dst += 4;
  }
}

/** One channel of a row, elements side by side. */
function storePlane(d: ResampleDesc, src: usize, dst: usize, channel: i32): void {
  const finish = d.finishPtr + (<usize>channel << 2);
  const factor = v128.load32_splat(finish), addend = v128.load32_splat(finish, 16);
  const shift = (load<i32>(finish, 48) & 3) << 3;
  const isGrey = d.channels == 1;
  if (d.element != ElementCode.float32)
    storeBytes(isGrey, d.element == ElementCode.int8, src, dst, d.columns, shift, factor, addend);
  else if (isGrey) storeFloats(true, src, dst, d.columns, 0, factor, addend);
  else storeFloats(false, src, dst, d.columns, shift, factor, addend);
}

/** A row of 3 or 4 channels, those of a pixel side by side: the vector of three reaches into the next pixel, which comes after. */
function storePixels(d: ResampleDesc, src: usize, dst: usize): void {
  const factor = v128.load(d.finishPtr), addend = v128.load(d.finishPtr, 16), order = v128.load(d.finishPtr, 48);
  const isFloat = d.element == ElementCode.float32, isSigned = d.element == ElementCode.int8;
  const isFour = d.channels == 4;
  for (let q = d.columns; q > 0; q--) {
    const whole = i8x16.swizzle(v128.load32_zero(src), order);
    const v = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(whole), factor), addend);
    if (isFloat) {
      if (isFour || q > 1) v128.store(dst, v);
      else {
        v128.store64_lane(dst, v, 0);
        v128.store32_lane(dst, v, 2, 8);
      }
      dst += isFour ? 16 : 12;
    } else {
      const bytes = toBytes(v, isSigned);
      if (isFour || q > 1) v128.store32_lane(dst, bytes, 0);
      else {
        v128.store16_lane(dst, bytes, 0);
        v128.store8_lane(dst, bytes, 2, 2);
      }
      dst += isFour ? 4 : 3;
    }
    src += 4;
  }
}

/** `bytes` bytes from dst on that repeat the first `known` of them. */
function repeat(dst: usize, known: usize, bytes: usize): void {
  while (known < bytes) {
    const more = min(known, bytes - known);
    memory.copy(dst + known, dst, more);
    known += more;
  }
}

/** The margin of a row: `count` pixels from number `at` on. */
function fill(d: ResampleDesc, row: usize, at: i32, count: i32): void {
  if (count <= 0) return;
  const size: usize = d.element == ElementCode.float32 ? 4 : 1;
  const isPlanar = <usize>d.dstPixelBytes == size;
  const first = row + <usize>at * <usize>d.dstPixelBytes;
  for (let c = 0; c < d.channels; c++) {
    const dst = first + <usize>c * <usize>d.dstChannelBytes;
    const value = load<f32>(d.finishPtr + (<usize>c << 2), 32);
    if (size == 4) store<f32>(dst, value);
    else store<u8>(dst, <u8><i32>value);
    if (isPlanar) repeat(dst, size, <usize>count * size);
  }
  if (!isPlanar) repeat(first, d.dstPixelBytes, <usize>count * <usize>d.dstPixelBytes);
}

/**
 * Work items: rows of the tensor. scratch: rows of the picture that these need, resampled, each roundUp(4 * columns, 16) bytes, an even number of
 * them, and one such row.
 */
export function resample_u8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ResampleDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.columns > 0 && d.columnPairs > 0 && d.rowPairs > 0 && (d.columnPairs & 1) == 0);
  const bytes = <usize>d.columns << 2;
  const stride = (bytes + 15) & ~15;
  const taps = d.rowPairs << 1;
  const from = max(begin, d.top), to = min(end, d.top + d.rows); // computed
  const count = to - from;
  const low = d.rowsPtr + (<usize>(from - d.top) << 2);
  const first = count > 0 ? min(load<i32>(low), load<i32>(low + (<usize>(count - 1) << 2))) : 0;
  const last = count > 0 ? min(d.endRow, max(load<i32>(low), load<i32>(low + (<usize>(count - 1) << 2))) + taps) : 0;
  if (count > 0 && !d.sparse) resampleColumns(d, first, last, scratch, stride);
  const rest = scratch + <usize>(d.sparse ? taps : (last - first + 1) & ~1) * stride; // t
  for (let p = begin; p < end; p++) {
    const row = d.dstPtr + <usize>p * <usize>d.dstRowBytes;
    if (p < from || p >= to) {
      fill(d, row, 0, d.left + d.columns + d.right);
      continue;
    }
    const start = load<i32>(d.rowsPtr + (<usize>(p - d.top) << 2));
    let src = scratch;
    if (d.sparse) resampleColumns(d, start, min(d.endRow, start + taps), scratch, stride);
    else src += <usize>(start - first) * stride;
    const weights = d.rowWeightsPtr + (<usize>((p - d.top) * d.rowPairs) << 3);
    resampleRows(src, stride, weights, d.rowPairs, rest, bytes);
    if (d.premultiplied) divideByAlpha(rest, d.columns);
    const dst = row + <usize>d.left * <usize>d.dstPixelBytes;
    if (d.plain) memory.copy(dst, rest, bytes);
    else if (d.dstPixelBytes == (d.element == ElementCode.float32 ? 4 : 1)) {
      for (let c = 0; c < d.channels; c++) storePlane(d, rest, dst + <usize>c * <usize>d.dstChannelBytes, c);
    } else storePixels(d, rest, dst);
    fill(d, row, 0, d.left);
    fill(d, row, d.left + d.columns, d.right);
  }
}
