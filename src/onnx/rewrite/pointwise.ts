// Activations that exporters spell out: x * sigmoid(x), hard-swish by Add, Clip, Mul and Div, gelu by Erf, PReLU by two Relus,
// clamps of clamps. They are known by what they compute, not by how they are written: every chain of operators by element is
// evaluated on sample points, as a function of the value that it starts from, and compared with the activations there are.
//
//   x ─▶ Add 3 ─▶ Clip 0..6 ─▶ Mul ─▶ Div 6   ==>   x ─▶ hardSwish
//   └──────────────────────────▲
import { sameShape } from "../../base/check.js";
import { countOf } from "../../base/shape.js";
import type { OperatorName } from "../../ops/index.js";
import { type Draft, type Dynamic, STORED } from "../draft.js";
import type { Budget } from "../file/budget.js";
import type { Checked } from "../file/check.js";
import { isFloat } from "../file/element-type.js";
import type { PlainTensor } from "../file/plain-tensor.js";
import type { NodeProto } from "../file/proto.js";
import { ELEMENTWISE, erf, sigmoid } from "../host/elementwise.js";
import { cast } from "../host/make.js";
import type { Memo } from "../memo.js";
import type { Operators } from "../operators.js";

/** Of both signs, exact in float32: dense where activations bend, and far out, where clamps may be. Some have names. */
const SAMPLES: readonly number[] = [
  0,
  1,
  2 ** -8,
  1e9,
  ...Array.from({ length: 10 }, (_, i) => 0.6875 * (i + 1)),
  ...Array.from({ length: 8 }, (_, i) => 1.40625 * 16 ** (i - 2)),
].flatMap((x) => [x, -x]);
const SAMPLE_DATA = Float64Array.from(SAMPLES);
/** What a chain starts from, by rank: along the axis behind the channels, where there is one, so that constants of every channel broadcast. */
const STARTS: readonly PlainTensor[] = Array.from({ length: 9 }, (_, rank) => ({
  type: "float64",
  shape: Array.from({ length: rank }, (_, i) => (i === (rank > 2 ? 2 : 0) ? SAMPLES.length : 1)),
  data: SAMPLE_DATA,
}));
const [ZERO, ONE, SMALL, MOST] = [0, 2, 4, 6] as const;
const [MINUS_ONE, MINUS_SMALL, LEAST] = [ONE + 1, SMALL + 1, MOST + 1] as const;
/** Largest difference, of the larger of a value and a scale: constants of float32 stand for thirds and roots. */
const TOLERANCE = 2e-6;
/** Most nodes of a chain. */
const LONGEST = 12;
/** Most samples of a chain that has constants for every channel. */
const MOST_SAMPLES = 2 ** 17;

/** What may jump where no sample is. Comparisons may only ask for the sign of what they start from: samples are close to 0. */
const JUMPS = /^(?:Floor|Ceil|Round|Sign|Mod|Equal|Is|Shrink|Thres|(Less|Great))/;

/** A value as a function of `base`, by way of these nodes. */
interface Curve {
  readonly base: Dynamic;
  readonly nodes: ReadonlySet<NodeProto>;
  /** What it is at the samples, computed when it is first asked for; null where it is no such function after all. */
  samples(): PlainTensor | null;
}

interface Sampled {
  readonly base: Dynamic;
  readonly samples: PlainTensor;
}

/** An operator of one input that computes a curve. */
interface Match {
  readonly op: OperatorName;
  readonly options?: object;
  /** Of every channel. */
  readonly slope?: Float32Array;
}

type Given = Dynamic | PlainTensor | undefined;

export class Pointwise {
  /** By the names of the file. */
  readonly #curves = new Map<string, readonly Curve[]>();
  readonly #reads = new Map<string, number>();

  readonly #operators: Operators;
  readonly #budget: Budget;
  readonly #memo: Memo;

  constructor(
    { nodes, outputs }: Pick<Checked, "nodes" | "outputs">,
    operators: Operators,
    budget: Budget,
    memo: Memo,
  ) {
    this.#operators = operators;
    this.#budget = budget;
    this.#memo = memo;
    const read = (names: readonly string[]) => {
      for (const name of names) this.#reads.set(name, (this.#reads.get(name) ?? 0) + 1);
    };
    for (const { inputs } of nodes) read(inputs);
    read(outputs);
  }

