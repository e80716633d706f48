// npm run bench: our kernels against the machine's limit. Options: --layer NAME, --set NAME (repeatable, or "all"),
// --algorithms a,b, --smoke, --json FILE. See bench/README.md.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { PACKS } from "../scripts/packs.mjs";
import { ALGORITHMS } from "./conv.mjs";
import { readSets, SETS } from "./layers.mjs";
import { buildLimit } from "./limit.mjs";
import { buildDist, node24, runChild, sizes, writeResults } from "./machine.mjs";
import { ms, percent, table } from "./table.mjs";

/** Share of the limit that implicit GEMM is to reach on the foundation set, and F(4,3)'s time over implicit GEMM's. */
const TARGETS = { simd: 0.85, relaxed: 0.8, winograd43: 0.45 };
const WINOGRAD_LAYERS = ["3x3 64@56", "3x3 128@28"];
const SMOKE_LAYERS = [
  "3x3 64@56",
  "1x1 1024-256@14",
  "7x7s2 3-64@224",
  "dw3x3 32@112 s1",
  "dw5x5 240@28 s1",
  "3x3 17@56",
];

const { values: flags } = parseArgs({
  options: {
    layer: { type: "string", multiple: true },
    set: { type: "string", multiple: true },
    algorithms: { type: "string" },
    smoke: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const sets =
  flags.set?.includes("all") || flags.layer || flags.smoke ? ["foundation", ...SETS] : (flags.set ?? ["foundation"]);
const wanted = flags.smoke ? SMOKE_LAYERS : flags.layer;
const layers = readSets(sets).filter(({ name }) => wanted === undefined || wanted.includes(name));
for (const name of wanted ?? []) {
  if (!layers.some((layer) => layer.name === name))
    throw new RangeError(`"layer" expected a name from bench/shapes, got "${name}"`);
}
const algorithms = flags.algorithms?.split(",") ?? ALGORITHMS;

buildDist();
await buildLimit();
const newer = node24();
const runs = [[process.execPath, "simd"]];
if (newer !== undefined && newer !== process.execPath) runs.push([newer, "simd"]);
if (newer !== undefined) runs.push([newer, "relaxed"]);
// 100 rounds, because where others work on the core too, most calls are interrupted.
const timing = flags.smoke ? { rounds: 3, turnMs: 1, budgetMs: 60, warmupMs: 10, firstWarmupMs: 30 } : { rounds: 100 };

const results = [];
for (const [node, variant] of runs) {
  const result = await runChild(node, "child.mjs", { variant, layers, algorithms, timing });
  results.push(result);
  print(result);
}
const size = sizes();
// Budgets are those that the build holds to: scripts/packs.mjs, rollup.config.mjs.
const [convolution] = JSON.parse(readFileSync(new URL("../dist/sizes.json", import.meta.url), "utf8")).scenarios;
for (const [name, bytes, budget] of [
  ["simd.wasm", size.simdWasm, PACKS[0].budget],
  ["relaxed.wasm", size.relaxedWasm, PACKS[0].budget],
  [`${convolution.name}, by a bundler, gzip`, convolution.bytes, convolution.budget],
  [`${convolution.name}, file by file, gzip`, convolution.files, convolution.filesBudget],
])
  console.log(`${name}: ${bytes} B of ${budget}`);

if (flags.smoke) {
  const failed = results.flatMap((result) => result.failures);
  const passed = results.reduce((sum, result) => sum + result.rows.length, 0);
  console.log(`${passed} passed, ${failed.length} failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
} else {
  const what = flags.layer ? "layers" : sets.join("-");
  console.log(`written: ${writeResults(`bench-${what}`, { sizes: size, runs: results }, flags.json)}`);
}

function print({ variant, node, limit, noise, rows, failures }) {
  console.log(
    `\n${variant}, Node ${node}: limit ${limit.gflops.toFixed(1)} GFLOP/s; reads ${limit.readGBs.toFixed(1)} GB/s (64 MB), ${limit.l2GBs.toFixed(1)} GB/s (L2)`,
  );
  const lines = rows.flatMap(({ layer, pick, algorithms: times }) =>
    Object.entries(times)
      .sort(([, a], [, b]) => a.min - b.min)
      .map(([name, time], i) => [
        i === 0 ? layer.name : "",
        name === pick ? `${name} *` : name,
        ms(time.min),
        ms(time.median),
        time.gflops.toFixed(1),
        percent(time.gflops / limit.gflops),
        time.error.toExponential(1),
      ]),
  );
  console.log(table(["layer", "algorithm", "ms min", "median", "GFLOP/s", "of limit", "max error"], lines));
  console.log("* what auto picks. GFLOP/s count the definition's operations, so Winograd and FFT may pass 100 %.");
  if (!flags.smoke) targets(variant, limit, rows, noise); // one short round says nothing of speed
  for (const failure of failures) console.log(`FAILED ${failure}`);
  if (noise) console.log(`NOISY: ${noise}`);
  console.log();
}

/** The foundation's own targets, on the layers they are stated for. */
function targets(variant, limit, rows, noise) {
  for (const {
    layer,
    algorithms: { "implicit-gemm": gemm, winograd43 },
  } of rows) {
    if (layer.set !== "foundation" || gemm === undefined) continue;
    const share = gemm.gflops / limit.gflops;
    console.log(
      `${layer.name}: implicit GEMM at ${percent(share)} of the limit, target ${percent(TARGETS[variant])}: ${verdict(share >= TARGETS[variant], noise)}`,
    );
    if (winograd43 === undefined || !WINOGRAD_LAYERS.includes(layer.name)) continue;
    const ratio = winograd43.min / gemm.min;
    console.log(
      `${layer.name}: F(4,3) takes ${ratio.toFixed(2)} of implicit GEMM's time, target ${TARGETS.winograd43}: ${verdict(ratio <= TARGETS.winograd43, noise)}`,
    );
  }
}

/** A ratio of two times flatters as easily as it blames when either was interrupted, so a noisy verdict says so. */
function verdict(reached, noise) {
  return `${reached ? "reached" : "NOT reached"}${noise ? ", noisy" : ""}`;
}
