// FFT convolution, stride 1, by overlap-save: a tile of nh x nw inputs gives (nh - extentR + 1) x (nw - extentS + 1) outputs,
//
//   y = F^-1 [ sum over c of F x_c ⊙ conj(F w_c) ]     extent: of the dilated kernel, whose gaps are zeros
//
// the rest of the circular correlation wraps around and is not stored. The kernel is real, so two tiles a and b go as one
// complex tile a + ib and come back as real and imaginary part. Tiles are numbered (n * tilesH + i) * tilesW + j; a pair
// is 2k and 2k + 1. Lanes are 4 channels; transforms leave digit-reversed order (lib/fft.ts), the same everywhere.
//
//   tile (scratch)  [i][j] | re 4 | im 4 |, rows 64 bytes longer: a power of two would fall into one set of the L1 cache
//
// Depthwise (C/groups = 1): 4 output channels at a time; with a multiplier > 1 their input channels are gathered. Rows go
// forward as they are read; then, by 8 columns that stay in L1: forward, times w, inverse; then rows inverse and stored.
//
//   w (plan time)   [M / 4][i][j] | re 4 | im 4 |      conj(F w) / (nh nw)
//
// Dense: the sum over c is a complex matrix product at every frequency, [tiles x C] by [C x M]. F w is that of a real
// signal, w[-f] = conj w[f], so only half of the frequencies ("points") are kept: x[f] and conj x[-f] are two rows
// of one product, whose second result is conj y[-f]. points table: the places of f and of -f in the tile, in bytes.
//
//   w (plan time)   [group][point][M / 8][c] | re 4 | im 4 | re 4 | im 4 |      8 filters
//   v (scratch)     [point][pair][f, -f][c] | re | im |, c rounded up to 4      each point 64 bytes longer, as above
//   z (scratch)     [point][pair][f, -f][M / 8] | re 4 | im 4 | re 4 | im 4 |
//
// Product tile: 2 rows x 8 filters = 8 accumulators + 4 weights + 2 splats = 14 of 16 registers. Weights are read once a
// block of pairs; a pair's sums do not depend on the block. Nothing is padded: tiles are clipped to the image as they are
// read and to the output as they are stored. A NaN or infinity of the input spreads over its pair of tiles.
// Source: Mathieu, Henaff and LeCun, Fast Training of Convolutional Networks through FFTs (2013); Vasilache et al. (2014).
import { CACHE_LINE, FFT_POINT_BYTES } from "../abi/constants";
import { FftDesc, FftWeightsDesc } from "../abi/conv";
import { endRows } from "../lib/activate";
import { fftForward, fftInverse, timesIm, timesRe } from "../lib/fft";
import { madd, maxOf, minOf, nmadd, splat, storeLanes } from "../lib/simd";

const POINT: usize = FFT_POINT_BYTES;
/** Rows and columns transformed together. 8 columns of 64 points are 16 KB. */
const ROWS: i32 = 4;
const COLUMNS: i32 = 8;

@inline function rowBytesOf(logW: i32): usize {
  return (POINT << logW) + CACHE_LINE;
}

