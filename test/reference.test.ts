// Tests of the oracle itself, and of the tools that compare with it: answers worked out by hand, and laws
// that tie one operator to another.
import { describe, expect, it } from "vitest";
import {
  ADAPTIVE_POOL_CASES,
  CONV_CASES,
  CONV_TRANSPOSE_CASES,
  convShapes,
  convTransposeShapes,
  LINEAR_CASES,
  MATMUL_CASES,
  POOL_CASES,
  poolShapes,
  showCase,
} from "./cases.js";
import { fill, random, seedOf } from "./random.js";
import * as reference from "./reference.js";
import { type Ref, ref } from "./reference.js";
import { dotTolerance, expectClose, normTolerance, ulpOf, ulpTolerance } from "./tolerance.js";

/** Numbers written by hand: equal but for the last bits of float64. NaN meets NaN only. */
function expectRef(actual: Ref, shape: readonly number[], values: readonly number[]): void {
  expect(actual.shape).toEqual(shape);
  expect(actual.data.length).toBe(values.length);
  values.forEach((value, i) => {
    const got = actual.data[i] as number;
    const near = Object.is(got, value) || Math.abs(got - value) <= 1e-14 * Math.max(1, Math.abs(value));
    expect(near, `expected [${values}], got [${actual.data}]`).toBe(true);
  });
}

/** Both were computed in float64, in different orders. */
function expectSame(actual: Ref, expected: Ref): void {
  expect(actual.shape).toEqual(expected.shape);
  const largest = expected.data.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
  expectClose(actual.data, expected, 1e-12 * largest, "float64");
}

const range = (shape: readonly number[], first = 1): Ref => {
  let next = first;
  return reference.build(shape, () => next++);
};
const normal = (shape: readonly number[], seed: number | string): Ref => ref(shape, fill(shape, seed));
const row = (...values: number[]): Ref => ref([1, 1, 1, values.length], values);
const vector = (...values: number[]): Ref => ref([values.length], values);

describe("conv2d", () => {
  const x = range([1, 1, 3, 3]);
  const w = range([1, 1, 2, 2]);

  it("slides the kernel without flipping it", () => {
    expectRef(reference.conv2d(x, w, null), [1, 1, 2, 2], [37, 47, 67, 77]);
  });
  it("starts from the bias", () => {
    expectRef(reference.conv2d(x, w, vector(0.5)), [1, 1, 2, 2], [37.5, 47.5, 67.5, 77.5]);
  });
  it("strides over an image padded with zeros", () => {
    const y = reference.conv2d(x, w, null, { stride: [2, 2], padding: [1, 1, 1, 1] });
    expectRef(y, [1, 1, 2, 2], [4, 18, 36, 77]);
  });
  it("pads each side by itself: top, left, bottom, right", () => {
    const top = reference.conv2d(x, w, null, { padding: [1, 0, 0, 0] });
    expectRef(top, [1, 1, 3, 2], [11, 18, 37, 47, 67, 77]);
    const left = reference.conv2d(x, w, null, { padding: [0, 1, 0, 0] });
    expectRef(left, [1, 1, 2, 3], [18, 37, 47, 36, 67, 77]);
    const bottom = reference.conv2d(x, w, null, { padding: [0, 0, 1, 0] });
    expectRef(bottom, [1, 1, 3, 2], [37, 47, 67, 77, 23, 26]);
    const right = reference.conv2d(x, w, null, { padding: [0, 0, 0, 1] });
    expectRef(right, [1, 1, 2, 3], [37, 47, 21, 67, 77, 33]);
  });
  it("spreads taps by the dilation", () => {
    expectRef(reference.conv2d(x, w, null, { dilation: [2, 2] }), [1, 1, 1, 1], [64]);
    expectRef(reference.conv2d(x, w, null, { dilation: [1, 2] }), [1, 1, 2, 1], [43, 73]);
  });
  it("sums over input channels", () => {
    const y = reference.conv2d(ref([1, 2, 1, 1], [2, 3]), ref([2, 2, 1, 1], [5, 7, 1, -1]), null);
    expectRef(y, [1, 2, 1, 1], [31, -1]);
  });
  it("keeps groups apart, with any number of filters in each", () => {
    const images = ref([1, 2, 1, 2], [1, 2, 3, 4]);
    const one = reference.conv2d(images, ref([2, 1, 1, 1], [10, 100]), null, { groups: 2 });
    expectRef(one, [1, 2, 1, 2], [10, 20, 300, 400]);
    const two = reference.conv2d(images, ref([4, 1, 1, 1], [1, 10, 100, 1000]), vector(0, 1, 2, 3), {
      groups: 2,
    });
    expectRef(two, [1, 4, 1, 2], [1, 2, 11, 21, 302, 402, 3003, 4003]);
  });
  it("treats the images of a batch alike", () => {
    const y = reference.conv2d(range([2, 1, 1, 2]), ref([1, 1, 1, 2], [1, 10]), null);
    expectRef(y, [2, 1, 1, 1], [21, 43]);
  });
  it("refuses shapes that do not fit", () => {
    expect(() => reference.conv2d(range([1, 3, 2, 2]), range([1, 2, 1, 1]), null)).toThrow('"channels"');
    expect(() => reference.conv2d(x, w, vector(1, 2))).toThrow('"bias"');
    expect(() => reference.conv2d(range([1, 2, 2, 2]), range([3, 1, 1, 1]), null, { groups: 2 })).toThrow("group");
  });
  it("pads to the same size, with the extra zero after", () => {
    expect(reference.samePadding(5, 3, 1, 1)).toEqual([1, 1]);
    expect(reference.samePadding(5, 2, 1, 1)).toEqual([0, 1]);
    expect(reference.samePadding(224, 3, 2, 1)).toEqual([0, 1]);
    expect(reference.samePadding(224, 7, 2, 1)).toEqual([2, 3]);
    expect(reference.samePadding(7, 1, 3, 1)).toEqual([0, 0]);
    expect(reference.samePadding(9, 3, 1, 2)).toEqual([2, 2]);
    expect(reference.samePadding(5, 2, 1, 1, "before")).toEqual([1, 0]);
    expect(reference.samePadding(224, 7, 2, 1, "before")).toEqual([3, 2]);
  });

  // Every option by what it means: zeros written around the image and between the taps, zero weights between
  // the groups, and all outputs computed before most of them are thrown away.
  // A thousand groups would be a million filters, nearly all of them zeros.
  const dense = CONV_CASES.filter(({ C, M }) => C * M <= 2 ** 16);
  it.each(dense)("is a plain dense convolution of padded data: $name", (c) => {
    const { x: xShape, weight, options, y: yShape } = convShapes(c);
    const { stride, padding, dilation, groups } = options;
    const [top, left, bottom, right] = padding;
    const image = normal(xShape, `${c.name} x`);
    const kernel = normal(weight, `${c.name} w`);
    const groupC = c.C / groups;
    const groupM = c.M / groups;
    const dense = reference.build(
      [c.M, c.C, (c.R - 1) * dilation[0] + 1, (c.S - 1) * dilation[1] + 1],
      (m, channel, r, s) => {
        const sameGroup = Math.floor(channel / groupC) === Math.floor(m / groupM);
        if (!sameGroup || r % dilation[0] !== 0 || s % dilation[1] !== 0) return 0;
        return reference.at(kernel, m, channel % groupC, r / dilation[0], s / dilation[1]);
      },
    );
    const padded = reference.pad(image, [0, 0, top, left], [0, 0, bottom, right]);
    const all = reference.conv2d(padded, dense, null);
    const ends = all.shape.slice(2);
    const y = reference.conv2d(image, kernel, null, options);
    expect(y.shape).toEqual(yShape);
    expectSame(y, reference.slice(all, [0, 0], ends, [2, 3], stride));
  });
});

