// Scales and zero points as nodes give them, checked. What a run computes, and other types than those of 8 bits, are for other
// lowerings.
import { ModelError, show } from "../../../base/errors.js";
import { countOf } from "../../../base/shape.js";
import { isFloat } from "../../file/element-type.js";
import { roundToEven } from "../../file/halves.js";
import { type PlainTensor, toNumbers } from "../../file/plain-tensor.js";
import type { Point } from "../../host/quantisation.js";
import { type Site, tensorAt, varies } from "../site.js";

export type Byte = "uint8" | "int8";

export const isByte = (type: string | undefined): type is Byte => type === "uint8" || type === "int8";

/** How much higher int8 is held. */
export const lift = (type: Byte): number => (type === "int8" ? 128 : 0);

/** Of a constant along an axis: one value, or one an element of it. */
export interface Levels {
  readonly scale: readonly number[];
  readonly zero: readonly number[];
}

/** Throws ModelError for scales that are none, naming the input. */
function scalesOf(name: string, scale: PlainTensor): readonly number[] {
  const values = toNumbers(scale);
  const wrong = values.find((value) => !(value > 0 && value < Infinity));
  if (wrong !== undefined) throw new ModelError(`"${name}" expected a number > 0, got ${wrong}`);
  if (values.length === 0) throw new ModelError(`"${name}" expected a value, got none`);
  return values;
}

/**
 * Inputs i and i + 1, the scales and zero points of numbers of this type. Undefined where a run computes them, or they are no
 * float32. Throws ModelError, naming the input.
 */
export function levelsAt(site: Site, i: number, type: Byte | "int32", name: string): Levels | undefined {
  const [scale, zero] = [tensorAt(site, i), tensorAt(site, i + 1)];
  if (scale?.type !== "float32" || varies(site, i + 1) || scale.shape.length > 1) return undefined;
  if (zero !== undefined && zero.type !== type)
    throw new ModelError(`"${name}_zero_point" expected ${type}, got ${zero.type}`);
  const { length } = scale.data;
  if (zero !== undefined && zero.data.length !== 1 && zero.data.length !== length)
    throw new ModelError(
      `"${name}_zero_point" expected ${length === 1 ? "one value" : `${length} values`}, got ${show([...zero.shape])}`,
    );
  return { scale: scalesOf(`${name}_scale`, scale), zero: zero ? toNumbers(zero) : [0] };
}

/** The same of one value, of bytes as they are held; undefined also where there are more of them. */
export function pointAt(site: Site, i: number, type: Byte, name: string): Point | undefined {
  const levels = levelsAt(site, i, type, name);
  if (levels?.scale.length !== 1 || levels.zero.length !== 1) return undefined;
  return { scale: levels.scale[0] as number, zero: (levels.zero[0] as number) + lift(type) };
}

/** The same of operators that have scales among their inputs, one of each value. Throws ModelError for more and for other types. */
export function onePointAt(site: Site, i: number, type: Byte, name: string): Point | undefined {
  for (const [at, suffix] of [
    [i, "scale"],
    [i + 1, "zero_point"],
  ] as const) {
    const given = site.inputs[at];
    if (given && suffix === "scale" && !isFloat(given.type))
      throw new ModelError(`"${name}_scale" expected float32, got ${given.type}`);
    if (given && countOf(given.shape) !== 1)
      throw new ModelError(`"${name}_${suffix}" expected one value, got ${show([...given.shape])}`);
  }
  return pointAt(site, i, type, name);
}

/** An output's scale and zero point, and how much higher its bytes are held than its type has them. */
export interface Output extends Point {
  readonly lift: number;
}

/** Inputs i and i + 1, of an output of this type; isOne: it has one of each. */
export function outputAt(site: Site, i: number, type: Byte, isOne = false): Output | undefined {
  const point = (isOne ? onePointAt : pointAt)(site, i, type, "y");
  return point && { ...point, lift: lift(type) };
}

/** As typeAt(), of operators whose outputs are of 8 bits. Throws ModelError for others. */
export function byteAt(site: Site, i: number, otherwise: Byte = "uint8"): Byte | undefined {
  const given = site.inputs[i]?.type;
  if (given && !isByte(given)) throw new ModelError(`"y_zero_point" expected uint8 or int8, got ${given}`);
  return typeAt(site, i, otherwise);
}

/** The type that an output's zero point gives it. */
export function typeAt(site: Site, i: number, otherwise: Byte = "uint8"): Byte | undefined {
  const type = tensorAt(site, i)?.type ?? (site.inputs[i] ? undefined : otherwise);
  return isByte(type) ? type : undefined;
}

export const samePoint = (a: Point, b: Point): boolean => a.scale === b.scale && a.zero === b.zero;

const { fround } = Math;

/** As QuantizeLinear has it: divided, rounded, then moved. */
export function quantised(value: number, { scale, zero }: Point): number {
  const byte = roundToEven(fround(value / scale)) + zero;
  return Math.min(255, Math.max(0, byte)); // NaN: as Uint8Array holds it
}

/** As DequantizeLinear has it. */
export const real = (byte: number, { scale, zero }: Point): number => fround((byte - zero) * scale);

export const eachByte = (f: (byte: number) => number): Uint8Array => Uint8Array.from({ length: 256 }, (_, b) => f(b));
