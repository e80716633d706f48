// Operators come in families that are loaded when a file has a use for them: support is known without their code.
import { describe, expect, it } from "vitest";
import { type Runtime, UnsupportedError } from "../src/index.js";
import * as base from "../src/onnx/families/base.js";
import { FAMILIES, FAMILY_OF, type FamilyName, type FamilyRow, type Role } from "../src/onnx/families/table.js";
import { makeLoadOnnx } from "../src/onnx/load.js";
import type { Family, Loaders } from "../src/onnx/operators.js";
import { BINARIES } from "./binaries.js";
import { type Constant, type File, onnxFile } from "./onnx-file.js";
import { LOADERS, NAMES } from "./onnx-operators.js";

/** Of GRAPHS families name operators that are others', of WHOLE those that fetch them. */
const ROLES: readonly Exclude<Role, "GRAPHS" | "WHOLE">[] = ["HOST", "FLOATS", "OTHERS", "PARTS"];

describe("the table of families", () => {
  it.each(NAMES)("%s: names what the family exports, no more and no less", async (name) => {
    const family = await LOADERS[name]();
    const named: Partial<Record<Role, string>> = FAMILIES[name] as FamilyRow;
    for (const role of ROLES)
      expect(Object.keys(family[role] ?? {}).sort()).toEqual((named[role]?.split(" ") ?? []).sort());
  });

  it("whole numbers: what fetches a family is lowered by it", async () => {
    for (const [operator, name] of FAMILY_OF.WHOLE)
      expect(Object.keys((await LOADERS[name]()).WHOLE ?? {})).toContain(operator);
    expect(FAMILY_OF.WHOLE.size).toBeGreaterThan(0);
  });

  it("has each operator once, and none that is always there", () => {
    for (const role of ROLES) {
      const all = NAMES.flatMap((name) => (FAMILIES[name] as Partial<Record<Role, string>>)[role]?.split(" ") ?? []);
      expect(new Set(all).size).toBe(all.length);
      for (const operator of all) expect(Object.keys((base as Family)[role] ?? {})).not.toContain(operator);
    }
  });

  it("every operator that becomes layers is there in JavaScript, too: constants are folded", () => {
    const isThere = (operator: string) => Object.hasOwn(base.HOST, operator) || FAMILY_OF.HOST.has(operator);
    const lowered = [...Object.keys(base.FLOATS), ...Object.keys(base.OTHERS)];
    for (const role of ["FLOATS", "OTHERS"] as const) lowered.push(...FAMILY_OF[role].keys());
    expect(lowered.filter((operator) => !isThere(operator))).toEqual(["Half", "GatherOfTwo"]);
  });
});

/** Of sizes that are open: rewrites that find something or not. */
const GRAPHS = ["graph-folds", "graph-moves"];
/** Of images whose sizes are open: other forms of their operators, steps of those, and both in JavaScript. */
const OPEN = ["forms-network", ...GRAPHS, "host-movement", "host-network", "layers-computed"];

/** Files of networks from bytes need none of it. */
const refuse = () => Promise.reject(new TypeError("expected no other sources"));
const NO_OUTSIDE = { source: refuse, external: refuse, kinds: refuse };