describe("conv1d", () => {
  it("slides over a line", () => {
    const x = ref([1, 1, 5], [1, 2, 3, 4, 5]);
    const w = ref([1, 1, 3], [1, 0, -1]);
    expectRef(reference.conv1d(x, w, null), [1, 1, 3], [-2, -2, -2]);
    expectRef(reference.conv1d(x, w, vector(1), { padding: [1, 1] }), [1, 1, 5], [-1, -1, -1, -1, 5]);
    expectRef(reference.conv1d(x, w, null, { stride: 2, padding: [2, 0] }), [1, 1, 3], [-1, -2, -2]);
    expectRef(reference.conv1d(x, w, null, { dilation: 2 }), [1, 1, 1], [-4]);
  });
  it.each([
    { stride: 1, padding: [0, 0], dilation: 1, groups: 1 },
    { stride: 2, padding: [3, 1], dilation: 1, groups: 3 },
    { stride: 1, padding: [2, 4], dilation: 3, groups: 1 },
    { stride: 3, padding: [0, 5], dilation: 2, groups: 3 },
  ] as const)("is conv2d over an image of one row: %o", ({ stride, padding, dilation, groups }) => {
    const x = normal([2, 6, 13], 1);
    const w = normal([9, 6 / groups, 4], 2);
    const b = normal([9], 3);
    const y = reference.conv2d(reference.reshape(x, [2, 6, 1, 13]), reference.reshape(w, [9, -1, 1, 4]), b, {
      stride: [1, stride],
      padding: [0, padding[0], 0, padding[1]],
      dilation: [1, dilation],
      groups,
    });
    const line = reference.conv1d(x, w, b, { stride, padding, dilation, groups });
    expectSame(line, reference.reshape(y, [2, 9, -1]));
  });
});

describe("convTranspose2d", () => {
  const x = range([1, 1, 2, 2], 0);
  const w = range([1, 1, 2, 2], 0);

  it("adds up overlapping stamps", () => {
    expectRef(reference.convTranspose2d(x, w, null), [1, 1, 3, 3], [0, 0, 1, 0, 4, 6, 4, 12, 9]);
  });
  it("sets stamps apart by the stride", () => {
    const y = reference.convTranspose2d(x, w, vector(1), { stride: [2, 2] });
    expectRef(y, [1, 1, 4, 4], [1, 1, 1, 2, 1, 1, 3, 4, 1, 3, 1, 4, 5, 7, 7, 10]);
  });
  it("cuts the padding off", () => {
    expectRef(reference.convTranspose2d(x, w, null, { padding: [1, 1, 1, 1] }), [1, 1, 1, 1], [4]);
    expectRef(reference.convTranspose2d(x, w, null, { padding: [1, 0, 0, 1] }), [1, 1, 2, 2], [0, 4, 4, 12]);
  });
  it("adds the output padding at the bottom and at the right", () => {
    const y = reference.convTranspose2d(x, w, null, { padding: [1, 1, 1, 1], outputPadding: [1, 1] });
    expectRef(y, [1, 1, 2, 2], [4, 6, 12, 9]);
    const strided = reference.convTranspose2d(row(1, 2), range([1, 1, 1, 1]), vector(7), {
      stride: [1, 3],
      outputPadding: [0, 2],
    });
    expectRef(strided, [1, 1, 1, 6], [8, 7, 7, 9, 7, 7]);
  });
  it("spreads a stamp by the dilation", () => {
    const y = reference.convTranspose2d(row(1, 10), range([1, 1, 1, 2]), null, { dilation: [1, 2] });
    expectRef(y, [1, 1, 1, 4], [1, 10, 2, 20]);
  });
  it("sums over input channels and keeps groups apart", () => {
    const images = ref([1, 2, 1, 1], [2, 3]);
    expectRef(
      reference.convTranspose2d(images, ref([2, 2, 1, 1], [1, 10, 100, 1000]), null),
      [1, 2, 1, 1],
      [302, 3020],
    );
    const grouped = reference.convTranspose2d(images, ref([2, 2, 1, 1], [1, 10, 100, 1000]), null, {
      groups: 2,
    });
    expectRef(grouped, [1, 4, 1, 1], [2, 20, 300, 3000]);
  });

  const dot = (a: Ref, b: Ref): number => a.data.reduce((sum, value, i) => sum + value * (b.data[i] as number), 0);

  // <conv(x), y> = <x, convTranspose(y)>, with the same weights: rows that conv2d skips need the output
  // padding.
  it.each(CONV_CASES)("is the adjoint of conv2d: $name", (c) => {
    const { x: xShape, weight, options, y: yShape } = convShapes(c);
    const { stride, padding, dilation } = options;
    const image = normal(xShape, `${c.name} x`);
    const kernel = normal(weight, `${c.name} w`);
    const gradient = normal(yShape, `${c.name} y`);
    const [P, Q] = yShape.slice(2) as [number, number];
    const left = (size: number, out: number, k: number, axis: 0 | 1) =>
      size -
      reference.convTransposeOutputSize(
        out,
        k,
        stride[axis],
        padding[axis] + padding[(axis + 2) as 2 | 3],
        dilation[axis],
        0,
      );
    const outputPadding = [left(c.H, P, c.R, 0), left(c.W, Q, c.S, 1)] as const;
    const forth = dot(reference.conv2d(image, kernel, null, options), gradient);
    const back = dot(image, reference.convTranspose2d(gradient, kernel, null, { ...options, outputPadding }));
    const size = dot(reference.conv2dMagnitude(image, kernel, null, options), reference.abs(gradient));
    expect(Math.abs(forth - back)).toBeLessThanOrEqual(1e-13 * size);
  });

  it.each(CONV_TRANSPOSE_CASES)("is the adjoint of conv2d: $name", (c) => {
    const { x: xShape, weight, options, y: yShape } = convTransposeShapes(c);
    const image = normal(xShape, `${c.name} x`);
    const kernel = normal(weight, `${c.name} w`);
    const y = reference.convTranspose2d(image, kernel, null, options);
    expect(y.shape).toEqual(yShape);
    const gradient = normal(yShape, `${c.name} y`);
    const back = reference.conv2d(gradient, kernel, null, options);
    // The convolution may fit in once more than x is large: those rows touch only output padding that x can't
    // reach.
    const cut = reference.slice(back, [0, 0], [c.H, c.W], [2, 3]);
    expect(cut.shape).toEqual(xShape);
    expect(Math.abs(dot(y, gradient) - dot(image, cut))).toBeLessThanOrEqual(
      1e-13 * dot(reference.convTranspose2dMagnitude(image, kernel, null, options), reference.abs(gradient)),
    );
  });
});

