// The blocked matrix product under implicit GEMM, im2col, pointwise, Winograd, linear and matmul:
//
//   C[m, n] = act(sum over k of A[m, k] * B[k, n] + bias[n] + residual[m, n])
//
// A is never packed: a micro-tile reads each of its rows through a pointer, so a row may be a pixel's patch inside an
// image as well as a row of a matrix. B is packed once per plan into panels of 8 columns (kernels/pack.ts).
//
// Micro-tile (gen/tiles.ts): up to tileRows x 8. 6 x 8 holds 12 accumulators + 2 vectors of B + 1 splat of A = 15 of the 16
// vector registers; one more and every turn of the loop spills. Without FMA a product needs a register too: 5 rows there.
// The plan says which (src/engine/engine.ts); a sum is made in the same order in every tile, so the bits do not depend on it.
//
// Runs. Rows that lie evenly apart in A and in C are a run (GemmRun), all rows of a matrix for one. All micro-tiles of one
// size of a run under a panel are one call, which also adds the residual and ends the sums in registers.
//
// Reduction blocks. K is cut into blocks whose 8-wide panel fits L1 (512 * 8 floats = 16 KB; 24 KB of linear). The table at blocksPtr has
// 16 bytes a block, then the segment lists that it points at:
//
//   | segment list (bytes from blocksPtr) | segments | bytes of A a segment | bytes of a B panel |
//
// A segment is a run of k that is contiguous in A; its entry is the byte offset from the row's start (i32). A plain matrix
// has one segment; a convolution of an R x S kernel has R of them (S*C contiguous floats each), or R*S when dilated. Of the
// segments of a pixel at an image's border only what lies inside is multiplied: a run has pixels that are clipped alike.
//
// Loop order: block of rows (outside), reduction block, panel, run, micro-tile. The rows' part of A stays in L2, the panel in L1.
import { ActivationCode } from "../abi/codes";
import { Epilogue, GemmRun } from "../abi/matrix";
import { panel1x8, panel2x8, panel3x8, panel4x8, panel5x8, panel6x8 } from "../gen/tiles";
import { activateRows, Store, storeOf } from "./activate";
import { RELAXED } from "./simd";

/**
 * `tiles` micro-tiles of `rows` rows each of a run under one panel: one call, since its arguments are a tenth of a small tile's
 * time. a, c, residual: of the first row, residual 0 where there is none. init: 8 floats a row that the accumulators start
 * from, initStep bytes apart (0: the bias for all rows; C's own step: go on summing). slopes: 8 of them, or 0 for end.alpha.
 */
@inline function panel(
  rows: i32, tiles: i32, run: GemmRun, a: usize, b: usize, init: usize, initStep: usize, c: usize, residual: usize,
  store: i32, end: Epilogue, slopes: usize, cols: i32,
): void {
  if (RELAXED && rows == 6) panel6x8(tiles, run, a, b, init, initStep, c, residual, store, end, slopes, cols);
  else if (rows == 5) panel5x8(tiles, run, a, b, init, initStep, c, residual, store, end, slopes, cols);
  else if (rows == 4) panel4x8(tiles, run, a, b, init, initStep, c, residual, store, end, slopes, cols);
  else if (rows == 3) panel3x8(tiles, run, a, b, init, initStep, c, residual, store, end, slopes, cols);
  else if (rows == 2) panel2x8(tiles, run, a, b, init, initStep, c, residual, store, end, slopes, cols);
  else panel1x8(tiles, run, a, b, init, initStep, c, residual, store, end, slopes, cols);
}

/** A run of all rows of a matrix, `a` and `c` bytes behind where A and C are. */
export function evenRun(scratch: usize, rows: i32, a: usize, aStep: usize, c: usize, cStep: usize): void {
  const run = changetype<GemmRun>(scratch);
  run.rows = rows;
  run.aBytes = a;
  run.aStepBytes = aStep;
  run.cBytes = c;
  run.cStepBytes = cStep;
}

/**
 * What lies inside of a reduction block for a run: `index` segments of segmentBytes, and `at` bytes, of each row are in
 * blocks before it.
 */
