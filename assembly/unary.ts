// y = f(x) by element: functions that no other kernel ends with (those are in activation.ts). What is one instruction or a few
// shares one loop, which asks for every vector which one it is: memory is slower than that.
//
// Tail: a partial vector is computed whole and stored in part.
import { ActivationDesc } from "./desc";
import { erf, exp, log, sine } from "./math";
import { splat, storeLanes } from "./simd";

// The codes of src/onnx/ops/unary.ts.
const EXP: i32 = 0;
const LOG: i32 = 1;
const SIN: i32 = 2;
const COS: i32 = 3;
const ERF: i32 = 4;
const SQRT: i32 = 5;
const ABS: i32 = 6;
const FLOOR: i32 = 7;
const CEIL: i32 = 8;
const ROUND: i32 = 9; // halves to even
const RECIPROCAL: i32 = 10;
const HALF: i32 = 11; // the nearest float16
// 12 is the sign.
const OTHER: i32 = -1;

/** Elements of one work item. */
const CHUNK: i32 = 2048;

/** -1, 0 or 1; NaN stays. */
@inline function sign(v: v128): v128 {
  const one = v128.or(v128.and(v, i32x4.splat(0x80000000)), splat(1));
  return v128.bitselect(one, v, v128.or(f32x4.lt(v, splat(0)), f32x4.gt(v, splat(0))));
}

/** The nearest number that float16 has, ties to even; NaN stays. */
@inline function half(v: v128): v128 {
  const size = f32x4.abs(v);
  // 13 bits less: halves of the last one left go to where it is even, and a carry into the exponent is as it should be.
  const odd = v128.and(i32x4.shr_u(size, 13), i32x4.splat(1));
  let r = v128.andnot(i32x4.add(i32x4.add(size, odd), i32x4.splat(0xfff)), i32x4.splat(0x1fff));
  r = v128.bitselect(splat(Infinity), r, f32x4.ge(r, splat(65536)));
  // Below 2^-14 the steps are 2^-24, which are the steps of float32 from 0.5 on.
  r = v128.bitselect(f32x4.sub(f32x4.add(size, splat(0.5)), splat(0.5)), r, f32x4.lt(size, splat(f32(2 ** -14))));
  r = v128.or(r, v128.and(v, i32x4.splat(0x80000000)));
  return v128.bitselect(r, v, f32x4.eq(v, v));
}

@inline function lanes(code: i32, v: v128): v128 {
  if (code == SQRT) return f32x4.sqrt(v);
  if (code == ABS) return f32x4.abs(v);
  if (code == FLOOR) return f32x4.floor(v);
  if (code == CEIL) return f32x4.ceil(v);
  if (code == ROUND) return f32x4.nearest(v);
  if (code == RECIPROCAL) return f32x4.div(splat(1), v);
  if (code == HALF) return half(v);
  return sign(v);
}

/** OTHER: whatever the code says, by vector. */
@inline function run(kind: i32, code: i32, y: usize, x: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    let v = v128.load(x + i);
    if (kind == EXP) v = exp(v);
    else if (kind == LOG) v = log(v);
    else if (kind == SIN) v = sine(v, code - SIN);
    else if (kind == ERF) v = erf(v);
    else v = lanes(code, v);
    storeLanes(y + i, v, <i32>((bytes - i) >> 2));
  }
}

/** Work items: chunks of 2048 elements. y may be x. */
export function unary_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ActivationDesc>(desc);
  const first = begin * CHUNK;
  const last = end * CHUNK;
  const bytes = <usize>((last < d.count ? last : d.count) - first) << 2;
  const x = d.xPtr + (<usize>first << 2);
  const y = d.yPtr + (<usize>first << 2);
  const code = d.activation;
  switch (code) {
    case EXP: run(EXP, code, y, x, bytes); break;
    case LOG: run(LOG, code, y, x, bytes); break;
    case SIN:
    case COS: run(SIN, code, y, x, bytes); break;
    case ERF: run(ERF, code, y, x, bytes); break;
    default: run(OTHER, code, y, x, bytes);
  }
}
