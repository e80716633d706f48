// What moves elements, as layers.
import { countOf } from "../../base/shape.js";
import type { Dynamic } from "../draft.js";
import { toNumbers } from "../file/plain-tensor.js";
import { fill, make } from "../host/make.js";
import { gather, stretchesOf } from "../layers/gather.js";
import { flattenTo, reshapeTo, splitSizes, squeezeTo, unsqueezeTo } from "../semantics/shapes.js";
import { padsOf, sliceRanges } from "../semantics/slices.js";
import {
  dynamicAt,
  list,
  type NodeLowering,
  numbersAt,
  operandAt,
  param,
  type Site,
  tensorAt,
  varies,
} from "./site.js";

const concat: NodeLowering = (site) => {
  const given = site.inputs.map((_, i) => operandAt(site, i));
  const rank = (site.inputs.find((operand) => operand !== undefined) as Dynamic).shape.length;
  return site.draft.add(site.layer, "concat", given, [], { axis: site.c.axis("axis", site.c.int("axis", 1), rank) });
};

const reshapeLike =
  (shapeOf: (site: Site, x: Dynamic) => readonly number[] | undefined): NodeLowering =>
  (site) => {
    const x = dynamicAt(site, 0);
    const shape = x && shapeOf(site, x);
    return x && shape && site.draft.add(site.layer, "reshape", [x], [], { shape });
  };

const slice: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const [starts, ends] = [list(site, 1, "starts"), list(site, 2, "ends")];
  if (!x || !starts || !ends) return undefined;
  const ranges = sliceRanges(site.c, x.shape, starts, ends, list(site, 3, "axes"), numbersAt(site, 4));
  if (ranges.some((range) => range.count === 0)) return undefined;
  const options = {
    axes: ranges.map((range) => range.axis),
    starts: ranges.map((range) => range.start),
    // Below the first element: a negative end would count from the back.
    ends: ranges.map(({ axis, start, step, count }) => {
      const end = start + count * step;
      return end < 0 ? end - (x.shape[axis] as number) : end;
    }),
    steps: ranges.map((range) => range.step),
  };
  return site.draft.add(site.layer, "slice", [x], [], options);
};

const split: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x || varies(site, 1)) return undefined;
  const axis = site.c.axis("axis", site.c.int("axis", 0), x.shape.length);
  let start = 0;
  return splitSizes(site.c, x.shape[axis] as number, list(site, 1, "split")).map((size) => {
    const options = { axes: [axis], starts: [start], ends: [start + size] };
    start += size;
    return site.draft.add(site.layer, "slice", [x], [], options)[0] as Dynamic;
  });
};

const pad: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x || varies(site, 1) || varies(site, 2) || varies(site, 3)) return undefined;
  const pads = padsOf(site.c, x.shape.length, numbersAt(site, 1), numbersAt(site, 3));
  const mode = site.c.oneOf("mode", "constant", ["constant", "reflect", "edge", "wrap"]);
  if (mode === "wrap" || pads.some((count) => count < 0)) return undefined;
  const value = tensorAt(site, 2)?.data[0] ?? site.c.float("value", 0);
  return site.draft.add(site.layer, "pad", [x], [], {
    pads,
    mode,
    ...(mode === "constant" && { value: Number(value) }),
  });
};

const transposeOp: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x) return undefined;
  const reversed = x.shape.map((_, i) => x.shape.length - 1 - i);
  const permutation = site.c.axes("perm", site.c.ints("perm") ?? reversed, x.shape.length);
  return site.draft.add(site.layer, "transpose", [x], [], { permutation });
};

/** What copies nothing and computes nothing. */
const alias: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  return x && [x];
};

const dropout: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  // Of a ratio of 0 it is the same in training, as PyTorch writes it for Swin.
  const isTraining = tensorAt(site, 1)?.data[0] !== 0 && (varies(site, 2) || (tensorAt(site, 2)?.data[0] ?? 0) !== 0);
  return x && !isTraining && !site.c.node.outputs[1] ? [x] : undefined;
};

const depthToSpace: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const block = site.c.int("blocksize", 0);
  const [n = 0, channels = 0, h = 0, w = 0] = x?.shape ?? [];
  const depth = channels / block ** 2;
  if (x?.shape.length !== 4 || !Number.isInteger(depth)) return undefined;
  const isDcr = site.c.string("mode", "DCR") === "DCR";
  const { draft, layer } = site;
  const parts = draft.add(layer, "reshape", [x], [], {
    shape: isDcr ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w],
  });
  const moved = draft.add(layer, "transpose", parts, [], {
    permutation: isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3],
  });
  return draft.add(layer, "reshape", moved, [], { shape: [n, depth, h * block, w * block] });
};

const expand: NodeLowering = (site) => {
  const [x, wanted] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!x || !wanted) return undefined;
  const zeros = fill(make(site, "float32", toNumbers(wanted)), 0);
  return countOf(zeros.shape) === 0
    ? undefined
    : site.draft.add(site.layer, "add", [x, param(site, zeros, "zeros") as string]);
};

/** The most stretches of indices that are still fewer copies than elements are worth a step in JavaScript. */
const MOST_STRETCHES = 64;

/** Elements at constant indices: a slice where they are evenly spaced. Those that a run computes are for another kernel. */
export const gatherAt: NodeLowering = (site) => {
  const { c, draft, layer } = site;
  const [x, indices] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!indices) return site.lowering("GatherOfTwo")?.(site);
  if (!x || indices.data.length === 0) return undefined;
  const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
  const size = x.shape[axis] as number;
  const places = toNumbers(indices).map((i) => (i < 0 ? i + size : i));
  if (places.some((i) => !(i >= 0 && i < size))) return undefined;
  const stretches = stretchesOf(places);
  const [first] = stretches;
  if (!first || stretches.length > MOST_STRETCHES) return undefined;
  const { start, step, count } = first;
  const end = start + count * step;
  const [picked] =
    stretches.length === 1 && step !== 0
      ? draft.add(layer, "slice", [x], [], {
          axes: [axis],
          starts: [start],
          // Below the first element: a negative end would count from the back.
          ends: [end < 0 ? end - size : end],
          steps: [step],
        })
      : draft.add(layer, gather(axis, stretches), [x]);
  const shape = x.shape.toSpliced(axis, 1, ...indices.shape);
  return indices.shape.length === 1
    ? [picked as Dynamic]
    : draft.add(layer, "reshape", [picked as Dynamic], [], { shape });
};

/** Of float32. */
export const SHAPE_LAYERS: Readonly<Record<string, NodeLowering>> = {
  DepthToSpace: depthToSpace,
  Expand: expand,
};

/** Operators that only move elements, of any type. */
export const MOVING_LAYERS: Readonly<Record<string, NodeLowering>> = {
  Concat: concat,
  Gather: gatherAt,
  Slice: slice,
  Split: split,
  Pad: pad,
  Transpose: transposeOp,
  Identity: alias,
  Dropout: dropout,
  Reshape: reshapeLike((site, x) => {
    const wanted = list(site, 1, "shape");
    return wanted && reshapeTo(x.shape, wanted, site.c.int("allowzero", 0) === 1);
  }),
  Flatten: reshapeLike(({ c }, x) => flattenTo(c, x.shape)),
  Squeeze: reshapeLike((site, x) => (varies(site, 1) ? undefined : squeezeTo(site.c, x.shape, list(site, 1, "axes")))),
  Unsqueeze: reshapeLike((site, x) =>
    varies(site, 1) ? undefined : unsqueezeTo(site.c, x.shape, list(site, 1, "axes") ?? []),
  ),
};
