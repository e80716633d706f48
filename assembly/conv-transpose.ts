// Transposed convolution (the gradient of a convolution by its input), as a matrix product and a gather:
//
//   columns[n, h, w][r, s][m] = sum over c of x[n, c, h, w] * w[c, m, r, s]           gemm.ts, one batch a tap
//   y[n, m, p, q] = act(bias[m] + sum over (h, r), (w, s) of columns[n, h, w][r, s][m])
//                   where h * U + r * dilation = p + padTop, and likewise along w       this kernel
//
// Gathering instead of scattering writes every output once, so rows are independent work items. Lanes are output channels.
// Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016).
import { activateRows } from "./activation";
import { GatherDesc } from "./desc";
import { maxOf, minOf, splat, storeLanes } from "./simd";

/** Work items: output rows, numbered n * P + p. Scratch: M rounded up to 4 floats. */
export function conv_transpose_gather_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<GatherDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.strideH > 0 && d.strideW > 0 && d.columnsPtr != 0 && d.biasPtr != 0);
  const lo = splat(d.lo), hi = splat(d.hi);
  const tapBytes = <usize>d.filters << 2;
  const pixelBytes = <usize>(d.kernelH * d.kernelW) * tapBytes;
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const p = item - n * d.outH;
    const image = d.columnsPtr + <usize>(n * d.height * d.width) * pixelBytes;
    let y = d.yPtr + <usize>(item * d.outW) * tapBytes;
    for (let q = 0; q < d.outW; q++) {
      for (let m: usize = 0; m < tapBytes; m += 16) v128.store(scratch + m, v128.load(d.biasPtr + m));
      for (let r = 0; r < d.kernelH; r++) {
        const up = p + d.padTop - r * d.dilationH;
        const h = up / d.strideH;
        if (up < 0 || h >= d.height || h * d.strideH != up) continue;
        for (let s = 0; s < d.kernelW; s++) {
          const left = q + d.padLeft - s * d.dilationW;
          const w = left / d.strideW;
          if (left < 0 || w >= d.width || w * d.strideW != left) continue;
          const column = image + <usize>(h * d.width + w) * pixelBytes + <usize>(r * d.kernelW + s) * tapBytes;
          for (let m: usize = 0; m < tapBytes; m += 16) {
            v128.store(scratch + m, f32x4.add(v128.load(scratch + m), v128.load(column + m)));
          }
        }
      }
      let count = d.filters;
      for (let m: usize = 0; m < tapBytes; m += 16) {
        storeLanes(y + m, minOf(maxOf(v128.load(scratch + m), lo), hi), count);
        count -= 4;
      }
      if (d.activation) activateRows(y, 1, d.filters, 0, d.activation, d.alpha, d.beta);
      y += tapBytes;
    }
  }
}
