// Depthwise convolution of bytes, channels-last: lanes are filters, 8 at a time; filter m is of channel m / multiplier.
//
//   sum[p, q, m] = bias[m] + Σ (x[h, w, c] - zero) * (weight[m, r, s] - zero of m)
//
// in int32, then what lib/int8-bytes.ts makes of it. -zero * Σ weight is in the bias that is packed, and padding holds `zero`, so that no
// tap is different from others. A row of outputs reads R rows: rows without padding to their sides where they lie; else copied,
// each once a slice, to a ring of R rows whose sides are filled already. A multiplier is there in the copy: each byte is
// repeated, and the rest knows M channels.
//
// Weights, by block of 8 filters, of which the last may overlap the one before (its filters are from M - 8 on):
//
//   pairs   [R/2][S][8][2] int16, for i32x4.dot_i16x8_s: two rows of a column of 8 channels are one vector of 8 pairs, twice; in the
//           unrolled rows the last of an odd number is pairs of columns, (0, 1), (2, 3) … and nothing with the last: 5 dots for 3x3, not 6
//   quads   [R/4][S][8][4] int8, for the relaxed dot, in the binary that has it: 3x3 and 5x5, where all weights fit int8
//
// 3x3 and 5x5 in steps of 1 and 2 have unrolled rows (scripts/int8-depthwise.mjs), in which a column is loaded once. Others, and what has
// no quads in that binary, go 2 outputs at a time: sums to scratch, then on from there. An engine whose dot takes both operands as
// signed is given bytes less 128, in copied rows, and a bias that is as much greater.
import { DepthwiseBytesDesc, DepthwiseBytesWeightsDesc, EndingCode } from "../abi/int8-bytes";
import { bound, requantised, storeBytes } from "../lib/int8-bytes";
import { unrolledRow } from "../lib/int8-depthwise";
import { RELAXED, storeLanes } from "../lib/simd";

/** Whether the weights of all blocks fit int8. */
function allFit(fits: usize, blocks: i32): bool {
  const end = fits + (<usize>blocks << 2);
  let all = 1;
  for (; fits < end; fits += 4) all &= load<i32>(fits);
  return all != 0;
}

/** Work items: blocks of 8 filters. */
export function depthwise_fits_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<DepthwiseBytesWeightsDesc>(desc);
  for (let block = begin; block < end; block++) {
    const last = min((block << 3) + 8, d.filters);
    let fits = 1;
    for (let m = block << 3; m < last; m++) {
      for (let r = 0; r < d.kernelH; r++) {
        for (let s = 0; s < d.kernelW; s++) {
          const w = weightAt(d, m, r, s);
          if (w != <i32>(<i8>w)) fits = 0;
        }
      }
    }
    store<i32>(d.fitsPtr + (<usize>block << 2), fits);
  }
}

/** Work items: blocks of 8 filters. */
export function depthwise_weights_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<DepthwiseBytesWeightsDesc>(desc);
  const M = d.filters, R = d.kernelH, S = d.kernelW;
  const isQuads = RELAXED != 0 && d.run != 0 && allFit(d.fitsPtr, (M + 7) >> 3);
  const zero = isQuads ? d.dotZero : d.zero;
  const rows = isQuads ? 4 : 2;
  for (let block = begin; block < end; block++) {
    const own = block << 3;
    const last = min(own + 8, M);
    const base = max(min(own, M - 8), 0);
    const dst = d.dstPtr + <usize>block * <usize>d.blockBytes;
    for (let m = base; m < last; m++) {
      let sum = 0;
      for (let r = 0; r < R; r++) {
        const group = r / rows;
        const first = <usize>((m - base) * rows + r - group * rows);
        for (let s = 0; s < S; s++) {
          const w = weightAt(d, m, r, s);
          sum += w;
          let to = dst + (<usize>(group * S + s) << 5);
          let lane = first;
          if (!RELAXED && d.run && r == R - 1) {
            to = dst + (<usize>(group * S + (s >> 1)) << 5);
            lane += <usize>(s == S - 1 ? 1 : s & 1);
          }
          if (isQuads) store<i8>(to + lane, <i8>w);
          else store<i16>(to + (lane << 1), <i16>w);
        }
      }
      if (m < own) continue; // its bias is the block's before
      const bias = d.biasPtr ? load<i32>(d.biasPtr + (<usize>m << 2)) : 0;
      store<i32>(d.dstBiasPtr + (<usize>m << 2), bias - zero * sum);
    }
  }
}

