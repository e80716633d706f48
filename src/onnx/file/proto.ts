// The parts of onnx.proto3 that describe a network, read with pbf; field numbers as in the ONNX specification. Nothing is
// interpreted here: names, numbers and bytes as they stand in the file. A file that ends too soon or nests too deep is refused.
import { PbfReader } from "pbf";
import { asBytes, textOf } from "../../base/check.js";
import { ModelError } from "../../base/errors.js";

export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  /** TensorProto.DataType. */
  readonly dataType: number;
  /** Little-endian elements, or null where a typed list has them. */
  readonly raw: Uint8Array | null;
  readonly floats: readonly number[];
  /** The same as it stands in the file, where it is one run there; `floats` is empty then. */
  readonly packed: Uint8Array | null;
  readonly doubles: readonly number[];
  /** int32_data: int32, int16, int8, uint16, uint8, bool, and the bits of float16 and bfloat16. */
  readonly int32s: readonly number[];
  readonly int64s: readonly bigint[];
  readonly uint64s: readonly bigint[];
  readonly strings: number;
  /** Location, offset and length where the elements are in another file. */
  readonly external: Readonly<Record<string, string>> | null;
}

export interface AttributeProto {
  readonly name: string;
  /** AttributeProto.AttributeType; 0 in files older than the field. */
  readonly type: number;
  readonly f: number;
  readonly i: bigint;
  readonly s: Uint8Array;
  readonly t: TensorProto | null;
  readonly g: GraphProto | null;
  readonly floats: readonly number[];
  readonly ints: readonly bigint[];
  readonly strings: readonly Uint8Array[];
  /** In a function: the attribute of the node that stands for it whose value this one has; else "". */
  readonly ref: string;
  /** What the file has: which of the fields above were there at all. */
  readonly has: readonly string[];
}

export interface NodeProto {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly AttributeProto[];
  /** The version of its operator set, where that is not the file's: of nodes from functions, and of those that others are made of. */
  readonly opset?: number;
  /** The operator that the file has, where this is a part of what it does. */
  readonly part?: string;
}

/** Nodes under a name of their own, which a node of the file may stand for. */
export interface FunctionProto {
  readonly name: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Those with a default. */
  readonly attributes: readonly AttributeProto[];
  readonly nodes: readonly NodeProto[];
  readonly opsets: ReadonlyMap<string, number>;
}

export interface ValueInfoProto {
  readonly name: string;
  /** Element type, or 0 where the value is no dense tensor. */
  readonly elementType: number;
  /** A size, the name of a size, or null where nothing is known; null as a whole for an unknown rank. */
  readonly dims: readonly (number | string | null)[] | null;
}

export interface GraphProto {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly sparse: number;
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
}

export interface ModelProto {
  readonly irVersion: number;
  readonly producer: readonly string[];
  /** Version by domain; "" and "ai.onnx" are the same domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: GraphProto | null;
  /** Its tensors whose elements are in other files, in the file's order. */
  readonly external: ReadonlySet<TensorProto>;
  readonly functions: readonly FunctionProto[];
  /** metadata_props: what an exporter has to say. */
  readonly metadata: Record<string, string>;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

const VARINT = 0;
const BYTES = 2;
/** Graphs in attributes of graphs, at most. */
const MAX_DEPTH = 32;

/** Raw data up to this long is copied, so that a node that is kept does not keep the file. */
const SMALL_BYTES = 64;

class Reader extends PbfReader {
  depth = 0;
  /** Tensors whose elements are in other files. */
  readonly external = new Set<TensorProto>();

  /** Fields of a message that must end where it says. */
  fields<T>(read: (tag: number, into: T, r: Reader) => void, into: T, end: number): T {
    if (end > this.length) throw new RangeError("it ends too soon");
    this.readFields(read as never, into as never, end);
    if (this.pos !== end) throw new RangeError("a message ends inside a field");
    return into;
  }

  message<T>(read: (tag: number, into: T, r: Reader) => void, into: T): T {
    const end = this.bytesEnd();
    if (++this.depth > MAX_DEPTH) throw new RangeError(`messages nest more than ${MAX_DEPTH} deep`);
    this.fields(read, into, end);
    this.depth--;
    return into;
  }

  bytesEnd(): number {
    if (this.type !== BYTES) throw new RangeError("a field has the wrong wire type");
    const end = this.readVarint() + this.pos;
    if (!(end <= this.length)) throw new RangeError("it ends too soon");
    return end;
  }

  bytes(): Uint8Array {
    const end = this.bytesEnd();
    const bytes = this.buf.subarray(this.pos, end);
    this.pos = end;
    return bytes as Uint8Array;
  }

  text(): string {
    return textOf(this.bytes());
  }

