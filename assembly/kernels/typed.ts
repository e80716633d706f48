// y = a op b by element of any type, where a and b (and the condition of a choice) are repeated along axes as numpy has it. Loops are
// worked out at plan time, as those of kernels/elementwise.ts are. Comparisons and powers of float32 run over vectors: an operand
// that is one value, or whose elements lie apart, is brought into scratch first. All else is an element at a time, which memory is
// hardly faster than.
//
// Tail: a partial vector is computed whole and stored in part.
import { BINARY_SPARE_BYTES } from "../abi/constants";
import { ElementCode, TypedCode, TypedDesc } from "../abi/rare";
import { exp, log } from "../lib/math";
import { dense } from "../lib/runs";
import { splat, storeLanes } from "../lib/simd";

/** Bytes of an element. */
@inline function sizeOf(type: i32): i32 {
  if (type == ElementCode.int64) return 8;
  return type == ElementCode.uint8 || type == ElementCode.int8 ? 1 : 4;
}

/** The quotient towards zero; 0 where the divisor is, and the dividend's negative for -1, where the least one has none. */
@inline function quotient<T>(a: T, b: T): T {
  if (b == 0) return <T>0;
  if (b == <T>-1) return <T>(<T>0 - a);
  return <T>(a / b);
}

@inline function remainder<T>(a: T, b: T): T {
  if (b == 0 || b == <T>-1) return <T>0;
  return <T>(a % b);
}

/** Without a branch: signs are as good as random. */
@inline function modulo<T>(a: T, b: T): T {
  const r = remainder<T>(a, b);
  return <T>(r + (b & <T>(0 - (<T>i32(r != 0) & <T>i32((r ^ b) < 0)))));
}

@inline function whole<T>(op: i32, a: T, b: T): T {
  if (op == TypedCode.Add) return <T>(a + b);
  if (op == TypedCode.Sub) return <T>(a - b);
  if (op == TypedCode.Mul) return <T>(a * b);
  if (op == TypedCode.Div) return quotient<T>(a, b);
  if (op == TypedCode.Mod) return modulo<T>(a, b);
  if (op == TypedCode.Fmod) return remainder<T>(a, b);
  if (op == TypedCode.Max) return a > b ? a : b;
  return a < b ? a : b;
}

/** Bytes of 0 and 1. */
@inline function bytesRun(op: i32, y: usize, a: usize, b: usize, cols: i32): void {
  for (; cols >= 16; cols -= 16) {
    const p = v128.load(a), q = v128.load(b);
    v128.store(y, op == TypedCode.And ? v128.and(p, q) : op == TypedCode.Or ? v128.or(p, q) : v128.xor(p, q));
    a += 16;
    b += 16;
    y += 16;
  }
  for (; cols > 0; cols--) store<u8>(y++, truth<u8>(op, load<u8>(a++), load<u8>(b++)));
}

@inline function truth<T>(op: i32, a: T, b: T): u8 {
  if (op == TypedCode.Equal) return <u8>(a == b);
  if (op == TypedCode.Less) return <u8>(a < b);
  if (op == TypedCode.LessOrEqual) return <u8>(a <= b);
  if (op == TypedCode.And) return <u8>i32(a != 0) & <u8>i32(b != 0);
  if (op == TypedCode.Or) return <u8>i32(a != 0) | <u8>i32(b != 0);
  return <u8>i32(a != 0) ^ <u8>i32(b != 0);
}

@inline function wholeRun<T>(op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32): void {
  const end = y + <usize>cols * sizeof<T>();
  for (; y < end; y += sizeof<T>()) {
    store<T>(y, whole<T>(op, load<T>(a), load<T>(b)));
    a += aStep;
    b += bStep;
  }
}

@inline function truthRun<T>(op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32): void {
  const end = y + <usize>cols;
  for (; y < end; y++) {
    store<u8>(y, truth<T>(op, load<T>(a), load<T>(b)));
    a += aStep;
    b += bStep;
  }
}

@inline function chosenRun<T>(
  y: usize, a: usize, b: usize, c: usize, aStep: usize, bStep: usize, cStep: usize, cols: i32,
): void {
  const end = y + <usize>cols * sizeof<T>();
  for (; y < end; y += sizeof<T>()) {
    store<T>(y, select<T>(load<T>(a), load<T>(b), load<u8>(c)));
    a += aStep;
    b += bStep;
    c += cStep;
  }
}