/** A weight less its zero point. */
@inline function weightAt(d: DepthwiseBytesWeightsDesc, m: i32, r: i32, s: i32): i32 {
  const at = d.srcPtr + <usize>m * <usize>d.filterBytes + <usize>(r * d.kernelHBytes + s * d.kernelWBytes);
  return (d.signed ? <i32>load<i8>(at) : <i32>load<u8>(at)) - load<i32>(d.zerosPtr + (<usize>m << 2));
}

/** The pixels of a row, each byte `times` over, its bits turned where `flip` has some. */
function widen(to: usize, from: usize, bytes: usize, times: i32, flip: i32): void {
  const end = from + bytes;
  if (times == 1) {
    if (!flip) {
      memory.copy(to, from, bytes);
      return;
    }
    for (const mask = i8x16.splat(<i8>flip); from + 16 <= end; from += 16) {
      v128.store(to, v128.xor(v128.load(from), mask));
      to += 16;
    }
  }
  for (; from < end; from++) {
    const byte = <i32>load<u8>(from) ^ flip;
    for (let i = times; i > 0; i--) store<u8>(to++, <u8>byte);
  }
}

/**
 * Sums of 8 filters of 2 outputs to `out`; at: where the first window begins in each of the rows that `rows` has the addresses of; next: how
 * much further the second.
 */
@inline function sums(R: i32, S: i32, rows: usize, at: usize, next: usize, step: usize, w: usize, bias: usize, out: usize): void {
  let a0 = v128.load(bias), a1 = v128.load(bias, 16);
  let b0 = a0, b1 = a1;
  for (let r = 0; r < R; r += 2) {
    let x = load<usize>(rows) + at;
    // The last row of an odd number is paired with itself, and its weight there is 0.
    const down = r + 1 < R ? load<usize>(rows, 4) + at - x : 0;
    rows += 8;
    let s = S;
    do {
      const w0 = v128.load(w), w1 = v128.load(w, 16);
      let u = v128.load8x8_u(x), v = v128.load8x8_u(x + down);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(i16x8.shuffle(u, v, 0, 8, 1, 9, 2, 10, 3, 11), w0));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(i16x8.shuffle(u, v, 4, 12, 5, 13, 6, 14, 7, 15), w1));
      u = v128.load8x8_u(x + next);
      v = v128.load8x8_u(x + next + down);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(i16x8.shuffle(u, v, 0, 8, 1, 9, 2, 10, 3, 11), w0));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(i16x8.shuffle(u, v, 4, 12, 5, 13, 6, 14, 7, 15), w1));
      w += 32;
      x += step;
    } while (--s);
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
  v128.store(out, b0, 32);
  v128.store(out, b1, 48);
}

