// Convolutions and matrix products of bytes with constant weights, in all forms that files have: of the standard and com.microsoft,
// or real ones between DequantizeLinear and QuantizeLinear, which onnxruntime computes on whole numbers, too.
import { ModelError } from "../../../base/errors.js";
import { countOf } from "../../../base/shape.js";
import type { Dynamic } from "../../draft.js";
import { roundToEven } from "../../file/halves.js";
import { operatorName } from "../../file/node.js";
import { type PlainTensor, toNumbers } from "../../file/plain-tensor.js";
import { operandNames, type Point } from "../../host/quantisation.js";
import { depthwise } from "../../layers/int8/depthwise.js";
import type { Computed } from "../../layers/int8/dynamic.js";
import type { Ending } from "../../layers/int8/form.js";
import { exactParts, fits, product, weightRange } from "../../layers/int8/product.js";
import { type WindowAxis, windowAxes } from "../../semantics/windows.js";
import { dynamicAt, isConstant, param, type Site, tensorAt, varies, type WholeLowering } from "../site.js";
import { heldOf, onPixels, shaped, typedOf, UNIT } from "./held.js";
import { type Byte, byteAt, isByte, levelsAt, lift, onePointAt, pointAt } from "./quanta.js";
import { behindClamps, type Given, isDequantize, type Real, realOf } from "./real.js";
import { convolutionOf } from "./rules.js";

const { fround } = Math;

/** Constant weights; a scale and zero point for all, or one a filter. */
interface Filters {
  readonly weight: PlainTensor;
  readonly scale: readonly number[];
  readonly zero: readonly number[];
}

/** What a node multiplies: bytes, filters and int32 bias, which `emit` makes a layer of. */
interface Sums {
  readonly x: Real;
  readonly filters: Filters;
  readonly bias?: PlainTensor | undefined;
  readonly emit: (ending: Ending) => Dynamic | string;
}

/** Whole sums of `count` filters, which lie along an axis; `emit` makes a layer of them, whose scales are times one that a run computes. */
export interface Integers {
  readonly count: number;
  readonly axis: number;
  /** Whether the zero point is one that a run computes: only then a scale may be. */
  readonly isComputed: boolean;
  readonly emit: (ending: Ending, scale?: Dynamic) => Dynamic | string;
}

const COMPUTED = "float: scales, zero points or weights that a run computes, or of other types";

/** Inputs i to i + 2. Undefined where they are no constants of 8 bits. Throws ModelError for lengths that are not those of the filters. */
function filtersAt(
  site: Site,
  i: number,
  count: (w: PlainTensor) => number | undefined,
  isPlain = false,
): Filters | undefined {
  const weight = tensorAt(site, i);
  if (!weight || !isByte(weight.type)) return undefined;
  const [, name] = operandNames(site.c.node.opType);
  const levels = isPlain ? plainLevels(site, i + 1, weight.type, name) : levelsAt(site, i + 1, weight.type, name);
  const filters = count(weight);
  const named = Object.entries({ scale: levels?.scale, zero_point: levels?.zero });
  for (const [of, { length } = [0]] of named)
    if (levels && length !== 1 && length !== filters)
      throw new ModelError(`"${name}_${of}" expected ${filters} values, got ${length}`);
  return levels && { weight, ...levels };
}

/** Of an operator that has no scales, and a zero point of weights at i. */
function plainLevels(site: Site, i: number, type: Byte, name: string) {
  const zero = tensorAt(site, i);
  if (zero && zero.type !== type) throw new ModelError(`"${name}_zero_point" expected ${type}, got ${zero.type}`);
  return varies(site, i) ? undefined : { scale: [1], zero: zero ? toNumbers(zero) : [0] };
}

/** To bytes of an output whose scale and zero point these are. */
function toBytes(xScale: number, scale: readonly number[], y: Point, low = 0, high = 255): Ending {
  const factors = Float32Array.from(scale, (w) => fround(fround(xScale * w) / y.scale));
  return { type: "uint8", scale: factors, zero: y.zero, low, high };
}

