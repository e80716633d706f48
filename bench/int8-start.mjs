// What both children of bench:int8 start with: the job, onnxruntime-web, a runtime with the pack of bytes, and plans on it. Layers of
// bytes are no calls of users: they come from build/js.
import { readFileSync } from "node:fs";
import { requirePacks } from "../build/js/onnx/packs.js";
import { build } from "../build/js/ops/operator.js";
import { Plan } from "../build/js/plan/plan.js";
import { OWNER } from "../build/js/plan/tensor.js";
import { makeCreateRuntime } from "../build/js/runtime/create.js";
import { internalsOf } from "../build/js/runtime/runtime.js";
import { oneThread } from "../build/js/threads/asked.js";
import { ortWeb } from "./peers/sides.mjs";

export const { variant, only = "", timing } = JSON.parse(process.argv[2]);
export const { ort, options: session } = await ortWeb();
const binary = (file) => WebAssembly.compile(readFileSync(new URL(`../build/wasm/${file}.wasm`, import.meta.url)));
const load = (pack, wanted) => binary(pack === "float" ? wanted : `${pack}-${wanted}`);
export const rt = await makeCreateRuntime(load, oneThread("a bench"))({ variant });
await requirePacks(rt, ["int8"]);

/** A plan of an operator for these tensors. */
export function planOf(operator, inputs, params = []) {
  const planning = { ...internalsOf(rt).planning(), packBytes: Infinity };
  const owner = { engine: inputs[0][OWNER].engine, disposed: false, released() {} };
  const specs = (list) => list.map(({ spec }) => spec);
  return new Plan(owner, build(operator, specs(inputs), specs(params), {}, planning), params);
}
