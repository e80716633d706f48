// Elements at indices that a run computes, in two steps, between which JavaScript refuses indices that are none: nothing is read at a
// place that was not checked.
//
//   places[row] = sum over axes of (index < 0 ? index + size : index) * stride        index_places
//   y[outer, row, …] = x[outer * outerElements + places[row] + …]                     gather
//
// Along one axis that is Gather; of rows of indices, GatherND; with an index an element, GatherElements.
import { CHUNK } from "../abi/constants";
import { PickDesc, PlacesDesc } from "../abi/rare";
import { copyFloats } from "../lib/layout";

/** Writes down the first index from `row` on that is none. */
function tell<T>(d: PlacesDesc, wrong: usize, row: i32): void {
  for (let i = row * d.depth; ; i++) {
    const size = load<i32>(d.axesPtr + (<usize>(i % d.depth) << 3));
    const index = load<T>(d.indicesPtr + <usize>i * sizeof<T>());
    if (index >= -(<T>size) && index < <T>size) continue;
    store<f64>(wrong, <f64>index);
    store<f64>(wrong, <f64>size, 8);
    return;
  }
}

/** Indices of one axis without a branch; whether all are indices. */
@inline function placesOf<T, U>(d: PlacesDesc, axis: usize, first: i32, last: i32, from: i32, isMore: bool): bool {
  const size = load<i32>(axis), stride = load<i32>(axis, 4);
  const step = <usize>d.depth * sizeof<T>();
  let at = d.indicesPtr + <usize>first * step + <usize>from * sizeof<T>();
  let place = d.placesPtr + (<usize>first << 2);
  const end = d.placesPtr + (<usize>last << 2);
  let wrong: i32 = 0;
  for (; place < end; place += 4) {
    const index = load<T>(at);
    const wrapped = index + (<T>size & (index >> <T>(8 * sizeof<T>() - 1)));
    wrong |= i32(<U>wrapped >= <U>size);
    const own = <i32>wrapped * stride;
    store<i32>(place, isMore ? load<i32>(place) + own : own);
    at += step;
  }
  return wrong != 0;
}

@inline function chunk<T, U>(d: PlacesDesc, item: i32): void {
  const first = item * CHUNK;
  const last = min<i32>(first + CHUNK, d.count);
  const wrong = d.wrongPtr + (<usize>item << 4);
  let isWrong = placesOf<T, U>(d, d.axesPtr, first, last, 0, false);
  for (let axis = 1; axis < d.depth; axis++) {
    isWrong = placesOf<T, U>(d, d.axesPtr + (<usize>axis << 3), first, last, axis, true) || isWrong;
  }
  store<f64>(wrong, NaN);
  if (isWrong) tell<T>(d, wrong, first);
}

/** Work items: CHUNK rows of indices. */
export function index_places(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PlacesDesc>(desc);
  for (let item = begin; item < end; item++) {
    if (d.isWide) chunk<i64, u64>(d, item);
    else chunk<i32, u32>(d, item);
  }
}

/** A row at a time, or what is left of one. */
@inline function eachElement<T>(d: PickDesc, first: i32, last: i32): void {
  const rows = d.rows, inner = d.inner;
  let row = first % rows;
  let x = d.xPtr + <usize>(first / rows) * <usize>d.outerElements * sizeof<T>();
  let y = d.yPtr + <usize>first * sizeof<T>();
  while (first < last) {
    let place = d.placesPtr + (<usize>(d.isOwn ? first : row) << 2);
    const count = min<i32>(rows - row, last - first);
    const end = y + <usize>count * sizeof<T>();
    let lane = row % inner;
    if (inner == 1) {
      for (; y < end; y += sizeof<T>()) {
        store<T>(y, load<T>(x + <usize>load<i32>(place) * sizeof<T>()));
        place += 4;
      }
    } else {
      for (; y < end; y += sizeof<T>()) {
        store<T>(y, load<T>(x + <usize>(load<i32>(place) + lane) * sizeof<T>()));
        place += 4;
        lane = lane + 1 == inner ? 0 : lane + 1;
      }
    }
    first += count;
    row = 0;
    x += <usize>d.outerElements * sizeof<T>();
  }
}

/** Runs of bytes that are no whole floats. */
function copyBytes(y: usize, x: usize, bytes: usize): void {
  const end = y + bytes;
  for (; y < end; y++) store<u8>(y, load<u8>(x++));
}

/** Work items: runs, numbered outer * rows + row, or CHUNK elements. */
export function gather(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PickDesc>(desc);
  const size = d.elementBytes, bytes = <usize>d.runBytes;
  if (size == d.runBytes) {
    const last = min<i32>(end * CHUNK, d.count);
    if (size == 4) eachElement<u32>(d, begin * CHUNK, last);
    else if (size == 8) eachElement<u64>(d, begin * CHUNK, last);
    else if (size == 1) eachElement<u8>(d, begin * CHUNK, last);
    else eachElement<u16>(d, begin * CHUNK, last);
    return;
  }
  for (let item = begin; item < end; item++) {
    const outer = item / d.rows;
    const place = load<i32>(d.placesPtr + (<usize>(d.isOwn ? item : item - outer * d.rows) << 2));
    const x = d.xPtr + <usize>(outer * d.outerElements + place) * <usize>size;
    const y = d.yPtr + <usize>item * bytes;
    if (bytes & 3) copyBytes(y, x, bytes);
    else copyFloats(y, x, bytes);
  }
}
