// What is asked of weights before a layer is one of bytes, and how near to its bound F(4,3) is exact.
import { describe, expect, it } from "vitest";
import type { DType, Tensor } from "../src/index.js";
import type { Ending } from "../src/onnx/layers/int8/form.js";
import { convolution, exactParts, fits, weightRange } from "../src/onnx/layers/int8/product.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { INT8_BINARIES } from "./binaries.js";
import { ended } from "./int8-reference.js";

const bytes = (scale: number): Ending => ({ type: "uint8", scale: Float32Array.of(scale), zero: 0, low: 0, high: 255 });

describe("weights of bytes", () => {
  // Filter 0: |10 - 2| + |-6 - 2| = 16; filter 1: |127 - 1| + |0 - 1| = 127.
  const data = Int8Array.of(10, -6, 127, 0);
  const weights = { data, zero: [2, 1], filters: 2 };
  const columns = { data: Int8Array.of(10, 127, -6, 0), zero: [2, 1], filters: 2, isLast: true };

  it("have parts of channels that each add up to less than 2^25: the farthest byte times what weights are away from zero", () => {
    // 255 * 127 * 9 channels' taps: 2^25 is behind 115 of them.
    const filled = (channels: number, from: number, to: number) => ({
      data: new Int8Array(2 * 9 * channels).fill(127, 9 * (channels + from), 9 * (channels + to)),
      zero: [0],
      filters: 2,
    });
    expect(exactParts(0, filled(115, 0, 115), 115)).toBe(1);
    expect(exactParts(0, filled(116, 0, 116), 116)).toBe(2);
    expect(exactParts(200, filled(116, 0, 116), 116)).toBe(1);
    expect(exactParts(0, { ...filled(116, 0, 116), zero: [0, 64] }, 116)).toBe(1);
    // All in one half: halves are no help, thirds of 88 are.
    expect(exactParts(0, filled(256, 0, 128), 256)).toBe(3);
    expect(exactParts(0, filled(256, 70, 186), 256)).toBe(2);
  });

  it("have no such parts where kernels are so large that 8 channels are beyond", () => {
    const filled = (C: number, taps: number) => ({ data: new Uint8Array(C * taps).fill(255), zero: [0], filters: 1 });
    // 65,025 times 8 channels of 64 taps are 33.3 million, of 65 33.8 million; 2^25 is 33.6 million.
    expect(exactParts(0, filled(8, 64), 8)).toBe(1);
    expect(exactParts(0, filled(8, 65), 8)).toBe(Infinity);
    expect(exactParts(0, filled(24, 64), 24)).toBe(3);
    expect(exactParts(0, filled(24, 65), 24)).toBe(Infinity);
  });

  it("have a range less their zero points", () => {
    expect(weightRange(weights)).toEqual([-8, 126]);
    expect(weightRange(columns)).toEqual([-8, 126]);
    expect(weightRange({ data: Uint8Array.of(0, 255), zero: [120], filters: 1 })).toEqual([-120, 135]);
  });

  it("fit where sums are within 32 bits, bias included", () => {
    const long = { data: new Int8Array(66_000).fill(-128), zero: [0], filters: 1 };
    expect(fits(0, long, { type: "int32" })).toBe("sums up to 2.15e+9 are beyond 32 bits");
    expect(fits(128, long, { type: "int32" })).toBe(undefined);
    const biased = { ...weights, bias: Int32Array.of(0, 2 ** 31 - 255 * 127) };
    expect(fits(0, biased, { type: "int32" })).toBe("sums up to 2.15e+9 are beyond 32 bits");
    expect(fits(0, { ...weights, bias: Int32Array.of(0, 2 ** 31 - 255 * 127 - 1) }, { type: "int32" })).toBe(undefined);
  });

  it("fit where what ends in bytes is rounded as floats are: within 2^22 quanta", () => {
    expect(fits(0, weights, bytes(129))).toBe(undefined);
    expect(fits(0, weights, bytes(130))).toBe("outputs up to 4.21e+6 quanta are beyond 2^22");
    expect(fits(0, weights, bytes(Number.NaN))).toMatch(/beyond 2\^22/);
    expect(fits(0, weights, { ...bytes(1), type: "float32", scale: Float32Array.of(1e9) } as Ending)).toBe(undefined);
  });
});

/** A layer of 3x3 weights of one value, in the first `used` channels, over bytes of one value: an output inside is 9 * used * x * w. */
async function inside(
  create: (typeof INT8_BINARIES)[number]["create"],
  C: number,
  x: number,
  w: number,
  parts?: number,
  used = C,
) {
  using rt = await create();
  const sum = 9 * used * x * w;
  const ending = { ...bytes(200 / Math.abs(sum)), zero: sum < 0 ? 220 : 10 } as Ending;
  const operator = convolution({
    strides: [1, 1],
    padding: [0, 0, 0, 0],
    dilations: [1, 1],
    groups: 1,
    xZero: 0,
    wZero: [0],
    ending,
    algorithm: "winograd43",
    ...(parts !== undefined && { parts }),
  });
  using input = rt.tensor(new Uint8Array(C * 36).fill(x), [1, C, 6, 6], { memoryFormat: "channelsLast" });
  const filters = Int8Array.from({ length: 8 * C * 9 }, (_, i) => (i % (C * 9) < used * 9 ? w : 0));
  using weight = rt.tensor(filters, [8, C, 3, 3]);
  using y = internalsOf(rt).apply(operator, [input, weight]) as Tensor<DType>;
  return { got: [...new Set(y.toArray() as Uint8Array)], wanted: [ended(sum, 0, ending)], sum };
}

