// Workers of one engine, and what they share with it. Nothing here leads back to the engine, so that one that is dropped can go, and
// its workers after it.
import { BASE } from "../engine/heap.js";
import { type Listener, startWorker, type Worker } from "./start.js";
import type { Orders } from "./worker.js";

/** What a worker is given of a pack. */
type Pack = Orders["packs"][number];

interface Exports {
  open(state: number, threads: number, spins: number): void;
  order(state: number, orders: number): void;
  leave(state: number, thread: number): void;
  run(state: number, at: number, last: number, mayWait: number, again: number): number;
}

/** Where threads share what in the state: assembly/crew. */
const RECORD = 640;
const FAILED = 260;
const RANGES = 768;
const RANGE_BYTES = 256;
/** Looks of an idle thread before it sleeps: some 75 µs, longer than most steps that one thread computes alone. */
const SPINS = 50_000;

/** Bytes of the state of so many threads. */
export const stateBytes = (threads: number): number => RANGES + RANGE_BYTES * threads;

export class Pool {
  readonly table = new WebAssembly.Table({ element: "anyfunc", initial: 64 });
  /** Of a call by itself. */
  readonly record = BASE + RECORD;
  /** A step is under way. */
  isAtWork = false;
  /** Why fewer threads run than there are to be. */
  reason: string | undefined;
  running = 1;
  readonly #memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  readonly #exports: Exports;
  readonly #packs: Pack[] = [];
  readonly #workers: (Worker | undefined)[] = [];
  #starting = 0;
  #onChange: () => void = () => {};
  #isEnded = false;

  constructor(
    memory: WebAssembly.Memory,
    module: WebAssembly.Module,
    readonly threads: number,
  ) {
    this.#memory = memory;
    this.#module = module;
    const { table } = this;
    this.#exports = new WebAssembly.Instance(module, { env: { memory, table } }).exports as unknown as Exports;
    this.#exports.open(BASE, threads, SPINS);
  }

  run(at: number, last: number, mayWait: number, again: number): number {
    return this.#exports.run(BASE, at, last, mayWait, again);
  }

  /** Whether a thread has said that it failed. */
  get isFailed(): boolean {
    return new Int32Array(this.#memory.buffer)[(BASE + FAILED) >>> 2] !== 0;
  }

  /** Gives a pack to all; only while no step is under way. */
  give(pack: Pack): void {
    this.#packs.push(pack);
    const orders = this.#packs.length;
    for (const worker of this.#workers) worker?.post({ packs: [pack], orders });
    this.#exports.order(BASE, orders);
  }

  /** Starts all workers in the background. own: makes one, where the user does that. */
  start(own: (() => object) | undefined): void {
    for (let thread = 1; thread < this.threads; thread++) {
      this.#starting++;
      void this.#startOne(thread, own);
    }
  }

  /** Resolves when so many threads run, or no other is on its way. */
  async arrived(threads: number): Promise<void> {
    while (this.running < threads && this.#starting > 0) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  async #startOne(thread: number, own: (() => object) | undefined): Promise<void> {
    const listener: Listener = {
      orders: () => ({
        ...{ crew: this.#module, memory: this.#memory, state: BASE, thread },
        ...{ packs: this.#packs, orders: this.#packs.length },
      }),
      made: (worker) => {
        this.#workers[thread] = worker;
      },
      lost: (why) => this.#lose(thread, why),
    };
    try {
      await startWorker(own, listener, () => this.#isEnded);
      if (this.#isEnded) return;
      this.running++;
    } catch (error) {
      this.#workers[thread] = undefined;
      this.reason ??= (error as Error).message;
    } finally {
      this.#starting--;
      this.#onChange();
    }
  }

  #lose(thread: number, why: string): void {
    if (this.#workers[thread] === undefined) return; // it has said so already, or all are ended
    this.#workers[thread] = undefined;
    this.running--;
    this.reason = `a worker ended: ${why}`;
    // It may have taken a unit: whoever leads finds that out.
    if (this.isAtWork) new Int32Array(this.#memory.buffer)[(BASE + FAILED) >>> 2] = 1;
    else this.#exports.leave(BASE, thread);
  }

  /** Ends all workers. */
  end(reason: string, running = 1): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.running = running;
    this.reason = reason;
    for (const worker of this.#workers.splice(0)) worker?.end();
  }
}
