// FFT convolution, stride 1, by overlap-save: the output is cut into tiles of (L - R' + 1) x (L - S' + 1), R' and S' the
// dilated kernel's extent; the L x L input window of a tile is transformed, multiplied by the kernel's spectrum, and
// transformed back. Source: Mathieu, Henaff, LeCun, Fast Training of Convolutional Networks through FFTs (2013).
//
// Real input: two tiles travel as one complex signal, a + ib. The kernel w is real, so correlating the pair gives
// a ⋆ w + i (b ⋆ w), and nothing has to be taken apart. Correlation means the conjugate spectrum, X · conj(W); the 1/L² of
// the inverse is in W. Work items are pairs of tiles; lanes are channels. Taps outside the input are zeros of the window.
//
// Dense layers sum over channels at every point k of the spectrum, which is a real matrix product for gemm.ts:
//
//   [Zre | Zim] = [Vre | Vim] · |  Wre  -Wim |      V (scratch) [point][pair][2C]     Z (scratch) [point][pair][2M]
//                               |  Wim   Wre |      W (plan time) [point][panel][2C][8]
//
// with C, M the group's channels rounded up to 4. Depthwise layers multiply point by point; W is [M / 4][point][re, im].
import { activateRows } from "./activation";
import { ConvDesc, FftWeightsDesc } from "./desc";
import { forward2d, inverse2d } from "./fft";
import { gemmRows } from "./gemm";
import { madd, maxOf, minOf, nmadd, splat, storeLanes } from "./simd";

/** Keeps n² points of a power of two from falling into one set of the L1 cache. */
const PAD: usize = 64;

/** Spectra of 4 filters m..m+3 for channel c to `buffer`: taps in the real part of a zeroed window, transformed. */
function filterSpectrum(d: FftWeightsDesc, group: i32, m: i32, c: i32, buffer: usize): void {
  const size = d.size;
  memory.fill(buffer, 0, <usize>(size * size) << 5);
  const lanes = d.filters - m < 4 ? d.filters - m : 4;
  const src = d.srcPtr + <usize>(group * d.filters + m) * <usize>d.filterBytes + <usize>c * <usize>d.channelBytes;
  for (let r = 0; r < d.kernelH; r++) {
    for (let s = 0; s < d.kernelW; s++) {
      const to = buffer + (<usize>(r * d.dilationH * size + s * d.dilationW) << 5);
      const from = src + <usize>(r * d.kernelHBytes + s * d.kernelWBytes);
      for (let lane = 0; lane < lanes; lane++) {
        f32.store(to + (<usize>lane << 2), f32.load(from + <usize>lane * <usize>d.filterBytes));
      }
    }
  }
  forward2d(buffer, size, (d.kernelH - 1) * d.dilationH + 1, d.twiddlesPtr);
}

/** Plan time, dense. Work items: 4 filters of a group, numbered group * ceil(M / 4) + block. Scratch: one window and a row of it. */
export function fft_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<FftWeightsDesc>(desc);
  const blocks = (d.filters + 3) >> 2;
  const points = d.size * d.size;
  const K = (d.channels + 3 & ~3) << 1;
  const M = blocks << 2;
  const panelBytes = <usize>K << 5;
  const pointBytes = <usize>(M >> 2) * panelBytes;
  const scale = splat(1 / <f32>points);
  for (let item = begin; item < end; item++) {
    const group = item / blocks;
    const m = (item - group * blocks) << 2;
    for (let c = 0; c < d.channels; c++) {
      filterSpectrum(d, group, m, c, scratch);
      // column j of 2M lies in panel j / 8, at k * 8 + j % 8
      let re = d.dstPtr + <usize>group * <usize>d.dstGroupBytes + <usize>(m >> 3) * panelBytes + (<usize>(m & 7) << 2) + (<usize>c << 5);
      let im = d.dstPtr + <usize>group * <usize>d.dstGroupBytes + <usize>((M + m) >> 3) * panelBytes + (<usize>((M + m) & 7) << 2) + (<usize>c << 5);
      const below = <usize>K << 4; // from row c to row C + c
      for (let k = 0; k < points; k++) {
        const wr = f32x4.mul(v128.load(scratch + (<usize>k << 5)), scale);
        const wi = f32x4.mul(v128.load(scratch + (<usize>k << 5), 16), scale);
        v128.store(re, wr);
        v128.store(re + below, wi);
        v128.store(im, f32x4.neg(wi));
        v128.store(im + below, wr);
        re += pointBytes;
        im += pointBytes;
      }
    }
  }
}

