// Functions of one element as layers, and reductions of them.
import { UnaryCode } from "../../kernels/gen/numeric/unary-code.js";
import type { Dynamic } from "../draft.js";
import { unary } from "../layers/unary.js";
import { reduction, square } from "./reduction.js";
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

const NAMES = Object.keys(UnaryCode) as readonly FunctionName[];

export const FUNCTION_LAYERS: Readonly<Record<string, NodeLowering>> = {
  ...Object.fromEntries(NAMES.map((name) => [name, byName(name)])),
  Pow: pow,
  ReduceL1: reduction((site, x, reduced) => reduced("sum", apply(site, "Abs", x))),
  ReduceL2: reduction((site, x, reduced) => apply(site, "Sqrt", reduced("sum", square(site, x)))),
  ReduceLogSum: reduction((site, x, reduced) => apply(site, "Log", reduced("sum", x))),
};
