// ONNX files made here: just enough of onnx.proto3 to write what a test needs.
import { PbfWriter } from "pbf";

/**
 * Whole numbers, lists of them, texts; { float } for a real one, { floats } and { strings } for lists, { graph } for a branch, { ref }
 * in a function for the attribute of the node that stands for it.
 */
export type Attribute =
  | number
  | readonly number[]
  | string
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly graph: Graph }
  | { readonly ref: string };

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

/** A node without a domain. */
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => ({ op, inputs, outputs, attributes });

export interface Constant {
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array | Uint8Array | Uint16Array | Int8Array | Int32Array;
  /** Location, offset and length of data in another file, in place of `data`. */
  readonly external?: Readonly<Record<string, string>>;
  /** TensorProto.DataType; default that of the array. */
  readonly type?: number;
}

/** What a file and a branch have in common. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** Sizes, or names of sizes. Element type 1 (float) unless said otherwise. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  /** Shapes of outputs, for those that say theirs. */
  readonly declared?: Readonly<Record<string, readonly (number | string)[]>>;
  readonly types?: Readonly<Record<string, number>>;
  readonly outputs: readonly string[];
  readonly constants?: Readonly<Record<string, Constant>>;
}

/** Nodes that a node of this name and domain stands for. */
export interface FileFunction {
  readonly name: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Attributes with a default. */
  readonly defaults?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
}

