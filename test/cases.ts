// The one table of cases, for tests and benches alike: small shapes that sit on the edges where fast kernels
// break. A row says what it is for in its name; fields that are not given are one, zero or none. Letters as
// in reference.ts.
import {
  type ActivationName,
  type Conv2dOptions,
  type ConvTranspose2dOptions,
  convOutputSize,
  convTransposeOutputSize,
  type Pair,
  type PoolOptions,
  poolOutputSize,
  type Sides,
  samePadding,
} from "./reference.js";

type Shape = readonly number[];
export type Padding = Sides | "same" | "valid";

/** The whole case in one line: the label of a failing test. */
export function showCase(c: { readonly name: string }): string {
  return `${c.name} ${JSON.stringify({ ...c, name: undefined })}`;
}

interface Window {
  readonly stride?: number | Pair;
  readonly padding?: number | Padding;
  readonly dilation?: number | Pair;
}

const both = (value: number | Pair): Pair => (typeof value === "number" ? [value, value] : value);
const around = (value: number | Padding): Padding => (typeof value === "number" ? [value, value, value, value] : value);

/** "same" and "valid" in numbers. */
function sidesOf(padding: Padding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair): Sides {
  if (padding === "valid") return [0, 0, 0, 0];
  if (padding !== "same") return padding;
  const [top, bottom] = samePadding(size[0], kernel[0], stride[0], dilation[0]);
  const [left, right] = samePadding(size[1], kernel[1], stride[1], dilation[1]);
  return [top, left, bottom, right];
}

// ---- convolution ----

export interface ConvCase {
  readonly name: string;
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly M: number;
  readonly R: number;
  readonly S: number;
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;
  readonly groups: number;
  readonly bias: boolean;
  readonly activation: ActivationName;
}

interface ConvRow extends Window {
  readonly groups?: number;
  readonly bias?: boolean;
  readonly activation?: ActivationName;
}

function conv(
  name: string,
  [N, C, H, W]: readonly [number, number, number, number],
  [M, R, S]: readonly [number, number, number],
  { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, activation = "none" }: ConvRow = {},
): ConvCase {
  const window = { stride: both(stride), padding: around(padding), dilation: both(dilation) };
  return { name, N, C, H, W, M, R, S, ...window, groups, bias, activation };
}

export interface ConvShapes {
  readonly x: Shape;
  /** [M, C/groups, R, S] */
  readonly weight: Shape;
  readonly bias: Shape;
  readonly y: Shape;
  /** For the reference: padding in numbers. */
  readonly options: Required<Conv2dOptions>;
  /** Products summed up for one output. */
  readonly reduction: number;
  /** Multiply-accumulates of the definition. */
  readonly macs: number;
}

export function convShapes(c: ConvCase): ConvShapes {
  const { N, C, H, W, M, R, S, stride, dilation, groups } = c;
  const padding = sidesOf(c.padding, [H, W], [R, S], stride, dilation);
  const P = convOutputSize(H, R, stride[0], padding[0] + padding[2], dilation[0]);
  const Q = convOutputSize(W, S, stride[1], padding[1] + padding[3], dilation[1]);
  const reduction = (C / groups) * R * S;
  return {
    x: [N, C, H, W],
    weight: [M, C / groups, R, S],
    bias: [M],
    y: [N, M, P, Q],
    options: { stride, padding, dilation, groups },
    reduction,
    macs: N * M * P * Q * reduction,
  };
}

const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i + 1);

