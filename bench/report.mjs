// npm run bench:report: the tables and the chart of README and docs/, from the newest results of bench:peers, bench,
// bench --set crossover, bench:start, bench:memory, bench:shapes, bench:models (--loads too), bench:operators, bench:vision, bench:browsers,
// bench:worker, bench:page, test:everywhere and the conformance runs, and the sizes of the
// last build. --check fails on drift; of sizes, on more than 1 %.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { browsersSection } from "./browsers-table.mjs";
import { barChart } from "./chart.mjs";
import { int8Section, networksSection } from "./int8-tables.mjs";
import { loadTable } from "./load-table.mjs";
import { memoryTable } from "./memory-table.mjs";
import { modelMeans, modelsSection } from "./model-tables.mjs";
import { operatorsSection } from "./operator-tables.mjs";
import { pageSection } from "./page-table.mjs";
import { figures, GROUP_HEAD, groupCells, groups, LAYER_HEAD, layerCells } from "./peers/tables.mjs";
import { placesSection } from "./places-table.mjs";
import { shapesTable } from "./shapes-table.mjs";
import { startRatios, startSection } from "./start/section.mjs";
import { markdown, ms, percent } from "./table.mjs";
import { visionTable } from "./vision-table.mjs";
import { workerTable } from "./worker-table.mjs";

const ROOT = new URL("../", import.meta.url);
const RESULTS = new URL("results/", import.meta.url);
const CHART = new URL("results/peers.svg", import.meta.url);
/** What the build writes: { scenarios: [{ name, bytes }] }, gzipped, by what is imported. */
const SIZES = "dist/sizes.json";
/** How far sizes may drift: a byte is no news. */
const SIZE_TOLERANCE = 0.01;

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

/** Links to results files, from a page in docs/. */
function sourceOf(...results) {
  const links = results.filter(Boolean).map(({ file }) => `[${file}](../bench/results/${file})`);
  return `Source: ${links.join(", ")}.`;
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
    "By kernel size, 64 channels, milliseconds; bold is what `auto` picks.",
    "",
    markdown(
      ["kernel", ...columns.flatMap(({ name }) => [`${name}: depthwise`, "FFT"])],
      kernels.map((R) => [`${R}x${R}`, ...columns.flatMap((column) => cells(R, column))]),
    ),
    ...(noisy.length > 0 ? ["", `Noisy: ${noisy.join("; ")}.`] : []),
    "",
  ];
}

/** Every layer beside its peers. */
function layers(peers, bench) {
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
    "![speed against the best web peer, by layer](../bench/results/peers.svg)",
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
    ...(peers.noise ? [`The run beside peers was noisy: ${peers.noise}.`, ""] : []),
    sourceOf(peers, bench),
  ].join("\n");
}

/** README's table: how many times faster, in a row each for groups of layers, networks and a cold start. */
function speed(peers, models, start) {
  const factor = (value) => value?.toFixed(2);
  const all = groups(peers.rows, peers.limits);
  const names = [...new Set(all.map(({ name }) => name))];
  const rows = names.map((name) => {
    const [simd, relaxed] = ["simd", "relaxed"].map((variant) =>
      all.find((group) => group.name === name && group.variant === variant),
    );
    const cells = [simd?.mean, relaxed?.mean, relaxed?.least, relaxed?.native, relaxed?.litert];
    return [`layers: ${name}`, ...cells.map(factor)];
  });
  if (models.every(Boolean)) {
    const { simd, relaxed, count } = modelMeans(...models);
    rows.push([
      `${count} float networks from ONNX files: run`,
      factor(simd.run),
      ...[relaxed.run, relaxed.least, relaxed.native].map(factor),
      "",
    ]);
    rows.push(["the same: first load", "", factor(relaxed.first), factor(relaxed.leastFirst), "", ""]);
  }
  if (start) {
    const [simd, relaxed] = startRatios(start);
    rows.push(["cold start to LeNet-5's first answer", factor(simd), factor(relaxed), "", "", ""]);
  }
  const { cpu } = peers.machine;
  return [
    `Times faster than the best of onnxruntime-web and tfjs-backend-wasm (networks and cold start: onnxruntime-web), one thread, \`simd\` under`,
    `Node 20, \`relaxed\` under Node 24, ${cpu}, ${peers.date.slice(0, 10)}; geometric means. The last three columns are \`relaxed\`'s; native is onnxruntime-node.`,
    "",
    markdown(["", "`simd`", "`relaxed`", "least", "against native", "against LiteRT.js"], rows),
  ].join("\n");
}

