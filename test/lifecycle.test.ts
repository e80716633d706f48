// Runtimes, tensors and plans from birth to death; one sentence a test.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../src/engine/engine.js";
import { detectFeatures } from "../src/engine/features.js";
import {
  createRuntime,
  DisposedError,
  ModelError,
  OutOfMemoryError,
  type Runtime,
  ShapeError,
  UnsupportedError,
} from "../src/index.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { CASES, checksum, pixel, selfTest, tap } from "../src/runtime/self-test.js";
import { BINARIES } from "./binaries.js";
import type { Ref } from "./reference.js";
import * as reference from "./reference.js";

const simd = readFileSync(new URL("../build/wasm/simd.wasm", import.meta.url));
const module = new WebAssembly.Module(simd);

describe("createRuntime", () => {
  it("picks relaxed where the engine has it, and says why", async () => {
    using rt = await createRuntime();
    expect(rt.variant).toBe(detectFeatures().fused ? "relaxed" : "simd");
    expect(rt.report().reason).toMatch(/relaxed SIMD|multiply-add/);
  });

  it("takes the variant it is told", async () => {
    using rt = await createRuntime({ variant: "simd" });
    expect(rt.report()).toMatchObject({
      variant: "simd",
      reason: "asked for",
      threads: { asked: 1, running: 1 },
      bytesInUse: 0,
      liveTensors: 0,
      livePlans: 0,
    });
  });

  it("takes the binary as a Module, as bytes, as a Response and as a promise of one", async () => {
    const response = () => new Response(simd, { headers: { "content-type": "application/wasm" } });
    for (const wasm of [module, simd, new Uint8Array(simd).buffer, response(), Promise.resolve(response())]) {
      using rt = await createRuntime({ wasm });
      expect(rt.report()).toMatchObject({ variant: "simd", reason: "binary given by the caller" });
    }
  });

  it("refuses what is not the kernel binary, and says what came", async () => {
    await expect(createRuntime({ wasm: new TextEncoder().encode("<!doctype html>") })).rejects.toThrow(
      /"wasm" expected a wasm binary starting 00 61 73 6d, got 15 bytes starting 3c 21 64 6f/,
    );
    await expect(createRuntime({ wasm: new Response("", { status: 404 }) })).rejects.toThrow(/status 404/);
    await expect(createRuntime({ wasm: 3 as never })).rejects.toThrow(TypeError);
    const empty = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    await expect(createRuntime({ wasm: empty })).rejects.toThrow(ModelError);
    await expect(createRuntime({ wasm: empty })).rejects.toThrow(/ABI \d+\), got ABI undefined/);
    await expect(createRuntime({ wasm: module, variant: "relaxed" })).rejects.toThrow(UnsupportedError);
  });

  it.each([
    [{ variant: "scalar" }, RangeError, /"variant" expected one of auto, simd, relaxed, got "scalar"/],
    [{ maxBytes: 1000 }, RangeError, /"maxBytes" expected integer from 65536/],
    [{ maxBytes: "64M" }, TypeError, /"maxBytes"/],
    [{ threads: 0 }, RangeError, /^"threads" expected integer from 1 to 64, got 0$/],
    [{ threads: 1.5 }, RangeError, /"threads" .* got 1.5$/],
    [{ threads: 1000 }, RangeError, /"threads" .* got 1000$/],
    [{ threads: "many" }, TypeError, /"threads" expected integer from 1 to 64, got "many"$/],
    [{ threads: { min: 0 } }, RangeError, /"threads.min"/],
    [{ threads: { min: 3, max: 2 } }, RangeError, /"threads.max" expected integer from 3 to 64, got 2$/],
    [{ threads: { most: 2 } }, TypeError, /"most"/],
    [
      { worker: () => ({}), threads: { min: 2 } },
      UnsupportedError,
      /"threads" expected at least 2, got 1: .*"worker" expected/,
    ],
    [{ treads: 1 }, TypeError, /"treads"/],
    [null, TypeError, /options object, got null/],
  ] as const)("refuses %j", async (options, type, message) => {
    await expect(createRuntime(options as never)).rejects.toThrow(type);
    await expect(createRuntime(options as never)).rejects.toThrow(message);
  });
});

it("1,000 runtimes, one after the other, leave no memory behind", async () => {
  const memories: WeakRef<WebAssembly.Memory>[] = [];
  const live = async () => {
    using rt = await createRuntime({ wasm: module });
    using w = rt.zeros([4, 4, 3, 3]);
    rt.plan.conv2d({ input: [1, 4, 6, 6], weight: w }); // not disposed: dropping the runtime is enough
    memories.push(new WeakRef(internalsOf(rt).engine.heap.memory));
  };
  for (let i = 0; i < 1_000; i++) await live();
  await new Promise((done) => setTimeout(done)); // a WeakRef holds its target until the task ends
  if (!globalThis.gc) throw new Error("run with --expose-gc");
  globalThis.gc();
  expect(memories.length).toBe(1_000);
  expect(memories.filter((memory) => memory.deref()).length).toBeLessThanOrEqual(1);
});

