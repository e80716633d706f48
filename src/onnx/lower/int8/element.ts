// Sums, products, means and functions of bytes by element, as onnxruntime's operators have them: see ratio() and what follows it
// in host/quantisation.ts. Real ones between DequantizeLinear and QuantizeLinear are the same operators there.
import { countOf } from "../../../base/shape.js";
import type { Dynamic } from "../../draft.js";
import { roundToEven } from "../../file/halves.js";
import { operatorName } from "../../file/node.js";
import type { PlainTensor } from "../../file/plain-tensor.js";
import { ELEMENTWISE } from "../../host/elementwise.js";
import { meanFactor, mulFactor, type Point, ratio } from "../../host/quantisation.js";
import { fromFloat, multiply, toFloat } from "../../layers/int8/elements.js";
import { dynamicAt, isConstant, param, type Site, tensorAt, varies, type WholeLowering } from "../site.js";
import { heldOf, type Mapped, mappedOf, onPixels, through, typedOf } from "./held.js";
import {
  type Byte,
  byteAt,
  eachByte,
  isByte,
  lift,
  type Output,
  onePointAt,
  outputAt,
  pointAt,
  quantised,
  real,
} from "./quanta.js";
import { behindClamps, type Given, isDequantize, realOf } from "./real.js";
import { sumOf } from "./rules.js";
import { averaged, maxPooled, meaned, resized } from "./window.js";

const { fround } = Math;

/** An operand, constant or not: bytes as they are held. */
interface Operand {
  readonly bytes: Dynamic | PlainTensor;
  readonly point: Point;
}

const COMPUTED = "float: scales or zero points that a run computes, or of other types";

/** Inputs i to i + 2: a value, its scale and its zero point. */
function operandAt(site: Site, i: number, name: string): Operand | undefined {
  const x = site.inputs[i];
  if (x === undefined || !isByte(x.type)) return undefined;
  const point = onePointAt(site, i + 1, x.type, name);
  return point && { bytes: isConstant(x) ? lifted(site, x) : heldOf(site, x), point };
}

/** A constant as it is held. */
function lifted(site: Site, x: PlainTensor): PlainTensor {
  if (x.type === "uint8") return x;
  return site.memo.of(x, "held", [], () => ({
    type: "uint8",
    shape: x.shape,
    data: Uint8Array.from(x.data as Int8Array, (v) => v + lift("int8")),
  }));
}

/** A sum or product of two bytes, as onnxruntime computes it in the type that they have in the file, `lift` lower. */
function pairOf(isSum: boolean, a: Point, b: Point, y: Output, low: number, high: number) {
  const { lift } = y;
  if (isSum) {
    const [ra, rb] = [ratio(a, y), ratio(b, y)];
    const sum = { ra, rb, aZero: a.zero, bZero: b.zero, offset: y.zero - lift, shift: lift, low, high };
    const of = (p: number, q: number) =>
      fround(fround(fround((p - a.zero) * ra) + fround((q - b.zero) * rb)) + sum.offset);
    return { op: () => sumOf(sum), of, zero: lift };
  }
  const product = {
    aZero: a.zero,
    bZero: b.zero,
    factor: mulFactor(a, b, y),
    offset: y.zero - lift,
    zero: lift,
    low,
    high,
  };
  const of = (p: number, q: number) => fround(fround((p - a.zero) * (q - b.zero) * product.factor) + product.offset);
  return { op: () => onPixels(multiply(product)), of, zero: lift };
}

