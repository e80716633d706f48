// The crew of one engine: steps as records in linear memory, which the calling thread leads through (assembly/crew).
import { ThreadError } from "../base/errors.js";
import { type Crew, STEP_BYTES, type Step, type Work } from "../engine/crew.js";
import type { Engine } from "../engine/engine.js";
import type { KernelName } from "../kernels/table.js";
import { costOf } from "../plan/cost.js";
import type { Pool } from "./pool.js";
import { sharedTwin } from "./twin.js";

/** Of a step: threads that find none left still count on in the 12 bits that a range has for them. */
const MOST_UNITS = 2048;

/** Fields of a record, in words. */
const SCRATCH = 6;
const NEXT = 8;

/** Looks, of some 0.1 ms each, after which others have not got on; not time, in which the machine may have slept. */
const MOST_LOOKS = 200_000;
/** A look with naps takes so many times longer. */
const NAPS_LOOKS = 20;

/**
 * Waking a thread takes 50 to 150 µs, and up to a millisecond until it has a core of its own and its caches are warm: less work than
 * this, without a rest between, is over sooner without.
 */
const WORTH_WAKING_NS = 3e6;
/** A rest after which a thread that had helped sleeps. */
const REST_MS = 0.1;

/** Steps one after the other in records, or one in JavaScript. */
type Part = { readonly first: number; last: number } | { readonly compute: () => void };

export class Threads implements Crew {
  readonly twin = sharedTwin;
  onLost: () => void = () => {};
  /** How often threads are looked after before they are given up. */
  patience = MOST_LOOKS;
  /** Work since a rest for which threads that sleep are woken. */
  worthWakingNs = WORTH_WAKING_NS;
  readonly #engine: Engine;
  readonly #pool: Pool;
  /** How often this thread sleeps for others, 50 µs each, before it looks after them. */
  readonly #naps = mayWait() ? 40 : 0;
  /** Of kernels, by name. */
  readonly #places = new Map<string, number>();
  /** The record that others are at work on, the list's last one; 0: none. */
  #at = 0;
  #last = 0;
  /** Looks since it got on. */
  #looks = 0;
  /** When the last steps ended, and what all of them took since a rest, estimated. */
  #ended = 0;
  #sinceRest = 0;

  constructor(engine: Engine, pool: Pool) {
    this.#engine = engine;
    this.#pool = pool;
    this.add(engine.module, engine.kernels);
  }

  add(module: WebAssembly.Module, kernels: Readonly<Record<string, unknown>>): void {
    this.settle();
    const { table } = this.#pool;
    const added: [number, string][] = [];
    for (const { name } of WebAssembly.Module.exports(module)) {
      const kernel = kernels[name];
      if (typeof kernel !== "function") continue;
      const place = this.#places.size + 1;
      this.#places.set(name, place);
      if (place >= table.length) table.grow(16);
      table.set(place, kernel);
      added.push([place, name]);
    }
    this.#pool.give({ module, kernels: added });
  }

