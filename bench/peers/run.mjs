// npm run bench:peers: lanewise beside onnxruntime-web, tfjs-backend-wasm and native onnxruntime under Node 20 and 24, and
// beside LiteRT.js in headless Chromium, one thread each. --layer NAME, --set NAME (repeatable), --smoke (one short
// pass), --json FILE. The engines take turns by layer; within one, sides do.
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { progressBar } from "../../scripts/progress.mjs";
import { noise } from "../harness.mjs";
import { SETS } from "../layers.mjs";
import { buildLimit } from "../limit.mjs";
import { buildDist, node24, writeResults } from "../machine.mjs";
import { openChromium } from "./chromium.mjs";
import { installPeers, PEERS_FOLDER, peerVersions } from "./install.mjs";
import { readLayers } from "./operators.mjs";
import { peersTables } from "./tables.mjs";

const PEERS = ["onnxruntime-web", "onnxruntime-node", "@tensorflow/tfjs-backend-wasm", "@litertjs/core"];

const { values: flags } = parseArgs({
  options: {
    layer: { type: "string", multiple: true },
    set: { type: "string", multiple: true },
    smoke: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
/** Each layer is timed this often in each engine, in turns. */
const passes = flags.smoke ? 1 : 2;
const timing = flags.smoke
  ? { rounds: 3, turnMs: 1, budgetMs: 30, warmupMs: 5 }
  : { rounds: 12, turnMs: 4, budgetMs: 700, warmupMs: 60 };
const sets = flags.set?.includes("all") || flags.layer ? ["peers", ...SETS] : (flags.set ?? ["peers"]);
const known = readLayers(sets);
for (const name of flags.layer ?? []) {
  if (!known.some((layer) => layer.name === name))
    throw new RangeError(`"layer" expected a name from bench/shapes or bench/peers/others.txt, got "${name}"`);
}
const layers = known.filter(({ name }) => flags.layer === undefined || flags.layer.includes(name));

buildDist();
await buildLimit();
installPeers();
const versions = peerVersions(PEERS);

const nodes = [process.execPath, node24()].filter((path, i, all) => path !== undefined && all.indexOf(path) === i);
const engines = (await Promise.all([...nodes.map(openNode), openChromium()])).filter((engine) => engine !== undefined);
const limits = [];
const rows = new Map(layers.map((layer) => [layer.name, { layer, times: {} }]));
const failures = new Set();
const bar = progressBar("bench:peers", layers.length * passes);
for (let pass = 0; pass < passes; pass++) {
  for (const [i, layer] of layers.entries()) {
    bar(pass * layers.length + i);
    for (const { ask, name: engine } of engines) {
      const { times, notes, limit, failure } = await ask({ layer, timing });
      if (failure) failures.add(`${layer.name} in ${engine}: ${failure}`);
      else {
        limits.push({ engine, ...limit });
        merge(rows.get(layer.name).times, times, notes, engine);
      }
    }
  }
}
bar(layers.length * passes);
for (const { close } of engines) await close();

const all = [...rows.values()].filter(({ times }) => Object.keys(times).length > 0);
const limitsOf = (name) => limits.filter(({ engine }) => engine === name);
const most = (field, name) => Math.max(...limitsOf(name).map((limit) => limit[field]));
const doubts = engines.flatMap(({ name }) => {
  const doubt = noise(
    limitsOf(name).map(({ gflops }) => gflops),
    all.flatMap(({ times }) =>
      Object.entries(times)
        .filter(([key]) => key.endsWith(` ${name}`))
        .map(([, time]) => time),
    ),
  );
  return doubt ? [`${name}: ${doubt}`] : [];
});
const results = {
  versions,
  engines: Object.fromEntries(engines.map(({ name, version }) => [name, version])),
  limits: engines.map(({ name }) => ({ engine: name, gflops: most("gflops", name), readGBs: most("readGBs", name) })),
  noise: doubts.length > 0 ? doubts.join("; ") : undefined,
  rows: all,
  failures: [...failures],
};
console.log(peersTables(results));
for (const failure of failures) console.log(`FAILED ${failure}`);
if (results.noise) console.log(`NOISY: ${results.noise}`);
const what = flags.layer ? "-layers" : flags.set ? `-${flags.set.join("-")}` : "";
if (!flags.smoke || flags.json) console.log(`written: ${writeResults(`peers${what}`, results, flags.json)}`);
process.exitCode = failures.size > 0 ? 1 : 0;

/** A process under `execPath`, answering one message at a time. */
async function openNode(execPath) {
  const child = fork(`${PEERS_FOLDER}child.mjs`, [], { execPath });
  let settle;
  child.on("message", (message) => settle.resolve(message));
  child.on("exit", (code) => settle.reject(new Error(`a bench process under ${execPath} ended with code ${code}`)));
  const next = () =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
  const { version } = await next();
  return {
    name: `n${version.split(".")[0]}`,
    version,
    ask(message) {
      child.send(message);
      return next();
    },
    close: () => child.send({}),
  };
}

/** Keeps, by side and engine, the better of two passes. */
function merge(kept, times, notes, engine) {
  for (const [side, time] of Object.entries(times)) {
    const key = `${side} ${engine}`;
    if (kept[key] === undefined || time.min < kept[key].min) kept[key] = { ...time, note: notes[side] };
  }
}
