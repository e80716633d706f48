// Images sampled at fractional places: GridSample, RoiAlign, and the patches of a deformable convolution. Channels-last: lanes are
// channels, so that where a place lies is worked out once for all of them, in float64.
//
//   y[item, c] = sum over corners k of w[item, k] * x[at[item, k], c]
//
// An axis has up to 4 taps | place i32 | - | weight f64 | around a place, and corners are pairs of them: | address u32 | weight f32 |.
// A bin of a box has 4 corners a place; they are summed when there are MOST. Corners that lie outside, or weigh nothing, are left out.
import { SampleCode, SampleDesc, SampleMode, SamplePadding } from "../abi/rare";
import { madd, splat, storeLanes } from "../lib/simd";

/** Corners that are summed at once: 512 bytes of scratch, behind the taps of two axes. */
const MOST: i32 = 64;
const TAPS: usize = 64;

/** A place folded back into [low, high] by reflection; what is no number stays none. */
function reflect(x: f64, low: f64, high: f64): f64 {
  const span = high - low;
  if (span == 0) return low;
  const far = Math.abs(x - low);
  const folded = far - floor<f64>(far / (2 * span)) * (2 * span);
  return low + (folded > span ? 2 * span - folded : folded);
}

function fold(at: f64, size: f64, padding: i32, isAligned: i32): f64 {
  if (padding == SamplePadding.zeros) return at;
  if (padding == SamplePadding.reflection) {
    if (isAligned) return reflect(at, 0, size - 1);
    at = reflect(at, -0.5, size - 0.5);
  }
  return max<f64>(0, min<f64>(size - 1, at));
}

/** The weight of an element so far away, by cubic convolution with a = -0.75. */
function cubic(x: f64): f64 {
  const d = Math.abs(x);
  if (d <= 1) return (1.25 * d - 2.25) * d * d + 1;
  return d < 2 ? ((-0.75 * d + 3.75) * d - 6) * d + 3 : 0;
}

/** Adds a tap, where there is such an element and it weighs something. */
function addTap(list: usize, count: i32, at: f64, size: f64, weight: f64): i32 {
  if (!(at >= 0 && at < size) || weight == 0) return count;
  const entry = list + (<usize>count << 4);
  store<i32>(entry, <i32>at);
  store<f64>(entry, weight, 8);
  return count + 1;
}

/** The taps around a place; how many. */
function tapsOf(list: usize, raw: f64, size: f64, mode: i32, padding: i32, isAligned: i32): i32 {
  const place = mode == SampleMode.cubic ? raw : fold(raw, size, padding, isAligned);
  if (mode == SampleMode.nearest) return addTap(list, 0, nearest<f64>(place), size, 1);
  const base = floor<f64>(place);
  const rest = place - base;
  if (mode == SampleMode.linear) return addTap(list, addTap(list, 0, base, size, 1 - rest), base + 1, size, rest);
  let count = 0;
  for (let i: f64 = -1; i <= 2; i += 1) {
    count = addTap(list, count, floor<f64>(fold(base + i, size, padding, isAligned) + 0.5), size, cubic(rest - i));
  }
  return count;
}

/** The two elements around a place of a box, the last one twice at the end: both count in a maximum, whatever they weigh. */
function edgesOf(list: usize, place: f64, size: i32): void {
  const at = max<f64>(0, place);
  const isLast = at >= <f64>(size - 1);
  const first = isLast ? size - 1 : <i32>floor<f64>(at);
  const rest = isLast ? 0 : at - floor<f64>(at);
  store<i32>(list, first);
  store<f64>(list, 1 - rest, 8);
  store<i32>(list, min<i32>(first + 1, size - 1), 16);
  store<f64>(list, rest, 24);
}

