// Cases of quantised operators, of signals, and of com.microsoft.

const product = (list) => list.reduce((a, b) => a * b, 1);
const scale = (r, shape = []) => r.floats(shape, [0.01, 0.2]);
const BYTES = ["uint8", "int8"];
const bounds = (type) => (type === "uint8" ? [0, 255] : [-128, 127]);
const bytes = (r, type, shape) => r.tensor(type, shape, bounds(type));
/** Scale and zero point, of a tensor or a row. */
const quantum = (r, type, shape = []) => [scale(r, shape), bytes(r, type, shape)];

function quantize(r, opset) {
  const type = r.pick(BYTES);
  const x = r.floats(r.shape(r.int(1, 4), 6), [-9, 9]);
  if (opset < 13 || r.chance(0.5)) return { inputs: [x, ...quantum(r, type)], attributes: {}, quanta: 1 };
  const axis = r.axis(x.shape.length);
  return { inputs: [x, ...quantum(r, type, [x.shape.at(axis)])], attributes: { axis }, quanta: 1 };
}

function dequantize(r, opset) {
  const type = r.pick(BYTES);
  const x = bytes(r, type, r.shape(r.int(1, 4), 6));
  if (opset < 13 || r.chance(0.5)) return { inputs: [x, ...quantum(r, type)], attributes: {} };
  const axis = r.axis(x.shape.length);
  return { inputs: [x, ...quantum(r, type, [x.shape.at(axis)])], attributes: { axis } };
}

function qlinearConv(r) {
  const [type, group] = [r.pick(BYTES), r.pick([1, 1, 2])];
  const [each, filters, ...kernel] = r.shape(4, 3);
  const weightType = type === "int8" ? "int8" : r.pick(BYTES);
  const rows = r.chance(0.5) ? [filters * group] : [];
  const zeros = weightType === "int8" ? r.tensor("int8", rows, () => 0) : r.tensor("uint8", rows, () => 128);
  const inputs = [
    bytes(r, type, [1, each * group, ...kernel.map((k) => k + r.int(0, 4))]),
    ...quantum(r, type),
    bytes(r, weightType, [filters * group, each, ...kernel]),
    scale(r, rows),
    zeros,
    r.floats([], [0.5, 2]),
    bytes(r, type, []),
    r.chance(0.5) ? r.tensor("int32", [filters * group], [-500, 500]) : null,
  ];
  return {
    inputs,
    attributes: { ...(group > 1 && { group }), ...(r.chance(0.5) && { pads: [1, 1, 1, 1] }) },
    quanta: 1,
  };
}

function qlinearMatMul(r) {
  const [M, N, K] = r.shape(3, 8);
  const type = r.pick(BYTES);
  const inputs = [
    bytes(r, type, [M, K]),
    ...quantum(r, type),
    bytes(r, type, [K, N]),
    ...quantum(r, type),
    r.floats([], [0.5, 2]),
    bytes(r, type, []),
  ];
  return { inputs, attributes: {}, quanta: 1 };
}

const integerProduct = (shapes) => (r) => {
  const [a, b] = shapes(r);
  const types = [r.pick(BYTES), r.pick(BYTES)];
  const inputs = [bytes(r, types[0], a), bytes(r, types[1], b)];
  if (r.chance(0.5)) inputs.push(bytes(r, types[0], []));
  if (inputs.length === 3 && r.chance(0.5)) inputs.push(bytes(r, types[1], []));
  return { inputs, attributes: {} };
};

const MICROSOFT = { domain: "com.microsoft" };
const quantisedPair = (r) => {
  const type = r.pick(BYTES);
  const shape = r.shape(r.int(1, 4));
  const inputs = [
    bytes(r, type, r.broadcast(shape)),
    ...quantum(r, type),
    bytes(r, type, r.broadcast(shape)),
    ...quantum(r, type),
    ...quantum(r, type),
  ];
  return { ...MICROSOFT, inputs, attributes: {}, quanta: 1 };
};
const quantisedOne = (attributes) => (r) => {
  const type = r.pick(BYTES);
  return {
    ...MICROSOFT,
    inputs: [bytes(r, type, r.shape(r.int(1, 4))), ...quantum(r, type), ...quantum(r, type)],
    attributes: attributes(r),
    quanta: 1,
  };
};

