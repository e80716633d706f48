// What threads do in a page, a case each: /cases.mjs?case=NAME. Imports the package by its place, since an import map is a script
// that a Content-Security-Policy may forbid. Answers what run.mjs checks.
import { createModel, createRuntime, sequential } from "/lanewise/index.js";

const WORKER = "/lanewise/worker.js";
/** Until two threads run, or it is known why they do not. */
const START_MS = 120_000;
const rest = (ms) => new Promise((done) => setTimeout(done, ms));

/** After some turns of the page's loop, of those that go before timers: runAsync's do where scheduler.yield() is. */
async function soon(turns, act) {
  for (let i = 0; i < turns; i++)
    await (globalThis.scheduler?.postTask ? scheduler.postTask(() => {}, { priority: "user-blocking" }) : rest(0));
  return act();
}

/** FNV-1a over the bytes of floats: equal hashes, equal bits. */
function hashOf(floats) {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(Float32Array.from(floats).buffer)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Some ms of convolutions by Winograd, a strided one, a pointwise one and a pool: all of them are split. */
function network(rt, repeats = 1) {
  const conv = (name, more = {}) => ({ op: "conv2d", name, params: ["weight"], activation: "relu", ...more });
  const layers = [conv("first", { stride: 2, padding: 1 })];
  for (let i = 0; i < repeats; i++) layers.push(conv(`wide${i}`, { padding: 1 }), conv(`point${i}`));
  layers.push({ op: "maxPool2d", kernel: 2, stride: 2 });
  const graph = sequential({ image: [1, 16, 96, 96] }, layers);
  const shapes = { first: [48, 16, 3, 3] };
  for (let i = 0; i < repeats; i++)
    Object.assign(shapes, { [`wide${i}`]: [48, 48, 3, 3], [`point${i}`]: [48, 48, 1, 1] });
  const weights = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((a, b) => a * b);
    const data = Float32Array.from(
      { length: count },
      (_, i) => ((Math.imul(i + count, 0x9e3779b1) >>> 0) / 2 ** 32 - 0.5) / 8,
    );
    weights[`${name}.weight`] = { shape, dtype: "float32", data };
  }
  const model = createModel(rt, graph, weights);
  const image = rt.tensor(
    Float32Array.from({ length: 16 * 96 * 96 }, (_, i) => (i % 29) / 29 - 0.4),
    [1, 16, 96, 96],
  );
  return {
    run: () => model.run({ image }),
    runAsync: (options) => model.runAsync({ image }, options),
    hash: () => hashOf(model.output("output")),
    dispose: () => model.dispose(),
  };
}

/** The bits of one thread. */
async function expected(variant, repeats) {
  const rt = await createRuntime({ variant });
  const model = network(rt, repeats);
  model.run();
  const hash = model.hash();
  rt.dispose();
  return hash;
}

/** When as many threads run as were asked for, or a reason stands why they do not. */
async function settled(rt) {
  const start = performance.now();
  let { threads } = rt.report();
  while (threads.running < threads.asked && performance.now() - start < START_MS) {
    if (threads.reason && !/starting/.test(threads.reason)) break;
    await rest(5);
    ({ threads } = rt.report());
  }
  return threads;
}

/** What a runtime with two threads answers, at once and in turns: { threads, same, later, startMs }. */
async function two(options = {}, runs = 20) {
  const hash = await expected("simd");
  const start = performance.now();
  const rt = await createRuntime({ variant: "simd", threads: 2, ...options });
  const model = network(rt);
  model.run(); // whoever is there
  let same = model.hash() === hash;
  const threads = await settled(rt);
  const startMs = performance.now() - start;
  for (let i = 0; i < runs; i++) {
    if (i % 3 === 2) await model.runAsync();
    else model.run();
    same &&= model.hash() === hash;
  }
  const later = rt.report().threads;
  rt.dispose();
  return { threads, same, later, startMs };
}

/** The error's name and message. */
const failure = (act) =>
  Promise.resolve()
    .then(act)
    .then(
      (value) => `none: ${value}`,
      (error) => `${error.name}: ${error.message}`,
    );

/** A factory whose workers are kept, to be ended behind the runtime's back. */
function keeping() {
  const kept = [];
  const worker = () => {
    kept.push(new Worker(WORKER, { type: "module" }));
    return kept.at(-1);
  };
  return { kept, worker };
}

