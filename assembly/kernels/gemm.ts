// A batched matrix product: see lib/gemm.ts.
import { ROW_BLOCK } from "../abi/constants";
import { GemmDesc } from "../abi/matrix";
import { gemmRows } from "../lib/gemm";

/** Work items: rows of all batches. Scratch: ROW_TABLE_BYTES. */
export function gemm_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<GemmDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.aPtr != 0 && d.bPtr != 0 && d.cPtr != 0 && d.biasPtr != 0 && d.rows > 0 && begin >= 0);
  const aStride = d.aStrideBytes;
  const cStride = <usize>d.cStrideBytes;
  for (let i = 0; i < ROW_BLOCK; i++) store<i32>(scratch + (<usize>i << 2), i * aStride);
  while (begin < end) {
    const batch = begin / d.rows;
    const row = begin - batch * d.rows;
    let count = end - begin;
    if (count > d.rows - row) count = d.rows - row;
    if (count > ROW_BLOCK) count = ROW_BLOCK;
    const cOffset = <usize>batch * <usize>d.cBatchBytes + <usize>row * cStride;
    gemmRows(
      scratch, count, d.aPtr + <usize>batch * <usize>d.aBatchBytes + <usize>row * <usize>aStride, d.blocksPtr, d.blockCount,
      d.bPtr + <usize>batch * <usize>d.bBatchBytes, d.cols, d.cPtr + cOffset, cStride,
      d.biasPtr + <usize>batch * <usize>d.biasBatchBytes, d.residualPtr ? d.residualPtr + cOffset : 0,
      d.lo, d.hi, d.activation, d.alpha, d.beta, d.tileRows,
    );
    begin += count;
  }
}
