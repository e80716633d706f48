// What FFT convolution has of its own: its tiles, its error law, and what it refuses. The case table runs in conv2d.test.ts.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import { type Runtime, UnsupportedError } from "../src/index.js";
import { fftTiling } from "../src/kernels/fft-tiling.js";
import { RATES } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { expectClose, UNIT_ROUNDOFF } from "./tolerance.js";

interface Case {
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number, number];
  readonly padding?: readonly [number, number, number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
}

const CASES: readonly Case[] = [
  { x: [1, 1, 6, 6], w: [1, 1, 3, 3] },
  { x: [1, 3, 9, 14], w: [5, 3, 2, 9] },
  { x: [2, 5, 1, 40], w: [9, 5, 1, 17] }, // one row of taps: no transform along h
  { x: [1, 2, 130, 2], w: [3, 2, 64, 1], padding: [63, 0, 0, 0] },
  { x: [3, 4, 16, 17], w: [8, 4, 7, 5], padding: [3, 2, 3, 2] }, // an odd number of tiles over the batch
  { x: [1, 6, 25, 31], w: [4, 3, 3, 4], dilation: [7, 5], groups: 2 },
  { x: [1, 9, 19, 17], w: [12, 3, 9, 9], padding: [4, 4, 4, 4], groups: 3 },
  { x: [1, 5, 40, 9], w: [5, 1, 33, 5], padding: [16, 2, 16, 2], groups: 5 },
  { x: [1, 3, 5, 50], w: [3, 1, 4, 40], groups: 3 },
  { x: [2, 3, 5, 70], w: [6, 1, 3, 63], padding: [1, 31, 1, 31], groups: 3 }, // 2 filters a channel
  { x: [1, 2, 13, 11], w: [14, 1, 5, 5], groups: 2 }, // 7 filters a channel
  { x: [1, 7, 4, 3], w: [7, 1, 3, 3], padding: [9, 8, 0, 10], groups: 7 }, // whole tiles of padding
];

const shapeOf = (c: Case) => convShape(c.x, c.w, { padding: c.padding, dilation: c.dilation, groups: c.groups });

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

/**
 * A transform rounds every point by about log2(size) u of the norm of them all (Higham, Accuracy and Stability, 24.1), and C
 * products are summed up. |x| is the norm of the whole input, so of any pair of tiles. Errors stay within a sixth of this.
 */
function tolerances(c: Case, x: Float32Array, w: Float32Array): Float64Array {
  const s = shapeOf(c);
  const { logH, logW } = fftTiling(s, RATES.simd);
  const taps = w.length / s.M;
  const rounding = (UNIT_ROUNDOFF * (logH + logW + 2 + 2 * Math.sqrt(s.C / s.groups))) / 4;
  const perFilter = Array.from(
    { length: s.M },
    (_, m) => rounding * norm(x) * norm(w.subarray(m * taps, (m + 1) * taps)),
  );
  return Float64Array.from(
    { length: s.N * s.M * s.P * s.Q },
    (_, i) => perFilter[Math.floor(i / (s.P * s.Q)) % s.M] ?? NaN,
  );
}

it("the cases take transforms of every size, along h and along w", () => {
  const sizes = CASES.map((c) => fftTiling(shapeOf(c), RATES.simd));
  for (const log of [0, 3, 4, 5, 6, 7]) {
    expect(sizes.map((s) => s.logH)).toContain(log);
    expect(sizes.map((s) => s.logW)).toContain(log);
  }
  expect(sizes.some((s) => s.pairs > 2)).toBe(true);
  expect(sizes.some((s) => s.pairs === 1)).toBe(true);
});

describe.each(BINARIES)("FFT convolution on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
    rt.dispose();
  });

  it.each(CASES.map((c) => [JSON.stringify(c), c] as const))(
    "%s: error of log2(size) u |x| |w|, the same in every run",
    (label, c) => {
      const { x: xShape, w: wShape, ...options } = c;
      const [x, w, b] = [fill(xShape, "x"), fill(wShape, "w"), fill([wShape[0]], "b")];
      const expected = reference.conv2d(refOf(x, xShape), refOf(w, wShape), refOf(b, [wShape[0]]), options);
      const tolerance = tolerances(c, x, w);
      for (const memoryFormat of FORMATS) {
        using input = tensorOf(rt, x, xShape, memoryFormat);
        using weight = tensorOf(rt, w, wShape, memoryFormat);
        using bias = rt.tensor(b, [wShape[0]]);
        using plan = rt.plan.conv2d({ input: xShape, memoryFormat, weight, bias, algorithm: "fft", ...options });
        expect(plan.describe()).toMatchObject({ algorithm: "fft", reason: "asked for" });
        using y = rt.empty(plan.outputs[0] as (typeof plan.outputs)[0]);
        const first = plan.run(input, y).toArray() as Float32Array;
        expectClose(first, expected, tolerance, `${label} ${memoryFormat}`);
        expect(plan.run(input, y).toArray()).toEqual(first);
      }
    },
  );

  it("a NaN stays within its pair of tiles", () => {
    using x = rt.zeros([1, 4, 200, 5], { memoryFormat: "channelsLast" });
    using w = rt.zeros([4, 1, 5, 5]);
    x.data[0] = NaN;
    using y = rt.conv2d(x, w, null, { padding: 2, groups: 4, algorithm: "fft" });
    const last = y.data.subarray(y.data.length - 4) as Float32Array;
    expect(y.data[0]).toBeNaN();
    expect([...last]).toEqual([0, 0, 0, 0]);
  });

  it("refuses strides and kernels that are too large, with nothing changed", () => {
    using x = rt.zeros([1, 2, 70, 70]);
    using w = rt.zeros([2, 2, 5, 5]);
    const { bytesInUse } = rt.report();
    const refused = (options: object) => () => rt.conv2d(x, w, null, { algorithm: "fft", ...options });
    expect(refused({ stride: [1, 2] })).toThrow(UnsupportedError);
    expect(refused({ stride: [1, 2] })).toThrow('"algorithm" expected for fft stride 1, got [1, 2]');
    expect(refused({ dilation: [1, 16] })).toThrow(
      '"algorithm" expected for fft a kernel extent of at most 64, got 5x65',
    );
    expect(rt.report()).toMatchObject({ bytesInUse, livePlans: 0 });
  });
});
