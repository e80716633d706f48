// The safetensors format: a file of named tensors, nothing to execute in it. It is not trusted all the same.
//
//   | n: uint64 | n bytes of JSON, padded with spaces | tensors back to back |
//
//   {"fc3.bias": {"dtype": "F32", "shape": [10], "data_offsets": [0, 40]}, "__metadata__": {"seed": "1"}}
//
// Numbers are little-endian, as in the memory of every machine we run on. Offsets count from the end of the
// header. "__metadata__" is no tensor but an object of strings.
import { asBytes, type Shape, strictTextOf, tagOf, utf8Of } from "../base/check.js";
import { ModelError, ShapeError, show, UnsupportedError } from "../base/errors.js";
import { DTYPES, type DType, holds } from "../base/spec.js";
import type { HostTensor, WeightMap } from "./weights.js";

/** The reference implementation's cap. */
const MAX_HEADER_BYTES = 100_000_000;
/** The header, a tensor in it, its shape. */
const MAX_DEPTH = 3;
const METADATA = "__metadata__";
/** Harmless in a map, but the first plain object that weights are copied to would get another prototype. */
const PROTOTYPE = "__proto__";

/** A dtype of the format: its name, how it is held in memory, and from what where memory does not have it. */
type Stored = readonly [name: string, dtype: DType, widen?: (halves: Uint16Array) => Float32Array];

const STORED: readonly Stored[] = [
  ["F32", "float32"],
  ["F16", "float32", fromFloat16],
  ["BF16", "float32", fromBfloat16],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["I32", "int32"],
  ["I64", "int64"],
  ["BOOL", "bool"],
  ["U16", "uint16"],
  ["I16", "int16"],
  ["U32", "uint32"],
  ["U64", "uint64"],
  ["F64", "float64"],
];
/** What the writer writes. In a function: a bundler leaves it out where nobody asks. */
const held = () => STORED.filter(([, , widen]) => widen === undefined);

/** What the writer calls a dtype. */
const nameOf = (dtype: DType) => held().find(([, own]) => own === dtype)?.[0];

/** The typed array of a dtype as the file has it. */
const arrayOf = ([, dtype, widen]: Stored) => (widen ? Uint16Array : DTYPES[dtype]);

interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly stored: Stored;
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file. Tensors are views of `bytes` where they lie aligned for it, else copies; F16 and
 * BF16 become float32, which holds all their values.
 *
 * @throws ModelError for a file that does not hold together, UnsupportedError for another dtype, TypeError for what is no bytes.
 */
export function readSafetensors(bytes: Uint8Array | ArrayBuffer): WeightMap {
  const file = asBytes(bytes);
  const [header, data] = split(file);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(parseHeader(header))) {
    if (name === METADATA) checkMetadata(value);
    else entries.push(readEntry(name, value));
  }
  checkTiling(entries, data.length);
  return new Map(entries.map((entry) => [entry.name, readTensor(entry, data)]));
}

/**
 * Writes a safetensors file; read again, all tensors are views of it.
 *
 * @throws TypeError for what is no map of tensors, ShapeError for data of another length than its shape's, ModelError for what
 *   the reader would refuse, UnsupportedError for a dtype that the format does not have.
 */
