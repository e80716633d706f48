// Winograd's F(4 x 4, 3 x 3) on whole numbers, of kernels of stride 1, 3x3 or larger:
//
//   576 Y = A^T [ (G g G^T) ⊙ (B^T d B) ] A      on points 0, 1, -1, 2, -2: 36 products for 144
//
// Fractions are gone: G has 6 times its first and last row and no denominators, and A^T as many times more for what that leaves:
// outputs are 24, 12, 6 and 6 times too large in each direction, 2^s * 9 in both. Inputs less their zero point are within 255, so
// transformed ones within 25,500 (16 bits), and weights within 12,495; the products' sums and all that follows are modulo 2^32. There 9
// has an inverse, and 2^s is a shift: exact where an output is within 2^25. Where more channels could be beyond, they are cut into
// parts, which are within, and whose outputs are added.
//
// A larger kernel is pieces of 3x3, of which the last may be short, on images that start 3 further each: their channels are one piece's
// after the other's, and are added up before the outputs are transformed. 6x6 takes a quarter of the products so, 5x5 0.36.
//
// Layouts, pos = i * 6 + j:
//
//   U (weights, plan time)  [column block][part][pos][panel][c / 2][8][2] i16
//   V (scratch)             [pos][tile][c] i16
//   Z (scratch)             [pos][tile][column block] i32
//   S (scratch)             [tile][16][column block] i32, where there are parts: sums of those before
//
// The image is padded, to whole tiles (int8-pad.ts). Source: Winograd (1980); Meng and Brothers, Efficient Winograd Convolution via
// Integer Arithmetic (2019).
import { WinogradBytesDesc, WinogradWeightsBytesDesc } from "../abi/int8";
import { finishBytes, panelRows } from "../lib/int8";
import { requantised, storeBytes } from "../lib/int8-bytes";

/** B^T of eight channels: six vectors `step` apart to six `toStep` apart. */
@inline function inputLine(from: usize, step: usize, to: usize, toStep: usize): void {
  const d0 = v128.load(from), d1 = v128.load(from + step), d2 = v128.load(from + 2 * step);
  const d3 = v128.load(from + 3 * step), d4 = v128.load(from + 4 * step), d5 = v128.load(from + 5 * step);
  const far = i16x8.sub(d4, d2);
  v128.store(to, i16x8.add(i16x8.shl(i16x8.sub(d0, d2), 2), far));
  const even = i16x8.sub(d4, i16x8.shl(d2, 2));
  const odd = i16x8.sub(d3, i16x8.shl(d1, 2));
  v128.store(to + toStep, i16x8.add(even, odd));
  v128.store(to + 2 * toStep, i16x8.sub(even, odd));
  const near = i16x8.sub(d3, d1);
  const twice = i16x8.add(near, near);
  v128.store(to + 3 * toStep, i16x8.add(far, twice));
  v128.store(to + 4 * toStep, i16x8.sub(far, twice));
  v128.store(to + 5 * toStep, i16x8.sub(i16x8.sub(d5, d3), i16x8.shl(near, 2)));
}

/** A^T of four sums: six vectors `step` apart to four `toStep` apart, 24, 12, 6 and 6 times too large. */
@inline function outputLine(from: usize, step: usize, to: usize, toStep: usize): void {
  const m0 = v128.load(from), m1 = v128.load(from + step), m2 = v128.load(from + 2 * step);
  const m3 = v128.load(from + 3 * step), m4 = v128.load(from + 4 * step), m5 = v128.load(from + 5 * step);
  const sum1 = i32x4.add(m1, m2), difference1 = i32x4.sub(m1, m2);
  const sum2 = i32x4.add(m3, m4), difference2 = i32x4.sub(m3, m4);
  v128.store(to, i32x4.add(i32x4.sub(m0, i32x4.shl(sum1, 2)), sum2));
  v128.store(to + toStep, i32x4.sub(difference2, i32x4.add(difference1, difference1)));
  v128.store(to + 2 * toStep, i32x4.sub(sum2, sum1));
  v128.store(to + 3 * toStep, i32x4.add(i32x4.sub(i32x4.add(difference2, difference2), difference1), m5));
}

