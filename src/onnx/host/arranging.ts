// Operators that arrange elements and make them from nothing: with arithmetic by element, what graphs compute shapes with. Element
// element type.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Budgeted } from "../file/budget.js";
import { type Element, int64s, numbers, type PlainTensor, reshaped, toNumbers } from "../file/plain-tensor.js";
import { broadcastShape, flattenTo, reshapeTo, squeezeTo, unsqueezeTo } from "../semantics/shapes.js";
import { type SliceRange, sliceRanges } from "../semantics/slices.js";
import { type HostOp, need } from "./context.js";
import { along, broadcast, elementStrides, pick, strided, transpose } from "./indexing.js";
import { fill, make, uniform } from "./make.js";

export function sliceBy(c: Budgeted, t: PlainTensor, ranges: readonly SliceRange[]): PlainTensor {
  const shape = [...t.shape];
  const strides = elementStrides(t.shape);
  let offset = 0;
  for (const { axis, start, step, count } of ranges) {
    offset += start * (strides[axis] as number);
    strides[axis] = (strides[axis] as number) * step;
    shape[axis] = count;
  }
  return strided(c, t, shape, strides, offset);
}

export function concat(c: Budgeted, parts: readonly PlainTensor[], axis: number): PlainTensor {
  const first = parts[0] as PlainTensor;
  const shape = [...first.shape];
  shape[axis] = 0;
  for (const part of parts) {
    if (
      part.type !== first.type ||
      part.shape.some((size, i) => i !== axis && size !== first.shape[i]) ||
      part.shape.length !== shape.length
    ) {
      throw new ModelError(
        `"inputs" expected ${first.type} ${show([...first.shape])} but for axis ${axis}, got ${part.type} ${show([...part.shape])}`,
      );
    }
    shape[axis] += part.shape[axis] as number;
  }
  const out = make(c, first.type, shape);
  const { outer, size, inner } = along(shape, axis);
  let at = 0;
  for (const part of parts) {
    const run = (part.shape[axis] as number) * inner;
    for (let o = 0; o < outer; o++) {
      numbers(out).set(numbers(part).subarray(o * run, (o + 1) * run), o * size * inner + at);
    }
    at += run;
  }
  return out;
}

const gatherOp: HostOp = (c, data, indices) => {
  const x = need(data, "data");
  return pick(c, x, need(indices, "indices"), c.axis("axis", c.int("axis", 0), x.shape.length));
};

const slice: HostOp = (c, data, starts, ends, axes, steps) => {
  const x = need(data, "data");
  const list = (name: string, t: PlainTensor | undefined) => c.list(name, t);
  const from = list("starts", starts);
  const to = list("ends", ends);
  if (from === undefined || to === undefined) throw new ModelError(`"starts" and "ends" expected lists, got none`);
  return sliceBy(c, x, sliceRanges(c, x.shape, from, to, list("axes", axes), steps && toNumbers(steps)));
};

const shapeOf: HostOp = (c, data) => {
  const { shape } = need(data, "data");
  const clamp = (value: number) => Math.max(0, Math.min(shape.length, value < 0 ? value + shape.length : value));
  return int64s(shape.slice(clamp(c.int("start", 0)), clamp(c.int("end", shape.length))));
};

const constant: HostOp = (c) => {
  const value = c.tensor("value");
  if (value) return value;
  if (c.has("value_float")) return fill(make(c, "float32", []), c.float("value_float", 0));
  if (c.has("value_int")) return int64s([c.int("value_int", 0)], []);
  const ints = c.ints("value_ints");
  if (ints) return int64s(ints);
  const floats = c.floats("value_floats");
  if (floats) return { type: "float32", shape: [floats.length], data: Float32Array.from(floats) };
  throw new UnsupportedError(
    `"Constant" expected numbers, got ${c.node.attributes.map((a) => a.name).join(", ") || "nothing"}`,
  );
};

const range: HostOp = (c, start, limit, delta) => {
  const first = need(start, "start");
  const [from, to, step] = [first, need(limit, "limit"), need(delta, "delta")].map((t) => t.data[0] as Element) as [
    Element,
    Element,
    Element,
  ];
  const count = Math.max(0, Math.ceil((Number(to) - Number(from)) / Number(step)));
  if (!Number.isFinite(count))
    throw new ModelError(`"delta" expected a step that reaches the limit, got ${String(step)}`);
  const out = make(c, first.type, [count]);
  const data = out.data as unknown as Element[];
  for (let i = 0; i < count; i++) {
    data[i] = typeof from === "bigint" ? from + BigInt(i) * (step as bigint) : from + i * (step as number);
  }
  return out;
};

const expand: HostOp = (c, input, shape) => {
  const x = need(input, "input");
  const out = broadcast(c, x, broadcastShape(x.shape, toNumbers(need(shape, "shape"))));
  return out === x ? x : { ...out, repeats: x };
};

const constantOfShape: HostOp = (c, shape) => {
  const value = c.tensor("value");
  return uniform(c, value?.type ?? "float32", toNumbers(need(shape, "input")), (value?.data[0] as Element) ?? 0);
};

export const ARRANGING: Readonly<Record<string, HostOp>> = {
  Concat: (c, ...parts) => {
    const given = parts.map((part) => need(part, "inputs"));
    if (given.length === 0) throw new ModelError(`"inputs" expected at least one input, got none`);
    return concat(c, given, c.axis("axis", c.int("axis", 1), (given[0] as PlainTensor).shape.length));
  },
  Slice: slice,
  Transpose: (c, data) => {
    const x = need(data, "data");
    const order = c.ints("perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i);
    if (order.length !== x.shape.length)
      throw new ModelError(`"perm" expected ${x.shape.length} axes, got ${show([...order])}`);
    return transpose(c, x, c.axes("perm", order, x.shape.length));
  },
  Reshape: (c, data, shape) => {
    const x = need(data, "data");
    const wanted = c.list("shape", shape);
    if (wanted === undefined) throw new ModelError(`"shape" expected a list, got none`);
    return reshaped(x, reshapeTo(x.shape, wanted, c.int("allowzero", 0) === 1));
  },
  Flatten: (c, x) => reshaped(need(x, "input"), flattenTo(c, need(x, "input").shape)),
  Squeeze: (c, x, axes) => reshaped(need(x, "data"), squeezeTo(c, need(x, "data").shape, c.list("axes", axes))),
  Unsqueeze: (c, x, axes) =>
    reshaped(need(x, "data"), unsqueezeTo(c, need(x, "data").shape, c.list("axes", axes) ?? [])),
  Expand: expand,
  Gather: gatherOp,
  Shape: shapeOf,
  Size: (_, x) => int64s([countOf(need(x, "data").shape)], []),
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
};