/** Bytes by what is imported, and what peers fetch. For a check, what stands stays where it is within the tolerance. */
function sizes(start, standing) {
  const file = new URL(SIZES, ROOT);
  if (!existsSync(file)) throw new Error(`${SIZES} expected from a build, got none: npm run build`);
  const { scenarios } = JSON.parse(readFileSync(file, "utf8"));
  const others = (start?.wire ?? []).filter(({ name }) => !name.startsWith("lanewise"));
  const shown = new Map(
    [...standing.matchAll(/^\| ([^|]+) \| ([\d,]+) \| ([\d,]*) \|$/gm)].map(([, name, ...cells]) => [
      name,
      cells.map((cell) => Number(cell.replace(/,/g, ""))),
    ]),
  );
  const kept = (bytes, before = 0) =>
    flags.check && Math.abs(before - bytes) <= SIZE_TOLERANCE * bytes ? thousands(before) : thousands(bytes);
  const row = ({ name, bytes, files }) => {
    const [small, whole] = shown.get(name) ?? [];
    return [name, kept(bytes, small), kept(files, whole)];
  };
  return markdown(
    ["", "by a bundler", "file by file"],
    [...scenarios.map(row), ...others.map(({ name, bytes }) => [name, "", thousands(bytes)])],
  );
}

const thousands = (n) => n.toLocaleString("en-US");
const allOf = ({ passed, failed, unsupported }) => passed + failed + unsupported;
const conformanceOf = (file) => JSON.parse(readFileSync(new URL(file, RESULTS), "utf8"));

/** README's sentence of the same. */
function conformanceSentence() {
  const operators = conformanceOf("conformance.json");
  const networks = conformanceOf("conformance-models.json");
  const split = ({ ran }) =>
    ran
      ? ` (${thousands(ran.kernels)} on kernels, ${thousands(ran.JavaScript)} in JavaScript, ${thousands(ran.folded)} folded)`
      : "";
  const constant = operators.constants;
  const more = constant
    ? `; with all operands but the first constant, as networks have them, ${thousands(constant.passed)} of ${thousands(allOf(constant))}${split(constant)}`
    : "";
  return [
    `Of ONNX's backend tests of CNN operators ${thousands(operators.passed)} of ${thousands(allOf(operators))} pass${split(operators)}${more}.`,
    `Of real networks ${networks.passed} of ${allOf(networks)} cases agree with their references: [docs/onnx.md](docs/onnx.md#conformance).`,
  ].join("\n");
}

/** What passed, and where operators ran where the run says so. */
function conformance() {
  const [operators, networks] = ["conformance.json", "conformance-models.json"].map(conformanceOf);
  const cells = (name, counts) => [
    name,
    `${thousands(counts.passed)} of ${thousands(allOf(counts))}`,
    ...["kernels", "JavaScript", "folded"].map((place) => counts.ran && thousands(counts.ran[place])),
  ];
  return [
    markdown(
      ["", "passed", "on kernels", "in JavaScript", "folded or after the run"],
      [
        cells("ONNX backend tests of CNN operators, every operand an input of the run", operators),
        ...(operators.constants ? [cells("the same, all operands but the first constant", operators.constants)] : []),
        cells("real networks, by case", networks),
      ],
    ),
    "",
    "Every test: [conformance.json](../bench/results/conformance.json); every network:",
    "[conformance-models.json](../bench/results/conformance-models.json).",
  ].join("\n");
}

