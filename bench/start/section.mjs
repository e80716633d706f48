// What pages say of a cold start, from the results of bench:start.
import { markdown, ms } from "../table.mjs";

const nodesOf = (rows) => [...new Set(rows.map(({ node }) => node))];
const find = (rows, node, name) => rows.find((row) => row.node === node && name.includes(row.name));

/** Times faster than onnxruntime-web, by Node version. */
export function startRatios({ rows }) {
  return nodesOf(rows).map((node) => find(rows, node, "onnxruntime-web").median / find(rows, node, "lanewise").median);
}

/** Lines of Markdown. */
export function startSection({ runs, target, wire, rows }) {
  const nodes = nodesOf(rows);
  const of = (node, name) => find(rows, node, name);
  const times = (row) => row && `${ms(row.median)} (${ms(row.min)})`;
  const found = startRatios({ rows });
  const ratios = nodes.map((node, i) => `${found[i].toFixed(1)} times faster than onnxruntime-web under Node ${node}`);
  return [
    `From import to LeNet-5's first answer in a fresh process, ms, median of ${runs} (minimum), and what a page fetches before the model:`,
    "",
    markdown(
      ["", ...nodes.map((node) => `Node ${node}`), "bytes, gzip"],
      wire.map(({ name, bytes }) => [
        name,
        ...nodes.map((node) => times(of(node, name))),
        bytes.toLocaleString("en-US"),
      ]),
    ),
    "",
    `${ratios.join(", ")}; the target is ${Math.round(1 / target)}.`,
  ];
}
