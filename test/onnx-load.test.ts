// loadOnnx as it is called: where bytes come from, what its options do, and what it says when they are wrong.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, OutOfMemoryError, type Runtime, ShapeError, type Tensor } from "../src/index.js";
import { loadOnnx, type OnnxSource } from "../src/onnx/index.js";
import { type Constant, type File, onnxFile } from "./onnx-file.js";

const RELU: File = {
  inputs: { x: ["batch", 3, "height", -1] },
  declared: { y: ["batch", 3, "height", -1] },
  outputs: ["y"],
  nodes: [{ op: "Relu", inputs: ["x"], outputs: ["y"] }],
};

let rt: Runtime;
let used = 0;
beforeAll(async () => {
  rt = await createRuntime();
  used = rt.report().bytesInUse;
});
afterAll(() => {
  expect(rt.report().bytesInUse).toBe(used);
  rt.dispose();
});

const one = (data: readonly number[], shape: readonly number[]) => ({ x: { data, shape } });

describe("sources", () => {
  const bytes = onnxFile(RELU) as Uint8Array<ArrayBuffer>;
  const chunks = (...parts: unknown[]) =>
    new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(part as Uint8Array);
        controller.close();
      },
    }) as ReadableStream<Uint8Array>;
  const padded = new Uint8Array(bytes.length + 7);
  padded.set(bytes, 3);

  const sources: Readonly<Record<string, () => OnnxSource>> = {
    "a Uint8Array": () => bytes,
    "part of a buffer": () => padded.subarray(3, 3 + bytes.length),
    "an ArrayBuffer": () => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    "a stream": () => chunks(bytes.subarray(0, 5), bytes.subarray(5, 5), bytes.subarray(5)),
    "a response": () => new Response(bytes, { headers: { "content-length": `${bytes.length}` } }),
  };
  it.each(Object.entries(sources))("are %s", async (name, source) => {
    const seen: { loaded: number; total: number | undefined }[] = [];
    using model = await loadOnnx(rt, source(), { onProgress: (progress) => seen.push(progress) });
    expect(model.run(one([-1, 2, 3], [1, 3, 1, 1]))["y"]?.toArray()).toEqual(Float32Array.of(0, 2, 3));
    expect(seen.at(-1)).toEqual({ loaded: bytes.length, total: name === "a stream" ? undefined : bytes.length });
  });

  it("are nothing else", async () => {
    for (const source of [undefined, 5, {}, new Float32Array(4), Promise.resolve(null)])
      await expect(loadOnnx(rt, source as never)).rejects.toThrow(
        /^"source" expected bytes, an address, or a Blob, Response or stream that brings them, got /,
      );
    await expect(loadOnnx(rt, chunks("text"))).rejects.toThrow('"source" expected chunks of bytes, got "text"');
    let reason: unknown;
    const cancel = (why: unknown) => {
      reason = why;
    };
    const endless = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(bytes), cancel });
    const stop = new Error("enough");
    const onProgress = () => {
      throw stop;
    };
    await expect(loadOnnx(rt, endless, { onProgress })).rejects.toBe(stop);
    expect(reason).toBe(stop);
    const missing = loadOnnx(rt, new Response("no", { status: 404 }));
    await expect(missing).rejects.toThrow('"source" expected a response with the model, got status 404');
  });
});

