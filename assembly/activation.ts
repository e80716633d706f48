// Activation functions by lane, and in place over a tile that was just stored (still in L1).
import { maxOf } from "./simd";

// The codes of src/ops/activation.ts. relu, relu6 and clip need none where a clamp follows the sum for free.
export const NONE: i32 = 0;
export const RELU: i32 = 1;

export function activate(code: i32, v: v128, alpha: f32, beta: f32): v128 {
  if (code == RELU) return maxOf(v, f32x4.splat(0));
  return v;
}

/** Applies `code` to rows x cols floats at c, in place. */
export function activateRows(c: usize, rows: i32, cols: i32, stride: usize, code: i32, alpha: f32, beta: f32): void {
  for (let r = 0; r < rows; r++) {
    c += stride;
  }
}
