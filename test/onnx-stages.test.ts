// What follows from data decided in a run goes on as a network of its own, on kernels: held to the references.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx, type OnnxModel } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Constant, type File, type Graph, integers, type Node, node, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import { conv2d, type Ref, ref, relu } from "./reference.js";

const branch = (nodes: Node[], output: string, constants: Graph["constants"] = {}): { graph: Graph } => ({
  graph: { nodes, inputs: {}, outputs: [output], constants },
});
const scalar = (value: number): Constant => ({ dims: [], data: Float32Array.of(value) });
const weights = (seed: string, ...dims: number[]) => ({ dims, data: fill(dims, seed) });
const pads = { pads: [1, 1, 1, 1] };

const SHAPE = [1, 3, 9, 10];
const [A, B, C] = [weights("a", 4, 3, 3, 3), weights("b", 5, 4, 3, 3), weights("c", 5, 4, 1, 1)];

/** relu(conv a) is an output, too; where its mean is above that of x times `factor`, conv b of it, else conv c; then relu, conv d. */
const D = weights("d", 2, 5, 3, 3);
const branches = (shape: readonly (number | string)[]): File => ({
  nodes: [
    node("Conv", ["x", "a"], ["ca"], pads),
    node("Relu", ["ca"], ["r"]),
    node("ReduceMax", ["x"], ["most"], { keepdims: 0 }),
    node("Greater", ["most", "limit"], ["is"]),
    node("If", ["is"], ["i"], {
      then_branch: branch([node("Conv", ["r", "b"], ["t"], pads)], "t", { b: B }),
      else_branch: branch([node("Conv", ["r", "c"], ["e"])], "e", { c: C }),
    }),
    node("Relu", ["i"], ["j"]),
    node("Conv", ["j", "d"], ["y"]),
    node("ReduceMean", ["j"], ["m"], { keepdims: 0 }),
  ],
  inputs: { x: shape },
  outputs: ["y", "r", "m"],
  constants: { a: A, d: D, limit: scalar(10) },
});

function wanted(x: Ref, isThen: boolean): { y: Ref; r: Ref; m: number } {
  const of = ({ dims, data }: typeof A) => ref(dims, data);
  const r = relu(conv2d(x, of(A), null, { padding: [1, 1, 1, 1] }));
  const j = relu(isThen ? conv2d(r, of(B), null, { padding: [1, 1, 1, 1] }) : conv2d(r, of(C), null));
  const sum = Array.from(j.data).reduce((total, value) => total + value, 0);
  return { y: conv2d(j, of(D), null), r, m: sum / j.data.length };
}

function check(got: Tensor | undefined, want: Ref): void {
  expect([...(got as Tensor).shape]).toEqual([...want.shape]);
  let [worst, most] = [0, 0];
  (got as Tensor).toArray().forEach((value, i) => {
    worst = Math.max(worst, Math.abs(Number(value) - (want.data[i] as number)));
    most = Math.max(most, Math.abs(want.data[i] as number));
  });
  // Three convolutions, each at most off by F(4,3)'s documented share of the largest output.
  expect(worst).toBeLessThan(3 * 5.5e-6 * most);
}

/** Operators of layers, those in JavaScript by their names. */
const layersOf = (model: OnnxModel) =>
  model.summary().rows.map(({ op, algorithm, reason }) => (reason === "JavaScript" ? algorithm : op));

