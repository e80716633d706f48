// Calls that together reach every kernel and every way through it: what test/slices.test.ts cuts and test/races.test.ts
// watches. A kernel is packed, padded or copied for by others, so that a few calls reach many.
import type { Kernel, Kernels } from "../src/engine/engine.js";
import type { Conv2dOptions, DType, Runtime, Tensor } from "../src/index.js";
import type { KernelName } from "../src/kernels/table.js";
import { loadOnnx, type OnnxOptions } from "../src/onnx/index.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { type PreprocessOptions, preprocess } from "../src/vision/index.js";
import { BYTES } from "./int8-calls.js";
import {
  type Constant,
  type ElementName,
  type File,
  floats,
  integers,
  type Node,
  onnxFile,
  typed,
} from "./onnx-file.js";
import { fill } from "./random.js";
import { BYTES as MOVED_BYTES } from "./slice-calls-bytes.js";
import { tensorOf } from "./tensors.js";
import { noise } from "./vision-pictures.js";

/** Odd sizes: a last vector of one channel, tiles and rows that end early, two images. */
export const SHAPE = [2, 37, 11, 13];

type Answer = Tensor<DType> | Readonly<Record<string, Tensor<DType>>>;
export type Call = (rt: Runtime, x: Tensor) => Answer | Promise<Answer>;

export const tensorsOf = (y: Answer): Tensor<DType>[] => ("spec" in y ? [y as Tensor<DType>] : Object.values(y));

/** What the runtime plans from here on calls what `wrap` makes of each kernel; those that are loaded later, too. */
export function wrapKernels(rt: Runtime, wrap: (name: KernelName, whole: Kernel) => Kernel): void {
  const { engine } = internalsOf(rt);
  const kernels = new Proxy<Kernels>(
    { ...engine.kernels },
    {
      get: (loaded, name) => {
        const kernel = loaded[name as KernelName];
        return kernel && wrap(name as KernelName, kernel);
      },
    },
  );
  (engine as { kernels: Kernels }).kernels = kernels;
}

const param = (rt: Runtime, shape: readonly number[], seed = "w"): Tensor => rt.tensor(fill(shape, seed), shape);

const conv =
  (
    weight: readonly number[],
    options: Conv2dOptions,
    more: { bias?: boolean; residual?: readonly number[] } = {},
  ): Call =>
  (rt, x) => {
    using w = param(rt, weight);
    using b = more.bias ? param(rt, [weight[0] as number], "bias") : null;
    using residual = more.residual
      ? tensorOf(rt, fill(more.residual, "residual"), more.residual, x.memoryFormat)
      : null;
    return rt.conv2d(x, w, b, residual ? { ...options, residual } : options);
  };

/** The call on another image. */
const on =
  (shape: readonly number[], call: Call): Call =>
  async (rt, { memoryFormat }) => {
    using x = tensorOf(rt, fill(shape, "other"), shape, memoryFormat);
    return await call(rt, x);
  };

/** Into the input itself. */
const inPlace =
  (name: "relu" | "gelu" | "softmax" | "logSoftmax", options = {}): Call =>
  (rt, x) => {
    using plan = rt.plan[name]({ input: x.shape, memoryFormat: x.memoryFormat, ...options });
    return plan.run(x, x);
  };

interface Graph {
  readonly constants?: Readonly<Record<string, Constant>>;
  readonly outputs?: readonly string[];
  readonly types?: File["types"];
  readonly options?: OnnxOptions;
}

/** A file that takes x; its outputs are copied, since the model owns them. */
const onnx =
  (nodes: readonly Node[], { constants = {}, outputs = ["y"], types = {}, options = {} }: Graph = {}): Call =>
  async (rt, x) => {
    const file = onnxFile({ nodes, inputs: { x: x.shape }, outputs, constants, types });
    const model = await loadOnnx(rt, file, options);
    const results = Object.entries(model.run({ x })).map(([name, y]) => [name, y.clone()] as const);
    model.dispose();
    return Object.fromEntries(results);
  };
const one = (op: string, attributes: Node["attributes"] = {}, constants: Graph["constants"] = {}): Call =>
  onnx([{ op, inputs: ["x", ...Object.keys(constants)], outputs: ["y"], attributes }], { constants });

