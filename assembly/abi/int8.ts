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
  flip: i32; // 0x80 where the copy is int8, else 0
  wide: i32; // 1: i16, the zero point subtracted
}
