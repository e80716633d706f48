import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  createModel,
  DisposedError,
  Graph,
  type HostTensor,
  type Model,
  ModelError,
  type Operations,
  OutOfMemoryError,
  type Runtime,
  ShapeError,
  sequential,
  summarize,
  type Tensor,
  type Value,
} from "../src/api.js";
import { createRuntime } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import { abs, conv2d, map, maxPool2d, type Ref, ref, relu, transpose } from "./reference.js";
import { toChannelsLast } from "./tensors.js";
import { dotTolerance, expectClose } from "./tolerance.js";

function host(shape: readonly number[], seed: string): HostTensor {
  return { shape, dtype: "float32", data: fill(shape, seed) };
}

const WEIGHTS = {
  "a.weight": host([9, 3, 3, 3], "a.weight"),
  "a.bias": host([9], "a.bias"),
  "b.weight": host([6, 3, 3, 1], "b.weight"),
};
const IMAGE = [2, 3, 11, 13] as const;

/** Two convolutions, the second one in groups. */
function twoLayers(memoryFormat?: "contiguous" | "channelsLast"): Graph {
  const g = new Graph();
  const x = g.input("image", IMAGE, memoryFormat && { memoryFormat });
  const a = g.layer("a").conv2d(x, "a.weight", "a.bias", { padding: 1, activation: "relu" });
  g.output("y", g.layer("b").conv2d(a, "b.weight", null, { groups: 3 }));
  return g;
}

function reference(image: Float32Array): { y: Ref; tolerance: Float64Array } {
  const r = (name: keyof typeof WEIGHTS) => ref(WEIGHTS[name].shape, WEIGHTS[name].data as Float32Array);
  const x = ref(IMAGE, image);
  const a = conv2d(x, r("a.weight"), r("a.bias"), { padding: [1, 1, 1, 1] });
  const most = conv2d(abs(x), abs(r("a.weight")), abs(r("a.bias")), { padding: [1, 1, 1, 1] });
  const y = conv2d(relu(a), r("b.weight"), null, { groups: 3 });
  // Both layers' roundings on the largest sum of magnitudes; 8: the first layer may run by Winograd.
  const magnitude = conv2d(most, abs(r("b.weight")), null, { groups: 3 });
  return { y, tolerance: dotTolerance(27 + 9, magnitude, 8) };
}

