// The 1-D transforms of Winograd's minimal filtering F(m, 3), nested by kernels/conv-winograd.ts:
//
//   y = A^T [ (G g) ⊙ (B^T d) ]      n = m + 2 inputs d, 3 taps g, m outputs y
//
// Points: F(2,3) 0, ±1; F(4,3) 0, ±3/4, ±3/2, whose error is 0.43 of that of the usual 0, ±1, ±2 (rms; every constant is
// exact in binary); F(6,3) 0, ±1, ±2, ±1/2; each with infinity.
//
// The short tile of F(4,3) has two outputs and the points 0, ±3/4, infinity of the four that stay: F(2,3) on weights of
// F(4,3). Those lack the factors that the points left out would have given; its input transform puts them in.
import { madd, nmadd } from "./simd";

/** The short tile of F(4,3) as the `m` of a transform. */
export const SHORT = 3;

/** Inputs of a tile along a direction; m = 1: not transformed. */
@inline export function inputsOf(m: i32): i32 {
  return m == 1 ? 1 : m == SHORT ? 4 : m + 2;
}

// F(4,3): points ±a = ±3/4 and ±b = ±3/2.
const A: f32 = 0.75, A2: f32 = 0.5625, A3: f32 = 0.421875;
const B: f32 = 1.5, B2: f32 = 2.25, B3: f32 = 3.375;
const A2B2: f32 = 1.265625; // a² b²
const A2_B2: f32 = 2.8125; // a² + b²

/**
 * Writes the constants of F(4,3), a vector each: WINOGRAD_CONSTANT_BYTES. Loaded before a loop they stay in registers; V8 would build a literal anew
 * at every use, which cost 5 % of a layer of 64 channels (Node 24).
 */
export function storeConstants(at: usize): void {
  v128.store(at, f32x4.splat(A2B2), 0);
  v128.store(at, f32x4.splat(A2_B2), 16);
  v128.store(at, f32x4.splat(A), 32);
  v128.store(at, f32x4.splat(A2), 48);
  v128.store(at, f32x4.splat(A3), 64);
  v128.store(at, f32x4.splat(B), 80);
  v128.store(at, f32x4.splat(B2), 96);
  v128.store(at, f32x4.splat(B3), 112);
  v128.store(at, f32x4.splat(A2 - B2), 128);
  v128.store(at, f32x4.splat(A * (A2 - B2)), 144);
}

// Each function does `count` transforms: n (or m) vectors `step` bytes apart from p become m (or n) vectors `outStep` apart
// at out; the next transform reads `next` bytes further and writes `outNext` further.

/** B^T d of F(2,3). */
function input2(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32): void {
  do {
    let from = p;
    const d0 = v128.load(from);
    from += step;
    const d1 = v128.load(from);
    from += step;
    const d2 = v128.load(from);
    from += step;
    const d3 = v128.load(from);
    let to = out;
    v128.store(to, f32x4.sub(d0, d2));
    to += outStep;
    v128.store(to, f32x4.add(d1, d2));
    to += outStep;
    v128.store(to, f32x4.sub(d2, d1));
    to += outStep;
    v128.store(to, f32x4.sub(d1, d3));
    p += next;
    out += outNext;
  } while (--count);
}

/** B^T d of F(4,3). */
function input4(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32, constants: usize): void {
  const a2b2 = v128.load(constants, 0);
  const a2_b2 = v128.load(constants, 16);
  const a = v128.load(constants, 32);
  const a2 = v128.load(constants, 48);
  const b = v128.load(constants, 80);
  const b2 = v128.load(constants, 96);
  do {
    let from = p;
    const d0 = v128.load(from);
    from += step;
    const d1 = v128.load(from);
    from += step;
    const d2 = v128.load(from);
    from += step;
    const d3 = v128.load(from);
    from += step;
    const d4 = v128.load(from);
    from += step;
    const d5 = v128.load(from);
    const evenA = nmadd(b2, d2, d4), oddA = nmadd(b2, d1, d3);
    const evenB = nmadd(a2, d2, d4), oddB = nmadd(a2, d1, d3);
    let to = out;
    v128.store(to, madd(a2b2, d0, nmadd(a2_b2, d2, d4)));
    to += outStep;
    v128.store(to, madd(a, oddA, evenA));
    to += outStep;
    v128.store(to, nmadd(a, oddA, evenA));
    to += outStep;
    v128.store(to, madd(b, oddB, evenB));
    to += outStep;
    v128.store(to, nmadd(b, oddB, evenB));
    to += outStep;
    v128.store(to, madd(a2b2, d1, nmadd(a2_b2, d3, d5)));
    p += next;
    out += outNext;
  } while (--count);
}

