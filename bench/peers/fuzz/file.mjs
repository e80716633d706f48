// ONNX files of one node, with operands of any type that both sides take.
import { PbfWriter } from "pbf";

/** TensorProto.DataType and array of each element type; halves are bits. */
export const TYPES = {
  float32: [1, Float32Array],
  uint8: [2, Uint8Array],
  int8: [3, Int8Array],
  uint16: [4, Uint16Array],
  int16: [5, Int16Array],
  int32: [6, Int32Array],
  int64: [7, BigInt64Array],
  bool: [9, Uint8Array],
  float16: [10, Uint16Array],
  float64: [11, Float64Array],
  uint32: [12, Uint32Array],
  uint64: [13, BigUint64Array],
};

/** Whole numbers and lists of them, texts; { float }, { floats }, { tensor }. */
function writeAttribute([name, value], w) {
  w.writeStringField(1, name);
  let type;
  if (typeof value === "string") {
    type = 3;
    w.writeStringField(4, value);
  } else if (typeof value === "number") {
    type = 2;
    w.writeVarintField(3, value);
  } else if (Array.isArray(value)) {
    type = 7;
    for (const one of value) w.writeVarintField(8, one);
  } else if (value.tensor) {
    type = 4;
    w.writeMessage(5, writeTensor, value.tensor);
  } else if (value.floats) {
    type = 6;
    for (const one of value.floats) w.writeFloatField(7, one);
  } else {
    type = 1;
    w.writeFloatField(2, value.float);
  }
  w.writeVarintField(20, type);
}

function writeTensor({ name = "", type, shape, data }, w) {
  for (const size of shape) w.writeVarintField(1, size);
  w.writeVarintField(2, TYPES[type][0]);
  w.writeStringField(8, name);
  w.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** Outputs say neither type nor shape: both sides work that out. */
function writeValue({ name, type, shape }, w) {
  w.writeStringField(1, name);
  if (type === undefined) return;
  w.writeMessage(
    2,
    (_, inType) =>
      inType.writeMessage(
        1,
        (_, inTensor) => {
          inTensor.writeVarintField(1, TYPES[type][0]);
          inTensor.writeMessage(
            2,
            (_, inShape) => {
              for (const size of shape) inShape.writeMessage(1, (of, inDim) => inDim.writeVarintField(1, of), size);
            },
            null,
          );
        },
        null,
      ),
    null,
  );
}

function writeNode({ op, domain, attributes, inputs, outputs }, w) {
  for (const name of inputs) w.writeStringField(1, name);
  for (const name of outputs) w.writeStringField(2, name);
  w.writeStringField(3, `${op} ${outputs[0]}`);
  w.writeStringField(4, op);
  if (domain) w.writeStringField(7, domain);
  for (const entry of Object.entries(attributes)) w.writeMessage(5, writeAttribute, entry);
}

/** The file of a case: operands that are constant are initialisers, the others inputs. chain: nodes and constants behind it. */
export function fileOf({ op, domain, opset, attributes, inputs, outputs }, chain = { nodes: [], constants: [] }) {
  const w = new PbfWriter();
  w.writeVarintField(1, 10);
  w.writeMessage(
    7,
    (_, graph) => {
      const names = inputs.map((input) => input?.name ?? "");
      graph.writeMessage(1, writeNode, { op, domain, attributes, inputs: names, outputs });
      for (const { output, ...node } of chain.nodes) graph.writeMessage(1, writeNode, { ...node, outputs: [output] });
      for (const tensor of chain.constants) graph.writeMessage(5, writeTensor, tensor);
      graph.writeStringField(2, "graph");
      const given = inputs.filter(Boolean);
      for (const tensor of given) if (tensor.constant) graph.writeMessage(5, writeTensor, tensor);
      for (const tensor of given) if (!tensor.constant) graph.writeMessage(11, writeValue, tensor);
      const answers = chain.nodes.length > 0 ? [chain.nodes.at(-1).output] : outputs;
      for (const name of answers) graph.writeMessage(12, writeValue, { name });
    },
    null,
  );
  for (const [name, version] of [["", opset], ...(domain ? [[domain, 1]] : [])])
    w.writeMessage(
      8,
      (_, set) => {
        set.writeStringField(1, name);
        set.writeVarintField(2, version);
      },
      null,
    );
  return w.finish();
}

/** The file of a network: inputs { name, type, shape }, constants { name, type, shape, data }, names of outputs. */
export function networkFile({ nodes, constants, inputs, outputs, opset }) {
  const w = new PbfWriter();
  w.writeVarintField(1, 10);
  w.writeMessage(
    7,
    (_, graph) => {
      for (const { attributes = {}, ...node } of nodes) graph.writeMessage(1, writeNode, { ...node, attributes });
      graph.writeStringField(2, "graph");
      for (const tensor of constants) graph.writeMessage(5, writeTensor, tensor);
      for (const input of inputs) graph.writeMessage(11, writeValue, input);
      for (const name of outputs) graph.writeMessage(12, writeValue, { name });
    },
    null,
  );
  const domains = new Set(nodes.map(({ domain }) => domain).filter(Boolean));
  for (const [name, version] of [["", opset], ...[...domains].map((domain) => [domain, 1])])
    w.writeMessage(
      8,
      (_, set) => {
        set.writeStringField(1, name);
        set.writeVarintField(2, version);
      },
      null,
    );
  return w.finish();
}
