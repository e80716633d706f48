// Normalisation of lines, which lie one after the other:
//
//   y = (x - mean) / sqrt(variance + epsilon) * gamma + beta     mean and variance of a line of `length` elements
//
// or, not centred, x / sqrt(mean of x^2 + epsilon). A factor and a shift belong to `inner` neighbours: 1 in layer and RMS
// normalisation, a channel's pixels in group and instance normalisation; after `period` lines they start again.
//
// Two passes, mean first, then squares of what is left, so that nothing cancels; both and the result's find the line in L1 or L2.
// Sums are of float32 in 8 lanes over at most CHUNK elements, and of float64 over those. y may be x.
import { CHUNK } from "../abi/constants";
import { NormaliseDesc } from "../abi/elements";
import { hsum, madd, splat, storeLanes } from "../lib/simd";

/** The sum of (x - center), or of its square, over a line. */
@inline function sumOf(x: usize, length: i32, center: f32, isSquared: bool): f64 {
  const c = splat(center);
  const end = x + (<usize>length << 2);
  const whole = x + (<usize>(length & ~3) << 2);
  let total: f64 = 0;
  while (x < whole) {
    const left = whole - x;
    const stop = x + (left < <usize>CHUNK << 2 ? left : <usize>CHUNK << 2);
    let even = splat(0);
    let odd = splat(0);
    for (; x + 32 <= stop; x += 32) {
      const v = f32x4.sub(v128.load(x), c);
      const w = f32x4.sub(v128.load(x, 16), c);
      even = isSquared ? madd(v, v, even) : f32x4.add(even, v);
      odd = isSquared ? madd(w, w, odd) : f32x4.add(odd, w);
    }
    if (x < stop) {
      const v = f32x4.sub(v128.load(x), c);
      even = isSquared ? madd(v, v, even) : f32x4.add(even, v);
      x += 16;
    }
    total += <f64>hsum(f32x4.add(even, odd));
  }
  for (; x < end; x += 4) {
    const v = load<f32>(x) - center;
    total += <f64>(isSquared ? v * v : v);
  }
  return total;
}

/** y = (x - mean) * factor + shift for `count` neighbours that share both. */
function scaleRun(y: usize, x: usize, count: i32, mean: v128, factor: v128, shift: v128): void {
  for (; count > 0; count -= 4) {
    storeLanes(y, madd(f32x4.sub(v128.load(x), mean), factor, shift), count);
    x += 16;
    y += 16;
  }
}

/** Work items: lines. */
export function normalise_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<NormaliseDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.length > 0 && d.inner > 0 && d.length % d.inner == 0 && d.period > 0);
  const scales = d.length / d.inner;
  const lineBytes = <usize>d.length << 2;
  for (let item = begin; item < end; item++) {
    let x = d.xPtr + <usize>item * lineBytes;
    let y = d.yPtr + <usize>item * lineBytes;
    const first = <usize>(item % d.period * scales) << 2;
    const mean = d.centered ? <f32>(sumOf(x, d.length, 0, false) / <f64>d.length) : 0;
    const scale = <f32>(1 / Math.sqrt(sumOf(x, d.length, mean, true) / <f64>d.length + <f64>d.epsilon));
    const center = splat(mean);
    let gamma = d.gammaPtr + first;
    let beta = d.betaPtr + first;
    if (d.inner == 1) {
      const factor = splat(scale);
      for (let count = d.length; count > 0; count -= 4) {
        let v = f32x4.mul(f32x4.sub(v128.load(x), center), factor);
        if (d.gammaPtr) v = f32x4.mul(v, v128.load(gamma));
        if (d.betaPtr) v = f32x4.add(v, v128.load(beta));
        storeLanes(y, v, count);
        x += 16;
        y += 16;
        gamma += 16;
        beta += 16;
      }
      continue;
    }
    for (let i = 0; i < scales; i++) {
      const factor = d.gammaPtr ? scale * load<f32>(gamma) : scale;
      scaleRun(y, x, d.inner, center, splat(factor), splat(d.betaPtr ? load<f32>(beta) : 0));
      x += <usize>d.inner << 2;
      y += <usize>d.inner << 2;
      gamma += 4;
      beta += 4;
    }
  }
}
