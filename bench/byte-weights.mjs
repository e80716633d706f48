// npm run bench:weights: fully connected layers on weights of float32, of 8 bits, of 16 and of float16, in one process by turns:
// milliseconds, the least of all runs, bytes held, and the largest error as a share of the largest output. --seconds N for each layer,
// --variant simd|relaxed, --only float16 for that alone beside float32.
import { parseArgs } from "node:util";
import { createModel, createRuntime, Graph } from "../dist/index.js";
import { loadQuantizedWeights } from "../dist/onnx.js";
import { normals } from "./data.mjs";

/** [rows, K, M] */
const LAYERS = [
  [1, 4096, 4096],
  [1, 9216, 4096],
  [1, 1280, 1000],
  [2, 4096, 4096],
  [4, 4096, 4096],
  [8, 4096, 4096],
  [16, 4096, 4096],
  [49, 320, 1280],
  [196, 512, 512],
];

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    variant: { type: "string", default: "auto" },
    only: { type: "string" },
  },
});
const TYPES = flags.only ? [flags.only] : ["int8", "int16", "float16"];
const SIDES = [undefined, ...TYPES];
const rt = await createRuntime({ variant: flags.variant });
await loadQuantizedWeights(rt);
console.log(`${rt.variant}, ${process.version}\n`);
const heads = ["ms", "MB"].flatMap((unit) => ["float32", ...TYPES].map((type) => `${type} ${unit}`));
const head = ["rows x K x M", ...heads, ...TYPES.map((type) => `${type} error`)];
console.log(`| ${head.join(" | ")} |\n| --- |${" ---: |".repeat(head.length - 1)}`);
for (const layer of LAYERS) compare(layer);
rt.dispose();

function compare([rows, K, M]) {
  const all = normals(rows * K + K * M + M, "weights");
  const [x, w, b] = [all.slice(0, rows * K), all.slice(rows * K, -M), all.slice(-M)];
  const float = (shape, data) => ({ shape, dtype: "float32", data });
  const models = SIDES.map((quantizeWeights) => {
    const g = new Graph();
    const weight = [g.parameter("w", [M, K]), g.parameter("b", [M])];
    g.output("y", g.linear(g.input("x", [rows, K]), ...weight));
    return createModel(rt, g, { w: float([M, K], w), b: float([M], b) }, quantizeWeights ? { quantizeWeights } : {});
  });
  const input = rt.tensor(x, [rows, K]);
  const answers = models.map((model) => model.run({ x: input }).y.toArray());
  const most = (list) => list.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const errors = answers.map((y) => most(y.map((v, i) => v - answers[0][i])) / most(answers[0]));
  const least = models.map(() => Infinity);
  const end = performance.now() + 1000 * Number(flags.seconds);
  while (performance.now() < end) {
    models.forEach((model, i) => {
      const begin = performance.now();
      model.run();
      least[i] = Math.min(least[i], performance.now() - begin);
    });
  }
  const cells = [
    `${rows} x ${K} x ${M}`,
    ...least.map((ms) => ms.toFixed(3)),
    ...models.map((model) => (model.plan.totalBytes / 1e6).toFixed(1)),
    ...errors.slice(1).map((error) => error.toExponential(1)),
  ];
  console.log(`| ${cells.join(" | ")} |`);
  input.dispose();
  for (const model of models) model.dispose();
}
