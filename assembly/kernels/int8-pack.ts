// Weights of quantised layers as products read them: lib/int8.ts. Only plans call this.
import { PackBytesDesc } from "../abi/int8";

/**
 * [M, C/groups, R, S] to panels, and sums of weights times x's zero point off the biases. Weights beyond int8 are i16, or the sum of
 * `planes` of int8, whose segments follow each other. Work items: panels, group after group. No scratch.
 */
export function pack_product_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PackBytesDesc>(desc);
  const panels = (d.cols + 7) >> 3;
  const wide = d.wide, planes = d.planes, taps = d.taps, channels = d.channels;
  const channelBytes = <usize>d.channelBytes, tapBytes = <usize>d.tapBytes;
  // k in twos or fours, and from the last of them to the first of the next: 7 other filters' are between.
  const mask = d.quads ? 3 : 1;
  const size: usize = wide ? 2 : 1;
  const skip = <usize>(7 * (mask + 1)) * size;
  const segmentBytes = <usize>(d.segmentSteps << 3) * size;
  const planeBytes = <usize>d.segments * segmentBytes;
  const panelBytes = planeBytes * <usize>planes;
  const flip = d.signed ? 0x80 : 0; // a byte whose sign bit is turned is 128 more
  for (let item = begin; item < end; item++) {
    const group = item / panels;
    const first = (item - group * panels) << 3;
    const dst = d.dstPtr + <usize>item * panelBytes;
    memory.fill(dst, 0, panelBytes);
    for (let n = 0; n < 8 && first + n < d.cols; n++) {
      const lane = <usize>(item * 8 + n) << 2;
      const zero = load<i32>(d.zerosPtr + lane) + flip;
      const src = d.srcPtr + <usize>group * <usize>d.groupBytes + <usize>(first + n) * <usize>d.colBytes;
      let sum = 0;
      for (let s = 0; s < d.segments; s++) {
        const row = s / d.rowSegments;
        const from = src + <usize>row * <usize>d.segmentRowBytes + <usize>(s - row * d.rowSegments) * <usize>d.segmentBytes;
        let to = dst + <usize>s * segmentBytes + <usize>(n * (mask + 1)) * size;
        let k = 0;
        for (let tap = 0; tap < taps; tap++) {
          let at = from + <usize>tap * tapBytes;
          for (let channel = 0; channel < channels; channel++) {
            let v = (<i32>load<u8>(at) ^ flip) - zero;
            at += channelBytes;
            sum += v;
            if (wide) store<i16>(to, <i16>v);
            else {
              let plane = to;
              for (let p = 0; p < planes; p++) {
                const part = max(min(v, 127), -128);
                store<i8>(plane, <i8>part);
                v -= part;
                plane += planeBytes;
              }
            }
            to += size;
            if ((++k & mask) == 0) to += skip;
          }
        }
      }
      const bias = d.biasPtr + lane;
      store<i32>(bias, load<i32>(bias) - d.xZero * sum);
    }
  }
}
