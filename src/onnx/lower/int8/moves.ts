// What moves elements of int8, which are held 128 higher: those of uint8 move as any others.
import { isConstant, type WholeLowering } from "../site.js";
import { heldOf, typedOf } from "./held.js";

const moved: WholeLowering = (site) => {
  const [x] = site.inputs;
  if (x?.type !== "int8" || isConstant(x)) return undefined;
  // Of several, as Concat has them, those that are constant are few.
  if (site.inputs.some((input, i) => i > 0 && input?.type === "int8")) return undefined;
  const inputs = site.inputs.map((input, i) => (i === 0 ? heldOf(site, x) : input));
  return site
    .lowering(site.c.node.opType)?.({ ...site, inputs })
    ?.map((y) => typedOf(site, y, "int8"));
};

export const MOVED: Readonly<Record<string, WholeLowering>> = Object.fromEntries(
  "Reshape Flatten Squeeze Unsqueeze Transpose Slice Split Gather DepthToSpace Identity"
    .split(" ")
    .map((op) => [op, moved]),
);
