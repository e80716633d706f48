// What README says of a cold start, from the results of bench:start.
import { markdown, ms } from "../table.mjs";

/** Lines of Markdown. */
export function startSection({ runs, target, wire, rows }) {
  const nodes = [...new Set(rows.map(({ node }) => node))];
  const of = (node, name) => rows.find((row) => row.node === node && name.includes(row.name));
  const times = (row) => row && `${ms(row.median)} (${ms(row.min)})`;
  const ratios = nodes.map((node) => {
    const ratio = of(node, "onnxruntime-web").median / of(node, "lanewise").median;
    return `${ratio.toFixed(1)} times faster than onnxruntime-web under Node ${node}`;
  });
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
