// What attributes mean, as numbers worked out by hand from the ONNX specification: kernels and host operators share them, so that
// neither can be the other's witness.
import { describe, expect, it } from "vitest";
import { ModelError, UnsupportedError } from "../src/index.js";
import { type NodeProto, parseModel } from "../src/onnx/file/proto.js";
import { Attributes } from "../src/onnx/semantics/attributes.js";
import { isKept, type ResizeAxis, resizePlan, tapsCost, tapsOf } from "../src/onnx/semantics/resize.js";
import {
  broadcastShape,
  flattenTo,
  reshapeTo,
  splitSizes,
  squeezeTo,
  unsqueezeTo,
} from "../src/onnx/semantics/shapes.js";
import { padsOf, sliceRanges } from "../src/onnx/semantics/slices.js";
import { transposedAxes, windowAxes } from "../src/onnx/semantics/windows.js";
import { type Node, onnxFile } from "./onnx-file.js";

const read = (attributes: NonNullable<Node["attributes"]> = {}, opset = 21, outputs = ["y"]): Attributes => {
  const file = onnxFile({
    nodes: [{ op: "Op", inputs: ["x"], outputs, attributes }],
    inputs: { x: [1] },
    outputs: ["y"],
  });
  return new Attributes(parseModel(file).graph?.nodes[0] as NodeProto, opset);
};

describe("attributes", () => {
  it("count axes from the end where they are negative, and take each once", () => {
    expect(read().axis("axis", -1, 4)).toBe(3);
    expect(() => read().axis("axis", 4, 4)).toThrow(`"axis" expected an axis from -4 to 3, got 4`);
    expect(() => read().axis("axis", -5, 4)).toThrow(ModelError);
    expect(() => read().axes("axes", [0, -2], 2)).toThrow(`"axes" expected each axis once, got [0, -2]`);
  });

  it("have the type that is asked for, or are refused", () => {
    const c = read({ alpha: { float: 0.5 }, mode: "edge", pads: [1, 2] });
    expect([c.float("alpha", 1), c.float("beta", 2), c.string("mode", ""), c.ints("pads")]).toEqual([
      0.5,
      2,
      "edge",
      [1, 2],
    ]);
    expect(() => c.int("alpha", 0)).toThrow(`"alpha" expected an attribute of type 2 (i), got type 1`);
    expect(() => c.oneOf("mode", "constant", ["constant"])).toThrow(UnsupportedError);
  });
});

