// Networks from ONNX files: made here, and, where they are at hand, the standard's own tests and real models.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModelError, type Runtime, ShapeError, type Tensor, UnsupportedError } from "../src/index.js";
import { parseModel, parseTensor } from "../src/onnx/file/proto.js";
import { readTensorProto } from "../src/onnx/file/tensor.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type File, integers, type Node, onnxFile } from "./onnx-file.js";
import { UNLIMITED } from "./onnx-operators.js";
import { fill } from "./random.js";

const SHARED = new URL("../../shared/data/", import.meta.url);
const here = (path: string) => new URL(path, SHARED);

const CONV: File = {
  inputs: { image: ["batch", 3, 8, 8] },
  outputs: ["y"],
  constants: {
    w: { dims: [4, 3, 3, 3], data: fill([4, 3, 3, 3], "w") },
    b: { dims: [4], data: fill([4], "b") },
    axes: { dims: [1], data: BigInt64Array.of(-1n) },
  },
  nodes: [
    { op: "Conv", inputs: ["image", "w", "b"], outputs: ["c"], attributes: { pads: [1, 1, 1, 1] } },
    { op: "Relu", inputs: ["c"], outputs: ["r"] },
    { op: "ReduceSum", inputs: ["r", "axes"], outputs: ["y"], attributes: { keepdims: 0 } },
  ],
};

