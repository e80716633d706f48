// Tensors of every ONNX element type in plain JavaScript memory: initialisers, constants, and what the host operators of
// this folder compute. Always contiguous. Kernels never see them; src/onnx/compile.ts brings them into linear memory.

import { asBytes } from "../../base/check.js";
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { TensorData } from "../../base/spec.js";
import { DeferredTensor } from "../../model/weights.js";
import type { TensorProto } from "../file/proto.js";

export type ElementType =
  | "float32"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "int32"
  | "int64"
  | "bool"
  | "float16"
  | "float64"
  | "uint32"
  | "uint64"
  | "bfloat16";

/** float16 and bfloat16 are held as float32, rounded. */
export const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Float32Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bfloat16: Float32Array,
} as const;

export type HostData = TensorData;
/** The same seen as an array of numbers; int64 and uint64 hold bigints behind it. */
export type Numbers = Float32Array;

export interface HostTensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: HostData;
  /** What Expand made it of. */
  readonly repeats?: HostTensor;
}

const isHalf = (type: ElementType): type is "float16" | "bfloat16" => type === "float16" || type === "bfloat16";

/** A constant whose elements are in the file, or all the same: see DeferredTensor. Those asked for here are kept. */
export class Deferred extends DeferredTensor implements HostTensor {
  #own: HostData | undefined;

  constructor(
    readonly type: ElementType,
    shape: readonly number[],
    write: (to: Uint8Array, from: number) => void,
  ) {
    super(shape, isHalf(type) ? "float32" : type, write);
  }

  override get data(): HostData {
    if (this.#own === undefined) {
      takeBytes(this.type, this.shape);
      this.#own = super.data;
    }
    return this.#own;
  }
}

/** The same tensor with elements of its own. */
export function settled(t: HostTensor): HostTensor {
  return t instanceof Deferred ? { type: t.type, shape: t.shape, data: t.data } : t;
}

/** TensorProto.DataType to names. */
export const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  16: "bfloat16",
};

export function elementType(code: number, what: string): ElementType {
  const type = ELEMENT_TYPES[code];
  if (type === undefined) throw new UnsupportedError(`"${what}" expected a numeric element type, got type ${code}`);
  return type;
}

export const isBig = (type: ElementType): boolean => type === "int64" || type === "uint64";
export const isFloat = (type: ElementType): boolean => /float/.test(type);

/** What JavaScript may still take for a file: a few bytes can ask for any amount. */
export interface Budget {
  /** Of tensors made, each counted once. */
  readonly bytes: number;
  /** Multiply-accumulates of operators that do more than one an element. */
  readonly macs: number;
}

/** One tensor, at most: beyond it engines fail. */
const MAX_BYTES = 2 ** 31;
let budget: Budget = { bytes: Infinity, macs: Infinity };

/** Runs f under a budget of its own. */
export function within<T>(given: Budget, f: () => T): T {
  const outer = budget;
  budget = given;
  try {
    return f();
  } finally {
    budget = outer;
  }
}

/** Runs f, whose tensors are gone afterwards, under the budget at hand. */
export function trying<T>(f: () => T): T {
  const { bytes } = budget;
  try {
    return f();
  } finally {
    budget = { ...budget, bytes };
  }
}

/** f, which runs later, under the budget at hand now: what it does may depend on data. */
export function later<A extends unknown[], T>(f: (...given: A) => T): (...given: A) => T {
  const own = budget;
  return (...given) => within(own, () => f(...given));
}

/** Takes multiply-accumulates from the budget before they are done. Throws ModelError for more than are left. */
export function spend(macs: number): void {
  if (!(macs <= budget.macs))
    throw new ModelError(`"maxMacs" expected at least ${macs} for what runs in JavaScript, got ${budget.macs} left`);
  budget = { ...budget, macs: budget.macs - macs };
}

