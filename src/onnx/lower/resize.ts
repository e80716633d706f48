import type { Dynamic } from "../draft.js";
import { resize, type Taps } from "../layers/resize.js";
import { isKept, type ResizeAxis, resizePlan, tapsCost, tapsOf } from "../semantics/resize.js";
import { dynamicAt, type NodeLowering, numbersAt, varies } from "./site.js";

/** The last two axes of [N, C, H, W], the last of [N, C, W], or the last three of a volume: its images, then lines across them. */
const resizeOp: NodeLowering = (site) => {
  const { c, draft, layer } = site;
  const x = dynamicAt(site, 0);
  if (!x || ![3, 4, 5].includes(x.shape.length) || [1, 2, 3].some((i) => varies(site, i))) return undefined;
  const plan = resizePlan(
    c,
    x.shape,
    [1, 2, 3].map((i) => numbersAt(site, i)),
  );
  const isKeptAt = (i: number) => isKept(plan, x.shape[i] as number, plan.axes[i] as ResizeAxis);
  if (!isKeptAt(0) || !isKeptAt(1)) return undefined;
  const taps = plan.axes.slice(2).map((axis, i) => {
    site.budget.spend(tapsCost(plan, axis));
    return tapsOf(plan, x.shape[i + 2] as number, axis);
  });
  if (taps.flat().some(({ at }) => at.length === 0)) return undefined;
  const columns = taps.pop() as Taps[];
  const rows = taps.pop();
  const depth = taps.pop();
  const label = c.node.opType;
  if (rows && depth) {
    const [n, channels, d, h, w] = x.shape as [number, number, number, number, number];
    const shaped = (y: readonly Dynamic[], ...shape: number[]) => draft.add(layer, "reshape", y, [], { shape });
    const images = draft.add(layer, resize(rows, columns, label), shaped([x], n, channels * d, h, w));
    const area = rows.length * columns.length;
    const still = Array.from({ length: area }, (_, i): Taps => ({ at: [i], weights: [1] }));
    const across = draft.add(layer, resize(depth, still, label), shaped(images, n, channels, d, area));
    return shaped(across, n, channels, depth.length, rows.length, columns.length);
  }
  if (rows) return draft.add(layer, resize(rows, columns, label), [x]);
  const [n, channels, width] = x.shape as [number, number, number];
  const image = draft.add(layer, "reshape", [x], [], { shape: [n, channels, 1, width] });
  const sized = draft.add(layer, resize([{ at: [0], weights: [1] }], columns, c.node.opType), image);
  return draft.add(layer, "reshape", sized, [], { shape: [n, channels, columns.length] });
};

export const RESIZE_LAYERS: Readonly<Record<string, NodeLowering>> = {
  Resize: resizeOp,
  Upsample: resizeOp,
};
