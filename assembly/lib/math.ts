// Elementary functions on four floats. Each keeps NaN and takes infinities; the errors stated are the largest found
// against float64 (test/activation.test.ts, test/onnx-ops.test.ts), in units in the last place of the result.
import { madd, maxOf, minOf, nmadd, splat } from "./simd";

// Places in the table.
const EXP: i32 = 0;
const EXPM1: i32 = 8;
const TANH: i32 = 14;
const GELU_P: i32 = 19;
const GELU_Q: i32 = 26;
const GELU_ENDS: i32 = 31;
const LOGISTIC: i32 = 35;

/**
 * The constants of the functions below, as data at addresses that no allocator gives out; every pack writes the same bytes. V8
 * makes a v128.const anew in each turn of a loop, in three instructions, where this is one load: gelu takes 1.0 ns an element
 * instead of 2.0.
 */
const TABLE = memory.data<f32>([
  // EXP: 1 / ln 2; ln 2 in two parts, the first of 9 bits, so that n times it is exact; where e^x ends; 1; 1.5 * 2^23; 2^-64
  1.44269504, 0.693359375, -2.12194440e-4, -125, 89, 1, 12582912, 5.421010862427522e-20,
  // EXPM1
  1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
  // TANH
  -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1,
  // GELU_P
  1.0557466595229363e-10, -2.145990474565118e-8, 3.2546343978105054e-6, 1.7636187818949488e-4, 4.554209307118365e-3, 3.661506797952033e-2, 3.9894225453980187e-1,
  // GELU_Q
  6.382026948580389e-5, 1.8697683016648038e-3, 2.949277530272523e-2, 2.584459884133408e-1, 1,
  // GELU_ENDS
  -6, 6, -0.5, 0.5,
  // LOGISTIC: -1 / ln 2; from and to where e^-x is computed
  -1.44269504, -88, 86,
], 16);

/** Constant i of the table in all lanes. */
@inline function constant(i: i32): v128 {
  return v128.load32_splat(TABLE + (<usize>i << 2));
}

/** One more coefficient of a polynomial: p x + constant i. */
@inline function next(p: v128, x: v128, i: i32): v128 {
  return madd(p, x, constant(i));
}

/** The polynomial with 5 coefficients from the table's constant i on, highest first. */
@inline function polynomial5(x: v128, i: i32): v128 {
  return next(next(next(next(constant(i), x, i + 1), x, i + 2), x, i + 3), x, i + 4);
}

@inline function polynomial6(x: v128, i: i32): v128 {
  return next(polynomial5(x, i), x, i + 5);
}

@inline function clampExponent(x: v128): v128 {
  return minOf(maxOf(x, constant(EXP + 3)), constant(EXP + 4));
}

/** n of x = n ln 2 + r, |r| <= ln(2)/2. */
@inline function octaves(x: v128): v128 {
  return f32x4.nearest(f32x4.mul(x, constant(EXP)));
}

/** r of x = n ln 2 + r. */
@inline function remainder(x: v128, n: v128): v128 {
  return nmadd(n, constant(EXP + 2), nmadd(n, constant(EXP + 1), x));
}

/** e^r - 1 for |r| <= ln(2)/2: r + r^2 P(r), Moshier's coefficients of degree 5 (Cephes, expf). */
@inline function expm1Near0(r: v128): v128 {
  return madd(polynomial6(r, EXPM1), f32x4.mul(r, r), r);
}

/** 2^n for a whole n from -126 to 127. */
@inline function powerOf2(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

/** m * 2^n in two halves, so that the result may overflow to infinity or fade into the subnormal numbers. */
@inline function scaled(m: v128, n: v128): v128 {
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  return f32x4.mul(f32x4.mul(m, powerOf2(half)), powerOf2(i32x4.sub(whole, half)));
}

/**
 * e^x = 2^n e^r: n is x / ln 2 rounded, r what is left, e^r a polynomial.
 * 1 ulp; subnormal results lose the bits that they do not have. Source: Cody and Waite (1980); Cephes, expf.
 */
@inline export function exp(x: v128): v128 {
  const t = clampExponent(x);
  const n = octaves(t);
  return scaled(f32x4.add(expm1Near0(remainder(t, n)), constant(EXP + 5)), n);
}

/** n of octaves(x), |x| < 2^21, as 1.5 * 2^23 + n, which its low bits hold. */
@inline function octavesFrom(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, constant(EXP)), constant(EXP + 6));
}

/** m * 2^n for 1.5 * 2^23 + n, n from -180 to 60: by 2^(n + 64), then by 2^-64, so that it may fade into the subnormal numbers. */
@inline function faded(m: v128, whole: v128): v128 {
  return f32x4.mul(f32x4.mul(m, i32x4.shl(i32x4.add(whole, i32x4.splat(127 + 64)), 23)), constant(EXP + 7));
}

