// Depthwise convolution, groups = C: lanes are channels, so a tap is one vector multiply-add and nothing is packed or copied.
//
//   y[n, p, q, m] = bias[m] + sum over r, s of x[n, pU - padTop + r*dilation, qU - padLeft + s*dilation, c] * w[r, s, m]
//   m = c * multiplier + k
//
// w (plan time) is [M / 4][R][S][4]: the taps of 4 channels lie together, so that a power of two of channels does not put
// them all into one set of the L1 cache.
//
// x is the channels-last tensor itself: rows and columns outside of it are left out. Three ways (gen/tiles.ts), where the
// middle tap of a window is inside and the multiplier is 1:
//   3x3, stride 1      runs of outputs, 9 weights in registers, a column loaded once: bound by multiply-adds
//   3 or 5 taps a row  tiles of 4 to 7 outputs, row by row, at stride 1 and 2: 7 accumulators + weights + input <= 13 registers;
//                      7 taps at stride 1 (15 registers)
//   else               4 outputs with looped taps, or one output with a clipped window
// At stride 1 and dilation D every Dth output is a convolution of dilation 1 over every Dth column, so the same kernels serve.
//
// A power of two of channels puts all pixels into few sets of L1. Where even a tile's lines do not fit (copiedRows > 0),
// 16 channels at a time of the rows in need are copied to scratch, 64 bytes a pixel. src/ops/conv/algorithms.ts decides.
//
// depthwiseRows is long, as its three ways share some twenty numbers of a row.
//
// With a multiplier > 1 the input vector of outputs m..m+3 is gathered from their channels. A last vector of fewer than 4
// channels is computed whole and stored in part.
import { CACHE_LINE, DEPTHWISE_SPARE_VECTORS } from "../abi/constants";
import { ConvDesc, DepthwiseDesc } from "../abi/conv";
import { depthwise3u1, depthwise3u2, depthwise5u1, depthwise5u2, depthwise7u1, depthwiseRun } from "../gen/tiles";
import { endRows } from "./activate";
import { madd, maxOf, minOf, splat, storeLanes } from "./simd";

/** The input vector of 4 outputs whose channels lie o0 to o3 bytes from x. */
@inline function gather(x: usize, o0: usize, o1: usize, o2: usize, o3: usize): v128 {
  const v = v128.load_lane<f32>(x + o1, v128.load32_splat(x + o0), 1);
  return v128.load_lane<f32>(x + o3, v128.load_lane<f32>(x + o2, v, 2), 3);
}

@inline function finish(d: DepthwiseDesc, y: usize, v: v128, lo: v128, hi: v128, count: i32, bias: usize): void {
  if (d.residualPtr) v = f32x4.add(v, v128.load(d.residualPtr + (y - d.yPtr)));
  storeLanes(y, minOf(maxOf(v, lo), hi), count);
  if (d.activation) endRows(y, 1, count < 4 ? count : 4, 0, changetype<usize>(d) + offsetof<ConvDesc>("lo"), bias);
}

/** First k >= 0 with start + k * step >= 0. */
@inline function firstInside(start: i32, step: i32): i32 {
  return start >= 0 ? 0 : (step - 1 - start) / step;
}

/** First k <= count with start + k * step >= size. */
@inline function endInside(start: i32, step: i32, size: i32, count: i32): i32 {
  if (start >= size) return 0;
  const end = (size - start + step - 1) / step;
  return end < count ? end : count;
}

/** Sums of 4 pixels x 4 outputs to `out`, any number of taps. */
@inline function anyTaps(
  unit: bool, x: usize, w: usize, rows: i32, taps: i32, stepR: usize, stepS: usize, stepQ: usize,
  o0: usize, o1: usize, o2: usize, o3: usize, bias: v128, out: usize,
): void {
  let acc0 = bias, acc1 = bias, acc2 = bias, acc3 = bias;
  if (unit) x += o0;
  do {
    let tap = x;
    let s = taps;
    do {
      const v = v128.load(w);
      acc0 = madd(unit ? v128.load(tap) : gather(tap, o0, o1, o2, o3), v, acc0);
      acc1 = madd(unit ? v128.load(tap + stepQ) : gather(tap + stepQ, o0, o1, o2, o3), v, acc1);
      acc2 = madd(unit ? v128.load(tap + 2 * stepQ) : gather(tap + 2 * stepQ, o0, o1, o2, o3), v, acc2);
      acc3 = madd(unit ? v128.load(tap + 3 * stepQ) : gather(tap + 3 * stepQ, o0, o1, o2, o3), v, acc3);
      tap += stepS;
      w += 16;
    } while (--s);
    x += stepR;
  } while (--rows);
  v128.store(out, acc0);
  v128.store(out, acc1, 16);
  v128.store(out, acc2, 32);
  v128.store(out, acc3, 48);
}

