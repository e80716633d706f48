// npm run bench:int8: layers of bytes beside our own float32 ones and onnxruntime-web's, one thread each, taking turns in one process,
// outputs equal byte for byte before they are timed. simd under Node 20 and 24, and what relaxed takes under Node 24: the dot product
// where that is exact (`--no-enable-avx-vnni`: an engine where it is not), else the same kernels of fixed width.
// --only REGEX, --json FILE; --print writes no file.
import { parseArgs } from "node:util";
import { LAYER_HEAD, layerCells, OTHER_HEAD, otherCells } from "./int8-tables.mjs";
import { buildDist, node24, runChild, writeResults } from "./machine.mjs";
import { installPeers, peerVersions } from "./peers/install.mjs";
import { table } from "./table.mjs";

const { values: flags } = parseArgs({
  options: { only: { type: "string" }, json: { type: "string" }, print: { type: "boolean", default: false } },
});
buildDist();
installPeers();
const newer = node24();
const sides = [
  [process.execPath, "simd"],
  ...(newer
    ? [
        [newer, "simd"],
        [newer, "relaxed"],
      ]
    : []),
];
const timing = { rounds: 12, turnMs: 3, budgetMs: 200, warmupMs: 40 };
const runs = [];
for (const [node, variant] of sides) {
  const run = await runChild(node, "int8-child.mjs", { variant, only: flags.only, timing });
  console.log(`${variant}, Node ${run.node}; int8 kernels: ${run.int8.variant}, ${run.int8.reason}`);
  console.log(`${table(LAYER_HEAD, run.rows.map(layerCells))}\n`);
  const { rows: others } = await runChild(node, "int8-bytes-child.mjs", { variant, only: flags.only, timing });
  console.log(`${table(OTHER_HEAD, others.map(otherCells))}\n`);
  runs.push({ ...run, others });
}
if (!flags.print) {
  const results = { versions: peerVersions(["onnxruntime-web"]), runs };
  console.log(`written: ${writeResults("int8", results, flags.json)}`);
}
