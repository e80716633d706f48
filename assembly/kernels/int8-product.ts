// Products of bytes over the pixels of an image, or the rows of a matrix: see lib/int8.ts.
//
//   row (n, p, q) starts at x + n * xImageBytes + p * xRowBytes + q * xPixelBytes
//
// The image is padded (int8-pad.ts), or needs no padding. Rows of a matrix, and pixels of a 1x1 kernel, are made wider here, those of
// a block of rows in scratch.
import { ProductBytesDesc, SumEnd } from "../abi/int8";
import { widen } from "../lib/int8-bytes";
import { finishBytes, panelRows } from "../lib/int8";
import { storePart } from "../lib/simd";

/** Where rows [begin, begin + count) start. Those that are made wider lie at `rows`. */
function startRows(d: ProductBytesDesc, table: usize, rows: usize, begin: i32, count: i32): void {
  let n = begin / d.rows;
  let p = (begin - n * d.rows) / d.outW;
  let q = begin - n * d.rows - p * d.outW;
  const outH = d.rows / d.outW;
  const widened = d.widened;
  // Rows without gaps are made wider all at once: a call a row took a tenth of the time of short ones.
  if (widened && d.xPixelBytes == widened && d.xRowBytes == d.outW * widened && d.xImageBytes == d.rows * widened) {
    widen(rows, d.xPtr + <usize>begin * <usize>widened, count * widened, d.zero);
    for (let r = 0; r < count; r++) store<i32>(table + (<usize>r << 2), r * widened << 1);
    return;
  }
  for (let r = 0; r < count; r++) {
    let at = n * d.xImageBytes + p * d.xRowBytes + q * d.xPixelBytes;
    if (widened) {
      const to = r * widened << 1;
      widen(rows + to, d.xPtr + at, widened, d.zero);
      at = to;
    }
    store<i32>(table + (<usize>r << 2), at);
    if (++q == d.outW) {
      q = 0;
      if (++p == outH) {
        p = 0;
        n++;
      }
    }
  }
}

/** 8 columns of sums to floats, or as they are; `left` columns from there on are y's. */
function endSums(d: ProductBytesDesc, sums: usize, rows: i32, scale: usize, offset: usize, y: usize, left: i32): void {
  const floats = d.end == SumEnd.floats;
  const lo = f32x4.splat(d.lo), hi = f32x4.splat(d.hi);
  for (let half = 0; half < 2 && left > 0; half++) {
    let from = sums + (<usize>half << 4);
    let to = y;
    for (let r = 0; r < rows; r++) {
      let v = v128.load(from);
      if (floats) {
        v = f32x4.mul(f32x4.convert_i32x4_s(v), v128.load(scale));
        if (offset) v = f32x4.add(v, v128.load(offset));
        v = f32x4.min(f32x4.max(v, lo), hi);
      }
      if (left >= 4) v128.store(to, v);
      else storePart(to, v, left);
      from += 32;
      to += <usize>d.yPixelBytes;
    }
    scale += 16;
    if (offset) offset += 16;
    y += 16;
    left -= 4;
  }
}

/**
 * Work items: output pixels, numbered (n * P + p) * Q + q. Scratch: where each row of a block starts; 8 sums of each where they do not
 * end in bytes; the rows made wider.
 */
export function product_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ProductBytesDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows % d.outW == 0 && d.filters > 0 && d.tileRows > 0 && d.blockRows > 0 && d.segCount > 0 && d.segBytes > 0);
  const isBytes = d.end == SumEnd.bytes;
  const sums = scratch + (<usize>d.blockRows << 2);
  const rows = isBytes ? sums : sums + (<usize>d.blockRows << 5);
  const a0 = d.widened ? rows : d.xPtr;
  const yStep = <usize>d.yPixelBytes;
  const cellShift = isBytes ? 0 : 2;
  const blocks = (end - begin + d.blockRows - 1) / d.blockRows;
  for (let i = blocks; i > 0; i--) {
    const count = (end - begin) / i;
    startRows(d, scratch, rows, begin, count);
    let w = d.wPtr, bias = d.biasPtr, scale = d.scalePtr, offset = d.offsetPtr;
    const y0 = d.yPtr + <usize>begin * yStep;
    for (let g = 0; g < d.groups; g++) {
      const a = a0 + <usize>g * <usize>d.xGroupBytes;
      for (let col = 0; col < d.filters; col += 8) {
        const left = d.filters - col;
        const y = y0 + (<usize>(g * d.filters + col) << cellShift);
        if (isBytes) panelRows(d.wide, d, count, d.tileRows, scratch, a, w, bias, scale, y, yStep, left);
        else {
          panelRows(d.wide, d, count, d.tileRows, scratch, a, w, bias, 0, sums, 32, 8);
          endSums(d, sums, count, scale, offset, y, left);
        }
        w += <usize>d.panelBytes;
        bias += 32;
        scale += 32;
        if (offset) offset += 32;
      }
    }
    if (isBytes) finishBytes(d, <usize>begin * yStep, count * d.yPixelBytes);
    begin += count;
  }
}
