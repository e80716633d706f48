// Descriptors of kernels that few networks have. What a descriptor is: conv.ts.

/** Element types of typed kernels; their sizes are in src/onnx/layers/typed.ts. */
export const enum ElementCode {
  float32,
  int32,
  int64,
  uint8, // and bool
  int8,
}

/** What kernels/typed.ts computes of two operands. Comparisons answer a byte, 0 or 1. */
export const enum TypedCode {
  Equal,
  Less,
  LessOrEqual,
  And,
  Or,
  Xor,
  Add,
  Sub,
  Mul,
  Div, // of whole numbers towards zero, 0 where the divisor is
  Mod, // with the sign of the divisor
  Fmod, // with the sign of the dividend
  Max,
  Min,
  Pow,
  Where, // of three: a where the condition is not 0, else b
}

/** y = a op b, broadcast: see kernels/typed.ts. One work item is a chunk of a run, or a few short runs. */
@unmanaged export class TypedDesc {
  aPtr: usize;
  bPtr: usize;
  cPtr: usize; // the condition of Where; else any address
  yPtr: usize; // dense, in the order of the loops
  loopsPtr: usize; // all loops but those of rows and runs, fastest first: | size | a stride | b stride | c stride |, in bytes
  operation: i32; // a TypedCode
  type: i32; // an ElementCode, of a and b
  cols: i32; // length of an innermost run
  aStepBytes: i32; // inside of a run
  bStepBytes: i32;
  cStepBytes: i32;
  rows: i32; // runs of a work item, one after the other in y
  aRowBytes: i32; // from run to run
  bRowBytes: i32;
  cRowBytes: i32;
  chunks: i32; // a run
  chunkCols: i32;
}

/** Elements of one type as another: see kernels/convert.ts. One work item is CHUNK elements. */
@unmanaged export class ConvertDesc {
  xPtr: usize;
  yPtr: usize;
  count: i32;
  from: i32; // an ElementCode
  to: i32;
  isBool: i32; // 1: to is whether it is not 0
}

/** What kernels/along.ts computes along the middle axis of [outer, size, inner]. */
export const enum AlongCode {
  product, // y [outer, inner]
  sums, // running sums: y as x
  argument, // the place of the largest or smallest: y [outer, inner] of int64
}

/** See kernels/along.ts. One work item is a row (inner = 1), or 4 columns. */
@unmanaged export class AlongDesc {
  xPtr: usize;
  yPtr: usize;
  operation: i32; // an AlongCode
  size: i32;
  inner: i32;
  isReverse: i32; // of sums: from the end; of places: the smallest
  isOther: i32; // of sums: without the element itself; of places: the last of several
}

/** Maxima over windows with their places: see kernels/pool-places.ts. One work item is a plane. */
@unmanaged export class PoolPlacesDesc {
  xPtr: usize;
  yPtr: usize;
  placesPtr: usize; // int64: in x
  depth: i32;
  height: i32;
  width: i32;
  outD: i32;
  outH: i32;
  outW: i32;
  kernelD: i32;
  kernelH: i32;
  kernelW: i32;
  strideD: i32;
  strideH: i32;
  strideW: i32;
  dilationD: i32;
  dilationH: i32;
  dilationW: i32;
  padFront: i32;
  padTop: i32;
  padLeft: i32;
}

/** What kernels/function.ts computes of one, by the names of ONNX. */
export const enum FunctionCode {
  Softplus,
  Mish,
  Shrink, // alpha: bias, beta: lambd
  ThresholdedRelu, // alpha
}

/** How kernels/sample.ts finds its places. */
export const enum SampleCode {
  grid, // one place an output, from -1 to 1: [N, outs, 2], x first
  boxes, // the places of a bin of a box: [R, 4]
  offsets, // one place an output, and how far off it is: [N, groups, taps, 2, outs], y first
}

/** Between which elements a place lies, as GridSample calls it. */
export const enum SampleMode {
  nearest,
  linear,
  cubic,
}

/** What lies outside of an image, as GridSample calls it. */
export const enum SamplePadding {
  zeros,
  border,
  reflection,
}

/** Images sampled at fractional places: see kernels/sample.ts. One work item is a place (a bin) of `channels` outputs. */
@unmanaged export class SampleDesc {
  xPtr: usize; // channels-last
  yPtr: usize; // [items, channels]
  placesPtr: usize;
  morePtr: usize; // of boxes: int32 [R], whose image; of offsets: factors [N, groups, taps, outs]
  kind: i32; // a SampleCode
  mode: i32; // a SampleMode
  padding: i32; // a SamplePadding
  isAligned: i32; // of a grid: -1 and 1 are the middle of the outermost elements, not their far edges
  channels: i32;
  pixelBytes: i32;
  height: i32;
  width: i32;
  outH: i32; // of a box: its bins
  outW: i32;
  ratio: i32; // of boxes: places a bin and axis; 0: one an element of x
  isHalf: i32; // of boxes: elements have their middles at 0.5
  isMax: i32; // of boxes: the largest weighted element, not the mean
  hasFactors: i32; // of offsets
  groups: i32;
  kernelH: i32;
  kernelW: i32;
  strideH: i32;
  strideW: i32;
  dilationH: i32;
  dilationW: i32;
  padTop: i32;
  padLeft: i32;
  scale: f32; // of boxes
}

/** Rows of indices as places in a tensor, checked: see kernels/gather.ts. One work item is CHUNK rows. */
@unmanaged export class PlacesDesc {
  indicesPtr: usize; // [count, depth] of int64 or int32
  axesPtr: usize; // | size | elements from index to index | of each of depth axes
  placesPtr: usize; // int32 [count], in elements
  wrongPtr: usize; // float64 [items, 2]: the first index of each that is none, and its axis' size; else NaN
  count: i32;
  depth: i32;
  isWide: i32; // of int64
}

/** y = x at places: see kernels/gather.ts. One work item is a run, or CHUNK elements where runs have one. */
@unmanaged export class PickDesc {
  xPtr: usize;
  yPtr: usize; // [outer, rows] runs
  placesPtr: usize; // int32 [rows], or [outer, rows] where isOwn
  isOwn: i32;
  count: i32; // outer * rows
  rows: i32;
  outerElements: i32; // of x, from one outer index to the next
  inner: i32; // of runs of one element: neighbours in a row that lie side by side in x, too
  elementBytes: i32;
  runBytes: i32;
}