const line = (length: number | undefined): Constant => ({
  dims: [length as number],
  data: fill([length as number], "line"),
});
const scalar = (value: number, type: ElementName = "float32"): Constant => typed(type, [], [value]);
const resized = (mode: string, ...scales: number[]): Call =>
  one(
    "Resize",
    { mode, coordinate_transformation_mode: "half_pixel" },
    { roi: floats(), scales: floats(1, 1, ...scales) },
  );

const ALGORITHMS = ["direct", "im2col", "implicit-gemm", "winograd23", "winograd43", "winograd63", "fft"] as const;

const CONVOLUTIONS: Readonly<Record<string, Call>> = {
  ...Object.fromEntries(
    (["auto", ...ALGORITHMS] as const).map((algorithm) => [
      `conv2d ${algorithm}`,
      conv([19, 37, 3, 3], { padding: 1, algorithm, activation: "silu" }),
    ]),
  ),
  ...Object.fromEntries(
    ALGORITHMS.map((algorithm) => [
      `conv2d ${algorithm}, groups, residual`,
      on(
        [1, 10, 7, 6],
        conv([18, 5, 3, 3], { padding: [1, 0, 2, 1], groups: 2, algorithm }, { bias: true, residual: [1, 18, 8, 5] }),
      ),
    ]),
  ),
  ...Object.fromEntries(
    ALGORITHMS.map((algorithm) => [
      `conv2d ${algorithm}, residual in place`,
      (rt: Runtime, { memoryFormat }: Tensor) => {
        using x = tensorOf(rt, fill([1, 3, 18, 22], "x"), [1, 3, 18, 22], memoryFormat);
        const y = tensorOf(rt, fill([1, 5, 18, 22], "y"), [1, 5, 18, 22], memoryFormat);
        using weight = param(rt, [5, 3, 3, 3]);
        const options = { padding: 1, algorithm, activation: "silu" } as const;
        using plan = rt.plan.conv2d({ input: x.shape, residual: y.shape, weight, memoryFormat, ...options });
        return plan.run(x, y, y);
      },
    ]),
  ),
  ...Object.fromEntries(
    (["direct", "im2col", "implicit-gemm"] as const).map((algorithm) => [
      `conv2d ${algorithm}, strided, dilated, several reduction blocks`,
      on([1, 70, 9, 9], conv([9, 70, 3, 3], { stride: 2, dilation: 2, padding: 2, algorithm }, { bias: true })),
    ]),
  ),
  "conv2d 1x1": conv([21, 37, 1, 1], { activation: "relu" }),
  "conv2d winograd43 of one row": conv([9, 37, 1, 3], { padding: [0, 1], algorithm: "winograd43" }),
  "conv2d winograd23 of one column": conv([9, 37, 3, 1], { padding: [1, 0], algorithm: "winograd23" }),
  "conv2d winograd63, many tiles and filters": on(
    [1, 8, 40, 40],
    conv([200, 8, 3, 3], { padding: 1, algorithm: "winograd63" }),
  ),
  "conv2d winograd43, few tiles, filters of groups": on(
    [1, 8, 20, 18],
    conv(
      [272, 4, 3, 3],
      { padding: 1, groups: 2, algorithm: "winograd43", activation: "hardSwish" },
      { bias: true, residual: [1, 272, 20, 18] },
    ),
  ),
  "conv2d winograd23, four tiles": on([1, 5, 4, 3], conv([103, 5, 3, 3], { padding: 1, algorithm: "winograd23" })),
  "conv2d fft, dilated": conv([9, 37, 3, 4], { dilation: [2, 1], padding: 3, algorithm: "fft", activation: "relu" }),
  "conv2d fft, depthwise": conv([37, 1, 5, 5], { padding: 2, groups: 37, algorithm: "fft" }),
  "conv2d depthwise": conv([37, 1, 3, 3], { padding: 1, groups: 37, activation: "hardSwish" }),
  "conv2d depthwise, strided, residual": conv(
    [37, 1, 3, 3],
    { padding: 1, stride: 2, groups: 37 },
    { bias: true, residual: [2, 37, 6, 7] },
  ),
  "conv2d depthwise 5x5": conv([37, 1, 5, 5], { padding: 2, groups: 37, algorithm: "depthwise" }),
  "conv2d depthwise 5x5, strided": conv([37, 1, 5, 5], { stride: 2, groups: 37, algorithm: "depthwise" }),
  "conv2d depthwise 7x2, dilated": conv([37, 1, 7, 2], { padding: 3, dilation: [1, 3], groups: 37 }),
  "conv2d depthwise, two filters a channel": conv([74, 1, 3, 3], { padding: 1, groups: 37, algorithm: "depthwise" }),
  "conv2d depthwise, rows copied": on([1, 1024, 21, 4], conv([1024, 1, 3, 3], { padding: 1, groups: 1024 })),
  "conv2d implicit-gemm, windows clipped": on(
    [2, 3, 7, 43],
    conv([19, 3, 3, 3], { stride: 2, padding: 1, algorithm: "implicit-gemm", activation: "hardSwish" }, { bias: true }),
  ),
  "conv2d, slopes": onnx(
    [
      { op: "Conv", inputs: ["x", "w", "b"], outputs: ["sum"], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } },
      { op: "PRelu", inputs: ["sum", "slope"], outputs: ["y"] },
    ],
    {
      constants: {
        w: { dims: [19, 37, 3, 3], data: fill([19, 37, 3, 3], "w") },
        b: { dims: [19], data: fill([19], "b") },
        slope: { dims: [19, 1, 1], data: fill([19], "slope") },
      },
    },
  ),
  separableConv2d: (rt, x) => {
    using d = param(rt, [37, 1, 3, 3], "d");
    using p = param(rt, [9, 37, 1, 1], "p");
    return rt.separableConv2d(x, d, p, null, null, { padding: 1, algorithm: "rows", activation: "elu" });
  },
  conv1d: (rt, x) => {
    using line = tensorOf(rt, fill([2, 6, 19], "line"), [2, 6, 19], x.memoryFormat);
    using w = param(rt, [5, 6, 3]);
    return rt.conv1d(line, w, null, { padding: 1 });
  },
  convTranspose2d: (rt, x) => {
    using w = param(rt, [37, 6, 3, 3]);
    return rt.convTranspose2d(x, w, null, { stride: 2, activation: "tanh" });
  },
  "convTranspose2d, dilated": (rt, x) => {
    using w = param(rt, [37, 5, 2, 3]);
    using b = param(rt, [5], "bias");
    return rt.convTranspose2d(x, w, b, { padding: 1, dilation: 2 });
  },
};

