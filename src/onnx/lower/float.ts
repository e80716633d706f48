// ONNX operators as lanewise operators. Each function answers the node's outputs, or undefined where no kernel does what the
// node asks: it runs as a host operator then. Only float32 (and float16, held as float32) gets here.

import { countOf } from "../../base/shape.js";
import { flattenTo, padsOf, reshapeTo, sliceRanges, splitSizes, squeezeTo, unsqueezeTo } from "../host/movement.js";
import { byChannel } from "../host/reduction.js";
import { broadcast, fill, type HostTensor, make, numbers, reshaped, toNumbers, transpose } from "../host/tensor.js";
import { type Axis, transposedAxes, windowAxes } from "../host/window.js";
import type { Dynamic } from "../network.js";
import { gatherAt, NUMERIC } from "./numeric.js";
import { dynamicAt, type Lowering, list, operand, param, type Site, tensorAt, through, varies } from "./site.js";

const pairOf = (axes: readonly Axis[], f: (axis: Axis) => number): readonly number[] => axes.map(f);

/** Options that all windows share; [top, left, bottom, right] padding. */
function windowOptions(axes: readonly Axis[]) {
  const [h, w] = axes as [Axis, Axis];
  return {
    stride: pairOf(axes, (axis) => axis.stride),
    padding: [h.before, w.before, h.after, w.after],
  };
}

/** Conv with constant weights; more: options that ONNX has no word for. */
export function convLayer(site: Site, more: object = {}): readonly Dynamic[] | undefined {
  const [x, w, b] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !w || varies(site, 2)) return undefined;
  const groups = site.c.int("group", 1);
  const axes = windowAxes(site.c, x.shape.slice(2), w.shape.slice(2));
  const params = [param(site, w, "weight"), param(site, b, "bias")];
  const dilation = pairOf(axes, (axis) => axis.dilation);
  if (axes.length === 2) {
    return site.network.add(site.layer, "conv2d", [x], params, { ...windowOptions(axes), dilation, groups, ...more });
  }
  if (axes.length !== 1) return undefined;
  const [axis] = axes as [Axis];
  const options = { stride: axis.stride, padding: [axis.before, axis.after], dilation: axis.dilation, groups, ...more };
  return site.network.add(site.layer, "conv1d", [x], params, options);
}

const convTranspose: Lowering = (site) => {
  const [x, w, b] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !w || varies(site, 2) || w.shape.length !== 4) return undefined;
  const axes = transposedAxes(site.c, x.shape.slice(2), w.shape.slice(2));
  if (axes.some((axis) => axis.before < 0 || axis.after < 0)) return undefined;
  const options = {
    ...windowOptions(axes),
    dilation: pairOf(axes, (axis) => axis.dilation),
    outputPadding: axes.map((axis) => axis.extra),
    groups: site.c.int("group", 1),
  };
  return site.network.add(
    site.layer,
    "convTranspose2d",
    [x],
    [param(site, w, "weight"), param(site, b, "bias")],
    options,
  );
};

function pool(op: "maxPool2d" | "avgPool2d"): Lowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    const kernel = site.c.ints("kernel_shape");
    if (x?.shape.length !== 4 || kernel?.length !== 2 || site.c.node.outputs.length > 1) return undefined;
    const axes = windowAxes(site.c, x.shape.slice(2), kernel);
    const dilated = axes.some((axis) => axis.dilation > 1);
    const shared = { ...windowOptions(axes), kernel, ceilMode: site.c.int("ceil_mode", 0) === 1 };
    if (op === "maxPool2d") {
      return site.network.add(site.layer, op, [x], [], { ...shared, dilation: pairOf(axes, (axis) => axis.dilation) });
    }
    if (dilated) return undefined;
    const countIncludePad = site.c.int("count_include_pad", 0) === 1;
    return site.network.add(site.layer, op, [x], [], { ...shared, countIncludePad });
  };
}

function globalPool(op: "globalMaxPool" | "globalAvgPool"): Lowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    return x?.shape.length === 4 ? site.network.add(site.layer, op, [x]) : undefined;
  };
}

const batchNorm: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => tensorAt(site, i));
  const isTraining =
    site.c.int("training_mode", 0) === 1 ||
    (site.c.opset < 7 && site.c.int("is_test", 0) === 0 && site.c.node.outputs.length > 1);
  if (!x || !scale || !bias || !mean || !variance || isTraining || x.shape.length < 2) return undefined;
  const params = [
    param(site, mean, "mean"),
    param(site, variance, "variance"),
    param(site, scale, "gamma"),
    param(site, bias, "beta"),
  ];
  return site.network.add(site.layer, "batchNorm", [x], params, { epsilon: site.c.float("epsilon", 1e-5) });
};

