// Functions of one element: see assembly/kernels/unary.ts.
import { countOf } from "../../base/shape.js";
import { CHUNK, UnaryCode } from "../../kernels/gen/constants.js";
import { ActivationDesc } from "../../kernels/gen/desc.js";
import type { LoweredOptions } from "../../ops/custom.js";
import { outputSpec } from "../../ops/operator.js";
import type { Operand } from "../../plan/operand.js";

export function unary(name: keyof typeof UnaryCode): LoweredOptions {
  return {
    label: name,
    lower(b) {
      const { spec, ref } = b.inputs[0] as Operand;
      const output = b.output(outputSpec(spec.shape, spec));
      const count = countOf(spec.shape);
      b.inPlace = [0];
      const values = { xPtr: ref, yPtr: output.ref, count, activation: UnaryCode[name], alpha: 0, beta: 0 };
      b.step("unary_f32", ActivationDesc, values, Math.ceil(count / CHUNK));
    },
  };
}
