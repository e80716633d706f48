// Fully connected layer on weights of 8 bits: y[n, m] = act(bias[m] + sum over blocks of K of a[n, b] * s[m, b] * sum over k of
// x[n, k] * w[m, k]), where x is int16, a its scale, w int8, s its scale: rows of float32 are made whole numbers at run time.
//
// 16 bits of x and 8 of w are products of less than 2^22, of which 512 have room in int32: i32x4.dot_i16x8_s adds them in pairs, exactly.
// A block of K ends in float32. A weight is read once a row, so the speed is the memory's, as with float32, at a quarter of the
// bytes (w [4096, 4096], one row: 0.6 ms where float32 takes 2.1).
//
// A panel is 8 filters, one after the other in memory: for each plane [blocks][8] scales and [roundUp(K, 4) / 2][8][2] weights.
// A second plane holds what rounding the first left, in steps of a 256th: 16 bits in all.
//
// What reaches such a layer is positive as a rule, from behind a ReLU or a mean: a sum of rounding errors that is not 0 moves every
// output by that times the mean of x. So of each block the few weights nearest to the middle between two steps go to the other one,
// until errors sum to less than half a step: the error of AlexNet falls by 1.6, of MobileNetV2's classifier by 2.3.
import { BYTE_WEIGHTS_BLOCK, ByteWeightsDesc, PackByteWeightsDesc } from "../abi/weights";
import { largest, part } from "../lib/rows";
import { maxOf, minOf, splat, storeLanes } from "../lib/simd";

/** 1 / scale, or 0 for a scale of 0: all are 0 then. */
@inline function inverse(scale: f32): f32 {
  return scale == 0 ? 0 : <f32>1 / scale;
}

/** Rows of float32 as int16, each block of K by its largest. Work items: rows. */
export function rows_to_int16(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ByteWeightsDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.length > 0 && (d.block & 3) == 0 && d.xPtr != 0 && d.yPtr != 0 && d.xScalesPtr != 0);
  const blocks = (d.length + d.block - 1) / d.block;
  const padded = (d.length + 3) & ~3;
  for (let n = begin; n < end; n++) {
    let x = d.xPtr + (<usize>(n * d.length) << 2);
    let y = d.yPtr + (<usize>(n * padded) << 1);
    let scales = d.xScalesPtr + (<usize>(n * blocks) << 2);
    for (let left = d.length; left > 0; left -= d.block) {
      const count = min(left, d.block);
      const scale = largest(x, count) / 32767;
      const factor = splat(inverse(scale));
      store<f32>(scales, scale);
      for (let k = 0; k < count; k += 4) {
        const whole = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(part(x, k, count), factor)));
        v128.store64_lane(y + (<usize>k << 1), i16x8.narrow_i32x4_s(whole, whole), 0);
      }
      x += <usize>d.block << 2;
      y += <usize>d.block << 1;
      scales += 4;
    }
  }
}

