// Where a network's bytes begin and end: y = clamp(round(x / scale) + zero), and (x - zero) * scale, 8 elements at a time.
//
// Floats lie as the bytes do, or are contiguous images whose bytes are channels-last: then 8 pixels of a channel at a time, byte by byte;
// of 3 channels 8 pixels of all three (3 x 224 x 224: 102 us byte by byte).
import { EdgeBytesDesc } from "../abi/int8-bytes";
import { boundedBytes, storeBytes } from "../lib/int8-bytes";
import { storeLanes } from "../lib/simd";

@inline function quantised(x: usize, scale: v128, end: usize): v128 {
  return boundedBytes(f32x4.div(v128.load(x), scale), f32x4.div(v128.load(x, 16), scale), end);
}

/** Work items: chunks of pixels, numbered n * chunks + chunk. */
export function from_float_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<EdgeBytesDesc>(desc);
  const C = d.channels;
  const scale = f32x4.splat(d.scale);
  for (let item = begin; item < end; item++) {
    const n = item / d.chunks;
    const first = (item - n * d.chunks) * d.chunkPixels;
    const pixels = min(d.pixels - first, d.chunkPixels);
    let whole = 0; // pixels that are done
    if (C == 3) {
      const plane = <usize>d.pixels << 2;
      let x = d.xPtr + (<usize>(n * 3 * d.pixels + first) << 2);
      let y = d.yPtr + <usize>((n * d.pixels + first) * 3);
      for (; whole + 8 <= pixels; whole += 8) {
        const r = quantised(x, scale, d.endPtr), g = quantised(x + plane, scale, d.endPtr), b = quantised(x + 2 * plane, scale, d.endPtr);
        // r and g of 8 pixels, then with b as they lie: 16 bytes and 8
        const rg = i8x16.shuffle(r, g, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        v128.store(y, i8x16.shuffle(rg, b, 0, 1, 16, 2, 3, 17, 4, 5, 18, 6, 7, 19, 8, 9, 20, 10));
        v128.store64_lane(y, i8x16.shuffle(rg, b, 11, 21, 12, 13, 22, 14, 15, 23, 0, 0, 0, 0, 0, 0, 0, 0), 0, 16);
        x += 32;
        y += 24;
      }
    }
    for (let c = 0; c < C; c++) {
      let x = d.xPtr + (<usize>((n * C + c) * d.pixels + first + whole) << 2);
      let y = d.yPtr + <usize>((n * d.pixels + first + whole) * C + c);
      for (let left = pixels - whole; left > 0; left -= 8) {
        const v = quantised(x, scale, d.endPtr);
        if (C == 1) {
          storeBytes(y, v, left);
          y += 8;
        } else {
          let bytes = i64x2.extract_lane(v, 0);
          for (let i = min(left, 8); i > 0; i--) {
            store<u8>(y, <u8>bytes);
            bytes >>= 8;
            y += <usize>C;
          }
        }
        x += 32;
      }
    }
  }
}

/** Work items: chunks of elements. */
export function to_float_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<EdgeBytesDesc>(desc);
  const zero = i16x8.splat(<i16>d.zero);
  const scale = f32x4.splat(d.scale);
  for (let item = begin; item < end; item++) {
    const first = item * d.chunkPixels;
    let x = d.xPtr + <usize>first;
    let y = d.yPtr + (<usize>first << 2);
    for (let left = min(d.pixels - first, d.chunkPixels); left > 0; left -= 8) {
      const v = i16x8.sub(v128.load8x8_u(x), zero);
      storeLanes(y, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)), scale), left);
      if (left > 4) storeLanes(y + 16, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v)), scale), left - 4);
      x += 8;
      y += 32;
    }
  }
}
