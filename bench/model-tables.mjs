// What bench:models prints, and the tables of it in docs/benchmarks.md and README.
import { markdown, ms, table } from "./table.mjs";

/** Times faster than onnxruntime-web over the float networks (geometric mean, and each), by binary. */
export const TARGETS = { simd: { mean: 2.2, each: 1 }, relaxed: { mean: 3.5, each: 1.5 } };
/** Our load beside onnxruntime-web's session, and our peak beside its memory; plan beside peak. */
const LOAD_TARGET = 1 / 2;
const MEMORY_TARGET = { share: 1 / 2, models: 0.75 };
const PLAN_TOLERANCE = 1.05;

const HEAD = [
  "model",
  "run ms",
  "ort-web",
  "native",
  "x web",
  "x native",
  "load ms",
  "ort-web",
  "native",
  "x web",
  "first load",
  "ort-web",
  "plan MB",
  "peak",
  "wasm",
  "ort-web",
  "x web",
];

const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 2 : 1);
const times = (ratio) => `${ratio.toFixed(2)}`;
const mean = (ratios) => Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);

/** A row's ratios; more than 1 is better for us. */
function figures({ sides: { lanewise, "ort-web": web, "ort-native": native } }) {
  return {
    run: web.run.median / lanewise.run.median,
    native: native.run.median / lanewise.run.median,
    first: web.firstLoadMs / lanewise.firstLoadMs,
    load: web.load.median / lanewise.load.median,
    memory: web.wasmBytes / lanewise.wasmBytes,
  };
}

function cells(row) {
  const { lanewise, "ort-web": web, "ort-native": native } = row.sides;
  const ratio = figures(row);
  return [
    row.isFloat ? row.name : `${row.name} (int8)`,
    ...[lanewise, web, native].map(({ run }) => ms(run.median)),
    times(ratio.run),
    times(ratio.native),
    ...[lanewise, web, native].map(({ load }) => ms(load.median)),
    times(ratio.load),
    ...[lanewise, web].map(({ firstLoadMs }) => ms(firstLoadMs)),
    ...[lanewise.plannedBytes, lanewise.peakBytes, lanewise.wasmBytes, web.wasmBytes].map(megabytes),
    times(ratio.memory),
  ];
}

function means(rows, name) {
  const ratios = rows.map(figures);
  const of = (key) => times(mean(ratios.map((ratio) => ratio[key])));
  return [name, "", "", "", of("run"), of("native"), "", "", "", of("load"), "", "", "", "", "", "", of("memory")];
}

function allRows(rows) {
  const floats = rows.filter(({ isFloat }) => isFloat);
  return [
    ...rows.map(cells),
    ...(floats.length > 0 ? [means(floats, "geometric mean, float")] : []),
    ...(rows.length > 0 ? [means(rows, "geometric mean, all")] : []),
  ];
}

/** What was reached, a line each. */
function verdicts({ variant, rows }) {
  const floats = rows.filter(({ isFloat }) => isFloat).map((row) => ({ name: row.name, ...figures(row) }));
  const all = rows.map((row) => ({ ...row.sides.lanewise, name: row.name, ...figures(row) }));
  const { mean: wanted, each } = TARGETS[variant];
  const line = (what, missed) =>
    `${what}: ${missed.length === 0 ? "reached" : `NOT reached: ${missed.map(({ name }) => name).join(", ")}`}`;
  const overall = mean(floats.map(({ run }) => run));
  const small = all.filter(({ memory }) => memory >= 1 / MEMORY_TARGET.share);
  return [
    `run, float networks: ${times(overall)} times faster, target ${wanted}: ${overall >= wanted ? "reached" : "NOT reached"}`,
    line(
      `run, each float network at least ${each}`,
      floats.filter(({ run }) => run < each),
    ),
    line(
      "first load, with the engine's start, at most half of onnxruntime-web's",
      all.filter(({ first }) => first < 1 / LOAD_TARGET),
    ),
    line(
      "later loads, at most half of onnxruntime-web's",
      all.filter(({ load }) => load < 1 / LOAD_TARGET),
    ),
    line(
      "peak within 5 % of the plan",
      all.filter(({ peakBytes, plannedBytes }) => peakBytes > PLAN_TOLERANCE * plannedBytes),
    ),
    `memory at most half of onnxruntime-web's: ${small.length} of ${all.length} networks, target three quarters`,
  ];
}

