// What kernels of bytes share: see assembly/lib/int8-bytes.ts.
import { ShapeError, show } from "../../../base/errors.js";
import { extent, outputSize } from "../../../base/shape.js";
import { makeSpec, type TensorSpec } from "../../../base/spec.js";
import type { Builder } from "../../../plan/builder.js";
import type { Ref } from "../../../plan/operand.js";

/** Windows of an image: [height, width]; padding is [top, left, bottom, right]. */
export interface WindowOptions {
  readonly strides: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
}

/** The four sizes of an image of bytes, channels-last. */
export function imageOf(name: string, { shape, dtype, memoryFormat }: TensorSpec): [number, number, number, number] {
  if (shape.length !== 4 || dtype !== "uint8" || memoryFormat !== "channelsLast")
    throw new ShapeError(
      `"${name}" expected uint8 [N, C, H, W], channelsLast, got ${dtype} ${show(shape)}, ${memoryFormat}`,
    );
  return shape as unknown as [number, number, number, number];
}

/** P and Q. Throws ShapeError where no window fits. */
export function outputsOf(
  [H, W]: readonly [number, number],
  [R, S]: readonly [number, number],
  { strides: [u, v], padding: [top, left, bottom, right], dilations: [e, f] }: WindowOptions,
): [number, number] {
  return [outputSize("height", H, top, bottom, R, u, e), outputSize("width", W, left, right, S, v, f)];
}

/** Whether some window of an axis begins before it or ends behind it. */
export function goesOutside(
  size: number,
  before: number,
  kernel: number,
  stride: number,
  dilation: number,
  outputs: number,
) {
  return before > 0 || (outputs - 1) * stride + extent(kernel, dilation) > size;
}

/** The 96 bytes that numbers end as, as assembly/abi/int8-bytes.ts has them: a zero point, and bounds of what is stored. */
export function endTable(b: Builder, zero: number, low: number, high: number): Ref {
  const words = new Int32Array(24);
  const floats = new Float32Array(words.buffer);
  floats.fill(MAGIC, 0, 4);
  words.fill(MAGIC_BITS - zero, 4, 8);
  new Uint8Array(words.buffer, 32, 16).fill(low);
  new Uint8Array(words.buffer, 48, 16).fill(high);
  floats.fill(-FAR, 16, 20);
  floats.fill(FAR, 20);
  return b.table(words);
}

/** 1.5 * 2^23: a number below 2^22 that it is added to is rounded, and lies in the lowest bits. */
const MAGIC = 12582912;
const MAGIC_BITS = 0x4b400000;
/** Beyond every byte, and near enough to be rounded. */
const FAR = 65536;

/** The spec of an image of bytes. */
export const bytesSpec = (
  shape: readonly number[],
  dtype: "uint8" | "int8" | "int32" | "float32" = "uint8",
): TensorSpec => makeSpec(shape, dtype, shape.length < 3 ? "contiguous" : "channelsLast", "output");

/** One number for all, or one each. */
export function spread(values: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: count }, (_, i) => values[values.length > 1 ? i : 0] as number);
}

/** Whether bytes have bounds of their own. */
export const isBounded = ({ low, high }: { readonly low: number; readonly high: number }): number =>
  Number(low > 0 || high < 255);