/** e^x for x <= 0: exp's bits in half of its time, as nothing can overflow. */
@inline export function expNegative(x: v128): v128 {
  const t = maxOf(x, constant(EXP + 3));
  const whole = octavesFrom(t);
  return faded(f32x4.add(expm1Near0(remainder(t, f32x4.sub(whole, constant(EXP + 6)))), constant(EXP + 5)), whole);
}

/**
 * e^x - 1 for x <= 0 (0 for x above): 2^n (e^r - 1) + (2^n - 1), where the second term is exact.
 * 2 ulp, also next to 0, where e^x - 1 as written would lose every digit.
 */
@inline export function expm1Negative(x: v128): v128 {
  const t = maxOf(minOf(x, splat(0)), splat(-30)); // -1 from -18 on
  const n = octaves(t);
  const scale = powerOf2(i32x4.trunc_sat_f32x4_s(n));
  return madd(expm1Near0(remainder(t, n)), scale, f32x4.sub(scale, splat(1)));
}

/**
 * log x = e ln 2 + log(m), m from sqrt(1/2) to sqrt(2), log(1 + f) = f - f^2/2 + f^3 P(f).
 * 1 ulp; -infinity at 0, NaN below. Source: Moshier's coefficients of degree 8 (Cephes, logf).
 */
@inline export function log(x: v128): v128 {
  const subnormal = f32x4.lt(x, splat(1.17549435e-38));
  const normal = v128.bitselect(f32x4.mul(x, splat(8388608)), x, subnormal);
  // Subtracting sqrt(1/2) from the bits puts the step of the exponent at sqrt(1/2) instead of 1.
  const bits = i32x4.sub(normal, i32x4.splat(0x3f3504f3));
  const exponent = i32x4.sub(i32x4.shr_s(bits, 23), v128.and(subnormal, i32x4.splat(23)));
  const mantissa = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3));
  const e = f32x4.convert_i32x4_s(exponent);
  const f = f32x4.sub(mantissa, splat(1));
  const square = f32x4.mul(f, f);
  let p = madd(splat(7.0376836292e-2), f, splat(-1.1514610310e-1));
  p = madd(p, f, splat(1.1676998740e-1));
  p = madd(p, f, splat(-1.2420140846e-1));
  p = madd(p, f, splat(1.4249322787e-1));
  p = madd(p, f, splat(-1.6668057665e-1));
  p = madd(p, f, splat(2.0000714765e-1));
  p = madd(p, f, splat(-2.4999993993e-1));
  p = madd(p, f, splat(3.3333331174e-1));
  p = f32x4.mul(f32x4.mul(p, square), f);
  p = madd(e, constant(EXP + 2), p);
  p = nmadd(splat(0.5), square, p);
  let y = madd(e, constant(EXP + 1), f32x4.add(f, p));
  y = v128.bitselect(y, x, f32x4.lt(x, splat(Infinity)));
  y = v128.bitselect(splat(-Infinity), y, f32x4.eq(x, splat(0)));
  return v128.bitselect(splat(NaN), y, f32x4.lt(x, splat(0)));
}

/**
 * Below 0.625 x + x^3 P(x^2), above 1 - 2 / (e^2|x| + 1) with the sign of x.
 * 2 ulp. Source: Moshier's coefficients of degree 4 (Cephes, tanhf).
 */
@inline export function tanh(x: v128): v128 {
  const a = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  const p = polynomial5(z, TANH);
  const small = madd(f32x4.mul(p, z), x, x);
  const large = f32x4.sub(splat(1), f32x4.div(splat(2), f32x4.add(exp(f32x4.add(a, a)), splat(1))));
  const signed = v128.bitselect(x, large, i32x4.splat(0x80000000));
  return v128.bitselect(small, signed, f32x4.lt(a, splat(0.625)));
}

/**
 * 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below: the exponential never overflows and both tails keep their digits.
 * 2.5 ulp.
 */
@inline export function sigmoid(x: v128): v128 {
  const e = expNegative(f32x4.neg(f32x4.abs(x)));
  const top = v128.bitselect(e, splat(1), f32x4.lt(x, splat(0)));
  return f32x4.div(top, f32x4.add(e, constant(EXP + 5)));
}

/** Constants i and i + 1 as a polynomial in -x: constant i + 1 less x constant i. */
@inline function pair(x: v128, i: i32): v128 {
  return nmadd(constant(i), x, constant(i + 1));
}

/**
 * e^-t for t from -88 to 86, 1.5 ulp: 2^n e^-s with n of -t / ln 2 and s = t + n ln 2, e^-s by Moshier's coefficients in pairs,
 * which wait for each other half as long as one by one.
 */
