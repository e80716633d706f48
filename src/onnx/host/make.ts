// Tensors made within a budget.

import { countOf } from "../../base/shape.js";
import { isBig } from "../../base/spec.js";
import type { Budgeted } from "../file/budget.js";
import { ARRAYS, type ElementType, isFloat } from "../file/element-type.js";
import { roundToType } from "../file/halves.js";
import { Deferred, type Numbers, type PlainTensor } from "../file/plain-tensor.js";

/** Zeroed. Throws as Budget.bytesOf(). */
export function make({ budget }: Budgeted, type: ElementType, shape: readonly number[]): PlainTensor {
  budget.take(type, shape);
  return { type, shape, data: budget.elements(type, countOf(shape)) };
}

/** Every element the same; held as that one. Throws as Budget.bytesOf(). */
export function uniform(
  { budget }: Budgeted,
  type: ElementType,
  shape: readonly number[],
  value: number | bigint,
): PlainTensor {
  budget.bytesOf(type, shape);
  return new Deferred(budget, type, shape, (to) => {
    const all = new ARRAYS[type](to.buffer as ArrayBuffer, to.byteOffset, to.length / ARRAYS[type].BYTES_PER_ELEMENT);
    (all as Numbers).fill(value as number);
  });
}

export function scalar(b: Budgeted, type: ElementType, value: number): PlainTensor {
  return fill(make(b, type, []), value);
}

export function fill(t: PlainTensor, value: number | bigint): PlainTensor {
  (t.data as Numbers).fill((isBig(t.type) ? BigInt(value) : Number(value)) as number);
  return t;
}

/** A number as an element of a type: rounded to even never, cut towards zero as C does, wrapped as its width does. */
export function cast(b: Budgeted, t: PlainTensor, type: ElementType): PlainTensor {
  if (t.type === type) return t;
  const out = make(b, type, t.shape);
  const from = t.data as ArrayLike<number | bigint>;
  const to = out.data as unknown as (number | bigint)[];
  const toBig = isBig(type);
  for (let i = 0; i < from.length; i++) {
    const value = from[i] as number | bigint;
    if (type === "bool")
      to[i] = Number(value) === 0 ? 0 : 1; // NaN is no zero
    else if (toBig) to[i] = typeof value === "bigint" ? value : toBigint(value);
    else if (typeof value === "bigint")
      to[i] = isFloat(type) ? Number(value) : Number(BigInt.asIntN(64, value) & 0xffffffffn);
    else to[i] = value;
  }
  return roundToType(out);
}

function toBigint(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  if (value <= -(2 ** 63)) return -(2n ** 63n);
  return BigInt(Math.trunc(value));
}
