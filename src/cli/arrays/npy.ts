// NumPy's files: .npy of versions 1 to 3 read, and written as version 1; .npz, a zip of them, read.
import { unzipSync } from "fflate";
import type { DType, TensorData } from "../../index.js";
import { FileError, FormatError } from "../errors.js";

export interface NumpyArray {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: TensorData;
  /** "<f2" is read as float32. */
  readonly descr: string;
}

type ArrayType = { new (buffer: ArrayBuffer): TensorData; readonly BYTES_PER_ELEMENT: number };

const TYPES: Readonly<Record<string, readonly [DType, ArrayType]>> = {
  f4: ["float32", Float32Array],
  f8: ["float64", Float64Array],
  u1: ["uint8", Uint8Array],
  i1: ["int8", Int8Array],
  b1: ["bool", Uint8Array],
  u2: ["uint16", Uint16Array],
  i2: ["int16", Int16Array],
  u4: ["uint32", Uint32Array],
  i4: ["int32", Int32Array],
  u8: ["uint64", BigUint64Array],
  i8: ["int64", BigInt64Array],
};

const MAGIC = "\x93NUMPY";
/** Longest header that is read: NumPy itself stops at 10,000. */
const MOST_HEADER = 65536;

/** Arrays by name; of a .npy the only one is called "". */
export function readNumpy(bytes: Uint8Array, name: string): Map<string, NumpyArray> {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return readNpz(bytes, name);
  return new Map([["", readNpy(bytes, name)]]);
}

function readNpz(bytes: Uint8Array, name: string): Map<string, NumpyArray> {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, { filter: ({ name }) => name.endsWith(".npy") });
  } catch (cause) {
    throw new FileError(`"${name}" expected a .npz, got a zip that cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  const arrays = Object.entries(files).map(
    ([entry, file]) => [entry.slice(0, -4), readNpy(file, `${name}:${entry}`)] as const,
  );
  if (arrays.length === 0) throw new FileError(`"${name}" expected arrays, got a zip without any .npy`);
  return new Map(arrays);
}

export function readNpy(bytes: Uint8Array, name: string): NumpyArray {
  const bad = (what: string) => new FileError(`"${name}" expected a NumPy array (.npy, .npz), got ${what}`);
  if (String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC)
    throw bad(bytes.length === 0 ? "an empty file" : "other bytes");
  const version = bytes[6] as number;
  if (!(version >= 1 && version <= 3) || bytes.length < 12) throw bad(`version ${version}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, length] = version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (length > MOST_HEADER || start + length > bytes.length) throw bad("a header that ends too soon");
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, start + length));
  const { descr, isFortran, shape } = headerOf(header, bad);
  if (isFortran && shape.length > 1)
    throw new FormatError(
      `"${name}" expected an array in C order, got one in Fortran order: np.ascontiguousarray(x) makes one`,
    );
  const [, order = "", code = ""] = /^([<>|=])([a-zA-Z]\d+)$/.exec(descr) ?? [];
  if (order === ">" && !/1$/.test(code))
    throw new FormatError(
      `"${name}" expected little-endian numbers, got "${descr}": x.astype(x.dtype.newbyteorder("<")) makes them`,
    );
  const isHalf = code === "f2";
  const [dtype, Type] = isHalf ? (["float32", Uint16Array] as const) : (TYPES[code] ?? []);
  if (dtype === undefined || Type === undefined)
    throw new FormatError(`"${name}" expected numbers, got dtype "${descr}"`);
  const count = shape.reduce((a, b) => a * b, 1);
  const needed = count * Type.BYTES_PER_ELEMENT;
  const there = bytes.length - start - length;
  if (there < needed) throw bad(`${there} bytes for ${shape.join("x") || "a scalar"} of ${descr}, which are ${needed}`);
  const own = new Uint8Array(needed); // where numbers may begin
  own.set(bytes.subarray(start + length, start + length + needed));
  const data = new (Type as ArrayType)(own.buffer);
  return { shape, dtype, descr, data: isHalf ? Float32Array.from(data as Uint16Array, halfOf) : data };
}

/** The dictionary of the header, as NumPy writes it: Python's, but of three keys only. */
function headerOf(text: string, bad: (what: string) => FileError) {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (descr === undefined && /'descr'\s*:\s*\[/.test(text)) throw bad("a structured array");
  if (descr === undefined || order === undefined || shape === undefined) throw bad("a header that is not NumPy's");
  const sizes = shape
    .split(",")
    .map((size) => size.replace("L", "").trim())
    .filter(Boolean)
    .map(Number);
  if (!Number.isSafeInteger(sizes.reduce((a, b) => a * b, 8))) throw bad("sizes beyond all bounds");
  return { descr, isFortran: order === "True", shape: sizes };
}

function halfOf(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const CODES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(TYPES).map(([code, [dtype]]) => [dtype, /1$/.test(code) ? `|${code}` : `<${code}`]),
  ),
};

/** The bytes of a .npy, version 1: 64 bytes, or a multiple, of header. */
export function npyOf({
  shape,
  dtype,
  data,
}: {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: TensorData;
}): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const header = `{'descr': '${CODES[dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const bytes = new Uint8Array(10 + length + data.byteLength);
  bytes.set([...MAGIC].map((c) => c.charCodeAt(0)));
  bytes.set([1, 0, length & 255, length >> 8], 6);
  bytes.set(Buffer.from(`${header.padEnd(length - 1)}\n`, "latin1"), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return bytes;
}