describe("pooling", () => {
  const x = range([1, 1, 4, 4]);
  const two = { kernel: [2, 2], stride: [2, 2] } as const;

  it("takes the maximum or the mean of windows", () => {
    expectRef(reference.maxPool2d(x, two), [1, 1, 2, 2], [6, 8, 14, 16]);
    expectRef(reference.avgPool2d(x, two), [1, 1, 2, 2], [3.5, 5.5, 11.5, 13.5]);
  });
  it("keeps images and channels apart", () => {
    expectRef(reference.maxPool2d(range([2, 2, 1, 2]), { kernel: [1, 2], stride: [1, 1] }), [2, 2, 1, 1], [2, 4, 6, 8]);
  });
  it("drops what is left, or takes a smaller window with ceilMode", () => {
    const options = { kernel: [1, 2], stride: [1, 2] } as const;
    expectRef(reference.maxPool2d(row(1, 2, 3, 4, 5), options), [1, 1, 1, 2], [2, 4]);
    expectRef(reference.maxPool2d(row(1, 2, 3, 4, 5), { ...options, ceilMode: true }), [1, 1, 1, 3], [2, 4, 5]);
    expectRef(reference.avgPool2d(row(1, 2, 3, 4, 5), { ...options, ceilMode: true }), [1, 1, 1, 3], [1.5, 3.5, 5]);
  });
  it("drops a last window that would start behind the image", () => {
    // Padded to 7, stride 2: a fourth window would start at 6, in the padding on the right.
    const options = { kernel: [1, 2], stride: [1, 2], padding: [0, 1, 0, 1], ceilMode: true } as const;
    expectRef(reference.maxPool2d(row(1, 2, 3, 4, 5), options), [1, 1, 1, 3], [1, 3, 5]);
    expectRef(reference.avgPool2d(row(1, 2, 3, 4, 5), options), [1, 1, 1, 3], [1, 2.5, 4.5]);
  });
  it("counts the padding only when told to, and never what hangs over", () => {
    const options = { kernel: [1, 3], stride: [1, 3], padding: [0, 1, 0, 1], ceilMode: true } as const;
    expectRef(reference.avgPool2d(row(1, 2, 3, 4, 5, 6), options), [1, 1, 1, 3], [1.5, 4, 6]);
    const counting = { ...options, countIncludePad: true };
    expectRef(reference.avgPool2d(row(1, 2, 3, 4, 5, 6), counting), [1, 1, 1, 3], [1, 4, 3]);
  });
  it("never takes padding for the maximum", () => {
    const options = { kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1] } as const;
    expectRef(reference.maxPool2d(row(-1, -2, -3), options), [1, 1, 1, 3], [-1, -1, -2]);
  });
  it("spreads the maximum's window by the dilation", () => {
    const options = { kernel: [1, 2], stride: [1, 1], dilation: [1, 2] } as const;
    expectRef(reference.maxPool2d(row(5, 4, 3, 2, 1), options), [1, 1, 1, 3], [5, 4, 3]);
  });
  it("passes NaN on", () => {
    const options = { kernel: [1, 2], stride: [1, 1] } as const;
    expectRef(reference.maxPool2d(row(1, Number.NaN, 3, 4), options), [1, 1, 1, 3], [Number.NaN, Number.NaN, 4]);
    expectRef(reference.avgPool2d(row(1, Number.NaN, 3, 4), options), [1, 1, 1, 3], [Number.NaN, Number.NaN, 3.5]);
  });
  it("divides an image into parts that may overlap", () => {
    expectRef(reference.adaptiveAvgPool2d(row(1, 2, 3, 4, 5), [1, 3]), [1, 1, 1, 3], [1.5, 3, 4.5]);
    expectRef(reference.adaptiveMaxPool2d(row(1, 2, 3, 4, 5), [1, 3]), [1, 1, 1, 3], [2, 4, 5]);
    expectRef(reference.adaptiveAvgPool2d(row(1, 2), [1, 3]), [1, 1, 1, 3], [1, 1.5, 2]);
    expectRef(reference.adaptiveAvgPool2d(x, [2, 2]), [1, 1, 2, 2], [3.5, 5.5, 11.5, 13.5]);
  });
  it("pools a whole image", () => {
    expectRef(reference.globalAvgPool(range([1, 2, 2, 2])), [1, 2, 1, 1], [2.5, 6.5]);
    expectRef(reference.globalMaxPool(range([1, 2, 2, 2])), [1, 2, 1, 1], [4, 8]);
  });

  it.each(POOL_CASES)("of averages that count the padding is a depthwise convolution: $name", (c) => {
    const { x: xShape, options } = poolShapes(c);
    const { kernel, stride, padding } = options;
    const image = normal(xShape, c.name);
    const weight = reference.build([c.C, 1, ...kernel], () => 1 / (kernel[0] * kernel[1]));
    const y = reference.avgPool2d(image, { kernel, stride, padding, countIncludePad: true });
    expectSame(y, reference.conv2d(image, weight, null, { stride, padding, groups: c.C }));
  });
});

