// Bytes whose scale and zero point a run computes: see assembly/kernels/int8-dynamic.ts.
import { ShapeError, show } from "../../../base/errors.js";
import { countOf, roundUp } from "../../../base/shape.js";
import { makeSpec, showSpec, type TensorSpec } from "../../../base/spec.js";
import { CHUNK, PANEL } from "../../../kernels/gen/constants.js";
import { FactorsDesc } from "../../../kernels/gen/int8/factors-desc.js";
import { QuantizeBytesDesc } from "../../../kernels/gen/int8/quantize-bytes-desc.js";
import { RangeDesc } from "../../../kernels/gen/int8/range-desc.js";
import { defineOperator, type Operator } from "../../../ops/operator.js";
import type { Builder } from "../../../plan/builder.js";
import { NONE, type Operand, type Ref } from "../../../plan/operand.js";
import type { Ending } from "./form.js";

/** What numbers end as. */
const END_BYTES = 96;
const MOST_CHUNKS = 256;

/** float32 → uint8 of the same shape and memory format, by the range of the values and 0; its scale, float32 []; its zero point, uint8 []. */
export function quantizeDynamic(): Operator {
  return defineOperator({
    name: "quantize dynamic q8",
    inputs: ["input"],
    outputs: ["y", "scale", "zero"],
    infer({ input }) {
      if (input.dtype !== "float32") throw new ShapeError(`"input" expected float32, got ${showSpec(input)}`);
      const one = (dtype: "float32" | "uint8") => makeSpec([], dtype, "contiguous", "output");
      return { outputs: [makeSpec(input.shape, "uint8", input.memoryFormat, "output"), one("float32"), one("uint8")] };
    },
    lower(b, { input }) {
      const count = countOf(input.spec.shape);
      // Every slice reads the ranges of all.
      const cols = Math.min(count, Math.max(CHUNK, roundUp(Math.ceil(count / MOST_CHUNKS), 8)));
      const chunks = Math.ceil(count / cols);
      const [y, scale, zero] = b.outputs as [Operand, Operand, Operand];
      const rangesPtr = b.workspace(8 * chunks);
      b.step("range_q8", RangeDesc, { xPtr: input.ref, yPtr: rangesPtr, count, cols }, chunks);
      const outputs = { yPtr: y.ref, scalePtr: scale.ref, zeroPtr: zero.ref };
      const values = { xPtr: input.ref, rangesPtr, ...outputs, count, cols, chunks };
      b.step("quantize_q8", QuantizeBytesDesc, values, chunks, END_BYTES);
    },
  });
}

/** Operands of a product, behind its bytes, that a run computes: their zero point, and their scale where it ends in floats. */
export type Computed = "zero" | "zero and scale";

export const computedInputs = (computed: Computed | undefined): readonly ("zero" | "scale")[] =>
  computed === undefined ? [] : computed === "zero" ? ["zero"] : ["zero", "scale"];

/** Throws ShapeError for what are no single numbers. */
export function requireComputed(zero: TensorSpec | undefined, scale: TensorSpec | undefined): void {
  for (const [name, spec, dtype] of [["zero", zero, "uint8"], ["scale", scale, "float32"]] as const) // biome-ignore format: a table
    if (spec && (spec.dtype !== dtype || countOf(spec.shape) !== 1))
      throw new ShapeError(`"${name}" expected ${dtype} of one value, got ${spec.dtype} ${show(spec.shape)}`);
}

/** What products and depthwise convolutions are given, as specs or operands. */
export interface Given<T> {
  readonly input: T;
  readonly zero?: T | undefined;
  readonly scale?: T | undefined;
  readonly weight: T;
  readonly bias: T | undefined;
}

/** What a product's biases and factors are made of: of `count` filters, in whole panels of 8. */
interface Factors {
  /** int32: the bias; where a run computes the zero point, sums of weights. */
  readonly sums: Ref;
  /** The ending's, float32. */
  readonly scales: Ref;
  readonly ending: Ending;
  readonly count: number;
  /** By what bytes are lower as they are multiplied. */
  readonly lower: number;
}

/** Emits what makes biases of sums of weights, and factors of scales, where a run computes the zero point and the scale. */
export function emitFactors(
  b: Builder,
  { zero, scale }: Pick<Given<Operand>, "zero" | "scale">,
  { sums, scales, ending, count, lower }: Factors,
): { readonly biasPtr: Ref; readonly factorsPtr: Ref } {
  if (!zero) return { biasPtr: sums, factorsPtr: scales };
  const [biasPtr, factors] = [b.workspace(4 * count), scale ? b.workspace(4 * count) : NONE];
  const values = {
    zeroPtr: zero.ref,
    scalePtr: scale?.ref ?? NONE,
    sumsPtr: sums,
    weightScalesPtr: scales,
    biasPtr,
    factorsPtr: factors,
    zero: lower,
  };
  b.step("factors_q8", FactorsDesc, values, count / PANEL);
  return { biasPtr, factorsPtr: scale && ending.type === "float32" ? factors : scales };
}