@inline function decay(t: v128): v128 {
  const whole = madd(t, constant(LOGISTIC), constant(EXP + 6));
  const n = f32x4.sub(whole, constant(EXP + 6));
  const s = madd(n, constant(EXP + 2), madd(n, constant(EXP + 1), t));
  const z = f32x4.mul(s, s);
  const p = madd(madd(pair(s, EXPM1), z, pair(s, EXPM1 + 2)), z, pair(s, EXPM1 + 4));
  const m = madd(p, z, f32x4.sub(constant(EXP + 5), s));
  return f32x4.mul(m, i32x4.add(i32x4.shl(whole, 23), constant(EXP + 5))); // of 1.5 * 2^23 + n only n is left
}

/** e^-t for t >= 0, 0 from 86 on. */
@inline export function vanishing(t: v128): v128 {
  return v128.andnot(decay(minOf(t, constant(LOGISTIC + 2))), f32x4.gt(t, constant(LOGISTIC + 2)));
}

/**
 * x sigmoid(w) = x / (1 + e^-w), for w of the sign of x. 3 ulp, and 2.5 more for each unit of a negative w that is itself rounded.
 * Below w = -88 it is 0, where |x| e^w is below 7e-39 |x|: to fade there would cost half as much again, in every activation of an
 * EfficientNet.
 */
@inline export function timesSigmoid(x: v128, w: v128): v128 {
  const e = decay(minOf(maxOf(w, constant(LOGISTIC + 1)), constant(LOGISTIC + 2)));
  return v128.andnot(f32x4.div(x, f32x4.add(e, constant(EXP + 5))), f32x4.lt(w, constant(LOGISTIC + 1)));
}

/**
 * x Phi(x) = x (1/2 + r), r = erf(x / sqrt 2) / 2 = x P(x^2) / Q(x^2) on [-6, 6], beyond which it is a half of the sign of x.
 * 4 ulp for x > -1; below, where 1/2 + r cancels, 2.5e-7 |x|, and 0 from -5.6 on. Coefficients: those of erf, scaled. As
 * e^(-x^2/2) by a polynomial the tail would keep its digits, at four times the time: 4.1 ns an element, a sixth of ConvNeXt.
 */
@inline export function gelu(x: v128): v128 {
  const above = maxOf(x, constant(GELU_ENDS)); // 0 is to come of -infinity
  const t = minOf(above, constant(GELU_ENDS + 1));
  const z = f32x4.mul(t, t);
  const r = f32x4.div(f32x4.mul(t, next(polynomial6(z, GELU_P), z, GELU_P + 6)), polynomial5(z, GELU_Q));
  const half = constant(GELU_ENDS + 3);
  return f32x4.mul(above, f32x4.add(minOf(maxOf(r, constant(GELU_ENDS + 2)), half), half));
}

/** x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)): 0.5 x (1 + tanh(w)) without what cancels in 1 + tanh. */
@inline export function geluTanh(x: v128): v128 {
  const inner = madd(f32x4.mul(x, x), splat(0.07135481627159), splat(1.595769121605731));
  return timesSigmoid(x, f32x4.mul(x, inner));
}

/**
 * erf x = x P(x^2) / Q(x^2) on [-4, 4], beyond which it is 1 in float32. 7 ulp; a minimax fit of degrees 13 and 8.
 */
@inline export function erf(x: v128): v128 {
  const t = minOf(maxOf(x, splat(-4)), splat(4));
  const z = f32x4.mul(t, t);
  let p = madd(splat(-2.72614225801306e-10), z, splat(2.77068142495902e-8));
  p = madd(p, z, splat(-2.10102402082508e-6));
  p = madd(p, z, splat(-5.69250639462346e-5));
  p = madd(p, z, splat(-7.34990630326855e-4));
  p = madd(p, z, splat(-2.95459980854025e-3));
  p = madd(p, z, splat(-1.60960333262415e-2));
  let q = madd(splat(-1.45660718464996e-5), z, splat(-2.13374055278905e-4));
  q = madd(q, z, splat(-1.68282697438203e-3));
  q = madd(q, z, splat(-7.37332916720468e-3));
  q = madd(q, z, splat(-1.42647390514189e-2));
  return f32x4.div(f32x4.mul(t, p), q);
}

/** Beyond it n times the first part of pi / 2 is rounded. */
const SINE_EXACT: f32 = 1e6;

/**
 * Of two floats x: x - n pi / 2, and as whole numbers behind them n, the nearest. In float64, pi / 2 in parts of 33 and 53 bits,
 * for n below 2^20. Not inlined: it is smaller once than twice.
 */