/** Sums or products; not both operands are constant. */
function combined(site: Site, isSum: boolean, a: Operand, b: Operand, y: Output, low = 0, high = 255): Dynamic {
  const { op, of, zero } = pairOf(isSum, a.point, b.point, y, low, high);
  const operands = [a.bytes, b.bytes];
  // Of one value's bytes, or of one and a number, it is a function of one byte.
  const rank = Math.max(...operands.map((x) => (isConstant(x) ? 0 : x.shape.length)));
  const known = operands.map((x) => {
    if (!isConstant(x)) return mappedOf(site, x);
    return countOf(x.shape) === 1 && x.shape.length <= rank ? Number(x.data[0]) : undefined;
  });
  const root = known.find((one) => typeof one === "object")?.root;
  if (root && known.every((one) => typeof one === "number" || one?.root === root)) {
    const [p, q] = known as [Mapped | number, Mapped | number];
    const at = (one: Mapped | number, byte: number) => (typeof one === "number" ? one : (one.bytes[byte] as number));
    const store = (value: number) => Math.min(high, Math.max(low, roundToEven(value) + zero));
    return through(
      site,
      root,
      eachByte((byte) => store(of(at(p, byte), at(q, byte)))),
    );
  }
  const names = operands.map((x, i) => (isConstant(x) ? (param(site, x, `operand${i}`) as string) : x));
  return site.draft.add(site.layer, op(), names, [], {}, "uint8")[0] as Dynamic;
}

/** Bytes of the type that the zero point of the output has; inputs i and i + 1 are its scale and zero point. */
function answered(site: Site, i: number, emit: (y: Output) => Dynamic | string | undefined): ReturnType<WholeLowering> {
  const type = byteAt(site, i + 1, site.inputs[0]?.type as Byte);
  const y = type && outputAt(site, i, type, true);
  if (!y) return COMPUTED;
  const answer = emit(y);
  return typeof answer === "object" ? [typedOf(site, answer, type)] : answer;
}

const onPair =
  (isSum: boolean): WholeLowering =>
  (site) => {
    const [a, b] = [operandAt(site, 0, "a"), operandAt(site, 3, "b")];
    return a && b ? answered(site, 6, (y) => combined(site, isSum, a, b, y)) : COMPUTED;
  };

/** One operand, then the output's scale and zero point; not of channels last. */
const onOne =
  (emit: (site: Site, x: Dynamic, from: Point, to: Output) => Dynamic | string | undefined): WholeLowering =>
  (site) => {
    const x = operandAt(site, 0, "x");
    if (!x || isConstant(x.bytes) || site.c.int("channels_last", 0) === 1) return COMPUTED;
    const { bytes, point } = x;
    return answered(site, 3, (y) => emit(site, bytes, point, y));
  };

/** A function of one real number. */
const byElement = (operator: string): WholeLowering =>
  onOne((site, x, from, to) => {
    const data = Float32Array.from({ length: 256 }, (_, b) => real(b, from));
    const reals = ELEMENTWISE[operator]?.(site.c, { type: "float32", shape: [256], data }) as PlainTensor;
    return through(
      site,
      x,
      Uint8Array.from(reals.data as Float32Array, (v) => quantised(v, to)),
    );
  });

const globalAverage = (site: Site, x: Dynamic, from: Point, to: Point) =>
  meaned(site, x, from, to, meanFactor(from.scale, to.scale, countOf(x.shape.slice(2))));

const qLinearConcat: WholeLowering = (site) => {
  const parts = Array.from({ length: (site.inputs.length - 2) / 3 }, (_, i) => operandAt(site, 3 * i + 2, `x${i}`));
  if (parts.includes(undefined)) return COMPUTED;
  const type = byteAt(site, 1);
  const y = type && onePointAt(site, 0, type, "y");
  if (!y) return COMPUTED;
  const axis = site.c.axis("axis", site.c.int("axis", 1), parts[0]?.bytes.shape.length as number);
  const operands = (parts as Operand[]).map(({ bytes, point }, i) => {
    const f = eachByte((b) => quantised(real(b, point), y));
    if (!isConstant(bytes)) return through(site, bytes, f);
    const data = Uint8Array.from(bytes.data as Uint8Array, (b) => f[b] as number);
    return param(site, { type: "uint8", shape: bytes.shape, data }, `operand${i}`) as string;
  });
  return [typedOf(site, site.draft.add(site.layer, "concat", operands, [], { axis }, "uint8")[0] as Dynamic, type)];
};