describe.each(INT8_BINARIES.filter(({ name }) => name !== "debug"))("F(4,3) of whole numbers, $name", ({ create }) => {
  it.each([
    ["just within 2^25", 979, 255, 14.9, 1],
    ["just within -2^25", 982, 255, -14.9, 1],
  ])("is exact %s", async (_, C, x, w) => {
    const { got, wanted, sum } = await inside(create, C, x, Math.trunc(w), 1);
    expect(Math.abs(sum)).toBeGreaterThan(0.93 * 2 ** 25);
    expect(got).toEqual(wanted);
  });

  it("is exact beyond, in parts of the channels, and would not be in one", async () => {
    const beyond = await inside(create, 1100, 255, 14);
    expect(beyond.sum).toBeGreaterThan(1.05 * 2 ** 25);
    expect(beyond.got).toEqual(beyond.wanted);
    const one = await inside(create, 1100, 255, 14, 1);
    expect(one.got).not.toEqual(one.wanted);
  });

  it.each([
    ["in halves that whole vectors make longer", 228, 228, undefined],
    ["where half the channels have it all", 256, 128, 3],
  ] as const)("is exact beyond %s", async (_, C, used, parts) => {
    const { got, wanted, sum } = await inside(create, C, 255, 127, parts, used);
    expect(sum).toBeGreaterThan(1.05 * 2 ** 25);
    expect(got).toEqual(wanted);
  });

  it.each(["known", "unknown"])(
    "is not taken for large kernels of few channels beyond, of %s weights",
    async (which) => {
      const [C, M, taps, side] = [8, 16, 81, 12];
      using rt = await create();
      const data = new Uint8Array(M * C * taps).fill(255);
      const weights = { data, zero: [0], filters: M };
      const sum = C * taps * 255 * 255; // 1.26 * 2^25
      const ending = bytes(200 / sum);
      const operator = convolution({
        strides: [1, 1],
        padding: [0, 0, 0, 0],
        dilations: [1, 1],
        groups: 1,
        xZero: 0,
        wZero: [0],
        ending,
        ...(which === "known" && { range: weightRange(weights), parts: exactParts(0, weights, C) }),
      });
      using input = rt.tensor(new Uint8Array(C * side * side).fill(255), [1, C, side, side], {
        memoryFormat: "channelsLast",
      });
      using weight = rt.tensor(data, [M, C, 9, 9]);
      using y = internalsOf(rt).apply(operator, [input, weight]) as Tensor<DType>;
      expect([...new Set(y.toArray() as Uint8Array)]).toEqual([ended(sum, 0, ending)]);
    },
  );

  it("is exact where inputs and weights are the extremes of every point", async () => {
    const BT = [
      [4, 0, -5, 0, 1, 0],
      [0, -4, -4, 1, 1, 0],
      [0, 4, -4, -1, 1, 0],
      [0, -2, -1, 2, 1, 0],
      [0, 2, -1, -2, 1, 0],
      [0, 4, 0, -5, 0, 1],
    ];
    const G = [
      [6, 0, 0],
      [1, 1, 1],
      [1, -1, 1],
      [1, 2, 4],
      [1, -2, 4],
      [0, 0, 6],
    ];
    using rt = await create();
    const wrong: string[] = [];
    const ending: Ending = { type: "uint8", scale: Float32Array.of(1 / 3000), zero: 128, low: 0, high: 255 };
    for (const xZero of [0, 255]) {
      for (let i = 0; i < 6; i++) {
        for (let j = 0; j < 6; j++) {
          const sign = xZero ? -1 : 1;
          const at = (matrix: number[][], a: number, b: number) =>
            (matrix[i]?.[a] as number) * (matrix[j]?.[b] as number);
          const patch = Array.from({ length: 36 }, (_, k) => (at(BT, Math.floor(k / 6), k % 6) * sign > 0 ? 255 : 0));
          const filter = Array.from({ length: 9 }, (_, k) => (at(G, Math.floor(k / 3), k % 3) > 0 ? 127 : -128));
          const operator = convolution({
            strides: [1, 1],
            padding: [0, 0, 0, 0],
            dilations: [1, 1],
            groups: 1,
            xZero,
            wZero: [0],
            ending,
            algorithm: "winograd43",
          });
          using input = rt.tensor(
            Uint8Array.from({ length: 8 * 36 }, (_, k) => patch[k >> 3] as number),
            [1, 8, 6, 6],
            {
              memoryFormat: "channelsLast",
            },
          );
          using weight = rt.tensor(
            Int8Array.from({ length: 64 * 9 }, (_, k) => filter[k % 9] as number),
            [8, 8, 3, 3],
          );
          using y = internalsOf(rt).apply(operator, [input, weight]) as Tensor<DType>;
          const wanted = Array.from({ length: 16 }, (_, k) => {
            let sum = 0;
            for (let t = 0; t < 9; t++) {
              const pixel = (Math.floor(k / 4) + Math.floor(t / 3)) * 6 + (k % 4) + (t % 3);
              sum += 8 * ((patch[pixel] as number) - xZero) * (filter[t] as number);
            }
            return ended(sum, 0, ending);
          });
          const answer = y.toArray() as Uint8Array; // [8, 4, 4]
          if (answer.some((v, k) => v !== wanted[k % 16])) wrong.push(`${xZero} ${i} ${j}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
