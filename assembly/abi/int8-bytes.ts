// Descriptors of kernels of quantised tensors. They hold bytes, channels-last: real = (byte - zero) * scale. What a descriptor is: conv.ts.
//
// What numbers end as, 96 bytes that kernels load as vectors: 1.5 * 2^23 four times, the bits of 1.5 * 2^23 less the zero point
// four times, the least byte and the greatest 16 times, the least and the greatest float that are rounded four times.

/** A depthwise convolution: see kernels/int8-depthwise.ts. One work item is a row of outputs. */
@unmanaged export class DepthwiseBytesDesc {
  xPtr: usize;
  wPtr: usize; // packed
  biasPtr: usize; // an int32 a filter
  fitsPtr: usize; // an int32 a block of 8 filters: 1 where its weights fit int8
  scalesPtr: usize; // a float a filter
  endPtr: usize; // 96 bytes, of bytes
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
  zeroPtr: usize; // a byte, where a run computes it, or 0
  blockBytes: i32; // of weights: 8 filters
  run: i32; // 1: the unrolled kernels do the shape
  flip: i32; // 0x80 where the engine's dot takes bytes as signed, else 0
  ending: i32; // an EndingCode
  bounded: i32; // 1: bytes have bounds of their own
  lo: f32; // of float32
  hi: f32;
  offsetsPtr: usize; // a float a filter, added to float32, or 0
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

/** Maxima or means over windows: see kernels/int8-pool.ts. One work item is a row of outputs. */
@unmanaged export class PoolBytesDesc {
  xPtr: usize;
  yPtr: usize;
  endPtr: usize; // of means: 96 bytes
  height: i32;
  width: i32;
  channels: i32;
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
  padBottom: i32;
  padRight: i32;
  countPadding: i32; // 1: the divisor counts taps in the padding, too
  zero: i32; // of the input
  scale: f32; // of the input
  divisor: f32; // the output's scale
  offset: f32; // added before rounding
}

/** Means over all pixels: see kernels/int8-pool.ts. One work item is 16 channels of an image. */
@unmanaged export class MeanBytesDesc {
  xPtr: usize;
  yPtr: usize;
  endPtr: usize;
  pixels: i32;
  channels: i32;
  blocks: i32; // of 16 channels
  zeros: i32; // pixels times the zero point
  scale: f32; // the sum less zeros is multiplied by it, then divided by two numbers
  count: f32;
  divisor: f32;
}

/** Of a sum of bytes: (a - aZero) * aFactor + (b - bZero) * bFactor + offset. */
@unmanaged export class SumTerms {
  aZero: i32;
  bZero: i32;
  aFactor: f32;
  bFactor: f32;
  offset: f32;
}

/** a op b by element: see kernels/int8-elements.ts. One work item is a row of y. */
@unmanaged export class BinaryBytesDesc extends SumTerms {
  aPtr: usize;
  bPtr: usize;
  yPtr: usize; // dense; may be an operand that is not repeated
  endPtr: usize;
  count: i32; // of y
  cols: i32; // of a row, of which the last may have fewer
  aPeriod: i32; // rows of y that a row of a serves
  bPeriod: i32;
  bounded: i32; // 1: y has bounds of its own
  product: i32; // 1: the product, of aFactor; 0: the sum
}

/** Bytes moved and changed: see kernels/int8-elements.ts. One work item is a row. */
@unmanaged export class MapBytesDesc {
  xPtr: usize;
  yPtr: usize;
  tablePtr: usize; // 256 bytes; of an affine map the 96 bytes that numbers end as
  count: i32; // of all rows
  cols: i32; // of a row, of which the last may have fewer
  xRowBytes: i32;
  yRowBytes: i32;
  change: i32; // a ChangeCode
  ratio: f32;
  offset: f32;
}

/** What becomes of a byte x: itself, x + 128 modulo 256, table[x], round(x * ratio + offset). */
export const enum ChangeCode { copy, flip, table, affine }

/** Floats from bytes or back: see kernels/int8-edges.ts. One work item is a chunk of the pixels of an image, or of all elements. */
@unmanaged export class EdgeBytesDesc {
  xPtr: usize;
  yPtr: usize;
  endPtr: usize; // of bytes: 96 bytes
  channels: i32; // of an image whose floats are contiguous; 1: floats lie as the bytes do
  pixels: i32;
  chunks: i32; // of the pixels of an image
  chunkPixels: i32;
  zero: i32;
  scale: f32;
}

/** Channels of groups in turn: see kernels/int8-moves.ts. One work item is a row of pixels. */
@unmanaged export class InterleaveBytesDesc {
  xPtr: usize;
  yPtr: usize;
  groupPtr: usize; // the second group, of two
  count: i32; // pixels
  cols: i32; // of a row, of which the last may have fewer
  groups: i32;
  each: i32; // channels of a group that are taken
  xPixelBytes: i32;
  groupPixelBytes: i32; // of the second of two groups
  groupBytes: i32; // from group to group, of others
}

/** An image of bytes of another size: see kernels/int8-moves.ts. One work item is a row of outputs. */
@unmanaged export class ResizeBytesDesc {
  xPtr: usize;
  yPtr: usize;
  endPtr: usize; // of a linear one: 96 bytes
  rowsPtr: usize; // of each output row 16 bytes: byte offsets of two rows, their weights
  columnsPtr: usize;
  channels: i32;
  imageBytes: i32;
  outH: i32;
  outW: i32;
  linear: i32; // 0: the first row and column is copied
  zero: i32; // of the input
  scale: f32;
  divisor: f32; // the output's scale
}
