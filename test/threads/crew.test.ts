// The crew's protocol under stress: more threads than cores, steps of one unit beside steps of hundreds, each of which reads what all
// threads wrote in the one before. What went wrong in sketches has a test each; a leader that hangs is a test that fails.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import binaryen from "binaryen";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BASE } from "../../src/engine/heap.js";
import { meetingBytes, Pool } from "../../src/threads/pool.js";
import { type Found, type Job, LEADER, type Place, places, type TrapJob } from "./leader.js";
import { withPauses } from "./pauses.js";

const binary = readFileSync(new URL("../../build/wasm/crew.wasm", import.meta.url));
const CREW = new WebAssembly.Module(binary);
const PAUSING = new WebAssembly.Module(withPauses(binary));

/**
 * Two kernels. chain: desc is { x, y, n, k }, y[i] = 3 x[i k % n] + i + 1, and a word behind y counts how often each item was computed;
 * scratch has to be this thread's: what is stored there is still there after the work. trap: fails, but where scratch is that of
 * desc { scratch, word }: there it waits until the word at that address is set, so that there is work left after others have failed.
 */
const TEXT = `(module
  (import "env" "memory" (memory 1 65536 shared))
  (func (export "chain") (param $d i32) (param $i i32) (param $end i32) (param $scratch i32)
    (local $y i32) (local $at i32)
    (local.set $y (i32.load offset=4 (local.get $d)))
    (loop $next
      (if (i32.lt_s (local.get $i) (local.get $end)) (then
        (i32.store (local.get $scratch) (local.get $i))
        (local.set $at (i32.add (local.get $y) (i32.shl (local.get $i) (i32.const 3))))
        (i32.store (local.get $at) (i32.add (i32.add (local.get $i) (i32.const 1)) (i32.mul (i32.const 3)
          (i32.load (i32.add (i32.load (local.get $d)) (i32.shl (i32.rem_u
            (i32.mul (local.get $i) (i32.load offset=12 (local.get $d))) (i32.load offset=8 (local.get $d))) (i32.const 3)))))))
        (drop (i32.atomic.rmw.add offset=4 (local.get $at) (i32.const 1)))
        (if (i32.ne (i32.load (local.get $scratch)) (local.get $i)) (then (unreachable)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))))
  (func (export "trap") (param $d i32) (param $i i32) (param $end i32) (param $scratch i32)
    (local $looks i32)
    (if (i32.ne (local.get $scratch) (i32.load (local.get $d))) (then (unreachable)))
    (loop $look
      (local.set $looks (i32.add (local.get $looks) (i32.const 1)))
      (br_if $look (i32.and (i32.lt_s (local.get $looks) (i32.const 100000000))
        (i32.eqz (i32.atomic.load (i32.load offset=4 (local.get $d)))))))))`;

function compiled(text: string): WebAssembly.Module {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.Atomics | binaryen.Features.BulkMemory);
  try {
    return new WebAssembly.Module(module.emitBinary() as Uint8Array<ArrayBuffer>);
  } finally {
    module.dispose();
  }
}
const kernels = compiled(TEXT);
const KERNELS: [number, string][] = [
  [1, "chain"],
  [2, "trap"],
];
const MOST_ITEMS = places().most;

/** Words of assembly/crew from BASE on: threads that sleep, failure, what one thread has to do and has done. */
const SLEEPERS = 32;
const ORDERS = 64;
const FAILED = 65;
const rangeOf = (thread: number): number => (BASE >>> 2) + 192 + 64 * thread;
const doneOf = (thread: number): number => (BASE >>> 2) + 224 + 64 * thread;

/** A leader that finishes no list in so long hangs, on any machine. */
const MOST_MS = 300_000;

const pools: Pool[] = [];
const leaders: Worker[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) pool.end("the test is over");
  await Promise.all(leaders.splice(0).map((leader) => leader.terminate()));
});

interface Stressed {
  readonly pool: Pool;
  readonly i32: Int32Array;
  /** Has the leader do a job. Throws where it hangs, with what it hangs at. */
  lead(job: Job | TrapJob): Promise<Found>;
}

async function stressed(threads: number, crew = CREW): Promise<Stressed> {
  expect(BASE + meetingBytes(threads)).toBeLessThan(4 * places().progress);
  const memory = new WebAssembly.Memory({ initial: 6, maximum: 16, shared: true });
  const i32 = new Int32Array(memory.buffer);
  const pool = new Pool(memory, crew, threads);
  pools.push(pool);
  pool.give({ module: kernels, kernels: KERNELS });
  pool.start(undefined);
  await pool.arrived(threads);
  expect(pool.running).toBe(threads);
  const leader = new Worker(LEADER, {
    eval: true,
    workerData: { crew, kernels, memory, failed: (BASE >>> 2) + FAILED } satisfies Place,
  });
  leaders.push(leader);
  const lead = async (job: Job | TrapJob): Promise<Found> => {
    const found = once(leader, "message").then(([answer]) => answer as Found);
    leader.postMessage(job);
    for (let before = -1; ; ) {
      const answer = await Promise.race([found, setTimeout(MOST_MS, undefined, { ref: false })]);
      if (answer !== undefined) return answer;
      const now = Atomics.load(i32, places().progress);
      if (now === before) throw new Error(`the leader hangs after ${now} lists: ${stateOf(i32, threads)}`);
      before = now;
    }
  };
  return { pool, i32, lead };
}