  work(at: number, steps: readonly Step[]): Work {
    const { heap } = this.#engine;
    const parts: Part[] = [];
    steps.forEach((step, i) => {
      const { kernel, desc, items, unit, stride } = step;
      if (typeof kernel !== "string") {
        parts.push({ compute: kernel });
        return;
      }
      const record = at + i * STEP_BYTES;
      this.#write(record, kernel, [desc, 0, items, unit, 0, stride]);
      const open = parts.at(-1);
      if (open && "first" in open) {
        heap.i32[(open.last >>> 2) + NEXT] = record;
        open.last = record;
      } else parts.push({ first: record, last: record });
    });
    return new Steps(this, this.#engine, at, steps, parts);
  }

  join(works: readonly Work[]): () => void {
    const { i32 } = this.#engine.heap;
    const parts: Part[] = [];
    for (const part of (works as readonly Steps[]).flatMap((work) => work.parts)) {
      const open = parts.at(-1);
      if (open && "first" in open && "first" in part) {
        i32[(open.last >>> 2) + NEXT] = part.first;
        open.last = part.last;
      } else parts.push({ ...part });
    }
    const ns = (works as readonly Steps[]).reduce((sum, work) => sum + work.ns, 0);
    return () => this.runParts(parts, ns);
  }

  /** Estimated, on one thread. */
  costOf(step: Step, items?: number): number {
    return typeof step.kernel === "string" ? costOf(step, this.#engine.variant, items) : 0;
  }

  call(step: Step & { readonly kernel: KernelName }, begin: number, end: number, scratch: number): void {
    this.begin(step, begin, end, scratch, this.#naps);
    this.settle();
  }

  /** Begins a kernel's work items [begin, end), to be done when poll() says so. naps: how often it may sleep for that. */
  begin(step: Step & { readonly kernel: KernelName }, begin: number, end: number, scratch: number, naps = 0): void {
    this.settle();
    const { desc, items, stride } = step;
    const share = Math.ceil((end - begin) / this.#pool.threads);
    const unit = step.unit < items ? Math.min(step.unit, share) : end - begin;
    const { record } = this.#pool;
    this.#write(record, step.kernel, [desc, begin, end, unit, scratch, stride]);
    this.#decide(this.costOf(step, end - begin));
    this.#start(record, record, naps);
  }

  /** Whether threads that sleep are woken for so much work more. */
  #decide(ns: number): void {
    if (performance.now() - this.#ended > REST_MS) this.#sinceRest = 0;
    this.#sinceRest += ns;
    this.#pool.wakes = this.#sinceRest >= this.worthWakingNs;
  }

  /** ns: what all of them take, estimated, on one thread. */
  runParts(parts: readonly Part[], ns: number): void {
    this.#decide(ns);
    for (const part of parts) {
      if ("compute" in part) part.compute();
      else {
        this.settle();
        this.#start(part.first, part.last, this.#naps);
        this.settle();
      }
    }
  }

  #start(first: number, last: number, naps: number): void {
    this.#pool.isAtWork = true;
    this.#last = last;
    this.#at = this.#guarded(first, naps, 0);
    this.#looks = 0;
    if (this.#at === 0) this.#end();
  }

  #end(): void {
    this.#pool.isAtWork = false;
    this.#ended = performance.now();
  }

  /** Looks after what is under way; answers whether all of it is done. Throws ThreadError when a thread was lost. */
  poll(naps = 0): boolean {
    if (this.#at === 0) return true;
    const at = this.#guarded(this.#at, naps, 1);
    this.#looks = at === this.#at ? this.#looks + (naps > 0 ? NAPS_LOOKS : 1) : 0;
    this.#at = at;
    if (at === 0) {
      this.#end();
      return true;
    }
    if (this.#pool.isFailed || this.#looks > this.patience) this.#lose();
    return false;
  }

  settle(): void {
    while (!this.poll(this.#naps));
  }

  /** Runs on; a kernel that traps in this thread leaves others at work. */
  #guarded(at: number, naps: number, again: 0 | 1): number {
    try {
      return this.#pool.run(at, this.#last, naps, again);
    } catch (error) {
      this.#lose(String(error));
    }
  }

  #lose(why = this.#pool.reason ?? "it did not get on"): never {
    this.#at = 0;
    this.#pool.end(`a thread was lost: ${why}`, 0);
    this.onLost();
    throw new ThreadError(`"threads" expected to go on until a run is done, got one that was lost: ${why}`);
  }

  end(): void {
    this.#at = 0;
    this.#pool.end("the runtime was disposed");
  }

  #write(record: number, kernel: KernelName, fields: readonly number[]): void {
    const { i32 } = this.#engine.heap;
    const [desc = 0, begin = 0, end = 0, wanted = 0, scratch = 0, stride = 0] = fields;
    const unit = Math.max(1, wanted, Math.ceil((end - begin) / MOST_UNITS));
    const units = Math.max(1, Math.ceil((end - begin) / unit));
    const place = this.#places.get(kernel);
    if (place === undefined) this.#engine.kernel(kernel); // throws: its pack is missing
    i32.set([place as number, desc, begin, end, unit, units, scratch, stride, 0], record >>> 2);
  }
}

/** The steps of a program. */
class Steps implements Work {
  readonly ns: number;
  #scratch = 0;

  constructor(
    readonly crew: Threads,
    readonly engine: Engine,
    readonly at: number,
    readonly steps: readonly Step[],
    readonly parts: readonly Part[],
  ) {
    this.ns = steps.reduce((sum, step) => sum + crew.costOf(step), 0);
  }

  move(scratch: number): void {
    this.#scratch = scratch;
    const { i32 } = this.engine.heap;
    for (let i = 0; i < this.steps.length; i++) i32[((this.at + i * STEP_BYTES) >>> 2) + SCRATCH] = scratch;
  }

  run(): void {
    this.crew.runParts(this.parts, this.ns);
  }

  *runInParts(parts: number): Generator<void> {
    const { crew } = this;
    try {
      for (const step of this.steps) {
        const { kernel, items } = step;
        if (typeof kernel !== "string") {
          yield;
          crew.settle();
          kernel();
          continue;
        }
        const size = Math.ceil(items / Math.min(items, parts));
        for (let begin = 0; begin < items; begin += size) {
          yield;
          crew.begin({ ...step, kernel }, begin, Math.min(begin + size, items), this.#scratch);
          while (!crew.poll()) yield;
        }
      }
    } finally {
      crew.settle();
    }
  }
}

/** Whether this thread may sleep: not the main thread of a browser. */
function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}
