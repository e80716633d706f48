// Depthwise convolution, groups = C: lanes are channels, so a tap is one vector multiply-add and nothing is packed or copied.
//
//   y[n, p, q, m] = bias[m] + sum over r, s of x[n, pU - padTop + r*dilation, qU - padLeft + s*dilation, c] * w[r, s, m]
//   m = c * multiplier + k
//
// w (plan time) is [M / 4][R][S][4]: the taps of 4 channels lie together, so that a power of two of channels does not put
// them all into one set of the L1 cache.
//
// x is the channels-last tensor itself: rows outside of it are left out of the loop over r; pixels whose window sticks out
// at the left or right go one by one with a clipped range of s. The rest goes in tiles of 4 pixels (gen/tiles.ts), whose
// taps along s are unrolled for 3 and 5 taps at stride 1 and 2 (4 accumulators + S weights + 1 input <= 10 registers) and
// looped otherwise. A last vector of fewer than 4 channels is computed whole and stored in part.
//
// With a multiplier > 1 the input vector of outputs m..m+3 is gathered from their channels.
import { activateRows } from "./activation";
import { ConvDesc, DepthwiseWeightsDesc } from "./desc";
import { depthwise3u1, depthwise3u2, depthwise5u1, depthwise5u2 } from "./gen/tiles";
import { madd, maxOf, minOf, splat, storeLanes } from "./simd";

/** Plan time, from weights [M, 1, R, S]. Work items: blocks of 4 filters. */
export function depthwise_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<DepthwiseWeightsDesc>(desc);
  let dst = d.dstPtr + <usize>(begin * d.kernelH * d.kernelW) * 16;
  for (let block = begin; block < end; block++) {
    for (let r = 0; r < d.kernelH; r++) {
      for (let s = 0; s < d.kernelW; s++) {
        for (let m = block << 2; m < (block + 1) << 2; m++) {
          const src = d.srcPtr + <usize>m * <usize>d.filterBytes + <usize>(r * d.kernelHBytes + s * d.kernelWBytes);
          f32.store(dst, m < d.filters ? f32.load(src) : 0);
          dst += 4;
        }
      }
    }
  }
}

/** Input channels of outputs m..m+3, where each channel has `multiplier` outputs. */
@inline function gather(x: usize, m: i32, multiplier: i32): v128 {
  let v = v128.load32_splat(x + (<usize>(m / multiplier) << 2));
  v = f32x4.replace_lane(v, 1, f32.load(x + (<usize>((m + 1) / multiplier) << 2)));
  v = f32x4.replace_lane(v, 2, f32.load(x + (<usize>((m + 2) / multiplier) << 2)));
  return f32x4.replace_lane(v, 3, f32.load(x + (<usize>((m + 3) / multiplier) << 2)));
}