describe("normalisation", () => {
  it("normalises channels by given statistics", () => {
    const x = ref([1, 2, 1, 2], [1, 3, 2, 6]);
    const y = reference.batchNorm(x, vector(2, 4), vector(1, 4), vector(2, 1), vector(0, 10), 0);
    expectRef(y, [1, 2, 1, 2], [-2, 2, 9, 11]);
    const plain = reference.batchNorm(x, vector(2, 4), vector(0.75, 3.75), null, null, 0.25);
    expectRef(plain, [1, 2, 1, 2], [-1, 1, -1, 1]);
  });
  it("normalises channels by the statistics of the batch, and keeps running ones", () => {
    const x = ref([2, 2, 1, 1], [1, 10, 3, 50]);
    const result = reference.batchNormTrain(x, vector(1, 2), vector(0, 5), vector(0, 10), vector(1, 100), {
      epsilon: 0,
      momentum: 0.1,
    });
    expectRef(result.y, [2, 2, 1, 1], [-1, 3, 1, 7]);
    expectRef(result.mean, [2], [2, 30]);
    expectRef(result.variance, [2], [1, 400]);
    expectRef(result.runningMean, [2], [0.2, 12]);
    expectRef(result.runningVariance, [2], [0.9 + 0.1 * 2, 90 + 0.1 * 800]);
  });
  it("normalises over trailing axes, channels, or groups of them", () => {
    const x = ref([1, 4, 1, 2], [1, 3, 10, 30, 5, 5, 0, 8]);
    const layer = reference.layerNorm(ref([2, 2], [1, 3, 10, 30]), vector(2, 3), vector(1, 1), 0);
    expectRef(layer, [2, 2], [-1, 4, -1, 4]);
    const all = reference.layerNorm(ref([1, 2, 2], [1, 1, 3, 3]), null, null, 0, 1);
    expectRef(all, [1, 2, 2], [-1, -1, 1, 1]);
    const instance = reference.instanceNorm(x, vector(1, 1, 1, 2), vector(0, 0, 7, 1), 1e-300);
    expectRef(instance, [1, 4, 1, 2], [-1, 1, -1, 1, 7, 7, -1, 3]);
    const group = reference.groupNorm(ref([1, 4, 1, 1], [1, 3, 10, 30]), 2, vector(1, 2, 3, 4), null, 0);
    expectRef(group, [1, 4, 1, 1], [-1, 2, -3, 4]);
  });
  it("resamples by weighted rows and columns", () => {
    const x = ref([1, 1, 2, 2], [1, 2, 3, 4]);
    const half = { at: [0, 1], weights: [0.5, 0.5] };
    const last = { at: [1], weights: [1] };
    expectRef(reference.resample(x, [half, last], [half, last, last]), [1, 1, 2, 3], [2.5, 3, 3, 3.5, 4, 4]);
  });

  it("resizes a line by where output pixels lie in the input", () => {
    const line = (values: number[], out: number, options: reference.ResizeOptions, scale = out / values.length) => [
      ...reference.resize(row(...values), [1, out], [1, scale], options).data,
    ];
    expect(line([1, 2, 3, 4], 8, { mode: "linear" })).toEqual([1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4]);
    expect(line([1, 3], 4, { mode: "linear", coordinates: "asymmetric" })).toEqual([1, 2, 3, 3]);
    expect(line([1, 3], 3, { mode: "linear", coordinates: "align_corners" })).toEqual([1, 2, 3]);
    expect(line([1, 2, 3, 4], 1, { mode: "linear", coordinates: "align_corners" })).toEqual([1]);
    expect(line([1, 2, 3, 4], 1, { mode: "linear" })).toEqual([2.5]);
    expect(line([1, 2, 3, 4], 1, { mode: "linear", coordinates: "pytorch_half_pixel" })).toEqual([1]);
    // 2.5 pixels were asked for, 2 are there, in the middle: places 0.1 and 0.9.
    const middle = line([0, 10], 2, { mode: "linear", coordinates: "half_pixel_symmetric" }, 1.25);
    expectRef(vector(...middle), [2], [1, 9]);
    const crop = { mode: "linear", coordinates: "tf_crop_and_resize", outside: 7 } as const;
    expect(line([0, 10, 20, 30, 40], 3, { ...crop, crop: [0, 0.25, 1, 0.75] })).toEqual([10, 20, 30]);
    expect(line([0, 10, 20, 30, 40], 1, { ...crop, crop: [0, 0.25, 1, 0.75] })).toEqual([20]);
    expect(line([0, 10, 20, 30, 40], 3, { ...crop, crop: [0, -0.25, 1, 0.25] })).toEqual([7, 0, 10]);
  });
  it("resizes to the nearest pixel, halves as told", () => {
    const nearest = (values: number[], out: number, mode: reference.ResizeOptions["nearest"], more = {}) => [
      ...reference.resize(row(...values), [1, out], [1, out / values.length], {
        mode: "nearest",
        ...(mode && { nearest: mode }),
        ...more,
      }).data,
    ];
    // Places 0.5 and 2.5.
    expect(nearest([1, 2, 3, 4], 2, undefined)).toEqual([1, 3]);
    expect(nearest([1, 2, 3, 4], 2, "round_prefer_ceil")).toEqual([2, 4]);
    expect(nearest([1, 2, 3, 4], 2, "floor")).toEqual([1, 3]);
    expect(nearest([1, 2, 3, 4], 2, "ceil")).toEqual([2, 4]);
    // Places 0, 0.5, 1 and 1.5.
    expect(nearest([1, 2], 4, "ceil", { coordinates: "asymmetric" })).toEqual([1, 2, 2, 2]);
  });
  it("resizes by cubics, without what lies outside, and by wider kernels", () => {
    const line = (values: number[], out: number, options: Omit<reference.ResizeOptions, "mode">) =>
      vector(
        ...reference.resize(row(...values), [1, out], [1, out / values.length], { mode: "cubic", ...options }).data,
      );
    // Place 1.5: pixels at 0.5 weigh 0.59375, those at 1.5 -0.09375.
    expectRef(line([0, 0, 1, 0], 1, {}), [1], [0.59375]);
    expectRef(line([1, 0, 0, 0], 1, {}), [1], [-0.09375]);
    expectRef(line([1, 0, 0, 0], 1, { cubicA: -0.5 }), [1], [-0.0625]);
    // Place 0.5 of three: the first of four taps lies outside.
    const corner = { coordinates: "asymmetric" } as const;
    expect(line([1, 0, 0], 6, corner).data[1]).toBe(0.5);
    expect(line([1, 0, 0], 6, { ...corner, excludeOutside: true }).data[1]).toBeCloseTo(19 / 35, 14);
    // test_resize_downsample_scales_cubic and ..._linear_antialias of the ONNX specification.
    const square = reference.resize(range([1, 1, 4, 4]), [3, 3], [0.8, 0.8], { mode: "cubic" });
    expect([...square.data.slice(0, 3)].map((v) => v.toFixed(8))).toEqual(["1.47119141", "2.78125000", "4.08251953"]);
    const wide = reference.resize(range([1, 1, 2, 4]), [1, 2], [0.6, 0.6], { mode: "linear", antialias: true });
    expectRef(wide, [1, 1, 1, 2], [2.875, 4.5]);
  });

  it("divides by the response of neighbouring channels", () => {
    const x = ref([1, 3, 1, 1], [1, 2, 3]);
    const odd = reference.localResponseNorm(x, { size: 3, alpha: 3, beta: 1, bias: 1 });
    expectRef(odd, [1, 3, 1, 1], [1 / 6, 2 / 15, 3 / 14]);
    // An even window has its extra channel after.
    const even = reference.localResponseNorm(x, { size: 2, alpha: 2, beta: 1, bias: 1 });
    expectRef(even, [1, 3, 1, 1], [1 / 6, 2 / 14, 3 / 10]);
    const root = reference.localResponseNorm(x, { size: 1, alpha: 1, beta: 0.5, bias: 0 });
    expectRef(root, [1, 3, 1, 1], [1, 1, 1]);
  });
});

