// What two parts of a model do to each other: runs in flight beside others, outputs that one plan computes and another knows.
import { describe, expect, it } from "vitest";
import { createModel, createRuntime, DisposedError, type Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { type Constant, type Graph, type Node, node, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";

const branch = (nodes: Node[], output: string, constants: Graph["constants"] = {}): { graph: Graph } => ({
  graph: { nodes, inputs: {}, outputs: [output], constants },
});
const weights = (seed: string, ...dims: number[]) => ({ dims, data: fill(dims, seed) });
const scalar = (value: number): Constant => ({ dims: [], data: Float32Array.of(value) });
const pads = { pads: [1, 1, 1, 1] };

const staged = () =>
  onnxFile({
    nodes: [
      node("Conv", ["x", "a"], ["ca"], pads),
      node("Relu", ["ca"], ["r"]),
      node("ReduceMax", ["x"], ["most"], { keepdims: 0 }),
      node("Greater", ["most", "limit"], ["is"]),
      node("If", ["is"], ["i"], {
        then_branch: branch([node("Conv", ["r", "b"], ["t"], pads)], "t", { b: weights("b", 5, 4, 3, 3) }),
        else_branch: branch([node("Conv", ["r", "c"], ["e"])], "e", { c: weights("c", 5, 4, 1, 1) }),
      }),
      node("Relu", ["i"], ["j"]),
      node("Conv", ["j", "d"], ["y"]),
    ],
    inputs: { x: [1, 3, "h", "w"] },
    outputs: ["y", "r"],
    constants: { a: weights("a", 4, 3, 3, 3), d: weights("d", 2, 5, 3, 3), limit: scalar(10) },
  });
const image = (scale: number, h: number, w: number) => ({
  shape: [1, 3, h, w],
  data: fill([1, 3, h, w], `x${scale}`).map((v) => v * scale),
});

const turn = () => new Promise((go) => setImmediate(go));
const bits = (tensor: Tensor | undefined) => (tensor as Tensor).toArray().join();

describe("a run that goes on after data has decided a branch", () => {
  it.each([
    [64, 64],
    [32, 90],
    [70, 80],
  ])("keeps what it computed while another of [1, 3, %i, %i] begins", async (h, w) => {
    const rt = await createRuntime();
    const empty = rt.report().bytesInUse;
    const model = await loadOnnx(rt, staged());
    const x = image(40, 64, 64);
    const [y, r] = Object.values(model.run({ x })).map(bits);
    let turns = 0;
    for (let isDone = false; !isDone; turns += 61) {
      const going = model.runAsync({ x }, { yieldEvery: 0 }).finally(() => {
        isDone = true;
      });
      for (let i = 0; i < turns && !isDone; i++) await turn();
      if (isDone) break;
      const begin = () => model.run({ x: image(30, h, w) });
      if (h === 64) expect(begin).toThrow("one run at a time");
      else begin();
      const got = await going;
      isDone = false;
      expect([bits(got["y"]) === y, bits(got["r"]) === r]).toEqual([true, true]);
    }
    expect(turns).toBeGreaterThan(100);
    model.dispose();
    expect(rt.report().bytesInUse).toBe(empty);
    rt.dispose();
  });

  it("leaves nothing where its model is disposed meanwhile", async () => {
    const rt = await createRuntime();
    const empty = rt.report();
    for (let turns = 0; turns < 60; turns += 3) {
      const model = await loadOnnx(rt, staged());
      const x = image(40, 20, 20);
      if (turns % 2) model.run({ x });
      const going = model.runAsync({ x }, { yieldEvery: 0 });
      for (let i = 0; i < turns; i++) await turn();
      model.dispose();
      await going.catch((error) => expect(error).toBeInstanceOf(DisposedError));
    }
    const nodes = [node("NonZero", ["x"], ["y"])]; // in JavaScript
    const model = await loadOnnx(rt, onnxFile({ nodes, inputs: { x: ["n", 4] }, outputs: ["y"] }));
    const going = model.runAsync({ x: { shape: [3, 4], data: fill([3, 4], "x") } });
    model.dispose();
    await expect(going).rejects.toBeInstanceOf(DisposedError);
    expect(rt.report()).toMatchObject({ bytesInUse: empty.bytesInUse, liveTensors: empty.liveTensors });
    rt.dispose();
  });
});

it("output() shows what the last run answered, whichever plan knew or computed it", async () => {
  const rt = await createRuntime();
  const model = await loadOnnx(
    rt,
    onnxFile({
      nodes: [
        node("Greater", ["s", "limit"], ["is"]),
        node("If", ["is"], ["y"], {
          then_branch: branch([node("Conv", ["x", "b"], ["t"], pads)], "t", { b: weights("b", 3, 3, 3, 3) }),
          else_branch: branch([node("Identity", ["k"], ["e"])], "e", { k: weights("k", 1, 3, 4, 4) }),
        }),
      ],
      inputs: { x: [1, 3, 4, 4], s: [] },
      outputs: ["y"],
      constants: { limit: scalar(10) },
    }),
  );
  for (const value of [1, 20, 1, 20, 20, 1]) {
    const s = { shape: [], data: Float32Array.of(value) };
    const { y } = model.run({ x: image(1, 4, 4), s });
    expect(model.output("y").join()).toBe(bits(y));
  }
  rt.dispose();
});

it("weights that a run packs take nobody's place: those of a bias of none as large, those of other shapes in flight", async () => {
  const rt = await createRuntime();
  const nodes = [node("Conv", ["x", "w", "b"], ["y"])];
  const inputs = { x: ["n", 1, 2, "w"], w: [3, 1, 1, 1], b: [3] };
  const model = await loadOnnx(rt, onnxFile({ nodes, inputs, outputs: ["y"] }));
  const given = (seed: string, width: number) => ({
    x: { shape: [1, 1, 2, width], data: fill([2, width], seed) },
    w: { shape: [3, 1, 1, 1], data: fill([3], `w${seed}`) },
    b: { shape: [3], data: fill([3], `b${seed}`) },
  });
  const check = (y: Tensor | undefined, { x, w, b }: ReturnType<typeof given>) =>
    (y as Tensor).toArray().forEach((value, i) => {
      const m = Math.floor(i / x.data.length);
      const want = (w.data[m] as number) * (x.data[i % x.data.length] as number) + (b.data[m] as number);
      expect(Math.abs(Number(value) - want)).toBeLessThan(1e-6 * (1 + Math.abs(want)));
    });
  const [first, second] = [given("a", 700), given("b", 500)];
  check(model.run(first)["y"], first);
  check(model.run(second)["y"], second);
  for (let turns = 0; turns < 12; turns++) {
    const going = model.runAsync(first, { yieldEvery: 0 });
    for (let i = 0; i < turns; i++) await turn();
    check(model.run(second)["y"], second);
    check((await going)["y"], first);
  }
  model.dispose();
  rt.dispose();
});

it("packed forms of parameters whose names are alike but for spaces are two", async () => {
  const rt = await createRuntime();
  const names = ["m", "v", "s s", "s"];
  const weights = new Map(
    names.map(
      (name) => [name, { shape: [4], dtype: "float32", data: fill([4], name).map((v) => v * v + 0.5) }] as const,
    ),
  );
  const norm = (name: string, ...params: string[]) => ({
    name,
    op: "batchNorm" as const,
    inputs: ["x"],
    params,
    outputs: [name],
    options: {},
  });
  const shape = [1, 4, 3, 3];
  const graph = {
    inputs: [{ name: "x", shape, dtype: "float32" as const }],
    parameters: names.map((name) => ({ name, shape: [4], dtype: "float32" as const })),
    nodes: [norm("p", "m", "v", "s s", "s"), norm("q", "m", "v", "s", "s s")],
    outputs: ["p", "q"].map((name) => ({ name, value: name, memoryFormat: "contiguous" as const })),
  };
  const x = fill(shape, "x");
  const results = createModel(rt, graph as never, weights).run({ x: rt.tensor(x, shape) });
  for (const { name, params } of graph.nodes) {
    const of = (k: number, c: number) => weights.get(params[k] as string)?.data[c] as number;
    results[name]?.toArray().forEach((value, i) => {
      const c = Math.floor(i / 9);
      const want = (((x[i] as number) - of(0, c)) / Math.sqrt(of(1, c) + 1e-5)) * of(2, c) + of(3, c);
      expect(Number(value)).toBeCloseTo(want, 4);
    });
  }
  rt.dispose();
});