describe("shapes", () => {
  it("are those of the file until sizes are known", async () => {
    using model = await loadOnnx(rt, onnxFile({ ...RELU, types: { y: 7 } }));
    const shape = ["batch", 3, "height", null];
    expect(model.inputs).toEqual([{ name: "x", shape, dtype: "float32" }]);
    expect(model.outputs).toEqual([{ name: "y", shape, dtype: "int64" }]);
    using part = await loadOnnx(rt, onnxFile(RELU), { shapes: { batch: 2 } });
    expect(part.outputs[0]?.shape).toEqual([2, 3, "height", null]);
    expect(() => part.run(one([1, 2, 3], [1, 3, 1, 1]))).toThrow(ShapeError);
    using whole = await loadOnnx(rt, onnxFile(RELU), { shapes: { x: [1, 3, 4, 5] } });
    expect(whole.outputs[0]).toEqual({ name: "y", shape: [1, 3, 4, 5], dtype: "float32" });
  });

  it.each([
    [4, /"shapes" expected an object of sizes by name, got 4/],
    [null, /"shapes" expected an object of sizes by name, got null/],
    [[1, 3, 4, 5], /"shapes" expected an object of sizes by name, got \[1, 3, 4, 5\]/],
    [{ width: 4 }, /"shapes" expected names of inputs or dimensions \(x, batch, height\), got "width"/],
    [{ batch: -1 }, /"shapes.batch" expected integer >= 0, got -1/],
    [{ batch: "1" }, /"shapes.batch" expected integer >= 0, got "1"/],
    [{ batch: [1] }, /"shapes.batch" expected integer >= 0/],
    [{ x: 4 }, /"shapes.x" expected an array of dimensions, got 4/],
    [{ x: [1, 3, 0.5, 1] }, /"shapes.x\[2\]" expected integer >= 0, got 0.5/],
    [{ x: [1, 4, 2, 2] }, /"x" expected shape \["batch", 3, "height", null\], got \[1, 4, 2, 2\]/],
    [{ x: [1, 3] }, /"x" expected shape/],
    [{ x: [1e9, 3, 1e9, 1e9] }, /"shapes.x" expected at most 4294967296 bytes/],
  ])("%o are refused", async (shapes, message) => {
    await expect(loadOnnx(rt, onnxFile(RELU), { shapes: shapes as never })).rejects.toThrow(message);
  });

  it("make room for each other where memory ends", async () => {
    using small = await createRuntime({ maxBytes: 2 ** 21 });
    using model = await loadOnnx(small, onnxFile(RELU));
    for (let width = 1; width < 40; width++) {
      const { y } = model.run(one(new Array<number>(300 * width).fill(-1), [1, 3, 100, width]));
      expect(y?.shape).toEqual([1, 3, 100, width]);
    }
    expect(() => model.run(one([], [1, 3, 1000, 1000]))).toThrow(OutOfMemoryError);
    expect(model.run(one([1, 2, 3], [1, 3, 1, 1]))["y"]?.toArray()).toEqual(Float32Array.of(1, 2, 3));
  });
});

describe("models for several shapes", () => {
  it("hold no more than maxBytes together", async () => {
    const maxBytes = 8_000;
    using model = await loadOnnx(rt, onnxFile(RELU), { maxBytes });
    const before = rt.report().bytesInUse;
    const held = new Set<number>();
    for (let width = 1; width < 40; width++) {
      const { y } = model.run(one(new Array<number>(3 * width).fill(width), [1, 3, 1, width]));
      expect(y?.toArray().every((value) => value === width)).toBe(true);
      held.add(rt.report().bytesInUse - before);
    }
    expect(Math.max(...held)).toBeLessThanOrEqual(maxBytes);
    expect(Math.max(...held)).toBeGreaterThan(maxBytes / 2);
    const tooWide = /^"maxBytes" expected at least [0-9]+ for this model, got 8000$/;
    expect(() => model.run(one(new Array<number>(6000).fill(1), [1, 3, 1, 2000]))).toThrow(tooWide);
  });
});

describe("outputs", () => {
  it("that kernels do not compute are shown after a run", async () => {
    const nodes = [
      { op: "Relu", inputs: ["x"], outputs: ["y"] },
      { op: "NonZero", inputs: ["y"], outputs: ["places"] },
    ];
    const file = onnxFile({ inputs: { x: [3] }, outputs: ["y", "places"], types: { places: 7 }, nodes });
    using model = await loadOnnx(rt, file);
    expect(() => model.output("places")).toThrow('"output" expected one of y, got "places"');
    model.run({ x: { data: [-1, 2, 3], shape: [3] } });
    expect(model.output("y")).toEqual(Float32Array.of(0, 2, 3));
    expect(model.output("places")).toEqual(BigInt64Array.of(1n, 2n));
    model.dispose();
    expect(() => model.output("places")).toThrow('"model" expected a live model');
  });
});

it("wants numbers for the sizes that inputs[0].shape names, and can be used afterwards", async () => {
  using model = await loadOnnx(rt, onnxFile(RELU));
  const [{ shape }] = model.inputs as [(typeof model.inputs)[0]];
  expect(shape).toEqual(["batch", 3, "height", null]);
  const error = new ShapeError('"x" expected a number for every size, got ["batch", 3, "height", null]');
  expect(() => model.run({ x: { data: [], shape: shape as number[] } })).toThrow(error);
  const { y } = model.run(one([-1, 2, -3], [1, 3, 1, 1]));
  expect(y?.toArray()).toEqual(Float32Array.of(0, 2, 0));
});

it("says that a runtime is not there yet", async () => {
  const early = loadOnnx(createRuntime() as never, onnxFile(RELU));
  await expect(early).rejects.toThrow('"runtime" expected a runtime, got a promise');
});

