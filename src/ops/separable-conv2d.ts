// Depthwise-separable convolution: a depthwise one, then a pointwise one, in one plan; what lies between stays in workspace.
// Source: Howard et al., MobileNets (2017). Work against a full convolution: (HWCRS + HWCM) / (HWCMRS).
import type { Pair } from "../check.js";
import { ShapeError, show } from "../errors.js";
import type { Operand } from "../plan.js";
import type { Precision } from "../select.js";
import type { Padding } from "../shape.js";
import { bytesOf, makeSpec } from "../spec.js";
import type { Activation } from "./activation.js";
import { lowerConv } from "./conv2d.js";
import { defineOperator, outputSpec, requireRank, requireShape } from "./operator.js";

export interface SeparableConv2dOptions {
  /** Of the depthwise half; default 1. */
  readonly stride?: Pair;
  /** Of the depthwise half; default 0. */
  readonly padding?: Padding;
  /** Of the depthwise half; default 1. */
  readonly dilation?: Pair;
  /** Between the halves; default none. */
  readonly depthwiseActivation?: Activation;
  /** After both; default none. */
  readonly activation?: Activation;
  /** Of both halves, as conv2d's. */
  readonly precision?: Precision;
  readonly tune?: boolean;
}

export const separableConv2d = defineOperator({
  name: "separableConv2d",
  inputs: ["input"],
  extras: ["residual"],
  params: ["depthwiseWeight", "pointwiseWeight", "bias", "depthwiseBias"],
  required: 2,
  options: ["stride", "padding", "dilation", "depthwiseActivation", "activation", "precision", "tune"],
  lower(b, options: SeparableConv2dOptions) {
    const [input, residual] = b.inputs as unknown as [Operand, Operand | undefined];
    const [depthwise, pointwise, bias, depthwiseBias] = b.params as [
      Operand,
      Operand,
      Operand | undefined,
      Operand | undefined,
    ];
    const C = requireRank("input", input.spec, 4, "[N, C, H, W]")[1] as number;
    const [wide, one] = requireRank("depthwiseWeight", depthwise.spec, 4, "[kC, 1, R, S]") as [number, number];
    if (one !== 1 || wide % C !== 0) {
      throw new ShapeError(`"depthwiseWeight" expected shape [k * ${C}, 1, R, S], got ${show(depthwise.spec.shape)}`);
    }
    const M = requireRank("pointwiseWeight", pointwise.spec, 4, "[M, kC, 1, 1]")[0] as number;
    requireShape("pointwiseWeight", pointwise.spec, [M, wide, 1, 1]);
    if (depthwiseBias) requireShape("depthwiseBias", depthwiseBias.spec, [wide]);
    const { stride, padding, dilation, precision, tune } = options;
    const first = lowerConv(
      b,
      { input, weight: depthwise, bias: depthwiseBias },
      { stride, padding, dilation, groups: C, activation: options.depthwiseActivation, precision, tune },
      (shape) => {
        const spec = makeSpec(shape, "float32", "channelsLast", "output");
        return { spec, ref: b.workspace(bytesOf(spec)) };
      },
    );
    const second = lowerConv(
      b,
      { input: first.output, weight: pointwise, bias, residual },
      { activation: options.activation, precision, tune },
      (shape) => b.output(outputSpec(shape, input.spec)),
    );
    b.algorithm = `${first.algorithm} + ${second.algorithm}`;
    b.reason = `depthwise: ${first.reason}; pointwise: ${second.reason}`;
    b.error = Math.max(first.error, second.error);
    b.macs = first.macs + second.macs;
  },
});