const PRODUCTS: Readonly<Record<string, Call>> = {
  linear: (rt, x) => {
    using w = param(rt, [29, 37]);
    using mean = rt.globalAvgPool(x);
    using row = rt.flatten(mean);
    return rt.linear(row, w);
  },
  "linear, planned": (rt) => {
    using w = param(rt, [77, 37]);
    using row = param(rt, [2, 37], "row");
    using plan = rt.plan.linear({ input: [2, 37], weight: w, activation: "silu" });
    return plan.run(row, rt.empty([2, 77]));
  },
  "MatMul by weights of a file": one("MatMul", {}, { w: { dims: [13, 21], data: fill([13, 21], "w") } }),
  "linear of many rows": (rt) => {
    using w = param(rt, [19, 700]);
    using b = param(rt, [19], "bias");
    using rows = param(rt, [23, 700], "rows");
    return rt.linear(rows, w, b, { activation: "gelu" });
  },
  matmul: (rt) => {
    using a = param(rt, [3, 1, 5, 9], "a");
    using b = param(rt, [4, 9, 11], "b");
    return rt.matmul(a, b);
  },
  // Blocks of rows that end early, heads in two loops, two masks.
  attention: onnx(
    [
      { op: "Reshape", inputs: ["x", "apart"], outputs: ["q"] },
      { op: "Transpose", inputs: ["q"], outputs: ["k"], attributes: { perm: [0, 1, 3, 2] } },
      { op: "MatMul", inputs: ["q", "k"], outputs: ["product"] },
      { op: "Add", inputs: ["product", "keys"], outputs: ["biased"] },
      { op: "Add", inputs: ["biased", "heads"], outputs: ["scores"] },
      { op: "Softmax", inputs: ["scores"], outputs: ["weights"] },
      { op: "MatMul", inputs: ["weights", "q"], outputs: ["sums"] },
      { op: "Transpose", inputs: ["sums"], outputs: ["y"], attributes: { perm: [0, 2, 1, 3] } },
    ],
    {
      constants: {
        apart: integers(2, 11, 37, 13),
        keys: { dims: [37], data: fill([37], "keys") },
        heads: { dims: [2, 11, 1, 37], data: fill([2, 11, 37], "heads") },
      },
    },
  ),
};

