// Attention: y = softmax(scale q k^T + mask0 + mask1) v, head by head.
//
//   q [rows, depth] ─▶ scores [a block of rows, keys] ─▶ e^(score - max), their sum ─▶ y [rows, cols] / sum
//                        ▲ k^T in panels                                               ▲ v in panels
//
// Scores of a block of rows are all that there is at a time: they stay in L1 or L2 from the first product to the last, and are never
// divided, since y has fewer columns than there are keys. q, y and the masks lie as what comes before and after has them, at any
// distance from row to row and from head to head, so that nothing is transposed or cut; k and v are packed as they lie (kernels/pack.ts).
// Sources: Vaswani et al. (2017); Milakov and Gimelshein (2018); Rabe and Staats (2021).
import { ATTENTION_ROWS, ATTENTION_RUN_BYTES } from "../abi/constants";
import { AttentionDesc, GemmRun } from "../abi/matrix";
import { evenRun, gemmRuns } from "../lib/gemm";
import { vanishing } from "../lib/math";
import { hmax, hsum, maxOf, splat, storeLanes } from "../lib/simd";

if (<i32>offsetof<GemmRun>() > ATTENTION_RUN_BYTES) ERROR("ATTENTION_RUN_BYTES expected room for a GemmRun");

/** `keys` scores, padded to whole vectors, become e^(score * scale + masks - max); answers their sum. */
function exponentials(scores: usize, keys: i32, scale: f32, mask0: usize, mask1: usize): f32 {
  const bytes = <usize>((keys + 3) & ~3) << 2;
  const last = bytes - 16;
  const factor = splat(scale);
  const inside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(keys - <i32>(last >> 2)));
  let max = splat(-Infinity);
  for (let i: usize = 0; i < bytes; i += 16) {
    let v = f32x4.mul(v128.load(scores + i), factor);
    if (mask0) v = f32x4.add(v, v128.load(mask0 + i));
    if (mask1) v = f32x4.add(v, v128.load(mask1 + i));
    if (i == last) v = v128.bitselect(v, splat(-Infinity), inside);
    v128.store(scores + i, v);
    max = maxOf(v, max);
  }
  max = splat(hmax(max));
  let sum = splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const e = vanishing(f32x4.sub(max, v128.load(scores + i)));
    v128.store(scores + i, e);
    sum = f32x4.add(sum, e);
  }
  return hsum(sum);
}

/** Where a head's rows of a mask begin, or 0. */
@inline function maskAt(ptr: usize, outer: i32, outerBytes: i32, inner: i32, innerBytes: i32): usize {
  return ptr ? ptr + <usize>outer * <usize>outerBytes + <usize>inner * <usize>innerBytes : 0;
}

/** Work items: blocks of rows, numbered head * blocks + block. Scratch: a GemmRun in ATTENTION_RUN_BYTES, then the scores. */
export function attention_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<AttentionDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.rows > 0 && d.keys > 0 && d.cols > 0 && d.blockRows > 0 && d.blockRows <= ATTENTION_ROWS);
  const blocks = (d.rows + d.blockRows - 1) / d.blockRows;
  const stride = <usize>((d.keys + 3) & ~3) << 2;
  const runEnd = scratch + offsetof<GemmRun>();
  const scores = scratch + ATTENTION_RUN_BYTES;
  for (let item = begin; item < end; item++) {
    const head = item / blocks;
    const outer = head / d.inner;
    const inner = head - outer * d.inner;
    const row = (item - head * blocks) * d.blockRows;
    const count = d.rows - row < d.blockRows ? d.rows - row : d.blockRows;
    const q = d.qPtr + <usize>outer * <usize>d.qOuterBytes + <usize>inner * <usize>d.qInnerBytes + <usize>row * <usize>d.qStrideBytes;
    evenRun(scratch, count, 0, <usize>d.qStrideBytes, 0, stride);
    gemmRuns(
      scratch, runEnd, 0, q, d.kBlocksPtr, d.kBlockCount, d.kPtr + <usize>head * <usize>d.kBytes, d.keys, scores, d.zerosPtr, 0, 0,
      d.tileRows,
    );
    const mask0 = maskAt(d.mask0Ptr, outer, d.mask0OuterBytes, inner, d.mask0InnerBytes);
    const mask1 = maskAt(d.mask1Ptr, outer, d.mask1OuterBytes, inner, d.mask1InnerBytes);
    const sums = scores + <usize>count * stride;
    for (let i = 0; i < count; i++) {
      const at = <usize>(row + i);
      const sum = exponentials(
        scores + <usize>i * stride, d.keys, d.scale,
        mask0 ? mask0 + at * <usize>d.mask0StrideBytes : 0, mask1 ? mask1 + at * <usize>d.mask1StrideBytes : 0,
      );
      store<f32>(sums + (<usize>i << 2), sum);
    }
    let y = d.yPtr + <usize>outer * <usize>d.yOuterBytes + <usize>inner * <usize>d.yInnerBytes + <usize>row * <usize>d.yStrideBytes;
    evenRun(scratch, count, 0, stride, 0, <usize>d.yStrideBytes);
    gemmRuns(
      scratch, runEnd, 0, scores, d.vBlocksPtr, d.vBlockCount, d.vPtr + <usize>head * <usize>d.vBytes, d.cols, y, d.zerosPtr, 0, 0,
      d.tileRows,
    );
    for (let i = 0; i < count; i++) {
      const sum = splat(load<f32>(sums + (<usize>i << 2)));
      for (let col = 0; col < d.cols; col += 4) {
        const at = y + (<usize>col << 2);
        storeLanes(at, f32x4.div(v128.load(at), sum), d.cols - col);
      }
      y += d.yStrideBytes;
    }
  }
}
