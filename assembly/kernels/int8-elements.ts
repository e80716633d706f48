// Bytes by element: sums and products of two operands, and changes of one on its way from rows to rows. What numbers end as: lib/int8-bytes.ts.
//
//   sum       y = clamp(round((a - zero a) * factor a + (b - zero b) * factor b + offset) + zero)
//   product   y = clamp(round((a - zero a) * (b - zero b) * factor + offset) + zero)
//   change    y = x, x + 128 modulo 256, table[x] or round(x * ratio + offset), saturated, of rows that may lie apart on either side
//
// every step in float32, as onnxruntime has it; the zeros are exact, before. All numbers are below 2^22. 8 elements at a time;
// 200,000 elements, us: sum 71, product, table 64, affine 37.
import { BinaryBytesDesc, ChangeCode, MapBytesDesc } from "../abi/int8-bytes";
import { bound, bytesOf, high, low, move, storeBytes, sumBytes } from "../lib/int8-bytes";

/** Work items: rows of y. */
export function binary_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<BinaryBytesDesc>(desc);
  for (let item = begin; item < end; item++) {
    const at = item * d.cols;
    const count = min(d.cols, d.count - at);
    const a = d.aPtr + <usize>(item / d.aPeriod * d.cols), b = d.bPtr + <usize>(item / d.bPeriod * d.cols);
    const y = d.yPtr + <usize>at;
    if (d.product) product(d, y, a, b, count);
    else sumBytes(d, y, a, b, count, d.endPtr);
    if (d.bounded) bound(y, count, d.endPtr);
  }
}

function product(d: BinaryBytesDesc, y: usize, a: usize, b: usize, count: i32): void {
  const aZero = i16x8.splat(<i16>d.aZero), bZero = i16x8.splat(<i16>d.bZero);
  const factor = f32x4.splat(d.aFactor), offset = f32x4.splat(d.offset);
  const ends = d.endPtr;
  for (; count > 0; count -= 8) {
    const u = i16x8.sub(v128.load8x8_u(a), aZero), v = i16x8.sub(v128.load8x8_u(b), bZero);
    const p0 = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extmul_low_i16x8_s(u, v)), factor), offset);
    const p1 = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extmul_high_i16x8_s(u, v)), factor), offset);
    storeBytes(y, bytesOf(p0, p1, ends), count);
    a += 8;
    b += 8;
    y += 8;
  }
}

/** Work items: rows. */
export function map_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<MapBytesDesc>(desc);
  for (let item = begin; item < end; item++) {
    const count = min(d.cols, d.count - item * d.cols);
    const x = d.xPtr + <usize>item * <usize>d.xRowBytes, y = d.yPtr + <usize>item * <usize>d.yRowBytes;
    if (d.change == ChangeCode.table) byTable(y, x, count, d.tablePtr);
    else if (d.change == ChangeCode.affine) affine(d, y, x, count);
    else move(y, x, count, d.change == ChangeCode.flip ? i8x16.splat(-128) : i8x16.splat(0));
  }
}

@inline function at(table: usize, bytes: u64, i: u64): u64 {
  return <u64>load<u8>(table + <usize>((bytes >> (i << 3)) & 255)) << (i << 3);
}

function byTable(y: usize, x: usize, count: i32, table: usize): void {
  for (; count > 7; count -= 8) {
    const v = load<u64>(x);
    store<u64>(
      y,
      at(table, v, 0) | at(table, v, 1) | at(table, v, 2) | at(table, v, 3) | at(table, v, 4) | at(table, v, 5) | at(table, v, 6) | at(table, v, 7),
    );
    x += 8;
    y += 8;
  }
  for (; count > 0; count--) store<u8>(y++, load<u8>(table + <usize>load<u8>(x++)));
}

function affine(d: MapBytesDesc, y: usize, x: usize, count: i32): void {
  const ratio = f32x4.splat(d.ratio), offset = f32x4.splat(d.offset);
  const ends = d.tablePtr;
  for (; count > 0; count -= 8) {
    const v = v128.load8x8_u(x);
    storeBytes(y, bytesOf(f32x4.add(f32x4.mul(low(v), ratio), offset), f32x4.add(f32x4.mul(high(v), ratio), offset), ends), count);
    x += 8;
    y += 8;
  }
}
