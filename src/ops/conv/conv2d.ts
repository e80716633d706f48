// 2-D convolution (cross-correlation, as the field calls it): y[n,m,p,q] = bias[m] + sum x[n,c,pU+r,qU+s] * w[m,c,r,s].
import { boolean, oneOf, type Pair } from "../../base/check.js";
import { type ConvShape, convMacs, convShape, type Padding } from "../../base/shape.js";
import type { TensorSpec } from "../../base/spec.js";
import {
  MEMORY,
  type Memory,
  PRECISIONS,
  type Precision,
  type Selection,
  select,
  worthMeasuring,
} from "../../kernels/select.js";
import { CONV_ALGORITHMS, type ConvAlgorithm } from "../../kernels/table.js";
import type { Builder, ConvProblem } from "../../plan/builder.js";
import type { Operand } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank, requireShape, requireSpec } from "../operator.js";
import { type Activation, type Epilogue, epilogue } from "../parts/epilogue.js";
import { lowerBy } from "./algorithms.js";
import type { ConvOperands } from "./lowering.js";

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
  /**
   * "high" keeps "auto" to algorithms with a documented error of at most 4e-6 (describe().error); "exact" to those whose
   * outputs depend on their own windows only, so that a NaN or a huge value reaches no further; default: the runtime's.
   */
  readonly precision?: Precision;
  /** How much more memory than the weights' own an algorithm may take: "fast", "default" or "small"; default: the runtime's. */
  readonly memory?: Memory;
  /**
   * "auto" takes what is fastest on this machine: when it is planned, weights are packed for the likely algorithms, which
   * are timed: 20 to 150 ms, with 512 channels a second, for each shape new to this runtime; default: the runtime's.
   */
  readonly tune?: boolean;
}

const ALGORITHMS = ["auto", ...CONV_ALGORITHMS] as const;
export const PRECISION_NAMES = Object.keys(PRECISIONS) as Precision[];
export const MEMORY_NAMES = Object.keys(MEMORY) as Memory[];

/** What an algorithm is chosen by, as the options say it; undefined: as the runtime or model has it. */
interface ConvChoice {
  readonly algorithm: ConvAlgorithm | "auto";
  readonly precision: Precision | undefined;
  readonly memory: Memory | undefined;
  readonly tune: boolean | undefined;
}

/** A convolution of rank-4 operands that fit each other. */
export interface FoundConv {
  readonly shape: ConvShape;
  readonly epilogue: Epilogue;
  readonly choice: ConvChoice;
}

/** Validates a convolution of rank-4 operands. */
export function inferConv(
  input: TensorSpec,
  weight: TensorSpec,
  bias: TensorSpec | undefined,
  options: Conv2dOptions,
): FoundConv {
  const shape = convShape(input.shape, weight.shape, options);
  if (bias) requireShape("bias", bias, [shape.M]);
  const { algorithm = "auto", precision, memory, tune } = options;
  const choice = {
    algorithm: oneOf("algorithm", algorithm, ALGORITHMS),
    precision: precision === undefined ? undefined : oneOf("precision", precision, PRECISION_NAMES),
    memory: memory === undefined ? undefined : oneOf("memory", memory, MEMORY_NAMES),
    tune: tune === undefined ? undefined : boolean("tune", tune),
  };
  return { shape, epilogue: epilogue(options.activation), choice };
}

export function outputShape({ N, M, P, Q }: ConvShape): readonly [number, number, number, number] {
  return [N, M, P, Q];
}

/** Checks a residual, if there is one, against the output; the output may then be its memory. */
export function inPlaceOf(residual: TensorSpec | undefined, output: TensorSpec): readonly ["residual"] {
  if (residual) requireSpec("residual", residual, output);
  return ["residual"];
}

/**
 * The algorithm of a convolution: by the table, or by times where these were taken. Where there are none yet and there should
 * be, the builder notes it.
 */
export function chooseConv(b: Builder, { choice, ...found }: FoundConv, specs: Omit<ConvProblem, "shape">): Selection {
  const { tune: isTuned = false, timings, variant, ...defaults } = b.planning;
  const { algorithm, tune = isTuned, precision = defaults.precision, memory = defaults.memory } = choice;
  const { shape } = found;
  if (!tune || algorithm !== "auto") return select(shape, variant, { algorithm, precision, memory });
  const problem = { ...specs, shape };
  if (timings === undefined) {
    const candidates = worthMeasuring(shape, variant, { precision, memory });
    if (candidates.length > 1) b.untimed.push({ problem, candidates });
  }
  return select(shape, variant, { precision, memory, timings: timings?.(problem) });
}

/** A whole operator that is one convolution of rank-4 operands. */
export function lowerConv(
  b: Builder,
  operands: Omit<ConvOperands, "shape" | "epilogue"> & {
    readonly residual: Operand | undefined;
    readonly output: Operand;
  },
  found: FoundConv,
): void {
  const { input, weight, output } = operands;
  const { row, reason } = chooseConv(b, found, { input: input.spec, weight: weight.spec, output: output.spec });
  lowerBy(row.algorithm, b, { ...operands, shape: found.shape, epilogue: found.epilogue });
  b.algorithm = row.algorithm;
  b.reason = reason;
  b.error = row.error;
}

export const conv2d = defineOperator({
  name: "conv2d",
  inputs: ["input"],
  extras: ["residual"],
  params: ["weight"],
  optional: ["bias"],
  inner: ["slope"],
  options: ["stride", "padding", "dilation", "groups", "activation", "algorithm", "precision", "memory", "tune"],
  readsPixels: true,
  filters: { weight: "weight", bias: "bias", layout: "first", axis: 1 },
  infer({ input, weight, bias, residual }, options: Conv2dOptions) {
    requireRank("input", input, 4, "[N, C, H, W]");
    requireRank("weight", weight, 4, "[M, C/groups, R, S]");
    const found = inferConv(input, weight, bias, options);
    const output = outputSpec(outputShape(found.shape), input);
    return { ...found, outputs: [output], macs: convMacs(found.shape), inPlace: inPlaceOf(residual, output) };
  },
  lower(b, { input, weight, bias, residual, slope }, found) {
    lowerConv(b, { input, weight, bias, residual, slope, output: b.output }, found);
  },
});
