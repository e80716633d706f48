import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldBatchNorm, type Runtime, ShapeError, type Tensor } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { map, type Ref } from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose, UNIT_ROUNDOFF, ulpTolerance } from "./tolerance.js";

/** Every tail of channels and of pixels; ranks 2 to 5. */
const SHAPES: readonly (readonly number[])[] = [
  ...[1, 2, 3, 4, 5, 7, 8, 9, 16].map((C) => [2, C, 3, 3]),
  ...[1, 2, 3, 4, 5, 6, 7, 13].map((W) => [2, 5, W]),
  [3, 11],
  [2, 1],
  [5, 4],
  [2, 6, 1, 1],
  [1, 3, 2, 3, 5],
  [2, 13, 9, 11],
];

const EPSILON = 2 ** -10; // a number that float32 has

/** Parameters of C channels: a variance is positive. */
function parameters(C: number) {
  return {
    mean: fill([C], "mean"),
    variance: fill([C], "variance").map((v) => v * v + 0.1),
    gamma: fill([C], "gamma"),
    beta: fill([C], "beta"),
  };
}

/**
 * x - mean, sqrt, two divisions and products are rounded once each, 4 u with the sum variance + epsilon; then the sum
 * with beta. Magnitudes: of what is added up.
 */
function normTolerance(x: Ref, mean: Ref, variance: Ref, gamma: Ref | null, beta: Ref | null): Float64Array {
  const absolute = (r: Ref | null) => r && map(r, Math.abs);
  const scaled = reference.batchNorm(x, mean, variance, gamma, null, EPSILON);
  const magnitude = reference.batchNorm(
    map(scaled, Math.abs),
    map(mean, () => 0),
    map(variance, () => 1),
    null,
    absolute(beta),
    0,
  );
  return magnitude.data.map((v) => 6 * UNIT_ROUNDOFF * v + 2 ** -148);
}

