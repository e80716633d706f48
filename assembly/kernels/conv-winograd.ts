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
// The image is not padded: a tile that hangs over its border is first gathered into a patch with zeros around. Where the
// last tile of F(4,3) in a direction has at most two outputs inside, it is a short one of 4 points instead of 6: at 14 x 14
// that saves 16 % of the products. Tiles are numbered so that those which have a point always follow each other:
//
//   right edge (short along w) | full tiles | lower edge (short along h) | corner (short along both)
//   └─── the points that are not in a short tile's rows ───┘
//                                └─ ... not in its columns ─┘
import {
  CACHE_LINE, WINOGRAD_CONSTANT_BYTES, WINOGRAD_PATCH_BYTES, WINOGRAD_POINTS, WINOGRAD_TABLE_BYTES, WINOGRAD_TILE_BYTES,
  WINOGRAD_WEIGHTS_SCRATCH_BYTES,
} from "../abi/constants";
import { WinogradDesc, WinogradWeightsDesc } from "../abi/conv";
import { GemmRun } from "../abi/matrix";
import { endRows } from "../lib/activate";
import { evenRun, gemmRuns } from "../lib/gemm";
import { copyFloats } from "../lib/layout";
import { maxOf, minOf, splat, storeLanes } from "../lib/simd";
import { inputsOf, inputTransforms, outputTransforms, SHORT, storeConstants, weightPoint } from "../lib/winograd";

/** Bytes of a row of a patch: as many vectors as F(6,3) has points. */
const PATCH_ROW: usize = WINOGRAD_POINTS * 16;

// Scratch of winograd_weights_f32: a table of G along h and one along w | taps of four filters reduced along w | U of a block of
// channels of a panel, [pos][c][8], a point longer by a line as above.
const TABLE_BYTES: usize = WINOGRAD_TABLE_BYTES;
const REDUCED_ROW: usize = WINOGRAD_POINTS * 32; // a point is two vectors of float64

/**
 * G of F(m,3) as `transformTaps` takes it: what the first point is of its first tap, then the three of each pair of points ±p.
 * m = 1 is a direction without taps of its own.
 */
function storeWeightTable(m: i32, at: usize): void {
  f64.store(at, weightPoint(m, 0, 1, 0, 0));
  for (let i = 1; i < m; i += 2) {
    f64.store(at, weightPoint(m, i, 1, 0, 0), 8);
    f64.store(at, weightPoint(m, i, 0, 1, 0), 16);
    f64.store(at, weightPoint(m, i, 0, 0, 1), 24);
    at += 24;
  }
}

/** The same tap of four filters; `mask` has those that are missing. */
@inline function tapOf(p: usize, second: usize, third: usize, fourth: usize, mask: v128): v128 {
  let taps = v128.load32_zero(p);
  taps = v128.load_lane<f32>(p + second, taps, 1);
  taps = v128.load_lane<f32>(p + third, taps, 2);
  taps = v128.load_lane<f32>(p + fourth, taps, 3);
  return v128.andnot(taps, mask);
}

@inline function low(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

@inline function high(v: v128): v128 {
  return f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3));
}

/** Rounds the same point of four filters to float32. */
@inline function storeFilters(to: usize, a: v128, b: v128): void {
  v128.store(to, v128.shuffle<i64>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 2));
}