/** Adds every pair of taps; how many corners there are then. */
function addCorners(
  corners: usize, count: i32, rows: usize, rowCount: i32, columnCount: i32, image: usize, d: SampleDesc, factor: f64,
): i32 {
  for (let i = 0; i < rowCount; i++) {
    const row = rows + (<usize>i << 4);
    const line = load<i32>(row) * d.width;
    const weight = load<f64>(row, 8) * factor;
    for (let j = 0; j < columnCount; j++) {
      const column = rows + TAPS + (<usize>j << 4);
      const corner = corners + (<usize>count << 3);
      store<u32>(corner, <u32>(image + <usize>(line + load<i32>(column)) * <usize>d.pixelBytes));
      store<f32>(corner, <f32>(weight * load<f64>(column, 8)), 4);
      count++;
    }
  }
  return count;
}

/** y = what it was, or 0, + the weighted sum of corners; or the largest of them all. */
@inline function blend(y: usize, corners: usize, count: i32, channels: i32, isMore: i32, isMax: bool): void {
  const end = corners + (<usize>count << 3);
  for (let c = 0; c < channels; c += 8) {
    const offset = <usize>c << 2;
    const start = splat(isMax ? -Infinity : 0);
    let a = isMore ? v128.load(y + offset) : start;
    let b = isMore ? v128.load(y + offset, 16) : start;
    for (let corner = corners; corner < end; corner += 8) {
      const x = <usize>load<u32>(corner) + offset;
      const weight = v128.load32_splat(corner, 4);
      if (isMax) {
        a = f32x4.max(a, f32x4.mul(weight, v128.load(x)));
        b = f32x4.max(b, f32x4.mul(weight, v128.load(x, 16)));
      } else {
        a = madd(weight, v128.load(x), a);
        b = madd(weight, v128.load(x, 16), b);
      }
    }
    storeLanes(y + offset, a, channels - c);
    if (channels - c > 4) storeLanes(y + offset + 16, b, channels - c - 4);
  }
}

function sumOf(y: usize, corners: usize, count: i32, channels: i32, isMore: i32): void {
  blend(y, corners, count, channels, isMore, false);
}

function largestOf(y: usize, corners: usize, count: i32, channels: i32, isMore: i32): void {
  blend(y, corners, count, channels, isMore, true);
}

function flush(y: usize, corners: usize, count: i32, d: SampleDesc, isMore: i32): void {
  if (d.isMax) largestOf(y, corners, count, d.channels, isMore);
  else sumOf(y, corners, count, d.channels, isMore);
}

function sampleGrid(d: SampleDesc, item: i32, y: usize, scratch: usize): void {
  const place = d.placesPtr + (<usize>item << 3);
  const image = d.xPtr + <usize>(item / (d.outH * d.outW) * d.height * d.width) * <usize>d.pixelBytes;
  let rows = 0, columns = 0;
  for (let axis: usize = 0; axis < 2; axis++) {
    const size = <f64>(axis ? d.height : d.width);
    const g = <f64>load<f32>(place + (axis << 2)) + 1;
    const raw = d.isAligned ? (g / 2) * (size - 1) : (g * size - 1) / 2;
    columns = rows;
    rows = tapsOf(axis ? scratch : scratch + TAPS, raw, size, d.mode, d.padding, d.isAligned);
  }
  const corners = scratch + 2 * TAPS;
  sumOf(y, corners, addCorners(corners, 0, scratch, rows, columns, image, d, 1), d.channels, 0);
}

