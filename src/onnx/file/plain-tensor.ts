// Tensors of every ONNX element type in plain JavaScript memory: initialisers, constants, and what the host operators compute.
// Always contiguous. Kernels never see them; src/onnx/compile.ts brings them into linear memory.
import { countOf } from "../../base/shape.js";
import type { DType, TensorData } from "../../base/spec.js";
import { DeferredTensor } from "../../model/weights.js";
import type { Budget, Budgeted } from "./budget.js";
import { type ElementType, isHalf } from "./element-type.js";

export type HostData = TensorData;

/** The same seen as an array of numbers; int64 and uint64 hold bigints behind it. */
export type Numbers = Float32Array;

/** An element: a bigint where the type has 64 bits. */
export type Element = number | bigint;

export interface PlainTensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: HostData;
  /** What Expand made it of. */
  readonly repeats?: PlainTensor;
}

/** Elements that are there while somebody holds them. */
type Held = Pick<WeakRef<HostData>, "deref">;

/** Engines may lack a WeakRef, as workerd did for long: they are there for good then. */
export function held(data: HostData): Held {
  return typeof WeakRef === "undefined" ? { deref: () => data } : new WeakRef(data);
}

/**
 * A constant whose elements are in the file, or all the same: see DeferredTensor. Those asked for here are kept while somebody
 * holds them, and taken from the budget that it was made within.
 */
export class Deferred extends DeferredTensor implements PlainTensor, Budgeted {
  #own: Held | undefined;

  constructor(
    readonly budget: Budget,
    readonly type: ElementType,
    shape: readonly number[],
    write: DeferredTensor["write"],
    turned?: DeferredTensor["write"],
  ) {
    super(shape, isHalf(type) ? "float32" : (type.replace("int4", "int8") as DType), write, turned);
  }

  override get data(): HostData {
    let data = this.#own?.deref();
    if (data === undefined) {
      if (this.#own === undefined) this.budget.take(this.type, this.shape);
      data = super.data;
      this.#own = held(data);
    }
    return data;
  }
}

/** The same tensor with elements of its own. */
export function materialised(t: PlainTensor): PlainTensor {
  return t instanceof Deferred ? { type: t.type, shape: t.shape, data: t.data } : t;
}

/** The elements as an array of numbers to read and write; only for other types than int64 and uint64. */
export function numbers(t: PlainTensor): Numbers {
  return t.data as Numbers;
}

/** Elements as numbers, exact up to 2^53. */
export function toNumbers(t: PlainTensor): number[] {
  return Array.from(t.data as ArrayLike<number | bigint>, Number);
}

export function int64s(values: readonly number[], shape: readonly number[] = [values.length]): PlainTensor {
  return { type: "int64", shape, data: BigInt64Array.from(values, (v) => BigInt(v)) };
}

export function reshaped(t: PlainTensor, shape: readonly number[]): PlainTensor {
  return t instanceof Deferred ? new Deferred(t.budget, t.type, shape, t.write) : { type: t.type, shape, data: t.data };
}

/** A tensor of one value a channel, as it broadcasts over [N, C, …]. */
export function byChannel(t: PlainTensor, rank: number): PlainTensor {
  return reshaped(t, [countOf(t.shape), ...new Array<number>(Math.max(0, rank - 2)).fill(1)]);
}
