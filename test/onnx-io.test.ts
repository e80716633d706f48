// What goes into loadOnnx() and its models as users have it: sources of all kinds, files of another kind, tensors in other files,
// values of other realms, halves, defaults, names.
import { Readable } from "node:stream";
import vm from "node:vm";
import { deflateRawSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  createRuntime,
  type DType,
  ModelError,
  type Runtime,
  UnsupportedError,
  writeSafetensors,
} from "../src/index.js";
import { loadOnnx, type OnnxInput, type OnnxModel, type OnnxSource } from "../src/onnx/index.js";
import { type Constant, type File, floats, onnxFile } from "./onnx-file.js";

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
afterEach(() => vi.unstubAllGlobals());

const RELU: File = {
  inputs: { x: [3] },
  outputs: ["y"],
  nodes: [{ op: "Relu", inputs: ["x"], outputs: ["y"] }],
};
const bytes = onnxFile(RELU) as Uint8Array<ArrayBuffer>;
const x = { data: [-1, 2, 3], shape: [3] };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** What a model answers for x. */
const answer = (model: OnnxModel, inputs: Readonly<Record<string, OnnxInput>> = { x }, name = "y"): unknown =>
  Array.from(model.run(inputs)[name]?.toArray() as Float32Array);

/** A value made in another realm, as frames and jsdom have them. */
const elsewhere = (code: string, given: object = {}): never => vm.runInNewContext(code, given) as never;

/** What has nothing but these members. */
const like = (members: object): never => Object.assign(Object.create(null), members) as never;

describe("a source", () => {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 7);
    yield bytes.subarray(7);
  }
  const stream = () => new Response(bytes).body as ReadableStream<Uint8Array>;
  const list = `[${bytes.join()}]`;
  const sources: Readonly<Record<string, () => OnnxSource>> = {
    "a Blob": () => new Blob([bytes]),
    "a File": () => new File([bytes], "model.onnx"),
    "a Node stream": () => Readable.from([Buffer.from(bytes)]),
    "an async iterable": chunks,
    "a promise of bytes": () => Promise.resolve(bytes),
    "a promise of a Response": () => Promise.resolve(new Response(bytes)),
    "a promise of a stream": () => Promise.resolve(stream()),
    "a data URL": () => `data:application/octet-stream;base64,${Buffer.from(bytes).toString("base64")}`,
    "a URL": () => new URL(`data:,${[...bytes].map((byte) => `%${(byte + 256).toString(16).slice(1)}`).join("")}`),
    "a Request": () => new Request(`data:;base64,${Buffer.from(bytes).toString("base64")}`),
    "bytes of another realm": () => elsewhere(`Uint8Array.of(...${list})`),
    "a buffer of another realm": () => elsewhere(`Uint8Array.of(...${list}).buffer`),
    "a promise of another realm": () => elsewhere(`Promise.resolve(Uint8Array.of(...${list}))`),
    "an iterable of another realm": () => elsewhere(`(async function* () { yield Uint8Array.of(...${list}); })()`),
    "somebody's Response": () => like({ status: 200, ok: true, arrayBuffer: async () => bytes.slice().buffer }),
    "somebody's Blob": () => like({ size: bytes.length, arrayBuffer: async () => bytes.slice().buffer }),
    "somebody's stream": () => {
      const { getReader } = { getReader: () => stream().getReader() };
      return like({ getReader });
    },
  };
  it.each(Object.entries(sources))("is %s", async (_, source) => {
    using model = await loadOnnx(rt, source());
    expect(answer(model)).toEqual([0, 2, 3]);
    const seen: number[] = [];
    (await loadOnnx(rt, source(), { onProgress: ({ loaded }) => seen.push(loaded) })).dispose();
    expect(seen.at(-1)).toBe(bytes.length);
  });

  it("is copied where it is the caller's, and read again", async () => {
    const own = onnxFile({ ...RELU, inputs: { x: ["n"] } });
    const given = own.slice();
    using model = await loadOnnx(rt, Promise.resolve(given));
    given.fill(0);
    expect(answer(model, { x: { data: [-1, 2], shape: [2] } })).toEqual([0, 2]);
  });

  it("that cannot be had is named", async () => {
    const at = {
      url: "https://example.com/net.onnx",
      headers: new Headers(),
      arrayBuffer: async () => bytes.slice().buffer,
    };
    for (const [response, message] of [
      [{ ...at, status: 404, ok: false }, "got status 404 from https://example.com/net.onnx"],
      [
        { ...at, status: 0, ok: false, type: "opaque" },
        'got an opaque one from https://example.com/net.onnx (fetch mode "no-cors")',
      ],
      [{ ...at, status: 200, ok: true, bodyUsed: true }, "got one read before from https://example.com/net.onnx"],
    ] as const)
      await expect(loadOnnx(rt, Promise.resolve(like(response)))).rejects.toThrow(message);
    await expect(loadOnnx(rt, "model.onnx")).rejects.toThrow(/readFile.*, got "model.onnx"$/);
    await expect(loadOnnx(rt, "model.onnx")).rejects.toThrow(ModelError);
    await expect(loadOnnx(rt, new URL("file:///model.onnx"))).rejects.toThrow('got "file:///model.onnx"');
    await expect(loadOnnx(rt, Promise.reject(new Error("offline")))).rejects.toThrow("offline");
    await expect(loadOnnx(rt, Readable.from(["text"]))).rejects.toThrow(
      '"source" expected chunks of bytes, got "text"',
    );
  });
});

