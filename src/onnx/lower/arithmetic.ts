// Arithmetic by element and activations as layers.

import { countOf } from "../../base/shape.js";
import type { Dynamic } from "../draft.js";
import { ELEMENT_TYPES, LARGEST } from "../file/element-type.js";
import { byChannel, numbers, type PlainTensor, reshaped } from "../file/plain-tensor.js";
import { make } from "../host/make.js";
import {
  binary,
  dynamicAt,
  isConstant,
  type NodeLowering,
  operandAt,
  param,
  type Site,
  tensorAt,
  through,
  varies,
} from "./site.js";

function byOperator(op: "add" | "sub" | "mul" | "div"): NodeLowering {
  return (site) => {
    if (site.c.opset < 7 && site.c.has("axis")) return undefined;
    return site.draft.add(site.layer, op, [operandAt(site, 0), operandAt(site, 1)]);
  };
}

const sum: NodeLowering = (site) => {
  let total = operandAt(site, 0);
  if (site.inputs.length === 1) return undefined;
  for (let i = 1; i < site.inputs.length; i++)
    total = site.draft.add(site.layer, "add", [total, operandAt(site, i)])[0] as Dynamic;
  return [total as Dynamic];
};

/** Bounds that are not known are a maximum and a minimum; those that are left out, the type's: infinity is beyond them. */
const clip: NodeLowering = (site) => {
  const { c, draft, layer } = site;
  const x = dynamicAt(site, 0);
  if (!x) return undefined;
  const most = LARGEST[x.type] as number;
  if (varies(site, 1) || varies(site, 2)) {
    const limited = (y: Dynamic, i: number, op: "maximum" | "minimum", otherwise: object) =>
      site.inputs[i] ? draft.add(layer, op, [y, operandAt(site, i)]) : draft.add(layer, "clip", [y], [], otherwise);
    const [y] = limited(x, 1, "maximum", { min: -most }) as [Dynamic];
    return limited(y, 2, "minimum", { max: most });
  }
  const bound = (i: number, name: string, otherwise: number) => {
    const tensor = tensorAt(site, i);
    return tensor ? Number(tensor.data[0]) : c.float(name, otherwise);
  };
  const [min, max] = [bound(1, "min", -most), bound(2, "max", most)];
  return min > max ? undefined : draft.add(layer, "clip", [x], [], { min, max });
};

const prelu: NodeLowering = (site) => {
  const [x, slope] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!x || !slope) return undefined;
  const isChannels = site.c.opset < 7 && slope.shape.length === 1 && x.shape.length > 2;
  // A slope that was expanded over the image is one a channel again.
  const own = isChannels ? byChannel(slope, x.shape.length) : narrowed(site, slope, x.shape.length);
  return site.draft.add(site.layer, "prelu", [x], [param(site, own, "slope")]);
};

/**
 * The tensor with so many axes, of size 1 where it only repeats itself along them: a slope of one axis would be one a
 * channel.
 */
function narrowed(site: Site, t: PlainTensor, rank: number): PlainTensor {
  const { repeats = t } = t;
  let out = reshaped(repeats, [...new Array<number>(rank - repeats.shape.length).fill(1), ...repeats.shape]);
  out.shape.forEach((size, axis) => {
    if (size === 1) return;
    const inner = countOf(out.shape.slice(axis + 1));
    const data = numbers(out);
    for (let first = 0; first < data.length; first += size * inner) {
      for (let i = first + inner; i < first + size * inner; i++) if (data[i] !== data[i - inner]) return;
    }
    const shape = out.shape.map((s, d) => (d === axis ? 1 : s));
    const next = make(site, out.type, shape);
    for (let to = 0; to < next.data.length; to += inner)
      for (let i = 0; i < inner; i++) numbers(next)[to + i] = data[to * size + i] as number;
    out = next;
  });
  return out;
}

/** The larger or smaller of any number of tensors. Against one number it is a clamp, which others may take in. */
function extreme(op: "maximum" | "minimum", bound: "min" | "max"): NodeLowering {
  return (site) => {
    const { draft, layer, inputs } = site;
    const limits = inputs.filter(
      (given): given is PlainTensor => isConstant(given) && given.data.length === 1 && !Number.isNaN(given.data[0]),
    );
    const others = inputs.filter((given) => !limits.includes(given as PlainTensor));
    const rank = Math.max(...others.map((given) => given?.shape.length ?? 0));
    // A limit of more axes than the others have would add them.
    const isClamp = limits.length > 0 && limits.every(({ shape }) => shape.length <= rank);
    const [first, ...rest] = (isClamp ? others : inputs).map((given) => operandAt(site, inputs.indexOf(given)));
    let answer = first as Dynamic | string;
    for (const next of rest) answer = draft.add(layer, op, [answer, next])[0] as Dynamic;
    if (isClamp) {
      const values = limits.map(({ data }) => Number(data[0]));
      const limit = op === "maximum" ? Math.max(...values) : Math.min(...values);
      answer = draft.add(layer, "clip", [answer], [], { [bound]: limit })[0] as Dynamic;
    }
    return typeof answer === "string" || inputs.length === 1 ? undefined : [answer];
  };
}

const negate: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  return x && [binary(site, "mul", x, -1)];
};

/** x sigmoid(alpha x) is silu(alpha x) / alpha. */
const swish: NodeLowering = (site) => {
  const [x, alpha] = [dynamicAt(site, 0), site.c.float("alpha", 1)];
  if (!x || alpha === 0) return undefined;
  const [y] = site.draft.add(site.layer, "silu", [alpha === 1 ? x : binary(site, "mul", x, alpha)]);
  return [alpha === 1 ? (y as Dynamic) : binary(site, "mul", y as Dynamic, 1 / alpha)];
};

/** Between the types that are held as float32: only to float16 is there anything to do. */
const cast: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const type = x && site.c.opset >= 6 ? ELEMENT_TYPES[site.c.int("to", 0)] : undefined;
  if (!x || (type !== x.type && type !== "float32" && type !== "float16")) return undefined;
  if (type !== "float16" || x.type === type) return [{ ...x, type }];
  const [y] = site.lowering("Half")?.(site) ?? [];
  return y && [{ ...y, type }];
};

export const ARITHMETIC_LAYERS: Readonly<Record<string, NodeLowering>> = {
  Add: byOperator("add"),
  Sub: byOperator("sub"),
  Mul: byOperator("mul"),
  Div: byOperator("div"),
  Sum: sum,
  Neg: negate,
  Cast: cast,
  Max: extreme("maximum", "min"),
  Min: extreme("minimum", "max"),
  Clip: clip,
  PRelu: prelu,
  Relu: through("relu"),
  LeakyRelu: through("leakyRelu", ({ c }) => ({ alpha: c.float("alpha", 0.01) })),
  Elu: through("elu", ({ c }) => ({ alpha: c.float("alpha", 1) })),
  Sigmoid: through("sigmoid"),
  HardSigmoid: through("hardSigmoid", ({ c }) => ({ alpha: c.float("alpha", 0.2), beta: c.float("beta", 0.5) })),
  Tanh: through("tanh"),
  HardSwish: through("hardSwish"),
  Gelu: through("gelu", ({ c }) => ({ approximate: c.oneOf("approximate", "none", ["none", "tanh"]) })),
  Swish: swish,
};
