import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Activation, Runtime, Tensor } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { activations, conv2d, conv2dMagnitude, map, type Ref } from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose, ulpOf, ulpTolerance } from "./tolerance.js";

/** 0.5 x (1 + tanh(w)) = x / (1 + e^(-2w)), which does not cancel below 0 as the reference's form does. */
const geluTanhExponent = (v: number) => 2 * Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3);

/** What x sigmoid(w) is where it is said to be 0. */
const fadedSilu = (x: number, w: number) => (w < -88 ? -x * Math.exp(w) : 0);

interface Row {
  readonly name: string;
  readonly run: (rt: Runtime, x: Tensor) => Tensor;
  readonly expected: (x: Ref) => Ref;
  /** At -infinity and infinity. */
  readonly limits: readonly [number, number];
  /** Units in the last place of the result at x. */
  readonly ulps: number | ((x: number) => number);
  /** Absolute error at x on top, where a sum inside cancels. */
  readonly absolute?: (x: number) => number;
}

// As float32 has them, so that the reference computes with the same numbers.
const [ALPHA, BETA] = [Math.fround(0.3), Math.fround(0.4)];

/** Every operator, with the largest error that its kernel states. */
const ROWS: readonly Row[] = [
  { name: "relu", limits: [0, Infinity], run: (rt, x) => rt.relu(x), expected: reference.relu, ulps: 0.5 },
  { name: "relu6", limits: [0, 6], run: (rt, x) => rt.relu6(x), expected: reference.relu6, ulps: 0.5 },
  {
    name: "clip",
    limits: [-0.75, 2.5],
    run: (rt, x) => rt.clip(x, { min: -0.75, max: 2.5 }),
    expected: (x) => reference.clip(x, -0.75, 2.5),
    ulps: 0.5,
  },
  {
    name: "clip, min only",
    limits: [-0.75, Infinity],
    run: (rt, x) => rt.clip(x, { min: -0.75 }),
    expected: (x) => reference.clip(x, -0.75),
    ulps: 0.5,
  },
  {
    name: "leakyRelu",
    limits: [-Infinity, Infinity],
    run: (rt, x) => rt.leakyRelu(x, { alpha: ALPHA }),
    expected: (x) => reference.leakyRelu(x, ALPHA),
    ulps: 0.5,
  },
  {
    name: "elu",
    limits: [-ALPHA, Infinity],
    run: (rt, x) => rt.elu(x, { alpha: ALPHA }),
    expected: (x) => reference.elu(x, ALPHA),
    ulps: 2.5,
  },
  { name: "sigmoid", limits: [0, 1], run: (rt, x) => rt.sigmoid(x), expected: reference.sigmoid, ulps: 2.5 },
  {
    name: "hardSigmoid",
    limits: [0, 1],
    run: (rt, x) => rt.hardSigmoid(x, { alpha: ALPHA, beta: BETA }),
    expected: (x) => reference.hardSigmoid(x, ALPHA, BETA),
    ulps: 0.5,
    absolute: (x) => ulpOf(ALPHA * x), // the product is rounded before the sum where the engine does not fuse them
  },
  { name: "tanh", limits: [-1, 1], run: (rt, x) => rt.tanh(x), expected: reference.tanh, ulps: 2 },
  {
    name: "silu",
    limits: [0, Infinity],
    run: (rt, x) => rt.silu(x),
    expected: reference.silu,
    ulps: 3,
    absolute: (x) => fadedSilu(x, x),
  },
  {
    name: "hardSwish",
    limits: [Number.NaN, Infinity],
    run: (rt, x) => rt.hardSwish(x),
    expected: (x) => map(x, (v) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6),
    ulps: 2.5,
  },
  {
    name: "gelu",
    limits: [0, Infinity],
    run: (rt, x) => rt.gelu(x),
    expected: (x) => reference.gelu(x),
    ulps: 4,
    absolute: (x) => (x <= -1 ? 2.5e-7 * Math.min(-x, 6) : 0), // 1/2 + erf(x / sqrt 2) / 2 cancels
  },
  {
    name: "gelu tanh",
    limits: [0, Infinity],
    run: (rt, x) => rt.gelu(x, { approximate: "tanh" }),
    expected: (x) => map(x, (v) => v / (1 + Math.exp(-geluTanhExponent(v)))),
    // An error of the exponent is one of every digit.
    ulps: (x) => 4 + 2.5 * Math.min(Math.max(-geluTanhExponent(x), 0), 110),
    absolute: (x) => fadedSilu(x, geluTanhExponent(x)),
  },
];

