// What the standard's own tests hardly reach, as folders for test/conformance-set.ts: every mode of Resize, auto_pad, slices
// that run backwards, the factors and broadcasts of Gemm, and rounding where numbers are quantised. A folder is several nodes
// on one first operand. All operands are inputs of the file, so that a test may give each to the run or make it a constant.
import type { ElementName, Node } from "./onnx-file.js";
import { fill } from "./random.js";
import * as r from "./reference.js";
import { type Pair, type Ref, type ResizeOptions, ref, type Sides } from "./reference.js";

export interface Value extends Ref {
  /** Default float32. */
  readonly type?: ElementName;
}

export interface OperatorNode {
  readonly op: string;
  /** null: none in this place. The same value may be an operand of several nodes. */
  readonly inputs: readonly (Value | null)[];
  readonly attributes?: Node["attributes"];
  readonly output: Value;
  /** Outputs after the first. */
  readonly more?: readonly Value[];
}

const random = (shape: readonly number[], seed: string): Ref => ref(shape, fill(shape, seed));
const of = (type: ElementName, value: Ref): Value => ({ ...value, type });
export const integers = (...values: number[]): Value => of("int64", ref([values.length], values));
const floats = (...values: number[]): Value => ref([values.length], values);
const scalar = (value: number, type: ElementName = "float32"): Value => of(type, ref([], [value]));

// ---- Resize ----

const image = random([1, 2, 4, 6], "image");
/** Larger and smaller, to whole numbers of pixels, and to numbers that are rounded down. */
const WHOLE: readonly Pair[] = [
  [1.5, 2],
  [0.75, 0.5],
];
const ROUNDED: readonly Pair[] = [
  [1.625, 0.6875],
  [0.6875, 1.375],
];
/** To one pixel. */
const SINGLE: Pair = [0.25, 0.1875];
const COORDINATES = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
] as const;
const sizeOf = (scales: Pair): Pair => [Math.floor(4 * scales[0]), Math.floor(6 * scales[1])];

function resizeNode(scales: Pair, options: ResizeOptions): OperatorNode {
  const { mode, coordinates = "half_pixel", nearest, cubicA, excludeOutside, antialias, crop, outside } = options;
  const size = crop
    ? ([0, 1].map((i) =>
        Math.floor((sizeOf(scales)[i] as number) * ((crop[i + 2] as number) - (crop[i] as number))),
      ) as unknown as Pair)
    : sizeOf(scales);
  return {
    op: "Resize",
    inputs: [image, crop ? floats(0, 0, crop[0], crop[1], 1, 1, crop[2], crop[3]) : null, floats(1, 1, ...scales)],
    attributes: {
      mode,
      coordinate_transformation_mode: coordinates,
      ...(nearest && { nearest_mode: nearest }),
      ...(cubicA !== undefined && { cubic_coeff_a: { float: cubicA } }),
      ...(excludeOutside && { exclude_outside: 1 }),
      ...(antialias && { antialias: 1 }),
      ...(outside !== undefined && { extrapolation_value: { float: outside } }),
    },
    output: r.resize(image, size, scales, options),
  };
}

/** In every way to lay pixels out. How long a line of corners is where its length was rounded, the standard leaves open. */
const everyCoordinate = (options: ResizeOptions): OperatorNode[] =>
  COORDINATES.flatMap((coordinates) =>
    [...WHOLE, SINGLE, ...(coordinates === "align_corners" ? [] : ROUNDED)].map((scales) =>
      resizeNode(scales, { ...options, coordinates }),
    ),
  );

/** By sizes, of some axes, and within a box. */
function resizeToSize(wanted: Pair, policy?: "not_larger" | "not_smaller"): OperatorNode {
  const ratios = [wanted[0] / 4, wanted[1] / 6] as const;
  const common = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  const scales: Pair = policy ? [common, common] : ratios;
  const size: Pair = policy ? [Math.round(4 * common), Math.round(6 * common)] : wanted;
  return {
    op: "Resize",
    inputs: [image, null, null, integers(...wanted)],
    attributes: { mode: "linear", axes: [2, 3], ...(policy && { keep_aspect_ratio_policy: policy }) },
    output: r.resize(image, size, scales, { mode: "linear" }),
  };
}

