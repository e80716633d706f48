// A batched matrix product: see lib/gemm.ts.
import { ROW_BLOCK } from "../abi/constants";
import { GemmDesc, GemmRun } from "../abi/matrix";
import { evenRun, gemmRuns } from "../lib/gemm";

/** Work items: rows of all batches. Scratch: a GemmRun. */
export function gemm_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<GemmDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.aPtr != 0 && d.bPtr != 0 && d.cPtr != 0 && d.biasPtr != 0 && d.rows > 0 && begin >= 0);
  const aStep = <usize>d.aStrideBytes, cStep = <usize>d.cStrideBytes;
  while (begin < end) {
    const batch = begin / d.rows;
    const row = begin - batch * d.rows;
    let count = end - begin;
    if (count > d.rows - row) count = d.rows - row;
    if (count > ROW_BLOCK) count = ROW_BLOCK;
    evenRun(scratch, count, <usize>row * aStep, aStep, <usize>row * cStep, cStep);
    const cBatch = <usize>batch * <usize>d.cBatchBytes;
    gemmRuns(
      scratch, scratch + offsetof<GemmRun>(), 0, d.aPtr + <usize>batch * <usize>d.aBatchBytes, d.blocksPtr, d.blockCount,
      d.bPtr + <usize>batch * <usize>d.bBatchBytes, d.cols, d.cPtr + cBatch, d.biasPtr + <usize>batch * <usize>d.biasBatchBytes,
      d.residualPtr ? d.residualPtr + cBatch : 0, desc + offsetof<GemmDesc>("lo"), d.tileRows,
    );
    begin += count;
  }
}
