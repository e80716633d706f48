// Quantised ONNX operators as layers of float32: numbers less their zero point are whole, so that sums of products are exact
// below 2^24 (a term is at most 255 * 255: 258 terms whatever they are, many more as they come): whole sums beyond are for JavaScript, and
// what is rounded before it is quantised again is the sum of a convolution or product with more of them, by 2^-24 of its size: less than
// a quantum.

import { ModelError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Dynamic } from "../draft.js";
import { type ElementType, elementType } from "../file/element-type.js";
import { Deferred, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { along } from "../host/indexing.js";
import { cast } from "../host/make.js";
import {
  dequantize as hostDequantize,
  meanFactor,
  mulFactor,
  operandNames,
  type Point,
  ratio,
} from "../host/quantisation.js";
import { dequantize, type Quantisation, type Quantised, quantize } from "../layers/quantize.js";
import { reduce } from "../layers/reduce.js";
import { binary, dynamicAt, isConstant, type NodeLowering, type Site, tensorAt, varies } from "./site.js";
import { convLayer } from "./window.js";

type Given = Dynamic | PlainTensor;
interface Pair {
  readonly a: Point;
  readonly b: Point;
  readonly c: Point;
  readonly q: Quantisation; // c's
}

const isQuantised = (type: ElementType): type is Quantised => type === "uint8" || type === "int8" || type === "int32";

function toReal(site: Site, x: Dynamic, q: Quantisation): Dynamic {
  return site.draft.add(site.layer, dequantize(q), [x], [], {}, "float32")[0] as Dynamic;
}

function toQuantised(site: Site, x: Dynamic, q: Quantisation): readonly Dynamic[] {
  return site.draft.add(site.layer, quantize(q), [x], [], {}, q.type);
}

/** The quantisation that inputs i and i + 1 say: a scale, and a zero point that may be missing. Undefined where they vary. */
function quantisationAt(site: Site, i: number, type: ElementType, axis = 0): Quantisation | undefined {
  const [scale, zero] = [tensorAt(site, i), tensorAt(site, i + 1)];
  if (!scale || varies(site, i + 1) || !isQuantised(type) || scale.shape.length > 1) return undefined;
  return { type, scale: toNumbers(scale), zero: zero ? toNumbers(zero) : [0], axis };
}

/** The type of a zero point, by which outputs are typed. */
const typeAt = (site: Site, i: number): ElementType => tensorAt(site, i)?.type ?? "uint8";

/** Whole numbers as they are. */
const plain = (type: Quantised, zero: readonly number[] = [0]): Quantisation => ({
  type,
  scale: [1],
  zero,
  axis: 0,
});

/** Inputs i to i + 2, a value, its scale and its zero point, as a real operand. */
function realAt(site: Site, i: number): Given | undefined {
  const x = site.inputs[i];
  if (x === undefined) return undefined;
  const q = quantisationAt(site, i + 1, x.type);
  if (q?.scale.length !== 1) return undefined;
  return isConstant(x) ? hostDequantize(site, x, q.scale[0] as number, q.zero[0] as number) : toReal(site, x, q);
}

/** The layers of a float operator on these inputs; the node's attributes are its own. */
function floatLayers(site: Site, opType: string, inputs: readonly (Given | undefined)[]): Dynamic | undefined {
  if (inputs.includes(undefined) || !inputs.some((x) => !isConstant(x))) return undefined;
  const c = opType === "Softmax" ? site.c.asOf(site.c.int("opset", 13)) : site.c;
  return site.lowering(opType)?.({ ...site, c, inputs })?.[0];
}

/** Of com.microsoft: an operand with scale and zero point, then the output's; computed on real numbers. */
function onReals(opType: string, finish: (q: Quantisation) => Quantisation = (q) => q): NodeLowering {
  return (site) => {
    if (site.c.int("channels_last", 0) === 1) return undefined;
    const q = quantisationAt(site, 3, typeAt(site, 4));
    const y = q?.scale.length === 1 && floatLayers(site, opType, [realAt(site, 0)]);
    return y ? toQuantised(site, y, finish(q)) : undefined;
  };
}

/** The zero point added before rounding, as onnxruntime does in some operators of its own: halves go another way where it is odd. */
const zeroFirst = (q: Quantisation): Quantisation => ({ ...q, zero: [0], offset: q.zero[0] as number });

/** An operand's numbers less `zero`, times `scale`, and `offset`. */
function affineAt(site: Site, i: number, scale: number, zero: number, offset = 0): Given | undefined {
  const x = site.inputs[i];
  if (x === undefined || !isQuantised(x.type)) return undefined;
  if (isConstant(x)) return hostDequantize(site, x, scale, zero, "float32", offset);
  return toReal(site, x, { type: x.type, scale: [scale], zero: [zero], axis: 0, offset });
}

/** Of com.microsoft: the scales and zero points of two operands and of the output, one value each. */
function pairAt(site: Site): Pair | undefined {
  const [a, b] = [site.inputs[0], site.inputs[3]];
  const all = a &&
    b && [quantisationAt(site, 1, a.type), quantisationAt(site, 4, b.type), quantisationAt(site, 6, typeAt(site, 7))];
  if (!all?.every((q) => q?.scale.length === 1)) return undefined;
  const value = ({ scale, zero }: Quantisation) => ({ scale: scale[0] as number, zero: zero[0] as number });
  const [qa, qb, qc] = all.map((q) => value(q as Quantisation)) as [Point, Point, Point];
  return { a: qa, b: qb, c: qc, q: all[2] as Quantisation };
}

/** Sum and product as onnxruntime has them, to the bit: see ratio() and mulFactor(). */
const qLinearAdd: NodeLowering = (site) => {
  const p = pairAt(site);
  if (!p) return undefined;
  const [a, b] = [affineAt(site, 0, ratio(p.a, p.c), p.a.zero), affineAt(site, 3, ratio(p.b, p.c), p.b.zero)];
  const y = floatLayers(site, "Add", [a, b]);
  return y && toQuantised(site, y, { ...zeroFirst(p.q), scale: [1] });
};

const qLinearMul: NodeLowering = (site) => {
  const p = pairAt(site);
  const y = p && floatLayers(site, "Mul", [affineAt(site, 0, 1, p.a.zero), affineAt(site, 3, 1, p.b.zero)]);
  return y && toQuantised(site, y, { ...zeroFirst(p.q), scale: [mulFactor(p.a, p.b, p.c)], multiply: true });
};

/** Whole sums times one factor. */
const qLinearGlobalAveragePool: NodeLowering = (site) => {
  const q = quantisationAt(site, 3, typeAt(site, 4));
  const [x, given] = [dynamicAt(site, 0), site.inputs[0] && quantisationAt(site, 1, site.inputs[0].type)];
  if (!x || q?.scale.length !== 1 || given?.scale.length !== 1 || site.c.int("channels_last", 0) === 1)
    return undefined;
  const whole = affineAt(site, 0, 1, given.zero[0] as number) as Dynamic;
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const [sums] = site.draft.add(site.layer, reduce("sum", axes, "sum"), [whole]);
  const factor = meanFactor(given.scale[0] as number, q.scale[0] as number, countOf(x.shape.slice(2)));
  return toQuantised(site, sums as Dynamic, { ...q, scale: [factor], multiply: true });
};

const qLinearConcat: NodeLowering = (site) => {
  const q = quantisationAt(site, 0, typeAt(site, 1));
  const inputs = Array.from({ length: (site.inputs.length - 2) / 3 }, (_, i) => realAt(site, 3 * i + 2));
  if (q?.scale.length !== 1 || inputs.includes(undefined)) return undefined;
  const axis = site.c.axis("axis", site.c.int("axis", 1), (inputs[0] as Given).shape.length);
  const operands = inputs.map((x, i) =>
    isConstant(x) ? site.draft.constant(x, `${site.layer}.operand${i}`) : (x as Dynamic),
  );
  const [y] = site.draft.add(site.layer, "concat", operands, [], { axis });
  return toQuantised(site, y as Dynamic, q);
};

/** The first input less a zero point of one value. */
function centredAt(site: Site, zeroAt: number): Dynamic | undefined {
  const [x, zero] = [dynamicAt(site, 0), site.inputs[zeroAt]];
  if (!x || !isQuantised(x.type) || (zero && countOf(zero.shape) !== 1)) return undefined;
  if (!zero || isConstant(zero)) return toReal(site, x, plain(x.type, zero ? toNumbers(zero) : [0]));
  return binary(site, "sub", toReal(site, x, plain(x.type)), toReal(site, zero, plain(x.type)));
}

/** Constant weights less their zero points, one value or one an element of the axis. */
function weightsAt(site: Site, i: number, zeroAt: number, axisOf: (rank: number) => number): PlainTensor | undefined {
  const [w, zero] = [tensorAt(site, i), tensorAt(site, zeroAt)];
  if (!w || !isQuantised(w.type) || varies(site, zeroAt)) return undefined;
  const { size, inner } = along(w.shape, axisOf(w.shape.length));
  const zeros = zero ? toNumbers(zero) : [0];
  if (zeros.length !== 1 && zeros.length !== size)
    throw new ModelError(
      `"${operandNames(site.c.node.opType)[1]}_zero_point" expected ${size} values, got ${zeros.length}`,
    );
  return new Deferred(site.budget, "float32", w.shape, (to, from) => {
    const data = new Float32Array(to.buffer, to.byteOffset, to.length / 4);
    const whole = w.data as Int8Array;
    for (let i = 0, at = from / 4; i < data.length; i++, at++)
      data[i] = (whole[at] as number) - (zeros[Math.floor(at / inner) % zeros.length] as number);
  });
}

/** Up to where whole numbers of float32 have no gaps. */
const WHOLE = 2 ** 24;

/** Whether sums of constant weights [..., K, M] less their zero points, times any bytes, are whole numbers of float32. */
function isExact(site: Site): boolean {
  const [w, zero] = [tensorAt(site, 1), tensorAt(site, 3)];
  if (!w || w.shape.includes(0)) return true;
  const [K, M] = (w.shape.length > 1 ? w.shape.slice(-2) : [...w.shape, 1]) as [number, number];
  const [data, zeros] = [w.data as Int8Array, zero ? toNumbers(zero) : [0]];
  const sums = new Float64Array(data.length / K);
  for (let i = 0; i < data.length; i++) {
    const at = Math.floor(i / (K * M)) * M + (i % M);
    sums[at] = (sums[at] as number) + Math.abs((data[i] as number) - (zeros[(i % M) % zeros.length] as number));
  }
  return sums.every((sum) => 255 * sum < WHOLE);
}

/** Sums of whole products: by the algorithms that only add up products. */
function convSums(site: Site, zeroX: number, w: PlainTensor | undefined, bias?: PlainTensor): Dynamic | undefined {
  const x = w && centredAt(site, zeroX);
  if (!x || !w) return undefined;
  const groups = site.c.int("group", 1);
  const isDepthwise = groups > 1 && groups === x.shape[1] && w.shape.length === 4;
  const algorithm = isDepthwise ? "depthwise" : "implicit-gemm";
  return convLayer({ ...site, inputs: [x, w, bias && cast(site, bias, "float32")] }, { algorithm })?.[0];
}

/** Sums to the output's type: inputs i and i + 1 are its scale and zero point; `factors` are the scales of the operands. */
function requantised(
  site: Site,
  sums: Dynamic | undefined,
  i: number,
  axis: number,
  factors: readonly (PlainTensor | undefined)[],
): readonly Dynamic[] | undefined {
  const q = quantisationAt(site, i, typeAt(site, i + 1), axis);
  const [a, b] = factors;
  if (!sums || !q || q.scale.length !== 1 || !a || !b || countOf(a.shape) !== 1 || b.shape.length > 1) return undefined;
  if (b.data.length > 1 && b.data.length !== sums.shape[axis])
    throw new ModelError(
      `"${operandNames(site.c.node.opType)[1]}_scale" expected ${sums.shape[axis]} values, got ${b.data.length}`,
    );
  // Rounded to float32 where other runtimes do: a sum next to a half would go the other way.
  const [factor, quantum] = [Number(a.data[0]), q.scale[0] as number];
  const scale = toNumbers(b).map((value) => Math.fround(value * factor) / quantum);
  return toQuantised(site, sums, { ...q, scale, multiply: true });
}

const qLinearConv: NodeLowering = (site) => {
  if (varies(site, 8)) return undefined;
  const sums = convSums(
    site,
    2,
    weightsAt(site, 3, 5, () => 0),
    tensorAt(site, 8),
  );
  return requantised(site, sums, 6, 1, [tensorAt(site, 1), tensorAt(site, 4)]);
};

const convInteger: NodeLowering = (site) => {
  const sums = convSums(
    site,
    2,
    weightsAt(site, 1, 3, () => 0),
  );
  return sums && toQuantised(site, sums, plain("int32"));
};

const last = (rank: number): number => rank - 1;

const qLinearMatMul: NodeLowering = (site) => {
  const w = weightsAt(site, 3, 5, last);
  const sums = w && floatLayers(site, "MatMul", [centredAt(site, 2), w]);
  return sums && requantised(site, sums, 6, sums.shape.length - 1, [tensorAt(site, 1), tensorAt(site, 4)]);
};

const matmulInteger: NodeLowering = (site) => {
  const w = weightsAt(site, 1, 3, last);
  const sums = w && isExact(site) && floatLayers(site, "MatMul", [centredAt(site, 2), w]);
  return sums ? toQuantised(site, sums, plain("int32")) : undefined;
};

/** Of com.microsoft; without a scale of the output real numbers. */
const qGemm: NodeLowering = (site) => {
  const { c, draft, layer } = site;
  const [a, b, bias] = [tensorAt(site, 1), tensorAt(site, 4), tensorAt(site, 6)];
  const w = weightsAt(site, 3, 5, () => (c.int("transB", 0) === 1 ? 0 : 1));
  if (!w || !a || !b || varies(site, 6)) return undefined;
  const own = { ...site, c: c.without("alpha") };
  const sums = floatLayers(own, "Gemm", [centredAt(site, 2), w, ...(bias ? [cast(site, bias, "float32")] : [])]);
  const scale = Number(a.data[0]) * c.float("alpha", 1);
  if (site.inputs[7]) return requantised(site, sums, 7, 1, [{ ...a, data: Float64Array.of(scale) }, b]);
  if (!sums || b.shape.length > 1) return undefined;
  const scales = { type: b.type, shape: b.shape, data: Float32Array.from(toNumbers(b), (value) => value * scale) };
  return draft.add(layer, "mul", [sums, draft.constant(scales, `${layer}.scale`)], [], {}, "float32");
};

/** One value a tensor or an axis; not by blocks. */
function linear(site: Site, shape: readonly number[], type: ElementType): Quantisation | undefined {
  if (site.c.int("block_size", 0) !== 0 || tensorAt(site, 1)?.type !== "float32") return undefined;
  const rank = shape.length;
  const axis = rank === 0 ? 0 : site.c.axis("axis", Math.max(-rank, Math.min(rank - 1, site.c.int("axis", 1))), rank);
  const q = quantisationAt(site, 1, type, axis);
  return q && (q.scale.length === 1 || q.scale.length === shape[axis]) ? q : undefined;
}

const quantizeLinear: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const code = site.c.int("output_dtype", 0);
  const type = tensorAt(site, 2)?.type ?? (code ? elementType(code, "output_dtype") : "uint8");
  const q = x?.type === "float32" ? linear(site, x.shape, type) : undefined;
  return x && q && q.type !== "int32" ? toQuantised(site, x, q) : undefined;
};

