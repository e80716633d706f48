// The crew's protocol under stress: more threads than cores, steps of one unit beside steps of hundreds, each of which reads what all
// threads wrote in the one before. What went wrong in sketches has a test each.

import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { parseSync } from "oxc-parser";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BASE } from "../../src/engine/heap.js";
import { meetingBytes, Pool } from "../../src/threads/pool.js";
import { work } from "../../src/threads/worker.js";

const crew = new WebAssembly.Module(readFileSync(new URL("../../build/wasm/crew.wasm", import.meta.url)));

/**
 * Two kernels. chain: desc is { x, y, n, k }, y[i] = 3 x[i k % n] + i + 1, and a word behind y counts how often each item was computed;
 * scratch has to be this thread's: what is stored there is still there after the work. trap: fails at item desc[0].
 */
const KERNELS = `(module
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
    (if (i32.and (i32.ne (local.get $scratch) (i32.load (local.get $d))) (i32.ge_s (local.get $end) (i32.const 0)))
      (then (unreachable)))))`;

function compiled(text: string): WebAssembly.Module {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.Atomics | binaryen.Features.BulkMemory);
  try {
    return new WebAssembly.Module(module.emitBinary() as Uint8Array<ArrayBuffer>);
  } finally {
    module.dispose();
  }
}
const kernels = compiled(KERNELS);
const CHAIN = 1;
const TRAP = 2;

/** Where what is whose: descriptors and records, scratch, two buffers of pairs. */
const LISTS = 64 * 1024;
const SCRATCH = 192 * 1024;
const BUFFERS = 256 * 1024;
const MOST_ITEMS = 4000;
const RECORD_BYTES = 48;

/** Words of assembly/crew: threads that sleep, and what one has done. */
const SLEEPERS = 32;
const doneOf = (thread: number): number => (BASE >>> 2) + 224 + 64 * thread;

const pools: Pool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.end("the test is over");
});

async function poolOf(threads: number): Promise<{ pool: Pool; i32: Int32Array }> {
  expect(BASE + meetingBytes(threads)).toBeLessThan(LISTS);
  const memory = new WebAssembly.Memory({ initial: 6, maximum: 16, shared: true });
  const pool = new Pool(memory, crew, threads);
  pools.push(pool);
  const { exports } = new WebAssembly.Instance(kernels, { env: { memory } });
  pool.table.set(CHAIN, exports["chain"]);
  pool.table.set(TRAP, exports["trap"]);
  pool.give({
    module: kernels,
    kernels: [
      [CHAIN, "chain"],
      [TRAP, "trap"],
    ],
  });
  pool.start(undefined);
  await pool.arrived(threads);
  expect(pool.running).toBe(threads);
  return { pool, i32: new Int32Array(memory.buffer) };
}

/** A list of steps in memory: items and units of each. Answers first and last record. */
function listOf(i32: Int32Array, steps: readonly (readonly [items: number, units: number])[]): [number, number] {
  const bytes = MOST_ITEMS * 8;
  let n = MOST_ITEMS;
  steps.forEach(([items, units], i) => {
    const desc = LISTS + steps.length * RECORD_BYTES + 16 * i;
    const record = LISTS + RECORD_BYTES * i;
    const [x, y] = [BUFFERS + (i % 2) * bytes, BUFFERS + ((i + 1) % 2) * bytes];
    i32.set([x, y, n, 7 + i], desc >>> 2);
    const unit = Math.ceil(items / units);
    i32.set([CHAIN, desc, 0, items, unit, Math.ceil(items / unit), SCRATCH, 64, record + RECORD_BYTES], record >>> 2);
    n = items;
  });
  return [LISTS, LISTS + RECORD_BYTES * (steps.length - 1)];
}

/** What the list answers, on one thread in JavaScript. */
function expected(steps: readonly (readonly [number, number])[], start: Int32Array): Int32Array {
  let x = start;
  steps.forEach(([items], i) => {
    const from = x;
    x = Int32Array.from({ length: items }, (_, k) => 3 * (from[Math.imul(k, 7 + i) % from.length] as number) + k + 1);
  });
  return x;
}

/** Runs a list to its end. Throws where others do not get on for some seconds. */
function lead(pool: Pool, first: number, last: number): void {
  let at = pool.run(first, last, 40, 0);
  for (let looks = 0; at !== 0; looks++) {
    if (looks > 5000) throw new Error("others hang");
    at = pool.run(at, last, 40, 1);
  }
}