function sampleBox(d: SampleDesc, item: i32, y: usize, scratch: usize): void {
  const bins = d.outH * d.outW;
  const r = item / bins;
  const bin = item - r * bins;
  const p = bin / d.outW;
  const q = bin - p * d.outW;
  const box = d.placesPtr + (<usize>r << 4);
  const image = d.xPtr + <usize>(load<i32>(d.morePtr + (<usize>r << 2)) * d.height * d.width) * <usize>d.pixelBytes;
  const scale = <f64>d.scale;
  const middle: f64 = d.isHalf ? 0.5 : 0;
  const left = <f64>load<f32>(box) * scale - middle, top = <f64>load<f32>(box, 4) * scale - middle;
  let width = <f64>load<f32>(box, 8) * scale - middle - left, height = <f64>load<f32>(box, 12) * scale - middle - top;
  if (!d.isHalf) {
    width = max<f64>(width, 1);
    height = max<f64>(height, 1);
  }
  const binW = width / <f64>d.outW, binH = height / <f64>d.outH;
  const nx = d.ratio ? d.ratio : <i32>ceil<f64>(binW), ny = d.ratio ? d.ratio : <i32>ceil<f64>(binH);
  const factor = d.isMax ? 1 : 1 / max<f64>(1, <f64>nx * <f64>ny);
  const corners = scratch + 2 * TAPS;
  let count = 0, isMore = 0, isOutside = i32(nx <= 0 || ny <= 0);
  for (let i = 0; i < ny; i++) {
    const row = top + <f64>p * binH + ((<f64>i + 0.5) * binH) / <f64>ny;
    const isRow = !(row < -1 || row > <f64>d.height);
    edgesOf(scratch, row, d.height);
    for (let j = 0; j < nx; j++) {
      const column = left + <f64>q * binW + ((<f64>j + 0.5) * binW) / <f64>nx;
      if (!isRow || column < -1 || column > <f64>d.width) {
        isOutside = 1;
        continue;
      }
      if (count == MOST) {
        flush(y, corners, count, d, isMore);
        isMore = 1;
        count = 0;
      }
      edgesOf(scratch + TAPS, column, d.width);
      count = addCorners(corners, count, scratch, 2, 2, image, d, factor);
    }
  }
  if (isOutside && d.isMax) {
    // What lies outside is 0.
    if (count == MOST) {
      flush(y, corners, count, d, isMore);
      isMore = 1;
      count = 0;
    }
    store<u32>(corners + (<usize>count << 3), <u32>d.xPtr);
    store<f32>(corners + (<usize>count << 3), 0, 4);
    count++;
  }
  flush(y, corners, count, d, isMore);
}

function samplePatch(d: SampleDesc, item: i32, y: usize, scratch: usize): void {
  const groups = d.groups, outs = d.outH * d.outW, taps = d.kernelH * d.kernelW;
  let rest = item / groups;
  const group = item - rest * groups;
  const out = rest / taps;
  const tap = rest - out * taps;
  const n = out / outs;
  const o = out - n * outs;
  rest = (n * groups + group) * taps + tap;
  const place = d.placesPtr + (<usize>(rest * 2 * outs + o) << 2);
  const p = o / d.outW, i = tap / d.kernelW;
  const row = p * d.strideH - d.padTop + i * d.dilationH;
  const column = (o - p * d.outW) * d.strideW - d.padLeft + (tap - i * d.kernelW) * d.dilationW;
  const factor = d.hasFactors ? <f64>load<f32>(d.morePtr + (<usize>(rest * outs + o) << 2)) : 1;
  const image = d.xPtr + <usize>(n * d.height * d.width) * <usize>d.pixelBytes + (<usize>(group * d.channels) << 2);
  const zeros = SamplePadding.zeros;
  const rows = tapsOf(scratch, <f64>row + <f64>load<f32>(place), d.height, SampleMode.linear, zeros, 0);
  const x = <f64>column + <f64>load<f32>(place + (<usize>outs << 2));
  const columns = tapsOf(scratch + TAPS, x, d.width, SampleMode.linear, zeros, 0);
  const corners = scratch + 2 * TAPS;
  sumOf(y, corners, addCorners(corners, 0, scratch, rows, columns, image, d, factor), d.channels, 0);
}

/**
 * Work items: places, in the order of y. Patches of a deformable convolution are [N, outs, taps, groups, channels of one]. scratch: the
 * taps of rows, those of columns, corners.
 */
export function sample_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<SampleDesc>(desc);
  const bytes = <usize>d.channels << 2;
  for (let item = begin; item < end; item++) {
    const y = d.yPtr + <usize>item * bytes;
    if (d.kind == SampleCode.grid) sampleGrid(d, item, y, scratch);
    else if (d.kind == SampleCode.boxes) sampleBox(d, item, y, scratch);
    else samplePatch(d, item, y, scratch);
  }
}
