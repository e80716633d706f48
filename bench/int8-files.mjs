// Quantised networks with made-up weights, as exporters write them: QOperator, or QDQ by channel. Scales are such that sums fill the
// bytes they end in, so that nothing saturates all over.
import { networkFile } from "./peers/fuzz/file.mjs";

/** Whole numbers of a seed. */
function numbers(seed) {
  let state = seed >>> 0;
  return (a, b) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return a + Math.floor((state / 2 ** 32) * (b - a + 1));
  };
}

const STEP = 0.02; // of every activation
const ZERO = 128;

/** A network while it is written: values are names; `real` says whether they are bytes or real numbers behind bytes. */
function writer(form, inputShape) {
  const isQdq = form === "qdq";
  const draw = numbers(1);
  const [nodes, constants] = [[], []];
  let count = 0;
  const constant = (type, shape, data) => {
    constants.push({ name: `c${count}`, type, shape, data });
    return `c${count++}`;
  };
  const node = (op, inputs, attributes = {}, domain) => {
    const output = `v${nodes.length}`;
    nodes.push({ op, inputs, outputs: [output], attributes, ...(domain && { domain }) });
    return output;
  };
  const scale = (value = STEP) => constant("float32", [], Float32Array.of(value));
  const zero = (value = ZERO) => constant("uint8", [], Uint8Array.of(value));
  const channels = new Map();
  const kept = (value, C) => {
    channels.set(value, C);
    return value;
  };
  const again = (value, C, at = ZERO, by = STEP) => {
    const bytes = node("QuantizeLinear", [value, scale(by), zero(at)]);
    return kept(isQdq ? node("DequantizeLinear", [bytes, scale(by), zero(at)]) : bytes, C);
  };
  const g = {
    input: again("input", inputShape[1]),
    channels: (value) => channels.get(value),
    /** isClamped: as behind a ReLU, which the zero point says. */
    conv(x, M, k, { stride = 1, group = 1, isClamped = true } = {}) {
      const C = channels.get(x);
      const shape = [M, C / group, k, k];
      const terms = (C / group) * k * k;
      const w = constant(
        "int8",
        shape,
        Int8Array.from({ length: M * terms }, () => draw(-127, 127)),
      );
      const own = Float32Array.from({ length: M }, () => (0.9 + draw(0, 20) / 100) / (74 * Math.sqrt(terms)));
      const ws = constant("float32", [M], own);
      const wz = constant("int8", [M], new Int8Array(M));
      const bias = constant(
        "int32",
        [M],
        Int32Array.from({ length: M }, () => draw(-2000, 2000)),
      );
      const attributes = { group, kernel_shape: [k, k], strides: [stride, stride], pads: new Array(4).fill(k >> 1) };
      const out = isClamped ? 0 : ZERO;
      if (!isQdq) {
        const from = [scale(), zero(zeros.get(x) ?? ZERO), w, ws, wz, scale(), zero(out), bias];
        const y = node("QLinearConv", [x, ...from], attributes);
        zeros.set(y, out);
        return kept(y, M);
      }
      const filters = node("DequantizeLinear", [w, ws, wz], { axis: 0 });
      const bs = constant(
        "float32",
        [M],
        own.map((s) => Math.fround(Math.fround(STEP) * s)),
      );
      const real = node("DequantizeLinear", [bias, bs, constant("int32", [M], new Int32Array(M))], { axis: 0 });
      const sums = node("Conv", [x, filters, real], attributes);
      return again(isClamped ? node("Relu", [sums]) : sums, M, out);
    },
    add(a, b, isClamped = false) {
      const C = channels.get(a);
      const out = isClamped ? 0 : ZERO;
      if (isQdq) return again(isClamped ? node("Relu", [node("Add", [a, b])]) : node("Add", [a, b]), C, out);
      const operands = [a, b].flatMap((x) => [x, scale(), zero(zeros.get(x) ?? ZERO)]);
      const y = node("QLinearAdd", [...operands, scale(), zero(out)], {}, "com.microsoft");
      zeros.set(y, out);
      return kept(y, C);
    },
    maxPool(x, k, stride) {
      const y = node("MaxPool", [x], {
        kernel_shape: [k, k],
        strides: [stride, stride],
        pads: new Array(4).fill(k >> 1),
      });
      zeros.set(y, zeros.get(x));
      return isQdq ? again(y, channels.get(x), 0) : kept(y, channels.get(x));
    },
    /** x * sigmoid(x), quantised in between, as exporters of detectors leave it. */
    silu(x) {
      const s = again(node("Sigmoid", [x]), channels.get(x), 0, 1 / 256);
      return again(node("Mul", [x, s]), channels.get(x));
    },
    concat: (parts) =>
      again(
        node("Concat", parts, { axis: 1 }),
        parts.reduce((sum, part) => sum + channels.get(part), 0),
      ),
    twice(x) {
      const sizes = constant("float32", [4], Float32Array.of(1, 1, 2, 2));
      const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
      return again(node("Resize", [x, "", sizes], attributes), channels.get(x));
    },
    /** Mean over pixels, and a matrix. */
    classes(x, M) {
      const C = channels.get(x);
      const w = constant(
        "int8",
        [C, M],
        Int8Array.from({ length: C * M }, () => draw(-127, 127)),
      );
      const ws = scale(1 / (74 * Math.sqrt(C)));
      const wz = constant("int8", [], new Int8Array(1));
      if (isQdq) {
        const means = again(node("Flatten", [again(node("GlobalAveragePool", [x]), C, 0)]), C, 0);
        const y = node("MatMul", [means, node("DequantizeLinear", [w, ws, wz])]);
        return again(y, M);
      }
      const given = [x, scale(), zero(zeros.get(x)), scale(), zero(0)];
      const means = node("Flatten", [node("QLinearGlobalAveragePool", given, {}, "com.microsoft")]);
      const y = node("QLinearMatMul", [means, scale(), zero(0), w, ws, wz, scale(), zero()]);
      return node("DequantizeLinear", [y, scale(), zero()]);
    },
    done: (output) =>
      networkFile({
        nodes,
        constants,
        inputs: [{ name: "input", type: "float32", shape: inputShape }],
        outputs: [output].flat(),
        opset: 17,
      }),
  };
  const zeros = new Map([[g.input, ZERO]]);
  return g;
}

