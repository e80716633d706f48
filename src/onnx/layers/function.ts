// Functions of one element with numbers of their own: see assembly/kernels/function.ts.
import { countOf } from "../../base/shape.js";
import { CHUNK } from "../../kernels/gen/constants.js";
import { ActivationDesc } from "../../kernels/gen/desc.js";
import { FunctionCode } from "../../kernels/gen/rare/function-code.js";
import { defineOperator, type Operator, outputSpec, requireFloat } from "../../ops/operator.js";

export function functionOf(name: keyof typeof FunctionCode, alpha = 0, beta = 0): Operator {
  return defineOperator({
    name,
    inputs: ["input"],
    infer({ input }) {
      requireFloat("input", input);
      return { outputs: [outputSpec(input.shape, input)], inPlace: ["input"] };
    },
    lower(b, { input }) {
      const count = countOf(input.spec.shape);
      const code = { activation: FunctionCode[name], alpha, beta };
      b.step(
        "function_f32",
        ActivationDesc,
        { xPtr: input.ref, yPtr: b.output.ref, count, ...code },
        Math.ceil(count / CHUNK),
      );
    },
  });
}
