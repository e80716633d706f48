// Where a network's bytes begin and end: y = clamp(round(x / scale) + zero), and (x - zero) * scale, 8 elements at a time.
//
// Floats lie as the bytes do, or are contiguous images whose bytes are channels-last: then bytes of a chunk of each channel go to scratch,
// and from there in turn, 8 pixels at a time of 3 channels, else byte by byte.
import { EdgeBytesDesc } from "../abi/int8-bytes";
import { storeFloats } from "../lib/int8-bytes";
import { storeLanes } from "../lib/simd";

/** `pixels` pixels of 3 channels, which lie `plane` bytes apart. */
@inline function inThrees(y: usize, x: usize, plane: usize, pixels: i32): void {
  for (; pixels > 0; pixels -= 8) {
    const r = v128.load64_zero(x), g = v128.load64_zero(x + plane), b = v128.load64_zero(x + 2 * plane);
    // r and g of 8 pixels, then with b as they lie: 16 bytes and 8
    const rg = i8x16.shuffle(r, g, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v128.store(y, i8x16.shuffle(rg, b, 0, 1, 16, 2, 3, 17, 4, 5, 18, 6, 7, 19, 8, 9, 20, 10));
    v128.store64_lane(y, i8x16.shuffle(rg, b, 11, 21, 12, 13, 22, 14, 15, 23, 0, 0, 0, 0, 0, 0, 0, 0), 0, 16);
    x += 8;
    y += 24;
  }
}

/** Work items: chunks of pixels, numbered n * chunks + chunk. Scratch: a chunk of all channels, each in whole vectors. */
export function from_float_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<EdgeBytesDesc>(desc);
  const C = d.channels;
  const plane = <usize>(d.chunkPixels + 7 & ~7);
  const scale = f32x4.splat(d.scale);
  for (let item = begin; item < end; item++) {
    const n = item / d.chunks;
    const first = (item - n * d.chunks) * d.chunkPixels;
    const pixels = min(d.pixels - first, d.chunkPixels);
    const to = d.yPtr + <usize>((n * d.pixels + first) * C);
    for (let c = 0; c < C; c++) {
      let x = d.xPtr + (<usize>((n * C + c) * d.pixels + first) << 2);
      let y = C == 1 ? to : scratch + <usize>c * plane;
      for (let left = pixels; left > 0; left -= 8) {
        storeFloats(y, f32x4.div(v128.load(x), scale), f32x4.div(v128.load(x, 16), scale), left, d.endPtr);
        x += 32;
        y += 8;
      }
    }
    if (C == 1) continue;
    const whole = C == 3 ? pixels & ~7 : 0;
    if (whole) inThrees(to, scratch, plane, whole);
    for (let p = whole; p < pixels; p++) {
      let y = to + <usize>(p * C);
      let x = scratch + <usize>p;
      for (let c = C; c > 0; c--) {
        store<u8>(y++, load<u8>(x));
        x += plane;
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
