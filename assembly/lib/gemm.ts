// The blocked matrix product under implicit GEMM, im2col, pointwise, Winograd, linear and matmul:
//
//   C[m, n] = act(sum over k of A[m, k] * B[k, n] + bias[n] + residual[m, n])
//
// A is never packed: a micro-tile reads each of its rows through a pointer, so a row may be a pixel's patch inside an
// image as well as a row of a matrix. B is packed once per plan into panels of 8 columns (kernels/pack.ts).
//
// Micro-tile (gen/tiles.ts, a function for all tiles of one size under a panel): up to tileRows x 8. 6 x 8 holds 12 accumulators + 2 vectors of B + 1 splat of A = 15 of the 16
// vector registers; one more and every turn of the loop spills. Without FMA a product needs a register too: 5 rows there,
// and 4 on engines whose register allocator does worse. The plan says which (src/engine/engine.ts); a sum is made in
// the same order in every tile, so the bits do not depend on it.
//
// Reduction blocks. K is cut into blocks whose 8-wide panel fits L1 (512 * 8 floats = 16 KB; 24 KB of linear). The table at blocksPtr has
// 16 bytes a block, then the segment lists that it points at:
//
//   | segment list (bytes from blocksPtr) | segments | bytes of A a segment | bytes of a B panel |
//
// A segment is a run of k that is contiguous in A; its entry is the byte offset from the row's start (i32). A plain matrix
// has one segment; a convolution of an R x S kernel has R of them (S*C contiguous floats each), or R*S when dilated.
//
// Loop order: block of rows (outside), reduction block, panel, micro-tile. The rows' part of A stays in L2, the panel in L1.
import { ROW_BLOCK } from "../abi/constants";
import { panel1x8u4, panel2x8u4, panel3x8u4, panel4x8u4, panel5x8u4, panel6x8u4 } from "../gen/tiles";
import { activateRows } from "./activate";
import { RELAXED } from "./simd";

/**
 * `tiles` micro-tiles of `rows` rows each under one panel: one call, since 17 arguments are a tenth of a small tile's time.
 * rowTable: i32 byte offsets of the rows from `a`. seg..segEnd: segment offsets. init: 8 floats a row that the accumulators
 * start from, initStride bytes apart (0: the bias for all rows; C's own stride: go on summing).
 */
@inline function panel(
  rows: i32, tiles: i32, rowTable: usize, a: usize, seg: usize, segEnd: usize, segBytes: usize, b: usize, init: usize,
  initStride: usize, c: usize, cStride: usize, residual: usize, lo: f32, hi: f32, cols: i32,
): void {
  if (RELAXED) {
    if (rows == 6) panel6x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else if (rows == 5) panel5x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else if (rows == 4) panel4x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else if (rows == 3) panel3x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else if (rows == 2) panel2x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else panel1x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
  } else {
    if (rows == 5) panel5x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else if (rows == 4) panel4x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else if (rows == 3) panel3x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else if (rows == 2) panel2x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
    else panel1x8u4(tiles, rowTable, a, seg, segEnd, segBytes, b, init, initStride, c, cStride, residual, lo, hi, cols);
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
    const initStride = first ? <usize>0 : cStride;
    for (let col = 0; col < cols; col += 8) {
      const colBytes = <usize>col << 2;
      const left = cols - col;
      let table = rowTable;
      let out = c + colBytes;
      let res = first && residual ? residual + colBytes : 0;
      if (large) {
        panel(small + 1, large, table, a, seg, segEnd, segBytes, b, first ? bias + colBytes : out, initStride, out, cStride, res, low, high, left);
        const done = <usize>(large * (small + 1));
        table += done << 2;
        out += done * cStride;
        if (res) res += done * cStride;
      }
      if (large < tiles) panel(small, tiles - large, table, a, seg, segEnd, segBytes, b, first ? bias + colBytes : out, initStride, out, cStride, res, low, high, left);
      // 8 columns of all rows, 24 KB at most: still in L1.
      if (last && activation) activateRows(c + colBytes, rows, left < 8 ? left : 8, cStride, activation, alpha, beta);
      b += panelBytes;
    }
  }
}
