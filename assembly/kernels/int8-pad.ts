// An image of bytes with a border of zero points, as products of bytes read it:
//
//   | zero … | W * C bytes | zero … |     a row, as they are, or 128 lower (int8) for engines whose dot product is signed
//   | 0 …    | W * C i16   | 0 …    |     or less their zero point, for products of 16 bits
import { PadBytesDesc } from "../abi/int8";

/** `n` bytes at src less zero, as i16. Nothing is written behind them. */
@inline function widen(dst: usize, src: usize, n: i32, zero: i32): void {
  const z = i16x8.splat(<i16>zero);
  if (n < 8) {
    for (let i = 0; i < n; i++) store<i16>(dst + (<usize>i << 1), <i16>(<i32>load<u8>(src + i) - zero));
    return;
  }
  for (let i = 0; i < n; i += 8) {
    if (i > n - 8) i = n - 8; // the last vector once more with some before it
    v128.store(dst + (<usize>i << 1), i16x8.sub(v128.load8x8_u(src + i), z));
  }
}

/** `n` bytes at src 128 lower, as int8. */
@inline function lower(dst: usize, src: usize, n: i32): void {
  if (n < 16) {
    for (let i = 0; i < n; i++) store<u8>(dst + i, load<u8>(src + i) ^ 0x80);
    return;
  }
  const flip = i8x16.splat(<i8>0x80);
  for (let i = 0; i < n; i += 16) {
    if (i > n - 16) i = n - 16;
    v128.store(dst + i, v128.xor(v128.load(src + i), flip));
  }
}

/** Work items: rows of the padded images. No scratch. */
export function pad_image_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PadBytesDesc>(desc);
  const left = <usize>d.leftBytes, inner = d.rowBytes, right = <usize>d.rightBytes;
  const wide = <usize>d.wide;
  const bytes = (left + <usize>inner + right) << wide;
  const fill = wide ? <u8>0 : <u8>(d.zero ^ d.flip);
  for (let item = begin; item < end; item++) {
    const n = item / d.dstHeight;
    const h = item - n * d.dstHeight - d.padTop;
    let to = d.dstPtr + <usize>item * bytes;
    if (h < 0 || h >= d.height) {
      memory.fill(to, fill, bytes);
      continue;
    }
    const from = d.srcPtr + <usize>(n * d.height + h) * <usize>inner;
    memory.fill(to, fill, left << wide);
    to += left << wide;
    if (wide) widen(to, from, inner, d.zero);
    else if (d.flip) lower(to, from, inner);
    else memory.copy(to, from, inner);
    memory.fill(to + (<usize>inner << wide), fill, right << wide);
  }
}