const peers = needed("peers");
const bench = needed("bench-foundation");
const crossings = newest("bench-crossover");
const start = newest("start");
const memory = newest("memory");
const operators = newest("operators");
const loads = newest("loads-relaxed");
const shapes = newest("shapes");
const vision = newest("vision");
const worker = newest("worker");
const visits = newest("page");
const browsers = newest("browsers");
const browserThreads = newest("browsers-threads");
const everywhere = newest("everywhere");
const int8 = newest("int8");
const int8Networks = [20, 24].map((node) => newest(`int8-networks-${node}`)).filter(Boolean);
const models = ["simd", "relaxed"].map((variant) => newest(`models-${variant}`));
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

/** Pages, and what stands between two comments of a name in each: a function of what stands there now. */
const PAGES = {
  "README.md": {
    conformance: conformanceSentence,
    sizes: (standing) => sizes(start, standing),
    speed: () => speed(peers, models, start),
  },
  "docs/benchmarks.md": {
    layers: () => layers(peers, bench),
    ...(models.every(Boolean) && { networks: () => `${modelsSection(...models)}\n\n${sourceOf(...models)}` }),
    ...(operators && {
      operators: () => [operatorsSection(operators), "", sourceOf(operators)].join("\n"),
    }),
    ...(browsers && {
      browsers: () => [browsersSection(browsers, browserThreads), "", sourceOf(browsers, browserThreads)].join("\n"),
    }),
    ...(start && { start: () => [...startSection(start), "", sourceOf(start)].join("\n") }),
    ...(visits && { page: () => [pageSection(visits), "", sourceOf(visits)].join("\n") }),
    ...(int8 && { int8: () => [int8Section(int8), "", sourceOf(int8)].join("\n") }),
    ...(int8Networks.length > 0 && {
      "int8-networks": () => [networksSection(int8Networks), sourceOf(...int8Networks)].join("\n"),
    }),
    ...(crossings && { crossover: () => [...crossover(crossings), sourceOf(crossings)].join("\n") }),
  },
  ...(memory && {
    "docs/memory.md": {
      memory: () => [memoryTable(memory.networks), "", sourceOf(memory)].join("\n"),
      ...(loads && { loads: () => [loadTable(loads), "", sourceOf(loads)].join("\n") }),
      ...(shapes && { shapes: () => [shapesTable(shapes.networks), "", sourceOf(shapes)].join("\n") }),
    },
  }),
  ...(worker && { "docs/scaling.md": { worker: () => [workerTable(worker), "", sourceOf(worker)].join("\n") } }),
  ...(vision && { "docs/vision.md": { vision: () => [visionTable(vision), "", sourceOf(vision)].join("\n") } }),
  "docs/onnx.md": { conformance },
  ...(everywhere && {
    "docs/runtimes.md": { everywhere: () => [placesSection(everywhere), "", sourceOf(everywhere)].join("\n") },
  }),
};

const files = new Map([[CHART, [existsSync(CHART) ? readFileSync(CHART, "utf8") : "", chart]]]);
for (const [page, sections] of Object.entries(PAGES)) {
  const url = new URL(page, ROOT);
  const before = readFileSync(url, "utf8");
  let after = before;
  for (const [name, content] of Object.entries(sections)) after = between(after, page, name, content);
  files.set(url, [before, after]);
}
const changed = [...files].filter(([, [before, after]]) => before !== after);
const names = changed.map(([url]) => url.pathname.slice(ROOT.pathname.length)).join(", ");
if (flags.check) {
  console.log(
    changed.length === 0 ? "pages say what results say" : `${names} differ from results: npm run bench:report`,
  );
  process.exitCode = changed.length === 0 ? 0 : 1;
} else {
  for (const [url, [, after]] of changed) writeFileSync(url, after);
  console.log(changed.length === 0 ? "nothing to write" : `written: ${names}`);
}

/** The text with what stands between two comments of a name put anew. */
function between(whole, page, name, content) {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} expected the lines "${begin}" and "${end}"`);
  const standing = whole.slice(from + begin.length, to);
  return `${whole.slice(0, from)}${begin}\n${content(standing)}\n${whole.slice(to)}`;
}
