// Batch normalisation over axis 1 of [N, C, ...]: with given statistics (the test phase), with the batch's own
// (training), and folded into the convolution before it.
import { finite, knownOptions } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import { type AxisView, axisView, makeSpec, type TensorSpec } from "../base/spec.js";
import { STATISTICS_SCRATCH_BYTES } from "../kernels/gen/constants.js";
import { BatchNormDesc, BatchNormTableDesc, BatchStatisticsDesc } from "../kernels/gen/desc.js";
import type { Builder } from "../plan/builder.js";
import { NONE, type Operand, type Ref } from "../plan/operand.js";
import { defineOperator, outputSpec, requireFloat, requireShape } from "./operator.js";
import { type Activation, type Epilogue, epilogue } from "./parts/epilogue.js";

const EPSILON = 1e-5;

/** Of the test phase. */
export interface BatchNormOptions {
  /** Added to the variance; >= 0; default 1e-5. */
  readonly epsilon?: number;
  /** Applied to the result before it is stored; default none. */
  readonly activation?: Activation;
}

/** Of the training phase. */
export interface BatchNormTrainOptions {
  /** Added to the variance; >= 0; default 1e-5. */
  readonly epsilon?: number;
  /** This batch's share in the running statistics, as in PyTorch (ONNX's is 1 minus this one); default 0.1. */
  readonly momentum?: number;
}

/** Checks the operands; the input along its channels. */
function channelsOf(input: TensorSpec, perChannel: Readonly<Record<string, TensorSpec | undefined>>): AxisView {
  requireFloat("input", input);
  const { shape } = input;
  if (shape.length < 2) throw new ShapeError(`"input" expected rank >= 2 [N, C, ...], got ${show(shape)}`);
  for (const [name, spec] of Object.entries(perChannel)) if (spec) requireShape(name, spec, [shape[1] as number]);
  return axisView(input, 1);
}

function positive(name: string, value: number): number {
  if (finite(name, value) >= 0) return value;
  throw new RangeError(`"${name}" expected a number >= 0, got ${value}`);
}

/** A table of centers, scales and shifts, each rounded up to whole vectors. See assembly/kernels/batch-norm.ts. */
function tableCall(
  tablePtr: Ref,
  channels: number,
  mean: Ref,
  variance: Ref,
  gamma: Operand | undefined,
  beta: Operand | undefined,
  epsilon: number,
) {
  return {
    meanPtr: mean,
    variancePtr: variance,
    gammaPtr: gamma?.ref ?? NONE,
    betaPtr: beta?.ref ?? NONE,
    tablePtr,
    tableBytes: tableBytes(channels),
    epsilon,
  };
}

function tableBytes(channels: number): number {
  return 3 * 16 * Math.ceil(channels / 4);
}

function normalise(b: Builder, view: AxisView, input: Operand, output: Operand, tablePtr: Ref, end: Epilogue): void {
  const { outer, size: channels, inner } = view;
  const values = {
    xPtr: input.ref,
    yPtr: output.ref,
    tablePtr,
    tableBytes: tableBytes(channels),
    channels,
    inner,
    ...end,
  };
  b.step("batch_norm_f32", BatchNormDesc, values, inner === 1 ? outer : outer * channels);
}

export const batchNorm = defineOperator({
  name: "batchNorm",
  inputs: ["input"],
  params: ["mean", "variance"],
  optional: ["gamma", "beta"],
  options: ["epsilon", "activation"],
  infer({ input, ...perChannel }, options: BatchNormOptions) {
    return {
      outputs: [outputSpec(input.shape, input)],
      inPlace: ["input"],
      view: channelsOf(input, perChannel),
      epsilon: positive("epsilon", options.epsilon ?? EPSILON),
      epilogue: epilogue(options.activation),
    };
  },
  lower(b, { input, mean, variance, gamma, beta }, { view, epsilon, epilogue: end }) {
    const table = b.packed(tableBytes(view.size));
    const values = tableCall(table, view.size, mean.ref, variance.ref, gamma, beta, epsilon);
    b.prepare("batch_norm_table_f32", BatchNormTableDesc, values, Math.ceil(view.size / 4));
    normalise(b, view, input, b.output, table, end);
  },
});