describe.each(BINARIES)("lanewise/onnx on the '$name' binary", ({ name, create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it("plans open shapes at the first run, again for others, and remembers them", async () => {
    const before = rt.report().bytesInUse;
    const model = await loadOnnx(rt, onnxFile(CONV));
    expect(model.inputs).toEqual([{ name: "image", shape: ["batch", 3, 8, 8], dtype: "float32" }]);
    expect(() => model.plan).toThrow(ModelError);
    for (const batch of [1, 2, 1]) {
      const data = fill([batch, 3, 8, 8], "image");
      const { y } = model.run({ image: { data, shape: [batch, 3, 8, 8] } }) as { y: Tensor };
      using x = rt.tensor(data, [batch, 3, 8, 8]);
      using w = rt.tensor(CONV.constants?.["w"]?.data as Float32Array, [4, 3, 3, 3]);
      using b = rt.tensor(CONV.constants?.["b"]?.data as Float32Array, [4]);
      using c = rt.conv2d(x, w, b, { padding: 1, activation: "relu" });
      const rows = c.toArray() as Float32Array;
      expect(y.shape).toEqual([batch, 4, 8]);
      (y.toArray() as Float32Array).forEach((sum, i) => {
        expect(sum).toBeCloseTo(
          rows.slice(i * 8, i * 8 + 8).reduce((p, q) => p + q, 0),
          4,
        );
      });
    }
    expect(String(model.summary())).toContain("Conv-c");
    model.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("takes sizes by name, streams and responses, and says how far it is", async () => {
    const bytes = onnxFile(CONV);
    const progress: number[] = [];
    const source = new Response(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream());
    const model = await loadOnnx(rt, source, {
      shapes: { batch: 2 },
      onProgress: ({ loaded }) => progress.push(loaded),
    });
    expect(progress.at(-1)).toBe(bytes.length);
    expect(model.inputs[0]?.shape).toEqual([2, 3, 8, 8]);
    expect(model.plan.macs).toBeGreaterThan(0);
    expect(() => model.run({ image: { data: new Float32Array(192), shape: [1, 3, 8, 8] } })).toThrow(ShapeError);
    model.dispose();
    await expect(loadOnnx(rt, bytes, { shapes: { bach: 2 } })).rejects.toThrow(ModelError);
    await expect(loadOnnx(rt, bytes, { shapes: { batch: 2 }, maxMacs: 10 })).rejects.toThrow(/"maxMacs" expected/);
  });

  it("answers outputs whose shape the data decides, empty ones too", async () => {
    const file = onnxFile({
      inputs: { x: [4] },
      outputs: ["found", "twice"],
      nodes: [
        { op: "NonZero", inputs: ["x"], outputs: ["found"] },
        { op: "Add", inputs: ["found", "found"], outputs: ["twice"] },
      ],
    });
    using model = await loadOnnx(rt, file);
    const run = (data: readonly number[]) => model.run({ x: { data, shape: [4] } });
    expect(run([0, 3, 0, -1])["twice"]?.toArray()).toEqual(BigInt64Array.of(2n, 6n));
    expect(run([0, 0, 0, 0])["found"]?.shape).toEqual([1, 0]);
    using x = rt.tensor(Float32Array.of(1, 0, 0, 2), [4]);
    const pending = model.runAsync({ x });
    x.dispose(); // taken already
    expect((await pending)["twice"]?.toArray()).toEqual(BigInt64Array.of(0n, 6n));
  });

  it("takes axes that count from the end, optimised or not", async () => {
    const file = onnxFile({
      ...CONV,
      outputs: ["rows"],
      constants: { ...CONV.constants, shape: { dims: [3], data: BigInt64Array.of(1n, -1n, 4n) } },
      nodes: [
        ...CONV.nodes.slice(0, 1),
        { op: "Transpose", inputs: ["c"], outputs: ["t"], attributes: { perm: [0, -2, -1, 1] } },
        { op: "Reshape", inputs: ["t", "shape"], outputs: ["rows"] },
      ],
    });
    const image = { data: fill([1, 3, 8, 8], "image"), shape: [1, 3, 8, 8] };
    using model = await loadOnnx(rt, file);
    using plain = await loadOnnx(rt, file, { optimize: false });
    expect(model.run({ image })["rows"]?.shape).toEqual([1, 64, 4]);
    expect(model.run({ image })["rows"]?.toArray()).toEqual(plain.run({ image })["rows"]?.toArray());
  });

  it("runs asynchronously as it does at once, and stops when asked", async () => {
    using model = await loadOnnx(rt, onnxFile(CONV));
    const image = { data: fill([1, 3, 8, 8], "image"), shape: [1, 3, 8, 8] };
    const expected = model.run({ image })["y"]?.toArray();
    expect((await model.runAsync({ image }, { yieldEvery: 0 }))["y"]?.toArray()).toEqual(expected);
    await expect(model.runAsync({ image }, { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
    expect((await model.runAsync())["y"]?.shape).toEqual([1, 4, 8]);
  });

  it("takes the branch of an If whose condition shapes decide, as PyTorch writes squeeze", async () => {
    const branches: Node["attributes"] = {
      then_branch: {
        graph: {
          inputs: {},
          constants: { axes: integers(1) },
          nodes: [
            { op: "Squeeze", inputs: ["r", "axes"], outputs: ["s"] },
            { op: "Neg", inputs: ["s"], outputs: ["then"] },
          ],
          outputs: ["then"],
        },
      },
      else_branch: {
        graph: { inputs: {}, nodes: [{ op: "Identity", inputs: ["r"], outputs: ["else"] }], outputs: ["else"] },
      },
    };
    const If: Node = { op: "If", inputs: ["is"], outputs: ["y"], attributes: branches };
    const nodes: readonly Node[] = [
      If, // in no order: it reads r, too
      { op: "Relu", inputs: ["x"], outputs: ["r"] },
      { op: "Shape", inputs: ["r"], outputs: ["shape"] },
      { op: "Gather", inputs: ["shape", "one"], outputs: ["size"], attributes: { axis: 0 } },
      { op: "Equal", inputs: ["size", "one"], outputs: ["is"] },
    ];
    const constants = { one: integers(1) };
    using model = await loadOnnx(rt, onnxFile({ inputs: { x: [2, "n"] }, outputs: ["y"], nodes, constants }));
    const run = (data: number[], shape: number[]) => model.run({ x: { data, shape } })["y"] as Tensor;
    expect(run([-1, 2], [2, 1]).shape).toEqual([2]);
    expect(run([-1, 2], [2, 1]).toArray()).toEqual(Float32Array.of(-0, -2));
    expect(run([-1, 2, 3, -4], [2, 2]).toArray()).toEqual(Float32Array.of(0, 2, 3, 0));

    const computed = onnxFile({ inputs: { is: [1], r: [2, 1] }, types: { is: 9 }, outputs: ["y"], nodes: [If] });
    using byInput = await loadOnnx(rt, computed);
    const r = { data: [-1, 2], shape: [2, 1] };
    expect(byInput.run({ is: { data: [1], shape: [1] }, r })["y"]?.shape).toEqual([2]);
    expect(byInput.run({ is: { data: [0], shape: [1] }, r })["y"]?.shape).toEqual([2, 1]);
    const broken = { ...If, attributes: { else_branch: 3 } };
    const file = onnxFile({ inputs: { r: [2, 1] }, outputs: ["y"], nodes: [broken], constants: { is: integers(0) } });
    await expect(loadOnnx(rt, file)).rejects.toThrow(/"else_branch" expected a graph, got none/);

    const where = { nodes: [], inputs: {}, outputs: ["where"] };
    const late = onnxFile({
      inputs: { x: [2, 1] },
      outputs: ["y"],
      nodes: [
        { op: "NonZero", inputs: ["x"], outputs: ["where"] },
        { ...If, attributes: { then_branch: { graph: where } } },
      ],
      constants: { is: integers(1) },
    });
    using found = await loadOnnx(rt, late);
    // Rows and columns of what is not zero.
    const x = { data: [-1, 2], shape: [2, 1] };
    expect(found.run({ x })["y"]?.toArray()).toEqual(BigInt64Array.of(0n, 1n, 0n, 0n));

    // Names of a branch end with it: others may have the same.
    const again: Node = { ...If, inputs: ["is"], outputs: ["z"] };
    using both = await loadOnnx(
      rt,
      onnxFile({ inputs: { x: [2, 1] }, outputs: ["y", "z"], nodes: [...nodes, again], constants }),
    );
    const { y, z } = both.run({ x: { data: [-1, 2], shape: [2, 1] } }) as Record<"y" | "z", Tensor>;
    expect(z.toArray()).toEqual(y.toArray());
  });

  it("names every operator that is missing, and what is wrong with a graph", async () => {
    const relu = (inputs: string[], outputs: string[]) => ({ op: "Relu", inputs, outputs });
    const base = { inputs: { x: [2] }, outputs: ["y"] };
    const refused: readonly (readonly [File, RegExp, new (...args: never[]) => Error])[] = [
      [
        {
          ...base,
          nodes: [
            { op: "TfIdfVectorizer", inputs: ["x"], outputs: ["a"] },
            { op: "SequenceEmpty", inputs: ["a"], outputs: ["y"] },
          ],
        },
        /got SequenceEmpty, TfIdfVectorizer/,
        UnsupportedError,
      ],
      [{ ...base, nodes: [relu(["a"], ["y"]), relu(["y"], ["a"])] }, /expected no circle/, ModelError],
      [{ ...base, nodes: [relu(["z"], ["y"])] }, /expected an input that something computes, got "z"/, ModelError],
      [{ ...base, nodes: [relu(["x"], ["y"]), relu(["x"], ["y"])] }, /got "y" again/, ModelError],
      [
        { ...base, nodes: [{ op: "Softmax", inputs: ["x"], outputs: ["y"], attributes: { axis: 5 } }] },
        /node "Softmax-y" \(Softmax\): "axis" expected an axis from -1 to 0, got 5/,
        ModelError,
      ],
      [
        {
          ...base,
          constants: { s: { dims: [2], data: BigInt64Array.of(2n ** 31n, 2n ** 20n) } },
          nodes: [{ op: "ConstantOfShape", inputs: ["s"], outputs: ["c"] }, relu(["c"], ["y"])],
        },
        /expected at most/,
        ModelError,
      ],
    ];
    const before = rt.report();
    for (const [file, message, type] of refused) {
      const load = loadOnnx(rt, onnxFile(file));
      await expect(load).rejects.toThrow(message);
      await expect(load).rejects.toThrow(type);
    }
    const bytes = onnxFile(CONV);
    for (let length = 1; length < bytes.length; length += 7) {
      await expect(loadOnnx(rt, bytes.subarray(0, length)).then((model) => model.dispose())).rejects.toThrow();
    }
    expect(rt.report().bytesInUse).toBe(before.bytesInUse);
  });

  const tests = here("onnx-tests/manifest.json");
  it.skipIf(!existsSync(tests) || name === "debug")(
    "passes the standard's tests but for those that no reading passes",
    async () => {
      const manifest = JSON.parse(readFileSync(tests, "utf8")) as {
        name: string;
        path: string;
        rtol: number;
        atol: number;
      }[];
      const before = rt.report().bytesInUse;
      const failed: string[] = [];
      for (const test of manifest) {
        try {
          await conformance(rt, new URL(`${test.path}/`, tests), test.rtol, test.atol);
        } catch {
          failed.push(test.name);
        }
      }
      // A random mask; and an operator set whose counting was changed in the next one.
      const known =
        /^test_(training_dropout_(default|mask)|averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True)$/;
      expect(failed.filter((one) => !known.test(one))).toEqual([]);
      expect(manifest.length).toBeGreaterThan(1000);
      expect(rt.report().bytesInUse).toBe(before);
    },
    180_000,
  );

  const refs = here("refs/");
  it.skipIf(!existsSync(refs) || name === "debug")(
    "computes real networks",
    async () => {
      const before = rt.report().bytesInUse;
      const errors: Record<string, number> = {};
      for (const network of readdirSync(refs)) {
        using model = await loadOnnx(rt, readFileSync(here(`models/${network}.onnx`)));
        for (const test of readdirSync(here(`refs/${network}/`)).slice(0, 1)) {
          const file = (kind: string, i: number) => npy(readFileSync(here(`refs/${network}/${test}/${kind}_${i}.npy`)));
          const outputs = model.run(Object.fromEntries(model.inputs.map((input, i) => [input.name, file("input", i)])));
          model.outputs.forEach((output, i) => {
            const expected = Array.from(file("output", i).data, Number);
            const got = Array.from((outputs[output.name] as Tensor).toArray(), Number);
            const largest = expected.reduce((p, q) => Math.max(p, Math.abs(q)), 0);
            const worst = expected.reduce((p, q, at) => Math.max(p, Math.abs(q - (got[at] ?? Number.NaN))), 0);
            errors[network] = Math.max(errors[network] ?? 0, worst / largest);
          });
        }
      }
      expect(Object.keys(errors).length).toBeGreaterThan(15);
      for (const [network, error] of Object.entries(errors)) {
        // Quantised: a quantum of the output. Winograd behind a steep head: 2e-4.
        const most = /int8|q/.test(network) ? 2e-2 : 5e-4;
        expect(error, network).toBeLessThan(most);
      }
      expect(rt.report().bytesInUse).toBe(before);
    },
    180_000,
  );
});

/** Runs one test folder of the standard; throws where it differs. */
async function conformance(rt: Runtime, folder: URL, rtol: number, atol: number): Promise<void> {
  const bytes = readFileSync(new URL("model.onnx", folder));
  const { graph } = parseModel(bytes);
  using model = await loadOnnx(rt, bytes);
  const names = new Set(model.inputs.map((input) => input.name));
  for (const set of readdirSync(folder).filter((entry) => entry.startsWith("test_data_set"))) {
    const tensor = (file: string) =>
      readTensorProto(parseTensor(readFileSync(new URL(`${set}/${file}.pb`, folder))), UNLIMITED.budget);
    const inputs = graph?.inputs.flatMap(({ name }, i) =>
      names.has(name) ? [[name, tensor(`input_${i}`)] as const] : [],
    );
    const outputs = model.run(Object.fromEntries(inputs ?? []));
    graph?.outputs.forEach(({ name }, i) => {
      const expected = tensor(`output_${i}`);
      const got = outputs[name] as Tensor;
      expect(got.shape).toEqual(expected.shape);
      const data = got.toArray();
      for (let at = 0; at < expected.data.length; at++) {
        const [a, e] = [Number(data[at]), Number(expected.data[at])];
        if (!(a === e || (Number.isNaN(a) && Number.isNaN(e)) || Math.abs(a - e) <= atol + rtol * Math.abs(e)))
          throw new Error(`${name}[${at}] expected ${e}, got ${a}`);
      }
    });
  }
}

function npy(file: Buffer): {
  shape: number[];
  data: Float32Array | BigInt64Array | Uint8Array | Int8Array | Int32Array;
} {
  const length = file.readUInt16LE(8);
  const header = file.subarray(10, 10 + length).toString();
  const [, type = ""] = /'descr': '([^']+)'/.exec(header) ?? [];
  const [, shape = ""] = /'shape': \(([^)]*)\)/.exec(header) ?? [];
  const arrays = { "<f4": Float32Array, "<i8": BigInt64Array, "|u1": Uint8Array, "|i1": Int8Array, "<i4": Int32Array };
  const { buffer } = Uint8Array.from(file.subarray(10 + length));
  return {
    shape: shape
      .split(",")
      .filter((size) => size.trim() !== "")
      .map(Number),
    data: new arrays[type as keyof typeof arrays](buffer),
  };
}