/**
 * An output: its s is at most 6, and what it lacks to that is in the factor, 2^(6 - s) / 9 modulo 2^32, with as many zeros behind. So one
 * shift does for all.
 */
@inline function outputOf(line: usize, factor: v128): v128 {
  return i32x4.shr_s(i32x4.mul(v128.load(line), factor), 6);
}

/** Of tiles [begin, begin + count), 16 bytes each: where they start in x and in y, and their rows and columns of outputs. */
function placeTiles(d: WinogradBytesDesc, begin: i32, count: i32, places: usize): void {
  const tiles = d.tilesH * d.tilesW;
  for (let tile = begin; tile < begin + count; tile++) {
    const n = tile / tiles;
    const p = (tile - n * tiles) / d.tilesW << 2;
    const q = (tile - n * tiles) % d.tilesW << 2;
    store<i32>(places, n * d.xImageBytes + p * d.xRowBytes + q * d.xPixelBytes);
    store<i32>(places, ((n * d.outH + p) * d.outW + q) * d.yPixelBytes, 4);
    store<i32>(places, min(4, d.outH - p), 8);
    store<i32>(places, min(4, d.outW - q), 12);
    places += 16;
  }
}

/** V of so many tiles. mid: 36 vectors. */
function transformInput(d: WinogradBytesDesc, places: usize, count: i32, v: usize, mid: usize): void {
  const row = <usize>d.xRowBytes, pixel = <usize>d.xPixelBytes, point = <usize>d.vPointBytes;
  for (let t = 0; t < count; t++) {
    const first = d.xPtr + <usize>load<i32>(places);
    places += 16;
    let to = v + <usize>t * <usize>d.vTileBytes;
    for (let piece = 0; piece < d.pieces; piece++) {
      const down = piece / d.piecesW;
      let x = first + 3 * (<usize>down * row + <usize>(piece - down * d.piecesW) * pixel);
      for (let c = 0; c < d.channels; c += 8) {
        for (let j: usize = 0; j < 6; j++) inputLine(x + j * pixel, row, mid + (j << 4), 96);
        for (let i: usize = 0; i < 6; i++) inputLine(mid + i * 96, 16, to + i * 6 * point, point);
        x += 16;
        to += 16;
      }
    }
  }
}

/**
 * Eight filters' outputs of a tile, `rows` x `cols` of them, to y. z: the panel's products. sum: S of the panel, if there are parts.
 * left: filters from there on.
 */
@inline function outputTile(
  d: WinogradBytesDesc, z: usize, sum: usize, mid: usize, y: usize, rows: i32, cols: i32, bias: usize, scale: usize, part: i32, left: i32,
): void {
  const point = <usize>d.zPointBytes, column = <usize>d.blockCols << 2;
  const yPixel = <usize>d.yPixelBytes;
  const last = part == d.parts - 1;
  const done = mid + 768;
  for (let j: usize = 0; j < 6; j++) {
    outputLine(z + j * point, 6 * point, mid + (j << 5), 192);
    outputLine(z + j * point + 16, 6 * point, mid + (j << 5) + 16, 192);
  }
  for (let r = 0; r < rows; r++) {
    const line = mid + <usize>r * 192;
    outputLine(line, 32, done, 32);
    outputLine(line + 16, 32, done + 16, 32);
    const factors = d.factorsPtr + (<usize>min(r, 2) << 2); // of row r and column q, where more are taken as 2: the (r + q)th
    let to = y + <usize>(r * d.outW) * yPixel;
    let own = sum + <usize>(r << 2) * column;
    for (let q = 0; q < cols; q++) {
      const factor = v128.load32_splat(factors + (<usize>min(q, 2) << 2));
      let a0 = outputOf(done + (<usize>q << 5), factor);
      let a1 = outputOf(done + (<usize>q << 5) + 16, factor);
      if (part) {
        a0 = i32x4.add(a0, v128.load(own));
        a1 = i32x4.add(a1, v128.load(own, 16));
      }
      if (last) {
        a0 = i32x4.add(a0, v128.load(bias));
        a1 = i32x4.add(a1, v128.load(bias, 16));
        storeBytes(to, requantised(a0, a1, v128.load(scale), v128.load(scale, 16), d.endPtr), left);
      } else {
        v128.store(own, a0);
        v128.store(own, a1, 16);
      }
      to += yPixel;
      own += column;
    }
  }
}