function qgemm(r) {
  const [M, N, K] = r.shape(3, 8);
  const [transA, transB] = [r.int(0, 1), r.int(0, 1)];
  const rows = r.chance(0.5) ? [N] : [];
  const [type, weightType] = ["uint8", r.pick(BYTES)];
  const inputs = [
    bytes(r, type, transA ? [K, M] : [M, K]),
    ...quantum(r, type),
    bytes(r, weightType, transB ? [N, K] : [K, N]),
    scale(r, rows),
    weightType === "int8" ? r.tensor("int8", rows, () => 0) : r.tensor("uint8", rows, () => 128),
    r.chance(0.5) ? r.tensor("int32", [N], [-500, 500]) : null,
    ...(r.chance(0.7) ? [r.floats([], [0.5, 2]), bytes(r, type, [])] : []),
  ];
  return { ...MICROSOFT, inputs, attributes: { transA, transB, alpha: { float: 1 } }, quanta: 1 };
}

const gelu = (withBias) => (r) => {
  const x = r.floats(r.shape(r.int(1, 4)));
  return { ...MICROSOFT, inputs: withBias(r) ? [x, r.floats([x.shape.at(-1)])] : [x], attributes: {}, K: 64 };
};

function fusedConv(r) {
  const [group, each, filters] = [r.pick([1, 1, 2]), r.int(1, 3), r.int(1, 4)];
  const kernel = r.shape(2, 3);
  const size = kernel.map((k) => k + r.int(0, 5));
  const out = [1, filters * group, ...size.map((n, i) => n - kernel[i] + 1)];
  const inputs = [
    r.floats([1, each * group, ...size]),
    r.floats([filters * group, each, ...kernel]),
    r.floats([filters * group]),
  ];
  if (r.chance(0.3)) inputs.push(r.floats(out));
  const [activation, params] = r.pick([
    ["Relu"],
    ["Tanh"],
    ["Sigmoid"],
    ["LeakyRelu", [0.1]],
    ["Clip", [-0.5, 0.5]],
    ["HardSigmoid", [0.2, 0.5]],
  ]);
  const attributes = {
    kernel_shape: kernel,
    ...(group > 1 && { group }),
    activation,
    ...(params && { activation_params: { floats: params } }),
  };
  return { ...MICROSOFT, inputs, attributes, K: 16 * each * product(kernel) };
}

function fusedMatMul(r) {
  const [M, N, K] = r.shape(3, 6);
  const [transA, transB] = [r.int(0, 1), r.int(0, 1)];
  const batch = r.shape(r.int(0, 2), 3);
  const inputs = [
    r.floats([...batch, ...(transA ? [K, M] : [M, K])]),
    r.floats([...batch, ...(transB ? [N, K] : [K, N])]),
  ];
  return { ...MICROSOFT, inputs, attributes: { transA, transB, alpha: { float: r.float() } }, K };
}

const skip = (isSimple) => (r) => {
  const shape = r.shape(3, 6).map((n) => n + 1);
  const row = () => r.floats([shape[2]]);
  const inputs = [
    r.floats(shape),
    r.floats(shape),
    row(),
    ...(isSimple ? [] : [r.chance(0.6) ? row() : null]),
    r.chance(0.5) ? row() : null,
  ];
  return { ...MICROSOFT, inputs, attributes: { epsilon: { float: 1e-3 } }, K: 256 };
};

function multiHead(r) {
  const [B, S, T, heads] = r.shape(4, 4);
  const size = r.int(1, 3) * 2 * heads;
  const inputs = [r.floats([B, S, size]), r.floats([B, T, size]), r.floats([B, T, size])];
  if (r.chance(0.4)) inputs.push(r.floats([3 * size]));
  return {
    ...MICROSOFT,
    inputs,
    attributes: { num_heads: heads, ...(r.chance(0.3) && { scale: { float: 0.4 } }) },
    K: 256,
  };
}

function attentionMicrosoft(r) {
  const [B, S, heads] = r.shape(3, 4);
  const size = r.int(1, 3) * 2 * heads;
  const input = r.int(1, 6);
  const attributes = { num_heads: heads, ...(r.chance(0.3) && { unidirectional: 1 }) };
  return {
    ...MICROSOFT,
    inputs: [r.floats([B, S, input]), r.floats([input, 3 * size]), r.floats([3 * size])],
    attributes,
    K: 512,
  };
}

