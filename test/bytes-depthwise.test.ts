// Depthwise convolutions of bytes: every way through the kernel against sums of integers, on every binary.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { type DepthwiseOptions, depthwise } from "../src/onnx/layers/int8/depthwise.js";
import { INT8_BINARIES } from "./binaries.js";
import { apart, bytes, f, image, run, toByte } from "./bytes-reference.js";
import { random } from "./random.js";

interface Case {
  readonly x: readonly [N: number, C: number, H: number, W: number];
  readonly taps: readonly [R: number, S: number];
  readonly multiplier?: number;
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  /** top, left, bottom, right; default half of the taps on every side. */
  readonly padding?: readonly [number, number, number, number];
  readonly type?: "uint8" | "int8";
  /** Of all weights; default: none for int8, one a filter for uint8. */
  readonly wZero?: number;
  readonly bias?: false;
  readonly ending?: "int32" | "float32" | "relu";
}

const CASES: readonly Case[] = [
  // unrolled rows; blocks that overlap; one output a row; two images
  ...([3, 5] as const).flatMap((taps) =>
    ([1, 2] as const).flatMap((stride): Case[] => [
      { x: [1, 16, 7, 9], taps: [taps, taps], strides: [stride, stride], type: "int8" },
      { x: [2, 21, 6, 5], taps: [taps, taps], strides: [stride, stride], type: "int8", wZero: -3 },
      { x: [1, 8, 5, 1], taps: [taps, taps], strides: [stride, stride], type: "int8", bias: false },
      { x: [1, 9, 1, 14], taps: [taps, taps], strides: [stride, stride], padding: [2, 1, 2, 4], type: "int8" },
      {
        x: [1, 40, 8, 11],
        taps: [taps, taps],
        strides: [stride, stride],
        padding: [0, 0, 0, 0],
        type: "int8",
        ending: "relu",
      },
      { x: [1, 13, 9, 8], taps: [taps, taps], strides: [stride, stride], padding: [2, 0, 1, 0], type: "int8" },
      { x: [1, 24, 9, 8], taps: [taps, taps], strides: [stride, stride] },
    ]),
  ),
  // any window
  { x: [1, 11, 9, 8], taps: [7, 7], type: "int8" },
  { x: [1, 3, 9, 8], taps: [3, 3], type: "int8" },
  { x: [2, 1, 6, 9], taps: [3, 3], type: "uint8" },
  { x: [1, 10, 9, 8], taps: [1, 4], padding: [0, 0, 0, 2] },
  { x: [1, 10, 9, 8], taps: [4, 1], strides: [3, 1], padding: [1, 0, 1, 0] },
  { x: [1, 12, 13, 17], taps: [3, 3], dilations: [2, 3], padding: [2, 3, 2, 3], type: "int8" },
  { x: [2, 12, 13, 17], taps: [3, 3], dilations: [2, 1], padding: [0, 0, 0, 0], strides: [2, 2], type: "int8" },
  { x: [1, 12, 13, 17], taps: [3, 3], dilations: [1, 2], padding: [1, 2, 1, 2], type: "int8" },
  { x: [1, 12, 13, 17], taps: [3, 3], strides: [1, 2], type: "int8" },
  { x: [1, 10, 7, 6], taps: [2, 2], padding: [0, 0, 0, 0], ending: "int32" },
  { x: [1, 5, 7, 6], taps: [3, 3], ending: "float32" },
  { x: [1, 19, 7, 6], taps: [3, 3], ending: "float32", bias: false },
  { x: [1, 19, 7, 6], taps: [5, 5], ending: "int32", type: "int8" },
  // multipliers
  { x: [1, 4, 6, 7], taps: [3, 3], multiplier: 2, type: "int8" },
  { x: [2, 8, 6, 7], taps: [3, 3], multiplier: 3, strides: [2, 2], type: "int8" },
  { x: [1, 1, 6, 7], taps: [5, 5], multiplier: 12, padding: [0, 0, 0, 0], type: "int8" },
  { x: [1, 3, 8, 7], taps: [3, 2], multiplier: 2, ending: "int32" },
];

