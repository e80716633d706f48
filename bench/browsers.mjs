// npm run bench:browsers: six layers and two networks beside onnxruntime-web in one page of Chromium, Firefox and WebKit, one
// thread each, in turns. --threads N: networks with N threads of either side, in isolated Chromium. --browsers a,b;
// --only REGEX (names of rows); --dir DIR (networks, default ../shared/data); --json FILE; --into FILE (a results file whose other
// rows are kept); --smoke (one short pass, ends with "N passed, N failed"); --no-build.
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { BROWSERS, findBrowser } from "../scripts/browsers/launch.mjs";
import { ISOLATED, openBrowser } from "../scripts/browsers/open.mjs";
import { browsersTable } from "./browsers-table.mjs";
import { readSet, SETS } from "./layers.mjs";
import { buildDist, writeResults } from "./machine.mjs";
import { installPeers, PEERS_FOLDER, peerVersions } from "./peers/install.mjs";

const ROOT = new URL("../", import.meta.url).pathname;
const LAYERS = ["3x3 64@56", "1x1 256-64@56", "7x7s2 3-64@224", "dw3x3 144@56 s1", "5x5 96-256@27", "3x3s2 128@56"];
const NETWORKS = ["mediapipe-selfie-landscape", "ultraface-slim-320"];
const THREADED = ["super-resolution-10", "ultraface-RFB-320", "picodet_s_320", "FastestDet-coco", "mediapipe-facemesh"];

const { values: flags } = parseArgs({
  options: {
    browsers: { type: "string", default: Object.keys(BROWSERS).join() },
    threads: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    dir: { type: "string", default: new URL("../../shared/data", import.meta.url).pathname },
    json: { type: "string" },
    into: { type: "string" },
    smoke: { type: "boolean", default: false },
    "no-build": { type: "boolean", default: false },
  },
});
const threads = Number(flags.threads);
const only = new RegExp(flags.only);
const timing = flags.smoke
  ? { rounds: 3, turnMs: 1, budgetMs: 30, warmupMs: 5 }
  : { rounds: 16, turnMs: 4, budgetMs: 600, warmupMs: 80, ...(threads > 1 && { restMs: 5 }) };

if (!flags["no-build"]) buildDist();
installPeers();

const layers = SETS.flatMap(readSet).map((layer) => ({ ...layer, operator: "conv" }));
/** { name, layer } or { name, network, blobs }: what the page is given. */
function rowsOf() {
  const networks = (threads > 1 ? THREADED : NETWORKS).filter((name) => only.test(name)).flatMap(networkOf);
  if (threads > 1) return networks;
  const found = LAYERS.map((name) => ({ name, layer: layers.find((layer) => layer.name === name) }));
  return [...found.filter(({ name }) => only.test(name)), ...networks];
}

/** A network with the inputs of its first case. */
function networkOf(name) {
  const file = `${flags.dir}/models/${name}.onnx`;
  if (!existsSync(file)) {
    console.log(`SKIPPED: ${name} (no ${file})`);
    return [];
  }
  return [{ name, network: { url: "/model.onnx" }, file }];
}

/** Inputs as the file names them, of the first case, or ramps; on what was just built. */
async function inputsOf(name, file) {
  const { createRuntime } = await import("lanewise");
  const { loadOnnx } = await import("lanewise/onnx");
  const { findModels, ramp, readTensor } = await import("../scripts/model-cases.mjs");
  const rt = await createRuntime();
  const { inputs } = await loadOnnx(rt, readFileSync(file));
  rt.dispose();
  const { cases } = findModels(flags.dir, { light: false, only: new RegExp(`^${name}$`) })[0];
  const files = cases[0]?.inputs ?? [];
  return inputs.map(({ name: input, shape }, i) => ({
    name: input,
    ...(files[i] ? readTensor(files[i]) : ramp(shape)),
  }));
}

const IMPORTS = {
  lanewise: "/dist/index.js",
  "lanewise/onnx": "/dist/onnx.js",
  tinybench: "/node_modules/tinybench/dist/index.js",
  "onnxruntime-web": "/peers/onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
};

async function ask(browser, job, blobs = {}) {
  const { value } = await browser.ask({
    script: "/bench/browsers-page.mjs",
    imports: IMPORTS,
    headers: ISOLATED, // only then its clock is fine
    folders: { "/": ROOT, "/peers/": `${PEERS_FOLDER}node_modules/` },
    blobs: { "/job.mjs": { body: `export default ${JSON.stringify(job)};` }, ...blobs },
  });
  return value;
}

async function askNetwork(browser, { name, network, file }) {
  const inputs = await inputsOf(name, file);
  const blobs = { [network.url]: { body: readFileSync(file) } };
  const given = inputs.map(({ data, ...rest }, i) => {
    const url = `/input${i}.bin`;
    blobs[url] = { body: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
    return { ...rest, url };
  });
  return ask(browser, { name, threads, timing, network: { ...network, inputs: given } }, blobs);
}

const wanted = flags.browsers.split(",").filter((name) => threads === 1 || name === "chromium");
for (const name of wanted)
  if (BROWSERS[name] === undefined)
    throw new RangeError(`"browsers" expected of ${Object.keys(BROWSERS)}, got ${name}`);
const before =
  flags.into && existsSync(flags.into) ? JSON.parse(readFileSync(flags.into, "utf8")) : { browsers: {}, rows: [] };
const results = { threads, versions: peerVersions(["onnxruntime-web"]), browsers: before.browsers, rows: before.rows };
let [passed, failed] = [0, 0];
for (const name of wanted) {
  const { missing } = findBrowser(name);
  if (missing) {
    console.log(`SKIPPED: ${name} (no ${missing.join(", ")})`);
    continue;
  }
  const browser = await openBrowser(name);
  try {
    results.browsers[name] = { version: browser.version };
    for (const row of rowsOf()) {
      const found = await (row.layer ? ask(browser, { ...row, threads, timing }) : askNetwork(browser, row));
      results.rows = results.rows.filter((other) => other.name !== row.name || other.browser !== name);
      results.rows.push({ name: row.name, browser: name, ...found });
      passed++;
    }
  } catch (error) {
    failed++;
    console.log(`FAILED in ${name}: ${error.message}`);
  } finally {
    browser.close();
  }
}
console.log(browsersTable(results));
if (!flags.smoke || flags.json)
  console.log(writeResults(threads > 1 ? "browsers-threads" : "browsers", results, flags.json ?? flags.into));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
