// The steps of networks, each timed alone on one thread: what src/plan/cost.ts estimates, and how long more threads than there are
// here would take. node bench/step-times.mjs '<job as JSON>'; the last line of stdout is the result.
import { readFileSync } from "node:fs";
import { progressBar } from "../scripts/progress.mjs";
import { ramp, readTensor } from "./model-cases.mjs";

const BUILT = new URL("../build/js/", import.meta.url).href;
const [{ makeCreateRuntime }, { internalsOf }, { Builder }, { loadOnnx }, { costOf }, { split }] = await Promise.all(
  ["runtime/create", "runtime/runtime", "plan/builder", "onnx/index", "plan/cost", "plan/split"].map(
    (file) => import(`${BUILT}${file}.js`),
  ),
);
const { variant, models, threads: counts, crew } = JSON.parse(process.argv[2]);
const REPEATS = 12;

/** A step's call while its kernel is looked up: a program does one after the other. */
let current;
const { step } = Builder.prototype;
Builder.prototype.step = function (...described) {
  step.apply(this, described);
  const call = this.steps.at(-1);
  const { kernel } = call;
  Object.defineProperty(call, "kernel", {
    enumerable: true,
    get: () => {
      current = call;
      return kernel;
    },
  });
};

const binary = (pack) => (pack === "float" ? variant : `${pack}-${variant}`);
const load = async (pack) =>
  new WebAssembly.Module(readFileSync(new URL(`../build/wasm/${binary(pack)}.wasm`, import.meta.url)));

function timed(run) {
  const start = performance.now();
  run();
  return (performance.now() - start) * 1e6;
}

/** Steps of a network that is planned for so many threads: { kernel, estimate, ns, units: their ns }. */
async function stepsOf({ file, inputs }, threads) {
  const hiring = async () => ({
    threads,
    split: (builder, call) => split(builder, call, threads),
    report: () => ({ asked: threads, running: 1 }),
  });
  const rt = await makeCreateRuntime(load, hiring)({ variant, threads });
  const { engine } = internalsOf(rt);
  const steps = [];
  let at;
  const watch = (kernel) => {
    const call = current;
    return (desc, begin, end, scratch) => {
      if (at === undefined) return kernel(desc, begin, end, scratch);
      const { items, unit } = call;
      steps[at] ??= { kernel: call.kernel, estimate: costOf(call, variant), ns: Infinity, units: [] };
      const found = steps[at++];
      const units = Math.ceil(items / unit);
      if (units === 1) {
        found.ns = Math.min(
          found.ns,
          timed(() => kernel(desc, begin, end, scratch)),
        );
        return;
      }
      // In units every other time: a step may work in place, so that it must not be done twice.
      if (found.turn) {
        for (let i = 0; i < units; i++) {
          const ns = timed(() => kernel(desc, i * unit, Math.min(items, (i + 1) * unit), scratch));
          found.units[i] = Math.min(found.units[i] ?? Infinity, ns);
        }
      } else
        found.ns = Math.min(
          found.ns,
          timed(() => kernel(desc, begin, end, scratch)),
        );
      found.turn = !found.turn;
    };
  };
  engine.kernels = new Proxy(engine.kernels, { get: (kernels, name) => kernels[name] && watch(kernels[name]) });
  const given = inputs.map((input) => ({
    name: input.name,
    ...(input.file ? readTensor(input.file) : ramp(input.shape)),
  }));
  const model = await loadOnnx(rt, readFileSync(file), {
    shapes: Object.fromEntries(given.map((x) => [x.name, x.shape])),
  });
  const feeds = Object.fromEntries(given.map((x) => [x.name, { shape: x.shape, data: x.data }]));
  for (let i = 0; i < 2 * REPEATS + 3; i++) {
    at = i < 3 ? undefined : 0;
    model.run(feeds);
  }
  rt.dispose();
  return steps;
}

/** Whoever is free takes the next unit. */
function makespan(units, threads) {
  const free = new Array(threads).fill(0);
  for (const ns of units) {
    const next = free.indexOf(Math.min(...free));
    free[next] += ns;
  }
  return Math.max(...free);
}

/** How many times as fast: units one after the other on whoever is free, and what a step costs to tell others. */
function simulate(steps, threads) {
  const one = steps.reduce((sum, { ns }) => sum + ns, 0);
  const told = 1e3 * crew.splitUs + crew.roundTripNs * Math.log2(threads);
  const many = steps.reduce((sum, { ns, units }) => sum + (units.length > 1 ? makespan(units, threads) + told : ns), 0);
  return one / many;
}

const bar = progressBar(`steps, ${variant}`, models.length);
const rows = [];
for (const [i, model] of models.entries()) {
  bar(i);
  const row = { name: model.name, speedups: {} };
  for (const threads of counts) {
    const steps = await stepsOf(model, threads);
    row.speedups[threads] = simulate(steps, threads);
    if (threads !== counts[0]) continue;
    row.ms = steps.reduce((sum, { ns }) => sum + ns, 0) / 1e6;
    row.steps = steps.map(({ kernel, estimate, ns }) => ({ kernel, estimate, ns }));
  }
  rows.push(row);
}
bar(models.length);
console.log(JSON.stringify({ variant, node: process.versions.node, rows }));
