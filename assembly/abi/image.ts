// Descriptors of what moves, pools and resamples images. What a descriptor is: conv.ts.

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

/** Strided copy: see kernels/copy.ts. Dimensions from slowest to fastest, strides in bytes; one work item is a block of dim6 x dim7. */
@unmanaged export class CopyDesc {
  srcPtr: usize;
  dstPtr: usize;
  elementBytes: i32; // 1, 2, 4 or 8
  blockRows: i32; // of dim6
  blockCols: i32; // of dim7; both whole tiles of COPY_TILE where a block is transposed
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

/** Windows over a channels-last image: see kernels/pool.ts. */
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

/** Rows of a contiguous image to one number each: see kernels/pool.ts. */
@unmanaged export class GlobalPoolDesc {
  xPtr: usize;
  yPtr: usize;
  length: i32; // H * W
  maximum: i32; // 0: the sum over the divisor
  divisor: f32;
}

/** A channels-last image resampled by separable taps: see kernels/resize.ts. One work item is an output row, numbered n * P + p. */
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