/** Plan time, depthwise. Work items: 4 filters. Scratch: one window and a row of it. */
export function fft_depthwise_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<FftWeightsDesc>(desc);
  const points = d.size * d.size;
  const scale = splat(1 / <f32>points);
  for (let item = begin; item < end; item++) {
    filterSpectrum(d, 0, item << 2, 0, scratch);
    let to = d.dstPtr + (<usize>(item * points) << 5);
    for (let k: usize = 0; k < <usize>points << 5; k += 16) v128.store(to + k, f32x4.mul(v128.load(scratch + k), scale));
  }
}

/** First output pixel of a tile: n in bits nobody needs, so three loads from a small record. */
@unmanaged class Tile {
  image: i32;
  p: i32;
  q: i32;
}

@inline function locate(tile: usize, index: i32, tilesH: i32, tilesW: i32, stepH: i32, stepW: i32): void {
  const t = changetype<Tile>(tile);
  const row = index / tilesW;
  t.image = row / tilesH;
  t.p = (row - t.image * tilesH) * stepH;
  t.q = (index - row * tilesW) * stepW;
}

/** One tile's window to the real (part 0) or imaginary (part 16) half of the buffer; 4 channels at xOffset, `multiplier` outputs each. */
function loadWindow(d: ConvDesc, tile: usize, buffer: usize, part: usize, size: i32, xOffset: usize, m: i32, multiplier: i32): void {
  const t = changetype<Tile>(tile);
  const image = d.xPtr + <usize>t.image * <usize>d.xImageBytes + xOffset;
  const pixel = <usize>d.xPixelBytes;
  for (let i = 0; i < size; i++) {
    const h = t.p - d.padTop + i;
    let to = buffer + (<usize>(i * size) << 5) + part;
    if (h < 0 || h >= d.height) {
      for (let j = 0; j < size; j++) {
        v128.store(to, splat(0));
        to += 32;
      }
      continue;
    }
    const row = image + <usize>h * <usize>d.xRowBytes;
    for (let j = 0; j < size; j++) {
      const w = t.q - d.padLeft + j;
      let v = splat(0);
      if (w >= 0 && w < d.width) {
        const x = row + <usize>w * pixel;
        if (multiplier == 1) v = v128.load(x);
        else {
          v = v128.load32_splat(x + (<usize>(m / multiplier) << 2));
          v = f32x4.replace_lane(v, 1, f32.load(x + (<usize>((m + 1) / multiplier) << 2)));
          v = f32x4.replace_lane(v, 2, f32.load(x + (<usize>((m + 2) / multiplier) << 2)));
          v = f32x4.replace_lane(v, 3, f32.load(x + (<usize>((m + 3) / multiplier) << 2)));
        }
      }
      v128.store(to, v);
      to += 32;
    }
  }
}

function clearHalf(buffer: usize, part: usize, size: i32): void {
  const end = buffer + (<usize>(size * size) << 5);
  for (let p = buffer + part; p < end; p += 32) v128.store(p, splat(0));
}