/** Minutes of a phone in a pocket: timers wait at least a second. */
function slowTimers() {
  const { setTimeout: set } = globalThis;
  globalThis.setTimeout = (act, ms, ...rest) => set(act, Math.max(ms ?? 0, 1000), ...rest);
  return () => {
    globalThis.setTimeout = set;
  };
}

/** The longest that runAsync kept the page's thread between two turns. */
async function longestBlock(act) {
  const { scheduler } = globalThis;
  let [last, longest] = [performance.now(), 0];
  const mark = () => {
    longest = Math.max(longest, performance.now() - last);
  };
  globalThis.scheduler = {
    async yield() {
      mark();
      await (scheduler?.yield?.() ?? rest(0));
      last = performance.now();
    },
  };
  try {
    await act();
    mark();
  } finally {
    globalThis.scheduler = scheduler;
  }
  return longest;
}

/** A worker that dies with the first unit that it gets: see assembly/crew for the words. */
function doomed() {
  const body = `onmessage = ({ data: { memory, thread, orders } }) => {
    const words = new Int32Array(memory.buffer);
    const [ticket, known, range] = [1024, 1408 + 4 * thread, 1792 + 256 * thread].map((at) => at >> 2);
    let last = Atomics.load(words, ticket);
    Atomics.store(words, known, orders);
    postMessage("ready");
    for (;;) {
      const now = Atomics.load(words, ticket);
      if (now === last) continue;
      last = now;
      const units = Atomics.add(words, range, 1 << 12);
      if (((units >> 12) & 0xfff) < (units & 0xfff)) return close();
    }
  };`;
  return new Worker(URL.createObjectURL(new Blob([body])));
}