function attention(r) {
  const [B, S, T, groups] = r.shape(4, 3);
  const [heads, E, V] = [groups * r.int(1, 2), r.int(1, 4), r.int(1, 4)];
  const attributes = {
    ...(r.chance(0.3) && { is_causal: 1 }),
    ...(r.chance(0.3) && { scale: { float: 0.4 } }),
    ...(r.chance(0.2) && { softcap: { float: 2 } }),
  };
  const mask = r.chance(0.4) ? r.floats([S, T]) : null;
  const isFlat = r.chance(0.4);
  const of = (n, length, size) => r.floats(isFlat ? [B, length, n * size] : [B, n, length, size]);
  if (isFlat) Object.assign(attributes, { q_num_heads: heads, kv_num_heads: groups });
  return { inputs: [of(heads, S, E), of(groups, T, E), of(groups, T, V), mask], attributes, K: 256 };
}

function rotary(r) {
  const [B, S, heads] = r.shape(3, 3);
  const size = 2 * r.int(1, 3);
  const cache = () => r.floats([S + 2, size / 2]);
  const positions = r.tensor("int64", [B, S], (i) => i % S);
  const attributes = r.chance(0.5) ? { interleaved: 1 } : {};
  return { inputs: [r.floats([B, heads, S, size]), cache(), cache(), positions], attributes, K: 16 };
}

const windows = (r) => ({
  inputs: [r.tensor("int64", [], [1, 12])],
  attributes: r.chance(0.5) ? { periodic: r.int(0, 1) } : {},
  K: 64,
});

function quantisedPool(r) {
  const type = r.pick(BYTES);
  const kernel = r.shape(2, 3);
  const x = bytes(r, type, [r.int(1, 2), r.int(1, 9), ...kernel.map((k) => k + r.int(0, 5))]);
  const attributes = { kernel_shape: kernel, ...(r.chance(0.5) && { strides: r.shape(2, 2) }) };
  const [top, left] = kernel.map((k) => r.int(0, k - 1));
  if (r.chance(0.4)) attributes.pads = [top, left, top, left];
  return { ...MICROSOFT, inputs: [x, ...quantum(r, type), ...quantum(r, type)], attributes, quanta: 1 };
}

function quantisedConcat(r) {
  const type = r.pick(BYTES);
  const shape = r.shape(r.int(1, 4), 4);
  const axis = r.int(0, shape.length - 1);
  const part = () => [
    bytes(
      r,
      type,
      shape.map((n, i) => (i === axis ? r.int(1, 4) : n)),
    ),
    ...quantum(r, type),
  ];
  return {
    ...MICROSOFT,
    inputs: [...quantum(r, type), ...r.list(r.int(1, 3), part).flat()],
    attributes: { axis },
    quanta: 1,
  };
}

function stft(r) {
  const [batch, steps, frame] = [r.int(1, 2), r.int(1, 4), r.int(2, 8)];
  const length = frame + r.int(0, 10);
  const window = r.chance(0.5) ? r.floats([frame], [0, 1]) : null;
  const inputs = [r.floats([batch, length, 1]), r.scalar("int64", steps), window, r.scalar("int64", frame)];
  return { inputs, attributes: { onesided: r.int(0, 1) }, K: 256 };
}

function melWeights(r) {
  const values = [r.int(2, 8), r.pick([16, 32, 64]), r.pick([8000, 16000])];
  const inputs = [
    ...values.map((value) => r.scalar("int64", value)),
    r.scalar("float32", r.int(0, 100)),
    r.scalar("float32", r.int(2000, 4000)),
  ];
  return { inputs, attributes: {}, K: 64 };
}

