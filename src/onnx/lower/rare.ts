// Layers of the rare kernels: what few networks have, of float32 and of other types.
import type { Dynamic } from "../draft.js";
import { STORED } from "../draft.js";
import { ELEMENT_TYPES, type ElementType } from "../file/element-type.js";
import { along } from "../layers/along.js";
import { convert } from "../layers/convert.js";
import { functionOf } from "../layers/function.js";
import { poolPlaces } from "../layers/pool-places.js";
import { type TypedName, typed } from "../layers/typed.js";
import { windowAxes } from "../semantics/windows.js";
import { dynamicAt, list, type NodeLowering, numbersAt, operandAt, param, type Site, varies } from "./site.js";

const typeAt = ({ inputs }: Site, i: number): ElementType | undefined => inputs[i]?.type;

/** Of operands of one type, among those that it may be. */
const SINGLE: readonly ElementType[] = ["float32", "float16", "bfloat16"];
const WHOLE: readonly ElementType[] = ["int32", "int64"];
const BOOL: readonly ElementType[] = ["bool"];

/** Of two operands; isTurned: the second first. */
function pair(name: TypedName, types: readonly ElementType[], isTurned = false): NodeLowering {
  return (site) => {
    const type = typeAt(site, 0);
    // Before operator set 7 an axis says where the second one lies.
    if (site.c.opset < 7 || type === undefined || type !== typeAt(site, 1) || !types.includes(type)) return undefined;
    const operands = [operandAt(site, 0), operandAt(site, 1)];
    if (isTurned) operands.reverse();
    const isTruth = ["Equal", "Less", "LessOrEqual", "And", "Or", "Xor"].includes(name);
    return site.draft.add(site.layer, typed(name, site.c.node.opType), operands, [], {}, isTruth ? "bool" : type);
  };
}

const compared = (name: "Less" | "LessOrEqual", isTurned = false) => pair(name, [...SINGLE, ...WHOLE], isTurned);

/** Of any number of operands. */
function fold(name: "Max" | "Min"): NodeLowering {
  const both = pair(name, WHOLE);
  return (site) => {
    let [answer] = site.inputs;
    for (const next of site.inputs.slice(1)) {
      const [y] = both({ ...site, inputs: [answer, next] }) ?? [];
      if (!y) return undefined;
      answer = y;
    }
    return answer && !("data" in answer) && site.inputs.length > 1 ? [answer] : undefined;
  };
}

const not: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (x?.type !== "bool") return undefined;
  const no = param(site, { type: "bool", shape: [], data: Uint8Array.of(0) }, "no") as string;
  return site.draft.add(site.layer, typed("Equal", "Not"), [x, no]);
};

const where: NodeLowering = (site) => {
  const type = typeAt(site, 1);
  if (type === undefined || type !== typeAt(site, 2) || typeAt(site, 0) !== "bool") return undefined;
  const operands = [operandAt(site, 1), operandAt(site, 2), operandAt(site, 0)];
  return site.draft.add(site.layer, typed("Where"), operands, [], {}, type);
};

const mod: NodeLowering = (site) => pair(site.c.int("fmod", 0) === 1 ? "Fmod" : "Mod", WHOLE)(site);

/** Between the types that kernels know; float16 is rounded elsewhere. */
const convertOp: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const type = ELEMENT_TYPES[site.c.int("to", 0)];
  if (!x || type === undefined || type === "float16" || type === "bfloat16") return undefined;
  return site.draft.add(site.layer, convert(STORED[type]), [x], [], {}, type);
};

const argument =
  (isReverse: boolean): NodeLowering =>
  (site) => {
    const x = dynamicAt(site, 0);
    if (!x || !SINGLE.includes(x.type)) return undefined;
    const { c, draft, layer } = site;
    const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
    const options = { isReverse, isOther: c.int("select_last_index", 0) === 1 };
    const label = c.node.opType;
    const [places] = draft.add(layer, along("argument", [axis, axis + 1], label, options), [x], [], {}, "int64");
    if (c.int("keepdims", 1) === 1) return [places as Dynamic];
    return draft.add(layer, "reshape", [places as Dynamic], [], { shape: x.shape.filter((_, i) => i !== axis) });
  };

