// Quantised layers, in the forms that exporters write: { nodes, constants, inputs, outputs, opset }.

import { dynamicConv, dynamicJoined, dynamicMatmul, dynamicParts, dynamicShared } from "./integer-dynamic.mjs";

export const MICROSOFT = "com.microsoft";

/** Kinds that may be so many quanta apart, because real numbers are between: functions of other libraries, sums in another order. */
export const NEAR = {
  "softmax-qop": 1,
  "conv-clip-qdq": 1,
  "sigmoid-qop": 1,
  "sigmoid-qdq": 1,
  "silu-qdq": 1,
  "resize-linear-qdq": 1,
  "head-qdq": 1e-3,
};

/** A layer while it is drawn: names of values, and constants with what they are made of. */
export function drawing(r, type = r.pick(["uint8", "int8"])) {
  const [constants, nodes, inputs] = [[], [], []];
  let count = 0;
  const constant = (tensor) => {
    const name = `c${count++}`;
    constants.push({ ...tensor, name });
    return name;
  };
  const zeroOf = (of = type) => (of === "uint8" ? r.int(0, 255) : r.int(-128, 127));
  const d = {
    r,
    type,
    constant,
    /** Names of a scale and a zero point. Dyadic now and then: halves abound there. */
    quanta: (scale = r.chance(0.3) ? 2 ** -r.int(4, 7) : r.float(0.005, 0.06), zero = zeroOf(), of = type) => [
      constant(r.floats([], () => scale)),
      constant(r.tensor(of, [], () => zero)),
    ],
    input(shape, of = type) {
      return d.inputOf(r.tensor(of, shape, of === "uint8" ? [0, 255] : [-128, 127]));
    },
    inputOf(tensor) {
      const name = `x${inputs.length}`;
      inputs.push({ ...tensor, name });
      return name;
    },
    nodeCount: () => nodes.length,
    sizeOf: (name) => constants.find((constant) => constant.name === name).data.length,
    /** The name of its output, or those of several. */
    node(op, given, attributes = {}, domain, count = 1) {
      const outputs = Array.from({ length: count }, (_, i) => `v${nodes.length}${i > 0 ? `:${i}` : ""}`);
      nodes.push({ op, inputs: given, outputs, attributes, ...(domain && { domain }) });
      return count > 1 ? outputs : outputs[0];
    },
    real: (x, quanta) => d.node("DequantizeLinear", [x, ...quanta]),
    back: (x, quanta) => d.node("QuantizeLinear", [x, ...quanta]),
    /** near: how many quanta apart it may be. */
    done: (output, near = 0) => ({ nodes, constants, inputs, outputs: [output], opset: 17, near }),
    /** Of int8 behind an input of the graph onnxruntime adds up real numbers: one in thousands lies next to a half. */
    summed: (output) => d.done(output, type === "int8" ? 1 : 0),
  };
  return d;
}

/** A convolution's shape, and what its attributes are. */
function windows(r) {
  const kind = r.pick(["dense", "dense", "pointwise", "depthwise", "groups", "line"]);
  const C = kind === "depthwise" ? r.int(2, 40) : kind === "groups" ? 4 * r.int(1, 5) : r.int(1, 40);
  const group = kind === "depthwise" ? C : kind === "groups" ? r.pick([2, 4]) : 1;
  const M = kind === "depthwise" ? C * r.pick([1, 1, 2]) : group * r.int(1, kind === "groups" ? 8 : 40);
  const rank = kind === "line" ? 1 : 2;
  const k = kind === "pointwise" ? r.list(rank, () => 1) : r.list(rank, () => r.pick([1, 2, 3, 3, 3, 5]));
  const dilations = r.list(rank, () => (r.chance(0.15) ? 2 : 1));
  const strides = r.list(rank, () => r.pick([1, 1, 2]));
  const pads = [...k, ...k].map((n) => r.int(0, n >> 1));
  const size = r.list(rank, (i) => (k[i] - 1) * dilations[i] + 1 + r.int(0, 14));
  return {
    x: [r.pick([1, 1, 2]), C, ...size],
    w: [M, C / group, ...k],
    attributes: { group, kernel_shape: k, strides, pads, dilations },
    M,
    K: (C / group) * k.reduce((a, b) => a * b, 1),
  };
}