/** B^T d of the short tile, times what its weights lack: -b² for point 0, a² - b² for ±a. */
function inputShort(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32, constants: usize): void {
  const a2b2 = v128.load(constants, 0);
  const a2 = v128.load(constants, 48);
  const b2 = v128.load(constants, 96);
  const scale = v128.load(constants, 128);
  const scaleA = v128.load(constants, 144);
  do {
    let from = p;
    const d0 = v128.load(from);
    from += step;
    const d1 = v128.load(from);
    from += step;
    const d2 = v128.load(from);
    from += step;
    const d3 = v128.load(from);
    const even = f32x4.mul(scale, d2);
    let to = out;
    v128.store(to, nmadd(b2, d2, f32x4.mul(a2b2, d0)));
    to += outStep;
    v128.store(to, madd(scaleA, d1, even));
    to += outStep;
    v128.store(to, nmadd(scaleA, d1, even));
    to += 3 * outStep;
    v128.store(to, nmadd(a2, d1, d3));
    p += next;
    out += outNext;
  } while (--count);
}

@inline function at(p: usize, step: usize, i: usize): v128 {
  return v128.load(p + i * step);
}

@inline function put(p: usize, step: usize, i: usize, v: v128): void {
  v128.store(p + i * step, v);
}

/** B^T d of F(6,3). */
function input6(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32): void {
  do {
    const d0 = at(p, step, 0), d1 = at(p, step, 1), d2 = at(p, step, 2), d3 = at(p, step, 3);
    const d4 = at(p, step, 4), d5 = at(p, step, 5), d6 = at(p, step, 6), d7 = at(p, step, 7);
    const big = f32x4.splat(5.25), mid = f32x4.splat(4.25), quarter = f32x4.splat(0.25), half = f32x4.splat(0.5), two = f32x4.splat(2), low = f32x4.splat(2.5), five = f32x4.splat(1.25);
    put(out, outStep, 0, madd(big, f32x4.sub(d4, d2), f32x4.sub(d0, d6)));
    put(out, outStep, 7, madd(big, f32x4.sub(d3, d5), f32x4.sub(d7, d1)));
    let even = nmadd(mid, d4, f32x4.add(d2, d6));
    let odd = nmadd(mid, d3, f32x4.add(d1, d5));
    put(out, outStep, 1, f32x4.add(even, odd));
    put(out, outStep, 2, f32x4.sub(even, odd));
    even = madd(quarter, d2, nmadd(five, d4, d6));
    odd = madd(half, d1, nmadd(low, d3, f32x4.mul(two, d5)));
    put(out, outStep, 3, f32x4.add(even, odd));
    put(out, outStep, 4, f32x4.sub(even, odd));
    even = madd(f32x4.splat(4), nmadd(five, d4, d2), d6);
    odd = madd(two, d1, nmadd(low, d3, f32x4.mul(half, d5)));
    put(out, outStep, 5, f32x4.add(even, odd));
    put(out, outStep, 6, f32x4.sub(even, odd));
    p += next;
    out += outNext;
  } while (--count);
}

/** A direction that is not transformed: one vector each. */
function move(p: usize, next: usize, out: usize, outNext: usize, count: i32): void {
  do {
    v128.store(out, v128.load(p));
    p += next;
    out += outNext;
  } while (--count);
}

/** A^T z of F(2,3). */
function output2(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32): void {
  do {
    let from = p;
    const z0 = v128.load(from);
    from += step;
    const z1 = v128.load(from);
    from += step;
    const z2 = v128.load(from);
    from += step;
    const z3 = v128.load(from);
    let to = out;
    v128.store(to, f32x4.add(f32x4.add(z0, z1), z2));
    to += outStep;
    v128.store(to, f32x4.sub(f32x4.sub(z1, z2), z3));
    p += next;
    out += outNext;
  } while (--count);
}

/** A^T z of F(4,3). */
function output4(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32, constants: usize): void {
  const a = v128.load(constants, 32);
  const a2 = v128.load(constants, 48);
  const a3 = v128.load(constants, 64);
  const b = v128.load(constants, 80);
  const b2 = v128.load(constants, 96);
  const b3 = v128.load(constants, 112);
  do {
    let from = p;
    const z0 = v128.load(from);
    from += step;
    const z1 = v128.load(from);
    from += step;
    const z2 = v128.load(from);
    from += step;
    const z3 = v128.load(from);
    from += step;
    const z4 = v128.load(from);
    from += step;
    const z5 = v128.load(from);
    const sum1 = f32x4.add(z1, z2), dif1 = f32x4.sub(z1, z2);
    const sum2 = f32x4.add(z3, z4), dif2 = f32x4.sub(z3, z4);
    let to = out;
    v128.store(to, f32x4.add(f32x4.add(z0, sum1), sum2));
    to += outStep;
    v128.store(to, madd(b, dif2, f32x4.mul(a, dif1)));
    to += outStep;
    v128.store(to, madd(b2, sum2, f32x4.mul(a2, sum1)));
    to += outStep;
    v128.store(to, madd(b3, dif2, madd(a3, dif1, z5)));
    p += next;
    out += outNext;
  } while (--count);
}

