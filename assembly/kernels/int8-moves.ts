// Channels of bytes in another order: y[p, c * groups + g] = x[p, g, c], what exporters write as a reshape, a transpose and a reshape.
// Two groups, which may be tensors of their own, are zipped 16 channels at a time (200,000 elements: 12.5 us); others byte by byte.
//
// Images of another size. Nearest: pixels are copied, and a row that is as the one before from that. Linear, to the bit of onnxruntime on
// real numbers, every step in float32, 8 channels at a time:
//
//   y = clamp(round((((u0 * v0) * x00 + (u1 * v0) * x01) + (u0 * v1) * x10) + (u1 * v1) * x11) / divisor) + zero point)
//
// of weights u of columns and v of rows, and reals x = (byte - zero) * scale.
import { InterleaveBytesDesc, ResizeBytesDesc } from "../abi/int8-bytes";
import { high, low, move, storeFloats } from "../lib/int8-bytes";

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

/** C channels of a pixel from 4: rows x0 and x1, bytes d further the second column; weights of x00, x01, x10 and x11. */
function mixed(d: ResizeBytesDesc, y: usize, x0: usize, x1: usize, second: usize, w00: f32, w01: f32, w10: f32, w11: f32): void {
  const zero = i16x8.splat(<i16>d.zero), scale = f32x4.splat(d.scale), divisor = f32x4.splat(d.divisor);
  const v00 = f32x4.splat(w00), v01 = f32x4.splat(w01), v10 = f32x4.splat(w10), v11 = f32x4.splat(w11);
  for (let left = d.channels; left > 0; left -= 8) {
    let x = i16x8.sub(v128.load8x8_u(x0), zero);
    let s0 = f32x4.mul(f32x4.mul(low(x), scale), v00), s1 = f32x4.mul(f32x4.mul(high(x), scale), v00);
    x = i16x8.sub(v128.load8x8_u(x0 + second), zero);
    s0 = f32x4.add(s0, f32x4.mul(f32x4.mul(low(x), scale), v01));
    s1 = f32x4.add(s1, f32x4.mul(f32x4.mul(high(x), scale), v01));
    x = i16x8.sub(v128.load8x8_u(x1), zero);
    s0 = f32x4.add(s0, f32x4.mul(f32x4.mul(low(x), scale), v10));
    s1 = f32x4.add(s1, f32x4.mul(f32x4.mul(high(x), scale), v10));
    x = i16x8.sub(v128.load8x8_u(x1 + second), zero);
    s0 = f32x4.add(s0, f32x4.mul(f32x4.mul(low(x), scale), v11));
    s1 = f32x4.add(s1, f32x4.mul(f32x4.mul(high(x), scale), v11));
    storeFloats(y, f32x4.div(s0, divisor), f32x4.div(s1, divisor), left, d.endPtr);
    x0 += 8;
    x1 += 8;
    y += 8;
  }
}

/** Work items: output rows, numbered n * P + p. */
export function resize_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ResizeBytesDesc>(desc);
  const pixel = <usize>d.channels;
  const yRow = <usize>d.outW * pixel;
  const nothing = i8x16.splat(0);
  let before: usize = 0; // the row that y was copied from last
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const image = d.xPtr + <usize>n * <usize>d.imageBytes;
    const row = d.rowsPtr + (<usize>(item - n * d.outH) << 4);
    const x0 = image + load<usize>(row), x1 = image + load<usize>(row, 4);
    let y = d.yPtr + <usize>item * yRow;
    let column = d.columnsPtr;
    if (!d.linear && x0 == before) {
      memory.copy(y, y - yRow, yRow);
      continue;
    }
    before = x0;
    for (let q = d.outW; q > 0; q--) {
      const at = load<usize>(column);
      if (d.linear) {
        const u0 = load<f32>(column, 8), u1 = load<f32>(column, 12), v0 = load<f32>(row, 8), v1 = load<f32>(row, 12);
        mixed(d, y, x0 + at, x1 + at, load<usize>(column, 4) - at, u0 * v0, u1 * v0, u0 * v1, u1 * v1);
      } else move(y, x0 + at, d.channels, nothing);
      column += 16;
      y += pixel;
    }
  }
}