/** Weights with their scale and zero point: scales so that sums fill the output. */
export function weights(
  d,
  shape,
  M,
  K,
  xs,
  ys,
  { perChannel = d.r.chance(0.5), type = d.r.pick(["int8", "int8", "uint8"]), axis = 0 } = {},
) {
  const { r } = d;
  const isCentred = r.chance(0.7);
  const middle = type === "uint8" ? 128 : 0;
  const typical = (ys * 40) / (xs * 60 * 60 * Math.sqrt(K));
  const scale = perChannel ? r.floats([M], () => typical * r.float(0.5, 2)) : r.floats([], () => typical);
  // onnxruntime's kernels of x86 read zero points of weights by channel only where they are the same.
  const zero = isCentred ? middle : middle + r.int(-9, 9);
  return {
    w: d.constant(r.tensor(type, shape, type === "uint8" ? [0, 255] : [-128, 127])),
    scale: d.constant(scale),
    zero: d.constant(r.tensor(type, scale.shape, () => zero)),
    scales: scale.data,
    axis,
  };
}

export const scaleOf = (r) => (r.chance(0.3) ? 2 ** -r.int(4, 7) : r.float(0.005, 0.06));

function convQop(r) {
  const d = drawing(r);
  const { x, w, attributes, M, K } = windows(r);
  const [xs, ys] = [scaleOf(r), scaleOf(r)];
  const of = weights(d, w, M, K, xs, ys);
  const bias = r.chance(0.7) ? [d.constant(r.tensor("int32", [M], [-20000, 20000]))] : [];
  const given = [d.input(x), ...d.quanta(xs), of.w, of.scale, of.zero, ...d.quanta(ys), ...bias];
  return d.done(d.node("QLinearConv", given, attributes));
}

/** A bias of int32 with its own scale, of real numbers, or none. */
export function realBias(d, M, xs, scales) {
  const { r } = d;
  const kind = r.pick(["int32", "int32", "float", "none"]);
  if (kind === "none") return [];
  const scaleAt = (m) => Math.fround(xs * scales[scales.length > 1 ? m : 0]);
  const whole = r.tensor("int32", [M], [-20000, 20000]);
  if (kind === "float") return [d.constant(r.floats([M], (m) => whole.data[m] * scaleAt(m)))];
  const scale = d.constant(r.floats(scales.length > 1 ? [M] : [], scaleAt));
  const given = [
    d.constant(whole),
    scale,
    ...(r.chance(0.5) ? [d.constant(r.tensor("int32", scales.length > 1 ? [M] : [], () => 0))] : []),
  ];
  return [d.node("DequantizeLinear", given, scales.length > 1 ? { axis: 0 } : {})];
}

function convQdq(r, clamps) {
  const d = drawing(r);
  const { x, w, attributes, M, K } = windows(r);
  const [xs, ys] = [scaleOf(r), scaleOf(r)];
  const of = weights(d, w, M, K, xs, ys);
  const filters = d.node("DequantizeLinear", [of.w, of.scale, of.zero], of.scales.length > 1 ? { axis: 0 } : {});
  const image = d.real(d.input(x), d.quanta(xs));
  let y = d.node("Conv", [image, filters, ...realBias(d, M, xs, of.scales)], attributes);
  const least = d.type === "uint8" ? 0 : -128;
  const kind = r.pick(clamps);
  // onnxruntime drops a Relu where the zero point says the same.
  if (kind === "relu") y = d.node("Relu", [y]);
  if (kind === "relu6") y = d.node("Clip", [y, d.constant(r.floats([], () => 0)), d.constant(r.floats([], () => 6))]);
  return d.summed(d.back(y, d.quanta(ys, kind === "none" ? undefined : least)));
}

