// Output sizes and padding: pure arithmetic on shapes, in the field's letters (see CONTRIBUTING.md).
import { integer, type Pair, pair } from "./check.js";
import { ShapeError, show } from "./errors.js";

/** number | [h, w] | [top, left, bottom, right] | "same" (TensorFlow's SAME: P = ceil(H / U), the odd row at the end) | "valid" (none). */
export type Padding = Pair | readonly [number, number, number, number] | "same" | "valid";
export type Sides = readonly [top: number, left: number, bottom: number, right: number];

export interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: Sides;
}

/** The next multiple of `to`. */
export function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/** Elements of a tensor of this shape. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** Extent of a dilated kernel. */
export function extent(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/** Longest padded side: kernels add an extent to a position in 32 bits. */
export const MOST_PIXELS = 2 ** 29;

/** One tap is 0 apart: any dilation does, and 1 is one that 32 bits hold. */
export function spacing(dilation: readonly [number, number], taps: readonly [number, number]): [number, number] {
  return [taps[0] === 1 ? 1 : dilation[0], taps[1] === 1 ? 1 : dilation[1]];
}

/** Resolves every form of `padding` to four sides. input, kernel, stride and dilation are [h, w]. */
export function paddingSides(
  padding: unknown,
  input: readonly [number, number],
  kernel: readonly [number, number],
  stride: readonly [number, number],
  dilation: readonly [number, number],
): Sides {
  if (padding === undefined || padding === "valid") return [0, 0, 0, 0];
  if (padding === "same") {
    const [h, w] = ([0, 1] as const).map((i) => {
      const outputs = Math.ceil(input[i] / stride[i]);
      return Math.max(0, (outputs - 1) * stride[i] + extent(kernel[i], dilation[i]) - input[i]);
    }) as [number, number];
    return [Math.floor(h / 2), Math.floor(w / 2), Math.ceil(h / 2), Math.ceil(w / 2)];
  }
  if (Array.isArray(padding) && padding.length === 4) {
    return padding.map((side, i) => integer(`padding[${i}]`, side, 0)) as unknown as Sides;
  }
  if (typeof padding === "string" || (Array.isArray(padding) && padding.length !== 2)) {
    throw new RangeError(
      `"padding" expected a number, [h, w], [top, left, bottom, right], "same" or "valid", got ${show(padding)}`,
    );
  }
  const [h, w] = pair("padding", padding, 0);
  return [h, w, h, w];
}

/** Number of windows along one axis: floor((size + padding - extent) / stride) + 1. Throws ShapeError when there is none. */
export function outputSize(
  axis: string,
  size: number,
  before: number,
  after: number,
  kernel: number,
  stride: number,
  dilation: number,
): number {
  const padded = size + before + after;
  const span = extent(kernel, dilation);
  if (span > padded) {
    throw new ShapeError(`"${axis}" expected a kernel extent of at most ${padded} (input and padding), got ${span}`);
  }
  return Math.floor((padded - span) / stride) + 1;
}

/** A 2-D convolution, completely: N images of C x H x W, M filters of C/groups x R x S, P x Q outputs. */
export interface ConvShape {
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly M: number;
  readonly R: number;
  readonly S: number;
  readonly P: number;
  readonly Q: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly padding: Sides;
  readonly groups: number;
}

/** Multiply-accumulates of the definition. */
export function convMacs(s: ConvShape): number {
  return s.N * s.M * s.P * s.Q * (s.C / s.groups) * s.R * s.S;
}

/** Checks a convolution's options against its operands' shapes and works out P and Q. */
export function convShape(
  input: readonly number[],
  weight: readonly number[],
  options: { stride?: Pair; padding?: Padding; dilation?: Pair; groups?: number },
): ConvShape {
  const [N, C, H, W] = input as [number, number, number, number];
  const [M, perGroup, R, S] = weight as [number, number, number, number];
  const groups = integer("groups", options.groups ?? 1, 1);
  const stride = pair("stride", options.stride ?? 1, 1);
  const dilation = spacing(pair("dilation", options.dilation ?? 1, 1), [R, S]);
  if (C % groups !== 0) throw new ShapeError(`"groups" expected a divisor of C = ${C}, got ${groups}`);
  if (M % groups !== 0) throw new ShapeError(`"groups" expected a divisor of M = ${M}, got ${groups}`);
  if (perGroup !== C / groups) {
    throw new ShapeError(
      `"weight" expected shape [M, ${C / groups}, R, S] for C = ${C} in ${groups} groups, got ${show(weight)}`,
    );
  }
  const padding = paddingSides(options.padding, [H, W], [R, S], stride, dilation);
  const [top, left, bottom, right] = padding;
  if (Math.max(H + top + bottom, W + left + right) > MOST_PIXELS)
    throw new RangeError(`"padding" expected at most ${MOST_PIXELS} pixels with the input, got ${show(padding)}`);
  const P = outputSize("H", H, top, bottom, R, stride[0], dilation[0]);
  const Q = outputSize("W", W, left, right, S, stride[1], dilation[1]);
  // Beyond every side there is one window, wherever the next would be.
  const [strideH, strideW] = [Math.min(stride[0], MOST_PIXELS), Math.min(stride[1], MOST_PIXELS)];
  const [dilationH, dilationW] = dilation;
  return {
    N,
    C,
    H,
    W,
    M,
    R,
    S,
    strideH,
    strideW,
    dilationH,
    dilationW,
    padding,
    groups,
    P,
    Q,
  };
}

/**
 * Number of pooling windows along one axis. With ceilMode a last window may stick out at the end, if it starts inside the
 * input or the padding before it (PyTorch's rule).
 */
export function poolSize(
  axis: string,
  size: number,
  before: number,
  after: number,
  kernel: number,
  stride: number,
  dilation: number,
  ceilMode: boolean,
): number {
  const floor = outputSize(axis, size, before, after, kernel, stride, dilation);
  if (!ceilMode) return floor;
  const rest = (size + before + after - extent(kernel, dilation)) % stride;
  return rest > 0 && floor * stride < size + before ? floor + 1 : floor;
}
