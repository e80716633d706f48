// Winograd convolution, stride 1: F(m x m, 3 x 3) for 3x3 kernels, F(m, 3) for 1x3 and 3x1, with m = 2, 4 or 6.
//
//   Y = A^T [ (G g G^T) ⊙ (B^T d B) ] A      n = m + 2 inputs give m outputs by n products instead of 3m
//
// Source: Winograd (1980); Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2016). The 1-D transforms and
// their points: lib/winograd.ts.
//
// Fused: a block of T tiles is transformed, multiplied and transformed back while it is in cache, so the transformed
// image (n²/m² times the input) never goes to memory. Layouts, pos = i * nw + j over the nh x nw points of a tile:
//
//   U (weights, plan time)  [column block][pos][panel][c][8]     panels as in kernels/pack.ts
//   V (scratch)             [pos][tile][c]                       rows of A of the GEMM
//   Z (scratch)             [pos][tile][column block]            C of the GEMM
//
// Each pos is 64 bytes longer than its rows: T * C * 4 is often a multiple of 4096, and n² rows 4096 bytes apart would
// share one set of the L1 cache. Lanes are channels (transforms) or output channels (GEMM, output transform); V has its
// channels rounded up to 4, and what lies in the added ones is never multiplied. A 1-D kernel has nh = 1 or nw = 1: that
// direction's transform is left out.
//
// The image is not padded: what a tile reads beyond its border is zeros. Where the last tile of F(4,3) in a direction has at most two outputs inside, it is a short one of 4 points instead of 6: at 14 x 14
// that saves 16 % of the products. Tiles are numbered so that those which have a point always follow each other:
//
//   right edge (short along w) | full tiles | lower edge (short along h) | corner (short along both)
//   └─── the points that are not in a short tile's rows ───┘
//                                └─ ... not in its columns ─┘
import {
  WINOGRAD_CONSTANT_BYTES, WINOGRAD_NEAR_BYTES, WINOGRAD_PART_BYTES, WINOGRAD_TILE_BYTES,
} from "../abi/constants";
import { WinogradDesc } from "../abi/conv";
import { GemmRun } from "../abi/matrix";
import { endRows } from "../lib/activate";
import { evenRun, gemmRuns } from "../lib/gemm";
import { storePart } from "../lib/simd";
import { inputsOf, SHORT, storeConstants } from "../lib/winograd";
import { inputLines } from "../lib/winograd-input";
import { outputLines } from "../lib/winograd-output";

/** Bytes of the channels that a tile is transformed in at a time, so that it stays in L1 between its two directions. */
const NEAR_BYTES: usize = WINOGRAD_NEAR_BYTES;
/** Bytes of a row of a tile's outputs, a vector each. */
const PART_ROW: usize = 6 * 16;

/** Where a tile is: its image, its first output, and the m of its transforms. A block's tiles have one each in scratch: WINOGRAD_TILE_BYTES. */
@unmanaged class Tile {
  n: i32;
  row: i32;
  col: i32;
  mh: i32;
  mw: i32;
}
if (offsetof<Tile>() != WINOGRAD_TILE_BYTES) ERROR("WINOGRAD_TILE_BYTES expected the size of a Tile");

