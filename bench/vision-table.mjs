// The results of bench:vision as a page shows them.
import { markdown, ms } from "./table.mjs";

const times = (x) => (x < 10 ? x.toFixed(1) : x.toFixed(0));

export function visionTable({ rows, chromium }) {
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
  if (!chromium) return table;
  const line = chromium.rows.map(({ name, ms: [min, median] }) => [name, ms(min), ms(median)]);
  const page = markdown(
    [`Chromium ${chromium.version}, an ImageBitmap of 1920x1080 to 224, ms`, "minimum", "median"],
    line,
  );
  return `${table}\n\n${page}`;
}