const POOLS: Readonly<Record<string, Call>> = {
  maxPool2d: (rt, x) => rt.maxPool2d(x, { kernel: 3, stride: 2, padding: 1 }),
  "maxPool2d, 2x2": (rt, x) => rt.maxPool2d(x, { kernel: 2 }),
  "maxPool2d, steps of 1": (rt, x) => rt.maxPool2d(x, { kernel: 3, stride: 1, padding: 1 }),
  "maxPool2d with NaN": (rt, x) => {
    const data = fill(SHAPE, "x");
    for (let i = 0; i < data.length; i += 41) data[i] = Number.NaN;
    using holes = tensorOf(rt, data, SHAPE, x.memoryFormat);
    return rt.maxPool2d(holes, { kernel: 2, dilation: 2, ceilMode: true });
  },
  avgPool2d: (rt, x) => rt.avgPool2d(x, { kernel: 3, stride: 2, padding: 1 }),
  adaptiveAvgPool2d: (rt, x) => rt.adaptiveAvgPool2d(x, { output: [3, 5] }),
  globalAvgPool: (rt, x) => rt.globalAvgPool(x),
  globalMaxPool: (rt, x) => rt.globalMaxPool(x),
  "sum over channels": one("ReduceSum", {}, { axes: integers(1) }),
  "maximum over columns": one("ReduceMax", { axes: [3], keepdims: 0 }),
};

const ELEMENTS: Readonly<Record<string, Call>> = {
  gelu: (rt, x) => rt.gelu(x),
  "gelu in place": inPlace("gelu"),
  "relu in place": inPlace("relu"),
  add: (rt, x) => rt.add(x, x, { activation: "tanh" }),
  "sub in place": (rt, x) => {
    using b = tensorOf(rt, fill(SHAPE, "b"), SHAPE, x.memoryFormat);
    using plan = rt.plan.sub({ a: SHAPE, b: SHAPE, memoryFormat: x.memoryFormat });
    return plan.run(x, b, x);
  },
  "mul of another format and shape": (rt, x) => {
    using scale = tensorOf(rt, fill([37, 1, 13], "scale"), [37, 1, 13]);
    return rt.mul(x, scale);
  },
  "div by short runs": (rt, x) => {
    using line = param(rt, [2, 600, 3], "line");
    using divisor = param(rt, [600, 1], "divisor");
    using other = tensorOf(rt, fill([2, 600, 3], "other"), [2, 600, 3], x.memoryFormat);
    return { a: rt.div(line, divisor), b: rt.maximum(other, line) };
  },
  prelu: (rt, x) => {
    using slope = param(rt, [37], "slope");
    return rt.prelu(x, slope);
  },
  maximum: (rt, x) => rt.maximum(x, x),
  "layer normalisation": one("LayerNormalization", {}, { s: line(SHAPE[3]), b: line(SHAPE[3]) }),
  "instance normalisation": one("InstanceNormalization", {}, { s: line(SHAPE[1]), b: line(SHAPE[1]) }),
  "functions of one element": onnx(
    ["Exp", "Sin", "Erf", "Round"].map((op) => ({ op, inputs: ["x"], outputs: [op] })),
    { outputs: ["Exp", "Sin", "Erf", "Round"] },
  ),
  ...Object.fromEntries(
    (["uint8", "int8"] as const).map((type) => [
      `quantize to ${type}`,
      onnx(
        [
          { op: "QuantizeLinear", inputs: ["x", "scale", "zero"], outputs: ["q"] },
          { op: "DequantizeLinear", inputs: ["q", "scale", "zero"], outputs: ["y"] },
        ],
        {
          constants: { scale: scalar(0.03), zero: scalar(5, type) },
          outputs: ["q", "y"],
          types: { q: type === "uint8" ? 2 : 3 },
        },
      ),
    ]),
  ),
  ...Object.fromEntries(
    [1, 3].map((axis) => [
      `quantize by axis ${axis}`,
      onnx(
        [
          { op: "QuantizeLinear", inputs: ["x", "scale"], outputs: ["q"], attributes: { axis } },
          { op: "DequantizeLinear", inputs: ["q", "scale"], outputs: ["y"], attributes: { axis } },
        ],
        {
          constants: { scale: floats(...fill([SHAPE[axis] as number], "scale").map(Math.abs)) },
          outputs: ["q", "y"],
          types: { q: 2 },
        },
      ),
    ]),
  ),
  "sums of products in int32": onnx(
    [
      { op: "QuantizeLinear", inputs: ["x", "scale", "zero"], outputs: ["q"] },
      { op: "ConvInteger", inputs: ["q", "w", "zero"], outputs: ["y"] },
    ],
    {
      constants: {
        scale: scalar(0.03),
        zero: scalar(128, "uint8"),
        w: { dims: [5, 37, 1, 1], type: 2, data: Uint8Array.from({ length: 185 }, (_, i) => (i * 37) % 251) },
      },
      types: { y: 6 },
    },
  ),
};