export const CONV_CASES: readonly ConvCase[] = [
  // Every remainder of 4 and 8 output channels, with input channels that are no multiple of a vector either.
  ...upTo(17).map((M) =>
    conv(`3x3, ${M} filters`, [1, (M * 5) % 19, 5, 6], [M, 3, 3], { padding: 1, bias: M % 2 === 1 }),
  ),
  // Every output size around the edges of 2x2, 4x4 and 6x6 Winograd tiles: 1x13, 2x12, ... 13x1.
  ...upTo(13).map((P) =>
    conv(`3x3, ${P}x${14 - P} out`, [1, 6, P, 14 - P], [10, 3, 3], { padding: 1, activation: "relu" }),
  ),
  conv("3x3 valid over whole 6x6 tiles", [1, 8, 14, 14], [8, 3, 3]),
  conv("3x3 valid, one past 6x6 tiles", [1, 4, 15, 9], [12, 3, 3], { bias: false }),
  conv("3x3, more tiles than a block", [1, 5, 31, 29], [7, 3, 3], { padding: 1 }),
  conv("3x3, more filters than a block", [1, 5, 20, 20], [261, 3, 3], { padding: 1 }),
  conv("3x3 same, batch 3", [3, 7, 6, 5], [11, 3, 3], { padding: "same", activation: "relu6" }),
  conv("3x3 on all sides but the left", [1, 9, 7, 8], [5, 3, 3], { padding: [1, 0, 2, 1] }),

  // Pointwise: a matrix product over pixels.
  conv("1x1, one channel to one", [1, 1, 3, 4], [1, 1, 1]),
  conv("1x1, whole vectors", [1, 16, 8, 8], [24, 1, 1], { activation: "relu6" }),
  conv("1x1, primes", [1, 17, 7, 7], [13, 1, 1], { activation: "relu" }),
  conv("1x1, batch 2", [2, 11, 3, 5], [19, 1, 1], { bias: false }),
  conv("1x1 stride 2", [1, 12, 9, 8], [20, 1, 1], { stride: 2 }),
  conv("1x1 stride 3, padded", [1, 6, 7, 10], [9, 1, 1], { stride: 3, padding: 1 }),
  conv("1x1 on a 1x1 image", [1, 37, 1, 1], [23, 1, 1]),
  conv("1x1, 2 groups", [2, 10, 4, 5], [14, 1, 1], { groups: 2 }),
  conv("1x1, 600 channels: two reduction blocks", [1, 600, 3, 3], [9, 1, 1]),
  conv("1x1, a row of 400 pixels", [1, 5, 1, 400], [9, 1, 1], { activation: "relu" }),
  conv("1x1, 20x20 pixels in batch 2", [2, 3, 20, 20], [6, 1, 1]),

  // Windows clipped at the border (rows of 12 and more): whole tiles along a row, the rest down the rows, borders in columns.
  conv("3x3 stride 2, 27 wide", [1, 3, 9, 27], [11, 3, 3], { stride: 2, padding: 1, activation: "relu" }),
  conv("3x3 stride 2, rows of 14 and batch 2", [2, 5, 26, 27], [8, 3, 3], { stride: 2, padding: 1 }),
  conv("5x5 on a wide image", [1, 6, 8, 31], [9, 5, 5], { padding: 2, activation: "hardSwish" }),
  conv("3x3, another padding on every side", [1, 4, 6, 23], [7, 3, 3], { padding: [3, 2, 0, 4], stride: [1, 2] }),
  conv("3x3, rows of taps apart", [1, 6, 7, 24], [5, 3, 3], {
    padding: [3, 1, 2, 1],
    dilation: [3, 1],
    activation: "leakyRelu",
  }),
  conv("2x3, whole windows in the padding", [1, 5, 4, 19], [6, 2, 3], { padding: [3, 4, 2, 5] }),
  conv("7x7 stride 2, three channels", [1, 3, 21, 40], [10, 7, 7], { stride: 2, padding: 3, activation: "relu6" }),
  conv("1x3, segments in pieces", [1, 180, 2, 16], [9, 1, 3], { padding: [0, 2, 0, 1] }),
  conv("3x3 stride 2, pieces of segments", [1, 190, 5, 29], [3, 3, 3], { stride: 2, padding: 1 }),
  conv("3x3 stride 2, several segments a block", [1, 70, 7, 28], [10, 3, 3], {
    stride: 2,
    padding: 1,
    activation: "relu",
  }),
  conv("3x1 down the rows", [1, 7, 30, 13], [6, 3, 1], { padding: [1, 0, 1, 0] }),
  conv("3x3, more rows than a block", [1, 3, 60, 15], [9, 3, 3], { padding: 1 }),

  // Long reductions.
  conv("3x3, 130 channels", [1, 130, 5, 4], [7, 3, 3], { padding: 1 }),
  conv("3x3, 520 channels", [1, 520, 3, 3], [5, 3, 3], { padding: 1 }),
  conv("5x5, 41 channels", [1, 41, 5, 6], [9, 5, 5], { padding: 2 }),
  conv("1x1, 521 channels in each of 2 groups", [1, 1042, 2, 3], [6, 1, 1], { groups: 2 }),

  // Kernel shapes.
  conv("1x3 same", [1, 5, 4, 9], [6, 1, 3], { padding: "same" }),
  conv("3x1", [1, 6, 9, 4], [5, 3, 1]),
  conv("1x7 same", [1, 4, 5, 11], [10, 1, 7], { padding: "same", bias: false }),
  conv("7x1 padded", [1, 3, 8, 3], [9, 7, 1], { padding: [3, 0, 3, 0] }),
  conv("2x2", [1, 7, 5, 5], [3, 2, 2]),
  conv("2x2 same: the extra zero comes after", [1, 3, 6, 5], [5, 2, 2], { padding: "same" }),
  conv("4x4 stride 2", [1, 5, 10, 9], [6, 4, 4], { stride: 2, padding: 1 }),
  conv("3x5", [2, 5, 7, 9], [7, 3, 5], { padding: [1, 2, 1, 2] }),
  conv("5x5", [1, 6, 11, 10], [9, 5, 5], { padding: 2, activation: "relu" }),
  conv("5x5 stride 2, batch 5", [5, 3, 9, 8], [6, 5, 5], { stride: 2, padding: "same" }),
  conv("7x7 stride 2 from RGB", [1, 3, 23, 21], [18, 7, 7], { stride: 2, padding: 3, activation: "relu" }),
  conv("11x11 stride 4 from RGB", [1, 3, 35, 31], [9, 11, 11], { stride: 4, padding: 2, activation: "relu" }),
  conv("3x3 stride 2 from RGB, same", [1, 3, 16, 14], [8, 3, 3], { stride: 2, padding: "same" }),
  conv("3x3, rows of 391 pixels", [1, 4, 3, 391], [6, 3, 3], { padding: 1 }),

  // Kernels against the border.
  conv("3x3 on a 1x1 image", [1, 9, 1, 1], [10, 3, 3], { padding: 1 }),
  conv("5x5 on a 2x3 image", [1, 5, 2, 3], [7, 5, 5], { padding: 2 }),
  conv("7x7 on a 1x1 image", [2, 3, 1, 1], [5, 7, 7], { padding: 3 }),
  conv("a kernel of exactly the image", [1, 8, 5, 4], [11, 5, 4]),
  conv("four different sides", [1, 5, 6, 7], [6, 3, 4], { padding: [1, 0, 2, 3] }),
  conv("only right and bottom", [1, 3, 8, 8], [7, 3, 3], { stride: 2, padding: [0, 0, 1, 1] }),
  conv("outputs that see nothing but padding", [1, 2, 3, 3], [5, 3, 3], { padding: 4, activation: "relu" }),

  // Stride and dilation.
  conv("stride above the kernel", [1, 5, 11, 13], [6, 2, 2], { stride: 3 }),
  conv("stride 4x5 above a 3x3 kernel", [1, 4, 13, 14], [9, 3, 3], { stride: [4, 5], padding: 1 }),
  conv("stride 1x2", [1, 7, 6, 9], [5, 3, 3], { stride: [1, 2], padding: 1 }),
  conv("stride 2x1", [1, 6, 9, 6], [13, 3, 3], { stride: [2, 1], padding: "valid" }),
  conv("dilation 2", [1, 5, 9, 8], [6, 3, 3], { padding: 2, dilation: 2, activation: "relu" }),
  conv("dilation 1x3", [1, 3, 6, 11], [7, 3, 3], { dilation: [1, 3] }),
  conv("dilation beyond the image", [1, 4, 3, 4], [5, 3, 3], { padding: 4, dilation: 4 }),
  conv("stride 2, dilation 2, same", [1, 9, 12, 11], [5, 3, 3], { stride: 2, padding: "same", dilation: 2 }),

  // Groups.
  conv("2 groups", [1, 6, 7, 6], [10, 3, 3], { padding: 1, groups: 2 }),
  conv("3 groups of 3 to 2, stride 2", [2, 9, 8, 7], [6, 3, 3], { stride: 2, padding: 1, groups: 3 }),
  conv("4 groups of 5 to 3", [1, 20, 5, 5], [12, 3, 3], { padding: 1, groups: 4, bias: false }),
  conv("5 groups of 4 to 8", [1, 20, 6, 5], [40, 3, 3], { padding: 1, groups: 5 }),
  conv("4 groups of 3 to one", [1, 12, 5, 6], [4, 3, 3], { groups: 4 }),
  conv("2 groups, dilation 2", [2, 10, 7, 7], [18, 3, 3], { padding: 2, dilation: 2, groups: 2 }),

  // Depthwise: a group for each channel.
  conv("depthwise 3x3", [1, 7, 6, 9], [7, 3, 3], { padding: 1, groups: 7, activation: "relu6" }),
  conv("depthwise 3x3, whole vectors", [1, 16, 7, 5], [16, 3, 3], { padding: 1, groups: 16 }),
  conv("depthwise 3x3, 33 channels in batch 3", [3, 33, 4, 4], [33, 3, 3], {
    padding: 1,
    groups: 33,
    bias: false,
  }),
  conv("depthwise 3x3 stride 2", [1, 5, 9, 11], [5, 3, 3], { stride: 2, padding: 1, groups: 5 }),
  conv("depthwise 3x3 stride 2, same", [1, 12, 8, 10], [12, 3, 3], {
    stride: 2,
    padding: "same",
    groups: 12,
  }),
  conv("depthwise 3x3 on a 1x1 image", [1, 10, 1, 1], [10, 3, 3], { padding: 1, groups: 10 }),
  conv("depthwise 3x3 dilation 2", [1, 6, 8, 7], [6, 3, 3], { padding: 2, dilation: 2, groups: 6 }),
  conv("depthwise 3x3, four different sides", [1, 9, 5, 6], [9, 3, 3], { padding: [2, 1, 0, 3], groups: 9 }),
  conv("depthwise 5x5", [1, 6, 8, 9], [6, 5, 5], { padding: 2, groups: 6, activation: "relu" }),
  conv("depthwise 5x5 stride 2", [1, 13, 11, 8], [13, 5, 5], { stride: 2, padding: 2, groups: 13 }),
  // Tiles of 4 to 7 outputs, one or two of them, with and without windows that stick out.
  ...upTo(11).map((Q) => conv(`depthwise 5x5, ${Q} columns`, [1, 5, 3, Q], [5, 5, 5], { padding: 2, groups: 5 })),
  ...upTo(11).map((Q) =>
    conv(`depthwise 5x5 stride 2, ${Q} columns, valid`, [1, 6, 5, 2 * Q + 3], [6, 5, 5], { stride: 2, groups: 6 }),
  ),
  ...upTo(11).map((Q) =>
    conv(`depthwise 1x3 stride 2, ${Q} columns`, [1, 7, 2, 2 * Q], [7, 1, 3], {
      stride: 2,
      padding: [0, 0, 0, 1],
      groups: 7,
    }),
  ),
  ...upTo(11).map((Q) => conv(`depthwise 7x7, ${Q} columns`, [1, 6, 4, Q], [6, 7, 7], { padding: 3, groups: 6 })),
  conv("depthwise 3x3, runs of 30 and fewer", [1, 64, 3, 67], [64, 3, 3], { padding: 1, groups: 64 }),
  conv("depthwise 3x3, two columns", [1, 6, 3, 2], [6, 3, 3], { padding: 1, groups: 6 }),
  conv("depthwise 1x5", [1, 9, 4, 17], [9, 1, 5], { padding: [0, 2, 0, 2], groups: 9 }),
  conv("depthwise 3x3 dilation 3, 20 columns", [1, 10, 7, 20], [10, 3, 3], { padding: 3, dilation: 3, groups: 10 }),
  conv("depthwise 5x5 dilation 2, 25 columns", [1, 4, 9, 25], [4, 5, 5], { padding: 4, dilation: 2, groups: 4 }),
  // Powers of two of channels crowd the cache: tiles instead of runs, smaller tiles, rows copied to scratch.
  conv("depthwise 7x7, 23 columns, valid", [1, 7, 9, 23], [7, 7, 7], { groups: 7 }),
  conv("depthwise 7x7 dilation 2, 29 columns", [1, 5, 15, 29], [5, 7, 7], { padding: 6, dilation: 2, groups: 5 }),
  conv("depthwise 3x7, four different sides", [1, 10, 5, 16], [10, 3, 7], { padding: [1, 5, 0, 2], groups: 10 }),
  conv("depthwise 7x7, 256 channels", [1, 256, 8, 9], [256, 7, 7], { padding: 3, groups: 256, activation: "gelu" }),
  conv("depthwise 3x3, 128 channels", [1, 128, 4, 9], [128, 3, 3], { padding: 1, groups: 128 }),
  conv("depthwise 3x3 stride 2, 256 channels", [1, 256, 5, 18], [256, 3, 3], { stride: 2, padding: 1, groups: 256 }),
  conv("depthwise 3x3, 1024 channels", [1, 1024, 10, 5], [1024, 3, 3], { padding: 1, groups: 1024 }),
  conv("depthwise 5x5 stride 2, 512 channels", [1, 512, 19, 9], [512, 5, 5], {
    stride: 2,
    padding: 2,
    groups: 512,
    activation: "relu6",
  }),
  conv("depthwise 7x7", [2, 9, 10, 8], [9, 7, 7], { padding: 3, groups: 9 }),
  conv("depthwise 1x1", [1, 11, 4, 5], [11, 1, 1], { groups: 11 }),
  conv("depthwise 2x3, stride above the kernel", [1, 7, 9, 13], [7, 2, 3], { stride: [3, 4], groups: 7 }),
  conv("depthwise, 2 filters a channel", [1, 3, 6, 7], [6, 3, 3], { padding: 1, groups: 3 }),
  conv("depthwise, 3 filters a channel", [2, 5, 7, 5], [15, 3, 3], { stride: 2, padding: 1, groups: 5 }),
  conv("depthwise, 4 filters a channel", [1, 7, 5, 5], [28, 5, 5], { padding: 2, groups: 7, bias: false }),

  // Large kernels, where a transform pays.
  conv("9x9", [1, 3, 20, 19], [5, 9, 9], { padding: 4 }),
  conv("9x9 over several transform tiles", [1, 2, 41, 67], [3, 9, 9], {
    padding: "same",
    activation: "relu",
  }),
  conv("13x13 valid", [2, 2, 17, 23], [3, 13, 13]),
  conv("15x15 on a smaller image", [1, 3, 11, 8], [2, 15, 15], { padding: 7 }),
  conv("depthwise 9x9", [1, 5, 25, 18], [5, 9, 9], { padding: 4, groups: 5 }),
  conv("depthwise 13x13, four different sides", [1, 3, 19, 22], [3, 13, 13], {
    padding: [6, 5, 4, 7],
    groups: 3,
  }),
  conv("depthwise 15x15, batch 2", [2, 6, 16, 17], [6, 15, 15], { padding: 7, groups: 6, bias: false }),
  conv("depthwise 31x31", [1, 4, 36, 33], [4, 31, 31], { padding: 15, groups: 4 }),

  // Activations that are no clamp.
  conv("leakyRelu", [1, 6, 5, 7], [9, 3, 3], { padding: 1, activation: "leakyRelu" }),
  conv("sigmoid", [1, 5, 4, 5], [7, 1, 1], { activation: "sigmoid" }),
  conv("hardSigmoid", [1, 7, 1, 1], [10, 1, 1], { activation: "hardSigmoid" }),
  conv("silu", [1, 4, 6, 5], [6, 3, 3], { stride: 2, padding: 1, activation: "silu" }),
  conv("hardSwish, depthwise", [1, 9, 6, 6], [9, 5, 5], { padding: 2, groups: 9, activation: "hardSwish" }),
];