/** Of four bytes an element, whose conditions lie one after the other: by vectors, where operands lie so, or as dense() has them. */
function chosenVectors(y: usize, a: usize, b: usize, c: usize, aNext: usize, bNext: usize, cols: i32): void {
  for (; cols > 0; cols -= 4) {
    const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(c));
    const mask = i32x4.ne(i32x4.extend_low_i16x8_u(bytes), i32x4.splat(0));
    storeLanes(y, v128.bitselect(v128.load(a), v128.load(b), mask), cols);
    a += aNext;
    b += bNext;
    c += 4;
    y += 16;
  }
}

function wholes<T>(op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32): void {
  switch (op) {
    case TypedCode.Add: wholeRun<T>(TypedCode.Add, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Sub: wholeRun<T>(TypedCode.Sub, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Mul: wholeRun<T>(TypedCode.Mul, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Div: wholeRun<T>(TypedCode.Div, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Mod: wholeRun<T>(TypedCode.Mod, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Fmod: wholeRun<T>(TypedCode.Fmod, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Max: wholeRun<T>(TypedCode.Max, y, a, b, aStep, bStep, cols); break;
    default: wholeRun<T>(TypedCode.Min, y, a, b, aStep, bStep, cols);
  }
}

function truths<T>(op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32): void {
  switch (op) {
    case TypedCode.Equal: truthRun<T>(TypedCode.Equal, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Less: truthRun<T>(TypedCode.Less, y, a, b, aStep, bStep, cols); break;
    default: truthRun<T>(TypedCode.LessOrEqual, y, a, b, aStep, bStep, cols);
  }
}

function logic(op: i32, y: usize, a: usize, b: usize, aStep: usize, bStep: usize, cols: i32): void {
  if (aStep == 1 && bStep == 1) {
    if (op == TypedCode.And) bytesRun(TypedCode.And, y, a, b, cols);
    else if (op == TypedCode.Or) bytesRun(TypedCode.Or, y, a, b, cols);
    else bytesRun(TypedCode.Xor, y, a, b, cols);
    return;
  }
  switch (op) {
    case TypedCode.And: truthRun<u8>(TypedCode.And, y, a, b, aStep, bStep, cols); break;
    case TypedCode.Or: truthRun<u8>(TypedCode.Or, y, a, b, aStep, bStep, cols); break;
    default: truthRun<u8>(TypedCode.Xor, y, a, b, aStep, bStep, cols);
  }
}

@inline function maskOf(op: i32, a: v128, b: v128): v128 {
  if (op == TypedCode.Equal) return f32x4.eq(a, b);
  if (op == TypedCode.Less) return f32x4.lt(a, b);
  return f32x4.le(a, b);
}

/** Comparisons of vectors: 16 elements are a vector of bytes. */
@inline function maskRun(op: i32, y: usize, a: usize, b: usize, aNext: usize, bNext: usize, cols: i32): void {
  const one = i8x16.splat(1);
  for (; cols >= 16; cols -= 16) {
    const m0 = maskOf(op, v128.load(a), v128.load(b));
    const m1 = maskOf(op, v128.load(a + aNext), v128.load(b + bNext));
    const m2 = maskOf(op, v128.load(a + 2 * aNext), v128.load(b + 2 * bNext));
    const m3 = maskOf(op, v128.load(a + 3 * aNext), v128.load(b + 3 * bNext));
    const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(m0, m1), i16x8.narrow_i32x4_s(m2, m3));
    v128.store(y, v128.and(bytes, one));
    a += 4 * aNext;
    b += 4 * bNext;
    y += 16;
  }
  const aStep = aNext >> 2, bStep = bNext >> 2;
  for (; cols > 0; cols--) {
    store<u8>(y++, truth<f32>(op, load<f32>(a), load<f32>(b)));
    a += aStep;
    b += bStep;
  }
}

function masks(op: i32, y: usize, a: usize, b: usize, aNext: usize, bNext: usize, cols: i32): void {
  switch (op) {
    case TypedCode.Equal: maskRun(TypedCode.Equal, y, a, b, aNext, bNext, cols); break;
    case TypedCode.Less: maskRun(TypedCode.Less, y, a, b, aNext, bNext, cols); break;
    default: maskRun(TypedCode.LessOrEqual, y, a, b, aNext, bNext, cols);
  }
}

/**
 * a ** b as exp(b log |a|), 6e-6 off at most where the result is near the ends of float32; exact where b is 0 or a is 1. Of a
 * negative a: with its sign where b is odd, and NaN where b is no whole number.
 */
@inline function power(a: v128, b: v128): v128 {
  const r = exp(f32x4.mul(b, log(f32x4.abs(a))));
  const halved = f32x4.mul(b, splat(0.5));
  const isOdd = f32x4.ne(f32x4.floor(halved), halved);
  const sign = v128.and(v128.and(a, i32x4.splat(0x80000000)), isOdd);
  const isBroken = v128.and(f32x4.lt(a, splat(0)), f32x4.ne(f32x4.nearest(b), b));
  const signed = v128.bitselect(splat(NaN), v128.or(r, sign), isBroken);
  const isOne = v128.or(f32x4.eq(b, splat(0)), f32x4.eq(a, splat(1)));
  return v128.bitselect(splat(1), signed, isOne);
}

function powers(y: usize, a: usize, b: usize, aNext: usize, bNext: usize, cols: i32): void {
  for (; cols > 0; cols -= 4) {
    storeLanes(y, power(v128.load(a), v128.load(b)), cols);
    a += aNext;
    b += bNext;
    y += 16;
  }
}

function floats(
  op: i32, y: usize, aRow: usize, bRow: usize, aStep: usize, bStep: usize, cols: i32, scratch: usize, bRoom: usize,
): void {
  const a = dense(aRow, aStep, cols, scratch);
  const b = dense(bRow, bStep, cols, bRoom);
  const aNext: usize = aStep ? 16 : 0;
  const bNext: usize = bStep ? 16 : 0;
  if (op == TypedCode.Pow) powers(y, a, b, aNext, bNext, cols);
  else masks(op, y, a, b, aNext, bNext, cols);
}

/**
 * Work items: chunks of a run, numbered run * chunks + chunk; where runs are short, a block of `rows` of them. scratch: a chunk
 * of each operand, for float32.
 */
export function typed_binary(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<TypedDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows > 0 && (d.rows == 1 || d.chunks == 1));
  const op = d.operation;
  const aStep = <usize>d.aStepBytes, bStep = <usize>d.bStepBytes, cStep = <usize>d.cStepBytes;
  const bRoom = scratch + (<usize>d.chunkCols << 2) + BINARY_SPARE_BYTES;
  const yBytes = op <= TypedCode.Xor ? 1 : sizeOf(d.type);
  for (let item = begin; item < end; item++) {
    const block = item / d.chunks;
    const first = (item - block * d.chunks) * d.chunkCols;
    const cols = d.cols - first < d.chunkCols ? d.cols - first : d.chunkCols;
    let a = d.aPtr + <usize>first * aStep;
    let b = d.bPtr + <usize>first * bStep;
    let c = d.cPtr + <usize>first * cStep;
    let y = d.yPtr + <usize>(block * d.rows * d.cols + first) * <usize>yBytes;
    let rest = block;
    for (let loop = d.loopsPtr; rest; loop += 16) {
      const size = load<i32>(loop);
      const next = rest / size;
      const index = <usize>(rest - next * size);
      a += index * <usize>load<u32>(loop, 4);
      b += index * <usize>load<u32>(loop, 8);
      c += index * <usize>load<u32>(loop, 12);
      rest = next;
    }
    for (let row = d.rows; row > 0; row--) {
      if (op == TypedCode.Where) {
        const bytes = sizeOf(d.type);
        if (bytes == 4 && cStep == 1) {
          const p = dense(a, aStep, cols, scratch), q = dense(b, bStep, cols, bRoom);
          chosenVectors(y, p, q, c, aStep ? 16 : 0, bStep ? 16 : 0, cols);
        } else if (bytes == 4) chosenRun<u32>(y, a, b, c, aStep, bStep, cStep, cols);
        else if (bytes == 8) chosenRun<u64>(y, a, b, c, aStep, bStep, cStep, cols);
        else chosenRun<u8>(y, a, b, c, aStep, bStep, cStep, cols);
      } else if (d.type == ElementCode.float32) floats(op, y, a, b, aStep, bStep, cols, scratch, bRoom);
      else if (d.type == ElementCode.uint8) {
        if (op == TypedCode.Equal) truthRun<u8>(TypedCode.Equal, y, a, b, aStep, bStep, cols);
        else logic(op, y, a, b, aStep, bStep, cols);
      } else if (d.type == ElementCode.int64) {
        if (op <= TypedCode.LessOrEqual) truths<i64>(op, y, a, b, aStep, bStep, cols);
        else wholes<i64>(op, y, a, b, aStep, bStep, cols);
      } else if (op <= TypedCode.LessOrEqual) truths<i32>(op, y, a, b, aStep, bStep, cols);
      else wholes<i32>(op, y, a, b, aStep, bStep, cols);
      a += <usize>d.aRowBytes;
      b += <usize>d.bRowBytes;
      c += <usize>d.cRowBytes;
      y += <usize>(d.cols * yBytes);
    }
  }
}
