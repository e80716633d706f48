// Short-time spectra: convolutions with filters of windowed waves, which become an FFT, STFT and DFT, against sums in float64; and the
// convolutions that stay what they are.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, type Runtime } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Attribute, type Constant, floats, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";

/** Largest error, as a share of the largest output: of rounding, and of filters that are within 1e-6 of what they stand for. */
const TOLERANCE = 1e-6;

const hann = (n: number, length = n): Float64Array =>
  Float64Array.from({ length: n }, (_, k) => {
    const i = k - (n - length) / 2;
    return i < 0 || i >= length ? 0 : 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / length);
  });

type Wave = "cos" | "sin" | "-sin";

/** Filters of frequencies 0 to count - 1, each times the window, in float32. */
function waves(window: Float64Array, count: number, wave: Wave): Float32Array {
  const n = window.length;
  const of = { cos: Math.cos, sin: Math.sin, "-sin": (angle: number) => -Math.sin(angle) }[wave];
  return Float32Array.from({ length: count * n }, (_, i) => {
    const [f, k] = [Math.floor(i / n), i % n];
    return (window[k] as number) * of((2 * Math.PI * ((f * k) % n)) / n);
  });
}

const stacked = (...parts: readonly Float32Array[]): Float32Array =>
  Float32Array.from(parts.flatMap((part) => [...part]));

/** Sums of a convolution of [batch, 1, samples] with filters of n numbers, in float64: [batch, M, frames]. */
function convolved(x: Float32Array, batch: number, filters: Float32Array, n: number, hop: number): Float64Array {
  const samples = x.length / batch;
  const [M, frames] = [filters.length / n, Math.floor((samples - n) / hop) + 1];
  return Float64Array.from({ length: batch * M * frames }, (_, i) => {
    const [b, m, t] = [Math.floor(i / frames / M), Math.floor(i / frames) % M, i % frames];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += (x[b * samples + t * hop + k] as number) * (filters[m * n + k] as number);
    return sum;
  });
}

/** Re and Im of the sums over n samples from each start on, in float64: [starts, bins, 2]. */
function transformed(
  x: Float32Array,
  starts: readonly number[],
  window: ArrayLike<number>,
  bins: number,
): Float64Array {
  const n = window.length;
  return Float64Array.from(
    starts.flatMap((start) =>
      Array.from({ length: bins }, (_, f) => {
        let [re, im] = [0, 0];
        for (let k = 0; k < n; k++) {
          const value = (x[start + k] as number) * (window[k] as number);
          const angle = (2 * Math.PI * ((f * k) % n)) / n;
          re += value * Math.cos(angle);
          im -= value * Math.sin(angle);
        }
        return [re, im];
      }).flat(),
    ),
  );
}

function expectNear(actual: ArrayLike<number>, expected: Float64Array): void {
  expect(actual.length).toBe(expected.length);
  const largest = expected.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  const worst = expected.reduce((max, v, i) => Math.max(max, Math.abs((actual[i] as number) - v)), 0);
  expect(worst / largest).toBeLessThan(TOLERANCE);
}

interface Line {
  readonly filters: Float32Array;
  readonly n: number;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly bias?: readonly number[];
}

function lineFile({ filters, n, attributes = {}, bias }: Line, shape: readonly (number | string)[]): Uint8Array {
  const channels = shape[1] as number;
  const constants: Record<string, Constant> = {
    w: { dims: [filters.length / n / channels, channels, n], data: filters },
    ...(bias && { b: floats(...bias) }),
  };
  const nodes = [
    {
      op: "Conv",
      inputs: ["x", ...Object.keys(constants)],
      outputs: ["y"],
      attributes: { kernel_shape: [n], ...attributes },
    },
  ];
  return onnxFile({ nodes, inputs: { x: shape }, outputs: ["y"], constants });
}

const opsOf = (model: Awaited<ReturnType<typeof loadOnnx>>): readonly string[] =>
  model.summary().rows.map(({ op }) => op);

const W = hann(128);
const FOUND: Readonly<Record<string, Line & { readonly hop: number; readonly shape: readonly number[] }>> = {
  "cosines, 5 frames": { filters: waves(W, 65, "cos"), n: 128, hop: 40, shape: [1, 1, 288] },
  "sines, 8 frames": { filters: waves(W, 65, "sin"), n: 128, hop: 16, shape: [1, 1, 240] },
  "negative sines, 1 frame": { filters: waves(W, 65, "-sin"), n: 128, hop: 7, shape: [1, 1, 130] },
  "cosines and negative sines, two signals of 7 frames": {
    filters: stacked(waves(W, 65, "cos"), waves(W, 65, "-sin")),
    n: 128,
    hop: 9,
    shape: [2, 1, 187],
  },
  "sines and cosines below 40 of 65": {
    filters: stacked(waves(W, 40, "sin"), waves(W, 40, "cos")),
    n: 128,
    hop: 50,
    shape: [1, 1, 300],
  },
  "a short window of 512": {
    filters: stacked(waves(hann(512, 400), 257, "cos"), waves(hann(512, 400), 257, "sin")),
    n: 512,
    hop: 160,
    shape: [1, 1, 2000],
  },
  "no window, 64 samples, 3 frames": {
    filters: stacked(...(["cos", "sin"] as const).map((wave) => waves(new Float64Array(64).fill(0.25), 33, wave))),
    n: 64,
    hop: 1,
    shape: [1, 1, 66],
  },
};