/** Runs a list, and answers what is wrong: elements, items that were not computed once. */
function faults(pool: Pool, i32: Int32Array, steps: readonly (readonly [number, number])[]): number {
  const base = BUFFERS >>> 2;
  const start = Int32Array.from({ length: MOST_ITEMS }, (_, i) => i * 5 + 1);
  for (let i = 0; i < MOST_ITEMS; i++) {
    i32[base + 2 * i] = start[i] as number;
    i32[base + 2 * i + 1] = 0;
    i32[base + 2 * (MOST_ITEMS + i) + 1] = 0;
  }
  const [first, last] = listOf(i32, steps);
  lead(pool, first, last);
  const wanted = expected(steps, start);
  const out = base + (steps.length % 2) * 2 * MOST_ITEMS;
  let wrong = 0;
  wanted.forEach((value, i) => {
    if (i32[out + 2 * i] !== value) wrong++;
  });
  // How often an item of each buffer was computed: by every second step that has so many.
  for (const side of [0, 1]) {
    const writers = steps.filter((_, i) => (i + 1) % 2 === side);
    for (let i = 0; i < MOST_ITEMS; i++) {
      const times = writers.filter(([items]) => items > i).length;
      if (i32[base + 2 * (side * MOST_ITEMS + i) + 1] !== times) wrong++;
    }
  }
  return wrong;
}

/** Numbers below `n`, the same each time. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

describe.each([2, 3, 5, 16])("%i threads", (threads) => {
  it("compute every item once, after all of the step before", async () => {
    const { pool, i32 } = await poolOf(threads);
    const roll = dice(threads);
    for (let run = 0; run < 60; run++) {
      const steps = Array.from({ length: 1 + roll(12) }, () => {
        const items = 1 + roll(MOST_ITEMS);
        return [items, Math.min(items, 1 + roll([1, 3, 4 * threads, 300][roll(4)] as number))] as const;
      });
      expect(faults(pool, i32, steps)).toBe(0);
    }
    const others = Array.from({ length: threads - 1 }, (_, i) => i32[doneOf(i + 1)] as number);
    expect(others.some((done) => done !== 0)).toBe(true);
  });

  it("take bounds from ranges, not from the record: steps of 2 and of 1,000 units, one after the other", async () => {
    const { pool, i32 } = await poolOf(threads);
    const steps = Array.from({ length: 20 }, (_, i) => (i % 2 ? ([1000, 1000] as const) : ([4, 2] as const)));
    for (let run = 0; run < 20; run++) expect(faults(pool, i32, steps)).toBe(0);
  });

  it("end lists that are over at once, one after the other: a hang where what is done was told before the ticket", async () => {
    const { pool, i32 } = await poolOf(threads);
    const [first, last] = listOf(i32, [[threads, threads]]);
    for (let run = 0; run < 3000; run++) {
      lead(pool, first, last);
    }
    expect(faults(pool, i32, [[threads, threads]])).toBe(0);
  });

  it("count what is done by tags that come again after 65,536 steps", async () => {
    const { pool, i32 } = await poolOf(threads);
    for (const ticket of [0xffff, 0x7fff_ffff, -1]) {
      i32[BASE >>> 2] = ticket;
      // Of a thread that has slept for 65,535 steps: five units of the second one from here on.
      i32[doneOf(threads - 1)] = (1 << 16) | 5;
      for (let run = 0; run < 4; run++) {
        const steps = Array.from({ length: 10 }, () => [50, 10] as const);
        expect(faults(pool, i32, steps)).toBe(0);
      }
    }
  });

  it("sleep when there is nothing to do, and wake for the next list", async () => {
    const { pool, i32 } = await poolOf(threads);
    for (let run = 0; run < 3; run++) {
      await vi.waitFor(() => expect(i32[(BASE >>> 2) + SLEEPERS]).toBe(threads - 1), { timeout: 20_000 });
      expect(faults(pool, i32, [[MOST_ITEMS, 64]])).toBe(0);
    }
  });
});

it("a kernel that traps in a worker ends the run: a hang where the worker's handler had raised the ticket", async () => {
  for (let round = 0; round < 6; round++) {
    const { pool, i32 } = await poolOf(3);
    const desc = LISTS + 512;
    i32[desc >>> 2] = SCRATCH; // the leader's own: it alone does not trap
    i32.set([TRAP, desc, 0, 300, 1, 300, SCRATCH, 64, 0], LISTS >>> 2);
    let looks = 0;
    let at = LISTS;
    while (at !== 0 && !pool.isFailed && looks < 2000) at = pool.run(at, LISTS, 40, looks++ === 0 ? 0 : 1);
    // Where workers came too late for any unit, there is nothing to trap.
    if (at !== 0) expect(pool.isFailed).toBe(true);
    pool.end("the test is over");
  }
});

it("the worker's text declares nothing: a top-level name would meet those that Bun and Deno give to such a script", () => {
  const { program } = parseSync("worker.js", `(${work})()`);
  expect(program.body.map(({ type }) => type)).toEqual(["ExpressionStatement"]);
  expect(String(work)).not.toMatch(/\b(import|require|__\w+)\b/);
});
