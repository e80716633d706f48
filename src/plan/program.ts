// Kernel calls bound to memory: descriptors that lie ready in linear memory, and the parameters that they read, packed.
import { alignUp } from "../engine/allocator.js";
import type { Step, Work } from "../engine/crew.js";
import type { Engine, Kernel } from "../engine/engine.js";
import { SLACK_BYTES } from "../kernels/gen/constants.js";
import type { KernelName } from "../kernels/table.js";
import type { Builder, Call, Pack } from "./builder.js";
import { descBytes, F32, type Ref } from "./operand.js";

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

/** Where a packed form lies, and whether it is to be packed there. */
export interface Packed {
  readonly ptr: number;
  readonly isNew: boolean;
}

/** Memory that somebody else owns: builder.keptBytes, its packed forms, and builder.runBytes, which may move. */
export interface Places {
  readonly kept: number;
  readonly packs: readonly Packed[];
  readonly run: number;
}

/** Where a run finds the operands whose addresses may change from run to run. */
interface Patch {
  readonly at: number; // index into the i32 view
  readonly area: "input" | "output" | "workspace";
  readonly index: number;
  readonly offset: number;
}

/** Where what is known at plan time lies. */
interface Addresses {
  readonly params: (number | undefined)[];
  readonly constants: number;
  readonly packs: readonly Packed[];
}

/** The address that a reference stands for, 0 for none. */
function resolve(ref: Ref, { params, constants, packs }: Addresses): number {
  if (ref.area === "none") return 0;
  if (ref.area === "constant") return constants + ref.offset;
  if (ref.area === "packed") return (packs[ref.index] as Packed).ptr + ref.offset;
  const param = params[ref.index];
  if (ref.area !== "param" || param === undefined) throw new Error(`internal: ${ref.area} is not known at plan time`);
  return param + ref.offset;
}

/** Kernel calls bound to memory: made once from a Builder, run many times. Knows addresses, not tensors. */
export class Program {
  readonly #engine: Engine;
  readonly #own: number[] = [];
  readonly #kept: number;
  readonly #workspace: number; // from #scratch on
  #scratch = 0;
  readonly #kernels: Kernel[] = [];
  readonly #descs: number[] = [];
  readonly #items: number[] = [];
  readonly #patches: Patch[] = [];
  readonly #moved: Patch[] = [];
  /** The same for threads. */
  #work: Work | undefined;

  /** Fills descriptors and packs parameters, in memory of its own or in `places`. */
  constructor(engine: Engine, builder: Builder, params: readonly (number | Feed | undefined)[], places?: Places) {
    this.#engine = engine;
    this.#workspace = alignUp(builder.scratchBytes + SLACK_BYTES);
    try {
      const { kept, packs, run } = places ?? this.#allocate(builder);
      this.#kept = kept;
      this.#scratch = run;
      const at: Addresses = {
        params: params.map((param) => (typeof param === "object" ? param.ptr : param)),
        constants: kept + builder.descBytes,
        packs,
      };
      this.#fill(builder, at);
      if (packs.some(({ isNew }) => isNew)) this.#prepare(builder, params, at);
      this.#addSteps(builder, at);
      this.move(run);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Places of its own. */
  #allocate({ keptBytes, packs, packedBytes, runBytes }: Builder): Places {
    const take = (bytes: number) => {
      const ptr = this.#engine.heap.allocator.allocate(bytes);
      this.#own.push(ptr);
      return ptr;
    };
    const kept = take(keptBytes + packedBytes);
    let next = kept + keptBytes;
    const placed = packs.map(({ bytes }) => {
      const ptr = next;
      next += alignUp(bytes + SLACK_BYTES);
      return { ptr, isNew: true };
    });
    return { kept, packs: placed, run: take(runBytes) };
  }

  /** Constants and tables; packed forms empty, and parameters as they are. */
  #fill({ constantBytes, tables, packs, copies }: Builder, at: Addresses): void {
    const { u8 } = this.#engine.heap;
    u8.fill(0, at.constants, at.constants + constantBytes);
    for (const { at: offset, data } of tables) {
      u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at.constants + offset);
    }
    at.packs.forEach(({ ptr, isNew }, i) => {
      const { bytes, isWhole } = packs[i] as Pack;
      if (isNew && !isWhole) u8.fill(0, ptr, ptr + bytes);
    });
    for (const { to, from, bytes } of copies) {
      if (!at.packs[to.index]?.isNew) continue;
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
    const needed = Math.max(0, ...prepares.map((call) => descBytes(call.layout)));
    const temporary = needed <= room ? undefined : allocator.allocate(needed);
    const desc = temporary ?? this.#kept;
    try {
      for (const call of prepares) {
        if (!at.packs[call.pack]?.isNew) continue;
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
        this.#call(call, desc, 0, call.items);
      }
    } finally {
      if (temporary !== undefined) allocator.free(temporary);
    }
  }

