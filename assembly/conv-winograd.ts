// Winograd convolution, stride 1: F(m x m, 3 x 3) for 3x3 kernels, F(m, 3) for 1x3 and 3x1, with m = 2, 4 or 6.
//
//   Y = A^T [ (G g G^T) ⊙ (B^T d B) ] A      n = m + 2 inputs give m outputs by n products instead of 3m
//
// Source: Winograd (1980); Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2016). Points: F(2,3) 0, ±1;
// F(4,3) 0, ±3/4, ±3/2, whose error is 0.43 of that of the usual 0, ±1, ±2 (rms; every constant is exact in binary);
// F(6,3) 0, ±1, ±2, ±1/2; each with infinity.
//
// Fused: a block of T tiles is transformed, multiplied and transformed back while it is in cache, so the transformed
// image (n²/m² times the input) never goes to memory. Layouts, pos = i * nw + j over the nh x nw points of a tile:
//
//   U (weights, plan time)  [column block][pos][panel][c][8]     panels as in pack.ts
//   V (scratch)             [pos][tile][c]                       rows of A of the GEMM
//   Z (scratch)             [pos][tile][column block]            C of the GEMM
//
// Each pos is 64 bytes longer than its rows: T * C * 4 is often a multiple of 4096, and n² rows 4096 bytes apart would
// share one set of the L1 cache. Lanes are channels (transforms) or output channels (GEMM, output transform): the padded
// image has its channels rounded up to 4. A 1-D kernel has nh = 1 or nw = 1: that direction's transform is left out.
import { activateRows } from "./activation";
import { ConvDesc, WinogradWeightsDesc } from "./desc";
import { gemmRows } from "./gemm";
import { madd, maxOf, minOf, nmadd, splat, storeLanes } from "./simd";

const PAD: usize = 64;

// --- 1-D transforms: read n (or m) vectors `step` bytes apart, write m (or n) vectors `outStep` bytes apart ---

@inline function at(p: usize, step: usize, i: usize): v128 {
  return v128.load(p + i * step);
}

@inline function put(p: usize, step: usize, i: usize, v: v128): void {
  v128.store(p + i * step, v);
}

/** B^T d of F(2,3): d0 - d2, d1 + d2, d2 - d1, d1 - d3. */
function input2(p: usize, step: usize, out: usize, outStep: usize): void {
  const d0 = at(p, step, 0), d1 = at(p, step, 1), d2 = at(p, step, 2), d3 = at(p, step, 3);
  put(out, outStep, 0, f32x4.sub(d0, d2));
  put(out, outStep, 1, f32x4.add(d1, d2));
  put(out, outStep, 2, f32x4.sub(d2, d1));
  put(out, outStep, 3, f32x4.sub(d1, d3));
}

// F(4,3): points ±a = ±3/4 and ±b = ±3/2.
const A: f32 = 0.75, A2: f32 = 0.5625, A3: f32 = 0.421875;
const B: f32 = 1.5, B2: f32 = 2.25, B3: f32 = 3.375;
const A2B2: f32 = 1.265625; // a² b²
const A2_B2: f32 = 2.8125; // a² + b²

/** B^T d of F(4,3). */
function input4(p: usize, step: usize, out: usize, outStep: usize): void {
  const d0 = at(p, step, 0), d1 = at(p, step, 1), d2 = at(p, step, 2);
  const d3 = at(p, step, 3), d4 = at(p, step, 4), d5 = at(p, step, 5);
  const evenA = nmadd(splat(B2), d2, d4);
  const oddA = f32x4.mul(splat(A), nmadd(splat(B2), d1, d3));
  const evenB = nmadd(splat(A2), d2, d4);
  const oddB = f32x4.mul(splat(B), nmadd(splat(A2), d1, d3));
  put(out, outStep, 0, madd(splat(A2B2), d0, nmadd(splat(A2_B2), d2, d4)));
  put(out, outStep, 1, f32x4.add(evenA, oddA));
  put(out, outStep, 2, f32x4.sub(evenA, oddA));
  put(out, outStep, 3, f32x4.add(evenB, oddB));
  put(out, outStep, 4, f32x4.sub(evenB, oddB));
  put(out, outStep, 5, madd(splat(A2B2), d1, nmadd(splat(A2_B2), d3, d5)));
}

