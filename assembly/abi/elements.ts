// Descriptors of what is computed by element, channel or line. What a descriptor is: conv.ts.

/** y = f(x) by element: see lib/activate.ts. One work item is CHUNK elements. */
@unmanaged export class ActivationDesc {
  xPtr: usize;
  yPtr: usize; // may be xPtr
  count: i32; // elements
  activation: i32;
  alpha: f32;
  beta: f32;
}

/** y = act(a op b), broadcast: see kernels/elementwise.ts. One work item is a chunk of a run, or a few short runs. */
@unmanaged export class BinaryDesc {
  aPtr: usize;
  bPtr: usize;
  yPtr: usize; // dense, in the order of the loops
  loopsPtr: usize; // all loops but those of rows and runs, fastest first: | size | a stride in bytes | b stride in bytes |
  operation: i32; // a BinaryCode
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

/** Quantised numbers from float32 or back: see kernels/quantize.ts. One work item is a chunk of a row. */
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
  offset: f32; // added to the real number, in units of the quantum where it is quantised: before it is rounded
}

/** Softmax over the middle axis of [outer, size, inner]: see kernels/softmax.ts. */
@unmanaged export class SoftmaxDesc {
  xPtr: usize;
  yPtr: usize; // may be xPtr
  size: i32;
  inner: i32;
  logarithm: i32; // 1: log of the result
}

/** Per-channel numbers of a batch normalisation, made from its parameters: see kernels/batch-norm.ts. One work item is 4 channels. */
@unmanaged export class BatchNormTableDesc {
  meanPtr: usize;
  variancePtr: usize;
  gammaPtr: usize; // or 0
  betaPtr: usize; // or 0
  tablePtr: usize;
  tableBytes: i32; // three times the channels, rounded up to 4
  epsilon: f32;
}

/** y = act((x - center) * scale + shift) by channel: see kernels/batch-norm.ts. One work item is a row in memory. */
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

/** Statistics of a batch: see kernels/batch-norm.ts. One work item is 4 channels; each address has a float a channel. */
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

/** See kernels/local-response-norm.ts. One work item is a pixel (inner = 1) or NEIGHBOURS of inner. */
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

/** Lines of mean 0 and variance 1, scaled and shifted: see kernels/normalise.ts. One work item is a line. */
@unmanaged export class NormaliseDesc {
  xPtr: usize;
  yPtr: usize; // may be xPtr
  gammaPtr: usize; // length / inner factors a line, `period` lines; or 0
  betaPtr: usize; // laid out alike, or 0
  length: i32;
  inner: i32;
  period: i32;
  centered: i32; // 0: the mean counts as 0
  epsilon: f32;
}