describe("the self-test", () => {
  it.each(CASES)("knows what is right: $algorithm", ({ groups, C, M, H, W, checksum: expected }) => {
    const image: Ref = { shape: [1, H, W, C], data: Float64Array.from({ length: C * H * W }, (_, i) => pixel(i)) };
    const x = reference.transpose(image, [0, 3, 1, 2]);
    const w: Ref = {
      shape: [M, C / groups, 3, 3],
      data: Float64Array.from({ length: (M * C * 9) / groups }, (_, i) => tap(i)),
    };
    const y = reference.transpose(reference.conv2d(x, w, null, { groups }), [0, 2, 3, 1]);
    expect(checksum(y.data)).toBe(expected);
  });

  it("leaves memory as it was", () => {
    const engine = new Engine(module, 2 ** 24);
    selfTest(engine);
    expect(engine.heap.allocator.bytesInUse).toBe(0);
  });

  it.each(["conv2d_implicit_gemm_f32", "conv2d_winograd_f32", "conv2d_depthwise_f32"] as const)(
    "finds a %s that computes nothing",
    (name) => {
      const engine = new Engine(module, 2 ** 24);
      const sabotaged = Object.create(engine, {
        kernels: { value: { ...engine.kernels, [name]: () => {} } },
      }) as Engine;
      Object.defineProperty(sabotaged, "heap", { value: engine.heap });
      Object.defineProperty(sabotaged, "target", { value: engine.target });
      Object.defineProperty(sabotaged, "variant", { value: engine.variant });
      expect(() => selfTest(sabotaged)).toThrow(/start-up self-test of the simd binary/);
      expect(engine.heap.allocator.bytesInUse).toBe(0);
    },
  );
});

