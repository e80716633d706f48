// One descriptor struct per operator: what a plan writes once into linear memory and a kernel reads at its start.
// Every field is four bytes, so the offset of a field is four times its index:
//
//   desc ─▶ | +0 field 0 | +4 field 1 | +8 field 2 | …
//
// scripts/generate.mjs reads the files of this folder and writes the same layouts for TypeScript (src/kernels/gen/desc.ts);
// addresses are `usize` and end in Ptr, byte counts end in Bytes, element strides in Stride. Here: convolutions.

/**
 * A convolution over a channels-last image: what every algorithm reads. Sizes are per group where it says so. Here no tap falls
 * outside of the image: it is a padded copy (pad_image_f32), or needs no padding.
 */
@unmanaged export class ConvDesc {
  xPtr: usize;
  wPtr: usize; // packed as the algorithm wants it
  biasPtr: usize; // groups * (M per group rounded up to a panel) floats
  residualPtr: usize; // laid out as y, or 0
  yPtr: usize;
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
  wGroupBytes: i32;
  biasGroupBytes: i32;
  lo: f32; // from here on an Epilogue, see matrix.ts
  hi: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
  slopeBytes: i32;
}

/** Over the user's own image: taps outside of it are left out, or read as zeros. */
@unmanaged export class ClippedConvDesc extends ConvDesc {
  padTop: i32; // row of the first tap: -padTop
  padLeft: i32;
}

/** As a matrix product over pixels: see kernels/conv-implicit-gemm.ts. Where a row of taps is more than one segment, padding is 0. */
@unmanaged export class ImplicitGemmDesc extends ClippedConvDesc {
  blocksPtr: usize; // reduction blocks, see lib/gemm.ts
  blockCount: i32;
  tileRows: i32; // most rows of a micro-tile
}

/** See kernels/conv-winograd.ts. */
@unmanaged export class WinogradDesc extends ClippedConvDesc {
  blocksPtr: usize; // one reduction block, see lib/gemm.ts
  blockCount: i32;
  tileRows: i32;
  tileH: i32; // outputs of a tile along h: m, 1 where that direction has one tap
  tileW: i32;
  blockTiles: i32; // tiles transformed together
  blockCols: i32; // output channels multiplied together, a multiple of a panel
  itemTiles: i32; // of a work item
  itemCols: i32; // a multiple of a panel
  zerosPtr: usize; // for a bias of blockCols, and channels outside of the image
  vPointBytes: i32; // scratch: from point to point of the transformed input
  zPointBytes: i32; // and of the products
}

/** See kernels/conv-fft.ts. */
@unmanaged export class FftDesc extends ClippedConvDesc {
  logH: i32; // log2 of the transform size, 0 along an axis of one tap
  logW: i32;
  blockPairs: i32; // pairs of tiles multiplied together
  twiddlesPtr: usize; // cos, sin of 2πk/n for k < n, the larger of both sizes
  pointsPtr: usize; // places of f and -f in a tile, i32 each
  points: i32;
  vPointBytes: i32; // scratch: from point to point of the spectra of the input
  zPointBytes: i32; // and of the output
}

/** See lib/depthwise.ts. */
@unmanaged export class DepthwiseDesc extends ClippedConvDesc {
  tileOutputs: i32; // most outputs of a tile or a run
  copiedRows: i32; // output rows whose input is copied at a time, or 0
}

/** A separable block: its depthwise half, and the pointwise one. See kernels/conv-separable.ts. */
@unmanaged export class SeparableDesc extends DepthwiseDesc {
  pointPtr: usize; // weights in panels
  pointBiasPtr: usize; // filters rounded up to a panel of floats
  pointBlocksPtr: usize; // reduction blocks, see lib/gemm.ts
  pointBlockCount: i32;
  pointFilters: i32; // M
  pointLo: f32; // from here on an Epilogue
  pointHi: f32;
  pointActivation: i32;
  pointAlpha: f32;
  pointBeta: f32;
  pointSlopeBytes: i32;
  outPtr: usize; // where yPtr is not read
  outResidualPtr: usize; // laid out as the output, or 0
  blockRows: i32; // most output rows between the halves at a time
  tileRows: i32; // most rows of a GEMM micro-tile
  depthwiseScratchBytes: i32;
}

/** Weights [M, C/groups, R, S] to Winograd points: see kernels/conv-winograd.ts. One work item is one panel of a group. */
@unmanaged export class WinogradWeightsDesc {
  srcPtr: usize;
  dstPtr: usize;
  filters: i32; // M per group
  channels: i32; // C per group
  tileH: i32; // as WinogradDesc's
  tileW: i32;
  blockCols: i32;
  filterBytes: i32; // source strides
  channelBytes: i32;
  kernelHBytes: i32;
  kernelWBytes: i32;
  dstGroupBytes: i32;
  blockChannels: i32; // channels whose points are made together
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

/** Weights [M, C/groups, R, S] to spectra: see kernels/conv-fft.ts. One work item is a block of 4 filters of a group. */
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
  logH: i32; // as FftDesc's
  logW: i32;
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

/** Columns of a transposed convolution to its output: see kernels/conv-transpose.ts. */
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