const toReals = (xScale: number, scale: readonly number[]): Ending => ({
  type: "float32",
  scale: Float32Array.from(scale, (w) => fround(xScale * w)),
  low: -Infinity,
  high: Infinity,
});

// ------------------------------------------------------------------------------------------------------------ the layers

/** What is asked of weights before a layer is made of them; undefined, or why it is none. */
function refused(
  point: Point,
  { weight, zero }: Filters,
  filters: number,
  isLast: boolean,
  bias: PlainTensor | undefined,
  ending: Ending,
) {
  const data = weight.data as Int8Array;
  const why = fits(point.zero, { data, zero, filters, isLast, bias: bias?.data as Int32Array | undefined }, ending);
  const weights = { data, zero, filters, isLast };
  return { why: why && `float: ${why}`, known: { range: weightRange(weights) } };
}

const computedOf = ({ zero }: Real, scale?: Dynamic): Computed | undefined =>
  zero && (scale ? "zero and scale" : "zero");

const inputsOf = ({ zero }: Real, bytes: Dynamic, scale?: Dynamic): readonly Dynamic[] =>
  [bytes, zero, scale].filter((value) => value !== undefined);

/** An image's convolution, one of lines as of images one pixel high. */
function convolved(
  site: Site,
  real: Real,
  filters: Filters,
  bias: PlainTensor | undefined,
  ending: Ending,
  scale?: Dynamic,
) {
  const { bytes, point } = real;
  const { weight, zero } = filters;
  const { c } = site;
  const [lines, taps] = [bytes.shape.slice(2), weight.shape.slice(2)];
  if (taps.length !== lines.length || (lines.length !== 1 && lines.length !== 2)) return "float: no image";
  const axes = windowAxes(c, lines, taps);
  const isLine = lines.length === 1;
  const [h, w] = (isLine ? [UNIT, ...axes] : axes) as [WindowAxis, WindowAxis];
  const M = weight.shape[0] as number;
  const { why, known } = refused(point, filters, M, false, bias, ending);
  if (why) return why;
  const image = isLine ? shaped(site, bytes, bytes.shape.toSpliced(2, 0, 1)) : bytes;
  const held = isLine ? site.memo.of(weight, "line", [], () => asLines(weight)) : weight;
  const groups = c.int("group", 1);
  const options = {
    strides: [h.stride, w.stride],
    padding: [h.before, w.before, h.after, w.after],
    dilations: [h.dilation, w.dilation],
    groups,
    xZero: point.zero,
    wZero: zero,
    ending,
    computed: computedOf(real, scale),
    ...known,
    parts: exactParts(point.zero, { data: weight.data as Int8Array, zero, filters: M }, weight.shape[1] as number),
  } as const;
  const isDepthwise = groups > 1 && groups === image.shape[1];
  const op = isDepthwise ? onPixels(depthwise(options)) : convolutionOf(options);
  const params = [param(site, held, "weight"), param(site, bias, "bias")];
  const [y] = site.draft.add(site.layer, op, inputsOf(real, image, scale), params, {}, ending.type) as [Dynamic];
  return isLine ? shaped(site, y, y.shape.toSpliced(2, 1)) : y;
}

const asLines = ({ type, shape, data }: PlainTensor): PlainTensor => ({ type, shape: shape.toSpliced(2, 0, 1), data });