/** Work items: blocks of 4 panels (32 outputs), each for every row of x, numbered block * N + n. */
export function linear_int8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ByteWeightsDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows > 0 && d.length > 0 && d.block <= 512 && d.wPtr != 0 && d.biasPtr != 0);
  const blocks = (d.length + d.block - 1) / d.block;
  const padded = (d.length + 3) & ~3;
  const blockBytes = <usize>d.block << 1;
  const scaleBytes = <usize>blocks << 5;
  const panelBytes = <usize>d.planes * (scaleBytes + (<usize>padded << 3));
  const panels = (d.filters + 7) >> 3;
  const lastPanel = d.wPtr + <usize>(panels - 1) * panelBytes;
  const low = splat(d.lo);
  const high = splat(d.hi);
  for (let item = begin; item < end; item++) {
    const block = item / d.rows;
    const n = item - block * d.rows;
    const m = block * BYTE_WEIGHTS_BLOCK;
    // Panels beyond the last repeat it: computed, not stored.
    let w0 = d.wPtr + <usize>(block << 2) * panelBytes;
    let w1 = min(w0 + panelBytes, lastPanel);
    let w2 = min(w1 + panelBytes, lastPanel);
    let w3 = min(w2 + panelBytes, lastPanel);
    const first = d.xPtr + (<usize>(n * padded) << 1);
    const xEnd = first + (<usize>padded << 1);
    const zero = splat(0);
    let acc00 = zero, acc01 = zero, acc10 = zero, acc11 = zero, acc20 = zero, acc21 = zero, acc30 = zero, acc31 = zero;
    for (let plane = 0; plane < d.planes; plane++) {
      let x = first;
      let scale = d.xScalesPtr + (<usize>(n * blocks) << 2);
      let s0 = w0, s1 = w1, s2 = w2, s3 = w3;
      w0 += scaleBytes;
      w1 += scaleBytes;
      w2 += scaleBytes;
      w3 += scaleBytes;
      do {
        const stop = min(x + blockBytes, xEnd);
        let i00 = zero, i01 = zero, i10 = zero, i11 = zero, i20 = zero, i21 = zero, i30 = zero, i31 = zero;
        do {
          const u = v128.load32_splat(x);
          i00 = i32x4.add(i00, i32x4.dot_i16x8_s(v128.load8x8_s(w0), u));
          i01 = i32x4.add(i01, i32x4.dot_i16x8_s(v128.load8x8_s(w0, 8), u));
          i10 = i32x4.add(i10, i32x4.dot_i16x8_s(v128.load8x8_s(w1), u));
          i11 = i32x4.add(i11, i32x4.dot_i16x8_s(v128.load8x8_s(w1, 8), u));
          if (!w1) break; // none of these ever: see kernels/linear.ts
          i20 = i32x4.add(i20, i32x4.dot_i16x8_s(v128.load8x8_s(w2), u));
          i21 = i32x4.add(i21, i32x4.dot_i16x8_s(v128.load8x8_s(w2, 8), u));
          i30 = i32x4.add(i30, i32x4.dot_i16x8_s(v128.load8x8_s(w3), u));
          i31 = i32x4.add(i31, i32x4.dot_i16x8_s(v128.load8x8_s(w3, 8), u));
          x += 4;
          w0 += 16;
          w1 += 16;
          w2 += 16;
          w3 += 16;
        } while (x < stop);
        const a = v128.load32_splat(scale);
        acc00 = f32x4.add(acc00, scaled(i00, a, s0, 0));
        acc01 = f32x4.add(acc01, scaled(i01, a, s0, 16));
        acc10 = f32x4.add(acc10, scaled(i10, a, s1, 0));
        acc11 = f32x4.add(acc11, scaled(i11, a, s1, 16));
        acc20 = f32x4.add(acc20, scaled(i20, a, s2, 0));
        acc21 = f32x4.add(acc21, scaled(i21, a, s2, 16));
        acc30 = f32x4.add(acc30, scaled(i30, a, s3, 0));
        acc31 = f32x4.add(acc31, scaled(i31, a, s3, 16));
        scale += 4;
        s0 += 32;
        s1 += 32;
        s2 += 32;
        s3 += 32;
      } while (x < xEnd);
    }
    const count = min(d.filters - m, BYTE_WEIGHTS_BLOCK);
    const bias = d.biasPtr + (<usize>m << 2);
    const y = d.yPtr + (<usize>(n * d.filters + m) << 2);
    storePanel(y, bias, acc00, acc01, count, low, high);
    if (count > 8) storePanel(y + 32, bias + 32, acc10, acc11, count - 8, low, high);
    if (count > 16) storePanel(y + 64, bias + 64, acc20, acc21, count - 16, low, high);
    if (count > 24) storePanel(y + 96, bias + 96, acc30, acc31, count - 24, low, high);
  }
}

@inline function scaled(sums: v128, a: v128, s: usize, at: usize): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.mul(a, v128.load(s + at)));
}

function storePanel(y: usize, bias: usize, a: v128, b: v128, count: i32, low: v128, high: v128): void {
  storeLanes(y, minOf(maxOf(f32x4.add(a, v128.load(bias)), low), high), count);
  if (count > 4) storeLanes(y + 16, minOf(maxOf(f32x4.add(b, v128.load(bias, 16)), low), high), count - 4);
}

