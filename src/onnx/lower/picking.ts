// Elements at indices that a run computes, as layers.
import { countOf } from "../../base/shape.js";
import type { Dynamic } from "../draft.js";
import { atNode } from "../file/node.js";
import { along, wrapIndex } from "../host/indexing.js";
import { type GatherOptions, gatherAt } from "../layers/gather-at.js";
import { type NodeLowering, operandAt, type Site } from "./site.js";

type How = Omit<GatherOptions, "label" | "refuse">;

/** How, by the shapes of x and of the indices; undefined where no kernel does it. */
const picked =
  (howOf: (site: Site, x: readonly number[], at: readonly number[]) => How | undefined): NodeLowering =>
  (site) => {
    const [x, at] = site.inputs;
    const how = x && at && (at.type === "int64" || at.type === "int32") && howOf(site, x.shape, at.shape);
    if (!how) return undefined;
    const { c, draft, layer } = site;
    const refuse = (index: number, size: number) => atNode(c.node, () => wrapIndex(index, size));
    const operator = gatherAt({ ...how, label: c.node.opType, refuse: (index, size) => void refuse(index, size) });
    return draft.add(layer, operator, [operandAt(site, 0), operandAt(site, 1)], [], {}, (x as Dynamic).type);
  };

const gather = picked(({ c }, x, at) => {
  const axis = c.axis("axis", c.int("axis", 0), x.length);
  const { outer, size, inner } = along(x, axis);
  const shape = [...x.slice(0, axis), ...at, ...x.slice(axis + 1)];
  const axes = [{ size, stride: inner }];
  return { shape, axes, isOwn: false, outer, outerElements: size * inner, run: inner, inner: 1 };
});

/** Where indices are as many as elements along all other axes. */
const gatherElements = picked(({ c }, x, at) => {
  const axis = c.axis("axis", c.int("axis", 0), x.length);
  if (at.length !== x.length || x.some((size, i) => i !== axis && size !== at[i])) return undefined;
  const { outer, size, inner } = along(x, axis);
  return { shape: at, axes: [{ size, stride: inner }], isOwn: true, outer, outerElements: size * inner, run: 1, inner };
});

const gatherNd = picked(({ c }, x, at) => {
  const batch = c.int("batch_dims", 0);
  const depth = at.at(-1) ?? 0;
  const isBatch = batch >= 0 && batch < at.length && x.slice(0, batch).join() === at.slice(0, batch).join();
  if (!isBatch || depth < 1 || batch + depth > x.length) return undefined;
  const run = countOf(x.slice(batch + depth));
  const axes = x.slice(batch, batch + depth).map((size, i) => ({ size, stride: countOf(x.slice(batch + i + 1)) }));
  const shape = [...at.slice(0, -1), ...x.slice(batch + depth)];
  const [outer, outerElements] = [countOf(x.slice(0, batch)), countOf(x.slice(batch))];
  return { shape, axes, isOwn: true, outer, outerElements, run, inner: 1 };
});

export const PICKING_LAYERS: Readonly<Record<string, NodeLowering>> = {
  GatherOfTwo: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
};