/** Outputs of filters [col, col + 8 * panels) of so many tiles; a tile's points share cache lines. */
function transformOutput(
  d: WinogradBytesDesc, places: usize, count: i32, z: usize, sums: usize, mid: usize, part: i32, col: i32, panels: i32,
): void {
  const tileBytes = <usize>d.blockCols << 2;
  for (let t = 0; t < count; t++) {
    const y = d.yPtr + <usize>(load<i32>(places, 4) + col);
    const rows = load<i32>(places, 8), cols = load<i32>(places, 12);
    places += 16;
    for (let p = 0; p < panels; p++) {
      const at = <usize>p << 5;
      const filters = <usize>(col + (p << 3)) << 2;
      outputTile(
        d, z + <usize>t * tileBytes + at, sums + <usize>t * (tileBytes << 4) + at, mid, y + (<usize>p << 3), rows, cols,
        d.biasPtr + filters, d.scalePtr + filters, part, d.filters - col - (p << 3),
      );
    }
  }
}

/** Bounds, and the addend, of the bytes of so many tiles. */
function finishTiles(d: WinogradBytesDesc, places: usize, count: i32): void {
  for (; count > 0; count--) {
    let at = <usize>load<i32>(places, 4);
    const bytes = load<i32>(places, 12) * d.yPixelBytes;
    for (let rows = load<i32>(places, 8); rows > 0; rows--) {
      finishBytes(d, at, bytes);
      at += <usize>(d.outW * d.yPixelBytes);
    }
    places += 16;
  }
}

/** Work items: tiles, numbered (n * tilesH + row) * tilesW + column. Scratch: where each tile's V is, and its place; 56 vectors; V, Z, S. */
export function conv2d_winograd_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<WinogradBytesDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.blockTiles > 0 && d.blockCols % 8 == 0 && d.partChannels % 2 == 0 && d.partChannels * d.parts >= d.channels * d.pieces);
  const places = scratch + (<usize>d.blockTiles << 2);
  const mid = places + (<usize>d.blockTiles << 4);
  const v = mid + 56 * 16;
  const z = v + 36 * <usize>d.vPointBytes;
  const sums = z + 36 * <usize>d.zPointBytes;
  const vPart = <usize>d.partChannels << 1;
  for (let t = 0; t < d.blockTiles; t++) store<i32>(scratch + (<usize>t << 2), t * d.vTileBytes);
  const blocks = (end - begin + d.blockTiles - 1) / d.blockTiles;
  for (let i = blocks; i > 0; i--) {
    const count = (end - begin) / i;
    placeTiles(d, begin, count, places);
    transformInput(d, places, count, v, mid);
    let u = d.wPtr;
    for (let col = 0; col < d.filters; col += d.blockCols) {
      const panels = (min(d.filters - col, d.blockCols) + 7) >> 3;
      for (let part = 0; part < d.parts; part++) {
        for (let pos: usize = 0; pos < 36; pos++) {
          const a = v + pos * <usize>d.vPointBytes + <usize>part * vPart;
          for (let p = 0; p < panels; p++) {
            const to = z + pos * <usize>d.zPointBytes + (<usize>p << 5);
            panelRows(1, d, count, d.tileRows, scratch, a, u, d.zerosPtr, 0, to, <usize>d.blockCols << 2, 8);
            u += <usize>d.panelBytes;
          }
        }
        transformOutput(d, places, count, z, sums, mid, part, col, panels);
      }
    }
    if (d.addPtr || d.bounded) finishTiles(d, places, count);
    begin += count;
  }
}

/** G of three weights `step` apart to six `toStep` apart, all i32. */
function weightLine(from: usize, step: usize, to: usize, toStep: usize): void {
  const g0 = load<i32>(from), g1 = load<i32>(from + step), g2 = load<i32>(from + 2 * step);
  const even = g0 + g2, far = g0 + 4 * g2;
  store<i32>(to, 6 * g0);
  store<i32>(to + toStep, even + g1);
  store<i32>(to + 2 * toStep, even - g1);
  store<i32>(to + 3 * toStep, far + 2 * g1);
  store<i32>(to + 4 * toStep, far - 2 * g1);
  store<i32>(to + 5 * toStep, 6 * g2);
}