export function writeSafetensors(weights: WeightMap): Uint8Array<ArrayBuffer> {
  if (tagOf(weights) !== "Map") throw new TypeError(`"weights" expected a Map, got ${show(weights)}`);
  for (const [name, tensor] of weights) checkWritable(name, tensor);
  // Wide elements first: behind a header of a multiple of 8 bytes, every tensor then lies aligned.
  const width = ({ data }: HostTensor) => data.BYTES_PER_ELEMENT;
  const sorted = [...(weights as WeightMap)].sort(([, a], [, b]) => width(b) - width(a));
  let dataBytes = 0;
  const entries = sorted.map(([name, { dtype, shape, data }]) => {
    const begin = dataBytes;
    dataBytes += data.byteLength;
    return [name, { dtype: nameOf(dtype), shape, data_offsets: [begin, dataBytes] }] as const;
  });
  const json = utf8Of(JSON.stringify(Object.fromEntries(entries)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw malformed("weights", `a header of at most ${MAX_HEADER_BYTES} bytes`, `${headerBytes}`);
  }

  const file = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes).set(json, 8);
  let at = 8 + headerBytes;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

function malformed(name: string, expected: string, got: string): ModelError {
  return new ModelError(`${show(name)} expected ${expected}, got ${got}`);
}

/** How files begin that people give in its place, one character a byte; as lengths of a header these are absurd. */
// biome-ignore-start lint/suspicious/noControlCharactersInRegex: files begin with them.
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^\s*</, "a web page (HTML) or XML: look at the address"],
  [/^version https:\/\/git-lfs/, 'a git-lfs pointer: "git lfs pull" fetches the file'],
  [/^\x1f\x8b/, "a gzip file: unpack it first"],
  [/^PK[\x03\x05]/, "a zip archive, as PyTorch's .pt are: save weights with safetensors.torch.save_file()"],
  [/^\x80[\x02-\x05]/, "a pickled Python object: save weights with safetensors.torch.save_file()"],
  [/^\x08[\x01-\x1f][\x12\x1a\x22:B]/, "an ONNX file: loadOnnx() reads these"],
  [/^\s*[{[]/, "JSON"],
];
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: see above.

/** Header and data of a file. */
function split(file: Uint8Array): readonly [Uint8Array, Uint8Array] {
  if (file.length < 8) throw malformed("bytes", "at least 8 bytes", `${file.length}`);
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  const most = Math.min(MAX_HEADER_BYTES, file.length - 8);
  if (length > most) {
    const head = String.fromCharCode(...file.subarray(0, 32));
    const other = OTHERS.find(([begin]) => begin.test(head));
    if (other) throw malformed("bytes", "a safetensors file", other[1]);
    throw malformed("bytes", `a header of at most ${most} bytes`, `${length}`);
  }
  const end = 8 + Number(length);
  return [file.subarray(8, end), file.subarray(end)];
}

function parseHeader(header: Uint8Array): object {
  const [text, value] = parseJson(header);
  if (!text.startsWith("{") || !isObject(value)) {
    throw malformed("bytes", "a header that begins with {", show(text.slice(0, 1)));
  }
  checkStructure(text);
  return value;
}

function parseJson(header: Uint8Array): readonly [string, unknown] {
  try {
    // A copy, as decoders refuse shared memory. A byte order mark is kept, for JSON.parse to refuse.
    const text = strictTextOf(header.slice());
    return [text, JSON.parse(text) as unknown];
  } catch (cause) {
    const message = `"bytes" expected a header of JSON in UTF-8, got ${header.length} other bytes`;
    throw new ModelError(message, { cause });
  }
}

/**
 * Refuses what JSON.parse lets through: equal keys, of which it keeps the last and other readers the first,
 * and nesting as deep as memory allows. `json` is known to be valid.
 */
function checkStructure(json: string): void {
  const open: Set<string>[] = []; // the keys so far of each object or array around json[i]
  let text = "";
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '"') {
      const begin = i++;
      while (json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
      text = json.slice(begin, i + 1);
    } else if (char === ":") {
      const key = JSON.parse(text) as string; // "a" and "\u0061" are equal
      const keys = open.at(-1) as Set<string>;
      if (keys.has(key)) throw malformed("bytes", "every name once in its header", `${show(key)} twice`);
      keys.add(key);
    } else if (char === "{" || char === "[") {
      if (open.push(new Set()) > MAX_DEPTH) throw malformed("bytes", "a header of at most 3 levels", "more");
    } else if (char === "}" || char === "]") open.pop();
  }
}

function checkMetadata(value: unknown): void {
  if (isObject(value) && Object.values(value).every((text) => typeof text === "string")) return;
  throw malformed(METADATA, "an object of strings", show(value));
}

/** Checks one tensor of the header by itself. */
function readEntry(name: string, value: unknown): Entry {
  if (name === PROTOTYPE) throw malformed("bytes", "other tensor names", show(name));
  if (!isObject(value)) throw malformed(name, "an object", show(value));
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (typeof dtype !== "string") throw malformed(name, "the name of a dtype", show(dtype));
  const stored = STORED.find(([name]) => name === dtype);
  if (stored === undefined) {
    const known = STORED.map(([name]) => name).join(", ");
    throw new UnsupportedError(`${show(name)} expected one of the dtypes ${known}, got ${show(dtype)}`);
  }
  if (!isSizes(shape)) throw malformed(name, "a shape of integers >= 0", show(shape));
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw malformed(name, "two data_offsets, integers >= 0", show(offsets));
  }
  const [begin, end] = offsets as [number, number];
  // The product may leave the exact numbers, or all of them, but then it isn't end - begin either.
  const count = elementCount(shape);
  const bytes = count * arrayOf(stored).BYTES_PER_ELEMENT;
  if (bytes !== end - begin) {
    const got = `${end - begin} in data_offsets ${show(offsets)}`;
    throw malformed(name, `${bytes} bytes for ${dtype} of shape ${show(shape)}`, got);
  }
  return { name, shape: Object.freeze(shape), stored, count, begin, end };
}

