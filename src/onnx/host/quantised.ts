// Operators of quantised numbers. Integers are multiplied as numbers: exact up to 2^53.
import { countOf } from "../../base/shape.js";
import type { Budgeted } from "../file/budget.js";
import type { ElementType } from "../file/element-type.js";
import { numbers, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { ARRANGING } from "./arranging.js";
import { type Context, type HostOp, need } from "./context.js";
import { convolve } from "./convolution.js";
import { ELEMENTWISE } from "./elementwise.js";
import { transpose } from "./indexing.js";
import { cast, make } from "./make.js";
import { NORMALISATION } from "./normalisation.js";
import { POOLING } from "./pooling.js";
import { matmul } from "./product.js";
import { at, dequantize, meanFactor, mulFactor, type Point, quantize, ratio, single, spread } from "./quantisation.js";

/** x - zero point, as whole numbers in float64; a zero point of one value, or one a row of `axis`. */
function centred(c: Budgeted, x: PlainTensor, zero: PlainTensor | undefined, axis: number, name: string): PlainTensor {
  return dequantize(c, x, 1, spread(zero, x.shape, Math.max(0, axis), 0, `${name}_zero_point`), "float64");
}

const matmulInteger: HostOp = (c, first, second, zeroA, zeroB) => {
  const [a, b] = [need(first, "A"), need(second, "B")];
  return cast(
    c,
    matmul(c, centred(c, a, zeroA, a.shape.length - 2, "a"), centred(c, b, zeroB, b.shape.length - 1, "b")),
    "int32",
  );
};

const convInteger: HostOp = (c, first, second, zeroX, zeroW) =>
  cast(
    c,
    convolve(c, centred(c, need(first, "x"), zeroX, 1, "x"), centred(c, need(second, "w"), zeroW, 0, "w"), undefined),
    "int32",
  );

/**
 * Whole-number sums in a quantised type: times a factor a * b / y, all in float32, as onnxruntime and the kernels have it. In
 * float64 a product that float32 makes a half would go to one side of it.
 */
function requantize(
  c: Budgeted,
  sums: PlainTensor,
  a: Float64Array | number,
  b: Float64Array | number,
  out: PlainTensor,
  outZero: PlainTensor | undefined,
  type: ElementType,
): PlainTensor {
  const quantum = single(out, "y_scale");
  const scaled = make(c, "float32", sums.shape);
  for (let i = 0; i < scaled.data.length; i++) {
    const factor = Math.fround(Math.fround(at(a, i) * at(b, i)) / quantum);
    numbers(scaled)[i] = Math.fround(Number(sums.data[i])) * factor;
  }
  return quantize(c, scaled, 1, outZero === undefined ? 0 : single(outZero, "y_zero_point"), type);
}

const qLinearMatMul: HostOp = (c, first, scaleA, zeroA, second, scaleB, zeroB, scaleY, zeroY) => {
  const [a, b] = [need(first, "a"), need(second, "b")];
  const sums = matmul(c, centred(c, a, zeroA, a.shape.length - 2, "a"), centred(c, b, zeroB, b.shape.length - 1, "b"));
  const rank = sums.shape.length;
  const [sa, sb] = [
    spread(need(scaleA, "a_scale"), sums.shape, rank - 2, 0, "a_scale"),
    spread(need(scaleB, "b_scale"), sums.shape, rank - 1, 0, "b_scale"),
  ];
  return requantize(c, sums, sa, sb, need(scaleY, "y_scale"), zeroY, need(zeroY, "y_zero_point").type);
};

const qLinearConv: HostOp = (c, x, scaleX, zeroX, w, scaleW, zeroW, scaleY, zeroY, bias) => {
  const sums = convolve(c, centred(c, need(x, "x"), zeroX, 1, "x"), centred(c, need(w, "w"), zeroW, 0, "w"), bias);
  const filters = spread(need(scaleW, "w_scale"), sums.shape, 1, 0, "w_scale");
  const factor = single(need(scaleX, "x_scale"), "x_scale");
  return requantize(c, sums, filters, factor, need(scaleY, "y_scale"), zeroY, need(zeroY, "y_zero_point").type);
};

const point = (scale: PlainTensor | undefined, zero: PlainTensor | undefined, name: string): Point => ({
  scale: single(need(scale, name), name),
  zero: zero === undefined ? 0 : single(zero, name.replace("scale", "zero_point")),
});

const real = (
  c: Budgeted,
  x: PlainTensor | undefined,
  scale: PlainTensor | undefined,
  zero: PlainTensor | undefined,
): PlainTensor => {
  const q = point(scale, zero, "X_scale");
  return dequantize(c, need(x, "X"), q.scale, q.zero);
};

const back = (
  c: Budgeted,
  y: PlainTensor,
  scale: PlainTensor | undefined,
  zero: PlainTensor | undefined,
): PlainTensor => {
  const q = point(scale, zero, "Y_scale");
  return quantize(c, y, q.scale, q.zero, zero?.type ?? "uint8");
};

/** com.microsoft: two operands (value, scale, zero point), then the output's scale and zero point. */
const qLinearAdd: HostOp = (c, a, scaleA, zeroA, b, scaleB, zeroB, scaleY, zeroY) => {
  const of = [
    point(scaleA, zeroA, "A_scale"),
    point(scaleB, zeroB, "B_scale"),
    point(scaleY, zeroY, "C_scale"),
  ] as const;
  const [left, right] = [need(a, "A"), need(b, "B")];
  const [first, second] = [left, right].map((x, i) => {
    const from = of[i] as Point;
    return dequantize(c, x, ratio(from, of[2]), from.zero);
  });
  return quantize(c, call(ELEMENTWISE["Add"], c, first, second), 1, 0, left.type, of[2].zero);
};

const qLinearMul: HostOp = (c, a, scaleA, zeroA, b, scaleB, zeroB, scaleY, zeroY) => {
  const of = [
    point(scaleA, zeroA, "A_scale"),
    point(scaleB, zeroB, "B_scale"),
    point(scaleY, zeroY, "C_scale"),
  ] as const;
  const [left, right] = [need(a, "A"), need(b, "B")];
  const product = call(ELEMENTWISE["Mul"], c, dequantize(c, left, 1, of[0].zero), dequantize(c, right, 1, of[1].zero));
  return quantize(c, scaled(c, product, mulFactor(...of)), 1, 0, left.type, of[2].zero);
};

/** Times a factor, in float32. */
function scaled(c: Budgeted, x: PlainTensor, factor: number): PlainTensor {
  const y = make(c, "float32", x.shape);
  for (let i = 0; i < y.data.length; i++) numbers(y)[i] = (x.data[i] as number) * factor;
  return y;
}

/** The zero point is added in front of rounding. */
const qLinearAveragePool: HostOp = (c, x, scaleX, zeroX, scaleY, zeroY) => {
  const q = point(scaleY, zeroY, "Y_scale");
  return quantize(c, call(POOLING["AveragePool"], c, real(c, x, scaleX, zeroX)), q.scale, 0, need(x, "X").type, q.zero);
};

const qLinearGlobalAveragePool: HostOp = (c, first, scaleX, zeroX, scaleY, zeroY) => {
  const x = need(first, "X");
  const [from, to] = [point(scaleX, zeroX, "X_scale"), point(scaleY, zeroY, "Y_scale")];
  const count = countOf(x.shape.slice(2));
  const means = call(POOLING["GlobalAveragePool"], c, dequantize(c, x, 1, from.zero, "float64"));
  const sums = { ...means, data: Float64Array.from(toNumbers(means), (mean) => Math.round(mean * count)) };
  return quantize(c, scaled(c, sums, meanFactor(from.scale, to.scale, count)), 1, to.zero, x.type);
};

/** com.microsoft: one operand, then the output's scale and zero point. */
function quantizedUnary(op: HostOp | undefined): HostOp {
  return (c, x, scaleX, zeroX, scaleY, zeroY) => back(c, call(op, c, real(c, x, scaleX, zeroX)), scaleY, zeroY);
}

function call(op: HostOp | undefined, c: Context, ...inputs: (PlainTensor | undefined)[]): PlainTensor {
  const answer = (op as HostOp)(c, ...inputs);
  return Array.isArray(answer) ? (answer[0] as PlainTensor) : answer;
}

/** Channels last where the attribute says so: moved to the front, computed, moved back. */
function channelsLastAware(op: HostOp): HostOp {
  return (c, x, ...rest) => {
    if (c.int("channels_last", 0) === 0) return op(c, x, ...rest);
    const t = need(x, "X");
    const rank = t.shape.length;
    const spatial = Array.from({ length: rank - 2 }, (_, i) => i);
    const y = call(op, c, transpose(c, t, [0, rank - 1, ...spatial.map((i) => i + 1)]), ...rest);
    return transpose(c, y, [0, ...spatial.map((i) => i + 2), 1]);
  };
}

const qLinearConcat: HostOp = (c, scaleY, zeroY, ...parts) => {
  const inputs = Array.from({ length: parts.length / 3 }, (_, i) =>
    real(c, parts[3 * i], parts[3 * i + 1], parts[3 * i + 2]),
  );
  return back(c, call(ARRANGING["Concat"], c, ...inputs), scaleY, zeroY);
};

/** Rows of A times columns of B, with the sums' bias; real numbers where no scale of an output is given. */
const qGemm: HostOp = (c, first, scaleA, zeroA, second, scaleB, zeroB, bias, scaleY, zeroY) => {
  const [a, b] = [need(first, "A"), need(second, "B")];
  const turn = (t: PlainTensor, name: string) => (c.int(name, 0) === 1 ? transpose(c, t, [1, 0]) : t);
  const columns = c.int("transB", 0) === 1 ? 0 : 1;
  let sums = matmul(
    c,
    turn(centred(c, a, zeroA, 0, "a"), "transA"),
    turn(centred(c, b, zeroB, columns, "b"), "transB"),
  );
  if (bias) sums = call(ELEMENTWISE["Add"], c, sums, cast(c, bias, sums.type));
  const factor = single(need(scaleA, "a_scale"), "a_scale") * c.float("alpha", 1);
  const of = spread(need(scaleB, "b_scale"), sums.shape, 1, 0, "b_scale");
  if (scaleY) return requantize(c, sums, of, factor, scaleY, zeroY, zeroY?.type ?? a.type);
  const scales = Float64Array.from({ length: sums.data.length }, (_, i) => at(of, i) * factor);
  return cast(c, call(ELEMENTWISE["Mul"], c, sums, { type: sums.type, shape: sums.shape, data: scales }), "float32");
};

/** Those of com.microsoft: each operand with its scale and zero point behind it, then the scale and zero point of the output. */
export const QUANTISED: Readonly<Record<string, HostOp>> = {
  MatMulInteger: matmulInteger,
  ConvInteger: convInteger,
  QLinearMatMul: qLinearMatMul,
  QLinearConv: qLinearConv,
  "com.microsoft.QLinearAdd": qLinearAdd,
  "com.microsoft.QLinearMul": qLinearMul,
  "com.microsoft.QLinearSigmoid": quantizedUnary(ELEMENTWISE["Sigmoid"]),
  "com.microsoft.QLinearLeakyRelu": quantizedUnary(ELEMENTWISE["LeakyRelu"]),
  "com.microsoft.QLinearAveragePool": channelsLastAware(qLinearAveragePool),
  "com.microsoft.QLinearGlobalAveragePool": channelsLastAware(qLinearGlobalAveragePool),
  "com.microsoft.QLinearSoftmax": (c, x, scaleX, zeroX, scaleY, zeroY) => {
    return back(
      c,
      call(NORMALISATION["Softmax"], c.asOf(c.int("opset", 13)), real(c, x, scaleX, zeroX)),
      scaleY,
      zeroY,
    );
  },
  "com.microsoft.QLinearConcat": qLinearConcat,
  "com.microsoft.QGemm": qGemm,
};
