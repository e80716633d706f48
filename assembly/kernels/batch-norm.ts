// Batch normalisation: y = act((x - center[c]) * scale[c] + shift[c]), with scale = gamma / sqrt(variance + epsilon)
// and shift = beta. x - center is taken as it stands in the definition: x * scale + (beta - center * scale) would save
// a subtraction, which is free beside the loads, and lose digits where the mean is large. Ioffe and Szegedy (2015).
//
// x is [outer, channels, inner] in memory; inner = 1 in channels-last, where lanes are channels; else lanes are
// neighbours of inner. Tails are computed whole and stored in part. The table has the padded channels' centers, then
// scales, then shifts:
//
//   tablePtr ─▶ | center 0 … C-1, padding to 4 | scale … | shift … |
import { STATISTICS_SCRATCH_BYTES } from "../abi/constants";
import { BatchNormDesc, BatchNormTableDesc, BatchStatisticsDesc } from "../abi/elements";
import { activateRows } from "../lib/activate";
import { madd, maxOf, minOf, splat, storeLanes, storePart } from "../lib/simd";

/** Work items: 4 channels of the table. */
export function batch_norm_table_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<BatchNormTableDesc>(desc);
  const third = <usize>d.tableBytes / 3;
  for (let item = begin; item < end; item++) {
    const at = <usize>item << 4;
    const deviation = f32x4.sqrt(f32x4.add(v128.load(d.variancePtr + at), splat(d.epsilon)));
    const gamma = d.gammaPtr ? v128.load(d.gammaPtr + at) : splat(1);
    const table = d.tablePtr + at;
    v128.store(table, v128.load(d.meanPtr + at));
    v128.store(table + third, f32x4.div(gamma, deviation));
    v128.store(table + 2 * third, d.betaPtr ? v128.load(d.betaPtr + at) : splat(0));
  }
}

/** Work items: rows in memory, of `inner` elements of a channel or of all channels of a pixel. y may be x. */
export function batch_norm_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<BatchNormDesc>(desc);
  const third = <usize>d.tableBytes / 3;
  const channelsLast = d.inner == 1;
  const cols = channelsLast ? d.channels : d.inner;
  const whole = <usize>(cols & ~3) << 2;
  const bytes = <usize>cols << 2;
  const lo = splat(d.lo);
  const hi = splat(d.hi);
  for (let item = begin; item < end; item++) {
    const x = d.xPtr + <usize>item * bytes;
    const y = d.yPtr + <usize>item * bytes;
    const table = channelsLast ? d.tablePtr : d.tablePtr + (<usize>(item % d.channels) << 2);
    let center = v128.load32_splat(table);
    let scale = v128.load32_splat(table + third);
    let shift = v128.load32_splat(table + 2 * third);
    let i: usize = 0;
    let v = center;
    do {
      if (channelsLast) {
        center = v128.load(table + i);
        scale = v128.load(table + third + i);
        shift = v128.load(table + 2 * third + i);
      }
      v = minOf(maxOf(madd(f32x4.sub(v128.load(x + i), center), scale, shift), lo), hi);
      if (i >= whole) break;
      v128.store(y + i, v);
      i += 16;
    } while (i < bytes);
    if (i < bytes) storePart(y + i, v, cols & 3); // a call inside of the loop would cost twice its time
    if (d.activation) activateRows(y, 1, cols, 0, d.activation, d.alpha, d.beta);
  }
}

@inline function lowHalf(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

@inline function highHalf(v: v128): v128 {
  return f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3));
}

/** Sum of x - mean, or of its square, over a contiguous run. */
@inline function sumRun(x: usize, count: i32, mean: f64, squared: bool): f64 {
  const means = f64x2.splat(mean);
  const whole = x + (<usize>(count & ~3) << 2);
  const end = x + (<usize>count << 2);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  while (x < whole) {
    const v = v128.load(x);
    const low = f64x2.sub(lowHalf(v), means);
    const high = f64x2.sub(highHalf(v), means);
    a = f64x2.add(a, squared ? f64x2.mul(low, low) : low);
    b = f64x2.add(b, squared ? f64x2.mul(high, high) : high);
    x += 16;
  }
  a = f64x2.add(a, b);
  let sum = f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
  while (x < end) {
    const v = <f64>load<f32>(x) - mean;
    sum += squared ? v * v : v;
    x += 4;
  }
  return sum;
}

