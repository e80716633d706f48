// Transposed convolution (the gradient of a convolution by its input), as a matrix product and a gather:
//
//   columns[n, h, w][r, s][m] = sum over c of x[n, c, h, w] * w[c, m, r, s]           lib/gemm.ts, one batch a tap
//   y[n, m, p, q] = act(bias[m] + sum over (h, r), (w, s) of columns[n, h, w][r, s][m])
//                   where h * U + r * dilation = p + padTop, and likewise along w       this kernel
//
// A row of outputs is written by one work item: every tap of every row of columns that reaches it adds to it, U pixels apart,
// in the order of taps. Lanes are output channels; those beyond a multiple of four go one by one.
// Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016).
import { GatherDesc } from "../abi/conv";
import { activateRows } from "../lib/activate";
import { maxOf, minOf, splat, storeLanes } from "../lib/simd";

/** to[m] += from[m] for `bytes` of floats. */
@inline function addFloats(to: usize, from: usize, bytes: usize): void {
  let m: usize = 0;
  for (; m + 16 <= bytes; m += 16) v128.store(to + m, f32x4.add(v128.load(to + m), v128.load(from + m)));
  for (; m < bytes; m += 4) f32.store(to + m, f32.load(to + m) + f32.load(from + m));
}

/** Work items: output rows, numbered n * P + p. */
export function conv_transpose_gather_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<GatherDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.strideH > 0 && d.strideW > 0 && d.columnsPtr != 0 && d.biasPtr != 0);
  const lo = splat(d.lo), hi = splat(d.hi);
  const tapBytes = <usize>d.filters << 2;
  const pixelBytes = <usize>(d.kernelH * d.kernelW) * tapBytes;
  const rowBytes = <usize>d.outW * tapBytes;
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const p = item - n * d.outH;
    const row = d.yPtr + <usize>item * rowBytes;
    for (let y: usize = 0; y < rowBytes; y += tapBytes) {
      for (let m: usize = 0; m < tapBytes; m += 4) f32.store(row + y + m, f32.load(d.biasPtr + m));
    }
    for (let r = 0; r < d.kernelH; r++) {
      const up = p + d.padTop - r * d.dilationH;
      const h = up / d.strideH;
      if (up < 0 || h >= d.height || h * d.strideH != up) continue;
      const image = d.columnsPtr + <usize>((n * d.height + h) * d.width) * pixelBytes;
      for (let s = 0; s < d.kernelW; s++) {
        // Output w * strideW + shift lies in the row for w in [first, last).
        const shift = s * d.dilationW - d.padLeft;
        const first = shift < 0 ? (d.strideW - 1 - shift) / d.strideW : 0;
        const fit = (d.outW - shift + d.strideW - 1) / d.strideW;
        const last = fit < d.width ? fit : d.width;
        let column = image + <usize>first * pixelBytes + <usize>(r * d.kernelW + s) * tapBytes;
        let y = row + <usize>(first * d.strideW + shift) * tapBytes;
        for (let w = first; w < last; w++) {
          addFloats(y, column, tapBytes);
          column += pixelBytes;
          y += <usize>d.strideW * tapBytes;
        }
      }
    }
    const count = d.outW * d.filters;
    for (let i = 0; i < count; i += 4) {
      const y = row + (<usize>i << 2);
      storeLanes(y, minOf(maxOf(v128.load(y), lo), hi), count - i);
    }
    if (d.activation) activateRows(row, 1, count, 0, d.activation, d.alpha, d.beta);
  }
}
