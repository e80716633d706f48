// Operators that move elements of images and matrices, repeat them or leave some out. Element element type.

import { ModelError, show } from "../../base/errors.js";
import { isBig } from "../../base/spec.js";
import type { Budgeted } from "../file/budget.js";
import { elementType } from "../file/element-type.js";
import { type Element, type PlainTensor, reshaped, toNumbers } from "../file/plain-tensor.js";
import { splitSizes } from "../semantics/shapes.js";
import { padsOf } from "../semantics/slices.js";
import { concat, sliceBy } from "./arranging.js";
import { type HostOp, need } from "./context.js";
import { copied, elementStrides, transpose, zeroOf } from "./indexing.js";
import { make } from "./make.js";

/** Pads, before then after, in elements of each axis; negative crops. */
export function pad(
  c: Budgeted,
  t: PlainTensor,
  pads: readonly number[],
  mode: string,
  value: number | bigint,
): PlainTensor {
  const rank = t.shape.length;
  const shape = t.shape.map((size, i) => size + (pads[i] as number) + (pads[rank + i] as number));
  const out = make(c, t.type, shape);
  const strides = elementStrides(t.shape);
  const to = out.data as unknown as (number | bigint)[];
  const from = t.data as ArrayLike<number | bigint>;
  // Where each index of each axis comes from; -1 is the fill value.
  const sources = shape.map((size, axis) => {
    const have = t.shape[axis] as number;
    return Int32Array.from({ length: size }, (_, i) => {
      const at = i - (pads[axis] as number);
      if (at >= 0 && at < have) return at;
      if (mode === "constant" || have === 0) return -1;
      if (mode === "edge") return at < 0 ? 0 : have - 1;
      if (mode === "wrap") return ((at % have) + have) % have;
      if (have === 1) return 0;
      const period = 2 * (have - 1);
      const folded = ((at % period) + period) % period;
      return folded < have ? folded : period - folded;
    });
  });
  const index = new Array<number>(rank).fill(0);
  for (let i = 0; i < to.length; i++) {
    let at = 0;
    for (let axis = 0; axis < rank && at >= 0; axis++) {
      const source = (sources[axis] as Int32Array)[index[axis] as number] as number;
      at = source < 0 ? -1 : at + source * (strides[axis] as number);
    }
    to[i] = at < 0 ? value : (from[at] as number | bigint);
    for (let axis = rank - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      index[axis] = 0;
    }
  }
  return out;
}

const padOp: HostOp = (c, data, pads, value, axes) => {
  const x = need(data, "data");
  const fillValue = value?.data[0] ?? (isBig(x.type) ? 0n : c.float("value", 0));
  const mode = c.oneOf("mode", "constant", ["constant", "reflect", "edge", "wrap"]);
  return pad(c, x, padsOf(c, x.shape.length, pads && toNumbers(pads), axes && toNumbers(axes)), mode, fillValue);
};

const split: HostOp = (c, input, sizes) => {
  const x = need(input, "input");
  const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
  let start = 0;
  return splitSizes(c, x.shape[axis] as number, c.list("split", sizes)).map((count) => {
    const part = sliceBy(c, x, [{ axis, start, step: 1, count }]);
    start += count;
    return part;
  });
};

/** Rank 6 view of [N, C, H, W] blocks, permuted. */
const depthToSpace: HostOp = (c, input) => {
  const x = need(input, "input");
  const block = c.int("blocksize", 0);
  const [n = 0, channels = 0, h = 0, w = 0] = x.shape;
  const depth = channels / block ** 2;
  if (x.shape.length !== 4 || !Number.isInteger(depth)) {
    throw new ModelError(`"input" expected [N, C, H, W] with C a multiple of ${block ** 2}, got ${show([...x.shape])}`);
  }
  const isDcr = c.oneOf("mode", "DCR", ["DCR", "CRD"]) === "DCR";
  const parts = isDcr ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w];
  const moved = transpose(c, reshaped(x, parts), isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]);
  return reshaped(moved, [n, depth, h * block, w * block]);
};

