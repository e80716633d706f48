// Just enough of onnx.proto3 to write a network down: what model.mjs and audio-worklet/denoise.mjs make files with.
import { PbfWriter } from "pbf";

const FLOAT = 1;
const INT64 = 7;

/**
 * The bytes of an ONNX file, of operator set 13. nodes: [operator, inputs, outputs, attributes of whole numbers]; inputs and outputs: name to
 * shape; constants: name to { dims, data }, float32, or int64 for a BigInt64Array.
 */
export function writeOnnx({ nodes, inputs, outputs, constants }) {
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, 8); // the format's version
  pbf.writeMessage(8, (version) => pbf.writeVarintField(2, version), 13); // of operators
  pbf.writeMessage(7, writeGraph, { nodes, inputs, outputs, constants });
  return pbf.finish();
}

function writeGraph({ nodes, inputs, outputs, constants }, pbf) {
  for (const node of nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, "network");
  for (const [name, { dims, data }] of Object.entries(constants))
    pbf.writeMessage(5, writeTensor, { name, dims, data });
  for (const value of Object.entries(inputs)) pbf.writeMessage(11, writeValue, value);
  for (const value of Object.entries(outputs)) pbf.writeMessage(12, writeValue, value);
}

function writeNode([op, from, to, attributes = {}], pbf) {
  for (const name of from) pbf.writeStringField(1, name);
  for (const name of to) pbf.writeStringField(2, name);
  pbf.writeStringField(4, op);
  for (const attribute of Object.entries(attributes)) pbf.writeMessage(5, writeAttribute, attribute);
}

function writeAttribute([name, value], pbf) {
  pbf.writeStringField(1, name);
  const isList = Array.isArray(value);
  if (isList) for (const number of value) pbf.writeVarintField(8, number);
  else pbf.writeVarintField(3, value);
  pbf.writeVarintField(20, isList ? 7 : 2); // INTS, INT
}

function writeTensor({ name, dims, data }, pbf) {
  for (const dim of dims) pbf.writeVarintField(1, dim);
  pbf.writeVarintField(2, data instanceof BigInt64Array ? INT64 : FLOAT);
  pbf.writeStringField(8, name);
  pbf.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValue([name, shape], pbf) {
  pbf.writeStringField(1, name);
  pbf.writeMessage(2, writeType, shape);
}

const writeType = (shape, pbf) => pbf.writeMessage(1, writeTensorType, shape);

function writeTensorType(shape, pbf) {
  pbf.writeVarintField(1, FLOAT);
  pbf.writeMessage(2, writeShape, shape);
}

function writeShape(shape, pbf) {
  for (const size of shape) pbf.writeMessage(1, (dim) => pbf.writeVarintField(1, dim), size);
}
