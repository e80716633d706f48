// Descriptors of the pack `vision`: pictures of bytes. What a descriptor is: conv.ts.

/** What a store leaves of a resampled pixel. */
export const enum ElementCode {
  float32,
  uint8,
  int8,
}

/** Rows of a picture, resampled, to rows of a tensor: see kernels/resample.ts. One work item is a row of the tensor. */
@unmanaged export class ResampleDesc {
  srcPtr: usize; // row firstRow of the picture
  srcRowBytes: i32;
  srcChannels: i32; // bytes a pixel: 1, 3 or 4
  firstRow: i32; // of those that are there
  endRow: i32; // behind the last of those
  columns: i32; // that are computed
  columnsPtr: usize; // byte offset in a row of the first tap of each
  columnWeightsPtr: usize; // of each column, columnPairs entries: | two high parts, i16 | two low parts, i16 |
  columnPairs: i32; // even: taps are taken by fours
  rowsPtr: usize; // number of the picture's row that is the first tap of each computed row; it rises or falls
  rowWeightsPtr: usize; // entries as those of columns
  rowPairs: i32;
  sparse: i32; // 1: there are rows that no tap reads
  top: i32; // the row of the tensor that is computed first; those above it are filled
  rows: i32; // that are computed; those below them are filled
  left: i32; // pixels filled in front of the columns
  right: i32; // and behind them
  dstPtr: usize;
  dstRowBytes: i32;
  dstChannelBytes: i32;
  dstPixelBytes: i32;
  channels: i32; // stored: 1 (grey), 3 or 4
  element: i32; // an ElementCode
  plain: i32; // 1: bytes red, green, blue and alpha as they are
  premultiplied: i32; // 1: alpha is taken out of the colours again
  finishPtr: usize; // | factor of each channel, f32 | addend of each, f32 | what fills each, f32 | which byte each is: see finish |
}

/** Pixels laid on a colour by their alpha: see kernels/blend.ts. One work item is a row. */
@unmanaged export class BlendDesc {
  xPtr: usize; // red, green, blue, alpha, one byte each
  rowBytes: i32;
  columns: i32;
  colour: i32; // red, green, blue, 0, as bytes
  opaque: i32; // 0xff000000: alpha becomes 255; 0: it stays
}
