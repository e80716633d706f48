// y = f(x) by element: functions with numbers of their own, and what is a few exponentials.
//
//   softplus   max(x, 0) + log(1 + e), e = exp(-|x|); log(1 + e) as e log(u) / (u - 1), u = 1 + e: exact where e is small
//   mish       x tanh(softplus(x)) = x n / (n + 2), n = e (e + 2), e = exp(x); x itself from 20 on
//
// Tail: a partial vector is computed whole and stored in part.
import { CHUNK } from "../abi/constants";
import { ActivationDesc } from "../abi/elements";
import { FunctionCode } from "../abi/rare";
import { exp, log } from "../lib/math";
import { maxOf, splat, storeLanes } from "../lib/simd";

@inline function softplus(x: v128): v128 {
  const e = exp(f32x4.neg(f32x4.abs(x)));
  const u = f32x4.add(e, splat(1));
  const less = f32x4.sub(u, splat(1));
  const ratio = f32x4.div(f32x4.mul(e, log(u)), less);
  return f32x4.add(maxOf(x, splat(0)), v128.bitselect(e, ratio, f32x4.eq(less, splat(0))));
}

@inline function mish(x: v128): v128 {
  const e = exp(x);
  const n = f32x4.mul(e, f32x4.add(e, splat(2)));
  return v128.bitselect(x, f32x4.div(f32x4.mul(x, n), f32x4.add(n, splat(2))), f32x4.ge(x, splat(20)));
}

/** Towards 0 by the bias, 0 from -lambd to lambd; NaN, which is neither beyond the one nor the other, is 0. */
@inline function shrink(x: v128, bias: v128, lambd: v128): v128 {
  const below = v128.and(f32x4.add(x, bias), f32x4.lt(x, f32x4.neg(lambd)));
  return v128.bitselect(f32x4.sub(x, bias), below, f32x4.gt(x, lambd));
}

@inline function run(code: i32, y: usize, x: usize, bytes: usize, alpha: v128, beta: v128): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    let v = v128.load(x + i);
    if (code == FunctionCode.Softplus) v = softplus(v);
    else if (code == FunctionCode.Mish) v = mish(v);
    else if (code == FunctionCode.Shrink) v = shrink(v, alpha, beta);
    else v = v128.and(v, f32x4.gt(v, alpha));
    storeLanes(y + i, v, <i32>((bytes - i) >> 2));
  }
}

/** Work items: chunks of CHUNK elements. y may be x. */
export function function_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ActivationDesc>(desc);
  const first = begin * CHUNK;
  const last = end * CHUNK;
  const bytes = <usize>((last < d.count ? last : d.count) - first) << 2;
  const x = d.xPtr + (<usize>first << 2);
  const y = d.yPtr + (<usize>first << 2);
  const alpha = splat(d.alpha), beta = splat(d.beta);
  switch (d.activation) {
    case FunctionCode.Softplus: run(FunctionCode.Softplus, y, x, bytes, alpha, beta); break;
    case FunctionCode.Mish: run(FunctionCode.Mish, y, x, bytes, alpha, beta); break;
    case FunctionCode.Shrink: run(FunctionCode.Shrink, y, x, bytes, alpha, beta); break;
    default: run(FunctionCode.ThresholdedRelu, y, x, bytes, alpha, beta);
  }
}