describe.each(BINARIES)("batchNorm on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(SHAPES.map((shape) => ({ shape })))("of $shape with and without gamma and beta", ({ shape }) => {
    const C = shape[1] as number;
    const given = parameters(C);
    const data = fill(shape, "x");
    for (const format of FORMATS) {
      if (format === "channelsLast" && shape.length < 3) continue;
      for (const [withGamma, withBeta] of [
        [true, true],
        [false, true],
        [true, false],
        [false, false],
      ] as const) {
        using x = tensorOf(rt, data, shape, format);
        using mean = rt.tensor(given.mean, [C]);
        using variance = rt.tensor(given.variance, [C]);
        using gamma = rt.tensor(given.gamma, [C]);
        using beta = rt.tensor(given.beta, [C]);
        using y = rt.batchNorm(x, mean, variance, withGamma ? gamma : null, withBeta ? beta : undefined, {
          epsilon: EPSILON,
        });
        const refs = [
          refOf(data, shape),
          refOf(given.mean, [C]),
          refOf(given.variance, [C]),
          withGamma ? refOf(given.gamma, [C]) : null,
          withBeta ? refOf(given.beta, [C]) : null,
        ] as const;
        expect(y.memoryFormat).toBe(format);
        expectClose(
          y.toArray() as Float32Array,
          reference.batchNorm(...refs, EPSILON),
          normTolerance(...refs),
          `${shape} ${format}`,
        );
      }
    }
  });

  it("keeps its digits where the mean is a thousand times the deviation", () => {
    const shape = [1, 3, 5, 5];
    const data = fill(shape, "x").map((v) => v + 1000);
    const means = Float32Array.of(1000, 1000.5, 999);
    using x = rt.tensor(data, shape);
    using mean = rt.tensor(means, [3]);
    using variance = rt.tensor([1, 2, 3], [3]);
    using y = rt.batchNorm(x, mean, variance, null, null, { epsilon: EPSILON });
    const refs = [refOf(data, shape), refOf(means, [3]), refOf([1, 2, 3], [3]), null, null] as const;
    expectClose(y.data as Float32Array, reference.batchNorm(...refs, EPSILON), normTolerance(...refs), "large mean");
  });

  it("applies an activation, packs its parameters at plan time and runs in place", () => {
    const shape = [2, 7, 3, 5];
    const given = parameters(7);
    for (const memoryFormat of FORMATS) {
      using x = tensorOf(rt, fill(shape, "x"), shape, memoryFormat);
      const [mean, variance, gamma, beta] = [given.mean, given.variance, given.gamma, given.beta].map((v) =>
        rt.tensor(v, [7]),
      ) as [Tensor, Tensor, Tensor, Tensor];
      using plain = rt.batchNorm(x, mean, variance, gamma, beta);
      using clamped = rt.batchNorm(x, mean, variance, gamma, beta, { activation: "relu" });
      using clampedAfter = rt.relu(plain);
      using curved = rt.batchNorm(x, mean, variance, gamma, beta, { activation: "silu" });
      using curvedAfter = rt.silu(plain);
      expect(clamped.data).toEqual(clampedAfter.data);
      expect(curved.data).toEqual(curvedAfter.data);

      const before = rt.report().bytesInUse;
      const plan = rt.plan.batchNorm({ input: shape, memoryFormat, mean, variance, gamma, beta });
      const planned = rt.report().bytesInUse;
      for (const parameter of [mean, variance, gamma, beta]) parameter.dispose();
      using y = rt.empty(x.spec);
      plan.run(x, y);
      plan.run(x, y);
      expect(y.data).toEqual(plain.data);
      plan.run(x, x);
      expect(x.data).toEqual(plain.data);
      expect(planned).toBeGreaterThan(before);
      plan.dispose();
    }
    expect(rt.report().livePlans).toBe(0);
  });

  it("refuses what does not fit, and leaves memory as it was", () => {
    using x = rt.tensor(fill([1, 3, 2, 2], "x"), [1, 3, 2, 2]);
    using c = rt.tensor([1, 2, 3], [3]);
    using wrong = rt.tensor([1, 2], [2]);
    using int = rt.tensor(Int32Array.of(1, 2, 3), [3]);
    using flat = rt.tensor([1, 2, 3], [3]);
    const before = rt.report().bytesInUse;
    expect(() => rt.batchNorm(flat, c, c)).toThrow(ShapeError);
    expect(() => rt.batchNorm(x, wrong, c)).toThrow('"mean" expected shape [3], got [2]');
    expect(() => rt.batchNorm(x, c, wrong)).toThrow('"variance" expected shape [3], got [2]');
    expect(() => rt.batchNorm(x, c, c, wrong)).toThrow('"gamma" expected shape [3], got [2]');
    // @ts-expect-error: a tensor of int32
    expect(() => rt.batchNorm(x, c, c, null, int)).toThrow('"beta" expected dtype float32, got int32');
    expect(() => rt.batchNorm(x, c, undefined as never)).toThrow(TypeError);
    expect(() => rt.batchNorm(x, c, c, null, null, { epsilon: -1 })).toThrow(
      '"epsilon" expected a number >= 0, got -1',
    );
    expect(() => rt.batchNorm(x, c, c, null, null, { epsilon: Number.NaN })).toThrow(RangeError);
    expect(() => rt.batchNorm(x, c, c, null, null, { momentum: 0.1 } as never)).toThrow(TypeError);
    expect(() => rt.batchNormTrain(flat)).toThrow(ShapeError);
    expect(() => rt.batchNormTrain(x, null, null, wrong)).toThrow('"runningMean" expected shape [3], got [2]');
    expect(() => rt.batchNormTrain(x, null, null, null, null, { momentum: "1" as never })).toThrow(TypeError);
    using one = rt.tensor([1, 2, 3], [1, 3]);
    expect(() => rt.batchNormTrain(one)).toThrow('"input" expected more than one value a channel, got [1, 3]');
    one.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  const options = { epsilon: EPSILON, momentum: 0.25 };

  it.each(SHAPES.map((shape) => ({ shape })))("in training, of $shape, with and without parameters", ({ shape }) => {
    const C = shape[1] as number;
    const given = parameters(C);
    const data = fill(shape, "x");
    for (const format of FORMATS) {
      if (format === "channelsLast" && shape.length < 3) continue;
      for (const full of [true, false]) {
        using x = tensorOf(rt, data, shape, format);
        const tensors = full ? [given.gamma, given.beta, given.mean, given.variance].map((v) => rt.tensor(v, [C])) : [];
        const y = rt.batchNormTrain(x, tensors[0], tensors[1], tensors[2], tensors[3], options);
        const [gamma, beta] = full ? [refOf(given.gamma, [C]), refOf(given.beta, [C])] : [null, null];
        const old = full ? [given.mean, given.variance] : [new Float32Array(C), new Float32Array(C).fill(1)];
        const oldMean = refOf(old[0] as Float32Array, [C]);
        const oldVariance = refOf(old[1] as Float32Array, [C]);
        const expected = reference.batchNormTrain(refOf(data, shape), gamma, beta, oldMean, oldVariance, options);

        expect(y.output.memoryFormat).toBe(format);
        // Statistics are summed in float64 and rounded once; a small variance beside epsilon loses nothing more.
        expectClose(
          y.mean.data as Float32Array,
          expected.mean,
          ulpTolerance(expected.mean, 0.51).map((v) => v + 1e-15),
          "mean",
        );
        expectClose(
          y.variance.data as Float32Array,
          expected.variance,
          ulpTolerance(expected.variance, 0.51),
          "variance",
        );
        const sizeOf = (a: Ref, b: Ref) =>
          Float64Array.from(a.data, (v, i) => 3 * UNIT_ROUNDOFF * (Math.abs(v) + 2 * Math.abs(b.data[i] as number)));
        expectClose(
          y.runningMean.data as Float32Array,
          expected.runningMean,
          sizeOf(oldMean, expected.mean),
          "runningMean",
        );
        expectClose(
          y.runningVariance.data as Float32Array,
          expected.runningVariance,
          sizeOf(oldVariance, expected.variance),
          "runningVariance",
        );
        // The float32 mean that x is centred with is off by u |mean|: that much of the deviation on top.
        const tolerance = normTolerance(refOf(data, shape), expected.mean, expected.variance, gamma, beta).map(
          (v, offset) => {
            const c = Math.floor(offset / shape.slice(2).reduce((a, b) => a * b, 1)) % C;
            const scale = Math.abs(gamma?.data[c] ?? 1) / Math.sqrt((expected.variance.data[c] as number) + EPSILON);
            return v + 2 * UNIT_ROUNDOFF * Math.abs(expected.mean.data[c] as number) * scale;
          },
        );
        expectClose(y.output.toArray() as Float32Array, expected.y, tolerance, `${shape} ${format}`);
        for (const tensor of [...Object.values(y), ...tensors]) tensor.dispose();
      }
    }
  });

  it("keeps a variance of 1 at a mean of 10000", () => {
    const shape = [4, 5, 16, 16];
    const data = fill(shape, "x").map((v) => v + 10000);
    for (const format of FORMATS) {
      using x = tensorOf(rt, data, shape, format);
      const y = rt.batchNormTrain(x);
      const expected = reference.batchNormTrain(
        refOf(data, shape),
        null,
        null,
        refOf([0, 0, 0, 0, 0], [5]),
        refOf([1, 1, 1, 1, 1], [5]),
        { epsilon: 1e-5, momentum: 0.1 },
      );
      expectClose(y.variance.data as Float32Array, expected.variance, ulpTolerance(expected.variance, 0.51), format);
      for (const tensor of Object.values(y)) tensor.dispose();
    }
  });

  it("updates running statistics in place, from a plan that is run again", () => {
    const shape = [2, 5, 3, 3];
    using x = tensorOf(rt, fill(shape, "x"), shape);
    using y = rt.empty(shape);
    const [mean, variance, runningMean, runningVariance] = [0, 0, 0, 1].map((v) =>
      rt.tensor(new Float32Array(5).fill(v), [5]),
    ) as [Tensor, Tensor, Tensor, Tensor];
    const before = rt.report();
    const plan = rt.plan.batchNormTrain({ input: shape, runningMean, runningVariance, momentum: 0.5 });
    plan.run(x, y, mean, variance, runningMean, runningVariance);
    plan.run(x, y, mean, variance, runningMean, runningVariance);
    const unbiased = (variance.data as Float32Array).map((v) => (v * 18) / 17);
    const twice = (old: number, now: Float32Array) =>
      refOf(
        now.map((v) => 0.25 * old + 0.75 * v),
        [5],
      );
    expectClose(runningMean.data as Float32Array, twice(0, mean.data as Float32Array), 1e-6, "mean");
    expectClose(runningVariance.data as Float32Array, twice(1, unbiased), 1e-6, "variance");
    plan.dispose();
    expect(rt.report().bytesInUse).toBe(before.bytesInUse);
    for (const tensor of [mean, variance, runningMean, runningVariance]) tensor.dispose();
  });

  it.each([
    { C: 5, M: 7, groups: 1, bias: true },
    { C: 6, M: 6, groups: 6, bias: false },
    { C: 4, M: 10, groups: 2, bias: true },
  ])("folds into the convolution before it: $C to $M in $groups groups", ({ C, M, groups, bias }) => {
    const [xShape, wShape] = [
      [1, C, 6, 5],
      [M, C / groups, 3, 3],
    ];
    const [xData, wData, bData] = [fill(xShape, "x"), fill(wShape, "w"), fill([M], "b")];
    const given = parameters(M);
    const folded = foldBatchNorm(wData, bias ? bData : null, { ...given, epsilon: EPSILON });
    using x = tensorOf(rt, xData, xShape, "channelsLast");
    using w = rt.tensor(folded.weight, wShape);
    using b = rt.tensor(folded.bias, [M]);
    using y = rt.conv2d(x, w, b, { groups, padding: 1, algorithm: "direct" });
    const ofChannels = (v: Float32Array) => refOf(v, [M]);
    const options = { groups, padding: [1, 1, 1, 1] } as const;
    const sum = reference.conv2d(refOf(xData, xShape), refOf(wData, wShape), bias ? ofChannels(bData) : null, options);
    const expected = reference.batchNorm(
      sum,
      ofChannels(given.mean),
      ofChannels(given.variance),
      ofChannels(given.gamma),
      ofChannels(given.beta),
      EPSILON,
    );
    // What the folded convolution sums up; folding rounds every weight once more.
    const magnitude = reference.conv2dMagnitude(
      refOf(xData, xShape),
      refOf(folded.weight, wShape),
      ofChannels(folded.bias),
      options,
    );
    expectClose(y.toArray() as Float32Array, expected, dotTolerance((C / groups) * 9 + 1, magnitude), "folded");
  });
});