/** A^T z of the short tile. */
function outputShort(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32, constants: usize): void {
  const a = v128.load(constants, 32);
  do {
    let from = p;
    const z0 = v128.load(from);
    from += step;
    const z1 = v128.load(from);
    from += step;
    const z2 = v128.load(from);
    const z5 = v128.load(from + 3 * step);
    let to = out;
    v128.store(to, f32x4.add(f32x4.add(z0, z1), z2));
    to += outStep;
    v128.store(to, madd(a, f32x4.sub(z1, z2), z5));
    p += next;
    out += outNext;
  } while (--count);
}

/** A^T z of F(6,3). */
function output6(p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32): void {
  do {
    const z0 = at(p, step, 0), z1 = at(p, step, 1), z2 = at(p, step, 2), z3 = at(p, step, 3);
    const z4 = at(p, step, 4), z5 = at(p, step, 5), z6 = at(p, step, 6), z7 = at(p, step, 7);
    const sum1 = f32x4.add(z1, z2), dif1 = f32x4.sub(z1, z2);
    const sum2 = f32x4.add(z3, z4), dif2 = f32x4.sub(z3, z4);
    const sum3 = f32x4.add(z5, z6), dif3 = f32x4.sub(z5, z6);
    put(out, outStep, 0, f32x4.add(f32x4.add(z0, sum1), f32x4.add(sum2, sum3)));
    put(out, outStep, 1, madd(f32x4.splat(2), dif2, madd(f32x4.splat(0.5), dif3, dif1)));
    put(out, outStep, 2, madd(f32x4.splat(4), sum2, madd(f32x4.splat(0.25), sum3, sum1)));
    put(out, outStep, 3, madd(f32x4.splat(8), dif2, madd(f32x4.splat(0.125), dif3, dif1)));
    put(out, outStep, 4, madd(f32x4.splat(16), sum2, madd(f32x4.splat(0.0625), sum3, sum1)));
    put(out, outStep, 5, f32x4.add(madd(f32x4.splat(32), dif2, madd(f32x4.splat(0.03125), dif3, dif1)), z7));
    p += next;
    out += outNext;
  } while (--count);
}

@inline export function inputTransforms(
  m: i32, p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32, constants: usize,
): void {
  if (m == 4) input4(p, step, next, out, outStep, outNext, count, constants);
  else if (m == 2) input2(p, step, next, out, outStep, outNext, count);
  else if (m == 6) input6(p, step, next, out, outStep, outNext, count);
  else if (m == SHORT) inputShort(p, step, next, out, outStep, outNext, count, constants);
  else move(p, next, out, outNext, count);
}

@inline export function outputTransforms(
  m: i32, p: usize, step: usize, next: usize, out: usize, outStep: usize, outNext: usize, count: i32, constants: usize,
): void {
  if (m == 4) output4(p, step, next, out, outStep, outNext, count, constants);
  else if (m == 2) output2(p, step, next, out, outStep, outNext, count);
  else if (m == 6) output6(p, step, next, out, outStep, outNext, count);
  else if (m == SHORT) outputShort(p, step, next, out, outStep, outNext, count, constants);
  else move(p, next, out, outNext, count);
}

/** G g, one row: point `i` of F(m,3) from three taps, in float64. m = 1: the tap itself. */
export function weightPoint(m: i32, i: i32, g0: f64, g1: f64, g2: f64): f64 {
  if (m == 1) return g0;
  const n = m + 2;
  if (i == 0) return m == 4 ? g0 / A2B2 : g0;
  if (i == n - 1) return g2;
  if (m == 2) return i == 1 ? (g0 + g1 + g2) / 2 : (g0 - g1 + g2) / 2;
  const sign: f64 = (i & 1) == 1 ? 1 : -1;
  if (m == 4) {
    // over the product of the distances to the other points: 2a²(a² - b²) and 2b²(b² - a²)
    if (i < 3) return (g0 + sign * A * g1 + A2 * g2) / (2 * A2 * (A2 - B2));
    return (g0 + sign * B * g1 + B2 * g2) / (2 * B2 * (B2 - A2));
  }
  if (i < 3) return -(g0 + sign * g1 + g2) * 2 / 9;
  if (i < 5) return (g0 + sign * 2 * g1 + 4 * g2) / 90;
  return (4 * g0 + sign * 2 * g1 + g2) * 8 / 45; // 32/45 (g0 ± g1/2 + g2/4)
}
