// One descriptor struct per operator: what a plan writes once into linear memory and a kernel reads at its start.
// Every field is four bytes, so the offset of a field is four times its index:
//
//   desc ─▶ | +0 field 0 | +4 field 1 | +8 field 2 | …
//
// scripts/generate.mjs reads this file and writes the same layouts for TypeScript (src/kernels/gen/desc.ts); addresses are
// `usize` and end in Ptr, byte counts end in Bytes, element strides in Stride.

/** C = act(A · B + bias + residual), batched: see gemm.ts. One work item is one row, numbered batch * rows + row. */
@unmanaged export class GemmDesc {
  aPtr: usize; // row r of a batch starts at aPtr + r * aStrideBytes
  bPtr: usize; // packed panels, see pack.ts
  cPtr: usize;
  biasPtr: usize; // cols rounded up to 8 floats: always present, zeros when there is no bias
  residualPtr: usize; // laid out as C, or 0
  blocksPtr: usize; // reduction blocks, see gemm.ts
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
  activation: i32; // code of activation.ts applied after the clamp, 0 for none
  alpha: f32;
  beta: f32;
}

/** Weights [M, C/groups, R, S] to panels: see pack.ts. One work item is one panel, numbered group * panels + panel. */
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

/**
 * Any image to a zero-padded channels-last one, each group's channels padded to a whole number of lanes where wanted:
 *
 *   dst[n][padTop + h][padLeft + w][g][c]   g < groups, c < groupChannelsPadded
 *
 * One work item is one destination row, numbered n * dstH + row.
 */
@unmanaged export class PadImageDesc {
  srcPtr: usize;
  dstPtr: usize;
  channels: i32; // C
  height: i32;
  width: i32;
  srcImageBytes: i32;
  srcRowBytes: i32;
  srcPixelBytes: i32;
  srcChannelBytes: i32; // 4 when the source is channels-last
  dstHeight: i32;
  dstWidth: i32;
  padTop: i32;
  padLeft: i32;
  groups: i32;
  groupChannelsPadded: i32;
}

/** dst[b][j][i] = src[b][i][j]: layout changes between contiguous and channels-last. One item is 4 source rows of a batch. */
@unmanaged export class TransposeDesc {
  srcPtr: usize;
  dstPtr: usize;
  rows: i32;
  cols: i32;
  srcBatchBytes: i32;
  dstBatchBytes: i32;
}

/**
 * A convolution over a channels-last image: every algorithm reads this one struct. Sizes are per group where it says so.
 * The image may be a padded copy (pad_image_f32), so that no tap falls outside of it, or the user's own tensor, with
 * padTop and padLeft telling where taps start; each algorithm says which it takes.
 */
@unmanaged export class ConvDesc {
  xPtr: usize;
  wPtr: usize; // packed as the algorithm wants it
  biasPtr: usize; // groups * (M per group rounded up to 8) floats
  residualPtr: usize; // laid out as y, or 0
  yPtr: usize;
  blocksPtr: usize; // reduction blocks, see gemm.ts
  blockCount: i32;
  batch: i32; // N
  channels: i32; // C per group
  height: i32; // of the image at xPtr
  width: i32;
  xPixelBytes: i32;
  xRowBytes: i32;
  xImageBytes: i32;
  xGroupBytes: i32;
  filters: i32; // M per group
  outH: i32; // P
  outW: i32; // Q
  yPixelBytes: i32;
  groups: i32;
  kernelH: i32; // R
  kernelW: i32; // S
  strideH: i32;
  strideW: i32;
  dilationH: i32;
  dilationW: i32;
  padTop: i32;
  padLeft: i32;
  wGroupBytes: i32;
  biasGroupBytes: i32;
  tileH: i32; // Winograd: m, 1 where that direction has one tap. FFT: log2 of the transform size
  tileW: i32; // Depthwise: most outputs a tile or a run
  tileBlock: i32; // Winograd: tiles a block. FFT: pairs of tiles a block. Depthwise: output rows whose input is copied, or 0
  zerosPtr: usize; // Winograd: a column block of zeros
  twiddlesPtr: usize; // FFT: cos, sin of 2πk/n for k < n, the larger of both sizes
  pointsPtr: usize; // FFT: see conv-fft.ts
  points: i32;
  tileRows: i32; // most rows of a GEMM micro-tile
  colBlock: i32; // Winograd: output channels a block, a multiple of 8
  lo: f32;
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
}

