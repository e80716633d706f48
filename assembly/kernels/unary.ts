// y = f(x) by element: functions that no other kernel ends with (those are in lib/activate.ts). What is one instruction or a few
// shares one loop, which asks for every vector which one it is: memory is slower than that.
//
// Tail: a partial vector is computed whole and stored in part.
import { UnaryCode } from "../abi/codes";
import { CHUNK } from "../abi/constants";
import { ActivationDesc } from "../abi/elements";
import { erf, exp, log, sine } from "../lib/math";
import { splat, storeLanes } from "../lib/simd";

/** A few functions in one loop. */
const OTHER: i32 = -1;

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
  if (code == UnaryCode.Sqrt) return f32x4.sqrt(v);
  if (code == UnaryCode.Abs) return f32x4.abs(v);
  if (code == UnaryCode.Floor) return f32x4.floor(v);
  if (code == UnaryCode.Ceil) return f32x4.ceil(v);
  if (code == UnaryCode.Round) return f32x4.nearest(v);
  if (code == UnaryCode.Reciprocal) return f32x4.div(splat(1), v);
  if (code == UnaryCode.Half) return half(v);
  return sign(v);
}

/** OTHER: whatever the code says, by vector. */
@inline function run(kind: i32, code: i32, y: usize, x: usize, bytes: usize, scratch: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    let v = v128.load(x + i);
    if (kind == UnaryCode.Exp) v = exp(v);
    else if (kind == UnaryCode.Log) v = log(v);
    else if (kind == UnaryCode.Sin) v = sine(v, code - UnaryCode.Sin, scratch);
    else if (kind == UnaryCode.Erf) v = erf(v);
    else v = lanes(code, v);
    storeLanes(y + i, v, <i32>((bytes - i) >> 2));
  }
}

/** Work items: chunks of CHUNK elements. y may be x. scratch: UNARY_SCRATCH_BYTES. */
export function unary_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ActivationDesc>(desc);
  const first = begin * CHUNK;
  const last = end * CHUNK;
  const bytes = <usize>((last < d.count ? last : d.count) - first) << 2;
  const x = d.xPtr + (<usize>first << 2);
  const y = d.yPtr + (<usize>first << 2);
  const code = d.activation;
  switch (code) {
    case UnaryCode.Exp: run(UnaryCode.Exp, code, y, x, bytes, scratch); break;
    case UnaryCode.Log: run(UnaryCode.Log, code, y, x, bytes, scratch); break;
    case UnaryCode.Sin:
    case UnaryCode.Cos: run(UnaryCode.Sin, code, y, x, bytes, scratch); break;
    case UnaryCode.Erf: run(UnaryCode.Erf, code, y, x, bytes, scratch); break;
    default: run(OTHER, code, y, x, bytes, scratch);
  }
}