describe("matrix products", () => {
  it("linear multiplies by the transposed weights", () => {
    const w = ref([2, 3], [1, 0, -1, 2, 2, 2]);
    expectRef(reference.linear(vector(1, 2, 3), w, vector(10, 20)), [2], [8, 32]);
    expectRef(reference.linear(ref([1, 2, 3], [1, 2, 3, 0, 0, 1]), w, null), [1, 2, 2], [-2, 12, -1, 2]);
  });
  it("matmul takes matrices, vectors and batches as numpy does", () => {
    const a = range([2, 2]);
    expectRef(reference.matmul(a, range([2, 2], 5)), [2, 2], [19, 22, 43, 50]);
    expectRef(reference.matmul(vector(1, 2, 3), vector(4, 5, 6)), [], [32]);
    expectRef(reference.matmul(vector(1, 10), a), [2], [31, 42]);
    expectRef(reference.matmul(a, vector(1, 10)), [2], [21, 43]);
    expectRef(reference.matmul(range([2, 1, 2]), ref([2, 1], [1, 10])), [2, 1, 1], [21, 43]);
    const both = reference.matmul(ref([2, 1, 1, 1], [2, 3]), ref([3, 1, 1], [1, 10, 100]));
    expectRef(both, [2, 3, 1, 1], [2, 20, 200, 3, 30, 300]);
    expect(() => reference.matmul(range([2, 3]), range([2, 3]))).toThrow('"inner size"');
    expect(() => reference.matmul(range([2, 1, 1]), range([3, 1, 1]))).toThrow("broadcast");
  });
  it.each(MATMUL_CASES)("matmul agrees with linear: $name", ({ name, a, b }) => {
    if (a.length !== 2 || b.length !== 2) return;
    const left = normal(a, `${name} a`);
    const right = normal(b, `${name} b`);
    expectSame(reference.matmul(left, right), reference.linear(left, reference.transpose(right), null));
  });
  it.each(LINEAR_CASES)("linear is a 1x1 convolution of one pixel: $name", ({ name, x, M, bias }) => {
    const K = x.at(-1) as number;
    const input = normal(x, `${name} x`);
    const weight = normal([M, K], `${name} w`);
    const b = bias ? normal([M], `${name} b`) : null;
    const image = reference.reshape(input, [-1, K, 1, 1]);
    const y = reference.conv2d(image, reference.reshape(weight, [M, K, 1, 1]), b);
    expectSame(reference.linear(input, weight, b), reference.reshape(y, [...x.slice(0, -1), M]));
  });
});

describe("quantised numbers", () => {
  it("rounds halves to even, and keeps to the range", () => {
    const rounded = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 2.5001].map(reference.roundToEven);
    expectRef(vector(...rounded), [8], [-2, -2, 0, 0, 2, 2, 2, 3]);
    const steps = reference.quantize(vector(0, 0.25, 0.75, 1.25, 300, -300), vector(0.5), vector(10), [0, 255]);
    expectRef(steps, [6], [10, 10, 12, 12, 255, 0]);
    expectRef(reference.dequantize(steps, vector(0.5), vector(10)), [6], [0, 0, 1, 1, 122.5, -5]);
    const rows = ref([2, 2], [1, 3, 1, 3]);
    const byRow = reference.quantize(rows, ref([2, 1], [1, 2]), ref([2, 1], [0, -7]), [-128, 127]);
    expectRef(byRow, [2, 2], [1, 3, -7, -5]);
  });
});

