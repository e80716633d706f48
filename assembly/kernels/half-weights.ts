// Fully connected layer on weights of float16: y[n, m] = act(bias[m] + sum over k of x[n, k] * w[m, k]), all else float32.
//
// WebAssembly knows no halves. A half's sign, exponent and fraction put where a float32 has them (three places to the right in the
// upper half of 32 bits, the copies of the sign masked away) are those of w * 2^-112, subnormal halves too; infinities and NaN there
// are none. The way back is no multiplication in the loop: rows are scaled by powers of two up to 2^126 before, which costs one pass
// over them, and sums by one behind. Powers of two change no bit of a product or a sum, so a layer whose weights are halves has the
// bits of kernels/linear.ts, whose order of sums this is (but where a product is below 2^-126 there, or a sum beyond 2^128).
//
// All weights of a layer are scaled by one power of two when they are packed, so that the largest is below 2^16: none overflows, and
// of halves as large as those of networks none is subnormal, which some processors multiply slowly.
//
// A panel is 8 filters. 32 bits hold two halves, the first in the lower: lanes are filters, [K/2][2][4] of k and k + 1; or, in the order
// of linear_f32, elements of K, [K/8][8][4] of k and k + 4. Either is two vectors of x a step, eight of weights: rows of x are
// copied so that they are, each element four times where lanes are filters.
//
// Two halves take a load and five operations, and two products; a weight two bytes of memory, which is what one row waits for.
import { HalfWeightsDesc, PackHalfWeightsDesc, WidenDesc } from "../abi/half";
import { largest, part } from "../lib/rows";
import { madd, maxOf, minOf, splat, storeLanes, sums } from "../lib/simd";

/** The first of each pair of halves, times 2^-112. */
@inline function first(pairs: v128, mask: v128): v128 {
  return v128.and(i32x4.shr_s(i32x4.shl(pairs, 16), 3), mask);
}

/** The second. */
@inline function second(pairs: v128, mask: v128): v128 {
  return v128.and(i32x4.shr_s(pairs, 3), mask);
}

/** Elements of K with those behind them that are zeros. */
@inline function paddedTo(length: i32, lanes: i32): i32 {
  return lanes ? (length + 7) & ~7 : (length + 1) & ~1;
}

/** Rows of float32 times a power of two each, as linear_f16 reads them, and what takes it away again. Work items: rows. */
export function scale_rows_f16(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<HalfWeightsDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.length > 0 && d.xPtr != 0 && d.yPtr != 0 && d.xScalesPtr != 0);
  const padded = paddedTo(d.length, d.lanes);
  const rowBytes = <usize>padded << (d.lanes ? 2 : 4);
  for (let n = begin; n < end; n++) {
    const x = d.xPtr + (<usize>(n * d.length) << 2);
    let y = d.yPtr + <usize>n * rowBytes;
    const exponent = reinterpret<i32>(largest(x, d.length)) >> 23;
    // Up to 2^126; infinities and NaN stay what they are whatever they are multiplied by.
    const scale = reinterpret<f32>(exponent == 255 ? 127 << 23 : min(254, 380 - exponent) << 23);
    store<f32>(d.xScalesPtr + (<usize>n << 2), d.factor / scale);
    const by = splat(scale);
    for (let k = 0; k < padded; k += 4) {
      const v = k < d.length ? f32x4.mul(part(x, k, d.length), by) : splat(0);
      if (d.lanes) {
        v128.store(y, v);
        y += 16;
        continue;
      }
      v128.store(y, i32x4.shuffle(v, v, 0, 0, 0, 0));
      v128.store(y, i32x4.shuffle(v, v, 1, 1, 1, 1), 16);
      if (k + 2 < padded) {
        v128.store(y, i32x4.shuffle(v, v, 2, 2, 2, 2), 32);
        v128.store(y, i32x4.shuffle(v, v, 3, 3, 3, 3), 48);
      }
      y += 64;
    }
  }
}

/**
 * Work items: blocks of 4 panels (32 outputs), where lanes are elements of K of one (8 outputs), each for every row of x, numbered
 * block * N + n.
 */
