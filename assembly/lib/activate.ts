// Activations: y = f(x), element by element, 4 lanes at a time; a partial vector is computed whole and stored in part.
// Formulas that need more than a comparison are in math.ts. Used by activation_f32 and, over a tile just stored and
// still in L1, as the last step of whatever has an `activation` option.
import { ActivationCode } from "../abi/codes";
import { Epilogue } from "../abi/matrix";
import { expm1Negative, gelu, geluTanh, sigmoid, tanh, timesSigmoid } from "./math";
import { madd, maxOf, minOf, splat, storeLanes } from "./simd";

/** What a kernel does to a vector before it stores it; what takes more is left to activateRows. */
export const enum Store {
  plain,
  relu,
  clamp,
  slope,
  hardSwish,
}

/** The end of a sum as far as registers do it. */
export function storeOf(end: Epilogue): Store {
  if (end.activation == ActivationCode.leakyRelu) return Store.slope;
  if (end.activation == ActivationCode.hardSwish) return Store.hardSwish;
  if (end.lo == -Infinity && end.hi == Infinity) return Store.plain;
  return end.lo == 0 && end.hi == Infinity ? Store.relu : Store.clamp;
}

/** f(v) for a code that is known where it is inlined. */
@inline function lanes(code: i32, v: v128, alpha: v128, beta: v128): v128 {
  if (code == ActivationCode.relu) return maxOf(v, splat(0));
  if (code == ActivationCode.leakyRelu) return leaky(v, alpha);
  if (code == ActivationCode.elu) return v128.bitselect(v, f32x4.mul(expm1Negative(v), alpha), f32x4.gt(v, splat(0)));
  if (code == ActivationCode.sigmoid) return sigmoid(v);
  if (code == ActivationCode.hardSigmoid) return minOf(maxOf(madd(v, alpha, beta), splat(0)), splat(1));
  if (code == ActivationCode.tanh) return tanh(v);
  if (code == ActivationCode.silu) return timesSigmoid(v, v);
  if (code == ActivationCode.hardSwish) return hardSwish(v);
  if (code == ActivationCode.gelu) return gelu(v);
  if (code == ActivationCode.geluTanh) return geluTanh(v);
  return minOf(maxOf(v, alpha), beta);
}

/** v, or v * alpha below zero. */
@inline export function leaky(v: v128, alpha: v128): v128 {
  return v128.bitselect(f32x4.mul(v, alpha), v, f32x4.lt(v, splat(0)));
}

/** v * min(max(v + 3, 0), 6) / 6; v + 3 is exact where it is small. 6 * fround(1/6) rounds to 1. */
@inline export function hardSwish(v: v128): v128 {
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
      else storeLanes(y + i, v, cols & 3); // inlined: a call in the loop would spill its constants, 5 % of gelu
      i += 16;
    } while (i < bytes);
    x += stride;
    y += stride;
  }
}

/**
 * y = f(x) over rows x cols floats, both `stride` bytes from row to row; y may be x. One switch, then loops without.
 */
export function activate(code: i32, y: usize, x: usize, rows: i32, cols: i32, stride: usize, alpha: f32, beta: f32): void {
  switch (code) {
    case ActivationCode.relu: rowsOf(ActivationCode.relu, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.leakyRelu: rowsOf(ActivationCode.leakyRelu, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.elu: rowsOf(ActivationCode.elu, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.sigmoid: rowsOf(ActivationCode.sigmoid, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.hardSigmoid: rowsOf(ActivationCode.hardSigmoid, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.tanh: rowsOf(ActivationCode.tanh, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.silu: rowsOf(ActivationCode.silu, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.hardSwish: rowsOf(ActivationCode.hardSwish, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.gelu: rowsOf(ActivationCode.gelu, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.geluTanh: rowsOf(ActivationCode.geluTanh, y, x, rows, cols, stride, alpha, beta); break;
    case ActivationCode.clip: rowsOf(ActivationCode.clip, y, x, rows, cols, stride, alpha, beta); break;
    default: assert(false, "unknown activation code");
  }
}

/** Ends rows x cols sums at c, in place, as a descriptor says. bias: of the first column; slopes lie behind it. */
export function endRows(c: usize, rows: i32, cols: i32, stride: usize, epilogue: usize, bias: usize): void {
  const end = changetype<Epilogue>(epilogue);
  if (!end.slopeBytes) {
    activateRows(c, rows, cols, stride, end.activation, end.alpha, end.beta);
    return;
  }
  const slopes = bias + end.slopeBytes;
  const bytes = <usize>cols << 2;
  do {
    for (let i: usize = 0; i < bytes; i += 16) storeLanes(c + i, leaky(v128.load(c + i), v128.load(slopes + i)), <i32>(bytes - i) >> 2);
    c += stride;
  } while (--rows);
}

/** Applies `code` to rows x cols floats at c, in place. Rows without gaps are one. */
export function activateRows(c: usize, rows: i32, cols: i32, stride: usize, code: i32, alpha: f32, beta: f32): void {
  if (stride == <usize>cols << 2) {
    cols *= rows;
    rows = 1;
  }
  activate(code, c, c, rows, cols, stride, alpha, beta);
}
