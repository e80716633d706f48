// Networks by kernel call under the Node that runs this: node bench/profile-child.mjs '{ models, variant }'; the last line of stdout is
// the result. Kernels are timed from outside: instances of the package answer functions that look at the clock before and after.
// Winograd's products and transforms are one call; how it divides is found on plans of fewer channels (split()).
import { readFileSync } from "node:fs";
import { makeBandwidths, makeLimit } from "./limit.mjs";
import { ramp, readTensor } from "./model-cases.mjs";
import { describer, workOf } from "./profile-work.mjs";

const BUDGET_MS = 600;
const WARMUP_MS = 80;
/** Channels of the plans that a division is found on. */
const FEW = 8;

/** Calls of the run at hand: kernels, descriptors and milliseconds; undefined while nothing is recorded. */
let record;
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  #exports;
  get exports() {
    this.#exports ??= Object.fromEntries(
      Object.entries(super.exports).map(([name, value]) => [
        name,
        typeof value === "function" && value.length === 4 ? timed(name, value) : value,
      ]),
    );
    return this.#exports;
  }
};

function timed(name, kernel) {
  return (desc, begin, end, scratch) => {
    if (record === undefined) return kernel(desc, begin, end, scratch);
    const start = performance.now();
    kernel(desc, begin, end, scratch);
    record.push({ name, desc, items: end - begin, ms: performance.now() - start });
  };
}

/** The memory that every module of a runtime is given. */
let memory;
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    memory = this;
  }
};
const { createRuntime } = await import("lanewise"); // only now: it is to get these classes
const { loadOnnx } = await import("lanewise/onnx");
const describe = await describer();
const { models, variant } = JSON.parse(process.argv[2]);

const measureLimit = makeLimit(variant);
const limits = [measureLimit()];
const memoryRates = makeBandwidths(variant);
const results = [];
const wasm = new WebAssembly.Module(readFileSync(new URL(`../dist/wasm/${variant}.wasm`, import.meta.url)));
for (const model of models) {
  try {
    results.push({ name: model.name, ...(await profile(model)) });
  } catch (error) {
    results.push({ name: model.name, error: error.message });
  }
}
limits.push(measureLimit());
console.log(JSON.stringify({ node: process.versions.node, limits, memoryRates, results }));

async function profile({ file, inputs }) {
  const rt = await createRuntime({ variant, wasm });
  const own = memory;
  const feeds = {};
  for (const input of inputs) feeds[input.name] = input.file ? readTensor(input.file) : ramp(input.shape);
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { shape }]) => [name, shape]));
  const model = await loadOnnx(rt, new Uint8Array(readFileSync(file)), { shapes });
  const start = performance.now();
  while (performance.now() - start < WARMUP_MS) model.run(feeds);
  let [best, javascript, runMs] = [[], Infinity, Infinity];
  for (let i = 0; i < 3 || performance.now() - start < BUDGET_MS + WARMUP_MS; i++) {
    const from = performance.now();
    model.run(feeds);
    runMs = Math.min(runMs, performance.now() - from);
    record = [];
    const recorded = performance.now();
    model.run(feeds);
    const all = performance.now() - recorded;
    const calls = record;
    record = undefined;
    if (i === 0)
      best = calls.map((call) => ({ ...call, d: describe(call.name, call.desc, new Int32Array(own.buffer)) }));
    if (calls.length !== best.length) throw new Error("its runs are of different calls");
    calls.forEach(({ ms }, k) => {
      best[k].ms = Math.min(best[k].ms, ms);
    });
    javascript = Math.min(javascript, all - calls.reduce((sum, { ms }) => sum + ms, 0));
  }
  const weightBytes = model.plan.weightBytes;
  const { clockMs, callMs } = emptyCall();
  model.dispose();
  const rows = best.map(({ name, items, ms, d }) => {
    const { shape, ...work } = workOf(name, d, items);
    return { ...work, ms: Math.max(0, ms - clockMs - callMs), ...(shape && { productShare: split(rt, work, shape) }) };
  });
  rt.dispose();
  return {
    runMs,
    weightBytes,
    javascriptMs: Math.max(0, javascript - best.length * clockMs),
    callMs: best.length * callMs,
    rows,
  };
}

/** Milliseconds that the clock adds to a recorded call, and of a call that does nothing. */
function emptyCall() {
  const bytes = new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 4, 127, 127, 127, 127, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 4, 1, 2,
    0, 11,
  ]);
  const { f } = new Instance(new WebAssembly.Module(bytes)).exports;
  const calls = 20_000;
  const empty = timed("empty", f);
  let [callMs, recordedMs] = [Infinity, Infinity];
  for (let round = 0; round < 5; round++) {
    let start = performance.now();
    for (let i = 0; i < calls; i++) f(0, 0, i, 0);
    callMs = Math.min(callMs, (performance.now() - start) / calls);
    record = [];
    start = performance.now();
    for (let i = 0; i < calls; i++) empty(0, 0, i, 0);
    record = undefined;
    recordedMs = Math.min(recordedMs, (performance.now() - start) / calls);
  }
  return { callMs, clockMs: (recordedMs - callMs) / 2 }; // a half is between the two looks, the other beside them
}

/**
 * The products' share of a Winograd convolution. Time is p * C * M + a * C + b * M + c: products, the transforms of the input and of
 * the output, the rest; plans with few channels in C, in M and in both leave p.
 */
function split(rt, { algorithm }, d) {
  if (d.channels <= 2 * FEW || d.filters <= 2 * FEW || d.groups > 1) return undefined;
  const padding = [d.padTop, d.padLeft];
  padding.push(d.outH - 1 + d.kernelH - d.height - d.padTop, d.outW - 1 + d.kernelW - d.width - d.padLeft);
  const options = { algorithm, padding: padding.map((side) => Math.max(0, side)) };
  const sides = [
    [d.channels, d.filters],
    [d.channels, FEW],
    [FEW, d.filters],
    [FEW, FEW],
  ].map(([C, M]) => {
    const tensor = (shape, memoryFormat) => rt.tensor(ramp(shape).data, shape, { memoryFormat });
    const input = [d.batch, C, d.height, d.width];
    const x = tensor(input, "channelsLast");
    const weight = tensor([M, C, d.kernelH, d.kernelW], "contiguous");
    const plan = rt.plan.conv2d({ input, memoryFormat: "channelsLast", weight, ...options });
    const y = rt.empty(plan.outputs[0]);
    return { run: () => plan.run(x, y), ms: Infinity, free: [plan, x, weight, y] };
  });
  const start = performance.now();
  for (let i = 0; i < 4 || (i < 40 && performance.now() - start < 60); i++)
    for (const side of sides) {
      const from = performance.now();
      side.run();
      side.ms = Math.min(side.ms, performance.now() - from);
    }
  for (const { free } of sides) for (const entry of free) entry.dispose();
  const [whole, fewM, fewC, few] = sides.map(({ ms }) => ms);
  const p = (whole - fewM - fewC + few) / ((d.channels - FEW) * (d.filters - FEW));
  return (p * d.channels * d.filters) / whole;
}
