// What a tensor is, apart from where it lies: shape, dtype, memory format. Pure.

import { elements, oneOf, type Shape, tagOf } from "./check.js";
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

/** Elements as a typed array, one class a dtype; Uint8Array is uint8 and bool. Without a dtype: any of them. */
export type TensorData<D extends DType = DType> = Arrays[D];

/** The class that elements of a dtype lie in. */
interface Arrays {
  float32: Float32Array;
  uint8: Uint8Array;
  int8: Int8Array;
  int32: Int32Array;
  int64: BigInt64Array;
  bool: Uint8Array;
  uint16: Uint16Array;
  int16: Int16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  float64: Float64Array;
}

/** A Float16Array, which not all engines and compilers know. */
export interface Float16Data extends ArrayLike<number> {
  /** What tells it apart. */
  readonly [Symbol.toStringTag]: "Float16Array";
}

/**
 * What a tensor is made of. Whole numbers of any kind become those of another, where it holds them; numbers become floats by
 * rounding.
 */
export type Elements = TensorData | Uint8ClampedArray | Float16Data | readonly number[] | readonly bigint[];

/** The dtype that elements have where nothing else is said. */
export type DTypeOf<E extends Elements> = E extends Uint8Array | Uint8ClampedArray
  ? "uint8"
  : E extends readonly (number | bigint)[] | Float16Data
    ? "float32"
    : { [D in Exclude<DType, "uint8" | "bool">]: E extends TensorData<D> ? D : never }[Exclude<
        DType,
        "uint8" | "bool"
      >];

const DTYPE_NAMES = Object.keys(DTYPES) as DType[];

/** Whether data is the typed array of a dtype, of whatever realm. */
export const holds = (dtype: DType, data: unknown): data is TensorData =>
  ArrayBuffer.isView(data) && tagOf(data) === DTYPES[dtype].name;

/** Other typed arrays that tensors are made of. */
const OTHERS: Readonly<Record<string, DType>> = { Uint8ClampedArray: "uint8", Float16Array: "float32" };

/** The dtype that data has when nothing else is said. Throws TypeError for what is no data. */
export function dtypeOf(data: unknown): DType {
  if (Array.isArray(data)) return "float32";
  const found = DTYPE_NAMES.find((dtype) => holds(dtype, data));
  const other = ArrayBuffer.isView(data) ? OTHERS[tagOf(data)] : undefined;
  if (found ?? other) return (found ?? other) as DType;
  throw new TypeError(`"data" expected an array of numbers or a typed array of a dtype, got ${show(data)}`);
}

/** Whether a cell of a typed array keeps an element, which is in it then. */
function keeps(cell: { 0: number | bigint }, given: unknown, dtype: DType): boolean {
  if (isBig(dtype) && (typeof given === "bigint" || Number.isInteger(given))) cell[0] = BigInt(given as number);
  else if (!isBig(dtype) && (typeof given === "number" || (dtype === "bool" && typeof given === "boolean")))
    cell[0] = Number(given);
  else return false;
  // biome-ignore lint/suspicious/noDoubleEquals: 4n and 4, 1 and true are the same here.
  return cell[0] == given && (dtype !== "bool" || (cell[0] as number) < 2);
}

/**
 * Data as a typed array of the dtype can take it: as it is, or with bigints for numbers. Looks at every element, but for typed
 * arrays that convert as they are. Throws RangeError for one that the dtype does not hold (floats hold all numbers, rounded),
 * TypeError for one that is no number.
 */
export function heldAs(dtype: DType, data: Elements): TensorData {
  const own = dtypeOf(data);
  const isFloat = /^float/.test(dtype);
  if (ArrayBuffer.isView(data) && (isFloat ? !isBig(own) : own === dtype)) return data as TensorData;
  if (dtype === "bool" && own === "uint8") {
    const { buffer, byteOffset, length } = data as Uint8Array;
    const words = new Uint32Array(buffer, byteOffset & 3 ? 0 : byteOffset, byteOffset & 3 ? 0 : length >>> 2);
    let bits = 0;
    // Four at a time, of which those behind the end are no number, so 0.
    for (let i = 0; i < words.length; i += 4)
      bits |= (words[i] as number) | (words[i + 1] as number) | (words[i + 2] as number) | (words[i + 3] as number);
    for (let i = 4 * words.length; i < length; i++) bits |= data[i] as number;
    if ((bits & ~0x01010101) === 0) return data as TensorData;
  }
  const cell = new DTYPES[dtype](1) as Float32Array;
  const wide = isBig(dtype) ? (new DTYPES[dtype](data.length) as unknown as Float32Array) : undefined;
  for (let i = 0; i < data.length; i++) {
    const given: unknown = data[i];
    if (isFloat ? typeof given !== "number" : !keeps(cell as unknown as { 0: number }, given, dtype)) {
      const message = `"data" expected elements of ${dtype}, got ${show(given)} at ${i}`;
      throw typeof given === "number" ? new RangeError(message) : new TypeError(message);
    }
    if (wide) wide[i] = cell[0] as number;
  }
  return (wide ?? data) as TensorData;
}

/** Whether the elements are bigints. */
export function isBig(dtype: string): dtype is "int64" | "uint64" {
  return dtype === "int64" || dtype === "uint64";
}

export const MEMORY_FORMATS: readonly MemoryFormat[] = ["contiguous", "channelsLast"];

/** What a tensor is, apart from where it lies. */
export interface TensorSpec<D extends DType = DType> {
  /** Logical dimensions, rank 0 to 8; [N, C, H, W] for images. */
  readonly shape: Shape;
  /** Kind of its elements. */
  readonly dtype: D;
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
export function makeSpec<D extends DType = DType>(
  shape: unknown,
  dtype: unknown = "float32",
  memoryFormat: unknown = "contiguous",
  name = "shape",
  least = 1,
): TensorSpec<D> {
  const type = oneOf("dtype", dtype, DTYPE_NAMES);
  const format = oneOf("memoryFormat", memoryFormat, MEMORY_FORMATS);
  elements(name, shape, DTYPES[type].BYTES_PER_ELEMENT, least);
  const dims = Object.freeze([...(shape as number[])]);
  if (format === "channelsLast" && dims.length < 3) {
    throw new ShapeError(`"${name}" expected rank >= 3 for memoryFormat channelsLast, got ${show(dims)}`);
  }
  return { shape: dims, dtype: type as D, memoryFormat: format };
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
