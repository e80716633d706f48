// Descriptors of kernels of bytes: quantised layers. See conv.ts.

/** An image with a border of zero points: see kernels/int8-pad.ts. */
@unmanaged export class PadBytesDesc {
  srcPtr: usize; // uint8 [N, H, W, C]
  dstPtr: usize;
  rowBytes: i32; // W * C
  height: i32;
  dstHeight: i32;
  padTop: i32;
  leftBytes: i32; // of the border, in bytes of the source
  rightBytes: i32;
  zero: i32;
  flip: i32; // 0x80 where the copy is int8, else 0
  wide: i32; // 1: i16, the zero point subtracted
}

/** Outputs of a work item of linear_int8. */
export const BYTE_WEIGHTS_BLOCK: i32 = 32;

/** y = act(x · w^T + bias), weights in int8, rows of x in int16: see kernels/int8-weights.ts. */
@unmanaged export class ByteWeightsDesc {
  xPtr: usize; // [N, K] of float32 while rows are made whole numbers, of int16 [N, roundUp(K, 4)] then
  xScalesPtr: usize; // [N, blocks]
  wPtr: usize; // panels
  biasPtr: usize; // M rounded up to 8 floats
  yPtr: usize; // [N, M]; of int16 while rows are made whole numbers
  rows: i32; // N
  length: i32; // K
  filters: i32; // M
  block: i32; // elements of K that have a scale, a multiple of 4
  planes: i32;
  lo: f32;
  hi: f32;
}

/** Weights [M, K] of float32 to panels of int8: see kernels/int8-weights.ts. One work item is one panel. */
@unmanaged export class PackByteWeightsDesc {
  srcPtr: usize;
  dstPtr: usize;
  length: i32;
  filters: i32;
  block: i32;
  planes: i32;
}