// ---- transposed convolution ----

export interface ConvTransposeCase {
  readonly name: string;
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly M: number;
  readonly R: number;
  readonly S: number;
  readonly stride: Pair;
  readonly padding: Sides;
  readonly outputPadding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
  readonly bias: boolean;
}

interface ConvTransposeRow {
  readonly stride?: number | Pair;
  readonly padding?: number | Sides;
  readonly outputPadding?: number | Pair;
  readonly dilation?: number | Pair;
  readonly groups?: number;
  readonly bias?: boolean;
}

function convT(
  name: string,
  [N, C, H, W]: readonly [number, number, number, number],
  [M, R, S]: readonly [number, number, number],
  row: ConvTransposeRow = {},
): ConvTransposeCase {
  const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1, bias = true } = row;
  const sides: Sides = typeof padding === "number" ? [padding, padding, padding, padding] : padding;
  const pairs = { stride: both(stride), outputPadding: both(outputPadding), dilation: both(dilation) };
  return { name, N, C, H, W, M, R, S, ...pairs, padding: sides, groups, bias };
}

export interface ConvTransposeShapes {
  readonly x: Shape;
  /** [C, M/groups, R, S] */
  readonly weight: Shape;
  readonly bias: Shape;
  readonly y: Shape;
  readonly options: Required<ConvTranspose2dOptions>;
  /** Products summed up for one output, at most. */
  readonly reduction: number;
  readonly macs: number;
}

