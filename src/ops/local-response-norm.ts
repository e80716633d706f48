// Normalisation by the squares of neighbouring channels, as AlexNet and GoogLeNet have it.
import { finite, integer } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import { axisView } from "../base/spec.js";
import { LocalResponseNormDesc } from "../kernels/gen/desc.js";
import type { Operand } from "../plan/operand.js";
import { defineOperator, outputSpec, requireFloat } from "./operator.js";

/** Of x / (bias + alpha / size * sum of x^2)^beta. */
export interface LocalResponseNormOptions {
  /** Channels in the window, the one at hand included. */
  readonly size: number;
  /** Weight of the squares, divided by size; default 1e-4. */
  readonly alpha?: number;
  /** Exponent; default 0.75, which is faster than others. */
  readonly beta?: number;
  /** Added to the sum; default 1. */
  readonly bias?: number;
}

export const localResponseNorm = defineOperator({
  name: "localResponseNorm",
  inputs: ["input"],
  params: [],
  required: 0,
  options: ["size", "alpha", "beta", "bias"],
  lower(b, options: LocalResponseNormOptions) {
    const [input] = b.inputs as unknown as readonly [Operand];
    requireFloat("input", input.spec);
    const { shape } = input.spec;
    if (shape.length < 2) throw new ShapeError(`"input" expected rank >= 2 [N, C, ...], got ${show(shape)}`);
    const size = integer("size", options.size, 1);
    const alpha = finite("alpha", options.alpha ?? 1e-4);
    const { outer, size: channels, inner } = axisView(input.spec, 1);
    // More neighbours than there are channels change nothing.
    const before = Math.min(Math.floor((size - 1) / 2), channels);
    const after = Math.min(Math.ceil((size - 1) / 2), channels);
    const output = b.output(outputSpec(shape, input.spec));
    const values = {
      xPtr: input.ref,
      yPtr: output.ref,
      channels,
      inner,
      before,
      after,
      scale: alpha / size,
      beta: finite("beta", options.beta ?? 0.75),
      bias: finite("bias", options.bias ?? 1),
    };
    const scratchBytes = inner === 1 ? (before + channels + after + 8) * 4 : 0;
    b.step("local_response_norm_f32", LocalResponseNormDesc, values, outer * Math.ceil(inner / 16), scratchBytes);
  },
});
