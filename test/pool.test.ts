// Pooling on every case, both memory formats, all binaries, against the float64 reference.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Runtime, ShapeError, type TensorSpec, UnsupportedError } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { ADAPTIVE_POOL_CASES, POOL_CASES, poolShapes, showCase } from "./cases.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { expectClose, UNIT_ROUNDOFF } from "./tolerance.js";

/** Sums of K terms and one division, relative to the mean of magnitudes. */
const meanTolerance = (magnitude: reference.Ref, K: number) =>
  magnitude.data.map((m) => (K + 2) * UNIT_ROUNDOFF * m + 1e-30);

describe.each(BINARIES)("pooling on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });

  it.each(POOL_CASES.map((c) => [showCase(c), c] as const))("%s", (label, c) => {
    const shapes = poolShapes(c);
    const x = fill(shapes.x, c.name);
    const { kernel, stride, padding, dilation, ceilMode } = c;
    for (const format of FORMATS) {
      using input = tensorOf(rt, x, shapes.x, format);
      using max = rt.maxPool2d(input, { kernel, stride, padding, dilation, ceilMode });
      expect(max.shape).toEqual(shapes.y);
      expect(max.memoryFormat).toBe(format);
      expectClose(
        max.toArray() as Float32Array,
        reference.maxPool2d(refOf(x, shapes.x), shapes.options),
        1e-30,
        `${label} max ${format}`,
      );
      if (Math.max(...[dilation ?? 1].flat()) > 1) continue;
      for (const countIncludePad of [true, false]) {
        using mean = rt.avgPool2d(input, { kernel, stride, padding, ceilMode, countIncludePad });
        const options = { ...shapes.options, countIncludePad };
        const expected = reference.avgPool2d(refOf(x, shapes.x), options);
        const magnitude = reference.avgPool2d(refOf(x.map(Math.abs), shapes.x), options);
        const K = [kernel].flat().reduce((a, b) => a * b, 1) ** 2;
        expectClose(mean.toArray() as Float32Array, expected, meanTolerance(magnitude, K), `${label} mean ${format}`);
      }
    }
  });

  it.each(ADAPTIVE_POOL_CASES.map((c) => [showCase(c), c] as const))("adaptive %s", (label, c) => {
    const x = fill(c.x, c.name);
    const K = (c.x[2] as number) * (c.x[3] as number);
    for (const format of FORMATS) {
      using input = tensorOf(rt, x, c.x, format);
      using max = rt.adaptiveMaxPool2d(input, { output: c.output });
      using mean = rt.adaptiveAvgPool2d(input, { output: c.output });
      expectClose(
        max.toArray() as Float32Array,
        reference.adaptiveMaxPool2d(refOf(x, c.x), c.output),
        1e-30,
        `${label} max`,
      );
      const magnitude = reference.adaptiveAvgPool2d(refOf(x.map(Math.abs), c.x), c.output);
      expectClose(
        mean.toArray() as Float32Array,
        reference.adaptiveAvgPool2d(refOf(x, c.x), c.output),
        meanTolerance(magnitude, K),
        `${label} mean`,
      );
    }
  });

  it("global pooling", () => {
    for (const C of [1, 2, 3, 4, 5, 7, 8, 17]) {
      const shape = [2, C, 5, 7];
      const x = fill(shape, C);
      for (const format of FORMATS) {
        using input = tensorOf(rt, x, shape, format);
        using max = rt.globalMaxPool(input);
        using mean = rt.globalAvgPool(input);
        expect(mean.shape).toEqual([2, C, 1, 1]);
        expectClose(max.toArray() as Float32Array, reference.globalMaxPool(refOf(x, shape)), 1e-30, `max of ${C}`);
        const magnitude = reference.globalAvgPool(refOf(x.map(Math.abs), shape));
        expectClose(
          mean.toArray() as Float32Array,
          reference.globalAvgPool(refOf(x, shape)),
          meanTolerance(magnitude, 35),
          `mean of ${C}`,
        );
      }
    }
  });

  it("a NaN is the maximum of its windows; opposite infinities are not NaN", () => {
    const x = fill([1, 5, 6, 6], 3);
    x[5 * 6] = NaN;
    x[36 + 7] = Infinity;
    x[36 + 8] = -Infinity;
    for (const [kernel, stride] of [
      [3, 1],
      [3, 2],
      [2, 2],
      [[3, 2], 1],
    ] as const) {
      const options = {
        kernel: [kernel].flat().length === 2 ? (kernel as [number, number]) : ([kernel, kernel] as [number, number]),
        stride: [stride, stride] as const,
      };
      using input = tensorOf(rt, x, [1, 5, 6, 6], "channelsLast");
      using y = rt.maxPool2d(input, options);
      expectClose(y.toArray() as Float32Array, reference.maxPool2d(refOf(x, [1, 5, 6, 6]), options), 1e-30, "NaN");
    }
  });

  it("a NaN in every place of a row is the maximum of its windows alone", () => {
    const [C, H, W] = [5, 5, 9];
    for (const [kernel, stride, padding] of [
      [2, 2, 0],
      [3, 1, 1],
      [3, 2, 1],
      [3, 2, 0],
    ] as const) {
      const options = {
        kernel: [kernel, kernel],
        stride: [stride, stride],
        padding: [padding, padding, padding, padding],
      } as const;
      for (let at = 0; at < H * W; at++) {
        const x = fill([1, C, H, W], at + 1);
        x[(at % C) * H * W + at] = at % 3 ? NaN : Infinity;
        x[((at + 1) % C) * H * W + at] = -Infinity;
        using input = tensorOf(rt, x, [1, C, H, W], "channelsLast");
        using y = rt.maxPool2d(input, options);
        const expected = reference.maxPool2d(refOf(x, [1, C, H, W]), options);
        expectClose(y.toArray() as Float32Array, expected, 1e-30, `${kernel}x${kernel}s${stride}, pixel ${at}`);
      }
    }
  });

  it("global pooling of every length, with NaN and infinities in every lane", () => {
    for (let length = 1; length <= 37; length++) {
      const shape = [1, 2 * length, 1, length];
      const x = fill(shape, length);
      for (let i = 0; i < length; i++) {
        x[i * length + i] = NaN;
        x[(length + i) * length + i] = Infinity;
        if (i % 2 === 1) x[(length + i) * length] = -Infinity;
      }
      using input = tensorOf(rt, x, shape);
      using max = rt.globalMaxPool(input);
      using mean = rt.globalAvgPool(input);
      expectClose(max.toArray() as Float32Array, reference.globalMaxPool(refOf(x, shape)), 1e-30, `max of ${length}`);
      expectClose(mean.toArray() as Float32Array, reference.globalAvgPool(refOf(x, shape)), 1e-30, `mean of ${length}`);
    }
  });

  it("every number of channels, NaN in any of them, both windows and formats", () => {
    for (let C = 1; C <= 37; C += C < 20 ? 1 : 4) {
      const shape = [1, C, 4, 5];
      const x = fill(shape, C);
      x[20 * (C - 1) + 7] = NaN;
      x[20 * (C >> 1) + 11] = NaN;
      for (const format of FORMATS) {
        using input = tensorOf(rt, x, shape, format);
        using max = rt.maxPool2d(input, { kernel: 3, stride: 1, padding: 1 });
        using mean = rt.avgPool2d(input, { kernel: 3, stride: 1, padding: 1 });
        const options = { kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1], countIncludePad: true } as const;
        expectClose(max.toArray() as Float32Array, reference.maxPool2d(refOf(x, shape), options), 1e-30, `max of ${C}`);
        const magnitude = reference.avgPool2d(refOf(x.map(Math.abs), shape), options);
        const expected = reference.avgPool2d(refOf(x, shape), options);
        expectClose(mean.toArray() as Float32Array, expected, meanTolerance(magnitude, 9), `mean of ${C}`);
      }
    }
  });

  it("windows far larger than the input, and adaptive ones far more than 2^31 / size", () => {
    using one = rt.tensor([3], [1, 1, 1, 1]);
    const far = 2 ** 17;
    using mean = rt.avgPool2d(one, { kernel: far, stride: far, padding: [far - 1, far - 1, 0, 0] });
    expect(mean.toArray()[0]).toBe(3 / far ** 2);
    using max = rt.maxPool2d(one, { kernel: 1, dilation: 2 ** 40, stride: 2 ** 40 });
    expect(max.toArray()[0]).toBe(3);
    const W = 2 ** 17;
    using row = rt.tensor(
      Float32Array.from({ length: W }, (_, i) => i),
      [1, 1, 1, W],
    );
    using same = rt.adaptiveMaxPool2d(row, { output: [1, W] });
    expect((same.data as Float32Array).every((value, i) => value === i)).toBe(true);
  });

  it("plans give the same bits run after run, and give their memory back", () => {
    const shape = [2, 19, 5, 7];
    for (const memoryFormat of FORMATS) {
      using x = tensorOf(rt, fill(shape, "plan"), shape, memoryFormat);
      const before = rt.report();
      const input = { input: shape, memoryFormat };
      const plans = [
        rt.plan.maxPool2d({ ...input, kernel: 3, stride: 2 }),
        rt.plan.avgPool2d({ ...input, kernel: 2 }),
        rt.plan.adaptiveAvgPool2d({ ...input, output: [3, 2] }),
        rt.plan.adaptiveMaxPool2d({ ...input, output: [2, 3] }),
        rt.plan.globalAvgPool(input),
        rt.plan.globalMaxPool(input),
      ];
      for (const plan of plans) {
        using y = rt.empty(plan.outputs[0] as TensorSpec);
        const first = plan.run(x, y).toArray();
        expect(plan.run(x, y).toArray()).toEqual(first);
        plan.dispose();
      }
      expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0 });
    }
  });

  it("a window whose taps all miss the input has the maximum of nothing", () => {
    const options = { kernel: [2, 2], stride: [1, 1], padding: [1, 1, 1, 1], dilation: [2, 2] } as const;
    for (const C of [1, 5, 8]) {
      const x = fill([1, C, 1, 1], C);
      using input = tensorOf(rt, x, [1, C, 1, 1], "channelsLast");
      using y = rt.maxPool2d(input, options);
      expectClose(y.toArray() as Float32Array, reference.maxPool2d(refOf(x, [1, C, 1, 1]), options), 1e-30, "missed");
    }
  });

  it("refuses bad windows, with nothing changed", () => {
    using x = rt.zeros([1, 3, 5, 5]);
    const before = rt.report();
    expect(() => rt.maxPool2d(x, { kernel: 0 })).toThrow(/"kernel" expected integer >= 1, got 0/);
    expect(() => rt.maxPool2d(x, {} as never)).toThrow(TypeError);
    expect(() => rt.maxPool2d(x, { kernel: 7 })).toThrow(ShapeError);
    expect(() => rt.maxPool2d(x, { kernel: 2, padding: 2 })).toThrow(
      /"padding" expected less than the kernel's extent 2/,
    );
    expect(() => rt.avgPool2d(x, { kernel: 2, dilation: 2 } as never)).toThrow(/"dilation"/);
    expect(() => rt.maxPool2d(x, { kernel: 2, ceilMode: 1 } as never)).toThrow(/"ceilMode" expected true or false/);
    expect(() => rt.avgPool2d(x, { kernel: 2, countIncludePad: "no" } as never)).toThrow(/"countIncludePad"/);
    expect(() => rt.maxPool2d(x, { kernel: 2 ** 33, stride: 1, padding: "same" })).toThrow(
      /"padding" expected at most/,
    );
    expect(() => rt.adaptiveAvgPool2d(x, { output: [0, 1] })).toThrow(RangeError);
    using flat = rt.zeros([3, 5, 5]);
    using bytes = rt.zeros([1, 3, 5, 5], { dtype: "uint8" });
    expect(() => rt.globalMaxPool(flat)).toThrow(/"input" expected rank 4 \[N, C, H, W\], got \[3, 5, 5\]/);
    // @ts-expect-error: a tensor of bytes
    expect(() => rt.globalAvgPool(bytes)).toThrow(UnsupportedError);
    flat.dispose();
    bytes.dispose();
    expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0, liveTensors: 1 });
  });
});
