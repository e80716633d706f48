// Small ONNX files, written by hand: messages of fields, the numbers those of onnx.proto.
const varint = (value) => {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
};
const whole = (field, value) => [...varint(field * 8), ...varint(value)];
const nested = (field, bytes) => [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
const text = (field, value) => nested(field, [...Buffer.from(value)]);

/** A value of float32 by name; a size that is a word is open. */
function value(field, { name, shape }) {
  const dims = shape.flatMap((size) => nested(1, typeof size === "number" ? whole(1, size) : text(2, size)));
  const tensor = [...whole(1, 1), ...nested(2, dims)];
  return nested(field, [...text(1, name), ...nested(2, nested(1, tensor))]);
}

/** nodes: [op, inputs, output]; constants: { name, shape } of zeros. */
export function onnxFile({ inputs, outputs, nodes, constants = [] }) {
  const graph = [
    ...nodes.flatMap(([op, from, to], i) => {
      const names = from.flatMap((name) => text(1, name));
      return nested(1, [...names, ...text(2, to), ...text(3, `node${i}`), ...text(4, op)]);
    }),
    ...text(2, "graph"),
    ...constants.flatMap(({ name, shape }) => {
      const data = new Array(4 * shape.reduce((a, b) => a * b)).fill(0);
      return nested(5, [
        ...shape.flatMap((size) => whole(1, size)),
        ...whole(2, 1),
        ...text(8, name),
        ...nested(9, data),
      ]);
    }),
    ...inputs.flatMap((input) => value(11, input)),
    ...outputs.flatMap((output) => value(12, output)),
  ];
  return Buffer.from([...whole(1, 8), ...text(2, "by hand"), ...nested(7, graph), ...nested(8, whole(2, 17))]);
}
