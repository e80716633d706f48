// 2-D convolution (cross-correlation, as the field calls it): y[n,m,p,q] = bias[m] + sum x[n,c,pU+r,qU+s] * w[m,c,r,s].
import { boolean, oneOf, type Pair } from "../../base/check.js";
import { type ConvShape, convMacs, convShape, type Padding } from "../../base/shape.js";
import type { MemoryFormat, TensorSpec } from "../../base/spec.js";
import { PRECISIONS, type Precision, select } from "../../kernels/select.js";
import { CONV_ALGORITHMS, type ConvAlgorithm, type ConvRow } from "../../kernels/table.js";
import type { Builder } from "../../plan/builder.js";
import type { Operand } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank, requireShape, requireSpec } from "../operator.js";
import { type Activation, type Epilogue, epilogue } from "../parts/epilogue.js";
import { lowerBy } from "./algorithms.js";

/** Of a convolution. Numbers stand for both directions, pairs are [h, w]. */
export interface Conv2dOptions {
  /** Step of the window in input pixels; default 1. */
  readonly stride?: Pair;
  /** Zeros around the input, in pixels; default 0. */
  readonly padding?: Padding;
  /** Distance between taps in input pixels; default 1. */
  readonly dilation?: Pair;
  /** Channel groups, a divisor of C and M; weights are [M, C/groups, R, S]; default 1. */
  readonly groups?: number;
  /** Applied to the sum before it is stored; default none. */
  readonly activation?: Activation;
  /** Which kernel computes it; default "auto": the least estimated cost. */
  readonly algorithm?: ConvAlgorithm | "auto";
  /** "high" keeps "auto" to algorithms with a documented error of at most 4e-6 (describe().error); default: the runtime's. */
  readonly precision?: Precision;
  /**
   * "auto" takes what is fastest on this machine: when it is planned, weights are packed for the likely algorithms, which
   * are timed: 20 to 150 ms, with 512 channels a second, for each shape new to this runtime; default: the runtime's.
   */
  readonly tune?: boolean;
}

const ALGORITHMS = ["auto", ...CONV_ALGORITHMS] as const;
export const PRECISION_NAMES = Object.keys(PRECISIONS) as Precision[];

/** A convolution whose operands fit and whose algorithm is chosen. */
export interface ChosenConv {
  readonly shape: ConvShape;
  readonly row: ConvRow;
  readonly reason: string;
  readonly epilogue: Epilogue;
}

/** The shape of a convolution of rank-4 operands, validated. */
function acceptConv(
  input: TensorSpec,
  weight: TensorSpec,
  bias: TensorSpec | undefined,
  options: Conv2dOptions,
): ConvShape {
  const shape = convShape(input.shape, weight.shape, options);
  if (bias) requireShape("bias", bias, [shape.M]);
  return shape;
}

/** Validates a convolution of rank-4 operands into an output of this memory format, and chooses its algorithm. */
export function chooseConv(
  b: Builder,
  input: TensorSpec,
  weight: TensorSpec,
  bias: TensorSpec | undefined,
  options: Conv2dOptions,
  memoryFormat: MemoryFormat,
): ChosenConv {
  const shape = acceptConv(input, weight, bias, options);
  const algorithm = oneOf("algorithm", options.algorithm ?? "auto", ALGORITHMS);
  const precision = oneOf("precision", options.precision ?? b.target.precision ?? "default", PRECISION_NAMES);
  const tune = boolean("tune", options.tune ?? b.target.tune ?? false);
  const output: TensorSpec = { shape: outputOf(shape), dtype: "float32", memoryFormat };
  const measure = tune ? b.target.measure : undefined;
  const { row, reason } = select(shape, b.target.variant, {
    algorithm,
    precision,
    measure: measure && ((candidates) => measure({ shape, input, weight, output }, candidates)),
  });
  return { shape, row, reason, epilogue: epilogue(options.activation) };
}

export function outputOf({ N, M, P, Q }: ConvShape): readonly [number, number, number, number] {
  return [N, M, P, Q];
}

/** Checks a residual; the output may then be its memory. */
export function acceptResidual(b: Builder, residual: Operand | undefined, output: Operand): void {
  if (residual === undefined) return;
  requireSpec("residual", residual.spec, output.spec);
  b.inPlace = [residual.ref.index];
}

/** A whole operator that is one convolution of rank-4 operands, into the operand that `place` makes for [N, M, P, Q]. */
export function lowerConv(
  b: Builder,
  operands: {
    readonly input: Operand;
    readonly weight: Operand;
    readonly bias: Operand | undefined;
    readonly residual: Operand | undefined;
  },
  options: Conv2dOptions,
  place: (shape: readonly [number, number, number, number]) => Operand,
): void {
  const { input, weight, bias, residual } = operands;
  if (b.target.shapesOnly) {
    const shape = acceptConv(input.spec, weight.spec, bias?.spec, options);
    acceptResidual(b, residual, place(outputOf(shape)));
    return;
  }
  const chosen = chooseConv(b, input.spec, weight.spec, bias?.spec, options, input.spec.memoryFormat);
  const { shape, row } = chosen;
  const output = place(outputOf(shape));
  acceptResidual(b, residual, output);
  lowerBy(row.algorithm, b, { ...operands, shape, output, epilogue: chosen.epilogue });
  b.algorithm = row.algorithm;
  b.reason = chosen.reason;
  b.error = row.error;
  b.macs = convMacs(shape);
}

export const conv2d = defineOperator({
  name: "conv2d",
  inputs: ["input"],
  extras: ["residual"],
  params: ["weight", "bias"],
  required: 1,
  options: ["stride", "padding", "dilation", "groups", "activation", "algorithm", "precision", "tune"],
  lower(b, options: Conv2dOptions) {
    const [input, residual] = b.inputs as unknown as [Operand, Operand | undefined];
    const [weight, bias] = b.params as [Operand, Operand | undefined];
    requireRank("input", input.spec, 4, "[N, C, H, W]");
    requireRank("weight", weight.spec, 4, "[M, C/groups, R, S]");
    lowerConv(b, { input, weight, bias, residual }, options, (shape) => b.output(outputSpec(shape, input.spec)));
  },
});
