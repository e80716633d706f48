// Direct convolution: the seven nested loops of the definition, tiled by registers.
//
//   y[n, m, p, q] = bias[m] + sum over c, r, s of x[n, c, p*U + r*dilation, q*U + s*dilation] * w[m, c, r, s]
//
// for n, p, (groups)       one output row
//   for m by 8             a panel of 8 output channels: two vectors
//     for q by 4           4 pixels x 2 vectors = 8 accumulators + 2 of w + 1 splat of x <= 16 registers
//       for r, s, c        the reduction, c fastest: x and w are both read forward
//
// x is channels-last and padded (pad_image_f32), so no tap needs a test. w is one reduction block of panels (kernels/pack.ts).
// A last tile of fewer than 4 pixels repeats its last pixel and stores what it has: no second copy of the loop.
import { ConvDesc } from "../abi/conv";
import { endRows } from "../lib/activate";
import { madd, maxOf, minOf, storeLanes } from "../lib/simd";

@inline function storePixel(y: usize, v0: v128, v1: v128, residual: usize, lo: v128, hi: v128, cols: i32): void {
  if (residual) {
    v0 = f32x4.add(v0, v128.load(residual));
    v1 = f32x4.add(v1, v128.load(residual, 16));
  }
  storeLanes(y, minOf(maxOf(v0, lo), hi), cols);
  if (cols > 4) storeLanes(y + 16, minOf(maxOf(v1, lo), hi), cols - 4);
}

/** Work items: output rows, numbered n * P + p. */
export function conv2d_direct_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvDesc>(desc);
  if (!ASC_NO_ASSERT) assert((d.outH - 1) * d.strideH + (d.kernelH - 1) * d.dilationH < d.height && begin >= 0);
  if (!ASC_NO_ASSERT) assert((d.outW - 1) * d.strideW + (d.kernelW - 1) * d.dilationW < d.width && end <= d.batch * d.outH);
  const lo = f32x4.splat(d.lo);
  const hi = f32x4.splat(d.hi);
  const channelBytes = <usize>d.channels << 2;
  const stepW = <usize>(d.strideW * d.xPixelBytes);
  const panelBytes = <usize>(d.kernelH * d.kernelW) * channelBytes << 3;
  const yStride = <usize>d.yPixelBytes;
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const p = item - n * d.outH;
    const rowPtr = d.xPtr + <usize>n * <usize>d.xImageBytes + <usize>(p * d.strideH) * <usize>d.xRowBytes;
    const yOffset = <usize>(item * d.outW) * yStride;
    for (let g = 0; g < d.groups; g++) {
      let panel = d.wPtr + <usize>g * <usize>d.wGroupBytes;
      for (let m = 0; m < d.filters; m += 8) {
        const cols = d.filters - m < 8 ? d.filters - m : 8;
        const bias = d.biasPtr + <usize>g * <usize>d.biasGroupBytes + (<usize>m << 2);
        const bias0 = v128.load(bias);
        const bias1 = v128.load(bias, 16);
        const mOffset = yOffset + (<usize>(g * d.filters + m) << 2);
        for (let q = 0; q < d.outW; q += 4) {
          const pixels = d.outW - q < 4 ? d.outW - q : 4;
          const x = rowPtr + <usize>q * stepW + <usize>g * <usize>d.xGroupBytes;
          const x1 = pixels > 1 ? stepW : 0;
          const x2 = pixels > 2 ? 2 * stepW : x1;
          const x3 = pixels > 3 ? 3 * stepW : x2;
          let acc00 = bias0, acc01 = bias1, acc10 = bias0, acc11 = bias1;
          let acc20 = bias0, acc21 = bias1, acc30 = bias0, acc31 = bias1;
          let w = panel;
          for (let r = 0; r < d.kernelH; r++) {
            for (let s = 0; s < d.kernelW; s++) {
              let tap = x + <usize>(r * d.dilationH) * <usize>d.xRowBytes + <usize>(s * d.dilationW) * <usize>d.xPixelBytes;
              const tapEnd = tap + channelBytes;
              do {
                const w0 = v128.load(w);
                const w1 = v128.load(w, 16);
                let v = v128.load32_splat(tap);
                acc00 = madd(v, w0, acc00);
                acc01 = madd(v, w1, acc01);
                v = v128.load32_splat(tap + x1);
                acc10 = madd(v, w0, acc10);
                acc11 = madd(v, w1, acc11);
                v = v128.load32_splat(tap + x2);
                acc20 = madd(v, w0, acc20);
                acc21 = madd(v, w1, acc21);
                v = v128.load32_splat(tap + x3);
                acc30 = madd(v, w0, acc30);
                acc31 = madd(v, w1, acc31);
                w += 32;
                tap += 4;
              } while (tap < tapEnd);
            }
          }
          const offset = mOffset + <usize>q * yStride;
          let y = d.yPtr + offset;
          let residual = d.residualPtr ? d.residualPtr + offset : 0;
          const step = residual ? yStride : 0;
          const first = y;
          storePixel(y, acc00, acc01, residual, lo, hi, cols);
          if (pixels > 1) storePixel((y += yStride), acc10, acc11, (residual += step), lo, hi, cols);
          if (pixels > 2) storePixel((y += yStride), acc20, acc21, (residual += step), lo, hi, cols);
          if (pixels > 3) storePixel((y += yStride), acc30, acc31, (residual += step), lo, hi, cols);
          if (d.activation) endRows(first, pixels, cols, yStride, desc + offsetof<ConvDesc>("lo"), bias);
        }
        panel += panelBytes;
      }
    }
  }
}