export const batchNormTrain = defineOperator({
  name: "batchNormTrain",
  inputs: ["input"],
  optional: ["gamma", "beta", "runningMean", "runningVariance"],
  options: ["epsilon", "momentum"],
  outputs: ["output", "mean", "variance", "runningMean", "runningVariance"],
  infer({ input, ...perChannel }, options: BatchNormTrainOptions) {
    const view = channelsOf(input, perChannel);
    const n = view.outer * view.inner;
    if (n === 1) throw new ShapeError(`"input" expected more than one value a channel, got ${show(input.shape)}`);
    const channels = makeSpec([view.size]);
    return {
      outputs: [outputSpec(input.shape, input), channels, channels, channels, channels],
      inPlace: ["input"],
      view,
      n,
      epsilon: positive("epsilon", options.epsilon ?? EPSILON),
      momentum: finite("momentum", options.momentum ?? 0.1),
    };
  },
  lower(b, { input, gamma, beta, runningMean, runningVariance }, { view, n, epsilon, momentum }) {
    const { outer, size: channels, inner } = view;
    const outputs = b.outputs as readonly [Operand, Operand, Operand, Operand, Operand];
    const [output, mean, variance, newMean, newVariance] = outputs;
    const statistics = {
      xPtr: input.ref,
      oldMeanPtr: runningMean?.ref ?? NONE,
      oldVariancePtr: runningVariance?.ref ?? NONE,
      meanPtr: mean.ref,
      variancePtr: variance.ref,
      newMeanPtr: newMean.ref,
      newVariancePtr: newVariance.ref,
      outer,
      channels,
      inner,
      keep: 1 - momentum,
      momentum,
      momentumUnbiased: (momentum * n) / (n - 1),
    };
    b.step("batch_statistics_f32", BatchStatisticsDesc, statistics, Math.ceil(channels / 4), STATISTICS_SCRATCH_BYTES);
    const table = b.workspace(tableBytes(channels));
    const values = tableCall(table, channels, mean.ref, variance.ref, gamma, beta, epsilon);
    b.step("batch_norm_table_f32", BatchNormTableDesc, values, Math.ceil(channels / 4));
    normalise(b, view, input, output, table, epilogue(undefined));
  },
});

/** The parameters of a batch normalisation in the test phase, one number a channel. */
export interface BatchNormParameters {
  /** C means. */
  readonly mean: ArrayLike<number>;
  /** C variances. */
  readonly variance: ArrayLike<number>;
  /** Default ones. */
  readonly gamma?: ArrayLike<number> | null;
  /** Default zeros. */
  readonly beta?: ArrayLike<number> | null;
  /** Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * The weights and bias of a convolution that does what convolution, then batch normalisation do: each filter m is
 * scaled by gamma[m] / sqrt(variance[m] + epsilon). weight: M filters one after the other ([M, C/groups, R, S],
 * contiguous); bias: M numbers or none. Answers new arrays weight and bias of the same lengths, computed in float64.
 *
 * @throws ShapeError when the lengths do not fit, TypeError for what is no array, RangeError for an epsilon below 0.
 */
export function foldBatchNorm(
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | null | undefined,
  parameters: BatchNormParameters,
): { weight: Float32Array; bias: Float32Array } {
  knownOptions("parameters", parameters, ["mean", "variance", "gamma", "beta", "epsilon"]);
  const { mean, variance, gamma, beta, epsilon = EPSILON } = parameters;
  for (const [name, given] of Object.entries({ weight, mean, variance })) {
    if (typeof given !== "object" || given === null || !("length" in given)) {
      throw new TypeError(`"${name}" expected an array of numbers, got ${show(given)}`);
    }
  }
  const M = mean.length;
  positive("epsilon", epsilon);
  for (const [name, given] of Object.entries({ bias, variance, gamma, beta })) {
    if (given && given.length !== M)
      throw new ShapeError(`"${name}" expected ${M} numbers, as mean has, got ${given.length}`);
  }
  if (M === 0 || weight.length % M !== 0) {
    throw new ShapeError(`"weight" expected a multiple of ${M} numbers, got ${weight.length}`);
  }
  const scale = Float64Array.from(variance, (v, m) => (gamma?.[m] ?? 1) / Math.sqrt(v + epsilon));
  const perFilter = weight.length / M;
  const scaled = new Float32Array(weight.length);
  for (let m = 0, i = 0; m < M; m++) {
    const factor = scale[m] as number;
    for (const end = i + perFilter; i < end; i++) scaled[i] = (weight[i] as number) * factor;
  }
  return {
    weight: scaled,
    bias: Float32Array.from(scale, (s, m) => ((bias?.[m] ?? 0) - (mean[m] as number)) * s + (beta?.[m] ?? 0)),
  };
}