describe("options", () => {
  it("are known and of their kind", async () => {
    const load = (options: unknown) => loadOnnx(rt, onnxFile(RELU), options as never);
    await expect(load(null)).rejects.toThrow('"model options" expected an options object, got null');
    await expect(load({ maxbytes: 1 })).rejects.toThrow('got "maxbytes"');
    await expect(load({ onProgress: 1 })).rejects.toThrow('"onProgress" expected a function, got 1');
    await expect(load({ externalData: {} })).rejects.toThrow('"externalData" expected a function, got an object');
    await expect(load({ maxBytes: "1" })).rejects.toThrow('"maxBytes" expected integer >= 0, got "1"');
  });

  it("limit bytes and multiply-accumulates before anything is allocated", async () => {
    const shapes = { x: [1, 3, 64, 64] };
    await expect(loadOnnx(rt, onnxFile(RELU), { shapes, maxBytes: 1000 })).rejects.toThrow(OutOfMemoryError);
    const w: Constant = { dims: [8, 3, 3, 3], data: new Float32Array(216) };
    const conv = onnxFile({
      ...RELU,
      nodes: [{ op: "Conv", inputs: ["x", "w"], outputs: ["y"] }],
      constants: { w },
    });
    const load = loadOnnx(rt, conv, { shapes, maxMacs: 1000 });
    await expect(load).rejects.toThrow(/"maxMacs" expected at least 830304 for this model, got 1000/);
  });
});

describe("inputs", () => {
  it("are tensors, or data of any kind with a shape", async () => {
    using model = await loadOnnx(rt, onnxFile(RELU));
    const run = (x: unknown) => model.run({ x } as never)["y"]?.toArray();
    expect(run({ data: Float64Array.of(-1, 1, 2), shape: [1, 3, 1, 1] })).toEqual(Float32Array.of(0, 1, 2));
    for (const x of [null, 3, new Float32Array(3), { data: [1, 2, 3] }])
      expect(() => run(x)).toThrow('"x" expected a tensor, or data and shape, got');
    expect(() => model.run({})).toThrow('"x" expected a tensor for this input, got none');
    expect(() => model.run({ ...one([1, 2, 3], [1, 3, 1, 1]), z: null } as never)).toThrow('got "z"');
    expect(() => run({ data: [1, 2, 3], shape: [-1, 3, -1, 1] })).toThrow(/expected sizes >= 0/);
    using tensor = rt.tensor(Uint8Array.of(1, 2, 3), [1, 3, 1, 1]);
    expect(() => run(tensor)).toThrow('"x" expected float32, got uint8');
    expect(() => model.run(tensor as never)).toThrow('"inputs" expected an object of tensors by name, got an object');
  });

  it("are written where they lie, in the order that the model says", async () => {
    const w: Constant = { dims: [1, 3, 1, 1], data: Float32Array.of(1, 10, 100) };
    const nodes = [{ op: "Conv", inputs: ["x", "w"], outputs: ["y"] }];
    using model = await loadOnnx(rt, onnxFile({ ...RELU, nodes, constants: { w } }));
    expect(model.inputs[0]?.memoryFormat).toBeUndefined();
    expect(() => model.input("x")).toThrow('"model" expected shapes that are known');
    expect(model.run(one([1, 2, 3, 4, 5, 6], [1, 3, 1, 2]))["y"]?.toArray()).toEqual(Float32Array.of(531, 642));
    expect(model.inputs[0]).toMatchObject({ shape: ["batch", 3, "height", null], memoryFormat: "channelsLast" });
    (model.input("x") as Float32Array).set([1, 3, 5, 2, 4, 6]);
    model.run();
    expect(model.output("y")).toEqual(Float32Array.of(531, 642));
  });

  it("are checked too where shapes depend on them", async () => {
    const file = onnxFile({
      inputs: { x: [2, 6], shape: [2] },
      types: { shape: 7 },
      outputs: ["y"],
      nodes: [{ op: "Reshape", inputs: ["x", "shape"], outputs: ["y"] }],
    });
    using model = await loadOnnx(rt, file);
    const [x, shape] = [
      { data: new Float32Array(12), shape: [2, 6] },
      { data: [3, 4], shape: [2] },
    ];
    const run = (inputs: object) => model.run({ x, shape, ...inputs } as never)["y"]?.shape;
    expect(run({})).toEqual([3, 4]);
    expect(() => run({ x: { shape: [2, 6] } })).toThrow('"data" expected an array of numbers or a typed array');
    expect(() => run({ x: { data: [1], shape: [2, 6] } })).toThrow('"data" expected 12 elements for [2, 6], got 1');
    expect(run({ shape: { data: Int32Array.of(4, 3), shape: [2] } })).toEqual([4, 3]);
    expect(() => run({ shape: { data: [3, "4"], shape: [2] } })).toThrow(
      '"data" expected elements of int64, got "4" at 1',
    );
    using other = rt.tensor(Uint8Array.of(3, 4), [2]);
    expect(() => run({ shape: other })).toThrow('"shape" expected int64, got uint8');
    await expect(model.runAsync({ x, shape: other })).rejects.toThrow('"shape" expected int64, got uint8');
    expect((await model.runAsync({ x, shape } as never))["y"]?.shape).toEqual([3, 4]);
  });

  it("of 64 bits are numbers or bigints", async () => {
    for (const op of ["Neg", "NonZero"]) {
      const nodes = [{ op, inputs: ["x"], outputs: ["y"] }];
      using model = await loadOnnx(rt, onnxFile({ ...RELU, inputs: { x: [2] }, types: { x: 7, y: 7 }, nodes }));
      const y = (data: unknown) => model.run({ x: { data, shape: [2] } } as never)["y"]?.toArray();
      const expected = op === "Neg" ? BigInt64Array.of(-4n, 5n) : BigInt64Array.of(0n, 1n);
      expect(y([4, -5])).toEqual(expected);
      expect(y(BigInt64Array.of(4n, -5n))).toEqual(expected);
    }
  });
});