const ROWS: Readonly<Record<string, Call>> = {
  "softmax over channels": (rt, x) => rt.softmax(x, { axis: 1 }),
  "softmax over channels in place": inPlace("softmax", { axis: 1 }),
  "softmax over rows of an image": (rt, x) => rt.softmax(x, { axis: 2 }),
  "logSoftmax over columns": (rt, x) => rt.logSoftmax(x),
  "logSoftmax over channels in place": inPlace("logSoftmax", { axis: 1 }),
  batchNorm: (rt, x) => {
    const [mean, variance, gamma, beta] = ["mean", "variance", "gamma", "beta"].map((name) =>
      rt.tensor(fill([37], name).map(Math.abs), [37]),
    ) as [Tensor, Tensor, Tensor, Tensor];
    return rt.batchNorm(x, mean, variance, gamma, beta, { activation: "relu6" });
  },
  batchNormTrain: (rt, x) => rt.batchNormTrain(x),
  "batchNormTrain with running statistics": (rt, x) => {
    const [mean, variance] = [param(rt, [37], "mean"), rt.tensor(fill([37], "variance").map(Math.abs), [37])];
    return rt.batchNormTrain(x, mean, variance, null, null, { momentum: 0.3 });
  },
  localResponseNorm: (rt, x) => rt.localResponseNorm(x, { size: 5, alpha: 1 }),
  "resize nearest": resized("nearest", 2, 1.5),
  "resize linear": resized("linear", 1.7, 2),
  "resize cubic": resized("cubic", 1.7, 0.6),
};

const MOVES: Readonly<Record<string, Call>> = {
  transpose: (rt, x) => rt.transpose(x, { permutation: [3, 1, 0, 2] }),
  "transpose of tiles": (rt) => {
    using x = param(rt, [2, 70, 67], "x");
    return rt.transpose(x, { permutation: [2, 0, 1] });
  },
  "transpose of several blocks": (rt) => {
    using x = param(rt, [131, 200], "x");
    return rt.transpose(x);
  },
  "slice of long rows": (rt) => {
    using x = param(rt, [2, 40_001], "x");
    return rt.slice(x, { axes: [1], starts: [3], ends: [40_000] });
  },
  toMemoryFormat: (rt, x) =>
    rt.toMemoryFormat(x, { memoryFormat: x.memoryFormat === "contiguous" ? "channelsLast" : "contiguous" }),
  concat: (rt, x) => rt.concat([x, x, x], { axis: 1 }),
  slice: (rt, x) => rt.slice(x, { axes: [2, 3], starts: [9, 1], ends: [1, 12], steps: [-3, 2] }),
  pad: (rt, x) => rt.pad(x, { pads: [0, 0, 1, 2, 0, 0, 3, 1], mode: "reflect" }),
  ...Object.fromEntries(
    (["uint8", "int32", "int64"] as const).map((dtype) => [
      `transpose of ${dtype}`,
      (rt: Runtime, x: Tensor) => {
        const isBig = dtype === "int64";
        const numbers = Array.from({ length: 2 * 5 * 6 * 7 }, (_, i) => i % 251);
        const data = isBig ? BigInt64Array.from(numbers, BigInt) : numbers;
        using y = rt.tensor(data, [2, 5, 6, 7], { dtype, memoryFormat: x.memoryFormat });
        return { a: rt.transpose(y, { permutation: [0, 3, 1, 2] }), b: rt.concat([y, y], { axis: 3 }) };
      },
    ]),
  ),
};

