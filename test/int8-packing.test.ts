// Packed weights of bytes that plans for other shapes share, and what is chosen by memory.
import { expect, it } from "vitest";
import { makeSpec } from "../src/base/spec.js";
import { type ConvolutionOptions, convolution } from "../src/onnx/layers/int8/product.js";
import { build } from "../src/ops/operator.js";
import type { Builder, Planning } from "../src/plan/builder.js";
import { packKeys } from "../src/plan/pack-key.js";

const FIXED: Planning = { variant: "simd", tileRows: 5, isSpilling: false };
const PLANNINGS: readonly Planning[] = [
  FIXED,
  { variant: "relaxed", tileRows: 6, isSpilling: false, dot: "uint8" },
  { variant: "relaxed", tileRows: 6, isSpilling: false, dot: "int8" },
];

/** A layer for images of a size, weights [M, C, taps, taps]. */
function layer(size: number, [M, C, taps]: readonly [number, number, number], planning: Planning, more = {}): Builder {
  const options: ConvolutionOptions = {
    strides: [1, 1],
    padding: [1, 1, 1, 1],
    dilations: [1, 1],
    groups: 1,
    xZero: 3,
    wZero: [0],
    ending: { type: "uint8", scale: Float32Array.of(0.01), zero: 0, low: 0, high: 255 },
    parts: 1,
    ...more,
  };
  const input = makeSpec([1, C, size, size], "uint8", "channelsLast");
  const params = [makeSpec([M, C, taps, taps], "int8"), makeSpec([M], "int32")];
  return build(convolution(options), [input], params, {}, planning);
}

it.each(PLANNINGS)("packed weights of shared plans are the same for every size ($variant $dot)", (planning) => {
  for (const filters of [
    [16, 32, 3],
    [300, 400, 3],
    [64, 64, 1],
    [24, 3, 5],
  ] as const) {
    for (const memory of ["fast", "default", "small"] as const) {
      const keys = [8, 9, 57, 224].map((size) =>
        packKeys(layer(size, filters, { ...planning, isShared: true, memory }), ["w", "b"]),
      );
      expect(new Set(keys.map(String)).size).toBe(1);
    }
  }
});

it("other zero points, types of weights or parts of channels pack otherwise", () => {
  const keyOf = (more: object) => String(packKeys(layer(8, [16, 32, 1], FIXED, more), ["w", "b"]));
  const dotted = (more: object) => String(packKeys(layer(8, [16, 32, 1], PLANNINGS[1] as Planning, more), ["w", "b"]));
  expect(keyOf({ xZero: 4 })).toBe(keyOf({})); // x is less its zero point there
  expect(dotted({ xZero: 4 })).not.toBe(dotted({}));
  expect(keyOf({ wZero: [1] })).not.toBe(keyOf({}));
  const points = (parts: number) =>
    String(packKeys(layer(8, [16, 32, 3], FIXED, { parts, algorithm: "winograd43" }), ["w", "b"]));
  expect(points(2)).not.toBe(points(1));
});

it("memory: small keeps weights as bytes; by default F(4,3) has to save time for its memory", () => {
  const algorithms = (filters: readonly [number, number, number], size: number, planning = FIXED) =>
    (["fast", "default", "small"] as const).map((memory) => layer(size, filters, { ...planning, memory }).algorithm);
  const points = "bytes, winograd43";
  expect(algorithms([64, 64, 3], 56)).toEqual([points, points, "bytes, pairs"]);
  expect(algorithms([384, 384, 3], 6)).toEqual([points, "bytes, pairs of 16 bits", "bytes, pairs"]);
  expect(algorithms([64, 64, 1], 14)).toEqual(["bytes, pairs of 16 bits", "bytes, pairs of 16 bits", "bytes, pairs"]);
  const [, dot] = PLANNINGS;
  expect(algorithms([512, 512, 3], 7, dot)).toEqual(["bytes, dot product", "bytes, dot product", "bytes, dot product"]);
  expect(algorithms([128, 128, 3], 28, dot)).toEqual([points, points, "bytes, dot product"]);
});