@inline function smaller(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

function clear(dst: usize, count: i32): void {
  for (; count > 0; count--) {
    v128.store(dst, splat(0));
    dst += POINT;
  }
}

/** Outputs of a tile along h and w. */
@inline function outputsH(d: FftDesc): i32 {
  return (1 << d.logH) - (d.kernelH - 1) * d.dilationH;
}

@inline function outputsW(d: FftDesc): i32 {
  return (1 << d.logW) - (d.kernelW - 1) * d.dilationW;
}

/**
 * `count` points of row h of an image, from column `left` on, to real (dst) or imaginary (dst + 16) parts, zeros outside.
 * Lane l is channel (c + l) / multiplier. Answers whether any of them lies inside.
 */
function loadRow(d: FftDesc, dst: usize, image: usize, h: i32, left: i32, count: i32, c: i32, multiplier: i32): bool {
  const first = left < 0 ? -left : 0;
  const last = smaller(count, d.width - left);
  if (h < 0 || h >= d.height || first >= last) {
    clear(dst, count);
    return false;
  }
  clear(dst, first);
  clear(dst + <usize>last * POINT, count - last);
  const pixelBytes = <usize>d.xPixelBytes;
  const lane0 = <usize>(c / multiplier) << 2;
  const lane1 = <usize>((c + 1) / multiplier) << 2;
  const lane2 = <usize>((c + 2) / multiplier) << 2;
  const lane3 = <usize>((c + 3) / multiplier) << 2;
  let x = image + <usize>h * <usize>d.xRowBytes + <usize>(left + first) * pixelBytes;
  dst += <usize>first * POINT;
  for (let j = first; j < last; j++) {
    let v = v128.load(x + lane0);
    if (multiplier > 1) {
      v = f32x4.replace_lane(v, 1, f32.load(x + lane1));
      v = f32x4.replace_lane(v, 2, f32.load(x + lane2));
      v = f32x4.replace_lane(v, 3, f32.load(x + lane3));
    }
    v128.store(dst, v);
    dst += POINT;
    x += pixelBytes;
  }
  return true;
}

/** Reads a pair of tiles and transforms its rows. */
function loadPair(d: FftDesc, tile: usize, tableLog: i32, pair: i32, c: i32, multiplier: i32): void {
  const sizeH = 1 << d.logH, sizeW = 1 << d.logW;
  const outH = outputsH(d), outW = outputsW(d);
  const tilesH = (d.outH + outH - 1) / outH, tilesW = (d.outW + outW - 1) / outW;
  const rowBytes = rowBytesOf(d.logW);
  const rowA = (pair << 1) / tilesW, rowB = ((pair << 1) + 1) / tilesW;
  const nA = rowA / tilesH, nB = rowB / tilesH;
  const leftA = ((pair << 1) - rowA * tilesW) * outW - d.padLeft;
  const leftB = ((pair << 1) + 1 - rowB * tilesW) * outW - d.padLeft;
  const topA = (rowA - nA * tilesH) * outH - d.padTop;
  const topB = nB < d.batch ? (rowB - nB * tilesH) * outH - d.padTop : d.height; // no tile b: zeros, as below the image
  const imageA = d.xPtr + <usize>nA * <usize>d.xImageBytes;
  const imageB = d.xPtr + <usize>nB * <usize>d.xImageBytes;
  for (let i = 0; i < sizeH; i += ROWS) {
    const count = smaller(ROWS, sizeH - i);
    let row = tile;
    let some = false;
    for (let k = i; k < i + count; k++) {
      if (loadRow(d, row, imageA, topA + k, leftA, sizeW, c, multiplier)) some = true;
      if (loadRow(d, row + 16, imageB, topB + k, leftB, sizeW, c, multiplier)) some = true;
      row += rowBytes;
    }
    if (some) fftForward(tile, d.logW, POINT, count, rowBytes, d.twiddlesPtr, tableLog);
    tile = row;
  }
}

/** bias, clamp, activation and store of one row of a tile: `cols` pixels of `count` channels from m on. */
function storeRow(d: FftDesc, src: usize, row: i32, q: i32, cols: i32, bias: usize, m: i32, count: i32): void {
  const lo = splat(d.lo), hi = splat(d.hi);
  const start = v128.load(bias);
  const yPixel = <usize>d.yPixelBytes;
  let offset = <usize>(row * d.outW + q) * yPixel + (<usize>m << 2);
  const y = d.yPtr + offset;
  for (let j = 0; j < cols; j++) {
    let v = f32x4.add(v128.load(src), start);
    if (d.residualPtr) v = f32x4.add(v, v128.load(d.residualPtr + offset));
    storeLanes(d.yPtr + offset, minOf(maxOf(v, lo), hi), count);
    src += POINT;
    offset += yPixel;
  }
  if (d.activation) endRows(y, cols, smaller(4, count), yPixel, changetype<usize>(d) + offsetof<FftDesc>("lo"), bias);
}

/** Rows inverse, and both tiles of a pair stored: output channels m to m + count, 4 at most. */
function storePair(d: FftDesc, tile: usize, tableLog: i32, pair: i32, bias: usize, m: i32, count: i32): void {
  const outH = outputsH(d), outW = outputsW(d);
  const tilesH = (d.outH + outH - 1) / outH, tilesW = (d.outW + outW - 1) / outW;
  const rowBytes = rowBytesOf(d.logW);
  const rowA = (pair << 1) / tilesW, rowB = ((pair << 1) + 1) / tilesW;
  const nA = rowA / tilesH, nB = rowB / tilesH;
  const qA = ((pair << 1) - rowA * tilesW) * outW, qB = ((pair << 1) + 1 - rowB * tilesW) * outW;
  const pA = (rowA - nA * tilesH) * outH, pB = (rowB - nB * tilesH) * outH;
  const colsA = smaller(outW, d.outW - qA), colsB = smaller(outW, d.outW - qB);
  const rowsA = smaller(outH, d.outH - pA), rowsB = nB < d.batch ? smaller(outH, d.outH - pB) : 0;
  const rows = rowsA > rowsB ? rowsA : rowsB;
  for (let i = 0; i < rows; i += ROWS) {
    const lines = smaller(ROWS, rows - i);
    fftInverse(tile, d.logW, POINT, lines, rowBytes, d.twiddlesPtr, tableLog);
    for (let k = i; k < i + lines; k++) {
      if (k < rowsA) storeRow(d, tile, nA * d.outH + pA + k, qA, colsA, bias, m, count);
      if (k < rowsB) storeRow(d, tile + 16, nB * d.outH + pB + k, qB, colsB, bias, m, count);
      tile += rowBytes;
    }
  }
}

/** Columns forward, times w, columns inverse, 8 columns at a time. */
function filterColumns(d: FftDesc, tile: usize, tableLog: i32, w: usize): void {
  const sizeH = 1 << d.logH, sizeW = 1 << d.logW;
  const rowBytes = rowBytesOf(d.logW);
  const count = smaller(COLUMNS, sizeW);
  for (let j = 0; j < sizeW; j += COLUMNS) {
    fftForward(tile, d.logH, rowBytes, count, POINT, d.twiddlesPtr, tableLog);
    let row = tile;
    let factor = w;
    for (let i = 0; i < sizeH; i++) {
      for (let k: usize = 0; k < <usize>count * POINT; k += POINT) {
        const re = v128.load(row + k), im = v128.load(row + k, 16);
        const wRe = v128.load(factor + k), wIm = v128.load(factor + k, 16);
        v128.store(row + k, timesRe(re, im, wRe, wIm));
        v128.store(row + k, timesIm(re, im, wRe, wIm), 16);
      }
      row += rowBytes;
      factor += POINT << d.logW;
    }
    fftInverse(tile, d.logH, rowBytes, count, POINT, d.twiddlesPtr, tableLog);
    tile += <usize>count * POINT;
    w += <usize>count * POINT;
  }
}

function depthwise(d: FftDesc, begin: i32, end: i32, tile: usize, tableLog: i32): void {
  const M = d.groups * d.filters;
  const wBytes = POINT << (d.logH + d.logW);
  for (let m = 0; m < M; m += 4) {
    const w = d.wPtr + <usize>(m >> 2) * wBytes;
    for (let pair = begin; pair < end; pair++) {
      loadPair(d, tile, tableLog, pair, m, d.filters);
      filterColumns(d, tile, tableLog, w);
      storePair(d, tile, tableLog, pair, d.biasPtr + (<usize>m << 2), m, M - m);
    }
  }
}

/** All columns of a tile, forward or inverse. */
function transformColumns(forward: bool, tile: usize, logH: i32, logW: i32, table: usize, tableLog: i32): void {
  const count = smaller(COLUMNS, 1 << logW);
  for (let j = 0; j < 1 << logW; j += COLUMNS) {
    if (forward) fftForward(tile, logH, rowBytesOf(logW), count, POINT, table, tableLog);
    else fftInverse(tile, logH, rowBytesOf(logW), count, POINT, table, tableLog);
    tile += <usize>count * POINT;
  }
}

/** A transformed pair of tiles, 4 channels, to rows f and -f of v. */
function scatter(d: FftDesc, tile: usize, v: usize, rowBytes: usize, pointBytes: usize): void {
  let point = d.pointsPtr;
  for (let i = 0; i < d.points; i++) {
    const p = tile + <usize>load<u32>(point), q = tile + <usize>load<u32>(point, 4);
    let re = v128.load(p), im = v128.load(p, 16);
    v128.store(v, i32x4.shuffle(re, im, 0, 4, 1, 5));
    v128.store(v, i32x4.shuffle(re, im, 2, 6, 3, 7), 16);
    re = v128.load(q);
    im = f32x4.neg(v128.load(q, 16));
    v128.store(v + rowBytes, i32x4.shuffle(re, im, 0, 4, 1, 5));
    v128.store(v + rowBytes, i32x4.shuffle(re, im, 2, 6, 3, 7), 16);
    v += pointBytes;
    point += 8;
  }
}

/** Rows f and -f of z to a tile. Where f = -f both are the same. */
function gather(d: FftDesc, tile: usize, z: usize, rowBytes: usize, pointBytes: usize): void {
  let point = d.pointsPtr;
  for (let i = 0; i < d.points; i++) {
    const p = tile + <usize>load<u32>(point), q = tile + <usize>load<u32>(point, 4);
    v128.store(q, v128.load(z + rowBytes));
    v128.store(q, f32x4.neg(v128.load(z + rowBytes, 16)), 16);
    v128.store(p, v128.load(z));
    v128.store(p, v128.load(z, 16), 16);
    z += pointBytes;
    point += 8;
  }
}

/** 2 rows x 8 filters of the complex product, summed over `channels`. */
function product(x: usize, rowBytes: usize, channels: i32, w: usize, z: usize, zRowBytes: usize): void {
  let re00 = splat(0), im00 = splat(0), re01 = splat(0), im01 = splat(0);
  let re10 = splat(0), im10 = splat(0), re11 = splat(0), im11 = splat(0);
  let x1 = x + rowBytes;
  do {
    const wRe0 = v128.load(w), wIm0 = v128.load(w, 16), wRe1 = v128.load(w, 32), wIm1 = v128.load(w, 48);
    let s = v128.load32_splat(x);
    let t = v128.load32_splat(x1);
    re00 = madd(s, wRe0, re00);
    im00 = madd(s, wIm0, im00);
    re01 = madd(s, wRe1, re01);
    im01 = madd(s, wIm1, im01);
    re10 = madd(t, wRe0, re10);
    im10 = madd(t, wIm0, im10);
    re11 = madd(t, wRe1, re11);
    im11 = madd(t, wIm1, im11);
    if (!w) break; // never taken: keeps Binaryen from nesting the updates
    s = v128.load32_splat(x, 4);
    t = v128.load32_splat(x1, 4);
    re00 = nmadd(s, wIm0, re00);
    im00 = madd(s, wRe0, im00);
    re01 = nmadd(s, wIm1, re01);
    im01 = madd(s, wRe1, im01);
    re10 = nmadd(t, wIm0, re10);
    im10 = madd(t, wRe0, im10);
    re11 = nmadd(t, wIm1, re11);
    im11 = madd(t, wRe1, im11);
    x += 8;
    x1 += 8;
    w += 64;
  } while (--channels);
  v128.store(z, re00);
  v128.store(z, im00, 16);
  v128.store(z, re01, 32);
  v128.store(z, im01, 48);
  v128.store(z + zRowBytes, re10);
  v128.store(z + zRowBytes, im10, 16);
  v128.store(z + zRowBytes, re11, 32);
  v128.store(z + zRowBytes, im11, 48);
}

/** One block of pairs, at most d.blockPairs, of one group. */
function denseBlock(d: FftDesc, group: i32, begin: i32, count: i32, tile: usize, tableLog: i32): void {
  const panels = (d.filters + 7) >> 3;
  const vRow = <usize>((d.channels + 3) & ~3) << 3;
  const zRow = <usize>panels << 6;
  const vPair = vRow << 1, zPair = zRow << 1;
  const vPoint = <usize>d.vPointBytes, zPoint = <usize>d.zPointBytes;
  const v = tile + (rowBytesOf(d.logW) << d.logH);
  const z = v + <usize>d.points * vPoint;
  const panelBytes = <usize>d.channels << 6;
  for (let k = 0; k < count; k++) {
    for (let c = 0; c < d.channels; c += 4) {
      loadPair(d, tile, tableLog, begin + k, group * d.channels + c, 1);
      transformColumns(true, tile, d.logH, d.logW, d.twiddlesPtr, tableLog);
      scatter(d, tile, v + <usize>k * vPair + (<usize>c << 3), vRow, vPoint);
    }
  }
  let w = d.wPtr + <usize>group * <usize>d.wGroupBytes;
  for (let i = 0; i < d.points; i++) {
    const x = v + <usize>i * vPoint;
    const out = z + <usize>i * zPoint;
    for (let panel = 0; panel < panels; panel++) {
      for (let k = 0; k < count; k++) {
        product(x + <usize>k * vPair, vRow, d.channels, w, out + <usize>k * zPair + (<usize>panel << 6), zRow);
      }
      w += panelBytes;
    }
  }
  const bias = d.biasPtr + <usize>group * <usize>d.biasGroupBytes;
  for (let k = 0; k < count; k++) {
    for (let m = 0; m < d.filters; m += 4) {
      gather(d, tile, z + <usize>k * zPair + (<usize>m << 3), zRow, zPoint);
      transformColumns(false, tile, d.logH, d.logW, d.twiddlesPtr, tableLog);
      storePair(d, tile, tableLog, begin + k, bias + (<usize>m << 2), group * d.filters + m, d.filters - m);
    }
  }
}

/** Work items: pairs of tiles. Scratch: a tile, and for C/groups > 1 v and z. */
export function conv2d_fft_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<FftDesc>(desc);
  const tableLog = d.logH > d.logW ? d.logH : d.logW;
  if (!ASC_NO_ASSERT) assert(outputsH(d) > 0 && outputsW(d) > 0 && d.strideH == 1 && d.strideW == 1 && begin >= 0);
  if (d.channels == 1) {
    depthwise(d, begin, end, scratch, tableLog);
    return;
  }
  if (!ASC_NO_ASSERT) assert(d.blockPairs > 0 && d.points > 0 && d.pointsPtr != 0);
  while (begin < end) {
    const count = smaller(d.blockPairs, end - begin);
    for (let g = 0; g < d.groups; g++) denseBlock(d, g, begin, count, scratch, tableLog);
    begin += count;
  }
}

