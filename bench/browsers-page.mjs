// One row of bench:browsers in a page: a layer or a network on lanewise and on onnxruntime-web, compared, then timed in turns.

import { createRuntime } from "lanewise";
import * as ort from "onnxruntime-web";
import job from "/job.mjs";
import { timeInTurns } from "./harness.mjs";
import { compareSides } from "./peers/compare.mjs";
import { onnxruntime, WEB_OPTIONS } from "./peers/ort-layers.mjs";
import { lanewiseSession, ortSession } from "./sessions.mjs";
import { lanewise } from "./side.mjs";

/** A sample takes as many steps of the clock: 5 us in Chromium, 20 to 40 in Firefox and WebKit. */
const STEPS = 50;
/** Largest difference of a network's outputs, as a share of the largest. */
const TOLERANCE = 1e-3;

ort.env.wasm.wasmPaths = "/peers/onnxruntime-web/dist/";
ort.env.wasm.numThreads = job.threads;
ort.env.logLevel = "error";

/** The least that performance.now() moves. */
function clockStep() {
  let step = Infinity;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    step = Math.min(step, now - start);
  }
  return step;
}

/** Variants that this engine takes, each with its compiled binary. */
async function variants() {
  const found = [];
  for (const variant of ["simd", "relaxed"])
    try {
      const wasm = await WebAssembly.compileStreaming(fetch(`/dist/wasm/${variant}.wasm`));
      (await createRuntime({ variant, wasm })).dispose();
      found.push([variant, wasm]);
    } catch {} // WebKit has no relaxed SIMD
  return found;
}

async function layerRow(timing) {
  const sides = Object.fromEntries(
    (await variants()).map(([variant, wasm]) => [`lanewise-${variant}`, lanewise(variant, wasm)]),
  );
  return compareSides({ ...sides, "ort-web": onnxruntime({ ort, options: WEB_OPTIONS }) }, job.layer, timing);
}

/** Runtimes by the name of a side: one a binary, or, with threads, one thread and as many as are asked for. */
async function runtimes() {
  if (job.threads === 1)
    return Promise.all(
      (await variants()).map(async ([variant, wasm]) => [
        `lanewise-${variant}`,
        await createRuntime({ variant, wasm }),
      ]),
    );
  const threaded = await createRuntime({ threads: job.threads });
  return [
    ["lanewise-1", await createRuntime()],
    [`lanewise-${job.threads}`, threaded],
  ];
}

async function networkRow(timing) {
  const fetched = async (url) => (await fetch(url)).arrayBuffer();
  const bytes = new Uint8Array(await fetched(job.network.url));
  const inputs = [];
  for (const { url, ...rest } of job.network.inputs)
    inputs.push({ ...rest, data: new Float32Array(await fetched(url)) });
  const opened = [];
  const notes = {};
  for (const [name, rt] of await runtimes()) {
    opened.push({ name, ...(await lanewiseSession(rt, bytes, inputs)) });
    notes[name] = { variant: rt.report().variant, threads: rt.report().threads };
  }
  opened.push({ name: "ort-web", ...(await ortSession(ort, WEB_OPTIONS, bytes, inputs)) });
  for (const { run } of opened) await run();
  const expected = opened.at(-1).answers();
  for (const { name, answers } of opened) check(answers(), expected, name);
  const times = await timeInTurns(opened, timing);
  return { times: Object.fromEntries(times), notes };
}

function check(answers, expected, name) {
  let [most, off] = [0, 0];
  for (const [i, { data }] of expected.entries())
    for (let k = 0; k < data.length; k++) {
      most = Math.max(most, Math.abs(data[k]));
      off = Math.max(off, Math.abs(data[k] - answers[i].data[k]));
    }
  if (!(off <= TOLERANCE * most)) throw new Error(`${job.name}, ${name}: off by ${off} where the largest is ${most}`);
}

export default async function run() {
  const timing = { ...job.timing, sampleMs: STEPS * clockStep() };
  return job.layer ? layerRow(timing) : networkRow(timing);
}
