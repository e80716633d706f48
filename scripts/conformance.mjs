// npm run conformance -- --dir DIR: runs every ONNX test folder below DIR (model.onnx, test_data_set_N with input_K.pb and
// output_K.pb) on the built package, twice: as it stands, every operand an input of the run; and, where it has several, with
// all but the first as initialisers, the way networks have their weights, shapes and axes. DIR/manifest.json, where it is,
// tells tiers and tolerances. --tier core|extended|all, --variant simd|relaxed, --json FILE (the second way under
// "constants"). Default DIR: our own set. Exits with 1 on a failure that conformance-expected.json does not name with its
// reason.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createRuntime, ModelError } from "lanewise";
import { loadOnnx, readTensorFile } from "lanewise/onnx";
import { outcomeOf, report } from "./conformance-report.mjs";
import { inputNames, withInitializers } from "./onnx-initializers.mjs";

const TOLERANCE = { rtol: 1e-3, atol: 1e-7 };

const { values: flags } = parseArgs({
  options: {
    dir: { type: "string", default: "test/conformance/operators" },
    json: { type: "string" },
    tier: { type: "string", default: "all" },
    variant: { type: "string", default: "auto" },
  },
});
if (!["core", "extended", "all"].includes(flags.tier))
  throw new RangeError(`"tier" expected core, extended or all, got ${flags.tier}`);
const root = resolve(flags.dir);
const manifest = new Map();
if (existsSync(join(root, "manifest.json"))) {
  for (const row of JSON.parse(readFileSync(join(root, "manifest.json"), "utf8"))) manifest.set(row.path, row);
}
const folders = readdirSync(root, { recursive: true })
  .filter((file) => basename(file) === "model.onnx")
  .map((file) => dirname(file))
  .sort()
  .filter((path) => flags.tier === "all" || manifest.get(path)?.tier === flags.tier);
if (folders.length === 0) throw new RangeError(`"dir" expected a folder with tests, got none below ${root}`);

const rt = await createRuntime({ variant: flags.variant });
const [tests, constants] = [[], []];
for (const path of folders) {
  const bytes = readFileSync(join(root, path, "model.onnx"));
  tests.push(await outcomeOf(path, (seen) => run(path, seen, bytes)));
  const names = inputNames(bytes);
  if (names.length < 2) continue;
  const fixed = (files) => withInitializers(bytes, new Map(names.slice(1).map((name, i) => [name, files[i + 1]])));
  constants.push(await outcomeOf(path, (seen) => run(path, seen, fixed)));
}
rt.dispose();
report(tests, { variant: rt.variant, json: flags.json, constants });

/**
 * Throws at the first difference beyond the tolerance; tells all differences, and where the operator ran. source: the model's
 * bytes, or, where other data makes another model, a function of the files of all operands.
 */
async function run(path, seen, source) {
  const folder = join(root, path);
  const { rtol, atol } = { ...TOLERANCE, ...manifest.get(path), ...dataJson(folder) };
  const sets = readdirSync(folder).filter((entry) => entry.startsWith("test_data_set_"));
  if (sets.length === 0) throw new Error("no test data");
  let model;
  try {
    for (const set of sets) {
      const files = (kind) =>
        readdirSync(join(folder, set))
          .filter((file) => file.startsWith(`${kind}_`))
          .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
          .map((file) => readFileSync(join(folder, set, file)));
      const given = files("input");
      if (typeof source === "function") {
        model?.dispose();
        model = await loadOnnx(rt, source(given));
      } else model ??= await loadOnnx(rt, source);
      const names = model.inputs.map((input) => input.name);
      const outputs = model.run(Object.fromEntries(names.map((name, i) => [name, readTensorFile(given[i])])));
      seen.ran(placeOf(model));
      files("output").forEach((file, i) => {
        const differences = compare(outputs[model.outputs[i].name], readTensorFile(file), { rtol, atol }, seen);
        if (differences) throw new Error(`output ${i}${differences}`);
      });
    }
  } finally {
    model?.dispose();
  }
}

/** What of a tensor is not as expected, or undefined; tells differences up to the first beyond the tolerance. */
function compare(got, want, { rtol, atol }, seen) {
  if (got.shape.join() !== want.shape.join()) return ` has shape [${got.shape}], expected [${want.shape}]`;
  const data = got.toArray();
  seen(0);
  for (let at = 0; at < data.length; at++) {
    const [a, b] = [Number(data[at]), Number(want.data[at])];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    seen(Math.abs(a - b));
    if (!(Math.abs(a - b) <= atol + rtol * Math.abs(b))) return `, element ${at}: expected ${b}, got ${a}`;
  }
  return undefined;
}

/** Where the operator ran. A model without layers was folded while loading, or is evaluated after the run, in JavaScript. */
function placeOf(model) {
  let rows = [];
  try {
    ({ rows } = model.summary());
  } catch (error) {
    if (!(error instanceof ModelError)) throw error; // of no layer at all
  }
  if (rows.length === 0) return "folded";
  return rows.some(({ reason }) => reason === "JavaScript") ? "JavaScript" : "kernels";
}

function dataJson(folder) {
  const file = join(folder, "data.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}
