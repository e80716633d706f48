// The thread that leads under stress, in a worker: a protocol that is broken may have it look for a ticket without end, and whoever
// waits for it can say so and end it. Its functions travel as text (LEADER), and know nothing from outside.
import type { MessagePort } from "node:worker_threads";

/** Items and units of the steps of a list. */
export type List = readonly (readonly [items: number, units: number])[];

export interface Job {
  /** The lists, each led through `times` times before what it left is looked at. */
  readonly lists: readonly List[];
  readonly times: number;
}

/** The job of a kernel that traps in every thread but this one. */
export type TrapJob = "trap";

/** Of all lists: elements that are wrong, items that were not computed as often as they had to be; of a trap, whether it was told. */
export type Found = { readonly wrong: number } | { readonly failed: boolean } | { readonly error: string };

export interface Place {
  readonly crew: WebAssembly.Module;
  readonly kernels: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** The word that says that a thread has failed. */
  readonly failed: number;
}

/**
 * Where what is whose: descriptors and records, scratch, two buffers of as many pairs of words as there may be items; the word that
 * counts lists that were led through.
 */
export function places() {
  return { lists: 64 * 1024, scratch: 192 * 1024, buffers: 256 * 1024, most: 4000, bytes: 48, progress: 15 * 1024 };
}

/** A list of steps in memory. Answers first and last record. */
function listOf(i32: Int32Array, steps: List): [number, number] {
  const { lists, scratch, buffers, most, bytes } = places();
  let n = most;
  steps.forEach(([items, units], i) => {
    const desc = lists + steps.length * bytes + 16 * i;
    const record = lists + bytes * i;
    const [x, y] = [buffers + (i % 2) * most * 8, buffers + ((i + 1) % 2) * most * 8];
    i32.set([x, y, n, 7 + i], desc >>> 2);
    const unit = Math.ceil(items / units);
    i32.set([1, desc, 0, items, unit, Math.ceil(items / unit), scratch, 64, record + bytes], record >>> 2);
    n = items;
  });
  return [lists, lists + bytes * (steps.length - 1)];
}

/** What the list answers, on one thread in JavaScript. */
function expected(steps: List, start: Int32Array): Int32Array {
  let x = start;
  steps.forEach(([items], i) => {
    const from = x;
    x = Int32Array.from({ length: items }, (_, k) => 3 * (from[Math.imul(k, 7 + i) % from.length] as number) + k + 1);
  });
  return x;
}

/** Leads through a list to its end, and answers what is wrong. */
function faults(i32: Int32Array, steps: List, times: number, lead: (first: number, last: number) => void): number {
  const { buffers, most } = places();
  const base = buffers >>> 2;
  const start = Int32Array.from({ length: most }, (_, i) => i * 5 + 1);
  for (let i = 0; i < most; i++) {
    i32[base + 2 * i] = start[i] as number;
    i32[base + 2 * i + 1] = 0;
    i32[base + 2 * (most + i) + 1] = 0;
  }
  const [first, last] = listOf(i32, steps);
  for (let i = 0; i < times; i++) lead(first, last);
  const wanted = expected(steps, start);
  const out = base + (steps.length % 2) * 2 * most;
  let wrong = 0;
  wanted.forEach((value, i) => {
    if (i32[out + 2 * i] !== value) wrong++;
  });
  // How often an item of each buffer was computed: by every second step that has so many.
  for (const side of [0, 1]) {
    const writers = steps.filter((_, i) => (i + 1) % 2 === side);
    for (let i = 0; i < most; i++) {
      const computed = times * writers.filter(([items]) => items > i).length;
      if (i32[base + 2 * (side * most + i) + 1] !== computed) wrong++;
    }
  }
  return wrong;
}

/** A kernel that fails in others while this thread goes on: whether that was told. */
function trap(i32: Int32Array, failed: number, run: (at: number, last: number, naps: number, again: number) => number) {
  const { lists, scratch } = places();
  i32.set([scratch, failed * 4], (lists + 512) >>> 2);
  i32.set([2, lists + 512, 0, 300, 1, 300, scratch, 64, 0], lists >>> 2);
  let at = run(lists, lists, 40, 0);
  for (let looks = 0; at !== 0 && Atomics.load(i32, failed) === 0 && looks < 100_000; looks++)
    at = run(at, lists, 40, 1);
  return { failed: Atomics.load(i32, failed) !== 0 };
}

function leader(): void {
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { crew, kernels, memory, failed } = workerData as Place;
  const { bytes, progress } = places();
  const i32 = new Int32Array(memory.buffer);
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 3 });
  const { chain, trap: trapping } = new WebAssembly.Instance(kernels, { env: { memory } }).exports;
  table.set(1, chain);
  table.set(2, trapping);
  const { run } = new WebAssembly.Instance(crew, { env: { memory, table } }).exports as {
    run: Parameters<typeof trap>[2];
  };
  const lead = (first: number, last: number): void => {
    let at = run(first, last, 40, 0);
    // 2 ms each: minutes, in which others get their turn on any machine
    for (let looks = 0; at !== 0; looks++) {
      if (looks > 100_000)
        throw new Error(`others hang in step ${(at - first) / bytes} of ${(last - first) / bytes + 1}`);
      at = run(at, last, 40, 1);
    }
    Atomics.add(i32, progress, 1);
  };
  (parentPort as MessagePort).on("message", (job: Job | TrapJob) => {
    let found: Found;
    try {
      found =
        job === "trap"
          ? trap(i32, failed, run)
          : { wrong: job.lists.reduce((wrong, list) => wrong + faults(i32, list, job.times, lead), 0) };
    } catch (error) {
      found = { error: String(error) };
    }
    (parentPort as MessagePort).postMessage(found);
  });
}

export const LEADER = `${places}\n${listOf}\n${expected}\n${faults}\n${trap}\n(${leader})()`;
