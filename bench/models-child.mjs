// One network under the Node that runs this: node bench/models-child.mjs '<job as JSON>'; the last line of stdout is the
// result. job.side: that side alone in this fresh process, for its loads and its memory (job.memory: our option); beside others it
// would wait for the threads on which their engines go on compiling. Else runs of all sides, or those of job.names, in turns.
import { readFileSync } from "node:fs";
import { timeInTurns } from "./harness.mjs";
import { makeLimit } from "./limit.mjs";
import { difference, ramp, readTensor } from "./model-cases.mjs";

/** An engine's linear memories, of which none ever shrinks, so that their sizes now are the most they ever were. */
const memories = [];
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    memories.push(this);
  }
};
const { SIDES } = await import("./model-sides.mjs"); // only now: engines are to get that Memory

const { model, variant, side, memory, names, timing, loadTiming, tolerance } = JSON.parse(process.argv[2]);
const bytes = new Uint8Array(readFileSync(model.file));
const inputs = model.inputs.map(({ name, shape, file }) => ({ name, ...(file ? readTensor(file) : ramp(shape)) }));
console.log(JSON.stringify(side === undefined ? await inTurns() : await alone(side)));
process.exit(0); // an engine may keep the process waiting

async function alone(name) {
  const { open, load } = await SIDES[name](variant, memory);
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const engine = await open();
  const session = await load(engine, bytes, inputs);
  const firstLoadMs = performance.now() - start;
  await session.run();
  const held = {
    wasmBytes: memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
    residentBytes: process.resourceUsage().maxRSS * 1024 - before,
    ...(session.plannedBytes && { plannedBytes: session.plannedBytes, peakBytes: session.peakBytes }),
  };
  await session.release();
  let last;
  const again = {
    name,
    isAsync: true,
    run: async () => {
      last = await load(engine, bytes, inputs);
    },
    afterEach: () => last.release(),
  };
  return { firstLoadMs, load: (await timeInTurns([again], loadTiming)).get(name), ...held };
}

async function inTurns() {
  const measureLimit = makeLimit(variant);
  const limits = [measureLimit()];
  const opened = [];
  for (const [name, open] of Object.entries(SIDES)) {
    if (names && !names.includes(name)) continue;
    const { open: openEngine, load } = await open(variant);
    const engine = await openEngine();
    opened.push({ name, session: await load(engine, bytes, inputs) });
  }
  const errors = {};
  let expected = model.outputs.map(readTensor);
  if (expected.length === 0) {
    const { session } = opened.find(({ name }) => name === "ort-web");
    await session.run();
    expected = session.answers();
  }
  for (const { name, session } of opened) {
    await session.run();
    errors[name] = difference(session.answers(), expected);
    if (!(errors[name] <= tolerance)) throw new Error(`${model.name}, ${name}: off by ${errors[name]} of the largest`);
  }
  const run = await timeInTurns(
    opened.map(({ name, session }) => ({ name, ...session })),
    timing,
  );
  for (const { session } of opened) await session.release();
  limits.push(measureLimit());
  return { node: process.versions.node, run: Object.fromEntries(run), errors, limits };
}
