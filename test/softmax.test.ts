import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Runtime, ShapeError } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { map, type Ref } from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { expectClose, UNIT_ROUNDOFF } from "./tolerance.js";

/** Lines of every tail, one vector and many, blocks of 16 lines and their tails. */
const CASES: readonly { readonly shape: readonly number[]; readonly axis: number }[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 1000].map((size) => ({ shape: [2, size], axis: -1 })),
  ...[1, 2, 3, 5, 15, 16, 17, 35].map((inner) => ({ shape: [2, 7, inner], axis: 1 })),
  { shape: [5], axis: 0 },
  ...[7, 8, 9, 35].map((lines) => ({ shape: [lines, 2], axis: -1 })),
  { shape: [11, 3], axis: 0 },
  { shape: [2, 19, 3, 5], axis: 1 },
  { shape: [2, 3, 4, 5], axis: 0 },
  { shape: [2, 3, 4, 5], axis: 2 },
  { shape: [2, 3, 4, 5], axis: -1 },
  { shape: [1, 6, 1, 1], axis: 1 },
  { shape: [2, 3, 2, 5, 3], axis: -3 },
];

/**
 * x - max is rounded once (relative to its own size, so absolutely by u|x - max| in the exponent), e^x 2 u, and the
 * sum of K terms (K + 1) u at most, where all are positive: a relative error of the result, absolute for its logarithm.
 */
function softmaxTolerance(x: Ref, expected: Ref, logarithm: boolean, size: number): Float64Array {
  const range = 2 * x.data.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  const relative = (2 * range + Math.min(size, 4 * Math.sqrt(size)) + 8) * UNIT_ROUNDOFF;
  return expected.data.map((v) => (logarithm ? relative + 2 * UNIT_ROUNDOFF * Math.abs(v) : relative * v + 2 ** -148));
}

describe.each(BINARIES)("softmax on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  describe.each(["softmax", "logSoftmax"] as const)("%s", (name) => {
    it.each(CASES)("of $shape along $axis, in place too", ({ shape, axis }) => {
      for (const format of FORMATS) {
        if (format === "channelsLast" && shape.length < 3) continue;
        const data = fill(shape, `${shape}`).map((v) => v * 5);
        using x = tensorOf(rt, data, shape, format);
        using y = rt[name](x, { axis });
        const expected = reference[name](refOf(data, shape), axis);
        const size = shape.at(axis < 0 ? axis : axis - shape.length) as number;
        expect(y.memoryFormat).toBe(format);
        expectClose(
          y.toArray() as Float32Array,
          expected,
          softmaxTolerance(refOf(data, shape), expected, name === "logSoftmax", size),
          format,
        );

        const plan = rt.plan[name]({ input: shape, memoryFormat: format, axis });
        plan.run(x, x);
        expect(x.data).toEqual(y.data);
        plan.dispose();
      }
    });

    it("does not overflow, and keeps tiny shares", () => {
      const data = Float32Array.of(3e38, -3e38, 1000, 999, 912, 1000.5);
      for (const [shape, axis] of [
        [[6], 0],
        [[6, 1], 0],
      ] as const) {
        const values = data.map((v, i) => (i < 2 ? v / 1e38 + 1000 : v));
        using x = rt.tensor(values, shape);
        using y = rt[name](x, { axis });
        const expected = reference[name](refOf(values, shape), axis);
        const near = map(expected, (v) => v).data.map(
          (v) => 200 * UNIT_ROUNDOFF * Math.abs(v) + (name === "softmax" ? 2 ** -148 : 1e-6),
        );
        expectClose(y.data as Float32Array, expected, near, "large");
      }
      using x = rt.tensor([3e38, -3e38, 0], [3]);
      using y = rt[name](x);
      expect([...(y.data as Float32Array)]).toEqual(
        name === "softmax" ? [1, 0, 0] : [0, -Infinity, Math.fround(-3e38)],
      );
    });

    it("makes a line with NaN all NaN, and no other", () => {
      for (const [shape, axis] of [
        [[2, 5], 1],
        [[5, 2], 0],
      ] as const) {
        const data = fill(shape, "nan");
        data[3] = Number.NaN;
        using x = rt.tensor(data, shape);
        using y = rt[name](x, { axis });
        const bad = [...(y.data as Float32Array)].map((v, i) =>
          Number.isNaN(v) ? (axis === 1 ? Math.floor(i / 5) : i % 2) : -1,
        );
        expect(new Set(bad)).toEqual(new Set([axis === 1 ? 0 : 1, -1]));
        expect(bad.filter((line) => line >= 0)).toHaveLength(5);
      }
    });
  });

  it("defaults to the last axis", () => {
    using x = rt.tensor(fill([2, 3, 5], "default"), [2, 3, 5]);
    using a = rt.softmax(x);
    using b = rt.softmax(x, { axis: 2 });
    expect(a.data).toEqual(b.data);
  });

  it("refuses axes outside of the tensor and other dtypes, and leaves memory as it was", () => {
    using x = rt.tensor(fill([2, 3], "x"), [2, 3]);
    using scalar = rt.tensor([1], []);
    using int = rt.tensor(Int32Array.of(1, 2), [2]);
    const before = rt.report().bytesInUse;
    expect(() => rt.softmax(x, { axis: 2 })).toThrow('"axis" expected integer from -2 to 1, got 2');
    expect(() => rt.logSoftmax(x, { axis: 0.5 })).toThrow(RangeError);
    expect(() => rt.softmax(x, { axis: "1" as never })).toThrow(TypeError);
    expect(() => rt.softmax(scalar)).toThrow(ShapeError);
    // @ts-expect-error: a tensor of int32
    expect(() => rt.softmax(int)).toThrow('"input" expected dtype float32, got int32');
    expect(() => rt.softmax(x, { dim: 1 } as never)).toThrow(TypeError);
    expect(rt.report().bytesInUse).toBe(before);
  });
});
