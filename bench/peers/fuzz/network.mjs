// Cases of layers of networks: windows, products, normalisation, reductions, images, recurrence.

/** Attributes of a window over `spatial` axes, and the largest reach of its kernel. */
function windowOf(r, spatial, { dilates = true, ceil = false } = {}) {
  const kernel = r.shape(spatial, 4);
  const attributes = {};
  const dilations = dilates && r.chance(0.3) ? r.shape(spatial, 2) : r.list(spatial, () => 1);
  if (r.chance(0.5)) attributes.strides = r.shape(spatial, 3);
  if (dilations.some((d) => d > 1)) attributes.dilations = dilations;
  const reach = kernel.map((k, i) => (k - 1) * dilations[i] + 1);
  const auto = r.chance(0.2) ? r.pick(["SAME_UPPER", "SAME_LOWER", "VALID"]) : undefined;
  if (auto) attributes.auto_pad = auto;
  else if (r.chance(0.6)) attributes.pads = r.list(2 * spatial, (i) => r.int(0, kernel[i % spatial] - 1));
  if (ceil && r.chance(0.3) && !auto) attributes.ceil_mode = 1;
  return { kernel, reach, attributes };
}

const product = (list) => list.reduce((a, b) => a * b, 1);

function convOperands(r, { kernel, reach, attributes }) {
  const group = r.pick([1, 1, 1, 2, 3]);
  const [perGroup, filters] = [r.int(1, 4), r.int(1, 4)];
  const size = reach.map((n) => n + r.int(0, 6));
  const x = r.floats([r.int(1, 2), perGroup * group, ...size]);
  const isNamed = r.chance(0.5);
  return {
    x,
    group,
    perGroup,
    filters,
    attributes: { ...attributes, ...(group > 1 && { group }), ...(isNamed && { kernel_shape: kernel }) },
  };
}

function conv(r) {
  const window = windowOf(r, r.pick([1, 2, 2, 2, 3]));
  const { x, group, perGroup, filters, attributes } = convOperands(r, window);
  const inputs = [x, r.floats([filters * group, perGroup, ...window.kernel])];
  if (r.chance(0.6)) inputs.push(r.floats([filters * group]));
  return { inputs, attributes, K: perGroup * product(window.kernel) };
}

function convTranspose(r) {
  const window = windowOf(r, r.pick([1, 2, 2, 2, 3]));
  const { x, group, perGroup, filters, attributes } = convOperands(r, window);
  const inputs = [x, r.floats([perGroup * group, filters, ...window.kernel])];
  if (r.chance(0.6)) inputs.push(r.floats([filters * group]));
  const strides = attributes.strides ?? window.kernel.map(() => 1);
  if (r.chance(0.3)) attributes.output_padding = strides.map((s) => r.int(0, s - 1));
  return { inputs, attributes, K: perGroup * product(window.kernel) };
}

function deformConv(r) {
  const [group, perGroup, filters] = [r.pick([1, 2]), r.int(1, 2), r.int(1, 3)];
  const kernel = r.shape(2, 3);
  const size = kernel.map((k) => k + r.int(1, 4));
  const out = size.map((n, i) => n - kernel[i] + 1);
  const N = r.int(1, 2);
  const inputs = [
    r.floats([N, group * perGroup, ...size]),
    r.floats([filters * group, perGroup, ...kernel]),
    r.floats([N, 2 * product(kernel), ...out], [-1.5, 1.5]),
    r.chance(0.5) ? r.floats([filters * group]) : null,
    r.chance(0.5) ? r.floats([N, product(kernel), ...out], [0, 1]) : null,
  ];
  return {
    inputs,
    attributes: { kernel_shape: kernel, ...(group > 1 && { group }) },
    K: 8 * perGroup * product(kernel),
  };
}