/** Every point of four filters along h, from their taps `step` bytes apart, to float32 `outStep` bytes apart. */
@inline function transformAlongH(m: i32, table: usize, p: usize, to: usize, outStep: usize): void {
  const a0 = v128.load(p), b0 = v128.load(p, 16);
  const first = v128.load64_splat(table);
  storeFilters(to, f64x2.mul(a0, first), f64x2.mul(b0, first));
  if (m == 1) return;
  const a1 = v128.load(p, REDUCED_ROW), a2 = v128.load(p, 2 * REDUCED_ROW);
  const b1 = v128.load(p, REDUCED_ROW + 16), b2 = v128.load(p, 2 * REDUCED_ROW + 16);
  to += outStep;
  for (let i = 0; i < m; i += 2) {
    const k0 = v128.load64_splat(table, 8), k1 = v128.load64_splat(table, 16), k2 = v128.load64_splat(table, 24);
    const aFirst = f64x2.mul(a0, k0), aOdd = f64x2.mul(a1, k1), aLast = f64x2.mul(a2, k2);
    const bFirst = f64x2.mul(b0, k0), bOdd = f64x2.mul(b1, k1), bLast = f64x2.mul(b2, k2);
    storeFilters(to, f64x2.add(f64x2.add(aFirst, aOdd), aLast), f64x2.add(f64x2.add(bFirst, bOdd), bLast));
    to += outStep;
    storeFilters(to, f64x2.add(f64x2.sub(aFirst, aOdd), aLast), f64x2.add(f64x2.sub(bFirst, bOdd), bLast));
    to += outStep;
    table += 24;
  }
  storeFilters(to, a2, b2);
}

/** Every point of four filters along w, from three taps of each, as float64. */
@inline function transformAlongW(m: i32, table: usize, g0: v128, g1: v128, g2: v128, to: usize): void {
  const a0 = low(g0), b0 = high(g0);
  const first = v128.load64_splat(table);
  v128.store(to, f64x2.mul(a0, first));
  v128.store(to, f64x2.mul(b0, first), 16);
  if (m == 1) return;
  const a1 = low(g1), a2 = low(g2), b1 = high(g1), b2 = high(g2);
  for (let i = 0; i < m; i += 2) {
    const k0 = v128.load64_splat(table, 8), k1 = v128.load64_splat(table, 16), k2 = v128.load64_splat(table, 24);
    const aFirst = f64x2.mul(a0, k0), aOdd = f64x2.mul(a1, k1), aLast = f64x2.mul(a2, k2);
    const bFirst = f64x2.mul(b0, k0), bOdd = f64x2.mul(b1, k1), bLast = f64x2.mul(b2, k2);
    v128.store(to, f64x2.add(f64x2.add(aFirst, aOdd), aLast), 32);
    v128.store(to, f64x2.add(f64x2.add(bFirst, bOdd), bLast), 48);
    v128.store(to, f64x2.add(f64x2.sub(aFirst, aOdd), aLast), 64);
    v128.store(to, f64x2.add(f64x2.sub(bFirst, bOdd), bLast), 80);
    to += 64;
    table += 24;
  }
  v128.store(to, a2, 32);
  v128.store(to, b2, 48);
}

/** U of four filters of a panel, of `count` channels, in scratch: float32 from `out` on. `m`: the first of them, of `filters`. */
function transformFilters(d: WinogradWeightsDesc, src: usize, m: i32, count: i32, out: usize, posBytes: usize, scratch: usize): void {
  const mh = d.tileH, mw = d.tileW;
  const tableW = scratch + TABLE_BYTES, reduced = tableW + TABLE_BYTES;
  const rowBytes = <usize>(mw > 1 ? mw + 2 : 1) * posBytes;
  const stepR = <usize>d.kernelHBytes, stepS = mw > 1 ? <usize>d.kernelWBytes : 0;
  const filters = d.filters - m; // of those missing, another's taps are read and dropped
  const filterBytes = <usize>d.filterBytes;
  const second = filters > 1 ? filterBytes : 0, third = filters > 2 ? 2 * filterBytes : 0, fourth = filters > 3 ? 3 * filterBytes : 0;
  const mask = i32x4.ge_s(i32x4(0, 1, 2, 3), i32x4.splat(filters));
  if (filters > 0) src += <usize>m * filterBytes;
  do {
    let row = src, mid = reduced;
    for (let r = mh > 1 ? 3 : 1; r > 0; r--) {
      const g0 = tapOf(row, second, third, fourth, mask);
      const g1 = tapOf(row + stepS, second, third, fourth, mask);
      const g2 = tapOf(row + 2 * stepS, second, third, fourth, mask);
      transformAlongW(mw, tableW, g0, g1, g2, mid);
      row += stepR;
      mid += REDUCED_ROW;
    }
    mid = reduced;
    let to = out;
    const end = out + rowBytes;
    do {
      transformAlongH(mh, scratch, mid, to, rowBytes);
      mid += 32;
      to += posBytes;
    } while (to < end);
    src += <usize>d.channelBytes;
    out += 32;
  } while (--count);
}