  /** The value of a node that ends a chain which is one operator, or none at all; undefined for any other node. */
  replace(
    node: NodeProto,
    opset: number,
    draft: Draft,
    layer: string,
    operands: readonly Given[],
  ): Dynamic | undefined {
    const { opType, outputs } = node;
    if (!Object.hasOwn(ELEMENTWISE, opType) || opType.startsWith("Cast") || outputs.length !== 1) return undefined;
    const curves = this.#curvesOf(node, opset, operands);
    this.#curves.set(outputs[0] as string, curves);
    for (const { base, nodes, samples: sample } of curves) {
      if (nodes.size === 1 && !operands.some(isNeutral)) continue; // an operator as it is
      const samples = sample();
      if (samples === null) continue;
      const curve = { base, samples };
      const isImage = base.shape.length > 2 ? "image" : "";
      if (this.#memo.of(samples, `identity ${isImage}`, [], () => isIdentity(curve))) return base;
      if (nodes.size === 1 || !this.#isClosed(nodes, node)) continue;
      const found = this.#memo.of(samples, isImage, [], () => match(curve));
      if (found === undefined) continue;
      const { op, options = {}, slope } = found;
      const tensor: PlainTensor | undefined = slope && { type: "float32", shape: [slope.length], data: slope };
      return draft.add(layer, op, [base], tensor ? [draft.constant(tensor, `${layer}.slope`)] : [], options)[0];
    }
    return undefined;
  }

  /** The node's output as functions of what its inputs are functions of, the longest chain first. */
  #curvesOf(node: NodeProto, opset: number, operands: readonly Given[]): Curve[] {
    const jump = JUMPS.exec(node.opType);
    if (jump && !(jump[1] && operands.some(isZero))) return [];
    const known = operands.map((operand, i) =>
      operand === undefined || "data" in operand ? operand : this.#from(operand, node.inputs[i] as string),
    );
    const [first = [], ...others] = known.filter((operand) => Array.isArray(operand));
    // Chains of these alone are one function wherever they stand: x * sigmoid(x) is looked at once.
    const isPure = node.attributes.length === 0 && known.every((operand) => Array.isArray(operand));
    return first.flatMap(({ base, nodes: { size } }, i) => {
      if (jump && size > 0) return [];
      const partner = (curves: readonly Curve[]) => curves.find((curve) => curve.base.name === base.name);
      if (others.some((curves) => partner(curves) === undefined)) return [];
      const nodes = new Set([node]);
      const inputs = known.map((operand) => {
        if (!Array.isArray(operand)) return () => this.#constantOf(operand as PlainTensor | undefined, base);
        const curve = partner(operand) as Curve;
        for (const one of curve.nodes) nodes.add(one);
        return curve.samples;
      });
      let samples: PlainTensor | null | undefined;
      const sample = (): PlainTensor | null => {
        if (samples === undefined) samples = this.#sampled(node, opset, inputs, isPure ? undefined : `samples ${i}`);
        return samples;
      };
      return nodes.size > LONGEST ? [] : [{ base, nodes, samples: sample }];
    });
  }

  /** An operand as functions of what came before it, and as what others start from. */
  #from(operand: Dynamic, name: string): readonly Curve[] {
    const { type, shape } = operand;
    const before = (this.#curves.get(name) ?? []).filter(({ base }) => sameShape(base.shape, shape));
    if (STORED[type] !== "float32" || shape.length === 0) return before;
    const samples = STARTS[shape.length] as PlainTensor;
    return [...before, { base: operand, nodes: new Set(), samples: () => samples }];
  }

  /** A node's output at the samples, of its inputs there. what: undefined where nothing but these say it. */
  #sampled(
    node: NodeProto,
    opset: number,
    inputs: readonly (() => PlainTensor | undefined | null)[],
    what: string | undefined,
  ): PlainTensor | null {
    const given: (PlainTensor | undefined)[] = [];
    for (const input of inputs) {
      const samples = input();
      if (samples === null) return null;
      given.push(samples);
    }
    try {
      const samples = this.#memo.of(
        what === undefined ? (given.at(-1) as PlainTensor) : node,
        what ?? node.opType,
        given,
        () => combined(node, given) ?? (this.#operators.evaluate(node, opset, given, this.#budget)[0] as PlainTensor),
      );
      return countOf(samples.shape) > MOST_SAMPLES ? null : samples;
    } catch {
      return null; // types that do not go together: the lowering says so
    }
  }

  /** A constant that is one number, or one a channel of the base; null for others. */
  #constantOf(tensor: PlainTensor | undefined, { shape }: Dynamic): PlainTensor | undefined | null {
    if (tensor === undefined) return undefined;
    const ahead = shape.length - tensor.shape.length;
    const fits = tensor.shape.every((size, i) => size === 1 || (ahead + i === 1 && size === shape[1]));
    if (ahead < 0 || !fits) return null;
    if (!isFloat(tensor.type)) return tensor;
    return this.#memo.of(tensor, "float64", [], () => cast({ budget: this.#budget }, tensor, "float64"));
  }

  /** Whether nobody but the chain reads what it computes on the way. */
  #isClosed(nodes: ReadonlySet<NodeProto>, last: NodeProto): boolean {
    for (const one of nodes) {
      const [name] = one.outputs as [string];
      let outside = one === last ? 0 : (this.#reads.get(name) ?? Infinity);
      if (outside > 0) for (const { inputs } of nodes) for (const read of inputs) if (read === name) outside--;
      if (outside > 0) return false;
    }
    return true;
  }
}

