// What was made of constants, kept for the plans of other shapes: each is made once a model, and the same object again says that it
// holds the same (see Identities). Large elements are let go between plans, and computed again should they be wanted.
import { sameShape } from "../base/check.js";
import type { Budget } from "./file/budget.js";
import { Deferred, held, type PlainTensor } from "./file/plain-tensor.js";

/** Up to so many elements are compared: shapes, axes, bounds, which are made anew for each set of shapes. */
const MOST_COMPARED = 64;
/** From so many bytes on, elements are let go. */
const LARGE_BYTES = 4096;

type Given = readonly (object | null | undefined)[];

export class Memo {
  readonly #made = new WeakMap<object, Map<string, { readonly given: Given; readonly value: unknown }>>();

  /** What `maker` makes as its `what` of the given, the last time or now. */
  of<T>(maker: object, what: string, given: Given, make: () => T): T {
    let entries = this.#made.get(maker);
    if (entries === undefined) {
      entries = new Map();
      this.#made.set(maker, entries);
    }
    const known = entries.get(what);
    if (
      known?.given.length === given.length &&
      known.given.every((one: Given[number], i: number) => isSame(one, given[i]))
    )
      return known.value as T;
    const value = make();
    entries.set(what, { given, value });
    return value;
  }

  /** The same of tensors, some of which may be missing. */
  tensors(maker: object, what: string, given: Given, budget: Budget, make: (budget: Budget) => readonly PlainTensor[]) {
    return this.of(maker, what, given, () => {
      const again = budget.copy();
      return make(budget).map((t, i) => t && light(t, again, () => make(again.copy())[i] as PlainTensor));
    });
  }
}

function isSame(a: Given[number], b: Given[number]): boolean {
  if (a === b) return true;
  const [x, y] = [a, b] as [PlainTensor | undefined, PlainTensor | undefined];
  if (!x?.shape || !y?.shape || x.type !== y.type || !sameShape(x.shape, y.shape)) return false;
  if (x instanceof Deferred || y instanceof Deferred || x.data.length > MOST_COMPARED) return false;
  return x.data.every((value, i) => Object.is(value, y.data[i]));
}

/** The same tensor, whose elements may be collected. */
function light(tensor: PlainTensor, budget: Budget, again: () => PlainTensor): PlainTensor {
  if (tensor instanceof Deferred || tensor.repeats || tensor.data.byteLength < LARGE_BYTES) return tensor;
  let elements = held(tensor.data);
  return new Deferred(budget, tensor.type, tensor.shape, (to, from) => {
    let data = elements.deref();
    if (data === undefined) {
      data = again().data;
      elements = held(data);
    }
    to.set(new Uint8Array(data.buffer, data.byteOffset + from, to.length));
  });
}