export function convTransposeShapes(c: ConvTransposeCase): ConvTransposeShapes {
  const { N, C, H, W, M, R, S, stride, padding, outputPadding, dilation, groups } = c;
  const P = convTransposeOutputSize(H, R, stride[0], padding[0] + padding[2], dilation[0], outputPadding[0]);
  const Q = convTransposeOutputSize(W, S, stride[1], padding[1] + padding[3], dilation[1], outputPadding[1]);
  return {
    x: [N, C, H, W],
    weight: [C, M / groups, R, S],
    bias: [M],
    y: [N, M, P, Q],
    options: { stride, padding, outputPadding, dilation, groups },
    reduction: (C / groups) * R * S,
    macs: ((N * C * H * W * M) / groups) * R * S,
  };
}

export const CONV_TRANSPOSE_CASES: readonly ConvTransposeCase[] = [
  convT("1x1", [1, 5, 3, 4], [7, 1, 1]),
  convT("1x1 stride 2: outputs that are only bias", [1, 6, 3, 3], [5, 1, 1], { stride: 2, outputPadding: 1 }),
  convT("2x2 stride 2: stamps that just meet", [1, 8, 4, 5], [12, 2, 2], { stride: 2 }),
  convT("2x2 stride 2, primes, batch 2", [2, 7, 3, 3], [11, 2, 2], { stride: 2, bias: false }),
  convT("2x3 stride 2x3, one filter", [2, 5, 3, 4], [1, 2, 3], { stride: [2, 3] }),
  convT("2x3 stride 2x3, whole panels", [2, 5, 3, 7], [16, 2, 3], { stride: [2, 3] }),
  convT("2x2 stride 2, groups", [2, 6, 3, 4], [10, 2, 2], { stride: 2, groups: 2 }),
  convT("2x2 stride 2, more channels than a block of the sum", [1, 700, 2, 3], [8, 2, 2], { stride: 2 }),
  convT("2x2 stride 2 from outside: as large, but moved", [1, 6, 3, 4], [8, 2, 2], {
    stride: 2,
    padding: [1, 1, 0, 0],
    outputPadding: 1,
  }),
  convT("4x3 stride 4x3 to one filter", [1, 300, 2, 3], [1, 4, 3], { stride: [4, 3] }),
  convT("2x3 stamps in groups", [2, 6, 3, 2], [9, 2, 3], { stride: [2, 3], groups: 3 }),
  convT("2x2 stamps, cut and padded alike", [1, 3, 3, 3], [4, 2, 2], {
    stride: 2,
    padding: [0, 0, 1, 1],
    outputPadding: 1,
  }),
  convT("3x3 to one filter", [1, 6, 4, 5], [1, 3, 3], { stride: 2, padding: 1 }),
  convT("2x2 stride 3: stamps with gaps", [1, 3, 4, 3], [6, 2, 2], { stride: 3 }),
  convT("3x3", [1, 5, 5, 4], [9, 3, 3]),
  convT("3x3, as large as its input", [1, 9, 6, 7], [6, 3, 3], { padding: 1 }),
  convT("3x3 stride 2", [1, 6, 5, 4], [7, 3, 3], { stride: 2, padding: 1 }),
  convT("3x3 stride 2 to twice the size", [1, 4, 5, 6], [10, 3, 3], {
    stride: 2,
    padding: 1,
    outputPadding: 1,
  }),
  convT("4x4 stride 2 to twice the size", [2, 10, 4, 5], [13, 4, 4], { stride: 2, padding: 1 }),
  convT("5x5 stride 2", [1, 3, 6, 5], [8, 5, 5], { stride: 2, padding: 2, outputPadding: [1, 0] }),
  convT("3x5 stride 1x2", [1, 5, 4, 6], [7, 3, 5], { stride: [1, 2], padding: [1, 2, 1, 2] }),
  convT("four different sides", [1, 4, 5, 5], [5, 4, 4], { stride: 2, padding: [2, 1, 0, 3] }),
  convT("padding beyond the stamp", [1, 3, 7, 6], [4, 3, 3], { padding: 3 }),
  convT("dilation 2", [1, 6, 4, 5], [5, 3, 3], { padding: 1, dilation: 2 }),
  convT("stride 3, dilation 2, output padding 2", [1, 5, 3, 4], [6, 3, 2], {
    stride: 3,
    dilation: 2,
    outputPadding: 2,
  }),
  convT("on a 1x1 image", [1, 13, 1, 1], [9, 4, 4]),
  convT("2 groups", [1, 6, 4, 4], [10, 3, 3], { stride: 2, padding: 1, groups: 2 }),
  convT("3 groups of 3 to 5, batch 2", [2, 9, 3, 4], [15, 3, 3], { groups: 3, bias: false }),
  convT("depthwise", [1, 7, 5, 4], [7, 4, 4], { stride: 2, padding: 1, groups: 7 }),
  convT("depthwise, 2 filters a channel", [1, 5, 4, 3], [10, 3, 3], { padding: 1, groups: 5 }),
  convT("one filter, 2x2 stride 2", [2, 16, 3, 5], [1, 2, 2], { stride: 2 }),
  convT("one filter of 3x5 taps, four sides", [1, 5, 4, 6], [1, 3, 5], { stride: [1, 2], padding: [1, 2, 0, 3] }),
  convT("130 channels", [1, 130, 3, 3], [5, 3, 3], { stride: 2 }),
];

