// Branches and loops that only a run decides, on numbers worked out by hand.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx, type OnnxOptions } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Attribute, type Constant, type File, floats, type Graph, type Node, onnxFile } from "./onnx-file.js";

const node = (op: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute> = {}): Node => ({
  op,
  inputs,
  outputs,
  attributes,
});
const int = (value: number): Constant => ({ dims: [], data: BigInt64Array.of(BigInt(value)) });
const bool = (value: boolean): Constant => ({ dims: [], data: Uint8Array.of(value ? 1 : 0), type: 9 });

describe("branches and loops", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await (BINARIES[1] as (typeof BINARIES)[number]).create();
  });
  afterAll(() => rt.dispose());

  /** What a file answers on each of several inputs. */
  async function run(file: File, xs: readonly (readonly number[])[], options: OnnxOptions = {}) {
    const model = await loadOnnx(rt, onnxFile(file), options);
    try {
      return xs.map((x) => {
        const answers = model.run({ x: { data: x, shape: [x.length] } });
        return model.outputs.map(({ name }) => {
          const t = answers[name] as Tensor;
          return { shape: [...t.shape], values: Array.from(t.toArray() as Float32Array, Number) };
        });
      });
    } finally {
      model.dispose();
    }
  }
  const values = (answers: Awaited<ReturnType<typeof run>>) => answers.map((outputs) => outputs.map((o) => o.values));

  /** If sum(x) > 0 then max(x, 0) + w, else the first element of x; then times two. */
  const branches: File = {
    nodes: [
      node("ReduceSum", ["x"], ["s"], { keepdims: 0 }),
      node("Greater", ["s", "zero"], ["c"]),
      node("Relu", ["x"], ["r"]),
      node("If", ["c"], ["b"], {
        then_branch: { graph: { nodes: [node("Add", ["r", "w"], ["t"])], inputs: {}, outputs: ["t"] } },
        else_branch: {
          graph: {
            nodes: [node("Slice", ["x", "from", "to"], ["e"])],
            inputs: {},
            outputs: ["e"],
            constants: {
              from: { dims: [1], data: BigInt64Array.of(0n) },
              to: { dims: [1], data: BigInt64Array.of(1n) },
            },
          },
        },
      }),
      node("Mul", ["b", "two"], ["y"]),
    ],
    inputs: { x: [2] },
    outputs: ["y", "r"],
    constants: { zero: { dims: [], data: Float32Array.of(0) }, w: floats(10, 20), two: floats(2) },
  };

  it("If, by a condition that is computed, with shapes of each branch", async () => {
    const xs = [
      [3, -1],
      [-3, 1],
    ];
    const want = [
      [
        [26, 40],
        [3, 0],
      ],
      [[-6], [0, 1]],
    ];
    expect(values(await run(branches, xs))).toEqual(want);
    expect(values(await run({ ...branches, inputs: { x: ["n"] } }, xs))).toEqual(want);
  });

  it("If whose branch is what is outside it", async () => {
    const same = (name: string): { graph: Graph } => ({ graph: { nodes: [], inputs: {}, outputs: [name] } });
    const file: File = {
      nodes: [
        node("ReduceMax", ["x"], ["m"], { keepdims: 0 }),
        node("Cast", ["m"], ["c"], { to: 9 }),
        node("If", ["c"], ["y"], { then_branch: same("x"), else_branch: same("w") }),
      ],
      inputs: { x: [2] },
      outputs: ["y"],
      constants: { w: floats(7, 8) },
    };
    expect(
      values(
        await run(file, [
          [1, 2],
          [0, 0],
        ]),
      ),
    ).toEqual([[[1, 2]], [[7, 8]]]);
  });

  /** v = 2 v + w, three times at most while v[0] < 20; every v, and how often. */
  const body: Graph = {
    nodes: [
      node("Mul", ["v", "two"], ["d"]),
      node("Add", ["d", "w"], ["next"]),
      node("ReduceMax", ["next"], ["top"], { keepdims: 0 }),
      node("Less", ["top", "limit"], ["on"]),
      node("Identity", ["next"], ["each"]),
    ],
    inputs: { i: [], c: [], v: [2] },
    types: { i: 7, c: 9, on: 9 },
    outputs: ["on", "next", "each"],
    declared: { each: [2] },
    constants: { two: floats(2), limit: { dims: [], data: Float32Array.of(20) } },
  };
  const loop = (most: number, goesOn: boolean, inner = body): File => ({
    nodes: [
      node("Neg", ["x"], ["n"]),
      node("Loop", ["most", "goesOn", "n"], ["last", "all"], { body: { graph: inner } }),
      node("Abs", ["last"], ["y"]),
    ],
    inputs: { x: [2] },
    outputs: ["y", "all"],
    constants: { most: int(most), goesOn: bool(goesOn), w: floats(1, 0) },
  });

  it("Loop, as often as it says, or until its condition ends it", async () => {
    const [short] = await run(loop(2, true), [[-1, -2]]);
    // [1, 2] -> [3, 4] -> [7, 8]
    expect(short).toEqual([
      { shape: [2], values: [7, 8] },
      { shape: [2, 2], values: [3, 4, 7, 8] },
    ]);
    // -> [15, 16] -> [31, 32]
    const [ended] = await run(loop(100, true), [[-1, -2]]);
    expect(ended?.[1]).toEqual({ shape: [4, 2], values: [3, 4, 7, 8, 15, 16, 31, 32] });
    const [none] = await run(loop(100, false), [[-1, -2]]);
    expect(none).toEqual([
      { shape: [2], values: [1, 2] },
      { shape: [0, 2], values: [] },
    ]);
  });

  it("Loop that never ends is refused, and so is one that does too much", async () => {
    const endless: Graph = {
      ...body,
      nodes: [node("Identity", ["c"], ["on"]), node("Identity", ["v"], ["next"]), node("Neg", ["v"], ["each"])],
    };
    await expect(run(loop(2 ** 40, true, endless), [[1, 2]], { maxMacs: 1e6 })).rejects.toThrow(
      /node "Loop-last" \(Loop\): .*"maxMacs" expected at least/,
    );
    await expect(run(loop(2 ** 40, true, endless), [[1, 2]])).rejects.toThrow(
      /\(Loop\): "body" expected at most 65536 iterations, got more/,
    );
  });

  it("Scan, forwards and backwards, along any axis", async () => {
    const sums: Graph = {
      nodes: [node("Add", ["s", "e"], ["t"]), node("Mul", ["t", "w"], ["o"])],
      inputs: { s: [], e: [] },
      outputs: ["t", "o"],
    };
    const file = (directions: Record<string, Attribute>): File => ({
      nodes: [
        node("Scan", ["start", "x"], ["last", "y"], { body: { graph: sums }, num_scan_inputs: 1, ...directions }),
      ],
      inputs: { x: [3] },
      outputs: ["last", "y"],
      constants: { start: { dims: [], data: Float32Array.of(1) }, w: { dims: [], data: Float32Array.of(10) } },
    });
    expect(values(await run(file({}), [[1, 2, 3]]))).toEqual([[[7], [20, 40, 70]]]);
    const long = Array.from({ length: 2 ** 16 + 1 }, () => 0);
    await expect(run({ ...file({}), inputs: { x: ["n"] } }, [long])).rejects.toThrow(
      /\(Scan\): "body" expected at most 65536 iterations, got 65537/,
    );
    await expect(run(file({}), [[1, 2, 3]], { maxMacs: 1000 })).rejects.toThrow(/\(Scan\): .*"maxMacs" expected/);
    const back = { scan_input_directions: [1], scan_output_directions: [1] };
    expect(values(await run(file(back), [[1, 2, 3]]))).toEqual([[[7], [70, 60, 40]]]);
  });

  it("operators made of others and rare ones in a body", async () => {
    const inner: Graph = {
      ...body,
      nodes: [
        { ...node("FusedMatMul", ["v", "m"], ["next"]), domain: "com.microsoft" },
        node("Hardmax", ["next"], ["each"]),
        node("Identity", ["c"], ["on"]),
      ],
      constants: { m: { dims: [2, 2], data: Float32Array.of(0, 1, 1, 0) } },
    };
    expect(values(await run(loop(3, true, inner), [[-1, -2]]))).toEqual([
      [
        [2, 1],
        [1, 0, 0, 1, 1, 0],
      ],
    ]);
    const open = { ...loop(3, true, inner), inputs: { x: ["n"] } };
    expect(values(await run(open, [[-1, -2]]))).toEqual([
      [
        [2, 1],
        [1, 0, 0, 1, 1, 0],
      ],
    ]);
  });
});