/** Rows times columns; transposed: filters are the rows of the weights. */
function multiplied(
  site: Site,
  real: Real,
  filters: Filters,
  bias: PlainTensor | undefined,
  transposed: boolean,
  ending: Ending,
  scale?: Dynamic,
) {
  const { bytes, point } = real;
  const { weight, zero } = filters;
  const count = weight.shape[transposed ? 0 : 1] as number;
  const { why, known } = refused(point, filters, count, !transposed, bias, ending);
  if (why) return why;
  const op = product({
    xZero: point.zero,
    wZero: zero,
    ending,
    transposed,
    computed: computedOf(real, scale),
    ...known,
  });
  const params = [param(site, weight, "weight"), param(site, bias, "bias")];
  const K = bytes.shape.at(-1) as number;
  const isPlain = bytes.shape.length === 2;
  const rows = isPlain ? bytes : shaped(site, bytes, [countOf(bytes.shape) / K, K]);
  const [y] = site.draft.add(site.layer, op, inputsOf(real, rows, scale), params, {}, ending.type) as [Dynamic];
  return isPlain ? y : shaped(site, y, [...bytes.shape.slice(0, -1), count]);
}

// ------------------------------------------------------------------------------- operators whose inputs are numbers and scales

/** Input 0 as bytes, with its scale and zero point behind it. */
function givenAt(site: Site, type: Byte): Real | undefined {
  const x = dynamicAt(site, 0);
  // By rows, which the standard has of QLinearMatMul alone, they are for JavaScript.
  const isByRows = operatorName(site.c.node) === "QLinearMatMul" && tensorAt(site, 1)?.data.length === x?.shape.at(-2);
  const point = (isByRows ? pointAt : onePointAt)(site, 1, type, operandNames(site.c.node.opType)[0]);
  return x && point && { bytes: heldOf(site, x), point };
}

function biasAt(site: Site, i: number, count: number | undefined): PlainTensor | undefined {
  const bias = tensorAt(site, i);
  if (bias && bias.type !== "int32") throw new ModelError(`"bias" expected int32, got ${bias.type}`);
  if (bias && countOf(bias.shape) !== count)
    throw new ModelError(`"bias" expected ${count} values, got ${countOf(bias.shape)}`);
  return bias;
}

/** Bytes of the type that the zero point of the output has; inputs i and i + 1 are its scale and zero point. */
function answered(site: Site, i: number, emit: (y: Point) => Dynamic | string): ReturnType<WholeLowering> {
  const type = byteAt(site, i + 1);
  const y = type && onePointAt(site, i, type, "y");
  if (!y) return COMPUTED;
  const answer = emit(y);
  return typeof answer === "string" ? answer : [typedOf(site, answer, type)];
}

const byFilters = (w: PlainTensor) => w.shape[0];
const byColumns = (w: PlainTensor) => w.shape.at(-1);

const qLinearConv: WholeLowering = (site) => {
  const type = dynamicAt(site, 0)?.type;
  if (!isByte(type)) return undefined;
  const [x, filters] = [givenAt(site, type), filtersAt(site, 3, byFilters)];
  if (!x || !filters || varies(site, 8)) return COMPUTED;
  const bias = biasAt(site, 8, filters.weight.shape[0]);
  return answered(site, 6, (y) => convolved(site, x, filters, bias, toBytes(x.point.scale, filters.scale, y)));
};

const qLinearMatMul: WholeLowering = (site) => {
  const type = dynamicAt(site, 0)?.type;
  if (!isByte(type)) return undefined;
  const [x, filters] = [givenAt(site, type), filtersAt(site, 3, byColumns)];
  if (!x || filters?.weight.shape.length !== 2) return COMPUTED;
  return answered(site, 6, (y) =>
    multiplied(site, x, filters, undefined, false, toBytes(x.point.scale, filters.scale, y)),
  );
};

