// npm run bench:peers: lanewise beside onnxruntime-web, tfjs-backend-wasm and native onnxruntime, one thread each.
// --layer NAME (repeatable), --json FILE. Two processes, Node 20 and Node 24, take turns by layer; within one, sides do.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { progressBar } from "../../scripts/progress.mjs";
import { noise } from "../harness.mjs";
import { buildLimit } from "../limit.mjs";
import { buildDist, node24, writeResults } from "../machine.mjs";
import { installPeers } from "./install.mjs";
import { readLayers } from "./operators.mjs";
import { peersTables } from "./tables.mjs";

const HERE = new URL("./", import.meta.url).pathname;
/** Each layer is timed this often under each Node, in turns. */
const PASSES = 2;
const TIMING = { rounds: 12, turnMs: 4, budgetMs: 700, warmupMs: 60 };
const PEERS = ["onnxruntime-web", "onnxruntime-node", "@tensorflow/tfjs-backend-wasm"];

const { values: flags } = parseArgs({
  options: { layer: { type: "string", multiple: true }, json: { type: "string" } },
});
const layers = readLayers().filter(({ name }) => flags.layer === undefined || flags.layer.includes(name));
if (layers.length === 0)
  throw new RangeError(
    `"layer" expected names from ${readLayers()
      .map(({ name }) => name)
      .join(", ")}, got ${flags.layer}`,
  );

buildDist();
await buildLimit();
installPeers();
const versions = Object.fromEntries(
  PEERS.map((name) => [name, JSON.parse(readFileSync(`${HERE}node_modules/${name}/package.json`, "utf8")).version]),
);

const nodes = [process.execPath, node24()].filter((path, i, all) => path !== undefined && all.indexOf(path) === i);
const children = await Promise.all(nodes.map(open));
const limits = [];
const rows = new Map();
const failures = new Set();
const bar = progressBar("bench:peers", layers.length * PASSES);
for (let pass = 0; pass < PASSES; pass++) {
  for (const [i, layer] of layers.entries()) {
    bar(pass * layers.length + i);
    for (const { ask, node } of children) {
      const { times, notes, limit, failure } = await ask({ layer, timing: TIMING });
      if (failure) failures.add(failure);
      else {
        limits.push({ node, ...limit });
        rows.set(layer.name, merge(rows.get(layer.name) ?? { layer, times: {} }, times, notes, node));
      }
    }
  }
}
bar(layers.length * PASSES);
for (const { close } of children) close();

const all = [...rows.values()];
const most = (field, node) => Math.max(...limits.filter((limit) => limit.node === node).map((limit) => limit[field]));
const results = {
  versions,
  limits: children.map(({ node }) => ({ node, gflops: most("gflops", node), readGBs: most("readGBs", node) })),
  noise: noise(
    limits.map(({ gflops }) => gflops),
    all.flatMap(({ times }) => Object.values(times)),
  ),
  rows: all,
  failures: [...failures],
};
console.log(peersTables(results));
for (const failure of failures) console.log(`FAILED ${failure}`);
if (results.noise) console.log(`NOISY: ${results.noise}`);
console.log(`written: ${writeResults(flags.layer ? "peers-layers" : "peers", results, flags.json)}`);
process.exitCode = failures.size > 0 ? 1 : 0;

/** A process under `execPath`, answering one message at a time. */
async function open(execPath) {
  const child = fork(`${HERE}child.mjs`, [], { execPath });
  let settle;
  child.on("message", (message) => settle.resolve(message));
  child.on("exit", (code) => settle.reject(new Error(`a bench process under ${execPath} ended with code ${code}`)));
  const next = () =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
  const { node } = await next();
  return {
    node: node.split(".")[0],
    ask(message) {
      child.send(message);
      return next();
    },
    close: () => child.send({}),
  };
}

/** Keeps, by side and Node, the better of two passes. */
function merge(row, times, notes, node) {
  for (const [side, time] of Object.entries(times)) {
    const key = `${side} n${node}`;
    const old = row.times[key];
    row.times[key] = old === undefined || time.min < old.min ? { ...time, note: notes[side] } : old;
  }
  return row;
}