/** V of one tile and group, `out` its row at pos 0. */
function transformInput(d: WinogradDesc, tile: Tile, group: i32, nw: i32, mid: usize, constants: usize, out: usize, bytes: usize): void {
  const mh = tile.mh, mw = tile.mw;
  const ih = inputsOf(mh), iw = inputsOf(mw);
  const row = tile.row - d.padTop, col = tile.col - d.padLeft;
  const xRow = <usize>d.xRowBytes, xPixel = <usize>d.xPixelBytes, vPos = <usize>d.vPointBytes;
  // before the image at a border, even below address 0: nothing is read there
  let x = d.xPtr + <usize>tile.n * <usize>d.xImageBytes + <usize>row * xRow + <usize>col * xPixel + <usize>group * <usize>d.xGroupBytes;
  const top = row < 0 ? -row : 0, bottom = d.height - row < ih ? d.height - row : ih;
  const left = col < 0 ? -col : 0;
  let right = d.width - col < iw ? d.width - col : iw;
  if (top >= bottom || left >= right) right = left; // all of it in the padding
  const zeros = d.zerosPtr;
  if (mh == 1) {
    inputLines(mw, 1, x, xPixel, 0, left, right, zeros, out, vPos, 0, bytes, constants);
    return;
  }
  if (mw == 1) {
    inputLines(mh, 1, x, xRow, 0, top, left < right ? bottom : top, zeros, out, vPos, 0, bytes, constants);
    return;
  }
  const point = bytes < NEAR_BYTES ? bytes : NEAR_BYTES;
  const midRow = <usize>nw * point, vRow = <usize>nw * vPos;
  const isDense = xPixel == bytes && point == bytes; // pixels of all their channels: a row is one long line
  const wide = right - left, wideBytes = <usize>wide * point;
  const columns = mid + <usize>left * point;
  x += <usize>left * xPixel;
  const end = out + bytes;
  do {
    const near = end - out < point ? end - out : point;
    // along h into mid[i][j], then along w into V
    if (wide > 0) inputLines(mh, isDense ? 1 : wide, x, xRow, xPixel, top, bottom, zeros, columns, midRow, point, isDense ? wideBytes : near, constants);
    inputLines(mw, mh == SHORT ? 3 : ih, mid, point, midRow, left, right, zeros, out, vPos, vRow, near, constants);
    if (mh == SHORT) inputLines(mw, 1, mid + 5 * midRow, point, 0, left, right, zeros, out + 5 * vRow, vPos, 0, near, constants);
    x += point;
    out += point;
  } while (out < end);
}

/**
 * Some filters of a tile, whole vectors, from `z`, their rows at pos 0, to y. rows, columns: how much of it is inside.
 * Residual: `residual` bytes behind y.
 */
function transformVectors(
  d: WinogradDesc, tile: Tile, nw: i32, mid: usize, constants: usize, z: usize, bytes: usize, bias: usize, rows: i32, columns: i32,
  y: usize, yPixel: usize, yRow: usize, residual: usize,
): void {
  const mh = tile.mh, mw = tile.mw;
  const zPos = <usize>d.zPointBytes;
  const isResidual = d.residualPtr != 0;
  const lo = d.lo, hi = d.hi;
  if (mh == 1) {
    outputLines(mw, 1, z, zPos, 0, y, yPixel, 0, columns, bytes, bias, isResidual, residual, lo, hi, constants);
  } else if (mw == 1) {
    outputLines(mh, 1, z, zPos, 0, y, yRow, 0, rows, bytes, bias, isResidual, residual, lo, hi, constants);
  } else {
    // along h into mid[i][j], i < mh, then along w into y
    const midRow = <usize>nw * NEAR_BYTES, zRow = <usize>nw * zPos;
    outputLines(mh, mw == SHORT ? 3 : nw, z, zRow, zPos, mid, midRow, NEAR_BYTES, mh, bytes, 0, false, 0, 0, 0, constants);
    if (mw == SHORT) outputLines(mh, 1, z + 5 * zPos, zRow, 0, mid + 5 * NEAR_BYTES, midRow, 0, mh, bytes, 0, false, 0, 0, 0, constants);
    outputLines(mw, rows, mid, NEAR_BYTES, midRow, y, yPixel, yRow, columns, bytes, bias, isResidual, residual, lo, hi, constants);
  }
  if (d.activation) {
    for (let i = 0; i < rows; i++) endRows(y + <usize>i * yRow, columns, <i32>(bytes >> 2), yPixel, changetype<usize>(d) + offsetof<WinogradDesc>("lo"), bias);
  }
}