/** The valid outputs of one tile from the buffer's half to y, 4 channels at yOffset. */
function storeTile(d: ConvDesc, tile: usize, buffer: usize, part: usize, size: i32, stepH: i32, stepW: i32, yOffset: usize, bias: v128, count: i32): void {
  const t = changetype<Tile>(tile);
  const rows = d.outH - t.p < stepH ? d.outH - t.p : stepH;
  const columns = d.outW - t.q < stepW ? d.outW - t.q : stepW;
  const lo = splat(d.lo), hi = splat(d.hi);
  const pixel = <usize>d.yPixelBytes;
  for (let i = 0; i < rows; i++) {
    const offset = <usize>((t.image * d.outH + t.p + i) * d.outW + t.q) * pixel + yOffset;
    const first = d.yPtr + offset;
    let from = buffer + (<usize>(i * size) << 5) + part;
    let y = first;
    let residual = d.residualPtr ? d.residualPtr + offset : 0;
    for (let j = 0; j < columns; j++) {
      let v = f32x4.add(v128.load(from), bias);
      if (residual) {
        v = f32x4.add(v, v128.load(residual));
        residual += pixel;
      }
      storeLanes(y, minOf(maxOf(v, lo), hi), count);
      from += 32;
      y += pixel;
    }
    if (d.activation) activateRows(first, columns, count < 4 ? count : 4, pixel, d.activation, d.alpha, d.beta);
  }
}

/** Dense. Work items: pairs of tiles. Scratch: two tile records, row table, one window and a row, V, Z (src/ops/conv-fft.ts). */
export function conv2d_fft_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvDesc>(desc);
  const size = 1 << d.tileH;
  const points = size * size;
  const stepH = size - (d.kernelH - 1) * d.dilationH;
  const stepW = size - (d.kernelW - 1) * d.dilationW;
  if (!ASC_NO_ASSERT) assert(stepH > 0 && stepW > 0 && d.twiddlesPtr != 0 && d.strideH == 1 && d.strideW == 1);
  const tilesH = (d.outH + stepH - 1) / stepH;
  const tilesW = (d.outW + stepW - 1) / stepW;
  const tiles = d.batch * tilesH * tilesW;
  const C = d.channels + 3 & ~3;
  const M = d.filters + 3 & ~3;
  const block = d.tileBlock;
  const vRow = <usize>C << 3, vPos = <usize>block * vRow + PAD;
  const zRow = <usize>M << 3, zPos = <usize>block * zRow + PAD;
  const pointBytes = <usize>(M >> 2) * (<usize>C << 6);

  const one = scratch, two = scratch + 16;
  const table = scratch + 64;
  const buffer = table + (<usize>(block << 2) + 63 & ~63);
  const v = buffer + (<usize>(points + size) << 5);
  const z = v + <usize>points * vPos;
  for (let t = 0; t < block; t++) store<i32>(table + (<usize>t << 2), t * <i32>vRow);

  while (begin < end) {
    const count = end - begin < block ? end - begin : block;
    for (let g = 0; g < d.groups; g++) {
      for (let t = 0; t < count; t++) {
        const index = begin + t << 1;
        locate(one, index, tilesH, tilesW, stepH, stepW);
        locate(two, index + 1, tilesH, tilesW, stepH, stepW);
        for (let c = 0; c < C; c += 4) {
          const xOffset = <usize>g * <usize>d.xGroupBytes + (<usize>c << 2);
          loadWindow(d, one, buffer, 0, size, xOffset, 0, 1);
          if (index + 1 < tiles) loadWindow(d, two, buffer, 16, size, xOffset, 0, 1);
          else clearHalf(buffer, 16, size);
          forward2d(buffer, size, size, d.twiddlesPtr);
          let to = v + <usize>t * vRow + (<usize>c << 2);
          for (let k = 0; k < points; k++) {
            v128.store(to, v128.load(buffer + (<usize>k << 5)));
            v128.store(to + (<usize>C << 2), v128.load(buffer + (<usize>k << 5), 16));
            to += vPos;
          }
        }
      }
      const w = d.wPtr + <usize>g * <usize>d.wGroupBytes;
      for (let k = 0; k < points; k++) {
        gemmRows(
          table, count, v + <usize>k * vPos, d.blocksPtr, d.blockCount, w + <usize>k * pointBytes, M << 1, z + <usize>k * zPos, zRow,
          d.zerosPtr, 0, -Infinity, Infinity, 0, 0, 0, d.tileRows,
        );
      }
      const bias = d.biasPtr + <usize>g * <usize>d.biasGroupBytes;
      for (let t = 0; t < count; t++) {
        const index = begin + t << 1;
        locate(one, index, tilesH, tilesW, stepH, stepW);
        locate(two, index + 1, tilesH, tilesW, stepH, stepW);
        for (let m = 0; m < d.filters; m += 4) {
          let from = z + <usize>t * zRow + (<usize>m << 2);
          for (let k = 0; k < points; k++) {
            v128.store(buffer + (<usize>k << 5), v128.load(from));
            v128.store(buffer + (<usize>k << 5), v128.load(from + (<usize>M << 2)), 16);
            from += zPos;
          }
          inverse2d(buffer, size, stepH, d.twiddlesPtr);
          const b = v128.load(bias + (<usize>m << 2));
          const yOffset = <usize>(g * d.filters + m) << 2;
          storeTile(d, one, buffer, 0, size, stepH, stepW, yOffset, b, d.filters - m);
          if (index + 1 < tiles) storeTile(d, two, buffer, 16, size, stepH, stepW, yOffset, b, d.filters - m);
        }
      }
    }
    begin += count;
  }
}

