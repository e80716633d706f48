// What bench:models --loads prints, and the table of it in docs/memory.md.
import { markdown, ms } from "./table.mjs";

const HEAD = [
  "network",
  "file MB",
  "first load ms",
  "ort-web",
  "x web",
  "later ms",
  "ort-web",
  "x web",
  "held / file",
  "small",
  "fast",
  "ort-web",
  "peak / held",
];

const mean = (ratios) => Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);

/** More than 1 is faster than onnxruntime-web. */
function figures({ sides: { lanewise, "ort-web": web } }) {
  return { first: web.firstLoadMs / lanewise.firstLoadMs, later: web.load.min / lanewise.load.min };
}

function cells(row) {
  const { name, isFloat, fileBytes, memories, sides } = row;
  const { lanewise, "ort-web": web } = sides;
  const { first, later } = figures(row);
  const share = (bytes) => (bytes / fileBytes).toFixed(2);
  return [
    isFloat ? name : `${name} (int8)`,
    (fileBytes / 1e6).toFixed(fileBytes < 1e7 ? 2 : 1),
    ...[lanewise, web].map(({ firstLoadMs }) => ms(firstLoadMs)),
    first.toFixed(2),
    ...[lanewise, web].map(({ load }) => ms(load.min)),
    later.toFixed(2),
    ...[lanewise, memories.small, memories.fast].map(({ plannedBytes }) => share(plannedBytes)),
    share(web.wasmBytes),
    (lanewise.peakBytes / lanewise.plannedBytes).toFixed(2),
  ];
}

export function loadTable({ rows }) {
  if (rows.length === 0) return "";
  const of = (key) => mean(rows.map((row) => figures(row)[key])).toFixed(2);
  const means = ["geometric mean", "", "", "", of("first"), "", "", of("later"), "", "", "", "", ""];
  return markdown(HEAD, [...rows.map(cells), means]);
}