/** Y of one tile from `z`, its row at pos 0: filters m to m + cols of a group, clipped at the lower and right edge. */
function transformOutput(
  d: WinogradDesc, tile: Tile, group: i32, m: i32, cols: i32, nw: i32, mid: usize, part: usize, constants: usize, z: usize,
): void {
  const rows = d.outH - tile.row < d.tileH ? d.outH - tile.row : d.tileH;
  const columns = d.outW - tile.col < d.tileW ? d.outW - tile.col : d.tileW;
  const yPixel = <usize>d.yPixelBytes, yRow = <usize>d.outW * yPixel;
  const residual = d.residualPtr - d.yPtr;
  let bias = d.biasPtr + <usize>group * <usize>d.biasGroupBytes + (<usize>m << 2);
  let y = d.yPtr + <usize>((tile.n * d.outH + tile.row) * d.outW + tile.col) * yPixel + (<usize>(group * d.filters + m) << 2);
  const end = y + (<usize>(cols & ~3) << 2);
  while (y < end) {
    const near = end - y < NEAR_BYTES ? end - y : NEAR_BYTES;
    transformVectors(d, tile, nw, mid, constants, z, near, bias, rows, columns, y, yPixel, yRow, residual);
    z += near;
    bias += near;
    y += near;
  }
  cols &= 3;
  if (!cols) return;
  // the last vector, of which only a part may be stored
  for (let i = 0; i < rows && d.residualPtr; i++) {
    for (let j = 0; j < columns; j++) v128.store(part + <usize>i * PART_ROW + (<usize>j << 4), v128.load(y + residual + <usize>i * yRow + <usize>j * yPixel));
  }
  transformVectors(d, tile, nw, mid, constants, z, 16, bias, rows, columns, part, 16, PART_ROW, 0);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) storePart(y + <usize>i * yRow + <usize>j * yPixel, v128.load(part + <usize>i * PART_ROW + (<usize>j << 4)), cols);
  }
}

/** Tile `index` of those that are high x wide in every image, from row and column of tiles on. */
@inline function place(tile: Tile, index: i32, high: i32, wide: i32, row: i32, col: i32, mh: i32, mw: i32): void {
  const line = index / wide;
  tile.n = line / high;
  tile.row = (line - tile.n * high + row) * mh;
  tile.col = (index - line * wide + col) * mw;
}

/** Whether the last of so many tiles in a direction is a short one. */
@inline function isShort(m: i32, tiles: i32, outputs: i32): i32 {
  return m == 4 && outputs - (tiles - 1) * 4 <= 2 ? 1 : 0;
}

/**
 * Tiles begin to begin + count of all, a block at most, and filters m0 to m1 of every group. constants: where scratch begins.
 */