/** Every sign and magnitude, dense where the functions bend; subnormal numbers too. */
function sweep(): Float32Array {
  const values: number[] = [];
  for (let i = -20000; i <= 20000; i++) values.push((i / 20000) * 110, (i / 20000) * 4);
  for (let e = -148; e < 127; e += 0.02) values.push(2 ** e, -(2 ** e));
  return Float32Array.from(values);
}

describe.each(BINARIES)("activations on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(ROWS)("$name stays within its stated error", ({ run, expected, ulps, absolute }) => {
    const data = sweep();
    using x = rt.tensor(data, [data.length]);
    using y = run(rt, x);
    const want = expected(refOf(data, [data.length]));
    const tolerance = ulpTolerance(want, 1).map((ulp, i) => {
      const at = data[i] as number;
      return ulp * (typeof ulps === "number" ? ulps : ulps(at)) + (absolute?.(at) ?? 0);
    });
    expectClose(y.data as Float32Array, want, tolerance, "sweep");
  });

  it.each(ROWS)("$name does every tail and both formats", ({ run, expected, ulps, absolute }) => {
    for (const memoryFormat of FORMATS) {
      for (const [C, W] of [
        [1, 1],
        [1, 2],
        [3, 1],
        [5, 1],
        [2, 3],
        [7, 1],
        [3, 3],
        [11, 5],
        [41, 53],
        [64, 64],
      ] as const) {
        const shape = [1, C, 1, W];
        const data = fill(shape, `${C}x${W}`);
        using x = tensorOf(rt, data, shape, memoryFormat);
        using y = run(rt, x);
        const want = expected(refOf(data, shape));
        expect(y.memoryFormat).toBe(memoryFormat);
        const tolerance = want.data.map((v, i) => {
          const at = data[i] as number;
          return (typeof ulps === "number" ? ulps : ulps(at)) * ulpOf(v) + (absolute?.(at) ?? 0);
        });
        expectClose(y.toArray() as Float32Array, want, tolerance, `${C}x${W} ${memoryFormat}`);
      }
    }
  });

  it.each(ROWS)("$name keeps NaN and takes infinities", ({ run, limits }) => {
    using x = rt.tensor([Number.NaN, Infinity, -Infinity, 0, -0, 3e38, -3e38], [7]);
    using y = run(rt, x);
    const [nan, high, low, ...rest] = y.data as Float32Array;
    expect(nan).toBeNaN();
    expect([low, high].map((v) => (v as number) + 0)).toEqual(limits); // + 0: no negative zero
    expect(rest.some(Number.isNaN)).toBe(false);
  });

  it("runs in place, from a plan, without touching memory", () => {
    const data = fill([2, 5, 3, 7], "in place");
    using x = tensorOf(rt, data, [2, 5, 3, 7], "channelsLast");
    using copy = rt.clone(x);
    using y = rt.empty(x.spec);
    const before = rt.report().bytesInUse;
    const plan = rt.plan.silu({ input: [2, 5, 3, 7], memoryFormat: "channelsLast" });
    plan.run(x, y);
    plan.run(x, y);
    plan.run(copy, copy);
    expect(copy.data).toEqual(y.data);
    expect(plan.describe()).toMatchObject({ op: "silu", algorithm: "silu", macs: 0, output: [2, 5, 3, 7] });
    plan.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("refuses bad options and dtypes and leaves memory as it was", () => {
    using x = rt.tensor([1, 2, 3], [3]);
    using bytes = rt.tensor(Uint8Array.of(1, 2), [2]);
    const before = rt.report().bytesInUse;
    expect(() => rt.leakyRelu(x, { alpha: Number.NaN })).toThrow('"alpha" expected a finite number, got NaN');
    expect(() => rt.elu(x, { alpha: "1" as never })).toThrow(TypeError);
    expect(() => rt.hardSigmoid(x, { beta: Infinity })).toThrow(RangeError);
    expect(() => rt.gelu(x, { approximate: "erf" as never })).toThrow(
      '"approximate" expected one of none, tanh, got "erf"',
    );
    expect(() => rt.clip(x, { min: Number.NaN })).toThrow('"min" expected a number, got NaN');
    expect(() => rt.clip(x, { low: 1 } as never)).toThrow('expected options among min, max, got "low"');
    // @ts-expect-error: a tensor of bytes
    expect(() => rt.relu(bytes)).toThrow('"input" expected dtype float32, got uint8');
    expect(() => rt.plan.tanh({ input: [0] })).toThrow(RangeError);
    expect(rt.report().bytesInUse).toBe(before);
  });
});