const pool = (extra, options) => (r, opset) => {
  const window = windowOf(r, r.pick([1, 2, 2, 2, 3]), options(opset));
  const size = window.reach.map((n) => n + r.int(0, 6));
  const given = extra(r, opset);
  const { outputs = 1, ...more } = given;
  return {
    inputs: [r.floats([r.int(1, 2), r.int(1, 5), ...size])],
    attributes: { kernel_shape: window.kernel, ...window.attributes, ...more },
    outputs,
    K: 4 * product(window.kernel),
  };
};

const global = (attributes) => (r, opset) => {
  const x = r.floats([r.int(1, 2), r.int(1, 5), ...r.shape(r.int(1, 3), 7)]);
  return { inputs: [x], attributes: attributes(r, opset), K: product(x.shape.slice(2)) * 2 };
};

const channelRow = (r, C, of) => r.floats([C], of);

function batchNorm(r, opset) {
  const x = r.floats([r.int(1, 3), r.int(1, 5), ...r.shape(r.int(0, 3), 5)]);
  const C = x.shape[1];
  const inputs = [x, ...r.list(3, () => channelRow(r, C)), channelRow(r, C, [0.1, 2])];
  const attributes = { ...(r.chance(0.5) && { epsilon: { float: 1e-3 } }), ...(opset < 9 && { spatial: 1 }) };
  return { inputs, attributes, K: 16 };
}

function layerNorm(r) {
  const x = r.floats(r.shape(r.int(1, 4), 6));
  const axis = r.axis(x.shape.length);
  const rest = x.shape.slice((axis + x.shape.length) % x.shape.length);
  const inputs = [x, r.floats(rest), ...(r.chance(0.5) ? [r.floats(rest)] : [])];
  return { inputs, attributes: { axis, ...(r.chance(0.3) && { epsilon: { float: 1e-3 } }) }, K: 64 * product(rest) };
}

const softmax = (r, opset) => {
  const x = r.floats(r.shape(r.int(1, 4), 6));
  const axis = opset >= 11 ? r.axis(x.shape.length) : r.int(0, x.shape.length - 1);
  return { inputs: [x], attributes: r.chance(0.8) ? { axis } : {}, K: 64 };
};

function matmul(r) {
  const [K, rows, cols] = r.shape(3, 9);
  const batch = r.shape(r.int(0, 3), 3);
  const a = r.chance(0.15) ? [K] : [...r.broadcast(batch), rows, K];
  const b = r.chance(0.15) ? [K] : [...r.broadcast(batch), K, cols];
  return { inputs: [r.floats(a), r.floats(b)], attributes: {}, K };
}

function gemm(r, opset) {
  const [M, N, K] = r.shape(3, 9);
  const [transA, transB] = [r.int(0, 1), r.int(0, 1)];
  const inputs = [r.floats(transA ? [K, M] : [M, K]), r.floats(transB ? [N, K] : [K, N])];
  if (opset < 11 || r.chance(0.7)) inputs.push(r.floats(opset >= 7 ? r.broadcast([M, N]) : [M, N]));
  const scale = (name) => r.chance(0.4) && { [name]: { float: r.float() } };
  return { inputs, attributes: { transA, transB, ...scale("alpha"), ...scale("beta") }, K };
}

function einsum(r) {
  const equation = r.pick([
    "ij,jk->ik",
    "bij,bjk->bik",
    "i,j->ij",
    "ij->ji",
    "ii->i",
    "bhqd,bhkd->bhqk",
    "...ij,...jk->...ik",
    "ij,kj",
    "ab,ab->a",
    "abc->b",
    "i,i->",
  ]);
  const sizes = new Map();
  const sizeOf = (letter) => sizes.get(letter) ?? sizes.set(letter, r.int(1, 5)).get(letter);
  const extra = r.shape(r.int(0, 2), 3);
  const shapeOf = (term) =>
    term
      .split(/(\.{3}|)/)
      .filter(Boolean)
      .flatMap((part) => (part === "..." ? extra : [sizeOf(part)]));
  const inputs = equation
    .split("->")[0]
    .split(",")
    .map((term) => r.floats(shapeOf(term)));
  return { inputs, attributes: { equation }, K: 25 };
}