// ---- pooling ----

/** For maximum and average alike; an average has no dilation, so it takes the rows where that is 1. */
export interface PoolCase {
  readonly name: string;
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
}

interface PoolRow extends Window {
  readonly ceilMode?: boolean;
  readonly countIncludePad?: boolean;
}

function pool(
  name: string,
  [N, C, H, W]: readonly [number, number, number, number],
  kernel: number | Pair,
  { stride = 1, padding = 0, dilation = 1, ceilMode = false, countIncludePad = false }: PoolRow = {},
): PoolCase {
  const window = { stride: both(stride), padding: around(padding), dilation: both(dilation) };
  return { name, N, C, H, W, kernel: both(kernel), ...window, ceilMode, countIncludePad };
}

export interface PoolShapes {
  readonly x: Shape;
  readonly y: Shape;
  readonly options: Required<PoolOptions>;
}

export function poolShapes(c: PoolCase): PoolShapes {
  const { N, C, H, W, kernel, stride, dilation, ceilMode, countIncludePad } = c;
  const padding = sidesOf(c.padding, [H, W], kernel, stride, dilation);
  const P = poolOutputSize(H, kernel[0], stride[0], padding[0], padding[2], dilation[0], ceilMode);
  const Q = poolOutputSize(W, kernel[1], stride[1], padding[1], padding[3], dilation[1], ceilMode);
  const options = { kernel, stride, padding, dilation, ceilMode, countIncludePad };
  return { x: [N, C, H, W], y: [N, C, P, Q], options };
}

