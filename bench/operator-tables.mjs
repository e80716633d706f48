// What bench:operators prints, and its table in docs/benchmarks.md.
import { markdown, ms, table } from "./table.mjs";

/** Slower than this, as a share of onnxruntime-web's time, is a cliff. */
const TARGET = 1.2;
const SHOWN = 20;

const HEAD = ["operator", "ms", "onnxruntime-web", "of its time", "computed by"];

const shareOf = ({ times }) => times.lanewise.min / times["ort-web"].min;
const byShare = (rows) => [...rows].sort((a, b) => shareOf(b) - shareOf(a));

function cells(row) {
  const { name, place, times } = row;
  return [name, ms(times.lanewise.min), ms(times["ort-web"].min), shareOf(row).toFixed(2), place];
}

const countSlow = (rows) => rows.filter((row) => shareOf(row) > TARGET).length;

/** Every row, the worst first. */
export function operatorsText({ rows }) {
  return `${table(HEAD, byShare(rows).map(cells))}\n${countSlow(rows)} of ${rows.length} slower than ${TARGET}`;
}

/** The worst, and how many there are. */
export function operatorsSection({ rows, failures, variant, node, versions }) {
  const shares = rows.map(shareOf).sort((a, b) => a - b);
  const operators = new Set(rows.map(({ name }) => name.split(/[ ,]/)[0])).size;
  const refused = failures.length > 0 ? ` Not compared: ${failures.map((text) => text.split(":")[0]).join(", ")}.` : "";
  return [
    `${operators} operators in ${rows.length} forms, mostly of 200,704 elements, \`${variant}\` under Node ${node.split(".")[0]}, onnxruntime-web`,
    `${versions["onnxruntime-web"]}, minima of alternating runs with inputs copied in. Median: ${shares[shares.length >> 1].toFixed(2)} of its time; ${countSlow(rows)} take more`,
    `than ${TARGET} of it.${refused} The ${SHOWN} worst:`,
    "",
    markdown(HEAD, byShare(rows).slice(0, SHOWN).map(cells)),
  ].join("\n");
}