/** Work items: panels. Filters behind the last are 0. */
export function pack_weights_int8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PackByteWeightsDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.length > 0 && d.filters > 0 && (d.block & 3) == 0 && d.dstPtr != 0); // srcPtr of a piece may be any number
  const blocks = (d.length + d.block - 1) / d.block;
  const scaleBytes = <usize>blocks << 5;
  const planeBytes = scaleBytes + (<usize>((d.length + 3) & ~3) << 3);
  for (let panel = begin; panel < end; panel++) {
    const to = d.dstPtr + <usize>(panel * d.planes) * planeBytes;
    for (let m = 0; m < 8; m++) {
      const filter = panel * 8 + m;
      let src = d.srcPtr + (<usize>(filter * d.length) << 2);
      let scales = to + (<usize>m << 2);
      let w = to + scaleBytes + (<usize>m << 1);
      for (let left = d.length; left > 0; left -= d.block) {
        const count = filter < d.filters ? min(left, d.block) : 0;
        packBlock(src, count, min((left + 3) & ~3, d.block), scales, w, d.planes, planeBytes, scratch);
        src += <usize>d.block << 2;
        scales += 32;
        w += <usize>d.block << 3;
      }
    }
  }
}

/** `count` weights of one filter and zeros up to `padded`, with their scale, in every plane. errors: room for padded i32. */
function packBlock(
  src: usize, count: i32, padded: i32, scales: usize, w: usize, planes: i32, planeBytes: usize, errors: usize,
): void {
  const scale = largest(src, count) / 127;
  const factor = splat(inverse(scale));
  for (let plane = 0; plane < planes; plane++) store<f32>(scales + <usize>plane * planeBytes, plane ? scale / 256 : scale);
  let total = i32x4.splat(0);
  for (let k = 0; k < padded; k += 4) {
    let v = k < count ? f32x4.mul(part(src, k, count), factor) : splat(0);
    let error = v;
    let at = w + (<usize>k << 3);
    for (let plane = 0; plane < planes; plane++) {
      const near = f32x4.nearest(v);
      const whole = i32x4.trunc_sat_f32x4_s(near);
      const halves = i16x8.narrow_i32x4_s(whole, whole);
      const bytes = i8x16.max_s(i8x16.narrow_i16x8_s(halves, halves), i8x16.splat(-127));
      v128.store16_lane(at, bytes, 0);
      v128.store16_lane(at + 16, bytes, 1);
      v = f32x4.sub(v, near);
      // In 65536ths of a step, so that their sum is exact; of the outermost, which have no step beyond, none.
      const inside = i32x4.lt_s(i32x4.abs(whole), i32x4.splat(127));
      error = v128.and(i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v, splat(65536)))), inside);
      v = f32x4.mul(v, splat(256));
      at += planeBytes;
    }
    v128.store(errors + (<usize>k << 2), error);
    total = i32x4.add(total, error);
  }
  total = i32x4.add(total, i64x2.shuffle(total, total, 1, 0));
  const sum = i32x4.extract_lane(total, 0) + i32x4.extract_lane(total, 1);
  balance(errors, padded, w + <usize>(planes - 1) * planeBytes, sum);
}

/** Moves the fewest of so many weights by a step, so that their errors sum to half a step at most. */
function balance(errors: usize, count: i32, w: usize, sum: i32): void {
  const by: i32 = sum < 0 ? -1 : 1; // too much was left, or too little
  for (let moves = (abs(sum) + 32768) >> 16; moves > 0; moves--) {
    const sign = i32x4.splat(by);
    let most = i32x4.splat(0);
    for (let k = 0; k < count; k += 4) most = i32x4.max_s(most, i32x4.mul(v128.load(errors + (<usize>k << 2)), sign));
    most = i32x4.max_s(most, i64x2.shuffle(most, most, 1, 0));
    const worst = by * max(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1));
    let k = 0;
    while (load<i32>(errors + (<usize>k << 2)) != worst) k++;
    store<i32>(errors + (<usize>k << 2), 0);
    const at = w + (<usize>(k >> 1) << 4) + <usize>(k & 1);
    store<i8>(at, load<i8>(at) + by);
  }
}
