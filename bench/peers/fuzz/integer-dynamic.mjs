// Layers whose scale and zero point a run computes, as onnxruntime's quantize_dynamic writes them.

const MICROSOFT = "com.microsoft";

/** What stands behind whole sums: to float32, times both scales, and now and then a bias and a clamp. */
function scaled(d, sums, scale, M, shapeOf) {
  const { r } = d;
  const isByFilter = r.chance(0.4);
  const own = d.constant(r.floats(isByFilter ? shapeOf(M) : r.pick([[], [1]]), () => r.float(0.001, 0.02)));
  const factors = d.node("Mul", r.chance(0.5) ? [scale, own] : [own, scale]);
  const whole = d.node("Cast", [sums], { to: 1 });
  let y = d.node("Mul", r.chance(0.8) ? [whole, factors] : [factors, whole]);
  if (r.chance(0.6)) {
    const bias = d.constant(r.floats(shapeOf(M), [-1, 1]));
    y = d.node("Add", r.chance(0.7) ? [y, bias] : [bias, y]);
  }
  const clamp = r.pick(["none", "none", "Relu", "Clip"]);
  if (clamp === "Relu") y = d.node("Relu", [y]);
  if (clamp === "Clip")
    y = d.node("Clip", [y, d.constant(r.floats([], () => 0)), d.constant(r.floats([], () => 0.75))]);
  return y;
}

/** Of both signs, of one, or all zeros. */
function reals(d, shape) {
  const { r } = d;
  const bounds = r.pick([[-1, 2], [-3, 0.5], [0, 4], [0.5, 1], [-2, -1], [0, 0]]); // biome-ignore format: pairs
  return d.inputOf(r.floats(shape, () => (bounds[1] === bounds[0] ? 0 : r.float(...bounds))));
}

const quantised = (d, x) => d.node("DynamicQuantizeLinear", [x], {}, undefined, 3);

/** Weights and their zero point: one of the tensor, or one a filter. */
function weights(d, shape, M, isConv) {
  const { r } = d;
  const type = r.pick(["int8", "int8", "uint8"]);
  const middle = type === "uint8" ? 128 : 0;
  const w = d.constant(r.tensor(type, shape, type === "uint8" ? [0, 255] : [-128, 127]));
  const zero = r.tensor(type, !isConv && r.chance(0.3) ? [M] : [], () => middle + (r.chance(0.5) ? 0 : r.int(-9, 9)));
  return r.chance(0.2) && type === "int8" ? [w] : [w, d.constant(zero)];
}

/** weights, then what comes before its zero point. */
const inputsOf = ([w, zero], [q, , z]) => (zero ? [q, w, z, zero] : [q, w, z]);

export function dynamicMatmul(d) {
  const { r } = d;
  const [K, M] = [r.int(1, 80), r.int(1, 40)];
  const rows = r.pick([[1], [r.int(1, 9)], [2, 3], [1, 2, 4]]);
  const x = quantised(d, reals(d, [...rows, K]));
  const sums = d.node("MatMulInteger", inputsOf(weights(d, [K, M], M), x));
  return d.done(scaled(d, sums, x[1], M, () => [M]));
}

/** Several products of one value, as attention has them. */
export function dynamicShared(d) {
  const { r } = d;
  const [K, M] = [r.int(1, 80), r.int(1, 40)];
  const x = quantised(d, reals(d, [r.int(1, 9), K]));
  const parts = r.list(2, () => {
    const sums = d.node("MatMulInteger", inputsOf(weights(d, [K, M], M), x));
    return scaled(d, sums, x[1], M, () => [M]);
  });
  return d.done(d.node("Concat", parts, { axis: 1 }));
}

export function dynamicConv(d, { x: shape, w, attributes, M }) {
  const x = quantised(d, reals(d, shape));
  const sums = d.node("ConvInteger", inputsOf(weights(d, w, M, true), x), attributes);
  const ones = shape.slice(2).map(() => 1);
  return d.done(scaled(d, sums, x[1], M, () => (d.r.chance(0.5) ? [M, ...ones] : [1, M, ...ones])));
}

/** The same as onnxruntime joins it, in files that it optimised. */
export function dynamicJoined(d) {
  const { r } = d;
  const [K, M] = [r.int(1, 80), r.int(1, 40)];
  const x = reals(d, [r.int(1, 9), K]);
  const [w, zero = ""] = weights(d, [K, M], M);
  const isOne = zero === "" || d.sizeOf(zero) === 1;
  const scale = d.constant(r.floats(isOne ? [] : [M], [0.001, 0.02]));
  const bias = r.chance(0.6) ? [d.constant(r.floats([M], [-1, 1]))] : [];
  if (r.chance(0.5)) return d.done(d.node("DynamicQuantizeMatMul", [x, w, scale, zero, ...bias], {}, MICROSOFT));
  const [q, s, z] = quantised(d, x);
  return d.done(d.node("MatMulIntegerToFloat", [q, w, s, scale, z, zero, ...bias], {}, MICROSOFT));
}

/** The scale, the zero point and the bytes themselves. */
export function dynamicParts(d) {
  const { r } = d;
  const x = quantised(d, reals(d, r.shape(r.int(1, 4), 9)));
  return d.done(x[r.int(0, 2)]);
}