/** Channels of which both halves of a panel are made before the next: their lines stay in L1. */
const NEAR: i32 = 16;

/**
 * Plan time: U from weights [M, C/groups, R, S], in float64, four filters at once. The points of a channel lie far apart, mostly in
 * one set of every cache: they are made in scratch, of so many channels that each point is then one long copy. Work items:
 * panels of 8 filters, numbered group * panels + panel.
 */
export function winograd_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<WinogradWeightsDesc>(desc);
  const mh = d.tileH, mw = d.tileW;
  const points = (mh > 1 ? mh + 2 : 1) * (mw > 1 ? mw + 2 : 1);
  const panels = (d.filters + 7) >> 3;
  const perBlock = d.blockCols >> 3;
  const channels = d.channels;
  const panelBytes = <usize>channels << 5;
  const own = scratch + WINOGRAD_WEIGHTS_SCRATCH_BYTES;
  const ownPos = (<usize>d.blockChannels << 5) + CACHE_LINE;
  storeWeightTable(mh, scratch);
  storeWeightTable(mw, scratch + TABLE_BYTES);
  for (let item = begin; item < end; item++) {
    const group = item / panels;
    const panel = item - group * panels;
    const block = panel / perBlock;
    const inBlock = panels - block * perBlock < perBlock ? panels - block * perBlock : perBlock; // panels of this block
    const posBytes = <usize>inBlock * panelBytes;
    let src = d.srcPtr + <usize>(group * d.filters) * <usize>d.filterBytes;
    let dst = d.dstPtr + <usize>group * <usize>d.dstGroupBytes + <usize>(block * perBlock * points) * panelBytes + <usize>(panel - block * perBlock) * panelBytes;
    for (let rest = channels; rest > 0; rest -= d.blockChannels) {
      const count = rest < d.blockChannels ? rest : d.blockChannels;
      for (let c = 0; c < count; c += NEAR) {
        const near = count - c < NEAR ? count - c : NEAR;
        const out = own + (<usize>c << 5);
        transformFilters(d, src, panel << 3, near, out, ownPos, scratch);
        transformFilters(d, src, (panel << 3) + 4, near, out + 16, ownPos, scratch);
        src += <usize>near * <usize>d.channelBytes;
      }
      let to = dst, from = own;
      for (let pos = 0; pos < points; pos++) {
        copyFloats(to, from, <usize>count << 5);
        to += posBytes;
        from += ownPos;
      }
      dst += <usize>count << 5;
    }
  }
}

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
function transformInput(
  d: WinogradDesc, tile: Tile, group: i32, nw: i32, mid: usize, patch: usize, constants: usize, out: usize, outEnd: usize, vPos: usize,
): void {
  const mh = tile.mh, mw = tile.mw;
  const ih = inputsOf(mh), iw = inputsOf(mw);
  const row = tile.row - d.padTop, col = tile.col - d.padLeft;
  const xRow = <usize>d.xRowBytes, xPixel = <usize>d.xPixelBytes;
  // before the image at a border, even below address 0: nothing is read there
  let x = d.xPtr + <usize>tile.n * <usize>d.xImageBytes + <usize>row * xRow + <usize>col * xPixel + <usize>group * <usize>d.xGroupBytes;
  const top = row < 0 ? -row : 0, bottom = d.height - row < ih ? d.height - row : ih;
  const left = col < 0 ? -col : 0, right = d.width - col < iw ? d.width - col : iw;
  const isInside = top == 0 && left == 0 && bottom == ih && right == iw;
  if (!isInside) memory.fill(patch, 0, WINOGRAD_PATCH_BYTES);
  const step = isInside ? xRow : PATCH_ROW;
  const next = isInside ? xPixel : 16;
  const midRow = <usize>nw << 4;
  do {
    if (!isInside) {
      for (let i = top; i < bottom; i++) {
        for (let j = left; j < right; j++) v128.store(patch + <usize>i * PATCH_ROW + (<usize>j << 4), v128.load(x + <usize>i * xRow + <usize>j * xPixel));
      }
    }
    const from = isInside ? x : patch;
    if (mh == 1) {
      inputTransforms(mw, from, next, 0, out, vPos, 0, 1, constants);
    } else {
      // along h into mid[i][j], then along w into V
      inputTransforms(mh, from, step, next, mid, midRow, 16, iw, constants);
      inputTransforms(mw, mid, 16, midRow, out, vPos, <usize>nw * vPos, mh == SHORT ? 3 : ih, constants);
      if (mh == SHORT) inputTransforms(mw, mid + 5 * midRow, 16, 0, out + <usize>(5 * nw) * vPos, vPos, 0, 1, constants);
    }
    x += 16;
    out += 16;
  } while (out < outEnd);
}

