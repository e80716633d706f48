// 2-D convolution (cross-correlation, as the field calls it): y[n,m,p,q] = bias[m] + sum x[n,c,pU+r,qU+s] * w[m,c,r,s].
import { oneOf, type Pair } from "../check.js";
import { CONV_ROWS, type ConvAlgorithm } from "../kernels.js";
import { select } from "../select.js";
import { convMacs, convShape, type Padding } from "../shape.js";
import { type Activation, epilogue } from "./activation.js";
import { LOWERINGS } from "./conv-algorithms.js";
import { defineOperator, outputSpec, requireRank, requireShape } from "./operator.js";

export interface Conv2dOptions {
  /** Step of the window in input pixels; default 1. */
  readonly stride?: Pair;
  /** Zeros around the input; default 0. */
  readonly padding?: Padding;
  /** Distance between taps in input pixels; default 1. */
  readonly dilation?: Pair;
  /** Channel groups; weights are [M, C/groups, R, S]; default 1. */
  readonly groups?: number;
  /** Applied to the sum before it is stored; default none. */
  readonly activation?: Activation;
  /** Which kernel computes it; default "auto": the least estimated cost. */
  readonly algorithm?: ConvAlgorithm | "auto";
}

const ALGORITHMS = ["auto", ...CONV_ROWS.map((row) => row.algorithm)] as const;

export const conv2d = defineOperator({
  name: "conv2d",
  inputs: ["input"],
  params: ["weight", "bias"],
  required: 1,
  options: ["stride", "padding", "dilation", "groups", "activation", "algorithm"],
  lower(b, options: Conv2dOptions) {
    const [input] = b.inputs as [(typeof b.inputs)[number]];
    const [weight, bias] = b.params as [(typeof b.inputs)[number], (typeof b.inputs)[number] | undefined];
    const x = requireRank("input", input.spec, 4, "[N, C, H, W]");
    const w = requireRank("weight", weight.spec, 4, "[M, C/groups, R, S]");
    const shape = convShape(x, w, options);
    if (bias) requireShape("bias", bias.spec, [shape.M]);
    const algorithm = oneOf("algorithm", options.algorithm ?? "auto", ALGORITHMS);
    const { row, reason } = select(shape, b.target.variant, algorithm);
    const output = b.output(outputSpec([shape.N, shape.M, shape.P, shape.Q], input.spec));
    b.algorithm = row.algorithm;
    b.reason = reason;
    b.macs = convMacs(shape);
    const lower = LOWERINGS[row.algorithm];
    if (!lower) throw new Error(`internal: ${row.algorithm} has no lowering`);
    lower(b, { shape, input, weight, bias, output, epilogue: epilogue(options.activation) });
  },
});
