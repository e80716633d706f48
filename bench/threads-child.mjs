// One thread against two in one process, in turns: node bench/threads-child.mjs '<job as JSON>'; the last line of stdout is the
// result. Answers are compared before anything is timed: the same bits. Networks also on native onnxruntime with one thread and two,
// and once more after a rest of some milliseconds before every run, when the other thread sleeps.
import { readFileSync } from "node:fs";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { progressBar } from "../scripts/progress.mjs";
import { operands } from "./conv.mjs";
import { normals } from "./data.mjs";
import { noise, timeInTurns } from "./harness.mjs";
import { ramp, readTensor } from "./model-cases.mjs";
import { measureCrew, measureTwoCores } from "./two-cores.mjs";

const { variant, layers, others, models, native, timing } = JSON.parse(process.argv[2]);
const COUNTS = [1, 2];
const REST_MS = 5;
const RESTED_RUNS = 24;

const bits = ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const open = (threads) =>
  createRuntime({ variant, maxBytes: 2 ** 30, threads: threads > 1 ? { min: threads, max: threads } : 1 });

const LAST = "channelsLast";
const [IMAGE, HALF] = [
  [1, 64, 112, 112],
  [1, 116, 28, 28],
];
/** What memory bounds, or one outer dimension: shapes of inputs, and the plan. */
const OTHERS = {
  "max pool 3x3s2 64@112": {
    inputs: [IMAGE],
    plan: (rt) => rt.plan.maxPool2d({ input: IMAGE, memoryFormat: LAST, kernel: 3, stride: 2, padding: 1 }),
  },
  "linear 4096-4096": {
    inputs: [[1, 4096]],
    plan: (rt) => rt.plan.linear({ input: [1, 4096], weight: rt.tensor(normals(4096 * 4096, "w"), [4096, 4096]) }),
  },
  "add 64@112": {
    inputs: [IMAGE, IMAGE],
    plan: (rt) => rt.plan.add({ a: IMAGE, b: IMAGE, memoryFormat: LAST }),
  },
  "concat 2 x 116@28": {
    inputs: [HALF, HALF],
    plan: (rt) => rt.plan.concat({ inputs: [HALF, HALF], memoryFormat: LAST }),
  },
};

function convolution(rt, layer) {
  const { N, C, H, W, M, R, S, stride, padding, dilation, groups } = layer;
  const { w, bias } = operands(layer);
  const weight = rt.tensor(w, [M, C / groups, R, S]);
  return rt.plan.conv2d({
    ...{ input: [N, C, H, W], memoryFormat: "channelsLast", weight, bias: rt.tensor(bias, [M]) },
    ...{ stride, padding, dilation, groups },
  });
}

/** The sides of a layer: { name, run, output }. */
function side(rt, name, plan, inputs) {
  const tensors = inputs.map((shape) => {
    const x = rt.empty(shape, shape.length === 4 ? { memoryFormat: LAST } : {});
    x.data.set(normals(x.data.length, "x"));
    return x;
  });
  const y = rt.empty(plan.outputs[0]);
  const run = () => plan.run(...tensors, y);
  run();
  return { name, run, output: () => bits(y).slice() };
}

async function timeLayer(name, plan, inputs) {
  const sides = [];
  const runtimes = [];
  for (const threads of COUNTS) {
    const rt = await open(threads);
    runtimes.push(rt);
    sides.push(side(rt, threads, plan(rt), inputs));
  }
  const [one, two] = sides.map(({ output }) => output());
  if (Buffer.compare(one, two) !== 0) throw new Error(`${name}: other bits with two threads`);
  const times = await timeInTurns(sides, timing);
  for (const rt of runtimes) rt.dispose();
  return { name, one: times.get(1), two: times.get(2) };
}

async function timeModel({ name, file, inputs }) {
  const bytes = new Uint8Array(readFileSync(file));
  const given = inputs.map((input) => ({
    name: input.name,
    ...(input.file ? readTensor(input.file) : ramp(input.shape)),
  }));
  const sides = [];
  const runtimes = [];
  const answers = [];
  for (const threads of COUNTS) {
    const rt = await open(threads);
    runtimes.push(rt);
    const model = await loadOnnx(rt, bytes, { shapes: Object.fromEntries(given.map((x) => [x.name, x.shape])) });
    const feeds = Object.fromEntries(given.map((x) => [x.name, { shape: x.shape, data: x.data }]));
    const results = model.run(feeds);
    answers.push(Buffer.concat(model.outputs.map((output) => bits(results[output.name]).slice())));
    sides.push({ name: threads, run: () => model.run(feeds) });
  }
  if (Buffer.compare(...answers) !== 0) throw new Error(`${name}: other bits with two threads`);
  const times = await timeInTurns(sides, timing);
  const rested = await timeRested(sides);
  for (const rt of runtimes) rt.dispose();
  const row = { name, one: times.get(1), two: times.get(2), rested };
  return native ? { ...row, native: await timeNative(bytes, given) } : row;
}

/** Medians of runs after a rest. */
async function timeRested(sides) {
  const samples = sides.map(() => []);
  for (let i = 0; i < RESTED_RUNS; i++) {
    for (const [k, { run }] of sides.entries()) {
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
      const start = performance.now();
      run();
      samples[k].push(performance.now() - start);
    }
  }
  const [one, two] = samples.map((times) => times.sort((a, b) => a - b)[times.length >> 1]);
  return { one, two };
}

async function timeNative(bytes, given) {
  const { ortNative } = await import("./peers/sides.mjs");
  const { ort, options } = await ortNative();
  const sides = [];
  for (const threads of COUNTS) {
    const session = await ort.InferenceSession.create(bytes, { ...options, intraOpNumThreads: threads });
    const feeds = Object.fromEntries(
      given.map(({ data, shape }, i) => {
        const type = data.constructor.name.replace(/^Big|Array$/g, "").toLowerCase();
        return [session.inputNames[i], new ort.Tensor(type, data, shape)];
      }),
    );
    sides.push({ name: threads, isAsync: true, run: () => session.run(feeds) });
  }
  const times = await timeInTurns(sides, timing);
  return { one: times.get(1), two: times.get(2) };
}

const ceilings = [await measureTwoCores(variant)];
const crew = await measureCrew();
const bar = progressBar(`${variant}, Node ${process.versions.node}`, layers.length + models.length);
const isWanted = new RegExp(others);
const rows = { layers: [], models: [] };
const failures = [];
const attempt = async (list, one) => {
  bar(rows.layers.length + rows.models.length + failures.length);
  try {
    list.push(await one());
  } catch (error) {
    failures.push(error.message);
  }
};
for (const layer of layers) {
  const { name, N, C, H, W } = layer;
  await attempt(rows.layers, () => timeLayer(name, (rt) => convolution(rt, layer), [[N, C, H, W]]));
}
for (const [name, { plan, inputs }] of Object.entries(OTHERS).filter(([name]) => isWanted.test(name)))
  await attempt(rows.layers, () => timeLayer(name, plan, inputs));
for (const model of models) await attempt(rows.models, () => timeModel(model));
ceilings.push(await measureTwoCores(variant));
bar(layers.length + models.length);
const all = [...rows.layers, ...rows.models];
console.log(
  JSON.stringify({
    ...{ variant, node: process.versions.node, ceilings, crew, failures },
    ...{ layers: { rows: rows.layers }, models: { rows: rows.models } },
    noise: noise(
      [1],
      all.flatMap(({ one, two }) => [one, two]),
    ),
  }),
);
process.exit(0); // native onnxruntime may keep the process waiting