const CASES = {
  two: () => two(),
  auto: () => two({ threads: "auto" }),

  /** A module worker as host, which may sleep. */
  async inWorker(log) {
    if (typeof document === "undefined") return two();
    const worker = new Worker(import.meta.url, { type: "module" });
    const answer = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.log ? log(data.log) : resolve(data));
      worker.onerror = ({ message }) => reject(new Error(message || "the host could not be loaded"));
    });
    worker.terminate();
    if (answer.failure) throw new Error(answer.failure);
    return answer.value;
  },

  /** Asked for two at least: an error where there is one. */
  async atLeastTwo() {
    const start = performance.now();
    const how = await failure(async () => {
      const rt = await createRuntime({ threads: { min: 2 } });
      const { running } = rt.report().threads;
      rt.dispose();
      return running;
    });
    return { how, ms: performance.now() - start };
  },

  own: () => two({ worker: () => new Worker(WORKER, { type: "module" }) }),

  /** A policy of the page's own for Trusted Types. */
  ownTrusted() {
    const policy = globalThis.trustedTypes?.createPolicy("page", { createScriptURL: (url) => url });
    return two({ worker: () => new Worker(policy?.createScriptURL(WORKER) ?? WORKER, { type: "module" }) });
  },

  notAWorker: () => two({ worker: () => 7 }),
  wrongFile: () => two({ worker: () => new Worker("/nothing-there.js", { type: "module" }) }),

  async constructorThrows() {
    const { Worker } = globalThis;
    globalThis.Worker = class {
      constructor() {
        throw new Error("no workers today");
      }
    };
    try {
      return await two();
    } finally {
      globalThis.Worker = Worker;
    }
  },

  /** Ended from outside, between runs and during one: an end or an error in bounded time, and the page goes on. */
  async ended() {
    const hash = await expected("simd", 8);
    const outcomes = [];
    for (let i = 0; i < 16; i++) {
      const { kept, worker } = keeping();
      const rt = await createRuntime({ variant: "simd", threads: 2, worker });
      const model = network(rt, 8);
      await settled(rt);
      const start = performance.now();
      const how = await failure(async () => {
        if (i % 4 === 0) kept[0].terminate();
        else void soon(i, () => kept[0].terminate());
        for (let k = 0; k < 3; k++) await (i % 4 > 1 ? model.runAsync({ yieldEvery: 0 }) : model.run());
        return model.hash() === hash;
      });
      outcomes.push({ how, ms: performance.now() - start });
      rt.dispose();
    }
    return { outcomes, after: await two() };
  },

  /** A thread dies with work in its hands, and nobody says so. */
  async lost() {
    const rt = await createRuntime({ variant: "simd", threads: 2, worker: doomed });
    const model = network(rt);
    await settled(rt);
    const start = performance.now();
    const how = await failure(() => {
      while (rt.report().threads.running > 1) model.run(); // until it has its turn in the middle of one
    });
    const outcomes = [{ how, ms: performance.now() - start, later: rt.report().threads }];
    rt.dispose();
    return { outcomes, after: await two() };
  },

  /** Disposed while a run is going on. */
  async disposed() {
    const outcomes = [];
    for (let i = 0; i < 8; i++) {
      const rt = await createRuntime({ variant: "simd", threads: 2 });
      const model = network(rt, 24);
      await settled(rt);
      const start = performance.now();
      const run = failure(() => model.runAsync({ yieldEvery: 0 }));
      await soon(i + 1, () => (i % 2 ? rt.dispose() : model.dispose()));
      outcomes.push({ how: await run, ms: performance.now() - start });
      rt.dispose();
    }
    return { outcomes, after: await two() };
  },

  /** Two models of one runtime in turns, and an aborted run. */
  async interleaved() {
    const hash = await expected("simd", 2);
    const rt = await createRuntime({ variant: "simd", threads: 2 });
    const models = [network(rt, 2), network(rt, 2)];
    await settled(rt);
    let same = true;
    for (let i = 0; i < 10; i++) {
      await Promise.all(models.map((model) => model.runAsync({ yieldEvery: 0 })));
      same &&= models.every((model) => model.hash() === hash);
    }
    const stop = new AbortController();
    const run = failure(() => models[0].runAsync({ yieldEvery: 0, signal: stop.signal }));
    stop.abort(new Error("enough"));
    const aborted = await run;
    models[0].run();
    same &&= models[0].hash() === hash;
    rt.dispose();
    return { same, aborted };
  },

  /** As a page in the background, whose timers are throttled. */
  async background() {
    const original = slowTimers();
    try {
      const start = performance.now();
      const answer = await two({}, 6);
      return { ...answer, ms: performance.now() - start };
    } finally {
      original();
    }
  },

  /** Runtimes made and dropped, their workers with them. */
  async many() {
    const hash = await expected("simd");
    let same = true;
    for (let i = 0; i < 30; i++) {
      const rt = await createRuntime({ variant: "simd", threads: 2 });
      if (i % 3 === 0) {
        const model = network(rt);
        await settled(rt);
        model.run();
        same &&= model.hash() === hash;
      }
      rt.dispose(); // others while their workers are starting
    }
    return { same, after: await two() };
  },

  /** Thousands of runs: how long, what is held before and after, and how long the page's loop stood still. */
  async runs() {
    const count = Number(new URL(import.meta.url).searchParams.get("runs"));
    const hash = await expected("simd");
    const rt = await createRuntime({ variant: "simd", threads: 2 });
    const model = network(rt);
    const threads = await settled(rt);
    model.run();
    const before = rt.report();
    let same = true;
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      if (i % 100 === 99) await rest(0);
      if (i % 10 === 9) await model.runAsync();
      else model.run();
      if (i % 50 === 0) same &&= model.hash() === hash;
    }
    const ms = performance.now() - start;
    const after = rt.report();
    const leaked = after.bytesInUse - before.bytesInUse + after.memoryBytes - before.memoryBytes;
    rt.dispose();
    return { threads, later: after.threads, same, ms, leaked };
  },

  /** What a browser's main thread costs: a run alone, and the longest that the page's loop stands still in turns. */
  async blocks() {
    const answer = {};
    for (const threads of [1, 2]) {
      const rt = await createRuntime({ threads });
      const model = network(rt, 16);
      await settled(rt);
      let best = Infinity;
      for (let i = 0; i < 12; i++) {
        const start = performance.now();
        model.run();
        best = Math.min(best, performance.now() - start);
      }
      let block = Infinity;
      for (let i = 0; i < 5; i++) block = Math.min(block, await longestBlock(() => model.runAsync({ yieldEvery: 4 })));
      answer[threads] = { runMs: best, longestBlockMs: block };
      rt.dispose();
    }
    return answer;
  },
};

const run = CASES[new URL(import.meta.url).searchParams.get("case")];
export default run;

if (typeof document === "undefined")
  run((log) => postMessage({ log })).then(
    (value) => postMessage({ value }),
    (error) => postMessage({ failure: error.stack ?? String(error) }),
  );
