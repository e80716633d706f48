// Along the middle axis of [outer, size, inner]: products, running sums, and the place of the largest or smallest element.
//
//   product    y[o, i] = x[o, 0, i] * x[o, 1, i] * …
//   sums       y[o, k, i] = x[o, 0, i] + … + x[o, k, i], in float64
//   argument   y[o, i] = the first k where x[o, k, i] is the largest; NaN is never larger, and what comes after a first one isn't
//
// Lanes are neighbours: of the axis where inner is 1, of columns else. Sums of a row wait for each other.
import { AlongCode, AlongDesc } from "../abi/rare";
import { splat, storeLanes } from "../lib/simd";

/** Columns of a work item. */
const COLUMNS: i32 = 4;

function productOfRow(y: usize, x: usize, size: i32): void {
  let a = splat(1), b = splat(1);
  for (; size >= 8; size -= 8) {
    a = f32x4.mul(a, v128.load(x));
    b = f32x4.mul(b, v128.load(x, 16));
    x += 32;
  }
  a = f32x4.mul(a, b);
  a = f32x4.mul(a, i32x4.shuffle(a, a, 2, 3, 0, 1));
  let product = f32x4.extract_lane(a, 0) * f32x4.extract_lane(a, 1);
  for (; size > 0; size--) {
    product *= load<f32>(x);
    x += 4;
  }
  store<f32>(y, product);
}

function productOfColumns(y: usize, x: usize, size: i32, step: usize, columns: i32): void {
  let product = splat(1);
  for (; size > 0; size--) {
    product = f32x4.mul(product, v128.load(x));
    x += step;
  }
  storeLanes(y, product, columns);
}

function sumsOfRow(y: usize, x: usize, size: i32, step: usize, isOther: i32): void {
  let sum: f64 = 0;
  for (; size > 0; size--) {
    const next = sum + <f64>load<f32>(x);
    store<f32>(y, <f32>(isOther ? sum : next));
    sum = next;
    x += step;
    y += step;
  }
}

function sumsOfColumns(y: usize, x: usize, size: i32, step: usize, isOther: i32, columns: i32): void {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (; size > 0; size--) {
    const v = v128.load(x);
    const nextLow = f64x2.add(low, f64x2.promote_low_f32x4(v));
    const nextHigh = f64x2.add(high, f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3)));
    const first = f32x4.demote_f64x2_zero(isOther ? low : nextLow);
    const second = f32x4.demote_f64x2_zero(isOther ? high : nextHigh);
    storeLanes(y, i32x4.shuffle(first, second, 0, 1, 4, 5), columns);
    low = nextLow;
    high = nextHigh;
    x += step;
    y += step;
  }
}

/** Where v goes before the best so far. */
@inline function better(v: v128, best: v128, isSmallest: i32, isLast: i32): v128 {
  if (isSmallest) return isLast ? f32x4.le(v, best) : f32x4.lt(v, best);
  return isLast ? f32x4.ge(v, best) : f32x4.gt(v, best);
}

/** Four neighbours at a time, each lane with its best, which begins as the first element; the best of the lanes is that of the row. */
@inline function placeInRow(y: usize, x: usize, size: i32, isSmallest: i32, isLast: i32): void {
  const start = load<f32>(x);
  let best = splat(start);
  let places = i32x4.splat(0);
  let at = i32x4(0, 1, 2, 3);
  let k = 0;
  for (; k + 4 <= size; k += 4) {
    const v = v128.load(x + (<usize>k << 2));
    const mask = better(v, best, isSmallest, isLast);
    best = v128.bitselect(v, best, mask);
    places = v128.bitselect(at, places, mask);
    at = i32x4.add(at, i32x4.splat(4));
  }
  let top = start;
  let place = 0;
  for (let lane = 0; lane < 4; lane++) {
    const value = f32x4.extract_lane(best, 0);
    const own = i32x4.extract_lane(places, 0);
    const isBetter = isSmallest ? value < top : value > top;
    if (isBetter || (value == top && (isLast ? own > place : own < place))) {
      top = value;
      place = own;
    }
    best = i32x4.shuffle(best, best, 1, 2, 3, 0);
    places = i32x4.shuffle(places, places, 1, 2, 3, 0);
  }
  for (; k < size; k++) {
    const value = load<f32>(x + (<usize>k << 2));
    const isBetter = isSmallest ? value < top : value > top;
    if (isBetter || (isLast && value == top)) {
      top = value;
      place = k;
    }
  }
  store<i64>(y, <i64>place);
}

@inline function placesInColumns(
  y: usize, x: usize, size: i32, step: usize, columns: i32, isSmallest: i32, isLast: i32,
): void {
  let best = v128.load(x);
  let places = i32x4.splat(0);
  for (let k = 1; k < size; k++) {
    x += step;
    const v = v128.load(x);
    const mask = better(v, best, isSmallest, isLast);
    best = v128.bitselect(v, best, mask);
    places = v128.bitselect(i32x4.splat(k), places, mask);
  }
  for (; columns > 0; columns--) {
    store<i64>(y, <i64>i32x4.extract_lane(places, 0));
    places = i32x4.shuffle(places, places, 1, 2, 3, 0);
    y += 8;
  }
}

function argument(y: usize, x: usize, size: i32, step: usize, columns: i32, isSmallest: i32, isLast: i32): void {
  const isRow = columns == 0;
  if (isSmallest) {
    if (isRow) placeInRow(y, x, size, 1, isLast);
    else placesInColumns(y, x, size, step, columns, 1, isLast);
  } else if (isRow) placeInRow(y, x, size, 0, isLast);
  else placesInColumns(y, x, size, step, columns, 0, isLast);
}

/** Work items: rows, or blocks of four columns, numbered outer * blocks + block. */
export function along_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<AlongDesc>(desc);
  const size = d.size, inner = d.inner, op = d.operation;
  const isRow = inner == 1;
  const blocks = isRow ? 1 : (inner + COLUMNS - 1) / COLUMNS;
  const step = <usize>inner << 2;
  for (let item = begin; item < end; item++) {
    const outer = item / blocks;
    const first = (item - outer * blocks) * COLUMNS;
    const columns = isRow ? 0 : inner - first < COLUMNS ? inner - first : COLUMNS;
    const offset = <usize>(outer * size * inner + first) << 2;
    const x = d.xPtr + offset;
    const one = <usize>(outer * inner + first);
    if (op == AlongCode.sums) {
      const back = d.isReverse ? <usize>(size - 1) * step : 0;
      const way = d.isReverse ? 0 - step : step;
      const y = d.yPtr + offset + back;
      if (isRow) sumsOfRow(y, x + back, size, way, d.isOther);
      else sumsOfColumns(y, x + back, size, way, d.isOther, columns);
    } else if (op == AlongCode.argument) {
      argument(d.yPtr + (one << 3), x, size, step, columns, d.isReverse, d.isOther);
    } else if (isRow) productOfRow(d.yPtr + (one << 2), x, size);
    else productOfColumns(d.yPtr + (one << 2), x, size, step, columns);
  }
}
