// What must hold of any convolution, whatever the numbers; and what must be refused, with nothing changed.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import {
  type ConvAlgorithm,
  createRuntime,
  DisposedError,
  type Runtime,
  ShapeError,
  type Tensor,
  UnsupportedError,
} from "../src/index.js";
import { CONV_ROWS } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";

const ALGORITHMS = CONV_ROWS.map((row) => row.algorithm);
const spec = { input: [1, 9, 12, 14], weight: [10, 9, 3, 3], padding: 1 } as const;
const depthwiseSpec = { input: [1, 10, 12, 14], weight: [10, 1, 3, 3], padding: 1, groups: 10 } as const;
const specOf = (algorithm: ConvAlgorithm) => (algorithm === "depthwise" ? depthwiseSpec : spec);

function largest(data: ArrayLike<number>): number {
  return Array.from(data).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return largest(Array.from(a, (value, i) => value - (b[i] as number)));
}

describe.each(BINARIES)("convolution properties on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });

  function run(algorithm: ConvAlgorithm, x: Float32Array, w: Float32Array): Float32Array {
    const { input, weight, ...options } = specOf(algorithm);
    using xs = rt.tensor(x, input);
    using ws = rt.tensor(w, weight);
    using y = rt.conv2d(xs, ws, null, { ...options, algorithm });
    return y.toArray() as Float32Array;
  }

  it.each(ALGORITHMS)("%s is linear in the input", (algorithm) => {
    const { input, weight } = specOf(algorithm);
    const [x1, x2, w] = [fill(input, 1), fill(input, 2), fill(weight, 3)];
    const sum = run(
      algorithm,
      x1.map((v, i) => 2 * v - (x2[i] as number)),
      w,
    );
    const y1 = run(algorithm, x1, w);
    const y2 = run(algorithm, x2, w);
    // 81 products of magnitude 1 in each of three results, rounded at 2^-24 each
    expect(
      difference(
        sum,
        y1.map((v, i) => 2 * v - (y2[i] as number)),
      ),
    ).toBeLessThan(2e-5 * largest(sum));
  });

  it.each(ALGORITHMS)("%s moves with its input", (algorithm) => {
    const { input, weight } = specOf(algorithm);
    const [, C, H, W] = input;
    const M = weight[0];
    const x = fill(input, 4);
    const w = fill(weight, 5);
    // one column to the right and one row down; the inner outputs must follow
    const moved = new Float32Array(x.length);
    for (let c = 0; c < C; c++) {
      for (let h = 1; h < H; h++) moved.set(x.subarray((c * H + h - 1) * W, (c * H + h) * W - 1), (c * H + h) * W + 1);
    }
    const y = run(algorithm, x, w);
    const z = run(algorithm, moved, w);
    const inner: number[] = [];
    const shifted: number[] = [];
    for (let m = 0; m < M; m++) {
      for (let p = 1; p < H - 2; p++) {
        for (let q = 1; q < W - 2; q++) {
          inner.push(y[(m * H + p) * W + q] as number);
          shifted.push(z[(m * H + p + 1) * W + q + 1] as number);
        }
      }
    }
    expect(difference(inner, shifted)).toBeLessThan(2e-5 * largest(inner));
  });

  it("all algorithms agree", () => {
    for (const base of [spec, depthwiseSpec]) {
      const shape = convShape(base.input, base.weight, base);
      const x = fill(base.input, 6);
      const w = fill(base.weight, 7);
      using xs = rt.tensor(x, base.input);
      using ws = rt.tensor(w, base.weight);
      const results = CONV_ROWS.filter((row) => row.accepts(shape) === true).map((row) => {
        const { input: _, weight: __, ...options } = base;
        using y = rt.conv2d(xs, ws, null, { ...options, algorithm: row.algorithm });
        return y.toArray() as Float32Array;
      });
      expect(results.length).toBeGreaterThanOrEqual(6);
      const [first, ...rest] = results as [Float32Array, ...Float32Array[]];
      for (const result of rest) expect(difference(first, result)).toBeLessThan(4e-5 * largest(first));
    }
  });

  it("a delta kernel is the identity", () => {
    const x = fill([2, 5, 7, 6], 8);
    const w = new Float32Array(5 * 5 * 9);
    for (let c = 0; c < 5; c++) w[(c * 5 + c) * 9 + 4] = 1;
    using xs = rt.tensor(x, [2, 5, 7, 6]);
    using ws = rt.tensor(w, [5, 5, 3, 3]);
    using y = rt.conv2d(xs, ws, null, { padding: "same", algorithm: "implicit-gemm" });
    expect(y.toArray()).toEqual(x);
  });

  it("NaN and infinity reach exactly the outputs whose window holds them", () => {
    const x = new Float32Array(8 * 8).fill(1);
    x[3 * 8 + 3] = NaN;
    using xs = rt.tensor(x, [1, 1, 8, 8]);
    using ws = rt.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
    using y = rt.conv2d(xs, ws, null, { padding: 1, activation: "relu", algorithm: "implicit-gemm" });
    const nan = Array.from(y.toArray() as Float32Array, (v, i) => (Number.isNaN(v) ? i : -1)).filter((i) => i >= 0);
    expect(nan).toEqual([2, 3, 4].flatMap((p) => [2, 3, 4].map((q) => p * 8 + q)));
  });

  it.each(ALGORITHMS)("%s: a plan runs many times with the same bits, allocating nothing", (algorithm) => {
    const { input, weight, ...options } = specOf(algorithm);
    using w = rt.tensor(fill(weight, 9), weight);
    using plan = rt.plan.conv2d({ input, memoryFormat: "channelsLast", weight: w, ...options, algorithm });
    w.dispose(); // packed: the plan does not need it any more
    using x = rt.tensor(fill(input, 10), input, { memoryFormat: "channelsLast" });
    using y = rt.empty(plan.outputs[0] as (typeof plan.outputs)[number]);
    plan.run(x, y);
    const first = (y.data as Float32Array).slice();
    const before = rt.report();
    for (let i = 0; i < 200; i++) plan.run(x, y);
    expect(y.data).toEqual(first);
    expect(rt.report()).toEqual(before);
    expect(plan.describe()).toMatchObject({ algorithm, reason: "asked for", output: [1, 10, 12, 14] });
  });

  describe("refusals leave memory as it was", () => {
    let x: Tensor;
    let w: Tensor;
    beforeAll(() => {
      x = rt.tensor(fill([1, 4, 8, 8], 1), [1, 4, 8, 8]);
      w = rt.tensor(fill([6, 4, 3, 3], 2), [6, 4, 3, 3]);
    });
    afterAll(() => {
      x.dispose();
      w.dispose();
    });

    const bad: readonly [
      string,
      (rt: Runtime, x: Tensor, w: Tensor) => unknown,
      new (...args: never[]) => Error,
      RegExp,
    ][] = [
      [
        "zero stride",
        (r, a, b) => r.conv2d(a, b, null, { stride: 0 }),
        RangeError,
        /"stride" expected integer >= 1, got 0/,
      ],
      [
        "negative stride",
        (r, a, b) => r.conv2d(a, b, null, { stride: [1, -1] }),
        RangeError,
        /"stride\[1\]" expected integer >= 1, got -1/,
      ],
      ["fractional stride", (r, a, b) => r.conv2d(a, b, null, { stride: 1.5 }), RangeError, /got 1.5/],
      ["NaN padding", (r, a, b) => r.conv2d(a, b, null, { padding: NaN }), RangeError, /"padding" .* got NaN/],
      ["negative padding", (r, a, b) => r.conv2d(a, b, null, { padding: [0, -1] }), RangeError, /got -1/],
      ["three paddings", (r, a, b) => r.conv2d(a, b, null, { padding: [1, 1, 1] as never }), RangeError, /"padding"/],
      ["unknown padding", (r, a, b) => r.conv2d(a, b, null, { padding: "full" as never }), RangeError, /"full"/],
      [
        "string dilation",
        (r, a, b) => r.conv2d(a, b, null, { dilation: "2" as never }),
        TypeError,
        /"dilation" .* got "2"/,
      ],
      [
        "groups that don't divide",
        (r, a, b) => r.conv2d(a, b, null, { groups: 3 }),
        ShapeError,
        /"groups" expected a divisor of C = 4, got 3/,
      ],
      [
        "weights that don't fit the groups",
        (r, a, b) => r.conv2d(a, b, null, { groups: 2 }),
        ShapeError,
        /"weight" expected shape \[M, 2, R, S\]/,
      ],
      ["kernel larger than the input", (r, a, b) => r.conv2d(a, b, null, { dilation: 4 }), ShapeError, /extent/],
      [
        "unknown algorithm",
        (r, a, b) => r.conv2d(a, b, null, { algorithm: "strassen" as never }),
        RangeError,
        /"algorithm"/,
      ],
      [
        "unknown activation",
        (r, a, b) => r.conv2d(a, b, null, { activation: "softplus" as never }),
        RangeError,
        /"activation"/,
      ],
      ["misspelt option", (r, a, b) => r.conv2d(a, b, null, { strides: 2 } as never), TypeError, /"strides"/],
      ["options that are none", (r, a, b) => r.conv2d(a, b, null, 3 as never), TypeError, /options object, got 3/],
      [
        "winograd with stride 2",
        (r, a, b) => r.conv2d(a, b, null, { stride: 2, algorithm: "winograd43" }),
        UnsupportedError,
        /stride 1, got \[2, 2\]/,
      ],
      [
        "depthwise with one group",
        (r, a, b) => r.conv2d(a, b, null, { algorithm: "depthwise" }),
        UnsupportedError,
        /groups = C = 4, got 1/,
      ],
      [
        "rank 3",
        (r, _, b) => {
          using t = r.zeros([4, 8, 8]);
          r.conv2d(t, b);
        },
        ShapeError,
        /"input" expected rank 4 \[N, C, H, W\], got \[4, 8, 8\]/,
      ],
      [
        "int32 input",
        (r, _, b) => {
          using t = r.zeros([1, 4, 8, 8], { dtype: "int32" });
          // @ts-expect-error: a tensor of int32
          r.conv2d(t, b);
        },
        UnsupportedError,
        /"input" expected dtype float32, got int32/,
      ],
      [
        "bias of another length",
        (r, a, b) => {
          using t = r.zeros([5]);
          r.conv2d(a, b, t);
        },
        ShapeError,
        /"bias" expected shape \[6\], got \[5\]/,
      ],
      ["no weight", (r, a) => r.conv2d(a, undefined as never), TypeError, /"weight" expected a tensor, got undefined/],
      [
        "an array for a tensor",
        (r, _, b) => r.conv2d([1, 2] as never, b),
        TypeError,
        /"input" expected a tensor of this runtime/,
      ],
      [
        "a disposed tensor",
        (r, _, b) => {
          const t = r.zeros([1, 4, 8, 8]);
          t.dispose();
          r.conv2d(t, b);
        },
        DisposedError,
        /disposed/,
      ],
      [
        "an output too large",
        (r, _, b) => {
          using t = r.zeros([1, 4, 1, 1]);
          r.conv2d(t, b, null, { padding: 30000 });
        },
        RangeError,
        /"output" expected at most 4294967296 bytes/,
      ],
    ];
    it.each(bad)("%s", (_, act, type, message) => {
      const before = rt.report();
      expect(() => act(rt, x, w)).toThrow(type);
      expect(() => act(rt, x, w)).toThrow(message);
      expect(rt.report()).toMatchObject({
        bytesInUse: before.bytesInUse,
        liveTensors: before.liveTensors,
        livePlans: before.livePlans,
      });
      using y = rt.conv2d(x, w); // and goes on working
      expect(y.shape).toEqual([1, 6, 6, 6]);
    });

    it("a tensor of another runtime", async () => {
      const other = await createRuntime();
      using foreign = other.zeros([1, 4, 8, 8]);
      expect(() => rt.conv2d(foreign, w)).toThrow(/expected a tensor of this runtime, got another runtime's/);
    });

    it("a plan's operands must be as planned", () => {
      using plan = rt.plan.conv2d({ input: [1, 4, 8, 8], weight: w });
      using y = rt.empty([1, 6, 6, 6]);
      using wrongShape = rt.empty([1, 4, 8, 9]);
      using wrongFormat = rt.empty([1, 4, 8, 8], { memoryFormat: "channelsLast" });
      expect(() => plan.run(wrongShape, y)).toThrow(ShapeError);
      expect(() => plan.run(wrongFormat, y)).toThrow(
        /expected float32 \[1, 4, 8, 8\] contiguous, got float32 \[1, 4, 8, 8\] channelsLast/,
      );
      expect(() => plan.run(x)).toThrow(TypeError);
      plan.dispose();
      expect(() => plan.run(x, y)).toThrow(DisposedError);
    });
  });
});