const CROP: Sides = [0.25, -0.125, 0.75, 1.375];
const RESIZES: Readonly<Record<string, readonly OperatorNode[]>> = {
  ...Object.fromEntries(
    (["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] as const).map((nearest) => [
      `resize_nearest_${nearest}`,
      everyCoordinate({ mode: "nearest", nearest }),
    ]),
  ),
  resize_linear: everyCoordinate({ mode: "linear" }),
  resize_cubic: everyCoordinate({ mode: "cubic" }),
  resize_options: [...WHOLE, ...ROUNDED].flatMap((scales) => [
    resizeNode(scales, { mode: "cubic", cubicA: -0.5 }),
    resizeNode(scales, { mode: "cubic", excludeOutside: true }),
    resizeNode(scales, { mode: "linear", antialias: true }),
    resizeNode(scales, { mode: "cubic", antialias: true, cubicA: -0.5 }),
    resizeNode(scales, { mode: "cubic", antialias: true, excludeOutside: true }),
  ]),
  resize_crop: (["nearest", "linear", "cubic"] as const).map((mode) =>
    resizeNode([2, 2], { mode, coordinates: "tf_crop_and_resize", crop: CROP, outside: 7 }),
  ),
  resize_sizes: [
    resizeToSize([7, 9]),
    resizeToSize([1, 4]),
    resizeToSize([8, 9], "not_larger"),
    resizeToSize([8, 9], "not_smaller"),
  ],
};

// ---- auto_pad ----

const x = random([2, 3, 8, 9], "x");
const AUTO = ["SAME_UPPER", "SAME_LOWER", "VALID"] as const;
type Auto = (typeof AUTO)[number];

/** [top, left, bottom, right] over 8 x 9 pixels. */
function autoPadding(auto: Auto, kernel: Pair, stride: Pair, dilation: Pair): Sides {
  if (auto === "VALID") return [0, 0, 0, 0];
  const extra = auto === "SAME_UPPER" ? "after" : "before";
  const [top, bottom] = r.samePadding(8, kernel[0], stride[0], dilation[0], extra);
  const [left, right] = r.samePadding(9, kernel[1], stride[1], dilation[1], extra);
  return [top, left, bottom, right];
}

/** An output of `stride` times the input: what a full one has more is cut off; upper: the odd row and column at the end. */
function transposedPadding(auto: Auto, kernel: Pair, stride: Pair): Sides {
  if (auto === "VALID") return [0, 0, 0, 0];
  const [h, w] = [kernel[0] - stride[0], kernel[1] - stride[1]];
  const [less, more] = [[Math.floor(h / 2), Math.floor(w / 2)] as const, [Math.ceil(h / 2), Math.ceil(w / 2)] as const];
  return auto === "SAME_UPPER" ? [...less, ...more] : [...more, ...less];
}

const WINDOWS: readonly { kernel: Pair; stride: Pair; dilation: Pair }[] = [
  { kernel: [2, 4], stride: [1, 1], dilation: [1, 1] },
  { kernel: [3, 2], stride: [2, 3], dilation: [1, 1] },
  { kernel: [2, 2], stride: [1, 2], dilation: [3, 2] },
];
const everyWindow = (node: (auto: Auto, window: (typeof WINDOWS)[number], padding: Sides) => OperatorNode) =>
  AUTO.flatMap((auto) =>
    WINDOWS.map((window) => node(auto, window, autoPadding(auto, window.kernel, window.stride, window.dilation))),
  );

