// Descriptors of kernels of bytes whose scale and zero point a run computes. See int8-bytes.ts.

/** The least and the greatest of chunks: see kernels/int8-dynamic.ts. One work item is a chunk. */
@unmanaged export class RangeDesc {
  xPtr: usize;
  yPtr: usize; // two floats a chunk
  count: i32;
  cols: i32; // of a chunk, of which the last may have fewer
}

/** Floats to bytes by their range, and its scale and zero point. One work item is a chunk. */
@unmanaged export class QuantizeBytesDesc {
  xPtr: usize;
  rangesPtr: usize; // what RangeDesc answers
  yPtr: usize;
  scalePtr: usize; // a float
  zeroPtr: usize; // a byte
  count: i32;
  cols: i32; // of a chunk, of which the last may have fewer
  chunks: i32;
}

/** Biases of a zero point, and factors of a scale, that a run computes. One work item is a panel of 8 filters. */
@unmanaged export class FactorsDesc {
  zeroPtr: usize; // a byte
  scalePtr: usize; // a float, or 0
  sumsPtr: usize; // int32: sums of weights by filter
  weightScalesPtr: usize; // float32 by filter; where scalePtr is not 0
  biasPtr: usize; // int32 by filter
  factorsPtr: usize; // float32 by filter
  zero: i32; // what bytes are lower as they are multiplied
}