/** The 36 points of a filter of one channel and piece, each into its pair of channels at `to`. lines: 9 + 18 + 36 i32. */
function weightPoints(
  src: usize, rows: i32, rowBytes: usize, columns: i32, columnBytes: usize, flip: i32, zero: i32, lines: usize, to: usize,
): void {
  const points = lines + 27 * 4;
  for (let r = 0; r < 3; r++) {
    for (let s = 0; s < 3; s++) {
      const isTap = r < rows && s < columns;
      const v = isTap ? (<i32>load<u8>(src + <usize>r * rowBytes + <usize>s * columnBytes) ^ flip) - zero : 0;
      store<i32>(lines + (<usize>(r * 3 + s) << 2), v);
    }
  }
  for (let s: usize = 0; s < 3; s++) weightLine(lines + (s << 2), 12, lines + 36 + (s << 2), 12);
  for (let i: usize = 0; i < 6; i++) weightLine(lines + 36 + i * 12, 4, points + i * 24, 4);
  for (let pos: usize = 0; pos < 36; pos++) store<i16>(to + (pos << 5), <i16>load<i32>(points + (pos << 2)));
}

/**
 * Weights [M, C, R, S] to U. Points lie a power of two apart, which share sets of the cache: those of 8 filters and a pair of channels
 * are made near by, and go there together. Work items: panels. Scratch: 63 i32, and two vectors a point.
 */
export function pack_winograd_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<WinogradWeightsBytesDesc>(desc);
  const near = scratch + 63 * 4;
  const colBytes = <usize>d.colBytes, channelBytes = <usize>d.channelBytes;
  const rowBytes = <usize>d.kernelHBytes, columnBytes = <usize>d.kernelWBytes;
  const channels = d.channels, each = d.pieceChannels, flip = d.signed ? 0x80 : 0;
  const panelBytes = <usize>d.partChannels << 4;
  for (let panel = begin; panel < end; panel++) {
    const block = (panel << 3) / d.blockCols;
    const panels = (min(d.cols - block * d.blockCols, d.blockCols) + 7) >> 3;
    const pointBytes = <usize>panels * panelBytes;
    const before = <usize>block * <usize>(d.blockCols >> 3) * <usize>(36 * d.parts) * panelBytes;
    let part = d.dstPtr + before + <usize>(panel - block * (d.blockCols >> 3)) * panelBytes;
    const filters = min(d.cols - (panel << 3), 8);
    const zeros = d.zerosPtr + (<usize>panel << 5);
    const src = d.srcPtr + <usize>(panel << 3) * colBytes;
    for (let c = 0, p = 0; p < d.parts; p++) {
      for (let k = 0; k < d.partChannels; k += 2) {
        memory.fill(near, 0, 36 * 32);
        for (let half = 0; half < 2; half++) {
          const piece = (c + half) / each;
          const channel = c + half - piece * each;
          const r = piece / d.piecesW * 3, s = piece % d.piecesW * 3;
          if (channel >= channels || r >= d.kernelH) continue;
          const from = src + <usize>channel * channelBytes + <usize>r * rowBytes + <usize>s * columnBytes;
          for (let n = 0; n < filters; n++) {
            const zero = load<i32>(zeros + (<usize>n << 2)) + flip;
            const to = near + (<usize>(2 * n + half) << 1);
            weightPoints(from + <usize>n * colBytes, d.kernelH - r, rowBytes, d.kernelW - s, columnBytes, flip, zero, scratch, to);
          }
        }
        let to = part + (<usize>k << 4);
        for (let pos: usize = 0; pos < 36; pos++) {
          v128.store(to, v128.load(near + (pos << 5)));
          v128.store(to, v128.load(near + (pos << 5), 16), 16);
          to += pointBytes;
        }
        c += 2;
      }
      part += 36 * pointBytes;
    }
  }
}
