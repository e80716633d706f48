// Cases of recurrent-cases.mjs under Node 24: node bench/recurrent-child.mjs '<job as JSON>'; progress to stderr, the last line of
// stdout is the result.
import { readFileSync } from "node:fs";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { progressBar } from "../scripts/progress.mjs";
import { timeInTurns } from "./harness.mjs";
import { difference } from "./model-cases.mjs";
import { ortWeb } from "./peers/sides.mjs";
import { recurrentCases } from "./recurrent-cases.mjs";

/** Of the largest output. */
const TOLERANCE = 1e-4;

const { variant, timing } = JSON.parse(process.argv[2]);
const wasm = new WebAssembly.Module(readFileSync(new URL(`../dist/wasm/${variant}.wasm`, import.meta.url)));
const { ort, options } = await ortWeb();
const cases = recurrentCases();
const bar = progressBar(`bench:recurrent ${variant}`, cases.length);
const rows = [];
for (const [i, { name, file, feeds }] of cases.entries()) {
  bar(i);
  const rt = await createRuntime({ variant, wasm });
  const model = await loadOnnx(rt, file);
  const session = await ort.InferenceSession.create(file, options);
  const theirs = Object.fromEntries(
    Object.entries(feeds).map(([input, { type, shape, data }]) => [input, new ort.Tensor(type, data, shape)]),
  );
  const answers = model.run(feeds);
  const expected = await session.run(theirs);
  const names = model.outputs.map((output) => output.name);
  const error = difference(
    names.map((output) => ({ shape: answers[output].shape, data: answers[output].toArray() })),
    names.map((output) => ({ shape: expected[output].dims, data: expected[output].data })),
  );
  if (!(error <= TOLERANCE)) throw new Error(`${name}: off by ${error} of the largest`);
  const times = await timeInTurns(
    [
      { name: "lanewise", run: () => model.run(feeds) },
      { name: "ort-web", isAsync: true, run: () => session.run(theirs) },
    ],
    timing,
  );
  rows.push({ name, error, times: Object.fromEntries(times) });
  await session.release();
  rt.dispose();
}
bar(cases.length);
console.log(JSON.stringify({ node: process.versions.node, rows }));
process.exit(0); // an engine may keep the process waiting
