// Activations: y = f(x), element by element, 4 lanes at a time; a partial vector is computed whole and stored in part.
// Formulas that need more than a comparison are in math.ts. Used by activation_f32 and, over a tile just stored and
// still in L1, as the last step of whatever has an `activation` option.
import { ActivationDesc } from "./desc";
import { expm1Negative, gelu, geluTanh, sigmoid, tanh, timesSigmoid } from "./math";
import { madd, maxOf, minOf, splat, storeLanes } from "./simd";

// The codes of src/ops/activation.ts. relu, relu6 and clip are one clamp from alpha to beta.
const RELU: i32 = 1;
const LEAKY_RELU: i32 = 2;
const ELU: i32 = 3;
const SIGMOID: i32 = 4;
const HARD_SIGMOID: i32 = 5;
const TANH: i32 = 6;
const SILU: i32 = 7;
const HARD_SWISH: i32 = 8;
const GELU: i32 = 9;
const GELU_TANH: i32 = 10;
const CLIP: i32 = 11;

/** Elements of one work item of activation_f32: 8 KB read and written, a few microseconds at most. */
const CHUNK: i32 = 2048;

/** f(v) for a code that is known where it is inlined. */
@inline function lanes(code: i32, v: v128, alpha: v128, beta: v128): v128 {
  if (code == RELU) return maxOf(v, splat(0));
  if (code == LEAKY_RELU) return v128.bitselect(f32x4.mul(v, alpha), v, f32x4.lt(v, splat(0)));
  if (code == ELU) return v128.bitselect(v, f32x4.mul(expm1Negative(v), alpha), f32x4.gt(v, splat(0)));
  if (code == SIGMOID) return sigmoid(v);
  if (code == HARD_SIGMOID) return minOf(maxOf(madd(v, alpha, beta), splat(0)), splat(1));
  if (code == TANH) return tanh(v);
  if (code == SILU) return timesSigmoid(v, v);
  if (code == HARD_SWISH) return hardSwish(v);
  if (code == GELU) return gelu(v);
  if (code == GELU_TANH) return geluTanh(v);
  return minOf(maxOf(v, alpha), beta);
}

/** v * min(max(v + 3, 0), 6) / 6; v + 3 is exact where it is small. 6 * fround(1/6) rounds to 1. */
@inline function hardSwish(v: v128): v128 {
  const clamped = minOf(maxOf(f32x4.add(v, splat(3)), splat(0)), splat(6));
  return f32x4.mul(v, f32x4.mul(clamped, splat(1.0 / 6.0)));
}

@inline function rowsOf(
  code: i32, y: usize, x: usize, rows: i32, cols: i32, stride: usize, alpha: f32, beta: f32,
): void {
  const a = splat(alpha);
  const b = splat(beta);
  const whole = <usize>(cols & ~3) << 2;
  const bytes = <usize>cols << 2;
  for (let r = 0; r < rows; r++) {
    let i: usize = 0;
    do {
      const v = lanes(code, v128.load(x + i), a, b);
      if (i < whole) v128.store(y + i, v);
      else storeLanes(y + i, v, cols & 3);
      i += 16;
    } while (i < bytes);
    x += stride;
    y += stride;
  }
}

/**
 * y = f(x) over rows x cols floats, both `stride` bytes from row to row; y may be x. One switch, then loops without.
 */
function apply(code: i32, y: usize, x: usize, rows: i32, cols: i32, stride: usize, alpha: f32, beta: f32): void {
  switch (code) {
    case RELU: rowsOf(RELU, y, x, rows, cols, stride, alpha, beta); break;
    case LEAKY_RELU: rowsOf(LEAKY_RELU, y, x, rows, cols, stride, alpha, beta); break;
    case ELU: rowsOf(ELU, y, x, rows, cols, stride, alpha, beta); break;
    case SIGMOID: rowsOf(SIGMOID, y, x, rows, cols, stride, alpha, beta); break;
    case HARD_SIGMOID: rowsOf(HARD_SIGMOID, y, x, rows, cols, stride, alpha, beta); break;
    case TANH: rowsOf(TANH, y, x, rows, cols, stride, alpha, beta); break;
    case SILU: rowsOf(SILU, y, x, rows, cols, stride, alpha, beta); break;
    case HARD_SWISH: rowsOf(HARD_SWISH, y, x, rows, cols, stride, alpha, beta); break;
    case GELU: rowsOf(GELU, y, x, rows, cols, stride, alpha, beta); break;
    case GELU_TANH: rowsOf(GELU_TANH, y, x, rows, cols, stride, alpha, beta); break;
    case CLIP: rowsOf(CLIP, y, x, rows, cols, stride, alpha, beta); break;
    default: assert(false, "unknown activation code");
  }
}

/** Applies `code` to rows x cols floats at c, in place. Rows without gaps are one. */
export function activateRows(c: usize, rows: i32, cols: i32, stride: usize, code: i32, alpha: f32, beta: f32): void {
  if (stride == <usize>cols << 2) {
    cols *= rows;
    rows = 1;
  }
  apply(code, c, c, rows, cols, stride, alpha, beta);
}

/** Work items: chunks of 2048 elements. y may be x. */
export function activation_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ActivationDesc>(desc);
  const first = begin * CHUNK;
  const last = end * CHUNK;
  const count = (last < d.count ? last : d.count) - first;
  const offset = <usize>first << 2;
  apply(d.activation, d.yPtr + offset, d.xPtr + offset, 1, count, 0, d.alpha, d.beta);
}
