// Convolution and pooling along one axis or three, and with weights that a run computes, as those over images.
import { countOf } from "../../base/shape.js";
import type { Part } from "../operators.js";
import { transposedAxes, type WindowAxis, windowAxes } from "../semantics/windows.js";
import { type Assembly, attributesOf, type FormDescription, formed, isSingle, needed } from "./assembly.js";

type Numbers = readonly number[];
const each = (axes: readonly WindowAxis[], f: (axis: WindowAxis) => number): Numbers => axes.map(f);
const padsOf = (axes: readonly WindowAxis[]): Numbers => [
  ...each(axes, ({ before }) => before),
  ...each(axes, ({ after }) => after),
];
/** An axis with nothing to do. */
const still = (size: number): WindowAxis => ({
  size,
  taps: 1,
  stride: 1,
  dilation: 1,
  before: 0,
  after: 0,
  out: size,
});

const windowAttributes = (axes: readonly WindowAxis[]) => ({
  kernel_shape: each(axes, ({ taps }) => taps),
  strides: each(axes, ({ stride }) => stride),
  dilations: each(axes, ({ dilation }) => dilation),
  pads: padsOf(axes),
});

/** A line is an image of one row; of a volume, images are pooled, then across them: a box is the product of its sides. */
const pool: FormDescription = (a, inputs) => {
  const x = needed(inputs, 0, "X");
  const [n = 0, channels = 0, ...spatial] = x.shape;
  const kernel = a.c.ints("kernel_shape");
  if (!isSingle(x)) return undefined;
  if (a.c.outputs > 1) return a.node("MaxPoolOfPlaces", ["0"], a.c.node.attributes, 2);
  if (kernel?.length !== spatial.length) return undefined;
  const axes = windowAxes(a.c, spatial, kernel);
  const { opType } = a.c.node;
  const over = (image: string, sides: readonly WindowAxis[]): string => {
    if (sides.every(({ taps, stride, before, after }) => taps === 1 && stride === 1 && before + after === 0))
      return image;
    const counted: Record<string, number> = {};
    if (opType === "AveragePool") counted["count_include_pad"] = a.c.int("count_include_pad", 0);
    return a.add(opType, [image], {
      ...windowAttributes(sides),
      ...counted,
      ceil_mode: a.c.int("ceil_mode", 0),
    });
  };
  if (axes.length === 1) {
    const [axis] = axes as [WindowAxis];
    return [a.reshape(over(a.reshape("0", n, channels, 1, axis.size), [still(1), axis]), n, channels, axis.out)];
  }
  if (axes.length !== 3) return undefined;
  const [d, h, w] = axes as [WindowAxis, WindowAxis, WindowAxis];
  const images = over(a.reshape("0", n, channels * d.size, h.size, w.size), [h, w]);
  const across = over(a.reshape(images, n, channels, d.size, h.out * w.out), [d, still(h.out * w.out)]);
  return [a.reshape(across, n, channels, d.out, h.out, w.out)];
};

const globalPool: FormDescription = (a, inputs) => {
  const x = needed(inputs, 0, "X");
  const [n = 0, channels = 0, ...spatial] = x.shape;
  if (!isSingle(x) || spatial.length === 0 || spatial.length === 2) return undefined;
  const pooled = a.add(a.c.node.opType, [a.reshape("0", n, channels, 1, countOf(spatial))]);
  return [a.reshape(pooled, n, channels, ...spatial.map(() => 1))];
};

const isConstant = (part: Part | undefined): boolean => part === undefined || "data" in part;

/** An image through weights of two taps' axes. What a run computes is no parameter, a bias neither. */
function overImages(a: Assembly, x: string, w: string, isKnown: boolean, bias: string, attributes: object): string {
  const { opType } = a.c.node;
  const given = { ...attributes, group: a.c.int("group", 1) };
  return isKnown ? a.add(opType, bias === "" ? [x, w] : [x, w, bias], given) : a.add(`${opType}OfTwo`, [x, w], given);
}

/** Operands of a convolution, and its bias where layers take that: else it is added in the end. */
function convolution(a: Assembly, inputs: readonly (Part | undefined)[]) {
  const [x, w] = [needed(inputs, 0, "X"), needed(inputs, 1, "W")];
  const bias = inputs[2];
  const isKnown = isConstant(w);
  const rank = w.shape.length - 2;
  // What layers do, but for sizes that none does.
  if (
    !isSingle(x) ||
    x.shape.length !== rank + 2 ||
    rank < 1 ||
    rank > 3 ||
    (rank === 2 && isKnown && isConstant(bias))
  )
    return undefined;
  const taken = bias && isKnown && isConstant(bias) ? "2" : "";
  const finish = (y: string, filters: number): readonly string[] => [
    bias && taken === "" ? a.add("Add", [y, a.reshape("2", filters, ...new Array<number>(rank).fill(1))]) : y,
  ];
  return { x: x.shape, w: w.shape, isKnown, bias: taken, finish };
}

