// The results of bench:vision as a page shows them.
import { markdown, ms } from "./table.mjs";

const times = (x) => (x < 10 ? x.toFixed(1) : x.toFixed(0));

/** What a busy machine does to milliseconds, most to the longest. */
const noise = ({ load, cores }) =>
  load > cores / 2
    ? `\n\nOther work ran meanwhile, ${load.toFixed(0)} processes on ${cores} cores: the longer a run, the more it is too slow.`
    : "";

export function visionTable(results) {
  const { rows, chromium } = results;
  const cases = [...new Set(rows.map(({ width, height, size }) => `${width}x${height} to ${size}`))];
  const caseOf = ({ width, height, size }) => `${width}x${height} to ${size}`;
  const names = [...new Set(rows.map(({ name }) => name))];
  const find = (name, which) => rows.find((row) => row.name === name && caseOf(row) === which);
  const cell = (name, which) => {
    const row = find(name, which);
    if (row === undefined) return "";
    const own = find("lanewise bilinear", which);
    return name.startsWith("lanewise") || own === undefined ? ms(row.ms) : `${ms(row.ms)} (${times(row.ms / own.ms)}x)`;
  };
  const table = markdown(
    ["ms, minimum of alternating runs; times lanewise bilinear", ...cases],
    names.map((name) => [name, ...cases.map((which) => cell(name, which))]),
  );
  if (!chromium) return table + noise(results);
  const line = chromium.rows.map(({ name, ms: [min, median] }) => [name, ms(min), ms(median)]);
  const page = markdown(
    [`Chromium ${chromium.version}, an ImageBitmap of 1920x1080 to 224, ms`, "minimum", "median"],
    line,
  );
  return `${table}\n\n${page}${noise(results)}`;
}
