// Operators that move elements: every dtype size, both memory formats, against the reference; and how copies are merged.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Runtime, ShapeError, type Tensor, type TensorSpec } from "../src/index.js";
import { mergeLoops } from "../src/ops/parts/strided.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";

const SHAPES = [[7], [1, 5], [6, 9], [2, 3, 5], [2, 5, 4, 7], [1, 8, 6, 6], [2, 3, 2, 3, 4]] as const;

/** Moving is exact: the same bits. */
function same(y: Tensor, expected: reference.Ref): void {
  expect(y.shape).toEqual(expected.shape);
  expect(Array.from(y.toArray() as Float32Array)).toEqual(Array.from(expected.data));
}

describe("mergeLoops", () => {
  it("makes one run of a contiguous copy", () => {
    expect(
      mergeLoops([
        { size: 2, src: 12, dst: 12 },
        { size: 3, src: 4, dst: 4 },
        { size: 4, src: 1, dst: 1 },
      ]),
    ).toEqual([{ size: 24, src: 1, dst: 1 }]);
  });
  it("puts the two fastest axes of a transposition innermost", () => {
    // [2, 3, 4, 5] → [2, 4, 5, 3]: one batch loop, then a 2-D block
    const loops = [
      { size: 2, src: 60, dst: 60 },
      { size: 3, src: 20, dst: 1 },
      { size: 4, src: 5, dst: 15 },
      { size: 5, src: 1, dst: 3 },
    ];
    expect(mergeLoops(loops)).toEqual([
      { size: 2, src: 60, dst: 60 },
      { size: 20, src: 1, dst: 3 },
      { size: 3, src: 20, dst: 1 },
    ]);
  });
  it("drops axes of one and keeps gaps", () => {
    expect(
      mergeLoops([
        { size: 1, src: 9, dst: 9 },
        { size: 3, src: 8, dst: 4 },
        { size: 4, src: 1, dst: 1 },
      ]),
    ).toEqual([
      { size: 3, src: 8, dst: 4 },
      { size: 4, src: 1, dst: 1 },
    ]);
  });
});

