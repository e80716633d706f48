// y = act(a op b), where a and b are repeated along axes as numpy has it. Memory order and broadcasting are worked out
// at plan time (src/broadcast.ts): what is left are a few nested loops, each with one stride an operand, and the
// innermost runs in one of four ways: both contiguous, one of them a single value, or lane by lane with any stride.
//
// Tail: a partial vector is computed whole and stored in part; strided operands are never read past their last element.
import { activateRows } from "./activation";
import { BinaryDesc } from "./desc";
import { maxOf, minOf, splat, storeLanes } from "./simd";

// The codes of src/ops/arithmetic.ts.
const ADD: i32 = 0;
const SUB: i32 = 1;
const MUL: i32 = 2;
const DIV: i32 = 3;
const PRELU: i32 = 4; // a, or b*a where a < 0

@inline function combine(op: i32, a: v128, b: v128): v128 {
  if (op == ADD) return f32x4.add(a, b);
  if (op == SUB) return f32x4.sub(a, b);
  if (op == MUL) return f32x4.mul(a, b);
  if (op == DIV) return f32x4.div(a, b);
  return v128.bitselect(f32x4.mul(a, b), a, f32x4.lt(a, splat(0)));
}

/** Up to four floats, `step` bytes apart. */
@inline function gather(ptr: usize, step: usize, count: i32): v128 {
  let v = v128.load32_splat(ptr);
  if (count > 1) v = v128.load_lane<f32>(ptr + step, v, 1);
  if (count > 2) v = v128.load_lane<f32>(ptr + 2 * step, v, 2);
  if (count > 3) v = v128.load_lane<f32>(ptr + 3 * step, v, 3);
  return v;
}

/** One run with each operand contiguous or a single value, as the two constants say. */
@inline function run(
  op: i32, aSingle: bool, bSingle: bool, y: usize, a: usize, b: usize, cols: i32, lo: v128, hi: v128,
): void {
  const a0 = v128.load32_splat(a);
  const b0 = v128.load32_splat(b);
  const whole = <usize>(cols & ~3) << 2;
  const bytes = <usize>cols << 2;
  let i: usize = 0;
  do {
    let v = combine(op, aSingle ? a0 : v128.load(a + i), bSingle ? b0 : v128.load(b + i));
    v = minOf(maxOf(v, lo), hi);
    if (i < whole) v128.store(y + i, v);
    else storeLanes(y + i, v, cols & 3);
    i += 16;
  } while (i < bytes);
}

@inline function runStrided(
  op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32, lo: v128, hi: v128,
): void {
  do {
    const v = combine(op, gather(a, aStep, cols), gather(b, bStep, cols));
    storeLanes(y, minOf(maxOf(v, lo), hi), cols);
    y += 16;
    a += aStep << 2;
    b += bStep << 2;
    cols -= 4;
  } while (cols > 0);
}

@inline function runOf(
  op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32, lo: v128, hi: v128,
): void {
  if (aStep == 4 && bStep == 4) run(op, false, false, y, a, b, cols, lo, hi);
  else if (aStep == 4 && bStep == 0) run(op, false, true, y, a, b, cols, lo, hi);
  else if (aStep == 0 && bStep == 4) run(op, true, false, y, a, b, cols, lo, hi);
  else runStrided(op, y, a, b, aStep, bStep, cols, lo, hi);
}

/** Work items: chunks of innermost runs, numbered run * chunks + chunk. y may be an operand that is not repeated. */
export function binary_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<BinaryDesc>(desc);
  const aStep = <usize>d.aStepBytes;
  const bStep = <usize>d.bStepBytes;
  const lo = splat(d.lo);
  const hi = splat(d.hi);
  for (let item = begin; item < end; item++) {
    const row = item / d.chunks;
    const first = (item - row * d.chunks) * d.chunkCols;
    const cols = d.cols - first < d.chunkCols ? d.cols - first : d.chunkCols;
    let a = d.aPtr + <usize>first * aStep;
    let b = d.bPtr + <usize>first * bStep;
    const y = d.yPtr + ((<usize>row * <usize>d.cols + <usize>first) << 2);
    let rest = row;
    for (let loop = d.loopsPtr; rest; loop += 12) { // fastest first: | size | a stride in bytes | b stride in bytes |
      const size = load<i32>(loop);
      const quotient = rest / size;
      const index = <usize>(rest - quotient * size);
      a += index * <usize>load<u32>(loop, 4);
      b += index * <usize>load<u32>(loop, 8);
      rest = quotient;
    }
    switch (d.operation) {
      case ADD: runOf(ADD, y, a, b, aStep, bStep, cols, lo, hi); break;
      case SUB: runOf(SUB, y, a, b, aStep, bStep, cols, lo, hi); break;
      case MUL: runOf(MUL, y, a, b, aStep, bStep, cols, lo, hi); break;
      case DIV: runOf(DIV, y, a, b, aStep, bStep, cols, lo, hi); break;
      default: runOf(PRELU, y, a, b, aStep, bStep, cols, lo, hi);
    }
    if (d.activation) activateRows(y, 1, cols, 0, d.activation, d.alpha, d.beta);
  }
}
