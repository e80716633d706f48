import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Runtime, ShapeError } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { FORMATS, refOf, tensorOf, toChannelsLast } from "./tensors.js";
import { expectExact } from "./tolerance.js";

const OPERATIONS = ["add", "sub", "mul", "div", "maximum", "minimum"] as const;

/** Every way a kernel runs: alike, single value, row, column, both repeated, ranks 0 to 8, tails, more than a chunk. */
const SHAPES: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[], []],
  [[1], [5]],
  [[7], [7]],
  [[9], []],
  [[], [4, 3]],
  [[5, 3], [3]],
  [
    [5, 1],
    [1, 6],
  ],
  [[5], [3, 1]],
  [
    [3, 1, 5],
    [4, 1],
  ],
  [
    [2, 3, 4, 5],
    [2, 3, 4, 5],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 1],
  ],
  [
    [2, 7, 3, 3],
    [2, 7, 1, 1],
  ],
  [
    [2, 7, 1, 1],
    [2, 7, 3, 3],
  ],
  [[1, 6, 5, 7], [7]],
  [
    [1, 6, 5, 7],
    [5, 1],
  ],
  [
    [2, 1, 5, 7],
    [1, 6, 1, 7],
  ],
  [
    [1, 13, 1, 1],
    [1, 1, 1, 1],
  ],
  [
    [1, 3, 41, 37],
    [1, 3, 41, 37],
  ],
  [
    [2, 5, 3],
    [1, 5, 1],
  ],
  [
    [2, 3, 2, 1, 3],
    [3, 1, 4, 1],
  ],
  [
    [1, 2, 1, 3, 1, 2, 1, 3],
    [2, 1, 2, 1, 3, 1, 2, 1],
  ],
  [[4099], [4099]],
  [
    [2, 4099],
    [2, 1],
  ],
];

/** Each result is rounded once, so it is the float32 nearest to the float64 result: division included. */
const rounded = (expected: reference.Ref) => Float32Array.from(expected.data);

