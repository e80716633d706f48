// npm run bench:start: from import to LeNet-5's first answer, in fresh processes that take turns, beside onnxruntime-web and
// tfjs-backend-wasm on the equal model; and what each must fetch. --runs N, --json FILE.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { readSafetensors } from "lanewise";
import { progressBar } from "../scripts/progress.mjs";
import { normals } from "./data.mjs";
import { buildDist, node24, sizes, writeResults } from "./machine.mjs";
import { installPeers, PEERS_FOLDER } from "./peers/install.mjs";
import { lenet5Onnx } from "./peers/lenet5-onnx.mjs";
import { ms, table } from "./table.mjs";

/** Our time over onnxruntime-web's, at most. */
const TARGET = 1 / 15;
/** Answers agree to this share of the largest. */
const TOLERANCE = 1e-4;

const { values: flags } = parseArgs({ options: { runs: { type: "string", default: "21" }, json: { type: "string" } } });
const runs = Number(flags.runs);
if (!Number.isInteger(runs) || runs < 1) throw new RangeError(`"runs" expected an integer >= 1, got ${flags.runs}`);

buildDist();
installPeers();
const folder = mkdtempSync(join(tmpdir(), "lanewise-start-"));
const weights = new URL("../examples/lenet5/lenet5.safetensors", import.meta.url).pathname;
const onnx = join(folder, "lenet5.onnx");
const image = join(folder, "image.bin");
writeFileSync(onnx, lenet5Onnx(readSafetensors(readFileSync(weights))));
writeFileSync(image, normals(28 * 28, "image"));

const here = (path) => new URL(path, import.meta.url).pathname;
const SIDES = [
  { name: "lanewise", script: here("start/lanewise.mjs"), model: weights },
  { name: "onnxruntime-web", script: here("peers/start-ort.mjs"), model: onnx },
  { name: "tfjs-backend-wasm", script: here("peers/start-tfjs.mjs"), model: weights },
];
const nodes = [process.execPath, node24()].filter((path, i, all) => path !== undefined && all.indexOf(path) === i);
const rows = [];
const bar = progressBar("bench:start", nodes.length * runs * SIDES.length);
let done = 0;
for (const node of nodes) {
  const measured = SIDES.map((side) => ({ ...side, starts: [] }));
  for (let run = 0; run < runs; run++) {
    for (const { script, model, starts } of measured) {
      const out = execFileSync(node, [script, model, image], { stdio: ["ignore", "pipe", "ignore"] });
      starts.push(JSON.parse(out.toString().trim().split("\n").at(-1)));
      bar(++done);
    }
  }
  const [first] = measured;
  for (const { name, starts } of measured) {
    agree(name, starts[0].answer, first.starts[0].answer);
    rows.push({ node: version(node), name, ...summary(starts) });
  }
}
rmSync(folder, { recursive: true });

const wire = fetched();
const results = { runs, target: TARGET, wire, rows };
console.log(
  table(
    ["Node", "", "ms min", "median", "phases, median"],
    rows.map((row) => [
      row.node,
      row.name,
      ms(row.min),
      ms(row.median),
      Object.entries(row.phases)
        .map(([phase, time]) => `${phase} ${ms(time)}`)
        .join(", "),
    ]),
  ),
);
for (const node of new Set(rows.map((row) => row.node))) {
  const of = (name) => rows.find((row) => row.node === node && row.name === name).median;
  const ratio = of("onnxruntime-web") / of("lanewise");
  const verdict = ratio >= 1 / TARGET ? "reached" : "NOT reached";
  console.log(`Node ${node}: ${ratio.toFixed(1)} times faster than onnxruntime-web, target ${1 / TARGET}: ${verdict}`);
}
console.log(
  `\n${table(
    ["fetched, gzip", "B"],
    wire.map(({ name, bytes }) => [name, bytes.toLocaleString("en-US")]),
  )}`,
);
console.log(`written: ${writeResults("start", results, flags.json)}`);

function version(node) {
  return execFileSync(node, ["--version"]).toString().trim().slice(1).split(".")[0];
}

function summary(starts) {
  const sorted = (values) => values.toSorted((a, b) => a - b);
  const totals = sorted(starts.map((start) => start.total));
  const median = (values) => sorted(values)[values.length >> 1];
  const phases = Object.fromEntries(
    Object.keys(starts[0].phases).map((phase) => [phase, median(starts.map((start) => start.phases[phase]))]),
  );
  return { min: totals[0], median: totals[totals.length >> 1], phases };
}

function agree(name, answer, expected) {
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...answer.map((value, i) => Math.abs(value - expected[i])));
  if (answer.length !== expected.length || !(worst <= TOLERANCE * largest))
    throw new Error(`${name}: answers differ by ${worst} where the largest is ${largest}`);
}

/** Gzipped bytes of what a page fetches to run a model: JavaScript and wasm, without the model. LiteRT.js needs a page, so it is not timed. */
function fetched() {
  const modules = new URL("node_modules/", `file://${PEERS_FOLDER}`);
  const gzip = (...paths) =>
    paths.reduce((sum, path) => sum + gzipSync(readFileSync(new URL(path, modules)), { level: 9 }).length, 0);
  return [
    { name: "lanewise, default entry with one binary", bytes: sizes().entryGzip },
    {
      name: "onnxruntime-web/wasm",
      bytes: gzip(
        "onnxruntime-web/dist/ort.wasm.min.mjs",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
      ),
    },
    {
      name: "tfjs-core, tfjs-backend-wasm (SIMD)",
      bytes: gzip(
        "@tensorflow/tfjs-core/dist/tf-core.min.js",
        "@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js",
        "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm",
      ),
    },
    {
      name: "@litertjs/core",
      bytes: gzip(
        "@litertjs/core/dist/index.js",
        "@litertjs/core/wasm/litert_wasm_internal.js",
        "@litertjs/core/wasm/litert_wasm_internal.wasm",
      ),
    },
  ];
}
