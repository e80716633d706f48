// Bytes by element, pooled, moved, from floats and back: against what is written here plainly, on every binary.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { add, affine, flip, fromFloat, multiply, table, toFloat } from "../src/onnx/layers/int8/elements.js";
import { averagePool, globalMean, maxPool } from "../src/onnx/layers/int8/pool.js";
import type { Operator } from "../src/ops/operator.js";
import { INT8_BINARIES } from "./binaries.js";
import { apart, bytes, f, image, run, toByte } from "./bytes-reference.js";
import { random } from "./random.js";
import { toChannelsLast } from "./tensors.js";

const PAIRS = Array.from({ length: 65536 }, (_, i) => [i & 255, i >> 8] as const);

/** The formula of each element. */
const of = (count: number, formula: (i: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => formula(i));

const WINDOWS = [
  { x: [1, 32, 8, 10], kernel: [2, 2], strides: [2, 2], padding: [0, 0, 0, 0], dilations: [1, 1] },
  { x: [2, 21, 9, 7], kernel: [3, 3], strides: [2, 2], padding: [1, 1, 1, 1], dilations: [1, 1] },
  { x: [1, 13, 6, 7], kernel: [3, 3], strides: [1, 1], padding: [0, 1, 2, 1], dilations: [1, 1] },
  { x: [1, 5, 11, 9], kernel: [2, 3], strides: [3, 1], padding: [1, 2, 0, 2], dilations: [2, 2] },
  { x: [1, 8, 6, 6], kernel: [5, 5], strides: [1, 1], padding: [2, 2, 2, 2], dilations: [1, 1] },
  { x: [1, 16, 7, 7], kernel: [2, 2], strides: [2, 2], padding: [0, 0, 0, 0], dilations: [1, 1], beyond: [1, 1] },
  { x: [3, 1, 5, 6], kernel: [3, 2], strides: [2, 2], padding: [1, 0, 1, 0], dilations: [1, 1] },
] as const;

/** For every output, as they lie: channel, and the taps inside as places in x; and taps that are in the image or its padding. */
function windows({ x: [N, C, H, W], kernel: [R, S], strides, padding, dilations, ...rest }: (typeof WINDOWS)[number]) {
  const beyond = "beyond" in rest ? rest.beyond : [0, 0];
  const P = Math.floor((H + padding[0] + padding[2] + beyond[0] - (R - 1) * dilations[0] - 1) / strides[0]) + 1;
  const Q = Math.floor((W + padding[1] + padding[3] + beyond[1] - (S - 1) * dilations[1] - 1) / strides[1]) + 1;
  const all: { places: number[]; counted: number }[] = [];
  for (let n = 0; n < N; n++)
    for (let p = 0; p < P; p++)
      for (let q = 0; q < Q; q++)
        for (let c = 0; c < C; c++) {
          const places: number[] = [];
          let counted = 0;
          for (let r = 0; r < R; r++)
            for (let s = 0; s < S; s++) {
              const [h, w] = [
                p * strides[0] - padding[0] + r * dilations[0],
                q * strides[1] - padding[1] + s * dilations[1],
              ];
              if (h < H + padding[2] && w < W + padding[3]) counted++;
              if (h >= 0 && h < H && w >= 0 && w < W) places.push(((n * H + h) * W + w) * C + c);
            }
          all.push({ places, counted });
        }
  return all;
}

describe.each(INT8_BINARIES)("bytes on $name", ({ create }) => {
  let rt: Runtime;
  let used: number;
  beforeAll(async () => {
    rt = await create();
    used = rt.report().bytesInUse;
  });
  afterAll(() => rt.dispose());

  const left = Uint8Array.from(PAIRS, ([a]) => a);
  const right = Uint8Array.from(PAIRS, ([, b]) => b);

  it.each([
    { ra: 0.5, rb: 0.25, aZero: 3, bZero: 255, offset: 3, shift: 0, low: 0, high: 255 },
    { ra: f(0.71), rb: f(1.37), aZero: 200, bZero: 0, offset: 91, shift: 0, low: 17, high: 200 },
    { ra: f(0.71), rb: f(1.37), aZero: 0, bZero: 131, offset: -11, shift: 128, low: 0, high: 255 },
  ])("add: all pairs of bytes, %j", (sum) => {
    const shape = [1, 16, 64, 64];
    const expected = PAIRS.map(([a, b]) =>
      toByte(
        f(f(f((a - sum.aZero) * sum.ra) + f((b - sum.bZero) * sum.rb)) + sum.offset),
        sum.shift,
        sum.low,
        sum.high,
      ),
    );
    const [y] = run(rt, add(sum), [image(rt, left, shape), image(rt, right, shape)]);
    expect(apart(y, expected)).toBe("");
  });

  it.each([
    { aZero: 0, bZero: 255, factor: 0.5, offset: 3, zero: 0, low: 0, high: 255 },
    { aZero: 130, bZero: 7, factor: f(0.0137), offset: -91, zero: 128, low: 17, high: 200 },
  ])("multiply: all pairs of bytes, %j", (p) => {
    const shape = [1, 16, 64, 64];
    const expected = PAIRS.map(([a, b]) =>
      toByte(f(f((a - p.aZero) * (b - p.bZero) * p.factor) + p.offset), p.zero, p.low, p.high),
    );
    const [y] = run(rt, multiply(p), [image(rt, left, shape), image(rt, right, shape)]);
    expect(apart(y, expected)).toBe("");
  });

  const SHAPES: readonly (readonly [readonly number[], readonly number[]])[] = [
    [
      [2, 21, 5, 3],
      [2, 21, 1, 1],
    ],
    [
      [2, 21, 5, 3],
      [21, 1, 1],
    ],
    [
      [2, 21, 1, 1],
      [2, 21, 5, 3],
    ],
    [
      [1, 3, 7, 5],
      [1, 3, 1, 1],
    ],
    [[3, 19], [19]],
    [
      [3, 19],
      [3, 19],
    ],
    [
      [5, 4099],
      [5, 4099],
    ],
  ];

  it.each(SHAPES)("add and multiply broadcast, %j and %j", (a, b) => {
    const [xa, xb] = [a, b].map((shape, i) =>
      bytes(
        shape.reduce((n, size) => n * size, 1),
        `${i} ${shape}`,
      ),
    ) as [Uint8Array, Uint8Array];
    const big = xa.length >= xb.length ? a : b;
    const [N = 1, C = 1, ...spatial] = big.length === 1 ? [1, ...big] : big;
    const pixels = spatial.reduce((n, size) => n * size, 1);
    const at = (x: Uint8Array, i: number) => {
      const [n, c] = [Math.floor(i / (pixels * C)), i % C];
      return (x.length === N * pixels * C ? x[i] : x.length === N * C ? x[n * C + c] : x[c]) as number;
    };
    const sum = { ra: f(0.4), rb: f(0.7), aZero: 9, bZero: 30, offset: 40, shift: 0, low: 0, high: 255 };
    const product = { aZero: 3, bZero: 200, factor: f(0.01), offset: 100, zero: 0, low: 0, high: 255 };
    const count = N * pixels * C;
    const operands = () => [image(rt, xa, a), image(rt, xb, b)];
    expect(
      apart(
        run(rt, add(sum), operands())[0],
        of(count, (i) => toByte(f(f(f((at(xa, i) - 9) * sum.ra) + f((at(xb, i) - 30) * sum.rb)) + 40))),
      ),
    ).toBe("");
    expect(
      apart(
        run(rt, multiply(product), operands())[0],
        of(count, (i) => toByte(f(f((at(xa, i) - 3) * (at(xb, i) - 200) * product.factor) + 100))),
      ),
    ).toBe("");
  });

  it.each([1, 7, 8, 15, 16, 300, 4096, 9001])("table, affine and flip of %d bytes", (count) => {
    const x = bytes(count, `table ${count}`);
    const entries = Uint8Array.from({ length: 256 }, (_, i) => (i * 7 + 13) & 255);
    expect(
      apart(
        run(rt, table(entries), [image(rt, x, [count])])[0],
        of(count, (i) => entries[x[i] as number] as number),
      ),
    ).toBe("");
    const map = { ratio: f(1.7), offset: f(-40.5) };
    expect(
      apart(
        run(rt, affine(map), [image(rt, x, [count])])[0],
        of(count, (i) => toByte(f(f((x[i] as number) * map.ratio) + map.offset))),
      ),
    ).toBe("");
    const signed = run(rt, flip(), [image(rt, x, [count])])[0];
    expect(signed).toBeInstanceOf(Int8Array);
    expect(
      apart(
        signed,
        of(count, (i) => (x[i] as number) - 128),
      ),
    ).toBe("");
    expect(apart(run(rt, flip(), [rt.tensor(signed as Int8Array, [count])])[0], x)).toBe("");
  });

  it("ties go to even: halves of every byte", () => {
    const x = Uint8Array.from({ length: 256 }, (_, i) => i);
    const [y] = run(rt, affine({ ratio: 0.5, offset: 0 }), [image(rt, x, [256])]);
    expect(
      apart(
        y,
        of(256, (i) => (i % 2 === 0 ? i / 2 : (i - 1) / 2 + (((i - 1) / 2) % 2))),
      ),
    ).toBe("");
  });

  it.each(WINDOWS)("maxPool and averagePool %j", (c) => {
    const { x: shape, ...options } = c;
    const x = bytes(
      shape.reduce((n: number, size) => n * size, 1),
      JSON.stringify(c),
    );
    const all = windows(c);
    expect(
      apart(
        run(rt, maxPool(options), [image(rt, x, shape)])[0],
        all.map(({ places }) => Math.max(...places.map((i) => x[i] as number))),
      ),
    ).toBe("");
    for (const countIncludePad of [false, true]) {
      const means = { xScale: f(0.037), xZero: 97, yScale: f(0.051), offset: -3, zero: 128 };
      const expected = all.map(({ places, counted }) => {
        let sum = 0;
        for (const i of places) sum = f(sum + f(((x[i] as number) - means.xZero) * means.xScale));
        const mean = f(sum / (countIncludePad ? counted : places.length));
        return toByte(f(f(mean / means.yScale) + means.offset), means.zero);
      });
      const operator = averagePool({ ...options, ...means, countIncludePad });
      expect(apart(run(rt, operator, [image(rt, x, shape)])[0], expected)).toBe("");
    }
  });

  it.each([[[2, 21, 3, 5]], [[1, 1024, 7, 7]], [[1, 5, 40, 40]], [[2, 16, 17]], [[1, 3, 2, 3, 2]]])(
    "globalMean %j",
    (shape) => {
      const [N = 1, C = 1, ...spatial] = shape;
      const pixels = spatial.reduce((n, size) => n * size, 1);
      const x = bytes(N * C * pixels, `mean ${shape}`);
      const sums = of(N * C, (i) => {
        let sum = 0;
        for (let p = 0; p < pixels; p++) sum += (x[(Math.floor(i / C) * pixels + p) * C + (i % C)] as number) - 117;
        return sum;
      });
      const factor = f(f(0.02) / f(f(0.013) * pixels));
      const [y] = run(rt, globalMean({ xZero: 117, factor, zero: 60 }), [image(rt, x, shape)]);
      expect(
        apart(
          y,
          sums.map((sum) => toByte(f(sum * factor), 60)),
        ),
      ).toBe("");
      const divisors = [pixels, f(0.013)] as const;
      const [z] = run(rt, globalMean({ xZero: 117, factor: f(0.02), divisors, zero: 60 }), [image(rt, x, shape)]);
      expect(
        apart(
          z,
          sums.map((sum) => toByte(f(f(f(f(sum) * f(0.02)) / pixels) / f(0.013)), 60)),
        ),
      ).toBe("");
    },
  );

  it.each([
    [[2, 21, 5, 3], "contiguous"],
    [[1, 3, 71, 67], "contiguous"],
    [[1, 3, 9, 7], "channelsLast"],
    [[4, 1, 9, 7], "contiguous"],
    [[9001], "contiguous"],
    [[3, 5], "contiguous"],
  ] as const)("fromFloat and toFloat %j %s", (shape, memoryFormat) => {
    const count = shape.reduce((n: number, size) => n * size, 1);
    const { normal } = random(`floats ${shape}`);
    const data = Float32Array.from({ length: count }, (_, i) =>
      i % 50 === 7 ? ([NaN, Infinity, -Infinity, 1e30, 0.5, 1.5][((i / 50) % 6) | 0] as number) : f(normal() * 30),
    );
    const { scale, zero } = { scale: f(0.25), zero: 119 };
    const lying = memoryFormat === "contiguous" && shape.length > 2 ? toChannelsLast(data, shape) : data;
    const expected = of(count, (i) =>
      Number.isNaN(lying[i]) ? 0 : toByte(Math.max(-1e9, Math.min(1e9, f((lying[i] as number) / scale))), zero),
    );
    const [y] = run(rt, fromFloat({ scale, zero }), [rt.tensor(data, shape, { memoryFormat })]);
    expect(apart(y, expected)).toBe("");
    const [z] = run(rt, toFloat({ scale: f(0.3), zero }), [image(rt, y as Uint8Array, shape)]);
    expect(
      apart(
        z,
        expected.map((v) => f((v - zero) * f(0.3))),
      ),
    ).toBe("");
  });

  it("refuses what does not fit in a sentence", () => {
    const [six, three] = [
      [1, 6, 2, 2],
      [1, 3, 2, 2],
    ] as const;
    const attempt = (operator: Operator, shape: readonly number[]) => () =>
      run(rt, operator, [image(rt, bytes(24, "x"), six), image(rt, bytes(2 * (shape[1] as number) * 2, "y"), shape)]);
    const sum = { ra: 1, rb: 1, aZero: 0, bZero: 0, offset: 0, shift: 0, low: 0, high: 255 };
    expect(attempt(add({ ...sum, ra: 20000 }), six)).toThrow(/"ra" expected sums below 2\^22, got factors 20000 and 1/);
    expect(attempt(add(sum), three)).toThrow(/"b" expected uint8 of the shape .*, or of its channels, got /);
    const product = { aZero: 0, bZero: 0, factor: 100, offset: 0, zero: 0, low: 0, high: 255 };
    expect(attempt(multiply(product), six)).toThrow(/"factor" expected products below 2\^22, got a factor 100/);
    expect(() => table(new Uint8Array(3))).toThrow(/"table" expected 256 entries, got 3/);
  });

  it("gives back all memory", () => {
    expect(rt.report().liveTensors).toBe(0);
    expect(rt.report().bytesInUse).toBe(used);
  });
});
