// Functions of one element: see assembly/unary.ts.
import { countOf } from "../../base/shape.js";
import { ActivationDesc } from "../../kernels/gen/desc.js";
import type { LoweredOptions } from "../../ops/custom.js";
import { outputSpec } from "../../ops/operator.js";
import type { Operand } from "../../plan/operand.js";

/** Codes of assembly/unary.ts. */
export const UNARY_CODES = {
  Exp: 0,
  Log: 1,
  Sin: 2,
  Cos: 3,
  Erf: 4,
  Sqrt: 5,
  Abs: 6,
  Floor: 7,
  Ceil: 8,
  Round: 9,
  Reciprocal: 10,
  Half: 11,
  Sign: 12,
} as const;

/** Elements of a work item: CHUNK of assembly/unary.ts. */
const CHUNK = 2048;

export function unary(name: keyof typeof UNARY_CODES): LoweredOptions {
  return {
    label: name,
    lower(b) {
      const { spec, ref } = b.inputs[0] as Operand;
      const output = b.output(outputSpec(spec.shape, spec));
      const count = countOf(spec.shape);
      b.inPlace = [0];
      const values = { xPtr: ref, yPtr: output.ref, count, activation: UNARY_CODES[name], alpha: 0, beta: 0 };
      b.step("unary_f32", ActivationDesc, values, Math.ceil(count / CHUNK));
    },
  };
}
