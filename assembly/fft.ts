// Complex FFT of L = 2^n points, in place, on 4 channels at once: a point is 32 bytes, re in the first vector, im in the
// second. Forward runs decimation in frequency and leaves the spectrum in bit-reversed order; inverse runs decimation in
// time from that order back. A product of two spectra does not care about the order, so nothing is ever permuted.
// Source: Cooley and Tukey (1965); Gentleman and Sande (1966). Twiddles come from the plan: L/2 pairs cos, sin of -2πk/L.
import { nmadd, madd } from "./simd";

function forward(p: usize, size: i32, twiddles: usize): void {
  let step: usize = 8; // bytes from twiddle to twiddle at this stage
  for (let half = size >> 1; half >= 1; half >>= 1) {
    const gap = <usize>half << 5;
    for (let start = 0; start < size; start += half << 1) {
      let a = p + (<usize>start << 5);
      let t = twiddles;
      for (let j = 0; j < half; j++) {
        const b = a + gap;
        const ar = v128.load(a), ai = v128.load(a, 16), br = v128.load(b), bi = v128.load(b, 16);
        const dr = f32x4.sub(ar, br), di = f32x4.sub(ai, bi);
        const c = v128.load32_splat(t), s = v128.load32_splat(t, 4);
        v128.store(a, f32x4.add(ar, br));
        v128.store(a, f32x4.add(ai, bi), 16);
        v128.store(b, nmadd(di, s, f32x4.mul(dr, c)));
        v128.store(b, madd(dr, s, f32x4.mul(di, c)), 16);
        a += 32;
        t += step;
      }
    }
    step <<= 1;
  }
}

/** Not scaled: L times the inverse. */
function inverse(p: usize, size: i32, twiddles: usize): void {
  let step = <usize>size << 2;
  for (let half = 1; half < size; half <<= 1) {
    const gap = <usize>half << 5;
    for (let start = 0; start < size; start += half << 1) {
      let a = p + (<usize>start << 5);
      let t = twiddles;
      for (let j = 0; j < half; j++) {
        const b = a + gap;
        const ar = v128.load(a), ai = v128.load(a, 16), xr = v128.load(b), xi = v128.load(b, 16);
        const c = v128.load32_splat(t), s = v128.load32_splat(t, 4);
        const br = madd(xi, s, f32x4.mul(xr, c)); // times the conjugate
        const bi = nmadd(xr, s, f32x4.mul(xi, c));
        v128.store(a, f32x4.add(ar, br));
        v128.store(a, f32x4.add(ai, bi), 16);
        v128.store(b, f32x4.sub(ar, br));
        v128.store(b, f32x4.sub(ai, bi), 16);
        a += 32;
        t += step;
      }
    }
    step >>= 1;
  }
}

/**
 * All columns of size x size points, each in a line of `size` points behind them: columns lie a power of two apart, and
 * their points would fall into a few sets of the L1 cache, to be evicted log2(size) times instead of once.
 */
function columns(p: usize, size: i32, twiddles: usize, back: bool): void {
  const row = <usize>size << 5;
  const line = p + <usize>size * row;
  const lineEnd = line + row;
  for (let j = 0; j < size; j++) {
    const column = p + (<usize>j << 5);
    let from = column;
    for (let to = line; to < lineEnd; to += 32) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += row;
    }
    if (back) inverse(line, size, twiddles);
    else forward(line, size, twiddles);
    from = column;
    for (let to = line; to < lineEnd; to += 32) {
      v128.store(from, v128.load(to));
      v128.store(from, v128.load(to, 16), 16);
      from += row;
    }
  }
}

/** 2-D, size x size points, row by row in memory, and one more row to work in. Rows from `rows` on are zero: skipped along w. */
export function forward2d(p: usize, size: i32, rows: i32, twiddles: usize): void {
  for (let i = 0; i < rows; i++) forward(p + (<usize>(i * size) << 5), size, twiddles);
  columns(p, size, twiddles, false);
}

/** 2-D, not scaled: size² times the inverse. Rows from `rows` on are not wanted and are left half done. */
export function inverse2d(p: usize, size: i32, rows: i32, twiddles: usize): void {
  columns(p, size, twiddles, true);
  for (let i = 0; i < rows; i++) inverse(p + (<usize>(i * size) << 5), size, twiddles);
}
