// One network on many shapes, under the Node that runs this: node bench/shapes-child.mjs '<job as JSON>'; the last line of stdout is
// the result. Each new shape on one side, then on the other, in one process; a run is the least of those that follow.
import { readFileSync } from "node:fs";

/** Linear memories by side; none ever shrinks. */
const memories = [];
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    memories.push(this);
  }
};
const { SIDES } = await import("./model-sides.mjs"); // only now: engines are to get that Memory

const { file, inputs, sizes, variant } = JSON.parse(process.argv[2]);
const RUNS = 2;
/** After which shapes bytes are told. */
const TOLD = [1, 10, sizes.length];

/** Values of the inputs for the n-th size: numbers are sizes, texts are formulas of n. */
function given(size) {
  return inputs.map(({ shape }) => {
    const sized = shape.map((dim) => (typeof dim === "number" ? dim : new Function("n", `return ${dim}`)(size)));
    const length = sized.reduce((a, b) => a * b, 1);
    return { shape: sized, data: Float32Array.from({ length }, (_, i) => ((i * 37) % 101) / 101) };
  });
}

const bytes = new Uint8Array(readFileSync(file));
const sides = [];
for (const name of ["lanewise", "ort-web"]) {
  const from = memories.length;
  const { open, loadOpen } = await SIDES[name](variant);
  const engine = await open();
  const session = await loadOpen(engine, bytes);
  sides.push({ name, session, own: () => memories.slice(from, from + 1), first: [], run: [], seen: [], bytes: [] });
}

async function timed(f) {
  const start = performance.now();
  await f();
  return performance.now() - start;
}

for (const [i, size] of sizes.entries()) {
  const feeds = given(size);
  const answers = [];
  for (const side of sides) {
    const run = () => side.session.run(feeds);
    side.first.push(await timed(run));
    const times = [];
    for (let k = 0; k < RUNS; k++) times.push(await timed(run));
    side.run.push(Math.min(...times));
    answers.push(side.session.answers());
    if (TOLD.includes(i + 1)) {
      const memory = side.own().reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
      side.bytes.push({ shapes: i + 1, memory, ...side.session.bytes?.() });
    }
  }
  const [own, others] = answers;
  const most = others.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  const off = own.reduce((max, v, k) => Math.max(max, Math.abs(v - others[k])), 0);
  if (own.length !== others.length || !(off <= 1e-3 * most + 1e-6))
    throw new Error(`${file} at ${size}: off by ${off} of ${most}`);
}
for (const size of sizes) {
  const feeds = given(size);
  for (const side of sides) side.seen.push(await timed(() => side.session.run(feeds)));
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const rows = sides.map(({ name, first, run, seen, bytes }) => ({
  name,
  runMs: median(run),
  first: first[0] / run[0],
  fresh: median(first.slice(1).map((ms, i) => ms / run[i + 1])),
  freshMost: Math.max(...first.slice(1).map((ms, i) => ms / run[i + 1])),
  freshMs: median(first.slice(1).map((ms, i) => ms - run[i + 1])),
  seen: median(seen.map((ms, i) => ms / run[i])),
  bytes,
}));
console.log(JSON.stringify({ sides: rows }));
process.exit(0); // an engine may keep the process waiting
