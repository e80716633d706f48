// Functions of a file: expanded where nodes stand for them.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type File, type FileFunction, floats, type Node, onnxFile } from "./onnx-file.js";

const node = (op: string, inputs: string[], outputs: string[], attributes: Node["attributes"] = {}): Node => ({
  op,
  inputs,
  outputs,
  attributes,
});
const call = (op: string, inputs: string[], outputs: string[], attributes: Node["attributes"] = {}): Node => ({
  ...node(op, inputs, outputs, attributes),
  domain: "local",
});
const fn = (name: string, inputs: string[], outputs: string[], nodes: Node[], more: Partial<FileFunction> = {}) => ({
  name,
  domain: "local",
  inputs,
  outputs,
  nodes,
  ...more,
});

/** x + 1, with a name inside that the graph has, too. */
const increment = fn("Increment", ["a"], ["b"], [node("Add", ["a", "one"], ["t"]), node("Identity", ["t"], ["b"])]);
const one = node("Constant", [], ["one"], { value_floats: { floats: [1] } });
const INCREMENT = { ...increment, nodes: [one, ...increment.nodes] };

describe("functions of a file", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await (BINARIES[1] as (typeof BINARIES)[number]).create();
  });
  afterAll(() => rt.dispose());

  async function run(file: Omit<File, "inputs" | "outputs"> & Partial<File>, x = [-1, 2]): Promise<number[][]> {
    const model = await loadOnnx(rt, onnxFile({ inputs: { x: [2] }, outputs: ["y"], ...file }));
    try {
      const answers = model.run({ x: { data: x, shape: [x.length] } });
      return model.outputs.map(({ name }) => Array.from((answers[name] as Tensor).toArray(), Number));
    } finally {
      model.dispose();
    }
  }

  it("twice, under names of their own", async () => {
    const nodes = [call("Increment", ["x"], ["t"]), call("Increment", ["t"], ["u"]), node("Mul", ["t", "u"], ["y"])];
    expect(await run({ nodes, functions: [INCREMENT] })).toEqual([[0, 12]]);
    const open = { x: ["n"] };
    expect(await run({ nodes, functions: [INCREMENT], inputs: open }, [1, 2, 3])).toEqual([[6, 12, 20]]);
  });

  it("in each other, listed in any order, with attributes handed on and by default", async () => {
    const leaky = fn("Leaky", ["a"], ["b"], [node("LeakyRelu", ["a"], ["b"], { alpha: { ref: "slope" } })], {
      defaults: { slope: { float: 0.5 } },
    });
    const outer = fn(
      "Outer",
      ["a"],
      ["b", "c"],
      [call("Leaky", ["a"], ["b"], { slope: { ref: "s" } }), call("Leaky", ["a"], ["c"])],
    );
    const nodes = [call("Outer", ["x"], ["y", "z"], { s: { float: 0.25 } })];
    expect(await run({ nodes, functions: [outer, leaky], outputs: ["y", "z"] })).toEqual([
      [-0.25, 2],
      [-0.5, 2],
    ]);
  });

  it("an attribute that is neither given nor has a default is the operator's own", async () => {
    const leaky = fn("Leaky", ["a"], ["b"], [node("LeakyRelu", ["a"], ["b"], { alpha: { ref: "slope" } })]);
    const [[y]] = (await run({ nodes: [call("Leaky", ["x"], ["y"])], functions: [leaky] })) as [[number]];
    expect(y).toBeCloseTo(-0.01, 8);
  });

  it("inputs left out, outputs nobody asks for, an output that is an input", async () => {
    const clip = fn(
      "Clip",
      ["a", "low", "high"],
      ["b", "same", "more"],
      [node("Clip", ["a", "low", "high"], ["b"]), node("Neg", ["b"], ["more"])],
    );
    const more = { ...clip, outputs: ["b", "a", "more"] };
    const nodes = [call("Clip", ["x", "zero"], ["y", "z"])];
    const zero = { dims: [], data: Float32Array.of(0) };
    expect(await run({ nodes, functions: [more], outputs: ["y", "z"], constants: { zero } })).toEqual([
      [0, 2],
      [-1, 2],
    ]);
  });

  it("with branches that read what is outside them", async () => {
    const branch = (op: string) => ({
      graph: { nodes: [node(op, ["t", "k"], ["r"])], inputs: {}, outputs: ["r"], constants: { k: floats(2) } },
    });
    const choose = fn(
      "Choose",
      ["a", "c"],
      ["b"],
      [node("Neg", ["a"], ["t"]), node("If", ["c"], ["b"], { then_branch: branch("Add"), else_branch: branch("Mul") })],
    );
    const yes = { dims: [], data: Uint8Array.of(1), type: 9 };
    const no = { dims: [], data: Uint8Array.of(0), type: 9 };
    const nodes = [
      call("Choose", ["x", "yes"], ["t"]),
      call("Choose", ["x", "no"], ["u"]),
      node("Sub", ["t", "u"], ["y"]),
    ];
    expect(await run({ nodes, functions: [choose], constants: { yes, no } })).toEqual([[1, 4]]);
  });

  it("written for another operator set than the file", async () => {
    // Before operator set 13 the axes of ReduceSum are an attribute.
    const total = fn("Total", ["a"], ["b"], [node("ReduceSum", ["a"], ["b"], { axes: [0], keepdims: 1 })], {
      opset: 11,
    });
    expect(await run({ nodes: [call("Total", ["x"], ["y"])], functions: [total], opset: 18 })).toEqual([[1]]);
  });

  it.each<readonly [string, FileFunction[], RegExp]>([
    [
      "of themselves",
      [fn("A", ["a"], ["b"], [call("B", ["a"], ["b"])]), fn("B", ["a"], ["b"], [call("A", ["a"], ["b"])])],
      /"functions" expected at most 32 in each other, got local\.[AB] in more/,
    ],
    [
      "that become more and more",
      "ABCDEFGHIJKLMNOPQRST".split("").map((name, i, all) => {
        const next = all[i + 1];
        return fn(name, ["a"], ["b"], next ? [call(next, ["a"], ["t"]), call(next, ["t"], ["b"])] : []);
      }),
      /"functions" expected at most 65536 nodes in all, got more/,
    ],
    ["with fewer inputs", [fn("A", [], ["b"], [])], /"function" expected at most 0 inputs and 1 outputs, got more/],
    ["that compute nothing", [fn("A", ["a"], ["b"], [])], /expected a value that something computes, got "y"/],
    ["of what is missing", [fn("A", ["a"], ["b"], [call("Magic", ["a"], ["b"])])], /got local\.Magic$/],
  ])("refuses functions %s", async (_, functions, message) => {
    const file = { nodes: [call("A", ["x"], ["y"])], functions };
    await expect(run(file)).rejects.toThrow(message);
  });
});
