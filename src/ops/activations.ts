// Activations as operators of their own: one kernel, one code each. Their formulas are in src/ops/operations.ts, how
// they are computed in assembly/lib/math.ts.
import { countOf } from "../base/shape.js";
import { CHUNK } from "../kernels/gen/constants.js";
import { ActivationDesc } from "../kernels/gen/desc.js";
import { defineOperator, outputSpec, requireFloat } from "./operator.js";
import { type Activation, epilogue, PARAMETERS, soleCode } from "./parts/epilogue.js";

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

/** One operator a name, whose options are the activation's parameters. */
function activation<const Name extends keyof typeof PARAMETERS, Options extends object>(name: Name) {
  return defineOperator({
    name,
    inputs: ["input"],
    options: PARAMETERS[name] as readonly string[] as readonly (keyof Options & string)[],
    isActivation: true,
    infer({ input }, given: Options) {
      requireFloat("input", input);
      const code = soleCode(epilogue({ ...given, type: name } as Activation, ""));
      return { outputs: [outputSpec(input.shape, input)], inPlace: ["input"], code };
    },
    lower(b, { input }, { code }) {
      const count = countOf(input.spec.shape);
      const values = { xPtr: input.ref, yPtr: b.output.ref, count, ...code };
      b.step("activation_f32", ActivationDesc, values, Math.ceil(count / CHUNK));
    },
  });
}

type NoOptions = Record<never, never>;

export const relu = activation<"relu", NoOptions>("relu");
export const relu6 = activation<"relu6", NoOptions>("relu6");
export const sigmoid = activation<"sigmoid", NoOptions>("sigmoid");
export const tanh = activation<"tanh", NoOptions>("tanh");
export const silu = activation<"silu", NoOptions>("silu");
export const hardSwish = activation<"hardSwish", NoOptions>("hardSwish");
export const leakyRelu = activation<"leakyRelu", LeakyReluOptions>("leakyRelu");
export const elu = activation<"elu", EluOptions>("elu");
export const hardSigmoid = activation<"hardSigmoid", HardSigmoidOptions>("hardSigmoid");
export const gelu = activation<"gelu", GeluOptions>("gelu");
export const clip = activation<"clip", ClipOptions>("clip");
