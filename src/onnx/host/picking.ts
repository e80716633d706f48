// Operators that pick elements by index and put them somewhere else. Element element type.
import { ModelError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { type Element, int64s, numbers, type PlainTensor, reshaped, toNumbers } from "../file/plain-tensor.js";
import { type Context, type HostOp, need } from "./context.js";
import { along, copied, eachIndex, offsetOf, pick, wrapIndex } from "./indexing.js";
import { make } from "./make.js";

const gatherElements: HostOp = (c, data, indices) => {
  const x = need(data, "data");
  const at = need(indices, "indices");
  const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
  const out = make(c, x.type, at.shape);
  eachIndex(at.shape, (index, i) => {
    const own = [...index];
    own[axis] = wrapIndex(Number(at.data[i]), x.shape[axis] as number);
    numbers(out)[i] = numbers(x)[offsetOf(own, x.shape)] as number;
  });
  return out;
};

/** The starts, in elements, of the slices that rows of indices name below `batch` leading axes. */
function sliceStarts(
  shape: readonly number[],
  indices: PlainTensor,
  batch: number,
): { starts: number[]; size: number } {
  const depth = indices.shape.at(-1) ?? 0;
  if (batch + depth > shape.length || depth < 1) {
    throw new ModelError(`"indices" expected rows of 1 to ${shape.length - batch} indices, got ${depth}`);
  }
  const size = countOf(shape.slice(batch + depth));
  const flat = toNumbers(indices);
  const rows = depth === 0 ? 0 : flat.length / depth;
  const perBatch = rows / Math.max(1, countOf(shape.slice(0, batch)));
  const starts = Array.from({ length: rows }, (_, row) => {
    let at = Math.floor(row / perBatch);
    if (batch === 0) at = 0;
    for (let d = 0; d < depth; d++) {
      const extent = shape[batch + d] as number;
      at = at * extent + wrapIndex(flat[row * depth + d] as number, extent);
    }
    return at * size;
  });
  return { starts, size };
}

const gatherNd: HostOp = (c, data, indices) => {
  const x = need(data, "data");
  const at = need(indices, "indices");
  const batch = c.int("batch_dims", 0);
  const depth = at.shape.at(-1) ?? 0;
  const { starts, size } = sliceStarts(x.shape, at, batch);
  const out = make(c, x.type, [...at.shape.slice(0, -1), ...x.shape.slice(batch + depth)]);
  starts.forEach((start, row) => {
    numbers(out).set(numbers(x).subarray(start, start + size), row * size);
  });
  return out;
};

const REDUCTIONS: Readonly<Record<string, (a: never, b: never) => Element>> = {
  none: (_, b: Element) => b,
  add: (a: number, b: number) => a + b,
  mul: (a: number, b: number) => a * b,
  max: (a: Element, b: Element) => (a > b ? a : b),
  min: (a: Element, b: Element) => (a < b ? a : b),
};

function reductionOf(c: Context): (a: Element, b: Element) => Element {
  return REDUCTIONS[c.oneOf("reduction", "none", ["none", "add", "mul", "max", "min"])] as (
    a: Element,
    b: Element,
  ) => Element;
}

const scatterElements: HostOp = (c, data, indices, updates) => {
  const out = copied(need(data, "data"));
  const at = need(indices, "indices");
  const from = need(updates, "updates").data as ArrayLike<Element>;
  const axis = c.axis("axis", c.int("axis", 0), out.shape.length);
  const reduce = reductionOf(c);
  const to = out.data as unknown as Element[];
  eachIndex(at.shape, (index, i) => {
    const own = [...index];
    own[axis] = wrapIndex(Number(at.data[i]), out.shape[axis] as number);
    const p = offsetOf(own, out.shape);
    to[p] = reduce(to[p] as Element, from[i] as Element);
  });
  return out;
};

const scatterNd: HostOp = (c, data, indices, updates) => {
  const out = copied(need(data, "data"));
  const from = need(updates, "updates").data as ArrayLike<Element>;
  const { starts, size } = sliceStarts(out.shape, need(indices, "indices"), 0);
  if (from.length !== starts.length * size) {
    throw new ModelError(`"updates" expected ${starts.length * size} elements, got ${from.length}`);
  }
  const reduce = reductionOf(c);
  const to = out.data as unknown as Element[];
  starts.forEach((start, row) => {
    for (let i = 0; i < size; i++) to[start + i] = reduce(to[start + i] as Element, from[row * size + i] as Element);
  });
  return out;
};

const oneHot: HostOp = (c, indices, depth, values) => {
  const at = need(indices, "indices");
  const size = Number(need(depth, "depth").data[0]);
  const pair = need(values, "values");
  const axis = c.axis("axis", c.int("axis", -1), at.shape.length + 1);
  const out = make(c, pair.type, [...at.shape.slice(0, axis), size, ...at.shape.slice(axis)]);
  const [off, on] = [pair.data[0] as number, pair.data[1] as number];
  numbers(out).fill(off);
  const { inner } = along(out.shape, axis);
  toNumbers(at).forEach((index, i) => {
    const wrapped = index < 0 ? index + size : index;
    if (wrapped < 0 || wrapped >= size) return;
    numbers(out)[(Math.floor(i / inner) * size + wrapped) * inner + (i % inner)] = on;
  });
  return out;
};

const nonZero: HostOp = (_, x) => {
  const t = need(x, "X");
  const found: number[][] = [];
  eachIndex(t.shape, (index, i) => {
    if (Number(t.data[i]) !== 0) found.push([...index]);
  });
  const rank = Math.max(1, t.shape.length);
  return int64s(Array.from({ length: rank }, (_, axis) => found.map((index) => index[axis] ?? 0)).flat(), [
    rank,
    found.length,
  ]);
};

const compress: HostOp = (c, input, condition) => {
  const keep = toNumbers(need(condition, "condition")).flatMap((value, i) => (value ? [i] : []));
  const x = need(input, "input");
  const flat = c.has("axis") ? x : reshaped(x, [countOf(x.shape)]);
  return pick(c, flat, int64s(keep), c.axis("axis", c.int("axis", 0), flat.shape.length));
};

export const PICKING: Readonly<Record<string, HostOp>> = {
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  OneHot: oneHot,
  NonZero: nonZero,
  Compress: compress,
};
