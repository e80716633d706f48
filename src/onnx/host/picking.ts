// Operators that pick elements by index and put them somewhere else. Element element type.
import { ModelError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { type Element, int64s, numbers, type PlainTensor, reshaped, toNumbers } from "../file/plain-tensor.js";
import { type Context, type HostOp, need } from "./context.js";
import { along, copied, eachRow, elementStrides, halvesOf, pick, toIndices, wrapIndex } from "./indexing.js";
import { make } from "./make.js";

/**
 * Calls f for every row of indices along the last axis: where it begins among them, and in the tensor that they are places in along
 * another axis, with the distance of that axis' elements.
 */
function eachPlace(
  x: PlainTensor,
  at: PlainTensor,
  axis: number,
  f: (i: number, base: number, stride: number) => void,
): void {
  const strides = elementStrides(x.shape);
  const stride = strides[axis] as number;
  strides[axis] = 0;
  eachRow(at.shape, strides, (i, base) => f(i, base, stride));
}

const gatherElements: HostOp = (c, data, indices) => {
  const x = need(data, "data");
  const at = need(indices, "indices");
  const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
  const out = make(c, x.type, at.shape);
  const [from, to, places] = [numbers(x), numbers(out), toIndices(at)];
  const [size, length] = [x.shape[axis] as number, at.shape.at(-1) ?? 1];
  const next = axis === at.shape.length - 1 ? 0 : 1;
  eachPlace(x, at, axis, (i, base, stride) => {
    for (let k = 0; k < length; k++)
      to[i + k] = from[base + wrapIndex(places[i + k] as number, size) * stride + k * next] as number;
  });
  return out;
};

/** The starts, in elements, of the slices that rows of indices name below `batch` leading axes. */
function sliceStarts(
  shape: readonly number[],
  indices: PlainTensor,
  batch: number,
): { starts: Float64Array; size: number } {
  const depth = indices.shape.at(-1) ?? 0;
  if (batch + depth > shape.length || depth < 1) {
    throw new ModelError(`"indices" expected rows of 1 to ${shape.length - batch} indices, got ${depth}`);
  }
  const size = countOf(shape.slice(batch + depth));
  const flat = toIndices(indices);
  const rows = depth === 0 ? 0 : flat.length / depth;
  const perBatch = rows / Math.max(1, countOf(shape.slice(0, batch)));
  const starts = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let at = batch === 0 ? 0 : Math.floor(row / perBatch);
    for (let d = 0; d < depth; d++) {
      const extent = shape[batch + d] as number;
      at = at * extent + wrapIndex(flat[row * depth + d] as number, extent);
    }
    starts[row] = at * size;
  }
  return { starts, size };
}

const gatherNd: HostOp = (c, data, indices) => {
  const x = need(data, "data");
  const at = need(indices, "indices");
  const batch = c.int("batch_dims", 0);
  const depth = at.shape.at(-1) ?? 0;
  const { starts, size } = sliceStarts(x.shape, at, batch);
  const out = make(c, x.type, [...at.shape.slice(0, -1), ...x.shape.slice(batch + depth)]);
  const [from, to] = [numbers(x), numbers(out)];
  for (let row = 0; row < starts.length; row++) {
    const start = starts[row] as number;
    if (size === 1) to[row] = from[start] as number;
    else to.set(from.subarray(start, start + size), row * size);
  }
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
  const x = need(data, "data");
  const out = copied(x);
  const at = need(indices, "indices");
  const from = need(updates, "updates").data as ArrayLike<Element>;
  const axis = c.axis("axis", c.int("axis", 0), out.shape.length);
  const reduce = c.string("reduction", "none") === "none" ? undefined : reductionOf(c);
  const to = out.data as unknown as Element[];
  const places = toIndices(at);
  const [size, length] = [x.shape[axis] as number, at.shape.at(-1) ?? 1];
  const next = axis === at.shape.length - 1 ? 0 : 1;
  eachPlace(x, at, axis, (i, base, stride) => {
    for (let k = 0; k < length; k++) {
      const p = base + wrapIndex(places[i + k] as number, size) * stride + k * next;
      const value = from[i + k] as Element;
      to[p] = reduce ? reduce(to[p] as Element, value) : value;
    }
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
  const reduce = c.string("reduction", "none") === "none" ? undefined : reductionOf(c);
  const to = out.data as unknown as Element[];
  for (let row = 0; row < starts.length; row++) {
    const start = starts[row] as number;
    if (!reduce && size >= 16) {
      const own = (from as Float32Array).subarray(row * size, (row + 1) * size);
      numbers(out).set(own, start);
      continue;
    }
    for (let i = 0; i < size; i++) {
      const value = from[row * size + i] as Element;
      to[start + i] = reduce ? reduce(to[start + i] as Element, value) : value;
    }
  }
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

/** Indices of what is not 0, a row an axis. */
const nonZero: HostOp = (c, x) => {
  const t = need(x, "X");
  const data = t.data as ArrayLike<Element>;
  const shape = t.shape.length === 0 ? [1] : t.shape;
  let count = 0;
  for (let i = 0; i < data.length; i++) if (Number(data[i]) !== 0) count++;
  const out = make(c, "int64", [shape.length, count]);
  const halves = halvesOf(out);
  const length = shape.at(-1) as number;
  const last = shape.length - 1;
  const index = shape.map(() => 0);
  let found = 0;
  for (let start = 0; start < data.length; start += length) {
    for (let i = 0; i < length; i++) {
      if (Number(data[start + i]) === 0) continue;
      for (let axis = 0; axis < last; axis++) halves[2 * (axis * count + found)] = index[axis] as number;
      halves[2 * (last * count + found++)] = i;
    }
    for (let axis = last - 1; axis >= 0 && ++(index[axis] as number) === shape[axis]; axis--) index[axis] = 0;
  }
  return out;
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