function multiplyBlock(d: WinogradDesc, begin: i32, count: i32, m0: i32, m1: i32, constants: usize): void {
  const mh = d.tileH, mw = d.tileW;
  const nh = inputsOf(mh), nw = inputsOf(mw);
  const tilesH = (d.outH + mh - 1) / mh, tilesW = (d.outW + mw - 1) / mw;
  const shortH = isShort(mh, tilesH, d.outH), shortW = isShort(mw, tilesW, d.outW);
  const fullH = tilesH - shortH, fullW = tilesW - shortW;
  const rightEnd = d.batch * fullH * shortW;
  const fullEnd = d.batch * fullH * tilesW;
  const lowerEnd = fullEnd + d.batch * shortH * fullW;
  const channelBytes = <usize>(d.channels + 3 & ~3) << 2;
  const vPos = <usize>d.vPointBytes, zPos = <usize>d.zPointBytes;
  const zRow = <usize>d.blockCols << 2;

  // scratch: constants | one tile between its two transforms | its last filters | tiles | a GemmRun | V | Z
  const mid = constants + WINOGRAD_CONSTANT_BYTES;
  const part = mid + <usize>(nh * nw) * NEAR_BYTES;
  const tiles = part + WINOGRAD_PART_BYTES;
  const run = tiles + <usize>d.blockTiles * WINOGRAD_TILE_BYTES;
  const runEnd = run + offsetof<GemmRun>();
  const v = runEnd + 63 & ~63;
  const z = v + <usize>(nh * nw) * vPos;
  for (let t = 0; t < count; t++) {
    const item = begin + t;
    const isLower = item >= fullEnd, isRight = item < rightEnd || item >= lowerEnd;
    const first = isLower ? (isRight ? lowerEnd : fullEnd) : isRight ? 0 : rightEnd; // of its kind
    const high = isLower ? shortH : fullH, wide = isRight ? shortW : fullW; // tiles of its kind in an image
    const tile = changetype<Tile>(tiles + <usize>t * WINOGRAD_TILE_BYTES);
    place(tile, item - first, high, wide, isLower ? fullH : 0, isRight ? fullW : 0, mh, mw);
    tile.mh = isLower ? SHORT : mh;
    tile.mw = isRight ? SHORT : mw;
  }
  const fromFull = rightEnd > begin ? rightEnd - begin : 0;
  const toFull = fullEnd - begin, toLower = lowerEnd - begin;
  for (let g = 0; g < d.groups; g++) {
    // 1. V = B^T d B
    for (let t = 0; t < count; t++) {
      transformInput(d, changetype<Tile>(tiles + <usize>t * WINOGRAD_TILE_BYTES), g, nw, mid, constants, v + <usize>t * channelBytes, channelBytes);
    }
    for (let block = m0 - m0 % d.blockCols; block < m1; block += d.blockCols) {
      const blockEnd = d.filters - block < d.blockCols ? d.filters : block + d.blockCols;
      const m = block > m0 ? block : m0;
      const cols = (blockEnd < m1 ? blockEnd : m1) - m;
      const uPos = (<usize>(blockEnd - block + 7 & ~7) << 2) * <usize>d.channels;
      let u = d.wPtr + <usize>g * <usize>d.wGroupBytes + (<usize>(block * nh * nw + m - block) << 2) * <usize>d.channels;
      // 2. Z[pos] = V[pos] · U[pos], of the tiles that have the point; Z has room for whole panels
      for (let i = 0; i < nh; i++) {
        for (let j = 0; j < nw; j++) {
          const notInLower = shortH && (i == 3 || i == 4), notInRight = shortW && (j == 3 || j == 4);
          const from = notInRight ? fromFull : 0;
          let to = notInLower ? toFull : notInRight ? toLower : count;
          if (to > count) to = count;
          const pos = <usize>(i * nw + j);
          if (from < to) {
            evenRun(run, to - from, <usize>from * channelBytes, channelBytes, <usize>from * zRow, zRow);
            gemmRuns(run, runEnd, 0, v + pos * vPos, d.blocksPtr, d.blockCount, u, cols + 7 & ~7, z + pos * zPos, d.zerosPtr, 0, 0, d.tileRows);
          }
          u += uPos;
        }
      }
      // 3. Y = A^T Z A
      for (let t = 0; t < count; t++) {
        transformOutput(d, changetype<Tile>(tiles + <usize>t * WINOGRAD_TILE_BYTES), g, m, cols, nw, mid, part, constants, z + <usize>t * zRow);
      }
    }
  }
}

/**
 * Work items: `itemTiles` tiles, numbered as drawn above, and `itemCols` filters of every group, those of the same tiles one after
 * the other. All filters of some tiles are done together; a slice that begins or ends between them transforms the input of
 * those tiles once more. Scratch: see src/ops/conv/winograd.ts.
 */
export function conv2d_winograd_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<WinogradDesc>(desc);
  const mh = d.tileH, mw = d.tileW;
  if (!ASC_NO_ASSERT) assert((mh == 1 || mh == 2 || mh == 4 || mh == 6) && (mw == 1 || mw == 2 || mw == 4 || mw == 6) && mh * mw > 1);
  if (!ASC_NO_ASSERT) assert(d.blockTiles > 0 && (d.blockCols & 7) == 0 && d.itemTiles > 0 && (d.itemCols & 7) == 0);
  const all = d.batch * ((d.outH + mh - 1) / mh) * ((d.outW + mw - 1) / mw);
  const parts = (d.filters + d.itemCols - 1) / d.itemCols;
  storeConstants(scratch);
  while (begin < end) {
    const first = begin / parts, part = begin - first * parts;
    const isWhole = part == 0 && end - begin >= parts;
    const items = isWhole ? (end - begin) / parts * parts : parts - part < end - begin ? parts - part : end - begin;
    const m1 = isWhole || part + items == parts ? d.filters : (part + items) * d.itemCols;
    let tile = first * d.itemTiles;
    let last = isWhole ? (begin + items) / parts * d.itemTiles : tile + d.itemTiles;
    if (last > all) last = all;
    while (tile < last) {
      const blocks = (last - tile + d.blockTiles - 1) / d.blockTiles; // evenly over the fewest blocks
      const count = (last - tile + blocks - 1) / blocks;
      multiplyBlock(d, tile, count, part * d.itemCols, m1, scratch);
      tile += count;
    }
    begin += items;
  }
}
