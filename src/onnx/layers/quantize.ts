// Quantised tensors from float32 and back: see assembly/kernels/quantize.ts.
import { countOf } from "../../base/shape.js";
import { axisView, type TensorSpec } from "../../base/spec.js";
import { CHUNK, QUANTIZE_SCRATCH_BYTES } from "../../kernels/gen/constants.js";
import { QuantizeDesc } from "../../kernels/gen/numeric/quantize-desc.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";
import type { Builder } from "../../plan/builder.js";
import type { Operand } from "../../plan/operand.js";

export type Quantised = "uint8" | "int8" | "int32";

/** real = (number - zero) * scale; one value, or one an element of `axis`. */
export interface Quantisation {
  readonly type: Quantised;
  readonly scale: ArrayLike<number>;
  readonly zero: ArrayLike<number>;
  readonly axis: number;
  /** Quantising multiplies by the scales instead of dividing. */
  readonly multiply?: boolean;
  /** Added to what is rounded, in quanta; or to the real number on the way back. */
  readonly offset?: number;
}

/** All elements of one scale as one row; else the axis, or what lies behind its elements. */
function rowsOf(spec: TensorSpec, { scale, axis }: Quantisation): { rows: number; cols: number; period: number } {
  if (scale.length === 1) return { rows: 1, cols: countOf(spec.shape), period: 1 };
  const { outer, size, inner } = axisView(spec, axis);
  return inner === 1 ? { rows: outer, cols: size, period: 0 } : { rows: outer * size, cols: inner, period: size };
}

function emit(b: Builder, kernel: "quantize_f32" | "dequantize_f32", { spec, ref }: Operand, q: Quantisation): void {
  const { rows, cols, period } = rowsOf(spec, q);
  const chunkCols = Math.min(cols, CHUNK);
  const chunks = Math.ceil(cols / chunkCols);
  const isSigned = q.type === "int8";
  const values = {
    xPtr: ref,
    yPtr: b.output.ref,
    scalesPtr: b.table(new Float32Array(q.scale)),
    zerosPtr: b.table(
      Float32Array.from(q.scale, (_, i) => (q.zero[q.zero.length > 1 ? i : 0] ?? 0) + (isSigned ? 128 : 0)),
    ),
    cols,
    chunks,
    chunkCols,
    period,
    flip: isSigned ? 0x80808080 | 0 : 0,
    wide: Number(q.type === "int32"),
    multiply: Number(q.multiply ?? false),
    offset: q.offset ?? 0,
  };
  b.step(kernel, QuantizeDesc, values, rows * chunks, QUANTIZE_SCRATCH_BYTES);
}

/** float32 → the quantised type, same shape and memory format. */
export function quantize(q: Quantisation): Operator {
  return defineOperator({
    name: `to ${q.type}`,
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputSpec(input.shape, { ...input, dtype: q.type })] }),
    lower: (b, { input }) => emit(b, "quantize_f32", input, q),
  });
}

/** The quantised type → float32. */
export function dequantize(q: Quantisation): Operator {
  return defineOperator({
    name: `from ${q.type}`,
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputSpec(input.shape, { ...input, dtype: "float32" })] }),
    lower: (b, { input }) => emit(b, "dequantize_f32", input, q),
  });
}
