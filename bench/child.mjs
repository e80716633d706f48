// Times layers with one binary under the Node that runs this: node bench/child.mjs '<job as JSON>'. The last line of
// stdout is the result as JSON. Parents: run.mjs, select.mjs.
import { readFileSync } from "node:fs";
import { createRuntime } from "lanewise";
import { progressBar } from "../scripts/progress.mjs";
import { candidates, gflops, operands } from "./conv.mjs";
import { noise, timeInTurns } from "./harness.mjs";
import { makeLimit } from "./limit.mjs";

/** Until V8's optimised code has replaced its first code of a kernel, measured with the process pinned to one core. */
const FIRST_WARMUP_MS = 300;
/** Never chosen by "auto", so a job may leave them out of layers of more than `plainFlops`. */
const PLAIN = ["direct", "im2col"];

const { variant, layers, algorithms, timing, plainFlops = Infinity } = JSON.parse(process.argv[2]);
// One module for all layers, because optimised code stays with its module.
const wasm = new WebAssembly.Module(readFileSync(new URL(`../dist/wasm/${variant}.wasm`, import.meta.url)));
const warm = new Set();
const measureLimit = makeLimit(variant);
const limits = [measureLimit()];
const bar = progressBar(`${variant}, Node ${process.versions.node}`, layers.length);
const rows = [];
const failures = [];
for (const [i, layer] of layers.entries()) {
  bar(i);
  const rt = await createRuntime({ variant, wasm }); // one a layer: wasm memory never shrinks
  try {
    const tried = algorithms.filter((name) => !PLAIN.includes(name) || 2 * layer.macs <= plainFlops);
    const { made, dispose } = candidates(rt, layer, operands(layer), tried);
    const times = await timeInTurns(
      made.map((one) => (warm.has(one.name) ? one : { ...one, warmupMs: timing.firstWarmupMs ?? FIRST_WARMUP_MS })),
      timing,
    );
    for (const { name } of made) warm.add(name);
    const { algorithm: pick, reason } = auto(rt, layer);
    rows.push({
      layer,
      pick,
      reason,
      algorithms: Object.fromEntries(
        made.map(({ name, error, workspaceBytes }) => {
          const time = times.get(name);
          return [name, { ...time, gflops: gflops(layer, time.min), error, workspaceBytes }];
        }),
      ),
    });
    dispose();
  } catch (error) {
    failures.push(`${layer.name}: ${error.message}`);
  }
  rt.dispose();
  if (i % 8 === 7) limits.push(measureLimit());
}
limits.push(measureLimit());
bar(layers.length);
const best = (field) => Math.max(...limits.map((limit) => limit[field]));
console.log(
  JSON.stringify({
    variant,
    node: process.versions.node,
    limit: { gflops: best("gflops"), l2GBs: best("l2GBs"), readGBs: best("readGBs") },
    noise: noise(
      limits.map((limit) => limit.gflops),
      rows.flatMap((row) => Object.values(row.algorithms)),
    ),
    rows,
    failures,
  }),
);

/** What "auto" picks, from a plan that is made and thrown away. */
function auto(rt, { N, C, H, W, M, R, S, stride, padding, dilation, groups }) {
  const weight = rt.zeros([M, C / groups, R, S]);
  const plan = rt.plan.conv2d({
    input: [N, C, H, W],
    memoryFormat: "channelsLast",
    weight,
    stride,
    padding,
    dilation,
    groups,
  });
  weight.dispose();
  const description = plan.describe();
  plan.dispose();
  return description;
}
