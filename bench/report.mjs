// npm run bench:report: README's tables and chart, from the newest results of bench:peers, bench, bench --set crossover,
// bench:start and bench:models. --check fails on drift.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { barChart } from "./chart.mjs";
import { modelsSection } from "./model-tables.mjs";
import { figures, GROUP_HEAD, groupCells, groups, LAYER_HEAD, layerCells } from "./peers/tables.mjs";
import { startSection } from "./start/section.mjs";
import { markdown, ms, percent } from "./table.mjs";

const README = new URL("../README.md", import.meta.url);
const RESULTS = new URL("results/", import.meta.url);
const CHART = new URL("results/peers.svg", import.meta.url);

const { values: flags } = parseArgs({ options: { check: { type: "boolean", default: false } } });

/** The newest results file of one kind; machines' names come before the date, so sort by what is inside. */
function newest(what) {
  const files = readdirSync(RESULTS).filter((file) => file.endsWith(`-${what}.json`));
  const results = files.map((file) => ({ file, ...JSON.parse(readFileSync(new URL(file, RESULTS), "utf8")) }));
  return results.sort((a, b) => (a.date < b.date ? 1 : -1))[0];
}

function needed(what) {
  const found = newest(what);
  if (found === undefined)
    throw new Error(`bench/results expected a file ending in -${what}.json: run the bench first`);
  return found;
}

/** The depthwise kernel beside FFT by kernel size: simd under Node 20, relaxed under Node 24. */
function crossover({ runs }) {
  const shown = [runs.find(({ variant }) => variant === "simd"), runs.find(({ variant }) => variant === "relaxed")];
  const columns = shown.filter(Boolean).flatMap(({ variant, rows }) => {
    const widths = [...new Set(rows.map(({ layer }) => layer.W))];
    return widths.map((W) => ({ name: `${variant} @${W}`, rows: rows.filter(({ layer }) => layer.W === W) }));
  });
  const kernels = [...new Set(columns.flatMap(({ rows }) => rows.map(({ layer }) => layer.R)))];
  const cells = (R, { rows }) => {
    const { algorithms, pick } = rows.find(({ layer }) => layer.R === R);
    return ["depthwise", "fft"].map((name) => {
      const time = ms(algorithms[name].min);
      return name === pick ? `**${time}**` : time;
    });
  };
  const noisy = shown.flatMap((run) => (run?.noise ? [`\`${run.variant}\`: ${run.noise}`] : []));
  return [
    markdown(
      ["kernel", ...columns.flatMap(({ name }) => [`${name}: depthwise`, "FFT"])],
      kernels.map((R) => [`${R}x${R}`, ...columns.flatMap((column) => cells(R, column))]),
    ),
    ...(noisy.length > 0 ? ["", `Noisy: ${noisy.join("; ")}.`] : []),
    "",
  ];
}

function section(peers, bench, sizes, start) {
  const { cpu, cores } = peers.machine;
  const { chromium } = peers.engines;
  const versions = Object.entries(peers.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const limits = bench.runs.map(({ variant, node, limit, noise, rows }) => {
    const gemm = rows
      .map(({ layer, algorithms }) => `${layer.name} ${percent(algorithms["implicit-gemm"].gflops / limit.gflops)}`)
      .join(", ");
    return `- \`${variant}\`, Node ${node.split(".")[0]}, ${limit.gflops.toFixed(1)} GFLOP/s: ${gemm}${noise ? ` (noisy: ${noise})` : ""}`;
  });
  return [
    `${cpu}, ${cores} virtual cores, one thread, ${peers.date.slice(0, 10)}; ${versions}. Minimum of alternating runs, weights prepared,`,
    `channels-last for us and TensorFlow.js, NCHW for onnxruntime; \`simd\` under Node 20, \`relaxed\` under Node 24, each against the best of`,
    "onnxruntime-web and tfjs-backend-wasm under either Node. Native is onnxruntime-node (AVX-512 where the machine has it).",
    ...(chromium
      ? [
          `LiteRT.js (CPU accelerator, XNNPACK) and \`relaxed\` beside it ran in one page of headless Chromium ${chromium}.`,
        ]
      : []),
    "",
    "![speed against the best web peer, by layer](bench/results/peers.svg)",
    "",
    'Times faster, geometric means; "at the machine\'s limit" is what a kernel without any loss would get here:',
    "",
    markdown(GROUP_HEAD, groups(peers.rows, peers.limits).map(groupCells)),
    "",
    "<details><summary>Every layer</summary>",
    "",
    markdown(
      LAYER_HEAD,
      peers.rows.map((row) => layerCells(row, peers.limits)),
    ),
    "",
    "</details>",
    "",
    "Implicit GEMM's share of the machine's limit (independent multiply-adds, same run):",
    "",
    ...limits,
    "",
    `Sizes: simd.wasm ${bench.sizes.simdWasm} B, relaxed.wasm ${bench.sizes.relaxedWasm} B, default entry with one binary ${bench.sizes.entryGzip} B gzip.`,
    ...(peers.noise ? ["", `The run beside peers was noisy: ${peers.noise}.`] : []),
    "",
    ...(start ? [...startSection(start), ""] : []),
    ...(sizes
      ? [
          "<details><summary>Depthwise kernel or FFT by kernel size, 64 channels, milliseconds; bold is what auto picks</summary>",
          "",
          ...crossover(sizes),
          "</details>",
          "",
        ]
      : []),
    `Source: ${[peers, bench, sizes, start]
      .filter(Boolean)
      .map(({ file }) => `[${file}](bench/results/${file})`)
      .join(", ")}.`,
  ].join("\n");
}

const peers = needed("peers");
const bench = needed("bench-foundation");
const sizes = newest("bench-crossover");
const start = newest("start");
const chart = barChart({
  title: "Times faster than the best of onnxruntime-web and tfjs-backend-wasm",
  note: `${peers.machine.cpu}, 1 thread, ${peers.date.slice(0, 10)}`,
  series: ["lanewise simd, Node 20", "lanewise relaxed, Node 24", "native onnxruntime", "LiteRT.js, Chromium"],
  rows: peers.rows.map((row) => {
    const { web, native, litert, simd, relaxed } = figures(row, peers.limits);
    const others = [native, litert].map((side) => side && web.min / side.min);
    return { label: row.layer.name, values: [simd?.overPeer, relaxed?.overPeer, ...others] };
  }),
});

const readme = readFileSync(README, "utf8");
const models = ["simd", "relaxed"].map((variant) => newest(`models-${variant}`));
let written = between(readme, "bench", section(peers, bench, sizes, start));
if (models.every(Boolean)) written = between(written, "bench:models", modelsSection(...models));
if (flags.check) {
  const isSame = written === readme && readFileSync(CHART, "utf8") === chart;
  console.log(
    isSame ? "README.md says what bench/results say" : "README.md differs from bench/results: run npm run bench:report",
  );
  process.exitCode = isSame ? 0 : 1;
} else {
  writeFileSync(CHART, chart);
  writeFileSync(README, written);
  console.log(`written: README.md and ${CHART.pathname}`);
}

/** The text with what stands between two comments of a name put anew. */
function between(whole, name, content) {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md expected the lines "${begin}" and "${end}"`);
  return `${whole.slice(0, from)}${begin}\n${content}\n${whole.slice(to)}`;
}
