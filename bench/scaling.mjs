// npm run bench:scaling: time against work, as one size grows in steps that are not round. A line is fitted to the logarithms of
// both; a point far above it is a cliff: a cache that overflows, strides that collide, tails. --variant, --json FILE.
import { parseArgs } from "node:util";
import { buildLimit } from "./limit.mjs";
import { buildDist, node24, runChild, writeResults } from "./machine.mjs";
import { ms, table } from "./table.mjs";

/** A point may take this much more than the line says. */
const TARGET = 1.25;
const SUSPECT = 1.12;
const PASSES = 4;
const TIMING = { rounds: 30, turnMs: 2, budgetMs: 250, warmupMs: 20 };

const PIXELS = [28, 30, 32, 33, 40, 48, 55, 56, 57, 63, 64, 65, 80, 96, 112, 127, 128];
const CHANNELS = [48, 56, 64, 65, 72, 96, 120, 127, 128, 136, 160, 192, 250, 255, 256, 257, 320, 384, 512];

const conv = (kernel, C, M, at, groups = 1) => ({
  N: 1,
  C,
  H: at,
  W: at,
  M,
  R: kernel,
  S: kernel,
  P: at,
  Q: at,
  stride: 1,
  dilation: 1,
  padding: [kernel >> 1, kernel >> 1],
  groups,
  macs: (at * at * M * C * kernel * kernel) / groups,
});
const series = (name, algorithm, sizes, layer) => ({
  name,
  algorithm,
  layers: sizes.map((size) => ({ name: `${name} ${size}`, size, ...layer(size) })),
});
/** What grows, by which algorithm. */
const SERIES = [
  series("3x3 64@H", "implicit-gemm", PIXELS, (at) => conv(3, 64, 64, at)),
  series("3x3 64@H", "winograd43", PIXELS, (at) => conv(3, 64, 64, at)),
  series("3x3 64@H", "auto", PIXELS, (at) => conv(3, 64, 64, at)),
  series("3x3 C=M@28", "implicit-gemm", CHANNELS, (C) => conv(3, C, C, 28)),
  series("3x3 C=M@28", "winograd43", CHANNELS, (C) => conv(3, C, C, 28)),
  series("3x3 C=M@28", "auto", CHANNELS, (C) => conv(3, C, C, 28)),
  series("1x1 C=M@28", "implicit-gemm", CHANNELS, (C) => conv(1, C, C, 28)),
  series("1x1 128-M@28", "implicit-gemm", CHANNELS, (M) => conv(1, 128, M, 28)),
  series("3x3 64-M@28", "winograd43", CHANNELS, (M) => conv(3, 64, M, 28)),
  series("dw3x3 C@28", "depthwise", CHANNELS, (C) => conv(3, C, C, 28, C)),
  series("dw3x3 96@H", "depthwise", PIXELS, (at) => conv(3, 96, 96, at, 96)),
];

const { values: flags } = parseArgs({ options: { variant: { type: "string" }, json: { type: "string" } } });
buildDist();
await buildLimit();
const newer = node24();
const runs = [
  [process.execPath, "simd"],
  [newer, "relaxed"],
].filter(([node, variant]) => node !== undefined && (flags.variant ?? variant) === variant);

const results = [];
for (const [node, variant] of runs) {
  for (const { name, algorithm, layers } of SERIES) {
    const points = new Map();
    let line;
    // What looks like a cliff is measured again: a neighbour on the machine makes one too.
    for (let pass = 0, open = layers; pass < PASSES && open.length > 0; pass++) {
      const { rows, failures } = await runChild(node, "child.mjs", {
        variant,
        layers: open,
        algorithms: [algorithm],
        timing: TIMING,
      });
      if (failures.length > 0) throw new Error(failures[0]);
      for (const { layer, algorithms } of rows) {
        const known = points.get(layer.size)?.ms ?? Infinity;
        points.set(layer.size, { size: layer.size, macs: layer.macs, ms: Math.min(known, algorithms[algorithm].min) });
      }
      line = fitLine([...points.values()]);
      open = layers.filter(({ size }) => line.rows.find((row) => row.size === size).over > SUSPECT);
    }
    results.push({ variant, name, algorithm, ...line });
  }
}
console.log(
  table(
    ["", "", "", "slope", "worst point", "ms", "over the line"],
    results.map(({ variant, name, algorithm, slope, worst }) => [
      variant,
      name,
      algorithm,
      slope.toFixed(2),
      worst.size,
      ms(worst.ms),
      worst.over.toFixed(2),
    ]),
  ),
);
const cliffs = results.flatMap(({ variant, name, algorithm, rows }) =>
  rows
    .filter(({ over }) => over > TARGET)
    .map(({ size, over }) => `${variant} ${name} ${algorithm}: ${size} takes ${over.toFixed(2)} of the line`),
);
for (const cliff of cliffs) console.log(cliff);
console.log(`none over ${TARGET} times its line: ${cliffs.length === 0 ? "reached" : "NOT reached"}`);
console.log(`written: ${writeResults("scaling", { target: TARGET, series: results }, flags.json)}`);

/** Least squares of log time over log work. */
function fitLine(points) {
  const [x, y] = [points.map(({ macs }) => Math.log(macs)), points.map((point) => Math.log(point.ms))];
  const mean = (values) => values.reduce((a, b) => a + b) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const covariance = mean(x.map((xi, i) => (xi - mx) * (y[i] - my)));
  const slope = covariance / mean(x.map((xi) => (xi - mx) ** 2));
  const rows = points.map((point, i) => ({ ...point, over: Math.exp(y[i] - my - slope * (x[i] - mx)) }));
  return { slope, worst: rows.reduce((a, b) => (b.over > a.over ? b : a)), rows };
}
