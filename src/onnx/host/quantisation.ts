// Numbers to a quantised type and back.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { isBig } from "../../base/spec.js";
import type { Budgeted } from "../file/budget.js";
import { type ElementType, elementType } from "../file/element-type.js";
import { roundToEven, roundToType } from "../file/halves.js";
import { Deferred, numbers, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { type Context, type HostOp, need } from "./context.js";
import { make } from "./make.js";

// ------------------------------------------------------------------------------------------------ quantised operators

const RANGES: Partial<Record<ElementType, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint4: [0, 15],
  int4: [-8, 7],
};

function rangeOf(type: ElementType): readonly [number, number] {
  const range = RANGES[type];
  if (range === undefined)
    throw new UnsupportedError(`"zero_point" expected an integer type of 4 to 16 bits, got ${type}`);
  return range;
}

/** The value for an element. */
type Placed = (i: number) => number;

/** A scale or zero point of one value, one a row of an axis, or one a block of it. Throws ModelError, naming it, for another length. */
function placed(
  t: PlainTensor | undefined,
  shape: readonly number[],
  axis: number,
  block: number,
  name: string,
): Placed {
  if (t === undefined) return () => 0;
  const values = toNumbers(t);
  if (values.length === 1) return () => values[0] as number;
  const inner = countOf(shape.slice(axis + 1));
  const size = shape[axis] as number;
  if (t.shape.length === 1) {
    if (values.length !== size) throw new ModelError(`"${name}" expected ${size} values, got ${values.length}`);
    return (i) => values[Math.floor(i / inner) % size] as number;
  }
  const blocks = t.shape[axis] as number;
  return (i) => {
    const row = Math.floor(i / inner);
    return values[(Math.floor(row / size) * blocks + Math.floor((row % size) / block)) * inner + (i % inner)] as number;
  };
}

/** What a node that multiplies calls its operands, and so their scales and zero points. */
export const operandNames = (opType: string): readonly [string, string] =>
  opType.includes("Conv") ? ["x", "w"] : ["a", "b"];

/** A scale or zero point of one value. Throws ModelError, naming it, where it has none or several. */
export function single(t: PlainTensor, name: string): number {
  if (t.data.length !== 1) throw new ModelError(`"${name}" expected one value, got ${show([...t.shape])}`);
  return Number(t.data[0]);
}

/** The same for every element at once. */
export function spread(
  t: PlainTensor | undefined,
  shape: readonly number[],
  axis: number,
  block: number,
  name: string,
): Float64Array | number {
  const of = placed(t, shape, axis, block, name);
  return t === undefined || countOf(t.shape) === 1
    ? of(0)
    : Float64Array.from({ length: countOf(shape) }, (_, i) => of(i));
}

export const at = (values: Float64Array | number, i: number): number =>
  typeof values === "number" ? values : (values[i] as number);

function axisAttribute(c: Context, t: PlainTensor): number {
  return t.shape.length === 0
    ? 0
    : c.axis("axis", Math.max(-t.shape.length, Math.min(t.shape.length - 1, c.int("axis", 1))), t.shape.length);
}

/** offset: added in front of rounding, in quanta. */
export function quantize(
  c: Budgeted,
  x: PlainTensor,
  scale: Float64Array | number,
  zero: Float64Array | number,
  type: ElementType,
  offset = 0,
): PlainTensor {
  const [low, high] = rangeOf(type);
  const out = make(c, type, x.shape);
  for (let i = 0; i < out.data.length; i++) {
    const ratio = Math.fround(Number(x.data[i]) / at(scale, i));
    const value = roundToEven(Math.fround(ratio + offset)) + at(zero, i);
    numbers(out)[i] = Math.max(low, Math.min(high, value));
  }
  return out;
}