export function linear_f16(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<HalfWeightsDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows > 0 && d.length > 0 && d.filters > 0 && d.wPtr != 0 && d.biasPtr != 0 && d.xScalesPtr != 0);
  const padded = <usize>paddedTo(d.length, d.lanes);
  const panelBytes = padded << 4;
  const xBytes = padded << (d.lanes ? 2 : 4);
  const lastPanel = d.wPtr + <usize>((d.filters - 1) >> 3) * panelBytes;
  const step: usize = d.lanes ? 128 : 32;
  const perItem = d.lanes ? 8 : 32;
  const low = splat(d.lo);
  const high = splat(d.hi);
  const mask = v128.load32_splat(desc, offsetof<HalfWeightsDesc>("mask")); // as a constant V8 would make it anew at every use
  for (let item = begin; item < end; item++) {
    const block = item / d.rows;
    const n = item - block * d.rows;
    const m = block * perItem;
    let w0 = d.wPtr + <usize>(m >> 3) * panelBytes;
    let w1 = w0 + 32, w2 = w0 + 64, w3 = w0 + 96;
    if (!d.lanes) {
      // Panels beyond the last repeat it: computed, not stored.
      w1 = min(w0 + panelBytes, lastPanel);
      w2 = min(w1 + panelBytes, lastPanel);
      w3 = min(w2 + panelBytes, lastPanel);
    }
    let x = d.xPtr + <usize>n * xBytes;
    const xEnd = x + xBytes;
    const zero = splat(0);
    let acc00 = zero, acc01 = zero, acc10 = zero, acc11 = zero, acc20 = zero, acc21 = zero, acc30 = zero, acc31 = zero;
    do {
      const u = v128.load(x);
      const v = v128.load(x, 16);
      let w = v128.load(w0);
      acc00 = madd(v, second(w, mask), madd(u, first(w, mask), acc00));
      w = v128.load(w0, 16);
      acc01 = madd(v, second(w, mask), madd(u, first(w, mask), acc01));
      if (!w1) break; // none of these ever: see kernels/linear.ts
      w = v128.load(w1);
      acc10 = madd(v, second(w, mask), madd(u, first(w, mask), acc10));
      w = v128.load(w1, 16);
      acc11 = madd(v, second(w, mask), madd(u, first(w, mask), acc11));
      if (!w2) break;
      w = v128.load(w2);
      acc20 = madd(v, second(w, mask), madd(u, first(w, mask), acc20));
      w = v128.load(w2, 16);
      acc21 = madd(v, second(w, mask), madd(u, first(w, mask), acc21));
      if (!w3) break;
      w = v128.load(w3);
      acc30 = madd(v, second(w, mask), madd(u, first(w, mask), acc30));
      w = v128.load(w3, 16);
      acc31 = madd(v, second(w, mask), madd(u, first(w, mask), acc31));
      x += 32;
      w0 += step;
      w1 += step;
      w2 += step;
      w3 += step;
    } while (x < xEnd);
    const scale = v128.load32_splat(d.xScalesPtr + (<usize>n << 2));
    const count = min(d.filters - m, perItem);
    const bias = d.biasPtr + (<usize>m << 2);
    const y = d.yPtr + (<usize>(n * d.filters + m) << 2);
    if (d.lanes) {
      storePanel(y, bias, sums(acc00, acc01, acc10, acc11), sums(acc20, acc21, acc30, acc31), scale, count, low, high);
      continue;
    }
    storePanel(y, bias, acc00, acc01, scale, count, low, high);
    if (count > 8) storePanel(y + 32, bias + 32, acc10, acc11, scale, count - 8, low, high);
    if (count > 16) storePanel(y + 64, bias + 64, acc20, acc21, scale, count - 16, low, high);
    if (count > 24) storePanel(y + 96, bias + 96, acc30, acc31, scale, count - 24, low, high);
  }
}

function storePanel(y: usize, bias: usize, a: v128, b: v128, scale: v128, count: i32, low: v128, high: v128): void {
  storeLanes(y, minOf(maxOf(f32x4.add(f32x4.mul(a, scale), v128.load(bias)), low), high), count);
  if (count > 4) storeLanes(y + 16, minOf(maxOf(f32x4.add(f32x4.mul(b, scale), v128.load(bias, 16)), low), high), count - 4);
}