export function modelTables(results) {
  if (results.rows.length === 0) return "";
  return [`\n${results.variant}, Node ${results.node}`, table(HEAD, allRows(results.rows)), ...verdicts(results)].join(
    "\n",
  );
}

const PAGE_HEAD = [
  "model",
  "`simd` ms",
  "x web",
  "x native",
  "`relaxed` ms",
  "x web",
  "x native",
  "first load ms",
  "x web",
  "later ms",
  "x web",
  "MB",
  "x web",
];

/** The page's table: runs by both binaries, loads and linear memory by the second. */
export function modelsSection(simd, relaxed) {
  const runOf = (row) => {
    const { run, native } = figures(row);
    return [ms(row.sides.lanewise.run.median), times(run), times(native)];
  };
  const rows = relaxed.rows.flatMap((row) => {
    const other = simd.rows.find(({ name }) => name === row.name);
    if (other === undefined) return [];
    const { first, load, memory } = figures(row);
    const { lanewise } = row.sides;
    const name = row.isFloat ? row.name : `${row.name} (int8)`;
    const loads = [ms(lanewise.firstLoadMs), times(first), ms(lanewise.load.median), times(load)];
    const loaded = [...loads, megabytes(lanewise.wasmBytes), times(memory)];
    return [[name, ...runOf(other), ...runOf(row), ...loaded]];
  });
  const meanOf = (results, key) =>
    times(mean(results.rows.filter(({ isFloat }) => isFloat).map((row) => figures(row)[key])));
  const runs = [simd, relaxed].flatMap((results) => ["", meanOf(results, "run"), meanOf(results, "native")]);
  const others = ["first", "load", "memory"].flatMap((key) => ["", meanOf(relaxed, key)]);
  const last = ["geometric mean, float", ...runs, ...others];
  const noisy = [simd, relaxed].flatMap(({ variant, noise }) => (noise ? [`\`${variant}\`: ${noise}`] : []));
  return [
    `Times faster than onnxruntime-web ${relaxed.versions["onnxruntime-web"]} (wasm) and onnxruntime ${relaxed.versions["onnxruntime-node"]} (native), one thread each: \`simd\` under Node`,
    `${major(simd)}, \`relaxed\` under Node ${major(relaxed)}, ${relaxed.machine.cpu}, ${relaxed.date.slice(0, 10)}. Medians of alternating runs on the same inputs, plain data in;`,
    "loads and linear memory with `relaxed`: the first load of a fresh process with the start of the engine, later ones in the same process, all from the file's bytes; all linear memory after the first load and a run.",
    "",
    markdown(PAGE_HEAD, [...rows, last]),
    ...(noisy.length > 0 ? ["", `Noisy: ${noisy.join("; ")}.`] : []),
  ].join("\n");
}

/** Geometric means over the float networks, of both binaries, and how many there are. */
export function modelMeans(...results) {
  const [simd, relaxed] = results.map(({ rows }) => {
    const ratios = rows.filter(({ isFloat }) => isFloat).map(figures);
    const of = (key) => ratios.map((ratio) => ratio[key]);
    return {
      run: mean(of("run")),
      least: Math.min(...of("run")),
      native: mean(of("native")),
      first: mean(of("first")),
      leastFirst: Math.min(...of("first")),
    };
  });
  return { simd, relaxed, count: results[1].rows.filter(({ isFloat }) => isFloat).length };
}

function major({ node }) {
  return node.split(".")[0];
}