/** Windows' largest numbers, of bytes as they are. */
const maxPool: WholeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x || !isByte(x.type)) return undefined;
  const y = maxPooled(site, heldOf(site, x));
  return y && [typedOf(site, y, x.type)];
};

/** Real numbers in between: Softmax has no whole ones. */
const softmax = onOne((site, x, from, to) => {
  const c = site.c.asOf(site.c.int("opset", 13));
  const reals = toReal(site, x, from);
  const y = site.lowering("Softmax")?.({ ...site, c, inputs: [reals] })?.[0];
  return y && fromReal(site, y, to);
});

export const toReal = (site: Site, bytes: Dynamic, point: Point): Dynamic =>
  site.draft.add(site.layer, toFloat(point), [bytes], [], {}, "float32")[0] as Dynamic;

export const fromReal = (site: Site, reals: Dynamic, point: Point): Dynamic =>
  site.draft.add(site.layer, fromFloat(point), [reals], [], {}, "uint8")[0] as Dynamic;

// ------------------------------------------------------------------------------------------------- real operators on bytes

/** A real operand: of bytes that a run computes, or constant ones. */
function realOperand(site: Site, value: Given): Operand | undefined {
  if (value === undefined) return undefined;
  if (!isConstant(value)) return realOf(site, value);
  const from = site.behind(value)?.site;
  const bytes = from && isDequantize(from) ? tensorAt(from, 0) : undefined;
  const point = from && isByte(bytes?.type) ? pointAt(from, 1, bytes.type, "x") : undefined;
  return from && bytes && point && { bytes: lifted(from, bytes), point };
}

/** Sums, products and means of bytes, with or without a clamp behind them, that nobody else reads. */
export function combinedFor(site: Site, value: Given, y: Output): Dynamic | undefined {
  const found = behindClamps(site, value, y);
  if (!found) return undefined;
  const { from, low, high } = found;
  const operator = operatorName(from.c.node);
  const a = realOperand(from, from.inputs[0]);
  if (operator === "Add" || operator === "Mul") {
    const b = realOperand(from, from.inputs[1]);
    return a && b && combined(from, operator === "Add", a, b, y, low, high);
  }
  if (!a || isConstant(a.bytes) || low > 0 || high < 255) return undefined;
  const { bytes, point } = a;
  if (operator === "AveragePool") return averaged(from, bytes, point, y);
  if (operator === "GlobalAveragePool") return globalAverage(from, bytes, point, y);
  if (operator === "Resize" && from.c.string("mode", "nearest") === "linear") return resized(from, bytes, [point, y]);
  return operator === "ReduceMean" ? reduced(from, bytes, point, y) : undefined;
}

/** Means of images, as real numbers have them. */
function reduced(site: Site, bytes: Dynamic, x: Point, y: Point): Dynamic | undefined {
  const { c, draft, layer } = site;
  const { shape } = bytes;
  const axes = c.list("axes", tensorAt(site, 1));
  const pixels = shape.map((_, i) => i).slice(2);
  if (shape.length !== 4 || !axes || varies(site, 1) || c.axes("axes", axes, 4).sort().join() !== pixels.join())
    return undefined;
  const means = meaned(site, bytes, x, y, x.scale, [countOf(shape.slice(2)), y.scale]);
  if (c.int("keepdims", 1) === 1 || !means) return means;
  return draft.add(layer, "reshape", [means], [], { shape: shape.slice(0, 2) })[0];
}

export const ELEMENTS: Readonly<Record<string, WholeLowering>> = {
  MaxPool: maxPool,
  "com.microsoft.QLinearAdd": onPair(true),
  "com.microsoft.QLinearMul": onPair(false),
  "com.microsoft.QLinearSigmoid": byElement("Sigmoid"),
  "com.microsoft.QLinearLeakyRelu": byElement("LeakyRelu"),
  "com.microsoft.QLinearAveragePool": onOne(averaged),
  "com.microsoft.QLinearGlobalAveragePool": onOne(globalAverage),
  "com.microsoft.QLinearSoftmax": softmax,
  "com.microsoft.QLinearConcat": qLinearConcat,
};
