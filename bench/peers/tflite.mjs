// TFLite models of one operator, as bytes: field numbers from TensorFlow's schema.fbs. NHWC, float32.
import { Builder } from "flatbuffers";

const [SAME, VALID] = [0, 1];
/** BuiltinOperator and BuiltinOptions of the schema. */
const OPERATORS = {
  average: { code: 1, options: 5 },
  global: { code: 1, options: 5 },
  conv: { code: 3, options: 1 },
  depthwise: { code: 4, options: 2 },
  linear: { code: 9, options: 8 },
  max: { code: 17, options: 5 },
};

/**
 * TensorFlow knows two paddings by name and puts an odd pixel behind: padding of one pixel around a 3x3 of stride 2 is
 * "same" with one behind. Answers the layer with the padding [top, left, bottom, right] of the name that has its output size.
 */
export function withNamedPadding(layer) {
  const { operator, H, W, P, Q, R, S, kernel, stride, dilation = 1 } = layer;
  if (operator === "linear" || operator === "global") return { ...layer, paddingName: VALID };
  const total = (outputs, pixels, size) => (outputs - 1) * stride + dilation * (size - 1) + 1 - pixels;
  const [rows, columns] = [total(P, H, R ?? kernel), total(Q, W, S ?? kernel)];
  if (rows <= 0 && columns <= 0) return { ...layer, padding: [0, 0, 0, 0], paddingName: VALID };
  if (P !== Math.ceil(H / stride) || Q !== Math.ceil(W / stride))
    throw new Error(`no named padding makes ${P}x${Q} of ${H}x${W}`);
  const [y, x] = [Math.max(0, rows), Math.max(0, columns)];
  return { ...layer, padding: [y >> 1, x >> 1, y - (y >> 1), x - (x >> 1)], paddingName: SAME };
}

/** The model of a layer from withNamedPadding. data: operands, w as [M, C/groups, R, S] or [M, C]. */
export function tfliteModel(layer, { w, bias }) {
  const { operator, N, C, H, W, M, P, Q, R, S, groups } = layer;
  const isDepthwise = operator === "conv" && groups === C && M === C;
  const kind = isDepthwise ? "depthwise" : operator;
  const b = new Builder(1024 + 4 * ((w?.length ?? 0) + (bias?.length ?? 0)));

  const isLinear = operator === "linear";
  const tensors = [
    { name: "x", shape: isLinear ? [N, C] : [N, H, W, C] },
    { name: "y", shape: isLinear ? [N, M] : [N, P, Q, M] },
  ];
  if (w !== undefined) {
    const shape = { conv: [M, R, S, C / groups], depthwise: [1, R, S, C], linear: [M, C] }[kind];
    const data = {
      conv: () => channelsBehind(w, M, C / groups, R * S),
      depthwise: () => channelsBehind(w, 1, C, R * S),
    };
    tensors.push({ name: "w", shape, data: data[kind]?.() ?? w }, { name: "b", shape: [M], data: bias });
  }

  // Buffer 0 is the empty one, of tensors that are computed.
  const buffers = [table(b, 1, []), ...tensors.filter(({ data }) => data).map(({ data }) => bufferOf(b, data))];
  let constants = 0;
  const tensorRows = tensors.map(({ name, shape, data }) => {
    const fields = [b.createString(name), vectorOf(b, shape)];
    return table(b, 4, [
      [0, "Offset", fields[1]],
      [2, "Int32", data ? ++constants : 0],
      [3, "Offset", fields[0]],
    ]);
  });
  const options = optionsOf(b, kind, layer);
  const inputs = vectorOf(b, [0, ...tensors.slice(2).map((_, i) => i + 2)]);
  const outputs = vectorOf(b, [1]);
  const operatorRow = table(b, 5, [
    [1, "Offset", inputs],
    [2, "Offset", outputs],
    [3, "Int8", OPERATORS[kind].options],
    [4, "Offset", options],
  ]);
  const [tensorList, graphInputs, graphOutputs, operatorList] = [
    offsets(b, tensorRows),
    vectorOf(b, [0]),
    vectorOf(b, [1]),
    offsets(b, [operatorRow]),
  ];
  const graph = table(b, 4, [
    [0, "Offset", tensorList],
    [1, "Offset", graphInputs],
    [2, "Offset", graphOutputs],
    [3, "Offset", operatorList],
  ]);
  const code = table(b, 4, [
    [0, "Int8", OPERATORS[kind].code],
    [2, "Int32", 1],
    [3, "Int32", OPERATORS[kind].code],
  ]);
  const [codeList, graphList, bufferList] = [offsets(b, [code]), offsets(b, [graph]), offsets(b, buffers)];
  const model = table(b, 5, [
    [0, "Int32", 3],
    [1, "Offset", codeList],
    [2, "Offset", graphList],
    [4, "Offset", bufferList],
  ]);
  b.finish(model, "TFL3");
  return b.asUint8Array();
}

function optionsOf(b, kind, { paddingName, stride, dilation, kernel }) {
  const int8 = (field, value) => [field, "Int8", value];
  const int32 = (field, value) => [field, "Int32", value];
  const window = [int8(0, paddingName), int32(1, stride), int32(2, stride)];
  if (kind === "conv") return table(b, 6, [...window, int32(4, dilation), int32(5, dilation)]);
  if (kind === "depthwise") return table(b, 7, [...window, int32(3, 1), int32(5, dilation), int32(6, dilation)]);
  if (kind === "linear") return table(b, 4, []);
  return table(b, 6, [...window, int32(3, kernel), int32(4, kernel)]);
}

/** A table of [field, type, value]; zero is every one of these fields' default, or said by its presence. */
function table(b, size, fields) {
  b.startObject(size);
  for (const [field, type, value] of fields) {
    if (type === "Offset") b.addFieldOffset(field, value, 0);
    else b[`addField${type}`](field, value, 0);
  }
  return b.endObject();
}

function vectorOf(b, numbers) {
  b.startVector(4, numbers.length, 4);
  for (const number of numbers.toReversed()) b.addInt32(number);
  return b.endVector();
}

function offsets(b, rows) {
  b.startVector(4, rows.length, 4);
  for (const row of rows.toReversed()) b.addOffset(row);
  return b.endVector();
}

/** Weights start on 16 bytes, as the schema demands. */
function bufferOf(b, data) {
  b.prep(16, data.byteLength);
  const bytes = b.createByteVector(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return table(b, 1, [[0, "Offset", bytes]]);
}

/** [rows, taps, channels] from [rows, channels, taps]. */
function channelsBehind(data, rows, channels, taps) {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < channels; c++)
      for (let tap = 0; tap < taps; tap++)
        out[(row * taps + tap) * channels + c] = data[(row * channels + c) * taps + tap];
  }
  return out;
}
