// The allocator over one linear memory: 64-byte aligned blocks, first fit by address, neighbours merged on free.
// Plans and models ask for few, large blocks, so a sorted free list is short; nothing is allocated while a plan runs.
import { OutOfMemoryError } from "../base/errors.js";
import { SLACK_BYTES } from "../kernels/gen/constants.js";

export const ALIGNMENT = 64;
export const PAGE_BYTES = 65536;

const MOST_SPARE_PAGES = 64;

/** What the allocator needs of a WebAssembly.Memory; tests give a fake one. */
export interface GrowableMemory {
  readonly buffer: { readonly byteLength: number };
  grow(pages: number): number;
}

interface FreeBlock {
  ptr: number;
  bytes: number;
}

export function alignUp(bytes: number, to = ALIGNMENT): number {
  return Math.ceil(bytes / to) * to;
}

export class Allocator {
  readonly #memory: GrowableMemory;
  readonly #maxBytes: number;
  #free: FreeBlock[] = []; // sorted by address, no two adjacent
  #head: number; // everything from here to the end of memory was never given out
  readonly #live = new Map<number, number>(); // ptr → bytes

  bytesInUse = 0;
  peakBytes = 0;

  /** Manages [base, maxBytes) of the memory. */
  constructor(memory: GrowableMemory, base: number, maxBytes: number) {
    this.#memory = memory;
    this.#head = alignUp(base);
    this.#maxBytes = maxBytes;
  }

  /** Bytes that a request really takes, slack and alignment included. */
  static sizeOf(bytes: number): number {
    return alignUp(bytes + SLACK_BYTES);
  }

  /** Answers the address of `bytes` uninitialised bytes, or throws OutOfMemoryError with nothing changed. */
  allocate(bytes: number): number {
    const size = Allocator.sizeOf(bytes);
    const index = this.#free.findIndex((block) => block.bytes >= size);
    let ptr: number;
    if (index >= 0) {
      const block = this.#free[index] as FreeBlock;
      ptr = block.ptr;
      if (block.bytes === size) this.#free.splice(index, 1);
      else {
        block.ptr += size;
        block.bytes -= size;
      }
    } else {
      ptr = this.#takeFromEnd(size);
    }
    this.#live.set(ptr, size);
    this.bytesInUse += size;
    if (this.bytesInUse > this.peakBytes) this.peakBytes = this.bytesInUse;
    return ptr;
  }

  /** Gives a block back. */
  free(ptr: number): void {
    const size = this.#live.get(ptr);
    if (size === undefined) throw new Error(`internal: free of ${ptr}, which is not allocated`);
    this.#live.delete(ptr);
    this.bytesInUse -= size;
    let at = this.#free.findIndex((block) => block.ptr > ptr);
    if (at < 0) at = this.#free.length;
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const joinsBefore = before !== undefined && before.ptr + before.bytes === ptr;
    const joinsAfter = after !== undefined && ptr + size === after.ptr;
    if (joinsBefore && joinsAfter) {
      before.bytes += size + after.bytes;
      this.#free.splice(at, 1);
    } else if (joinsBefore) before.bytes += size;
    else if (joinsAfter) {
      after.ptr = ptr;
      after.bytes += size;
    } else this.#free.splice(at, 0, { ptr, bytes: size });
    // A free block that touches the untouched end goes back to it.
    const last = this.#free.at(-1);
    if (last !== undefined && last.ptr + last.bytes === this.#head) {
      this.#head = last.ptr;
      this.#free.pop();
    }
  }

  /** Grows the memory by what `bytes` more need, so that taking them one by one does not grow it by quarters. */
  reserve(bytes: number): void {
    const free = this.#free.reduce((sum, block) => sum + block.bytes, 0);
    const end = this.#head + bytes - free;
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0 && end <= this.#maxBytes) this.#grow(Math.ceil(missing / PAGE_BYTES));
  }

  #takeFromEnd(size: number): number {
    const ptr = this.#head;
    const end = ptr + size;
    if (end > this.#maxBytes) {
      throw new OutOfMemoryError(
        `"maxBytes" expected room for ${size} bytes more, got a limit of ${this.#maxBytes} with ${this.bytesInUse} in use`,
      );
    }
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0) {
      // Grow by at least a quarter, up to 4 MiB, so that many small tensors do not mean as many growths; the exact need if that fails.
      const exact = Math.ceil(missing / PAGE_BYTES);
      const room = Math.floor((this.#maxBytes - this.#memory.buffer.byteLength) / PAGE_BYTES);
      const quarter = this.#memory.buffer.byteLength / PAGE_BYTES / 4;
      const wanted = Math.max(exact, Math.min(room, quarter, MOST_SPARE_PAGES));
      if (!this.#grow(Math.floor(wanted)) && !this.#grow(exact)) {
        throw new OutOfMemoryError(`"memory" expected ${exact * PAGE_BYTES} bytes more from the engine, got a refusal`);
      }
    }
    this.#head = end; // only now: a failed growth leaves the allocator as it was
    return ptr;
  }

  #grow(pages: number): boolean {
    try {
      this.#memory.grow(pages);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}