const gemm: Lowering = (site) => {
  const [x, w] = [dynamicAt(site, 0), tensorAt(site, 1)];
  const { c, network, layer } = site;
  if (!x || !w || x.shape.length !== 2 || varies(site, 2)) return undefined;
  const input =
    c.int("transA", 0) === 1 ? (network.add(layer, "transpose", [x], [], { permutation: [1, 0] })[0] as Dynamic) : x;
  const [alpha, beta] = [c.float("alpha", 1), c.float("beta", 1)];
  const weight = scaled(c.int("transB", 0) === 1 ? w : transpose(w, [1, 0]), alpha);
  const filters = weight.shape[0] as number;
  const given = tensorAt(site, 2);
  const bias = given && scaled(given, beta);
  // One bias a filter; anything else is added afterwards.
  const isRow =
    bias === undefined ||
    countOf(bias.shape) === 1 ||
    (bias.shape.at(-1) === filters && countOf(bias.shape) === filters);
  const row = isRow ? bias && broadcastRow(bias, filters) : undefined;
  const [y] = network.add(layer, "linear", [input], [param(site, weight, "weight"), param(site, row, "bias")]);
  return isRow
    ? [y as Dynamic]
    : network.add(layer, "add", [y as Dynamic, network.constant(bias as HostTensor, `${layer}.bias`)]);
};

function broadcastRow(bias: HostTensor, filters: number): HostTensor {
  return broadcast(reshaped(bias, [countOf(bias.shape)]), [filters]);
}

function scaled(t: HostTensor, factor: number): HostTensor {
  if (factor === 1) return t;
  const out = make(t.type, t.shape);
  numbers(t).forEach((value, i) => {
    numbers(out)[i] = value * factor;
  });
  return out;
}

const matmul: Lowering = (site) => {
  const { network, layer } = site;
  const [x, w] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (x && w?.shape.length === 2 && x.shape.length >= 2) {
    return network.add(layer, "linear", [x], [param(site, transpose(w, [1, 0]), "weight"), null]);
  }
  return network.add(layer, "matmul", [operand(site, 0), operand(site, 1)]);
};

function binary(op: "add" | "sub" | "mul" | "div"): Lowering {
  return (site) => {
    if (site.c.opset < 7 && site.c.has("axis")) return undefined;
    return site.network.add(site.layer, op, [operand(site, 0), operand(site, 1)]);
  };
}

const sum: Lowering = (site) => {
  let total = operand(site, 0);
  if (site.inputs.length === 1) return undefined;
  for (let i = 1; i < site.inputs.length; i++)
    total = site.network.add(site.layer, "add", [total, operand(site, i)])[0] as Dynamic;
  return [total as Dynamic];
};

/** Bounds that are not known are a maximum and a minimum. */
const clip: Lowering = (site) => {
  const { network, layer } = site;
  const x = dynamicAt(site, 0);
  if (!x) return undefined;
  if (varies(site, 1) || varies(site, 2)) {
    let y = x;
    if (site.inputs[1]) [y] = network.add(layer, "maximum", [y, operand(site, 1)]) as [Dynamic];
    if (site.inputs[2]) [y] = network.add(layer, "minimum", [y, operand(site, 2)]) as [Dynamic];
    return [y];
  }
  const bound = (i: number, name: string) => {
    const tensor = tensorAt(site, i);
    return tensor ? Number(tensor.data[0]) : site.c.has(name) ? site.c.float(name, 0) : undefined;
  };
  const [min, max] = [bound(1, "min"), bound(2, "max")];
  if (min !== undefined && max !== undefined && min > max) return undefined;
  return site.network.add(site.layer, "clip", [x], [], {
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
  });
};

const prelu: Lowering = (site) => {
  const [x, slope] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!x || !slope) return undefined;
  const isChannels = site.c.opset < 7 && slope.shape.length === 1 && x.shape.length > 2;
  // A slope that was expanded over the image is one a channel again.
  const own = isChannels ? byChannel(slope, x.shape.length) : narrowed(slope, x.shape.length);
  return site.network.add(site.layer, "prelu", [x], [param(site, own, "slope")]);
};