/** A separable block: a ConvDesc of its depthwise half, and the pointwise one. See conv-separable.ts. */
@unmanaged export class SeparableDesc extends ConvDesc {
  pointPtr: usize; // weights in panels
  pointBiasPtr: usize; // filters rounded up to 8 floats
  pointBlocksPtr: usize; // reduction blocks, see gemm.ts
  pointBlockCount: i32;
  pointFilters: i32; // M
  pointLo: f32;
  pointHi: f32;
  pointActivation: i32;
  pointAlpha: f32;
  pointBeta: f32;
  outPtr: usize; // where yPtr is not read
  outResidualPtr: usize; // laid out as the output, or 0
  blockRows: i32; // most output rows between the halves at a time
  depthwiseScratchBytes: i32;
}

/** Weights [M, C/groups, R, S] to Winograd points: see conv-winograd.ts. One work item is one panel of 8 filters of a group. */
@unmanaged export class WinogradWeightsDesc {
  srcPtr: usize;
  dstPtr: usize;
  filters: i32; // M per group
  channels: i32; // C per group
  tileH: i32;
  tileW: i32;
  colBlock: i32; // output channels a block, a multiple of 8
  filterBytes: i32; // source strides
  channelBytes: i32;
  kernelHBytes: i32;
  kernelWBytes: i32;
  dstGroupBytes: i32;
}

/** Weights [M, 1, R, S] to [M / 4][R][S][4], zeros after M. One work item is a block of 4 filters. */
@unmanaged export class DepthwiseWeightsDesc {
  srcPtr: usize;
  dstPtr: usize;
  filters: i32; // M
  kernelH: i32; // R
  kernelW: i32; // S
  filterBytes: i32; // source strides
  kernelHBytes: i32;
  kernelWBytes: i32;
}

/** y = f(x) by element: see activation.ts. One work item is a chunk of 2048 elements. */
@unmanaged export class ActivationDesc {
  xPtr: usize;
  yPtr: usize; // may be xPtr
  count: i32; // elements
  activation: i32;
  alpha: f32;
  beta: f32;
}

/** y = act(a op b), broadcast: see elementwise.ts. One work item is a chunk of a run, or a few short runs. */
@unmanaged export class BinaryDesc {
  aPtr: usize;
  bPtr: usize;
  yPtr: usize; // dense, in the order of the loops
  loopsPtr: usize; // all loops but those of rows and runs, fastest first: | size | a stride in bytes | b stride in bytes |
  operation: i32; // code of elementwise.ts
  cols: i32; // length of an innermost run
  aStepBytes: i32; // stride inside of a run: 4, 0 where one value is repeated, or any other
  bStepBytes: i32;
  rows: i32; // runs of a work item, one after the other in y
  aRowBytes: i32; // from run to run
  bRowBytes: i32;
  chunks: i32; // a run
  chunkCols: i32;
  lo: f32;
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
}

/** Quantised numbers from float32 or back: see quantize.ts. One work item is a chunk of a row. */
@unmanaged export class QuantizeDesc {
  xPtr: usize;
  yPtr: usize;
  scalesPtr: usize; // a float a row, or a row of them
  zerosPtr: usize; // laid out alike; 128 more where the quantised type is int8
  cols: i32; // length of a row
  chunks: i32; // a row
  chunkCols: i32;
  period: i32; // rows until the scales start again; 0: one row of scales for all, a scale a column
  flip: i32; // 0x80 in every byte where the quantised type is int8, else 0
  wide: i32; // 1: the quantised type is int32
  multiply: i32; // quantising: 1 multiplies by the scales, 0 divides
}

/** Softmax over the middle axis of [outer, size, inner]: see softmax.ts. */
@unmanaged export class SoftmaxDesc {
  xPtr: usize;
  yPtr: usize; // may be xPtr
  size: i32;
  inner: i32;
  logarithm: i32; // 1: log of the result
}

/** Windows over a channels-last image: see pool.ts. */
@unmanaged export class PoolDesc {
  xPtr: usize;
  yPtr: usize;
  channels: i32;
  height: i32;
  width: i32;
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
  adaptive: i32; // 1: window p is [floor(p*H/P), ceil((p+1)*H/P))
  countPadding: i32; // 1: the mean divides by the taps inside the padded input
}

/** A channels-last image resampled by separable taps: see resize.ts. One work item is an output row, numbered n * P + p. */
@unmanaged export class ResizeDesc {
  xPtr: usize;
  yPtr: usize;
  rowsPtr: usize; // a table entry an output row, offsets from the image
  columnsPtr: usize; // one an output column, offsets from the row
  rowPairs: i32; // pairs of taps a row; 0: one tap, copied
  columnPairs: i32;
  channels: i32;
  height: i32;
  width: i32;
  outH: i32;
  outW: i32;
}