  /** 64 bits, exactly. */
  big(): bigint {
    if (this.type !== VARINT && this.type !== BYTES) throw new RangeError("a field has the wrong wire type");
    let low = 0;
    let value = 0n;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.pos >= this.length) throw new RangeError("it ends too soon");
      const byte = this.buf[this.pos++] as number;
      if (shift < 28) low |= (byte & 127) << shift;
      else value |= BigInt(byte & 127) << BigInt(shift);
      if (byte < 128) return BigInt.asIntN(64, value | BigInt(low));
    }
    throw new RangeError("a number has more than 64 bits");
  }

  int(): number {
    return Number(this.big());
  }

  float(): number {
    if (this.pos + 4 > this.length) throw new RangeError("it ends too soon");
    return this.readFloat();
  }

  double(): number {
    if (this.pos + 8 > this.length) throw new RangeError("it ends too soon");
    return this.readDouble();
  }

  /** One element, or a packed run of them. */
  repeated<T>(into: T[], one: () => T): void {
    if (this.type !== BYTES) {
      into.push(one.call(this));
      return;
    }
    const end = this.bytesEnd();
    while (this.pos < end) into.push(one.call(this));
    if (this.pos !== end) throw new RangeError("a list ends inside an element");
  }
}

function readEntry(tag: number, into: [key: string, value: string], r: Reader): void {
  if (tag === 1 || tag === 2) into[tag - 1] = r.text();
}

/** A StringStringEntryProto. */
const entry = (r: Reader): [key: string, value: string] => r.message(readEntry, ["", ""]);

/** Bytes to keep: a few are copied. */
const kept = (bytes: Uint8Array): Uint8Array => (bytes.length > SMALL_BYTES ? bytes : bytes.slice());

function readFloats(t: Writable<TensorProto>, r: Reader): void {
  if (r.type === BYTES && t.packed === null && t.floats.length === 0) {
    t.packed = kept(r.bytes());
    if (t.packed.length % 4 !== 0) throw new RangeError("a list ends inside an element");
    return;
  }
  // Several runs, or elements one by one.
  if (t.packed) for (const value of new Float32Array(t.packed.slice().buffer)) t.floats.push(value);
  t.packed = null;
  r.repeated(t.floats, r.float);
}

function readTensor(tag: number, t: Writable<TensorProto>, r: Reader): void {
  if (tag === 1) r.repeated(t.dims, r.int);
  else if (tag === 2) t.dataType = r.int();
  else if (tag === 4) readFloats(t, r);
  else if (tag === 5) r.repeated(t.int32s, r.int);
  else if (tag === 6) t.strings += r.bytes().length >= 0 ? 1 : 0;
  else if (tag === 7) r.repeated(t.int64s, r.big);
  else if (tag === 8) t.name = r.text();
  else if (tag === 9) t.raw = kept(r.bytes());
  else if (tag === 10) r.repeated(t.doubles, r.double);
  else if (tag === 11) r.repeated(t.uint64s, r.big);
  else if (tag === 13) {
    const [key, value] = entry(r);
    t.external = { ...t.external, [key]: value };
  } else if (tag === 14 && r.int() === 1) t.external ??= {};
  if (t.external) r.external.add(t);
}

function tensor(): Writable<TensorProto> {
  return {
    name: "",
    dims: [],
    dataType: 0,
    raw: null,
    floats: [],
    packed: null,
    doubles: [],
    int32s: [],
    int64s: [],
    uint64s: [],
    strings: 0,
    external: null,
  };
}

const ATTRIBUTE_FIELDS: Readonly<Record<number, string>> = {
  2: "f",
  3: "i",
  4: "s",
  5: "t",
  6: "g",
  7: "floats",
  8: "ints",
  9: "strings",
};

function readAttribute(tag: number, a: Writable<AttributeProto>, r: Reader): void {
  const field = ATTRIBUTE_FIELDS[tag];
  if (field) a.has.push(field);
  if (tag === 1) a.name = r.text();
  else if (tag === 2) a.f = r.float();
  else if (tag === 3) a.i = r.big();
  else if (tag === 4) a.s = r.bytes().slice();
  else if (tag === 5) a.t = r.message(readTensor, tensor());
  else if (tag === 6) a.g = r.message(readGraph, graph());
  else if (tag === 7) r.repeated(a.floats, r.float);
  else if (tag === 8) r.repeated(a.ints, r.big);
  else if (tag === 9) a.strings.push(r.bytes().slice());
  else if (tag === 20) a.type = r.int();
  else if (tag === 21) a.ref = r.text();
}

const NO_BYTES = new Uint8Array();

export function attribute(): Writable<AttributeProto> {
  return {
    name: "",
    type: 0,
    f: 0,
    i: 0n,
    s: NO_BYTES,
    t: null,
    g: null,
    floats: [],
    ints: [],
    strings: [],
    ref: "",
    has: [],
  };
}