/**
 * The tensor with so many axes, of size 1 where it only repeats itself along them: a slope of one axis would be one a
 * channel.
 */
function narrowed(t: HostTensor, rank: number): HostTensor {
  const { repeats = t } = t;
  let out = reshaped(repeats, [...new Array<number>(rank - repeats.shape.length).fill(1), ...repeats.shape]);
  out.shape.forEach((size, axis) => {
    if (size === 1) return;
    const inner = countOf(out.shape.slice(axis + 1));
    const data = numbers(out);
    for (let first = 0; first < data.length; first += size * inner) {
      for (let i = first + inner; i < first + size * inner; i++) if (data[i] !== data[i - inner]) return;
    }
    const shape = out.shape.map((s, d) => (d === axis ? 1 : s));
    const next = make(out.type, shape);
    for (let to = 0; to < next.data.length; to += inner)
      for (let i = 0; i < inner; i++) numbers(next)[to + i] = data[to * size + i] as number;
    out = next;
  });
  return out;
}

function softmax(op: "softmax" | "logSoftmax"): Lowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    if (!x) return undefined;
    const { c, network, layer } = site;
    const rank = x.shape.length;
    if (c.opset >= 13) return network.add(layer, op, [x], [], { axis: c.axis("axis", c.int("axis", -1), rank) });
    const axis = c.axis("axis", c.int("axis", 1), rank);
    if (countOf(x.shape.slice(axis + 1)) === 1) return network.add(layer, op, [x], [], { axis });
    const flat = network.add(layer, "reshape", [x], [], {
      shape: [countOf(x.shape.slice(0, axis)), countOf(x.shape.slice(axis))],
    });
    return network.add(layer, "reshape", network.add(layer, op, flat, [], { axis: 1 }), [], { shape: x.shape });
  };
}

const concat: Lowering = (site) => {
  const given = site.inputs.map((_, i) => operand(site, i));
  const rank = (site.inputs.find((operand) => operand !== undefined) as Dynamic).shape.length;
  return site.network.add(site.layer, "concat", given, [], { axis: site.c.axis("axis", site.c.int("axis", 1), rank) });
};

const reshapeLike =
  (shapeOf: (site: Site, x: Dynamic) => readonly number[] | undefined): Lowering =>
  (site) => {
    const x = dynamicAt(site, 0);
    const shape = x && shapeOf(site, x);
    return x && shape && site.network.add(site.layer, "reshape", [x], [], { shape });
  };

const slice: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  const [starts, ends] = [list(site, 1, "starts"), list(site, 2, "ends")];
  if (!x || !starts || !ends) return undefined;
  const steps = tensorAt(site, 4);
  const ranges = sliceRanges(site.c, x.shape, starts, ends, list(site, 3, "axes"), steps && toNumbers(steps));
  if (ranges.some((range) => range.count === 0)) return undefined;
  const options = {
    axes: ranges.map((range) => range.axis),
    starts: ranges.map((range) => range.start),
    // Below the first element: a negative end would count from the back.
    ends: ranges.map(({ axis, start, step, count }) => {
      const end = start + count * step;
      return end < 0 ? end - (x.shape[axis] as number) : end;
    }),
    steps: ranges.map((range) => range.step),
  };
  return site.network.add(site.layer, "slice", [x], [], options);
};

const split: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x || varies(site, 1)) return undefined;
  const axis = site.c.axis("axis", site.c.int("axis", 0), x.shape.length);
  let start = 0;
  return splitSizes(site.c, x.shape[axis] as number, list(site, 1, "split")).map((size) => {
    const options = { axes: [axis], starts: [start], ends: [start + size] };
    start += size;
    return site.network.add(site.layer, "slice", [x], [], options)[0] as Dynamic;
  });
};

const pad: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x || varies(site, 1) || varies(site, 2) || varies(site, 3)) return undefined;
  const pads = padsOf(site.c, x.shape.length, tensorAt(site, 1), tensorAt(site, 3));
  const mode = site.c.oneOf("mode", "constant", ["constant", "reflect", "edge", "wrap"]);
  if (mode === "wrap" || pads.some((count) => count < 0)) return undefined;
  const value = tensorAt(site, 2)?.data[0] ?? site.c.float("value", 0);
  return site.network.add(site.layer, "pad", [x], [], {
    pads,
    mode,
    ...(mode === "constant" && { value: Number(value) }),
  });
};

