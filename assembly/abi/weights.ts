// Descriptors of layers of float32 on weights of 8 bits. See conv.ts.

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