/** Mean and variance of one channel with contiguous runs, into 8 bytes each. */
function channelStatistics(d: BatchStatisticsDesc, channel: i32, meanPtr: usize, variancePtr: usize): void {
  const runs = d.xPtr + (<usize>channel * <usize>d.inner << 2);
  const stride = <usize>d.channels * <usize>d.inner << 2;
  const n = <f64>d.outer * <f64>d.inner;
  let sum: f64 = 0;
  for (let o: usize = 0; o < <usize>d.outer; o++) sum += sumRun(runs + o * stride, d.inner, 0, false);
  const mean = sum / n;
  sum = 0;
  for (let o: usize = 0; o < <usize>d.outer; o++) sum += sumRun(runs + o * stride, d.inner, mean, true);
  store<f64>(meanPtr, mean);
  store<f64>(variancePtr, sum / n);
}

/** The same for 4 channels side by side. */
function laneStatistics(d: BatchStatisticsDesc, channel: i32, meanPtr: usize, variancePtr: usize): void {
  const first = d.xPtr + (<usize>channel << 2);
  const stride = <usize>d.channels << 2;
  const end = first + <usize>d.outer * stride;
  const n = f64x2.splat(<f64>d.outer);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let x = first; x < end; x += stride) {
    const v = v128.load(x);
    low = f64x2.add(low, lowHalf(v));
    high = f64x2.add(high, highHalf(v));
  }
  const meanLow = f64x2.div(low, n);
  const meanHigh = f64x2.div(high, n);
  low = f64x2.splat(0);
  high = f64x2.splat(0);
  for (let x = first; x < end; x += stride) {
    const v = v128.load(x);
    const a = f64x2.sub(lowHalf(v), meanLow);
    const b = f64x2.sub(highHalf(v), meanHigh);
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  v128.store(meanPtr, meanLow);
  v128.store(meanPtr, meanHigh, 16);
  v128.store(variancePtr, f64x2.div(low, n));
  v128.store(variancePtr, f64x2.div(high, n), 16);
}

/** Four doubles to floats. */
@inline function demote(ptr: usize): v128 {
  const low = f32x4.demote_f64x2_zero(v128.load(ptr));
  const high = f32x4.demote_f64x2_zero(v128.load(ptr, 16));
  return i32x4.shuffle(low, high, 0, 1, 4, 5);
}

/**
 * Mean and (biased) variance of every channel, and the running statistics after this batch, where the variance counts
 * with n / (n - 1). Two passes, summed in float64: exact to float32 for any mean.
 * Work items: 4 channels. Scratch: STATISTICS_SCRATCH_BYTES.
 */
export function batch_statistics_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<BatchStatisticsDesc>(desc);
  const variances = scratch + STATISTICS_SCRATCH_BYTES / 2;
  for (let item = begin; item < end; item++) {
    const first = item << 2;
    const count = d.channels - first < 4 ? d.channels - first : 4;
    if (d.inner == 1) laneStatistics(d, first, scratch, variances);
    else {
      for (let c = 0; c < count; c++) {
        channelStatistics(d, first + c, scratch + (<usize>c << 3), variances + (<usize>c << 3));
      }
    }
    const mean = demote(scratch);
    const variance = demote(variances);
    const at = <usize>first << 2;
    const oldMean = d.oldMeanPtr ? v128.load(d.oldMeanPtr + at) : splat(0);
    const oldVariance = d.oldVariancePtr ? v128.load(d.oldVariancePtr + at) : splat(1);
    storeLanes(d.meanPtr + at, mean, count);
    storeLanes(d.variancePtr + at, variance, count);
    const keep = splat(d.keep);
    storeLanes(d.newMeanPtr + at, madd(oldMean, keep, f32x4.mul(mean, splat(d.momentum))), count);
    storeLanes(d.newVariancePtr + at, madd(oldVariance, keep, f32x4.mul(variance, splat(d.momentumUnbiased))), count);
  }
}
