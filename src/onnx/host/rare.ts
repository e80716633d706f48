// Operators that few networks have: sequences turned round, patches put together, grids of affine maps, determinants, distinct
// elements, and bits.

import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { isBig } from "../../base/spec.js";
import { roundToType } from "../file/halves.js";
import { type Element, int64s, numbers, toNumbers } from "../file/plain-tensor.js";
import { broadcastShape } from "../semantics/shapes.js";
import { type HostOp, need } from "./context.js";
import { along, broadcast, copied, elementStrides } from "./indexing.js";
import { make } from "./make.js";

/** The first elements along the time axis, as many as each entry of the batch says, the other way round. */
const reverseSequence: HostOp = (c, input, lengths) => {
  const x = need(input, "input");
  const [batchAxis, timeAxis] = [c.int("batch_axis", 1), c.int("time_axis", 0)];
  if (x.shape.length < 2 || [batchAxis, timeAxis].sort().join() !== "0,1")
    throw new ModelError(`"batch_axis", "time_axis" expected 0 and 1, got ${batchAxis} and ${timeAxis}`);
  const [batch, steps] = [x.shape[batchAxis] as number, x.shape[timeAxis] as number];
  const ends = toNumbers(need(lengths, "sequence_lens"));
  if (ends.length !== batch) throw new ModelError(`"sequence_lens" expected ${batch} lengths, got ${ends.length}`);
  c.budget.spend(batch * steps);
  const out = copied(x);
  c.budget.take(x.type, x.shape);
  const inner = countOf(x.shape.slice(2));
  const at = (n: number, t: number) => (batchAxis === 0 ? n * steps + t : t * batch + n) * inner;
  const [from, to] = [numbers(x), numbers(out)];
  ends.forEach((end, n) => {
    if (!(end >= 0 && end <= steps)) throw new ModelError(`"sequence_lens" expected 0 to ${steps}, got ${end}`);
    for (let t = 0; t < end; t++) to.set(from.subarray(at(n, end - 1 - t), at(n, end - 1 - t) + inner), at(n, t));
  });
  return out;
};

/** Columns [N, C * block, places] added up where they lie in the image: what im2col does, backwards. */
const col2im: HostOp = (c, input, imageShape, blockShape) => {
  const x = need(input, "input");
  const [image, block] = [toNumbers(need(imageShape, "image_shape")), toNumbers(need(blockShape, "block_shape"))];
  const rank = image.length;
  const ones = image.map(() => 1);
  const [dilations, strides] = [c.ints("dilations") ?? ones, c.ints("strides") ?? ones];
  const pads = c.ints("pads") ?? [...image, ...image].map(() => 0);
  const counts = image.map((size, i) => {
    const span = (dilations[i] as number) * ((block[i] as number) - 1) + 1;
    return Math.floor((size + (pads[i] as number) + (pads[rank + i] as number) - span) / (strides[i] as number)) + 1;
  });
  const [taps, places] = [countOf(block), countOf(counts)];
  const [n = 0, rows = 0] = x.shape;
  if (x.shape.length !== 3 || rows % taps !== 0 || x.shape[2] !== places)
    throw new ModelError(`"input" expected [N, channels * ${taps}, ${places}], got ${show([...x.shape])}`);
  const area = countOf(image);
  const sums = new Float64Array(countOf(make(c, "float64", [n, rows / taps, ...image]).shape));
  const steps = elementStrides(image);
  c.budget.spend(n * rows * (places + 1) * rank);
  const from = numbers(x);
  for (let row = 0; row < n * rows; row++) {
    const plane = Math.floor(row / taps) * area;
    for (let place = 0; place < places; place++) {
      let [tap, rest, at] = [row % taps, place, plane];
      for (let axis = rank - 1; axis >= 0 && at >= 0; axis--) {
        const [b, count] = [block[axis] as number, counts[axis] as number];
        const index =
          (rest % count) * (strides[axis] as number) + (tap % b) * (dilations[axis] as number) - (pads[axis] as number);
        [tap, rest] = [Math.floor(tap / b), Math.floor(rest / count)];
        at = index >= 0 && index < (image[axis] as number) ? at + index * (steps[axis] as number) : -1;
      }
      if (at >= 0) sums[at] = (sums[at] as number) + (from[row * places + place] as number);
    }
  }
  const out = make(c, x.type, [n, rows / taps, ...image]);
  numbers(out).set(sums);
  return roundToType(out);
};