/** Depthwise. Work items: pairs of tiles. Scratch: two tile records, one window and a row of it. */
export function conv2d_fft_depthwise_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvDesc>(desc);
  const size = 1 << d.tileH;
  const points = size * size;
  const stepH = size - (d.kernelH - 1) * d.dilationH;
  const stepW = size - (d.kernelW - 1) * d.dilationW;
  if (!ASC_NO_ASSERT) assert(stepH > 0 && stepW > 0 && d.twiddlesPtr != 0 && d.strideH == 1 && d.strideW == 1);
  const tilesH = (d.outH + stepH - 1) / stepH;
  const tilesW = (d.outW + stepW - 1) / stepW;
  const tiles = d.batch * tilesH * tilesW;
  const multiplier = d.filters;
  const M = d.groups * multiplier;
  const one = scratch, two = scratch + 16;
  const buffer = scratch + 64;
  for (let item = begin; item < end; item++) {
    const pair = (item << 1) + 1 < tiles;
    locate(one, item << 1, tilesH, tilesW, stepH, stepW);
    locate(two, (item << 1) + 1, tilesH, tilesW, stepH, stepW);
    for (let m = 0; m < M; m += 4) {
      const offset = <usize>m << 2;
      const xOffset = multiplier == 1 ? offset : 0;
      loadWindow(d, one, buffer, 0, size, xOffset, m, multiplier);
      if (pair) loadWindow(d, two, buffer, 16, size, xOffset, m, multiplier);
      else clearHalf(buffer, 16, size);
      forward2d(buffer, size, size, d.twiddlesPtr);
      let w = d.wPtr + (<usize>(m >> 2) * <usize>points << 5);
      let p = buffer;
      const pEnd = buffer + (<usize>points << 5);
      do {
        const xr = v128.load(p), xi = v128.load(p, 16), wr = v128.load(w), wi = v128.load(w, 16);
        v128.store(p, madd(xi, wi, f32x4.mul(xr, wr))); // times the conjugate
        v128.store(p, nmadd(xr, wi, f32x4.mul(xi, wr)), 16);
        p += 32;
        w += 32;
      } while (p < pEnd);
      inverse2d(buffer, size, stepH, d.twiddlesPtr);
      const bias = v128.load(d.biasPtr + offset);
      storeTile(d, one, buffer, 0, size, stepH, stepW, offset, bias, M - m);
      if (pair) storeTile(d, two, buffer, 16, size, stepH, stepW, offset, bias, M - m);
    }
  }
}
