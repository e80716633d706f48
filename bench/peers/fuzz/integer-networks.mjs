// Networks of 2 to 7 quantised layers, each layer in a form of its own (operators with scales, real ones between DequantizeLinear and
// QuantizeLinear, dynamic ones), branches and sums included. `layers` has what each answers, so that a difference can be found in one.
import { drawing, MICROSOFT, realBias, scaleOf, weights } from "./integer-layers.mjs";

/** What a layer answers: bytes, their scale and zero point, and their shape. */
const answer = (y, quanta, shape, scale) => ({ y, quanta, shape, scale });

/** Scale and zero point of an output of typical size. */
function output(d, scale = scaleOf(d.r), zero = undefined) {
  return { quanta: d.quanta(scale, zero), scale };
}

const pixels = (shape) => shape.slice(2);

function windowsOf(r, x, k, isCeil = false) {
  const strides = k.map(() => r.pick([1, 1, 1, 2]));
  const pads = [...k, ...k].map((n) => r.int(0, n >> 1));
  const rank = k.length;
  const size = pixels(x.shape).map((n, i) => {
    const free = (n + pads[i] + pads[rank + i] - k[i]) / strides[i];
    const out = (isCeil ? Math.ceil(free) : Math.floor(free)) + 1;
    // The last window begins in the image or in the padding before it.
    return isCeil && (out - 1) * strides[i] >= n + pads[i] ? out - 1 : out;
  });
  return { attributes: { kernel_shape: k, strides, pads, ...(isCeil && { ceil_mode: 1 }) }, size };
}

/** Weights for values of int8 are int8: with others onnxruntime adds up real numbers, of which one in thousands lies next to a half. */
const typeOf = (d) => (d.type === "int8" ? { type: "int8" } : {});

/** Convolution: of groups, depthwise or dense; in both forms. */
function conv(d, x) {
  const { r } = d;
  const [N, C] = x.shape;
  const isDepthwise = C > 1 && r.chance(0.3);
  const k = pixels(x.shape).map((n) => Math.min(n, r.pick([1, 2, 3, 3, 5])));
  const { attributes, size } = windowsOf(r, x, k);
  const M = isDepthwise ? C : r.int(1, 24);
  const group = isDepthwise ? C : 1;
  const K = (C / group) * k.reduce((a, b) => a * b, 1);
  const ys = scaleOf(r);
  const of = weights(d, [M, C / group, ...k], M, K, x.scale, ys, typeOf(d));
  const own = { ...attributes, group };
  if (r.chance(0.4)) {
    const y = output(d, ys);
    const bias = r.chance(0.5) ? [d.constant(r.tensor("int32", [M], [-20000, 20000]))] : [];
    const given = [x.y, ...x.quanta, of.w, of.scale, of.zero, ...y.quanta, ...bias];
    return answer(d.node("QLinearConv", given, own), y.quanta, [N, M, ...size], ys);
  }
  const filters = d.node("DequantizeLinear", [of.w, of.scale, of.zero], of.scales.length > 1 ? { axis: 0 } : {});
  let c = d.node("Conv", [d.real(x.y, x.quanta), filters, ...realBias(d, M, x.scale, of.scales)], own);
  const isRelu = r.chance(0.3);
  if (isRelu) c = d.node("Relu", [c]);
  const y = output(d, ys, isRelu ? (d.type === "uint8" ? 0 : -128) : undefined);
  return answer(d.back(c, y.quanta), y.quanta, [N, M, ...size], ys);
}

/** A sum or product of two, of the same shape; of one value twice, too. */
function pair(d, x, before) {
  const { r } = d;
  const other = r.pick(before.filter(({ shape }) => shape.join() === x.shape.join()));
  const op = r.pick(["Add", "Add", "Mul"]);
  const y = output(d, op === "Mul" ? r.float(0.01, 2) : undefined);
  const given = r.chance(0.5) ? [x, other] : [other, x];
  if (r.chance(0.5)) {
    const operands = given.flatMap((one) => [one.y, ...one.quanta]);
    return answer(d.node(`QLinear${op}`, [...operands, ...y.quanta], {}, MICROSOFT), y.quanta, x.shape, y.scale);
  }
  const sum = d.node(op, given.map((one) => d.real(one.y, one.quanta))); // biome-ignore format: one line
  return answer(d.back(sum, y.quanta), y.quanta, x.shape, y.scale);
}

function pool(d, x) {
  const { r } = d;
  const k = pixels(x.shape).map((n) => Math.min(n, r.int(1, 3)));
  const { attributes, size } = windowsOf(r, x, k, r.chance(0.3));
  const shape = [...x.shape.slice(0, 2), ...size];
  const kind = r.pick(["MaxPool", "AveragePool", "QLinearAveragePool"]);
  const own = kind === "MaxPool" ? attributes : { ...attributes, count_include_pad: r.int(0, 1) };
  if (kind === "QLinearAveragePool") {
    const y = output(d);
    return answer(d.node(kind, [x.y, ...x.quanta, ...y.quanta], own, MICROSOFT), y.quanta, shape, y.scale);
  }
  const y = kind === "MaxPool" ? x : output(d);
  return answer(d.back(d.node(kind, [d.real(x.y, x.quanta)], own), y.quanta), y.quanta, shape, y.scale);
}