const AUTO_PADS: Readonly<Record<string, readonly OperatorNode[]>> = {
  conv_auto_pad: everyWindow((auto_pad, { kernel, stride, dilation }, padding) => {
    const weight = random([4, 3, ...kernel], `${kernel}`);
    return {
      op: "Conv",
      inputs: [x, weight],
      attributes: { auto_pad, strides: stride, dilations: dilation },
      output: r.conv2d(x, weight, null, { stride, dilation, padding }),
    };
  }),
  conv_auto_pad_depthwise: AUTO.map((auto_pad) => {
    const weight = random([3, 1, 3, 4], "depthwise");
    const options = { stride: [2, 1], groups: 3, padding: autoPadding(auto_pad, [3, 4], [2, 1], [1, 1]) } as const;
    return {
      op: "Conv",
      inputs: [x, weight],
      attributes: { auto_pad, strides: options.stride, group: 3 },
      output: r.conv2d(x, weight, null, options),
    };
  }),
  max_pool_auto_pad: everyWindow((auto_pad, { kernel, stride, dilation }, padding) => ({
    op: "MaxPool",
    inputs: [x],
    attributes: { auto_pad, kernel_shape: kernel, strides: stride, dilations: dilation },
    output: r.maxPool2d(x, { kernel, stride, dilation, padding }),
  })),
  average_pool_auto_pad: everyWindow((auto_pad, { kernel, stride }, _) => {
    const padding = autoPadding(auto_pad, kernel, stride, [1, 1]);
    const count = kernel[0] === 3 ? 1 : 0;
    return {
      op: "AveragePool",
      inputs: [x],
      attributes: { auto_pad, kernel_shape: kernel, strides: stride, count_include_pad: count },
      output: r.avgPool2d(x, { kernel, stride, padding, countIncludePad: count === 1 }),
    };
  }),
  conv_transpose_auto_pad: AUTO.flatMap((auto_pad) =>
    (
      [
        [4, 3, 1, 2],
        [3, 5, 2, 2],
      ] as const
    ).map(([R, S, ...stride]) => {
      const weight = random([3, 2, R, S], `${R} ${S}`);
      const padding = transposedPadding(auto_pad, [R, S], stride);
      return {
        op: "ConvTranspose",
        inputs: [x, weight],
        attributes: { auto_pad, strides: stride },
        output: r.convTranspose2d(x, weight, null, { stride, padding }),
      };
    }),
  ),
};

/** Of 8 x 9 pixels; padding as ONNX has it is [top, left, bottom, right] too. */
function transposed(shape: readonly number[], options: r.ConvTranspose2dOptions, outputShape?: Pair): OperatorNode {
  const { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1, outputPadding = [0, 0] } = options;
  const weight = random(shape, `transposed ${shape}`);
  return {
    op: "ConvTranspose",
    inputs: [x, weight],
    attributes: {
      strides: stride,
      dilations: dilation,
      group: groups,
      output_padding: outputPadding,
      ...(outputShape ? { output_shape: outputShape } : { pads: padding }),
    },
    output: r.convTranspose2d(x, weight, null, options),
  };
}

const TRANSPOSED: readonly OperatorNode[] = [
  transposed([3, 2, 3, 2], { stride: [1, 3], dilation: [2, 1], padding: [1, 0, 2, 1], outputPadding: [1, 2] }),
  transposed([3, 2, 2, 4], { stride: [2, 1], dilation: [1, 3], groups: 3, outputPadding: [1, 0] }),
  // 17 x 20 without padding; of an odd number of rows and columns less the first has one more.
  transposed([3, 4, 3, 4], { stride: [2, 2], padding: [2, 1, 1, 0] }, [14, 19]),
];

// ---- Slice ----

const cube = random([3, 5, 7], "cube");
const deep = random([2, 12, 4, 5], "deep");
const MOST = 2 ** 31 - 1;
/** Starts, ends, axes and steps. */
const SLICES: readonly (readonly (readonly number[])[])[] = [
  [[-1], [-MOST], [2], [-1]],
  [[6], [0], [2], [-2]],
  [[4], [-6], [1], [-3]],
  [[MOST], [-MOST], [-2], [-1]],
  [
    [2, 3, 5],
    [-MOST, 0, -7],
    [0, 1, 2],
    [-1, -2, -3],
  ],
  [
    [-1, 1],
    [0, -1],
    [1, 2],
    [-1, 2],
  ],
  [
    [-100, 2],
    [100, 1],
    [2, 0],
    [3, -1],
  ],
  [[1], [-1], [-1], [2]],
];

