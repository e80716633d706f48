// The ten lines that the page shows beside each section, run as they stand on the built package.
import { readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
// @ts-expect-error plain JavaScript
import { onnxFile } from "./page/onnx.mjs";

const root = new URL("../", import.meta.url);
const models = new URL("../shared/data/models/", root);
const network = onnxFile({
  inputs: [{ name: "image", shape: [1, 3, 16, 16] }],
  constants: [{ name: "w", shape: [8, 3, 3, 3] }],
  nodes: [
    ["Conv", ["image", "w"], "seen"],
    ["Relu", ["seen"], "kept"],
  ],
  outputs: [{ name: "kept", shape: [1, 8, 14, 14] }],
});

/** What a page would fetch. */
const files: Readonly<Record<string, () => Uint8Array>> = {
  "lenet5-float32.safetensors": () => readFileSync(new URL("examples/lenet5/lenet5.safetensors", root)),
  "model.onnx": () => network,
  "shufflenet-v2-12-int8.onnx": () => readFileSync(new URL("shufflenet-v2-12-int8.onnx", models)),
};

/** Runs a snippet; answers what it logs, a list a call. */
async function logged(name: string): Promise<unknown[][]> {
  vi.stubGlobal("fetch", async (path: string) => {
    const file = files[path];
    if (file === undefined) throw new Error(`a snippet fetches ${path}`);
    return new Response(Uint8Array.from(file()));
  });
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import(new URL(`examples/page/code/${name}.mjs`, root).href);
  return log.mock.calls;
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("digit: a bar and a stem are a 7", async () => {
  expect(await logged("digit")).toEqual([[7]]);
});

test("conv: shapes, and values worked out by hand", async () => {
  const [[shape, values], second] = (await logged("conv")) as [[number[], Float32Array], unknown[]];
  expect(shape).toEqual([1, 1, 3, 3]);
  // A Sobel filter on rows of 0, 1, 2 …: 2 a step to the right, 8 in all, less at the edges where padding is 0.
  expect(values[4]).toBe(-8);
  expect(second).toEqual([
    [1, 1, 2, 2],
    [1, 1, 5, 5],
  ]);
});

test("methods: every dense algorithm, with a time", async () => {
  const calls = await logged("methods");
  const names = calls.map(([name]) => name).sort();
  expect(names).toEqual(["direct", "fft", "im2col", "implicit-gemm", "winograd23", "winograd43", "winograd63"]);
  for (const [, ms] of calls) expect(ms).toBeGreaterThan(0);
});

test("nets: AlexNet's sums", async () => {
  const calls = await logged("nets");
  // Krizhevsky's two groups: conv2, conv4 and conv5 see half of the channels.
  expect(calls.at(-1)).toEqual([724_406_816, 1_135_256_096, 60_965_224]);
});

test("report: a variant and why", async () => {
  const [[variant, reason], [threads]] = (await logged("report")) as [[string, string], [number]];
  expect(["simd", "relaxed"]).toContain(variant);
  expect(reason).not.toBe("");
  expect(threads).toBe(1);
});

test("model: what is missing, a profile, the arena", async () => {
  const calls = await logged("model");
  expect(calls[0]).toEqual(["missing:", []]);
  expect(calls[1]?.[0]).toMatch(/^layer .*\n(.*\n)+arena /);
  expect(calls[2]?.[1]).toBe("values share");
});

const hasClassifier = (() => {
  try {
    return files["shufflenet-v2-12-int8.onnx"]?.() !== undefined;
  } catch {
    return false;
  }
})();
test.skipIf(!hasClassifier)("photo: what is done, and three answers", async () => {
  const [[explained], [best]] = (await logged("photo")) as [[string], [{ score: number }[]]];
  expect(explained).toMatch(/^451x300 -> /);
  expect(best).toHaveLength(3);
});
