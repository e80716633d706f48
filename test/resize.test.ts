// The kernel under Resize and Upsample, on tables of taps; what coordinates ONNX asks for is held by its own tests.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { resize, type Taps } from "../src/onnx/layers/resize.js";
import { BINARIES } from "./binaries.js";
import { fill, random } from "./random.js";
import * as reference from "./reference.js";
import { apply, FORMATS, refOf, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose } from "./tolerance.js";

/** `count` output positions of up to `most` taps each, some of them of no weight. */
function tapsOf(count: number, size: number, most: number): Taps[] {
  const { uniform } = random(`${count} ${size} ${most}`);
  return Array.from({ length: count }, () => {
    const taps = Math.floor(uniform(1, most + 1));
    return {
      at: Array.from({ length: taps }, () => Math.floor(uniform(0, size))),
      weights: most === 1 ? [1] : Array.from({ length: taps }, () => (uniform(0, 1) < 0.2 ? 0 : uniform(-1, 1))),
    };
  });
}

/** [N, C, H, W], output size, most taps a row and a column: copies, pairs, odd numbers of taps, every tail of channels. */
const CASES: readonly (readonly [readonly number[], readonly [number, number], readonly [number, number]])[] = [
  ...[1, 2, 3, 4, 5, 7, 8, 16, 67].map(
    (C) =>
      [
        [2, C, 3, 5],
        [6, 10],
        [1, 1],
      ] as const,
  ),
  ...[1, 2, 3, 4, 5, 7, 8, 16, 67].map(
    (C) =>
      [
        [2, C, 4, 3],
        [7, 5],
        [2, 2],
      ] as const,
  ),
  [
    [1, 5, 6, 7],
    [3, 4],
    [4, 4],
  ],
  [
    [1, 6, 6, 7],
    [9, 4],
    [1, 5],
  ],
  [
    [1, 6, 6, 7],
    [9, 4],
    [7, 1],
  ],
  [
    [3, 9, 1, 1],
    [2, 3],
    [2, 3],
  ],
  [
    [1, 2, 5, 1],
    [1, 1],
    [5, 1],
  ],
];

const absolute = (taps: readonly Taps[]) => taps.map(({ at, weights }) => ({ at, weights: weights.map(Math.abs) }));

describe.each(BINARIES)("resize on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(CASES)("of %j to %j, taps %j", (shape, [P, Q], [mostRows, mostColumns]) => {
    const data = fill(shape, `${shape}`);
    const rows = tapsOf(P, shape[2] as number, mostRows);
    const columns = tapsOf(Q, shape[3] as number, mostColumns);
    const expected = reference.resample(refOf(data, shape), rows, columns);
    const magnitude = reference.resample(reference.abs(refOf(data, shape)), absolute(rows), absolute(columns));
    for (const format of FORMATS) {
      using x = tensorOf(rt, data, shape, format);
      using y = apply(rt, resize(rows, columns), x);
      expect(y.shape).toEqual(expected.shape);
      expect(y.memoryFormat).toBe(format);
      // Both weights are rounded, and one product more.
      expectClose(y.toArray() as Float32Array, expected, dotTolerance(mostRows * mostColumns + 3, magnitude), format);
    }
  });

  it("copies single taps to the bit", () => {
    using x = rt.tensor([Number.NaN, -0, Infinity, 1e-45], [1, 1, 2, 2]);
    const twice = [0, 0, 1, 1].map((i) => ({ at: [i], weights: [1] }));
    using y = apply(rt, resize(twice, twice), x);
    const [a, b, c, d] = [Number.NaN, -0, Infinity, 2 ** -149];
    expect([...(y.data as Float32Array)]).toEqual([a, a, b, b, a, a, b, b, c, c, d, d, c, c, d, d]);
  });
});
