// Functions of one element: see assembly/unary.ts.
import { countOf } from "../../base/shape.js";
import { ActivationDesc } from "../../kernels/gen/desc.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";

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

export function unary(name: keyof typeof UNARY_CODES): Operator {
  return defineOperator({
    name,
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputSpec(input.shape, input)], inPlace: ["input"] }),
    lower(b, { input }) {
      const count = countOf(input.spec.shape);
      const code = { activation: UNARY_CODES[name], alpha: 0, beta: 0 };
      const values = { xPtr: input.ref, yPtr: b.output.ref, count, ...code };
      b.step("unary_f32", ActivationDesc, values, Math.ceil(count / CHUNK));
    },
  });
}