describe("loading", () => {
  /** What a file has loaded, in order. */
  async function loaded(file: File, options = {}): Promise<FamilyName[]> {
    const families: FamilyName[] = [];
    const spy = (name: FamilyName) => () => {
      families.push(name);
      return LOADERS[name]();
    };
    const load = makeLoadOnnx(Object.fromEntries(NAMES.map((name) => [name, spy(name)])) as Loaders, NO_OUTSIDE);
    const rt: Runtime = await (BINARIES[1] as (typeof BINARIES)[number]).create();
    try {
      (await load(rt, onnxFile(file), options)).dispose();
      expect(rt.report().liveTensors).toBe(0);
    } finally {
      rt.dispose();
    }
    return families;
  }
  const weights = (...dims: number[]): Constant => ({ dims, data: new Float32Array(dims.reduce((p, d) => p * d, 1)) });
  const cnn = (shape: readonly (number | string)[], opset = 13): File => ({
    nodes: [
      { op: "Conv", inputs: ["x", "w", "b"], outputs: ["c"] },
      { op: "Relu", inputs: ["c"], outputs: ["r"] },
      { op: "MaxPool", inputs: ["r"], outputs: ["m"], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
      { op: "GlobalAveragePool", inputs: ["m"], outputs: ["g"] },
      { op: "Flatten", inputs: ["g"], outputs: ["f"] },
      { op: "Gemm", inputs: ["f", "v"], outputs: ["l"], attributes: { transB: 1 } },
      { op: "Softmax", inputs: ["l"], outputs: ["y"] },
    ],
    inputs: { x: shape },
    outputs: ["y"],
    constants: { w: weights(4, 3, 3, 3), b: weights(4), v: weights(10, 4) },
    opset,
  });

  it("of a float CNN: nothing", async () => {
    expect(await loaded(cnn([1, 3, 16, 16]))).toEqual([]);
    expect(await loaded(cnn(["N", 3, 16, 16]), { shapes: { N: 2 } })).toEqual([]);
  });

  it("of one whose shapes only a run brings: all that its nodes may need, since run() waits for nothing", async () => {
    const families = await loaded(cnn(["N", 3, 16, 16]));
    expect(families.sort()).toEqual(OPEN);
  });

  it("of one that is given whole numbers: layers of those, too", async () => {
    const pool: File = {
      nodes: [{ op: "MaxPool", inputs: ["x"], outputs: ["y"], attributes: { kernel_shape: [2, 2] } }],
      inputs: { x: ["N", 3, 4, 4] },
      outputs: ["y"],
    };
    expect((await loaded(pool)).sort()).toEqual(OPEN);
    expect((await loaded({ ...pool, types: { x: 2 } })).sort()).toEqual([...OPEN, "layers-quantised"]);
  });

  it("of what moves, pads, scales and shifts: what rewrites it, at once where its name says so", async () => {
    const file = (op: string, attributes = {}): File => ({
      nodes: [
        { op, inputs: ["x", "k"].slice(0, op === "Transpose" ? 1 : 2), outputs: ["u"], attributes },
        { op: "Relu", inputs: ["u"], outputs: ["y"] },
      ],
      inputs: { x: [1, 4, 4, 4] },
      outputs: ["y"],
      constants: { k: { dims: [4, 1, 1], data: Float32Array.of(1, 2, 3, 4) } },
      opset: 13,
    });
    expect(await loaded(file("Transpose", { perm: [0, 2, 3, 1] }))).toEqual(["graph-moves"]);
    expect(await loaded(file("Mul"))).toEqual(["graph-folds"]);
    expect(await loaded(file("Add"))).toEqual(["graph-folds"]);
    expect(await loaded({ ...file("Add"), inputs: { x: [1, 4, 4, 4], k: [4, 1, 1] }, constants: {} })).toEqual([]);
    expect(await loaded(file("Add"), { optimize: false })).toEqual([]);
  });

  it("of a Cast to float16: what rounds", async () => {
    const file = (to: number, shape: readonly (number | string)[]): File => ({
      nodes: [{ op: "Cast", inputs: ["x"], outputs: ["y"], attributes: { to } }],
      inputs: { x: shape },
      outputs: ["y"],
    });
    expect(await loaded(file(10, [2]))).toEqual(["layers-functions"]);
    expect(await loaded(file(1, [2]))).toEqual([]);
    expect((await loaded(file(10, ["N"]))).sort()).toEqual([...GRAPHS, "layers-functions"]);
    expect(await loaded(file(1, ["N"]))).toEqual(GRAPHS);
  });

  it("of an operator that no kernel does: its own", async () => {
    const file = (op: string): File => ({
      nodes: [{ op, inputs: ["x"], outputs: ["y"] }],
      inputs: { x: [2, 3] },
      outputs: ["y"],
    });
    expect(await loaded(file("GlobalLpPool"))).toEqual(["host-network"]);
    expect(await loaded(file("ReduceMean"))).toEqual(["layers-reduction"]);
    expect(await loaded(file("NonZero"))).toEqual(["host-picking"]);
  });

  it("of one in a branch", async () => {
    const branch = (op: string): File => ({
      nodes: [{ op, inputs: ["x"], outputs: ["z"] }],
      inputs: {},
      outputs: ["z"],
    });
    const attributes = { then_branch: { graph: branch("GlobalLpPool") }, else_branch: { graph: branch("Relu") } };
    const file: File = {
      nodes: [{ op: "If", inputs: ["c"], outputs: ["y"], attributes }],
      inputs: { x: [2, 3] },
      outputs: ["y"],
      constants: { c: { dims: [], data: Uint8Array.of(1), type: 9 } },
    };
    expect(await loaded(file)).toEqual(["host-network"]);
  });

  it("of a node that no kernel does as it is: when compiling comes to it", async () => {
    const threeAxes: File = {
      nodes: [{ op: "Conv", inputs: ["x", "w"], outputs: ["y"] }],
      inputs: { x: [1, 2, 4, 4, 4] },
      outputs: ["y"],
      constants: { w: weights(2, 2, 3, 3, 3) },
    };
    expect(await loaded(threeAxes)).toEqual(["forms-network", "graph-moves"]); // slices are turned
    const folded: File = {
      nodes: [
        { op: "Softmax", inputs: ["k"], outputs: ["s"] },
        { op: "MaxPool", inputs: ["u"], outputs: ["m"], attributes: { kernel_shape: [2, 2] } },
        { op: "Add", inputs: ["x", "s"], outputs: ["y"] },
      ],
      inputs: { x: [2, 3], u: [1, 1, 4, 4] },
      types: { u: 2 },
      outputs: ["y", "m"],
      constants: { k: weights(2, 3) },
    };
    expect(await loaded(folded)).toEqual(["host-network", "layers-quantised", "graph-folds"]);
  });

  it("a family that cannot be loaded is its loader's error; what there is no operator for is refused before", async () => {
    const failing = Object.fromEntries(NAMES.map((name) => [name, () => Promise.reject(new TypeError("no network"))]));
    const load = makeLoadOnnx(failing as unknown as Loaders, NO_OUTSIDE);
    const rt = await (BINARIES[1] as (typeof BINARIES)[number]).create();
    const file = (op: string): Uint8Array =>
      onnxFile({ nodes: [{ op, inputs: ["x"], outputs: ["y"] }], inputs: { x: [2, 3] }, outputs: ["y"] });
    await expect(load(rt, file("GlobalLpPool"))).rejects.toThrow("no network");
    await expect(load(rt, file("Hardmin"))).rejects.toThrow(UnsupportedError);
    rt.dispose();
  });
});