describe.each(BINARIES)("tensors and plans on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });

  it("a tensor copies its data in and shows it live", () => {
    const data = Float32Array.of(1, 2, 3, 4);
    using x = rt.tensor(data, [2, 2]);
    data[0] = 9;
    expect(x.data).toEqual(Float32Array.of(1, 2, 3, 4));
    x.data[1] = 7;
    expect(x.toArray()).toEqual(Float32Array.of(1, 7, 3, 4));
    expect(x).toMatchObject({
      shape: [2, 2],
      dtype: "float32",
      memoryFormat: "contiguous",
      rank: 2,
      size: 4,
      bytes: 16,
      disposed: false,
    });
  });

  it("toArray is what a message may take along: its own elements, in a buffer that may be transferred", () => {
    using large = rt.zeros([100_000]);
    using x = rt.tensor([1, 2, 3], [3]);
    const copy = x.toArray();
    expect(structuredClone(copy).buffer.byteLength).toBe(12);
    const sent = structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] });
    expect([sent, copy.length, x.toArray()]).toEqual([Float32Array.of(1, 2, 3), 0, Float32Array.of(1, 2, 3)]);
    expect(x.data.buffer.byteLength).toBeGreaterThan(large.bytes); // the view is of all memory
    expect(JSON.stringify(x)).toBe('{"spec":{"shape":[3],"dtype":"float32","memoryFormat":"contiguous"}}');
  });

  it("data lies in memory order; toArray is logical", () => {
    using x = rt.tensor([1, 10, 2, 20, 3, 30, 4, 40], [1, 2, 2, 2], { memoryFormat: "channelsLast" });
    expect(Array.from(x.data as Float32Array)).toEqual([1, 10, 2, 20, 3, 30, 4, 40]);
    expect(Array.from(x.toArray() as Float32Array)).toEqual([1, 2, 3, 4, 10, 20, 30, 40]);
    using y = x.clone();
    expect(y.memoryFormat).toBe("channelsLast");
    expect(y.data).toEqual(x.data);
  });

  it("every dtype holds its own typed array", () => {
    for (const data of [
      new Uint8Array([1, 2]),
      new Int8Array([-1, 2]),
      new Int32Array([-1, 2 ** 30]),
      new BigInt64Array([-1n, 2n ** 60n]),
      new Uint16Array([1, 65535]),
      new Int16Array([-1, 32767]),
      new Uint32Array([1, 2 ** 32 - 1]),
      new BigUint64Array([1n, 2n ** 64n - 1n]),
      new Float64Array([0.1, -1e300]),
    ]) {
      using x = rt.tensor(data, [2]);
      expect(x.data).toEqual(data);
    }
    using flags = rt.tensor([1, 0], [2], { dtype: "bool" });
    expect(flags.data).toEqual(Uint8Array.of(1, 0));
    using pixels = rt.tensor(Uint8ClampedArray.of(3), [1]);
    expect(pixels.dtype).toBe("uint8");
    using scalar = rt.tensor([5], []);
    expect(scalar.toArray()).toEqual(Float32Array.of(5));
  });

  it("may be empty, but no operator computes with nothing", () => {
    using none = rt.tensor(new Float32Array(), [0, 3]);
    expect([none.size, none.bytes, none.toArray()]).toEqual([0, 0, new Float32Array()]);
    expect(() => rt.relu(none)).toThrow(new ShapeError('"relu" expected sizes >= 1, got [0, 3]'));
  });

  it("a plan that reads a parameter in place refuses to run once it is disposed", () => {
    const slope = rt.zeros([4]);
    using plan = rt.plan.prelu({ input: [1, 4], slope });
    using x = rt.zeros([1, 4]);
    using y = rt.empty([1, 4]);
    plan.run(x, y);
    slope.dispose();
    expect(() => plan.run(x, y)).toThrow(DisposedError);
  });

  it("views stay valid when memory grows under them", () => {
    using x = rt.tensor([1, 2, 3], [3]);
    const before = rt.report().memoryBytes;
    using big = rt.zeros([before]);
    expect(rt.report().memoryBytes).toBeGreaterThan(before);
    expect(x.data).toEqual(Float32Array.of(1, 2, 3));
    expect((big.data as Float32Array)[before - 1]).toBe(0);
  });

  it("disposing twice is harmless, using a disposed tensor is not", () => {
    const x = rt.zeros([4]);
    x.dispose();
    x.dispose();
    expect(x.disposed).toBe(true);
    expect(x.shape).toEqual([4]);
    expect(() => x.data).toThrow(DisposedError);
    expect(() => x.toArray()).toThrow(DisposedError);
    expect(() => x.clone()).toThrow(DisposedError);
    expect(() => rt.relu(x)).toThrow(DisposedError);
  });

  it.each([
    [[1, 2, 3], [2, 2], undefined, RangeError, /"data" expected 4 elements for \[2, 2\], got 3/],
    [[1], [1, 0], undefined, RangeError, /"data" expected 0 elements for \[1, 0\], got 1/],
    [[1], [1, -1], undefined, RangeError, /"shape\[1\]" expected integer >= 0, got -1/],
    [[1], [NaN], undefined, RangeError, /got NaN/],
    [[1], [1.5], undefined, RangeError, /got 1.5/],
    [[1], [2 ** 20, 2 ** 20, 2 ** 20], undefined, RangeError, /"shape" expected at most 4294967296 bytes/],
    [[1], [1, 1, 1, 1, 1, 1, 1, 1, 1], undefined, Error, /rank 0 to 8, got rank 9/],
    [[1], "1", undefined, TypeError, /"shape" expected an array of dimensions, got "1"/],
    [[1], [1, 1], { memoryFormat: "channelsLast" }, Error, /rank >= 3 for memoryFormat channelsLast/],
    [[1], [1], { dtype: "float8" }, RangeError, /"dtype" expected one of float32/],
    [[0.5], [1], { dtype: "int64" }, RangeError, /"data" expected elements of int64, got 0.5 at 0/],
    [
      new DataView(new ArrayBuffer(4)),
      [1],
      undefined,
      TypeError,
      /"data" expected an array of numbers or a typed array/,
    ],
    [[1, -1], [2], { dtype: "uint64" }, RangeError, /"data" expected elements of uint64, got -1 at 1/],
    [[1], [1], { format: 1 }, TypeError, /"format"/],
  ] as const)("refuses data %j of shape %j with %j", (data, shape, options, type, message) => {
    const before = rt.report();
    const act = () => rt.tensor(data as never, shape as never, options as never);
    expect(act).toThrow(type);
    expect(act).toThrow(message);
    expect(rt.report()).toEqual(before);
  });

  it("the outputs of a run are tensors of their own", () => {
    using plan = rt.plan.batchNormTrain({ input: [2, 3, 4, 4] });
    using x = rt.zeros([2, 3, 4, 4]);
    const made = plan.outputs.map((spec) => rt.empty(spec));
    const [y, mean, ...rest] = made as [(typeof made)[number], (typeof made)[number], ...typeof made];
    plan.run(x, y, mean, ...rest);
    expect(() => plan.run(x, y, mean, mean, ...rest.slice(1))).toThrow(
      /"output 2" expected a tensor of its own, got another output/,
    );
    using w = rt.zeros([1, 1, 3, 3]);
    using conv = rt.plan.conv2d({ input: [1, 1, 4, 4], weight: w, padding: 1 });
    using image = rt.zeros([1, 1, 4, 4]);
    expect(() => conv.run(image, image)).toThrow(/"output 0" expected a tensor of its own, got an input/);
    for (const tensor of made) tensor.dispose();
  });

  it("a memory limit is an OutOfMemoryError that leaves everything as it was", async () => {
    using small = await createRuntime({ wasm: module, maxBytes: 2 ** 20 });
    using x = small.zeros([1, 8, 32, 32]);
    using w = small.zeros([64, 8, 3, 3]);
    const before = small.report();
    expect(() => small.zeros([2 ** 20])).toThrow(OutOfMemoryError);
    expect(() => small.conv2d(x, w, null, { padding: 300 })).toThrow(OutOfMemoryError);
    expect(() => small.plan.conv2d({ input: [8, 8, 256, 256], weight: w })).toThrow(OutOfMemoryError);
    expect(small.report()).toMatchObject({ bytesInUse: before.bytesInUse, liveTensors: 2, livePlans: 0 });
    using y = small.conv2d(x, w, null, { padding: 1 });
    expect(y.shape).toEqual([1, 64, 32, 32]);
  });

  it("a plan refuses foreign, disposed and aliased tensors, and its own use after dispose", async () => {
    const before = rt.report();
    {
      using other = await create();
      using w = rt.tensor([0, 0, 0, 0, 2, 0, 0, 0, 0], [1, 1, 3, 3]);
      using x = rt.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
      using y = rt.zeros([1, 1, 2, 2]);
      const gone = rt.zeros([1, 1, 2, 2]);
      gone.dispose();
      const plan = rt.plan.conv2d({ input: [1, 1, 2, 2], weight: w, padding: 1, algorithm: "direct" });
      expect(() => plan.run(other.zeros([1, 1, 2, 2]), y)).toThrow(/"input 0" expected a tensor of this runtime/);
      expect(() => plan.run(x, undefined as never)).toThrow(TypeError);
      expect(() => plan.run(gone, y)).toThrow(DisposedError);
      expect(() => plan.run(x, x)).toThrow(/"output 0" expected a tensor of its own, got an input/);
      expect(x.toArray()).toEqual(Float32Array.of(1, 2, 3, 4));
      expect(plan.run(x, y)).toBe(y); // and goes on working
      expect(y.toArray()).toEqual(Float32Array.of(2, 4, 6, 8));
      plan.dispose();
      plan.dispose();
      expect(() => plan.run(x, y)).toThrow(DisposedError);
    }
    const { bytesInUse, liveTensors, livePlans } = before;
    expect(rt.report()).toMatchObject({ bytesInUse, liveTensors, livePlans });
  });

  it("a disposed runtime ends its tensors and plans", async () => {
    const other = await create();
    const x = other.zeros([1, 1, 4, 4]);
    const w = other.zeros([1, 1, 3, 3]);
    const plan = other.plan.conv2d({ input: [1, 1, 4, 4], weight: w });
    other.dispose();
    expect(other.disposed && x.disposed).toBe(true);
    expect(() => other.zeros([1])).toThrow(DisposedError);
    expect(() => x.data).toThrow(DisposedError);
    expect(() => plan.run(x, x)).toThrow(DisposedError);
    expect(() => other.plan.relu({ input: [1] })).toThrow(DisposedError);
    x.dispose();
    plan.dispose();
    other.dispose();
  });

  it("10,000 runs of a plan and 1,000 lives of tensors and plans leave memory flat", () => {
    const before = rt.report();
    {
      using w = rt.zeros([8, 4, 3, 3]);
      using plan = rt.plan.conv2d({ input: [1, 4, 6, 6], weight: w, padding: 1 });
      using x = rt.zeros([1, 4, 6, 6]);
      using y = rt.empty(plan.outputs[0] as (typeof plan.outputs)[number]);
      const during = rt.report();
      for (let i = 0; i < 10_000; i++) plan.run(x, y);
      expect(rt.report()).toEqual(during);
      for (let i = 0; i < 1_000; i++) {
        using a = rt.conv2d(x, w, null, { padding: 1, activation: "relu" });
        using b = rt.maxPool2d(a, { kernel: 2 });
        b.data;
      }
      expect(rt.report().memoryBytes).toBe(during.memoryBytes);
    }
    expect(rt.report()).toMatchObject({
      bytesInUse: before.bytesInUse,
      liveTensors: before.liveTensors,
      livePlans: before.livePlans,
    });
  });
});