export const OTHERS = {
  STFT: stft,
  MelWeightMatrix: melWeights,
  "com.microsoft.QLinearAveragePool": quantisedPool,
  "com.microsoft.QLinearGlobalAveragePool": (r) => {
    const type = r.pick(BYTES);
    const x = bytes(r, type, [r.int(1, 2), r.int(1, 9), ...r.shape(2, 6)]);
    return {
      ...MICROSOFT,
      inputs: [x, ...quantum(r, type), ...quantum(r, type)],
      attributes: { channels_last: 0 },
      quanta: 1,
    };
  },
  "com.microsoft.QLinearConcat": quantisedConcat,
  "com.microsoft.QLinearSoftmax": quantisedOne((r) => ({ axis: -1, opset: r.pick([12, 13]) })),
  "com.microsoft.QuantizeLinear": (r) => ({ ...MICROSOFT, ...quantize(r, 10) }),
  "com.microsoft.DequantizeLinear": (r) => ({ ...MICROSOFT, ...dequantize(r, 10) }),
  "com.microsoft.RotaryEmbedding": (r) => {
    const { inputs, attributes, K } = rotary(r);
    const [x, cosines, sines, positions] = inputs;
    return { ...MICROSOFT, inputs: [x, positions, cosines, sines], attributes, K };
  },
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: (r) => ({
    inputs: [r.floats(r.shape(r.int(1, 3), 6), [-9, 9])],
    attributes: {},
    outputs: 3,
    quanta: 1,
  }),
  QLinearConv: qlinearConv,
  QLinearMatMul: qlinearMatMul,
  MatMulInteger: integerProduct((r) => {
    const [M, N, K] = r.shape(3, 8);
    return [
      [M, K],
      [K, N],
    ];
  }),
  ConvInteger: integerProduct((r) => {
    const [C, M, ...kernel] = r.shape(4, 3);
    return [
      [1, C, ...kernel.map((k) => k + r.int(0, 4))],
      [M, C, ...kernel],
    ];
  }),
  "com.microsoft.QLinearAdd": quantisedPair,
  "com.microsoft.QLinearMul": quantisedPair,
  "com.microsoft.QLinearSigmoid": quantisedOne(() => ({})),
  "com.microsoft.QLinearLeakyRelu": quantisedOne((r) => ({ alpha: { float: r.float(0, 0.5) } })),
  "com.microsoft.QGemm": qgemm,
  "com.microsoft.Gelu": gelu(() => false),
  "com.microsoft.QuickGelu": gelu(() => false),
  "com.microsoft.FastGelu": gelu((r) => r.chance(0.5)),
  "com.microsoft.BiasGelu": gelu(() => true),
  "com.microsoft.FusedConv": fusedConv,
  "com.microsoft.FusedMatMul": fusedMatMul,
  "com.microsoft.FusedGemm": (r) => {
    const [M, N, K] = r.shape(3, 8);
    const [transA, transB] = [r.int(0, 1), r.int(0, 1)];
    const inputs = [
      r.floats(transA ? [K, M] : [M, K]),
      r.floats(transB ? [N, K] : [K, N]),
      r.floats(r.broadcast([M, N])),
    ];
    return {
      ...MICROSOFT,
      inputs,
      attributes: { transA, transB, activation: r.pick(["Relu", "Tanh", "Sigmoid"]) },
      K: 4 * K,
    };
  },
  SimplifiedLayerNormalization: (r) => {
    const x = r.floats(r.shape(r.int(1, 4), 6));
    return { inputs: [x, r.floats([x.shape.at(-1)])], attributes: { axis: -1, epsilon: { float: 1e-3 } }, K: 64 };
  },
  "com.microsoft.SkipLayerNormalization": skip(false),
  "com.microsoft.SkipSimplifiedLayerNormalization": skip(true),
  "com.microsoft.MultiHeadAttention": multiHead,
  "com.microsoft.Attention": attentionMicrosoft,
  Attention: attention,
  RotaryEmbedding: rotary,
  HannWindow: windows,
  HammingWindow: windows,
  BlackmanWindow: windows,
  DFT: (r, opset) => {
    const x = r.floats([r.int(1, 2), r.int(1, 9), r.int(1, 2)]);
    const isInverse = r.chance(0.3) && x.shape[2] === 2;
    const attributes = { ...(isInverse && { inverse: 1 }), ...(x.shape[2] === 1 && r.chance(0.5) && { onesided: 1 }) };
    const length = r.chance(0.4) ? r.scalar("int64", r.int(1, 9)) : null;
    if (opset < 20) return { inputs: [x, length], attributes: { axis: 1, ...attributes }, K: 64 };
    return { inputs: [x, length, r.scalar("int64", 1)], attributes, K: 64 };
  },
};
