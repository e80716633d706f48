// Operators that move elements, make them from nothing, or pick them by index. Any element type.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { type Context, type HostOp, need } from "./context.js";
import {
  along,
  broadcast,
  broadcastShape,
  elementType,
  fill,
  gather,
  type HostTensor,
  int64s,
  isBig,
  make,
  numbers,
  reshaped,
  stridesOf,
  toNumbers,
  transpose,
  uniform,
} from "./tensor.js";

/** The shape that Reshape means: 0 copies a size (unless allowZero), -1 takes what is left. */
export function reshapeTo(from: readonly number[], wanted: readonly number[], allowZero: boolean): number[] {
  const shape = wanted.map((size, i) => (size === 0 && !allowZero ? (from[i] ?? 0) : size));
  const open = shape.indexOf(-1);
  if (open >= 0) {
    const rest = shape.reduce((product, size, i) => (i === open ? product : product * size), 1);
    shape[open] = rest === 0 ? 0 : countOf(from) / rest;
  }
  if (!shape.every((size) => Number.isInteger(size) && size >= 0) || countOf(shape) !== countOf(from)) {
    throw new ModelError(`"shape" expected the element count of ${show([...from])}, got ${show([...wanted])}`);
  }
  return shape;
}

/** Axes of size 1 put into a shape. */
export function unsqueezeTo(c: Context, from: readonly number[], wanted: readonly number[]): number[] {
  const rank = from.length + wanted.length;
  const axes = c.axes("axes", wanted, rank);
  const rest = [...from];
  return Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (rest.shift() as number)));
}

export function squeezeTo(c: Context, from: readonly number[], wanted: readonly number[] | undefined): number[] {
  if (wanted === undefined) return from.filter((size) => size !== 1);
  const axes = c.axes("axes", wanted, from.length);
  for (const axis of axes) {
    if (from[axis] !== 1)
      throw new ModelError(`"axes" expected axes of size 1, got axis ${axis} of ${show([...from])}`);
  }
  return from.filter((_, i) => !axes.includes(i));
}

export function flattenTo(c: Context, from: readonly number[]): number[] {
  const given = c.int("axis", 1);
  const axis = given === from.length ? given : c.axis("axis", given, from.length);
  return [countOf(from.slice(0, axis)), countOf(from.slice(axis))];
}

/** The sizes of the parts of an axis. */
export function splitSizes(c: Context, size: number, given: readonly number[] | undefined): readonly number[] {
  if (given !== undefined) {
    if (given.reduce((a, b) => a + b, 0) !== size || given.some((part) => part < 0)) {
      throw new ModelError(`"split" expected sizes that add up to ${size}, got ${show([...given])}`);
    }
    return given;
  }
  const parts = c.int("num_outputs", c.node.outputs.length);
  const part = Math.ceil(size / parts);
  if (parts < 1 || part * (parts - 1) > size)
    throw new ModelError(`"num_outputs" expected at most ${size} parts, got ${parts}`);
  return Array.from({ length: parts }, (_, i) => Math.min(part, size - part * i));
}

export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The ranges of Slice, one an axis it names. */
export function sliceRanges(
  c: Context,
  shape: readonly number[],
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] | undefined,
  steps: readonly number[] | undefined,
): SliceRange[] {
  const named = c.axes("axes", axes ?? starts.map((_, i) => i), shape.length);
  if (ends.length !== starts.length || named.length !== starts.length || (steps && steps.length !== starts.length)) {
    throw new ModelError(
      `"starts", "ends", "axes" and "steps" expected one length, got ${starts.length} and ${ends.length}`,
    );
  }
  return named.map((axis, i) => {
    const size = shape[axis] as number;
    const step = steps?.[i] ?? 1;
    if (step === 0) throw new ModelError(`"steps" expected steps other than 0, got 0`);
    const clamp = (value: number): number => {
      const at = value < 0 ? value + size : value;
      return step > 0 ? Math.max(0, Math.min(size, at)) : Math.max(-1, Math.min(size - 1, at));
    };
    const start = clamp(starts[i] as number);
    return { axis, start, step, count: Math.max(0, Math.ceil((clamp(ends[i] as number) - start) / step)) };
  });
}

function sliceBy(t: HostTensor, ranges: readonly SliceRange[]): HostTensor {
  const shape = [...t.shape];
  const strides = stridesOf(t.shape);
  let offset = 0;
  for (const { axis, start, step, count } of ranges) {
    offset += start * (strides[axis] as number);
    strides[axis] = (strides[axis] as number) * step;
    shape[axis] = count;
  }
  return gather(t, shape, strides, offset);
}