describe("windows", () => {
  const axis = (size: number, taps: number, attributes: NonNullable<Node["attributes"]> = {}) => {
    const [{ before, after, out } = { before: 0, after: 0, out: 0 }] = windowAxes(read(attributes), [size], [taps]);
    return [before, after, out];
  };

  it.each([
    ["no padding", 7, 3, {}, [0, 0, 5]],
    ["a stride that does not come out even", 8, 3, { strides: [2] }, [0, 0, 3]],
    ["dilated: 3 taps over 5", 7, 3, { dilations: [2] }, [0, 0, 3]],
    ["padding of its own each side", 5, 3, { pads: [2, 1] }, [2, 1, 6]],
    ["SAME_UPPER has the odd one behind", 6, 3, { strides: [2], auto_pad: "SAME_UPPER" }, [0, 1, 3]],
    ["SAME_LOWER has it in front", 6, 3, { strides: [2], auto_pad: "SAME_LOWER" }, [1, 0, 3]],
    ["SAME never crops", 6, 1, { strides: [2], auto_pad: "SAME_UPPER" }, [0, 0, 3]],
    ["SAME of dilated taps", 6, 3, { dilations: [2], auto_pad: "SAME_UPPER" }, [2, 2, 6]],
    ["VALID forgets pads", 6, 3, { pads: [1, 1], auto_pad: "VALID" }, [0, 0, 4]],
    ["rounded up", 6, 3, { strides: [2], ceil_mode: 1 }, [0, 0, 3]],
    ["not up to a window that starts behind the image", 4, 1, { strides: [2], pads: [0, 1], ceil_mode: 1 }, [0, 1, 2]],
    ["rounded down it may", 4, 1, { strides: [2], pads: [0, 1] }, [0, 1, 3]],
  ] as const)("%s", (_, size, taps, attributes, wanted) => {
    expect(axis(size, taps, attributes)).toEqual(wanted);
  });

  it("refuse what leaves no output, and numbers that are none", () => {
    expect(() => axis(2, 3)).toThrow(`"kernel_shape" expected at most 2 taps an axis, got 3`);
    expect(() => axis(5, 3, { strides: [0] })).toThrow(`"strides" expected integers >= 1, got 0`);
    expect(() => axis(5, 3, { pads: [1] })).toThrow(`"pads" expected 2 numbers, got [1]`);
  });

  const turned = (size: number, taps: number, attributes: NonNullable<Node["attributes"]>) => {
    const [{ before, after, out } = { before: 0, after: 0, out: 0 }] = transposedAxes(read(attributes), [size], [taps]);
    return [before, after, out];
  };

  it.each([
    ["every input reaches its taps", 3, 3, { strides: [2] }, [0, 0, 7]],
    ["pads take from the output", 3, 3, { strides: [2], pads: [1, 1] }, [1, 1, 5]],
    ["output_padding adds to its end", 3, 3, { strides: [2], pads: [1, 1], output_padding: [1] }, [1, 1, 6]],
    ["dilated", 3, 3, { dilations: [2] }, [0, 0, 7]],
    ["SAME_UPPER: size times stride, the odd one behind", 3, 3, { strides: [2], auto_pad: "SAME_UPPER" }, [0, 1, 6]],
    ["SAME_LOWER: in front", 3, 3, { strides: [2], auto_pad: "SAME_LOWER" }, [1, 0, 6]],
    ["output_shape may be larger than all taps reach", 3, 3, { strides: [2], output_shape: [8] }, [0, -1, 8]],
  ] as const)("transposed: %s", (_, size, taps, attributes, wanted) => {
    expect(turned(size, taps, attributes)).toEqual(wanted);
  });
});

describe("slices", () => {
  const range = (size: number, start: number, end: number, step?: number) => {
    const steps = step === undefined ? undefined : [step];
    const [{ start: from, count } = { start: 0, count: 0 }] = sliceRanges(
      read(),
      [size],
      [start],
      [end],
      undefined,
      steps,
    );
    return [from, count];
  };
  const MOST = 2 ** 63; // "to the end", as exporters write it

  it.each([
    ["from 2 to the one before 8", [10, 2, 8], [2, 6]],
    ["from the end", [10, -3, -1], [7, 2]],
    ["to the end", [10, 4, MOST], [4, 6]],
    ["every third", [10, 0, MOST, 3], [0, 4]],
    ["backwards: 8, 6, 4", [10, 8, 2, -2], [8, 3]],
    ["all of it backwards", [10, -1, -MOST, -1], [9, 10]],
    ["backwards from beyond the end", [10, 100, 0, -1], [9, 9]],
    ["backwards, nothing above the end", [10, 2, 5, -1], [2, 0]],
    ["backwards from before the start: the first", [2, -9, -MOST, -1], [0, 1]],
    ["backwards from there, and not below the first", [2, -9, 0, -1], [0, 0]],
    ["backwards of nothing", [0, -1, -MOST, -1], [-1, 0]],
    ["nothing", [10, 8, 2], [8, 0]],
    ["from beyond the end", [10, 20, 30], [10, 0]],
    ["from before the start", [10, -20, 3], [0, 3]],
  ] as const)("%s", (_, [size, start, end, step], wanted) => {
    expect(range(size, start, end, step)).toEqual(wanted);
  });

  it("are of the axes that are named", () => {
    const [first, second] = sliceRanges(read(), [4, 5, 6], [1, 2], [3, 6], [-1, 0], undefined);
    expect([first?.axis, first?.start, first?.count]).toEqual([2, 1, 2]);
    expect([second?.axis, second?.start, second?.count]).toEqual([0, 2, 2]);
  });

  it("refuse a step of 0 and lists of two lengths", () => {
    expect(() => range(10, 0, 5, 0)).toThrow(`"steps" expected steps other than 0, got 0`);
    expect(() => sliceRanges(read(), [4, 4], [0, 0], [1], undefined, undefined)).toThrow(
      /expected one length, got 2 and 1/,
    );
  });

  it("pads are of the axes that are named, all befores ahead of all afters", () => {
    expect(padsOf(read(), 4, [1, 2, 3, 4], [2, -1])).toEqual([0, 0, 1, 2, 0, 0, 3, 4]);
    expect(padsOf(read({ pads: [0, 1, 2, 3] }), 2, undefined, undefined)).toEqual([0, 1, 2, 3]);
    expect(padsOf(read({ paddings: [1, 1] }), 1, undefined, undefined)).toEqual([1, 1]); // operator set 1
    expect(() => padsOf(read(), 2, [1, 1], undefined)).toThrow(`"pads" expected 4 numbers, got 2`);
  });
});