describe("a file that is no ONNX", () => {
  const page = text('\ufeff  <!DOCTYPE html>\n<html lang="en"><title>404</title></html>');
  const codes = (value: string): Uint8Array => Uint8Array.from(value, (one) => one.charCodeAt(0));
  const stored = (name: string): Uint8Array =>
    codes(`PK\x03\x04\x00\x00\x08\x00${"\0".repeat(22)}${name}${String.fromCharCode(...deflateRawSync("content"))}`);
  const weights = new Map([["w", { shape: [2], dtype: "float32" as DType, data: Float32Array.of(1, 2) }]]);
  it.each<[string, Uint8Array, string]>([
    ["a web page", page, "got a web page (HTML): look at the address"],
    ["another page", text("<html></html>"), "got a web page (HTML): look"],
    ["XML", text('<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code></Error>'), "got XML"],
    [
      "a git-lfs pointer",
      text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
      'got a git-lfs pointer, not the file that it stands for: "git lfs pull"',
    ],
    ["gzip", gzipSync(bytes), "got a gzip file: unpack it first"],
    ["xz", codes("\xfd7zXZ\0\0\x04"), "got a compressed file: unpack it first"],
    [".ort", codes("\x1c\0\0\0ORTM\0\0\0\0"), "got a network in onnxruntime's own format (.ort): take the .onnx file"],
    [".tflite", codes("\x20\0\0\0TFL3\0\0\0\0"), "got a TensorFlow Lite network (.tflite): convert it"],
    ["a zip", stored("net.onnx"), "got a zip archive: unpack it first"],
    [".pt", stored("archive/data.pkl"), "got a PyTorch file (.pt, .pth): export"],
    [
      "an older .pt",
      codes("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
      "got a pickled Python object (.pt, .pth, .pkl): export",
    ],
    [
      "model.json",
      text('{"format":"graph-model","generatedBy":"2.4.0"}'),
      "got JSON, the model.json of TensorFlow.js: convert",
    ],
    ["JSON", text('[{"a": 1}]'), "got JSON: take the .onnx file"],
    ["safetensors", writeSafetensors(weights), "got a safetensors file, weights without a network: readSafetensors()"],
    [".h5", codes("\x89HDF\r\n\x1a\n"), "got an HDF5 file"],
    [".gguf", codes("GGUF\x03\0\0\0"), "got a GGUF file"],
    [".npy", codes("\x93NUMPY\x01\0"), "got a NumPy array"],
    ["a photograph", codes("\xff\xd8\xff\xe0\0\x10JFIF"), "got an image"],
    ["wasm", codes("\0asm\x01\0\0\0"), "got a WebAssembly binary"],
    ["nothing", new Uint8Array(), "got an empty file: look"],
    ["text", text("404: Not Found"), 'got text that begins "404: Not Found"'],
    ["wide text", codes(`\xff\xfe${[..."not found"].join("\0")}\0`), 'got text that begins "not found"'],
  ])("is called what it looks like: %s", async (_, file, message) => {
    const loading = loadOnnx(rt, file);
    await expect(loading).rejects.toThrow(ModelError);
    await expect(loading).rejects.toThrow(`"model" expected an ONNX file, ${message}`);
  });

  it("has its address in the message", async () => {
    const response = {
      status: 200,
      ok: true,
      url: "https://example.com/n.onnx",
      arrayBuffer: async () => page.slice().buffer,
    };
    await expect(loadOnnx(rt, like(response))).rejects.toThrow(
      "got a web page (HTML) from https://example.com/n.onnx: look",
    );
  });

  it("or looks like nothing is told as before", async () => {
    await expect(loadOnnx(rt, bytes.subarray(0, 9))).rejects.toThrow(
      '"model" expected well-formed ONNX protobuf, got 9 bytes: it ends too soon',
    );
    await expect(loadOnnx(rt, Uint8Array.of(8, 8))).rejects.toThrow('"model" expected a graph, got none');
  });
});

describe("tensors in other files", () => {
  const place = (offset: number): Constant => ({
    dims: [2],
    data: new Float32Array(),
    external: { location: "w.bin", offset: `${offset}`, length: "8" },
  });
  const file = (n: number | string = 2): Uint8Array =>
    onnxFile({
      inputs: { x: [n] },
      outputs: ["y"],
      nodes: [
        { op: "Mul", inputs: ["x", "a"], outputs: ["m"] },
        { op: "Add", inputs: ["m", "b"], outputs: ["y"] },
      ],
      constants: { a: place(0), b: place(8) },
    });
  const all = Float32Array.of(10, 100, 3, 4);
  const ones = { x: { data: [1, 2], shape: [2] } };

  it.each<[string, (offset: number, length: number) => unknown]>([
    ["bytes", (offset, length) => new Uint8Array(all.buffer, offset, length)],
    ["an ArrayBuffer", (offset, length) => all.buffer.slice(offset, offset + length)],
    ["a promise", async (offset, length) => new Uint8Array(all.buffer, offset, length)],
    [
      "bytes of another realm",
      (offset, length) => elsewhere("Uint8Array.from(part)", { part: new Uint8Array(all.buffer, offset, length) }),
    ],
    ["the whole file", () => new Uint8Array(all.buffer)],
    ["a promise of the whole file", async () => all.buffer],
  ])("come as %s", async (name, part) => {
    for (const n of [2, "n"]) {
      const asked: number[] = [];
      const externalData = (_: string, offset: number, length = 0) => {
        asked.push(offset);
        return part(offset, length) as Uint8Array;
      };
      using model = await loadOnnx(rt, file(n), { externalData });
      expect(answer(model, ones)).toEqual([13, 204]);
      expect(asked).toEqual(name.includes("whole") ? [0] : [0, 8]);
    }
  });

  it("are asked for once operators are known, and before anything is planned", async () => {
    const before = rt.report();
    const failing = loadOnnx(rt, file(), { externalData: async () => Promise.reject(new Error("no such file")) });
    await expect(failing).rejects.toThrow("no such file");
    const short = loadOnnx(rt, file(), { externalData: async () => new Uint8Array(4) });
    await expect(short).rejects.toThrow('"a" expected 8 bytes for float32 [2], got 4');
    const asked = vi.fn();
    const missing = {
      ...RELU,
      nodes: [{ op: "Nothing", inputs: ["x", "a"], outputs: ["y"] }],
      constants: { a: place(0) },
    };
    await expect(loadOnnx(rt, onnxFile(missing), { externalData: asked })).rejects.toThrow(UnsupportedError);
    expect(asked).not.toHaveBeenCalled();
    expect(rt.report()).toEqual(before);
  });
});

describe("an input", () => {
  it("of halves takes numbers, or their bits", async () => {
    const half = await loadOnnx(rt, onnxFile({ ...RELU, inputs: { x: [4] }, types: { x: 10, y: 10 } }));
    const shape = [4];
    expect(answer(half, { x: { data: Uint16Array.of(0x3c00, 0xc000, 0x4200, 1), shape } })).toEqual([
      1,
      0,
      3,
      2 ** -24,
    ]);
    expect(answer(half, { x: { data: Float32Array.of(1, -2, 3, 0.5), shape } })).toEqual([1, 0, 3, 0.5]);
    expect(answer(half, { x: { data: [1, -2, 3, 0.5], shape } })).toEqual([1, 0, 3, 0.5]);
    const { Float16Array } = globalThis as {
      Float16Array?: { of(...values: number[]): OnnxInput extends { data: infer D } ? D : never };
    };
    if (Float16Array)
      expect(answer(half, { x: { data: Float16Array.of(1, -2, 3, 0.5), shape } as never })).toEqual([1, 0, 3, 0.5]);
    half.dispose();
    using brain = await loadOnnx(rt, onnxFile({ ...RELU, inputs: { x: [2] }, types: { x: 16, y: 16 } }));
    expect(answer(brain, { x: { data: Uint16Array.of(0x3fc0, 0x4049), shape: [2] } })).toEqual([1.5, 3.140625]);
    using whole = await loadOnnx(rt, bytes); // of float32: numbers
    expect(answer(whole, { x: { data: Uint16Array.of(1, 2, 0x3c00), shape: [3] } })).toEqual([1, 2, 15360]);
  });

  it("keeps its data or refuses it, without a leak", async () => {
    const nodes = [{ op: "Identity", inputs: ["x"], outputs: ["y"] }];
    using model = await loadOnnx(rt, onnxFile({ ...RELU, nodes, types: { x: 2, y: 2 } }));
    const before = rt.report();
    expect(() => answer(model, { x: { data: [1, 300, -1], shape: [3] } })).toThrow(
      '"data" expected elements of uint8, got 300 at 1',
    );
    expect(() => answer(model, { x: { data: [1, "2", 3] as never, shape: [3] } })).toThrow(TypeError);
    expect(rt.report()).toEqual(before);
    expect(answer(model, { x: { data: Int32Array.of(1, 255, 0), shape: [3] } })).toEqual([1, 255, 0]);
    expect(answer(model, { x: elsewhere("({ data: Uint8Array.of(4, 5, 6), shape: [3] })") })).toEqual([4, 5, 6]);
  });

  it("may have any name", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      for (const late of [false, true]) {
        const node = { op: "Add", inputs: [name, "c"], outputs: late ? ["sum"] : ["y"] };
        const nodes = late ? [node, { op: "NonZero", inputs: ["sum"], outputs: ["y"] }] : [node];
        const file = {
          inputs: Object.fromEntries([[name, [2]]]),
          outputs: ["y"],
          nodes,
          constants: { c: floats(1, -2) },
          types: { y: late ? 7 : 1 },
        };
        using model = await loadOnnx(rt, onnxFile(file));
        const inputs = Object.fromEntries([[name, { data: [0, 2], shape: [2] }]]);
        expect(answer(model, inputs)).toEqual(late ? [0n] : [1, 0]);
        expect(() => model.run({})).toThrow(`"${name}" expected a tensor for this input, got none`);
      }
      const file = { ...RELU, outputs: [name], nodes: [{ op: "Relu", inputs: ["x"], outputs: [name] }] };
      using model = await loadOnnx(rt, onnxFile(file));
      const results = model.run({ x });
      expect(Object.keys(results)).toEqual([name]);
      expect(Array.from(results[name]?.toArray() as Float32Array)).toEqual([0, 2, 3]);
      expect(Object.keys(model.run({ x }, [name]))).toEqual([name]);
    }
    expect(({} as Record<string, unknown>)["data"]).toBeUndefined();
  });
});

