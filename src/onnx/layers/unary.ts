// Functions of one element: see assembly/kernels/unary.ts.
import { countOf } from "../../base/shape.js";
import { CHUNK, UNARY_SCRATCH_BYTES, UnaryCode } from "../../kernels/gen/constants.js";
import { ActivationDesc } from "../../kernels/gen/desc.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";

export function unary(name: keyof typeof UnaryCode): Operator {
  return defineOperator({
    name,
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputSpec(input.shape, input)], inPlace: ["input"] }),
    lower(b, { input }) {
      const count = countOf(input.spec.shape);
      const code = { activation: UnaryCode[name], alpha: 0, beta: 0 };
      const values = { xPtr: input.ref, yPtr: b.output.ref, count, ...code };
      b.step("unary_f32", ActivationDesc, values, Math.ceil(count / CHUNK), UNARY_SCRATCH_BYTES);
    },
  });
}
