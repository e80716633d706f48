// The blocked matrix product under implicit GEMM, im2col, pointwise, Winograd, linear and matmul:
//
//   C[m, n] = act(sum over k of A[m, k] * B[k, n] + bias[n] + residual[m, n])
//
// A is never packed: a micro-tile reads each of its rows through a pointer, so a row may be a pixel's patch inside an
// image as well as a row of a matrix. B is packed once per plan into panels of 8 columns (pack.ts).
//
// Micro-tile (gen/tiles.ts): up to tileRows x 8. 6 x 8 holds 12 accumulators + 2 vectors of B + 1 splat of A = 15 of the 16
// vector registers; one more and every turn of the loop spills. Without FMA a product needs a register too: 5 rows there,
// and 4 on engines whose register allocator does worse. The plan says which (src/runtime/instance.ts); a sum is made in
// the same order in every tile, so the bits do not depend on it.
//
// Reduction blocks. K is cut into blocks whose 8-wide panel fits L1 (512 * 8 floats = 16 KB). The table at blocksPtr has
// 16 bytes a block, then the segment lists that it points at:
//
//   | segment list (bytes from blocksPtr) | segments | bytes of A a segment | bytes of a B panel |
//
// A segment is a run of k that is contiguous in A; its entry is the byte offset from the row's start (i32). A plain matrix
// has one segment; a convolution of an R x S kernel has R of them (S*C contiguous floats each), or R*S when dilated.
//
// Loop order: block of rows (outside), reduction block, panel, micro-tile. The rows' part of A stays in L2, the panel in L1.
import { GemmDesc } from "./desc";
import { RELAXED } from "./simd";
import { activateRows } from "./activation";
import {
  tile1x8u2, tile2x8u2, tile3x8u2, tile4x8u2,
  tile1x8u4, tile2x8u4, tile3x8u4, tile4x8u4, tile5x8u4, tile6x8u4,
} from "./gen/tiles";

/** Rows of a block: 384 rows * 512 k * 4 B = 768 KB of A at most, within an L2 of 1 MB. */
export const ROW_BLOCK: i32 = 384;

/**
 * One micro-tile. rowTable: i32 byte offsets of the rows from `a`. seg..segEnd: segment offsets. init: 8 floats a row
 * that the accumulators start from, initStride bytes apart (0: the bias for all rows; C's own stride: go on summing).
 */
@inline function tile(
  rows: i32, rowTable: usize, a: usize, seg: usize, segEnd: usize, segBytes: usize, b: usize, init: usize,
  initStride: usize, c: usize, cStride: usize, residual: usize, lo: f32, hi: f32, cols: i32,
): void {
  if (RELAXED) {
    if (rows == 6) tile6x8u4(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else if (rows == 5) tile5x8u4(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else if (rows == 4) tile4x8u4(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else if (rows == 3) tile3x8u4(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else if (rows == 2) tile2x8u4(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else tile1x8u4(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
  } else {
    if (rows == 5) tile5x8u4(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else if (rows == 4) tile4x8u2(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else if (rows == 3) tile3x8u2(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else if (rows == 2) tile2x8u2(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
    else tile1x8u2(rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, cStride, lo, hi, cols);
  }
}

/**
 * All columns of at most ROW_BLOCK rows. rowTable holds the rows' byte offsets from `a`; c, residual: the first row's.
 * The residual may be c itself: the first reduction block adds it before it stores there.
 */
export function gemmRows(
  rowTable: usize, rows: i32, a: usize, blocks: usize, blockCount: i32, b: usize, cols: i32, c: usize, cStride: usize,
  bias: usize, residual: usize, lo: f32, hi: f32, activation: i32, alpha: f32, beta: f32, tileRows: i32,
): void {
  if (!ASC_NO_ASSERT) assert(rows > 0 && rows <= ROW_BLOCK && cols > 0 && blockCount > 0 && tileRows > 0 && tileRows <= 6);
  // Rows are spread evenly over the fewest tiles: 49 rows are 4 tiles of 6 and 5 of 5, never a tile of 1.
  const tiles = (rows + tileRows - 1) / tileRows;
  const small = rows / tiles;
  const large = rows - small * tiles; // how many tiles have one row more
  for (let i = 0; i < blockCount; i++) {
    const block = blocks + (<usize>i << 4);
    const seg = blocks + <usize>load<u32>(block);
    const segEnd = seg + (<usize>load<u32>(block, 4) << 2);
    const segBytes = <usize>load<u32>(block, 8);
    const panelBytes = <usize>load<u32>(block, 12);
    if (!ASC_NO_ASSERT) assert(seg < segEnd && segBytes > 0 && (segBytes & 3) == 0 && panelBytes == (<usize>(segEnd - seg) >> 2) * segBytes * 8);
    const first = i == 0;
    const last = i == blockCount - 1;
    const low = last ? lo : -Infinity;
    const high = last ? hi : Infinity;
    for (let col = 0; col < cols; col += 8) {
      const colBytes = <usize>col << 2;
      const left = cols - col;
      let table = rowTable;
      let out = c + colBytes;
      let res = first && residual ? residual + colBytes : 0;
      const initStride = first ? <usize>0 : cStride;
      for (let t = 0; t < tiles; t++) {
        const count = t < large ? small + 1 : small;
        tile(count, table, a, seg, segEnd, segBytes, b, first ? bias + colBytes : out, initStride, out, cStride, res, low, high, left);
        table += <usize>count << 2;
        out += <usize>count * cStride;
        if (res) res += <usize>count * cStride;
      }
      // 8 columns of all rows, 24 KB at most: still in L1.
      if (last && activation) activateRows(c + colBytes, rows, left < 8 ? left : 8, cStride, activation, alpha, beta);
      b += panelBytes;
    }
  }
}

/** Work items: rows of all batches. Scratch: ROW_BLOCK i32. */
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
