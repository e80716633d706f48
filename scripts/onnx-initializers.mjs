// Operands of an ONNX file made constants: graph inputs that get an initialiser of their name. Fields that are not looked at
// stay byte for byte as they are.
import { PbfReader, PbfWriter } from "pbf";

/** Field numbers of onnx.proto3. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const GRAPH_INPUT = 11;
const VALUE_NAME = 1;
const TENSOR_NAME = 8;

/** [number, payload, all of its bytes] of every field of a message; no payload but of what has a length. */
function fieldsOf(bytes) {
  const reader = new PbfReader(bytes);
  const fields = [];
  for (let start = 0, number = reader.nextField(); number; start = reader.pos, number = reader.nextField()) {
    let payload;
    if (reader.type === 2) payload = reader.readBytes();
    else reader.skip(reader.type);
    fields.push([number, payload, bytes.subarray(start, reader.pos)]);
  }
  return fields;
}

const payloads = (fields, number) => fields.filter((field) => field[0] === number).map((field) => field[1]);
const text = (message, number) => Buffer.from(payloads(fieldsOf(message), number)[0] ?? []).toString();

/** Names of the inputs that a run has to give. */
export function inputNames(model) {
  const graph = fieldsOf(payloads(fieldsOf(model), MODEL_GRAPH)[0] ?? new Uint8Array());
  const known = new Set(payloads(graph, GRAPH_INITIALIZER).map((tensor) => text(tensor, TENSOR_NAME)));
  return payloads(graph, GRAPH_INPUT)
    .map((value) => text(value, VALUE_NAME))
    .filter((name) => !known.has(name));
}

const field = (number, bytes) => {
  const writer = new PbfWriter();
  writer.writeBytesField(number, bytes);
  return writer.finish();
};

/** The model with one more initialiser for every [name, bytes of a TensorProto]. */
export function withInitializers(model, tensors) {
  const initializers = [...tensors].map(([name, tensor]) => {
    const own = fieldsOf(tensor).filter(([number]) => number !== TENSOR_NAME);
    const bytes = Buffer.concat([...own.map(([, , all]) => all), field(TENSOR_NAME, Buffer.from(name))]);
    return field(GRAPH_INITIALIZER, bytes);
  });
  return Buffer.concat(
    fieldsOf(model).map(([number, graph, all]) =>
      number === MODEL_GRAPH ? field(MODEL_GRAPH, Buffer.concat([graph, ...initializers])) : all,
    ),
  );
}
