// The results of bench:int8 as a page shows them.
import { markdown } from "./table.mjs";

const gops = ({ macs }, time) => (time === undefined ? "" : ((2 * macs) / time.min / 1e6).toFixed(0));

/** Milliseconds of a layer's float32 counterpart: F(4,3) where it does the shape, else the matrix product. */
const floatOf = ({ times }) => times["float winograd43"] ?? times["float gemm"];

export const LAYER_HEAD = [
  "GOP/s",
  "auto",
  "",
  "product",
  "F(4,3)",
  "float32",
  "its F(4,3)",
  "web int8",
  "over float32",
  "over web",
];

export function layerCells(row) {
  const { layer, algorithm, times } = row;
  const over = (other) => (other === undefined ? "" : `${(other.min / times.auto.min).toFixed(2)} x`);
  const sides = ["auto", "product", "winograd43", "float gemm", "float winograd43", "web"];
  const [auto, ...others] = sides.map((side) => gops(row, times[side]));
  return [layer, auto, algorithm.replace("bytes, ", ""), ...others, over(floatOf(row)), over(times.web)];
}

export const OTHER_HEAD = ["µs", "bytes", "float32", "web", "over float32", "over web"];

/** What stands between products. */
export function otherCells({ layer, times: { bytes, floats, web } }) {
  const us = (time) => (time === undefined ? "" : (time.min * 1000).toFixed(time.min < 0.01 ? 1 : 0));
  const over = (other) => (other === undefined ? "" : `${(other.min / bytes.min).toFixed(2)} x`);
  return [layer, us(bytes), us(floats), us(web), over(floats), over(web)];
}

/** Two tables a run. */
export function int8Section({ machine, date, versions, runs }) {
  const { cpu } = machine;
  const head = [
    `${cpu}, one thread, ${date.slice(0, 10)}; onnxruntime-web ${versions["onnxruntime-web"]}. Billions of operations (two a`,
    "multiply-accumulate of the definition) a second, minima of alternating runs; padding, bias and the way back to bytes are in it.",
  ];
  const parts = runs.flatMap(({ variant, node, int8, rows, others }) => [
    "",
    `\`${variant}\`, Node ${node.split(".")[0]}; kernels of bytes: \`${int8.variant}\` (${int8.reason}).`,
    "",
    markdown(["", ...LAYER_HEAD.slice(1)], rows.map(layerCells)),
    ...(others ? ["", markdown(OTHER_HEAD, others.map(otherCells))] : []),
  ]);
  return [...head, ...parts].join("\n");
}

/** CPU time of whole networks, a table a run. */
export function networksSection(runs) {
  return runs
    .flatMap(({ node, machine, date, rows }) => {
      const labels = rows[0].sides.map(({ label }) => label);
      const cells = ({ name, sides, outputs }) => [
        name,
        ...sides.map(({ ms }, i) =>
          i === 0 ? ms.toFixed(3) : `${ms.toFixed(2)} (${(ms / sides[0].ms).toFixed(2)} x)`,
        ),
        ...sides.slice(1).map(({ apart }) => `${apart} of ${outputs}`),
        sides[0].bytes === undefined ? "" : (sides[0].bytes / 2 ** 20).toFixed(2),
      ];
      return [
        `Networks, ${machine.cpu}, Node ${node.slice(1).split(".")[0]}, ${date.slice(0, 10)}: least CPU time of a run in ms by turns, one thread.`,
        "",
        markdown(["", ...labels, ...labels.slice(1).map((label) => `differ from ${label}`), "MB"], rows.map(cells)),
        "",
      ];
    })
    .join("\n");
}
