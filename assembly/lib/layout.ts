// Floats moved as they lie, or turned: what copies of several kernels share.

/** Copies a whole number of floats; memory.copy costs a call out of the engine's fast path, so short runs stay here. */
export function copyFloats(dst: usize, src: usize, bytes: usize): void {
  if (bytes >= 256) {
    memory.copy(dst, src, bytes);
    return;
  }
  const vectors = dst + (bytes & ~15);
  const end = dst + bytes;
  while (dst < vectors) {
    v128.store(dst, v128.load(src));
    dst += 16;
    src += 16;
  }
  while (dst < end) {
    f32.store(dst, f32.load(src));
    dst += 4;
    src += 4;
  }
}

/** dst[j][i] = src[i][j] for rows x cols floats, in blocks of 4 x 4; strides in bytes from row to row. */
export function transposeBlock(dst: usize, dstStride: usize, src: usize, srcStride: usize, rows: i32, cols: i32): void {
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    let from = src + <usize>i * srcStride;
    let to = dst + (<usize>i << 2);
    let j = 0;
    for (; j + 4 <= cols; j += 4) {
      const a = v128.load(from);
      const b = v128.load(from + srcStride);
      const c = v128.load(from + 2 * srcStride);
      const d = v128.load(from + 3 * srcStride);
      const ab = i32x4.shuffle(a, b, 0, 4, 1, 5);
      const cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
      const ef = i32x4.shuffle(a, b, 2, 6, 3, 7);
      const gh = i32x4.shuffle(c, d, 2, 6, 3, 7);
      v128.store(to, i64x2.shuffle(ab, cd, 0, 2));
      v128.store(to + dstStride, i64x2.shuffle(ab, cd, 1, 3));
      v128.store(to + 2 * dstStride, i64x2.shuffle(ef, gh, 0, 2));
      v128.store(to + 3 * dstStride, i64x2.shuffle(ef, gh, 1, 3));
      from += 16;
      to += dstStride << 2;
    }
    for (; j < cols; j++) {
      f32.store(to, f32.load(from), 0);
      f32.store(to, f32.load(from + srcStride), 4);
      f32.store(to, f32.load(from + 2 * srcStride), 8);
      f32.store(to, f32.load(from + 3 * srcStride), 12);
      from += 4;
      to += dstStride;
    }
  }
  let first = 0;
  if (rows == 3 && dstStride == 12) {
    // An image in three colours, four pixels at a time: a third of what FastestDet's first layer took was its conversion.
    for (; first + 4 <= cols; first += 4) {
      const from = src + (<usize>first << 2);
      const to = dst + <usize>first * 12;
      const a = v128.load(from);
      const b = v128.load(from + srcStride);
      const c = v128.load(from + 2 * srcStride);
      v128.store(to, i32x4.shuffle(i32x4.shuffle(a, b, 0, 4, 1, 5), c, 0, 1, 4, 2));
      v128.store(to, i32x4.shuffle(i32x4.shuffle(b, c, 1, 5, 2, 6), a, 0, 1, 6, 2), 16);
      v128.store(to, i32x4.shuffle(i32x4.shuffle(c, a, 2, 7, 3, 3), b, 0, 1, 7, 2), 32);
    }
  }
  for (; i < rows; i++) {
    let from = src + <usize>i * srcStride + (<usize>first << 2);
    let to = dst + (<usize>i << 2) + <usize>first * dstStride;
    for (let j = first; j < cols; j++) {
      f32.store(to, f32.load(from));
      from += 4;
      to += dstStride;
    }
  }
}