/** Places from -1 to 1 of every pixel under an affine map, theta: [N, axes, axes + 1]; the last axis of the image first. */
const affineGrid: HostOp = (c, input, sizes) => {
  const theta = need(input, "theta");
  const [n = 0, , ...spatial] = toNumbers(need(sizes, "size"));
  const axes = spatial.length;
  if (theta.shape.join() !== [n, axes, axes + 1].join() || axes < 2 || axes > 3)
    throw new ModelError(`"theta" expected [${n}, ${axes}, ${axes + 1}], got ${show([...theta.shape])}`);
  const isAligned = c.int("align_corners", 0) === 1;
  for (const size of spatial) c.budget.bytesOf("float64", [size]);
  const out = make(c, theta.type, [n, ...spatial, axes]);
  const [m, to] = [numbers(theta), numbers(out)];
  const ticks = spatial.map((size) =>
    Float64Array.from({ length: size }, (_, i) =>
      isAligned ? (size === 1 ? 0 : -1 + (2 * i) / (size - 1)) : (2 * i + 1) / size - 1,
    ),
  );
  const places = countOf(spatial);
  const place = new Float64Array(axes);
  for (let b = 0, at = 0; b < n; b++) {
    for (let i = 0; i < places; i++) {
      let rest = i;
      for (let axis = axes - 1; axis >= 0; axis--) {
        const size = spatial[axis] as number;
        place[axes - 1 - axis] = (ticks[axis] as Float64Array)[rest % size] as number;
        rest = Math.floor(rest / size);
      }
      for (let row = 0; row < axes; row++, at++) {
        const start = (b * axes + row) * (axes + 1);
        let sum = m[start + axes] as number;
        for (let k = 0; k < axes; k++) sum += (m[start + k] as number) * (place[k] as number);
        to[at] = sum;
      }
    }
  }
  return roundToType(out);
};

/** By elimination with the largest pivot of each column. */
const det: HostOp = (c, input) => {
  const x = need(input, "X");
  const size = x.shape.at(-1) ?? 0;
  if (x.shape.length < 2 || x.shape.at(-2) !== size)
    throw new ModelError(`"X" expected square matrices, got ${show([...x.shape])}`);
  const out = make(c, x.type, x.shape.slice(0, -2));
  c.budget.spend(x.data.length * size);
  for (let n = 0; n < out.data.length; n++) {
    const a = Float64Array.from(numbers(x).subarray(n * size * size, (n + 1) * size * size));
    let product = 1;
    for (let k = 0; k < size && product !== 0; k++) {
      let pivot = k;
      for (let i = k + 1; i < size; i++)
        if (Math.abs(a[i * size + k] as number) > Math.abs(a[pivot * size + k] as number)) pivot = i;
      if (pivot !== k) {
        product = -product;
        const row = a.slice(k * size, (k + 1) * size);
        a.copyWithin(k * size, pivot * size, (pivot + 1) * size);
        a.set(row, pivot * size);
      }
      const head = a[k * size + k] as number;
      product *= head;
      for (let i = k + 1; i < size; i++) {
        const factor = (a[i * size + k] as number) / head;
        for (let j = k; j < size; j++)
          a[i * size + j] = (a[i * size + j] as number) - factor * (a[k * size + j] as number);
      }
    }
    numbers(out)[n] = product;
  }
  return roundToType(out);
};