const SLICE: readonly OperatorNode[] = [
  ...SLICES.map(
    ([starts = [], ends = [], axes = [], steps = []]): OperatorNode => ({
      op: "Slice",
      inputs: [cube, integers(...starts), integers(...ends), integers(...axes), integers(...steps)],
      output: r.slice(cube, starts, ends, axes, steps),
    }),
  ),
  { op: "Slice", inputs: [cube, integers(1, -3), integers(3, MOST)], output: r.slice(cube, [1, -3], [3, MOST]) },
];

// ---- other moves ----

/** Cut along an axis at the sums of these sizes. */
function split(sizes: readonly number[], axis: number, inputs: readonly Value[], attributes = {}): OperatorNode {
  const parts = sizes.map((size, i) => {
    const start = sizes.slice(0, i).reduce((a, b) => a + b, 0);
    return r.slice(cube, [start], [start + size], [axis]);
  });
  const [output, ...more] = parts as [Ref, ...Ref[]];
  return { op: "Split", inputs, attributes: { axis, ...attributes }, output, more };
}

/** Elements of the last axis, counted from its end where they are negative. */
const picked = (indices: readonly number[]): Ref =>
  r.build([3, 5, indices.length], (i, j, k) => {
    const index = indices[k as number] as number;
    return r.at(cube, i as number, j as number, index < 0 ? index + 7 : index);
  });

const PADS: readonly (readonly number[])[] = [
  [1, 0, 2],
  [0, 3, 1],
];
const MOVES: readonly OperatorNode[] = [
  split([2, 4, 1], 2, [cube, integers(2, 4, 1)]),
  split([1, 4], -2, [cube, integers(1, 4)]),
  split([3, 3, 1], 2, [cube], { num_outputs: 3 }),
  ...[
    [6, 0, -1, 3],
    [5, 3, 1],
    [2, 2, -7],
  ].map(
    (indices): OperatorNode => ({
      op: "Gather",
      inputs: [cube, integers(...indices)],
      attributes: { axis: -1 },
      output: picked(indices),
    }),
  ),
  {
    op: "Gather",
    inputs: [cube, integers(2, 0, -1)],
    output: r.concat(
      [2, 0, 2].map((i) => r.slice(cube, [i], [i + 1])),
      0,
    ),
  },
  ...(["constant", "reflect", "edge"] as const).map(
    (mode): OperatorNode => ({
      op: "Pad",
      inputs: [cube, integers(...PADS.flat()), scalar(-2)],
      attributes: { mode },
      output: r.pad(cube, ...(PADS as [readonly number[], readonly number[]]), mode, -2),
    }),
  ),
];

/** Pixels from channels: block rows and columns are the first axes of the channels, or the last. */
const DEPTHS: readonly OperatorNode[] = (["DCR", "CRD"] as const).map((mode) => {
  const parts = r.reshape(deep, mode === "DCR" ? [2, 2, 2, 3, 4, 5] : [2, 3, 2, 2, 4, 5]);
  const moved = r.transpose(parts, mode === "DCR" ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]);
  return {
    op: "DepthToSpace",
    inputs: [deep],
    attributes: { mode, blocksize: 2 },
    output: r.reshape(moved, [2, 3, 8, 10]),
  };
});

// ---- Gemm ----

/** alpha A B + beta C, with every shape of C that broadcasts, and without. */
function gemms(a: Ref, transA: 0 | 1): readonly OperatorNode[] {
  const left = transA ? r.transpose(a) : a;
  const shapes = [[5, 7], [1, 7], [5, 1], [7], [1], [], undefined];
  return shapes.flatMap((shape, i) =>
    ([0, 1] as const).map((transB): OperatorNode => {
      const b = random(transB ? [7, 12] : [12, 7], `b ${transB}`);
      const c = shape && random(shape, `c ${shape}`);
      const [alpha, beta] = [i % 2 === transB ? 0.75 : 1, i % 3 === 0 ? -1.5 : 0.25];
      const product = r.map(r.matmul(left, transB ? r.transpose(b) : b), (value) => alpha * value);
      return {
        op: "Gemm",
        inputs: c ? [a, b, c] : [a, b],
        attributes: { transA, transB, alpha: { float: alpha }, beta: { float: beta } },
        output: c
          ? r.add(
              product,
              r.map(c, (value) => beta * value),
            )
          : product,
      };
    }),
  );
}