/** A row of outputs of 8 filters, or M < 8, any window. scratch: 64 bytes. */
function anyRow(
  d: DepthwiseBytesDesc, rows: usize, c: usize, M: i32, w: usize, y: usize, bias: usize, scales: usize, offsets: usize,
  scratch: usize,
): void {
  const step = <usize>(d.dilationW * M), stride = <usize>(d.strideW * M);
  const count = min(M, 8);
  for (let left = d.outW; left > 0; left -= 2) {
    sums(d.kernelH, d.kernelW, rows, c, left > 1 ? stride : 0, step, w, bias, scratch);
    c += stride << 1;
    const sumsEnd = scratch + (<usize>min(left, 2) << 5);
    for (let sum = scratch; sum < sumsEnd; sum += 32) {
      let v0 = v128.load(sum), v1 = v128.load(sum, 16);
      if (d.ending == EndingCode.uint8) {
        storeBytes(y, requantised(v0, v1, v128.load(scales), v128.load(scales, 16), d.endPtr), count);
        y += <usize>M;
        continue;
      }
      if (d.ending == EndingCode.float32) {
        const low = f32x4.splat(d.lo), high = f32x4.splat(d.hi);
        v0 = f32x4.mul(f32x4.convert_i32x4_s(v0), v128.load(scales));
        v1 = f32x4.mul(f32x4.convert_i32x4_s(v1), v128.load(scales, 16));
        if (offsets) {
          v0 = f32x4.add(v0, v128.load(offsets));
          v1 = f32x4.add(v1, v128.load(offsets, 16));
        }
        v0 = f32x4.pmin(f32x4.pmax(v0, low), high);
        v1 = f32x4.pmin(f32x4.pmax(v1, low), high);
      }
      storeLanes(y, v0, count);
      if (count > 4) storeLanes(y + 16, v1, count - 4);
      y += <usize>M << 2;
    }
  }
}

/**
 * Work items: output rows, numbered n * P + p. Scratch: 64 bytes of sums; R addresses of rows and R numbers of the rows that are in
 * the ring, in whole cache lines; an empty row; the ring.
 */
export function depthwise_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<DepthwiseBytesDesc>(desc);
  const M = d.channels * d.multiplier, R = d.kernelH;
  const rowBytes = <usize>(d.width * d.channels);
  const copyBytes = <usize>d.copyBytes;
  const rows = scratch + 64;
  const held = rows + (<usize>R << 2);
  const empty = rows + ((<usize>R << 3) + 63 & ~63);
  const ring = empty + <usize>d.emptyBytes;
  const yPixel = d.ending == EndingCode.uint8 ? <usize>M : <usize>M << 2;
  const isRun = d.run != 0 && (!RELAXED || allFit(d.fitsPtr, (M + 7) >> 3));
  const flip = RELAXED && isRun ? d.flip : 0;
  const zero = d.zeroPtr ? <i32>load<u8>(d.zeroPtr) : d.zero;
  memory.fill(empty, <u8>(zero ^ flip), <usize>d.emptyBytes + <usize>R * copyBytes);
  memory.fill(held, 0xff, <usize>R << 2);
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const top = (item - n * d.outH) * d.strideH - d.padTop;
    for (let r = 0; r < R; r++) {
      const h = top + r * d.dilationH;
      let row = empty;
      if (h >= 0 && h < d.height) {
        const at = n * d.height + h;
        row = d.xPtr + <usize>at * rowBytes;
        if (copyBytes) {
          const slot = <usize>(d.dilationH == 1 ? at % R : r);
          const x = row;
          row = ring + slot * copyBytes;
          if (load<i32>(held + (slot << 2)) != at) {
            widen(row + <usize>(d.padLeft * M), x, rowBytes, d.multiplier, flip);
            store<i32>(held + (slot << 2), at);
          }
        }
      }
      store<usize>(rows + (<usize>r << 2), row);
    }
    const y = d.yPtr + <usize>(item * d.outW) * yPixel;
    if (isRun) {
      unrolledRow(
        R, d.strideW, rows, M, d.wPtr, <usize>d.blockBytes, y, d.outW, d.biasPtr, d.scalesPtr, d.endPtr,
      );
    } else {
      let w = d.wPtr;
      for (let first = 0; first < M; first += 8) {
        const c = <usize>max(min(first, M - 8), 0);
        const to = y + (d.ending == EndingCode.uint8 ? c : c << 2);
        const offsets = d.offsetsPtr ? d.offsetsPtr + (c << 2) : 0;
        anyRow(d, rows, c, M, w, to, d.biasPtr + (c << 2), d.scalesPtr + (c << 2), offsets, scratch);
        w += <usize>d.blockBytes;
      }
    }
    if (d.bounded) bound(y, d.outW * M, d.endPtr);
  }
}
