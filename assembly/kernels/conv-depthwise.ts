// Depthwise convolution: see lib/depthwise.ts.
import { DepthwiseDesc, DepthwiseWeightsDesc } from "../abi/conv";
import { depthwise } from "../lib/depthwise";

/** Plan time, from weights [M, 1, R, S]. Work items: blocks of 4 filters. */
export function depthwise_weights_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<DepthwiseWeightsDesc>(desc);
  let dst = d.dstPtr + <usize>(begin * d.kernelH * d.kernelW) * 16;
  for (let block = begin; block < end; block++) {
    for (let r = 0; r < d.kernelH; r++) {
      for (let s = 0; s < d.kernelW; s++) {
        for (let m = block << 2; m < (block + 1) << 2; m++) {
          const src = d.srcPtr + <usize>m * <usize>d.filterBytes + <usize>(r * d.kernelHBytes + s * d.kernelWBytes);
          f32.store(dst, m < d.filters ? f32.load(src) : 0);
          dst += 4;
        }
      }
    }
  }
}

/** Work items: output rows, numbered n * P + p. Scratch: as lib/depthwise.ts says. */
export function conv2d_depthwise_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  depthwise(changetype<DepthwiseDesc>(desc), begin, end, scratch);
}