// ---- quantised numbers ----

const RANGES = { uint8: [0, 255], int8: [-128, 127], int32: [-(2 ** 31), 2 ** 31 - 1] } as const;
type Quantised = "uint8" | "int8";

/** Whole numbers of the type, from all of its range. */
function codes(shape: readonly number[], type: Quantised, seed: string): Value {
  const [low, high] = RANGES[type];
  return of(
    type,
    r.map(random(shape, seed), (value) => Math.max(low, Math.min(high, Math.round((low + high) / 2 + 60 * value)))),
  );
}

/** Halves of a step from beyond one end of every range to beyond the other, all of them exact in float32. */
const halves = ref(
  [2, 3, 257],
  Float64Array.from({ length: 1542 }, (_, i) => (((i * 7) % 1542) - 771) / 8),
);

function quantizeNode(scale: Value, zero: Value, axis = 1): OperatorNode {
  const type = zero.type as Quantised;
  const along = (value: Ref) => (value.shape.length === 0 ? value : r.reshape(value, axis === 1 ? [-1, 1] : [-1]));
  return {
    op: "QuantizeLinear",
    inputs: [halves, scale, zero],
    attributes: { axis },
    output: of(type, r.quantize(halves, along(scale), along(zero), RANGES[type])),
  };
}

/** The output's number for sums of products, of which a quantum is 1 / factor: a power of two, so that all is exact. */
function requantised(sums: Ref, factor: Ref, zero: Value): Value {
  const type = zero.type as Quantised;
  return of(
    type,
    r.quantize(
      sums,
      r.map(factor, (value) => 1 / value),
      zero,
      RANGES[type],
    ),
  );
}

function qLinearConv(
  input: Value,
  zeroX: Value,
  zeroY: Value,
  weightType: Quantised,
  isPerFilter: boolean,
): OperatorNode {
  const weight = codes([4, 3, 3, 3], weightType, `weights of ${weightType}`);
  const zeroW = isPerFilter
    ? of(weightType, ref([4], [0, 3, 1, 2]))
    : scalar(weightType === "uint8" ? 120 : -3, weightType);
  const steps = isPerFilter ? floats(2 ** -7, 2 ** -6, 2 ** -8, 2 ** -7) : scalar(2 ** -7);
  const [stepX, stepY] = [scalar(0.5), scalar(4)];
  const bias = of("int32", ref([4], [100, -700, 3, 4000]));
  const byFilter = (value: Ref) => (isPerFilter ? r.reshape(value, [4, 1, 1]) : value);
  const sums = r.conv2d(
    r.sub(input, zeroX),
    r.sub(weight, isPerFilter ? r.reshape(zeroW, [4, 1, 1, 1]) : zeroW),
    bias,
    { padding: [1, 1, 1, 1], stride: [1, 2] },
  );
  return {
    op: "QLinearConv",
    inputs: [input, stepX, zeroX, weight, steps, zeroW, stepY, zeroY, bias],
    attributes: { pads: [1, 1, 1, 1], strides: [1, 2] },
    output: requantised(
      sums,
      r.map(byFilter(steps), (step) => (0.5 * step) / 4),
      zeroY,
    ),
  };
}

function qLinearMatMul(input: Value, zeroX: Value, zeroY: Value, isPerColumn: boolean): OperatorNode {
  const weight = codes([9, 5], "int8", "matrix");
  const zeroW = isPerColumn ? of("int8", ref([5], [0, -4, 7, 1, 0])) : scalar(5, "int8");
  const steps = isPerColumn ? floats(2 ** -5, 2 ** -6, 2 ** -7, 2 ** -5, 2 ** -6) : scalar(2 ** -6);
  const [stepX, stepY] = [scalar(0.25), scalar(1)];
  const sums = r.matmul(r.sub(input, zeroX), r.sub(weight, zeroW));
  return {
    op: "QLinearMatMul",
    inputs: [input, stepX, zeroX, weight, steps, zeroW, stepY, zeroY],
    output: requantised(
      sums,
      r.map(steps, (step) => 0.25 * step),
      zeroY,
    ),
  };
}