const off = waves(W, 65, "cos");
off[50 * 128 + 60] = (off[50 * 128 + 60] as number) + 3e-6;
const COSINES: Line = { filters: waves(W, 65, "cos"), n: 128 };
const LEFT: Readonly<Record<string, Line>> = {
  "a number that is 3e-6 off": { filters: off, n: 128 },
  "a length that is no power of two": { filters: waves(hann(130), 66, "cos"), n: 130 },
  "few filters": { filters: waves(W, 63, "cos"), n: 128 },
  "frequencies from 1 on": { filters: waves(W, 66, "cos").slice(128), n: 128 },
  "two halves of cosines": { filters: stacked(waves(W, 40, "cos"), waves(W, 40, "cos")), n: 128 },
  padding: { ...COSINES, attributes: { pads: [1, 0] } },
  dilation: { ...COSINES, attributes: { dilations: [2] } },
  "a bias": { ...COSINES, bias: Array.from({ length: 65 }, (_, i) => (i === 64 ? 1 : 0)) },
  "filters of NaN": { filters: waves(W, 65, "cos").fill(Number.NaN), n: 128 },
  "filters of 0": { filters: new Float32Array(65 * 128), n: 128 },
};

describe.each(BINARIES)("short-time spectra on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(Object.entries(FOUND))("convolutions: %s", async (_, { shape, hop, ...line }) => {
    const before = rt.report().bytesInUse;
    const model = await loadOnnx(rt, lineFile({ ...line, attributes: { strides: [hop] } }, shape));
    expect(opsOf(model)).toEqual(["spectrum"]);
    const data = fill(shape, "x");
    {
      using x = rt.tensor(data, shape);
      const { y } = model.run({ x });
      expectNear(y?.toArray() as Float32Array, convolved(data, shape[0] as number, line.filters, line.n, hop));
    }
    model.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it.each([
    ["frames last", [1, 1, 288], []],
    ["frames first, as audio networks have them", [1, 1, 288], [0, 1, 3, 2]],
    ["frames first, two signals", [2, 1, 187], [0, 1, 3, 2]],
    ["one frame", [1, 1, 128], [0, 1, 3, 2]],
    ["signals last: not joined", [2, 1, 187], [1, 3, 2, 0]],
  ] as const)("squares of cosines and sines: %s", async (name, shape, perm) => {
    const [filters, sines] = [waves(W, 65, "cos"), waves(W, 65, "-sin")];
    const frames = Math.floor((shape[2] - 128) / 40) + 1;
    const attributes = { kernel_shape: [128], strides: [40] };
    const moved = ["re", "im"].flatMap((part) => [
      { op: "Conv", inputs: ["x", `w${part}`], outputs: [`${part}0`], attributes },
      { op: "Reshape", inputs: [`${part}0`, "shape"], outputs: [perm.length > 0 ? `${part}1` : part] },
      ...(perm.length > 0 ? [{ op: "Transpose", inputs: [`${part}1`], outputs: [part], attributes: { perm } }] : []),
    ]);
    const nodes = [
      ...moved,
      { op: "Mul", inputs: ["re", "re"], outputs: ["re2"] },
      { op: "Mul", inputs: ["im", "im"], outputs: ["im2"] },
      { op: "Add", inputs: ["im2", "re2"], outputs: ["y"] },
    ];
    const constants: Record<string, Constant> = {
      wre: { dims: [65, 1, 128], data: filters },
      wim: { dims: [65, 1, 128], data: sines },
      shape: { dims: [4], data: BigInt64Array.of(BigInt(shape[0]), 1n, 65n, BigInt(frames)) },
    };
    const model = await loadOnnx(rt, onnxFile({ nodes, inputs: { x: shape }, outputs: ["y"], constants }));
    const isJoined = !name.endsWith("not joined");
    expect(opsOf(model).filter((op) => op !== "reshape")).toEqual(
      isJoined ? ["spectrum"] : ["spectrum", "transpose", "spectrum", "transpose", "mul", "mul", "add"],
    );
    const data = fill(shape, "x");
    using x = rt.tensor(data, shape);
    const [re, im] = [filters, sines].map((w) => convolved(data, shape[0], w, 128, 40)) as [Float64Array, Float64Array];
    const squares = reference.build([shape[0], 1, 65, frames], (n, _, m, t) => {
      const i = ((n as number) * 65 + (m as number)) * frames + (t as number);
      return (re[i] as number) ** 2 + (im[i] as number) ** 2;
    });
    const expected = perm.length > 0 ? reference.transpose(squares, perm) : squares;
    const { y } = model.run({ x });
    expect(y?.shape).toEqual(expected.shape);
    expectNear(y?.toArray() as Float32Array, Float64Array.from(expected.data));
    model.dispose();
  });

  it("convolutions of as many samples as a run brings", async () => {
    const model = await loadOnnx(rt, lineFile({ ...COSINES, attributes: { strides: [32] } }, [1, 1, "samples"]));
    for (const samples of [500, 128]) {
      const data = fill([1, 1, samples], "x");
      using x = rt.tensor(data, [1, 1, samples]);
      const { y } = model.run({ x });
      expectNear(y?.toArray() as Float32Array, convolved(data, 1, COSINES.filters, 128, 32));
      expect(opsOf(model)).toEqual(["spectrum"]);
    }
    model.dispose();
  });

  it("a NaN stays in the frames that see it", async () => {
    const shape = [1, 1, 128 + 9 * 32];
    const model = await loadOnnx(rt, lineFile({ ...COSINES, attributes: { strides: [32] } }, shape));
    const data = fill(shape, "x");
    data[300] = Number.NaN;
    using x = rt.tensor(data, shape);
    const y = model.run({ x }).y?.toArray() as Float32Array;
    const seen = Array.from({ length: 10 }, (_, t) => 300 >= 32 * t && 300 < 32 * t + 128);
    for (let i = 0; i < y.length; i++) expect(Number.isNaN(y[i])).toBe(seen[i % 10]);
    model.dispose();
  });

  it.each([
    ["one-sided, 6 frames", 64, 1, 24, true],
    ["both sides, 4 frames", 16, 0, 5, true],
    ["without a window", 8, 1, 3, false],
  ] as const)("STFT: %s", async (_, n, onesided, step, hasWindow) => {
    const samples = n + (hasWindow ? (n === 64 ? 5 : 3) : 8) * step + 2;
    const window = hasWindow ? hann(n).map(Math.fround) : new Float64Array(n).fill(1);
    const constants: Record<string, Constant> = {
      step: { dims: [], data: BigInt64Array.of(BigInt(step)) },
      ...(hasWindow && { window: floats(...window) }),
      length: { dims: [], data: BigInt64Array.of(BigInt(n)) },
    };
    const inputs = ["x", "step", hasWindow ? "window" : "", "length"];
    const nodes = [{ op: "STFT", inputs, outputs: ["y"], attributes: { onesided } }];
    const file = onnxFile({ nodes, inputs: { x: [2, samples, 1] }, outputs: ["y"], constants });
    const model = await loadOnnx(rt, file);
    const { rows } = model.summary();
    expect(rows.map(({ algorithm }) => algorithm)).toEqual(["fft"]);
    const data = fill([2, samples, 1], "x");
    using x = rt.tensor(data, [2, samples, 1]);
    const frames = Math.floor((samples - n) / step) + 1;
    const bins = onesided ? n / 2 + 1 : n;
    const starts = [0, samples].flatMap((start) => Array.from({ length: frames }, (_, t) => start + t * step));
    const { y } = model.run({ x });
    expect(y?.shape).toEqual([2, frames, bins, 2]);
    expectNear(y?.toArray() as Float32Array, transformed(data, starts, window, bins));
    model.dispose();
  });

  it.each([
    [32, 0],
    [256, 1],
  ] as const)("DFT of %i samples, onesided %i", async (n, onesided) => {
    const nodes = [{ op: "DFT", inputs: ["x"], outputs: ["y"], attributes: { onesided } }];
    const model = await loadOnnx(rt, onnxFile({ nodes, inputs: { x: [5, n, 1] }, outputs: ["y"], constants: {} }));
    expect(model.summary().rows.map(({ algorithm }) => algorithm)).toEqual(["fft"]);
    const data = fill([5, n, 1], "x");
    using x = rt.tensor(data, [5, n, 1]);
    const bins = onesided ? n / 2 + 1 : n;
    const starts = Array.from({ length: 5 }, (_, i) => i * n);
    const { y } = model.run({ x });
    expectNear(y?.toArray() as Float32Array, transformed(data, starts, new Float64Array(n).fill(1), bins));
    model.dispose();
  });
});

describe("what stays a convolution", () => {
  it.each(Object.entries(LEFT))("%s", async (_, line) => {
    const rt = await createRuntime();
    const model = await loadOnnx(rt, lineFile(line, [1, 1, 400]));
    expect(opsOf(model)).toEqual(["conv1d"]);
    rt.dispose();
  });

  it("two channels, and graphs that are not optimised", async () => {
    const rt = await createRuntime();
    const two = await loadOnnx(rt, lineFile({ filters: waves(W, 130, "cos"), n: 128 }, [1, 2, 400]));
    expect(opsOf(two)).toEqual(["conv1d"]);
    const plain = await loadOnnx(rt, lineFile(COSINES, [1, 1, 400]), { optimize: false });
    expect(opsOf(plain)).toEqual(["conv1d"]);
    rt.dispose();
  });
});
