// The `activation` option of an operator: its names and parameters, read to what a kernel applies at its store. The
// operators of the same names are in activations.ts.
import { finite, knownOptions, oneOf } from "../../base/check.js";
import { show } from "../../base/errors.js";
import { ActivationCode } from "../../kernels/gen/constants.js";

/**
 * What is applied to a result before it is stored: a name, or { type } with parameters. Defaults: leakyRelu alpha 0.01, elu alpha
 * 1, hardSigmoid alpha 1/6 and beta 0.5, gelu approximate "none", clip min -Infinity and max Infinity.
 */
export type Activation =
  | "none"
  | "relu"
  | "relu6"
  | "leakyRelu"
  | "elu"
  | "sigmoid"
  | "hardSigmoid"
  | "tanh"
  | "silu"
  | "hardSwish"
  | "gelu"
  | { readonly type: "leakyRelu" | "elu"; readonly alpha?: number }
  | { readonly type: "hardSigmoid"; readonly alpha?: number; readonly beta?: number }
  | { readonly type: "gelu"; readonly approximate?: "none" | "tanh" }
  | { readonly type: "clip"; readonly min?: number; readonly max?: number };

/** The end of a sum: a clamp, then an activation code. The clamp is free, so relu, relu6 and clip are clamps. */
export interface Epilogue {
  readonly lo: number;
  readonly hi: number;
  readonly activation: number;
  readonly alpha: number;
  readonly beta: number;
  /** From a bias to the slope by channel that a leakyRelu has in alpha's place; 0 where it has alpha. */
  readonly slopeBytes: number;
}

/** The parameters that each activation takes. */
export const PARAMETERS = {
  none: [],
  relu: [],
  relu6: [],
  leakyRelu: ["alpha"],
  elu: ["alpha"],
  sigmoid: [],
  hardSigmoid: ["alpha", "beta"],
  tanh: [],
  silu: [],
  hardSwish: [],
  gelu: ["approximate"],
  clip: ["min", "max"],
} as const;
const NAMES = Object.keys(PARAMETERS) as readonly (keyof typeof PARAMETERS)[];

/** Reads an activation. prefix: how its parameters are called in error messages. */
export function epilogue(activation: Activation | undefined, prefix = "activation."): Epilogue {
  const linear: Epilogue = {
    lo: -Infinity,
    hi: Infinity,
    activation: ActivationCode.none,
    alpha: 0,
    beta: 0,
    slopeBytes: 0,
  };
  if (activation === undefined) return linear;
  if (typeof activation !== "string" && (typeof activation !== "object" || activation === null)) {
    throw new TypeError(`"activation" expected a name or { type }, got ${show(activation)}`);
  }
  const given: Record<string, unknown> = typeof activation === "string" ? { type: activation } : { ...activation };
  const type = oneOf("activation", given["type"], NAMES);
  knownOptions("activation", given, ["type", ...PARAMETERS[type]]);
  const number = (name: string, fallback: number) =>
    given[name] === undefined ? fallback : finite(prefix + name, given[name]);
  const coded = (code: keyof typeof ActivationCode, parameters?: { alpha: number; beta?: number }) => ({
    ...linear,
    activation: ActivationCode[code],
    ...parameters,
  });
  switch (type) {
    case "none":
      return linear;
    case "relu":
      return { ...linear, lo: 0 };
    case "relu6":
      return { ...linear, lo: 0, hi: 6 };
    case "clip":
      return {
        ...linear,
        lo: bound(`${prefix}min`, given["min"], -Infinity),
        hi: bound(`${prefix}max`, given["max"], Infinity),
      };
    case "leakyRelu":
      return coded(type, { alpha: number("alpha", 0.01) });
    case "elu":
      return coded(type, { alpha: number("alpha", 1) });
    case "hardSigmoid":
      return coded(type, { alpha: number("alpha", 1 / 6), beta: number("beta", 0.5) });
    case "gelu": {
      const approximate = oneOf(`${prefix}approximate`, given["approximate"] ?? "none", ["none", "tanh"]);
      return coded(approximate === "tanh" ? "geluTanh" : "gelu");
    }
    default:
      return coded(type);
  }
}

/** The epilogue as one code: a clamp is one too. */
export function soleCode({ lo, hi, activation, alpha, beta }: Epilogue): {
  activation: number;
  alpha: number;
  beta: number;
} {
  return activation === ActivationCode.none
    ? { activation: ActivationCode.clip, alpha: lo, beta: hi }
    : { activation, alpha, beta };
}

/** A bound of a clamp: any number but NaN. */
function bound(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw new TypeError(`"${name}" expected a number, got ${show(value)}`);
}
