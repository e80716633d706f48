// What engines and plans know of the threads that compute beside their own. Who they are is src/threads, which nothing loads for one
// thread.

import type { WasmModule } from "../base/globals.js";
import type { KernelName } from "../kernels/table.js";
import type { Engine } from "./engine.js";

/** A step of a run, bound to memory. */
export interface Step {
  /** A kernel, or what a step in JavaScript does. */
  readonly kernel: KernelName | (() => void);
  readonly desc: number;
  /** What the descriptor says: its costs go by that. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly items: number;
  /** Work items that one thread takes at a time: all of them where it is not split. */
  readonly unit: number;
  /** Bytes from one thread's scratch to the next one's. */
  readonly stride: number;
}

/** The steps of a program as threads read them, in linear memory. */
export interface Work {
  /** All of them have their scratch from another address on. */
  move(scratch: number): void;
  run(): void;
  /** As run(), every step's work items in so many parts; yields before each, and while other threads are at work. */
  runInParts(parts: number): Generator<void>;
}

/** Bytes of linear memory that a step takes there. */
export const STEP_BYTES = 48;

/** The threads of one engine. */
export interface Crew {
  /** Called when a thread was lost at work: nothing runs afterwards. */
  onLost: () => void;
  /** A binary over shared memory. */
  twin(binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** Steps at an address with room for STEP_BYTES each. */
  work(at: number, steps: readonly Step[]): Work;
  /** Runs all of these, one after the other. */
  join(works: readonly Work[]): () => void;
  /** Calls a kernel over work items [begin, end). */
  call(step: Step & { readonly kernel: KernelName }, begin: number, end: number, scratch: number): void;
  /** Gives every thread the kernels of a pack. */
  add(module: WasmModule, kernels: Readonly<Record<string, unknown>>): void;
  /** Waits until no thread is at work. */
  settle(): void;
  /** Ends all threads but the calling one. */
  end(): void;
}

/** Threads of a runtime, and why they are fewer than it was asked for. */
export interface ThreadsReport {
  /** What it was asked for; of "auto", or of a range, the most. */
  readonly asked: number;
  /** Threads that compute at this moment, the calling one among them: others start in the background. 0 when one was lost at work. */
  readonly running: number;
  /** Why fewer run than were asked for, where they do. */
  readonly reason?: string;
}

/** Threads that an engine is to have. */
export interface Hire {
  /** Bytes at the start of shared memory that are theirs. */
  readonly bytes: number;
  /** What the memory may grow to. */
  readonly maxBytes: number;
  /** The binary over shared memory. */
  twin(binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** Gives an engine a crew; resolves when as many threads run as there have to be. Throws UnsupportedError where they do not. */
  start(engine: Engine): Promise<void>;
}