/** Panels for gemm_f32, all of a reduction block before the next block's. Work items: panels. */
export function widen_weights_f16(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<WidenDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.length > 0 && (d.block & 1) == 0 && d.panels > 0 && d.srcPtr != 0 && d.dstPtr != 0);
  const panelBytes = <usize>paddedTo(d.length, 0) << 4;
  const factor = splat(d.factor);
  const mask = v128.load32_splat(desc, offsetof<WidenDesc>("mask"));
  for (let panel = begin; panel < end; panel++) {
    let from = d.srcPtr + <usize>panel * panelBytes;
    let block = d.dstPtr;
    for (let left = d.length; left > 0; left -= d.block) {
      const count = min(left, d.block);
      let to = block + (<usize>(panel * count) << 5);
      const stop = to + (<usize>count << 5);
      do {
        const a = v128.load(from);
        const b = v128.load(from, 16);
        v128.store(to, f32x4.mul(first(a, mask), factor));
        v128.store(to, f32x4.mul(first(b, mask), factor), 16);
        if (to + 32 < stop) {
          v128.store(to, f32x4.mul(second(a, mask), factor), 32);
          v128.store(to, f32x4.mul(second(b, mask), factor), 48);
        }
        from += 32;
        to += 64;
      } while (to < stop);
      block += <usize>(d.panels * count) << 5;
    }
  }
}

/** The nearest halves, ties to even, of numbers below 2^16: one in the lower 16 bits of each lane. */
function halves(v: v128): v128 {
  const size = v128.and(v, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(size, 13), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(size, i32x4.splat(0xfff)), odd), 13);
  const normal = i32x4.sub(rounded, i32x4.splat(112 << 10));
  // Below 2^-14 steps are 2^-24.
  const small = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(size, splat(16777216))));
  const isSmall = i32x4.lt_s(size, i32x4.splat(0x38800000));
  return v128.or(v128.bitselect(small, normal, isSmall), v128.and(i32x4.shr_u(v, 16), i32x4.splat(0x8000)));
}

@inline function pair(a: v128, b: v128): v128 {
  return v128.or(halves(a), i32x4.shl(halves(b), 16));
}

/** Work items: panels. Filters behind the last are 0. */
export function pack_weights_f16(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PackHalfWeightsDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.length > 0 && d.filters > 0 && d.dstPtr != 0); // srcPtr of a piece may be any number
  const padded = paddedTo(d.length, d.lanes);
  const filterBytes = <usize>d.length << 2;
  for (let panel = begin; panel < end; panel++) {
    const to = d.dstPtr + (<usize>panel * <usize>padded << 4);
    const src = d.srcPtr + <usize>(panel << 3) * filterBytes;
    const filters = d.filters - (panel << 3);
    if (d.lanes) {
      for (let m = 0; m < 8; m++) packElements(to + (<usize>m << 4), src + <usize>m * filterBytes, m < filters ? d.length : 0, padded, d.scale);
    } else {
      packFilters(to, src, filters, d.length, padded, d.scale);
      packFilters(to + 16, src + (filterBytes << 2), filters - 4, d.length, padded, d.scale);
    }
  }
}

/** Lanes are elements of K, of one filter. */
function packElements(to: usize, src: usize, count: i32, padded: i32, scale: f32): void {
  const by = splat(scale);
  const zero = splat(0);
  for (let k = 0; k < padded; k += 8) {
    const a = k < count ? f32x4.mul(part(src, k, count), by) : zero;
    const b = k + 4 < count ? f32x4.mul(part(src, k + 4, count), by) : zero;
    v128.store(to + (<usize>k << 4), pair(a, b));
  }
}

/** Lanes are filters, four of them. */
function packFilters(to: usize, src: usize, filters: i32, length: i32, padded: i32, scale: f32): void {
  const by = splat(scale);
  const zero = splat(0);
  const filterBytes = <usize>length << 2;
  for (let k = 0; k < padded; k += 4) {
    const a = filters > 0 ? f32x4.mul(part(src, k, length), by) : zero;
    const b = filters > 1 ? f32x4.mul(part(src + filterBytes, k, length), by) : zero;
    const c = filters > 2 ? f32x4.mul(part(src + 2 * filterBytes, k, length), by) : zero;
    const e = filters > 3 ? f32x4.mul(part(src + 3 * filterBytes, k, length), by) : zero;
    const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), ce = i32x4.shuffle(c, e, 0, 4, 1, 5);
    v128.store(to, pair(i64x2.shuffle(ab, ce, 0, 2), i64x2.shuffle(ab, ce, 1, 3)));
    if (k + 2 < padded) {
      const abHigh = i32x4.shuffle(a, b, 2, 6, 3, 7), ceHigh = i32x4.shuffle(c, e, 2, 6, 3, 7);
      v128.store(to, pair(i64x2.shuffle(abHigh, ceHigh, 0, 2), i64x2.shuffle(abHigh, ceHigh, 1, 3)), 32);
    }
    to += 64;
  }
}