describe.each(BINARIES.slice(1))("networks that data decides, on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  const image = (scale: number, shape = SHAPE) => ({ data: fill(shape, `x${shape}`).map((v) => v * scale), shape });

  it("a branch whose condition is computed, and what follows", async () => {
    const empty = rt.report().bytesInUse;
    for (const declared of [SHAPE, ["n", 3, "h", "w"]]) {
      const model = await loadOnnx(rt, onnxFile(branches(declared)));
      for (const scale of [1, 40, 1, 40]) {
        const x = image(scale);
        const isThen = Math.max(...x.data) > 10;
        expect(isThen).toBe(scale === 40);
        const want = wanted(ref(SHAPE, x.data), isThen);
        const got = model.run({ x });
        check(got["y"], want.y);
        check(got["r"], want.r);
        expect(Number((got["m"] as Tensor).toArray()[0])).toBeCloseTo(want.m, 3);
        expect(model.output("y").join()).toBe((got["y"] as Tensor).toArray().join());
        expect(layersOf(model).filter((op) => op === "conv2d")).toHaveLength(3);
        expect(String(model.summary())).toContain("conv2d");
      }
      const { bytesInUse } = rt.report();
      model.run({ x: image(1) });
      model.run({ x: image(40) });
      expect(rt.report().bytesInUse).toBe(bytesInUse);
      const other = [1, 3, 12, 7];
      if (declared !== SHAPE)
        check(model.run({ x: image(40, other) })["y"], wanted(ref(other, image(40, other).data), true).y);
      model.dispose();
      expect(rt.report().bytesInUse).toBe(empty);
    }
  });

  it("in turns with other work, some outputs alone, and a signal", async () => {
    const model = await loadOnnx(rt, onnxFile(branches(SHAPE)));
    const x = image(40);
    const want = wanted(ref(SHAPE, x.data), true);
    const got = await model.runAsync({ x }, { yieldEvery: 0, outputs: ["y"] });
    expect(Object.keys(got)).toEqual(["y"]);
    check(got["y"], want.y);
    const { liveTensors } = rt.report();
    const controller = new AbortController();
    const going = model.runAsync({ x }, { yieldEvery: 0, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(going).rejects.toThrow("enough");
    expect(rt.report().liveTensors).toBe(liveTensors);
    check(model.run({ x })["y"], want.y);
    model.dispose();
  });

  it("as many as data says: elements that are not zero, then a product; none at all", async () => {
    const W = weights("w", 1, 6);
    const model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [
          node("Relu", ["x"], ["r"]),
          node("NonZero", ["r"], ["where"]),
          node("Transpose", ["where"], ["pairs"], { perm: [1, 0] }),
          node("GatherND", ["r", "pairs"], ["found"]),
          node("Unsqueeze", ["found", "one"], ["column"]),
          node("MatMul", ["column", "w"], ["y"]),
        ],
        inputs: { x: [10, 20] },
        outputs: ["y"],
        constants: { w: W, one: integers(1) },
      }),
    );
    for (const scale of [1, -1, 0, 1]) {
      const data = fill([10, 20], "nz").map((v) => v * scale);
      const found = Array.from(data).filter((v) => v > 0);
      const { y } = model.run({ x: { data, shape: [10, 20] } }) as { y: Tensor };
      expect([...y.shape]).toEqual([found.length, 6]);
      y.toArray().forEach((value, i) => {
        expect(Number(value)).toBeCloseTo((found[Math.floor(i / 6)] as number) * (W.data[i % 6] as number), 5);
      });
    }
    model.dispose();
  });

  it("shapes of the first part that what goes on reads as numbers", async () => {
    const eye = new Float32Array(24 * 24);
    for (let i = 0; i < 24; i++) eye[i * 24 + i] = 2;
    const model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [
          node("Shape", ["x"], ["shape"]),
          node("Reshape", ["x", "row"], ["flat"]),
          node("ReduceMax", ["x"], ["most"], { keepdims: 0 }),
          node("Greater", ["most", "limit"], ["is"]),
          node("If", ["is"], ["i"], {
            then_branch: branch([node("MatMul", ["flat", "w"], ["t"])], "t"),
            else_branch: branch([node("Neg", ["flat"], ["e"])], "e"),
          }),
          node("Reshape", ["i", "shape"], ["y"]),
        ],
        inputs: { x: ["n", "m"] },
        outputs: ["y"],
        constants: { row: integers(1, 24), limit: scalar(10), w: { dims: [24, 24], data: eye } },
      }),
    );
    for (const shape of [
      [4, 6],
      [6, 4],
      [24, 1],
      [4, 6],
    ]) {
      for (const [most, factor] of [
        [24, 2],
        [5, -1],
      ] as const) {
        const data = Float32Array.from({ length: 24 }, (_, i) => (most * (i + 1)) / 24);
        const { y } = model.run({ x: { data, shape } }) as { y: Tensor };
        expect([...y.shape]).toEqual(shape);
        expect(Array.from(y.toArray() as Float32Array)).toEqual(Array.from(data, (v) => factor * v));
      }
    }
    model.dispose();
  });

  it("branch after branch, each decided by what the one before has computed", async () => {
    const step = (from: string, to: string): Node[] => [
      node("ReduceMax", [from], [`${to}Most`], { keepdims: 0 }),
      node("Greater", [`${to}Most`, "limit"], [`${to}Is`]),
      node("If", [`${to}Is`], [to], {
        then_branch: branch([node("Mul", [from, "half"], [`${to}T`])], `${to}T`),
        else_branch: branch([node("MatMul", [from, "w"], [`${to}E`])], `${to}E`),
      }),
    ];
    const n = 12;
    const w = new Float32Array(n * n);
    for (let i = 0; i < n; i++) w[i * n + ((i + 1) % n)] = 1; // moves columns on by one
    const model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [...step("x", "p"), ...step("p", "q"), ...step("q", "y")],
        inputs: { x: [8, n] },
        outputs: ["y"],
        constants: { limit: scalar(10), half: scalar(0.5), w: { dims: [n, n], data: w } },
      }),
    );
    for (const [most, halved] of [
      [5, 0],
      [15, 1],
      [30, 2],
      [70, 3],
    ] as const) {
      const data = Float32Array.from({ length: 8 * n }, (_, i) => (most * (i + 1)) / (8 * n));
      const { y } = model.run({ x: { data, shape: [8, n] } }) as { y: Tensor };
      const moved = 3 - halved;
      y.toArray().forEach((value, i) => {
        const [row, column] = [Math.floor(i / n), i % n];
        const from = data[row * n + ((column - moved + n) % n)] as number;
        expect(Number(value)).toBeCloseTo(from / 2 ** halved, 4);
      });
      const own = layersOf(model);
      expect(own.filter((op) => op === "Greater")).toHaveLength(3);
      expect(own.filter((op) => op === "linear")).toHaveLength(moved);
      expect(own.filter((op) => op === "mul")).toHaveLength(halved);
    }
    model.dispose();
  });

  it("Loop in between, which stays in JavaScript, and bounds of what goes on", async () => {
    const file: File = {
      nodes: [
        node("Loop", ["most", "on", "x"], ["l"], {
          body: {
            graph: {
              nodes: [node("Identity", ["c"], ["more"]), node("Add", ["v", "v"], ["next"])],
              inputs: { i: [], c: [], v: [6, 20] },
              types: { i: 7, c: 9, more: 9 },
              outputs: ["more", "next"],
            },
          },
        }),
        node("MatMul", ["l", "w"], ["y"]),
      ],
      inputs: { x: [6, 20] },
      outputs: ["y"],
      constants: {
        most: { dims: [], data: BigInt64Array.of(3n) },
        on: { dims: [], data: Uint8Array.of(1), type: 9 },
        w: weights("loop", 20, 4),
      },
    };
    const data = fill([6, 20], "l");
    const model = await loadOnnx(rt, onnxFile(file));
    const { y } = model.run({ x: { data, shape: [6, 20] } }) as { y: Tensor };
    const w = weights("loop", 20, 4).data;
    y.toArray().forEach((value, i) => {
      let sum = 0;
      for (let k = 0; k < 20; k++)
        sum += 8 * (data[Math.floor(i / 4) * 20 + k] as number) * (w[k * 4 + (i % 4)] as number);
      expect(Number(value)).toBeCloseTo(sum, 3);
    });
    model.dispose();
    const { bytesInUse } = rt.report();
    const small = await loadOnnx(rt, onnxFile(file), { maxMacs: 479 });
    expect(() => small.run({ x: { data, shape: [6, 20] } })).toThrow(/"maxMacs" expected at least/);
    small.dispose();
    expect(rt.report().bytesInUse).toBe(bytesInUse);
  });
});
