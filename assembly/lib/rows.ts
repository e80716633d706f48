// Rows of floats, four at a time.

/** The largest |x| of so many floats: bits of positive ones, as whole numbers, are in the same order, NaN above all. */
export function largest(x: usize, count: i32): f32 {
  let most = i32x4.splat(0);
  for (let k = 0; k < count; k += 4) most = i32x4.max_s(most, v128.and(part(x, k, count), i32x4.splat(0x7fffffff)));
  most = i32x4.max_s(most, i64x2.shuffle(most, most, 1, 0));
  most = i32x4.max_s(most, i32x4.shuffle(most, most, 1, 0, 3, 2));
  return f32x4.extract_lane(most, 0);
}

/** Four floats from k on, zeros from `count` on. */
@inline export function part(x: usize, k: i32, count: i32): v128 {
  const v = v128.load(x + (<usize>k << 2));
  return k + 4 <= count ? v : v128.and(v, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count - k)));
}