/** What threads see of each other. */
function stateOf(i32: Int32Array, threads: number): string {
  const hex = (at: number): string => (Atomics.load(i32, at) >>> 0).toString(16);
  const each = Array.from({ length: threads }, (_, t) => `${hex(rangeOf(t))} ${hex(doneOf(t))}`);
  const [ticket, asleep] = [BASE >>> 2, (BASE >>> 2) + SLEEPERS].map(hex);
  return `ticket ${ticket}, ${asleep} asleep, ranges and done ${each.join(", ")}`;
}

/** What others than the leader have done. */
const others = (i32: Int32Array, threads: number): number[] =>
  Array.from({ length: threads - 1 }, (_, i) => Atomics.load(i32, doneOf(i + 1)));

/** Numbers below `n`, the same each time. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

describe.each([
  [2, "", CREW],
  [3, "", CREW],
  [5, "", CREW],
  [16, "", CREW],
  [2, " that pause", PAUSING],
  [3, " that pause", PAUSING],
] as const)("%i threads%s", (threads, _, crew) => {
  it("compute every item once, after all of the step before", async () => {
    const { i32, lead } = await stressed(threads, crew);
    const roll = dice(threads);
    const lists = Array.from({ length: 60 }, () =>
      Array.from({ length: 1 + roll(12) }, () => {
        const items = 1 + roll(MOST_ITEMS);
        return [items, Math.min(items, 1 + roll([1, 3, 4 * threads, 300][roll(4)] as number))] as const;
      }),
    );
    // Until another had its turn: a core that is shared may leave the leader alone with all of it.
    do expect(await lead({ lists, times: 1 })).toEqual({ wrong: 0 });
    while (others(i32, threads).every((done) => done === 0));
  });

  it("take bounds from ranges, not from the record: steps of 2 and of 1,000 units, one after the other", async () => {
    const { lead } = await stressed(threads, crew);
    const steps = Array.from({ length: 20 }, (_, i) => (i % 2 ? ([1000, 1000] as const) : ([4, 2] as const)));
    expect(await lead({ lists: Array(20).fill(steps), times: 1 })).toEqual({ wrong: 0 });
  });

  it("end lists that are over at once, one after the other: a hang where what is done was told before the ticket", async () => {
    const { lead } = await stressed(threads, crew);
    expect(await lead({ lists: [[[threads, threads]]], times: 3000 })).toEqual({ wrong: 0 });
  });

  it("count what is done by tags that come again after 65,536 steps", async () => {
    const { i32, lead } = await stressed(threads, crew);
    for (const ticket of [0xffff, 0x7fff_ffff, -1]) {
      i32[BASE >>> 2] = ticket;
      // Of a thread that has slept for 65,535 steps: five units of the second one from here on.
      i32[doneOf(threads - 1)] = (1 << 16) | 5;
      const steps = Array.from({ length: 10 }, () => [50, 10] as const);
      expect(await lead({ lists: Array(4).fill(steps), times: 1 })).toEqual({ wrong: 0 });
    }
  });

  it("sleep when there is nothing to do, and wake for the next list, and for orders", async () => {
    const { pool, i32, lead } = await stressed(threads, crew);
    const asleep = () => vi.waitFor(() => expect(i32[(BASE >>> 2) + SLEEPERS]).toBe(threads - 1), { timeout: MOST_MS });
    for (let run = 0; run < 3; run++) {
      await asleep();
      const before = others(i32, threads);
      // Until another has done something: one that is woken needs some time to it.
      await vi.waitFor(
        async () => {
          expect(await lead({ lists: [[[MOST_ITEMS, 64]]], times: 20 })).toEqual({ wrong: 0 });
          expect(others(i32, threads)).not.toEqual(before);
        },
        { timeout: MOST_MS, interval: 1 },
      );
      if (run > 0) continue;
      await asleep();
      pool.give({ module: kernels, kernels: [] });
    }
  });
});

it("a kernel that traps in a worker ends the run: a hang where the worker's handler had raised the ticket", async () => {
  for (let round = 0; round < 6; round++) {
    const { pool, lead } = await stressed(3);
    expect(await lead("trap")).toEqual({ failed: true });
    expect(pool.isFailed).toBe(true);
    await vi.waitFor(() => expect(pool.reason).toMatch(/unreachable/), { timeout: MOST_MS });
    pool.end("the test is over");
  }
});

it("while one inside does not know all orders, the leader computes alone: who lacks a pack takes nothing", async () => {
  const { i32, lead } = await stressed(3);
  const word = (at: number): number => Atomics.load(i32, (BASE >>> 2) + at);
  await vi.waitFor(() => expect(word(SLEEPERS)).toBe(2), { timeout: MOST_MS });
  // As pool.give() does, but that nobody is woken: they are still inside.
  Atomics.store(i32, (BASE >>> 2) + ORDERS, 2);
  const [ticket, done] = [word(0), others(i32, 3)];
  expect(await lead({ lists: [[[MOST_ITEMS, 64]]], times: 5 })).toEqual({ wrong: 0 });
  expect([word(0), others(i32, 3), word(SLEEPERS)]).toEqual([ticket, done, 2]);
});
