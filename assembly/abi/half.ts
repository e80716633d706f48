// Descriptors of layers of float32 on weights of 16 bits. See conv.ts.

/** y = act(x · w^T + bias), weights in float16: see kernels/half-weights.ts. */
@unmanaged export class HalfWeightsDesc {
  xPtr: usize; // [N, K] of float32 while rows are scaled; then as linear_f16 reads them
  xScalesPtr: usize; // [N]: what a row's sums are multiplied by
  wPtr: usize; // panels
  biasPtr: usize; // M rounded up to 8 floats
  yPtr: usize; // [N, M]; scaled rows while these are made
  rows: i32; // N
  length: i32; // K
  filters: i32; // M
  lanes: i32; // 1: lanes are elements of K, 0: filters
  mask: i32; // HALF_MASK
  factor: f32; // what a weight's bits as those of a float32 are multiplied by
  lo: f32;
  hi: f32;
}

/** Weights [M, K] of float32 to panels of float16: see kernels/half-weights.ts. One work item is one panel. */
@unmanaged export class PackHalfWeightsDesc {
  srcPtr: usize;
  dstPtr: usize;
  length: i32;
  filters: i32;
  lanes: i32;
  scale: f32; // a power of two
}

/** Panels of float16, lanes filters, to panels of float32 as gemm_f32 reads them. One work item is one panel. */
@unmanaged export class WidenDesc {
  srcPtr: usize;
  dstPtr: usize;
  panels: i32;
  length: i32;
  block: i32; // elements of K of a reduction block, even
  mask: i32;
  factor: f32;
}