@inline function finish(d: ConvDesc, offset: usize, v: v128, lo: v128, hi: v128, count: i32): void {
  if (d.residualPtr) v = f32x4.add(v, v128.load(d.residualPtr + offset));
  storeLanes(d.yPtr + offset, minOf(maxOf(v, lo), hi), count);
  if (d.activation) activateRows(d.yPtr + offset, 1, count < 4 ? count : 4, 0, d.activation, d.alpha, d.beta);
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

/** Sums of 4 pixels x 4 outputs to `out`, any number of taps. unit: multiplier 1, known at compile time. */
@inline function anyTaps(
  unit: bool, x: usize, w: usize, rows: i32, taps: i32, stepR: usize, stepS: usize, stepQ: usize, m: i32, multiplier: i32,
  bias: v128, out: usize,
): void {
  let acc0 = bias, acc1 = bias, acc2 = bias, acc3 = bias;
  if (unit) x += <usize>m << 2;
  do {
    let tap = x;
    let s = taps;
    do {
      const v = v128.load(w);
      acc0 = madd(unit ? v128.load(tap) : gather(tap, m, multiplier), v, acc0);
      acc1 = madd(unit ? v128.load(tap + stepQ) : gather(tap + stepQ, m, multiplier), v, acc1);
      acc2 = madd(unit ? v128.load(tap + 2 * stepQ) : gather(tap + 2 * stepQ, m, multiplier), v, acc2);
      acc3 = madd(unit ? v128.load(tap + 3 * stepQ) : gather(tap + 3 * stepQ, m, multiplier), v, acc3);
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
  unit: bool, x: usize, w: usize, rows: i32, taps: i32, stepR: usize, stepS: usize, skip: usize, m: i32, multiplier: i32, acc: v128,
): v128 {
  if (unit) x += <usize>m << 2;
  for (let r = 0; r < rows; r++) {
    let tap = x;
    for (let s = 0; s < taps; s++) {
      acc = madd(unit ? v128.load(tap) : gather(tap, m, multiplier), v128.load(w), acc);
      tap += stepS;
      w += 16;
    }
    x += stepR;
    w += skip;
  }
  return acc;
}

/** Work items: output rows, numbered n * P + p. Scratch: 64 bytes. */
export function conv2d_depthwise_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvDesc>(desc);
  const M = d.groups * d.filters;
  const multiplier = d.filters;
  if (!ASC_NO_ASSERT) assert(d.channels == 1 && multiplier > 0 && begin >= 0 && end <= d.batch * d.outH);
  const lo = splat(d.lo), hi = splat(d.hi);
  const xRow = <usize>d.xRowBytes, xPixel = <usize>d.xPixelBytes;
  const yPixel = <usize>d.yPixelBytes;
  const wRow = <usize>d.kernelW << 4;
  const wBlock = <usize>d.kernelH * wRow;
  const stepR = <usize>d.dilationH * xRow;
  const stepS = <usize>d.dilationW * xPixel;
  const stepQ = <usize>d.strideW * xPixel;
  // Output columns [inFirst, inEnd) have their whole window inside the input.
  const inFirst = (d.padLeft + d.strideW - 1) / d.strideW;
  const span = (d.kernelW - 1) * d.dilationW;
  const room = d.width - 1 - span + d.padLeft;
  let inEnd = room < 0 ? 0 : room / d.strideW + 1;
  if (inEnd > d.outW) inEnd = d.outW;
  const unit = multiplier == 1 && d.dilationW == 1 && d.strideW <= 2 && !d.residualPtr;
  const fast = unit && d.kernelW == 3 ? d.strideW : unit && d.kernelW == 5 ? d.strideW + 2 : 0;

  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const p = item - n * d.outH;
    const h0 = p * d.strideH - d.padTop;
    const r0 = firstInside(h0, d.dilationH);
    const r1 = endInside(h0, d.dilationH, d.height, d.kernelH);
    const rows = r1 - r0;
    const image = d.xPtr + <usize>n * <usize>d.xImageBytes;
    const y = <usize>(item * d.outW) * yPixel;
    const top = image + <usize>(h0 + r0 * d.dilationH) * xRow;
    const wTop = d.wPtr + <usize>r0 * wRow;
    let q = 0;
    while (q < d.outW) {
      // A last tile of unrolled taps moves back over pixels already done: the same sums, stored again.
      if (fast && rows > 0 && q < inEnd && q + 4 > inEnd && inEnd - 4 >= inFirst) q = inEnd - 4;
      const left = q * d.strideW - d.padLeft;
      const x = top + <usize>left * xPixel;
      const out = y + <usize>q * yPixel;
      if (rows > 0 && q >= inFirst && q + 4 <= inEnd) {
        // 4 pixels with nothing to clip
        q += 4;
        if (fast) {
          const yPtr = d.yPtr + out;
          if (fast == 1) depthwise3u1(x, stepR, xPixel, wTop, wBlock, rows, d.biasPtr, yPtr, yPixel, M, lo, hi);
          else if (fast == 2) depthwise3u2(x, stepR, xPixel, wTop, wBlock, rows, d.biasPtr, yPtr, yPixel, M, lo, hi);
          else if (fast == 3) depthwise5u1(x, stepR, xPixel, wTop, wBlock, rows, d.biasPtr, yPtr, yPixel, M, lo, hi);
          else depthwise5u2(x, stepR, xPixel, wTop, wBlock, rows, d.biasPtr, yPtr, yPixel, M, lo, hi);
          if (d.activation) activateRows(yPtr, 4, M, yPixel, d.activation, d.alpha, d.beta);
          continue;
        }
        for (let m = 0; m < M; m += 4) {
          const count = M - m;
          const mBytes = <usize>m << 2;
          const bias = v128.load(d.biasPtr + mBytes);
          const w = wTop + <usize>(m >> 2) * wBlock;
          if (multiplier == 1) anyTaps(true, x, w, rows, d.kernelW, stepR, stepS, stepQ, m, 1, bias, scratch);
          else anyTaps(false, x, w, rows, d.kernelW, stepR, stepS, stepQ, m, multiplier, bias, scratch);
          finish(d, out + mBytes, v128.load(scratch), lo, hi, count);
          finish(d, out + mBytes + yPixel, v128.load(scratch, 16), lo, hi, count);
          finish(d, out + mBytes + 2 * yPixel, v128.load(scratch, 32), lo, hi, count);
          finish(d, out + mBytes + 3 * yPixel, v128.load(scratch, 48), lo, hi, count);
        }
        continue;
      }
      // one pixel, clipped
      const s0 = firstInside(left, d.dilationW);
      const s1 = endInside(left, d.dilationW, d.width, d.kernelW);
      const taps = s1 > s0 ? s1 - s0 : 0;
      const skip = <usize>(d.kernelW - taps) << 4;
      const first = x + <usize>s0 * stepS;
      for (let m = 0; m < M; m += 4) {
        const mBytes = <usize>m << 2;
        const w = wTop + <usize>(m >> 2) * wBlock + (<usize>s0 << 4);
        const bias = v128.load(d.biasPtr + mBytes);
        const acc = multiplier == 1
          ? clippedTaps(true, first, w, rows, taps, stepR, stepS, skip, m, 1, bias)
          : clippedTaps(false, first, w, rows, taps, stepR, stepS, skip, m, multiplier, bias);
        finish(d, out + mBytes, acc, lo, hi, M - m);
      }
      q++;
    }
  }
}
