// Descriptors of matrix products. What a descriptor is: conv.ts.

/** C = act(A · B + bias + residual), batched: see lib/gemm.ts. One work item is one row, numbered batch * rows + row. */
@unmanaged export class GemmDesc {
  aPtr: usize; // row r of a batch starts at aPtr + r * aStrideBytes
  bPtr: usize; // packed panels, see kernels/pack.ts
  cPtr: usize;
  biasPtr: usize; // cols rounded up to 8 floats: always present, zeros when there is no bias
  residualPtr: usize; // laid out as C, or 0
  blocksPtr: usize; // reduction blocks, see lib/gemm.ts
  blockCount: i32;
  rows: i32;
  cols: i32;
  aStrideBytes: i32;
  cStrideBytes: i32;
  aBatchBytes: i32;
  bBatchBytes: i32;
  biasBatchBytes: i32;
  cBatchBytes: i32;
  tileRows: i32; // most rows of a micro-tile
  lo: f32; // the clamp of relu, relu6 and clip; -inf and inf when there is none
  hi: f32;
  activation: i32; // an ActivationCode applied after the clamp, 0 for none
  alpha: f32;
  beta: f32;
}

/** Weights [M, C/groups, R, S] to panels: see kernels/pack.ts. One work item is one panel, numbered group * panels + panel. */
@unmanaged export class PackDesc {
  srcPtr: usize;
  dstPtr: usize;
  blocksPtr: usize;
  blockCount: i32;
  cols: i32; // M per group
  channels: i32; // C per group
  kernelW: i32; // S
  colBytes: i32; // source stride of m
  channelBytes: i32; // source stride of c
  kernelHBytes: i32; // source stride of r
  kernelWBytes: i32; // source stride of s
  srcGroupBytes: i32;
  dstGroupBytes: i32;
}

/** y = act(x · w^T + bias): see kernels/linear.ts. */
@unmanaged export class LinearDesc {
  xPtr: usize; // [N, K]
  wPtr: usize; // [M, K], or panels [M/8][K][8]
  biasPtr: usize; // M rounded up to 8 floats
  yPtr: usize; // [N, M]
  rows: i32; // N
  length: i32; // K
  filters: i32; // M
  lo: f32;
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
}
