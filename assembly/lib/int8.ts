// The product of bytes under convolutions and matrices of quantised layers:
//
//   sum[m, n] = bias[n] + sum over k of A[m, k] * W[n, k]        int32, exact: in any order the same
//
// A is never packed: a table has where each row starts, and segments where a row goes on, in bytes from where the segment before ended:
// one register a row is enough. So a row may be a pixel's patch in a padded image. W is packed once per plan into panels of 8 filters,
// k inside:
//
//   narrow   [K / 2][8][2] i8     A is i16, its zero point subtracted; weights are made wider as they are loaded
//   wide     [K / 2][8][2] i16    weights beyond int8, and Winograd's
//   quad     [K / 4][8][4] i8     A is bytes; relaxed dot product, and what A's zero point makes of W is in the bias
//
// A segment is rounded up to whole pairs or quads, whose weights are 0 there: what A has behind it counts for nothing.
//
// Micro-tile (gen/int8-tiles.ts): 4 x 8, of narrow ones 5 x 8 where an engine's registers hold it, 6 x 8 of quads. It ends in bytes
// (lib/int8-bytes.ts), or stores whole sums.
import { SumsDesc, TileDesc } from "../abi/int8";
import { SumTerms } from "../abi/int8-bytes";
import { narrow1x8, narrow4x8, narrow5x8, quad1x8, quad5x8, quad6x8, wide1x8, wide4x8 } from "../gen/int8-tiles";
import { bound, sumBytes } from "./int8-bytes";
import { RELAXED } from "./simd";

/**
 * `tiles` micro-tiles of `rows` rows each under one panel. table: where their rows start in A. scale: 8 of them, or 0 to store sums.
 * c: the first row's place, cStep bytes from row to row.
 */
function tile(
  rows: i32, wide: i32, d: TileDesc, tiles: i32, table: usize, a: usize, b: usize, bias: usize, scale: usize, c: usize, cStep: usize,
  cols: i32,
): void {
  if (wide) {
    if (rows == 4) wide4x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
    else wide1x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
  } else if (RELAXED) {
    if (rows == 6) quad6x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
    else if (rows == 5) quad5x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
    else quad1x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
  } else {
    if (rows == 5) narrow5x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
    else if (rows == 4) narrow4x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
    else narrow1x8(d, tiles, table, a, b, bias, scale, c, cStep, cols);
  }
}

/** `rows` rows of A under one panel of 8 filters, of which there are `cols`. Arguments as above. */
export function panelRows(
  wide: i32, d: TileDesc, rows: i32, tileRows: i32, table: usize, a: usize, b: usize, bias: usize, scale: usize, c: usize,
  cStep: usize, cols: i32,
): void {
  // Rests are spread: tiles of one row less, from 12 or 20 rows on; before that, and of tiles of 4, single rows.
  let large = (rows + tileRows - 1) / tileRows;
  let small = tileRows - 1, rest = large * tileRows - rows;
  if (tileRows == 4 || rest > large) {
    large = rows / tileRows;
    small = 1;
    rest = rows - large * tileRows;
  } else large -= rest;
  if (large) tile(tileRows, wide, d, large, table, a, b, bias, scale, c, cStep, cols);
  const done = <usize>(large * tileRows);
  if (rest) tile(small, wide, d, rest, table + (done << 2), a, b, bias, scale, c + done * cStep, cStep, cols);
}

/** What becomes of `count` bytes at y + at that are stored: bounds of their own, and the addend. */
export function finishBytes(d: SumsDesc, at: usize, count: i32): void {
  const y = d.yPtr + at;
  if (d.bounded) bound(y, count, d.endPtr);
  if (!d.addPtr) return;
  sumBytes(changetype<SumTerms>(d.addTermsPtr), y, y, d.addPtr + at, count, d.addEndPtr);
  if (d.addBounded) bound(y, count, d.addEndPtr);
}
