// Normalisation by the squares of neighbouring channels, as AlexNet and GoogLeNet have it.
import { finite, integer } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import { axisView } from "../base/spec.js";
import { LRN_SPARE_BYTES, NEIGHBOURS } from "../kernels/gen/constants.js";
import { LocalResponseNormDesc } from "../kernels/gen/desc.js";
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
  options: ["size", "alpha", "beta", "bias"],
  infer({ input }, options: LocalResponseNormOptions) {
    requireFloat("input", input);
    const { shape } = input;
    if (shape.length < 2) throw new ShapeError(`"input" expected rank >= 2 [N, C, ...], got ${show(shape)}`);
    const size = integer("size", options.size, 1);
    const channels = shape[1] as number;
    const window = {
      // More neighbours than there are channels change nothing.
      before: Math.min(Math.floor((size - 1) / 2), channels),
      after: Math.min(Math.ceil((size - 1) / 2), channels),
      scale: finite("alpha", options.alpha ?? 1e-4) / size,
      beta: finite("beta", options.beta ?? 0.75),
      bias: finite("bias", options.bias ?? 1),
    };
    return { outputs: [outputSpec(shape, input)], window };
  },
  lower(b, { input }, { window }) {
    const { outer, size: channels, inner } = axisView(input.spec, 1);
    const values = { xPtr: input.ref, yPtr: b.output.ref, channels, inner, ...window };
    const scratchBytes = inner === 1 ? (window.before + channels + window.after) * 4 + LRN_SPARE_BYTES : 0;
    b.step(
      "local_response_norm_f32",
      LocalResponseNormDesc,
      values,
      outer * Math.ceil(inner / NEIGHBOURS),
      scratchBytes,
    );
  },
});
