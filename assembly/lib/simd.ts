// The vector primitives of every kernel. This is the only file that knows which of the two binaries is being built:
// ASC_FEATURE_RELAXED_SIMD is a compile-time constant, so the untaken side of each branch is never compiled.

/** 1 in the relaxed binary, 0 in the fixed-width one. */
export const RELAXED: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 0;

/** a*b + c. Fused (one rounding) where the engine has FMA in the relaxed binary, two roundings in `simd`. */
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

// A short sum of products added to c: maddFirst, any madd, maddLast. With FMA it continues c; without, the products are
// summed first, so that the next sum waits for one addition only (depthwise 3x3: 12 % faster).

@inline export function maddFirst(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return madd(a, b, c);
  else return f32x4.mul(a, b);
}

@inline export function maddLast(a: v128, b: v128, sum: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return madd(a, b, sum);
  else return f32x4.add(c, madd(a, b, sum));
}

/** c - a*b. */
@inline export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  else return f32x4.sub(c, f32x4.mul(a, b));
}

// pmax/pmin are one machine instruction where f32x4.max/min are five to seven (measured 6 times slower in max-pool).
// A NaN in `a` survives both, since every comparison with it is false.

/** a < b ? b : a, by lane; NaN in `a` is kept. */
@inline export function maxOf(a: v128, b: v128): v128 {
  return f32x4.pmax(a, b);
}

/** b < a ? b : a, by lane; NaN in `a` is kept. */
@inline export function minOf(a: v128, b: v128): v128 {
  return f32x4.pmin(a, b);
}

@inline export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** Sum of the four lanes, pairwise: (0+2) + (1+3). */
@inline export function hsum(v: v128): f32 {
  const pair = f32x4.add(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** The sums of four vectors, a lane each; every sum pairwise: (0+2) + (1+3). */
@inline export function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.add(i64x2.shuffle(ab, cd, 0, 2), i64x2.shuffle(ab, cd, 1, 3));
}

/** The largest of the four lanes. */
@inline export function hmax(v: v128): f32 {
  const pair = maxOf(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(maxOf(pair, i32x4.shuffle(pair, pair, 1, 0, 3, 2)), 0);
}

/** Stores the first `count` (1 to 4) lanes. Loads need no twin: every allocation has SLACK_BYTES behind it. */
@inline export function storeLanes(ptr: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(ptr, v);
  } else {
    f32.store(ptr, f32x4.extract_lane(v, 0));
    if (count > 1) f32.store(ptr, f32x4.extract_lane(v, 1), 4);
    if (count > 2) f32.store(ptr, f32x4.extract_lane(v, 2), 8);
  }
}

/** storeLanes as a call: for tails behind loops that are there many times. */
export function storePart(ptr: usize, v: v128, count: i32): void {
  storeLanes(ptr, v, count);
}

/** acc + a * b, bytes in fours: a int8, b as the engine has it (dot.ts). Nothing calls it in `simd`. */
@inline export function dot4(a: v128, b: v128, acc: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, acc);
  else return acc;
}