describe("shapes", () => {
  it("Reshape copies a 0 and fills in a -1", () => {
    expect(reshapeTo([2, 3, 4], [0, -1], false)).toEqual([2, 12]);
    expect(reshapeTo([2, 3, 4], [4, 0, 2], false)).toEqual([4, 3, 2]);
    expect(reshapeTo([2, 0], [0, 5], true)).toEqual([0, 5]);
    expect(reshapeTo([0, 3], [-1, 3], false)).toEqual([0, 3]);
    expect(() => reshapeTo([2, 3], [4, -1], false)).toThrow(
      `"shape" expected the element count of [2, 3], got [4, -1]`,
    );
    expect(() => reshapeTo([2, 3], [-1, -1], false)).toThrow(ModelError);
  });

  it("Unsqueeze, Squeeze and Flatten", () => {
    expect(unsqueezeTo(read(), [3, 4], [0, -1])).toEqual([1, 3, 4, 1]);
    expect(unsqueezeTo(read(), [3, 4], [2, 1])).toEqual([3, 1, 1, 4]);
    expect(squeezeTo(read(), [1, 3, 1], undefined)).toEqual([3]);
    expect(squeezeTo(read(), [1, 3, 1], [-1])).toEqual([1, 3]);
    expect(() => squeezeTo(read(), [1, 3], [1])).toThrow(`"axes" expected axes of size 1, got axis 1 of [1, 3]`);
    expect([2, 0, 3, -1].map((axis) => flattenTo(read({ axis }), [2, 3, 4]))).toEqual([
      [6, 4],
      [1, 24],
      [24, 1],
      [6, 4],
    ]);
  });

  it("Split: what is given, or parts of one size with a smaller last one", () => {
    expect(splitSizes(read(), 5, [2, 3])).toEqual([2, 3]);
    expect(splitSizes(read({ num_outputs: 4 }), 10, undefined)).toEqual([3, 3, 3, 1]);
    expect(splitSizes(read({}, 11, ["y", "z"]), 6, undefined)).toEqual([3, 3]);
    expect(() => splitSizes(read(), 5, [2, 2])).toThrow(`"split" expected sizes that add up to 5, got [2, 2]`);
    expect(() => splitSizes(read({ num_outputs: 4 }), 5, undefined)).toThrow(ModelError);
  });

  it("broadcast as NumPy does", () => {
    expect(broadcastShape([2, 1, 4], [3, 1])).toEqual([2, 3, 4]);
    expect(broadcastShape([], [5])).toEqual([5]);
    expect(broadcastShape([1], [0])).toEqual([0]);
    expect(broadcastShape([2, 1], [1, 3], [1])).toEqual([2, 3]);
    expect(() => broadcastShape([2, 3], [4])).toThrow(`"shape" expected shapes that broadcast, got [2, 3] and [4]`);
  });
});

