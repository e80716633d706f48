// ONNX models of one node, as bytes: protobuf by hand, field numbers from onnx.proto3.

const text = new TextEncoder();

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
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

const FLOAT = 1;
const [ATTRIBUTE_INT, ATTRIBUTE_INTS] = [2, 7];

function attribute(name, value) {
  if (typeof value === "number") return field(5, [field(1, name), field(3, value), field(20, ATTRIBUTE_INT)]);
  return field(5, [field(1, name), ...value.map((one) => field(8, one)), field(20, ATTRIBUTE_INTS)]);
}

function tensor({ name, shape, data }) {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return field(5, [...shape.map((size) => field(1, size)), field(2, FLOAT), field(8, name), field(9, raw)]);
}

function valueInfo(number, name, shape) {
  const dims = field(
    2,
    shape.map((size) => field(1, [field(1, size)])),
  );
  return field(number, [field(1, name), field(2, [field(1, [field(1, FLOAT), dims])])]);
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
