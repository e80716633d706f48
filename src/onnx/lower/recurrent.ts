// LSTM, GRU and RNN as layers: the products of all inputs as one fully connected layer, then the steps.
import { ActivationCode } from "../../kernels/gen/constants.js";
import type { Dynamic } from "../draft.js";
import { numbers, type PlainTensor, reshaped, toNumbers } from "../file/plain-tensor.js";
import { make } from "../host/make.js";
import { type CellActivation, GATES, type RecurrentLayer, type RecurrentName, recurrent } from "../layers/recurrent.js";
import { dynamicAt, isConstant, type NodeLowering, operandAt, param, type Site, tensorAt, varies } from "./site.js";

/** Activations that the kernel has, with the numbers where the node says none; others are for JavaScript. */
const ACTIVATIONS: Readonly<Record<string, CellActivation>> = {
  sigmoid: { code: ActivationCode.sigmoid, alpha: 0, beta: 0 },
  tanh: { code: ActivationCode.tanh, alpha: 0, beta: 0 },
  relu: { code: ActivationCode.relu, alpha: 0, beta: 0 },
  leakyrelu: { code: ActivationCode.leakyRelu, alpha: 0.01, beta: 0 },
  hardsigmoid: { code: ActivationCode.hardSigmoid, alpha: 0.2, beta: 0.5 },
};

const DEFAULTS: Readonly<Record<RecurrentName, readonly string[]>> = {
  LSTM: ["Sigmoid", "Tanh", "Tanh"],
  GRU: ["Sigmoid", "Tanh"],
  RNN: ["Tanh"],
};

/** Those of one direction, where all directions have the same; numbers go to those that take some, in turn. */
function activationsOf({ c }: Site, name: RecurrentName, directions: number): readonly CellActivation[] | undefined {
  const count = DEFAULTS[name].length;
  const names = c.strings("activations") ?? Array.from({ length: directions }, () => DEFAULTS[name]).flat();
  const [alphas, betas] = ["activation_alpha", "activation_beta"].map((list) => [...(c.floats(list) ?? [])]);
  const all = names.map((given) => {
    const key = given.toLowerCase();
    const found = Object.hasOwn(ACTIVATIONS, key) ? (ACTIVATIONS[key] as CellActivation) : undefined;
    const alpha = found?.alpha ? (alphas?.shift() ?? found.alpha) : 0;
    const beta = found?.beta ? (betas?.shift() ?? found.beta) : 0;
    return found && { ...found, alpha, beta };
  });
  const isOne = all.every((one, i) => one && JSON.stringify(one) === JSON.stringify(all[i % count]));
  return isOne && all.length === directions * count ? (all.slice(0, count) as CellActivation[]) : undefined;
}

const hasShape = (value: Dynamic | PlainTensor | undefined, ...shape: number[]): boolean =>
  value === undefined || value.shape.join() === shape.join();

/** Whether operands that are there have the shapes that they should; what is wrong, JavaScript says. */
function isWell(site: Site, name: RecurrentName, layer: RecurrentLayer, inputs: number): boolean {
  const [, w, r, bias, lengths, h, c, peepholes] = site.inputs;
  const { directions, rows, hidden, isBatchFirst } = layer;
  const gates = GATES[name] * hidden;
  const state = isBatchFirst ? [rows, directions, hidden] : [directions, rows, hidden];
  return (
    hasShape(w, directions, gates, inputs) &&
    hasShape(r, directions, gates, hidden) &&
    hasShape(bias, directions, 2 * gates) &&
    hasShape(lengths, rows) &&
    hasShape(h, ...state) &&
    hasShape(c, ...state) &&
    hasShape(peepholes, directions, 3 * hidden)
  );
}

