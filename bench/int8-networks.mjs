// Quantised networks: CPU time of one run, here, on an older build, on onnxruntime-web and -node, alternating in one process; and linear
// memory. Networks of made-up weights are written by int8-files.mjs; those in data come from --data.
//
//   --base FOLDER    an older build's root, in which dist/ lies
//   --data FOLDER    models/*.onnx; default ../shared/data, left out where it is missing
//   --only REGEX     networks
//   --seconds N      of one network, default 6
//   --peers          onnxruntime-web, and -node, too
//   --json [FILE]    keeps the rows: results/<cpu>-<date>-int8-networks-<node>.json, of which docs/benchmarks.md has its table
//
// node --no-enable-avx-vnni is an engine whose dot product is not exact.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { MADE } from "./int8-files.mjs";
import { writeResults } from "./machine.mjs";

const { values: flags } = parseArgs({
  options: {
    base: { type: "string" },
    data: { type: "string", default: "../shared/data" },
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "6" },
    peers: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const GIVEN = ["shufflenet-v2-12-int8", "micro_kws_m_static_qoperator", "micro_kws_m_static_qdq"];
const only = new RegExp(flags.only);

/** { file, shape } by name. */
function networks() {
  const found = [];
  for (const name of GIVEN) {
    const path = resolve(flags.data, "models", `${name}.onnx`);
    if (!only.test(name)) continue;
    if (existsSync(path)) found.push({ name, file: readFileSync(path) });
    else console.log(`SKIP ${name}: no ${path}`);
  }
  for (const [name, make] of Object.entries(MADE)) if (only.test(name)) found.push({ name, file: make() });
  return found;
}

async function ofBuild(label, root, file) {
  const at = (name) => pathToFileURL(resolve(root, "dist", name)).href;
  const [{ createRuntime }, { loadOnnx }] = [await import(at("index.js")), await import(at("onnx.js"))];
  const runtime = await createRuntime();
  const open = await loadOnnx(runtime, file);
  const [{ name, shape }] = open.inputs;
  open.dispose();
  const sizes = shape.map((size) => (typeof size === "number" ? size : 1));
  const model = await loadOnnx(runtime, file, { shapes: { [name]: sizes } });
  const data = inputOf(sizes);
  model.run({ [name]: { data, shape: sizes } });
  return {
    label: `${label} ${runtime.report().int8?.variant ?? runtime.variant}`,
    bytes: model.plan.totalBytes,
    name,
    sizes,
    output: () => Object.values(model.run({ [name]: { data, shape: sizes } }))[0].toArray(),
    run: () => model.run(),
  };
}

async function ofPeer(label, ort, file, { name, sizes }) {
  // Without a name the web one would run on the native one, which is there, too.
  const executionProviders = [label === "web" ? "wasm" : "cpu"];
  const options = { executionProviders, logSeverityLevel: 3, intraOpNumThreads: 1, interOpNumThreads: 1 };
  const session = await ort.InferenceSession.create(file, options);
  const feeds = { [name]: new ort.Tensor("float32", inputOf(sizes), sizes) };
  const run = () => session.run(feeds);
  return { label, run, output: async () => (await run())[session.outputNames[0]].data };
}

/** The same numbers for every side, about as images are normalised. */
function inputOf(shape) {
  let state = 7;
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  });
}

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** The least CPU time of a run, in ms, by turns. */
async function timed(sides) {
  for (const side of sides) for (let i = 0; i < 8; i++) await side.run();
  const best = sides.map(() => Infinity);
  const runs = [];
  for (const side of sides) {
    const start = cpu();
    await side.run();
    runs.push(Math.max(1, Math.ceil(8 / Math.max(0.05, cpu() - start))));
  }
  const end = performance.now() + 1000 * Number(flags.seconds);
  while (performance.now() < end) {
    for (const [i, side] of sides.entries()) {
      const start = cpu();
      for (let n = 0; n < runs[i]; n++) {
        const wait = side.run();
        if (wait instanceof Promise) await wait;
      }
      best[i] = Math.min(best[i], (cpu() - start) / runs[i]);
    }
  }
  return best;
}

const apart = (a, b) => {
  let count = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
  return count;
};

const require = createRequire(new URL("peers/package.json", import.meta.url));
const rows = [];
for (const { name, file } of networks()) {
  const ours = await ofBuild("this", ".", file);
  const sides = [ours];
  if (flags.base) sides.push(await ofBuild("base", flags.base, file));
  if (flags.peers) {
    // First, or its name is the web one's.
    const native = require("onnxruntime-node");
    const web = require("onnxruntime-web");
    web.env.logLevel = "error";
    web.env.wasm.numThreads = 1;
    sides.push(await ofPeer("web", web, file, ours), await ofPeer("native", native, file, ours));
  }
  const outputs = [];
  for (const side of sides) outputs.push(Float32Array.from(await side.output()));
  const best = await timed(sides);
  console.log(`${name} (${process.version})`);
  sides.forEach(({ label, bytes }, i) => {
    const ratio = `${(best[i] / best[0]).toFixed(2)} x`;
    const memory = bytes ? `${(bytes / 2 ** 20).toFixed(2)} MB` : "";
    const same = i === 0 ? "" : `${apart(outputs[i], outputs[0])} of ${outputs[0].length} outputs differ`;
    console.log(
      `  ${label.padEnd(14)} ${best[i].toFixed(3).padStart(9)} ms  ${ratio.padStart(8)}  ${memory.padStart(9)}  ${same}`,
    );
  });
  rows.push({
    name,
    sides: sides.map(({ label, bytes }, i) => ({ label, ms: best[i], bytes, apart: apart(outputs[i], outputs[0]) })),
    outputs: outputs[0].length,
  });
}
if (flags.json !== undefined) {
  const node = Number.parseInt(process.versions.node, 10);
  console.log(writeResults(`int8-networks-${node}`, { node: process.version, rows }, flags.json || undefined));
}
process.exit(0);
