// Images of bytes as products read them: padded by the zero point, of elements that the kernel multiplies.
import type { Sides } from "../../../base/shape.js";
import { PadBytesDesc } from "../../../kernels/gen/int8/pad-bytes-desc.js";
import type { Builder } from "../../../plan/builder.js";
import { NONE, type Operand, type Ref } from "../../../plan/operand.js";

/** Strides in bytes; elements are uint8, int8 (128 lower) or i16 (less the zero point). */
export interface BytesImage {
  readonly ref: Ref;
  readonly elementBytes: number;
  readonly pixelBytes: number;
  readonly rowBytes: number;
  readonly imageBytes: number;
}

/**
 * The input as it lies where that does; else a padded copy: bytes for a dot product, 128 lower where its bytes are signed, i16 for
 * products of pairs (wide: for those of the dot product's binary, too). widens "in scratch": a kernel makes its own rows i16. zero: or
 * where a run has it.
 */
export function bytesImage(
  b: Builder,
  input: Operand,
  padding: Sides,
  zero: number | Ref,
  widens: "in scratch" | "copied",
  isWide = !b.planning.dot,
): BytesImage {
  const [N, C, H, W] = input.spec.shape as [number, number, number, number];
  const [top, left, bottom, right] = padding;
  const isPadded = padding.some((side) => side > 0);
  const isCopied = isPadded || (isWide ? widens === "copied" : b.planning.dot === "int8");
  const elementBytes = isWide && isCopied ? 2 : 1;
  const pixelBytes = C * elementBytes;
  const rowBytes = (W + left + right) * pixelBytes;
  const dstHeight = H + top + bottom;
  const strides = { elementBytes, pixelBytes, rowBytes, imageBytes: dstHeight * rowBytes };
  if (!isCopied) return { ref: input.ref, ...strides };
  const ref = b.workspace(N * strides.imageBytes);
  const values = {
    srcPtr: input.ref,
    dstPtr: ref,
    rowBytes: W * C,
    height: H,
    dstHeight,
    padTop: top,
    leftBytes: left * C,
    rightBytes: right * C,
    zero: typeof zero === "number" ? zero : 0,
    zeroPtr: typeof zero === "number" ? NONE : zero,
    flip: !isWide && b.planning.dot === "int8" ? 0x80 : 0,
    wide: Number(isWide),
  };
  b.step("pad_image_q8", PadBytesDesc, values, N * dstHeight);
  return { ref, ...strides };
}
