import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalResponseNormOptions, type Runtime, ShapeError } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import { localResponseNorm, map, reshape } from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { expectClose, UNIT_ROUNDOFF } from "./tolerance.js";

const SHAPES: readonly (readonly [number, number, number, number])[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 17].map((C) => [2, C, 2, 3] as const),
  ...[1, 2, 3, 4, 5, 15, 16, 17, 35].map((W) => [1, 6, 1, W] as const),
  [1, 96, 3, 3],
  [2, 13, 5, 7],
];

/** AlexNet's, both parities and both ends of the window, other exponents. Numbers that float32 has. */
const OPTIONS: readonly (LocalResponseNormOptions & { alpha: number; beta: number; bias: number })[] = [
  { size: 5, alpha: 2 ** -13, beta: 0.75, bias: 2 },
  { size: 5, alpha: 2.5, beta: 0.75, bias: 1 },
  { size: 1, alpha: 0.5, beta: 0.75, bias: 0.5 },
  { size: 2, alpha: 1, beta: 0.5, bias: 1 },
  { size: 4, alpha: 2, beta: 1, bias: 1 },
  { size: 9, alpha: 3, beta: 0.75, bias: 1 },
  { size: 50, alpha: 25, beta: 1.5, bias: 1 },
];

describe.each(BINARIES)("localResponseNorm on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(OPTIONS)("size $size, alpha $alpha, beta $beta, bias $bias", (options) => {
    for (const shape of SHAPES) {
      const data = fill(shape, `${shape}`);
      const expected = localResponseNorm(refOf(data, shape), options);
      // A sum of at most `size` positive terms, then bias: (size + 4) u, times beta in the power; e^x and log on top,
      // whose exponent of at most beta log(1e4) is rounded twice; root, product and division otherwise.
      const relative = ((options.size + 4) * options.beta + 2 * options.beta * 9 + 6) * UNIT_ROUNDOFF;
      for (const format of FORMATS) {
        using x = tensorOf(rt, data, shape, format);
        using y = rt.localResponseNorm(x, options);
        expect(y.memoryFormat).toBe(format);
        expectClose(
          y.toArray() as Float32Array,
          expected,
          map(expected, (v) => relative * Math.abs(v)).data,
          `${shape} ${format}`,
        );
      }
    }
  });

  it("takes any rank from 2 and the usual defaults", () => {
    const data = fill([3, 11], "x");
    using x = rt.tensor(data, [3, 11]);
    using y = rt.localResponseNorm(x, { size: 3 });
    const expected = localResponseNorm(reshape(refOf(data, [3, 11]), [3, 11, 1, 1]), {
      size: 3,
      alpha: 1e-4,
      beta: 0.75,
      bias: 1,
    });
    expectClose(y.data as Float32Array, expected, map(expected, (v) => 8 * UNIT_ROUNDOFF * Math.abs(v)).data, "rank 2");
  });

  it("runs from a plan without touching memory, and never in place", () => {
    const shape = [1, 7, 3, 5];
    for (const memoryFormat of FORMATS) {
      using x = tensorOf(rt, fill(shape, "x"), shape, memoryFormat);
      using once = rt.localResponseNorm(x, { size: 5, alpha: 1 });
      using y = rt.empty(x.spec);
      const before = rt.report().bytesInUse;
      const plan = rt.plan.localResponseNorm({ input: shape, memoryFormat, size: 5, alpha: 1 });
      plan.run(x, y);
      plan.run(x, y);
      expect(y.data).toEqual(once.data);
      expect(() => plan.run(x, x)).toThrow(RangeError);
      plan.dispose();
      expect(rt.report().bytesInUse).toBe(before);
    }
  });

  it("refuses what does not fit, and leaves memory as it was", () => {
    using x = rt.tensor(fill([1, 3, 2, 2], "x"), [1, 3, 2, 2]);
    using flat = rt.tensor([1, 2, 3], [3]);
    using int = rt.tensor(Int32Array.of(1, 2), [1, 2]);
    const before = rt.report().bytesInUse;
    expect(() => rt.localResponseNorm(x, { size: 0 })).toThrow('"size" expected integer >= 1, got 0');
    expect(() => rt.localResponseNorm(x, undefined as never)).toThrow('"size" expected integer >= 1, got undefined');
    expect(() => rt.localResponseNorm(x, { size: 2.5 })).toThrow(RangeError);
    expect(() => rt.localResponseNorm(x, { size: 5, alpha: Number.NaN })).toThrow(
      '"alpha" expected a finite number, got NaN',
    );
    expect(() => rt.localResponseNorm(x, { size: 5, beta: Infinity })).toThrow(RangeError);
    expect(() => rt.localResponseNorm(x, { size: 5, bias: "1" as never })).toThrow(TypeError);
    expect(() => rt.localResponseNorm(x, { size: 5, k: 1 } as never)).toThrow(TypeError);
    expect(() => rt.localResponseNorm(flat, { size: 5 })).toThrow(ShapeError);
    // @ts-expect-error: a tensor of int32
    expect(() => rt.localResponseNorm(int, { size: 5 })).toThrow('"input" expected dtype float32, got int32');
    expect(rt.report().bytesInUse).toBe(before);
  });
});