const odd = (type: "int32" | "int64", ...dims: number[]): Constant =>
  typed(
    type,
    dims,
    fill(dims, type).map((v) => Math.round(9 * v) || 1),
  );

/** x0, y0, x1, y1 of each. */
const BOXES = [0.7, 0.8, 7.4, 6.9, 1.3, 0.6, 8.2, 7.7, 0.9, 1.9, 6.6, 8.1];

/** An image at places, in boxes of these images or for these weights. */
const sampled = (
  op: string,
  shape: readonly number[],
  attributes: Node["attributes"],
  images: readonly number[] = [],
  weights?: readonly number[],
  places: ArrayLike<number> = fill(shape, "places"),
): Call => {
  const constants: Record<string, Constant> = {
    ...(weights && { w: { dims: weights, data: fill(weights, "w") } }),
    places: { dims: shape, data: Float32Array.from(places) },
    ...(images.length > 0 && { images: integers(...images) }),
  };
  const nodes = [{ op, inputs: ["x", ...Object.keys(constants)], outputs: ["y"], attributes }];
  return onnx(nodes as readonly Node[], { constants });
};

/** Of the rare pack. */
const RARE: Readonly<Record<string, Call>> = {
  "less than a channel's": one("Less", {}, { b: typed("float32", [37, 1, 1], fill([37, 1, 1], "b")) }),
  "a power of one number": one("Pow", {}, { b: scalar(1.7) }),
  "a choice, whole numbers": onnx(
    [
      { op: "Cast", inputs: ["x"], outputs: ["whole"], attributes: { to: 7 } },
      { op: "Mod", inputs: ["whole", "b"], outputs: ["rest"] },
      { op: "Greater", inputs: ["x", "zero"], outputs: ["test"] },
      { op: "Not", inputs: ["test"], outputs: ["other"] },
      { op: "And", inputs: ["test", "other"], outputs: ["both"] },
      { op: "Where", inputs: ["both", "whole", "rest"], outputs: ["y"] },
      { op: "Where", inputs: ["test", "x", "zero"], outputs: ["z"] },
    ],
    { constants: { b: odd("int64", 13), zero: scalar(0) }, outputs: ["y", "z"] },
  ),
  "places of the largest along channels": one("ArgMax", { axis: 1 }),
  "places of the smallest along rows": one("ArgMin", { axis: 3 }),
  "products of columns": one("ReduceProd", {}, { axes: integers(2) }),
  "running sums of rows": one("CumSum", {}, { axis: scalar(3, "int64") }),
  "running sums of channels": one("CumSum", { reverse: 1 }, { axis: scalar(1, "int64") }),
  "maxima with places": onnx(
    [{ op: "MaxPool", inputs: ["x"], outputs: ["y", "z"], attributes: { kernel_shape: [3, 2], pads: [1, 0, 1, 1] } }],
    { outputs: ["y", "z"] },
  ),
  "elements at computed indices": onnx(
    [
      { op: "ArgMax", inputs: ["x"], outputs: ["rows"], attributes: { axis: 2, keepdims: 0 } },
      { op: "Gather", inputs: ["runs", "rows"], outputs: ["y"] },
      { op: "Round", inputs: ["x"], outputs: ["whole"] },
      { op: "Cast", inputs: ["whole"], outputs: ["places"], attributes: { to: 7 } },
      { op: "GatherElements", inputs: ["x", "places"], outputs: ["z"], attributes: { axis: 1 } },
    ],
    { constants: { runs: { dims: [11, 7], data: fill([11, 7], "runs") } }, outputs: ["y", "z"] },
  ),
  "places of a grid": (rt, x) => sampled("GridSample", [2, 5, 7, 2], { mode: "cubic" })(rt, x),
  // 25 places of four corners each: more than are taken together.
  "places in boxes": (rt, x) =>
    sampled(
      "RoiAlign",
      [3, 4],
      { output_height: 2, output_width: 3, sampling_ratio: 5 },
      [1, 0, 1],
      undefined,
      BOXES,
    )(rt, x),
  "patches at places of their own": (rt, x) => sampled("DeformConv", [2, 8, 10, 12], {}, [], [5, 37, 2, 2])(rt, x),
  softplus: one("Softplus"),
  mish: one("Mish"),
  shrink: one("Shrink"),
  threshold: one("ThresholdedRelu"),
};