describe("activations", () => {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  const x = vector(-inf, -8, -3, -1, 0, 1, 3, 8, inf, nan);

  it("clamp", () => {
    expectRef(reference.relu(x), [10], [0, 0, 0, 0, 0, 1, 3, 8, inf, nan]);
    expectRef(reference.relu6(x), [10], [0, 0, 0, 0, 0, 1, 3, 6, 6, nan]);
    expectRef(reference.clip(x, -1, 2), [10], [-1, -1, -1, -1, 0, 1, 2, 2, 2, nan]);
    expectRef(reference.clip(x), [10], [...x.data]);
    expectRef(reference.hardSigmoid(x), [10], [0, 0, 0, 1 / 3, 0.5, 2 / 3, 1, 1, 1, nan]);
    expectRef(reference.hardSigmoid(x, 0.2, 0.5), [10], [0, 0, 0, 0.3, 0.5, 0.7, 1, 1, 1, nan]);
  });
  it("bend", () => {
    expectRef(reference.leakyRelu(x, 0.1), [10], [-inf, -0.8, -0.3, -0.1, 0, 1, 3, 8, inf, nan]);
    const y = reference.prelu(ref([1, 2, 1, 2], [-1, 2, -3, 4]), vector(0.5, 10));
    expectRef(y, [1, 2, 1, 2], [-0.5, 2, -30, 4]);
    expectRef(reference.prelu(ref([1, 2, 1, 2], [-1, 2, -3, 4]), vector(3)), [1, 2, 1, 2], [-3, 2, -9, 4]);
    const last = reference.prelu(ref([1, 1, 2, 2], [-1, -1, -1, -1]), ref([1, 2], [2, 3]));
    expectRef(last, [1, 1, 2, 2], [-2, -3, -2, -3]);
    const at1 = Math.exp(-1) - 1;
    expectRef(reference.elu(vector(-inf, -1, 0, 2, nan), 2), [5], [-2, 2 * at1, 0, 2, nan]);
  });
  it("curve", () => {
    const sigmoid1 = 0.7310585786300049;
    expectRef(reference.sigmoid(vector(-inf, -1, 0, 1, inf, nan)), [6], [0, 1 - sigmoid1, 0.5, sigmoid1, 1, nan]);
    expectRef(reference.tanh(vector(-inf, 0, 1, inf, nan)), [5], [-1, 0, 0.7615941559557649, 1, nan]);
    expectRef(reference.silu(vector(-1, 0, 1, inf, nan)), [5], [sigmoid1 - 1, 0, sigmoid1, inf, nan]);
    expectRef(reference.hardSwish(vector(-8, -1, 0, 1, 3, 8, nan)), [7], [-0, -1 / 3, 0, 2 / 3, 3, 8, nan]);
    expectRef(reference.gelu(vector(-1, 0, 1, inf, nan)), [5], [-0.15865525393145707, 0, 0.8413447460685429, inf, nan]);
    expectRef(reference.gelu(vector(0, 1, nan), "tanh"), [3], [0, 0.8411919906082768, nan]);
  });
  it("have an erf and an erfc that are good to 1e-15", () => {
    const known = [
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [1.999, 0.9953015566513705],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
      [9, 1],
      [Number.POSITIVE_INFINITY, 1],
    ] as const;
    for (const [at, value] of known) {
      expect(Math.abs(reference.erf(at) - value)).toBeLessThan(1e-15);
      expect(reference.erf(-at)).toBe(-reference.erf(at));
    }
    expect(reference.erf(0)).toBe(0);
    expect(reference.erf(nan)).toBeNaN();
    expect(reference.erfc(0)).toBe(1);
    expect(reference.erfc(5) / 1.5374597944280349e-12).toBeCloseTo(1, 13);
    expect(reference.erfc(10) / 2.088487583762545e-45).toBeCloseTo(1, 13);
    expect(reference.erfc(-Number.POSITIVE_INFINITY)).toBe(2);
  });
  it("softmax and its logarithm sum up along an axis", () => {
    const three = [0.09003057317038046, 0.24472847105479764, 0.6652409557748218];
    const logs = [-2.4076059644443806, -1.4076059644443804, -0.4076059644443804];
    expectRef(reference.softmax(vector(1, 2, 3)), [3], three);
    expectRef(reference.logSoftmax(vector(1, 2, 3)), [3], logs);
    const columns = ref([1, 3, 2], [1, 1000, 2, 1001, 3, 1002]);
    const each = three.flatMap((value) => [value, value]);
    expectRef(reference.softmax(columns, 1), [1, 3, 2], each);
    expectRef(reference.softmax(columns, -2), [1, 3, 2], each);
    expectRef(
      reference.logSoftmax(columns, 1),
      [1, 3, 2],
      logs.flatMap((value) => [value, value]),
    );
  });
  it("softmax treats infinities and NaN as numpy does", () => {
    expectRef(reference.softmax(vector(-inf, 1, 1)), [3], [0, 0.5, 0.5]);
    expectRef(reference.softmax(vector(-inf, -inf)), [2], [nan, nan]);
    expectRef(reference.softmax(vector(inf, 1)), [2], [nan, nan]);
    expectRef(reference.softmax(vector(nan, 1)), [2], [nan, nan]);
    expectRef(reference.logSoftmax(vector(-inf, 1)), [2], [-inf, 0]);
  });
  it("are the same functions by name", () => {
    for (const [name, f] of Object.entries(reference.activations)) {
      expect(f(vector(0.5, 7)).shape, name).toEqual([2]);
    }
    expectRef(reference.activations.none(vector(-1)), [1], [-1]);
    expectRef(reference.activations.leakyRelu(vector(-1)), [1], [-0.01]);
    expectRef(reference.activations.hardSigmoid(vector(1)), [1], [2 / 3]);
  });
});

describe("arithmetic", () => {
  it("repeats axes of size 1 and missing axes", () => {
    const a = range([2, 3]);
    expectRef(reference.add(a, vector(10, 20, 30)), [2, 3], [11, 22, 33, 14, 25, 36]);
    expectRef(reference.sub(ref([2, 1], [1, 2]), vector(10, 20)), [2, 2], [-9, -19, -8, -18]);
    expectRef(reference.mul(ref([], [2]), a), [2, 3], [2, 4, 6, 8, 10, 12]);
    expectRef(reference.div(vector(1, -1, 0), vector(0)), [3], [Infinity, -Infinity, Number.NaN]);
    expectRef(reference.maximum(vector(1, -1, Number.NaN), vector(0)), [3], [1, 0, Number.NaN]);
    expectRef(reference.minimum(vector(1, -1, Number.NaN), vector(0)), [3], [0, -1, Number.NaN]);
    expectRef(reference.mul(range([2, 1, 2]), range([2, 1])), [2, 2, 2], [1, 2, 2, 4, 3, 4, 6, 8]);
    expect(() => reference.add(a, vector(1, 2))).toThrow("broadcast");
  });
});

