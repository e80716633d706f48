// What onnxruntime writes when it saves a network that it has optimised: operators of the standard, merged. Taken apart again.
import { UnsupportedError } from "../../base/errors.js";
import type { ElementType } from "../file/element-type.js";
import type { Part, Parts } from "../operators.js";
import { type Assembly, attributesOf, type Description, described, needed } from "./assembly.js";

/** The numbers of an activation by name, in the order that activation_params has them. */
const ACTIVATIONS: Readonly<Record<string, readonly string[]>> = {
  Relu: [],
  Sigmoid: [],
  Tanh: [],
  HardSwish: [],
  LeakyRelu: ["alpha"],
  Elu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
  Clip: ["min", "max"],
};

/** The activation that the node asks for. */
function activated(a: Assembly, x: string, type: ElementType, params: readonly (number | undefined)[]): string {
  const name = a.c.string("activation", "");
  if (name === "") return x;
  const names = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (!names)
    throw new UnsupportedError(`"activation" expected one of ${Object.keys(ACTIVATIONS).join(", ")}, got ${name}`);
  if (name === "Clip") {
    const bound = (value: number | undefined) => (value === undefined ? "" : a.number(value, type));
    return a.add(name, [x, bound(params[0]), bound(params[1])]);
  }
  const given = names.flatMap((key, i) => (params[i] === undefined ? [] : [[key, { float: params[i] }] as const]));
  return a.add(name, [x], Object.fromEntries(given));
}

/** The node's attributes but for those of its activation. */
const others = ({ c }: Assembly) => c.node.attributes.filter(({ name }) => !name.startsWith("activation"));

const at = (i: number, inputs: readonly (Part | undefined)[]): string => (inputs[i] ? String(i) : "");

/** activation(Conv(X, W, B) + Z). */
const fusedConv: Description = (a, inputs) => {
  const { type } = needed(inputs, 0, "X");
  needed(inputs, 1, "W");
  let [y] = a.node("Conv", ["0", "1", at(2, inputs)], others(a)) as [string];
  if (inputs[3]) y = a.add("Add", [y, "3"]);
  return [activated(a, y, type, a.c.floats("activation_params") ?? [])];
};

const fusedGemm: Description = (a, inputs) => {
  const { type } = needed(inputs, 0, "A");
  needed(inputs, 1, "B");
  const [y] = a.node("Gemm", ["0", "1", at(2, inputs)], others(a)) as [string];
  const params = ["activation_alpha", "activation_beta"].map((name) =>
    a.c.has(name) ? a.c.float(name, 0) : undefined,
  );
  return [activated(a, y, type, params)];
};

/**
 * alpha A B over the last two axes. trans: the two are swapped; transBatch: the rows of A (the inner axis, where both are set) are the
 * first axis, before those that are many products.
 */
const fusedMatMul: Description = (a, inputs) => {
  const turned = (i: number, name: "A" | "B"): string => {
    const rank = needed(inputs, i, name).shape.length;
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    if (a.c.int(`transBatch${name}`, 0) === 1 && rank > 2) axes.splice(rank - 2, 0, axes.shift() as number);
    if (a.c.int(`trans${name}`, 0) === 1 && rank > 1) axes.push(axes.splice(rank - 2, 1)[0] as number);
    return axes.some((axis, to) => axis !== to) ? a.add("Transpose", [String(i)], { perm: axes }) : String(i);
  };
  const alpha = a.c.float("alpha", 1);
  const product = a.add("MatMul", [turned(0, "A"), turned(1, "B")]);
  return [alpha === 1 ? product : a.add("Mul", [product, a.number(alpha, needed(inputs, 0, "A").type)])];
};

/** Gelu of X + bias, where there is a bias. */
const gelu = (approximate: "none" | "tanh"): Description => {
  return (a, inputs) => {
    needed(inputs, 0, "X");
    return [a.add("Gelu", [inputs[1] ? a.add("Add", ["0", "1"]) : "0"], { approximate })];
  };
};

const quickGelu: Description = (a, inputs) => {
  needed(inputs, 0, "X");
  const alpha = a.c.float("alpha", 1.702);
  return [a.add("Swish", ["0"], { alpha: { float: alpha } })];
};

/** Normalisation over the last axis of input + skip + bias. Outputs: that, its mean, 1 / its deviation, and the sum. */
function skip(opType: "LayerNormalization" | "RMSNormalization", biasAt: number): Description {
  return (a, inputs) => {
    needed(inputs, 0, "input");
    needed(inputs, 1, "skip");
    needed(inputs, 2, "gamma");
    let sum = a.add("Add", ["0", "1"]);
    if (inputs[biasAt]) sum = a.add("Add", [sum, String(biasAt)]);
    const isLayer = opType === "LayerNormalization";
    const { outputs } = a.c.node;
    const own = isLayer && (outputs[1] || outputs[2]) ? 3 : 1;
    if (!isLayer && (outputs[1] || outputs[2]))
      throw new UnsupportedError(`"outputs" expected the first and the fourth, got ${outputs.length}`);
    const given = isLayer && inputs[3] ? [sum, "2", "3"] : [sum, "2"];
    const attributes = attributesOf({ epsilon: { float: a.c.float("epsilon", 1e-12) } });
    const [y, mean = "", deviation = ""] = a.node(opType, given, attributes, own);
    return [y as string, mean, deviation, sum].slice(0, outputs.length);
  };
}

/** What onnxruntime calls it, in the standard's domain, too. */
const simplified: Description = (a, inputs) => {
  needed(inputs, 0, "X");
  needed(inputs, 1, "scale");
  const { outputs } = a.c.node;
  if (outputs[1]) throw new UnsupportedError(`"outputs" expected one, got ${outputs.length}`);
  const attributes = { axis: a.c.int("axis", -1), epsilon: { float: a.c.float("epsilon", 1e-5) } };
  return [a.add("RMSNormalization", ["0", "1"], attributes)];
};

export const FUSED: Readonly<Record<string, Parts>> = described({
  "com.microsoft.FusedConv": fusedConv,
  "com.microsoft.FusedGemm": fusedGemm,
  "com.microsoft.FusedMatMul": fusedMatMul,
  "com.microsoft.Gelu": gelu("none"),
  "com.microsoft.BiasGelu": gelu("none"),
  "com.microsoft.FastGelu": gelu("tanh"),
  "com.microsoft.QuickGelu": quickGelu,
  "com.microsoft.SkipLayerNormalization": skip("LayerNormalization", 4),
  "com.microsoft.SkipSimplifiedLayerNormalization": skip("RMSNormalization", 3),
  SimplifiedLayerNormalization: simplified,
});
