// Tables of bench:threads: plain for the terminal, and for docs.
import { ms, table } from "./table.mjs";

const times = (value) => (value === undefined ? "" : value.toFixed(2));
const mean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
/** How many times as fast with two threads, by minima and by medians. */
const gain = ({ one, two }, of = "min") => one[of] / two[of];

const CLASSES = [
  ["over 3 ms", (ms) => ms > 3],
  ["1 to 3 ms", (ms) => ms > 1 && ms <= 3],
  ["under 1 ms", (ms) => ms <= 1],
];

/** What two cores and the crew do in the same run. */
export function ceilingLines({ ceilings, crew }) {
  const both = (name, digits = 2) => ceilings.map((ceiling) => ceiling[name].toFixed(digits)).join(" and ");
  return [
    `two cores against one, before and after: multiply-adds ${both("multiplyAdds")}, reads from L2 ${both("readsL2")}, copies ${both("copies")}`,
    `a word to the other core and back: ${both("roundTripNs", 0)} ns; an empty step ${(1e3 * crew.wholeUs).toFixed(0)} ns whole, ${(1e3 * crew.splitUs).toFixed(0)} ns in two units`,
    `from asleep to the first unit: ${crew.wakeUs.toFixed(0)} us, median ${crew.wakeMedianUs.toFixed(0)} us`,
  ];
}

function rowsOf({ layers, models }) {
  const layerRows = layers.rows.map((row) => [row.name, ms(row.one.min), times(gain(row)), times(gain(row, "median"))]);
  const modelRows = models.rows.map((row) => [
    row.name,
    ms(row.one.min),
    times(gain(row)),
    times(gain(row, "median")),
    times(row.rested.one / row.rested.two),
    ...(row.native ? [times(gain(row.native)), times(row.native.two.min / row.two.min)] : ["", ""]),
  ]);
  const means = CLASSES.flatMap(([name, isOne]) => {
    const some = models.rows.filter((row) => isOne(row.one.min));
    if (some.length === 0) return [];
    const rested = mean(some.map((row) => row.rested.one / row.rested.two));
    return [
      [
        name,
        "",
        ...["min", "median"].map((of) => times(mean(some.map((row) => gain(row, of))))),
        times(rested),
        "",
        "",
      ],
    ];
  });
  return { layerRows, modelRows: [...modelRows, ...means] };
}

const LAYER_HEAD = ["layer", "ms, one thread", "two: times as fast", "by medians"];
const MODEL_HEAD = [
  "network",
  "ms, one thread",
  "two: times as fast",
  "by medians",
  "rested",
  "native's gain",
  "native / ours",
];

/** Layers, and networks with means by class. */
export function threadTables(found, draw = table) {
  const { layerRows, modelRows } = rowsOf(found);
  return [
    ...(layerRows.length > 0 ? [draw(LAYER_HEAD, layerRows)] : []),
    ...(modelRows.length > 0 ? [draw(MODEL_HEAD, modelRows)] : []),
  ];
}

/** Of how many threads there are not here. */
export function simulationTable({ rows }, draw = table) {
  const counts = Object.keys(rows[0]?.speedups ?? {});
  const means = counts.map((count) => times(mean(rows.map(({ speedups }) => speedups[count]))));
  return draw(
    ["simulated", "ms, one thread", ...counts.map((count) => `${count} threads`)],
    [
      ...rows.map((row) => [row.name, ms(row.ms), ...counts.map((count) => times(row.speedups[count]))]),
      ["geometric mean", "", ...means],
    ],
  );
}

/** Steps under this are as long as their measurement. */
const LEAST_NS = 2000;

/** Estimates of src/plan/cost.ts beside measured steps, by kernel. */
export function costTable({ variant, rows }) {
  const byKernel = new Map();
  const steps = rows.flatMap((row) => row.steps.map((step) => ({ ...step, network: row.name })));
  for (const step of steps.filter(({ ns }) => ns > LEAST_NS))
    byKernel.set(step.kernel, [...(byKernel.get(step.kernel) ?? []), step]);
  const off = ({ estimate, ns }) => Math.max(estimate / ns, ns / estimate);
  const line = (name, some) => {
    const factors = some.map(off).sort((a, b) => a - b);
    const worst = some.reduce((a, b) => (off(b) > off(a) ? b : a));
    const at = (share) => times(factors[Math.min(factors.length - 1, Math.floor(share * factors.length))]);
    const total = some.reduce((sum, { estimate }) => sum + estimate, 0) / some.reduce((sum, { ns }) => sum + ns, 0);
    return [
      name,
      some.length,
      times(total),
      at(0.5),
      at(0.9),
      at(1),
      `${worst.network}, ${(worst.ns / 1e3).toFixed(1)} us`,
    ];
  };
  const lines = [...byKernel].sort((a, b) => b[1].length - a[1].length).map(([name, some]) => line(name, some));
  return table(
    [`${variant}, steps over 2 us`, "steps", "sum", "median factor", "of 90 %", "worst", "which"],
    [...lines, line("all", [...byKernel.values()].flat())],
  );
}