/** Tensors lie back to back and fill the data: no byte belongs to two of them, and none to nobody. */
function checkTiling(entries: readonly Entry[], dataBytes: number): void {
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) throw malformed(name, `to begin at ${at}, where the one before ends`, `${begin}`);
    if (end > dataBytes) throw malformed(name, `to end within ${dataBytes} bytes of data`, `${end}`);
    at = end;
  }
  if (at !== dataBytes) throw malformed("bytes", `${at} bytes of data for its tensors`, `${dataBytes}`);
}

function readTensor({ name, shape, stored, count, begin, end }: Entry, data: Uint8Array): HostTensor {
  const [, dtype, widen] = stored;
  const ArrayType = arrayOf(stored);
  const aligned = (data.byteOffset + begin) % ArrayType.BYTES_PER_ELEMENT === 0;
  const elements = aligned ? data.subarray(begin, end) : data.slice(begin, end);
  const view = new ArrayType(elements.buffer as ArrayBuffer, elements.byteOffset, count);
  const tensor = { shape, dtype, data: widen ? widen(view as Uint16Array) : view };
  checkBooleans(name, tensor);
  return tensor;
}

/** Kernels take bool for 0 or 1. */
function checkBooleans(name: string, { dtype, data }: HostTensor): void {
  if (dtype !== "bool") return;
  const wrong = (data as Uint8Array).find((value) => value > 1);
  if (wrong !== undefined) throw malformed(name, "0 or 1 in bool data", `${wrong}`);
}

/** The writer refuses what the reader refuses. */
function checkWritable(name: unknown, tensor: HostTensor): void {
  if (typeof name !== "string") throw new TypeError(`"weights" expected names as keys, got ${show(name)}`);
  if (name === METADATA || name === PROTOTYPE) throw malformed("weights", "other tensor names", show(name));
  const label = show(name);
  if (!isObject(tensor)) throw new TypeError(`${label} expected a tensor, got ${show(tensor)}`);
  const { dtype, shape, data } = tensor;
  if (nameOf(dtype) === undefined) {
    const known = held()
      .map(([, own]) => own)
      .join(", ");
    throw new UnsupportedError(`${label} expected one of the dtypes ${known}, got ${show(dtype)}`);
  }
  if (!holds(dtype, data)) {
    throw new TypeError(`${label} expected ${dtype} data in a ${DTYPES[dtype].name}, got ${show(data)}`);
  }
  if (!isSizes(shape)) throw new ShapeError(`${label} expected a shape of integers >= 0, got ${show(shape)}`);
  const count = elementCount(shape);
  if (count !== data.length) {
    throw new ShapeError(`${label} expected ${count} elements for shape ${show(shape)}, got ${data.length}`);
  }
  checkBooleans(name, tensor);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** Not NaN for huge sizes beside a zero. */
function elementCount(shape: Shape): number {
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
}

/** IEEE half precision: 1 bit of sign, 5 of exponent, 10 of mantissa. */
function fromFloat16(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length);
  const bits = new Uint32Array(floats.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] as number;
    const magnitude = (half & 0x7fff) << 13; // exponent and mantissa, where float32 has them
    bits[i] = magnitude;
    // The exponents' biases are 15 and 127. Multiplying, not adding, makes subnormal halves normal floats.
    floats[i] = (floats[i] as number) * 2 ** 112;
    if (magnitude >= 0x7c00 << 13) bits[i] = magnitude | 0x7f800000; // infinity, NaN
    bits[i] = (bits[i] as number) | ((half & 0x8000) << 16);
  }
  return floats;
}

/** The upper half of a float32. */
function fromBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  return new Float32Array(bits.buffer);
}
