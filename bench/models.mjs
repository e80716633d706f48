// npm run bench:models: real networks from ONNX files on lanewise, onnxruntime-web and native onnxruntime, one thread each:
// times of a run and of a load, and memory. `simd` runs under this Node, `relaxed` under Node 24. --dir DIR (default
// ../shared/data), --light (DIR/light too), --models FOLDER (its .onnx files too; again for more), --models REGEX (names of those
// that are wanted), --variant simd|relaxed, --json FILE, --quick (one short pass, ends with "N passed, N failed"), --loads (loads
// and memory only, by `memory`, beside onnxruntime-web), --profile (ours only: time by class of kernel beside the machine's limit).
import { existsSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { progressBar } from "../scripts/progress.mjs";
import { noise } from "./harness.mjs";
import { buildLimit } from "./limit.mjs";
import { loadTable } from "./load-table.mjs";
import { buildDist, node24, runChild, writeResults } from "./machine.mjs";
import { modelTables } from "./model-tables.mjs";
import { installPeers, peerVersions } from "./peers/install.mjs";
import { profileTable } from "./profile-table.mjs";

const PEERS = ["onnxruntime-web", "onnxruntime-node"];
/** Largest difference from the reference before anything is timed, as a share of the largest output. */
const TOLERANCE = { float: 1e-3, quantized: 1 / 32 };

const { values: flags } = parseArgs({
  options: {
    dir: { type: "string", default: new URL("../../shared/data", import.meta.url).pathname },
    light: { type: "boolean", default: false },
    models: { type: "string", multiple: true, default: [] },
    loads: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    variant: { type: "string" },
    json: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});
if (![undefined, "simd", "relaxed"].includes(flags.variant))
  throw new RangeError(`"variant" expected simd or relaxed, got ${flags.variant}`);
if (!existsSync(flags.dir)) throw new RangeError(`"dir" expected a folder with models, got ${flags.dir}`);
const isFolder = (path) => existsSync(path) && statSync(path).isDirectory();
const folders = flags.models.filter(isFolder);
const only = flags.models.filter((path) => !isFolder(path)).join("|");
const timing =
  flags.quick || flags.loads
    ? { rounds: 3, turnMs: 1, budgetMs: 30, warmupMs: 5 }
    : { rounds: 24, turnMs: 4, budgetMs: 500, warmupMs: 60 };
const loadTiming = flags.quick
  ? { rounds: 3, turnMs: 1, budgetMs: 1, warmupMs: 0 }
  : { rounds: 9, turnMs: 1, budgetMs: 1000, warmupMs: 60 };

buildDist();
await buildLimit();
if (!flags.profile) installPeers();
const { findModels } = await import("./model-cases.mjs"); // on what was just built
const models = await findModels(flags.dir, { light: flags.light, only: new RegExp(only), folders });
if (models.length === 0) throw new RangeError(`"models" expected names in ${flags.dir}/models, got ${only}`);

const engines = [
  ["simd", process.execPath],
  ["relaxed", node24()],
].filter(([variant, node]) => node !== undefined && (flags.variant ?? variant) === variant);
let [passed, failed] = [0, 0];
for (const [variant, node] of engines) {
  if (flags.profile) {
    await profile(variant, node);
    continue;
  }
  const rows = [];
  const failures = [];
  const limits = [];
  let version;
  const bar = progressBar(`bench:models ${variant}`, models.length);
  for (const [i, model] of models.entries()) {
    bar(i);
    const tolerance = model.isFloat ? TOLERANCE.float : TOLERANCE.quantized;
    const ask = (job) => runChild(node, "models-child.mjs", { model, variant, timing, loadTiming, tolerance, ...job });
    try {
      if (model.error) throw model.error;
      const sides = {};
      const timed = await ask(flags.loads ? { names: ["lanewise", "ort-web"] } : {});
      for (const name of Object.keys(timed.run)) {
        sides[name] = {
          run: timed.run[name],
          error: timed.errors[name],
          ...(await ask({ side: name })),
        };
      }
      version = timed.node;
      limits.push(...timed.limits);
      const memories = flags.loads ? await byMemory(ask) : undefined;
      const fileBytes = statSync(model.file).size;
      rows.push({ name: model.name, isFloat: model.isFloat, fileBytes, sides, memories });
    } catch (error) {
      failures.push(`${model.name}: ${error.message}`);
    }
  }
  bar(models.length);
  passed += rows.length;
  failed += failures.length;
  const doubt = noise(
    limits.map(({ gflops }) => gflops),
    rows.flatMap(({ sides }) => Object.values(sides).map(({ run }) => run)),
  );
  const results = {
    variant,
    node: version,
    versions: peerVersions(PEERS),
    limit: { gflops: Math.max(...limits.map(({ gflops }) => gflops)) },
    noise: doubt,
    rows,
    failures,
  };
  console.log(flags.loads ? loadTable(results) : modelTables(results));
  for (const failure of failures) console.log(`FAILED ${failure}`);
  if (doubt) console.log(`NOISY: ${doubt}`);
  if (!flags.quick)
    console.log(`written: ${writeResults(`${flags.loads ? "loads" : "models"}-${variant}`, results, flags.json)}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** Our bytes with the other choices of `memory`. */
async function byMemory(ask) {
  const found = {};
  for (const memory of ["fast", "small"])
    found[memory] = await ask({ side: "lanewise", memory, loadTiming: { rounds: 1, budgetMs: 1, warmupMs: 0 } });
  return found;
}

/** Prints where the time of a run goes. */
async function profile(variant, node) {
  const { results, limits, ...rest } = await runChild(node, "profile-child.mjs", { models, variant });
  const failures = results.filter(({ error }) => error);
  const gflops = Math.max(...limits.map((limit) => limit.gflops));
  console.log(profileTable({ ...rest, variant, gflops, results: results.filter(({ error }) => !error) }));
  for (const { name, error } of failures) console.log(`FAILED ${name}: ${error}`);
  const doubt = noise(
    limits.map((limit) => limit.gflops),
    [],
  );
  if (doubt) console.log(`NOISY: ${doubt}`);
  passed += results.length - failures.length;
  failed += failures.length;
}
