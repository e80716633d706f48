// Bytes whose scale and zero point a run computes, by the range of the floats and 0, as DynamicQuantizeLinear has them:
//
//   scale = (max - min) / 255     1 where that is 0
//   zero  = round(clamp(-min / scale, 0, 255)), halves to even
//   y     = clamp(round(x / scale) + zero, 0, 255)
//
// in float32, as onnxruntime computes them. Chunks have ranges of their own, of which each slice makes the scale and the zero point; products
// with such bytes are those of raw bytes, with biases that have the zero point: Σ (x - zero) w = Σ x w - zero Σ w.
import { FactorsDesc, QuantizeBytesDesc, RangeDesc } from "../abi/int8-dynamic";
import { storeFloats } from "../lib/int8-bytes";

const MAGIC: f32 = 12582912; // 1.5 * 2^23
const MAGIC_BITS: i32 = 0x4b400000;
/** Beyond every byte, and near enough to be rounded. */
const FAR: f32 = 65536;

/** Work items: chunks of elements. NaN counts for nothing. */
export function range_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<RangeDesc>(desc);
  for (let item = begin; item < end; item++) {
    const first = item * d.cols;
    let x = d.xPtr + (<usize>first << 2);
    let left = min(d.count - first, d.cols);
    let low = f32x4.splat(0), high = f32x4.splat(0);
    for (; left > 3; left -= 4) {
      const v = v128.load(x);
      low = f32x4.pmin(low, v);
      high = f32x4.pmax(high, v);
      x += 16;
    }
    for (; left > 0; left--) {
      const v = v128.load32_splat(x);
      low = f32x4.pmin(low, v);
      high = f32x4.pmax(high, v);
      x += 4;
    }
    const y = d.yPtr + (<usize>item << 3);
    store<f32>(y, -greatest(f32x4.neg(low)));
    store<f32>(y, greatest(high), 4);
  }
}

/** Of four numbers. */
@inline function greatest(v: v128): f32 {
  v = f32x4.pmax(v, i32x4.shuffle(v, v, 2, 3, 2, 3));
  return max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1));
}

/** Work items: chunks of elements; the first one's has the scale and the zero point stored. Scratch: 96 bytes, what numbers end as. */
export function quantize_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<QuantizeBytesDesc>(desc);
  let low: f32 = 0, high: f32 = 0;
  for (let at = d.rangesPtr, last = at + (<usize>d.chunks << 3); at < last; at += 8) {
    low = min(low, load<f32>(at));
    high = max(high, load<f32>(at, 4));
  }
  let scale = (high - low) / 255;
  if (scale == 0) scale = 1;
  // NaN, of a range that is none, is 0.
  const zero = i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(f32x4.splat(nearest(min(max(-low / scale, 0), 255)))), 0);
  if (begin == 0) {
    store<f32>(d.scalePtr, scale);
    store<u8>(d.zeroPtr, <u8>zero);
  }
  // What numbers end as, but its bounds at 32 and 48, which storeFloats does not read: abi/int8-bytes.ts.
  v128.store(scratch, f32x4.splat(MAGIC));
  v128.store(scratch, i32x4.splat(MAGIC_BITS - zero), 16);
  v128.store(scratch, f32x4.splat(-FAR), 64);
  v128.store(scratch, f32x4.splat(FAR), 80);
  const quantum = f32x4.splat(scale);
  for (let item = begin; item < end; item++) {
    const first = item * d.cols;
    let x = d.xPtr + (<usize>first << 2);
    let y = d.yPtr + <usize>first;
    for (let left = min(d.count - first, d.cols); left > 0; left -= 8) {
      storeFloats(y, f32x4.div(v128.load(x), quantum), f32x4.div(v128.load(x, 16), quantum), left, scratch);
      x += 32;
      y += 8;
    }
  }
}

/** Work items: panels of 8 filters. */
export function factors_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<FactorsDesc>(desc);
  const zero = i32x4.splat(d.zero - <i32>load<u8>(d.zeroPtr));
  for (let at = <usize>begin << 5, last = <usize>end << 5; at < last; at += 16) {
    v128.store(d.biasPtr + at, i32x4.mul(v128.load(d.sumsPtr + at), zero));
    if (d.scalePtr)
      v128.store(d.factorsPtr + at, f32x4.mul(v128.load(d.weightScalesPtr + at), v128.load32_splat(d.scalePtr)));
  }
}