const reduce =
  (low, high, since = 18) =>
  (r, opset) => {
    const x = r.floats(r.shape(r.int(1, 5)), [low, high]);
    const keep = r.chance(0.6) ? { keepdims: r.int(0, 1) } : {};
    const K = 2 * product(x.shape) + 16;
    if (r.chance(0.15)) return { inputs: [x], attributes: keep, K };
    const all = r.axes(x.shape.length);
    const axes = opset >= 11 ? all : all.map((axis) => (axis + x.shape.length) % x.shape.length);
    if (opset < since) return { inputs: [x], attributes: { axes, ...keep }, K };
    const noop = r.chance(0.2) ? { noop_with_empty_axes: 1 } : {};
    return {
      inputs: noop.noop_with_empty_axes && r.chance(0.5) ? [x] : [x, r.longs(axes)],
      attributes: { ...keep, ...noop },
      K,
    };
  };

/** Whole numbers, so that there are equal ones. */
const argument = (r, opset) => {
  const x = r.floats(r.shape(r.int(1, 4)), () => r.int(0, 3));
  const axis = opset >= 11 ? r.axis(x.shape.length) : r.int(0, x.shape.length - 1);
  const last = opset >= 12 && r.chance(0.3) ? { select_last_index: 1 } : {};
  return { inputs: [x], attributes: { axis, ...(r.chance(0.5) && { keepdims: r.int(0, 1) }), ...last } };
};

function topK(r, opset) {
  const x = r.floats(r.shape(r.int(1, 4), 6), r.chance(0.3) ? () => r.int(0, 3) : [-3, 3]);
  const axis = opset >= 11 ? r.axis(x.shape.length) : r.int(0, x.shape.length - 1);
  const k = r.int(1, x.shape.at(axis));
  if (opset < 10) return { inputs: [x], attributes: { axis, k }, outputs: 2 };
  const attributes = { axis, ...(opset >= 11 && r.chance(0.5) && { largest: r.int(0, 1) }) };
  return { inputs: [x, r.longs([k])], attributes, outputs: 2 };
}

const GATES = { LSTM: 4, GRU: 3, RNN: 1 };

const recurrent = (op) => (r) => {
  const [T, B, I, H] = r.shape(4, 4);
  const direction = r.pick(["forward", "reverse", "bidirectional"]);
  const D = direction === "bidirectional" ? 2 : 1;
  const gates = GATES[op];
  const half = () => [-0.7, 0.7];
  const inputs = [r.floats([T, B, I]), r.floats([D, gates * H, I], half()), r.floats([D, gates * H, H], half())];
  inputs.push(r.chance(0.6) ? r.floats([D, 2 * gates * H], half()) : null);
  inputs.push(r.chance(0.4) ? r.tensor("int32", [B], [1, T]) : null);
  inputs.push(r.chance(0.4) ? r.floats([D, B, H]) : null);
  if (op === "LSTM")
    inputs.push(r.chance(0.4) ? r.floats([D, B, H]) : null, r.chance(0.3) ? r.floats([D, 3 * H], half()) : null);
  const attributes = { hidden_size: H, direction };
  if (op === "GRU" && r.chance(0.5)) attributes.linear_before_reset = 1;
  if (r.chance(0.2)) attributes.clip = { float: 0.5 };
  return { inputs, attributes, outputs: op === "LSTM" ? 3 : 2, K: 64 * T * (I + H) };
};

const square = (r) => {
  const side = r.int(1, 4);
  return { inputs: [r.floats([...r.shape(r.int(0, 2), 3), side, side])], attributes: {}, K: 2 ** 10 };
};

