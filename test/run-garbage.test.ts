// A run on what was written to its inputs leaves nothing for the collector, as an AudioWorklet's block must not. A file, so a process, of
// its own: see vision-garbage.test.ts.
import { expect, it } from "vitest";
import { createModel, createRuntime, sequential } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { garbageOf } from "./garbage.js";
import { node, onnxFile } from "./onnx-file.js";

/** Bytes a call leaves, once it is compiled; `enough` of them are not made fewer. */
function bytesOf(call: () => unknown, enough: number): number {
  const count = 2000;
  for (let i = 0; i < 20_000; i++) call();
  return garbageOf(call, count, enough * count) / count;
}
/** An object is 16 bytes or more. */
const MOST = 4;

/** A conv1d with activation, arithmetic, and an output. */
const file = onnxFile({
  inputs: { x: [1, 2, 32] },
  outputs: ["y"],
  constants: { w: { dims: [3, 2, 3], data: new Float32Array(18).fill(0.5) } },
  nodes: [node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["r"]), node("Mul", ["r", "r"], ["y"])],
});

it("of a file", async () => {
  const rt = await createRuntime();
  using model = await loadOnnx(rt, file);
  model.input("x").fill(1);
  expect(bytesOf(() => model.run(), MOST)).toBeLessThanOrEqual(MOST);
  expect(model.output("y")[0]).toBe(9); // (6 * 0.5)^2
});

it("of a graph by hand, and what it would see", async () => {
  const rt = await createRuntime();
  const graph = sequential({ x: [1, 2, 32] }, [{ op: "conv1d", name: "c", params: ["weight"], activation: "relu" }]);
  const weight = { shape: [3, 2, 3], dtype: "float32" as const, data: new Float32Array(18).fill(0.5) };
  using model = createModel(rt, graph, { "c.weight": weight });
  model.input("x").fill(1);
  expect(bytesOf(() => model.run(), MOST)).toBeLessThanOrEqual(MOST);
  expect(model.output("output")[0]).toBe(3);
  let last: unknown;
  const wasteful = () => {
    last = { results: model.run() };
  };
  expect(bytesOf(wasteful, MOST)).toBeGreaterThan(MOST);
  expect(last).toBeDefined();
});