function concat(d, x, before) {
  const { r } = d;
  const other = r.pick(before.filter((one) => pixels(one.shape).join() === pixels(x.shape).join()));
  const y = output(d);
  const parts = r.chance(0.5) ? [x, other] : [other, x];
  const shape = x.shape.with(1, x.shape[1] + other.shape[1]);
  if (r.chance(0.5)) {
    const operands = parts.flatMap((one) => [one.y, ...one.quanta]);
    return answer(
      d.node("QLinearConcat", [...y.quanta, ...operands], { axis: 1 }, MICROSOFT),
      y.quanta,
      shape,
      y.scale,
    );
  }
  const joined = d.node("Concat", parts.map((one) => d.real(one.y, one.quanta)), { axis: 1 }); // biome-ignore format: one line
  return answer(d.back(joined, y.quanta), y.quanta, shape, y.scale);
}

/** What moves elements, of real numbers or of bytes as they are. */
function move(d, x) {
  const { r } = d;
  const [N, C, ...size] = x.shape;
  const ends = [0, Math.max(1, C - 1), 1].map((value) => d.constant(r.longs([value])));
  const [op, more, attributes, shape] = r.pick([
    ["Transpose", [], { perm: [0, 1, ...size.map((_, i) => size.length + 1 - i)] }, [N, C, ...size.toReversed()]],
    ["Slice", ends, {}, [N, Math.max(1, C - 1), ...size]],
  ]);
  if (r.chance(0.4)) return answer(d.node(op, [x.y, ...more], attributes), x.quanta, shape, x.scale);
  const y = r.chance(0.5) ? x : output(d);
  const moved = d.node(op, [d.real(x.y, x.quanta), ...more], attributes);
  return answer(d.back(moved, y.quanta), y.quanta, shape, y.scale);
}

function relu(d, x) {
  const y = output(d);
  const op = d.r.pick(["Relu", "LeakyRelu", "none"]);
  const real = d.real(x.y, x.quanta);
  const of = op === "none" ? real : d.node(op, [real], op === "LeakyRelu" ? { alpha: { float: 0.25 } } : {});
  return answer(d.back(of, y.quanta), y.quanta, x.shape, y.scale);
}

/** Means of all pixels, and a matrix product of these: the last layer. */
function head(d, x) {
  const { r } = d;
  const [N, C] = x.shape;
  const means = output(d);
  const isOperator = r.chance(0.5);
  const bytes = isOperator
    ? d.node("QLinearGlobalAveragePool", [x.y, ...x.quanta, ...means.quanta], {}, MICROSOFT)
    : d.back(d.node("GlobalAveragePool", [d.real(x.y, x.quanta)]), means.quanta);
  const flat = d.node("Flatten", [bytes], { axis: 1 });
  const M = r.int(1, 20);
  const ys = scaleOf(r);
  const of = weights(d, [C, M], M, C, means.scale, ys, { perChannel: false, ...typeOf(d) });
  const y = output(d, ys);
  if (r.chance(0.5)) {
    const given = [flat, ...means.quanta, of.w, of.scale, of.zero, ...y.quanta];
    return answer(d.node("QLinearMatMul", given), y.quanta, [N, M], ys);
  }
  const product = d.node("MatMul", [d.real(flat, means.quanta), d.node("DequantizeLinear", [of.w, of.scale, of.zero])]);
  return answer(d.back(product, y.quanta), y.quanta, [N, M], ys);
}

/** Real numbers, quantised anew by their range, and a convolution of these. */
function dynamicConv(d, x) {
  const { r } = d;
  const [N, C] = x.shape;
  const k = pixels(x.shape).map((n) => Math.min(n, r.pick([1, 3])));
  const { attributes, size } = windowsOf(r, x, k);
  const M = r.int(1, 16);
  const [q, s, z] = d.node("DynamicQuantizeLinear", [d.real(x.y, x.quanta)], {}, undefined, 3);
  const w = d.constant(r.tensor("int8", [M, C, ...k], [-128, 127]));
  const sums = d.node("ConvInteger", [q, w, z], attributes);
  const scale = d.node("Mul", [s, d.constant(r.floats([], () => 0.01))]);
  const real = d.node("Mul", [d.node("Cast", [sums], { to: 1 }), scale]);
  const y = output(d);
  return answer(d.back(real, y.quanta), y.quanta, [N, M, ...size], y.scale);
}

const STEPS = [conv, conv, conv, pair, pair, pool, pool, concat, move, relu, dynamicConv];

/** As KINDS of integer-layers.mjs have it, and { layers }: of each its name, the value it answers, and its first node. */
export function network(r) {
  const d = drawing(r, r.pick(["uint8", "uint8", "uint8", "int8"]));
  const isLine = r.chance(0.2);
  const shape = [r.pick([1, 1, 2]), r.int(1, 20), ...(isLine ? [r.int(4, 16)] : [r.int(4, 14), r.int(4, 14)])];
  const first = output(d);
  // Behind int8 of the graph's own onnxruntime computes real numbers.
  const isReal = d.type === "int8" || r.chance(0.3);
  const x = isReal ? d.back(d.inputOf(r.floats(shape, [-3, 3])), first.quanta) : d.input(shape);
  const values = [answer(x, first.quanta, shape, first.scale)];
  const layers = [];
  const count = r.int(2, 7);
  const note = (step, from) => {
    const start = d.nodeCount();
    const one = step(d, from, values);
    values.push(one);
    layers.push({ name: step.name, y: one.y, from: start });
    return one;
  };
  let at = values[0];
  for (let i = 0; i < count; i++) {
    const isLast = i === count - 1 && r.chance(0.5);
    at = note(isLast ? head : r.pick(STEPS), at);
    if (isLast) break;
    if (r.chance(0.2)) at = r.pick(values);
  }
  return { ...d.done(values.at(-1).y), layers };
}
