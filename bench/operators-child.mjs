// Cases of operator-cases.mjs under the Node that runs this: node bench/operators-child.mjs '<job as JSON>'; progress to
// stderr, the last line of stdout is the result.
import { readFileSync } from "node:fs";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { progressBar } from "../scripts/progress.mjs";
import { timeInTurns } from "./harness.mjs";
import { difference } from "./model-cases.mjs";
import { OPERATOR_CASES } from "./operator-cases.mjs";
import { operatorModel } from "./peers/onnx.mjs";
import { ortWeb } from "./peers/sides.mjs";

const { variant, timing, only } = JSON.parse(process.argv[2]);
const wasm = new WebAssembly.Module(readFileSync(new URL(`../dist/wasm/${variant}.wasm`, import.meta.url)));
const web = await ortWeb();
const [rows, failures] = [[], []];
const cases = OPERATOR_CASES.filter(({ name }) => new RegExp(only).test(name));
const bar = progressBar(`bench:operators ${variant}`, cases.length);
for (const [i, one] of cases.entries()) {
  bar(i);
  try {
    rows.push(await rowOf(one));
  } catch (error) {
    failures.push(`${one.name}: ${error.message.split("\n")[0]}`);
  }
}
bar(cases.length);
console.log(JSON.stringify({ node: process.versions.node, rows, failures }));
process.exit(0); // an engine may keep the process waiting

async function rowOf({ name, tolerance, ...one }) {
  const bytes = operatorModel(one);
  const given = one.operands.filter((operand) => operand && !operand.isConstant);
  const sides = [await onnxruntime(bytes, given, one.outputs), await lanewise(bytes, given)];
  try {
    for (const { run } of sides) await run();
    const [expected, answers] = sides.map(({ answers }) => answers());
    const error = difference(answers, expected);
    if (!(error <= tolerance)) throw new Error(`off by ${error} of the largest`);
    const times = Object.fromEntries(await timeInTurns(sides, timing));
    return { name, place: sides[1].place, error, times };
  } finally {
    for (const { release } of sides) await release();
  }
}

async function lanewise(bytes, operands) {
  const rt = await createRuntime({ variant, wasm });
  const model = await loadOnnx(rt, bytes);
  const feeds = Object.fromEntries(operands.map(({ name, shape, data }) => [name, { shape, data }]));
  let results;
  return {
    name: "lanewise",
    isAsync: false,
    run: () => {
      results = model.run(feeds);
    },
    answers: () => model.outputs.map(({ name }) => ({ shape: results[name].shape, data: results[name].toArray() })),
    release: () => rt.dispose(),
    place: placeOf(model),
  };
}

/** "JavaScript" where a layer or all that is left for after the run is computed so. */
function placeOf(model) {
  let rows = [];
  try {
    ({ rows } = model.summary());
  } catch {} // of no layer at all
  return rows.length === 0 || rows.some(({ reason }) => reason === "JavaScript") ? "JavaScript" : "kernels";
}

async function onnxruntime(bytes, operands, outputs) {
  const { ort, options } = web;
  const session = await ort.InferenceSession.create(bytes, options);
  const feeds = Object.fromEntries(
    operands.map(({ name, type, shape, data }) => [name, new ort.Tensor(type, data, shape)]),
  );
  let results;
  return {
    name: "ort-web",
    isAsync: true,
    run: async () => {
      results = await session.run(feeds);
    },
    answers: () => outputs.map((name) => ({ shape: results[name].dims, data: results[name].data })),
    release: () => session.release(),
  };
}
