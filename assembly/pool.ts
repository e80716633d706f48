// Maximum and average over windows of a channels-last image: lanes are channels.
//
//   y[n, p, q, c] = max or mean of x[n, h, w, c] over the window of (p, q), clipped to the input
//
// Windows: h from p*U - padTop in steps of the dilation, or (adaptive) from floor(p*H/P) to ceil((p+1)*H/P). One pixel at a
// time, 4 channels at a time; the common 3x3 and 2x2 windows are unrolled. A last vector of fewer than 4 channels is
// computed whole and stored in part.
//
// NaN: the maximum of a window that holds one is NaN, as in PyTorch. pmax forgets NaN, and f32x4.max is six times slower;
// so the window is summed too (one more instruction), and only where that sum is NaN is the window read again with care.
import { PoolDesc } from "./desc";
import { maxOf, splat, storeLanes } from "./simd";

/** Maximum that keeps NaN, for windows whose sum is NaN. */
function maxOfWindow(x: usize, rows: i32, columns: i32, rowStep: usize, step: usize): v128 {
  let acc = splat(-Infinity);
  for (let r = 0; r < rows; r++) {
    for (let s = 0; s < columns; s++) {
      const v = v128.load(x + <usize>r * rowStep + <usize>s * step);
      // v where v is NaN, acc where acc is, else the larger
      const larger = v128.bitselect(v, maxOf(acc, v), f32x4.ne(v, v));
      acc = v128.bitselect(acc, larger, f32x4.ne(acc, acc));
    }
  }
  return acc;
}

/** Output row: windows start at `start` + q * `stride` (or as adaptive), clipped to `size`. */
@inline function windowStart(adaptive: bool, q: i32, size: i32, count: i32, stride: i32, pad: i32): i32 {
  return adaptive ? q * size / count : q * stride - pad;
}

/** First tap inside: taps are `dilation` apart. */
@inline function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

@inline function endTap(start: i32, dilation: i32, size: i32, taps: i32): i32 {
  if (start >= size) return 0;
  const end = (size - start + dilation - 1) / dilation;
  return end < taps ? end : taps;
}

/** Work items: output rows, numbered n * P + p. */
export function max_pool_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  pool(changetype<PoolDesc>(desc), begin, end, true);
}

/** Work items: output rows, numbered n * P + p. */
export function avg_pool_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  pool(changetype<PoolDesc>(desc), begin, end, false);
}

@inline function pool(d: PoolDesc, begin: i32, end: i32, maximum: bool): void {
  const adaptive = d.adaptive != 0;
  if (!ASC_NO_ASSERT) assert(d.channels > 0 && d.kernelH > 0 && d.kernelW > 0 && d.dilationH > 0 && d.dilationW > 0);
  const pixel = <usize>d.channels << 2;
  const row = <usize>d.width * pixel;
  const rowStep = <usize>d.dilationH * row;
  const step = <usize>d.dilationW * pixel;
  for (let item = begin; item < end; item++) {
    const n = item / d.outH;
    const p = item - n * d.outH;
    const h = windowStart(adaptive, p, d.height, d.outH, d.strideH, d.padTop);
    const tapsH = adaptive ? ((p + 1) * d.height + d.outH - 1) / d.outH - h : d.kernelH;
    const r0 = firstTap(h, d.dilationH);
    const rows = max(endTap(h, d.dilationH, d.height, tapsH) - r0, 0);
    const top = d.xPtr + <usize>n * <usize>d.height * row + <usize>(h + r0 * d.dilationH) * row;
    let y = d.yPtr + <usize>(item * d.outW) * pixel;
    for (let q = 0; q < d.outW; q++) {
      const w = windowStart(adaptive, q, d.width, d.outW, d.strideW, d.padLeft);
      const tapsW = adaptive ? ((q + 1) * d.width + d.outW - 1) / d.outW - w : d.kernelW;
      const s0 = firstTap(w, d.dilationW);
      const columns = max(endTap(w, d.dilationW, d.width, tapsW) - s0, 0);
      // The mean's divisor: taps inside, or inside the padded input.
      let divisor = rows * columns;
      if (d.countPadding) {
        divisor = (min(h + d.kernelH, d.height + d.padBottom) - h) * (min(w + d.kernelW, d.width + d.padRight) - w);
      }
      const divide = splat(<f32>divisor);
      let x = top + <usize>(w + s0 * d.dilationW) * pixel;
      let left = d.channels;
      const is3 = rows == 3 && columns == 3;
      const is2 = rows == 2 && columns == 2;
      do {
        if (maximum) {
          let acc: v128, sum: v128;
          if (is3) {
            const x1 = x + rowStep, x2 = x1 + rowStep;
            let v = v128.load(x);
            acc = v; sum = v;
            v = v128.load(x + step); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
            v = v128.load(x + 2 * step); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
            v = v128.load(x1); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
            v = v128.load(x1 + step); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
            v = v128.load(x1 + 2 * step); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
            v = v128.load(x2); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
            v = v128.load(x2 + step); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
            v = v128.load(x2 + 2 * step); acc = maxOf(acc, v); sum = f32x4.add(sum, v);
          } else if (is2) {
            const x1 = x + rowStep;
            const a = v128.load(x), b = v128.load(x + step), c = v128.load(x1), e = v128.load(x1 + step);
            acc = maxOf(maxOf(a, b), maxOf(c, e));
            sum = f32x4.add(f32x4.add(a, b), f32x4.add(c, e));
          } else {
            acc = splat(-Infinity);
            sum = splat(0);
            for (let r = 0; r < rows; r++) {
              let tap = x + <usize>r * rowStep;
              for (let s = 0; s < columns; s++) {
                const v = v128.load(tap);
                acc = maxOf(acc, v);
                sum = f32x4.add(sum, v);
                tap += step;
              }
            }
          }
          if (v128.any_true(f32x4.ne(sum, sum))) acc = maxOfWindow(x, rows, columns, rowStep, step);
          storeLanes(y, acc, left);
        } else {
          let acc = splat(0);
          for (let r = 0; r < rows; r++) {
            let tap = x + <usize>r * rowStep;
            for (let s = 0; s < columns; s++) {
              acc = f32x4.add(acc, v128.load(tap));
              tap += step;
            }
          }
          storeLanes(y, divisor > 0 ? f32x4.div(acc, divide) : splat(0), left);
        }
        x += 16;
        y += 16;
        left -= 4;
      } while (left > 0);
      y += <usize>(left << 2); // back over the lanes that were not stored
    }
  }
}
