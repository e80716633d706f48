// Implicit GEMM: the patch matrix of im2col is never written. A row of A is a pixel's patch read where it lies in the
// channels-last image; its R (or R*S, when dilated) contiguous runs are the segments of lib/gemm.ts.
//
//   row (n, p, q) starts at x + ((n * H + p*U) * W + q*U) * C;   segment r at + r * dilation * W * C
//
// x is a padded copy where padding is not zero, else the tensor itself; a 1x1 kernel is then a plain matrix product
// with nothing copied. Source: Chetlur et al., cuDNN (2014); Dukhan, The Indirect Convolution Algorithm (2019).
import { ROW_BLOCK } from "../abi/constants";
import { ImplicitGemmDesc } from "../abi/conv";
import { gemmRows } from "../lib/gemm";

/** Writes the byte offsets of output pixels [pixel, pixel + count) into the row table. */
export function pixelOffsets(d: ImplicitGemmDesc, table: usize, pixel: i32, count: i32): void {
  const stepW = d.strideW * d.xPixelBytes;
  const stepH = d.strideH * d.xRowBytes;
  const image = d.outH * d.outW;
  let n = pixel / image;
  let rest = pixel - n * image;
  let p = rest / d.outW;
  let q = rest - p * d.outW;
  let row = n * d.xImageBytes + p * stepH;
  const end = table + (<usize>count << 2);
  while (table < end) {
    store<i32>(table, row + q * stepW);
    table += 4;
    if (++q == d.outW) {
      q = 0;
      row += stepH;
      if (++p == d.outH) {
        p = 0;
        row = ++n * d.xImageBytes;
      }
    }
  }
}

/** Work items: output pixels, numbered (n * P + p) * Q + q. Scratch: ROW_BLOCK i32. */
export function conv2d_implicit_gemm_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ImplicitGemmDesc>(desc);
  // The last tap of the last pixel lies inside the (padded) image.
  if (!ASC_NO_ASSERT) assert((d.outH - 1) * d.strideH + (d.kernelH - 1) * d.dilationH < d.height && begin >= 0);
  if (!ASC_NO_ASSERT) assert((d.outW - 1) * d.strideW + (d.kernelW - 1) * d.dilationW < d.width && end <= d.batch * d.outH * d.outW);
  const yStride = <usize>d.yPixelBytes;
  // Pixels are spread evenly over the fewest row blocks.
  const blocks = (end - begin + ROW_BLOCK - 1) / ROW_BLOCK;
  for (let i = blocks; i > 0; i--) {
    const count = (end - begin) / i;
    pixelOffsets(d, scratch, begin, count);
    const yOffset = <usize>begin * yStride;
    for (let g = 0; g < d.groups; g++) {
      const offset = yOffset + (<usize>(g * d.filters) << 2);
      gemmRows(
        scratch, count, d.xPtr + <usize>g * <usize>d.xGroupBytes, d.blocksPtr, d.blockCount,
        d.wPtr + <usize>g * <usize>d.wGroupBytes, d.filters, d.yPtr + offset, yStride,
        d.biasPtr + <usize>g * <usize>d.biasGroupBytes, d.residualPtr ? d.residualPtr + offset : 0,
        d.lo, d.hi, d.activation, d.alpha, d.beta, d.tileRows,
      );
    }
    begin += count;
  }
}