const whole = codes([2, 3, 6, 7], "uint8", "whole");
const signed = codes([2, 3, 6, 7], "int8", "signed");
const table = codes([2, 4, 9], "uint8", "table");

const QUANTISED: Readonly<Record<string, readonly OperatorNode[]>> = {
  quantize_ties: [
    quantizeNode(scalar(0.25), scalar(0, "uint8")),
    quantizeNode(scalar(0.5), scalar(128, "uint8")),
    quantizeNode(scalar(0.25), scalar(0, "int8")),
    quantizeNode(scalar(1), scalar(-5, "int8")),
    quantizeNode(floats(0.25, 1, 0.5), of("uint8", ref([3], [0, 7, 255]))),
    quantizeNode(floats(0.25, 1, 0.5), of("int8", ref([3], [-128, 1, 127]))),
    quantizeNode(
      ref(
        [257],
        Float64Array.from({ length: 257 }, (_, i) => 2 ** -((i % 3) + 1)),
      ),
      of(
        "int8",
        ref(
          [257],
          Float64Array.from({ length: 257 }, (_, i) => (i % 11) - 5),
        ),
      ),
      2,
    ),
  ],
  qlinear_conv_ties: [
    qLinearConv(whole, scalar(128, "uint8"), scalar(0, "uint8"), "int8", false),
    qLinearConv(whole, scalar(117, "uint8"), scalar(131, "uint8"), "uint8", false),
    qLinearConv(whole, scalar(128, "uint8"), scalar(7, "uint8"), "int8", true),
  ],
  qlinear_conv_ties_int8: [
    qLinearConv(signed, scalar(-2, "int8"), scalar(-3, "int8"), "int8", false),
    qLinearConv(signed, scalar(0, "int8"), scalar(0, "int8"), "int8", true),
  ],
  qlinear_matmul_ties: [
    qLinearMatMul(table, scalar(128, "uint8"), scalar(0, "uint8"), false),
    qLinearMatMul(table, scalar(101, "uint8"), scalar(64, "uint8"), true),
  ],
  dequantize: [
    {
      op: "DequantizeLinear",
      inputs: [whole, scalar(0.5), scalar(117, "uint8")],
      output: r.dequantize(whole, scalar(0.5), scalar(117)),
    },
    {
      op: "DequantizeLinear",
      inputs: [whole, floats(0.5, 2, 0.125), of("uint8", ref([3], [0, 128, 255]))],
      output: r.dequantize(whole, ref([3, 1, 1], [0.5, 2, 0.125]), ref([3, 1, 1], [0, 128, 255])),
    },
  ],
};

// ---- what an attribute is that a file leaves out ----

/** Large enough for LRN to do something. */
const loud = r.map(random([2, 6, 5, 4], "loud"), (value) => Math.fround(5 * value));
/** So small that an epsilon counts. */
const quiet = r.map(random([2, 6, 5, 4], "quiet"), (value) => Math.fround(value / 64));
const [gamma, beta, mean] = ["gamma", "beta", "mean"].map((name) => random([6], name)) as [Ref, Ref, Ref];
const variance = r.map(random([6], "variance"), (value) => Math.fround(Math.abs(value) / 64));
const line = [random([4], "scale"), random([4], "shift")] as const;