describe.each(BINARIES)("moving elements on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });

  const cases = SHAPES.flatMap((shape) =>
    FORMATS.filter((format) => format === "contiguous" || shape.length >= 3).map((format) => [shape, format] as const),
  );

  it.each(cases)("%j %s: transpose, reshape, flatten, formats", (shape, format) => {
    const data = fill(shape, 1);
    const x = refOf(data, shape);
    using input = tensorOf(rt, data, shape, format);
    using reversed = rt.transpose(input);
    same(reversed, reference.transpose(x));
    const permutation = [...shape.keys()].map((i) => (i + 1) % shape.length);
    using rotated = rt.transpose(input, { permutation });
    same(rotated, reference.transpose(x, permutation));
    using flat = rt.reshape(input, { shape: [-1] });
    same(flat, reference.reshape(x, [-1]));
    const last = shape.at(-1) as number;
    using split = rt.reshape(input, { shape: [1, -1, last] });
    same(split, reference.reshape(x, [1, -1, last]));
    for (let axis = 0; axis <= shape.length; axis++) {
      using flattened = rt.flatten(input, { axis });
      same(flattened, reference.flatten(x, axis));
    }
    if (shape.length < 3) return;
    for (const outputFormat of FORMATS) {
      using turned = rt.transpose(input, { permutation, outputFormat });
      expect(turned.memoryFormat).toBe(outputFormat);
      same(turned, reference.transpose(x, permutation));
    }
    for (const memoryFormat of FORMATS) {
      using moved = rt.toMemoryFormat(input, { memoryFormat });
      expect(moved.memoryFormat).toBe(memoryFormat);
      same(moved, x);
    }
  });

  it.each(cases)("%j %s: slice", (shape, format) => {
    const data = fill(shape, 2);
    const x = refOf(data, shape);
    using input = tensorOf(rt, data, shape, format);
    const rank = shape.length;
    const all = (value: number) => shape.map(() => value);
    for (const [starts, ends, axes, steps] of [
      [all(0), all(1000), undefined, undefined],
      [[-1], [-1000], [rank - 1], [-1]],
      [[0], [1000], [0], [2]],
      [all(-1), all(-1000), undefined, all(-1)],
      [[-1000, -1000].slice(0, rank), [1, 1].slice(0, rank), undefined, undefined],
    ] as const) {
      using y = rt.slice(input, { starts, ends, ...(axes && { axes }), ...(steps && { steps }) });
      same(y, reference.slice(x, starts, ends, axes, steps));
    }
  });

  it.each(cases)("%j %s: concat, with an input of the other format", (shape, format) => {
    const a = fill(shape, 3);
    for (let axis = -shape.length; axis < shape.length; axis++) {
      const other = shape.map((size, i) => (i === (axis + shape.length) % shape.length ? size + 2 : size));
      const b = fill(other, 4);
      using left = tensorOf(rt, a, shape, format);
      using right = tensorOf(rt, b, other);
      using y = rt.concat([left, right, left], { axis });
      expect(y.memoryFormat).toBe(format);
      same(y, reference.concat([refOf(a, shape), refOf(b, other), refOf(a, shape)], axis));
    }
  });

  it.each(cases)("%j %s: pad", (shape, format) => {
    const data = fill(shape, 5);
    const x = refOf(data, shape);
    using input = tensorOf(rt, data, shape, format);
    for (const mode of ["constant", "edge", "reflect"] as const) {
      const most = (size: number) => (mode === "reflect" ? Math.min(size - 1, 3) : 3);
      const begin = shape.map((size, i) => Math.min(i + 1, most(size)));
      const end = shape.map((size, i) => Math.min(2 - (i % 3), most(size)));
      using y = rt.pad(input, { pads: [...begin, ...end], mode, value: -1.5 });
      expect(y.memoryFormat).toBe(format);
      same(y, reference.pad(x, begin, end, mode, -1.5));
    }
  });

  it("a change of format can be planned", () => {
    const data = fill([2, 3, 4, 5], 6);
    for (const memoryFormat of FORMATS) {
      const other = memoryFormat === "contiguous" ? "channelsLast" : "contiguous";
      using plan = rt.plan.toMemoryFormat({ input: [2, 3, 4, 5], memoryFormat });
      using input = tensorOf(rt, data, [2, 3, 4, 5], other);
      using y = rt.empty(plan.outputs[0] as (typeof plan.outputs)[number]);
      plan.run(input, y);
      expect(y.memoryFormat).toBe(memoryFormat);
      expect(y.toArray()).toEqual(data);
    }
  });

  it("one- and eight-byte elements", () => {
    const shape = [2, 3, 4, 5];
    const bytes = Uint8Array.from({ length: 120 }, (_, i) => i * 2);
    const longs = BigInt64Array.from({ length: 120 }, (_, i) => BigInt(i) * -(2n ** 40n));
    const expected = reference.transpose(refOf(bytes, shape), [3, 1, 0, 2]);
    using b = rt.tensor(bytes, shape);
    using tb = rt.transpose(b, { permutation: [3, 1, 0, 2] });
    expect(tb.dtype).toBe("uint8");
    expect(Array.from(tb.data as Uint8Array)).toEqual(Array.from(expected.data));
    using l = rt.tensor(longs, shape);
    using tl = rt.transpose(l, { permutation: [3, 1, 0, 2] });
    expect(tl.data).toEqual(BigInt64Array.from(Array.from(expected.data, (v) => BigInt(v / 2) * -(2n ** 40n))));
    using pl = rt.pad(l, { pads: [0, 0, 0, 1, 0, 0, 0, 0], value: -1 });
    expect((pl.data as BigInt64Array)[0]).toBe(-1n);
  });

  it("transpositions around the size of a tile, of every dtype", () => {
    for (const shape of [
      [63, 65],
      [64, 128],
      [67, 130],
      [2, 65, 3, 66],
    ]) {
      // 127 is prime: neighbours along every axis differ, and every dtype but bool holds the values.
      const data = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i % 127);
      const expected = Array.from(reference.transpose(refOf(data, shape)).data);
      for (const dtype of ["float32", "uint8", "int8", "int32", "int64", "bool"] as const) {
        const isBool = dtype === "bool";
        using x = rt.tensor(isBool ? data.map((value) => value % 2) : data, shape, { dtype });
        using y = rt.transpose(x);
        expect(y.dtype).toBe(dtype);
        expect(Array.from(y.toArray() as ArrayLike<number | bigint>, Number)).toEqual(
          isBool ? expected.map((value) => value % 2) : expected,
        );
      }
    }
  });

  it("copies of several work items: runs, rows, tiles, and their ends", () => {
    // What is left of a transposition or slice, to compare by index: reference.ts takes seconds for these sizes.
    const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => i);
    const wrong = (y: Tensor, at: (i: number) => number) =>
      (y.toArray() as Float32Array).findIndex((v, i) => v !== at(i));
    for (const [rows, cols] of [
      [3, 33_001],
      [33_001, 3],
      [200, 131],
      [131, 1],
    ] as const) {
      using x = rt.tensor(numbers(rows * cols), [rows, cols]);
      using turned = rt.transpose(x);
      expect(wrong(turned, (i) => (i % rows) * cols + Math.floor(i / rows))).toBe(-1);
    }
    for (const [rows, cols, from, step] of [
      [1, 100_003, 1, 1],
      [3, 40_001, 5, 1],
      [1_001, 37, 2, 1],
      [5_003, 4, 1, 1],
      [301, 100, 0, 3],
    ] as const) {
      using x = rt.tensor(numbers(rows * cols), [rows, cols]);
      using y = rt.slice(x, { starts: [from], ends: [cols], axes: [1], steps: [step] });
      const kept = Math.ceil((cols - from) / step);
      expect(y.shape).toEqual([rows, kept]);
      expect(wrong(y, (i) => Math.floor(i / kept) * cols + from + (i % kept) * step)).toBe(-1);
    }
  });

  it("pads every dtype with the least and the largest value it holds", () => {
    const ends = {
      uint8: [0, 255],
      int8: [-128, 127],
      int32: [-(2 ** 31), 2 ** 31 - 1],
      int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
      bool: [0, 1],
      float32: [-Infinity, NaN],
    } as const;
    for (const dtype of Object.keys(ends) as (keyof typeof ends)[]) {
      for (const memoryFormat of FORMATS) {
        using x = rt.zeros([1, 2, 3, 1], { dtype, memoryFormat });
        for (const value of ends[dtype]) {
          using y = rt.pad(x, { pads: [0, 1, 2, 0, 1, 0, 0, 3], value });
          const expected = reference.pad(
            refOf(new Float32Array(6), [1, 2, 3, 1]),
            [0, 1, 2, 0],
            [1, 0, 0, 3],
            "constant",
            value,
          );
          expect(Array.from(y.toArray() as ArrayLike<number | bigint>, Number)).toEqual(Array.from(expected.data));
        }
        if (dtype === "float32") continue;
        const before = rt.report();
        for (const value of [ends[dtype][0] - 1, ends[dtype][1] + 1, 0.5, NaN]) {
          expect(() => rt.pad(x, { pads: [0, 0, 0, 0, 0, 0, 0, 1], value })).toThrow(/"value" expected integer/);
        }
        expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0 });
      }
    }
  });

  it("plans give the same bits run after run, and give their memory back", () => {
    const shape = [2, 5, 4, 7];
    for (const memoryFormat of FORMATS) {
      using x = tensorOf(rt, fill(shape, 6), shape, memoryFormat);
      const before = rt.report();
      const input = { input: shape, memoryFormat };
      const plans = [
        rt.plan.transpose({ ...input, permutation: [1, 0, 3, 2] }),
        rt.plan.reshape({ ...input, shape: [10, 2, -1] }),
        rt.plan.flatten(input),
        rt.plan.slice({ ...input, starts: [-1], ends: [-100], axes: [3], steps: [-2] }),
        rt.plan.pad({ ...input, pads: [0, 1, 1, 1, 0, 1, 2, 3], mode: "reflect" }),
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

  it("refuses what does not fit, with nothing changed", () => {
    using x = rt.zeros([2, 3, 4, 5]);
    using other = rt.zeros([2, 3, 4, 6]);
    using ints = rt.zeros([2, 3, 4, 5], { dtype: "int32" });
    const before = rt.report();
    expect(() => rt.reshape(x, { shape: [7, -1] })).toThrow(ShapeError);
    expect(() => rt.reshape(x, { shape: [-1, -1] })).toThrow(/at most one -1/);
    expect(() => rt.reshape(x, { shape: [119] })).toThrow(ShapeError);
    expect(() => rt.reshape(x, { shape: [0, -1] })).toThrow(RangeError);
    expect(() => rt.transpose(x, { permutation: [0, 1, 2, 2] })).toThrow(ShapeError);
    expect(() => rt.transpose(x, { permutation: [0, 1, 2, 4] })).toThrow(RangeError);
    expect(() => rt.concat([x, other], { axis: 1 })).toThrow(ShapeError);
    expect(() => rt.concat([x, ints], { axis: 1 })).toThrow(ShapeError);
    expect(() => rt.concat([])).toThrow(TypeError);
    expect(() => rt.concat(x as never)).toThrow(TypeError);
    expect(() => rt.slice(x, { starts: [3], ends: [2], axes: [2] })).toThrow(ShapeError);
    expect(() => rt.slice(x, { starts: [0], ends: [2], steps: [0] })).toThrow(RangeError);
    expect(() => rt.slice(x, { starts: [0, 0], ends: [1, 1], axes: [0, -4] })).toThrow(/different axes/);
    expect(() => rt.pad(x, { pads: [1] })).toThrow(/"pads" expected 8 numbers/);
    expect(() => rt.pad(x, { pads: [2, 0, 0, 0, 0, 0, 0, 0], mode: "reflect" })).toThrow(ShapeError);
    expect(() => rt.flatten(x, { axis: 5 })).toThrow(RangeError);
    expect(() => rt.toMemoryFormat(x, { memoryFormat: "NHWC" as never })).toThrow(RangeError);
    expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0, liveTensors: 3 });
  });
});
