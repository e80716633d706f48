// Activations as operators of their own: one kernel, one code each. Their formulas are in src/ops/operations.ts, how
// they are computed in assembly/math.ts.
import { countOf } from "../base/shape.js";
import { ActivationDesc } from "../kernels/gen/desc.js";
import type { Builder } from "../plan/builder.js";
import { defineOperator, outputSpec, requireFloat } from "./operator.js";
import { type Activation, epilogue, soleCode } from "./parts/epilogue.js";

/** Elements of a work item: CHUNK of assembly/activation.ts. */
const CHUNK = 2048;

/** Of x, or alpha x where x < 0. */
export interface LeakyReluOptions {
  /** Slope below 0; default 0.01. */
  readonly alpha?: number;
}

/** Of x, or alpha (e^x - 1) where x <= 0. */
export interface EluOptions {
  /** The limit at -infinity is -alpha; default 1. */
  readonly alpha?: number;
}

/** Of min(max(alpha x + beta, 0), 1). */
export interface HardSigmoidOptions {
  /** Slope; default 1/6, as in PyTorch (ONNX's default is 0.2). */
  readonly alpha?: number;
  /** Value at 0; default 0.5. */
  readonly beta?: number;
}

/** Which formula of gelu. */
export interface GeluOptions {
  /** "none" (default): x times the normal distribution's share below x. "tanh": the usual approximation of it. */
  readonly approximate?: "none" | "tanh";
}

/** Bounds; neither may be NaN. */
export interface ClipOptions {
  /** Default -Infinity. */
  readonly min?: number;
  /** Default Infinity. A max below min gives max everywhere. */
  readonly max?: number;
}

function activation<const Name extends string, Options extends object>(
  name: Name,
  options: readonly (keyof Options & string)[],
  read: (options: Options) => Activation,
) {
  return defineOperator({
    name,
    inputs: ["input"],
    params: [],
    required: 0,
    options,
    lower(b: Builder, given: Options) {
      const [input] = b.inputs as [(typeof b.inputs)[number]];
      requireFloat("input", input.spec);
      const code = soleCode(epilogue(read(given), ""));
      const output = b.output(outputSpec(input.spec.shape, input.spec));
      const count = countOf(input.spec.shape);
      b.inPlace = [0];
      b.step(
        "activation_f32",
        ActivationDesc,
        { xPtr: input.ref, yPtr: output.ref, count, ...code },
        Math.ceil(count / CHUNK),
      );
    },
  });
}

type NoOptions = Record<never, never>;

export const relu = activation<"relu", NoOptions>("relu", [], () => "relu");
export const relu6 = activation<"relu6", NoOptions>("relu6", [], () => "relu6");
export const sigmoid = activation<"sigmoid", NoOptions>("sigmoid", [], () => "sigmoid");
export const tanh = activation<"tanh", NoOptions>("tanh", [], () => "tanh");
export const silu = activation<"silu", NoOptions>("silu", [], () => "silu");
export const hardSwish = activation<"hardSwish", NoOptions>("hardSwish", [], () => "hardSwish");
export const leakyRelu = activation<"leakyRelu", LeakyReluOptions>("leakyRelu", ["alpha"], (o) => ({
  ...o,
  type: "leakyRelu",
}));
export const elu = activation<"elu", EluOptions>("elu", ["alpha"], (o) => ({ ...o, type: "elu" }));
export const hardSigmoid = activation<"hardSigmoid", HardSigmoidOptions>("hardSigmoid", ["alpha", "beta"], (o) => ({
  ...o,
  type: "hardSigmoid",
}));
export const gelu = activation<"gelu", GeluOptions>("gelu", ["approximate"], (o) => ({ ...o, type: "gelu" }));
export const clip = activation<"clip", ClipOptions>("clip", ["min", "max"], (o) => ({ ...o, type: "clip" }));