/** A photo of so many channels. */
const photo =
  (channels: number, options: Partial<PreprocessOptions> & Pick<PreprocessOptions, "size">): Call =>
  (rt, { memoryFormat }) =>
    preprocess(rt, noise(43, 37, channels, 0), { scale: 1 / 255, memoryFormat, ...options });

const PHOTOS: Readonly<Record<string, Call>> = {
  "photo letterboxed": photo(3, { size: [21, 30], fit: "letterbox", fill: 114, mean: [1, 2, 3] }),
  "photo cropped to bytes": photo(4, { size: [18, 19], fit: "crop", filter: "lanczos", dtype: "uint8", scale: 1 }),
  "photo of few rows, grey": photo(1, { size: [7, 9], antialias: false, channels: "gray", dtype: "int8" }),
  "photo of few rows, mirrored": photo(3, { size: [7, 9], antialias: false, orientation: 3, dtype: "int8" }),
  "photo with alpha": photo(4, { size: [50, 60], channels: "rgba", filter: "bicubic" }),
  "photo on a background": photo(4, { size: 17, background: [9, 8, 7], channels: "bgr" }),
  "photo as RGBA bytes": photo(4, { size: [15, 14], channels: "rgba", dtype: "uint8", scale: 1 }),
};

/** Every cell, with units beyond a work item: 45 of an image's rows as steps. */
const recurrent = (op: "LSTM" | "GRU" | "RNN", gates: number, attributes: Node["attributes"] = {}): Call => {
  const hidden = 45;
  const constants: Record<string, Constant> = {
    shape: integers(11, 2, -1),
    w: { dims: [2, gates * hidden, 481], data: fill([2, gates * hidden, 481], "w") },
    r: { dims: [2, gates * hidden, hidden], data: fill([2, gates * hidden, hidden], "r") },
    b: { dims: [2, 2 * gates * hidden], data: fill([2, 2 * gates * hidden], "b") },
    lengths: typed("int32", [2], [11, 4]),
  };
  const nodes: Node[] = [
    { op: "Reshape", inputs: ["x", "shape"], outputs: ["s"] },
    {
      op,
      inputs: ["s", "w", "r", "b", "lengths"],
      outputs: ["y", "h"],
      attributes: { hidden_size: hidden, direction: "bidirectional", ...attributes },
    },
  ];
  return onnx(nodes, { constants, outputs: ["y", "h"] });
};

const STEPS: Readonly<Record<string, Call>> = {
  "steps of LSTM": recurrent("LSTM", 4, { clip: { float: 2 } }),
  "steps of GRU": recurrent("GRU", 3),
  "steps of GRU, linear before reset": recurrent("GRU", 3, { linear_before_reset: 1 }),
  "steps of RNN": recurrent("RNN", 1),
};

/** Two signals, and a reader of frames of 128 of their 5,291 samples. */
const signals = (shape: readonly number[], node: Omit<Node, "outputs">, constants: Graph["constants"]): Call =>
  onnx(
    [
      { op: "Reshape", inputs: ["x", "shape"], outputs: ["s"] },
      { ...node, outputs: ["y"] },
    ],
    { constants: { ...constants, shape: integers(...shape) } },
  );
