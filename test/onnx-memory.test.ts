// What a network from an ONNX file takes and keeps: linear memory as planned, also while it loads, and nothing of the file.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type File, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";

setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;
const MODELS = new URL("../../shared/data/models/", import.meta.url);
/** Of the allocator's blocks, a descriptor of a call while weights are packed. */
const SMALL_BYTES = 256;

const weights = (name: string, ...dims: number[]) => ({ [name]: { dims, data: fill(dims, name) } });

/** A convolution for Winograd, one in groups, and a product whose weights are most of the network. */
const network = (batch: number | string): File => ({
  inputs: { x: [batch, 16, 8, 8] },
  outputs: ["y"],
  constants: {
    ...weights("w1", 16, 16, 3, 3),
    ...weights("b1", 16),
    ...weights("w2", 12, 4, 3, 3),
    ...weights("w3", 20, 768),
    shape: { dims: [2], data: BigInt64Array.of(0n, 768n) },
  },
  nodes: [
    { op: "Conv", inputs: ["x", "w1", "b1"], outputs: ["c"], attributes: { pads: [1, 1, 1, 1] } },
    { op: "Conv", inputs: ["c", "w2"], outputs: ["g"], attributes: { pads: [1, 1, 1, 1], group: 4 } },
    { op: "Reshape", inputs: ["g", "shape"], outputs: ["r"] },
    { op: "Gemm", inputs: ["r", "w3"], outputs: ["y"], attributes: { transB: 1 } },
  ],
});

/** As ONNX Model Zoo's smallest files keep weights: a shape and one value. */
const uniform = (filters: number, length: number): File => ({
  inputs: { x: [1, length] },
  outputs: ["y"],
  constants: { shape: { dims: [2], data: BigInt64Array.of(BigInt(filters), BigInt(length)) } },
  nodes: [
    { op: "ConstantOfShape", inputs: ["shape"], outputs: ["w"] },
    { op: "Gemm", inputs: ["x", "w"], outputs: ["y"], attributes: { transB: 1 } },
  ],
});

describe.each(BINARIES)("the memory of lanewise/onnx on the '$name' binary", ({ create }) => {
  it("is as planned while a network loads, when it runs, and none when it is disposed", async () => {
    const files = [onnxFile(network(1)), onnxFile(network(9))];
    if (existsSync(MODELS)) {
      const real = readdirSync(MODELS).filter((file) => /^(mnist|mediapipe-facemesh|oww-emb).*onnx$/.test(file));
      files.push(...real.map((file) => new Uint8Array(readFileSync(new URL(file, MODELS)))));
    }
    for (const file of files) {
      using rt = await create();
      const model = await loadOnnx(rt, file);
      if (model.inputs.some(({ shape }) => shape.some((size) => typeof size !== "number"))) continue;
      const { totalBytes } = model.plan;
      expect(rt.report().bytesInUse).toBe(totalBytes);
      expect(rt.report().peakBytes).toBeLessThanOrEqual(totalBytes + SMALL_BYTES);
      expect(rt.report().memoryBytes).toBeLessThanOrEqual(totalBytes + 2 * 65536);
      model.dispose();
      expect(rt.report().bytesInUse).toBe(0);
    }
  });

  it("packs weights in pieces as it does whole", async () => {
    using rt = await create();
    const model = await loadOnnx(rt, onnxFile(network(1)));
    const data = fill([1, 16, 8, 8], "x");
    const { y } = model.run({ x: { data, shape: [1, 16, 8, 8] } }) as { y: Tensor };
    const tensors = network(1).constants as Record<string, { dims: number[]; data: Float32Array }>;
    const [w1, b1, w2, w3] = ["w1", "b1", "w2", "w3"].map((name) =>
      rt.tensor(tensors[name]?.data as Float32Array, tensors[name]?.dims as number[]),
    ) as [Tensor, Tensor, Tensor, Tensor];
    const c = rt.conv2d(rt.tensor(data, [1, 16, 8, 8]), w1, b1, { padding: 1 });
    const g = rt.conv2d(c, w2, null, { padding: 1, groups: 4 });
    const wanted = rt.linear(rt.reshape(g, { shape: [1, 768] }), w3, null).toArray() as Float32Array;
    const largest = Math.max(...wanted.map(Math.abs));
    (y.toArray() as Float32Array).forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(1e-5 * largest);
    });
  });

  it.each([{}, { quantizeWeights: "float16" }] as const)(
    "holds nothing of the file where no other shapes can come: %o",
    async (options) => {
      using rt = await create();
      let file: Uint8Array | undefined = onnxFile(network(1)).slice();
      const buffer = new WeakRef(file.buffer);
      const model = await loadOnnx(rt, file, options);
      file = undefined;
      for (let i = 0; i < 20 && buffer.deref(); i++) {
        await new Promise((resolve) => setTimeout(resolve, 0)); // a WeakRef keeps its target until then
        collect(); // what the engine holds for a while, code that it compiles say, may outlast the first time
      }
      expect(buffer.deref()).toBeUndefined();
      model.dispose();
    },
  );

  it("holds a copy of the file where other shapes can come", async () => {
    using rt = await create();
    const run = async (change: boolean) => {
      const file = onnxFile(network("batch")).slice();
      const model = await loadOnnx(rt, file);
      if (change) file.fill(0);
      const sizes = [1, 2].map((batch) => {
        const shape = [batch, 16, 8, 8];
        return (model.run({ x: { data: fill(shape, "x"), shape } })["y"] as Tensor).toArray();
      });
      model.dispose();
      return sizes;
    };
    expect(await run(true)).toEqual(await run(false));
  });

  it("holds weights of one value as that value", async () => {
    using rt = await create();
    collect();
    const before = process.memoryUsage().arrayBuffers;
    const model = await loadOnnx(rt, onnxFile(uniform(512, 4096)));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(512 * 4096); // weights are four times as much
    const { y } = model.run({ x: { data: new Float32Array(4096), shape: [1, 4096] } }) as { y: Tensor };
    expect(y.toArray()).toEqual(new Float32Array(512));
    model.dispose();
  });
});
