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
  /** The same of the transposed matrix, where that is what there is. */
  readonly turned?: Feed["write"] | undefined;
}

/** Where a run finds the operands whose addresses may change from run to run. */
interface Patch {
  readonly at: number; // index into the i32 view
  readonly area: "input" | "output";
  readonly index: number;
  readonly offset: number;
}

/** Where what is known at plan time lies. */
interface Addresses {
  readonly params: (number | undefined)[];
  readonly constants: number;
  readonly workspace: number;
}

/** The address that a reference stands for, 0 for none. */
function resolve(ref: Ref, { params, constants, workspace }: Addresses): number {
  if (ref.area === "none") return 0;
  if (ref.area === "constant") return constants + ref.offset;
  if (ref.area === "workspace") return workspace + ref.offset;
  const param = params[ref.index];
  if (ref.area !== "param" || param === undefined) throw new Error(`internal: ${ref.area} is not known at plan time`);
  return param + ref.offset;
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
    this.#kept = allocator.allocate(builder.keptBytes);
    try {
      this.#ownRun = runPtr === undefined ? allocator.allocate(builder.runBytes) : undefined;
      this.#scratch = runPtr ?? (this.#ownRun as number);
      const at: Addresses = {
        params: params.map((param) => (typeof param === "object" ? param.ptr : param)),
        constants: this.#kept + builder.descBytes,
        workspace: this.#scratch + alignUp(builder.scratchBytes + SLACK_BYTES),
      };
      this.#fill(builder, at);
      if (builder.prepares.length > 0) this.#prepare(builder, params, at);
      this.#addSteps(builder, at);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Constants: tables, and parameters as they are. */
  #fill({ constantBytes, written, tables, copies }: Builder, at: Addresses): void {
    const { u8 } = this.#engine.heap;
    let from = at.constants;
    for (const own of written) {
      u8.fill(0, from, at.constants + own.at);
      from = at.constants + own.at + own.bytes;
    }
    u8.fill(0, from, at.constants + constantBytes);
    for (const { at: offset, data } of tables) {
      u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at.constants + offset);
    }
    for (const { to, from, bytes } of copies) {
      const source = resolve(from, at);
      u8.copyWithin(resolve(to, at), source, source + bytes);
    }
  }

  /** Packs parameters. Its descriptors lie where those of a run are not written yet, if they fit there. */
  #prepare(
    { prepares, descBytes: room }: Builder,
    params: readonly (number | Feed | undefined)[],
    at: Addresses,
  ): void {
    const { allocator } = this.#engine.heap;
    const needed = Math.max(...prepares.map((call) => descBytes(call.layout)));
    const temporary = needed <= room ? undefined : allocator.allocate(needed);
    const desc = temporary ?? this.#kept;
    try {
      for (const call of prepares) {
        const fed = params.findIndex((param, i) => typeof param === "object" && call.params.includes(i));
        if (fed >= 0) {
          const feed = params[fed] as Feed;
          const { turned } = call;
          if (feed.turned && turned && turned.itemBytes <= feed.room)
            this.#prepareFed(turned, desc, fed, { ...feed, write: feed.turned }, at);
          else this.#prepareFed(call, desc, fed, feed, at);
          continue;
        }
        this.#write(call, desc, at);
        this.#engine.kernel(call.kernel as KernelName)(desc, 0, call.items, this.#scratch);
      }
    } finally {
      if (temporary !== undefined) allocator.free(temporary);
    }
  }

  /** Packs a parameter as many work items at a time as there is room for their bytes. */
  #prepareFed(call: Call, desc: number, index: number, feed: Feed, at: Addresses): void {
    const kernel = this.#engine.kernel(call.kernel as KernelName);
    const each = Math.floor(feed.room / call.itemBytes);
    for (let item = 0; item < call.items; item += each) {
      const end = Math.min(item + each, call.items);
      const from = item * call.itemBytes;
      const to = feed.ptr + Math.min(end * call.itemBytes, feed.bytes) - from;
      feed.write(this.#engine.heap.u8.subarray(feed.ptr, to), from);
      at.params[index] = feed.ptr - from; // item `item` finds its bytes at ptr
      this.#write(call, desc, at);
      kernel(desc, item, end, this.#scratch);
    }
  }

  /** Descriptors of a run, one after another. */
  #addSteps({ steps }: Builder, at: Addresses): void {
    let desc = this.#kept;
    for (const step of steps) {
      this.#write(step, desc, at);
      const { kernel } = step;
      this.#kernels.push(
        typeof kernel === "string" ? this.#engine.kernel(kernel) : (desc) => kernel(this.#engine, desc),
      );
      this.#descs.push(desc);
      this.#items.push(step.items);
      desc += alignUp(descBytes(step.layout), 16);
    }
  }

  /** Writes a descriptor; addresses that are known at a run only are noted as patches. */
  #write(call: Call, desc: number, addresses: Addresses): void {
    const { i32, f32 } = this.#engine.heap;
    let at = desc >>> 2;
    for (const field in call.layout) {
      const value = call.values[field];
      if (typeof value === "number") (call.layout[field] === "f32" ? f32 : i32)[at] = value;
      else if (value === undefined) throw new Error(`internal: ${String(call.kernel)}: ${field} is missing`);
      else if (value.area === "input" || value.area === "output") {
        this.#patches.push({ at, area: value.area, index: value.index, offset: value.offset });
      } else i32[at] = resolve(value, addresses);
      at++;
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