const wavesOf = (wave: (angle: number) => number): Constant => ({
  dims: [65, 1, 128],
  data: Float32Array.from({ length: 65 * 128 }, (_, i) =>
    wave((2 * Math.PI * ((Math.floor(i / 128) * (i % 128)) % 128)) / 128),
  ),
});
const LINES = { kernel_shape: [128], strides: [300] };

const SPECTRA: Readonly<Record<string, Call>> = {
  "spectra of frames": signals(
    [2, 5291, 1],
    { op: "STFT", inputs: ["s", "step", "", "length"] },
    { step: scalar(250, "int64"), length: scalar(128, "int64") },
  ),
  "conv1d with cosines": signals(
    [2, 1, 5291],
    { op: "Conv", inputs: ["s", "w"], attributes: LINES },
    { w: wavesOf(Math.cos) },
  ),
  "squares of conv1d with cosines and sines": onnx(
    [
      { op: "Reshape", inputs: ["x", "shape"], outputs: ["s"] },
      { op: "Conv", inputs: ["s", "cos"], outputs: ["re"], attributes: LINES },
      { op: "Conv", inputs: ["s", "sin"], outputs: ["im"], attributes: LINES },
      { op: "Mul", inputs: ["re", "re"], outputs: ["re2"] },
      { op: "Mul", inputs: ["im", "im"], outputs: ["im2"] },
      { op: "Add", inputs: ["re2", "im2"], outputs: ["y"] },
    ],
    { constants: { cos: wavesOf(Math.cos), sin: wavesOf(Math.sin), shape: integers(2, 1, 5291) } },
  ),
};

/** Flattened, then multiplied by weights of 8 bits in so many planes. */
const BYTE_WEIGHTS: Readonly<Record<string, Call>> = Object.fromEntries(
  (["int8", "int16", "float16"] as const).map((quantizeWeights) => [
    `${quantizeWeights} weights`,
    onnx(
      [
        { op: "Flatten", inputs: ["x"], outputs: ["rows"] },
        { op: "Gemm", inputs: ["rows", "w", "b"], outputs: ["hidden"], attributes: { transB: 1 } },
        { op: "MatMul", inputs: ["hidden", "v"], outputs: ["y"] }, // weights that are packed whole, not as they are fed
      ],
      {
        constants: {
          w: { dims: [37, 37 * 11 * 13], data: fill([37, 37 * 11 * 13], "w") },
          b: { dims: [37], data: fill([37], "b") },
          v: { dims: [37, 19], data: fill([37, 19], "v") },
        },
        options: { quantizeWeights },
      },
    ),
  ]),
);

/** More rows, and few of weights that are long: rows in lanes. */
const HALF_WEIGHTS: Readonly<Record<string, Call>> = {
  "float16 weights of many rows": onnx(
    [
      { op: "Reshape", inputs: ["x", "shape"], outputs: ["rows"] },
      { op: "MatMul", inputs: ["rows", "w"], outputs: ["y"] },
    ],
    {
      constants: { shape: integers(-1, 11 * 13), w: { dims: [11 * 13, 93], data: fill([11 * 13, 93], "w") } },
      options: { quantizeWeights: "float16" },
    },
  ),
  "float16 weights in lanes": onnx(
    [
      { op: "Flatten", inputs: ["x"], outputs: ["rows"] },
      { op: "Gemm", inputs: ["rows", "w"], outputs: ["y"], attributes: { transB: 1 } },
    ],
    {
      constants: { w: { dims: [401, 37 * 11 * 13], data: fill([401, 37 * 11 * 13], "w") } },
      options: { quantizeWeights: "float16" },
    },
  ),
};

export const CALLS: readonly (readonly [string, Call])[] = Object.entries({
  ...CONVOLUTIONS,
  ...PRODUCTS,
  ...POOLS,
  ...ELEMENTS,
  ...ROWS,
  ...MOVES,
  ...RARE,
  ...PHOTOS,
  ...STEPS,
  ...SPECTRA,
  ...BYTES,
  ...MOVED_BYTES,
  ...BYTE_WEIGHTS,
  ...HALF_WEIGHTS,
});