function made(c: Case) {
  const {
    x: [N, C, H, W],
    taps: [R, S],
    multiplier = 1,
    strides = [1, 1],
    dilations = [1, 1],
    type = "uint8",
  } = c;
  const M = C * multiplier;
  const seed = JSON.stringify(c);
  const { integer, uniform } = random(seed);
  const padding = c.padding ?? ([R >> 1, S >> 1, R >> 1, S >> 1] as const);
  const x = bytes(N * C * H * W, `${seed} x`);
  const raw = bytes(M * R * S, `${seed} w`);
  const weight = type === "int8" ? new Int8Array(raw.buffer) : raw;
  const bias = c.bias === false ? undefined : Int32Array.from({ length: M }, () => integer(-40000, 40000));
  const wZero =
    c.wZero === undefined ? (type === "int8" ? [0] : Array.from({ length: M }, () => integer(0, 255))) : [c.wZero];
  const xZero = integer(0, 255);
  const scale = Float32Array.from({ length: M }, () => f(uniform(0.0005, 0.004)));
  const zero = integer(0, 255);
  const ending =
    c.ending === "int32"
      ? ({ type: "int32" } as const)
      : c.ending === "float32"
        ? ({ type: "float32", scale: scale.slice(0, 1), low: -9, high: 60 } as const)
        : ({
            type: "uint8",
            scale,
            zero,
            low: c.ending === "relu" ? zero : 0,
            high: c.ending === "relu" ? Math.min(255, zero + 90) : 255,
          } as const);
  const options: DepthwiseOptions = { strides, dilations, padding, xZero, wZero, ending };
  const [P, Q] = [
    Math.floor((H + padding[0] + padding[2] - (R - 1) * dilations[0] - 1) / strides[0]) + 1,
    Math.floor((W + padding[1] + padding[3] - (S - 1) * dilations[1] - 1) / strides[1]) + 1,
  ];
  const expected: number[] = [];
  for (let n = 0; n < N; n++)
    for (let p = 0; p < P; p++)
      for (let q = 0; q < Q; q++)
        for (let m = 0; m < M; m++) {
          let sum = bias?.[m] ?? 0;
          for (let r = 0; r < R; r++)
            for (let s = 0; s < S; s++) {
              const [h, w] = [
                p * strides[0] - padding[0] + r * dilations[0],
                q * strides[1] - padding[1] + s * dilations[1],
              ];
              if (h < 0 || h >= H || w < 0 || w >= W) continue;
              const at = ((n * H + h) * W + w) * C + Math.floor(m / multiplier);
              sum +=
                ((x[at] as number) - xZero) *
                ((weight[(m * R + r) * S + s] as number) - (wZero[wZero.length > 1 ? m : 0] as number));
            }
          if (ending.type === "int32") expected.push(sum);
          else {
            const real = f(f(sum) * (ending.scale[ending.scale.length > 1 ? m : 0] as number));
            expected.push(
              ending.type === "float32"
                ? Math.min(ending.high, Math.max(ending.low, real))
                : toByte(real, ending.zero, ending.low, ending.high),
            );
          }
        }
  return { x, weight, bias, options, expected, shape: [M, 1, R, S] };
}

describe.each(INT8_BINARIES)("depthwise of bytes on $name", ({ create }) => {
  let rt: Runtime;
  let used: number;
  beforeAll(async () => {
    rt = await create();
    used = rt.report().bytesInUse;
  });
  afterAll(() => rt.dispose());

  it.each(CASES.map((c) => [JSON.stringify(c), c] as const))("%s", (_, c) => {
    const { x, weight, bias, options, expected, shape } = made(c);
    const [y] = run(
      rt,
      depthwise(options),
      [image(rt, x, c.x)],
      [rt.tensor(weight, shape), bias && rt.tensor(bias, bias.length === 0 ? [] : [bias.length])],
    );
    expect(apart(y, expected)).toBe("");
  });

  it("gives back all memory", () => {
    expect(rt.report().liveTensors).toBe(0);
    expect(rt.report().bytesInUse).toBe(used);
  });
});
