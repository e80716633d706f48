// Weights of quantised layers as products read them: lib/int8.ts. Only plans call this.
import { PackBytesDesc } from "../abi/int8";

/** A weight less its zero point. */
@inline function weightAt(d: PackBytesDesc, at: usize, zero: i32): i32 {
  return (d.signed ? <i32>load<i8>(at) : <i32>load<u8>(at)) - zero;
}

/**
 * [M, C/groups, R, S] to panels, and sums of weights times x's zero point off the biases. Weights beyond int8 are i16, or the sum of
 * `planes` of int8, whose segments follow each other. Work items: panels, group after group. No scratch.
 */
export function pack_product_q8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PackBytesDesc>(desc);
  const panels = (d.cols + 7) >> 3;
  const unitShift = d.quads ? 2 : 1;
  const unit = (1 << unitShift) - 1;
  const steps = d.segments * d.segmentSteps;
  const panelBytes = <usize>(steps * d.planes) << (d.wide ? 4 : 3);
  const length = d.taps * d.channels;
  for (let item = begin; item < end; item++) {
    const group = item / panels;
    const first = (item - group * panels) << 3;
    const dst = d.dstPtr + <usize>item * panelBytes;
    memory.fill(dst, 0, panelBytes);
    for (let n = 0; n < 8 && first + n < d.cols; n++) {
      const lane = <usize>(item * 8 + n) << 2;
      const zero = load<i32>(d.zerosPtr + lane);
      const src = d.srcPtr + <usize>group * <usize>d.groupBytes + <usize>(first + n) * <usize>d.colBytes;
      let sum = 0;
      for (let s = 0; s < d.segments; s++) {
        const row = s / d.rowSegments;
        const from = src + <usize>row * <usize>d.segmentRowBytes + <usize>(s - row * d.rowSegments) * <usize>d.segmentBytes;
        let tap = 0, channel = 0;
        for (let k = 0; k < length; k++) {
          let v = weightAt(d, from + <usize>(tap * d.tapBytes + channel * d.channelBytes), zero);
          sum += v;
          const at = s * d.segmentSteps + k;
          const place = (((at >> unitShift) << 3) + n << unitShift) + (at & unit);
          if (d.wide) store<i16>(dst + (<usize>place << 1), <i16>v);
          else {
            for (let p = 0; p < d.planes; p++) {
              const part = max(min(v, 127), -128);
              store<i8>(dst + <usize>(place + (p * steps << 3)), <i8>part);
              v -= part;
            }
          }
          if (++channel == d.channels) {
            channel = 0;
            tap++;
          }
        }
      }
      const bias = d.biasPtr + lane;
      store<i32>(bias, load<i32>(bias) - d.xZero * sum);
    }
  }
}