describe("weights", () => {
  const sum = (w: Constant, opset = 17): Uint8Array =>
    onnxFile({
      inputs: { x: [4] },
      outputs: ["y"],
      nodes: [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }],
      constants: { w },
      opset,
    });
  const zeros = { x: { data: [0, 0, 0, 0], shape: [4] } };

  it("of half the bits are expanded", async () => {
    const half = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff);
    const brain = Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f7f);
    for (const [type, data, expected] of [
      [10, half, [1, -2, 2 ** -24, 65504]],
      [16, brain, [1, -2, 2 ** -133, 255 * 2 ** 120]],
    ] as const) {
      const nodes = [
        { op: "Cast", inputs: ["w"], outputs: ["v"], attributes: { to: 1 } },
        { op: "Add", inputs: ["x", "v"], outputs: ["y"] },
      ];
      using model = await loadOnnx(
        rt,
        onnxFile({ inputs: { x: [4] }, outputs: ["y"], nodes, constants: { w: { dims: [4], data, type } } }),
      );
      expect([...((model.run(zeros)["y"] as Tensor).toArray() as Float32Array)]).toEqual(expected);
    }
  });

  it("of half the bits make layers of kernels", async () => {
    const cast = (from: string, to: string, type: number) => {
      return { op: "Cast", inputs: [from], outputs: [to], attributes: { to: type } };
    };
    const file = onnxFile({
      inputs: { x: [1, 1, 2, 2] },
      outputs: ["y", "z"],
      nodes: [
        cast("x", "h", 10),
        { op: "Conv", inputs: ["h", "w"], outputs: ["c"] },
        cast("c", "y", 1),
        cast("c", "same", 10),
        { op: "Relu", inputs: ["same"], outputs: ["z"] },
      ],
      constants: { w: { dims: [2, 1, 1, 1], data: Uint16Array.of(0x3c00, 0xc000), type: 10 } },
    });
    using model = await loadOnnx(rt, file);
    const layers = model.summary().rows.filter(({ op }) => op !== "toMemoryFormat");
    expect(layers.map(({ op, algorithm }) => (op === "custom" ? algorithm : op))).toEqual(["Half", "conv2d", "relu"]);
    const { y, z } = model.run({ x: { data: [0.1, 1, 2049, 1e6], shape: [1, 1, 2, 2] } }) as Record<"y" | "z", Tensor>;
    const tenth = 0.0999755859375;
    expect([...(y.toArray() as Float32Array)]).toEqual([tenth, 1, 2048, Infinity, -2 * tenth, -2, -4096, -Infinity]);
    expect([...(z.toArray() as Float32Array)]).toEqual([tenth, 1, 2048, Infinity, 0, 0, 0, 0]);
  });

  const store = Buffer.from(Float32Array.of(9, 1, 2, 3, 4).buffer);
  const outside = (external: Readonly<Record<string, string>>, dims = [4]) =>
    sum({ dims, data: new Float32Array(), external });

  it("in other files are asked for", async () => {
    for (const length of [{ length: "16" }, {}] as readonly Readonly<Record<string, string>>[]) {
      const asked: unknown[] = [];
      const file = outside({ location: "net/weights.bin", offset: "4", ...length });
      using model = await loadOnnx(rt, file, {
        externalData: (location, offset, bytes = 0) => {
          asked.push([location, offset, bytes]);
          return store.subarray(offset, offset + bytes);
        },
      });
      expect(asked).toEqual([["net/weights.bin", 4, 16]]);
      expect(model.run(zeros)["y"]?.toArray()).toEqual(Float32Array.of(1, 2, 3, 4));
    }
  });

  it.each([
    ["../secret", "0", undefined, /"w" expected a path inside the model's folder, got "..\/secret"/],
    ["a/../../secret", "0", undefined, /expected a path inside/],
    ["/etc/passwd", "0", undefined, /expected a path inside/],
    ["C:\\secret", "0", undefined, /expected a path inside/],
    ["https://example.com/w", "0", undefined, /expected a path inside/],
    ["", "0", undefined, /expected a path inside/],
    ["w", "-4", undefined, /"w" expected a place in "w", got "-4"/],
    ["w", "1e3", undefined, /expected a place/],
    ["w", "12", undefined, /"w" expected 16 bytes for float32 \[4\], got 8/],
    ["w", "0", "12", /"w" expected 16 bytes for float32 \[4\], got 12/],
  ])("at %s, offset %s and length %s are refused", async (location, offset, length, message) => {
    const file = outside({ location, offset, ...(length && { length }) });
    const externalData = (_: string, from: number, bytes = 0) => store.subarray(from, from + bytes);
    await expect(loadOnnx(rt, file, { externalData })).rejects.toThrow(message);
  });

  it("in other files must be there", async () => {
    const file = outside({ location: "w" });
    await expect(loadOnnx(rt, file)).rejects.toThrow(/"externalData" expected a function .* "w", got none/);
    const nothing = loadOnnx(rt, file, { externalData: () => undefined as never });
    await expect(nothing).rejects.toThrow('"externalData" expected to answer a Uint8Array of "w", got undefined');
  });
});

