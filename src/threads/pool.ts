// Workers of one engine, and what they share with it. Nothing here leads back to the engine, so that one that is dropped can go, and
// its workers after it.
import { BASE } from "../engine/heap.js";
import { type Listener, startWorker, type Worker } from "./start.js";
import type { Orders } from "./worker.js";

/** What a worker is given of a pack. */
type Pack = Orders["packs"][number];

/** The crew's, of assembly/crew. */
type Run = (at: number, last: number, naps: number, again: number) => number;

/** Words from BASE on in which threads meet: assembly/crew. */
const TICKET = 0;
const SLEEPERS = 32;
const ORDERS = 64;
const FAILED = 65;
const THREADS = 66;
const SPINS = 67;
const KNOWN = 96;
const RECORD = 160;
const RANGES = 192;
const RANGE_WORDS = 64;
/** Looks of an idle thread before it sleeps: some 75 µs, longer than most steps that one thread computes alone. */
const LOOKS = 50_000;

/** Bytes in which so many threads meet. */
export const meetingBytes = (threads: number): number => 4 * (RANGES + RANGE_WORDS * threads);

export class Pool {
  readonly table = new WebAssembly.Table({ element: "anyfunc", initial: 64 });
  /** Of a call by itself. */
  readonly record = BASE + 4 * RECORD;
  /** Leads through steps. */
  readonly run: Run;
  /** A step is under way. */
  isAtWork = false;
  /** Why fewer threads run than there are to be. */
  reason: string | undefined;
  running = 1;
  readonly #memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  /** Words from BASE on: growth leaves views of shared memory alone. */
  readonly #words: Int32Array;
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
    this.run = new WebAssembly.Instance(module, { env: { memory, table } }).exports["run"] as Run;
    this.#words = new Int32Array(memory.buffer, BASE, meetingBytes(threads) / 4);
    this.#words[THREADS] = threads;
    this.#words[SPINS] = LOOKS;
  }

  /**
   * Whether threads that sleep are woken: if not, and all of them do, the next steps are led through by a crew of one. Only while no
   * step is under way: what others did of it would not be counted.
   */
  set wakes(wakes: boolean) {
    const asleep = Atomics.load(this.#words, SLEEPERS);
    this.#words[THREADS] = wakes || asleep < this.running - 1 ? this.threads : 1;
  }

  /** Whether a thread has said that it failed. */
  get isFailed(): boolean {
    return Atomics.load(this.#words, FAILED) !== 0;
  }

  /** Gives a pack to all; only while no step is under way: the ticket is the leader's. */
  give(pack: Pack): void {
    this.#packs.push(pack);
    const orders = this.#packs.length;
    for (const worker of this.#workers) worker?.post({ packs: [pack], orders });
    // Whoever is inside comes out.
    Atomics.store(this.#words, ORDERS, orders);
    Atomics.add(this.#words, TICKET, 1);
    this.#wake();
  }

  /** Whoever sleeps inside, and counts them out. */
  #wake(): void {
    Atomics.sub(this.#words, SLEEPERS, Atomics.notify(this.#words, TICKET));
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
        ...{ crew: this.#module, memory: this.#memory, thread, failed: BASE / 4 + FAILED },
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
    if (this.isAtWork) Atomics.store(this.#words, FAILED, 1);
    else Atomics.store(this.#words, KNOWN + thread, 0);
  }

  /** Ends all workers. */
  end(reason: string, running = 1): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.running = running;
    this.reason = reason;
    // Whoever leads is alone from here on, and whoever sleeps inside comes out. The ticket stays: a step may be under way.
    this.#words[THREADS] = 1;
    Atomics.store(this.#words, ORDERS, -1);
    this.#wake();
    for (const worker of this.#workers.splice(0)) worker?.end();
  }
}