/** Distinct elements, or slices along an axis; the first place of each, which of them each was, how often each is there. */
const unique: HostOp = (c, input) => {
  const x = need(input, "X");
  const isSorted = c.int("sorted", 1) === 1;
  const axis = c.has("axis") ? c.axis("axis", c.int("axis", 0), x.shape.length) : undefined;
  const { outer, size, inner } =
    axis === undefined ? { outer: 1, size: x.data.length, inner: 1 } : along(x.shape, axis);
  const data = x.data as ArrayLike<Element>;
  const at = (slice: number, i: number) => (Math.floor(i / inner) * size + slice) * inner + (i % inner);
  const length = outer * inner;
  const compare = (a: number, b: number): number => {
    for (let i = 0; i < length; i++) {
      const [p, q] = [data[at(a, i)] as Element, data[at(b, i)] as Element];
      const [isLast, isOther] = [Number.isNaN(p), Number.isNaN(q)]; // NaN comes last
      if (p !== q && !(isLast && isOther)) return isOther || p < q ? -1 : 1;
    }
    return 0;
  };
  c.budget.spend(size * Math.max(1, Math.ceil(Math.log2(size || 1))) * length);
  c.budget.bytesOf("float64", [8 * size]);
  const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => compare(a, b) || a - b);
  const groups: number[][] = [];
  order.forEach((slice, i) => {
    if (i > 0 && compare(order[i - 1] as number, slice) === 0) (groups.at(-1) as number[]).push(slice);
    else groups.push([slice]);
  });
  if (!isSorted) groups.sort((a, b) => (a[0] as number) - (b[0] as number));
  const firsts = groups.map((group) => group[0] as number);
  const shape = axis === undefined ? [groups.length] : x.shape.toSpliced(axis, 1, groups.length);
  const y = make(c, x.type, shape);
  const to = y.data as unknown as Element[];
  for (let i = 0; i < to.length; i++) {
    const [o, rest] = [Math.floor(i / (firsts.length * inner)), i % (firsts.length * inner)];
    to[i] = data[(o * size + (firsts[Math.floor(rest / inner)] as number)) * inner + (rest % inner)] as Element;
  }
  const inverse = new Array<number>(size).fill(0);
  groups.forEach((group, i) => {
    for (const slice of group) inverse[slice] = i;
  });
  return [y, int64s(firsts), int64s(inverse), int64s(groups.map((group) => group.length))];
};

function bitwise(f: (x: number, y: number) => number, big: (x: bigint, y: bigint) => bigint): HostOp {
  return (c, first, second) => {
    const [a, b] = [need(first, "A"), need(second, "B")];
    if (a.type !== b.type || /float|bool/.test(a.type))
      throw new ModelError(`"A", "B" expected whole numbers of one type, got ${a.type} and ${b.type}`);
    const shape = broadcastShape(a.shape, b.shape);
    const [x, y] = [a, b].map((t) => broadcast(c, t, shape).data as ArrayLike<Element>) as [
      ArrayLike<Element>,
      ArrayLike<Element>,
    ];
    const out = make(c, a.type, shape);
    const to = out.data as unknown as Element[];
    const g = (isBig(a.type) ? big : f) as (x: Element, y: Element) => Element;
    for (let i = 0; i < to.length; i++) to[i] = g(x[i] as Element, y[i] as Element);
    return out;
  };
}

const not: HostOp = (c, input) => {
  const x = need(input, "X");
  if (/float|bool/.test(x.type)) throw new UnsupportedError(`"X" expected whole numbers, got ${x.type}`);
  const out = make(c, x.type, x.shape);
  const to = out.data as unknown as Element[];
  for (let i = 0; i < to.length; i++) to[i] = ~(x.data[i] as never);
  return out;
};

export const RARE: Readonly<Record<string, HostOp>> = {
  ReverseSequence: reverseSequence,
  Col2Im: col2im,
  AffineGrid: affineGrid,
  Det: det,
  Unique: unique,
  BitwiseAnd: bitwise(
    (x, y) => x & y,
    (x, y) => x & y,
  ),
  BitwiseOr: bitwise(
    (x, y) => x | y,
    (x, y) => x | y,
  ),
  BitwiseXor: bitwise(
    (x, y) => x ^ y,
    (x, y) => x ^ y,
  ),
  BitwiseNot: not,
};
