// npm run bench:threads: layers and networks on one thread and on two, in turns, beside what two cores can do at all and beside native
// onnxruntime's own gain. `simd` runs under this Node, `relaxed` under Node 24. --dir DIR (default ../shared/data), --models REGEX,
// --layers REGEX, --variant simd|relaxed, --json FILE, --no-native; --costs: src/plan/cost.ts beside measured steps; --simulate: 4 to
// 16 threads, from the times of units here.
import { parseArgs } from "node:util";
import { readSet } from "./layers.mjs";
import { buildLimit } from "./limit.mjs";
import { buildDist, node24, runChild, writeResults } from "./machine.mjs";
import { installPeers, peerVersions } from "./peers/install.mjs";
import { ceilingLines, costTable, simulationTable, threadTables } from "./threads-table.mjs";

const LAYERS = ["3x3 64@56", "3x3 128@28", "3x3 256@14", "1x1 256-64@56", "1x1 1024-256@14"];
const MORE = [
  ["resnet50", /^7x7s2|512@7|512-2048@7|3x3s2/],
  ["mobilenet-v2", /^dw3x3 144@56|^dw3x3 96@112/],
];
const SIMULATED = [2, 4, 8, 16];

const { values: flags } = parseArgs({
  allowNegative: true,
  options: {
    dir: { type: "string", default: new URL("../../shared/data", import.meta.url).pathname },
    models: { type: "string", default: "" },
    layers: { type: "string", default: "" },
    variant: { type: "string" },
    json: { type: "string" },
    native: { type: "boolean", default: true },
    costs: { type: "boolean", default: false },
    simulate: { type: "boolean", default: false },
  },
});
if (![undefined, "simd", "relaxed"].includes(flags.variant))
  throw new RangeError(`"variant" expected simd or relaxed, got ${flags.variant}`);

buildDist();
await buildLimit();
if (flags.native) installPeers();
const { findModels } = await import("./model-cases.mjs"); // on what was just built
const models = (await findModels(flags.dir, { only: new RegExp(flags.models) })).filter(({ error }) => !error);
const only = new RegExp(flags.layers);
const layers = [
  ...readSet("foundation").filter(({ name }) => LAYERS.includes(name)),
  ...MORE.flatMap(([set, wanted]) => readSet(set).filter(({ name }) => wanted.test(name))),
].filter(({ name }) => only.test(name));

const runs = [
  [process.execPath, "simd"],
  [node24(), "relaxed"],
].filter(([node, variant]) => node !== undefined && (flags.variant ?? variant) === variant);
const timing = { rounds: 40, turnMs: 6, budgetMs: 900, warmupMs: 250 };
const results = [];
const failures = [];
for (const [node, variant] of runs) {
  const steps = async (threads, crew) => runChild(node, "step-times.mjs", { variant, models, threads, crew });
  if (flags.costs) {
    console.log(costTable(await steps([2], { splitUs: 0, roundTripNs: 0 })));
    continue;
  }
  const { native } = flags;
  const found = await runChild(node, "threads-child.mjs", {
    variant,
    layers,
    others: flags.layers,
    models,
    native,
    timing,
  });
  failures.push(...found.failures);
  if (flags.simulate) {
    const { splitUs } = found.crew;
    found.simulated = await steps(SIMULATED, { splitUs, roundTripNs: found.ceilings[0].roundTripNs });
    for (const row of found.simulated.rows) delete row.steps;
  }
  console.log(`\n${variant}, Node ${found.node}`);
  console.log(ceilingLines(found).join("\n"));
  for (const text of threadTables(found)) console.log(`\n${text}`);
  if (found.simulated) console.log(`\n${simulationTable(found.simulated)}`);
  if (found.noise) console.log(`NOISY: ${found.noise}`);
  results.push(found);
}
for (const failure of failures) console.log(`FAILED ${failure}`);
if (!flags.costs) {
  const versions = flags.native ? peerVersions(["onnxruntime-node"]) : {};
  console.log(`written: ${writeResults("threads", { versions, runs: results }, flags.json)}`);
}
process.exitCode = failures.length > 0 ? 1 : 0;
