// Local response normalisation across channels: y = x / (bias + scale * sum of x^2 over a window of channels)^beta,
// with `before` channels of the window in front of the one at hand and `after` behind it. Krizhevsky et al. (2012).
//
// x is [outer, channels, inner] in memory:
//
//   inner = 1 (channels-last)  lanes are channels. A pixel's squares go to scratch between zeros for the window's ends:
//                              scratch ─▶ | before zeros | C squares | after zeros | LRN_SPARE_BYTES of zeros |, then a sum of shifted loads.
//   inner > 1                  lanes are neighbours of inner, 16 of them (one cache line a channel) a work item.
//
// A partial vector is computed whole and stored in part. y is not x: windows overlap.
import { LRN_SPARE_BYTES, NEIGHBOURS } from "../abi/constants";
import { LocalResponseNormDesc } from "../abi/elements";
import { exp, log } from "../lib/math";
import { madd, splat, storeLanes } from "../lib/simd";

/** x / t^beta. beta = 0.75, as nearly every network has it, takes two square roots instead of a logarithm and e^x. */
@inline function divideByPower(x: v128, t: v128, beta: f32): v128 {
  if (beta == 0.75) {
    const root = f32x4.sqrt(t);
    return f32x4.div(x, f32x4.mul(root, f32x4.sqrt(root)));
  }
  return f32x4.mul(x, exp(f32x4.mul(log(t), splat(-beta))));
}

function normalise(d: LocalResponseNormDesc, y: usize, x: v128, squares: v128, count: i32): void {
  storeLanes(y, divideByPower(x, madd(squares, splat(d.scale), splat(d.bias)), d.beta), count);
}

function pixel(d: LocalResponseNormDesc, y: usize, x: usize, scratch: usize): void {
  const window = <usize>(d.before + d.after) << 2;
  const bytes = <usize>d.channels << 2;
  const squares = scratch + (<usize>d.before << 2);
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(x + i);
    v128.store(squares + i, f32x4.mul(v, v));
  }
  memory.fill(squares + bytes, 0, (<usize>d.after << 2) + LRN_SPARE_BYTES);
  for (let i: usize = 0; i < bytes; i += 16) {
    let sum = v128.load(scratch + i);
    for (let k: usize = 4; k <= window; k += 4) sum = f32x4.add(sum, v128.load(scratch + i + k));
    normalise(d, y + i, v128.load(x + i), sum, <i32>((bytes - i) >> 2));
  }
}

function lanesAcross(d: LocalResponseNormDesc, y: usize, x: usize, count: i32): void {
  const step = <usize>d.inner << 2;
  for (let c = 0; c < d.channels; c++) {
    const first = c > d.before ? c - d.before : 0;
    const last = c + d.after < d.channels ? c + d.after : d.channels - 1;
    let sum = splat(0);
    for (let k = first; k <= last; k++) {
      const v = v128.load(x + <usize>k * step);
      sum = madd(v, v, sum);
    }
    const at = <usize>c * step;
    normalise(d, y + at, v128.load(x + at), sum, count);
  }
}

/** Work items: pixels where inner = 1, else blocks of 16 neighbours, numbered outer * ceil(inner / 16) + block. */
export function local_response_norm_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<LocalResponseNormDesc>(desc);
  const blocks = (d.inner + NEIGHBOURS - 1) / NEIGHBOURS;
  const image = <usize>d.channels * <usize>d.inner << 2;
  if (d.inner == 1) memory.fill(scratch, 0, <usize>d.before << 2);
  for (let item = begin; item < end; item++) {
    const outer = item / blocks;
    const offset = <usize>outer * image;
    if (d.inner == 1) {
      pixel(d, d.yPtr + offset, d.xPtr + offset, scratch);
      continue;
    }
    let first = (item - outer * blocks) * NEIGHBOURS;
    const last = first + NEIGHBOURS < d.inner ? first + NEIGHBOURS : d.inner;
    for (; first < last; first += 4) {
      const at = offset + (<usize>first << 2);
      lanesAcross(d, d.yPtr + at, d.xPtr + at, last - first);
    }
  }
}