function matmulQop(r) {
  const d = drawing(r);
  const [K, M] = [r.int(1, 80), r.int(1, 40)];
  const rows = r.pick([[1], [r.int(1, 9)], [2, 3]]);
  const [xs, ys] = [scaleOf(r), scaleOf(r)];
  const of = weights(d, [K, M], M, K, xs, ys);
  return d.done(
    d.node("QLinearMatMul", [d.input([...rows, K]), ...d.quanta(xs), of.w, of.scale, of.zero, ...d.quanta(ys)]),
  );
}

function matmulQdq(r) {
  const d = drawing(r);
  const [K, M] = [r.int(1, 80), r.int(1, 40)];
  const [xs, ys] = [scaleOf(r), scaleOf(r)];
  const of = weights(d, [K, M], M, K, xs, ys, { perChannel: false });
  const filters = d.node("DequantizeLinear", [of.w, of.scale, of.zero]);
  const y = d.node("MatMul", [d.real(d.input([r.int(1, 9), K]), d.quanta(xs)), filters]);
  return d.summed(d.back(y, d.quanta(ys)));
}

function gemm(r, isQdq) {
  const d = drawing(r);
  const [K, M, N] = [r.int(1, 80), r.int(1, 40), r.int(1, 9)];
  const [xs, ys] = [scaleOf(r), scaleOf(r)];
  const transB = r.int(0, 1);
  const of = weights(d, transB ? [M, K] : [K, M], M, K, xs, ys, { perChannel: isQdq ? false : undefined });
  const x = d.input([N, K]);
  if (!isQdq) {
    const bias = r.chance(0.7) ? d.constant(r.tensor("int32", [M], [-20000, 20000])) : "";
    const given = [x, ...d.quanta(xs), of.w, of.scale, of.zero, bias, ...d.quanta(ys)];
    return d.done(d.node("QGemm", given, { transB }, MICROSOFT));
  }
  const filters = d.node("DequantizeLinear", [of.w, of.scale, of.zero]);
  const y = d.node("Gemm", [d.real(x, d.quanta(xs)), filters, ...realBias(d, M, xs, of.scales)], { transB });
  return d.summed(d.back(y, d.quanta(ys)));
}

/** Every pair of bytes, or images of which one may be a number a channel. */
function pairOf(d) {
  const { r } = d;
  const shape = [1, r.int(1, 40), r.int(1, 9), r.int(1, 9)];
  const other = r.pick([shape, shape, [1, shape[1], 1, 1], [shape[1], 1, 1], []]);
  const isConstant = other !== shape && r.chance(0.5);
  const b = isConstant
    ? d.constant(r.tensor(d.type, other, d.type === "uint8" ? [0, 255] : [-128, 127]))
    : d.input(other);
  return [d.input(shape), b];
}

const pairQop = (op) => (r) => {
  const d = drawing(r);
  const [a, b] = pairOf(d);
  const y = d.quanta(op === "QLinearMul" ? r.float(0.01, 2) : undefined);
  return d.done(d.node(op, [a, ...d.quanta(), b, ...d.quanta(), ...y], {}, MICROSOFT));
};

const pairQdq = (op) => (r) => {
  const d = drawing(r);
  const [a, b] = pairOf(d);
  const y = d.node(op, [d.real(a, d.quanta()), d.real(b, d.quanta())]);
  const isRelu = r.chance(0.3);
  const quanta = d.quanta(
    op === "Mul" ? r.float(0.01, 2) : undefined,
    isRelu ? (d.type === "uint8" ? 0 : -128) : undefined,
  );
  return d.done(d.back(isRelu ? d.node("Relu", [y]) : y, quanta));
};