/** Of com.microsoft; without a scale of the output real numbers. */
const qGemm: WholeLowering = (site) => {
  const { c, draft, layer } = site;
  const type = dynamicAt(site, 0)?.type;
  if (!isByte(type)) return undefined;
  const transposed = c.int("transB", 0) === 1;
  const [x, filters] = [givenAt(site, type), filtersAt(site, 3, transposed ? byFilters : byColumns)];
  if (!x || !filters || varies(site, 6)) return COMPUTED;
  const count = filters.weight.shape[transposed ? 0 : 1];
  const bias = biasAt(site, 6, count);
  const turn = (bytes: Dynamic) => draft.add(layer, "transpose", [bytes], [], { permutation: [1, 0] })[0] as Dynamic;
  const rows = c.int("transA", 0) === 1 ? { ...x, bytes: turn(x.bytes) } : x;
  const scale = fround(c.float("alpha", 1) * x.point.scale);
  const emit = (ending: Ending) => multiplied(site, rows, filters, bias, transposed, ending);
  if (site.inputs[7]) return answered(site, 7, (y) => emit(toBytes(scale, filters.scale, y)));
  const answer = emit(toReals(scale, filters.scale));
  return typeof answer === "string" ? answer : [answer];
};

/** What ConvInteger and MatMulInteger multiply: input 1 are the weights, inputs 2 and 3 the zero points. In words where it is no such. */
export function integersOf(site: Site): Integers | string | undefined {
  const x = dynamicAt(site, 0);
  const [, , zero] = site.inputs;
  if (!isByte(x?.type)) return undefined;
  const weight = tensorAt(site, 1);
  if (!weight || !isByte(weight.type) || (zero && countOf(zero.shape) !== 1)) return COMPUTED;
  const { opType } = site.c.node;
  if (zero && zero.type !== x.type)
    throw new ModelError(`"${operandNames(opType)[0]}_zero_point" expected ${x.type}, got ${zero.type}`);
  const isConv = opType === "ConvInteger";
  const count = isConv ? byFilters : byColumns;
  const filters = filtersAt({ ...site, inputs: [undefined, weight, site.inputs[3]] }, 1, count, true);
  if (!filters) return COMPUTED;
  if (!isConv && weight.shape.length !== 2) return "float: weights of more axes";
  const computed = zero && !isConstant(zero) ? heldOf(site, zero) : undefined;
  const known = (zero && isConstant(zero) ? Number(zero.data[0]) : 0) + lift(x.type);
  const real = { bytes: heldOf(site, x), point: { scale: 1, zero: computed ? 0 : known }, zero: computed };
  const emit = (ending: Ending, scale?: Dynamic) =>
    isConv
      ? convolved(site, real, filters, undefined, ending, scale)
      : multiplied(site, real, filters, undefined, false, ending, scale);
  const axis = isConv ? 1 : x.shape.length - 1;
  return { count: count(weight) as number, axis, isComputed: computed !== undefined, emit };
}

const integerSums: WholeLowering = (site) => {
  const sums = integersOf(site);
  const answer = typeof sums === "object" ? sums.emit({ type: "int32" }) : sums;
  return typeof answer === "object" ? [answer] : answer;
};

// ------------------------------------------------------------------------------------------------- real operators on bytes

/** A constant operand that is 8-bit numbers times scales, one or one an element of `axis`. */
function realFilters(site: Site, i: number, axis: number): Filters | undefined {
  const operand = site.inputs[i];
  const from = operand && isConstant(operand) ? site.behind(operand)?.site : undefined;
  const weight = from && isDequantize(from) ? tensorAt(from, 0) : undefined;
  if (!from || !weight || !isByte(weight.type)) return undefined;
  const levels = levelsAt(from, 1, weight.type, "w");
  const rank = weight.shape.length;
  const own = from.c.axis("axis", Math.max(-rank, Math.min(rank - 1, from.c.int("axis", 1))), rank);
  const isOne = levels?.scale.length === 1 && levels.zero.length === 1;
  return levels && (isOne || own === axis) ? { weight, ...levels } : undefined;
}

/** A scale that exporters round otherwise. */
const isNear = (a: number, b: number) => Math.abs(a - b) <= 1e-5 * b;

