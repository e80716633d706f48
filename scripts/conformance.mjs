// npm run conformance -- --dir DIR: runs every ONNX test folder below DIR (model.onnx, test_data_set_N with input_K.pb and
// output_K.pb) on the built package. DIR/manifest.json, where it is, tells tiers and tolerances. --tier core|extended|all,
// --variant simd|relaxed, --json FILE. Default DIR: our own set. Exits with 1 on a failure that conformance-expected.json
// does not name with its reason.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createRuntime } from "lanewise";
import { loadOnnx, readTensorFile } from "lanewise/onnx";
import { outcomeOf, report } from "./conformance-report.mjs";

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
const tests = [];
for (const path of folders) tests.push(await outcomeOf(path, (seen) => run(path, seen)));
rt.dispose();
report(tests, { variant: rt.variant, json: flags.json });

/** Throws at the first difference beyond the tolerance; tells all differences. */
async function run(path, seen) {
  const folder = join(root, path);
  const { rtol, atol } = { ...TOLERANCE, ...manifest.get(path), ...dataJson(folder) };
  const model = await loadOnnx(rt, readFileSync(join(folder, "model.onnx")));
  try {
    const sets = readdirSync(folder).filter((entry) => entry.startsWith("test_data_set_"));
    if (sets.length === 0) throw new Error("no test data");
    for (const set of sets) {
      const tensors = (kind) =>
        readdirSync(join(folder, set))
          .filter((file) => file.startsWith(`${kind}_`))
          .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
          .map((file) => readTensorFile(readFileSync(join(folder, set, file))));
      const given = tensors("input");
      const names = model.inputs.map((input) => input.name);
      const outputs = model.run(Object.fromEntries(names.map((name, i) => [name, given[i]])));
      tensors("output").forEach((want, i) => {
        const got = outputs[model.outputs[i].name];
        if (got.shape.join() !== want.shape.join())
          throw new Error(`output ${i} has shape [${got.shape}], expected [${want.shape}]`);
        const data = got.toArray();
        seen(0);
        for (let at = 0; at < data.length; at++) {
          const [a, b] = [Number(data[at]), Number(want.data[at])];
          if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
          seen(Math.abs(a - b));
          if (!(Math.abs(a - b) <= atol + rtol * Math.abs(b)))
            throw new Error(`output ${i}, element ${at}: expected ${b}, got ${a}`);
        }
      });
    }
  } finally {
    model.dispose();
  }
}

function dataJson(folder) {
  const file = join(folder, "data.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}
