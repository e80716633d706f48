// Bytes from int32 sums and from floats. What they end as is 96 bytes in memory (abi/int8-bytes.ts): V8 would make a constant
// vector anew at every use, in three instructions.
import { SumTerms } from "../abi/int8-bytes";

/**
 * 8 sums as bytes, in the lower half: round(sum * scale) + zero, saturated, halves to even. |sum * scale| < 2^22, so that behind the
 * addition of 1.5 * 2^23 the number is what the lowest bits are.
 */
@inline export function requantised(sum0: v128, sum1: v128, scale0: v128, scale1: v128, end: usize): v128 {
  return bytesOf(f32x4.mul(f32x4.convert_i32x4_s(sum0), scale0), f32x4.mul(f32x4.convert_i32x4_s(sum1), scale1), end);
}

/** As requantised, of 8 floats. */
@inline export function bytesOf(v0: v128, v1: v128, end: usize): v128 {
  const half = i16x8.narrow_i32x4_s(
    i32x4.sub(f32x4.add(v0, v128.load(end)), v128.load(end, 16)),
    i32x4.sub(f32x4.add(v1, v128.load(end)), v128.load(end, 16)),
  );
  return i8x16.narrow_i16x8_u(half, half);
}

/** Sums of bytes of a and b, of which either may lie where y does. */
export function sumBytes(d: SumTerms, y: usize, a: usize, b: usize, count: i32, end: usize): void {
  const aZero = i16x8.splat(<i16>d.aZero), bZero = i16x8.splat(<i16>d.bZero);
  const ra = f32x4.splat(d.aFactor), rb = f32x4.splat(d.bFactor), offset = f32x4.splat(d.offset);
  for (; count > 0; count -= 8) {
    const u = i16x8.sub(v128.load8x8_u(a), aZero), v = i16x8.sub(v128.load8x8_u(b), bZero);
    const s0 = f32x4.add(f32x4.add(f32x4.mul(low(u), ra), f32x4.mul(low(v), rb)), offset);
    const s1 = f32x4.add(f32x4.add(f32x4.mul(high(u), ra), f32x4.mul(high(v), rb)), offset);
    storeBytes(y, bytesOf(s0, s1, end), count);
    a += 8;
    b += 8;
    y += 8;
  }
}

/** Bounds bytes that are stored already: in the sums' own loops it would take a tenth of their time, and few are bounded. */
export function bound(y: usize, count: i32, end: usize): void {
  const low = v128.load(end, 32), high = v128.load(end, 48);
  for (; count > 15; count -= 16) {
    v128.store(y, i8x16.min_u(i8x16.max_u(v128.load(y), low), high));
    y += 16;
  }
  for (; count > 0; count -= 8) {
    storeBytes(y, i8x16.min_u(i8x16.max_u(v128.load64_zero(y), low), high), count);
    y += 8;
  }
}

/** Stores the first `count` (1 to 8) bytes. */
@inline export function storeBytes(ptr: usize, v: v128, count: i32): void {
  if (count >= 8) v128.store64_lane(ptr, v, 0);
  else storeFew(ptr, v, count);
}

/** 1 to 7 bytes. */
function storeFew(ptr: usize, v: v128, count: i32): void {
  let rest = i64x2.extract_lane(v, 0);
  if (count & 4) {
    store<u32>(ptr, <u32>rest);
    rest >>= 32;
    ptr += 4;
  }
  if (count & 2) {
    store<u16>(ptr, <u16>rest);
    rest >>= 16;
    ptr += 2;
  }
  if (count & 1) store<u8>(ptr, <u8>rest);
}

/** Stores the first `count` of 8 floats, whatever they are, as bytes; NaN as the least. */
export function storeFloats(y: usize, v0: v128, v1: v128, count: i32, end: usize): void {
  const low = v128.load(end, 64), high = v128.load(end, 80);
  storeBytes(y, bytesOf(f32x4.pmin(f32x4.pmax(low, v0), high), f32x4.pmin(f32x4.pmax(low, v1), high), end), count);
}

/** Floats of the lower or upper half of 8 int16. */
@inline export function low(v: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v));
}

@inline export function high(v: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v));
}

/** y = x, its bits turned where mask has some. */
export function move(y: usize, x: usize, count: i32, mask: v128): void {
  for (; count > 15; count -= 16) {
    v128.store(y, v128.xor(v128.load(x), mask));
    x += 16;
    y += 16;
  }
  if (count > 7) {
    v128.store64_lane(y, v128.xor(v128.load64_zero(x), mask), 0);
    x += 8;
    y += 8;
    count -= 8;
  }
  if (count) storeBytes(y, v128.xor(v128.load64_zero(x), mask), count);
}

/** `count` bytes at src less zero, as i16. Nothing is written behind them. */
export function widen(dst: usize, src: usize, count: i32, zero: i32): void {
  if (count < 8) {
    for (let i = 0; i < count; i++) store<i16>(dst + (<usize>i << 1), <i16>(<i32>load<u8>(src + i) - zero));
    return;
  }
  const z = i16x8.splat(<i16>zero);
  const last = src + <usize>count - 8;
  const end = dst + (<usize>count << 1) - 16;
  for (; src < last; src += 8) {
    v128.store(dst, i16x8.sub(v128.load8x8_u(src), z));
    dst += 16;
  }
  v128.store(end, i16x8.sub(v128.load8x8_u(last), z)); // with some before it once more
}