/** Plan time, from weights [M, C/groups, R, S]. Work items: blocks of 4 filters of each group. Scratch: a tile. */
export function fft_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<FftWeightsDesc>(desc);
  const tableLog = d.logH > d.logW ? d.logH : d.logW;
  const rowBytes = rowBytesOf(d.logW);
  const tileBytes = rowBytes << d.logH;
  const blocks = (d.filters + 3) >> 2;
  const scale = splat(d.scale);
  for (let item = begin; item < end; item++) {
    const group = item / blocks;
    const block = item - group * blocks;
    const lanes = smaller(4, d.filters - (block << 2));
    for (let c = 0; c < d.channels; c++) {
      const src = d.srcPtr + <usize>(group * d.filters + (block << 2)) * <usize>d.filterBytes + <usize>c * <usize>d.channelBytes;
      memory.fill(scratch, 0, tileBytes);
      for (let r = 0; r < d.kernelH; r++) {
        const row = scratch + <usize>(r * d.dilationH) * rowBytes;
        for (let s = 0; s < d.kernelW; s++) {
          let from = src + <usize>r * <usize>d.kernelHBytes + <usize>s * <usize>d.kernelWBytes;
          let to = row + <usize>(s * d.dilationW) * POINT;
          for (let lane = 0; lane < lanes; lane++) {
            f32.store(to, f32.load(from));
            from += <usize>d.filterBytes;
            to += 4;
          }
        }
        fftForward(row, d.logW, POINT, 1, rowBytes, d.twiddlesPtr, tableLog);
      }
      transformColumns(true, scratch, d.logH, d.logW, d.twiddlesPtr, tableLog);
      let dst = d.dstPtr + <usize>group * <usize>d.dstGroupBytes + <usize>(block >> 1) * <usize>d.dstPairBytes +
        <usize>(block & 1) * <usize>d.dstHalfBytes + <usize>c * <usize>d.dstChannelBytes;
      for (let i = 0; i < d.points; i++) {
        const p = scratch + <usize>load<u32>(d.pointsPtr + (<usize>i << 3));
        v128.store(dst, f32x4.mul(v128.load(p), scale));
        v128.store(dst, f32x4.neg(f32x4.mul(v128.load(p, 16), scale)), 16);
        dst += <usize>d.dstPointBytes;
      }
    }
  }
}
