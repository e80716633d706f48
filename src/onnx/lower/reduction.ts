// Reductions over any axes as layers.
import type { Dynamic } from "../draft.js";
import { type Reduction, reduce } from "../layers/reduce.js";
import { binary, dynamicAt, list, type NodeLowering, type Site, varies } from "./site.js";

type Steps = (site: Site, x: Dynamic, reduced: (kind: Reduction, x: Dynamic) => Dynamic) => Dynamic;

export function reduction(steps: Steps): NodeLowering {
  return (site) => {
    const { c, draft, layer } = site;
    const x = dynamicAt(site, 0);
    if (!x || varies(site, 1)) return undefined;
    const rank = x.shape.length;
    const given = list(site, 1, "axes") ?? [];
    if (given.length === 0 && c.int("noop_with_empty_axes", 0) === 1) return undefined;
    const axes = given.length === 0 ? x.shape.map((_, i) => i) : c.axes("axes", given, rank);
    const reduced = (kind: Reduction, of: Dynamic): Dynamic =>
      isImage(of, axes) && kind !== "sum"
        ? (draft.add(layer, kind === "max" ? "globalMaxPool" : "globalAvgPool", [of])[0] as Dynamic)
        : (draft.add(layer, reduce(kind, axes, c.node.opType), [of])[0] as Dynamic);
    const answer = steps(site, x, reduced);
    if (c.int("keepdims", 1) === 1) return [answer];
    return draft.add(layer, "reshape", [answer], [], { shape: x.shape.filter((_, i) => !axes.includes(i)) });
  };
}

/** Whether the axes are an image's height and width. */
const isImage = ({ shape }: Dynamic, axes: readonly number[]): boolean =>
  shape.length === 4 && [...axes].sort().join() === "2,3";

export const square = (site: Site, x: Dynamic): Dynamic => binary(site, "mul", x, x);

export const REDUCTION_LAYERS: Readonly<Record<string, NodeLowering>> = {
  ReduceSum: reduction((_, x, reduced) => reduced("sum", x)),
  ReduceMean: reduction((_, x, reduced) => reduced("mean", x)),
  ReduceMax: reduction((_, x, reduced) => reduced("max", x)),
  ReduceMin: reduction((site, x, reduced) => binary(site, "mul", reduced("max", binary(site, "mul", x, -1)), -1)),
  ReduceSumSquare: reduction((site, x, reduced) => reduced("sum", square(site, x))),
};
