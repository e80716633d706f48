// 1-D convolution: [N, C, L] is an image [N, C, 1, L] in either memory format, so every 2-D algorithm serves.
import { integer } from "../../base/check.js";
import { show } from "../../base/errors.js";
import { convMacs, type Padding } from "../../base/shape.js";
import type { TensorSpec } from "../../base/spec.js";
import type { Memory, Precision } from "../../kernels/select.js";
import type { ConvAlgorithm } from "../../kernels/table.js";
import type { Operand } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank } from "../operator.js";
import type { Activation } from "../parts/epilogue.js";
import { inferConv, inPlaceOf, lowerConv } from "./conv2d.js";

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
  readonly memory?: Memory;
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
function asImage(spec: TensorSpec): TensorSpec {
  const [a, b, length] = spec.shape as [number, number, number];
  return { ...spec, shape: [a, b, 1, length] };
}

const imageAt = ({ spec, ref }: Operand): Operand => ({ spec: asImage(spec), ref });

export const conv1d = defineOperator({
  name: "conv1d",
  inputs: ["input"],
  extras: ["residual"],
  params: ["weight"],
  optional: ["bias"],
  inner: ["slope"],
  options: ["stride", "padding", "dilation", "groups", "activation", "algorithm", "precision", "memory", "tune"],
  filters: { weight: "weight", bias: "bias", layout: "first", axis: 1 },
  infer({ input, weight, bias, residual }, options: Conv1dOptions) {
    requireRank("input", input, 3, "[N, C, L]");
    requireRank("weight", weight, 3, "[M, C/groups, K]");
    const found = inferConv(asImage(input), asImage(weight), bias, {
      ...options,
      stride: [1, integer("stride", options.stride ?? 1, 1)],
      dilation: [1, integer("dilation", options.dilation ?? 1, 1)],
      padding: sides(options.padding),
    });
    const { N, M, Q } = found.shape;
    const output = outputSpec([N, M, Q], input);
    return { ...found, outputs: [output], macs: convMacs(found.shape), inPlace: inPlaceOf(residual, output) };
  },
  lower(b, { input, weight, bias, residual, slope }, found) {
    const operands = { input: imageAt(input), weight: imageAt(weight), output: imageAt(b.output) };
    lowerConv(b, { ...operands, bias, slope, residual: residual && imageAt(residual) }, found);
  },
});