describe("foldBatchNorm", () => {
  const one = { mean: [1, 2], variance: [1, 4] };

  it("defaults to gamma 1, beta 0, no bias and epsilon 1e-5", () => {
    expect(foldBatchNorm([1, 2, 3, 4], undefined, { ...one, epsilon: 0 })).toEqual({
      weight: Float32Array.of(1, 2, 1.5, 2),
      bias: Float32Array.of(-1, -1),
    });
    expect(foldBatchNorm([1], null, { mean: [0], variance: [0] }).weight[0]).toBe(Math.fround(1 / Math.sqrt(1e-5)));
  });

  it("refuses lengths that do not fit", () => {
    expect(() => foldBatchNorm([1, 2, 3], null, one)).toThrow('"weight" expected a multiple of 2 numbers, got 3');
    expect(() => foldBatchNorm([1, 2], [1], one)).toThrow('"bias" expected 2 numbers, as mean has, got 1');
    expect(() => foldBatchNorm([1, 2], null, { ...one, variance: [1] })).toThrow(ShapeError);
    expect(() => foldBatchNorm([1, 2], null, { ...one, gamma: [1] })).toThrow(ShapeError);
    expect(() => foldBatchNorm([1, 2], null, { ...one, beta: [1, 2, 3] })).toThrow(ShapeError);
    expect(() => foldBatchNorm([1, 2], null, { ...one, epsilon: -1 })).toThrow(RangeError);
    expect(() => foldBatchNorm([], null, { mean: [], variance: [] })).toThrow(ShapeError);
  });
});