/** B^T d of F(6,3). */
function input6(p: usize, step: usize, out: usize, outStep: usize): void {
  const d0 = at(p, step, 0), d1 = at(p, step, 1), d2 = at(p, step, 2), d3 = at(p, step, 3);
  const d4 = at(p, step, 4), d5 = at(p, step, 5), d6 = at(p, step, 6), d7 = at(p, step, 7);
  const big = splat(5.25), mid = splat(4.25), quarter = splat(0.25), half = splat(0.5), two = splat(2), low = splat(2.5), five = splat(1.25);
  put(out, outStep, 0, madd(big, f32x4.sub(d4, d2), f32x4.sub(d0, d6)));
  put(out, outStep, 7, madd(big, f32x4.sub(d3, d5), f32x4.sub(d7, d1)));
  let even = nmadd(mid, d4, f32x4.add(d2, d6));
  let odd = nmadd(mid, d3, f32x4.add(d1, d5));
  put(out, outStep, 1, f32x4.add(even, odd));
  put(out, outStep, 2, f32x4.sub(even, odd));
  even = madd(quarter, d2, nmadd(five, d4, d6));
  odd = madd(half, d1, nmadd(low, d3, f32x4.mul(two, d5)));
  put(out, outStep, 3, f32x4.add(even, odd));
  put(out, outStep, 4, f32x4.sub(even, odd));
  even = madd(splat(4), nmadd(five, d4, d2), d6);
  odd = madd(two, d1, nmadd(low, d3, f32x4.mul(half, d5)));
  put(out, outStep, 5, f32x4.add(even, odd));
  put(out, outStep, 6, f32x4.sub(even, odd));
}

/** A^T z of F(2,3). */
function output2(p: usize, step: usize, out: usize, outStep: usize): void {
  const z0 = at(p, step, 0), z1 = at(p, step, 1), z2 = at(p, step, 2), z3 = at(p, step, 3);
  put(out, outStep, 0, f32x4.add(f32x4.add(z0, z1), z2));
  put(out, outStep, 1, f32x4.sub(f32x4.sub(z1, z2), z3));
}

/** A^T z of F(4,3). */
function output4(p: usize, step: usize, out: usize, outStep: usize): void {
  const z0 = at(p, step, 0), z1 = at(p, step, 1), z2 = at(p, step, 2);
  const z3 = at(p, step, 3), z4 = at(p, step, 4), z5 = at(p, step, 5);
  const sum1 = f32x4.add(z1, z2), dif1 = f32x4.sub(z1, z2);
  const sum2 = f32x4.add(z3, z4), dif2 = f32x4.sub(z3, z4);
  put(out, outStep, 0, f32x4.add(f32x4.add(z0, sum1), sum2));
  put(out, outStep, 1, madd(splat(B), dif2, f32x4.mul(splat(A), dif1)));
  put(out, outStep, 2, madd(splat(B2), sum2, f32x4.mul(splat(A2), sum1)));
  put(out, outStep, 3, madd(splat(B3), dif2, madd(splat(A3), dif1, z5)));
}

/** A^T z of F(6,3). */
function output6(p: usize, step: usize, out: usize, outStep: usize): void {
  const z0 = at(p, step, 0), z1 = at(p, step, 1), z2 = at(p, step, 2), z3 = at(p, step, 3);
  const z4 = at(p, step, 4), z5 = at(p, step, 5), z6 = at(p, step, 6), z7 = at(p, step, 7);
  const sum1 = f32x4.add(z1, z2), dif1 = f32x4.sub(z1, z2);
  const sum2 = f32x4.add(z3, z4), dif2 = f32x4.sub(z3, z4);
  const sum3 = f32x4.add(z5, z6), dif3 = f32x4.sub(z5, z6);
  put(out, outStep, 0, f32x4.add(f32x4.add(z0, sum1), f32x4.add(sum2, sum3)));
  put(out, outStep, 1, madd(splat(2), dif2, madd(splat(0.5), dif3, dif1)));
  put(out, outStep, 2, madd(splat(4), sum2, madd(splat(0.25), sum3, sum1)));
  put(out, outStep, 3, madd(splat(8), dif2, madd(splat(0.125), dif3, dif1)));
  put(out, outStep, 4, madd(splat(16), sum2, madd(splat(0.0625), sum3, sum1)));
  put(out, outStep, 5, f32x4.add(madd(splat(32), dif2, madd(splat(0.03125), dif3, dif1)), z7));
}

@inline function inputTransform(m: i32, p: usize, step: usize, out: usize, outStep: usize): void {
  if (m == 4) input4(p, step, out, outStep);
  else if (m == 2) input2(p, step, out, outStep);
  else if (m == 6) input6(p, step, out, outStep);
  else put(out, outStep, 0, v128.load(p)); // this direction is not transformed
}

@inline function outputTransform(m: i32, p: usize, step: usize, out: usize, outStep: usize): void {
  if (m == 4) output4(p, step, out, outStep);
  else if (m == 2) output2(p, step, out, outStep);
  else if (m == 6) output6(p, step, out, outStep);
  else put(out, outStep, 0, v128.load(p));
}