@inline function clip(run: GemmRun, list: usize, listEnd: usize, bytes: i32, segmentBytes: i32, index: i32, at: i32): void {
  const top = max(run.top - index, 0);
  const left = max(run.left - at, 0);
  const count = min(run.bottom - index, <i32>(listEnd - list) >> 2) - top;
  const inside = min(run.right - at, bytes) - left;
  run.listPtr = list + (<usize>top << 2);
  run.listEndPtr = count > 0 && inside > 0 ? run.listPtr + (<usize>count << 2) : run.listPtr;
  run.firstPtr += left;
  run.bytes = inside;
  run.skipBytes = bytes - inside << 3;
  run.panelBytes = top * bytes + left << 3;
}

/**
 * All columns of the rows of all runs from `runs` to `runsEnd`; they are at most ROW_BLOCK. segmentBytes: of a whole segment
 * where runs are clipped, else 0. c, residual: where all of it is. The residual may be c itself: the first reduction block
 * adds it before it stores there.
 */
export function gemmRuns(
  runs: usize, runsEnd: usize, segmentBytes: i32, a: usize, blocks: usize, blockCount: i32, b: usize, cols: i32, c: usize,
  bias: usize, residual: usize, epilogue: usize, tileRows: i32,
): void {
  if (!ASC_NO_ASSERT) assert(runs < runsEnd && cols > 0 && blockCount > 0 && tileRows > 0 && tileRows <= 6);
  const end = changetype<Epilogue>(epilogue);
  const lastStore = epilogue ? storeOf(end) : Store.plain;
  const slopeBytes = epilogue ? end.slopeBytes : 0;
  const after = epilogue && lastStore < Store.slope ? end.activation : ActivationCode.none;
  let index = 0, at = 0; // of the block in a row of A
  for (let i = 0; i < blockCount; i++) {
    const block = blocks + (<usize>i << 4);
    const list = blocks + <usize>load<u32>(block);
    const listEnd = list + (<usize>load<u32>(block, 4) << 2);
    const bytes = load<i32>(block, 8);
    const panelBytes = <usize>load<u32>(block, 12);
    if (!ASC_NO_ASSERT) assert(list < listEnd && bytes > 0 && (bytes & 3) == 0 && panelBytes == (<usize>(listEnd - list) >> 2) * bytes * 8);
    const first = i == 0;
    const last = i == blockCount - 1;
    for (let r = runs; r < runsEnd; r += offsetof<GemmRun>()) {
      const run = changetype<GemmRun>(r);
      run.firstPtr = a + run.aBytes;
      if (segmentBytes) clip(run, list, listEnd, bytes, segmentBytes, index, at);
      else {
        run.listPtr = list;
        run.listEndPtr = listEnd;
        run.bytes = bytes;
        run.skipBytes = 0;
        run.panelBytes = 0;
      }
    }
    if (segmentBytes) {
      at += bytes;
      if (at >= segmentBytes) {
        at = 0;
        index += <i32>(listEnd - list) >> 2;
      }
    }
    const store: i32 = last ? lastStore : Store.plain;
    for (let col = 0; col < cols; col += 8) {
      const left = cols - col;
      const colBytes = <usize>col << 2;
      const slopes = slopeBytes ? bias + colBytes + slopeBytes : 0;
      for (let r = runs; r < runsEnd; r += offsetof<GemmRun>()) {
        const run = changetype<GemmRun>(r);
        // Rows are spread evenly over the fewest tiles: 49 rows are 4 tiles of 6 and 5 of 5, never a tile of 1.
        const rows = run.rows;
        const tiles = (rows + tileRows - 1) / tileRows;
        const small = rows / tiles;
        const large = rows - small * tiles; // how many tiles have one row more
        const at = c + run.cBytes + colBytes;
        let from = run.firstPtr;
        let out = at;
        let init = first ? bias + colBytes : out;
        let res = first && residual ? residual + run.cBytes + colBytes : 0;
        const initStep = first ? <usize>0 : <usize>run.cStepBytes;
        const w = b + run.panelBytes;
        if (large) {
          panel(small + 1, large, run, from, w, init, initStep, out, res, store, end, slopes, left);
          const done = <usize>(large * (small + 1));
          from += done * run.aStepBytes;
          out += done * run.cStepBytes;
          init += done * initStep;
          if (res) res += done * run.cStepBytes;
        }
        if (large < tiles) panel(small, tiles - large, run, from, w, init, initStep, out, res, store, end, slopes, left);
        // 8 columns of a run's rows: still in L1.
        if (last && after) activateRows(at, rows, left < 8 ? left : 8, run.cStepBytes, after, end.alpha, end.beta);
      }
      b += panelBytes;
    }
  }
}
