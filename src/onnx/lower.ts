// ONNX operators as lanewise operators. Each function answers the node's outputs, or undefined where no kernel does what the
// node asks: it runs as a host operator then. Only float32 (and float16, held as float32) gets here.
import { UnsupportedError } from "../errors.js";
import type { OperatorName } from "../ops/index.js";
import type { Context } from "./host/context.js";
import { isKept, type ResizeAxis, resizePlan, tapsOf } from "./host/image.js";
import { flattenTo, padsOf, reshapeTo, sliceRanges, splitSizes, squeezeTo, unsqueezeTo } from "./host/movement.js";
import { byChannel } from "./host/reduction.js";
import {
  broadcast,
  countOf,
  fill,
  type HostTensor,
  make,
  numbers,
  reshaped,
  toNumbers,
  transpose,
} from "./host/tensor.js";
import { type Axis, transposedAxes, windowAxes } from "./host/window.js";
import type { Dynamic, Network } from "./network.js";
import { resize, type Taps } from "./ops/resize.js";

/** A node with its operands: a constant has a tensor, everything else a value of the network. */
export interface Site {
  readonly c: Context;
  readonly network: Network;
  readonly layer: string;
  readonly inputs: readonly (Dynamic | HostTensor | undefined)[];
}

export type Lowering = (site: Site) => readonly Dynamic[] | undefined;

const isConstant = (operand: Dynamic | HostTensor | undefined): operand is HostTensor =>
  operand !== undefined && "data" in operand;

function tensorAt({ inputs }: Site, i: number): HostTensor | undefined {
  const operand = inputs[i];
  return isConstant(operand) ? operand : undefined;
}

function dynamicAt({ inputs }: Site, i: number): Dynamic | undefined {
  const operand = inputs[i];
  return operand === undefined || isConstant(operand) ? undefined : operand;
}

/** Whether an input that the node has is not a constant. */
const varies = (site: Site, i: number): boolean => dynamicAt(site, i) !== undefined;

function param(site: Site, tensor: HostTensor | undefined, suffix: string): string | null {
  return tensor === undefined ? null : site.network.constant(tensor, `${site.layer}.${suffix}`);
}

/** The first input through one operator without parameters. */
function through(op: OperatorName, options: (site: Site) => object | undefined = () => ({})): Lowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    const given = options(site);
    return x && given && site.network.add(site.layer, op, [x], [], given);
  };
}

const pairOf = (axes: readonly Axis[], f: (axis: Axis) => number): readonly number[] => axes.map(f);

/** Options that all windows share; [top, left, bottom, right] padding. */
function windowOptions(axes: readonly Axis[]) {
  const [h, w] = axes as [Axis, Axis];
  return {
    stride: pairOf(axes, (axis) => axis.stride),
    padding: [h.before, w.before, h.after, w.after],
  };
}

const conv: Lowering = (site) => {
  const [x, w, b] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !w || varies(site, 2)) return undefined;
  const groups = site.c.int("group", 1);
  const axes = windowAxes(site.c, x.shape.slice(2), w.shape.slice(2));
  const params = [param(site, w, "weight"), param(site, b, "bias")];
  const dilation = pairOf(axes, (axis) => axis.dilation);
  if (axes.length === 2) {
    return site.network.add(site.layer, "conv2d", [x], params, { ...windowOptions(axes), dilation, groups });
  }
  if (axes.length !== 1) return undefined;
  const [axis] = axes as [Axis];
  const options = { stride: axis.stride, padding: [axis.before, axis.after], dilation: axis.dilation, groups };
  return site.network.add(site.layer, "conv1d", [x], params, options);
};

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

/** Any input as an operand: constants are parameters. */
function operand(site: Site, i: number): Dynamic | string {
  const given = site.inputs[i];
  if (given === undefined) throw new UnsupportedError(`"inputs" expected an input ${i}, got none`);
  return isConstant(given) ? (param(site, given, `operand${i}`) as string) : given;
}

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

/** Bounds of Clip; undefined where one is not known. */
const clip: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  if (!x || varies(site, 1) || varies(site, 2)) return undefined;
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
  const own = isChannels ? byChannel(slope, x.shape.length) : narrowed(slope);
  return site.network.add(site.layer, "prelu", [x], [param(site, own, "slope")]);
};

