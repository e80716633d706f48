// One linear memory with its allocator, and views of it that are rebuilt after growth.
import { OutOfMemoryError } from "../base/errors.js";
import type { WasmMemory } from "../base/globals.js";
import type { DType, TensorData } from "../base/spec.js";
import { DTYPES } from "../base/spec.js";
import { Allocator, PAGE_BYTES } from "./allocator.js";

/** Addresses below this are never given out, so that 0 can mean "none"; constants of kernels lie there. */
export const BASE = 1024;
/** One page is 64 KiB; a wasm memory can address 65,536 of them. */
export const MAX_MEMORY_BYTES = 65536 * PAGE_BYTES;

export class Heap {
  readonly memory: WasmMemory;
  readonly allocator: Allocator;
  #i32: Int32Array;
  #f32: Float32Array;
  #u8: Uint8Array;

  /** sharedBytes: of memory that threads share, what is theirs below all blocks, from `base` on. */
  constructor(
    maxBytes: number,
    readonly sharedBytes?: number,
  ) {
    const maximum = Math.floor(maxBytes / PAGE_BYTES);
    try {
      this.memory = new WebAssembly.Memory({ initial: 1, maximum, shared: sharedBytes !== undefined });
    } catch (cause) {
      throw new OutOfMemoryError(`"maxBytes" expected what the engine can reserve, got ${maxBytes}`, { cause });
    }
    this.allocator = new Allocator(this.memory, BASE + (sharedBytes ?? 0), maximum * PAGE_BYTES);
    this.#i32 = new Int32Array(this.memory.buffer);
    this.#f32 = new Float32Array(this.memory.buffer);
    this.#u8 = new Uint8Array(this.memory.buffer);
  }

  #refresh(): void {
    if (this.#u8.buffer === this.memory.buffer) return;
    this.#i32 = new Int32Array(this.memory.buffer);
    this.#f32 = new Float32Array(this.memory.buffer);
    this.#u8 = new Uint8Array(this.memory.buffer);
  }

  /** The whole memory as i32; hold it for no longer than nothing can grow. */
  get i32(): Int32Array {
    this.#refresh();
    return this.#i32;
  }

  get f32(): Float32Array {
    this.#refresh();
    return this.#f32;
  }

  get u8(): Uint8Array {
    this.#refresh();
    return this.#u8;
  }

  view(dtype: DType, ptr: number, length: number): TensorData {
    return new DTYPES[dtype](this.memory.buffer, ptr, length);
  }
}