const dequantizeLinear: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const q = x && linear(site, x.shape, x.type);
  return x && q && [toReal(site, x, q)];
};

/** Whole numbers to float32. */
const castNumbers: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const type = x?.type === "bool" ? "uint8" : x?.type;
  if (!x || !type || !isQuantised(type) || site.c.opset < 6 || site.c.int("to", 0) !== 1) return undefined;
  return [toReal(site, x, plain(type))];
};

const maxPool: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x || !isQuantised(x.type)) return undefined;
  const y = floatLayers(site, "MaxPool", [toReal(site, x, plain(x.type))]);
  return y && toQuantised(site, y, plain(x.type));
};

export const QUANTISED_LAYERS: Readonly<Record<string, NodeLowering>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  Cast: castNumbers,
  QLinearConv: qLinearConv,
  ConvInteger: convInteger,
  QLinearMatMul: qLinearMatMul,
  MatMulInteger: matmulInteger,
  MaxPool: maxPool,
  "com.microsoft.QuantizeLinear": quantizeLinear,
  "com.microsoft.DequantizeLinear": dequantizeLinear,
  "com.microsoft.QLinearAdd": qLinearAdd,
  "com.microsoft.QLinearMul": qLinearMul,
  "com.microsoft.QLinearSigmoid": onReals("Sigmoid"),
  "com.microsoft.QLinearLeakyRelu": onReals("LeakyRelu"),
  "com.microsoft.QLinearAveragePool": onReals("AveragePool", zeroFirst),
  "com.microsoft.QLinearGlobalAveragePool": qLinearGlobalAveragePool,
  "com.microsoft.QLinearSoftmax": onReals("Softmax"),
  "com.microsoft.QLinearConcat": qLinearConcat,
  "com.microsoft.QGemm": qGemm,
};