/** One operator of com.microsoft on images, or a real one between DequantizeLinear and QuantizeLinear. */
const oneOf =
  (op, isQdq, attributesOf = () => ({}), shapeOf = (r) => [r.int(1, 2), r.int(1, 40), r.int(3, 12), r.int(3, 12)]) =>
  (r) => {
    const d = drawing(r);
    const attributes = attributesOf(r);
    const x = d.input(shapeOf(r));
    if (isQdq)
      return d.done(
        d.back(
          d.node(op, [d.real(x, d.quanta()), ...(attributes.more?.(d) ?? [])], attributes.own ?? attributes),
          d.quanta(),
        ),
      );
    return d.done(d.node(op, [x, ...d.quanta(), ...d.quanta()], attributes, MICROSOFT));
  };

const pooling = (r) => {
  const kernel_shape = [r.int(1, 3), r.int(1, 3)];
  return {
    kernel_shape,
    strides: [r.int(1, 2), r.int(1, 2)],
    pads: [...kernel_shape, ...kernel_shape].map((n) => r.int(0, n >> 1)),
  };
};
const averages = (r) => ({ ...pooling(r), count_include_pad: r.int(0, 1) });

function concatQop(r) {
  const d = drawing(r);
  const [N, H, W] = [1, r.int(1, 9), r.int(1, 9)];
  const parts = r.list(r.int(2, 3), () => [d.input([N, r.int(1, 20), H, W]), ...d.quanta()]);
  return d.done(d.node("QLinearConcat", [...d.quanta(), ...parts.flat()], { axis: 1 }, MICROSOFT));
}

/** Joined, and now and then shuffled, as ShuffleNet is. */
function concatQdq(r) {
  const d = drawing(r);
  const [C, H, W] = [r.int(1, 20), r.int(1, 9), r.int(1, 9)];
  const parts = r.list(2, () => d.real(d.input([1, C, H, W]), d.quanta()));
  let y = d.node("Concat", parts, { axis: 1 });
  if (r.chance(0.5)) {
    y = d.node("Reshape", [y, d.constant(r.longs([1, 2, C, H, W]))]);
    y = d.node("Transpose", [y], { perm: [0, 2, 1, 3, 4] });
    y = d.node("Reshape", [y, d.constant(r.longs([1, 2 * C, H, W]))]);
  }
  return d.done(d.back(y, d.quanta()));
}

/** x * sigmoid(x), as quantisers leave it: quantised in between. */
function siluQdq(r) {
  const d = drawing(r);
  const x = d.real(d.input([1, r.int(1, 40), r.int(1, 9), r.int(1, 9)]), d.quanta());
  const q = d.quanta(1 / 256, d.type === "uint8" ? 0 : -128);
  const s = d.real(d.back(d.node("Sigmoid", [x]), q), q);
  return d.done(d.back(d.node("Mul", [x, s]), d.quanta()));
}

function moveQdq(r) {
  const d = drawing(r);
  const shape = [1, r.int(1, 12), r.int(1, 9), r.int(1, 9)];
  const q = d.quanta();
  const x = d.real(d.input(shape), q);
  const to = r.chance(0.5) ? q : d.quanta();
  const op = r.pick(["Transpose", "Reshape", "Slice", "Relu"]);
  if (op === "Transpose") return d.done(d.back(d.node(op, [x], { perm: r.permutation(4) }), to));
  if (op === "Reshape") return d.done(d.back(d.node(op, [x, d.constant(r.longs([1, -1]))]), to));
  if (op === "Relu") return d.done(d.back(d.node(op, [x]), to));
  const of = [0, shape[1], 1].map((value) => d.constant(r.longs([value])));
  return d.done(d.back(d.node(op, [x, of[0], of[1], of[2]]), to));
}

const resizing = (mode) => () => ({
  own:
    mode === "nearest"
      ? { mode, coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }
      : { mode, coordinate_transformation_mode: "half_pixel" },
  more: (d) => ["", d.constant(d.r.floats([4], (i) => (i < 2 ? 1 : 2)))],
});