describe("an initialiser that is an input", () => {
  const file = (c: Constant = floats(9, 9), size: number | string = 2): Uint8Array =>
    onnxFile({
      inputs: { x: [2], c: [size] },
      outputs: ["y"],
      nodes: [{ op: "Add", inputs: ["x", "c"], outputs: ["y"] }],
      constants: { c },
    });
  const one = { data: [1, 2], shape: [2] };

  it("is its default, which a run may replace", async () => {
    const given = file();
    using model = await loadOnnx(rt, given);
    given.fill(0);
    expect(model.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(model.defaults).toEqual([{ name: "c", shape: [2], dtype: "float32" }]);
    const c = { data: [10, 20], shape: [2] };
    expect(answer(model, { x: one })).toEqual([10, 11]);
    expect(answer(model, { x: one, c })).toEqual([11, 22]);
    expect(answer(model, { x: one })).toEqual([10, 11]);
    using tensor = rt.tensor([5, 5], [2]);
    expect(answer(model, { x: one, c: tensor })).toEqual([6, 7]);
    await expect(model.runAsync({ x: one, c })).resolves.toHaveProperty("y");
    expect(() => answer(model, { x: one, c: { data: [1], shape: [1] } })).toThrow('"c" expected shape [2], got [1]');
    expect(() => answer(model, { x: one, d: c })).toThrow('"input" expected one of x, c, got "d"');
  });

  it("may have another shape where the file leaves that open", async () => {
    using model = await loadOnnx(rt, file(floats(9, 9), "n"));
    expect(model.defaults).toEqual([{ name: "c", shape: ["n"], dtype: "float32" }]);
    expect(answer(model, { x: one, c: { data: [4], shape: [1] } })).toEqual([5, 6]);
    expect(answer(model, { x: one })).toEqual([10, 11]);
  });

  it("is an input like the others where shapes have it", async () => {
    using model = await loadOnnx(rt, file(), { shapes: { c: [2] } });
    expect(model.inputs.map(({ name }) => name)).toEqual(["x", "c"]);
    expect(model.defaults).toEqual([]);
    expect(answer(model, { x: one, c: { data: [3, 4], shape: [2] } })).toEqual([4, 6]);
    expect(() => answer(model, { x: one })).toThrow('"c" expected a tensor for this input, got none');
  });

  it("of a large file that lists them all is a constant, unless shapes have it", async () => {
    const n = 2 ** 18;
    const large = onnxFile({
      inputs: { x: [1], c: [n] },
      outputs: ["y"],
      nodes: [{ op: "Add", inputs: ["x", "c"], outputs: ["y"] }],
      constants: { c: { dims: [n], data: new Float32Array(n).fill(7) } },
    });
    const given = { x: { data: [1], shape: [1] }, c: { data: new Float32Array(n).fill(1), shape: [n] } };
    using model = await loadOnnx(rt, large);
    expect(model.defaults).toEqual([]);
    expect(model.run({ x: given.x })["y"]?.data[n - 1]).toBe(8);
    expect(() => model.run(given)).toThrow('got "c" (a constant, unless "shapes" has it when the file is loaded)');
    using other = await loadOnnx(rt, large, { shapes: { c: [n] } });
    expect(other.run(given)["y"]?.data[n - 1]).toBe(2);
  });
});

describe("an operator set", () => {
  it.each([0, 29, 40])("%i is refused", async (opset) => {
    const loading = loadOnnx(rt, onnxFile({ ...RELU, opset }));
    await expect(loading).rejects.toThrow(UnsupportedError);
    await expect(loading).rejects.toThrow(`"model" expected an operator set from 1 to 28, got ${opset}`);
  });

  it.each([1, 28])("%i is read", async (opset) => {
    using model = await loadOnnx(rt, onnxFile({ ...RELU, opset }));
    expect(answer(model)).toEqual([0, 2, 3]);
  });
});

describe("the outputs of a run", () => {
  it("are those that are asked for, also what no kernel computes", async () => {
    const nodes = [
      { op: "Relu", inputs: ["x"], outputs: ["y"] },
      { op: "NonZero", inputs: ["y"], outputs: ["places"] },
    ];
    using model = await loadOnnx(rt, onnxFile({ ...RELU, nodes, outputs: ["y", "places"], types: { places: 7 } }));
    expect(Object.keys(model.run({ x }))).toEqual(["y", "places"]);
    const { places, ...others } = model.run<"int64">({ x }, ["places"]);
    expect([Array.from(places?.toArray() ?? []), others]).toEqual([[1n, 2n], {}]);
    expect(Object.keys(await model.runAsync({ x }, { outputs: ["y"] }))).toEqual(["y"]);
    expect(() => model.run({ x }, ["z"])).toThrow('"outputs" expected names among y, places, got "z"');
    await expect(model.runAsync({ x }, { outputs: ["z"] })).rejects.toThrow(ModelError);
  });
});

describe("what runs in JavaScript", () => {
  // y on kernels, by so many products, and then the shape of places is a run's; z in JavaScript.
  const fileOf = (side: number, odd: number, products = 1): Uint8Array =>
    onnxFile({
      inputs: { x: [side, side], t: [odd] },
      outputs: ["y", "z", "places"],
      types: { places: 7 },
      nodes: [
        ...Array.from({ length: products }, (_, i) => ({
          op: "MatMul",
          inputs: [i === 0 ? "x" : `x${i}`, "x"],
          outputs: [i + 1 === products ? "y" : `x${i + 1}`],
        })),
        { op: "Asinh", inputs: ["t"], outputs: ["z"] },
        { op: "NonZero", inputs: ["z"], outputs: ["places"] },
      ],
    });
  const inputsOf = (side: number, odd: number) => ({
    x: { data: new Float32Array(side * side), shape: [side, side] },
    t: { data: new Float32Array(odd).fill(1), shape: [odd] },
  });

  it("is told by the summary, as text too, what is evaluated after the run included", async () => {
    using model = await loadOnnx(rt, fileOf(4, 5));
    const lines = String(model.summary()).split("\n");
    const marked = lines.filter((line) => line.endsWith("  in JavaScript")).map((line) => line.split(" ")[0]);
    expect(marked).toEqual(["Asinh-z", "NonZero-places"]);
    expect(lines.slice(-2)).toEqual([`2 of ${model.summary().rows.length} layers in JavaScript`, ""]);
  });

  it("is told with its time by the profile, and noted in the runtime's report from 5 % on, until the model is gone", async () => {
    expect(rt.report().notes).toEqual([]);
    // A clock by which every layer takes a millisecond: of two models what they have more of decides, and not the machine.
    let looks = 0;
    vi.spyOn(performance, "now").mockImplementation(() => looks++);
    const slow = await loadOnnx(rt, fileOf(4, 20));
    const profile = slow.profile(inputsOf(4, 20));
    const timeOf = (name: string) => profile.rows.find(({ layer }) => layer === name)?.microseconds ?? 0;
    expect(Math.min(timeOf("Asinh-z"), timeOf("NonZero-places"))).toBeGreaterThan(0);
    const total = profile.rows.reduce((sum, { microseconds }) => sum + microseconds, 0);
    expect(profile.totals.microseconds).toBeCloseTo(total, 3);
    expect(profile.toTrace().traceEvents.at(-1)?.name).toBe("NonZero-places");
    const share = `${((100 * (timeOf("Asinh-z") + timeOf("NonZero-places"))) / total).toFixed(1)} %`;
    expect(String(profile)).toContain(`2 of ${profile.rows.length} layers in JavaScript, ${share} of the time\n`);
    const quick = await loadOnnx(rt, fileOf(4, 20, 60));
    quick.profile(inputsOf(4, 20));
    vi.restoreAllMocks();
    expect(rt.report().notes).toEqual([`${share} of a model's time is JavaScript: Asinh, NonZero`]);
    slow.dispose();
    expect(rt.report().notes).toEqual([]);
    quick.dispose();
  });
});

// Last, since its modules are others: their errors are of other classes.
describe("an engine", () => {
  it("needs no class but for what it is asked to do", async () => {
    const file = writeSafetensors(
      new Map([["w", { shape: [1], dtype: "float32" as const, data: Float32Array.of(4) }]]),
    );
    for (const name of [
      "ReadableStream",
      "TextDecoder",
      "TextEncoder",
      "Response",
      "Request",
      "Blob",
      "AbortSignal",
      "fetch",
      "performance",
      "setTimeout",
      "queueMicrotask",
    ])
      vi.stubGlobal(name, undefined);
    vi.resetModules();
    const [main, onnx] = await Promise.all([import("../src/index.js"), import("../src/onnx/index.js")]);
    using other = await main.createRuntime();
    const named = onnxFile({
      ...RELU,
      inputs: { größe: [3] },
      nodes: [{ op: "Relu", inputs: ["größe"], outputs: ["y"] }],
    });
    for (const source of [named, named.slice().buffer as ArrayBuffer, Readable.from([Buffer.from(named)])]) {
      using model = await onnx.loadOnnx(other, source);
      expect(answer(model, { größe: x })).toEqual([0, 2, 3]);
    }
    const pad = { op: "Pad", inputs: ["x", "p"], outputs: ["y"], attributes: { mode: "edge" } };
    const p: Constant = { dims: [2], data: BigInt64Array.of(1n, 0n) };
    using padded = await onnx.loadOnnx(other, onnxFile({ ...RELU, nodes: [pad], constants: { p } }));
    expect(answer(padded)).toEqual([-1, -1, 2, 3]);
    expect(main.readSafetensors(file).get("w")?.data).toEqual(Float32Array.of(4));
    await expect(onnx.loadOnnx(other, "https://example.com/model.onnx")).rejects.toThrow("fetch() reaches");
  });
});