export const POOL_CASES: readonly PoolCase[] = [
  pool("2x2 stride 2", [1, 8, 6, 8], 2, { stride: 2 }),
  pool("2x2 stride 2, primes: the last row and column are dropped", [1, 7, 7, 9], 2, { stride: 2 }),
  pool("2x2 stride 2, up", [1, 5, 7, 9], 2, { stride: 2, ceilMode: true }),
  pool("2x2 stride 1", [2, 3, 5, 4], 2),
  pool("2x2 same: the extra border comes after", [1, 6, 5, 6], 2, { padding: "same" }),
  pool("3x3 stride 2", [1, 13, 9, 11], 3, { stride: 2 }),
  pool("3x3 stride 2, padded", [1, 16, 8, 10], 3, { stride: 2, padding: 1 }),
  pool("3x3 stride 2, up", [1, 6, 8, 6], 3, { stride: 2, ceilMode: true }),
  pool("3x3 stride 2, padded, up", [2, 5, 7, 8], 3, { stride: 2, padding: 1, ceilMode: true }),
  pool("3x3 stride 2, padded, up, counting the padding", [1, 5, 8, 8], 3, {
    stride: 2,
    padding: 1,
    ceilMode: true,
    countIncludePad: true,
  }),
  pool("3x3, padded", [1, 9, 6, 5], 3, { padding: 1 }),
  pool("3x3, padded, counting the padding", [1, 10, 5, 7], 3, { padding: 1, countIncludePad: true }),
  pool("3x3 stride 2, same", [1, 4, 8, 9], 3, { stride: 2, padding: "same" }),
  pool("3x3 stride 2, same, counting the padding", [1, 11, 9, 6], 3, {
    stride: 2,
    padding: "same",
    countIncludePad: true,
  }),
  pool("3x3, batch 3, 33 channels", [3, 33, 5, 5], 3, { stride: 2, padding: 1 }),
  pool("1x1 stride 2", [1, 6, 5, 7], 1, { stride: 2 }),
  pool("1x1 stride 2, up: no window starts outside", [1, 3, 6, 5], 1, { stride: 2, ceilMode: true }),
  pool("1x3", [1, 5, 4, 8], [1, 3], { stride: [1, 2], padding: [0, 1, 0, 1] }),
  pool("4x1", [1, 7, 9, 3], [4, 1], { stride: [2, 1], padding: [2, 0, 1, 0], countIncludePad: true }),
  pool("5x5", [1, 4, 9, 8], 5, { padding: 2, countIncludePad: true }),
  pool("stride above the kernel", [1, 6, 10, 11], 2, { stride: 3 }),
  pool("stride above the kernel, up: the last window would start outside", [1, 5, 6, 8], 2, {
    stride: 3,
    padding: [0, 1, 0, 1],
    ceilMode: true,
    countIncludePad: true,
  }),
  pool("a window of the whole image", [2, 9, 7, 7], 7),
  pool("a window above the image, padded", [1, 6, 2, 3], 5, { stride: 2, padding: 2, countIncludePad: true }),
  pool("a 1x1 image", [1, 17, 1, 1], 3, { padding: 1 }),
  pool("four different sides", [1, 5, 6, 7], [3, 4], { stride: [2, 1], padding: [2, 0, 1, 3] }),
  pool("four different sides, counting the padding", [1, 8, 7, 6], [4, 3], {
    stride: 2,
    padding: [1, 2, 3, 0],
    countIncludePad: true,
  }),
  pool("four different sides, up", [1, 3, 9, 8], 3, { stride: 3, padding: [1, 0, 0, 2], ceilMode: true }),
  pool("a row of 400 pixels", [1, 4, 2, 400], 2, { stride: 2 }),
  pool("dilation 2", [1, 6, 8, 9], 3, { dilation: 2 }),
  pool("dilation 2, padded, stride 2", [1, 7, 9, 8], 3, { stride: 2, padding: 1, dilation: 2 }),
  pool("dilation 1x3, up", [2, 5, 7, 11], [2, 3], { stride: [2, 2], dilation: [1, 3], ceilMode: true }),
];