/** Rows of a contiguous image to one number each: see pool.ts. */
@unmanaged export class GlobalPoolDesc {
  xPtr: usize;
  yPtr: usize;
  length: i32; // H * W
  maximum: i32; // 0: the sum over the divisor
  divisor: f32;
}

/** Per-channel numbers of a batch normalisation, made from its parameters: see batch-norm.ts. One work item is 4 channels. */
@unmanaged export class BatchNormTableDesc {
  meanPtr: usize;
  variancePtr: usize;
  gammaPtr: usize; // or 0
  betaPtr: usize; // or 0
  tablePtr: usize;
  tableBytes: i32; // three times the channels, rounded up to 4
  epsilon: f32;
}

/** y = act((x - center) * scale + shift) by channel: see batch-norm.ts. One work item is a row in memory. */
@unmanaged export class BatchNormDesc {
  xPtr: usize;
  yPtr: usize; // may be xPtr
  tablePtr: usize;
  tableBytes: i32;
  channels: i32;
  inner: i32;
  lo: f32;
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
}

/** Statistics of a batch: see batch-norm.ts. One work item is 4 channels; each address has a float a channel. */
@unmanaged export class BatchStatisticsDesc {
  xPtr: usize;
  oldMeanPtr: usize; // running statistics before this batch; 0: zeros
  oldVariancePtr: usize; // 0: ones
  meanPtr: usize;
  variancePtr: usize;
  newMeanPtr: usize; // may be oldMeanPtr
  newVariancePtr: usize;
  outer: i32;
  channels: i32;
  inner: i32;
  keep: f32; // 1 - momentum
  momentum: f32;
  momentumUnbiased: f32; // momentum * n / (n - 1)
}

/** See local-response-norm.ts. One work item is a pixel (inner = 1) or a block of 16 neighbours of inner. */
@unmanaged export class LocalResponseNormDesc {
  xPtr: usize;
  yPtr: usize;
  channels: i32;
  inner: i32;
  before: i32; // channels of the window before the one at hand
  after: i32;
  scale: f32; // alpha / size
  beta: f32;
  bias: f32;
}

/** Strided copy: see copy.ts. Dimensions from slowest to fastest, strides in bytes; one work item is a block dim6 x dim7. */
@unmanaged export class CopyDesc {
  srcPtr: usize;
  dstPtr: usize;
  elementBytes: i32; // 1, 2, 4 or 8
  dim0: i32;
  dim1: i32;
  dim2: i32;
  dim3: i32;
  dim4: i32;
  dim5: i32;
  dim6: i32;
  dim7: i32;
  srcStride0: i32;
  srcStride1: i32;
  srcStride2: i32;
  srcStride3: i32;
  srcStride4: i32;
  srcStride5: i32;
  srcStride6: i32;
  srcStride7: i32;
  dstStride0: i32;
  dstStride1: i32;
  dstStride2: i32;
  dstStride3: i32;
  dstStride4: i32;
  dstStride5: i32;
  dstStride6: i32;
  dstStride7: i32;
}

/** y = act(x · w^T + bias): see linear.ts. */
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

/** Columns of a transposed convolution to its output: see conv-transpose.ts. */
@unmanaged export class GatherDesc {
  columnsPtr: usize; // [N, H, W][R, S][M]
  biasPtr: usize; // M rounded up to 4 floats
  yPtr: usize; // channels-last
  height: i32; // of the input
  width: i32;
  filters: i32; // M
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
  lo: f32;
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
}

/** Weights [M, C/groups, R, S] to spectra: see conv-fft.ts. One work item is a block of 4 filters of a group. */
@unmanaged export class FftWeightsDesc {
  srcPtr: usize;
  dstPtr: usize;
  twiddlesPtr: usize;
  pointsPtr: usize; // 8 bytes a point, whose place in the tile is the first i32
  points: i32;
  filters: i32; // M per group; all of them when depthwise
  channels: i32; // C per group
  kernelH: i32; // R
  kernelW: i32; // S
  dilationH: i32;
  dilationW: i32;
  tileH: i32; // log2 of the transform size
  tileW: i32;
  filterBytes: i32; // source strides
  channelBytes: i32;
  kernelHBytes: i32;
  kernelWBytes: i32;
  dstGroupBytes: i32;
  dstPairBytes: i32; // from a block of 8 filters to the next
  dstHalfBytes: i32; // from its first 4 filters to the others
  dstChannelBytes: i32;
  dstPointBytes: i32;
  scale: f32; // 1 / points of a tile: neither transform divides
}