/** offset: added behind the scale, after that was rounded to the type. */
export function dequantize(
  c: Budgeted,
  x: PlainTensor,
  scale: Float64Array | number,
  zero: Float64Array | number,
  type: ElementType = "float32",
  offset = 0,
): PlainTensor {
  const out = make(c, type, x.shape);
  for (let i = 0; i < out.data.length; i++) numbers(out)[i] = (Number(x.data[i]) - at(zero, i)) * at(scale, i);
  roundToType(out);
  if (offset !== 0) for (let i = 0; i < out.data.length; i++) numbers(out)[i] = (out.data[i] as number) + offset;
  return roundToType(out);
}

// --------------------------------------------------------------------- factors of onnxruntime's operators, all in float32

/** Scale and zero point of one value. */
export interface Point {
  readonly scale: number;
  readonly zero: number;
}

/** c = round((a - zero) * ratio + (b - zero) * ratio + zero). */
export const ratio = (a: Point, c: Point): number => Math.fround(a.scale / c.scale);

/** c = round((a - zero) * (b - zero) * factor + zero). */
export const mulFactor = (a: Point, b: Point, c: Point): number =>
  Math.fround(Math.fround(a.scale * b.scale) / c.scale);

/** y = round(sum * factor) + zero, of the sum of `count` numbers less their zero point. */
export const meanFactor = (scaleX: number, scaleY: number, count: number): number =>
  Math.fround(scaleX / Math.fround(scaleY * count));

export const quantizeLinear: HostOp = (c, input, scale, zero) => {
  const x = need(input, "x");
  const axis = axisAttribute(c, x);
  const block = c.int("block_size", 0);
  const type =
    zero?.type ?? (c.int("output_dtype", 0) ? elementType(c.int("output_dtype", 0), "output_dtype") : "uint8");
  const scales = spread(need(scale, "y_scale"), x.shape, axis, block, "y_scale");
  return quantize(c, x, scales, spread(zero, x.shape, axis, block, "y_zero_point"), type);
};

/** Elements of a constant that are made when somebody asks for them. */
const MANY = 1024;

export const dequantizeLinear: HostOp = (c, input, scale, zero) => {
  const x = need(input, "x");
  const axis = axisAttribute(c, x);
  const block = c.int("block_size", 0);
  const s = need(scale, "x_scale");
  if (x.type !== "int32" && !RANGES[x.type])
    throw new ModelError(`"x" expected an integer type of 4 to 32 bits, got ${x.type}`);
  if (s.type !== "float32" || countOf(x.shape) < MANY || isBig(x.type))
    return dequantize(
      c,
      x,
      spread(s, x.shape, axis, block, "x_scale"),
      spread(zero, x.shape, axis, block, "x_zero_point"),
      s.type,
    );
  c.budget.bytesOf("float32", x.shape);
  const scaleOf = placed(s, x.shape, axis, block, "x_scale");
  const zeroOf = placed(zero, x.shape, axis, block, "x_zero_point");
  return new Deferred(c.budget, "float32", x.shape, (to, from) => {
    const data = new Float32Array(to.buffer, to.byteOffset, to.length / 4);
    const whole = numbers(x);
    for (let i = 0, at = from / 4; i < data.length; i++, at++)
      data[i] = ((whole[at] as number) - zeroOf(at)) * scaleOf(at);
  });
};

export const dynamicQuantize: HostOp = (c, input) => {
  const x = need(input, "x");
  const values = toNumbers(x);
  const low = values.reduce((a, b) => Math.min(a, b), 0);
  const high = values.reduce((a, b) => Math.max(a, b), 0);
  const scale = Math.fround(Math.fround(high - low) / 255) || 1; // of zeros alone
  const zero = Math.max(0, Math.min(255, roundToEven(Math.fround(-low / scale))));
  const point = make(c, "uint8", []);
  numbers(point)[0] = zero;
  return [quantize(c, x, scale, zero, "uint8"), { type: "float32", shape: [], data: Float32Array.of(scale) }, point];
};

export const QUANTISATION: Readonly<Record<string, HostOp>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantize,
  "com.microsoft.QuantizeLinear": quantizeLinear,
  "com.microsoft.DequantizeLinear": dequantizeLinear,
};
