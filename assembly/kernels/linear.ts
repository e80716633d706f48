// Fully connected layer of few rows: y[n, m] = act(bias[m] + sum over k of x[n, k] * w[m, k]), w [M, K] as the user has it.
//
// Every weight is used once a row of x, so the speed is the memory's, and the layout decides it (w [4096, 4096] under V8,
// GB/s of this kernel beside a bare sum of the same bytes, 31 to 34): weights packed in panels [M/8][K][8], four panels at a
// time, so four sequential streams, 28 to 34; the rows of w as they lie, 8 at a time, 21 to 24, or one by one, 16 to 18.
// Panels are for plans; an eager call, which would pack for one use, reads w in place. More rows of x use the same weights
// again while they are in L2: memory is read once, not N times.
import { LINEAR_BLOCK, LINEAR_PANELS_BLOCK } from "../abi/constants";
import { LinearDesc } from "../abi/matrix";
import { endRows } from "../lib/activate";
import { madd, maxOf, minOf, splat, storeLanes, sums } from "../lib/simd";

/**
 * y from weights in panels: w is [M/8][K][8]. Work items: blocks of 4 panels (32 outputs), each for every row of x, numbered
 * block * N + n. 8 sums + 2 of x + 1 of w <= 16 registers.
 */
export function linear_panels_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<LinearDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows > 0 && d.length > 0 && d.filters > 0 && d.wPtr != 0 && d.biasPtr != 0);
  const kBytes = <usize>d.length << 2;
  const panelBytes = kBytes << 3;
  const panels = (d.filters + 7) >> 3;
  const lastPanel = d.wPtr + <usize>(panels - 1) * panelBytes;
  const low = splat(d.lo);
  const high = splat(d.hi);
  for (let item = begin; item < end; item++) {
    const block = item / d.rows;
    const n = item - block * d.rows;
    const m = block * LINEAR_PANELS_BLOCK;
    // Panels beyond the last repeat it: computed, not stored.
    let w0 = d.wPtr + <usize>(block << 2) * panelBytes;
    let w1 = min(w0 + panelBytes, lastPanel);
    let w2 = min(w1 + panelBytes, lastPanel);
    let w3 = min(w2 + panelBytes, lastPanel);
    let x = d.xPtr + <usize>n * kBytes;
    const xEnd = x + kBytes;
    const zero = splat(0);
    let acc00 = zero, acc01 = zero, acc10 = zero, acc11 = zero, acc20 = zero, acc21 = zero, acc30 = zero, acc31 = zero;
    while (x + 4 < xEnd) {
      const u = v128.load32_splat(x);
      const v = v128.load32_splat(x, 4);
      acc00 = madd(u, v128.load(w0), acc00);
      acc01 = madd(u, v128.load(w0, 16), acc01);
      acc10 = madd(u, v128.load(w1), acc10);
      acc11 = madd(u, v128.load(w1, 16), acc11);
      if (!w1) break; // none of these ever: without, Node 20's V8 loads everything first, and spills (see lib/gemm.ts)
      acc20 = madd(u, v128.load(w2), acc20);
      acc21 = madd(u, v128.load(w2, 16), acc21);
      acc30 = madd(u, v128.load(w3), acc30);
      acc31 = madd(u, v128.load(w3, 16), acc31);
      if (!x) break;
      acc00 = madd(v, v128.load(w0, 32), acc00);
      acc01 = madd(v, v128.load(w0, 48), acc01);
      acc10 = madd(v, v128.load(w1, 32), acc10);
      acc11 = madd(v, v128.load(w1, 48), acc11);
      if (!w2) break;
      acc20 = madd(v, v128.load(w2, 32), acc20);
      acc21 = madd(v, v128.load(w2, 48), acc21);
      acc30 = madd(v, v128.load(w3, 32), acc30);
      acc31 = madd(v, v128.load(w3, 48), acc31);
      x += 8;
      w0 += 64;
      w1 += 64;
      w2 += 64;
      w3 += 64;
    }
    if (x < xEnd) {
      const u = v128.load32_splat(x);
      acc00 = madd(u, v128.load(w0), acc00);
      acc01 = madd(u, v128.load(w0, 16), acc01);
      acc10 = madd(u, v128.load(w1), acc10);
      acc11 = madd(u, v128.load(w1, 16), acc11);
      acc20 = madd(u, v128.load(w2), acc20);
      acc21 = madd(u, v128.load(w2, 16), acc21);
      acc30 = madd(u, v128.load(w3), acc30);
      acc31 = madd(u, v128.load(w3, 16), acc31);
    }
    const count = min(d.filters - m, LINEAR_PANELS_BLOCK);
    const bias = d.biasPtr + (<usize>m << 2);
    const y = d.yPtr + (<usize>(n * d.filters + m) << 2);
    storePanel(y, bias, acc00, acc01, count, low, high);
    if (count > 8) storePanel(y + 32, bias + 32, acc10, acc11, count - 8, low, high);
    if (count > 16) storePanel(y + 64, bias + 64, acc20, acc21, count - 16, low, high);
    if (count > 24) storePanel(y + 96, bias + 96, acc30, acc31, count - 24, low, high);
    if (d.activation) endRows(y, 1, count, 0, desc + offsetof<LinearDesc>("lo"), bias);
  }
}

