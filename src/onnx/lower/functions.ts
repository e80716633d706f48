// Functions of one element as layers.
import { UnaryCode } from "../../kernels/gen/constants.js";
import type { Dynamic } from "../draft.js";
import { ELEMENT_TYPES } from "../file/element-type.js";
import { unary } from "../layers/unary.js";
import { binary, dynamicAt, type NodeLowering, type Site, tensorAt } from "./site.js";

type FunctionName = keyof typeof UnaryCode;

/** f(x) as a layer. */
export function apply(site: Site, name: FunctionName, x: Dynamic): Dynamic {
  return site.draft.add(site.layer, unary(name), [x])[0] as Dynamic;
}

const byName = (name: FunctionName): NodeLowering => {
  return (site) => {
    const x = dynamicAt(site, 0);
    return x && [apply(site, name, x)];
  };
};

const negate: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  return x && [binary(site, "mul", x, -1)];
};

/** Powers that are a few products, a root, or their reciprocal. */
const POWERS: Readonly<Record<number, (site: Site, x: Dynamic) => Dynamic>> = {
  1: (_, x) => x,
  2: (site, x) => binary(site, "mul", x, x),
  3: (site, x) => binary(site, "mul", binary(site, "mul", x, x), x),
  0.5: (site, x) => apply(site, "Sqrt", x),
};

const pow: NodeLowering = (site) => {
  const [x, exponent] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!x || exponent?.data.length !== 1 || exponent.shape.length > x.shape.length) return undefined;
  const e = Number(exponent.data[0]);
  const power = POWERS[Math.abs(e)]?.(site, x);
  if (power === undefined) return undefined;
  return [e < 0 ? apply(site, "Reciprocal", power) : power];
};

/** Between the types that are held as float32: only to float16 is there anything to do. */
const cast: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const type = x && site.c.opset >= 6 ? ELEMENT_TYPES[site.c.int("to", 0)] : undefined;
  if (!x || (type !== x.type && type !== "float32" && type !== "float16")) return undefined;
  return [{ ...(type === "float16" && x.type !== type ? apply(site, "Half", x) : x), type }];
};

const NAMES = Object.keys(UnaryCode) as readonly FunctionName[];

export const FUNCTION_LAYERS: Readonly<Record<string, NodeLowering>> = {
  ...Object.fromEntries(NAMES.map((name) => [name, byName(name)])),
  Neg: negate,
  Pow: pow,
  Cast: cast,
};
