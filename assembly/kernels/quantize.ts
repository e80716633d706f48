// Quantised numbers: y = saturate(round(x / scale) + zero) and back, x = (y - zero) * scale; halves are rounded to even. With
// `multiply` it is round(x * scale): both forms round, and where a quotient is next to a half that decides. `offset` is added in
// front of rounding, or behind the scale on the way back: the operators of onnxruntime's own domain have their zero points there.
//
//   uint8   as they are
//   int8    seen as uint8 with the sign bit flipped, zero points 128 higher: one code for both
//   int32   (`wide`) without zero points to speak of: sums of products
//
// Rows are an axis with a scale an element (channels-last, `period` 0), or what lies behind one element of it: then one scale
// a row, put into scratch four times over, is read again and again. NaN becomes the zero of int32, so 0 before saturation.
import { QuantizeDesc } from "../abi/elements";
import { splat, storeLanes } from "../lib/simd";

@inline function storeBytes(ptr: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store32_lane(ptr, v, 0);
  } else {
    store<u8>(ptr, i8x16.extract_lane_u(v, 0));
    if (count > 1) store<u8>(ptr, i8x16.extract_lane_u(v, 1), 1);
    if (count > 2) store<u8>(ptr, i8x16.extract_lane_u(v, 2), 2);
  }
}

/** count columns; scale and zero advance by `step` bytes a vector. */
function quantizeRun(
  y: usize, x: usize, count: i32, scale: usize, zero: usize, step: usize, flip: i32, wide: i32, multiply: i32, offset: f32,
): void {
  const mask = i32x4.splat(flip);
  const before = splat(offset);
  do {
    const real = v128.load(x);
    const ratio = multiply ? f32x4.mul(real, v128.load(scale)) : f32x4.div(real, v128.load(scale));
    const v = i32x4.trunc_sat_f32x4_s(f32x4.add(f32x4.nearest(f32x4.add(ratio, before)), v128.load(zero)));
    if (wide) {
      storeLanes(y, v, count);
      y += 16;
    } else {
      const half = i16x8.narrow_i32x4_s(v, v);
      storeBytes(y, v128.xor(i8x16.narrow_i16x8_u(half, half), mask), count);
      y += 4;
    }
    x += 16;
    scale += step;
    zero += step;
    count -= 4;
  } while (count > 0);
}

function dequantizeRun(
  y: usize, x: usize, count: i32, scale: usize, zero: usize, step: usize, flip: i32, wide: i32, offset: f32,
): void {
  const mask = i32x4.splat(flip);
  const behind = splat(offset);
  do {
    let v: v128;
    if (wide) {
      v = v128.load(x);
      x += 16;
    } else {
      v = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.xor(v128.load32_zero(x), mask)));
      x += 4;
    }
    v = f32x4.mul(f32x4.sub(f32x4.convert_i32x4_s(v), v128.load(zero)), v128.load(scale));
    storeLanes(y, f32x4.add(v, behind), count);
    y += 16;
    scale += step;
    zero += step;
    count -= 4;
  } while (count > 0);
}

@inline function chunks(desc: usize, begin: i32, end: i32, scratch: usize, isBack: bool): void {
  const d = changetype<QuantizeDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.cols > 0 && d.chunkCols > 0 && d.period >= 0);
  const narrow: usize = d.wide ? 2 : 0; // log2 of a quantised number's bytes
  for (let item = begin; item < end; item++) {
    const row = item / d.chunks;
    const first = (item - row * d.chunks) * d.chunkCols;
    const count = min(d.cols - first, d.chunkCols);
    const at = <usize>row * <usize>d.cols + <usize>first;
    let scale = d.scalesPtr + (<usize>first << 2);
    let zero = d.zerosPtr + (<usize>first << 2);
    if (d.period) {
      const entry = <usize>(row % d.period) << 2;
      v128.store(scratch, v128.load32_splat(d.scalesPtr + entry));
      v128.store(scratch, v128.load32_splat(d.zerosPtr + entry), 16);
      scale = scratch;
      zero = scratch + 16;
    }
    const step: usize = d.period ? 0 : 16;
    const whole = at << 2;
    const part = at << narrow;
    if (isBack) dequantizeRun(d.yPtr + whole, d.xPtr + part, count, scale, zero, step, d.flip, d.wide, d.offset);
    else quantizeRun(d.yPtr + part, d.xPtr + whole, count, scale, zero, step, d.flip, d.wide, d.multiply, d.offset);
  }
}

/** Work items: chunks of rows, numbered row * chunks + chunk. scratch: QUANTIZE_SCRATCH_BYTES. */
export function quantize_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  chunks(desc, begin, end, scratch, false);
}

/** Work items: chunks of rows, numbered row * chunks + chunk. scratch: QUANTIZE_SCRATCH_BYTES. */
export function dequantize_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  chunks(desc, begin, end, scratch, true);
}
