// Winograd's minimal filtering F(m, 3), whose 1-D transforms (winograd-input.ts, winograd-output.ts) kernels/conv-winograd.ts
// nests:
//
//   y = A^T [ (G g) ⊙ (B^T d) ]      n = m + 2 inputs d, 3 taps g, m outputs y
//
// Points: F(2,3) 0, ±1; F(4,3) 0, ±3/4, ±3/2, whose error is 0.43 of that of the usual 0, ±1, ±2 (rms; every constant is
// exact in binary); F(6,3) 0, ±1, ±2, ±1/2; each with infinity.
//
// The short tile of F(4,3) has two outputs and the points 0, ±3/4, infinity of the four that stay: F(2,3) on weights of
// F(4,3). Those lack the factors that the points left out would have given; its input transform puts them in.

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
 * Writes the constants of F(4,3), a vector each: WINOGRAD_CONSTANT_BYTES. Loaded before a loop they stay in registers; V8 would
 * build a literal anew at every use, which cost 5 % of a layer of 64 channels (Node 24).
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