const DEFAULTS: Readonly<Record<string, readonly OperatorNode[]>> = {
  defaults: [
    ...Object.entries({
      LeakyRelu: r.leakyRelu(loud, 0.01),
      Elu: r.elu(loud, 1),
      HardSigmoid: r.hardSigmoid(loud, 0.2, 0.5),
      Gelu: r.gelu(loud),
      Softmax: r.softmax(loud, -1),
      LogSoftmax: r.logSoftmax(loud, -1),
      Flatten: r.flatten(loud, 1),
      Transpose: r.transpose(loud, [3, 2, 1, 0]),
      Clip: loud,
      ReduceMean: ref([1, 1, 1, 1], [loud.data.reduce((a, b) => a + b, 0) / loud.data.length]),
    }).map(([op, output]): OperatorNode => ({ op, inputs: [loud], output })),
    {
      op: "LRN",
      inputs: [loud],
      attributes: { size: 3 },
      output: r.localResponseNorm(loud, { size: 3, alpha: 1e-4, beta: 0.75, bias: 1 }),
    },
  ],
  defaults_on_host: Object.entries({
    Selu: (v: number) => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * Math.expm1(v)),
    Celu: (v: number) => Math.max(v, 0) + Math.min(0, Math.expm1(v)),
    ThresholdedRelu: (v: number) => (v > 1 ? v : 0),
    Shrink: (v: number) => (Math.abs(v) > 0.5 ? v : 0),
    Softplus: (v: number) => Math.log1p(Math.exp(v)),
    Softsign: (v: number) => v / (1 + Math.abs(v)),
  }).map(([op, f]): OperatorNode => ({ op, inputs: [loud], output: r.map(loud, f) })),
  default_epsilons: [
    {
      op: "BatchNormalization",
      inputs: [quiet, gamma, beta, mean, variance],
      output: r.batchNorm(quiet, mean, variance, gamma, beta, 1e-5),
    },
    { op: "InstanceNormalization", inputs: [quiet, gamma, beta], output: r.instanceNorm(quiet, gamma, beta, 1e-5) },
    { op: "LayerNormalization", inputs: [quiet, ...line], output: r.layerNorm(quiet, ...line, 1e-5) },
  ],
};

// ---- operator set 9, where much is an attribute that is an operand later ----

const upsampled = (mode: "nearest" | "linear"): OperatorNode => ({
  op: "Upsample",
  inputs: [image, floats(1, 1, 2, 1.5)],
  attributes: { mode },
  output: r.resize(image, [8, 9], [2, 1.5], { mode, coordinates: "asymmetric", nearest: "floor" }),
});
/** Softmax over an axis and all behind it as one. */
const together = r.reshape(r.softmax(r.reshape(image, [1, 48]), 1), image.shape);

export const BEFORE: readonly OperatorNode[] = [
  { op: "Softmax", inputs: [image], output: together },
  {
    op: "LogSoftmax",
    inputs: [image],
    attributes: { axis: 2 },
    output: r.reshape(r.logSoftmax(r.reshape(image, [2, 24]), 1), image.shape),
  },
  {
    op: "Slice",
    inputs: [image],
    attributes: { starts: [-3, 1], ends: [MOST, -1], axes: [3, 2] },
    output: r.slice(image, [-3, 1], [MOST, -1], [3, 2]),
  },
  {
    op: "Clip",
    inputs: [image],
    attributes: { min: { float: -0.5 }, max: { float: 0.75 } },
    output: r.clip(image, -0.5, 0.75),
  },
  {
    op: "Pad",
    inputs: [image],
    attributes: { pads: [0, 0, 1, 2, 0, 1, 0, 3], value: { float: 1.5 } },
    output: r.pad(image, [0, 0, 1, 2], [0, 1, 0, 3], "constant", 1.5),
  },
  upsampled("nearest"),
  upsampled("linear"),
];

// ---- operator set 6, where the second operand is laid along an axis that is named ----

const pair = random([2], "pair");
/** As many columns as channels: a slope of one axis is one a channel all the same. */
const square = random([1, 4, 3, 4], "square");
const slope = random([4], "slope");
export const SLOPE: readonly OperatorNode[] = [
  { op: "PRelu", inputs: [square, slope], output: r.prelu(square, slope) },
];
export const ALONG: readonly OperatorNode[] = [
  {
    op: "Add",
    inputs: [image, pair],
    attributes: { broadcast: 1, axis: 1 },
    output: r.add(image, r.reshape(pair, [2, 1, 1])),
  },
];

/** By the name of the folder. Operator set 20. */
export const VECTORS: Readonly<Record<string, readonly OperatorNode[]>> = {
  ...RESIZES,
  ...AUTO_PADS,
  conv_transpose_options: TRANSPOSED,
  slice_backwards: SLICE,
  moves: MOVES,
  depth_to_space: DEPTHS,
  gemm_factors: gemms(random([5, 12], "a"), 0),
  gemm_factors_trans_a: gemms(random([12, 5], "a"), 1),
  ...QUANTISED,
  ...DEFAULTS,
};