/** Y of one tile from `z`, its row at pos 0: filters m to m + cols of a group, clipped at the lower and right edge. */
function transformOutput(
  d: WinogradDesc, tile: Tile, group: i32, m: i32, cols: i32, nw: i32, mid: usize, patch: usize, constants: usize, z: usize, zPos: usize,
): void {
  const mh = tile.mh, mw = tile.mw;
  const rows = d.outH - tile.row < d.tileH ? d.outH - tile.row : d.tileH;
  const columns = d.outW - tile.col < d.tileW ? d.outW - tile.col : d.tileW;
  const yPixel = <usize>d.yPixelBytes, yRow = <usize>d.outW * yPixel;
  const midRow = <usize>nw << 4, zRow = <usize>nw * zPos;
  const residual = d.residualPtr, activation = d.activation;
  const lo = splat(d.lo), hi = splat(d.hi);
  let bias = d.biasPtr + <usize>group * <usize>d.biasGroupBytes + (<usize>m << 2);
  let offset = <usize>((tile.n * d.outH + tile.row) * d.outW + tile.col) * yPixel + (<usize>(group * d.filters + m) << 2);
  do {
    // along h into mid[i][j], i < mh, then along w into the patch
    outputTransforms(mh, z, zRow, zPos, mid, midRow, 16, mw == SHORT ? 3 : nw, constants);
    if (mw == SHORT) outputTransforms(mh, z + 5 * zPos, zRow, 0, mid + 5 * 16, midRow, 0, 1, constants);
    outputTransforms(mw, mid, 16, midRow, patch, 16, PATCH_ROW, rows, constants);
    const b = v128.load(bias);
    let first = offset;
    let line = patch;
    for (let i = 0; i < rows; i++) {
      let from = line, to = first, j = columns;
      do {
        let value = f32x4.add(v128.load(from), b);
        if (residual) value = f32x4.add(value, v128.load(residual + to));
        storeLanes(d.yPtr + to, minOf(maxOf(value, lo), hi), cols);
        from += 16;
        to += yPixel;
      } while (--j);
      if (activation) endRows(d.yPtr + first, columns, cols < 4 ? cols : 4, yPixel, changetype<usize>(d) + offsetof<WinogradDesc>("lo"), bias);
      line += PATCH_ROW;
      first += yRow;
    }
    z += 16;
    bias += 16;
    offset += 16;
    cols -= 4;
  } while (cols > 0);
}

/** Tile `index` of those that are high x wide in every image, from row and column of tiles on. */
@inline function place(tile: Tile, index: i32, high: i32, wide: i32, row: i32, col: i32, mh: i32, mw: i32): void {
  const line = index / wide;
  tile.n = line / high;
  tile.row = (line - tile.n * high + row) * mh;
  tile.col = (index - line * wide + col) * mw;
}

