import { describe, expect, it } from "vitest";
import { broadcast, broadcastShape } from "../src/base/broadcast.js";
import { ShapeError } from "../src/base/errors.js";
import { makeSpec } from "../src/base/spec.js";

const nchw = (...shape: number[]) => makeSpec(shape);
const nhwc = (...shape: number[]) => makeSpec(shape, "float32", "channelsLast");

describe("broadcastShape", () => {
  it.each([
    [[], [], []],
    [[3], [], [3]],
    [[2, 3], [3], [2, 3]],
    [
      [2, 1],
      [1, 3],
      [2, 3],
    ],
    [
      [4, 1, 5],
      [7, 1],
      [4, 7, 5],
    ],
  ] as const)("%j and %j give %j", (a, b, expected) => {
    expect(broadcastShape(a, b)).toEqual(expected);
    expect(broadcastShape(b, a)).toEqual(expected);
  });

  it("names both shapes when they do not fit", () => {
    expect(() => broadcastShape([2, 3], [4])).toThrow(
      new ShapeError('"shapes" expected to broadcast to each other, got [2, 3] and [4]'),
    );
  });
});

describe("broadcast", () => {
  const loops = (...all: [number, number, number][]) =>
    all.map(([size, aStride, bStride]) => ({ size, aStride, bStride }));

  it("takes one loop for alike operands", () => {
    expect(broadcast(nchw(2, 3, 4, 5), nchw(2, 3, 4, 5)).loops).toEqual(loops([120, 1, 1]));
    expect(broadcast(nhwc(2, 3, 4, 5), nhwc(2, 3, 4, 5)).loops).toEqual(loops([120, 1, 1]));
    expect(broadcast(nchw(), nchw(1, 1)).loops).toEqual(loops([1, 1, 1]));
  });

  it("takes one loop for a single value on either side", () => {
    expect(broadcast(nchw(2, 3, 4), nchw()).loops).toEqual(loops([24, 1, 0]));
    expect(broadcast(nchw(1, 1, 1), nchw(2, 3, 4)).loops).toEqual(loops([24, 0, 1]));
  });

  it("takes two or three for values a channel", () => {
    expect(broadcast(nchw(2, 3, 4, 5), nchw(3, 1, 1)).loops).toEqual(loops([2, 60, 0], [3, 20, 1], [20, 1, 0]));
    expect(broadcast(nhwc(2, 3, 4, 5), nchw(3, 1, 1)).loops).toEqual(loops([40, 3, 0], [3, 1, 1]));
    expect(broadcast(nchw(2, 3, 4, 5), nchw(2, 3, 1, 1)).loops).toEqual(loops([6, 20, 1], [20, 1, 0]));
    expect(broadcast(nhwc(2, 3, 4, 5), nhwc(2, 3, 1, 1)).loops).toEqual(loops([2, 60, 3], [20, 3, 0], [3, 1, 1]));
  });

  it("walks the output in memory order where the formats differ", () => {
    expect(broadcast(nhwc(2, 3, 4, 5), nchw(2, 3, 4, 5)).loops).toEqual(loops([2, 60, 60], [20, 3, 1], [3, 1, 20]));
  });

  it("lies as the first operand of the output's shape, then of its rank", () => {
    expect(broadcast(nhwc(2, 3, 4, 5), nchw(2, 3, 4, 5)).memoryFormat).toBe("channelsLast");
    expect(broadcast(nchw(2, 3, 4, 5), nhwc(2, 3, 4, 5)).memoryFormat).toBe("contiguous");
    expect(broadcast(nchw(), nhwc(2, 3, 4, 5)).memoryFormat).toBe("channelsLast");
    expect(broadcast(nchw(2, 3, 1, 1), nhwc(2, 3, 4, 5)).memoryFormat).toBe("channelsLast");
    expect(broadcast(nhwc(2, 3, 1, 5), nchw(2, 1, 4, 1)).memoryFormat).toBe("channelsLast");
    expect(broadcast(nchw(3), nchw(2, 1)).memoryFormat).toBe("contiguous");
  });
});