const node = (): Writable<NodeProto> => ({ name: "", opType: "", domain: "", inputs: [], outputs: [], attributes: [] });

function readNode(tag: number, n: Writable<NodeProto>, r: Reader): void {
  if (tag === 1) n.inputs.push(r.text());
  else if (tag === 2) n.outputs.push(r.text());
  else if (tag === 3) n.name = r.text();
  else if (tag === 4) n.opType = r.text();
  else if (tag === 5) n.attributes.push(r.message(readAttribute, attribute()));
  else if (tag === 7) n.domain = r.text();
}

function readDimension(tag: number, into: { size: number | string | null }, r: Reader): void {
  if (tag === 1) into.size = r.int();
  else if (tag === 2) into.size = r.text();
}

function readShape(tag: number, dims: (number | string | null)[], r: Reader): void {
  if (tag === 1) dims.push(r.message(readDimension, { size: null as number | string | null }).size);
}

function readTensorType(tag: number, v: Writable<ValueInfoProto>, r: Reader): void {
  if (tag === 1) v.elementType = r.int();
  else if (tag === 2) v.dims = r.message(readShape, [] as (number | string | null)[]);
}

function readType(tag: number, v: Writable<ValueInfoProto>, r: Reader): void {
  if (tag === 1) r.message(readTensorType, v);
}

function readValueInfo(tag: number, v: Writable<ValueInfoProto>, r: Reader): void {
  if (tag === 1) v.name = r.text();
  else if (tag === 2) r.message(readType, v);
}

function readGraph(tag: number, g: Writable<GraphProto>, r: Reader): void {
  if (tag === 1) g.nodes.push(r.message(readNode, node()));
  else if (tag === 5) g.initializers.push(r.message(readTensor, tensor()));
  else if (tag === 11) g.inputs.push(r.message(readValueInfo, { name: "", elementType: 0, dims: null }));
  else if (tag === 12) g.outputs.push(r.message(readValueInfo, { name: "", elementType: 0, dims: null }));
  else if (tag === 15) g.sparse += r.bytes().length >= 0 ? 1 : 0;
}

function graph(): Writable<GraphProto> {
  return { nodes: [], initializers: [], sparse: 0, inputs: [], outputs: [] };
}

function readOpset(tag: number, into: { domain: string; version: number }, r: Reader): void {
  if (tag === 1) into.domain = r.text();
  else if (tag === 2) into.version = r.int();
}

function opsetInto(opsets: ReadonlyMap<string, number>, r: Reader): void {
  const { domain, version } = r.message(readOpset, { domain: "", version: 0 });
  (opsets as Map<string, number>).set(domain === "ai.onnx" ? "" : domain, version);
}

function readFunction(tag: number, f: Writable<FunctionProto>, r: Reader): void {
  if (tag === 1) f.name = r.text();
  else if (tag === 4) f.inputs.push(r.text());
  else if (tag === 5) f.outputs.push(r.text());
  else if (tag === 7) f.nodes.push(r.message(readNode, node()));
  else if (tag === 9) opsetInto(f.opsets, r);
  else if (tag === 10) f.domain = r.text();
  else if (tag === 11) f.attributes.push(r.message(readAttribute, attribute()));
}

function readModel(tag: number, m: Writable<ModelProto>, r: Reader): void {
  m.external = r.external;
  if (tag === 1) m.irVersion = r.int();
  else if (tag === 2 || tag === 3) m.producer[tag - 2] = r.text();
  else if (tag === 7) m.graph = r.message(readGraph, graph());
  else if (tag === 8) opsetInto(m.opsets, r);
  else if (tag === 14) {
    const [key, value] = entry(r);
    m.metadata[key] = value;
  } else if (tag === 25) {
    const empty = { name: "", domain: "", inputs: [], outputs: [], attributes: [], nodes: [], opsets: new Map() };
    m.functions.push(r.message(readFunction, empty));
  }
}

function parse<T>(what: string, bytes: Uint8Array, read: (tag: number, into: T, r: Reader) => void, into: T): T {
  try {
    const reader = new Reader(asBytes(bytes)); // a Buffer's slice() would not copy
    return reader.fields(read, into, bytes.length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError(`"${what}" expected well-formed ONNX protobuf, got ${bytes.length} bytes: ${reason}`, {
      cause,
    });
  }
}

export function parseModel(bytes: Uint8Array): ModelProto {
  return parse("model", bytes, readModel, {
    irVersion: 0,
    producer: ["", ""],
    opsets: new Map<string, number>(),
    graph: null,
    external: new Set(),
    functions: [],
    metadata: Object.create(null), // which has no __proto__
  } as Writable<ModelProto>);
}

/** Reads a .pb file of ONNX test data. Throws ModelError. */
export function parseTensor(bytes: Uint8Array): TensorProto {
  return parse("tensor", bytes, readTensor, tensor());
}