/** Sums of one pixel x 4 outputs over `taps` >= 0 taps a row; `skip` bytes of weights from row to row are left out. */
@inline function clippedTaps(
  unit: bool, x: usize, w: usize, rows: i32, taps: i32, stepR: usize, stepS: usize, skip: usize,
  o0: usize, o1: usize, o2: usize, o3: usize, acc: v128,
): v128 {
  if (unit) x += o0;
  for (let r = 0; r < rows; r++) {
    let tap = x;
    for (let s = 0; s < taps; s++) {
      acc = madd(unit ? v128.load(tap) : gather(tap, o0, o1, o2, o3), v128.load(w), acc);
      tap += stepS;
      w += 16;
    }
    x += stepR;
    w += skip;
  }
  return acc;
}

/**
 * Rows [pBegin, pEnd) of image n, `channels` outputs from m0 on. image: where their input channels start in pixel (0, 0).
 * scratch: DEPTHWISE_SPARE_VECTORS, and one an output of a tile.
 */
function depthwiseRows(
  d: DepthwiseDesc, n: i32, pBegin: i32, pEnd: i32, image: usize, xRow: usize, xPixel: usize, m0: i32, channels: i32, scratch: usize,
): void {
  const multiplier = d.filters;
  const lo = splat(d.lo), hi = splat(d.hi);
  const wRow = <usize>d.kernelW << 4;
  const wBlock = <usize>d.kernelH * wRow;
  const w0 = d.wPtr + <usize>(m0 >> 2) * wBlock;
  const bias = d.biasPtr + (<usize>m0 << 2);
  const lattices = d.strideW == 1 ? d.dilationW : 1; // output t of a lattice is q = lattice + t * lattices
  const step = d.strideW * lattices; // columns from one output to the next
  const middle = (d.kernelW >> 1) * d.dilationW, span = (d.kernelW - 1) * d.dilationW;
  const stepR = <usize>d.dilationH * xRow;
  const stepS = <usize>d.dilationW * xPixel;
  const stepQ = <usize>step * xPixel;
  const yStep = <usize>(lattices * d.yPixelBytes);
  const isUnrolled = multiplier == 1 && !d.residualPtr && (d.strideW == 1 || (d.strideW == 2 && d.dilationW == 1));
  const isRun = isUnrolled && d.kernelW == 3 && d.kernelH == 3 && d.tileOutputs > 7;
  const taps = d.kernelW;
  const isTile = isUnrolled && (taps == 3 || taps == 5 || (taps == 7 && d.strideW == 1));
  if (isRun) v128.store(scratch, splat(0));
  scratch += 16;

  for (let p = pBegin; p < pEnd; p++) {
    const h0 = p * d.strideH - d.padTop;
    const r0 = firstInside(h0, d.dilationH);
    const r1 = endInside(h0, d.dilationH, d.height, d.kernelH);
    const rows = r1 - r0;
    const top = image + <usize>(h0 + r0 * d.dilationH) * xRow;
    const w = w0 + <usize>r0 * wRow;
    for (let lattice = 0; lattice < lattices && lattice < d.outW; lattice++) {
      const count = (d.outW - lattice + lattices - 1) / lattices;
      const left0 = lattice - d.padLeft;
      const yPtr = d.yPtr + <usize>((n * d.outH + p) * d.outW + lattice) * <usize>d.yPixelBytes + (<usize>m0 << 2);
      // Outputs [inFirst, inEnd) have their whole window inside, [first, last) go by an unrolled kernel.
      const inFirst = firstInside(left0, step), inEnd = endInside(left0 + span, step, d.width, count);
      let first = firstInside(left0 + middle, step), last = endInside(left0 + middle, step, d.width, count);
      const isFit = isRun ? r0 <= 1 && r1 >= 2 && inEnd > first : isTile && rows > 0 && last - first >= 4;
      if (!isFit) last = first;
      let t = 0;
      while (t < count) {
        const left = left0 + t * step;
        const y = yPtr + <usize>t * yStep;
        const x = top + <usize>left * xPixel;
        if (t >= first && t < last) {
          // An even share of what is left. Of a run, the last output may end one column outside.
          const rest = (isRun ? inEnd : last) - t;
          let shares = (rest + d.tileOutputs - 1) / d.tileOutputs;
          if (!isRun && shares > rest >> 2) shares = rest >> 2;
          let some = (rest + shares - 1) / shares;
          if (isRun) {
            const atLeft = left < 0, atRight = some == rest && inEnd < last;
            if (atRight) some++;
            const x1 = image + <usize>(h0 + d.dilationH) * xRow + <usize>(atLeft ? left + d.dilationW : left) * xPixel;
            const zeros = scratch - 16;
            depthwiseRun(
              r0 ? zeros : x1 - stepR, r0 ? 0 : stepS, x1, stepS, r1 < 3 ? zeros : x1 + stepR, r1 < 3 ? 0 : stepS,
              w0, wBlock, bias, y, yStep, some, atLeft, atRight, channels, lo, hi, scratch,
            );
          } else {
            const skip = firstInside(left, d.dilationW);
            const stop = endInside(left, d.dilationW, d.width, (some - 1) * d.strideW + taps);
            if (taps == 3) {
              if (d.strideW == 1) depthwise3u1(x, stepR, stepS, rows, w, wBlock, bias, y, yStep, some, skip, stop, channels, lo, hi, scratch);
              else depthwise3u2(x, stepR, stepS, rows, w, wBlock, bias, y, yStep, some, skip, stop, channels, lo, hi, scratch);
            } else if (taps == 7) {
              depthwise7u1(x, stepR, stepS, rows, w, wBlock, bias, y, yStep, some, skip, stop, channels, lo, hi, scratch);
            } else {
              if (d.strideW == 1) depthwise5u1(x, stepR, stepS, rows, w, wBlock, bias, y, yStep, some, skip, stop, channels, lo, hi, scratch);
              else depthwise5u2(x, stepR, stepS, rows, w, wBlock, bias, y, yStep, some, skip, stop, channels, lo, hi, scratch);
            }
          }
          if (d.activation) endRows(y, some, channels, yStep, changetype<usize>(d) + offsetof<ConvDesc>("lo"), bias);
          t += some;
          continue;
        }
        // 4 outputs with nothing to clip, or one with a clipped window
        const isWhole = rows > 0 && t >= inFirst && t + 4 <= inEnd;
        const s0 = firstInside(left, d.dilationW);
        const s1 = endInside(left, d.dilationW, d.width, taps);
        const inside = s1 > s0 ? s1 - s0 : 0;
        const skip = <usize>(taps - inside) << 4;
        const x0 = x + <usize>s0 * stepS;
        for (let m = 0; m < channels; m += 4) {
          const wm = w + <usize>(m >> 2) * wBlock + (<usize>s0 << 4);
          const start = v128.load(bias + (<usize>m << 2));
          const to = y + (<usize>m << 2);
          let o0 = <usize>m << 2, o1: usize = 0, o2: usize = 0, o3: usize = 0; // of the 4 outputs' channels
          if (multiplier > 1) {
            o0 = <usize>(m / multiplier) << 2;
            o1 = <usize>((m + 1) / multiplier) << 2;
            o2 = <usize>((m + 2) / multiplier) << 2;
            o3 = <usize>((m + 3) / multiplier) << 2;
          }
          if (isWhole) {
            if (multiplier == 1) anyTaps(true, x0, wm, rows, taps, stepR, stepS, stepQ, o0, o1, o2, o3, start, scratch);
            else anyTaps(false, x0, wm, rows, taps, stepR, stepS, stepQ, o0, o1, o2, o3, start, scratch);
            for (let i: usize = 0; i < 4; i++) finish(d, to + i * yStep, v128.load(scratch + (i << 4)), lo, hi, channels - m, bias + (<usize>m << 2));
          } else {
            const sum = multiplier == 1
              ? clippedTaps(true, x0, wm, rows, inside, stepR, stepS, skip, o0, o1, o2, o3, start)
              : clippedTaps(false, x0, wm, rows, inside, stepR, stepS, skip, o0, o1, o2, o3, start);
            finish(d, to, sum, lo, hi, channels - m, bias + (<usize>m << 2));
          }
        }
        t += isWhole ? 4 : 1;
      }
    }
  }
}

