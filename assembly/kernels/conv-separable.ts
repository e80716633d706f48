// A separable block by rows: a few rows of the depthwise half go to scratch, where they stay in cache until the pointwise
// half, a matrix product over their pixels, has read them. What lies between is never written to memory as a whole.
//
//   x ─▶ depthwise, activation ─▶ | blockRows x Q pixels x kC | ─▶ GEMM, bias, residual, activation ─▶ y
//
// Both halves are the kernels that compute them alone, so the bits are the same.
import { ROW_BLOCK } from "../abi/constants";
import { DepthwiseDesc, SeparableDesc } from "../abi/conv";
import { GemmRun } from "../abi/matrix";
import { depthwise } from "../lib/depthwise";
import { evenRun, gemmRuns } from "../lib/gemm";

/** Work items: output rows, numbered n * P + p. Scratch: a DepthwiseDesc, a GemmRun, the depthwise kernel's own, the rows. */
export function separable_conv2d_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<SeparableDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.blockRows > 0 && begin >= 0 && end <= d.batch * d.outH);
  const pixelBytes = <usize>d.yPixelBytes;
  const rowBytes = <usize>d.outW * pixelBytes;
  const yPixel = <usize>d.pointFilters << 2;
  // The depthwise half, on a descriptor of this caller's: it writes row p to rows + (p - begin) * rowBytes.
  const half = changetype<DepthwiseDesc>(scratch);
  for (let i: usize = 0; i < offsetof<DepthwiseDesc>(); i += 4) store<i32>(scratch + i, load<i32>(desc + i));
  const run = scratch + (offsetof<DepthwiseDesc>() + 63 & ~63);
  const runEnd = run + offsetof<GemmRun>();
  const depthwiseScratch = runEnd + 63 & ~63;
  const rows = depthwiseScratch + <usize>d.depthwiseScratchBytes;
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
      evenRun(run, pixels, 0, pixelBytes, <usize>pixel * yPixel, yPixel);
      gemmRuns(
        run, runEnd, 0, a, d.pointBlocksPtr, d.pointBlockCount, d.pointPtr, d.pointFilters, d.outPtr, d.pointBiasPtr,
        d.outResidualPtr, desc + offsetof<SeparableDesc>("pointLo"), d.tileRows,
      );
      a += <usize>pixels * pixelBytes;
      pixel += pixels;
      left -= pixels;
    }
    begin += count;
  }
}
