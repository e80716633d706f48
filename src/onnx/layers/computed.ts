// Operators with weights that a run computes: what is prepared once for constant ones is a step of every run.
import { defineOperator, type Operator } from "../../ops/operator.js";

/** An operator with parameters "weight" and, not used here, "bias". */
export function computed(operator: Operator, label: string): Operator {
  return defineOperator({
    name: label,
    inputs: ["input", "weight"],
    options: operator.options as never[],
    infer: (specs, options) => operator.infer(specs, options),
    lower(b, operands, found) {
      operator.lower(b, operands, found);
      b.steps.unshift(...b.prepares.splice(0));
      b.algorithm ||= operator.name;
    },
  });
}