const cumSum: NodeLowering = (site) => {
  const [x, axes] = [dynamicAt(site, 0), numbersAt(site, 1)];
  if (x?.type !== "float32" || axes?.length !== 1) return undefined;
  const axis = site.c.axis("axis", axes[0] as number, x.shape.length);
  const options = { isReverse: site.c.int("reverse", 0) === 1, isOther: site.c.int("exclusive", 0) === 1 };
  return site.draft.add(site.layer, along("sums", [axis, axis + 1], "CumSum", options), [x]);
};

/** Axes that are neighbours are one. */
const product: NodeLowering = (site) => {
  const { c, draft, layer } = site;
  const x = dynamicAt(site, 0);
  if (!x || varies(site, 1)) return undefined;
  const given = list(site, 1, "axes") ?? [];
  if (given.length === 0 && c.int("noop_with_empty_axes", 0) === 1) return undefined;
  const rank = x.shape.length;
  const axes = given.length === 0 ? x.shape.map((_, i) => i) : c.axes("axes", given, rank).sort((a, b) => a - b);
  let y: Dynamic = x;
  while (axes.length > 0) {
    const to = (axes.pop() as number) + 1;
    let from = to - 1;
    while (axes.at(-1) === from - 1) from = axes.pop() as number;
    [y] = draft.add(layer, along("product", [from, to], c.node.opType), [y]) as [Dynamic];
  }
  if (y === x || c.int("keepdims", 1) === 1) return y === x ? undefined : [y];
  const reduced =
    given.length === 0 ? y.shape.map(() => true) : y.shape.map((_, i) => c.axes("axes", given, rank).includes(i));
  return draft.add(layer, "reshape", [y], [], { shape: y.shape.filter((_, i) => !reduced[i]) });
};

const places: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const kernel = site.c.ints("kernel_shape");
  const rank = x ? x.shape.length - 2 : 0;
  if (!x || rank < 1 || rank > 3 || kernel?.length !== rank || site.c.int("storage_order", 0) !== 0) return undefined;
  const axes = windowAxes(site.c, x.shape.slice(2), kernel);
  // A window of padding only has no place.
  if (axes.some(({ before, after, taps, dilation }) => Math.max(before, after) > (taps - 1) * dilation))
    return undefined;
  const [values, at] = site.draft.add(site.layer, poolPlaces(axes), [x]) as [Dynamic, Dynamic];
  return [values, { ...at, type: "int64" }];
};

/** With numbers of its own: the names of attributes and their defaults. */
const functionBy =
  (name: Parameters<typeof functionOf>[0], ...numbers: readonly (readonly [string, number])[]): NodeLowering =>
  (site) => {
    const x = dynamicAt(site, 0);
    const given = numbers.map(([key, otherwise]) => site.c.float(key, otherwise));
    return x && site.draft.add(site.layer, functionOf(name, ...given), [x]);
  };

export const RARE_FLOATS: Readonly<Record<string, NodeLowering>> = {
  ReduceProd: product,
  Softplus: functionBy("Softplus"),
  Mish: functionBy("Mish"),
  Shrink: functionBy("Shrink", ["bias", 0], ["lambd", 0.5]),
  ThresholdedRelu: functionBy("ThresholdedRelu", ["alpha", 1]),
  PowOfTwo: pair("Pow", SINGLE),
  MaxPoolOfPlaces: places,
};

export const RARE_OTHERS: Readonly<Record<string, NodeLowering>> = {
  Equal: pair("Equal", [...SINGLE, ...WHOLE, ...BOOL, "uint8"]),
  Less: compared("Less"),
  LessOrEqual: compared("LessOrEqual"),
  Greater: compared("Less", true),
  GreaterOrEqual: compared("LessOrEqual", true),
  And: pair("And", BOOL),
  Or: pair("Or", BOOL),
  Xor: pair("Xor", BOOL),
  Not: not,
  Where: where,
  Add: pair("Add", WHOLE),
  Sub: pair("Sub", WHOLE),
  Mul: pair("Mul", WHOLE),
  Div: pair("Div", WHOLE),
  Max: fold("Max"),
  Min: fold("Min"),
  Mod: mod,
  ArgMax: argument(false),
  ArgMin: argument(true),
  CumSum: cumSum,
  Convert: convertOp,
};
