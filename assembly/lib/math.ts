// Elementary functions on four floats. Each keeps NaN and takes infinities; the errors stated are the largest found
// against float64 (test/activation.test.ts, test/onnx-ops.test.ts), in units in the last place of the result.
import { madd, maxOf, minOf, nmadd, splat } from "./simd";

const LOG2_E: f32 = 1.44269504;
// ln 2 in two parts: the first has 9 bits, so that n * LN2_HI is exact.
const LN2_HI: f32 = 0.693359375;
const LN2_LO: f32 = -2.12194440e-4;
// Past these e^x is infinity, and less than half of the smallest float even when multiplied by x.
const EXP_HIGH: f32 = 89;
const EXP_LOW: f32 = -125;

@inline function clampExponent(x: v128): v128 {
  return minOf(maxOf(x, splat(EXP_LOW)), splat(EXP_HIGH));
}

/** n of x = n ln 2 + r, |r| <= ln(2)/2. */
@inline function octaves(x: v128): v128 {
  return f32x4.nearest(f32x4.mul(x, splat(LOG2_E)));
}

/** r of x = n ln 2 + r. */
@inline function remainder(x: v128, n: v128): v128 {
  return nmadd(n, splat(LN2_LO), nmadd(n, splat(LN2_HI), x));
}

/** e^r - 1 for |r| <= ln(2)/2: r + r^2 P(r), Moshier's coefficients of degree 5 (Cephes, expf). */
@inline function expm1Near0(r: v128): v128 {
  let p = madd(splat(1.9875691500e-4), r, splat(1.3981999507e-3));
  p = madd(p, r, splat(8.3334519073e-3));
  p = madd(p, r, splat(4.1665795894e-2));
  p = madd(p, r, splat(1.6666665459e-1));
  p = madd(p, r, splat(5.0000001201e-1));
  return madd(p, f32x4.mul(r, r), r);
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
  return scaled(f32x4.add(expm1Near0(remainder(t, n)), splat(1)), n);
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
  p = madd(e, splat(LN2_LO), p);
  p = nmadd(splat(0.5), square, p);
  let y = madd(e, splat(LN2_HI), f32x4.add(f, p));
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
  let p = madd(splat(-5.70498872745e-3), z, splat(2.06390887954e-2));
  p = madd(p, z, splat(-5.37397155531e-2));
  p = madd(p, z, splat(1.33314422036e-1));
  p = madd(p, z, splat(-3.33332819422e-1));
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
  const e = exp(f32x4.neg(f32x4.abs(x)));
  const top = v128.bitselect(e, splat(1), f32x4.lt(x, splat(0)));
  return f32x4.div(top, f32x4.add(e, splat(1)));
}

/**
 * x sigmoid(w), for w of the sign of x: below 0 the product x e^w is scaled last, so that it fades later than e^w does.
 * 3 ulp, and 2.5 more for each unit of a negative w that is itself rounded; 0 at x = -infinity.
 */
@inline export function timesSigmoid(x: v128, w: v128): v128 {
  const t = maxOf(f32x4.neg(f32x4.abs(w)), splat(EXP_LOW));
  const n = octaves(t);
  const m = f32x4.add(expm1Near0(remainder(t, n)), splat(1));
  const below = scaled(f32x4.mul(maxOf(x, splat(EXP_LOW)), m), n);
  const top = v128.bitselect(below, x, f32x4.lt(x, splat(0)));
  return f32x4.div(top, f32x4.add(scaled(m, n), splat(1)));
}

/**
 * x Phi(x) = x - x Q(x) for x >= 0, x Q(|x|) below; Q(a) = erfc(a / sqrt 2) / 2 = e^(-a^2/2) P((a-k)/(a+k)) / (a+k).
 * P: a minimax fit of degree 9 for a <= 15 and k = 3.5, 0.6 u off with rounded coefficients. 6 ulp, down to results of
 * 1e-38: a^2 is taken in two parts, as an error of the exponent is one of every digit. Form: Shepherd and Laframboise
 * (1981).
 */
@inline export function gelu(x: v128): v128 {
  const t = minOf(maxOf(x, splat(-15.75)), splat(15.75)); // e^(-15.75^2 / 2) = e^-124
  const a = f32x4.abs(t);
  const u = f32x4.div(splat(1), f32x4.add(a, splat(3.5)));
  const q = f32x4.mul(f32x4.sub(a, splat(3.5)), u);
  let p = madd(splat(1.0869304242078215e-4), q, splat(4.183225391898304e-4));
  p = madd(p, q, splat(-4.950392758473754e-4));
  p = madd(p, q, splat(-3.172827884554863e-3));
  p = madd(p, q, splat(6.493726745247841e-3));
  p = madd(p, q, splat(1.740582101047039e-2));
  p = madd(p, q, splat(-1.1605317145586014e-1));
  p = madd(p, q, splat(3.154250979423523e-1));
  p = madd(p, q, splat(-5.655617117881775e-1));
  p = madd(p, q, splat(7.444160580635071e-1));
  // The upper 12 bits of a have an exact square; the rest of a^2 is small.
  const upper = v128.and(a, i32x4.splat(0xfffff000));
  const hi = f32x4.mul(f32x4.mul(upper, upper), splat(-0.5));
  const lo = f32x4.mul(f32x4.mul(f32x4.sub(a, upper), f32x4.add(a, upper)), splat(-0.5));
  const n = octaves(f32x4.add(hi, lo));
  const m = f32x4.add(expm1Near0(f32x4.add(remainder(hi, n), lo)), splat(1));
  const tail = scaled(f32x4.mul(f32x4.mul(t, m), f32x4.mul(p, u)), n);
  return v128.bitselect(tail, f32x4.sub(x, tail), f32x4.lt(x, splat(0)));
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
