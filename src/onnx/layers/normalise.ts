// Layer, RMS, group and instance normalisation: lines of a tensor in logical order. See assembly/kernels/normalise.ts.
import { countOf } from "../../base/shape.js";
import { NormaliseDesc } from "../../kernels/gen/numeric/normalise-desc.js";
import { defineOperator, type Operator, outputSpec, requireFloat } from "../../ops/operator.js";
import { contiguousInput, contiguousOutput } from "../../ops/parts/strided.js";
import { NONE } from "../../plan/operand.js";

/** What is a line, and which of its elements share a factor and a shift. */
export interface Normalisation {
  /** How summaries call it. */
  readonly name: string;
  /** Elements of a line. */
  readonly length: number;
  /** Neighbours that share a factor: 1, or the pixels of a channel. */
  readonly inner: number;
  /** Lines after which factors start again. */
  readonly period: number;
  /** Whether the mean is taken off. */
  readonly isCentered: boolean;
  readonly epsilon: number;
}

/** The operator of one input, its factors and its shifts: length / inner a line, `period` lines of them. */
export interface Normalise extends Operator {
  readonly normalisation: Normalisation;
}

export function normalise(normalisation: Normalisation): Normalise {
  const { name, length, inner, period, isCentered, epsilon } = normalisation;
  const operator = defineOperator({
    name,
    inputs: ["input"],
    optional: ["gamma", "beta"],
    infer({ input }) {
      requireFloat("input", input);
      return { outputs: [outputSpec(input.shape, input)], inPlace: ["input"] };
    },
    lower(b, { input, gamma, beta }) {
      const y = contiguousOutput(b, b.output);
      const values = {
        xPtr: contiguousInput(b, input),
        yPtr: y.ref,
        gammaPtr: gamma?.ref ?? NONE,
        betaPtr: beta?.ref ?? NONE,
        length,
        inner,
        period,
        centered: Number(isCentered),
        epsilon,
      };
      b.step("normalise_f32", NormaliseDesc, values, countOf(input.spec.shape) / length);
      y.finish();
    },
  });
  return { ...operator, normalisation };
}