/** The number of bytes. Throws ModelError for dimensions that are no sizes or ask for more bytes than the budget has. */
export function checkedBytes(type: ElementType, shape: readonly number[]): number {
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ModelError(`"shape" expected sizes >= 0, got ${show(shape)}`);
  }
  const count = countOf(shape);
  const bytes = count * ARRAYS[type].BYTES_PER_ELEMENT;
  const most = Math.min(budget.bytes, MAX_BYTES);
  if (!(bytes <= most)) throw new ModelError(`"shape" expected at most ${most} bytes, got ${type} ${show(shape)}`);
  return bytes;
}

/** Takes bytes from the budget before they are allocated. Throws as checkedBytes(). */
function takeBytes(type: ElementType, shape: readonly number[]): void {
  budget = { ...budget, bytes: budget.bytes - checkedBytes(type, shape) };
}

/** Zeroed. Throws as checkedBytes(). */
export function make(type: ElementType, shape: readonly number[]): HostTensor {
  takeBytes(type, shape);
  return { type, shape, data: new ARRAYS[type](countOf(shape)) };
}

/** Every element the same; held as that one. Throws as checkedBytes(). */
export function uniform(type: ElementType, shape: readonly number[], value: number | bigint): HostTensor {
  checkedBytes(type, shape);
  return new Deferred(type, shape, (to) => {
    const all = new ARRAYS[type](to.buffer as ArrayBuffer, to.byteOffset, to.length / ARRAYS[type].BYTES_PER_ELEMENT);
    (all as Numbers).fill(value as number);
  });
}

/** The elements as an array of numbers to read and write; only for other types than int64 and uint64. */
export function numbers(t: HostTensor): Numbers {
  return t.data as Numbers;
}

/** Elements as numbers, exact up to 2^53. */
export function toNumbers(t: HostTensor): number[] {
  return Array.from(t.data as ArrayLike<number | bigint>, Number);
}

export function scalar(type: ElementType, value: number): HostTensor {
  return fill(make(type, []), value);
}

export function fill(t: HostTensor, value: number | bigint): HostTensor {
  (t.data as Numbers).fill((isBig(t.type) ? BigInt(value) : Number(value)) as number);
  return t;
}

export function int64s(values: readonly number[], shape: readonly number[] = [values.length]): HostTensor {
  return { type: "int64", shape, data: BigInt64Array.from(values, (v) => BigInt(v)) };
}

export function reshaped(t: HostTensor, shape: readonly number[]): HostTensor {
  return t instanceof Deferred ? new Deferred(t.type, shape, t.write) : { type: t.type, shape, data: t.data };
}

const real = new Float32Array(1);
const bits = new Uint32Array(real.buffer);

/** The 16 bits of a half as a number. */
function halfToNumber(half: number): number {
  const isNumber = (half & 0x7c00) !== 0x7c00;
  bits[0] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13) | (isNumber ? 0 : 0x7f800000);
  return (real[0] as number) * (isNumber ? 2 ** 112 : 1); // exponents start at -14 here, at -126 there
}

function bfloatToNumber(bfloat: number): number {
  bits[0] = bfloat << 16;
  return real[0] as number;
}

/** The nearest number without the last bits, ties to even; infinite ones and NaN stay. */
function roundBits(x: number, last: number): number {
  if (!Number.isFinite(x)) return x;
  real[0] = x;
  const all = bits[0] as number;
  bits[0] = (all + 2 ** (last - 1) - 1 + ((all >>> last) & 1)) & -(2 ** last);
  return real[0] as number;
}

/** The nearest half, ties to even. */
function roundToHalf(x: number): number {
  // Below 2^-14 the steps are 2^-24.
  const rounded = Math.abs(x) < 2 ** -14 ? roundToEven(x * 2 ** 24) * 2 ** -24 : roundBits(x, 13);
  return Math.abs(rounded) < 65536 ? rounded : Math.sign(x) * Infinity;
}

const roundToBfloat = (x: number): number => roundBits(x, 16);

export function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Rounds what was computed in float32 or float64 to the element type, in place. */
export function settle(t: HostTensor): HostTensor {
  const round = t.type === "float16" ? roundToHalf : t.type === "bfloat16" ? roundToBfloat : undefined;
  if (round) {
    const data = numbers(t);
    for (let i = 0; i < data.length; i++) data[i] = round(data[i] as number);
  }
  return t;
}

