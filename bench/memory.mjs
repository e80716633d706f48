// npm run bench:memory: bytes that models hold, as a share of their weights' own, and milliseconds of a run, by `memory`.
// --dir DIR (../shared/data/light), --json FILE.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { buildDist, writeResults } from "./machine.mjs";
import { memoryTable } from "./memory-table.mjs";

const CHOICES = ["fast", "default", "small"];
const RUNS = 15;

const { values: flags } = parseArgs({
  options: { dir: { type: "string", default: "../shared/data/light" }, json: { type: "string" } },
});
buildDist();
const names = readdirSync(flags.dir).filter((file) => file.endsWith(".onnx"));
if (names.length === 0) throw new Error(`"--dir" expected .onnx files, got none in ${flags.dir}`);

const networks = [];
for (const name of names) {
  const bytes = readFileSync(join(flags.dir, name));
  const sides = [];
  for (const memory of CHOICES) {
    const rt = await createRuntime();
    const model = await loadOnnx(rt, bytes, { memory });
    const inputs = Object.fromEntries(model.inputs.map(({ name, shape, dtype }) => [name, rt.zeros(shape, { dtype })]));
    model.run(inputs); // warm
    sides.push({ memory, rt, model, inputs, times: [] });
  }
  for (let run = 0; run < RUNS; run++)
    for (const { model, inputs, times } of sides) {
      const start = performance.now();
      model.run(inputs);
      times.push(performance.now() - start);
    }
  const choices = sides.map(({ memory, model, times }) => ({
    memory,
    share: model.plan.totalBytes / (4 * model.plan.parameters),
    ms: times.sort((a, b) => a - b)[RUNS >> 1],
  }));
  networks.push({ name: name.replace(/^light_|\.onnx$/g, ""), parameters: sides[0].model.plan.parameters, choices });
  for (const { rt } of sides) rt.dispose();
}
console.log(memoryTable(networks));
console.log(writeResults("memory", { networks }, flags.json));
