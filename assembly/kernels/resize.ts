// An image resampled along H and W: nearest, linear, cubic and whatever else is a weighted sum of rows, then of columns.
// Channels-last: lanes are channels.
//
//   y[n, p, q, c] = sum over s of v[q, s] * (sum over r of u[p, r] * x[n, h(p, r), w(q, s), c])
//
// Which rows and columns, and their weights, stand in tables made at plan time, two taps an entry of 16 bytes:
//
//   | byte offset of tap 0 | byte offset of tap 1 | weight of tap 0 | weight of tap 1 |
//
// The sum of rows goes to scratch (W * C floats), as every output column reads it again. A single tap is a copy: rows are then
// read in place, and pixels copied, so that nearest runs at the speed of memory.
import { ResizeDesc } from "../abi/image";
import { copyFloats } from "../lib/layout";
import { madd, storeLanes } from "../lib/simd";

/** dst = its value before, or 0, + w0 * x0 + w1 * x1 over `bytes`; two taps of one entry. */
@inline function mixPair(isFirst: bool, dst: usize, base: usize, entry: usize, bytes: usize): void {
  const x0 = base + <usize>load<u32>(entry), x1 = base + <usize>load<u32>(entry, 4);
  const w0 = v128.load32_splat(entry, 8), w1 = v128.load32_splat(entry, 12);
  const whole = bytes & ~15;
  let i: usize = 0;
  do {
    let v = isFirst ? f32x4.mul(w0, v128.load(x0 + i)) : madd(w0, v128.load(x0 + i), v128.load(dst + i));
    v = madd(w1, v128.load(x1 + i), v);
    if (i < whole) v128.store(dst + i, v);
    else storeLanes(dst + i, v, <i32>(bytes - i) >> 2);
    i += 16;
  } while (i < bytes);
}

/** dst = the weighted sum of an output position's taps. */
function mix(dst: usize, base: usize, entry: usize, pairs: i32, bytes: usize): void {
  mixPair(true, dst, base, entry, bytes);
  while (--pairs) mixPair(false, dst, base, entry += 16, bytes);
}

/** Work items: output rows, numbered n * P + p. scratch: a row of the input, where rows are not copied. */
export function resize_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ResizeDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.channels > 0 && d.width > 0 && d.rowPairs >= 0 && d.columnPairs >= 0);
  const pixel = <usize>d.channels << 2;
  const rowBytes = <usize>d.width * pixel;
  const rowEntry = <usize>max(d.rowPairs, 1) << 4;
  const columnEntry = <usize>max(d.columnPairs, 1) << 4;
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const image = d.xPtr + <usize>n * <usize>d.height * rowBytes;
    const entry = d.rowsPtr + <usize>(item - n * d.outH) * rowEntry;
    let row = scratch;
    if (d.rowPairs) mix(scratch, image, entry, d.rowPairs, rowBytes);
    else row = image + <usize>load<u32>(entry);
    let column = d.columnsPtr;
    let y = d.yPtr + <usize>item * <usize>d.outW * pixel;
    for (let q = d.outW; q > 0; q--) {
      if (d.columnPairs) mix(y, row, column, d.columnPairs, pixel);
      else copyFloats(y, row + <usize>load<u32>(column), pixel);
      column += columnEntry;
      y += pixel;
    }
  }
}
