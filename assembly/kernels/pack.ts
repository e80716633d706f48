// Layout changes: weights to GEMM panels, images to padded channels-last, and plain transposition.
import { PadImageDesc, TransposeDesc } from "../abi/image";
import { PackDesc } from "../abi/matrix";
import { copyFloats, transposeBlock } from "../lib/layout";

// A panel holds 8 columns of B for one reduction block, k by k; panels follow each other, then the next block's:
//
//   block 0: | panel 0: k0 n0..n7, k1 n0..n7, … | panel 1: k0 n8..n15, … | … || block 1: …
//
// k runs over (r, s, c), c fastest, as the taps of a channels-last patch lie in memory. Missing columns are zero.

/** Rows of `count` columns, 8 for a whole panel, from taps whose channels lie channelBytes apart. */
function packRun(out: usize, from: usize, channels: i32, colBytes: usize, channelBytes: usize, count: i32): void {
  if (count == 8 && channelBytes == 4) {
    transposeBlock(out, 32, from, colBytes, 8, channels);
    return;
  }
  do {
    let col = from;
    if (count == 8 && colBytes == 4) {
      v128.store(out, v128.load(col));
      v128.store(out, v128.load(col, 16), 16);
    } else if (count == 8) {
      let low = v128.load32_zero(col), high = v128.load32_zero(col + (colBytes << 2));
      col += colBytes;
      low = v128.load_lane<f32>(col, low, 1), high = v128.load_lane<f32>(col + (colBytes << 2), high, 1);
      col += colBytes;
      low = v128.load_lane<f32>(col, low, 2), high = v128.load_lane<f32>(col + (colBytes << 2), high, 2);
      col += colBytes;
      low = v128.load_lane<f32>(col, low, 3), high = v128.load_lane<f32>(col + (colBytes << 2), high, 3);
      v128.store(out, low);
      v128.store(out, high, 16);
    } else {
      for (let n = 0; n < 8; n++) {
        f32.store(out + (<usize>n << 2), n < count ? f32.load(col) : 0);
        col += colBytes;
      }
    }
    from += channelBytes;
    out += 32;
  } while (--channels);
}

/** Work items: panels, numbered group * panels + panel. */
export function pack_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PackDesc>(desc);
  const panels = (d.cols + 7) >> 3;
  for (let item = begin; item < end; item++) {
    const group = item / panels;
    const panel = item - group * panels;
    const col = panel << 3;
    const count = d.cols - col < 8 ? d.cols - col : 8;
    const src = d.srcPtr + <usize>group * <usize>d.srcGroupBytes + <usize>col * <usize>d.colBytes;
    let dst = d.dstPtr + <usize>group * <usize>d.dstGroupBytes;
    let r = 0, s = 0, c = 0;
    for (let i = 0; i < d.blockCount; i++) {
      const panelBytes = <usize>load<u32>(d.blocksPtr + (<usize>i << 4), 12);
      let out = dst + <usize>panel * panelBytes;
      for (let rest = <i32>(panelBytes >> 5); rest > 0;) {
        const run = d.channels - c < rest ? d.channels - c : rest; // of one tap
        const from = src + <usize>(r * d.kernelHBytes + s * d.kernelWBytes) + <usize>c * <usize>d.channelBytes;
        packRun(out, from, run, <usize>d.colBytes, <usize>d.channelBytes, count);
        out += <usize>run << 5;
        rest -= run;
        c += run;
        if (c < d.channels) break;
        c = 0;
        if (++s == d.kernelW) {
          s = 0;
          r++;
        }
      }
      dst += <usize>panels * panelBytes;
    }
  }
}

/** The same of one matrix that lies as B does: column by column colBytes = 4, k by k channelBytes. Work items: its rows, k. */
export function pack_rows_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PackDesc>(desc);
  const panels = (d.cols + 7) >> 3;
  let dst = d.dstPtr;
  let first = 0; // row of the block
  for (let i = 0; i < d.blockCount; i++) {
    const panelBytes = <usize>load<u32>(d.blocksPtr + (<usize>i << 4), 12);
    const length = <i32>(panelBytes >> 5);
    const from = begin > first ? begin - first : 0;
    const to = end - first < length ? end - first : length;
    if (from < to) {
      let src = d.srcPtr + <usize>(first + from) * <usize>d.channelBytes;
      let out = dst + (<usize>from << 5);
      for (let col = 0; col < d.cols; col += 8) {
        packRun(out, src, to - from, 4, <usize>d.channelBytes, d.cols - col < 8 ? d.cols - col : 8);
        src += 32;
        out += panelBytes;
      }
    }
    dst += <usize>panels * panelBytes;
    first += length;
  }
}

/** Work items: blocks of 4 source rows, numbered batch * ceil(rows / 4) + block. */
export function transpose_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<TransposeDesc>(desc);
  const perBatch = (d.rows + 3) >> 2;
  const srcStride = <usize>d.cols << 2;
  const dstStride = <usize>d.rows << 2;
  while (begin < end) {
    const batch = begin / perBatch;
    const row = (begin - batch * perBatch) << 2;
    let last = row + ((end - begin) << 2);
    if (last > d.rows) last = d.rows;
    transposeBlock(
      d.dstPtr + <usize>batch * <usize>d.dstBatchBytes + (<usize>row << 2), dstStride,
      d.srcPtr + <usize>batch * <usize>d.srcBatchBytes + <usize>row * srcStride, srcStride, last - row, d.cols,
    );
    begin += (last - row + 3) >> 2;
  }
}

/** Work items: destination rows, numbered n * dstHeight + row. */
export function pad_image_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PadImageDesc>(desc);
  const perGroup = d.channels / d.groups;
  const groupBytes = <usize>d.groupChannelsPadded << 2;
  const pixelBytes = groupBytes * <usize>d.groups;
  const rowBytes = pixelBytes * <usize>d.dstWidth;
  const whole = perGroup == d.groupChannelsPadded; // no gaps between groups
  const channelsLast = d.srcChannelBytes == 4;
  for (let item = begin; item < end; item++) {
    const n = item / d.dstHeight;
    const h = item - n * d.dstHeight - d.padTop;
    const row = d.dstPtr + <usize>item * rowBytes;
    if (h < 0 || h >= d.height) {
      memory.fill(row, 0, rowBytes);
      continue;
    }
    const src = d.srcPtr + <usize>n * <usize>d.srcImageBytes + <usize>h * <usize>d.srcRowBytes;
    let dst = row + <usize>d.padLeft * pixelBytes;
    const dataBytes = <usize>d.width * pixelBytes;
    memory.fill(row, 0, dst - row);
    memory.fill(dst + dataBytes, 0, rowBytes - dataBytes - (dst - row));
    if (!whole) memory.fill(dst, 0, dataBytes);
    if (channelsLast && whole) {
      memory.copy(dst, src, dataBytes);
    } else if (channelsLast) {
      for (let w = 0; w < d.width; w++) {
        let from = src + <usize>w * <usize>d.srcPixelBytes;
        for (let g = 0; g < d.groups; g++) {
          copyFloats(dst, from, <usize>perGroup << 2);
          dst += groupBytes;
          from += <usize>perGroup << 2;
        }
      }
    } else {
      for (let g = 0; g < d.groups; g++) {
        transposeBlock(dst, pixelBytes, src + <usize>(g * perGroup) * <usize>d.srcChannelBytes, <usize>d.srcChannelBytes, perGroup, d.width);
        dst += groupBytes;
      }
    }
  }
}
