// softmax and its logarithm along one axis, on the tensor's own memory order.
import { axisOf } from "../base/check.js";
import { ShapeError } from "../base/errors.js";
import { axisView, bytesOf } from "../base/spec.js";
import { SoftmaxDesc } from "../kernels/gen/desc.js";
import type { Builder } from "../plan/builder.js";
import type { Operand, Ref } from "../plan/operand.js";
import { defineOperator, outputSpec, requireFloat } from "./operator.js";
import { copyStrided } from "./parts/strided.js";

/** Of softmax and logSoftmax. */
export interface SoftmaxOptions {
  /** The axis whose elements sum up to 1; negative counts from the end; default -1. */
  readonly axis?: number;
}

/** Many lines of fewer elements than this are turned, so that vectors hold elements of four lines (4420 x 2: 5 times faster). */
const SHORT = 8;

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
      const step = (x: Ref, y: Ref, outer: number, inner: number) =>
        b.step("softmax_f32", SoftmaxDesc, { xPtr: x, yPtr: y, size, inner, logarithm }, outer * Math.ceil(inner / 16));
      if (inner > 1 || size >= SHORT || outer < SHORT) {
        step(input.ref, output.ref, outer, inner);
        return;
      }
      const turned = b.workspace(bytesOf(input.spec));
      const [lines, along] = [
        { size: outer, src: size, dst: 1 },
        { size, src: 1, dst: outer },
      ];
      copyStrided(b, "float32", input.ref, turned, [lines, along]);
      step(turned, turned, 1, outer);
      const back = [lines, along].map(({ size, src, dst }) => ({ size, src: dst, dst: src }));
      copyStrided(b, "float32", turned, output.ref, back);
    },
  });
}

export const softmax = normalised("softmax", 0);
export const logSoftmax = normalised("logSoftmax", 1);