type External = (location: string, offset: number, length: number | undefined) => Uint8Array;

/** The bytes of a tensor in another file, which may not lie outside of the model's folder. */
function externalBytes(
  name: string,
  { location = "", offset = "0", length }: Readonly<Record<string, string>>,
  bytes: number,
  external: External | undefined,
): Uint8Array {
  if (location === "" || /^([/\\]|[a-z]+:)|(^|[/\\])\.\.([/\\]|$)/i.test(location))
    throw new ModelError(`"${name}" expected a path inside the model's folder, got ${show(location)}`);
  for (const value of [offset, length ?? "0"]) {
    if (!/^\d{1,15}$/.test(value))
      throw new ModelError(`"${name}" expected a place in ${show(location)}, got ${show(value)}`);
  }
  if (external === undefined)
    throw new ModelError(`"externalData" expected a function that answers the bytes of ${show(location)}, got none`);
  const answer: unknown = external(location, Number(offset), length === undefined ? bytes : Number(length));
  if (!(answer instanceof Uint8Array))
    throw new TypeError(`"externalData" expected to answer a Uint8Array of ${show(location)}, got ${show(answer)}`);
  return answer;
}

/** The tensor of a TensorProto. `external` answers the bytes of a tensor kept in another file. Throws ModelError. */
export function readTensorProto(proto: TensorProto, external?: External): HostTensor {
  const name = proto.name || "tensor";
  const type = elementType(proto.dataType, name);
  const shape = proto.dims;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ModelError(`"${name}" expected sizes >= 0, got ${show([...shape])}`);
    }
  }
  const count = countOf(shape);
  const width = isHalf(type) ? 2 : ARRAYS[type].BYTES_PER_ELEMENT;
  let raw = proto.raw;
  if (proto.external !== null) {
    raw = externalBytes(name, proto.external, count * width, external);
  }
  const wrong = (got: number, unit: string) =>
    new ModelError(
      `"${name}" expected ${unit === "bytes" ? count * width : count} ${unit} for ${type} ${show([...shape])}, got ${got}`,
    );
  const fromBits = type === "float16" ? halfToNumber : bfloatToNumber;
  if (raw !== null) {
    if (raw.length !== count * width) throw wrong(raw.length, "bytes");
    const bytes = asBytes(raw);
    if (!isHalf(type)) {
      return new Deferred(type, shape, (to, from) => to.set(bytes.subarray(from, from + to.length)));
    }
    return new Deferred(type, shape, (to, from) => {
      const numbers = new Float32Array(to.buffer, to.byteOffset, to.length / 4);
      for (let i = 0, at = from / 2; i < numbers.length; i++, at += 2) {
        numbers[i] = fromBits((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
      }
    });
  }
  const list =
    type === "float32"
      ? proto.floats
      : type === "float64"
        ? proto.doubles
        : type === "int64"
          ? proto.int64s
          : type === "uint64" || type === "uint32"
            ? proto.uint64s
            : proto.int32s;
  if (list.length !== count) throw wrong(list.length, "elements");
  if (isHalf(type)) return { type, shape, data: Float32Array.from(list as number[], fromBits) };
  const values = type === "uint32" ? (list as readonly bigint[]).map(Number) : list;
  return { type, shape, data: (ARRAYS[type] as unknown as { from(v: unknown): HostData }).from(values) };
}

// ------------------------------------------------------------------------------------------------ index arithmetic

/** Element strides of a contiguous tensor. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] as number) * (shape[i + 1] as number);
  return strides;
}

/** Elements at offset + sum(index * stride), in the order of `shape`: transposition, broadcasting, slices and flips. */
export function gather(t: HostTensor, shape: readonly number[], strides: readonly number[], offset = 0): HostTensor {
  const out = make(t.type, shape);
  const from = numbers(t);
  const to = numbers(out);
  if (to.length === 0) return out;
  // The fewest loops, fastest first: axes that go on where the one behind them ends are one.
  const loops: { size: number; stride: number; index: number }[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const [size, stride] = [shape[axis] as number, strides[axis] as number];
    const last = loops.at(-1);
    if (last && stride === last.stride * last.size) last.size *= size;
    else if (size > 1) loops.push({ size, stride, index: 0 });
  }
  const inner = loops.shift() ?? { size: 1, stride: 1 };
  const rows = loops.shift() ?? { size: 1, stride: 0 };
  // Transposed, rows take turns: what is read of a line of the cache is used whole.
  const most = rows.stride === 1 ? 16 : 1;
  let at = offset;
  for (let i = 0; i < to.length; i += rows.size * inner.size) {
    for (let row = 0; row < rows.size; row += most) {
      const [first, end] = [i + row * inner.size, i + Math.min(row + most, rows.size) * inner.size];
      const start = at + row * rows.stride;
      if (inner.stride === 0 && most === 1) {
        to.fill(from[start] as number, first, end);
        continue;
      }
      for (let j = 0; j < inner.size; j++) {
        for (let k = first + j, p = start + j * inner.stride; k < end; k += inner.size, p += rows.stride)
          to[k] = from[p] as number;
      }
    }
    for (const loop of loops) {
      at += loop.stride;
      if (++loop.index < loop.size) break;
      at -= loop.stride * loop.size;
      loop.index = 0;
    }
  }
  return out;
}

export function transpose(t: HostTensor, order: readonly number[]): HostTensor {
  const strides = stridesOf(t.shape);
  return gather(
    t,
    order.map((axis) => t.shape[axis] as number),
    order.map((axis) => strides[axis] as number),
  );
}

/** The shape that all broadcast to, as NumPy has it. Throws ModelError. */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const shape of shapes) {
      const own = shape[i - rank + shape.length] ?? 1;
      if (own !== 1 && size !== 1 && own !== size) {
        throw new ModelError(
          `"shape" expected shapes that broadcast, got ${shapes.map((s) => show([...s])).join(" and ")}`,
        );
      }
      if (own !== 1) size = own;
    }
    return size;
  });
}