/** G g, one row: point `i` of F(m,3) from three taps, in float64. m = 1: the tap itself. */
function weightPoint(m: i32, i: i32, g0: f64, g1: f64, g2: f64): f64 {
  if (m == 1) return g0;
  const n = m + 2;
  if (i == 0) return m == 4 ? g0 / A2B2 : g0;
  if (i == n - 1) return g2;
  if (m == 2) return i == 1 ? (g0 + g1 + g2) / 2 : (g0 - g1 + g2) / 2;
  const sign: f64 = (i & 1) == 1 ? 1 : -1;
  if (m == 4) {
    // over the product of the distances to the other points: 2a²(a² - b²) and 2b²(b² - a²)
    if (i < 3) return (g0 + sign * A * g1 + A2 * g2) / (2 * A2 * (A2 - B2));
    return (g0 + sign * B * g1 + B2 * g2) / (2 * B2 * (B2 - A2));
  }
  if (i < 3) return -(g0 + sign * g1 + g2) * 2 / 9;
  if (i < 5) return (g0 + sign * 2 * g1 + 4 * g2) / 90;
  return (4 * g0 + sign * 2 * g1 + g2) * 8 / 45; // 32/45 (g0 ± g1/2 + g2/4)
}

@inline function tap(p: usize, valid: bool): f64 {
  return valid ? <f64>f32.load(p) : 0;
}

/** Plan time: U from weights [M, C/groups, R, S]. Work items: panels of 8 filters, numbered group * panels + panel. */
export function winograd_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<WinogradWeightsDesc>(desc);
  const mh = d.tileH, mw = d.tileW;
  const nh = mh > 1 ? mh + 2 : 1;
  const nw = mw > 1 ? mw + 2 : 1;
  const panels = (d.filters + 7) >> 3;
  const perBlock = d.colBlock >> 3;
  const panelFloats = d.channels << 3;
  const stepR = <usize>d.kernelHBytes, stepS = <usize>d.kernelWBytes;
  for (let item = begin; item < end; item++) {
    const group = item / panels;
    const panel = item - group * panels;
    const block = panel / perBlock;
    const inBlock = panels - block * perBlock < perBlock ? panels - block * perBlock : perBlock; // panels of this block
    const base = d.dstPtr + <usize>group * <usize>d.dstGroupBytes + (<usize>(block * perBlock * nh * nw * panelFloats) << 2);
    for (let lane = 0; lane < 8; lane++) {
      const m = (panel << 3) + lane;
      for (let c = 0; c < d.channels; c++) {
        const src = d.srcPtr + <usize>(group * d.filters + m) * <usize>d.filterBytes + <usize>c * <usize>d.channelBytes;
        for (let j = 0; j < nw; j++) {
          for (let i = 0; i < nh; i++) {
            let value: f64 = 0;
            if (m < d.filters) {
              // three rows of taps, each reduced along w, then along h
              const r0 = weightPoint(mw, j, tap(src, true), tap(src + stepS, mw > 1), tap(src + 2 * stepS, mw > 1));
              const r1 = mh > 1 ? weightPoint(mw, j, tap(src + stepR, true), tap(src + stepR + stepS, mw > 1), tap(src + stepR + 2 * stepS, mw > 1)) : 0;
              const r2 = mh > 1 ? weightPoint(mw, j, tap(src + 2 * stepR, true), tap(src + 2 * stepR + stepS, mw > 1), tap(src + 2 * stepR + 2 * stepS, mw > 1)) : 0;
              value = weightPoint(mh, i, r0, r1, r2);
            }
            const index = ((i * nw + j) * inBlock + (panel - block * perBlock)) * panelFloats + (c << 3) + lane;
            f32.store(base + (<usize>index << 2), <f32>value);
          }
        }
      }
    }
  }
}