describe("old operator sets", () => {
  const run = async (file: Pick<File, "nodes" | "opset"> & Partial<File>, data: readonly number[], shape: number[]) => {
    using model = await loadOnnx(rt, onnxFile({ inputs: { x: shape }, outputs: ["y"], ...file }));
    return Array.from((model.run({ x: { data, shape } })["y"] as Tensor).toArray(), Number);
  };

  it("spell the type of Cast", async () => {
    const cast = (to: string) => ({
      nodes: [{ op: "Cast", inputs: ["x"], outputs: ["y"], attributes: { to } }],
      opset: 1,
    });
    expect(await run(cast("INT32"), [1.5, -2.5], [2])).toEqual([1, -2]);
    expect(await run(cast("FLOAT"), [1.5, -2.5], [2])).toEqual([1.5, -2.5]);
    await expect(run(cast("STRING"), [1], [1])).rejects.toThrow(/"to" expected a numeric type, got "STRING"/);
  });

  it("align the second operand at an axis", async () => {
    const constants = { c: { dims: [2], data: Float32Array.of(10, 20) } };
    const add = { op: "Add", inputs: ["x", "c"], outputs: ["y"], attributes: { broadcast: 1, axis: 0 } };
    expect(await run({ nodes: [add], constants, opset: 6 }, [1, 2, 3, 4], [2, 2])).toEqual([11, 12, 23, 24]);
  });

  it("have shapes, axes and bounds as attributes", async () => {
    const node = (op: string, from: string, to: string, attributes: File["nodes"][number]["attributes"] = {}) => ({
      op,
      inputs: [from],
      outputs: [to],
      attributes,
    });
    const nodes = [
      node("Reshape", "x", "a", { shape: [2, 3] }),
      node("Slice", "a", "b", { starts: [0, 1], ends: [2, 3] }),
      node("Clip", "b", "c", { min: { float: 2 }, max: { float: 5 } }),
      node("Pad", "c", "d", { paddings: [0, 0, 0, 1], mode: "constant", value: { float: 7 } }),
      node("ReduceSum", "d", "y", { axes: [1], keepdims: 0 }),
    ];
    expect(await run({ nodes, opset: 1 }, [0, 1, 2, 3, 4, 9], [6])).toEqual([2 + 2 + 7, 4 + 5 + 7]);
  });
});