/** MobileNetV2 (Sandler et al., 2018), width 1. */
function mobilenet(form) {
  const g = writer(form, [1, 3, 224, 224]);
  let x = g.conv(g.input, 32, 3, { stride: 2 });
  for (const [t, C, n, s] of [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ])
    for (let i = 0; i < n; i++) {
      const stride = i === 0 ? s : 1;
      const from = g.channels(x);
      const wide = t === 1 ? x : g.conv(x, t * from, 1);
      const deep = g.conv(wide, t * from, 3, { stride, group: t * from });
      const y = g.conv(deep, C, 1, { isClamped: false });
      x = stride === 1 && from === C ? g.add(x, y) : y;
    }
  return g.done(g.classes(g.conv(x, 1280, 1), 1000));
}

/** ResNet-50 (He et al., 2015), stride in the 3x3 layers. */
function resnet(form) {
  const g = writer(form, [1, 3, 224, 224]);
  let x = g.maxPool(g.conv(g.input, 64, 7, { stride: 2 }), 3, 2);
  for (const [C, n, s] of [
    [64, 3, 1],
    [128, 4, 2],
    [256, 6, 2],
    [512, 3, 2],
  ])
    for (let i = 0; i < n; i++) {
      const stride = i === 0 ? s : 1;
      const shortcut = i === 0 ? g.conv(x, 4 * C, 1, { stride, isClamped: false }) : x;
      const y = g.conv(g.conv(g.conv(x, C, 1), C, 3, { stride }), 4 * C, 1, { isClamped: false });
      x = g.add(y, shortcut, true);
    }
  return g.done(g.classes(x, 1000));
}

/** A detector of YOLOv8n's layers at 320 x 320: convolutions with x * sigmoid(x), splits, joins, pools and nearest sizes. */
function yolo() {
  const g = writer("qdq", [1, 3, 320, 320]);
  const conv = (x, M, k, stride = 1) => g.silu(g.conv(x, M, k, { stride, isClamped: false }));
  const block = (x, M, n, isResidual) => {
    const parts = [conv(x, M / 2, 1), conv(x, M / 2, 1)];
    for (let i = 0; i < n; i++) {
      const before = parts.at(-1);
      const y = conv(conv(before, M / 2, 3), M / 2, 3);
      parts.push(isResidual ? g.add(before, y) : y);
    }
    return conv(g.concat(parts), M, 1);
  };
  const stem = block(conv(conv(g.input, 16, 3, 2), 32, 3, 2), 32, 1, true);
  const p3 = block(conv(stem, 64, 3, 2), 64, 2, true);
  const p4 = block(conv(p3, 128, 3, 2), 128, 2, true);
  const top = block(conv(p4, 256, 3, 2), 256, 1, true);
  const pools = [conv(top, 128, 1)];
  for (let i = 0; i < 3; i++) pools.push(g.maxPool(pools.at(-1), 5, 1));
  const p5 = conv(g.concat(pools), 256, 1);
  const n4 = block(g.concat([g.twice(p5), p4]), 128, 1, false);
  const n3 = block(g.concat([g.twice(n4), p3]), 64, 1, false);
  const o4 = block(g.concat([conv(n3, 64, 3, 2), n4]), 128, 1, false);
  const o5 = block(g.concat([conv(o4, 128, 3, 2), p5]), 256, 1, false);
  const heads = [n3, o4, o5].map((x) => g.conv(conv(conv(x, 64, 3), 64, 3), 64, 1, { isClamped: false }));
  return g.done(heads);
}

export const MADE = {
  "MobileNetV2 QOperator": () => mobilenet("qop"),
  "MobileNetV2 QDQ": () => mobilenet("qdq"),
  "ResNet-50 QOperator": () => resnet("qop"),
  "ResNet-50 QDQ": () => resnet("qdq"),
  "YOLOv8n's layers QDQ": () => yolo(),
};