const transposeOp: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x) return undefined;
  const reversed = x.shape.map((_, i) => x.shape.length - 1 - i);
  const permutation = site.c.axes("perm", site.c.ints("perm") ?? reversed, x.shape.length);
  return site.network.add(site.layer, "transpose", [x], [], { permutation });
};

/** What copies nothing and computes nothing. */
const alias: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  return x && [x];
};

const dropout: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  const isTraining = site.inputs[2] !== undefined && (varies(site, 2) || Boolean(tensorAt(site, 2)?.data[0]));
  return x && !isTraining && !site.c.node.outputs[1] ? [x] : undefined;
};

const lrn: Lowering = through("localResponseNorm", ({ c }) => ({
  size: c.int("size", 0),
  alpha: c.float("alpha", 1e-4),
  beta: c.float("beta", 0.75),
  bias: c.float("bias", 1),
}));

const depthToSpace: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  const block = site.c.int("blocksize", 0);
  const [n = 0, channels = 0, h = 0, w = 0] = x?.shape ?? [];
  const depth = channels / block ** 2;
  if (x?.shape.length !== 4 || !Number.isInteger(depth)) return undefined;
  const isDcr = site.c.string("mode", "DCR") === "DCR";
  const { network, layer } = site;
  const parts = network.add(layer, "reshape", [x], [], {
    shape: isDcr ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w],
  });
  const moved = network.add(layer, "transpose", parts, [], {
    permutation: isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3],
  });
  return network.add(layer, "reshape", moved, [], { shape: [n, depth, h * block, w * block] });
};

const expand: Lowering = (site) => {
  const [x, wanted] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!x || !wanted) return undefined;
  const zeros = fill(make("float32", toNumbers(wanted)), 0);
  return countOf(zeros.shape) === 0
    ? undefined
    : site.network.add(site.layer, "add", [x, param(site, zeros, "zeros") as string]);
};

/** Of float32. */
export const FLOATS: Readonly<Record<string, Lowering>> = {
  Conv: (site) => convLayer(site),
  ConvTranspose: convTranspose,
  MaxPool: pool("maxPool2d"),
  AveragePool: pool("avgPool2d"),
  GlobalMaxPool: globalPool("globalMaxPool"),
  GlobalAveragePool: globalPool("globalAvgPool"),
  BatchNormalization: batchNorm,
  LRN: lrn,
  Gemm: gemm,
  MatMul: matmul,
  Add: binary("add"),
  Sub: binary("sub"),
  Mul: binary("mul"),
  Div: binary("div"),
  Sum: sum,
  Clip: clip,
  PRelu: prelu,
  Relu: through("relu"),
  LeakyRelu: through("leakyRelu", ({ c }) => ({ alpha: c.float("alpha", 0.01) })),
  Elu: through("elu", ({ c }) => ({ alpha: c.float("alpha", 1) })),
  Sigmoid: through("sigmoid"),
  HardSigmoid: through("hardSigmoid", ({ c }) => ({ alpha: c.float("alpha", 0.2), beta: c.float("beta", 0.5) })),
  Tanh: through("tanh"),
  HardSwish: through("hardSwish"),
  Gelu: through("gelu", ({ c }) => ({ approximate: c.oneOf("approximate", "none", ["none", "tanh"]) })),
  Swish: through("silu", ({ c }) => (c.float("alpha", 1) === 1 ? {} : undefined)),
  Softmax: softmax("softmax"),
  LogSoftmax: softmax("logSoftmax"),
  DepthToSpace: depthToSpace,
  Expand: expand,
  ...NUMERIC,
};

/** Operators that only move elements, of any type. */
export const MOVERS: Readonly<Record<string, Lowering>> = {
  Concat: concat,
  Gather: gatherAt,
  Slice: slice,
  Split: split,
  Pad: pad,
  Transpose: transposeOp,
  Identity: alias,
  Dropout: dropout,
  Reshape: reshapeLike((site, x) => {
    const wanted = list(site, 1, "shape");
    return wanted && reshapeTo(x.shape, wanted, site.c.int("allowzero", 0) === 1);
  }),
  Flatten: reshapeLike(({ c }, x) => flattenTo(c, x.shape)),
  Squeeze: reshapeLike((site, x) => (varies(site, 1) ? undefined : squeezeTo(site.c, x.shape, list(site, 1, "axes")))),
  Unsqueeze: reshapeLike((site, x) =>
    varies(site, 1) ? undefined : unsqueezeTo(site.c, x.shape, list(site, 1, "axes") ?? []),
  ),
};
