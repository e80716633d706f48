// Transposed, 1-D and separable convolution against the float64 reference, all binaries, both memory formats.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MemoryFormat, type Runtime, type SeparableConv2dOptions, ShapeError } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { CONV_TRANSPOSE_CASES, convTransposeShapes, showCase } from "./cases.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose } from "./tolerance.js";

describe.each(BINARIES)("other convolutions on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });

  it.each(CONV_TRANSPOSE_CASES.map((c) => [showCase(c), c] as const))("transposed %s", (label, c) => {
    const shapes = convTransposeShapes(c);
    const [x, w, b] = [
      fill(shapes.x, `${c.name} x`),
      fill(shapes.weight, `${c.name} w`),
      c.bias ? fill(shapes.bias, `${c.name} b`) : null,
    ];
    const operands = [refOf(x, shapes.x), refOf(w, shapes.weight), b && refOf(b, shapes.bias), shapes.options] as const;
    const expected = reference.convTranspose2d(...operands);
    const tolerance = dotTolerance(shapes.reduction, reference.convTranspose2dMagnitude(...operands));
    for (const format of FORMATS) {
      using input = tensorOf(rt, x, shapes.x, format);
      using weight = tensorOf(rt, w, shapes.weight, format);
      using bias = b ? rt.tensor(b, shapes.bias) : null;
      using y = rt.convTranspose2d(input, weight, bias, shapes.options);
      expect(y.shape).toEqual(shapes.y);
      expect(y.memoryFormat).toBe(format);
      expectClose(y.toArray() as Float32Array, expected, tolerance, `${label} ${format}`);
      using r = rt.convTranspose2d(input, weight, bias, { ...shapes.options, activation: "relu" });
      expectClose(r.toArray() as Float32Array, reference.relu(expected), tolerance, `${label} ${format} relu`);
    }
  });

  it("transposed is the adjoint: <conv(x), y> = <x, transposed(y)>", () => {
    const options = { stride: 2, padding: 1, groups: 2 } as const;
    const [x, w, y] = [fill([1, 6, 9, 11], 1), fill([8, 3, 3, 3], 2), fill([1, 8, 5, 6], 3)];
    using xs = rt.tensor(x, [1, 6, 9, 11]);
    using ws = rt.tensor(w, [8, 3, 3, 3]);
    using ys = rt.tensor(y, [1, 8, 5, 6]);
    using forward = rt.conv2d(xs, ws, null, options);
    using backward = rt.convTranspose2d(ys, ws, null, options);
    expect(backward.shape).toEqual([1, 6, 9, 11]);
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Array.from(a).reduce((sum, v, i) => sum + v * (b[i] as number), 0);
    const left = dot(forward.data as Float32Array, y);
    expect(Math.abs(left - dot(x, backward.data as Float32Array))).toBeLessThan(1e-3);
  });

  const lines = [
    { x: [1, 1, 9], w: [1, 1, 3], options: {} },
    { x: [2, 3, 17], w: [5, 3, 3], options: { padding: 1 } },
    { x: [1, 7, 23], w: [6, 7, 5], options: { stride: 2, padding: [3, 1] } },
    { x: [1, 8, 40], w: [12, 4, 3], options: { dilation: 3, groups: 2, padding: "same" } },
    { x: [1, 5, 19], w: [10, 1, 4], options: { groups: 5, padding: [1, 2] } },
    { x: [3, 4, 6], w: [9, 4, 1], options: {} },
  ] as const;
  it.each(lines)("1-D $x by $w, $options", ({ x, w, options }) => {
    const given = { stride: 1, dilation: 1, groups: 1, padding: 0, ...options } as {
      stride: number;
      dilation: number;
      groups: number;
      padding: unknown;
    };
    const [, pads] = [
      0,
      given.padding === "same"
        ? reference.samePadding(x[2], w[2], given.stride, given.dilation)
        : Array.isArray(given.padding)
          ? given.padding
          : [given.padding, given.padding],
    ];
    const plain = { ...given, padding: pads as [number, number] };
    const [xd, wd, bd] = [fill(x, 1), fill(w, 2), fill([w[0]], 3)];
    const operands = [refOf(xd, x), refOf(wd, w), refOf(bd, [w[0]]), plain] as const;
    const expected = reference.conv1d(...operands);
    const tolerance = reference.conv1dMagnitude(...operands);
    for (const format of FORMATS) {
      using input = tensorOf(rt, xd, x, format);
      using weight = rt.tensor(wd, w);
      using bias = rt.tensor(bd, [w[0]]);
      // auto may take Winograd: its factor on the largest sum
      for (const [algorithm, factor] of [
        ["implicit-gemm", 1],
        ["auto", 8],
      ] as const) {
        using y = rt.conv1d(input, weight, bias, { ...options, algorithm });
        expect(y.memoryFormat).toBe(format);
        expectClose(
          y.toArray() as Float32Array,
          expected,
          dotTolerance(w[1] * w[2], tolerance, factor),
          `${algorithm} ${format}`,
        );
      }
    }
  });

  it.each([1, 2, 3])("separable, multiplier %i, is depthwise then pointwise", (k) => {
    const C = 6;
    const [x, dw, pw, b, db] = [
      fill([1, C, 10, 9], 1),
      fill([k * C, 1, 3, 3], 2),
      fill([7, k * C, 1, 1], 3),
      fill([7], 4),
      fill([k * C], 5),
    ];
    const padding = [1, 1, 1, 1] as const;
    const middle = reference.relu6(
      reference.conv2d(refOf(x, [1, C, 10, 9]), refOf(dw, [k * C, 1, 3, 3]), refOf(db, [k * C]), {
        padding,
        groups: C,
      }),
    );
    const expected = reference.conv2d(middle, refOf(pw, [7, k * C, 1, 1]), refOf(b, [7]));
    const magnitude = reference.conv2dMagnitude(middle, refOf(pw, [7, k * C, 1, 1]), refOf(b, [7]));
    const [N, M, P, Q] = expected.shape as [number, number, number, number];
    for (const format of FORMATS) {
      using input = tensorOf(rt, x, [1, C, 10, 9], format);
      using depthwise = rt.tensor(dw, [k * C, 1, 3, 3]);
      using pointwise = rt.tensor(pw, [7, k * C, 1, 1]);
      using bias = rt.tensor(b, [7]);
      using depthwiseBias = rt.tensor(db, [k * C]);
      const options = { padding: 1, depthwiseActivation: "relu6" } as const;
      using y = rt.separableConv2d(input, depthwise, pointwise, bias, depthwiseBias, options);
      expectClose(y.toArray() as Float32Array, expected, dotTolerance(k * C + 9, magnitude, 4), format);
      using plan = rt.plan.separableConv2d({
        input: [1, C, 10, 9],
        memoryFormat: format,
        depthwiseWeight: depthwise,
        pointwiseWeight: pointwise,
        ...options,
      });
      expect(plan.describe()).toMatchObject({ macs: N * P * Q * (k * C * 9 + k * C * M) });
    }
  });

  it.each<
    readonly [
      string,
      shape: readonly [number, number, number, number],
      kernel: readonly [wide: number, R: number, S: number, M: number],
      options: SeparableConv2dOptions & {
        readonly stride?: number | readonly [number, number];
        readonly dilation?: number;
      },
      padding: reference.Sides,
    ]
  >([
    ["several blocks, the last one smaller", [1, 64, 23, 64], [64, 3, 3, 16], { padding: 1 }, [1, 1, 1, 1]],
    ["blocks that hold rows of two images", [3, 40, 20, 67], [40, 3, 3, 9], { stride: 2, padding: 1 }, [1, 1, 1, 1]],
    ["rows longer than a block of the matrix product", [1, 3, 9, 801], [3, 3, 3, 5], { stride: [1, 2] }, [0, 0, 0, 0]],
    [
      "dilation, four different sides",
      [2, 17, 9, 8],
      [17, 3, 3, 11],
      { dilation: 2, padding: [2, 1, 3, 2] },
      [2, 1, 3, 2],
    ],
    ["5x5, 1 channel to 3 to 8", [1, 1, 12, 11], [3, 5, 5, 8], { padding: 2 }, [2, 2, 2, 2]],
    ["600 channels: two reduction blocks", [1, 600, 5, 6], [600, 3, 3, 10], { padding: "same" }, [1, 1, 1, 1]],
    ["2 filters a channel", [1, 10, 7, 6], [20, 3, 3, 13], { padding: 1, stride: 2 }, [1, 1, 1, 1]],
  ])("separable by rows: %s", (_, shape, [wide, R, S, M], options, padding) => {
    const [, C] = shape;
    const ends = { depthwiseActivation: "hardSwish", activation: "leakyRelu" } as const;
    const d = refOf(fill([wide, 1, R, S], "d"), [wide, 1, R, S]);
    const p = refOf(fill([M, wide, 1, 1], "p"), [M, wide, 1, 1]);
    const [b, db] = [refOf(fill([M], "b"), [M]), refOf(fill([wide], "db"), [wide])];
    const x = refOf(fill(shape, "x"), shape);
    const both = (value: number | readonly number[] = 1) => [value, value].flat().slice(0, 2) as [number, number];
    const windows = { stride: both(options.stride), dilation: both(options.dilation), padding, groups: C };
    const middle = reference.hardSwish(reference.conv2d(x, d, db, windows));
    const sum = reference.conv2d(middle, p, b);
    const r = refOf(fill(sum.shape, "r"), sum.shape);
    const expected = reference.leakyRelu(reference.add(sum, r));
    const most = reference.conv2dMagnitude(x, d, db, windows); // hardSwish is at most 1.5 times as steep as x
    const magnitude = reference.add(reference.conv2dMagnitude(most, p, b), reference.abs(r));
    const tensor = (value: reference.Ref, format: MemoryFormat = "contiguous") =>
      tensorOf(rt, Float32Array.from(value.data), value.shape, format);
    for (const memoryFormat of FORMATS) {
      using input = tensor(x, memoryFormat);
      using residual = tensor(r, memoryFormat);
      using depthwiseWeight = tensor(d);
      using pointwiseWeight = tensor(p);
      using bias = tensor(b);
      using depthwiseBias = tensor(db);
      const params = { depthwiseWeight, pointwiseWeight, bias, depthwiseBias };
      const [rows, halves] = (["rows", "halves"] as const).map((algorithm) => {
        using plan = rt.plan.separableConv2d({
          input: shape,
          residual: sum.shape,
          memoryFormat,
          ...params,
          ...options,
          ...ends,
          algorithm,
        });
        expect(plan.describe().algorithm.startsWith("rows: ")).toBe(algorithm === "rows");
        using y = rt.clone(residual);
        plan.run(input, y, y); // in place
        return y.toArray() as Float32Array;
      });
      expectClose(rows as Float32Array, expected, dotTolerance(wide + R * S, magnitude, 2), memoryFormat);
      expect(rows).toEqual(halves);
    }
  });

  it("separable goes by rows where that saves memory and no time", () => {
    const describeOf = (C: number, size: number, M: number, options: SeparableConv2dOptions = {}) => {
      using depthwiseWeight = rt.zeros([C, 1, 3, 3]);
      using pointwiseWeight = rt.zeros([M, C, 1, 1]);
      const input = [1, C, size, size];
      using plan = rt.plan.separableConv2d({
        input,
        memoryFormat: "channelsLast",
        depthwiseWeight,
        pointwiseWeight,
        padding: 1,
        ...options,
      });
      return plan.describe();
    };
    expect(describeOf(32, 112, 64)).toMatchObject({ algorithm: "rows: depthwise + implicit-gemm" });
    expect(describeOf(32, 112, 64).reason).toMatch(/^4 of 112 rows at a time; depthwise: .*; pointwise: /);
    expect(describeOf(32, 112, 64).workspaceBytes).toBeLessThan(70_000);
    expect(describeOf(32, 112, 64, { algorithm: "halves" }).workspaceBytes).toBeGreaterThan(4 * 32 * 112 * 112);
    expect(describeOf(512, 14, 512).algorithm).toBe("depthwise + implicit-gemm");
    expect(describeOf(512, 14, 512).reason).toMatch(/^by rows is no faster; /);
    expect(describeOf(12, 14, 16).algorithm).toBe("depthwise + implicit-gemm");
    expect(() => describeOf(8, 14, 16, { algorithm: "columns" as never })).toThrow(RangeError);
  });

  it("refuses what does not fit, with nothing changed", () => {
    using x = rt.zeros([1, 4, 6, 6]);
    using w = rt.zeros([4, 3, 3, 3]);
    using line = rt.zeros([1, 4, 6]);
    const before = rt.report();
    expect(() => rt.convTranspose2d(x, w, null, { outputPadding: 1 })).toThrow(
      /"outputPadding" expected less than stride or dilation/,
    );
    expect(() => rt.convTranspose2d(x, w, null, { groups: 3 })).toThrow(ShapeError);
    expect(() => rt.convTranspose2d(x, w, null, { padding: 4 })).toThrow(/at least one pixel/);
    expect(() => rt.convTranspose2d(x, w, null, { padding: "same" as never })).toThrow(TypeError);
    expect(() => rt.conv1d(x, w)).toThrow(/rank 3 \[N, C, L\]/);
    expect(() => rt.conv1d(line, line, null, { padding: "full" as never })).toThrow(TypeError);
    expect(() => rt.conv1d(line, line, null, { stride: [1, 1] as never })).toThrow(TypeError);
    expect(() => rt.separableConv2d(x, w, w)).toThrow(/"depthwiseWeight" expected shape \[k \* 4, 1, R, S\]/);
    expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0 });
  });
});