/**
 * Over volumes: taps along the depth are channels of the images that they fall on, one after the other (within each group); a
 * depthwise one is a sum of one for each.
 */
function byDepth(
  a: Assembly,
  { x, w, isKnown, bias }: { x: Numbers; w: Numbers; isKnown: boolean; bias: string },
): string {
  const [n = 0, channels = 0, ...spatial] = x;
  const [filters = 0, perGroup = 0, ...kernel] = w;
  const axes = windowAxes(a.c, spatial, kernel);
  const [depth, ...sides] = axes as [WindowAxis, WindowAxis, WindowAxis];
  const [h = 0, width = 0] = spatial.slice(1);
  const groups = channels / perGroup;
  let slices = a.add("Transpose", ["0"], { perm: [0, 2, 1, 3, 4] });
  if (depth.before + depth.after > 0)
    slices = a.add("Pad", [slices, a.integers(0, depth.before, 0, 0, 0, 0, depth.after, 0, 0, 0)]);
  const attributes = windowAttributes(sides);
  const taps = Array.from({ length: depth.taps }, (_, t) => {
    const start = t * depth.dilation;
    return a.slice(slices, [1], [start], [start + (depth.out - 1) * depth.stride + 1], [depth.stride]);
  });
  const images = n * depth.out;
  let y: string;
  if (perGroup === 1 && groups > 1) {
    const each = taps.map((tap, t) => {
      const weight = a.reshape(a.slice("1", [2], [t], [t + 1]), filters, 1, ...kernel.slice(1));
      const image = a.reshape(tap, images, channels, h, width);
      return overImages(a, image, weight, isKnown, t === 0 ? bias : "", attributes);
    });
    y = each.reduce((sum, next) => a.add("Add", [sum, next]));
  } else {
    const grouped = taps.map((tap) => a.reshape(tap, n, depth.out, groups, perGroup, h, width));
    const joined = grouped.length === 1 ? (grouped[0] as string) : a.add("Concat", grouped, { axis: 3 });
    const image = a.reshape(joined, images, depth.taps * channels, h, width);
    const turned = a.add("Transpose", ["1"], { perm: [0, 2, 1, 3, 4] });
    const weight = a.reshape(turned, filters, depth.taps * perGroup, ...kernel.slice(1));
    y = overImages(a, image, weight, isKnown, bias, attributes);
  }
  const outs = each(sides, ({ out }) => out);
  return a.add("Transpose", [a.reshape(y, n, depth.out, filters, ...outs)], { perm: [0, 2, 1, 3, 4] });
}

const conv: FormDescription = (a, inputs) => {
  const found = convolution(a, inputs);
  if (!found) return undefined;
  const { x, w, isKnown, bias, finish } = found;
  const [filters, channels] = w as [number, number];
  // As the operator in JavaScript refuses it.
  if (x[1] !== channels * a.c.int("group", 1) || filters % a.c.int("group", 1) !== 0) return undefined;
  if (x.length === 5) return finish(byDepth(a, found), filters);
  const axes = windowAxes(a.c, x.slice(2), w.slice(2));
  if (x.length === 4) return finish(overImages(a, "0", "1", isKnown, bias, windowAttributes(axes)), filters);
  const [axis] = axes as [WindowAxis];
  const image = a.reshape("0", x[0] as number, x[1] as number, 1, axis.size);
  const weight = a.reshape("1", filters, channels, 1, axis.taps);
  const y = overImages(a, image, weight, isKnown, bias, windowAttributes([still(1), axis]));
  return finish(a.reshape(y, x[0] as number, filters, axis.out), filters);
};

type TransposedAxis = WindowAxis & { readonly extra: number };

const transposedAttributes = (axes: readonly TransposedAxis[]) => ({
  ...windowAttributes(axes),
  output_padding: axes.map(({ extra }) => extra),
});