function isZero(operand: Given): boolean {
  return operand !== undefined && "data" in operand && String(operand.data) === "0";
}

/** Whether an operator may do nothing for this constant, as far as its first element tells. */
function isNeutral(operand: Given): boolean {
  const first = operand !== undefined && "data" in operand ? Number(operand.data[0]) : undefined;
  return first === 0 || first === 1;
}

const ARITHMETIC: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => x / y,
};

/** What evaluate() answers, of curves and numbers: most nodes of most chains, while all of this is not compiled yet. */
function combined({ opType }: NodeProto, inputs: readonly (PlainTensor | undefined)[]): PlainTensor | undefined {
  const f = Object.hasOwn(ARITHMETIC, opType) ? ARITHMETIC[opType] : undefined;
  const [a, b] = inputs;
  if (!f || !a || !b || a.type !== "float64" || b.type !== "float64") return undefined;
  const [x, y] = [a.data, b.data] as [Float64Array, Float64Array];
  const like = x.length > 1 ? a : b;
  const other = like === a ? b : a;
  const isPlain = other.data.length === 1 || sameShape(other.shape, like.shape);
  if (like.data.length !== SAMPLES.length || !isPlain) return undefined;
  const data = new Float64Array(SAMPLES.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = f(x[x.length === 1 ? 0 : i] as number, y[y.length === 1 ? 0 : i] as number);
  }
  return { ...like, data };
}

/** f at a sample of a channel. */
function valueAt({ base, samples }: Sampled, sample: number, channel: number): number {
  const channels = samples.data.length / SAMPLES.length;
  const at = base.shape.length > 2 ? channel * SAMPLES.length + sample : sample * channels + channel;
  return samples.data[at] as number;
}

function isIdentity(curve: Sampled): boolean {
  const { samples } = curve;
  const channels = samples.data.length / SAMPLES.length;
  return SAMPLES.every((x, i) => {
    for (let channel = 0; channel < channels; channel++) if (valueAt(curve, i, channel) !== x) return false;
    return true;
  });
}

function match(curve: Sampled): Match | undefined {
  const { samples } = curve;
  if (samples.type !== "float64") return undefined;
  const channels = samples.data.length / SAMPLES.length;
  // What is small everywhere is compared as closely.
  const scale = Math.min(
    1,
    (samples.data as Float64Array).reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  );
  const isLike = (f: (x: number) => number, channel = 0): boolean =>
    SAMPLES.every((x, i) => isNear(valueAt(curve, i, channel), f(x), scale));
  const leaky = (alpha: number) => (x: number) => (x < 0 ? alpha * x : x);
  if (channels > 1) {
    const slope = Float32Array.from({ length: channels }, (_, channel) => -valueAt(curve, MINUS_ONE, channel));
    return slope.every((alpha, channel) => isLike(leaky(alpha), channel)) ? { op: "prelu", slope } : undefined;
  }
  const at = (sample: number) => valueAt(curve, sample, 0);
  const [least, most] = [at(LEAST), at(MOST)];
  const min = least === SAMPLES[LEAST] ? -Infinity : least;
  const max = most === SAMPLES[MOST] ? Infinity : most;
  if (min < max && isLike((x) => Math.min(Math.max(x, min), max))) {
    return { op: "clip", options: { ...(min > -Infinity && { min }), ...(max < Infinity && { max }) } };
  }
  const alpha = -at(MINUS_ONE);
  if (isLike(leaky(alpha))) return { op: "leakyRelu", options: { alpha } };
  if (isLike((x) => (x < 0 ? -least * Math.expm1(x) : x))) return { op: "elu", options: { alpha: -least } };
  const slope = (at(SMALL) - at(MINUS_SMALL)) / (2 * (SAMPLES[SMALL] as number));
  const beta = at(ZERO);
  if (isLike((x) => Math.min(Math.max(slope * x + beta, 0), 1)))
    return { op: "hardSigmoid", options: { alpha: slope, beta } };
  return PLAIN.find(({ f }) => isLike(f));
}

/** What is 0 or 1 has to be exactly: of log(sigmoid(x) + 1e-7) or x / (|x| + 1e-6) the small number is what keeps it finite. */
function isNear(value: number, wanted: number, scale: number): boolean {
  const size = Math.abs(wanted);
  const tolerance = size === 0 || size === 1 ? 0 : TOLERANCE * Math.max(scale, size);
  return Math.abs(value - wanted) <= tolerance;
}

/** Activations that have no parameters to find. */
const PLAIN: readonly (Match & { readonly f: (x: number) => number })[] = [
  { op: "sigmoid", f: sigmoid },
  { op: "tanh", f: Math.tanh },
  { op: "silu", f: (x) => x * sigmoid(x) },
  { op: "hardSwish", f: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6 },
  { op: "gelu", f: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)) },
  {
    op: "gelu",
    options: { approximate: "tanh" },
    f: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  },
];