/** Sums as they are. */
function matmulInteger(r) {
  const d = drawing(r, "uint8");
  const [K, M] = [r.int(1, 80), r.int(1, 40)];
  const w = d.constant(r.tensor("int8", [K, M], [-128, 127]));
  const az = d.constant(r.tensor("uint8", [], () => r.int(0, 255)));
  const bz = d.constant(r.tensor("int8", [], () => r.pick([0, 0, 3])));
  return d.done(d.node("MatMulInteger", [d.input([r.int(1, 9), K]), w, az, bz]));
}

function convInteger(r) {
  const d = drawing(r, "uint8");
  const { x, w, attributes } = windows(r);
  const given = [
    d.input(x),
    d.constant(r.tensor("uint8", w, [0, 255])),
    d.constant(r.tensor("uint8", [], () => r.int(0, 255))),
  ];
  return d.done(d.node("ConvInteger", given, attributes));
}

/** Real numbers behind a product that is not quantised again. */
function headQdq(r) {
  const d = drawing(r);
  const [K, M] = [r.int(1, 80), r.int(1, 40)];
  const of = weights(d, [K, M], M, K, 0.02, 0.04, { perChannel: false });
  const filters = d.node("DequantizeLinear", [of.w, of.scale, of.zero]);
  return d.done(d.node("MatMul", [d.real(d.input([r.int(1, 9), K]), d.quanta(0.02)), filters]));
}

export const KINDS = {
  "conv-qop": convQop,
  "conv-qdq": (r) => convQdq(r, ["none", "relu"]),
  // A Clip onnxruntime leaves between, so that it adds up real numbers there.
  "conv-clip-qdq": (r) => convQdq(r, ["relu6"]),
  "matmul-qop": matmulQop,
  "matmul-qdq": matmulQdq,
  "gemm-qop": (r) => gemm(r, false),
  "gemm-qdq": (r) => gemm(r, true),
  "add-qop": pairQop("QLinearAdd"),
  "add-qdq": pairQdq("Add"),
  "mul-qop": pairQop("QLinearMul"),
  "mul-qdq": pairQdq("Mul"),
  "concat-qop": concatQop,
  "concat-qdq": concatQdq,
  "average-qop": oneOf("QLinearAveragePool", false, averages),
  "average-qdq": oneOf("AveragePool", true, averages),
  "mean-qop": oneOf("QLinearGlobalAveragePool", false),
  "mean-qdq": oneOf("GlobalAveragePool", true),
  "reduce-qdq": oneOf("ReduceMean", true, () => ({ axes: [2, 3] })),
  "max-qdq": oneOf("MaxPool", true, pooling),
  "sigmoid-qop": oneOf("QLinearSigmoid", false),
  "sigmoid-qdq": oneOf("Sigmoid", true),
  "leaky-qop": oneOf("QLinearLeakyRelu", false, (r) => ({ alpha: { float: r.float(0, 0.5) } })),
  "softmax-qop": oneOf(
    "QLinearSoftmax",
    false,
    () => ({ axis: -1, opset: 13 }),
    (r) => [r.int(1, 5), r.int(2, 40)],
  ),
  "silu-qdq": siluQdq,
  "move-qdq": moveQdq,
  "resize-nearest-qdq": oneOf("Resize", true, resizing("nearest")),
  "resize-linear-qdq": oneOf("Resize", true, resizing("linear")),
  "matmul-integer": matmulInteger,
  "conv-integer": convInteger,
  "head-qdq": headQdq,
  "dynamic-matmul": (r) => dynamicMatmul(drawing(r)),
  "dynamic-shared": (r) => dynamicShared(drawing(r)),
  "dynamic-conv": (r) => dynamicConv(drawing(r), windows(r)),
  "dynamic-joined": (r) => dynamicJoined(drawing(r)),
  "dynamic-parts": (r) => dynamicParts(drawing(r)),
};
