// Bytes of quantised layers: from int32 sums, and made wider.

/**
 * clamp(round(sum * scale) + zero), halves to even: 8 bytes, in both halves. A float that is added to 1.5 * 2^23 has its whole number
 * in the low bits, rounded as floats are, where |sum * scale| < 2^22: plans see to that. base: those of magic, less zero.
 */
@inline export function toBytes(
  sum0: v128, sum1: v128, scale0: v128, scale1: v128, magic: v128, base: v128, low: v128, high: v128,
): v128 {
  const r0 = i32x4.sub(f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(sum0), scale0), magic), base);
  const r1 = i32x4.sub(f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(sum1), scale1), magic), base);
  const pairs = i16x8.narrow_i32x4_s(r0, r1);
  return i8x16.min_u(i8x16.max_u(i8x16.narrow_i16x8_u(pairs, pairs), low), high);
}

/** The first `count` (1 to 7) of 8 bytes. */
export function storeBytes(ptr: usize, bytes: v128, count: i32): void {
  let rest = i64x2.extract_lane(bytes, 0);
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
