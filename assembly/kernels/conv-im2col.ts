// im2col: the textbook lowering. Each output pixel's patch is written as one row of a matrix, then one matrix product
// (lib/gemm.ts) does the arithmetic. It costs R*S times the image in memory traffic; it is here to be read and compared.
//
//   patches[(n, p, q)][g][r][s][c] = x[n][p*U + r*dilation][q*U + s*dilation][g][c]
//
// Source: Chellapilla, Puri, Simard, High Performance Convolutional Neural Networks for Document Processing (2006).
import { ConvDesc } from "../abi/conv";
import { copyFloats } from "../lib/layout";

/** Work items: output pixels. Writes to yPtr, yPixelBytes a row; reads a padded image. */
export function im2col_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvDesc>(desc);
  if (!ASC_NO_ASSERT) assert((d.outH - 1) * d.strideH + (d.kernelH - 1) * d.dilationH < d.height && begin >= 0);
  if (!ASC_NO_ASSERT) assert((d.outW - 1) * d.strideW + (d.kernelW - 1) * d.dilationW < d.width && end <= d.batch * d.outH * d.outW);
  const runBytes = <usize>d.channels << 2;
  const image = d.outH * d.outW;
  for (let pixel = begin; pixel < end; pixel++) {
    const n = pixel / image;
    const p = (pixel - n * image) / d.outW;
    const q = pixel - n * image - p * d.outW;
    let dst = d.yPtr + <usize>pixel * <usize>d.yPixelBytes;
    const src = d.xPtr + <usize>n * <usize>d.xImageBytes + <usize>(p * d.strideH) * <usize>d.xRowBytes
      + <usize>(q * d.strideW) * <usize>d.xPixelBytes;
    for (let g = 0; g < d.groups; g++) {
      for (let r = 0; r < d.kernelH; r++) {
        for (let s = 0; s < d.kernelW; s++) {
          copyFloats(
            dst, src + <usize>g * <usize>d.xGroupBytes + <usize>(r * d.dilationH) * <usize>d.xRowBytes
              + <usize>(s * d.dilationW) * <usize>d.xPixelBytes, runBytes,
          );
          dst += runBytes;
        }
      }
    }
  }
}
