// Reductions and normalisations over any axes as layers.
import { countOf } from "../../base/shape.js";
import type { Dynamic } from "../draft.js";
import { type PlainTensor, reshaped } from "../file/plain-tensor.js";
import { type Reduction, reduce } from "../layers/reduce.js";
import { binary, dynamicAt, list, type NodeLowering, type Site, tensorAt, varies } from "./site.js";

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

/**
 * (x - mean) / sqrt(variance + epsilon) over rows: x as one image whose channels they are, which is what batch normalisation's
 * training phase computes; then scale and bias.
 */
function normalised(
  site: Site,
  x: Dynamic,
  rows: number,
  scale: PlainTensor,
  bias: PlainTensor | undefined,
): readonly Dynamic[] {
  const { c, draft, layer } = site;
  const shape = [1, rows, countOf(x.shape) / rows];
  const [image] = draft.add(layer, "reshape", [x], [], { shape });
  const epsilon = c.float("epsilon", 1e-5);
  const params = [null, null, null, null];
  const [normal] = draft.add(layer, "batchNormTrain", [image as Dynamic], params, { epsilon });
  let [y] = draft.add(layer, "reshape", [normal as Dynamic], [], { shape: x.shape }) as [Dynamic];
  [y] = draft.add(layer, "mul", [y, draft.constant(scale, `${layer}.mul`)]) as [Dynamic];
  return bias ? draft.add(layer, "add", [y, draft.constant(bias, `${layer}.add`)]) : [y];
}

const layerNorm: NodeLowering = (site) => {
  const [x, scale, bias] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !scale || varies(site, 2) || site.c.outputs > 1) return undefined;
  const axis = site.c.axis("axis", site.c.int("axis", -1), x.shape.length);
  return normalised(site, x, countOf(x.shape.slice(0, axis)), scale, bias);
};

const instanceNorm: NodeLowering = (site) => {
  const [x, scale, bias] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !scale || !bias || x.shape.length < 3) return undefined;
  const [n = 0, channels = 0] = x.shape;
  const byAxis = (t: PlainTensor): PlainTensor => reshaped(t, [channels, ...x.shape.slice(2).map(() => 1)]);
  return normalised(site, x, n * channels, byAxis(scale), byAxis(bias));
};

export const REDUCTION_LAYERS: Readonly<Record<string, NodeLowering>> = {
  ReduceSum: reduction((_, x, reduced) => reduced("sum", x)),
  ReduceMean: reduction((_, x, reduced) => reduced("mean", x)),
  ReduceMax: reduction((_, x, reduced) => reduced("max", x)),
  ReduceMin: reduction((site, x, reduced) => binary(site, "mul", reduced("max", binary(site, "mul", x, -1)), -1)),
  ReduceSumSquare: reduction((site, x, reduced) => reduced("sum", square(site, x))),
  LayerNormalization: layerNorm,
  InstanceNormalization: instanceNorm,
};
