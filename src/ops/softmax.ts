// softmax and its logarithm along one axis, on the tensor's own memory order.
import { axisOf } from "../check.js";
import { ShapeError } from "../errors.js";
import { SoftmaxDesc } from "../gen/desc.js";
import type { Builder, Operand } from "../plan.js";
import { axisView } from "../spec.js";
import { defineOperator, outputSpec, requireFloat } from "./operator.js";

export interface SoftmaxOptions {
  /** The axis whose elements sum up to 1; negative counts from the end; default -1. */
  readonly axis?: number;
}

function normalised<const Name extends string>(name: Name, logarithm: 0 | 1) {
  return defineOperator({
    name,
    inputs: ["input"],
    params: [],
    required: 0,
    options: ["axis"],
    lower(b: Builder, options: SoftmaxOptions) {
      const [input] = b.inputs as unknown as readonly [Operand];
      requireFloat("input", input.spec);
      const { shape } = input.spec;
      if (shape.length === 0) throw new ShapeError(`"input" expected rank >= 1, got rank 0`);
      const { outer, size, inner } = axisView(input.spec, axisOf("axis", options.axis ?? -1, shape.length));
      const output = b.output(outputSpec(shape, input.spec));
      b.inPlace = [0];
      const values = { xPtr: input.ref, yPtr: output.ref, size, inner, logarithm };
      b.step("softmax_f32", SoftmaxDesc, values, outer * Math.ceil(inner / 16));
    },
  });
}

export const softmax = normalised("softmax", 0);
export const logSoftmax = normalised("logSoftmax", 1);
