// Quantisation whose scale is computed by a run.
import type { Dynamic } from "../draft.js";
import { reduce } from "../layers/reduce.js";
import { apply } from "./functions.js";
import { plain, toQuantised } from "./quantised.js";
import { binary, dynamicAt, type NodeLowering } from "./site.js";

/** To uint8 by the range of the values and 0: the numbers, their scale and their zero point. */
const dynamicQuantize: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x) return undefined;
  const { draft, layer } = site;
  const add = (op: "relu" | "reshape" | "clip", of: Dynamic, options = {}) =>
    draft.add(layer, op, [of], [], options)[0] as Dynamic;
  const most = (of: Dynamic) => {
    const axes = of.shape.map((_, i) => i);
    const [top] = draft.add(layer, reduce("max", axes, "most"), [of]);
    return add("relu", add("reshape", top as Dynamic, { shape: [] }));
  };
  const low = most(binary(site, "mul", x, -1));
  const scale = binary(site, "div", binary(site, "add", most(x), low), 255);
  const divisor = add("clip", scale, { min: 2 ** -126 }); // of zeros alone
  const zero = apply(site, "Round", binary(site, "div", low, divisor));
  const y = binary(site, "add", apply(site, "Round", binary(site, "div", x, divisor)), zero);
  const numbers = (of: Dynamic) => toQuantised(site, of, plain("uint8"));
  return [...numbers(y), scale, ...numbers(zero)];
};

export const DYNAMIC_LAYERS: Readonly<Record<string, NodeLowering>> = {
  DynamicQuantizeLinear: dynamicQuantize,
};
