// An image of bytes with a border of zero points, as products of bytes read it:
//
//   | zero … | W * C bytes | zero … |     a row, as they are, or 128 lower (int8) for engines whose dot product is signed
//   | 0 …    | W * C i16   | 0 …    |     or less their zero point, for products of 16 bits
import { PadBytesDesc } from "../abi/int8";
import { widen } from "../lib/int8-bytes";

/** `count` bytes at src 128 lower, as int8. Nothing is written behind them. */
function lower(dst: usize, src: usize, count: i32): void {
  if (count < 16) {
    for (let i = 0; i < count; i++) store<u8>(dst + i, load<u8>(src + i) ^ 0x80);
    return;
  }
  const flip = i8x16.splat(<i8>0x80);
  for (let i = 0; i < count; i += 16) {
    if (i > count - 16) i = count - 16;
    v128.store(dst + i, v128.xor(v128.load(src + i), flip));
  }
}

/** Work items: rows of the padded images. No scratch. */
export function pad_image_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PadBytesDesc>(desc);
  const left = <usize>d.leftBytes, inner = d.rowBytes, right = <usize>d.rightBytes;
  const shift: usize = d.wide ? 1 : 0;
  const bytes = (left + <usize>inner + right) << shift;
  const zero = d.zeroPtr ? <i32>load<u8>(d.zeroPtr) : d.zero;
  const fill = d.wide ? <u8>0 : <u8>(zero ^ d.flip);
  for (let item = begin; item < end; item++) {
    const n = item / d.dstHeight;
    const h = item - n * d.dstHeight - d.padTop;
    let to = d.dstPtr + <usize>item * bytes;
    if (h < 0 || h >= d.height) {
      memory.fill(to, fill, bytes);
      continue;
    }
    const from = d.srcPtr + <usize>(n * d.height + h) * <usize>inner;
    memory.fill(to, fill, left << shift);
    to += left << shift;
    if (d.wide) widen(to, from, inner, zero);
    else if (d.flip) lower(to, from, inner);
    else memory.copy(to, from, inner);
    memory.fill(to + (<usize>inner << shift), fill, right << shift);
  }
}
