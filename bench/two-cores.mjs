// What two cores of this machine can do at all, and what meeting on them costs: multiply-adds that wait for nothing, reads from L2 and
// a copy in memory on both at once; a word that goes to the other core and back; the crew's steps that compute nothing.
import { readFileSync } from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";

const [MB, PAGE] = [2 ** 20, 65536];
const PIECE = 16 * MB;
/** Words of what both share, a line or more apart: the turn, what to do in it, what was done, a ball there and back. */
const [TURN, WHAT, DONE, THERE, BACK] = [0, 16, 32, 48, 64];
const PLAY = -1;
const ROUNDS = 30;

/** What is done on one core or on both, each 0.5 to 3 ms. */
function workloads(variant) {
  const module = new WebAssembly.Module(readFileSync(new URL(`../build/bench/limit-${variant}.wasm`, import.meta.url)));
  const memory = new WebAssembly.Memory({ initial: (3 * PIECE) / PAGE });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.touch(PAGE, 2 * PIECE);
  const bytes = new Uint8Array(memory.buffer);
  const work = {
    multiplyAdds: () => exports.multiply_add_12(100_000, 0.7),
    readsL2: () => {
      for (let i = 0; i < 20; i++) exports.read_sum(PAGE, 384 * 1024);
    },
    copies: () => bytes.copyWithin(PIECE + 2 * PAGE, PAGE, PAGE + PIECE),
  };
  for (const run of Object.values(work)) for (let i = 0; i < 40; i++) run();
  return work;
}

const least = (times, measure) => Math.min(...Array.from({ length: times }, measure));
function timed(run) {
  const start = performance.now();
  run();
  return performance.now() - start;
}
function waitFor(words, at, value) {
  while (Atomics.load(words, at) !== value);
}

/** { multiplyAdds, readsL2, copies }: how many times as much two cores do as one; roundTripNs: a word's way there and back. */
export async function measureTwoCores(variant) {
  const words = new Int32Array(new SharedArrayBuffer(512));
  const worker = new Worker(new URL(import.meta.url), { workerData: { words, variant } });
  await new Promise((resolve) => worker.once("message", resolve));
  const work = workloads(variant);
  let turn = 0;
  const begin = (what) => {
    Atomics.store(words, WHAT, what);
    Atomics.store(words, TURN, ++turn);
  };
  const found = {};
  for (const [what, [name, run]] of Object.entries(work).entries()) {
    const alone = [];
    const both = [];
    for (let i = 0; i < ROUNDS; i++) {
      alone.push(timed(run));
      both.push(
        timed(() => {
          begin(what);
          run();
          waitFor(words, DONE, turn);
        }),
      );
    }
    found[name] = (2 * Math.min(...alone)) / Math.min(...both);
  }
  begin(PLAY);
  let ball = 0;
  const play = () => {
    for (let i = 0; i < 100; i++) {
      Atomics.store(words, THERE, ++ball);
      waitFor(words, BACK, ball);
    }
  };
  found.roundTripNs = (least(ROUNDS, () => timed(play)) / 100) * 1e6;
  await worker.terminate();
  return found;
}

function serve({ words, variant }, say) {
  const work = Object.values(workloads(variant));
  say();
  for (let turn = 1; ; turn++) {
    waitFor(words, TURN, turn);
    const what = Atomics.load(words, WHAT);
    for (let ball = 1; what === PLAY; ball++) {
      waitFor(words, THERE, ball);
      Atomics.store(words, BACK, ball);
    }
    work[what]();
    Atomics.store(words, DONE, turn);
  }
}

/** The record of a step, in words, and the crew's: assembly/crew. */
const RECORD_WORDS = 12;
const STEPS = 1000;
const SECOND_DONE = (1920 + 256) / 4;

/** Microseconds of the crew with two threads: an empty step, whole and split; from asleep to the other's first unit; median of it. */
export async function measureCrew() {
  const { Pool } = await import("../build/js/threads/pool.js");
  const { sharedTwin } = await import("../build/js/threads/twin.js");
  const binary = (name) => new Uint8Array(readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url)));
  const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
  const module = new WebAssembly.Module(sharedTwin(binary("simd")));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const pool = new Pool(memory, new WebAssembly.Module(binary("crew")), 2);
  // Packs no block of no panel: what its descriptor says, which is zeros, takes it through no loop.
  pool.table.set(1, exports.pack_rows_f32);
  pool.give({ module, kernels: [[1, "pack_rows_f32"]] });
  pool.start();
  await pool.arrived(2);
  const words = new Int32Array(memory.buffer);
  const [desc, first] = [PAGE, 2 * PAGE];
  const list = (units) => {
    for (let i = 0; i < STEPS; i++) {
      const at = first + i * RECORD_WORDS * 4;
      words.set([1, desc, 0, 2, 2 / units, units, 0, 0, at + RECORD_WORDS * 4], at / 4);
    }
  };
  const last = first + (STEPS - 1) * RECORD_WORDS * 4;
  const run = (end = last) => {
    for (let at = first, again = 0; at !== 0; again = 1) at = pool.run(at, end, 0, again);
  };
  const step = (units) => {
    list(units);
    return (least(200, () => timed(() => run())) / STEPS) * 1e3;
  };
  const [whole, split] = [step(1), step(2)];
  const wakes = [];
  for (let i = 0; i < 40; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const before = Atomics.load(words, SECOND_DONE);
    wakes.push(
      timed(() => {
        while (Atomics.load(words, SECOND_DONE) === before) run(first);
      }) * 1e3,
    );
  }
  pool.end("measured");
  wakes.sort((a, b) => a - b);
  return { wholeUs: whole, splitUs: split, wakeUs: wakes[0], wakeMedianUs: wakes[wakes.length >> 1] };
}

if (!isMainThread && workerData?.words) {
  const { parentPort } = await import("node:worker_threads");
  serve(workerData, () => parentPort.postMessage("ready"));
}
