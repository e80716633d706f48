// y = act(a op b), where a and b are repeated along axes as numpy has it. Memory order and broadcasting are worked out
// at plan time (src/base/broadcast.ts): what is left are a few nested loops, each with one stride an operand. The innermost
// runs over whole vectors: an operand that is one value, or whose elements lie apart, is brought into scratch first, where
// one value is read again and again (step 0).
//
// Tail: a partial vector is computed whole and stored in part; strided operands are never read past their last element.
import { BinaryCode } from "../abi/codes";
import { BINARY_SPARE_BYTES } from "../abi/constants";
import { BinaryDesc } from "../abi/elements";
import { activateRows } from "../lib/activate";
import { dense } from "../lib/runs";
import { maxOf, minOf, splat, storePart } from "../lib/simd";

@inline function combine(op: i32, a: v128, b: v128): v128 {
  if (op == BinaryCode.add) return f32x4.add(a, b);
  if (op == BinaryCode.sub) return f32x4.sub(a, b);
  if (op == BinaryCode.mul) return f32x4.mul(a, b);
  if (op == BinaryCode.div) return f32x4.div(a, b);
  if (op == BinaryCode.maximum) return f32x4.max(a, b);
  if (op == BinaryCode.minimum) return f32x4.min(a, b);
  return v128.bitselect(f32x4.mul(a, b), a, f32x4.lt(a, splat(0)));
}

@inline function run(
  op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32, lo: v128, hi: v128,
): void {
  const end = y + (<usize>(cols & ~3) << 2);
  while (y < end) {
    v128.store(y, minOf(maxOf(combine(op, v128.load(a), v128.load(b)), lo), hi));
    y += 16;
    a += aStep;
    b += bStep;
  }
  if (cols & 3) storePart(y, minOf(maxOf(combine(op, v128.load(a), v128.load(b)), lo), hi), cols & 3);
}

/**
 * Work items: chunks of a run, numbered run * chunks + chunk; where runs are short, a block of `rows` of them. y may be an
 * operand that is not repeated. scratch: a chunk of each operand.
 */
export function binary_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<BinaryDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows > 0 && (d.rows == 1 || d.chunks == 1));
  const aStep = <usize>d.aStepBytes;
  const bStep = <usize>d.bStepBytes;
  const aNext: usize = aStep ? 16 : 0;
  const bNext: usize = bStep ? 16 : 0;
  const bRoom = scratch + (<usize>d.chunkCols << 2) + BINARY_SPARE_BYTES;
  const lo = splat(d.lo);
  const hi = splat(d.hi);
  for (let item = begin; item < end; item++) {
    const block = item / d.chunks;
    const first = (item - block * d.chunks) * d.chunkCols;
    const cols = d.cols - first < d.chunkCols ? d.cols - first : d.chunkCols;
    let aRow = d.aPtr + <usize>first * aStep;
    let bRow = d.bPtr + <usize>first * bStep;
    let y = d.yPtr + ((<usize>block * <usize>(d.rows * d.cols) + <usize>first) << 2);
    let rest = block;
    for (let loop = d.loopsPtr; rest; loop += 12) { // fastest first: | size | a stride in bytes | b stride in bytes |
      const size = load<i32>(loop);
      const quotient = rest / size;
      const index = <usize>(rest - quotient * size);
      aRow += index * <usize>load<u32>(loop, 4);
      bRow += index * <usize>load<u32>(loop, 8);
      rest = quotient;
    }
    const start = y;
    for (let row = d.rows; row > 0; row--) {
      const a = dense(aRow, aStep, cols, scratch);
      const b = dense(bRow, bStep, cols, bRoom);
      switch (d.operation) {
        case BinaryCode.add: run(BinaryCode.add, y, a, b, aNext, bNext, cols, lo, hi); break;
        case BinaryCode.sub: run(BinaryCode.sub, y, a, b, aNext, bNext, cols, lo, hi); break;
        case BinaryCode.mul: run(BinaryCode.mul, y, a, b, aNext, bNext, cols, lo, hi); break;
        case BinaryCode.div: run(BinaryCode.div, y, a, b, aNext, bNext, cols, lo, hi); break;
        case BinaryCode.maximum: run(BinaryCode.maximum, y, a, b, aNext, bNext, cols, lo, hi); break;
        case BinaryCode.minimum: run(BinaryCode.minimum, y, a, b, aNext, bNext, cols, lo, hi); break;
        default: run(BinaryCode.prelu, y, a, b, aNext, bNext, cols, lo, hi);
      }
      aRow += <usize>d.aRowBytes;
      bRow += <usize>d.bRowBytes;
      y += <usize>d.cols << 2;
    }
    if (d.activation) activateRows(start, 1, d.rows > 1 ? d.rows * cols : cols, 0, d.activation, d.alpha, d.beta);
  }
}
