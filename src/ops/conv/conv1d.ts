// 1-D convolution: [N, C, L] is an image [N, C, 1, L] in either memory format, so every 2-D algorithm serves.
import { integer } from "../../base/check.js";
import { show } from "../../base/errors.js";
import type { Padding } from "../../base/shape.js";
import type { Precision } from "../../kernels/select.js";
import type { ConvAlgorithm } from "../../kernels/table.js";
import type { Operand } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank } from "../operator.js";
import type { Activation } from "../parts/epilogue.js";
import { lowerConv } from "./conv2d.js";

/** Of a convolution of [N, C, L]. */
export interface Conv1dOptions {
  /** Step of the window; default 1. */
  readonly stride?: number;
  /** Zeros at both ends, or [before, after]; default 0. */
  readonly padding?: number | readonly [number, number] | "same" | "valid";
  /** Distance between taps; default 1. */
  readonly dilation?: number;
  /** Channel groups, a divisor of C and M; default 1. */
  readonly groups?: number;
  /** Applied to the sum before it is stored; default none. */
  readonly activation?: Activation;
  /** Which kernel computes it, as conv2d's with 1 x K weights; default "auto". */
  readonly algorithm?: ConvAlgorithm | "auto";
  /** As conv2d's. */
  readonly precision?: Precision;
  /** As conv2d's. */
  readonly tune?: boolean;
}

function sides(padding: unknown): Padding | undefined {
  if (padding === undefined || padding === "same" || padding === "valid") return padding;
  if (Array.isArray(padding) && padding.length === 2) {
    return [0, integer("padding[0]", padding[0], 0), 0, integer("padding[1]", padding[1], 0)];
  }
  if (typeof padding !== "number") {
    throw new TypeError(`"padding" expected a number, [before, after], "same" or "valid", got ${show(padding)}`);
  }
  return [0, integer("padding", padding, 0), 0, padding];
}

/** [a, b, L] as [a, b, 1, L]: the same memory. */
function asImage({ spec, ref }: Operand): Operand {
  const [a, b, length] = spec.shape as [number, number, number];
  return { spec: { ...spec, shape: [a, b, 1, length] }, ref };
}

export const conv1d = defineOperator({
  name: "conv1d",
  inputs: ["input"],
  extras: ["residual"],
  params: ["weight", "bias"],
  required: 1,
  options: ["stride", "padding", "dilation", "groups", "activation", "algorithm", "precision", "tune"],
  lower(b, options: Conv1dOptions) {
    const [input, residual] = b.inputs as unknown as [Operand, Operand | undefined];
    const [weight, bias] = b.params as [Operand, Operand | undefined];
    requireRank("input", input.spec, 3, "[N, C, L]");
    requireRank("weight", weight.spec, 3, "[M, C/groups, K]");
    const { groups, activation, algorithm, precision, tune } = options;
    lowerConv(
      b,
      { input: asImage(input), weight: asImage(weight), bias, residual: residual && asImage(residual) },
      {
        stride: [1, integer("stride", options.stride ?? 1, 1)],
        dilation: [1, integer("dilation", options.dilation ?? 1, 1)],
        padding: sides(options.padding),
        groups,
        activation,
        algorithm,
        precision,
        tune,
      },
      ([N, M, , Q]) => asImage(b.output(outputSpec([N, M, Q], input.spec))),
    );
  },
});
