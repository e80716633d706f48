// Pooling of bytes: see assembly/kernels/int8-pool.ts.
import { ShapeError, show } from "../../../base/errors.js";
import { countOf, roundUp } from "../../../base/shape.js";
import type { TensorSpec } from "../../../base/spec.js";
import { MeanBytesDesc } from "../../../kernels/gen/int8/mean-bytes-desc.js";
import { PoolBytesDesc } from "../../../kernels/gen/int8/pool-bytes-desc.js";
import { defineOperator, type Operator } from "../../../ops/operator.js";
import type { Builder } from "../../../plan/builder.js";
import { NONE, type Operand } from "../../../plan/operand.js";
import { bytesSpec, endTable, imageOf, outputsOf, type WindowOptions } from "./bytes.js";

export interface PoolOptions extends WindowOptions {
  readonly kernel: readonly [number, number];
  /** Behind the image and its padding: rows and columns that ceil_mode adds, which hold nothing. */
  readonly beyond?: readonly [number, number];
}

/** Shape of the windows' outputs. */
function outputOf(input: TensorSpec, { kernel, beyond = [0, 0], ...window }: PoolOptions): TensorSpec {
  const [N, C, H, W] = imageOf("input", input);
  const [P, Q] = outputsOf([H + beyond[0], W + beyond[1]], kernel, window);
  return bytesSpec([N, C, P, Q]);
}

function fields(b: Builder, input: Operand, { kernel, strides, dilations, padding }: PoolOptions) {
  const [, C, H, W] = input.spec.shape as [number, number, number, number];
  const [, , P, Q] = b.output.spec.shape as [number, number, number, number];
  return {
    xPtr: input.ref,
    yPtr: b.output.ref,
    height: H,
    width: W,
    channels: C,
    outH: P,
    outW: Q,
    kernelH: kernel[0],
    kernelW: kernel[1],
    strideH: strides[0],
    strideW: strides[1],
    dilationH: dilations[0],
    dilationW: dilations[1],
    padTop: padding[0],
    padLeft: padding[1],
    padBottom: padding[2],
    padRight: padding[3],
  };
}

const rowsOf = (b: Builder): number => (b.output.spec.shape[0] as number) * (b.output.spec.shape[2] as number);

/** uint8 [N, C, H, W] → [N, C, P, Q]: the greatest byte of each window, clipped to the image. */
export function maxPool(options: PoolOptions): Operator {
  return defineOperator({
    name: "maxPool q8",
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputOf(input, options)] }),
    lower(b, { input }) {
      const rest = { endPtr: NONE, countPadding: 0, zero: 0, scale: 0, divisor: 0, offset: 0 };
      const [, C, , W] = input.spec.shape as [number, number, number, number];
      b.step(
        "max_pool_q8",
        PoolBytesDesc,
        { ...fields(b, input, options), ...rest },
        rowsOf(b),
        roundUp(W * C, 16) + 16,
      );
    },
  });
}

export interface AveragePoolOptions extends PoolOptions {
  readonly countIncludePad: boolean;
  readonly xScale: number;
  readonly xZero: number;
  readonly yScale: number;
  /** The zero point of the output's type, where it is added before rounding: QLinearAveragePool. Else 0. */
  readonly offset: number;
  /** Added behind rounding: 128 where offset is an int8, or the zero point where offset is 0. */
  readonly zero: number;
}

/**
 * uint8 [N, C, H, W] → [N, C, P, Q]: clamp(round(mean / yScale + offset) + zero, 0, 255) of the reals (x - xZero) * xScale, summed in
 * float32 row by row.
 */
export function averagePool(options: AveragePoolOptions): Operator {
  return defineOperator({
    name: "averagePool q8",
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputOf(input, options)] }),
    lower(b, { input }) {
      const rest = {
        endPtr: endTable(b, options.zero, 0, 255),
        countPadding: Number(options.countIncludePad),
        zero: options.xZero,
        scale: options.xScale,
        divisor: options.yScale,
        offset: options.offset,
      };
      b.step("avg_pool_q8", PoolBytesDesc, { ...fields(b, input, options), ...rest }, rowsOf(b));
    },
  });
}

export interface GlobalMeanOptions {
  readonly xZero: number;
  /** The sum of x - xZero is multiplied by it; float32. */
  readonly factor: number;
  /** Then divided by these two, one after the other; default 1 and 1. */
  readonly divisors?: readonly [number, number];
  /** Added behind rounding. */
  readonly zero: number;
}

/**
 * uint8 [N, C, spatial…] → [N, C, 1…]: clamp(round(sum * factor / divisors) + zero, 0, 255). QLinearGlobalAveragePool's factor is
 * meanFactor(); of a mean between DequantizeLinear and QuantizeLinear it is the input's scale, and the divisors are pixels and the
 * output's scale.
 */
export function globalMean({ xZero, factor, divisors = [1, 1], zero }: GlobalMeanOptions): Operator {
  return defineOperator({
    name: "globalMean q8",
    inputs: ["input"],
    infer({ input: { shape, dtype, memoryFormat } }) {
      if (shape.length < 3 || dtype !== "uint8" || memoryFormat !== "channelsLast")
        throw new ShapeError(
          `"input" expected uint8 [N, C, spatial…], channelsLast, got ${dtype} ${show(shape)}, ${memoryFormat}`,
        );
      return { outputs: [bytesSpec(shape.map((size, i) => (i < 2 ? size : 1)))] };
    },
    lower(b, { input }) {
      const [N, C, ...spatial] = input.spec.shape as [number, number, ...number[]];
      const pixels = countOf(spatial);
      const blocks = Math.ceil(C / 16);
      const values = {
        xPtr: input.ref,
        yPtr: b.output.ref,
        endPtr: endTable(b, zero, 0, 255),
        pixels,
        channels: C,
        blocks,
        zeros: pixels * xZero,
        scale: factor,
        count: divisors[0],
        divisor: divisors[1],
      };
      b.step("mean_q8", MeanBytesDesc, values, N * blocks);
    },
  });
}
