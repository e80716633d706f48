// MNIST's IDX format: 0, 0, dtype code, rank, one uint32 per dimension, then the elements; all big-endian.
import { DataError, show } from "../base/errors.js";
import { contents, type DatasetOptions } from "./contents.js";

/** What holds elements of uint8, int8, int16, int32, float32 and float64. */
interface IdxData {
  uint8: Uint8Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  float32: Float32Array;
  float64: Float64Array;
}

/** Kinds of elements an IDX file may have. */
export type IdxDType = keyof IdxData;

/** An array as the file has it: `dtype` tells the class of `data`, the elements in the order of `shape`, last axis fastest. */
export type IdxArray = {
  [D in IdxDType]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: IdxData[D] };
}[IdxDType];

const DTYPES: ReadonlyMap<number, readonly [dtype: IdxDType, bytes: number]> = new Map([
  [0x08, ["uint8", 1]],
  [0x09, ["int8", 1]],
  [0x0b, ["int16", 2]],
  [0x0c, ["int32", 4]],
  [0x0d, ["float32", 4]],
  [0x0e, ["float64", 8]],
]);

interface Header {
  readonly dtype: IdxDType;
  readonly shape: readonly number[];
  readonly headerBytes: number;
  readonly count: number;
}

/**
 * Reads an IDX file, plain or gzipped. One-byte elements of a plain file are a view of `bytes`, no copy.
 *
 * @throws (rejects with) DataError for a file that is cut, damaged or larger than maxBytes, TypeError for what is no bytes,
 *   UnsupportedError for gzip where the engine has no DecompressionStream.
 */
export async function readIdx(bytes: Uint8Array | ArrayBuffer, options: DatasetOptions = {}): Promise<IdxArray> {
  const file = await contents(bytes, options, readHeader);
  const { dtype, shape, headerBytes, count } = readHeader(file, file.length);
  const view = new DataView(file.buffer, file.byteOffset + headerBytes);
  switch (dtype) {
    case "uint8":
      return { dtype, shape, data: file.subarray(headerBytes) };
    case "int8":
      return { dtype, shape, data: new Int8Array(file.buffer, view.byteOffset, count) };
    case "int16":
      return { dtype, shape, data: fill(new Int16Array(count), (at) => view.getInt16(at)) };
    case "int32":
      return { dtype, shape, data: fill(new Int32Array(count), (at) => view.getInt32(at)) };
    case "float32":
      return { dtype, shape, data: fill(new Float32Array(count), (at) => view.getFloat32(at)) };
    case "float64":
      return { dtype, shape, data: fill(new Float64Array(count), (at) => view.getFloat64(at)) };
  }
}

/** Checks the header against the length of the whole file. */
function readHeader(head: Uint8Array, length: number): Header {
  const [zero0, zero1, code = 0, rank = 0] = head;
  const known = DTYPES.get(code);
  if (head.length < 4 || zero0 !== 0 || zero1 !== 0 || known === undefined) {
    const codes = [...DTYPES.keys()].map(hex).join(", ");
    const got = length < 4 ? `${length} bytes` : [...head.subarray(0, 4)].map(hex).join(" ");
    throw new DataError(`"bytes" expected the IDX magic 00 00, one of ${codes}, and the rank, got ${got}`);
  }
  const [dtype, elementBytes] = known;
  const headerBytes = 4 + 4 * rank;
  if (head.length < headerBytes) {
    throw new DataError(`"bytes" expected a header of ${headerBytes} bytes for rank ${rank}, got ${length}`);
  }
  const view = new DataView(head.buffer, head.byteOffset, headerBytes);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  // Up to 255 dimensions of 32 bits: the product may leave the exact numbers, but then it fits no file.
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  const expected = headerBytes + count * elementBytes;
  if (expected !== length) {
    throw new DataError(`"bytes" expected ${expected} bytes for ${dtype} ${show(shape)}, got ${length}`);
  }
  return { dtype, shape: Object.freeze(shape), headerBytes, count };
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

type Wide = Int16Array | Int32Array | Float32Array | Float64Array;

/** Typed arrays have the machine's byte order, the file has its own: one element at a time. */
function fill<A extends Wide>(data: A, read: (at: number) => number): A {
  for (let i = 0; i < data.length; i++) data[i] = read(i * data.BYTES_PER_ELEMENT);
  return data;
}