describe("shapes", () => {
  const x = range([2, 3]);

  it("concat puts tensors one after the other", () => {
    expectRef(reference.concat([x, range([1, 3], 7)], 0), [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expectRef(reference.concat([x, range([2, 1], 7), x], -1), [2, 7], [1, 2, 3, 7, 1, 2, 3, 4, 5, 6, 8, 4, 5, 6]);
    expect(() => reference.concat([x, range([2, 2])], 0)).toThrow('"size"');
  });
  it("slice takes ranges as numpy does", () => {
    expectRef(reference.slice(x, [1], [2]), [1, 3], [4, 5, 6]);
    expectRef(reference.slice(x, [0, -2], [99, 99]), [2, 2], [2, 3, 5, 6]);
    expectRef(reference.slice(x, [0], [3], [1], [2]), [2, 2], [1, 3, 4, 6]);
    expectRef(reference.slice(x, [-1], [-99], [-1], [-1]), [2, 3], [3, 2, 1, 6, 5, 4]);
    expectRef(reference.slice(x, [99], [0], [1], [-2]), [2, 1], [3, 6]);
    expectRef(reference.slice(vector(0, 1, 2, 3, 4), [3], [-5], [0], [-1]), [3], [3, 2, 1]);
    expectRef(reference.slice(x, [2], [1], [1]), [2, 0], []);
  });
  it("pad writes a constant, the edge, or a mirror image", () => {
    const line = vector(1, 2, 3);
    expectRef(reference.pad(line, [1], [2]), [6], [0, 1, 2, 3, 0, 0]);
    expectRef(reference.pad(line, [2], [0], "constant", 9), [5], [9, 9, 1, 2, 3]);
    expectRef(reference.pad(line, [2], [1], "edge"), [6], [1, 1, 1, 2, 3, 3]);
    expectRef(reference.pad(line, [2], [2], "reflect"), [7], [3, 2, 1, 2, 3, 2, 1]);
    expectRef(reference.pad(line, [5], [3], "reflect"), [11], [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2]);
    expectRef(reference.pad(line, [-1], [1]), [3], [2, 3, 0]);
    expectRef(reference.pad(ref([1, 2], [1, 2]), [1, 0], [0, 1], "edge"), [2, 3], [1, 2, 2, 1, 2, 2]);
    expectRef(reference.pad(x, [0, 1], [1, 0]), [3, 4], [0, 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0]);
  });
  it("transpose moves axes", () => {
    expectRef(reference.transpose(x), [3, 2], [1, 4, 2, 5, 3, 6]);
    const cube = range([2, 3, 4]);
    const moved = reference.transpose(cube, [1, 2, 0]);
    expect(moved.shape).toEqual([3, 4, 2]);
    expect(reference.at(moved, 2, 1, 0)).toBe(reference.at(cube, 0, 2, 1));
    expectSame(reference.transpose(moved, [2, 0, 1]), cube);
  });
  it("reshape and flatten keep the order", () => {
    expectRef(reference.reshape(x, [3, -1]), [3, 2], [1, 2, 3, 4, 5, 6]);
    expect(reference.flatten(range([2, 3, 4])).shape).toEqual([2, 12]);
    expect(reference.flatten(range([2, 3, 4]), 0).shape).toEqual([1, 24]);
    expect(reference.flatten(range([2, 3, 4]), -1).shape).toEqual([6, 4]);
    expect(reference.flatten(range([2, 3, 4]), 3).shape).toEqual([24, 1]);
    expect(() => reference.reshape(x, [4])).toThrow('"data"');
  });
});

describe("cases", () => {
  const tables: [string, readonly { readonly name: string }[]][] = [
    ["CONV_CASES", CONV_CASES],
    ["CONV_TRANSPOSE_CASES", CONV_TRANSPOSE_CASES],
    ["POOL_CASES", POOL_CASES],
    ["ADAPTIVE_POOL_CASES", ADAPTIVE_POOL_CASES],
    ["LINEAR_CASES", LINEAR_CASES],
    ["MATMUL_CASES", MATMUL_CASES],
  ];
  it.each(tables)("%s have different names and different content", (_table, rows) => {
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    expect(new Set(rows.map((c) => showCase({ ...c, name: "" }))).size).toBe(rows.length);
  });
  it("of convolutions give an output, stay small, and divide into groups", () => {
    for (const c of CONV_CASES) {
      const { y, weight, macs } = convShapes(c);
      expect(
        [...y, ...weight].every((size) => Number.isInteger(size) && size >= 1),
        showCase(c),
      ).toBe(true);
      expect(c.M % c.groups, showCase(c)).toBe(0);
      expect(macs, showCase(c)).toBeLessThan(5e6);
    }
    for (const c of CONV_TRANSPOSE_CASES) {
      const { y, weight } = convTransposeShapes(c);
      expect(
        [...y, ...weight].every((size) => Number.isInteger(size) && size >= 1),
        showCase(c),
      ).toBe(true);
      expect(c.C % c.groups, showCase(c)).toBe(0);
    }
  });
  it("of convolutions meet every remainder of channels, and every part of the operator", () => {
    for (let M = 1; M <= 17; M++)
      expect(
        CONV_CASES.some((c) => c.M === M),
        `M = ${M}`,
      ).toBe(true);
    for (let rest = 0; rest < 8; rest++) {
      expect(
        CONV_CASES.some((c) => c.groups === 1 && c.C % 8 === rest),
        `C = ${rest}`,
      ).toBe(true);
      expect(
        CONV_CASES.some((c) => c.groups === c.C && c.C % 8 === rest),
        `depthwise ${rest}`,
      ).toBe(true);
    }
    const must: Record<string, (c: (typeof CONV_CASES)[number]) => boolean> = {
      batch: (c) => c.N > 1,
      groups: (c) => c.groups > 1 && c.groups < c.C,
      multiplier: (c) => c.groups === c.C && c.M > c.C,
      dilation: (c) => c.dilation[0] > 1 && c.stride[0] > 1,
      same: (c) => c.padding === "same",
      valid: (c) => c.padding === "valid",
      "no bias": (c) => !c.bias,
      "two reduction blocks": (c) => convShapes(c).reduction > 512,
      "more than 384 pixels": (c) => (convShapes(c).y[2] as number) * (convShapes(c).y[3] as number) > 384,
    };
    for (const [what, meets] of Object.entries(must)) expect(CONV_CASES.some(meets), what).toBe(true);
  });
  it("of pools give windows that all meet the image", () => {
    for (const c of POOL_CASES) {
      const { x, y, options } = poolShapes(c);
      const max = reference.maxPool2d(normal(x, c.name), options);
      expect(max.shape, showCase(c)).toEqual(y);
      expect(max.data.every(Number.isFinite), showCase(c)).toBe(true);
    }
  });
  it("are shown whole", () => {
    const [first] = CONV_CASES;
    if (!first) throw new Error("no cases");
    expect(showCase(first)).toContain(first.name);
    expect(showCase(first)).toContain('"dilation":[1,1]');
  });
});

describe("random", () => {
  it("gives the same numbers for the same seed only", () => {
    expect(fill([9], 1)).toEqual(fill([9], 1));
    expect(fill([9], 1)).not.toEqual(fill([9], 2));
    expect(fill([9], "x")).toEqual(fill([9], seedOf("x")));
    expect(fill([9], "x")).not.toEqual(fill([9], "w"));
    // The first two of mulberry32(42), as published in many places.
    const { uniform } = random(42);
    expect([uniform(), uniform()]).toEqual([0.6011037519201636, 0.44829055899754167]);
  });
  it("is uniform, normal, and whole", () => {
    const { uniform, normal: bell, integer } = random(7);
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const flat = Array.from({ length: 10_000 }, () => uniform(-1, 3));
    expect(Math.min(...flat)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...flat)).toBeLessThan(3);
    expect(Math.abs(mean(flat) - 1)).toBeLessThan(0.05);
    const normals = Array.from({ length: 10_000 }, () => bell());
    expect(Math.abs(mean(normals))).toBeLessThan(0.05);
    expect(Math.abs(mean(normals.map((v) => v * v)) - 1)).toBeLessThan(0.05);
    const dice = Array.from({ length: 1000 }, () => integer(1, 6));
    expect(new Set(dice)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  });
  it("fills neighbouring lanes with different numbers", () => {
    const data = fill([50, 100], 3);
    expect(data.every((value) => value !== 0 && Number.isFinite(value))).toBe(true);
    for (let i = 0; i + 16 <= data.length; i++) expect(new Set(data.subarray(i, i + 16)).size).toBe(16);
  });
});

describe("tolerance", () => {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

  it("accepts what is close enough, element by element", () => {
    expectClose([1.1, 2], vector(1, 2), 0.11, "a");
    expectClose([1.1, 2], vector(1, 2), Float64Array.of(0.11, 0), "a");
    expectClose([nan, inf, -inf], vector(nan, inf, -inf), 0, "special");
    expectClose([inf], vector(1e39), 1, "too large for float32");
  });
  it("names the label, the place, both values and the count", () => {
    const close = () => expectClose([1, 2, 3, 9], ref([2, 2], [1, 2.5, 3, 4]), 0.25, "case 7");
    expect(close).toThrow(
      "case 7: 2 of 4 elements off; worst at 3 [1, 1]: expected 4, got 9, difference 5, tolerance 0.25",
    );
  });
  it("refuses wrong specials, lengths and tolerances", () => {
    const refused: [ArrayLike<number>, Ref, Float64Array | number][] = [
      [[1], vector(nan), 1],
      [[nan], vector(1), 1],
      [[inf], vector(1), 1e300],
      [[-inf], vector(inf), 1],
      [[3e38], vector(inf), 1e300],
      [[2], vector(1), nan],
      [[2], vector(1), inf],
      [[], ref([0], []), 1],
      [[1], vector(1, 2), 1],
      [[1, 2], vector(1), 1],
      [[1, 2], vector(1, 2), Float64Array.of(1)],
    ];
    for (const [actual, expected, allowed] of refused) {
      expect(() => expectClose(actual, expected, allowed, "label")).toThrow("label: ");
    }
  });
  it("knows the distance between neighbouring float32", () => {
    expect(ulpOf(1)).toBe(2 ** -23);
    expect(ulpOf(-1.999)).toBe(2 ** -23);
    expect(ulpOf(2)).toBe(2 ** -22);
    expect(ulpOf(0)).toBe(2 ** -149);
    expect(ulpOf(2 ** -126)).toBe(2 ** -149);
    expect(ulpOf(3e38)).toBe(2 ** 104);
    expect([...ulpTolerance(vector(1, 8), 2)]).toEqual([2 ** -22, 2 ** -19]);
  });
  it("of a transform is that of the largest element", () => {
    expect([...normTolerance(9, vector(1, 4), 3)]).toEqual(
      Array(2).fill(3 * (dotTolerance(9, vector(4))[0] as number)),
    );
  });

  // A float32 dot product as a kernel would do it, against float64; then with one product lost.
  it.each([1, 2, 9, 16, 17, 100, 1000, 4680])("lets float32 sums of %i products pass, and no lost product", (K) => {
    for (const [kind, sign] of [
      ["normal", (v: number) => v],
      ["positive", Math.abs],
    ] as const) {
      const x = fill([100, K], `${kind} x`).map(sign);
      const w = fill([1, K], `${kind} w`).map(sign);
      const sums = new Float32Array(100);
      const lost = new Float32Array(100);
      for (let i = 0; i < 100; i++) {
        let sum = 0;
        for (let k = 0; k < K; k++) {
          if (k === K - 1) lost[i] = sum;
          sum = Math.fround(sum + Math.fround((x[i * K + k] as number) * (w[k] as number)));
        }
        sums[i] = sum;
      }
      const [left, right] = [ref([100, K], x), ref([1, K], w)];
      const expected = reference.linear(left, right, null);
      const allowed = dotTolerance(K, reference.linearMagnitude(left, right, null));
      expectClose(sums, expected, allowed, kind);
      expect(() => expectClose(lost, expected, allowed, kind)).toThrow(/: (100|9\d) of 100 elements off/);
    }
  });
});
