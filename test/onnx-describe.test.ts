// describeOnnx(): what a file says of itself, though it cannot be loaded; and where the values of one that can lie in the arena.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, ModelError, type Runtime } from "../src/index.js";
import { describeOnnx, loadOnnx } from "../src/onnx/index.js";
import { describeOnnx as describeStatic } from "../src/onnx/static.js";
import { type File, floats, node, onnxFile } from "./onnx-file.js";

const zeros = (...dims: number[]) => ({ dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) });

const FILE: File = {
  nodes: [
    node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
    node("Relu", ["a"], ["b"]),
    node("Conv", ["b", "w"], ["c"], { pads: [1, 1, 1, 1] }),
    node("Add", ["c", "b"], ["y"]),
  ],
  inputs: { x: [1, 4, "height", 8], w: [4, 4, 3, 3] },
  outputs: ["y"],
  declared: { y: [1, 4, "height", 8] },
  constants: { w: zeros(4, 4, 3, 3), unused: floats(1, 2) },
  metadata: { task: "none" },
  opset: 17,
};

/** The same bytes with the fields producer_name and producer_version behind them. */
const produced = (bytes: Uint8Array) =>
  Uint8Array.from([...bytes, 0x12, 4, ...Buffer.from("here"), 0x1a, 3, ...Buffer.from("1.2")]);

describe("describeOnnx", () => {
  it("answers what a file says, with open sizes and without what is constant", async () => {
    const found = await describeOnnx(produced(onnxFile(FILE)));
    expect(found).toEqual({
      producer: "here",
      producerVersion: "1.2",
      irVersion: expect.any(Number),
      opsets: { "ai.onnx": 17 },
      inputs: [{ name: "x", shape: [1, 4, "height", 8], type: "float32" }],
      outputs: [{ name: "y", shape: [1, 4, "height", 8], type: "float32" }],
      operators: [
        { name: "Conv", count: 2, supported: true, nodes: [] },
        { name: "Relu", count: 1, supported: true, nodes: [] },
        { name: "Add", count: 1, supported: true, nodes: [] },
      ],
      nodes: 4,
      initializers: 2,
      elements: 4 * 4 * 9 + 2,
      external: [],
      metadata: { task: "none" },
    });
    expect(await describeStatic(produced(onnxFile(FILE)))).toEqual(found);
    expect(await describeOnnx(new Blob([Uint8Array.from(onnxFile(FILE))]))).toEqual({
      ...found,
      producer: "",
      producerVersion: "",
    });
  });

  it("names the nodes whose operators are missing, in branches too", async () => {
    const branch = { nodes: [node("StringNormalizer", ["x"], ["t"])], inputs: {}, outputs: ["t"] };
    const file = onnxFile({
      nodes: [
        node("If", ["condition"], ["a"], { then_branch: { graph: branch }, else_branch: { graph: branch } }),
        { ...node("Magic", ["a"], ["y"]), domain: "org.example" },
      ],
      inputs: { x: [2], condition: [] },
      types: { condition: 9, x: 8 },
      outputs: ["y"],
    });
    const { operators, inputs } = await describeOnnx(file);
    expect(operators.filter(({ supported }) => !supported)).toEqual([
      { name: "StringNormalizer", count: 2, supported: false, nodes: ["StringNormalizer-t", "StringNormalizer-t"] },
      { name: "org.example.Magic", count: 1, supported: false, nodes: ["Magic-y"] },
    ]);
    expect(inputs.map(({ type }) => type)).toEqual(["other", "bool"]);
    const rt = await createRuntime();
    await expect(loadOnnx(rt, file)).rejects.toThrow("org.example.Magic");
    rt.dispose();
  });

  it("names other files that have constants, and refuses what is no ONNX file", async () => {
    const external = { location: "weights.bin", offset: "0", length: "576" };
    const outside = onnxFile({ ...FILE, constants: { w: { ...zeros(4, 4, 3, 3), external } } });
    expect((await describeOnnx(outside)).external).toEqual(["weights.bin"]);
    await expect(describeOnnx(new Uint8Array())).rejects.toThrow("an empty file");
    await expect(describeOnnx(Buffer.from("<!doctype html><p>not found"))).rejects.toThrow("a web page (HTML)");
    await expect(describeOnnx(onnxFile(FILE).subarray(0, 40))).rejects.toThrow(ModelError);
  });
});

describe("summary().arena", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await createRuntime({ variant: "simd" });
  });
  afterAll(() => rt.dispose());

  it("says where each value lies, and what is alive together does not overlap", async () => {
    const model = await loadOnnx(rt, onnxFile({ ...FILE, nodes: [...FILE.nodes], inputs: { x: [1, 4, 8, 8] } }), {
      optimize: false,
    });
    const { arena, rows, totals } = model.summary();
    const named = arena.filter(({ name }) => name !== undefined);
    const bytes = 4 * 4 * 8 * 8;
    expect(named.map(({ bytes }) => bytes)).toEqual(named.map(() => bytes));
    expect(named[0]).toMatchObject({ name: "x", first: -1, last: 0 });
    // Every step's value, whatever layers are called: b is read by the sum at the end.
    expect(Math.max(...arena.map(({ last }) => last))).toBe(rows.length);
    const made = rows.findIndex(({ op }) => op === "relu");
    const used = rows.findIndex(({ op }) => op === "add");
    expect(named.find(({ first }) => first === made)?.last).toBe(used);
    for (const [i, a] of arena.entries()) {
      expect(a.offset + a.bytes).toBeLessThanOrEqual(totals.arenaBytes);
      for (const b of arena.slice(i + 1)) {
        const isTogether = a.first <= b.last && b.first <= a.last;
        const overlaps = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        const isGiven = a.offset === b.offset && (a.last === b.first || b.last === a.first); // computed in place
        if (isTogether && !isGiven) expect(overlaps).toBe(false);
      }
    }
    model.dispose();
  });
});