/** Inlined: a call would spill eight sums, 5 % of a layer of 120 x 84. */
@inline function storePanel(y: usize, bias: usize, a: v128, b: v128, count: i32, low: v128, high: v128): void {
  storeLanes(y, minOf(maxOf(f32x4.add(a, v128.load(bias)), low), high), count);
  if (count > 4) storeLanes(y + 16, minOf(maxOf(f32x4.add(b, v128.load(bias, 16)), low), high), count - 4);
}

/** y from weights as they lie. Work items: blocks of 8 outputs, each for every row of x, numbered block * N + n. */
export function linear_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<LinearDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows > 0 && d.length > 0 && d.filters > 0 && d.wPtr != 0 && d.biasPtr != 0);
  const kBytes = <usize>d.length << 2;
  const lowest = splat(d.lo);
  const highest = splat(d.hi);
  const lastRow = d.wPtr + <usize>(d.filters - 1) * kBytes;
  for (let item = begin; item < end; item++) {
    const block = item / d.rows;
    const n = item - block * d.rows;
    const m = block * LINEAR_BLOCK;
    const count = min(d.filters - m, LINEAR_BLOCK);
    let x = d.xPtr + <usize>n * kBytes;
    // Rows beyond M repeat the last one: computed, not stored.
    let w0 = d.wPtr + <usize>m * kBytes;
    let w1 = min(w0 + kBytes, lastRow);
    let w2 = min(w1 + kBytes, lastRow);
    let w3 = min(w2 + kBytes, lastRow);
    let w4 = min(w3 + kBytes, lastRow);
    let w5 = min(w4 + kBytes, lastRow);
    let w6 = min(w5 + kBytes, lastRow);
    let w7 = min(w6 + kBytes, lastRow);
    const zero = splat(0);
    let acc0 = zero, acc1 = zero, acc2 = zero, acc3 = zero, acc4 = zero, acc5 = zero, acc6 = zero, acc7 = zero;
    const xEnd = x + kBytes;
    const main = x + (kBytes & ~31);
    while (x < main) {
      const u = v128.load(x);
      const v = v128.load(x, 16);
      acc0 = madd(v, v128.load(w0, 16), madd(u, v128.load(w0), acc0));
      acc1 = madd(v, v128.load(w1, 16), madd(u, v128.load(w1), acc1));
      if (!w1) break; // none of these ever, as in panels
      acc2 = madd(v, v128.load(w2, 16), madd(u, v128.load(w2), acc2));
      acc3 = madd(v, v128.load(w3, 16), madd(u, v128.load(w3), acc3));
      if (!w2) break;
      acc4 = madd(v, v128.load(w4, 16), madd(u, v128.load(w4), acc4));
      acc5 = madd(v, v128.load(w5, 16), madd(u, v128.load(w5), acc5));
      if (!w3) break;
      acc6 = madd(v, v128.load(w6, 16), madd(u, v128.load(w6), acc6));
      acc7 = madd(v, v128.load(w7, 16), madd(u, v128.load(w7), acc7));
      x += 32;
      w0 += 32;
      w1 += 32;
      w2 += 32;
      w3 += 32;
      w4 += 32;
      w5 += 32;
      w6 += 32;
      w7 += 32;
    }
    // At most 7 elements are left. Both operands are masked: what lies behind a row may be NaN, and 0 * NaN is NaN.
    while (x < xEnd) {
      const mask = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>(xEnd - x) >> 2));
      const u = v128.and(v128.load(x), mask);
      acc0 = madd(u, v128.and(v128.load(w0), mask), acc0);
      acc1 = madd(u, v128.and(v128.load(w1), mask), acc1);
      acc2 = madd(u, v128.and(v128.load(w2), mask), acc2);
      acc3 = madd(u, v128.and(v128.load(w3), mask), acc3);
      acc4 = madd(u, v128.and(v128.load(w4), mask), acc4);
      acc5 = madd(u, v128.and(v128.load(w5), mask), acc5);
      acc6 = madd(u, v128.and(v128.load(w6), mask), acc6);
      acc7 = madd(u, v128.and(v128.load(w7), mask), acc7);
      x += 16;
      w0 += 16;
      w1 += 16;
      w2 += 16;
      w3 += 16;
      w4 += 16;
      w5 += 16;
      w6 += 16;
      w7 += 16;
    }
    const bias = d.biasPtr + (<usize>m << 2);
    const y = d.yPtr + (<usize>(n * d.filters + m) << 2);
    const low = f32x4.add(sums(acc0, acc1, acc2, acc3), v128.load(bias));
    storeLanes(y, minOf(maxOf(low, lowest), highest), count);
    if (count > 4) {
      const high = f32x4.add(sums(acc4, acc5, acc6, acc7), v128.load(bias, 16));
      storeLanes(y + 16, minOf(maxOf(high, lowest), highest), count - 4);
    }
    if (d.activation) endRows(y, 1, count, 0, desc + offsetof<LinearDesc>("lo"), bias);
  }
}