/** Work items: tiles, numbered (n * tilesH + row) * tilesW + column. Scratch: see winogradScratchBytes in src/ops. */
export function conv2d_winograd_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvDesc>(desc);
  const mh = d.tileH, mw = d.tileW;
  const nh = mh > 1 ? mh + 2 : 1;
  const nw = mw > 1 ? mw + 2 : 1;
  const points = nh * nw;
  if (!ASC_NO_ASSERT) assert((mh == 1 || mh == 2 || mh == 4 || mh == 6) && (mw == 1 || mw == 2 || mw == 4 || mw == 6) && mh * mw > 1);
  if (!ASC_NO_ASSERT) assert(d.tileBlock > 0 && (d.colBlock & 7) == 0 && (d.xPixelBytes & 15) == 0);
  const tilesW = (d.outW + mw - 1) / mw;
  const tilesH = (d.outH + mh - 1) / mh;
  const perImage = tilesH * tilesW;
  const block = d.tileBlock;
  const channels = (d.channels + 3) & ~3;
  const channelBytes = <usize>channels << 2;
  const vPos = <usize>block * channelBytes + PAD;
  const zRow = <usize>d.colBlock << 2;
  const zPos = <usize>block * zRow + PAD;

  // scratch: row table | one tile between its two transforms | V | Z
  const table = scratch;
  const mid = table + ((<usize>block << 2) + 63 & ~63);
  const v = mid + 8 * 8 * 16;
  const z = v + <usize>points * vPos;
  for (let t = 0; t < block; t++) store<i32>(table + (<usize>t << 2), t * <i32>channelBytes);

  const xRow = <usize>d.xRowBytes, xPixel = <usize>d.xPixelBytes;
  const lo = splat(d.lo), hi = splat(d.hi);
  while (begin < end) {
    const blocks = (end - begin + block - 1) / block; // evenly over the fewest blocks
    const count = (end - begin + blocks - 1) / blocks;
    for (let g = 0; g < d.groups; g++) {
      // 1. V = B^T d B
      for (let t = 0; t < count; t++) {
        const tile = begin + t;
        const n = tile / perImage;
        const row = (tile - n * perImage) / tilesW;
        const col = tile - n * perImage - row * tilesW;
        let x = d.xPtr + <usize>n * <usize>d.xImageBytes + <usize>(row * mh) * xRow + <usize>(col * mw) * xPixel + <usize>g * <usize>d.xGroupBytes;
        let out = v + <usize>t * channelBytes;
        const xEnd = x + channelBytes;
        do {
          if (mh == 1) {
            inputTransform(mw, x, xPixel, out, vPos);
          } else {
            // along h into mid[i][j], then along w into V
            for (let j = 0; j < nw; j++) inputTransform(mh, x + <usize>j * xPixel, xRow, mid + (<usize>j << 4), <usize>nw << 4);
            for (let i = 0; i < nh; i++) {
              inputTransform(mw, mid + (<usize>(i * nw) << 4), 16, out + <usize>(i * nw) * vPos, vPos);
            }
          }
          x += 16;
          out += 16;
        } while (x < xEnd);
      }
      const bias = d.biasPtr + <usize>g * <usize>d.biasGroupBytes;
      let u = d.wPtr + <usize>g * <usize>d.wGroupBytes;
      for (let m = 0; m < d.filters; m += d.colBlock) {
        const cols = d.filters - m < d.colBlock ? d.filters - m : d.colBlock;
        const whole = (cols + 7) & ~7; // Z has room for whole panels
        // 2. Z[pos] = V[pos] · U[pos]
        const uPos = (<usize>whole << 2) * <usize>d.channels;
        for (let pos = 0; pos < points; pos++) {
          gemmRows(
            table, count, v + <usize>pos * vPos, d.blocksPtr, d.blockCount, u, whole, z + <usize>pos * zPos, zRow,
            d.zerosPtr, 0, -Infinity, Infinity, 0, 0, 0, d.tileRows,
          );
          u += uPos;
        }
        // 3. Y = A^T Z A, clipped at the lower and right edge
        for (let t = 0; t < count; t++) {
          const tile = begin + t;
          const n = tile / perImage;
          const row = (tile - n * perImage) / tilesW * mh;
          const col = (tile - n * perImage) % tilesW * mw;
          const rows = d.outH - row < mh ? d.outH - row : mh;
          const columns = d.outW - col < mw ? d.outW - col : mw;
          const offset = <usize>((n * d.outH + row) * d.outW + col) * <usize>d.yPixelBytes + (<usize>(g * d.filters + m) << 2);
          const yRow = <usize>d.outW * <usize>d.yPixelBytes;
          const line = mid + 8 * 6 * 16; // the m outputs of one row
          for (let c = 0; c < cols; c += 4) {
            const from = z + <usize>t * zRow + (<usize>c << 2);
            // along h into mid[i][j], i < mh
            for (let j = 0; j < nw; j++) {
              outputTransform(mh, from + <usize>j * zPos, <usize>nw * zPos, mid + (<usize>j << 4), <usize>nw << 4);
            }
            const b = v128.load(bias + (<usize>(m + c) << 2));
            for (let i = 0; i < rows; i++) {
              outputTransform(mw, mid + (<usize>(i * nw) << 4), 16, line, 16);
              const first = offset + <usize>i * yRow + (<usize>c << 2);
              let to = first;
              for (let j = 0; j < columns; j++) {
                let value = f32x4.add(v128.load(line + (<usize>j << 4)), b);
                if (d.residualPtr) value = f32x4.add(value, v128.load(d.residualPtr + to));
                value = minOf(maxOf(value, lo), hi);
                storeLanes(d.yPtr + to, value, cols - c);
                to += <usize>d.yPixelBytes;
              }
              if (d.activation) {
                activateRows(d.yPtr + first, columns, cols - c < 4 ? cols - c : 4, <usize>d.yPixelBytes, d.activation, d.alpha, d.beta);
              }
            }
          }
        }
      }
    }
    begin += count;
  }
}
