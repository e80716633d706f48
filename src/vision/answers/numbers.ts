// What answers are read from: tensors, or data with a shape. Numbers in logical order, without a copy where they lie so.
import { elements } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { Elements, MemoryFormat } from "../../base/spec.js";

/** A tensor, such as a model's output, or plain data in logical order with its shape. */
export interface Shaped {
  /** The elements; of a tensor in memory order. */
  readonly data: Elements;
  /** Logical dimensions, slowest first. */
  readonly shape: readonly number[];
  /** As tensors have it: how `data` lies where it is not in logical order. Default "contiguous". */
  readonly memoryFormat?: MemoryFormat;
}

/** A typed array, or a list of numbers. */
export type Numbers = ArrayLike<number>;

/** The elements in logical order: a copy only of lists, 64-bit integers and what lies channels-last. */
export function numbersOf(name: string, x: Shaped): Numbers {
  const given: ArrayLike<unknown> | undefined = x?.data;
  if (!Array.isArray(x?.shape) || typeof given !== "object" || typeof given?.length !== "number")
    throw new TypeError(`"${name}" expected a tensor, or { data, shape }, got ${show(x)}`);
  const count = elements(`${name}.shape`, x.shape, 1, 0);
  if (given.length !== count)
    throw new ShapeError(`"${name}" expected ${count} elements for ${show(x.shape)}, got ${given.length}`);
  const data = plainOf(given);
  if (x.memoryFormat !== "channelsLast") return data;
  const [batch = 1, channels = 1] = x.shape;
  const cells = count / batch / channels;
  return Float64Array.from({ length: count }, (_, i) => {
    const plane = Math.floor(i / cells);
    const n = Math.floor(plane / channels);
    return data[(n * cells + (i % cells)) * channels + (plane % channels)] as number;
  });
}

/** A list or bigints as float64: a hole or a text is NaN then, which every reader refuses. */
function plainOf(data: ArrayLike<unknown>): Numbers {
  return Array.isArray(data) || typeof data[0] === "bigint"
    ? Float64Array.from(data as ArrayLike<number>, Number)
    : (data as Numbers);
}

/** One row of values: plain numbers, or a tensor of which one axis at most is longer than 1, so that all orders are one. */
export function valuesOf(name: string, x: Shaped | Numbers): Numbers {
  const { shape, data = x } = (x ?? {}) as Partial<Shaped>;
  const long = shape?.filter((size) => size !== 1) ?? [];
  const { length } = ((typeof data === "object" && data) || []) as Numbers;
  if (length === (shape ? (long[0] ?? 1) : length) && long.length < 2 && length > 0) return plainOf(data as Numbers);
  throw new ShapeError(`"${name}" expected one row of numbers, got ${show(shape ?? x)}`);
}

/** Rows of numbers in logical order. */
export interface Matrix {
  readonly data: Numbers;
  readonly rows: number;
  readonly columns: number;
}

/** The last axis as columns and one other as rows; all others are 1. */
export function matrixOf(name: string, x: Shaped, form: string): Matrix {
  const data = numbersOf(name, x);
  const others = x.shape.slice(0, -1).filter((size) => size !== 1);
  if (x.shape.length < 1 || others.length > 1) throw new ShapeError(`"${name}" expected ${form}, got ${show(x.shape)}`);
  return { data, rows: others[0] ?? 1, columns: x.shape.at(-1) as number };
}

/** An image of values: element (channel, cell) is at channel * channelStep + cell * cellStep. */
export interface Planes {
  readonly data: Numbers;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly channelStep: number;
  readonly cellStep: number;
}

/** [1, C, H, W], or with `axis` -1 [1, H, W, C], as TensorFlow's models have it; without the 1, too, and [H, W] as one channel. */
export function planesOf(name: string, x: Shaped, axis: number): Planes {
  if (axis !== 1 && axis !== -1)
    throw new RangeError(`"axis" expected 1 for [1, C, H, W] or -1 for [1, H, W, C], got ${show(axis)}`);
  const data = numbersOf(name, x);
  const shape =
    x.shape.length === 2 ? [1, ...x.shape] : x.shape.slice(x.shape.length === 4 && x.shape[0] === 1 ? 1 : 0);
  if (x.shape.length === 2 && axis < 0) shape.push(shape.shift() as number);
  const form = axis < 0 ? "[1, H, W, C]" : "[1, C, H, W]";
  if (shape.length !== 3 || data.length === 0) throw new ShapeError(`"${name}" expected ${form}, got ${show(x.shape)}`);
  const [a, b, c] = shape as [number, number, number];
  return axis < 0
    ? { data, channels: c, height: a, width: b, channelStep: 1, cellStep: c }
    : { data, channels: a, height: b, width: c, channelStep: b * c, cellStep: 1 };
}

/** Throws for what is no number. */
export function requireNumber(name: string, value: number, at = 0): void {
  if (Number.isNaN(value)) throw new RangeError(`"${name}" expected numbers, got NaN at ${at}`);
}

/** Throws unless there is one name a class. */
export function requireLabels(labels: readonly string[] | undefined, count: number): void {
  const got = labels?.length;
  if (labels === undefined || got === count) return;
  const fix = got === count - 1 ? '["background", ...labels]' : got === count + 1 && "labels.slice(1)";
  const hint = fix ? `; if one of them counts the background as class 0: ${fix}` : "";
  throw new ShapeError(`"labels" expected ${count} names, one a class, got ${got}${hint}`);
}
