// Layers that sample images at places that a run computes.
import { isBig, type TensorData } from "../../base/spec.js";
import { STORED } from "../draft.js";
import { atNode } from "../file/node.js";
import { boxSample, gridSample, patchSample } from "../layers/sample.js";
import { boxesOf, gridOf, patchesOf, requireImage } from "../semantics/sampling.js";
import { type NodeLowering, operandAt, type Site } from "./site.js";

/** Operands of float32. */
function floatsAt({ inputs }: Site, ...at: readonly number[]): boolean {
  return at.every((i) => inputs[i] === undefined || STORED[inputs[i].type] === "float32");
}

const shapeAt = ({ inputs }: Site, i: number) => ({ shape: inputs[i]?.shape ?? [] });

const grid: NodeLowering = (site) => {
  const { c, draft, layer, inputs } = site;
  const x = shapeAt(site, 0);
  if (x.shape.length !== 4 || !inputs[1] || !floatsAt(site, 0, 1)) return undefined;
  const how = gridOf(c, x, shapeAt(site, 1));
  return draft.add(layer, gridSample(how), [operandAt(site, 0), operandAt(site, 1)], [], {}, inputs[0]?.type);
};

const boxes: NodeLowering = (site) => {
  const { c, draft, layer, inputs } = site;
  const [{ shape }, rois, images] = [shapeAt(site, 0), shapeAt(site, 1).shape, shapeAt(site, 2).shape];
  const count = rois[0] as number;
  if (shape.length !== 4 || rois.length !== 2 || rois[1] !== 4 || images.length !== 1 || images[0] !== count)
    return undefined;
  const type = inputs[2]?.type;
  if (!floatsAt(site, 0, 1) || (type !== "int64" && type !== "int32")) return undefined;
  const how = boxesOf(c);
  const { rows, columns, ratio, scale, isHalf } = how;
  const [batch, channels] = shape as [number, number];
  const bins = channels * rows * columns;
  if (ratio > 0) site.budget.spend(count * bins * ratio * ratio);
  // Every run has what is left now.
  const left = site.budget.copy();
  const check = (own: Float32Array, given: TensorData, found: Int32Array): void => {
    const budget = left.copy();
    const places = (low: number, high: number, most: number) =>
      Math.ceil((isHalf ? high - low : Math.max(high - low, 1)) / most);
    for (let r = 0; r < count; r++) {
      const index = isBig(type) ? Number(given[r]) : (given[r] as number);
      atNode(c.node, () => requireImage(index, batch));
      found[r] = index;
      if (ratio > 0) continue;
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((i) => (own[r * 4 + i] as number) * scale) as [
        number,
        number,
        number,
        number,
      ];
      const spent = bins * Math.max(0, places(x1, x2, columns)) * Math.max(0, places(y1, y2, rows));
      if (!Number.isNaN(spent)) atNode(c.node, () => budget.spend(spent));
    }
  };
  const operands = [0, 1, 2].map((i) => operandAt(site, i));
  return draft.add(layer, boxSample({ ...how, check }), operands, [], {}, inputs[0]?.type);
};

/** What a form of DeformConv makes a product of. */
const patches: NodeLowering = (site) => {
  const { c, draft, layer, inputs } = site;
  if (!inputs[0] || !inputs[1] || !floatsAt(site, 0, 1, 2)) return undefined;
  const { axes, groups } = patchesOf(c, shapeAt(site, 0), shapeAt(site, 1), inputs[2]);
  const operands = [0, 1, ...(inputs[2] ? [2] : [])].map((i) => operandAt(site, i));
  return draft.add(layer, patchSample(axes, groups, inputs[2] !== undefined), operands, [], {}, inputs[0].type);
};

export const SAMPLING_LAYERS: Readonly<Record<string, NodeLowering>> = {
  GridSample: grid,
  RoiAlign: boxes,
  DeformColumns: patches,
};