/** Biases of the inputs' products with those of the state's, [D gates H], and the last gate's of the latter where it is apart. */
function biasesOf(
  site: Site,
  bias: PlainTensor,
  gates: number,
  { directions, hidden, isLinearBefore }: RecurrentLayer,
) {
  const count = gates * hidden;
  const shared = isLinearBefore ? count - hidden : count;
  const all = numbers(bias);
  const sums = make(site, "float32", [directions * count]);
  const apart = isLinearBefore ? make(site, "float32", [directions, hidden]) : undefined;
  for (let d = 0; d < directions; d++) {
    for (let j = 0; j < count; j++) {
      const [own, back] = [all[2 * d * count + j] as number, all[(2 * d + 1) * count + j] as number];
      numbers(sums)[d * count + j] = j < shared ? own + back : own;
      if (apart && j >= shared) numbers(apart)[d * hidden + j - shared] = back;
    }
  }
  return { sums, apart };
}

/** The layer that a node asks for, where the kernel does what it asks. */
function layerOf(site: Site, name: RecurrentName, x: Dynamic, r: PlainTensor): RecurrentLayer | undefined {
  const { c } = site;
  const direction = c.oneOf("direction", "forward", ["forward", "reverse", "bidirectional"]);
  const directions = direction === "bidirectional" ? 2 : 1;
  const activations = activationsOf(site, name, directions);
  if (!activations) return undefined;
  const isBatchFirst = c.int("layout", 0) === 1;
  const [first = 0, second = 0] = x.shape;
  const [steps, rows] = isBatchFirst ? [second, first] : [first, second];
  const lengths = tensorAt(site, 4);
  const ends = lengths && toNumbers(lengths);
  if (ends?.some((end) => !(end >= 0 && end <= steps))) return undefined;
  return {
    name,
    steps,
    rows,
    directions,
    hidden: r.shape[2] ?? 0,
    isReverse: direction === "reverse",
    isBatchFirst,
    isLinearBefore: name === "GRU" && c.int("linear_before_reset", 0) === 1,
    isCoupled: name === "LSTM" && c.int("input_forget", 0) === 1,
    clip: c.has("clip") ? c.float("clip", 0) : Infinity,
    activations,
    has: {
      lengths: varies(site, 4) || (ends?.some((end) => end < steps) ?? false),
      h: site.inputs[5] !== undefined,
      c: name === "LSTM" && site.inputs[6] !== undefined,
    },
  };
}

const lowering = (name: RecurrentName): NodeLowering => {
  return (site) => {
    const { draft, layer } = site;
    const [x, w, r, bias, peepholes] = [dynamicAt(site, 0), ...[1, 2, 3, 7].map((i) => tensorAt(site, i))];
    if (!x || !isConstant(w) || !isConstant(r) || [3, 7].some((i) => varies(site, i))) return undefined;
    const [, , inputs = 0] = x.shape;
    const own = layerOf(site, name, x, r);
    if (!own || x.shape.length !== 3 || !isWell(site, name, own, inputs)) return undefined;
    if (site.c.int("hidden_size", own.hidden) !== own.hidden) return undefined;
    const { hidden, directions, has } = own;
    const gates = GATES[name];
    const biases = isConstant(bias) ? biasesOf(site, bias, gates, own) : undefined;
    const rows = reshaped(w, [directions * gates * hidden, inputs]);
    const [products] = draft.add(
      `${layer}.inputs`,
      "linear",
      [x],
      [param(site, rows, "w"), param(site, biases?.sums, "bias")],
    );
    const state = [has.lengths && 4, has.h && 5, has.c && 6].flatMap((i) => (i === false ? [] : [operandAt(site, i)]));
    const params = [
      param(site, r, "r"),
      param(site, biases?.apart, "reset"),
      param(site, name === "LSTM" && isConstant(peepholes) ? peepholes : undefined, "peepholes"),
    ];
    return draft.add(layer, recurrent(own), [products as Dynamic, ...state], params, {}, x.type);
  };
};

export const RECURRENT_LAYERS: Readonly<Record<string, NodeLowering>> = {
  LSTM: lowering("LSTM"),
  GRU: lowering("GRU"),
  RNN: lowering("RNN"),
};