/** Work items: tiles, numbered as drawn above. Scratch: see src/ops/conv/winograd.ts. */
export function conv2d_winograd_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<WinogradDesc>(desc);
  const mh = d.tileH, mw = d.tileW;
  const nh = inputsOf(mh), nw = inputsOf(mw);
  const points = nh * nw;
  if (!ASC_NO_ASSERT) assert((mh == 1 || mh == 2 || mh == 4 || mh == 6) && (mw == 1 || mw == 2 || mw == 4 || mw == 6) && mh * mw > 1);
  if (!ASC_NO_ASSERT) assert(d.blockTiles > 0 && (d.blockCols & 7) == 0);
  const tilesH = (d.outH + mh - 1) / mh, tilesW = (d.outW + mw - 1) / mw;
  const shortH = mh == 4 && d.outH - (tilesH - 1) * 4 <= 2 ? 1 : 0;
  const shortW = mw == 4 && d.outW - (tilesW - 1) * 4 <= 2 ? 1 : 0;
  const fullH = tilesH - shortH, fullW = tilesW - shortW;
  const rightEnd = d.batch * fullH * shortW;
  const fullEnd = d.batch * fullH * tilesW;
  const lowerEnd = fullEnd + d.batch * shortH * fullW;
  const block = d.blockTiles;
  const channelBytes = <usize>(d.channels + 3 & ~3) << 2;
  const vPos = <usize>d.vPointBytes;
  const zRow = <usize>d.blockCols << 2;
  const zPos = <usize>d.zPointBytes;

  // scratch: constants | one tile between its two transforms | one tile of the image or the output | tiles | a GemmRun | V | Z
  const mid = scratch + WINOGRAD_CONSTANT_BYTES;
  const patch = mid + WINOGRAD_PATCH_BYTES;
  const tiles = patch + WINOGRAD_PATCH_BYTES;
  const run = tiles + <usize>block * WINOGRAD_TILE_BYTES;
  const runEnd = run + offsetof<GemmRun>();
  const v = runEnd + 63 & ~63;
  const z = v + <usize>points * vPos;
  storeConstants(scratch);

  while (begin < end) {
    const blocks = (end - begin + block - 1) / block; // evenly over the fewest blocks
    const count = (end - begin + blocks - 1) / blocks;
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
        const out = v + <usize>t * channelBytes;
        transformInput(d, changetype<Tile>(tiles + <usize>t * WINOGRAD_TILE_BYTES), g, nw, mid, patch, scratch, out, out + channelBytes, vPos);
      }
      let u = d.wPtr + <usize>g * <usize>d.wGroupBytes;
      for (let m = 0; m < d.filters; m += d.blockCols) {
        const cols = d.filters - m < d.blockCols ? d.filters - m : d.blockCols;
        const whole = (cols + 7) & ~7; // Z has room for whole panels
        // 2. Z[pos] = V[pos] · U[pos], of the tiles that have the point
        const uPos = (<usize>whole << 2) * <usize>d.channels;
        for (let i = 0; i < nh; i++) {
          for (let j = 0; j < nw; j++) {
            const notInLower = shortH && (i == 3 || i == 4), notInRight = shortW && (j == 3 || j == 4);
            const from = notInRight ? fromFull : 0;
            let to = notInLower ? toFull : notInRight ? toLower : count;
            if (to > count) to = count;
            const pos = <usize>(i * nw + j);
            if (from < to) {
              evenRun(run, to - from, <usize>from * channelBytes, channelBytes, <usize>from * zRow, zRow);
              gemmRuns(run, runEnd, 0, v + pos * vPos, d.blocksPtr, d.blockCount, u, whole, z + pos * zPos, d.zerosPtr, 0, 0, d.tileRows);
            }
            u += uPos;
          }
        }
        // 3. Y = A^T Z A
        for (let t = 0; t < count; t++) {
          transformOutput(d, changetype<Tile>(tiles + <usize>t * WINOGRAD_TILE_BYTES), g, m, cols, nw, mid, patch, scratch, z + <usize>t * zRow, zPos);
        }
      }
    }
    begin += count;
  }
}
