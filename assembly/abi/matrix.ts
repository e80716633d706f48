// Descriptors of matrix products. What a descriptor is: conv.ts.

/**
 * How a sum ends, as descriptors have it from `lo` on: a clamp, then an activation. Who has slopes by channel has them as far
 * behind each group's bias.
 */
@unmanaged export class Epilogue {
  lo: f32; // the clamp of relu, relu6 and clip; -inf and inf when there is none
  hi: f32;
  activation: i32; // an ActivationCode applied after the clamp, 0 for none
  alpha: f32;
  beta: f32;
  slopeBytes: i32; // from a bias to the slope that leakyRelu has in alpha's place; 0 where it has alpha
}

/**
 * Rows of A, and of C, that lie evenly apart, in the scratch of who multiplies: see lib/gemm.ts. Below `listPtr` is what
 * gemmRuns makes of them for a reduction block.
 */
@unmanaged export class GemmRun {
  rows: i32;
  aBytes: i32; // from where A is to the first row
  aStepBytes: i32;
  cBytes: i32;
  cStepBytes: i32;
  top: i32; // segments of the reduction that lie inside: from here
  bottom: i32; // to before this one
  left: i32; // and of each of them bytes from here
  right: i32; // to before this one
  listPtr: usize; // offsets of segments
  listEndPtr: usize;
  firstPtr: usize; // the first row
  bytes: i32; // of a segment
  skipBytes: i32; // of the panel, between segments
  panelBytes: i32; // and before the first
}

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
  lo: f32; // from here on an Epilogue
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
  slopeBytes: i32;
}

/**
 * y = softmax(scale q k^T + masks) v by row: see kernels/attention.ts. One work item is a block of rows of one of outer * inner heads,
 * which lie in two loops.
 */
@unmanaged export class AttentionDesc {
  qPtr: usize;
  kPtr: usize; // panels of every head's k^T, kBytes a head
  vPtr: usize; // panels of every head's v, vBytes a head
  yPtr: usize;
  zerosPtr: usize; // as many as the longer of keys and cols, rounded up to 8
  kBlocksPtr: usize; // reduction blocks over depth
  vBlocksPtr: usize; // and over keys
  kBlockCount: i32;
  vBlockCount: i32;
  inner: i32;
  rows: i32;
  keys: i32;
  cols: i32; // of v and y
  blockRows: i32; // at most ATTENTION_ROWS
  qOuterBytes: i32;
  qInnerBytes: i32;
  qStrideBytes: i32;
  yOuterBytes: i32;
  yInnerBytes: i32;
  yStrideBytes: i32;
  kBytes: i32;
  vBytes: i32;
  mask0Ptr: usize; // or 0; strides of 0 repeat what is there
  mask0OuterBytes: i32;
  mask0InnerBytes: i32;
  mask0StrideBytes: i32;
  mask1Ptr: usize; // or 0
  mask1OuterBytes: i32;
  mask1InnerBytes: i32;
  mask1StrideBytes: i32;
  tileRows: i32;
  scale: f32;
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
  lo: f32; // from here on an Epilogue
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
  slopeBytes: i32;
}