/** A constant bias in quanta of the sums; undefined for none, in words where it is no such. */
function realBias(
  site: Site,
  operand: Given,
  count: number,
  scales: readonly number[],
): PlainTensor | undefined | string {
  if (operand === undefined) return undefined;
  if (!isConstant(operand)) return "float: a bias that a run computes";
  const from = site.behind(operand)?.site;
  const scaleOf = (m: number) => scales[scales.length > 1 ? m : 0] as number;
  const whole = from && isDequantize(from) ? tensorAt(from, 0) : undefined;
  const levels = from && whole?.type === "int32" ? levelsAt(from, 1, "int32", "bias") : undefined;
  if (whole?.shape.length === 1 && levels?.zero.every((zero) => zero === 0)) {
    const own = (m: number) => levels.scale[levels.scale.length > 1 ? m : 0] as number;
    if (toNumbers(whole).every((_, m) => isNear(own(m), scaleOf(m)))) return whole;
  }
  if (operand.type !== "float32" || countOf(operand.shape) !== count) return "float: a bias of another shape";
  return site.memo.of(operand, `bias in ${scales.join()}`, [], () => {
    const data = Float64Array.from(operand.data as Float32Array, (value, m) => roundToEven(fround(value / scaleOf(m))));
    return data.every((value) => Math.abs(value) < 2 ** 31)
      ? { type: "int32", shape: [count], data: Int32Array.from(data) }
      : "float: a bias beyond int32";
  });
}

/** What a real convolution or product multiplies, where its operands are bytes; undefined for others. */
function sumsOf(site: Site): Sums | string | undefined {
  const operator = operatorName(site.c.node);
  const x = realOf(site, site.inputs[0]);
  if (!x) return undefined;
  const { c } = site;
  if (operator === "Conv") return summed(site, x, realFilters(site, 1, 0), 0, (...all) => convolved(site, ...all));
  const transposed = operator === "Gemm" && c.int("transB", 0) === 1;
  const isPlain =
    operator === "MatMul" || (c.float("alpha", 1) === 1 && c.float("beta", 1) === 1 && c.int("transA", 0) === 0);
  const filters = realFilters(site, 1, transposed ? 0 : 1);
  if (!isPlain || filters?.weight.shape.length !== 2) return undefined;
  return summed(site, x, filters, transposed ? 0 : 1, (rows, columns, bias, ending) =>
    multiplied(site, rows, columns, bias, transposed, ending),
  );
}

function summed(
  site: Site,
  x: Real,
  filters: Filters | undefined,
  axis: number,
  emit: (x: Real, filters: Filters, bias: PlainTensor | undefined, ending: Ending) => Dynamic | string,
): Sums | string | undefined {
  if (!filters) return undefined;
  const scales = filters.scale.map((w) => fround(x.point.scale * w));
  const bias = realBias(site, site.inputs[2], filters.weight.shape[axis] as number, scales);
  return typeof bias === "string" ? bias : { x, filters, bias, emit: (ending) => emit(x, filters, bias, ending) };
}

/** Real sums of bytes. */
const realSums: WholeLowering = (site) => {
  const sums = sumsOf(site);
  if (typeof sums !== "object") return sums;
  const answer = sums.emit(toReals(sums.x.point.scale, sums.filters.scale));
  return typeof answer === "string" ? answer : [answer];
};

/** The bytes of real sums, with or without a clamp behind them, that nobody else reads. */
export function sumsFor(site: Site, value: Given, y: Point): Dynamic | undefined {
  const found = behindClamps(site, value, y);
  if (!found || !/^(?:Conv|Gemm|MatMul)$/.test(operatorName(found.from.c.node))) return undefined;
  const sums = sumsOf(found.from);
  if (typeof sums !== "object") return undefined;
  const answer = sums.emit(toBytes(sums.x.point.scale, sums.filters.scale, y, found.low, found.high));
  return typeof answer === "string" ? undefined : answer;
}

export const PRODUCTS: Readonly<Record<string, WholeLowering>> = {
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
  "com.microsoft.QGemm": qGemm,
  ConvInteger: integerSums,
  MatMulInteger: integerSums,
  Conv: realSums,
  Gemm: realSums,
  MatMul: realSums,
};
