// Kernel calls bound to memory: descriptors that lie ready in linear memory, and the parameters that they read, packed.
import { alignUp } from "../engine/allocator.js";
import type { Engine, Kernel } from "../engine/engine.js";
import { SLACK_BYTES } from "../kernels/gen/constants.js";
import type { KernelName } from "../kernels/table.js";
import type { Builder, Call } from "./builder.js";
import { descBytes, type Ref } from "./operand.js";

/** A parameter that is brought to `ptr` piece by piece while it is packed. */
export interface Feed {
  readonly ptr: number;
  /** Bytes that are free there. */
  readonly room: number;
  /** Bytes of the whole. */
  readonly bytes: number;
  /** Writes the bytes from `from` on. */
  write(to: Uint8Array, from: number): void;
}

/** Where a run finds the operands whose addresses may change from run to run. */
interface Patch {
  readonly at: number; // index into the i32 view
  readonly area: "input" | "output";
  readonly index: number;
  readonly offset: number;
}

/** Kernel calls bound to memory: made once from a Builder, run many times. Knows addresses, not tensors. */
export class Program {
  readonly #engine: Engine;
  readonly #kept: number;
  readonly #ownRun: number | undefined;
  readonly #scratch: number;
  readonly #kernels: Kernel[] = [];
  readonly #descs: number[] = [];
  readonly #items: number[] = [];
  readonly #patches: Patch[] = [];

  /** Allocates, fills descriptors and packs parameters. runPtr: memory of builder.runBytes that somebody else owns. */
  constructor(engine: Engine, builder: Builder, params: readonly (number | Feed | undefined)[], runPtr?: number) {
    this.#engine = engine;
    const { allocator } = engine.heap;
    const taken: number[] = [];
    const take = (bytes: number): number => {
      const ptr = allocator.allocate(bytes);
      taken.push(ptr);
      return ptr;
    };
    try {
      this.#kept = take(builder.keptBytes);
      this.#ownRun = runPtr === undefined ? take(builder.runBytes) : undefined;
      this.#scratch = runPtr ?? (this.#ownRun as number);
      const addresses = params.map((param) => (typeof param === "object" ? param.ptr : param));
      const constants = this.#kept + builder.descBytes;
      const workspace = this.#scratch + alignUp(builder.scratchBytes + SLACK_BYTES);
      const resolve = (ref: Ref): number => {
        if (ref.area === "none") return 0;
        if (ref.area === "constant") return constants + ref.offset;
        if (ref.area === "workspace") return workspace + ref.offset;
        const param = addresses[ref.index];
        if (ref.area !== "param" || param === undefined)
          throw new Error(`internal: ${ref.area} is not known at plan time`);
        return param + ref.offset;
      };
      const write = (call: Call, desc: number): void => {
        const { i32, f32 } = engine.heap;
        let at = desc >>> 2;
        for (const field in call.layout) {
          const value = call.values[field];
          if (typeof value === "number") (call.layout[field] === "f32" ? f32 : i32)[at] = value;
          else if (value === undefined) throw new Error(`internal: ${String(call.kernel)}: ${field} is missing`);
          else if (value.area === "input" || value.area === "output") {
            this.#patches.push({ at, area: value.area, index: value.index, offset: value.offset });
          } else i32[at] = resolve(value);
          at++;
        }
      };

      engine.heap.u8.fill(0, constants, constants + builder.constantBytes);
      for (const { at, data } of builder.tables) {
        engine.heap.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), constants + at);
      }
      for (const { to, from, bytes } of builder.copies) {
        const source = resolve(from);
        engine.heap.u8.copyWithin(resolve(to), source, source + bytes);
      }
      if (builder.prepares.length > 0) {
        // The descriptors of a run are not written yet.
        const needed = Math.max(...builder.prepares.map((call) => descBytes(call.layout)));
        const temporary = needed <= builder.descBytes ? this.#kept : take(needed);
        for (const call of builder.prepares) {
          const kernel = engine.kernel(call.kernel as KernelName);
          const fed = params.findIndex((param, i) => typeof param === "object" && call.params.includes(i));
          if (fed < 0) {
            write(call, temporary);
            kernel(temporary, 0, call.items, this.#scratch);
            continue;
          }
          const { ptr, room, bytes, write: bring } = params[fed] as Feed;
          const each = Math.floor(room / call.itemBytes);
          for (let item = 0; item < call.items; item += each) {
            const end = Math.min(item + each, call.items);
            const from = item * call.itemBytes;
            bring(engine.heap.u8.subarray(ptr, ptr + Math.min(end * call.itemBytes, bytes) - from), from);
            addresses[fed] = ptr - from; // item `item` finds its bytes at ptr
            write(call, temporary);
            kernel(temporary, item, end, this.#scratch);
          }
        }
        if (temporary !== this.#kept) {
          taken.pop();
          allocator.free(temporary);
        }
      }
      let desc = this.#kept;
      for (const step of builder.steps) {
        write(step, desc);
        const { kernel } = step;
        this.#kernels.push(typeof kernel === "string" ? engine.kernel(kernel) : (desc) => kernel(engine, desc));
        this.#descs.push(desc);
        this.#items.push(step.items);
        desc += alignUp(descBytes(step.layout), 16);
      }
    } catch (error) {
      for (const ptr of taken) allocator.free(ptr);
      throw error;
    }
  }

  /** Writes the operands' addresses into the descriptors: `inputs` inputs, then outputs. */
  bind(operands: readonly number[], inputs: number): void {
    const { i32 } = this.#engine.heap;
    for (const { at, area, index, offset } of this.#patches) {
      i32[at] = (operands[area === "input" ? index : inputs + index] as number) + offset;
    }
  }

  /** Calls every kernel once over all of its work items. Allocates nothing. */
  run(): void {
    for (let i = 0; i < this.#kernels.length; i++) {
      (this.#kernels[i] as Kernel)(this.#descs[i] as number, 0, this.#items[i] as number, this.#scratch);
    }
  }

  /** As run(), every kernel's work items in so many parts; yields before each. */
  *runInParts(parts: number): Generator<void> {
    for (let i = 0; i < this.#kernels.length; i++) {
      const items = this.#items[i] as number;
      const size = Math.ceil(items / Math.min(items, parts));
      for (let begin = 0; begin < items; begin += size) {
        yield;
        const end = Math.min(begin + size, items);
        (this.#kernels[i] as Kernel)(this.#descs[i] as number, begin, end, this.#scratch);
      }
    }
  }

  /** Calls every kernel over work items [begin, end) of each. Answers end. */
  runSlice(begin: number, end: number): number {
    for (let i = 0; i < this.#kernels.length; i++) {
      (this.#kernels[i] as Kernel)(this.#descs[i] as number, begin, end, this.#scratch);
    }
    return end;
  }

  dispose(): void {
    const { allocator } = this.#engine.heap;
    allocator.free(this.#kept);
    if (this.#ownRun !== undefined) allocator.free(this.#ownRun);
  }
}