describe("resizing", () => {
  /** One axis of values resized to `out`, by its taps. */
  const resized = (values: readonly number[], out: number, attributes: NonNullable<Node["attributes"]>, opset = 21) => {
    const size = values.length;
    const plan =
      opset < 11
        ? resizePlan(read(attributes, opset), [size], [[out / size]])
        : resizePlan(read(attributes, opset), [size], [undefined, undefined, [out]]);
    const taps = tapsOf(plan, size, plan.axes[0] as ResizeAxis);
    expect(tapsCost(plan, plan.axes[0] as ResizeAxis)).toBeGreaterThanOrEqual(64 * out);
    return taps.map(({ at, weights }) =>
      at.reduce((sum, i, k) => sum + (values[i] as number) * (weights[k] as number), 0),
    );
  };
  const linear = { mode: "linear" };

  it.each([
    ["half_pixel is the default", [10, 20], 4, linear, [10, 12.5, 17.5, 20]],
    [
      "align_corners",
      [0, 1, 2],
      5,
      { ...linear, coordinate_transformation_mode: "align_corners" },
      [0, 0.5, 1, 1.5, 2],
    ],
    ["asymmetric", [0, 4], 4, { ...linear, coordinate_transformation_mode: "asymmetric" }, [0, 2, 4, 4]],
    [
      "pytorch_half_pixel of one: the first",
      [3, 5, 9],
      1,
      { ...linear, coordinate_transformation_mode: "pytorch_half_pixel" },
      [3],
    ],
    ["half_pixel of one: the middle", [3, 5, 9], 1, linear, [5]],
    [
      "half_pixel_symmetric where sizes are whole: half_pixel",
      [10, 20],
      4,
      { ...linear, coordinate_transformation_mode: "half_pixel_symmetric" },
      [10, 12.5, 17.5, 20],
    ],
    ["without antialiasing two of four", [8, 16, 32, 64], 2, linear, [12, 48]],
    ["with: triangles twice as wide", [8, 16, 32, 64], 2, { ...linear, antialias: 1 }, [14, 46]],
    ["nearest: a tie is the lower one", [0, 1, 2, 3], 2, {}, [0, 2]],
    ["round_prefer_ceil: the upper one", [0, 1, 2, 3], 2, { nearest_mode: "round_prefer_ceil" }, [1, 3]],
    ["floor", [0, 1, 2, 3], 2, { nearest_mode: "floor" }, [0, 2]],
    ["ceil", [0, 1, 2, 3], 2, { nearest_mode: "ceil" }, [1, 3]],
    [
      "tf_half_pixel_for_nn",
      [0, 1, 2, 3],
      2,
      { coordinate_transformation_mode: "tf_half_pixel_for_nn", nearest_mode: "floor" },
      [1, 3],
    ],
  ] as const)("%s", (_, values, out, attributes, wanted) => {
    expect(resized(values, out, attributes)).toEqual(wanted);
  });

  // By hand, with mantissas of 24 bits; float32's steps around 5 and 7 are 2^-21 = 4.8e-7.
  it.each([
    // 1.2 is 10066330 / 2^23, a little more: 6 / 1.2 is 4.9999998, whose nearest is 5.
    ["x 1.2", [10], [1.2], { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }, 6, 5],
    ["x 1.2 of operator set 10", [10], [1.2], {}, 6, 5],
    // 1.3 is 10905190 / 2^23, a little less: 6.5 / 1.3 is 5.0000002, so 5, and 4.5 is a tie, which goes down.
    ["half_pixel x 1.3", [8], [1.3], {}, 6, 4],
    // 16 / 14 is 9586981 / 2^23, a little more: 8 of it are 6.9999997, whose nearest is 6.9999995.
    ["14 to 16", [14], 16, { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }, 8, 6],
  ] as const)("nearest, %s: coordinates are float32's", (name, [size], scale, attributes, output, wanted) => {
    const isOld = name.endsWith("10");
    const list = typeof scale === "number" ? [undefined, undefined, [scale]] : [undefined, scale.map(Math.fround)];
    const plan = resizePlan(read(attributes, isOld ? 10 : 21), [size], isOld ? list.slice(1) : list);
    expect(tapsOf(plan, size, plan.axes[0] as ResizeAxis)[output]?.at).toEqual([wanted]);
  });

  it("cubic: Keys' kernel of -0.75, or what is asked for; outside weighs nothing where that is said", () => {
    // Half way between the second and the third of four.
    const [, half] = resized([0, 0, 1, 0, 0, 0], 3, { mode: "cubic" });
    expect(half).toBeCloseTo(0.59375, 12);
    const [, catmull] = resized([0, 0, 1, 0, 0, 0], 3, { mode: "cubic", cubic_coeff_a: { float: -0.5 } });
    expect(catmull).toBeCloseTo(0.5625, 12);
    const ones = resized([1, 1, 1], 7, { mode: "cubic", exclude_outside: 1 });
    for (const one of ones) expect(one).toBeCloseTo(1, 12);
    // The first output lies at -0.25: of its taps at -2, -1, 0 and 1 the last two are inside, 0.25 and 1.25 away.
    const [edge] = resized([1, 0, 0, 0], 8, { mode: "cubic", exclude_outside: 1 });
    const [near, far] = [0.87890625, -0.10546875];
    expect(edge).toBeCloseTo(near / (near + far), 12);
  });

  it("operator sets before 11 have scales second, and their own nearest: towards 0, or up where the image shrinks", () => {
    expect(resized([1, 2], 4, {}, 10)).toEqual([1, 1, 2, 2]);
    expect(resized([1, 2, 3], 2, {}, 9)).toEqual([1, 3]);
    const old = resizePlan(read({ height_scale: { float: 2 }, width_scale: { float: 3 } }, 1), [1, 1, 2, 2], []);
    expect(old.axes.map(({ out }) => out)).toEqual([1, 1, 4, 6]);
  });

  it("sizes: from scales in float32, or within a policy by one scale for all", () => {
    const outs = (inputs: readonly (readonly number[] | undefined)[], attributes = {}) =>
      resizePlan(read(attributes), [1, 1, 10, 20], inputs).axes.map(({ out }) => out);
    expect(outs([undefined, [1, 1, 0.25, 0.26]])).toEqual([1, 1, 2, 5]);
    expect(resizePlan(read(), [5], [undefined, [Math.fround(2.6)]]).axes[0]?.out).toBe(13);
    expect(outs([undefined, undefined, [5, 5]], { axes: [2, 3] })).toEqual([1, 1, 5, 5]);
    expect(outs([undefined, undefined, [5, 5]], { axes: [2, 3], keep_aspect_ratio_policy: "not_larger" })).toEqual([
      1, 1, 3, 5,
    ]);
    expect(outs([undefined, undefined, [5, 5]], { axes: [2, 3], keep_aspect_ratio_policy: "not_smaller" })).toEqual([
      1, 1, 5, 10,
    ]);
    expect(() => outs([undefined, [0, 1, 1, 1]])).toThrow(`"scales" expected numbers above 0, got 0`);
    expect(() => outs([])).toThrow(/"scales" expected 4 numbers/);
  });

  it("a crop has no taps outside of the image, and keeps no axis", () => {
    const crop = { mode: "linear", coordinate_transformation_mode: "tf_crop_and_resize" };
    const plan = resizePlan(read(crop), [4], [[0.5, 1.5], undefined, [3]]);
    const taps = tapsOf(plan, 4, plan.axes[0] as ResizeAxis);
    expect(taps.map(({ at }) => at.length > 0)).toEqual([true, true, false]); // 1.5, 3 and 4.5 of 0 to 3
    expect(isKept(resizePlan(read(crop), [4], [[0, 1], [1]]), 4, { scale: 1, out: 4, start: 0, end: 1 })).toBe(false);
    expect(isKept(resizePlan(read(), [4], [undefined, [1]]), 4, { scale: 1, out: 4, start: 0, end: 1 })).toBe(true);
  });
});
