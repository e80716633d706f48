// What JavaScript may still take for a file: a few bytes can ask for any amount. Whatever makes tensors or loops over them is
// given a budget to do it within.
import { integer } from "../../base/check.js";
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { isBig, type TensorData } from "../../base/spec.js";
import type { ModelOptions } from "../../model/model.js";
import { ARRAYS, type ElementType } from "./element-type.js";

/** One tensor, at most: beyond it engines fail. */
const MAX_BYTES = 2 ** 31;
/** Bytes of linear memory for a file without maxBytes. */
export const DEFAULT_BYTES = 2 ** 30;
/** Some ten seconds. */
const MOST_MACS = 2 ** 32;

export class Budget {
  /** Of tensors made, each counted once. */
  #bytes: number;
  /** Multiply-accumulates of operators that do more than one an element. */
  #macs: number;

  constructor(bytes = Infinity, macs = Infinity) {
    this.#bytes = bytes;
    this.#macs = macs;
  }

  /** Where the next tensors of these types and lengths may lie. */
  room: TensorData[] = [];

  /** Zeroed elements, in the room that there is for such, or of their own. */
  elements(type: ElementType, count: number): TensorData {
    const Elements = ARRAYS[type];
    const at = this.room.findIndex((view) => view.length === count && view instanceof Elements);
    return at < 0
      ? new Elements(count)
      : (this.room.splice(at, 1)[0] as Float32Array).fill((isBig(type) ? 0n : 0) as number);
  }

  /** As much as is left here, to be used up on its own. */
  copy(): Budget {
    return new Budget(this.#bytes, this.#macs);
  }

  /** The number of bytes. Throws ModelError for dimensions that are no sizes or ask for more bytes than are left. */
  bytesOf(type: ElementType, shape: readonly number[]): number {
    for (const size of shape) {
      if (!Number.isSafeInteger(size) || size < 0)
        throw new ModelError(`"shape" expected sizes >= 0, got ${show(shape)}`);
    }
    const bytes = countOf(shape) * ARRAYS[type].BYTES_PER_ELEMENT;
    const most = Math.min(this.#bytes, MAX_BYTES);
    if (!(bytes <= most)) throw new ModelError(`"shape" expected at most ${most} bytes, got ${type} ${show(shape)}`);
    return bytes;
  }

  /** Takes a tensor's bytes before they are allocated. Throws as bytesOf(). */
  take(type: ElementType, shape: readonly number[]): void {
    this.#bytes -= this.bytesOf(type, shape);
  }

  /** Takes multiply-accumulates before they are done. Throws ModelError for more than are left. */
  spend(macs: number): void {
    if (!(macs <= this.#macs))
      throw new ModelError(`"maxMacs" expected at least ${macs} for what runs in JavaScript, got ${this.#macs} left`);
    this.#macs -= macs;
  }

  /** Runs f, whose tensors are gone afterwards. */
  trying<T>(f: () => T): T {
    const bytes = this.#bytes;
    try {
      return f();
    } finally {
      this.#bytes = bytes;
    }
  }
}

/** What works within a budget: a node's context, a lowering's site. */
export interface Budgeted {
  readonly budget: Budget;
}

/**
 * What JavaScript may take for constants and shapes while a model is read, again while it is planned, and for outputs after a
 * run: as many bytes as linear memory, or four times the caller's maxBytes, since constants are transposed and merged on their
 * way into the model.
 */
export function budgetOf({ maxBytes, maxMacs }: ModelOptions): Budget {
  return new Budget(
    maxBytes === undefined ? DEFAULT_BYTES : Math.max(4 * integer("maxBytes", maxBytes, 0), 2 ** 24),
    maxMacs === undefined ? MOST_MACS : Math.min(integer("maxMacs", maxMacs, 0), MOST_MACS),
  );
}