export const NETWORK = {
  Conv: conv,
  ConvTranspose: convTranspose,
  DeformConv: deformConv,
  MaxPool: pool(
    (r, opset) => (opset >= 8 ? { outputs: r.int(1, 2), ...(r.chance(0.2) && { storage_order: 0 }) } : {}),
    (opset) => ({ dilates: opset >= 10, ceil: opset >= 10 }),
  ),
  AveragePool: pool(
    (r, opset) => (opset >= 7 && r.chance(0.5) ? { count_include_pad: 1 } : {}),
    (opset) => ({ dilates: opset >= 19, ceil: opset >= 10 }),
  ),
  LpPool: pool(
    (r) => (r.chance(0.5) ? { p: r.int(1, 3) } : {}),
    (opset) => ({ dilates: opset >= 18, ceil: opset >= 18 }),
  ),
  GlobalAveragePool: global(() => ({})),
  GlobalMaxPool: global(() => ({})),
  GlobalLpPool: global((r) => (r.chance(0.5) ? { p: r.int(1, 3) } : {})),
  LRN: (r) => ({
    inputs: [r.floats([r.int(1, 2), r.int(1, 8), ...r.shape(2, 4)])],
    attributes: {
      size: r.pick([1, 3, 5]),
      alpha: { float: r.float(0.01, 1) },
      beta: { float: 0.75 },
      bias: { float: r.float(1, 2) },
    },
    K: 64,
  }),
  BatchNormalization: batchNorm,
  InstanceNormalization: (r) => {
    const x = r.floats([r.int(1, 2), r.int(1, 4), ...r.shape(r.int(1, 3), 6).map((n) => n + 2)]);
    return { inputs: [x, channelRow(r, x.shape[1]), channelRow(r, x.shape[1])], attributes: {}, K: 256 };
  },
  LayerNormalization: layerNorm,
  RMSNormalization: (r) => {
    const x = r.floats(r.shape(r.int(1, 4), 6));
    const axis = r.axis(x.shape.length);
    return {
      inputs: [x, r.floats(x.shape.slice((axis + x.shape.length) % x.shape.length))],
      attributes: { axis },
      K: 64,
    };
  },
  GroupNormalization: (r, opset) => {
    const [groups, each] = r.shape(2, 3);
    const rows = opset >= 21 ? groups * each : groups;
    const x = r.floats([r.int(1, 2), groups * each, ...r.shape(2, 5).map((n) => n + 1)]);
    return { inputs: [x, channelRow(r, rows), channelRow(r, rows)], attributes: { num_groups: groups }, K: 256 };
  },
  MeanVarianceNormalization: (r) => {
    const x = r.floats(r.shape(4, 5).map((n) => n + 2));
    return {
      inputs: [x],
      attributes: r.chance(0.5)
        ? {
            axes: r
              .axes(4, 2)
              .map((axis) => (axis + 4) % 4)
              .sort(),
          }
        : {},
      K: 256,
    };
  },
  LpNormalization: (r) => {
    const x = r.floats(r.shape(r.int(1, 3)));
    return { inputs: [x], attributes: { axis: r.axis(x.shape.length), p: r.int(1, 2) }, K: 32 };
  },
  Softmax: softmax,
  LogSoftmax: softmax,
  Hardmax: softmax,
  MatMul: matmul,
  Gemm: gemm,
  Einsum: einsum,
  ReduceSum: reduce(-2, 2, 13),
  ReduceMean: reduce(-2, 2),
  ReduceMax: reduce(-2, 2),
  ReduceMin: reduce(-2, 2),
  ReduceProd: reduce(-1.5, 1.5),
  ReduceL1: reduce(-2, 2),
  ReduceL2: reduce(-2, 2),
  ReduceSumSquare: reduce(-2, 2),
  ReduceLogSum: reduce(0.1, 2),
  ReduceLogSumExp: reduce(-2, 2),
  ArgMax: argument,
  ArgMin: argument,
  TopK: topK,
  CumSum: (r) => {
    const x = r.floats(r.shape(r.int(1, 4)));
    const attributes = { ...(r.chance(0.5) && { exclusive: 1 }), ...(r.chance(0.5) && { reverse: 1 }) };
    return { inputs: [x, r.tensor(r.pick(["int32", "int64"]), [], () => r.axis(x.shape.length))], attributes, K: 16 };
  },
  LSTM: recurrent("LSTM"),
  GRU: recurrent("GRU"),
  RNN: recurrent("RNN"),
  Det: square,
};
