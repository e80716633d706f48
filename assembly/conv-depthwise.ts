// Depthwise convolution, groups = C: lanes are channels, so a tap is one vector multiply-add and nothing is packed or copied.
//
//   y[n, p, q, m] = bias[m] + sum over r, s of x[n, pU - padTop + r*dilation, qU - padLeft + s*dilation, c] * w[r, s, m]
//   m = c * multiplier + k;   w (plan time) is [R][S][M rounded up to 4]
//
// x is the channels-last tensor itself: rows outside of it are left out of the loop over r; pixels whose window sticks out
// at the left or right go one by one with a clipped range of s. The rest goes in tiles of 4 pixels (gen/tiles.ts), whose
// taps along s are unrolled for 3 and 5 taps at stride 1 and 2 (4 accumulators + S weights + 1 input <= 10 registers) and
// looped otherwise. A last vector of fewer than 4 channels is computed whole and stored in part.
//
// With a multiplier > 1 the input vector of outputs m..m+3 is gathered from their channels.
import { activate } from "./activation";
import { ConvDesc, DepthwiseWeightsDesc } from "./desc";
import { depthwise3u1, depthwise3u2, depthwise5u1, depthwise5u2 } from "./gen/tiles";
import { madd, maxOf, minOf, splat, storeLanes } from "./simd";

/** Plan time: w[r][s][m] from weights [M, 1, R, S]. Work items: taps r * S + s. */
export function depthwise_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<DepthwiseWeightsDesc>(desc);
  const rowBytes = <usize>((d.filters + 3) & ~3) << 2;
  for (let tap = begin; tap < end; tap++) {
    const r = tap / d.kernelW;
    const s = tap - r * d.kernelW;
    let src = d.srcPtr + <usize>(r * d.kernelHBytes + s * d.kernelWBytes);
    const dst = d.dstPtr + <usize>tap * rowBytes;
    for (let m = 0; m < d.filters; m++) {
      f32.store(dst + (<usize>m << 2), f32.load(src));
      src += <usize>d.filterBytes;
    }
  }
}

/** Input channels of outputs m..m+3, where each channel has `multiplier` outputs. */
@inline function gather(x: usize, m: i32, multiplier: i32): v128 {
  if (multiplier == 1) return v128.load(x + (<usize>m << 2));
  let v = v128.load32_splat(x + (<usize>(m / multiplier) << 2));
  v = f32x4.replace_lane(v, 1, f32.load(x + (<usize>((m + 1) / multiplier) << 2)));
  v = f32x4.replace_lane(v, 2, f32.load(x + (<usize>((m + 2) / multiplier) << 2)));
  return f32x4.replace_lane(v, 3, f32.load(x + (<usize>((m + 3) / multiplier) << 2)));
}

@inline function finish(d: ConvDesc, offset: usize, v: v128, lo: v128, hi: v128, count: i32): void {
  if (d.residualPtr) v = f32x4.add(v, v128.load(d.residualPtr + offset));
  v = minOf(maxOf(v, lo), hi);
  if (d.activation) v = activate(d.activation, v, d.alpha, d.beta);
  storeLanes(d.yPtr + offset, v, count);
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

/** Work items: output rows, numbered n * P + p. */
export function conv2d_depthwise_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvDesc>(desc);
  const M = d.groups * d.filters;
  const multiplier = d.filters;
  const lo = splat(d.lo), hi = splat(d.hi);
  const xRow = <usize>d.xRowBytes, xPixel = <usize>d.xPixelBytes;
  const yPixel = <usize>d.yPixelBytes;
  const wTap = <usize>((M + 3) & ~3) << 2;
  const wRow = <usize>d.kernelW * wTap;
  const stepR = <usize>d.dilationH * xRow;
  const stepS = <usize>d.dilationW * xPixel;
  const stepQ = <usize>d.strideW * xPixel;
  // Output columns [inFirst, inEnd) have their whole window inside the input.
  const inFirst = (d.padLeft + d.strideW - 1) / d.strideW;
  const span = (d.kernelW - 1) * d.dilationW;
  const room = d.width - 1 - span + d.padLeft;
  let inEnd = room < 0 ? 0 : room / d.strideW + 1;
  if (inEnd > d.outW) inEnd = d.outW;
  const unit = multiplier == 1 && d.dilationW == 1 && d.strideW <= 2;
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
      const left = q * d.strideW - d.padLeft;
      const x = top + <usize>left * xPixel;
      const out = y + <usize>q * yPixel;
      if (rows > 0 && q >= inFirst && q + 4 <= inEnd) {
        // 4 pixels with nothing to clip
        for (let m = 0; m < M; m += 4) {
          const count = M - m;
          const mBytes = <usize>m << 2;
          const bias = v128.load(d.biasPtr + mBytes);
          const w = wTop + mBytes;
          let acc0 = bias, acc1 = bias, acc2 = bias, acc3 = bias;
          if (fast) {
            // The tile leaves its sums in scratch; finishing them here keeps it free of options.
            if (fast == 1) depthwise3u1(x + mBytes, stepR, xPixel, w, wRow, wTap, rows, bias, scratch);
            else if (fast == 2) depthwise3u2(x + mBytes, stepR, xPixel, w, wRow, wTap, rows, bias, scratch);
            else if (fast == 3) depthwise5u1(x + mBytes, stepR, xPixel, w, wRow, wTap, rows, bias, scratch);
            else depthwise5u2(x + mBytes, stepR, xPixel, w, wRow, wTap, rows, bias, scratch);
            acc0 = v128.load(scratch);
            acc1 = v128.load(scratch, 16);
            acc2 = v128.load(scratch, 32);
            acc3 = v128.load(scratch, 48);
          } else {
            for (let r = 0; r < rows; r++) {
              let tap = x + <usize>r * stepR;
              let weight = w + <usize>r * wRow;
              for (let s = 0; s < d.kernelW; s++) {
                const v = v128.load(weight);
                acc0 = madd(gather(tap, m, multiplier), v, acc0);
                acc1 = madd(gather(tap + stepQ, m, multiplier), v, acc1);
                acc2 = madd(gather(tap + 2 * stepQ, m, multiplier), v, acc2);
                acc3 = madd(gather(tap + 3 * stepQ, m, multiplier), v, acc3);
                tap += stepS;
                weight += wTap;
              }
            }
          }
          finish(d, out + mBytes, acc0, lo, hi, count);
          finish(d, out + mBytes + yPixel, acc1, lo, hi, count);
          finish(d, out + mBytes + 2 * yPixel, acc2, lo, hi, count);
          finish(d, out + mBytes + 3 * yPixel, acc3, lo, hi, count);
        }
        q += 4;
        continue;
      }
      // one pixel, clipped
      const s0 = firstInside(left, d.dilationW);
      const s1 = endInside(left, d.dilationW, d.width, d.kernelW);
      for (let m = 0; m < M; m += 4) {
        const mBytes = <usize>m << 2;
        let acc = v128.load(d.biasPtr + mBytes);
        for (let r = 0; r < rows; r++) {
          const row = x + <usize>r * stepR;
          const weights = wTop + mBytes + <usize>r * wRow;
          for (let s = s0; s < s1; s++) {
            acc = madd(gather(row + <usize>s * stepS, m, multiplier), v128.load(weights + <usize>s * wTap), acc);
          }
        }
        finish(d, out + mBytes, acc, lo, hi, M - m);
      }
      q++;
    }
  }
}
