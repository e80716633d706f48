// One model, many shapes: what their plans share, what is held, and who makes room for whom.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Allocator } from "../src/engine/allocator.js";
import { DisposedError, ModelError, OutOfMemoryError, type Runtime, type Tensor } from "../src/index.js";
import { loadOnnx, type OnnxModel, type OnnxOptions } from "../src/onnx/index.js";
import { BINARIES, type Binary } from "./binaries.js";
import { type Constant, type File, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";

const floats = (dims: readonly number[], seed: string, scale = 0.1): Constant => ({
  dims,
  data: fill(dims, seed).map((value) => value * scale),
});

/**
 * Weights as initialisers, in a branch, in a Constant node, and transposed on their way; normalised, scaled and shifted. 3x3 filters
 * that are packed otherwise for small images than for large ones.
 */
const FILE: File = {
  inputs: { x: [1, 3, "height", "width"] },
  outputs: ["y"],
  nodes: [
    { op: "Conv", inputs: ["x", "w1", "b1"], outputs: ["c1"], attributes: { pads: [1, 1, 1, 1] } },
    { op: "BatchNormalization", inputs: ["c1", "gamma", "beta", "mean", "variance"], outputs: ["n1"] },
    { op: "Relu", inputs: ["n1"], outputs: ["r1"] },
    { op: "Conv", inputs: ["r1", "w2"], outputs: ["c2"], attributes: { pads: [1, 1, 1, 1] } },
    { op: "Mul", inputs: ["c2", "gain"], outputs: ["m2"] },
    {
      op: "If",
      inputs: ["yes"],
      outputs: ["c3"],
      attributes: {
        then_branch: {
          graph: {
            inputs: {},
            outputs: ["inner"],
            nodes: [{ op: "Conv", inputs: ["m2", "w3"], outputs: ["inner"] }],
            constants: { w3: floats([64, 64, 1, 1], "w3") },
          },
        },
        else_branch: { graph: { inputs: {}, outputs: ["m"], nodes: [{ op: "Relu", inputs: ["m2"], outputs: ["m"] }] } },
      },
    },
    { op: "Transpose", inputs: ["w4"], outputs: ["turned"], attributes: { perm: [1, 0] } },
    { op: "Reshape", inputs: ["turned", "taps"], outputs: ["filters"] },
    { op: "Conv", inputs: ["c3", "filters"], outputs: ["c4"] },
    { op: "ReduceMean", inputs: ["c4"], outputs: ["mean4"], attributes: { axes: [2, 3], keepdims: 0 } },
    { op: "MatMul", inputs: ["mean4", "w5"], outputs: ["y"] },
  ],
  constants: {
    w1: floats([64, 3, 3, 3], "w1"),
    b1: floats([64], "b1"),
    gamma: floats([64], "gamma", 1),
    beta: floats([64], "beta"),
    mean: floats([64], "mean"),
    variance: { dims: [64], data: fill([64], "variance").map((value) => 1 + value ** 2) },
    w2: floats([64, 64, 3, 3], "w2"),
    gain: floats([1, 64, 1, 1], "gain", 1),
    yes: { dims: [], data: Uint8Array.of(1), type: 9 },
    w4: floats([64, 96], "w4"),
    taps: { dims: [4], data: BigInt64Array.of(96n, 64n, 1n, 1n) },
    w5: floats([96, 40], "w5"),
  },
};
/** Of all weights, as the file has them. */
const WEIGHT_BYTES = 4 * (64 * 27 + 64 * 64 * 9 + 64 * 64 + 64 * 96 + 96 * 40);
const SIZES = [8, 24, 16, 40, 33, 9, 57, 12, 48, 20, 31, 64] as const;

let rt: Runtime;
let before = 0;
beforeEach(async () => {
  rt = await (BINARIES[1] as Binary).create();
  before = rt.report().bytesInUse;
});
afterEach(() => {
  vi.restoreAllMocks();
  rt.dispose();
});

const feed = (size: number, height = size) => {
  const shape = [1, 3, height, size];
  return { x: { data: fill(shape, `x${size}`), shape } };
};
const answer = (model: OnnxModel, size: number) => (model.run(feed(size))["y"] as Tensor).toArray() as Float32Array;
const held = () => rt.report().bytesInUse - before;
const load = (options: OnnxOptions = {}) => loadOnnx(rt, onnxFile(FILE), options);

/** What a model of its own answers, for this size alone. */
async function alone(size: number): Promise<{ readonly values: Float32Array; readonly bytes: number }> {
  const { x } = feed(size);
  using model = await load({ shapes: { x: x.shape } });
  return { values: answer(model, size), bytes: model.plan.totalBytes };
}

describe("plans of several shapes", () => {
  it("answer what a model of each shape's own does, to the bit, whatever ran before", async () => {
    using model = await load();
    using other = await load();
    const answers = new Map(SIZES.map((size) => [size, answer(model, size)]));
    for (const size of [...SIZES].reverse()) {
      const { values } = await alone(size);
      expect(answers.get(size)).toEqual(values);
      expect(answer(other, size)).toEqual(values);
      expect(answer(model, size)).toEqual(values);
    }
  });

  it("hold weights and arena once, and tell the bytes", async () => {
    const model = await load();
    answer(model, 64);
    const first = held();
    expect(first).toBeGreaterThan(WEIGHT_BYTES);
    expect(model.plan.heldBytes).toBe(first);
    expect(model.plan.totalBytes).toBe(first);
    // Beside other forms of the 3x3 filters, of which a few sizes take one.
    answer(model, 63);
    answer(model, 8);
    const forms = held();
    for (const size of SIZES) {
      const known = held();
      answer(model, size);
      expect(held() - known).toBeLessThan(WEIGHT_BYTES / 8);
      expect(model.plan.heldBytes).toBe(held());
    }
    expect(held() - forms).toBeLessThan(WEIGHT_BYTES);
    model.dispose();
    expect(held()).toBe(0);
  });

  it("take nothing when a shape comes again", async () => {
    using model = await load();
    for (const size of SIZES) answer(model, size);
    const { bytesInUse, memoryBytes } = rt.report();
    using inputs = { x: rt.tensor(feed(24).x.data, [1, 3, 24, 24]), [Symbol.dispose]: () => inputs.x.dispose() };
    for (const size of SIZES) answer(model, size);
    model.run({ x: inputs.x });
    expect(rt.report()).toMatchObject({ bytesInUse: bytesInUse + Allocator.sizeOf(inputs.x.bytes), memoryBytes });
  });

  it("hold at most half as much again as the largest by itself, or 4 MiB", async () => {
    using model = await load();
    let most = 0;
    for (let size = 8; size < 88; size += 2) {
      answer(model, size);
      most = Math.max(most, model.plan.totalBytes);
      expect(held()).toBeLessThanOrEqual(Math.max(1.5 * most, most + 2 ** 22));
    }
  });

  it("go for each other where maxBytes ends, that used last at last", async () => {
    const { bytes: large } = await alone(64);
    using model = await load({ maxBytes: large + 20_000 });
    const values = answer(model, 64);
    let used = 0;
    for (const size of [...SIZES, ...SIZES]) {
      answer(model, size);
      expect(held()).toBeLessThanOrEqual(large + 20_000);
      expect(model.plan.heldBytes).toBe(held());
      used = size;
      const now = held();
      answer(model, used);
      expect(held()).toBe(now);
    }
    expect(answer(model, 64)).toEqual(values);
    const { x } = feed(640, 64);
    expect(() => model.run({ x })).toThrow(/^"maxBytes" expected at least \d+ for this model, got \d+$/);
    expect(answer(model, 64)).toEqual(values);
  });

  it.each([1, Infinity])("survive memory that ends anywhere on the way to the next, %d times", async (times) => {
    const model = await load();
    const values = [answer(model, 16), answer(model, 24)];
    const x = rt.tensor(feed(57).x.data, [1, 3, 57, 57]);
    const wanted = (await alone(57)).values;
    const { allocate } = Allocator.prototype;
    let [count, refusals] = [0, 0];
    for (let from = 0; from === 0 || count > from; from++) {
      count = 0;
      const spy = vi.spyOn(Allocator.prototype, "allocate").mockImplementation(function (this: Allocator, bytes) {
        count++;
        if (count > from && count <= from + times) throw new OutOfMemoryError("none");
        return allocate.call(this, bytes);
      });
      try {
        expect((model.run({ x })["y"] as Tensor).toArray()).toEqual(wanted);
      } catch (error) {
        if (!(error instanceof OutOfMemoryError)) throw error;
        refusals++;
      }
      spy.mockRestore();
      expect([answer(model, 16), answer(model, 24)]).toEqual(values);
      expect(model.plan.heldBytes).toBe(held() - Allocator.sizeOf(x.bytes));
      // The next time it is new again.
      for (let size = 60; refusals === 0 && size < 64; size++) answer(model, size);
    }
    expect(refusals > 3).toBe(times > 1);
    x.dispose();
    model.dispose();
    expect(held()).toBe(0);
  });
});

describe("one arena", () => {
  it("is where inputs are written, also after other shapes", async () => {
    using model = await load();
    const wanted = answer(model, 24);
    answer(model, 64);
    answer(model, 24);
    const input = model.inputs[0];
    using x = rt.tensor(feed(24).x.data, [1, 3, 24, 24]);
    using lying = rt.toMemoryFormat(x, { memoryFormat: input?.memoryFormat ?? "contiguous" });
    (model.input("x") as Float32Array).set(lying.data as Float32Array);
    expect((model.run()["y"] as Tensor).toArray()).toEqual(wanted);
    expect(model.output("y")).toEqual(wanted);
  });

  it("makes an output of any shape none that another's run takes", async () => {
    const file = onnxFile({
      inputs: { x: ["n"] },
      outputs: ["y"],
      nodes: [{ op: "Concat", inputs: ["x", "x"], outputs: ["y"], attributes: { axis: 0 } }],
    });
    using model = await loadOnnx(rt, file);
    const { y } = model.run({ x: { data: [1, 2], shape: [2] } }) as { y: Tensor };
    expect(() => model.run({ x: y })).toThrow('"x" expected a tensor that a run does not overwrite');
    using copy = y.clone();
    expect(model.run({ x: copy })["y"]?.toArray()).toEqual(Float32Array.of(1, 2, 1, 2, 1, 2, 1, 2));
  });
});

describe("a run in turns", () => {
  it("goes on while others come and go", async () => {
    const model = await load();
    const wanted = new Map(SIZES.map((size) => [size, answer(model, size)]));
    const running = [64, 33, 16].map((size) => model.runAsync(feed(size), { yieldEvery: 0 }));
    expect(() => model.run(feed(33))).toThrow(ModelError);
    for (const size of [48, 72, 100, 12]) {
      const values = answer(model, size);
      await new Promise((resolve) => setTimeout(resolve));
      if (wanted.has(size as never)) expect(values).toEqual(wanted.get(size as never));
    }
    const results = await Promise.all(running.map(async (run) => (await run)["y"]?.toArray()));
    expect(results[0]).toEqual(wanted.get(64));
    // The others' outputs lie where they ran until the next run of any shape.
    expect(results.slice(1)).toEqual([wanted.get(33), wanted.get(16)]);
    answer(model, 24);
    expect(model.plan.heldBytes).toBe(held());
    model.dispose();
    expect(held()).toBe(0);
  });

  it("is not ended by a shape that there is no room for beside it", async () => {
    const { bytes, values } = await alone(64);
    using model = await load({ maxBytes: bytes + 40_000 });
    const running = model.runAsync(feed(64), { yieldEvery: 0 });
    await new Promise((resolve) => setTimeout(resolve));
    expect(() => model.run(feed(63))).toThrow(OutOfMemoryError);
    await new Promise((resolve) => setTimeout(resolve));
    expect((await running)["y"]?.toArray()).toEqual(values);
    expect(answer(model, 63)).toEqual((await alone(63)).values);
    expect(held()).toBeLessThanOrEqual(bytes + 40_000);
  });

  it("ends with the model, of which nothing is left", async () => {
    const model = await load();
    answer(model, 24);
    const running = [64, 33].map((size) => model.runAsync(feed(size), { yieldEvery: 0 }));
    await new Promise((resolve) => setTimeout(resolve));
    model.dispose();
    model.dispose();
    expect(held()).toBe(0);
    for (const run of running) await expect(run).rejects.toThrow(DisposedError);
    expect(() => model.plan).toThrow(DisposedError);
    expect(held()).toBe(0);
  });
});