describe.each(BINARIES)("arithmetic on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  describe.each(OPERATIONS)("%s", (operation) => {
    it.each(SHAPES)("%j and %j, to the bit, in every mix of formats", (aShape, bShape) => {
      const [aData, bData] = [fill(aShape, "a"), fill(bShape, "b")];
      const expected = reference[operation](refOf(aData, aShape), refOf(bData, bShape));
      let runs = 0;
      for (const aFormat of FORMATS) {
        for (const bFormat of FORMATS) {
          if ((aFormat === "channelsLast" && aShape.length < 3) || (bFormat === "channelsLast" && bShape.length < 3))
            continue;
          using a = tensorOf(rt, aData, aShape, aFormat);
          using b = tensorOf(rt, bData, bShape, bFormat);
          using y = rt[operation](a, b);
          expect(y.shape).toEqual(expected.shape);
          expectExact(y.toArray(), rounded(expected), `${aFormat} ${bFormat}`);
          runs++;
        }
      }
      expect(runs).toBeGreaterThan(0);
    });
  });

  it("applies an activation to the result", () => {
    const shape = [1, 5, 3, 7];
    const [aData, bData] = [fill(shape, "a"), fill(shape, "b")];
    using a = tensorOf(rt, aData, shape, "channelsLast");
    using b = tensorOf(rt, bData, shape);
    using sum = rt.add(a, b);
    using clamped = rt.add(a, b, { activation: "relu6" });
    using curved = rt.add(a, b, { activation: "silu" });
    using clampedAfter = rt.relu6(sum);
    using curvedAfter = rt.silu(sum);
    expect(clamped.data).toEqual(clampedAfter.data);
    expect(curved.data).toEqual(curvedAfter.data);
    expect(clamped.memoryFormat).toBe("channelsLast");
  });

  it("keeps NaN under a fused relu and divides by zero as float32 does", () => {
    using a = rt.tensor([Number.NaN, 1, -1, 0, 5], [5]);
    using b = rt.tensor([1, 0, 0, 0, -Infinity], [5]);
    using quotient = rt.div(a, b);
    using sum = rt.add(a, b, { activation: "relu" });
    expect([...(quotient.data as Float32Array)]).toEqual([Number.NaN, Infinity, -Infinity, Number.NaN, -0]);
    expect((sum.data as Float32Array)[0]).toBeNaN();
  });

  it("keeps NaN of either operand in a maximum and a minimum", () => {
    using a = rt.tensor([Number.NaN, 1, -Infinity, 2, Number.NaN], [5]);
    using b = rt.tensor([1, Number.NaN, 3, -0, Number.NaN], [5]);
    using most = rt.maximum(a, b);
    using least = rt.minimum(a, b);
    expect([...(most.data as Float32Array)]).toEqual([Number.NaN, Number.NaN, 3, 2, Number.NaN]);
    expect([...(least.data as Float32Array)]).toEqual([Number.NaN, Number.NaN, -Infinity, -0, Number.NaN]);
  });

  it("runs from a plan, in place on either operand, without touching memory", () => {
    const shape = [2, 5, 3, 7];
    const [aData, bData] = [fill(shape, "a"), fill(shape, "b")];
    using a = tensorOf(rt, aData, shape);
    using b = tensorOf(rt, bData, shape);
    using y = rt.empty(shape);
    const before = rt.report().bytesInUse;
    const plan = rt.plan.sub({ a: shape, b: shape });
    plan.run(a, b, y);
    plan.run(a, b, y);
    const expected = rounded(reference.sub(refOf(aData, shape), refOf(bData, shape)));
    expect(y.data).toEqual(expected);
    plan.run(a, b, b);
    expect(b.data).toEqual(expected);
    (b.data as Float32Array).set(bData);
    plan.run(a, b, a);
    expect(a.data).toEqual(expected);
    (a.data as Float32Array).set(aData);
    plan.run(a, a, y);
    expect((y.data as Float32Array).every((v) => v === 0)).toBe(true);
    plan.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("refuses shapes that do not broadcast, dtypes and options, and leaves memory as it was", () => {
    using a = rt.tensor(fill([2, 3], "a"), [2, 3]);
    using b = rt.tensor(fill([4], "b"), [4]);
    using int = rt.tensor(Int32Array.of(1, 2, 3), [3]);
    const before = rt.report().bytesInUse;
    expect(() => rt.add(a, b)).toThrow(ShapeError);
    // @ts-expect-error: a tensor of int32
    expect(() => rt.mul(a, int)).toThrow('"b" expected dtype float32, got int32');
    // @ts-expect-error: a tensor of int32
    expect(() => rt.mul(int, a)).toThrow('"a" expected dtype float32, got int32');
    expect(() => rt.add(a, a, { activation: "swish" as never })).toThrow(RangeError);
    expect(() => rt.add(a, a, { axis: 1 } as never)).toThrow(TypeError);
    expect(() => rt.add(a, undefined as never)).toThrow(TypeError);
    expect(rt.report().bytesInUse).toBe(before);
  });

  it.each([
    [[2, 7, 3, 5], [7]],
    [[2, 7, 3, 5], [1]],
    [[2, 7, 3, 5], []],
    [
      [2, 7, 3, 5],
      [7, 1, 1],
    ],
    [
      [2, 7, 3, 5],
      [7, 3, 5],
    ],
    [
      [2, 7, 3, 5],
      [2, 7, 3, 5],
    ],
    [[3, 11], [11]],
    [[9], [9]],
    [[2, 3, 13], [3]],
  ] as const)("prelu of %j with slopes %j, to the bit", (shape, slopeShape) => {
    const [xData, slopeData] = [fill(shape, "x"), fill(slopeShape, "slope")];
    const expected = rounded(reference.prelu(refOf(xData, shape), refOf(slopeData, slopeShape)));
    for (const format of FORMATS) {
      if (format === "channelsLast" && shape.length < 3) continue;
      using x = tensorOf(rt, xData, shape, format);
      using slope = rt.tensor(slopeData, slopeShape);
      using y = rt.prelu(x, slope);
      expect(y.memoryFormat).toBe(format);
      expect(y.data).toEqual(format === "channelsLast" ? toChannelsLast(expected, shape) : expected);
    }
  });

  it("prelu refuses slopes that would enlarge its input", () => {
    using x = rt.tensor(fill([1, 3, 2, 2], "x"), [1, 3, 2, 2]);
    using many = rt.tensor(fill([2, 3, 1, 1], "slope"), [2, 3, 1, 1]);
    using wrong = rt.tensor(fill([4], "slope"), [4]);
    const before = rt.report().bytesInUse;
    expect(() => rt.prelu(x, many)).toThrow(
      '"slope" expected a shape that broadcasts to [1, 3, 2, 2], got [2, 3, 1, 1]',
    );
    expect(() => rt.prelu(x, wrong)).toThrow(ShapeError);
    expect(() => rt.prelu(x, null as never)).toThrow('"slope" expected a tensor, got undefined');
    expect(rt.report().bytesInUse).toBe(before);
  });
});
