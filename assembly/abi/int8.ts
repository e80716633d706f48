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
  zeroPtr: usize; // a byte, where a run computes the border, or 0
  flip: i32; // 0x80 where the copy is int8, else 0
  wide: i32; // 1: i16, the zero point subtracted
}

/** What becomes of int32 sums: bytes, floats, or what they are. */
export const enum SumEnd {
  bytes,
  floats,
  sums,
}

/** What every micro-tile reads: see lib/int8.ts. */
@unmanaged export class TileDesc {
  segsPtr: usize; // where the segments of a row of A are, i32 each from where the one before ended
  segCount: i32;
  segBytes: i32; // of one, whole pairs or quads
  endPtr: usize; // of bytes: the 96 that numbers end as (int8-bytes.ts)
}

/** What ends sums of a convolution or a matrix, and where they go. */
@unmanaged export class SumsDesc extends TileDesc {
  xPtr: usize; // uint8, or i16 where weights are pairs of a copied image
  wPtr: usize; // panels of 8 filters
  biasPtr: usize; // int32, groups * (M per group rounded up to a panel)
  scalePtr: usize; // float32 by filter, laid out as the bias, or 0
  yPtr: usize;
  addPtr: usize; // uint8, laid out as y, or 0
  addTermsPtr: usize; // SumTerms: a is the sum's byte, b that of the addend
  addEndPtr: usize; // what their sum ends as
  filters: i32; // M per group
  xImageBytes: i32;
  xRowBytes: i32; // from a row of outputs to the next
  xPixelBytes: i32; // from an output to the next
  yPixelBytes: i32;
  panelBytes: i32;
  tileRows: i32; // most rows of a micro-tile
  bounded: i32; // 1: bytes have bounds of their own
  addBounded: i32; // 1: so has their sum
}

/** A product of bytes over rows of a matrix or pixels of an image: see kernels/int8-product.ts. */
@unmanaged export class ProductBytesDesc extends SumsDesc {
  rows: i32; // P * Q, or of the matrix
  outW: i32; // Q, or of the matrix its rows
  widened: i32; // bytes of a row that is made i16 in scratch, or 0
  zero: i32; // of those
  groups: i32;
  xGroupBytes: i32;
  wide: i32; // 1: weights are i16
  blockRows: i32; // most rows whose A stays in cache
  end: i32; // a SumEnd
  lo: f32; // of floats
  hi: f32;
  offsetPtr: usize; // float32 by filter, laid out as the bias: what is added to floats; or 0
}

/** See kernels/int8-winograd.ts. */
@unmanaged export class WinogradBytesDesc extends SumsDesc {
  zerosPtr: usize; // 8 i32
  outH: i32; // P
  outW: i32; // Q
  tilesH: i32;
  tilesW: i32;
  channels: i32;
  pieces: i32; // of the kernel, 3x3 each: down and across in all, and across
  piecesW: i32;
  blockTiles: i32; // tiles transformed together
  blockCols: i32; // filters multiplied together, a multiple of a panel
  parts: i32; // of the channels, whose sums are each exact
  partChannels: i32; // in whole pairs
  vTileBytes: i32; // scratch: from tile to tile of the transformed input, from point to point of it and of the products
  vPointBytes: i32;
  zPointBytes: i32;
  factorsPtr: usize; // 5 i32: 2^i / 9 modulo 2^32
}

/** Weights of bytes to panels, and biases that go with them. One work item is one panel of a group. */
@unmanaged export class PackBytesDesc {
  srcPtr: usize;
  dstPtr: usize; // panels, group after group
  biasPtr: usize; // int32 by filter in whole panels: what the zero point of x makes of the weights is taken off
  zerosPtr: usize; // i32 by filter in whole panels
  signed: i32; // 1: int8
  cols: i32; // M per group
  colBytes: i32; // source strides
  channelBytes: i32;
  tapBytes: i32; // from tap to tap of a segment
  segmentBytes: i32; // from segment to segment
  segmentRowBytes: i32; // or, every rowSegments of them, from row to row
  rowSegments: i32;
  channels: i32; // C per group
  taps: i32; // of a segment
  segments: i32;
  segmentSteps: i32; // k of a segment, in whole pairs or quads
  groupBytes: i32; // of the source
  wide: i32; // 1: i16
  planes: i32; // of int8 whose sum weights are: each all segments once more
  quads: i32; // 1: k in fours, else in pairs
  xZero: i32;
}

/** Weights of bytes to Winograd points: see kernels/int8-winograd.ts. One work item is a panel. */
@unmanaged export class WinogradWeightsBytesDesc {
  srcPtr: usize;
  dstPtr: usize;
  zerosPtr: usize; // i32 by filter in whole panels
  signed: i32; // 1: int8
  cols: i32; // M
  channels: i32; // C
  pieceChannels: i32; // from piece to piece of the kernel
  piecesW: i32; // as WinogradBytesDesc's
  kernelH: i32; // R
  kernelW: i32; // S
  colBytes: i32; // source strides
  channelBytes: i32;
  kernelHBytes: i32;
  kernelWBytes: i32;
  blockCols: i32; // as WinogradBytesDesc's
  parts: i32;
  partChannels: i32;
}
