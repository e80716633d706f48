// Weights of a Winograd convolution, at plan time: U = G g G^T of conv-winograd.ts, which draws where they go.
import { CACHE_LINE, WINOGRAD_POINTS, WINOGRAD_TABLE_BYTES, WINOGRAD_WEIGHTS_SCRATCH_BYTES } from "../abi/constants";
import { WinogradWeightsDesc } from "../abi/conv";
import { copyFloats } from "../lib/layout";
import { weightPoint } from "../lib/winograd";

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