const spaceToDepth: HostOp = (c, input) => {
  const x = need(input, "input");
  const block = c.int("blocksize", 0);
  const [n = 0, channels = 0, h = 0, w = 0] = x.shape;
  if (x.shape.length !== 4 || h % block !== 0 || w % block !== 0) {
    throw new ModelError(`"input" expected [N, C, H, W] with H and W multiples of ${block}, got ${show([...x.shape])}`);
  }
  const moved = transpose(c, reshaped(x, [n, channels, h / block, block, w / block, block]), [0, 3, 5, 1, 2, 4]);
  return reshaped(moved, [n, channels * block * block, h / block, w / block]);
};

const trilu: HostOp = (c, input, k) => {
  const out = copied(need(input, "input"));
  const [rows, columns] = out.shape.slice(-2) as [number, number];
  const offset = k === undefined ? 0 : Number(k.data[0]);
  const isUpper = c.int("upper", 1) === 1;
  const data = out.data as unknown as Element[];
  for (let i = 0; i < data.length; i++) {
    const column = i % columns;
    const row = Math.floor(i / columns) % rows;
    if (isUpper ? column - row < offset : column - row > offset) data[i] = zeroOf(out);
  }
  return out;
};

const centerCropPad: HostOp = (c, input, wanted) => {
  const x = need(input, "input_data");
  const rank = x.shape.length;
  const target = toNumbers(need(wanted, "shape"));
  const axes = c.axes("axes", c.ints("axes") ?? target.map((_, i) => i), rank);
  const pads = new Array<number>(2 * rank).fill(0);
  axes.forEach((axis, i) => {
    const difference = (target[i] as number) - (x.shape[axis] as number);
    // Cropping starts at the rounded-down half of what is cut; padding puts the smaller half in front.
    const before = difference < 0 ? -Math.floor(-difference / 2) : Math.floor(difference / 2);
    pads[axis] = before;
    pads[rank + axis] = difference - before;
  });
  return pad(c, x, pads, "constant", zeroOf(x));
};

const tile: HostOp = (c, input, repeats, axisInput) => {
  let x = need(input, "input");
  const given = toNumbers(need(repeats, "repeats"));
  // Operator set 1: a count and an axis.
  const counts =
    axisInput === undefined
      ? given
      : x.shape.map((_size, i) => (i === Number(axisInput.data[0]) ? (given[0] as number) : 1));
  if (counts.length !== x.shape.length || counts.some((count) => count < 0)) {
    throw new ModelError(`"repeats" expected ${x.shape.length} counts >= 0, got ${show(counts)}`);
  }
  make(
    c,
    x.type,
    x.shape.map((size, i) => size * (counts[i] as number)),
  ); // refuses what is too large
  counts.forEach((count, axis) => {
    if (count !== 1)
      x =
        count === 0
          ? make(
              c,
              x.type,
              x.shape.map((size, i) => (i === axis ? 0 : size)),
            )
          : concat(c, new Array<PlainTensor>(count).fill(x), axis);
  });
  return x;
};

const eyeLike: HostOp = (c, input) => {
  const x = need(input, "input");
  const out = make(c, c.has("dtype") ? elementType(c.int("dtype", 1), "dtype") : x.type, x.shape);
  const [rows = 0, columns = 0] = x.shape;
  const k = c.int("k", 0);
  const data = out.data as unknown as Element[];
  for (let row = 0; row < rows; row++) {
    if (row + k >= 0 && row + k < columns) data[row * columns + row + k] = isBig(out.type) ? 1n : 1;
  }
  return out;
};

export const MOVEMENT: Readonly<Record<string, HostOp>> = {
  Split: split,
  Pad: padOp,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  EyeLike: eyeLike,
  Trilu: trilu,
  CenterCropPad: centerCropPad,
};