/** Work items: output rows, numbered n * P + p. Scratch: DEPTHWISE_SPARE_VECTORS, one an output of a tile, then the rows that are copied. */
export function depthwise(d: DepthwiseDesc, begin: i32, end: i32, scratch: usize): void {
  const M = d.groups * d.filters;
  if (!ASC_NO_ASSERT) assert(d.channels == 1 && d.filters > 0 && begin >= 0 && end <= d.batch * d.outH && d.tileOutputs >= 4);
  const xRow = <usize>d.xRowBytes, xPixel = <usize>d.xPixelBytes;
  const copy = scratch + (<usize>(d.tileOutputs + DEPTHWISE_SPARE_VECTORS) << 4);
  const copyRow = <usize>d.width * CACHE_LINE;
  while (begin < end) {
    const n = begin / d.outH;
    const p = begin - n * d.outH;
    const image = d.xPtr + <usize>n * <usize>d.xImageBytes;
    let rows = d.outH - p < end - begin ? d.outH - p : end - begin;
    if (d.copiedRows) {
      if (rows > d.copiedRows) rows = d.copiedRows;
      const top = p * d.strideH - d.padTop;
      const first = top < 0 ? 0 : top;
      let bottom = top + (rows - 1) * d.strideH + (d.kernelH - 1) * d.dilationH + 1;
      if (bottom > d.height) bottom = d.height;
      for (let m = 0; m < M; m += 16) {
        let to = copy;
        for (let h = first; h < bottom; h++) {
          let from = image + <usize>h * xRow + (<usize>m << 2);
          const toEnd = to + copyRow;
          do {
            v128.store(to, v128.load(from));
            v128.store(to, v128.load(from, 16), 16);
            v128.store(to, v128.load(from, 32), 32);
            v128.store(to, v128.load(from, 48), 48);
            from += xPixel;
            to += CACHE_LINE;
          } while (to < toEnd);
        }
        depthwiseRows(d, n, p, p + rows, copy - <usize>first * copyRow, copyRow, CACHE_LINE, m, M - m < 16 ? M - m : 16, scratch);
      }
    } else {
      depthwiseRows(d, n, p, p + rows, image, xRow, xPixel, 0, M, scratch);
    }
    begin += rows;
  }
}