/** The tensor repeated along its axes of size 1 until it has the shape; itself where it has it already. */
export function broadcast(t: HostTensor, shape: readonly number[]): HostTensor {
  if (t.shape.length === shape.length && t.shape.every((size, i) => size === shape[i])) return t;
  const own = stridesOf(t.shape);
  const lead = shape.length - t.shape.length;
  if (lead < 0) throw new ModelError(`"shape" expected to broadcast to ${show([...shape])}, got ${show([...t.shape])}`);
  const strides = shape.map((size, i) => {
    const have = t.shape[i - lead] ?? 1;
    if (have !== 1 && have !== size)
      throw new ModelError(`"shape" expected to broadcast to ${show([...shape])}, got ${show([...t.shape])}`);
    return i < lead || have === 1 ? 0 : (own[i - lead] as number);
  });
  return gather(t, shape, strides);
}

/** A tensor seen along one axis: element (o, i, n) is at (o * size + i) * inner + n. */
export function along(shape: readonly number[], axis: number): { outer: number; size: number; inner: number } {
  return { outer: countOf(shape.slice(0, axis)), size: shape[axis] ?? 1, inner: countOf(shape.slice(axis + 1)) };
}

/** A number as an element of a type: rounded to even never, cut towards zero as C does, wrapped as its width does. */
export function cast(t: HostTensor, type: ElementType): HostTensor {
  if (t.type === type) return t;
  const out = make(type, t.shape);
  const from = t.data as ArrayLike<number | bigint>;
  const to = out.data as unknown as (number | bigint)[];
  const toBig = isBig(type);
  for (let i = 0; i < from.length; i++) {
    const value = from[i] as number | bigint;
    if (type === "bool") to[i] = value ? 1 : 0;
    else if (toBig) to[i] = typeof value === "bigint" ? value : toBigint(value);
    else if (typeof value === "bigint")
      to[i] = isFloat(type) ? Number(value) : Number(BigInt.asIntN(64, value) & 0xffffffffn);
    else to[i] = value;
  }
  return settle(out);
}

function toBigint(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  if (value <= -(2 ** 63)) return -(2n ** 63n);
  return BigInt(Math.trunc(value));
}