export function concat(parts: readonly HostTensor[], axis: number): HostTensor {
  const first = parts[0] as HostTensor;
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
  const out = make(first.type, shape);
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

/** Pads, before then after, in elements of each axis; negative crops. */
export function pad(t: HostTensor, pads: readonly number[], mode: string, value: number | bigint): HostTensor {
  const rank = t.shape.length;
  const shape = t.shape.map((size, i) => size + (pads[i] as number) + (pads[rank + i] as number));
  const out = make(t.type, shape);
  const strides = stridesOf(t.shape);
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

const zeroOf = (t: HostTensor): number | bigint => (isBig(t.type) ? 0n : 0);

/** Indices into an axis, from the end when negative. */
function wrapIndex(index: number, size: number): number {
  if (index < -size || index >= size)
    throw new ModelError(`"indices" expected from ${-size} to ${size - 1}, got ${index}`);
  return index < 0 ? index + size : index;
}

function pick(x: HostTensor, at: HostTensor, axis: number): HostTensor {
  const { outer, size, inner } = along(x.shape, axis);
  const out = make(x.type, [...x.shape.slice(0, axis), ...at.shape, ...x.shape.slice(axis + 1)]);
  const picks = toNumbers(at).map((index) => wrapIndex(index, size));
  const [from, to] = [numbers(x), numbers(out)];
  let p = 0;
  for (let o = 0; o < outer; o++) {
    for (const index of picks) {
      const start = (o * size + index) * inner;
      if (inner < 16) for (let i = 0; i < inner; i++) to[p + i] = from[start + i] as number;
      else to.set(from.subarray(start, start + inner), p);
      p += inner;
    }
  }
  return out;
}

const gatherOp: HostOp = (c, data, indices) => {
  const x = need(data, "data");
  return pick(x, need(indices, "indices"), c.axis("axis", c.int("axis", 0), x.shape.length));
};

const gatherElements: HostOp = (c, data, indices) => {
  const x = need(data, "data");
  const at = need(indices, "indices");
  const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
  const out = make(x.type, at.shape);
  eachIndex(at.shape, (index, i) => {
    const own = [...index];
    own[axis] = wrapIndex(Number(at.data[i]), x.shape[axis] as number);
    numbers(out)[i] = numbers(x)[offsetOf(own, x.shape)] as number;
  });
  return out;
};

function offsetOf(index: readonly number[], shape: readonly number[]): number {
  return index.reduce((at, value, i) => at * (shape[i] as number) + value, 0);
}

/** Calls f with every index of a shape and its position. */
function eachIndex(shape: readonly number[], f: (index: readonly number[], at: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const count = countOf(shape);
  for (let i = 0; i < count; i++) {
    f(index, i);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      index[axis] = 0;
    }
  }
}

/** The starts, in elements, of the slices that rows of indices name below `batch` leading axes. */
function sliceStarts(shape: readonly number[], indices: HostTensor, batch: number): { starts: number[]; size: number } {
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
  const out = make(x.type, [...at.shape.slice(0, -1), ...x.shape.slice(batch + depth)]);
  starts.forEach((start, row) => {
    numbers(out).set(numbers(x).subarray(start, start + size), row * size);
  });
  return out;
};

type Any = number | bigint;
const REDUCTIONS: Readonly<Record<string, (a: never, b: never) => Any>> = {
  none: (_, b: Any) => b,
  add: (a: number, b: number) => a + b,
  mul: (a: number, b: number) => a * b,
  max: (a: Any, b: Any) => (a > b ? a : b),
  min: (a: Any, b: Any) => (a < b ? a : b),
};

function reductionOf(c: Context): (a: Any, b: Any) => Any {
  return REDUCTIONS[c.oneOf("reduction", "none", ["none", "add", "mul", "max", "min"])] as (a: Any, b: Any) => Any;
}

const copyOf = ({ type, shape, data }: HostTensor): HostTensor => ({
  type,
  shape,
  data: data.slice() as HostTensor["data"],
});

const scatterElements: HostOp = (c, data, indices, updates) => {
  const out = copyOf(need(data, "data"));
  const at = need(indices, "indices");
  const from = need(updates, "updates").data as ArrayLike<Any>;
  const axis = c.axis("axis", c.int("axis", 0), out.shape.length);
  const reduce = reductionOf(c);
  const to = out.data as unknown as Any[];
  eachIndex(at.shape, (index, i) => {
    const own = [...index];
    own[axis] = wrapIndex(Number(at.data[i]), out.shape[axis] as number);
    const p = offsetOf(own, out.shape);
    to[p] = reduce(to[p] as Any, from[i] as Any);
  });
  return out;
};

const scatterNd: HostOp = (c, data, indices, updates) => {
  const out = copyOf(need(data, "data"));
  const from = need(updates, "updates").data as ArrayLike<Any>;
  const { starts, size } = sliceStarts(out.shape, need(indices, "indices"), 0);
  if (from.length !== starts.length * size) {
    throw new ModelError(`"updates" expected ${starts.length * size} elements, got ${from.length}`);
  }
  const reduce = reductionOf(c);
  const to = out.data as unknown as Any[];
  starts.forEach((start, row) => {
    for (let i = 0; i < size; i++) to[start + i] = reduce(to[start + i] as Any, from[row * size + i] as Any);
  });
  return out;
};

const slice: HostOp = (c, data, starts, ends, axes, steps) => {
  const x = need(data, "data");
  const list = (name: string, t: HostTensor | undefined) => c.list(name, t);
  const from = list("starts", starts);
  const to = list("ends", ends);
  if (from === undefined || to === undefined) throw new ModelError(`"starts" and "ends" expected lists, got none`);
  return sliceBy(x, sliceRanges(c, x.shape, from, to, list("axes", axes), steps && toNumbers(steps)));
};

/** The pads of Pad for every axis: [before…, after…]. */
export function padsOf(c: Context, rank: number, pads: HostTensor | undefined, axes: HostTensor | undefined): number[] {
  const given = pads === undefined ? (c.ints("pads") ?? c.ints("paddings")) : toNumbers(pads);
  if (given === undefined) throw new ModelError(`"pads" expected a list, got none`);
  const named = axes === undefined ? Array.from({ length: rank }, (_, i) => i) : c.axes("axes", toNumbers(axes), rank);
  if (given.length !== 2 * named.length)
    throw new ModelError(`"pads" expected ${2 * named.length} numbers, got ${given.length}`);
  const all = new Array<number>(2 * rank).fill(0);
  named.forEach((axis, i) => {
    all[axis] = given[i] as number;
    all[rank + axis] = given[named.length + i] as number;
  });
  return all;
}

const padOp: HostOp = (c, data, pads, value, axes) => {
  const x = need(data, "data");
  const fillValue = value?.data[0] ?? (isBig(x.type) ? 0n : c.float("value", 0));
  const mode = c.oneOf("mode", "constant", ["constant", "reflect", "edge", "wrap"]);
  return pad(x, padsOf(c, x.shape.length, pads, axes), mode, fillValue);
};

const split: HostOp = (c, input, sizes) => {
  const x = need(input, "input");
  const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
  let start = 0;
  return splitSizes(c, x.shape[axis] as number, c.list("split", sizes)).map((count) => {
    const part = sliceBy(x, [{ axis, start, step: 1, count }]);
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
  const moved = transpose(reshaped(x, parts), isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]);
  return reshaped(moved, [n, depth, h * block, w * block]);
};

const spaceToDepth: HostOp = (c, input) => {
  const x = need(input, "input");
  const block = c.int("blocksize", 0);
  const [n = 0, channels = 0, h = 0, w = 0] = x.shape;
  if (x.shape.length !== 4 || h % block !== 0 || w % block !== 0) {
    throw new ModelError(`"input" expected [N, C, H, W] with H and W multiples of ${block}, got ${show([...x.shape])}`);
  }
  const moved = transpose(reshaped(x, [n, channels, h / block, block, w / block, block]), [0, 3, 5, 1, 2, 4]);
  return reshaped(moved, [n, channels * block * block, h / block, w / block]);
};

const shapeOf: HostOp = (c, data) => {
  const { shape } = need(data, "data");
  const clamp = (value: number) => Math.max(0, Math.min(shape.length, value < 0 ? value + shape.length : value));
  return int64s(shape.slice(clamp(c.int("start", 0)), clamp(c.int("end", shape.length))));
};

const constant: HostOp = (c) => {
  const value = c.tensor("value");
  if (value) return value;
  if (c.has("value_float")) return fill(make("float32", []), c.float("value_float", 0));
  if (c.has("value_int")) return int64s([c.int("value_int", 0)], []);
  const ints = c.ints("value_ints");
  if (ints) return int64s(ints);
  const floats = c.floats("value_floats");
  if (floats) return { type: "float32", shape: [floats.length], data: Float32Array.from(floats) };
  throw new UnsupportedError(
    `"Constant" expected numbers, got ${c.node.attributes.map((a) => a.name).join(", ") || "nothing"}`,
  );
};

const range: HostOp = (_, start, limit, delta) => {
  const first = need(start, "start");
  const [from, to, step] = [first, need(limit, "limit"), need(delta, "delta")].map((t) => t.data[0] as Any) as [
    Any,
    Any,
    Any,
  ];
  const count = Math.max(0, Math.ceil((Number(to) - Number(from)) / Number(step)));
  if (!Number.isFinite(count))
    throw new ModelError(`"delta" expected a step that reaches the limit, got ${String(step)}`);
  const out = make(first.type, [count]);
  const data = out.data as unknown as Any[];
  for (let i = 0; i < count; i++) {
    data[i] = typeof from === "bigint" ? from + BigInt(i) * (step as bigint) : from + i * (step as number);
  }
  return out;
};

const oneHot: HostOp = (c, indices, depth, values) => {
  const at = need(indices, "indices");
  const size = Number(need(depth, "depth").data[0]);
  const pair = need(values, "values");
  const axis = c.axis("axis", c.int("axis", -1), at.shape.length + 1);
  const out = make(pair.type, [...at.shape.slice(0, axis), size, ...at.shape.slice(axis)]);
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

const trilu: HostOp = (c, input, k) => {
  const out = copyOf(need(input, "input"));
  const [rows, columns] = out.shape.slice(-2) as [number, number];
  const offset = k === undefined ? 0 : Number(k.data[0]);
  const isUpper = c.int("upper", 1) === 1;
  const data = out.data as unknown as Any[];
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
  return pad(x, pads, "constant", zeroOf(x));
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
  return pick(flat, int64s(keep), c.axis("axis", c.int("axis", 0), flat.shape.length));
};

const expand: HostOp = (_, input, shape) => {
  const x = need(input, "input");
  const out = broadcast(x, broadcastShape(x.shape, toNumbers(need(shape, "shape"))));
  return out === x ? x : { ...out, repeats: x };
};

const tile: HostOp = (_, input, repeats, axisInput) => {
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
    x.type,
    x.shape.map((size, i) => size * (counts[i] as number)),
  ); // refuses what is too large
  counts.forEach((count, axis) => {
    if (count !== 1)
      x =
        count === 0
          ? make(
              x.type,
              x.shape.map((size, i) => (i === axis ? 0 : size)),
            )
          : concat(new Array<HostTensor>(count).fill(x), axis);
  });
  return x;
};

const constantOfShape: HostOp = (c, shape) => {
  const value = c.tensor("value");
  return uniform(value?.type ?? "float32", toNumbers(need(shape, "input")), (value?.data[0] as Any) ?? 0);
};

const eyeLike: HostOp = (c, input) => {
  const x = need(input, "input");
  const out = make(c.has("dtype") ? elementType(c.int("dtype", 1), "dtype") : x.type, x.shape);
  const [rows = 0, columns = 0] = x.shape;
  const k = c.int("k", 0);
  const data = out.data as unknown as Any[];
  for (let row = 0; row < rows; row++) {
    if (row + k >= 0 && row + k < columns) data[row * columns + row + k] = isBig(out.type) ? 1n : 1;
  }
  return out;
};

export const MOVEMENT: Readonly<Record<string, HostOp>> = {
  Concat: (c, ...parts) => {
    const given = parts.map((part) => need(part, "inputs"));
    if (given.length === 0) throw new ModelError(`"inputs" expected at least one input, got none`);
    return concat(given, c.axis("axis", c.int("axis", 1), (given[0] as HostTensor).shape.length));
  },
  Split: split,
  Slice: slice,
  Pad: padOp,
  Transpose: (c, data) => {
    const x = need(data, "data");
    const order = c.ints("perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i);
    if (order.length !== x.shape.length)
      throw new ModelError(`"perm" expected ${x.shape.length} axes, got ${show([...order])}`);
    return transpose(x, c.axes("perm", order, x.shape.length));
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
  Tile: tile,
  Gather: gatherOp,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Shape: shapeOf,
  Size: (_, x) => int64s([countOf(need(x, "data").shape)], []),
  Constant: constant,
  ConstantOfShape: constantOfShape,
  EyeLike: eyeLike,
  Range: range,
  OneHot: oneHot,
  Trilu: trilu,
  CenterCropPad: centerCropPad,
  NonZero: nonZero,
  Compress: compress,
};
