// What a tensor is, apart from where it lies: shape, dtype, memory format. Pure.

import { elements, oneOf, type Shape } from "./check.js";
import { ShapeError, show } from "./errors.js";
import { countOf } from "./shape.js";

/**
 * Kinds of elements. Kernels compute in float32; the others are stored and moved. bool is a byte of 0 or 1; int64 and uint64
 * are bigints.
 */
export type DType =
  | "float32"
  | "uint8"
  | "int8"
  | "int32"
  | "int64"
  | "bool"
  | "uint16"
  | "int16"
  | "uint32"
  | "uint64"
  | "float64";
/** contiguous: N, C, H, W from slowest to fastest. channelsLast: N, H, W, C. The logical shape is [N, C, H, W] in both. */
export type MemoryFormat = "contiguous" | "channelsLast";

export const DTYPES = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float64: Float64Array,
} as const;

/** Elements as a typed array, one class a dtype; Uint8Array is uint8 and bool. */
export type TensorData =
  | Float32Array
  | Uint8Array
  | Int8Array
  | Int32Array
  | BigInt64Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | BigUint64Array
  | Float64Array;

const DTYPE_NAMES = Object.keys(DTYPES) as DType[];

/** Whether the elements are bigints. */
export function isBig(dtype: DType): dtype is "int64" | "uint64" {
  return dtype === "int64" || dtype === "uint64";
}

export const MEMORY_FORMATS: readonly MemoryFormat[] = ["contiguous", "channelsLast"];

/** What a tensor is, apart from where it lies. */
export interface TensorSpec {
  /** Logical dimensions, rank 0 to 8; [N, C, H, W] for images. */
  readonly shape: Shape;
  /** Kind of its elements. */
  readonly dtype: DType;
  /** Order in memory; channelsLast has rank >= 3. */
  readonly memoryFormat: MemoryFormat;
}

export function bytesOf(spec: TensorSpec): number {
  return countOf(spec.shape) * DTYPES[spec.dtype].BYTES_PER_ELEMENT;
}

/**
 * Checks a shape, dtype and memory format given by a user. channelsLast needs a batch, a channel and a spatial axis. least: of
 * every size; tensors may be empty, operands may not.
 */
export function makeSpec(
  shape: unknown,
  dtype: unknown = "float32",
  memoryFormat: unknown = "contiguous",
  name = "shape",
  least = 1,
): TensorSpec {
  const type = oneOf("dtype", dtype, DTYPE_NAMES);
  const format = oneOf("memoryFormat", memoryFormat, MEMORY_FORMATS);
  elements(name, shape, DTYPES[type].BYTES_PER_ELEMENT, least);
  const dims = Object.freeze([...(shape as number[])]);
  if (format === "channelsLast" && dims.length < 3) {
    throw new ShapeError(`"${name}" expected rank >= 3 for memoryFormat channelsLast, got ${show(dims)}`);
  }
  return { shape: dims, dtype: type, memoryFormat: format };
}

/** The order of logical axes in memory, slowest first: [0, 1, 2, 3], or [0, 2, 3, 1] for channelsLast. */
export function axisOrder(rank: number, memoryFormat: MemoryFormat): readonly number[] {
  const axes = Array.from({ length: rank }, (_, i) => i);
  if (memoryFormat === "channelsLast") axes.push(...axes.splice(1, 1));
  return axes;
}

/** Element stride of every logical axis. */
export function stridesOf(spec: TensorSpec): readonly number[] {
  const { shape } = spec;
  const strides = new Array<number>(shape.length).fill(1);
  let step = 1;
  const isLast = spec.memoryFormat === "channelsLast";
  if (isLast) step = shape[1] as number; // channels are the fastest
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (isLast && axis === 1) continue;
    strides[axis] = step;
    step *= shape[axis] as number;
  }
  return strides;
}

/** Byte strides of a float32 tensor of rank 4. */
export function byteStrides(spec: TensorSpec): readonly [number, number, number, number] {
  return stridesOf(spec).map((stride) => stride * 4) as [number, number, number, number];
}

export function showSpec(spec: TensorSpec): string {
  return `${spec.dtype} ${show(spec.shape)} ${spec.memoryFormat}`;
}

/** A tensor in memory order, seen along one logical axis: element (o, i, n) is at (o * size + i) * inner + n. */
export interface AxisView {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

export function axisView(spec: TensorSpec, axis: number): AxisView {
  const order = axisOrder(spec.shape.length, spec.memoryFormat);
  const at = order.indexOf(axis);
  const product = (axes: readonly number[]) => axes.reduce((p, i) => p * (spec.shape[i] as number), 1);
  return { outer: product(order.slice(0, at)), size: spec.shape[axis] as number, inner: product(order.slice(at + 1)) };
}
