// How far a float32 kernel may be from the float64 reference: computed from what was summed up, not guessed.
//
// A float32 operation rounds by at most u = 2^-24 of its result. A sum of K products, in any order, fused or
// not, rounds every term at most K times, and once more each where a bias is added and the result is stored.
// With S the sum of the magnitudes |x||w| (the same operator on absolute values: the ...Magnitude functions
// of reference.ts),
//
//   |error| <= (K + 2) u S           always (Higham, Accuracy and Stability of Numerical Algorithms, 3.1),
//   |error| <= (4 sqrt(K) + 2) u S   all but certainly where roundings are independent, so for random data
//                                    (Higham and Mary, Probabilistic Rounding Error Analysis, 2019).
//
// We take the smaller one: the first up to K = 16, the second beyond. Random data stays far below both, while
// a tap that is lost, doubled or taken from the wrong place moves a result by about S / K: at K = 4680 that
// is still ten times the bound. Data that is all alike also rounds alike, up to the first bound: give it its
// own factor.
import type { Ref } from "./reference.js";

/** u: half the distance from 1 to the next float32. */
export const UNIT_ROUNDOFF = 2 ** -24;
/** Below the smallest normal float32 the distance is constant. */
const SMALLEST = 2 ** -149;

function roundings(K: number): number {
  return Math.min(K, 4 * Math.sqrt(K)) + 2;
}

/**
 * For a kernel that sums up K products an output, as they are: one bound per element. `magnitude` is the
 * reference operator on absolute values; `factor` is 1 for plain sums.
 */
export function dotTolerance(K: number, magnitude: Ref, factor = 1): Float64Array {
  return magnitude.data.map((S) => factor * (roundings(K) * UNIT_ROUNDOFF * S + (K + 1) * SMALLEST));
}

/**
 * For a kernel that transforms its operands first (Winograd, FFT). What it rounds are sums over a whole tile,
 * which may be far larger than the terms of the output at hand: an output is only as exact as the largest S
 * of the tensor allows. The factor is the algorithm's own, and is stated where its kernel is.
 */
export function normTolerance(K: number, magnitude: Ref, factor: number): Float64Array {
  const largest = magnitude.data.reduce((a, b) => Math.max(a, b), 0);
  return magnitude.data.map(() => factor * (roundings(K) * UNIT_ROUNDOFF * largest + (K + 1) * SMALLEST));
}

/**
 * What a transform multiplies the error of a plain sum by, on the largest sum of the tensor (normTolerance): about twice the
 * largest seen over all cases of cases.ts and 400 random ones. Algorithms that are not named here are plain sums.
 */
export const TRANSFORM_FACTORS: Readonly<Record<string, number>> = {
  winograd23: 3,
  winograd43: 6,
  winograd63: 30,
  fft: 4,
};

/** For a function of one element: so many units in the last place of the float32 result. */
export function ulpTolerance(expected: Ref, ulps: number): Float64Array {
  return expected.data.map((value) => ulps * ulpOf(value));
}

/** The distance from |value|, rounded to float32, to the next larger float32. */
export function ulpOf(value: number): number {
  const rounded = Math.abs(Math.fround(value));
  if (rounded < 2 ** -126) return SMALLEST;
  // The exponent, read from the bits: Math.log2 is not exact next to powers of two.
  const exponent = (new Uint32Array(Float32Array.of(rounded).buffer)[0] as number) >>> 23;
  return 2 ** (exponent - 127 - 23);
}

/**
 * Throws unless every element is within its tolerance: one number (absolute) for all of them, or one for
 * each. NaN must meet NaN. A value that float32 can't hold must meet the infinity of its sign. An empty
 * comparison fails.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: Ref,
  tolerance: Float64Array | number,
  label: string,
): void {
  const { data, shape } = expected;
  if (data.length === 0) throw new Error(`${label}: expected at least one element to compare, got none`);
  if (actual.length !== data.length) {
    throw new Error(`${label}: expected ${data.length} elements [${shape.join(", ")}], got ${actual.length}`);
  }
  if (typeof tolerance !== "number" && tolerance.length !== data.length) {
    throw new Error(`${label}: expected ${data.length} tolerances, got ${tolerance.length}`);
  }

  let off = 0;
  let worst = 0;
  let worstRatio = -1;
  for (let i = 0; i < data.length; i++) {
    const ratio = excess(actual[i] as number, data[i] as number, toleranceAt(tolerance, i));
    if (ratio <= 1) continue;
    off++;
    if (ratio > worstRatio) {
      worst = i;
      worstRatio = ratio;
    }
  }
  if (off === 0) return;

  const got = actual[worst] as number;
  const want = data[worst] as number;
  const allowed = toleranceAt(tolerance, worst);
  const where = `${worst} [${indexOf(worst, shape).join(", ")}]`;
  throw new Error(
    `${label}: ${off} of ${data.length} elements off; worst at ${where}: expected ${want}, got ${got}, ` +
      `difference ${Math.abs(got - want)}, tolerance ${allowed}`,
  );
}

/** Throws unless both have the same numbers: NaN is NaN, zeros have their sign. Vitest's toEqual takes a second for a million. */
export function expectExact(actual: ArrayLike<unknown>, expected: ArrayLike<unknown>, label: string): void {
  if (actual.length !== expected.length)
    throw new Error(`${label}: expected ${expected.length} elements, got ${actual.length}`);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i]))
      throw new Error(`${label}: element ${i}: expected ${expected[i]}, got ${actual[i]}`);
  }
}

function toleranceAt(tolerance: Float64Array | number, i: number): number {
  return typeof tolerance === "number" ? tolerance : (tolerance[i] as number);
}

/** The error as a multiple of what is allowed: at most 1 is good. */
function excess(got: number, want: number, allowed: number): number {
  if (Number.isNaN(want)) return Number.isNaN(got) ? 0 : Infinity;
  const rounded = Math.fround(want);
  if (!Number.isFinite(rounded)) return got === rounded ? 0 : Infinity;
  if (got === want) return 0;
  // A tolerance that is itself not a number, or has no end, would let everything pass.
  if (!Number.isFinite(allowed) || allowed <= 0) return Infinity;
  const ratio = Math.abs(got - want) / allowed;
  return Number.isNaN(ratio) ? Infinity : ratio;
}

function indexOf(offset: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0);
  let rest = offset;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    index[axis] = rest % size;
    rest = Math.floor(rest / size);
  }
  return index;
}