const FUSED: readonly { readonly activation: Activation; readonly expected: (x: Ref) => Ref }[] = [
  ...Object.entries(activations).map(([name, expected]) => ({
    activation: name as keyof typeof activations,
    expected,
  })),
  { activation: { type: "leakyRelu", alpha: ALPHA }, expected: (x) => reference.leakyRelu(x, ALPHA) },
  { activation: { type: "elu", alpha: ALPHA }, expected: (x) => reference.elu(x, ALPHA) },
  {
    activation: { type: "hardSigmoid", alpha: ALPHA, beta: BETA },
    expected: (x) => reference.hardSigmoid(x, ALPHA, BETA),
  },
  { activation: { type: "gelu", approximate: "tanh" }, expected: (x) => reference.gelu(x, "tanh") },
  { activation: { type: "clip", min: -0.5, max: 1 }, expected: (x) => reference.clip(x, -0.5, 1) },
];

/** The operator of the same name and parameters. */
function applyAlone(rt: Runtime, x: Tensor, activation: Activation): Tensor {
  const { type, ...options } = typeof activation === "string" ? { type: activation } : activation;
  return type === "none" ? rt.clone(x) : (rt[type] as (x: Tensor, options: object) => Tensor).call(rt, x, options);
}

describe.each(BINARIES)("fused activations on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  // 11 filters leave a tail of 3 in the second panel; 12 groups run depthwise where there is such a kernel.
  it.each(FUSED)("conv2d with $activation is conv2d, then the activation, to the bit", ({ activation, expected }) => {
    for (const memoryFormat of FORMATS) {
      for (const [C, M, groups] of [
        [5, 11, 1],
        [6, 6, 6],
      ] as const) {
        const [xShape, wShape] = [
          [1, C, 6, 7],
          [M, C / groups, 3, 3],
        ];
        const [xData, wData, bData] = [fill(xShape, "x"), fill(wShape, "w"), fill([M], "b")];
        using x = tensorOf(rt, xData, xShape, memoryFormat);
        using w = rt.tensor(wData, wShape);
        using b = rt.tensor(bData, [M]);
        using fused = rt.conv2d(x, w, b, { padding: 1, groups, activation });
        using plain = rt.conv2d(x, w, b, { padding: 1, groups });
        using after = applyAlone(rt, plain, activation);
        expect(fused.data).toEqual(after.data);

        const operands = [refOf(xData, xShape), refOf(wData, wShape), refOf(bData, [M])] as const;
        const options = { padding: [1, 1, 1, 1], groups } as const;
        // No activation here is steeper than 1.2; Winograd, where it is chosen, rounds more: its own tests hold it
        // tighter.
        const tolerance = dotTolerance((C / groups) * 9, conv2dMagnitude(...operands, options), 20);
        expectClose(
          fused.toArray() as Float32Array,
          expected(conv2d(...operands, options)),
          tolerance,
          `${memoryFormat} ${groups}`,
        );
      }
    }
  });

  it("refuses an activation that does not exist, or a parameter that it does not take", () => {
    using x = rt.tensor(fill([1, 2, 3, 3], 1), [1, 2, 3, 3]);
    using w = rt.tensor(fill([2, 2, 1, 1], 2), [2, 2, 1, 1]);
    const before = rt.report().bytesInUse;
    const run = (activation: unknown) => () => rt.conv2d(x, w, null, { activation: activation as Activation });
    expect(run("swish")).toThrow(RangeError);
    expect(run(7)).toThrow(TypeError);
    expect(run(null)).toThrow(TypeError);
    expect(run({ type: "relu", alpha: 1 })).toThrow('"activation" expected options among type, got "alpha"');
    expect(run({ type: "elu", alpha: Infinity })).toThrow('"activation.alpha" expected a finite number, got Infinity');
    expect(run({ type: "clip", min: "0" })).toThrow('"activation.min" expected a number, got "0"');
    expect(rt.report().bytesInUse).toBe(before);
  });
});