describe.each(BINARIES)("model on $name", (binary) => {
  let rt: Runtime;
  const image = fill(IMAGE, "image");
  beforeAll(async () => {
    rt = await binary.create();
  });

  it.each(["contiguous", "channelsLast", undefined] as const)("agrees with the reference, arena %s", (arena) => {
    const before = rt.report().bytesInUse;
    const { y, tolerance } = reference(image);
    using model = createModel(rt, twoLayers(arena), WEIGHTS);
    using x = rt.tensor(image, IMAGE);
    using wanted = rt.empty(IMAGE, { memoryFormat: "channelsLast" });
    wanted.data.set(toChannelsLast(image, IMAGE) as never);
    for (const tensor of [x, wanted, x]) {
      const result = model.run({ image: tensor });
      expectClose(result["y"]?.toArray() as Float32Array, y, tolerance, "y");
      expect(result["y"]?.memoryFormat).toBe("contiguous");
    }
    model.dispose();
    x.dispose();
    wanted.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("takes exactly the bytes it planned and gives them back", () => {
    const before = rt.report().bytesInUse;
    const model = createModel(rt, twoLayers(), WEIGHTS);
    expect(rt.report().bytesInUse - before).toBe(model.plan.totalBytes);
    expect(model.plan.weightBytes + model.plan.arenaBytes).toBe(model.plan.totalBytes);
    model.dispose();
    model.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("runs 10,000 times in the same memory and with the same bits", () => {
    using model = createModel(rt, twoLayers(), WEIGHTS);
    using x = rt.tensor(image, IMAGE);
    const first = model.run({ image: x })["y"]?.toArray();
    const before = rt.report();
    for (let i = 0; i < 10_000; i++) model.run({ image: x });
    expect(rt.report()).toEqual(before);
    expect(model.run({ image: x })["y"]?.toArray()).toEqual(first);
  });

  it("is made and disposed 1,000 times in the same memory", () => {
    createModel(rt, twoLayers(), WEIGHTS).dispose();
    const before = rt.report();
    for (let i = 0; i < 1_000; i++) createModel(rt, twoLayers(), WEIGHTS).dispose();
    expect(rt.report()).toEqual(before);
  });
});

describe("model", () => {
  let rt: Runtime;
  let model: Model;
  let x: Tensor;
  const image = fill(IMAGE, "image");
  beforeAll(async () => {
    rt = await createRuntime({ variant: "simd" });
    model = createModel(rt, twoLayers(), WEIGHTS);
    x = rt.tensor(image, IMAGE);
  });

  it("names its inputs and outputs", () => {
    expect(model.inputs).toEqual([
      { name: "image", shape: [2, 3, 11, 13], dtype: "float32", memoryFormat: "channelsLast" },
    ]);
    expect(model.outputs).toEqual([{ name: "y", shape: [2, 6, 9, 13], dtype: "float32", memoryFormat: "contiguous" }]);
  });

  it("answers tensors that outlive dispose(), hold until the next run, and end with the model", () => {
    const local = createModel(rt, twoLayers(), WEIGHTS);
    const { y } = local.run({ image: x }) as { y: Tensor };
    const kept = y.toArray();
    using copy = y.clone();
    y.dispose();
    expect(y.disposed).toBe(false);
    using zeros = rt.zeros(IMAGE);
    expect(local.run({ image: zeros })["y"]).toBe(y);
    expect(y.toArray()).not.toEqual(kept);
    expect(copy.toArray()).toEqual(kept);
    local.dispose();
    expect(() => y.data).toThrow(DisposedError);
    expect(copy.toArray()).toEqual(kept);
  });

  it("gives its outputs to the runtime's operators and to other models", () => {
    const { y } = model.run({ image: x }) as { y: Tensor };
    using weight = rt.tensor(fill([1, 6, 1, 1], "next"), [1, 6, 1, 1]);
    using next = rt.conv2d(y, weight);
    expect(next.shape).toEqual([2, 1, 9, 13]);
    const g = new Graph();
    g.output("z", g.conv2d(g.input("x", y.shape), "w"));
    using second = createModel(rt, g, new Map([["w", host([1, 6, 1, 1], "next")]]));
    expectClose(second.run({ x: y })["z"]?.data as Float32Array, ref(next.shape, next.data as Float32Array), 1e-5, "z");
  });

  it("shows its slots: written and read without a tensor, also after memory has grown", () => {
    const { y } = model.run({ image: x }) as { y: Tensor };
    const expected = y.toArray();
    using grown = rt.empty([1_000_000]);
    expect(grown.size).toBe(1_000_000);
    model.input("image").set(toChannelsLast(image, IMAGE) as never);
    model.run();
    expect(model.output("y")).toEqual(expected);
    expect(() => model.input("y")).toThrow(new ModelError(`"input" expected one of image, got "y"`));
    expect(() => model.output("image")).toThrow(new ModelError(`"output" expected one of y, got "image"`));
  });

  it("moves no element between [N, H, W, C] and channels-last, and changes a format once for all who want it", () => {
    const shape = [1, 5, 7, 3] as const; // N, H, W, C
    const g = new Graph();
    const pixels = g.input("x", shape, { memoryFormat: "contiguous" });
    const image = g.layer("in").transpose(pixels, { permutation: [0, 3, 1, 2] });
    const y = g.layer("conv").conv2d(image, "w", null, { padding: 1 });
    g.output("y", g.layer("out").transpose(y, { permutation: [0, 2, 3, 1] }));
    const planes = g.input("planes", [1, 3, 4, 6], { memoryFormat: "contiguous" });
    g.output("a", g.layer("a").conv2d(planes, "w"));
    g.output("b", g.layer("b").maxPool2d(planes, { kernel: 2 }));
    const weights = { w: host([4, 3, 3, 3], "w") };
    using turned = createModel(rt, g, weights);
    const steps = turned.summary().rows.map(({ op, algorithm }) => (op === "toMemoryFormat" ? op : algorithm));
    expect(steps.filter((step) => step === "view")).toHaveLength(2);
    // planes once, and the outputs a and b
    expect(steps.filter((step) => step === "toMemoryFormat")).toHaveLength(3);
    const [x, p] = [fill(shape, "x"), fill([1, 3, 4, 6], "p")];
    using xs = rt.tensor(x, shape);
    using ps = rt.tensor(p, [1, 3, 4, 6]);
    const out = turned.run({ x: xs, planes: ps }) as Record<"y" | "a" | "b", Tensor>;
    const w = ref([4, 3, 3, 3], weights.w.data as Float32Array);
    const wanted = conv2d(transpose(ref(shape, x), [0, 3, 1, 2]), w, null, { padding: [1, 1, 1, 1] });
    expectClose(out.y.toArray() as Float32Array, transpose(wanted, [0, 2, 3, 1]), 1e-5, "y");
    expectClose(out.a.toArray() as Float32Array, conv2d(ref([1, 3, 4, 6], p), w, null), 1e-5, "a");
    expectClose(
      out.b.toArray() as Float32Array,
      maxPool2d(ref([1, 3, 4, 6], p), { kernel: [2, 2], stride: [2, 2] }),
      0,
      "b",
    );
  });

  it("shares one value between two outputs, and answers an input as it came", () => {
    const g = new Graph();
    const input = g.input("x", [1, 2, 3, 5]);
    const a = g.conv2d(input, "w");
    g.output("first", a);
    g.output("second", a, { memoryFormat: "channelsLast" });
    g.output("same", input);
    using both = createModel(rt, g, { w: host([3, 2, 1, 1], "w") });
    const data = fill([1, 2, 3, 5], "x");
    using tensor = rt.tensor(data, [1, 2, 3, 5]);
    const { first, second, same } = both.run({ x: tensor }) as Record<"first" | "second" | "same", Tensor>;
    expect(second.toArray()).toEqual(first.toArray());
    expect(second.memoryFormat).toBe("channelsLast");
    expect(same.toArray()).toEqual(data);
  });

  it("lets an activation take its input's place, but not an output's or a parameter's", () => {
    const g = new Graph();
    const input = g.input("x", [1, 2, 3, 5]);
    const a = g.layer("a").conv2d(input, "w");
    const b = g.layer("b").relu(a); // a is an output: b needs memory of its own
    const c = g.layer("c").sigmoid(b); // in b's place
    g.output("a", a);
    g.output("c", c);
    g.output("p", g.layer("p").relu("v"));
    const weights = { w: host([8, 2, 1, 1], "w"), v: host([7], "v") };
    using three = createModel(rt, g, weights);
    const data = fill([1, 2, 3, 5], "x");
    using tensor = rt.tensor(data, [1, 2, 3, 5]);
    for (let i = 0; i < 2; i++) {
      const out = three.run({ x: tensor }) as Record<"a" | "c" | "p", Tensor>;
      const expected = conv2d(ref([1, 2, 3, 5], data), ref([8, 2, 1, 1], weights.w.data as Float32Array), null);
      expectClose(out.a.toArray() as Float32Array, expected, 1e-5, "a");
      expectClose(
        out.c.toArray() as Float32Array,
        map(relu(expected), (value) => 1 / (1 + Math.exp(-value))),
        1e-5,
        "c",
      );
      expectClose(out.p.toArray() as Float32Array, relu(ref([7], weights.v.data as Float32Array)), 1e-5, "p");
    }
  });

  it("runs branches, constants, views and several outputs as single calls do", () => {
    const shape = [2, 6, 5, 7];
    const weights = {
      w: host([6, 6, 3, 3], "w"),
      shift: host([1, 6, 5, 1], "shift"), // a whole image's axes: another memory format than the activations'
      scale: host([6, 1, 1], "scale"),
      mean: host([6], "mean"),
      variance: { ...host([6], "variance"), data: fill([6], "variance").map((value) => 1 + value * value) },
      gamma: host([6], "gamma"),
      beta: host([6], "beta"),
      fc: host([3, 12], "fc"),
    };
    const build = <T>(op: Operations<T>, x: T, p: (name: keyof typeof weights) => T) => {
      const a = op.conv2d(x, p("w"), null, { padding: 1 });
      const b = op.add(op.mul(a, p("scale")), p("shift"));
      const trained = op.batchNormTrain(b, p("gamma"), p("beta"), p("mean"), p("variance"));
      const c = op.concat([op.relu(trained.output), op.add(x, b)], { axis: 1 });
      const pooled = op.globalAvgPool(c); // [2, 12, 1, 1]: flatten is a view
      const y = op.softmax(op.linear(op.flatten(pooled), p("fc")));
      return { y, mean: trained.mean, wide: op.reshape(c, { shape: [4, 6, 7, 5] }) };
    };
    const g = new Graph();
    const values = build<Value>(g as unknown as Operations<Value>, g.input("x", shape), (name) => g.parameter(name));
    for (const [name, value] of Object.entries(values)) g.output(name, value);
    const data = fill(shape, "x");
    using tensor = rt.tensor(data, shape);
    const tensors = new Map(Object.entries(weights).map(([name, w]) => [name, rt.tensor(w.data, w.shape)]));
    const expected = build<Tensor>(rt, tensor, (name) => tensors.get(name) as Tensor);
    using branches = createModel(rt, g, weights);
    expect(branches.summary().rows.find((row) => row.op === "flatten")?.algorithm).toBe("view");
    const before = rt.report();
    for (let i = 0; i < 2; i++) {
      const out = branches.run({ x: tensor }) as Record<keyof typeof expected, Tensor>;
      for (const name of ["y", "mean", "wide"] as const) {
        expect(out[name].shape).toEqual(expected[name].shape);
        expectClose(
          out[name].toArray() as Float32Array,
          ref(out[name].shape, expected[name].toArray() as Float32Array),
          2e-5,
          name,
        );
      }
    }
    expect(rt.report()).toEqual(before);
  });

  it("summarises layers, their sums, and the same without a model", () => {
    const { rows, totals } = model.summary();
    const named = rows.filter((row) => row.layer !== "");
    expect(
      named.map(({ layer, op, inputDtype, outputShape, macs, ungroupedMacs, parameters }) => ({
        layer,
        op,
        inputDtype,
        outputShape,
        macs,
        ungroupedMacs,
        parameters,
      })),
    ).toEqual([
      {
        layer: "a",
        op: "conv2d",
        inputDtype: "float32",
        outputShape: [2, 9, 11, 13],
        macs: 2 * 9 * 143 * 27,
        ungroupedMacs: 2 * 9 * 143 * 27,
        parameters: 252,
      },
      {
        layer: "b",
        op: "conv2d",
        inputDtype: "float32",
        outputShape: [2, 6, 9, 13],
        macs: 2 * 6 * 117 * 9,
        ungroupedMacs: 2 * 6 * 117 * 27,
        parameters: 54,
      },
    ]);
    expect(totals).toMatchObject({ ...model.plan, ungroupedMacs: 2 * 9 * 143 * 27 + 2 * 6 * 117 * 27 });
    expect(summarize(rt, twoLayers(), WEIGHTS)).toMatchObject({ rows, totals });
    expect(String(model.summary()).split("\n")[0]).toMatch(
      /^layer +op +algorithm +output +MACs +ungrouped +parameters +bytes$/,
    );
  });

  it("shows what a separable block saves", () => {
    const g = new Graph();
    const x = g.input("x", [1, 32, 14, 14]);
    const [wide, narrow] = [g.parameter("d", [32, 1, 3, 3]), g.parameter("p", [64, 32, 1, 1])];
    g.output("y", g.layer("block").separableConv2d(x, wide, narrow, null, null, { padding: 1 }));
    const summary = summarize(rt, g);
    const [row] = summary.rows;
    expect(row?.macs).toBe(14 * 14 * 32 * 9 + 14 * 14 * 32 * 64);
    expect(row?.saving).toBeCloseTo(1 / 64 + 1 / 9, 12);
    expect(String(summary)).toContain("12.7 % of a full convolution's MACs");
  });

  it("profiles every layer", () => {
    const { rows, totals } = model.profile({ image: x }, { runs: 3 });
    expect(rows.length).toBe(model.summary().rows.length);
    expect(totals.microseconds).toBeGreaterThan(0);
    expect(rows[0]?.gflops).toBeGreaterThan(0);
    expect(() => model.profile({ image: x }, { runs: 0 })).toThrow(RangeError);
  });

  it("writes a profile as trace events, one after the other", () => {
    const profile = model.profile({ image: x }, { runs: 1 });
    const { traceEvents } = JSON.parse(JSON.stringify(profile.toTrace())) as ReturnType<typeof profile.toTrace>;
    expect(traceEvents.map(({ name, cat }) => [name, cat])).toEqual(
      profile.rows.map(({ layer, op }) => [layer || op, op]),
    );
    traceEvents.forEach(({ ph, ts, dur, args }, i) => {
      const before = traceEvents[i - 1];
      expect(ph).toBe("X");
      expect(ts).toBeCloseTo(before ? before.ts + before.dur : 0, 6);
      expect(dur).toBe(args.microseconds);
    });
  });

  it("runs in turns with other work, and answers nothing else meanwhile", async () => {
    const expected = (model.run({ image: x })["y"] as Tensor).toArray();
    (model.output("y") as Float32Array).fill(0);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    using input = rt.tensor(image, IMAGE);
    const pending = model.runAsync({ image: input }, { yieldEvery: 0 });
    input.dispose(); // taken already
    expect(() => model.run({ image: x })).toThrow(ModelError);
    expect(() => model.input("image")).toThrow(ModelError);
    await expect(model.runAsync({ image: x })).rejects.toThrow(/"model" expected one run at a time/);
    const { y } = (await pending) as { y: Tensor };
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    expect(y.toArray()).toEqual(expected);
    expect((await model.runAsync({ image: x }))["y"]).toBe(y);
    // Layers too are cut where they take longer than that.
    const rests = vi.spyOn(globalThis, "setTimeout");
    (model.output("y") as Float32Array).fill(0);
    for (const yieldEvery of [1e-4, Number.MIN_VALUE])
      expect((await model.runAsync({ image: x }, { yieldEvery }))["y"]?.toArray()).toEqual(expected);
    expect(rests.mock.calls.length).toBeGreaterThan(10);
    rests.mockRestore();
  });

  it("stops an asynchronous run when asked, or when it is disposed, and can run again", async () => {
    const expected = (model.run({ image: x })["y"] as Tensor).toArray();
    await expect(model.runAsync({ image: x }, { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
    const controller = new AbortController();
    const pending = model.runAsync({ image: x }, { signal: controller.signal, yieldEvery: 0 });
    controller.abort(new RangeError("not needed any more"));
    await expect(pending).rejects.toThrow(new RangeError("not needed any more"));
    expect((model.run({ image: x })["y"] as Tensor).toArray()).toEqual(expected);
    const other = createModel(rt, twoLayers(), WEIGHTS);
    const late = other.runAsync({ image: x }, { yieldEvery: 0 });
    other.dispose();
    await expect(late).rejects.toThrow(DisposedError);
    await expect(model.runAsync({ image: x }, { yieldEvery: -1 })).rejects.toThrow(RangeError);
    await expect(model.runAsync({ image: x }, { signal: {} as AbortSignal })).rejects.toThrow(TypeError);
    await expect(model.runAsync({})).rejects.toThrow(ModelError);
  });

  it("builds the same graph from rows", () => {
    const g = sequential({ image: IMAGE }, [
      { op: "conv2d", name: "a", padding: 1, activation: "relu" },
      { op: "conv2d", name: "b", groups: 3, params: ["weight"] },
    ]);
    expect(g.nodes).toEqual(twoLayers().nodes);
    expect(JSON.parse(JSON.stringify(g)).nodes).toEqual(g.nodes);
  });

  it("checks what a run is given, and stays usable", async () => {
    const before = rt.report();
    const other = await createRuntime({ variant: "simd" });
    const foreign = other.tensor(image, IMAGE);
    const gone = rt.tensor(image, IMAGE);
    gone.dispose();
    using small = rt.zeros([2, 3, 11, 12]);
    using bytes = rt.zeros(IMAGE, { dtype: "uint8" });
    const { y } = model.run({ image: x }) as { y: Tensor };
    expect(() => model.run({})).toThrow(new ModelError(`"image" expected a tensor for this input, got none`));
    expect(() => model.run({ image: x, mask: x })).toThrow(new ModelError(`"input" expected one of image, got "mask"`));
    expect(() => model.run({ image: image as never })).toThrow(
      new TypeError(`"image" expected a tensor, got Float32Array`),
    );
    expect(() => model.run(x as never)).toThrow(
      new TypeError(`"inputs" expected an object of tensors by name, got a tensor`),
    );
    expect(() => model.run({ image: foreign })).toThrow(
      new TypeError(`"image" expected a tensor of this runtime, got another runtime's`),
    );
    expect(() => model.run({ image: gone })).toThrow(DisposedError);
    expect(() => model.run({ image: small })).toThrow(ShapeError);
    expect(() => model.run({ image: bytes })).toThrow(ShapeError);
    expect(() => model.run({ image: y })).toThrow(
      /^"image" expected float32 \[2, 3, 11, 13\]|"image" expected a tensor that a run does not overwrite/,
    );
    model.run({ image: x });
    small.dispose();
    bytes.dispose();
    expect(rt.report().bytesInUse).toBe(before.bytesInUse);
    other.dispose();
  });

  it("refuses graphs and weights that do not hold together, before it allocates", () => {
    const before = rt.report();
    const fails = (make: () => unknown, kind: new (message: string) => Error, message: RegExp) => {
      expect(make).toThrow(kind);
      expect(make).toThrow(message);
    };
    const without = { ...WEIGHTS, "a.bias": undefined } as never;
    fails(() => createModel(rt, twoLayers(), without), ModelError, /^"weights" expected a tensor "a.bias", got none$/);
    fails(() => createModel(rt, twoLayers(), new Map()), ModelError, /"a.weight"/);
    fails(
      () => createModel(rt, twoLayers(), null as never),
      TypeError,
      /^"weights" expected a map of tensors, got null$/,
    );
    fails(
      () => createModel(rt, twoLayers(), { ...WEIGHTS, "b.weight": host([6, 4, 3, 1], "b") }),
      ShapeError,
      /^layer "b" \(conv2d\): "weight" expected shape \[M, 3, R, S\]/,
    );
    const short = { shape: [9], dtype: "float32", data: new Float32Array(8) } as const;
    fails(
      () => createModel(rt, twoLayers(), { ...WEIGHTS, "a.bias": short }),
      ModelError,
      /^"a.bias" expected 9 elements for \[9\], got 8$/,
    );
    const wrong = { shape: [9], dtype: "float32", data: new Int32Array(9) } as const;
    fails(
      () => createModel(rt, twoLayers(), { ...WEIGHTS, "a.bias": wrong }),
      ModelError,
      /^"a.bias" expected data of its dtype/,
    );
    const declared = new Graph();
    declared.output(
      "y",
      declared.conv2d(declared.input("x", [1, 3, 5, 5]), declared.parameter("a.weight", [9, 3, 5, 5])),
    );
    fails(
      () => createModel(rt, declared, WEIGHTS),
      ModelError,
      /^"a.weight" expected shape \[9, 3, 5, 5\], got \[9, 3, 3, 3\]$/,
    );
    const node = {
      name: "n",
      op: "conv2d",
      inputs: ["later"],
      params: ["a.weight", null],
      options: {},
      outputs: ["n"],
    } as const;
    const data = {
      inputs: [],
      parameters: [{ name: "a.weight" }],
      nodes: [node],
      outputs: [{ name: "y", value: "n", memoryFormat: "contiguous" }],
    } as const;
    fails(() => createModel(rt, data, WEIGHTS), ModelError, /^"n" expected a value that comes before it, got "later"$/);
    fails(
      () => createModel(rt, { ...data, nodes: [{ ...node, op: "conv9d" as never }] }, WEIGHTS),
      ModelError,
      /known operator, got "conv9d"/,
    );
    fails(
      () => createModel(rt, { ...data, nodes: [] }, WEIGHTS),
      ModelError,
      /^"y" expected a value of the graph, got "n"$/,
    );
    fails(() => createModel(rt, { ...data, nodes: [], outputs: [] }, WEIGHTS), ModelError, /at least one output/);
    const [output] = data.outputs;
    const input = { name: "later", shape: [1, 3, 5, 5], dtype: "float32" } as const;
    fails(
      () => createModel(rt, { ...data, inputs: [input], outputs: [output, output] }, WEIGHTS),
      ModelError,
      /"y" twice$/,
    );
    fails(() => createModel(rt, { ...data, inputs: [input, input] }, WEIGHTS), ModelError, /"later" twice$/);
    fails(
      () => createModel(rt, { ...data, inputs: [{ ...input, name: "a.weight" }] }, WEIGHTS),
      ModelError,
      /"a.weight" twice$/,
    );
    expect(rt.report()).toEqual(before);
  });

  it("holds its limits before it allocates", () => {
    const before = rt.report();
    const { totalBytes, macs } = model.plan;
    expect(() => createModel(rt, twoLayers(), WEIGHTS, { maxBytes: totalBytes - 1 })).toThrow(
      new OutOfMemoryError(`"maxBytes" expected at least ${totalBytes} for this model, got ${totalBytes - 1}`),
    );
    expect(() => createModel(rt, twoLayers(), WEIGHTS, { maxMacs: macs - 1 })).toThrow(
      new ModelError(`"maxMacs" expected at least ${macs} for this model, got ${macs - 1}`),
    );
    expect(() => createModel(rt, twoLayers(), WEIGHTS, { maxBytes: -1 })).toThrow(RangeError);
    expect(() => createModel(rt, twoLayers(), WEIGHTS, { maxbytes: 1 } as never)).toThrow(TypeError);
    const huge = new Graph();
    huge.output("y", huge.conv2d(huge.input("x", [1000, 1, 1000, 1000]), "w", null, { padding: 7 }));
    expect(() => createModel(rt, huge, { w: host([1, 1, 1, 1], "w") }, { maxBytes: 2 ** 30 })).toThrow(
      OutOfMemoryError,
    );
    expect(rt.report()).toEqual(before);
    createModel(rt, twoLayers(), WEIGHTS, { maxBytes: totalBytes, maxMacs: macs }).dispose();
  });

  it("gives everything back when memory ends half-way", async () => {
    const g = new Graph();
    g.output(
      "y",
      g.conv2d(g.conv2d(g.input("x", [1, 64, 8, 8]), "w", null, { padding: 1 }), "w", null, { padding: 1 }),
    );
    const weights = { w: host([64, 64, 3, 3], "w") };
    let failures = 0;
    for (let maxBytes = 65536; ; maxBytes += 65536) {
      const limited = await createRuntime({ variant: "simd", maxBytes });
      const before = limited.report().bytesInUse;
      try {
        createModel(limited, g, weights).dispose();
        break;
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemoryError);
        failures++;
      } finally {
        expect(limited.report().bytesInUse).toBe(before);
        limited.dispose();
      }
    }
    expect(failures).toBeGreaterThan(3);
  });

  it("ends with dispose() and with its runtime", async () => {
    const local = await createRuntime({ variant: "simd" });
    const ended = createModel(local, twoLayers(), WEIGHTS);
    using tensor = local.tensor(image, IMAGE);
    ended.dispose();
    for (const use of [
      () => ended.run({ image: tensor }),
      () => ended.run(),
      () => ended.input("image"),
      () => ended.output("y"),
    ]) {
      expect(use).toThrow(DisposedError);
    }
    const orphan = createModel(local, twoLayers(), WEIGHTS);
    local.dispose();
    expect(() => orphan.run()).toThrow(DisposedError);
    expect(() => createModel(local, twoLayers(), WEIGHTS)).toThrow(DisposedError);
    orphan.dispose();
  });
});

describe("graph", () => {
  it("refuses names used twice, values of another graph, and unknown rows", () => {
    const g = new Graph();
    const x = g.input("x", [1, 1, 4, 4]);
    const other = new Graph().input("x", [1, 1, 4, 4]);
    expect(() => g.input("x", [1])).toThrow(new ModelError(`"name" expected one not used before, got "x"`));
    expect(() => g.input("", [1])).toThrow(TypeError);
    expect(() => g.input("z", [0])).toThrow(RangeError);
    expect(() => g.conv2d(other, "w")).toThrow(
      new TypeError(`"input" expected a value of this graph or a parameter's name, got another graph's`),
    );
    expect(() => g.conv2d(undefined as never, "w")).toThrow(TypeError);
    g.layer("a").conv2d(x, "w");
    expect(() => g.layer("a").conv2d(x, "w")).toThrow(ModelError);
    expect(g.parameter("w").name).toBe("w");
    g.output("y", x);
    expect(() => g.output("y", x)).toThrow(ModelError);
    expect(() => sequential({ x: [1] }, [{ op: "conv9d" } as never])).toThrow(RangeError);
    expect(() => sequential({}, [])).toThrow(TypeError);
    expect(() => sequential({ x: [1, 1, 4, 4] }, [{ op: "conv2d" }])).toThrow(TypeError);
  });

  it("calls layers without a name by operator and number", () => {
    const g = new Graph();
    const x = g.input("conv2d1", [1, 1, 4, 4]);
    g.conv2d(g.conv2d(x, "w"), "w");
    expect(g.nodes.map((node) => node.name)).toEqual(["conv2d2", "conv2d3"]);
  });
});