export interface File extends Graph {
  readonly opset?: number;
  readonly functions?: readonly FileFunction[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Codes of TensorProto.DataType, and the arrays that hold the elements. */
export const ELEMENTS = {
  float32: [1, Float32Array],
  uint8: [2, Uint8Array],
  int8: [3, Int8Array],
  int32: [6, Int32Array],
  int64: [7, BigInt64Array],
} as const;

export type ElementName = keyof typeof ELEMENTS;

/** A constant of any type. */
export function typed(name: ElementName, dims: readonly number[], values: ArrayLike<number>): Constant {
  const [type, Elements] = ELEMENTS[name];
  const data =
    name === "int64"
      ? BigInt64Array.from(Array.from(values), BigInt)
      : (Elements as Float32ArrayConstructor).from(values);
  return { dims, type, data };
}

/** Lists, as attributes that became inputs have them. */
export const floats = (...values: number[]): Constant => typed("float32", [values.length], values);
export const integers = (...values: number[]): Constant => typed("int64", [values.length], values);

function typeOf({ data, type }: Constant): number {
  if (type !== undefined) return type;
  return data instanceof Float32Array ? 1 : data instanceof BigInt64Array ? 7 : 2;
}

function writeNode({ op, inputs, outputs, attributes = {}, domain = "" }: Node, w: PbfWriter): void {
  for (const name of inputs) w.writeStringField(1, name);
  for (const name of outputs) w.writeStringField(2, name);
  w.writeStringField(3, `${op}-${outputs[0]}`);
  w.writeStringField(4, op);
  if (domain) w.writeStringField(7, domain);
  for (const entry of Object.entries(attributes)) w.writeMessage(5, writeAttribute, entry);
}

function writeAttribute([name, value]: readonly [string, Attribute], w: PbfWriter): void {
  w.writeStringField(1, name);
  const type = (code: number) => w.writeVarintField(20, code);
  if (typeof value === "number") {
    w.writeVarintField(3, value);
    type(2);
  } else if (typeof value === "string") {
    w.writeStringField(4, value);
    type(3);
  } else if ("float" in value) {
    w.writeFloatField(2, value.float);
    type(1);
  } else if ("floats" in value) {
    for (const one of value.floats) w.writeFloatField(7, one);
    type(6);
  } else if ("strings" in value) {
    for (const one of value.strings) w.writeStringField(9, one);
    type(8);
  } else if ("graph" in value) {
    w.writeMessage(6, writeGraph, value.graph);
    type(5);
  } else if ("ref" in value) w.writeStringField(21, value.ref);
  else {
    for (const one of value) w.writeVarintField(8, one);
    type(7);
  }
}

/** The bytes of a .pb file that holds one tensor. */
export function tensorFile(constant: Constant): Uint8Array {
  const w = new PbfWriter();
  writeConstant(["", constant], w);
  return w.finish();
}

function writeConstant([name, constant]: readonly [string, Constant], w: PbfWriter): void {
  for (const size of constant.dims) w.writeVarintField(1, size);
  w.writeVarintField(2, typeOf(constant));
  w.writeStringField(8, name);
  const { data, external } = constant;
  if (external === undefined) {
    w.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return;
  }
  for (const entry of Object.entries(external)) {
    w.writeMessage(13, (texts, e) => texts.forEach((text, i) => void e.writeStringField(i + 1, text)), entry);
  }
  w.writeVarintField(14, 1);
}

function writeValue([name, type, dims]: readonly [string, number, readonly (number | string)[]], w: PbfWriter): void {
  w.writeStringField(1, name);
  const dimension = (size: number | string, d: PbfWriter) =>
    typeof size === "number" ? d.writeVarintField(1, size) : d.writeStringField(2, size);
  const shape = (_: null, s: PbfWriter) => {
    for (const size of dims) s.writeMessage(1, dimension, size);
  };
  const tensor = (_: null, t: PbfWriter) => {
    t.writeVarintField(1, type);
    t.writeMessage(2, shape, null);
  };
  w.writeMessage(2, (_, t) => t.writeMessage(1, tensor, null), null);
}

function writeGraph({ nodes, inputs, declared = {}, types = {}, outputs, constants = {} }: Graph, g: PbfWriter): void {
  for (const node of nodes) g.writeMessage(1, writeNode, node);
  g.writeStringField(2, "graph");
  for (const entry of Object.entries(constants)) g.writeMessage(5, writeConstant, entry);
  const own = <T>(of: Readonly<Record<string, T>>, name: string, otherwise: T): T =>
    (Object.hasOwn(of, name) ? of[name] : undefined) ?? otherwise; // names may be those of Object.prototype
  for (const [name, dims] of Object.entries(inputs)) g.writeMessage(11, writeValue, [name, own(types, name, 1), dims]);
  for (const name of outputs) g.writeMessage(12, writeValue, [name, own(types, name, 1), own(declared, name, [])]);
}

function writeOpset([domain, version]: readonly [string, number], w: PbfWriter): void {
  if (domain) w.writeStringField(1, domain);
  w.writeVarintField(2, version);
}

function writeFunction(
  { name, domain, inputs, outputs, nodes, defaults = {}, opset = 17 }: FileFunction,
  w: PbfWriter,
): void {
  w.writeStringField(1, name);
  for (const input of inputs) w.writeStringField(4, input);
  for (const output of outputs) w.writeStringField(5, output);
  for (const node of nodes) w.writeMessage(7, writeNode, node);
  w.writeMessage(9, writeOpset, ["", opset] as const);
  w.writeStringField(10, domain);
  for (const entry of Object.entries(defaults)) w.writeMessage(11, writeAttribute, entry);
}

/** The bytes of a .onnx file. */
export function onnxFile({ opset = 17, functions = [], metadata = {}, ...graph }: File): Uint8Array {
  const w = new PbfWriter();
  w.writeVarintField(1, 8);
  w.writeMessage(7, writeGraph, graph);
  w.writeMessage(8, writeOpset, ["", opset] as const);
  const domains = new Set(
    [...graph.nodes, ...functions.flatMap(({ nodes }) => nodes), ...functions].map((of) => of.domain),
  );
  for (const domain of domains) if (domain) w.writeMessage(8, writeOpset, [domain, 1] as const);
  for (const entry of Object.entries(metadata)) {
    w.writeMessage(14, (texts, e) => texts.forEach((text, i) => void e.writeStringField(i + 1, text)), entry);
  }
  for (const one of functions) w.writeMessage(25, writeFunction, one);
  return w.finish();
}
