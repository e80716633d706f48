// Pooling: maximum and average over fixed, adaptive and global windows. One kernel each.
import { boolean, type Pair, pair } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import { MOST_PIXELS, type Padding, paddingSides, poolSize, roundUp, type Sides, spacing } from "../base/shape.js";
import type { TensorSpec } from "../base/spec.js";
import { GlobalPoolDesc, PoolDesc } from "../kernels/gen/desc.js";
import type { Builder } from "../plan/builder.js";
import type { Operand } from "../plan/operand.js";
import { defineOperator, outputSpec, requireRank } from "./operator.js";
import { channelsLastImage, channelsLastOutput, isChannelsLast } from "./parts/image.js";

/** Of windows of fixed size. Numbers stand for both directions, pairs are [h, w]. */
export interface PoolOptions {
  /** Window, in input pixels, >= 1. No default. */
  readonly kernel: Pair;
  /** Step of the window, in input pixels; default the kernel. */
  readonly stride?: Pair;
  /** Room around the input; less than the kernel's extent a side; default 0. */
  readonly padding?: Padding;
  /** Lets a last window stick out at the end; default false. */
  readonly ceilMode?: boolean;
}

/** Of maxPool2d. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance between taps, in input pixels; default 1. */
  readonly dilation?: Pair;
}

/** Of avgPool2d. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether the divisor counts padding; default true, as in PyTorch (ONNX's default is false). */
  readonly countIncludePad?: boolean;
}

/** Of windows that cover the input, whatever its size. */
export interface AdaptivePoolOptions {
  /** Output size [P, Q], or one number for both. No default. */
  readonly output: Pair;
}

interface Windows {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: Sides;
  readonly output: readonly [number, number];
  readonly adaptive: boolean;
  readonly countPadding: boolean;
}

const IMAGE = "[N, C, H, W]";

function lowerPool(
  b: Builder,
  kernel: "max_pool_f32" | "avg_pool_f32",
  input: Operand,
  { output: [P, Q], ...windows }: Windows,
): void {
  const [N, C, H, W] = input.spec.shape as [number, number, number, number];
  if (windows.adaptive && P === 1 && Q === 1 && !isChannelsLast(input.spec)) {
    const maximum = Number(kernel === "max_pool_f32");
    const values = { xPtr: input.ref, yPtr: b.output.ref, length: H * W, maximum, divisor: H * W };
    b.step("global_pool_f32", GlobalPoolDesc, values, N * C);
    return;
  }
  const image = channelsLastImage(b, input, 1, [0, 0, 0, 0]);
  const y = channelsLastOutput(b, b.output);
  const [padTop, padLeft, padBottom, padRight] = windows.padding;
  b.step(
    kernel,
    PoolDesc,
    {
      xPtr: image.ref,
      yPtr: y.ref,
      channels: C,
      height: H,
      width: W,
      outH: P,
      outW: Q,
      kernelH: windows.kernel[0],
      kernelW: windows.kernel[1],
      strideH: windows.stride[0],
      strideW: windows.stride[1],
      dilationH: windows.dilation[0],
      dilationW: windows.dilation[1],
      padTop,
      padLeft,
      padBottom,
      padRight,
      adaptive: Number(windows.adaptive),
      countPadding: Number(windows.countPadding),
    },
    N * P,
    kernel === "max_pool_f32" ? 2 * roundUp(C, 4) * 4 : 0, // two columns of windows
  );
  y.finish();
}

/** Reads the options of fixed windows and works out their number. */
function fixedWindows(input: TensorSpec, options: MaxPoolOptions & AvgPoolOptions, countPadding: boolean): Windows {
  const [, , H, W] = requireRank("input", input, 4, IMAGE) as [number, number, number, number];
  const kernel = pair("kernel", options.kernel, 1);
  const stride = pair("stride", options.stride ?? options.kernel, 1);
  const dilation = spacing(pair("dilation", options.dilation ?? 1, 1), kernel);
  const ceilMode = boolean("ceilMode", options.ceilMode ?? false);
  const padding = paddingSides(options.padding, [H, W], kernel, stride, dilation);
  const [top, left, bottom, right] = padding;
  const size = ([0, 1] as const).map((i) => {
    const [before, after] = i === 0 ? [top, bottom] : [left, right];
    const span = (kernel[i] - 1) * dilation[i] + 1;
    if ((i === 0 ? H : W) + before + after > MOST_PIXELS) {
      throw new RangeError(`"padding" expected at most ${MOST_PIXELS} pixels with the input, got ${show(padding)}`);
    }
    // A window of padding only has no maximum and no mean.
    if (Math.max(before, after) >= span) {
      throw new ShapeError(`"padding" expected less than the kernel's extent ${span}, got ${show(padding)}`);
    }
    return poolSize(i === 0 ? "H" : "W", i === 0 ? H : W, before, after, kernel[i], stride[i], dilation[i], ceilMode);
  }) as [number, number];
  return { kernel, stride, dilation, padding, output: size, adaptive: false, countPadding };
}

function adaptiveWindows(input: TensorSpec, output: readonly [number, number]): Windows {
  requireRank("input", input, 4, IMAGE);
  const one = [1, 1] as const;
  return {
    kernel: one,
    stride: one,
    dilation: one,
    padding: [0, 0, 0, 0],
    output,
    adaptive: true,
    countPadding: false,
  };
}

function pool<const Name extends string, Options extends object>(
  name: Name,
  kernel: "max_pool_f32" | "avg_pool_f32",
  options: readonly (keyof Options & string)[],
  read: (input: TensorSpec, options: Options) => Windows,
) {
  return defineOperator({
    name,
    inputs: ["input"],
    options,
    readsPixels: true,
    infer({ input }, given: Options) {
      const windows = read(input, given);
      const [N, C] = input.shape as [number, number];
      return { outputs: [outputSpec([N, C, ...windows.output], input)], windows };
    },
    lower(b, { input }, { windows }) {
      lowerPool(b, kernel, input, windows);
    },
  });
}

export const maxPool2d = pool<"maxPool2d", MaxPoolOptions>(
  "maxPool2d",
  "max_pool_f32",
  ["kernel", "stride", "padding", "dilation", "ceilMode"],
  (input, options) => fixedWindows(input, options, false),
);

export const avgPool2d = pool<"avgPool2d", AvgPoolOptions>(
  "avgPool2d",
  "avg_pool_f32",
  ["kernel", "stride", "padding", "ceilMode", "countIncludePad"],
  (input, options) => fixedWindows(input, options, boolean("countIncludePad", options.countIncludePad ?? true)),
);

const adaptive = (input: TensorSpec, { output }: AdaptivePoolOptions) =>
  adaptiveWindows(input, pair("output", output, 1));
export const adaptiveMaxPool2d = pool("adaptiveMaxPool2d", "max_pool_f32", ["output"], adaptive);
export const adaptiveAvgPool2d = pool("adaptiveAvgPool2d", "avg_pool_f32", ["output"], adaptive);

type NoOptions = Record<never, never>;
const whole = (input: TensorSpec) => adaptiveWindows(input, [1, 1]);
export const globalMaxPool = pool<"globalMaxPool", NoOptions>("globalMaxPool", "max_pool_f32", [], whole);
export const globalAvgPool = pool<"globalAvgPool", NoOptions>("globalAvgPool", "avg_pool_f32", [], whole);