/** Taps along the depth are filters; their images are spread by the stride, moved to where they fall, and added up. */
function transposedByDepth(
  a: Assembly,
  { x, w, isKnown }: { x: Numbers; w: Numbers; isKnown: boolean },
  [depth, ...sides]: readonly [TransposedAxis, ...TransposedAxis[]],
): string | undefined {
  const [n = 0, channels = 0, , h = 0, width = 0] = x;
  const [, perGroup = 0, taps = 0, ...kernel] = w;
  const filters = perGroup * a.c.int("group", 1);
  const slices = a.add("Transpose", ["0"], { perm: [0, 2, 1, 3, 4] });
  const image = a.reshape(slices, n * depth.size, channels, h, width);
  const weight = a.reshape("1", channels, perGroup * taps, ...kernel);
  const images = overImages(a, image, weight, isKnown, "", transposedAttributes(sides));
  const outs = each(sides, ({ out }) => out);
  const area = countOf(outs);
  const byTap = a.add("Transpose", [a.reshape(images, n, depth.size, filters, taps, area)], { perm: [3, 0, 2, 1, 4] });
  const spread = depth.size * depth.stride;
  const moved: string[] = [];
  for (let t = 0; t < taps; t++) {
    const shift = t * depth.dilation - depth.before;
    const [start, end] = [Math.max(0, -shift), Math.min(spread, depth.out - shift)];
    if (end <= start) continue;
    let part = a.reshape(a.slice(byTap, [0], [t], [t + 1]), n, filters, depth.size, 1, area);
    if (depth.stride > 1) part = a.add("Pad", [part, a.integers(0, 0, 0, 0, 0, 0, 0, 0, depth.stride - 1, 0)]);
    part = a.reshape(part, n, filters, spread, area);
    if (start > 0 || end < spread) part = a.slice(part, [2], [start], [end]);
    const before = Math.max(0, shift);
    const after = depth.out - before - (end - start);
    if (before + after > 0) part = a.add("Pad", [part, a.integers(0, 0, before, 0, 0, 0, after, 0)]);
    moved.push(part);
  }
  if (moved.length === 0) return undefined;
  const sum = moved.reduce((total, part) => a.add("Add", [total, part]));
  return a.reshape(sum, n, filters, depth.out, ...outs);
}

const convTranspose: FormDescription = (a, inputs) => {
  const found = convolution(a, inputs);
  if (!found) return undefined;
  const { x, w, isKnown, bias, finish } = found;
  const [channels, perGroup] = w as [number, number];
  const groups = a.c.int("group", 1);
  if (x[1] !== channels || channels % groups !== 0) return undefined;
  const axes = transposedAxes(a.c, x.slice(2), w.slice(2));
  const filters = perGroup * groups;
  if (axes.length === 3) {
    const y = transposedByDepth(a, found, axes as [TransposedAxis, ...TransposedAxis[]]);
    if (y === undefined) return undefined;
    return [inputs[2] ? a.add("Add", [y, a.reshape("2", filters, 1, 1, 1)]) : y];
  }
  if (axes.length === 2) return finish(overImages(a, "0", "1", isKnown, bias, transposedAttributes(axes)), filters);
  const [axis] = axes as [TransposedAxis];
  const image = a.reshape("0", x[0] as number, channels, 1, axis.size);
  const weight = a.reshape("1", channels, perGroup, 1, axis.taps);
  const both = [{ ...still(1), extra: 0 }, axis];
  const y = overImages(a, image, weight, isKnown, bias, transposedAttributes(both));
  return finish(a.reshape(y, x[0] as number, filters, axis.out), filters);
};

/** Patches [N, outs, taps * C] are sampled; their product with the weights, turned once, is a matrix product. */
const deformConv: FormDescription = (a, inputs) => {
  const [x, w] = [needed(inputs, 0, "X"), needed(inputs, 1, "W")];
  needed(inputs, 2, "offset");
  const [n = 0, channels = 0, ...spatial] = x.shape;
  const [filters = 0, perGroup = 0, ...kernel] = w.shape;
  const groups = a.c.int("group", 1);
  if (!inputs.every((part) => part === undefined || isSingle(part)) || spatial.length !== 2) return undefined;
  if (perGroup * groups !== channels || filters % groups !== 0) return undefined;
  const outs = windowAxes(a.c, spatial, kernel).map(({ out }) => out);
  const others = a.c.node.attributes.filter(({ name }) => name !== "kernel_shape" && name !== "group");
  const attributes = [...others, ...attributesOf({ kernel_shape: kernel })];
  const [columns] = a.node("DeformColumns", inputs[4] ? ["0", "2", "4"] : ["0", "2"], attributes) as [string];
  const [taps, count] = [countOf(kernel), countOf(outs)];
  const turned = (name: string, perm: Numbers) => a.add("Transpose", [name], { perm });
  const own = a.reshape("1", groups, filters / groups, perGroup, taps);
  const weights = a.reshape(turned(own, [0, 3, 2, 1]), groups, taps * perGroup, filters / groups);
  let patches = a.reshape(columns, n, count, taps, groups, perGroup);
  if (groups > 1) patches = turned(patches, [0, 3, 1, 2, 4]);
  const product = a.add("MatMul", [a.reshape(patches, n, groups, count, taps * perGroup), weights]);
  const y = a.reshape(turned(product, [0, 1, 3, 2]), n, filters, ...outs);
  return [inputs[3] ? a.add("Add", [y, a.reshape("3", filters, 1, 1)]) : y];
};

export const WINDOW_FORMS = formed({
  Conv: conv,
  ConvTranspose: convTranspose,
  DeformConv: deformConv,
  MaxPool: pool,
  AveragePool: pool,
  GlobalMaxPool: globalPool,
  GlobalAveragePool: globalPool,
});