function angles(x: v128): v128 {
  const wide = f64x2.promote_low_f32x4(x);
  const n = f64x2.nearest(f64x2.mul(wide, f64x2.splat(0.63661977236758134308)));
  const near = f64x2.sub(wide, f64x2.mul(n, f64x2.splat(1.57079632673412561417)));
  const r = f64x2.sub(near, f64x2.mul(n, f64x2.splat(6.07710050650619224932e-11)));
  const whole = i64x2.extract_lane(i32x4.trunc_sat_f64x2_s_zero(n), 0);
  return i64x2.replace_lane(f32x4.demote_f64x2_zero(r), 1, whole);
}

/**
 * x less the nearest multiple of pi / 2, and at `quadrant` that multiple's number modulo 4, for any |x| from 1 up: of the
 * product with 1 / (2 pi) only the bits behind its point are computed. Source: Payne and Hanek (1983); Juffa.
 */
function largeRemainder(x: f32, quadrant: usize): f32 {
  const bits = reinterpret<u32>(x);
  let shift = <u64>((bits >> 23) & 255) - 126; // |x| = m 2^(shift - 32), m of 32 bits
  const m = <u64>((bits << 8) | 0x80000000);
  // 32 zeros, then the bits of 1 / (2 pi): 96 of them from `shift` on, since what lies before gives whole turns.
  let a: u64 = 0x28be60db;
  let b: u64 = 0x9391054a7f09d5f4;
  let c: u64 = 0x7d4d377036d8a566;
  let d: u64 = 0x4f10e41000000000;
  for (; shift >= 64; shift -= 64) {
    a = b;
    b = c;
    c = d;
    d = 0;
  }
  const back = 63 - shift;
  a = (a << shift) | (b >> 1 >> back);
  b = (b << shift) | (c >> 1 >> back);
  // In units of 2^-64 of a turn, modulo one.
  const turns = ((m * (a >> 32)) << 32) + m * (a & 0xffffffff) + ((m * (b >> 32)) >> 32);
  const n = (turns + (<u64>1 << 61)) >> 62;
  const r = <f32>(<f64><i64>(turns - (n << 62)) * 3.4061215800865545e-19); // 2 pi * 2^-64
  const isNegative = <i32>bits < 0;
  store<u32>(quadrant, <u32>(isNegative ? 0 - n : n));
  return isNegative ? -r : r;
}

/**
 * sin(x + quarter * pi / 2), quarter 0 or 1: x = n pi / 2 + r, then the sine or cosine of r by the quadrant. 2 ulp for every x,
 * next to zeros too: r is taken in float64 and rounded once, from 1e6 on by largeRemainder. NaN for infinities. scratch: 32 bytes.
 * Source: Moshier's coefficients (Cephes, sinf and cosf); Cody and Waite (1980).
 */
@inline export function sine(x: v128, quarter: i32, scratch: usize): v128 {
  const low = angles(x);
  const high = angles(i64x2.splat(i64x2.extract_lane(x, 1)));
  let r = i64x2.replace_lane(low, 1, i64x2.extract_lane(high, 0));
  let n = i64x2.replace_lane(high, 0, i64x2.extract_lane(low, 1));
  const isLarge = f32x4.gt(f32x4.abs(x), splat(SINE_EXACT));
  if (v128.any_true(isLarge)) {
    v128.store(scratch, x);
    for (let at = scratch; at < scratch + 16; at += 4) {
      const v = load<f32>(at);
      if (abs(v) > SINE_EXACT) store<f32>(at, largeRemainder(v, at + 16));
    }
    // Infinity less itself is NaN, and any other number 0.
    r = v128.bitselect(f32x4.add(v128.load(scratch), f32x4.sub(x, x)), r, isLarge);
    n = v128.bitselect(v128.load(scratch, 16), n, isLarge);
  }
  const z = f32x4.mul(r, r);
  let s = madd(splat(-1.9515295891e-4), z, splat(8.3321608736e-3));
  s = madd(s, z, splat(-1.6666654611e-1));
  s = madd(f32x4.mul(s, z), r, r);
  let c = madd(splat(2.443315711809948e-5), z, splat(-1.388731625493765e-3));
  c = madd(c, z, splat(4.166664568298827e-2));
  c = madd(f32x4.mul(c, z), z, nmadd(splat(0.5), z, splat(1)));
  const quadrant = i32x4.add(n, i32x4.splat(quarter));
  const isOdd = i32x4.shr_s(i32x4.shl(quadrant, 31), 31);
  const sign = i32x4.shl(i32x4.shr_u(quadrant, 1), 31);
  return v128.xor(v128.bitselect(c, s, isOdd), sign);
}