export interface AdaptivePoolCase {
  readonly name: string;
  readonly x: readonly [number, number, number, number];
  /** [P, Q] */
  readonly output: Pair;
}

export const ADAPTIVE_POOL_CASES: readonly AdaptivePoolCase[] = [
  { name: "to 1x1", x: [1, 9, 7, 7], output: [1, 1] },
  { name: "to 1x1, batch 3", x: [3, 21, 4, 5], output: [1, 1] },
  { name: "a 1x1 image to 1x1", x: [1, 6, 1, 1], output: [1, 1] },
  { name: "even windows", x: [1, 5, 12, 6], output: [6, 3] },
  { name: "windows that overlap", x: [1, 7, 7, 10], output: [3, 4] },
  { name: "the size it has", x: [2, 3, 5, 4], output: [5, 4] },
  { name: "to more than it has", x: [1, 5, 3, 2], output: [5, 7] },
  { name: "AlexNet's 6x6", x: [1, 10, 13, 13], output: [6, 6] },
];

// ---- matrix products ----

export interface LinearCase {
  readonly name: string;
  /** [..., K] */
  readonly x: Shape;
  readonly M: number;
  readonly bias: boolean;
}

export const LINEAR_CASES: readonly LinearCase[] = [
  { name: "one to one", x: [1, 1], M: 1, bias: true },
  { name: "whole vectors", x: [1, 64], M: 32, bias: true },
  { name: "primes", x: [1, 37], M: 11, bias: true },
  { name: "primes, no bias", x: [3, 101], M: 7, bias: false },
  { name: "1-D input", x: [19], M: 10, bias: true },
  { name: "a batch above a tile", x: [23, 29], M: 17, bias: true },
  { name: "three axes", x: [2, 5, 13], M: 9, bias: true },
  { name: "two reduction blocks", x: [2, 1031], M: 6, bias: true },
  { name: "ImageNet's last layer, narrow", x: [1, 512], M: 50, bias: true },
];

export interface MatmulCase {
  readonly name: string;
  readonly a: Shape;
  readonly b: Shape;
}

export const MATMUL_CASES: readonly MatmulCase[] = [
  { name: "one by one", a: [1, 1], b: [1, 1] },
  { name: "whole tiles", a: [12, 16], b: [16, 24] },
  { name: "primes", a: [7, 13], b: [13, 11] },
  { name: "a long reduction", a: [5, 1031], b: [1031, 9] },
  { name: "more than 384 rows", a: [391, 5], b: [5, 6] },
  { name: "vector by vector", a: [17], b: [17] },
  { name: "vector by matrix", a: [13], b: [13, 9] },
  { name: "matrix by vector", a: [6, 13], b: [13] },
  { name: "batched", a: [3, 5, 7], b: [3, 7, 6] },
  { name: "a batch by one matrix", a: [2, 3, 4, 5], b: [5, 7] },
  { name: "one matrix by a batch", a: [6, 5], b: [3, 5, 9] },
  { name: "batches that broadcast both ways", a: [2, 1, 5, 7], b: [3, 7, 4] },
  { name: "a batch by a vector", a: [2, 3, 11], b: [11] },
];
