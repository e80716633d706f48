// Channels of bytes in another order: y[p, c * groups + g] = x[p, g, c], what exporters write as a reshape, a transpose and a reshape.
//
// Two groups, which may be tensors of their own, are zipped 16 channels at a time (200,000 elements: 12.5 us); others byte by byte.
import { InterleaveBytesDesc } from "../abi/int8-bytes";

/** n >= 8 channels of a and of b in turn; the last vector of a pixel overlaps the one before. */
@inline function zip(y: usize, a: usize, b: usize, n: i32): void {
  const lanes = n < 16 ? 8 : 16;
  for (let at = 0; at < n; at += lanes) {
    const c = <usize>min(at, n - lanes);
    const u = v128.load(a + c), v = v128.load(b + c);
    v128.store(y + (c << 1), i8x16.shuffle(u, v, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    if (lanes == 16) v128.store(y + (c << 1), i8x16.shuffle(u, v, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
  }
}

/** Work items: rows of pixels. */
export function interleave_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<InterleaveBytesDesc>(desc);
  const G = d.groups, n = d.each;
  const yPixel = <usize>(G * n);
  for (let item = begin; item < end; item++) {
    const first = item * d.cols;
    const pixels = min(d.cols, d.count - first);
    let y = d.yPtr + <usize>first * yPixel;
    let a = d.xPtr + <usize>first * <usize>d.xPixelBytes;
    let b = d.groupPtr + <usize>first * <usize>d.groupPixelBytes;
    for (let p = 0; p < pixels; p++) {
      if (G == 2 && n > 7) zip(y, a, b, n);
      else {
        for (let g = 0; g < G; g++) {
          let from = G == 2 && g == 1 ? b : a + <usize>(g * d.groupBytes);
          let to = y + <usize>g;
          for (let c = n; c > 0; c--) {
            store<u8>(to, load<u8>(from++));
            to += <usize>G;
          }
        }
      }
      y += yPixel;
      a += <usize>d.xPixelBytes;
      b += <usize>d.groupPixelBytes;
    }
  }
}
