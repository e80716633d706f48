// Descriptors of kernels of quantised tensors. They hold bytes, channels-last: real = (byte - zero) * scale. What a descriptor is: conv.ts.
//
// What numbers end as, 64 bytes that kernels load as vectors: 1.5 * 2^23 four times, the bits of 1.5 * 2^23 less the zero point
// four times, the least byte and the greatest 16 times.

/** A depthwise convolution: see kernels/int8-depthwise.ts. One work item is a row of outputs. */
@unmanaged export class DepthwiseBytesDesc {
  xPtr: usize;
  wPtr: usize; // packed
  biasPtr: usize; // an int32 a filter
  fitsPtr: usize; // an int32 a block of 8 filters: 1 where its weights fit int8
  scalesPtr: usize; // a float a filter
  endPtr: usize; // 64 bytes
  yPtr: usize;
  height: i32;
  width: i32;
  channels: i32; // C
  multiplier: i32; // M / C
  outH: i32;
  outW: i32;
  kernelH: i32;
  kernelW: i32;
  strideH: i32;
  strideW: i32;
  dilationH: i32;
  dilationW: i32;
  padTop: i32;
  padLeft: i32;
  copyBytes: i32; // of a row of M channels with its padding, in whole cache lines; 0: rows are read where they lie
  emptyBytes: i32; // as much where a window may have rows outside, else 0
  zero: i32; // of the input: what padding holds
  blockBytes: i32; // of weights: 8 filters
  run: i32; // 1: the unrolled kernels do the shape
  flip: i32; // 0x80 where the engine's dot takes bytes as signed, else 0
  ending: i32; // an EndingCode
  lo: f32; // of float32
  hi: f32;
}

/** Weights and bias of a depthwise convolution: whether they fit int8, then packed. One work item is a block of 8 filters. */
@unmanaged export class DepthwiseBytesWeightsDesc {
  srcPtr: usize;
  biasPtr: usize; // int32, or 0
  zerosPtr: usize; // an int32 a filter
  dstPtr: usize;
  dstBiasPtr: usize;
  fitsPtr: usize;
  filterBytes: i32;
  kernelHBytes: i32;
  kernelWBytes: i32;
  filters: i32;
  kernelH: i32;
  kernelW: i32;
  signed: i32; // 1: the weights are int8, 0: uint8
  zero: i32; // of the input
  dotZero: i32; // as the engine's dot sees it
  blockBytes: i32;
  run: i32;
}

/** What the int32 sums of a filter become. */
export const enum EndingCode { uint8, int32, float32 }
