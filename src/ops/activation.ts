// Activations: as operators of their own, and as the `activation` option fused into a producer's store.
import { finite, oneOf } from "../check.js";
import { show } from "../errors.js";

/** Codes of assembly/activation.ts. */
export const ACTIVATION_CODES = {
  none: 0,
  relu: 1,
  leakyRelu: 2,
  elu: 3,
  sigmoid: 4,
  hardSigmoid: 5,
  tanh: 6,
  silu: 7,
  hardSwish: 8,
  gelu: 9,
  geluTanh: 10,
  clip: 11,
} as const;

export type Activation =
  | "none" | "relu" | "relu6" | "leakyRelu" | "elu" | "sigmoid" | "hardSigmoid" | "tanh" | "silu" | "hardSwish" | "gelu"
  | { readonly type: "leakyRelu" | "elu"; readonly alpha: number }
  | { readonly type: "hardSigmoid"; readonly alpha: number; readonly beta: number }
  | { readonly type: "gelu"; readonly approximate: "none" | "tanh" }
  | { readonly type: "clip"; readonly min?: number; readonly max?: number };

/** The end of a sum: a clamp, then an activation code. The clamp is free, so relu, relu6 and clip are clamps. */
export interface Epilogue {
  readonly lo: number;
  readonly hi: number;
  readonly activation: number;
  readonly alpha: number;
  readonly beta: number;
}

const NAMES = [
  "none", "relu", "relu6", "leakyRelu", "elu", "sigmoid", "hardSigmoid", "tanh", "silu", "hardSwish", "gelu", "clip",
] as const;

/** Reads the `activation` option. */
export function epilogue(activation: Activation | undefined): Epilogue {
  const linear = { lo: -Infinity, hi: Infinity, activation: 0, alpha: 0, beta: 0 };
  if (activation === undefined) return linear;
  const given: Record<string, unknown> = typeof activation === "string" ? { type: activation } : { ...activation };
  if (typeof activation !== "string" && (typeof activation !== "object" || activation === null)) {
    throw new TypeError(`"activation" expected a name or { type }, got ${show(activation)}`);
  }
  const type = oneOf("activation", given["type"], NAMES);
  const number = (name: string, fallback: number) => (given[name] === undefined ? fallback : finite(`activation.${name}`, given[name]));
  switch (type) {
    case "none":
      return linear;
    case "relu":
      return { ...linear, lo: 0 };
    case "relu6":
      return { ...linear, lo: 0, hi: 6 };
    case "clip":
      return { ...linear, lo: bound("min", given["min"], -Infinity), hi: bound("max", given["max"], Infinity) };
    case "leakyRelu":
      return { ...linear, activation: ACTIVATION_CODES.leakyRelu, alpha: number("alpha", 0.01) };
    case "elu":
      return { ...linear, activation: ACTIVATION_CODES.elu, alpha: number("alpha", 1) };
    case "hardSigmoid":
      return { ...linear, activation: ACTIVATION_CODES.hardSigmoid, alpha: number("alpha", 1 / 6), beta: number("beta", 0.5) };
    case "gelu": {
      const approximate = oneOf("activation.approximate", given["approximate"] ?? "none", ["none", "tanh"]);
      return { ...linear, activation: approximate === "tanh" ? ACTIVATION_CODES.geluTanh : ACTIVATION_CODES.gelu };
    }
    default:
      return { ...linear, activation: ACTIVATION_CODES[type] };
  }
}

function bound(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw new TypeError(`"activation.${name}" expected a number, got ${show(value)}`);
}
