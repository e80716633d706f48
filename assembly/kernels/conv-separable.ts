// A separable block by rows: a few rows of the depthwise half go to scratch, where they stay in cache until the pointwise
// half, a matrix product over their pixels, has read them. What lies between is never written to memory as a whole.
//
//   x ─▶ depthwise, activation ─▶ | blockRows x Q pixels x kC | ─▶ GEMM, bias, residual, activation ─▶ y
//
// Both halves are the kernels that compute them alone, so the bits are the same.
import { ROW_BLOCK, ROW_TABLE_BYTES } from "../abi/constants";
import { DepthwiseDesc, SeparableDesc } from "../abi/conv";
import { depthwise } from "../lib/depthwise";
import { gemmRows } from "../lib/gemm";

/** Work items: output rows, numbered n * P + p. Scratch: a DepthwiseDesc, ROW_BLOCK i32, the depthwise kernel's own, the rows. */
export function separable_conv2d_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<SeparableDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.blockRows > 0 && begin >= 0 && end <= d.batch * d.outH);
  const pixelBytes = <usize>d.yPixelBytes;
  const rowBytes = <usize>d.outW * pixelBytes;
  const yPixel = <usize>d.pointFilters << 2;
  // The depthwise half, on a descriptor of this caller's: it writes row p to rows + (p - begin) * rowBytes.
  const half = changetype<DepthwiseDesc>(scratch);
  for (let i: usize = 0; i < offsetof<DepthwiseDesc>(); i += 4) store<i32>(scratch + i, load<i32>(desc + i));
  const table = scratch + (offsetof<DepthwiseDesc>() + 63 & ~63);
  const depthwiseScratch = table + ROW_TABLE_BYTES;
  const rows = depthwiseScratch + <usize>d.depthwiseScratchBytes;
  for (let i = 0; i < ROW_BLOCK; i++) store<i32>(table + (<usize>i << 2), i * <i32>pixelBytes);
  while (begin < end) {
    const blocks = (end - begin + d.blockRows - 1) / d.blockRows; // evenly over the fewest blocks
    const count = (end - begin + blocks - 1) / blocks;
    half.yPtr = rows - <usize>begin * rowBytes;
    depthwise(half, begin, begin + count, depthwiseScratch);
    let pixel = begin * d.outW;
    let a = rows;
    let left = count * d.outW;
    while (left > 0) {
      const parts = (left + ROW_BLOCK - 1) / ROW_BLOCK;
      const pixels = (left + parts - 1) / parts;
      const offset = <usize>pixel * yPixel;
      gemmRows(
        table, pixels, a, d.pointBlocksPtr, d.pointBlockCount, d.pointPtr, d.pointFilters, d.outPtr + offset, yPixel,
        d.pointBiasPtr, d.outResidualPtr ? d.outResidualPtr + offset : 0,
        d.pointLo, d.pointHi, d.pointActivation, d.pointAlpha, d.pointBeta, d.tileRows,
      );
      a += <usize>pixels * pixelBytes;
      pixel += pixels;
      left -= pixels;
    }
    begin += count;
  }
}