/** The tensor without the axes along which it only repeats itself. */
function narrowed(t: HostTensor): HostTensor {
  let out = t;
  out.shape.forEach((size, axis) => {
    if (size === 1) return;
    const inner = countOf(out.shape.slice(axis + 1));
    const data = numbers(out);
    for (let i = 0; i < data.length; i++) {
      const first = Math.floor(i / (inner * size)) * inner * size + (i % inner);
      if (data[i] !== data[first]) return;
    }
    const shape = out.shape.map((s, d) => (d === axis ? 1 : s));
    const next = make(out.type, shape);
    for (let i = 0; i < next.data.length; i++)
      numbers(next)[i] = data[Math.floor(i / inner) * inner * size + (i % inner)] as number;
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

const list = (site: Site, i: number, name: string): readonly number[] | undefined =>
  site.c.list(name, tensorAt(site, i));

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
  const permutation = site.c.ints("perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i);
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

const reduceMean: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  const given = list(site, 1, "axes");
  if (x?.shape.length !== 4 || given === undefined || varies(site, 1)) return undefined;
  const axes = site.c.axes("axes", given, 4).sort();
  if (axes.join() !== "2,3") return undefined;
  const mean = site.network.add(site.layer, "globalAvgPool", [x]);
  return site.c.int("keepdims", 1) === 1
    ? mean
    : site.network.add(site.layer, "reshape", mean, [], { shape: x.shape.slice(0, 2) });
};

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

/** The last two axes of [N, C, H, W], or the last of [N, C, W]. */
const resizeOp: Lowering = (site) => {
  const { c, network, layer } = site;
  const x = dynamicAt(site, 0);
  if (!x || ![3, 4].includes(x.shape.length) || [1, 2, 3].some((i) => varies(site, i))) return undefined;
  // Operator set 10 has scales second; later ones roi, scales, sizes.
  const [second, third, fourth] = [1, 2, 3].map((i) => tensorAt(site, i));
  const plan =
    c.opset < 11 ? resizePlan(c, x.shape, undefined, second, undefined) : resizePlan(c, x.shape, second, third, fourth);
  const isKeptAt = (i: number) => isKept(plan, x.shape[i] as number, plan.axes[i] as ResizeAxis);
  if (!isKeptAt(0) || !isKeptAt(1)) return undefined;
  const taps = plan.axes.slice(2).map((axis, i) => tapsOf(c, plan, x.shape[i + 2] as number, axis));
  if (taps.flat().some(({ at }) => at.length === 0)) return undefined;
  const columns = taps.pop() as Taps[];
  const rows = taps.pop();
  if (rows) return network.add(layer, "custom", [x], [], resize(rows, columns, c.node.opType));
  const [n, channels, width] = x.shape as [number, number, number];
  const image = network.add(layer, "reshape", [x], [], { shape: [n, channels, 1, width] });
  const sized = network.add(layer, "custom", image, [], resize([{ at: [0], weights: [1] }], columns, c.node.opType));
  return network.add(layer, "reshape", sized, [], { shape: [n, channels, columns.length] });
};

/** The larger or smaller of any number of tensors. Against one number it is a clamp, which others may take in. */
function extreme(op: "maximum" | "minimum", bound: "min" | "max"): Lowering {
  return (site) => {
    const { network, layer, inputs } = site;
    const limits = inputs.filter(
      (given): given is HostTensor => isConstant(given) && given.data.length === 1 && !Number.isNaN(given.data[0]),
    );
    const others = inputs.filter((given) => !limits.includes(given as HostTensor));
    const rank = Math.max(...others.map((given) => given?.shape.length ?? 0));
    // A limit of more axes than the others have would add them.
    const isClamp = limits.length > 0 && limits.every(({ shape }) => shape.length <= rank);
    const [first, ...rest] = (isClamp ? others : inputs).map((given) => operand(site, inputs.indexOf(given)));
    let answer = first as Dynamic | string;
    for (const next of rest) answer = network.add(layer, op, [answer, next])[0] as Dynamic;
    if (isClamp) {
      const values = limits.map(({ data }) => Number(data[0]));
      const limit = op === "maximum" ? Math.max(...values) : Math.min(...values);
      answer = network.add(layer, "clip", [answer], [], { [bound]: limit })[0] as Dynamic;
    }
    return typeof answer === "string" || inputs.length === 1 ? undefined : [answer];
  };
}

const FLOATS: Readonly<Record<string, Lowering>> = {
  Conv: conv,
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
  Max: extreme("maximum", "min"),
  Min: extreme("minimum", "max"),
  Resize: resizeOp,
  Upsample: resizeOp,
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
  ReduceMean: reduceMean,
  DepthToSpace: depthToSpace,
  Expand: expand,
};

/** Operators that only move elements, of any type. */
const MOVERS: Readonly<Record<string, Lowering>> = {
  Concat: concat,
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

/** How an operator becomes layers: of any type what only moves elements, of float32 all else. */
export function loweringOf(opType: string, isFloat: boolean): Lowering | undefined {
  if (Object.hasOwn(MOVERS, opType)) return MOVERS[opType];
  return isFloat && Object.hasOwn(FLOATS, opType) ? FLOATS[opType] : undefined;
}
