// ONNX models of one node, as bytes: protobuf by hand, field numbers from onnx.proto3.

const text = new TextEncoder();

function varint(value) {
  const bytes = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) + 128);
  }
}

const concat = (parts) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
/** A field: a whole number, or bytes, text, or a message (an array of fields) with its length before it. */
function field(number, value) {
  if (typeof value === "number") return Uint8Array.from([...varint(number * 8), ...varint(value)]);
  const bytes = typeof value === "string" ? text.encode(value) : Array.isArray(value) ? concat(value) : value;
  return concat([[...varint(number * 8 + 2), ...varint(bytes.length)], bytes]);
}

/** TensorProto.DataType. */
const TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 };
const [ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_STRING, ATTRIBUTE_INTS] = [1, 2, 3, 7];

function fixed32(number, value) {
  return Uint8Array.from([...varint(number * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)]);
}

/** Whole numbers, lists of them, texts; { float } for a real one. */
function attribute(name, value) {
  const of = (type, ...fields) => field(5, [field(1, name), ...fields, field(20, type)]);
  if (typeof value === "number") return of(ATTRIBUTE_INT, field(3, value));
  if (typeof value === "string") return of(ATTRIBUTE_STRING, field(4, value));
  if ("float" in value) return of(ATTRIBUTE_FLOAT, fixed32(2, value.float));
  return of(ATTRIBUTE_INTS, ...value.map((one) => field(8, one)));
}

function tensor({ name, shape, data, type = "float32" }) {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return field(5, [...shape.map((size) => field(1, size)), field(2, TYPES[type]), field(8, name), field(9, raw)]);
}

function valueInfo(number, name, shape, type = "float32") {
  const dims = field(
    2,
    shape.map((size) => field(1, [field(1, size)])),
  );
  return field(number, [field(1, name), field(2, [field(1, [field(1, TYPES[type]), dims])])]);
}

/** A graph of nodes { op, inputs, output, attributes } from "x" to "y". weights: [{ name, shape, data }]. */
export function onnxGraph({ nodes, input, output, weights = [] }) {
  const rows = nodes.map(({ op, inputs, output: result, attributes = {} }) =>
    field(1, [
      ...inputs.map((name) => field(1, name)),
      field(2, result),
      field(3, result),
      field(4, op),
      ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    ]),
  );
  const graph = [
    ...rows,
    field(2, "graph"),
    ...weights.map(tensor),
    valueInfo(11, "x", input),
    valueInfo(12, "y", output),
  ];
  return concat([field(1, 8), field(7, graph), field(8, [field(1, ""), field(2, 17)])]);
}

/** x -> op(x, ...weights) -> y. */
export function onnxModel({ op, attributes, input, output, weights = [] }) {
  const inputs = ["x", ...weights.map(({ name }) => name)];
  return onnxGraph({ nodes: [{ op, inputs, output: "y", attributes }], input, output, weights });
}

/** One node on operands { name, type, shape, data?, isConstant? }, undefined for what is left out; outputs are names. */
export function operatorModel({ op, attributes = {}, operands, outputs, opset }) {
  const given = operands.filter(Boolean);
  const node = field(1, [
    ...operands.map((operand) => field(1, operand?.name ?? "")),
    ...outputs.map((name) => field(2, name)),
    field(3, op),
    field(4, op),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  ]);
  const graph = [
    node,
    field(2, "graph"),
    ...given.filter(({ isConstant }) => isConstant).map(tensor),
    ...given.filter(({ isConstant }) => !isConstant).map(({ name, shape, type }) => valueInfo(11, name, shape, type)),
    ...outputs.map((name) => field(12, [field(1, name)])),
  ];
  return concat([field(1, 8), field(7, graph), field(8, [field(1, ""), field(2, opset)])]);
}
