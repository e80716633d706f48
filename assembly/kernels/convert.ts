// Elements of one type as another: numbers cut towards zero, as C does, wrapped as the width does, or whether they are not 0. NaN
// becomes 0, or true. Between 64 bits and float32 by way of float64, as JavaScript does.
import { CHUNK } from "../abi/constants";
import { ConvertDesc, ElementCode } from "../abi/rare";

@inline function converted<F, T>(value: F): T {
  if (isFloat<F>() && isInteger<T>()) return <T><i64>value; // saturating, where that is compiled so
  if (isInteger<F>() && isFloat<T>()) return <T><f64>value;
  return <T>value;
}

@inline function run<F, T>(y: usize, x: usize, count: i32): void {
  const end = y + <usize>count * sizeof<T>();
  for (; y < end; y += sizeof<T>()) {
    store<T>(y, converted<F, T>(load<F>(x)));
    x += sizeof<F>();
  }
}

@inline function truths<F>(y: usize, x: usize, count: i32): void {
  const end = y + <usize>count;
  for (; y < end; y++) {
    store<u8>(y, <u8>i32(load<F>(x) != 0));
    x += sizeof<F>();
  }
}

function from<F>(d: ConvertDesc, first: i32, count: i32): void {
  const x = d.xPtr + <usize>first * sizeof<F>();
  const at = <usize>first;
  if (d.isBool) truths<F>(d.yPtr + at, x, count);
  else if (d.to == ElementCode.float32) run<F, f32>(d.yPtr + (at << 2), x, count);
  else if (d.to == ElementCode.int32) run<F, i32>(d.yPtr + (at << 2), x, count);
  else if (d.to == ElementCode.int64) run<F, i64>(d.yPtr + (at << 3), x, count);
  else run<F, u8>(d.yPtr + at, x, count);
}

/** Work items: chunks of CHUNK elements. */
export function convert(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ConvertDesc>(desc);
  const first = begin * CHUNK;
  const count = (end * CHUNK < d.count ? end * CHUNK : d.count) - first;
  if (d.from == ElementCode.float32) from<f32>(d, first, count);
  else if (d.from == ElementCode.int32) from<i32>(d, first, count);
  else if (d.from == ElementCode.int64) from<i64>(d, first, count);
  else if (d.from == ElementCode.int8) from<i8>(d, first, count);
  else from<u8>(d, first, count);
}