  /** Packs a parameter as many work items at a time as there is room for their bytes. */
  #prepareFed(call: Call, desc: number, index: number, feed: Feed, at: Addresses): void {
    const each = Math.max(1, Math.floor(feed.room / call.itemBytes)); // one panel may be more than all there is
    for (let item = 0; item < call.items; item += each) {
      const end = Math.min(item + each, call.items);
      const from = item * call.itemBytes;
      const to = feed.ptr + Math.min(end * call.itemBytes, feed.bytes) - from;
      feed.write(this.#engine.heap.u8.subarray(feed.ptr, to), from);
      at.params[index] = feed.ptr - from; // item `item` finds its bytes at ptr
      this.#write(call, desc, at);
      this.#call(call, desc, item, end);
    }
  }

  /** Calls a kernel at plan time. */
  #call(call: Call, desc: number, begin: number, end: number): void {
    const kernel = call.kernel as KernelName;
    const { crew } = this.#engine;
    if (crew) crew.call({ ...call, kernel, desc }, begin, end, this.#scratch);
    else this.#engine.kernel(kernel)(desc, begin, end, this.#scratch);
  }

  /** Descriptors of a run, one after another. */
  #addSteps({ steps, constantBytes }: Builder, at: Addresses): void {
    let desc = this.#kept;
    const shown: Step[] = [];
    for (const step of steps) {
      this.#write(step, desc, at);
      const { kernel } = step;
      const ptr = desc;
      this.#kernels.push(
        typeof kernel === "string" ? this.#engine.kernel(kernel) : (desc) => kernel(this.#engine, desc),
      );
      this.#descs.push(desc);
      this.#items.push(step.items);
      shown.push({ ...step, desc, kernel: typeof kernel === "string" ? kernel : () => kernel(this.#engine, ptr) });
      desc += alignUp(descBytes(step.layout), 16);
    }
    this.#work = this.#engine.crew?.work(at.constants + constantBytes, shown);
  }

  /** What threads do of it, for Crew.join(). */
  get work(): Work | undefined {
    return this.#work;
  }

  /** Writes a descriptor; addresses that are known at a run only are noted as patches. */
  #write(call: Call, desc: number, addresses: Addresses): void {
    const { i32, f32 } = this.#engine.heap;
    let at = desc >>> 2;
    for (const field in call.layout) {
      const value = call.values[field];
      if (typeof value === "number") (call.layout[field] === F32 ? f32 : i32)[at] = value;
      else if (value === undefined) throw new Error(`internal: ${String(call.kernel)}: ${field} is missing`);
      else if (value.area === "input" || value.area === "output" || value.area === "workspace") {
        const { area, index, offset } = value;
        (area === "workspace" ? this.#moved : this.#patches).push({ at, area, index, offset });
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

  /** Takes scratch and workspace, builder.runBytes, from another address on. */
  move(run: number): void {
    const { i32 } = this.#engine.heap;
    this.#scratch = run;
    for (const { at, offset } of this.#moved) i32[at] = run + this.#workspace + offset;
    this.#work?.move(run);
  }

  /** Calls every kernel once over all of its work items. Allocates nothing. */
  run(): void {
    if (this.#work) {
      this.#work.run();
      return;
    }
    for (let i = 0; i < this.#kernels.length; i++) {
      (this.#kernels[i] as Kernel)(this.#descs[i] as number, 0, this.#items[i] as number, this.#scratch);
    }
  }

  /** As run(), every kernel's work items in so many parts; yields before each. */
  *runInParts(parts: number): Generator<void> {
    if (this.#work) yield* this.#work.runInParts(parts);
    else yield* this.#runInParts(parts);
  }

  *#runInParts(parts: number): Generator<void> {
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

  /** Gives back what is its own. */
  dispose(): void {
    this.#engine.crew?.settle();
    for (const ptr of this.#own.splice(0)) this.#engine.heap.allocator.free(ptr);
  }
}
