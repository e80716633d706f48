// The oracle: every operator in its plainest form, in float64, to be read beside the fast kernels and to
// judge them. It imports nothing from src/, because an oracle that shares code shares bugs. Speed and memory
// are no concern here.
//
// A tensor is a shape and its elements in row-major order: the last axis runs fastest. An image is [N, C, H,
// W] in the letters of the field: N batch, C input channels, M output channels, H x W input, R x S kernel, P
// x Q output. A function throws where shapes do not fit together, but it does not check options.

export interface Ref {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** [height, width] */
export type Pair = readonly [number, number];
/** [top, left, bottom, right] */
export type Sides = readonly [number, number, number, number];

// ---- tensors ----

/** A tensor of a copy of `data`. */
export function ref(shape: readonly number[], data: ArrayLike<number>): Ref {
  same("data", data.length, count(shape));
  return { shape: [...shape], data: Float64Array.from(data) };
}

/** A tensor whose element at [i, j, ...] is element(i, j, ...). */
export function build(shape: readonly number[], element: (...index: number[]) => number): Ref {
  const data = new Float64Array(count(shape));
  const index = shape.map(() => 0);
  for (let offset = 0; offset < data.length; offset++) {
    data[offset] = element(...index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      // Count up like an odometer: the last axis first, with a carry to the one before.
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      index[axis] = 0;
    }
  }
  return { shape: [...shape], data };
}

/** x[i, j, ...] */
export function at(x: Ref, ...index: number[]): number {
  return x.data[offsetOf(x, index)] as number;
}

/** Every element through a function of one number. */
export function map(x: Ref, f: (value: number) => number): Ref {
  return { shape: x.shape, data: x.data.map((value) => f(value)) };
}

/** |x|: an operator on absolute values sums up the magnitudes behind its result, where nothing cancels. */
export function abs<T extends Ref | null>(x: T): T {
  return (x === null ? null : map(x, Math.abs)) as T;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function offsetOf(x: Ref, index: readonly number[]): number {
  same("index", index.length, x.shape.length);
  let offset = 0;
  for (let axis = 0; axis < index.length; axis++) {
    const i = index[axis] as number;
    const size = x.shape[axis] as number;
    if (!(i >= 0 && i < size)) {
      throw new RangeError(`"index" expected inside of [${x.shape}], got [${index}]`);
    }
    offset = offset * size + i;
  }
  return offset;
}

function same(name: string, actual: number, expected: number): void {
  if (actual !== expected) throw new RangeError(`"${name}" expected ${expected}, got ${actual}`);
}

function rank3(x: Ref): [number, number, number] {
  same("rank", x.shape.length, 3);
  return x.shape as unknown as [number, number, number];
}

function rank4(x: Ref): [number, number, number, number] {
  same("rank", x.shape.length, 4);
  return x.shape as unknown as [number, number, number, number];
}

/** The axis counted from the front: -1 is the last one. */
function axisOf(axis: number, rank: number): number {
  const counted = axis < 0 ? axis + rank : axis;
  if (!(counted >= 0 && counted < rank)) {
    throw new RangeError(`"axis" expected inside of rank ${rank}, got ${axis}`);
  }
  return counted;
}

/** The channel of the element at an offset of x[N, C, ...]. */
function channelOf(x: Ref, offset: number): number {
  return Math.floor(offset / count(x.shape.slice(2))) % (x.shape[1] as number);
}

// ---- convolution ----

export interface Conv2dOptions {
  readonly stride?: Pair;
  readonly padding?: Sides;
  readonly dilation?: Pair;
  readonly groups?: number;
}

/** How many positions a kernel of `kernel` taps, `dilation` apart, takes on a padded line, `stride` apart. */
export function convOutputSize(
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  const span = (kernel - 1) * dilation + 1;
  return Math.floor((size + padding - span) / stride) + 1;
}

/** Padding [before, after] for ceil(size / stride) outputs; when it is odd, the extra zero comes after, or before. */
export function samePadding(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  extra: "after" | "before" = "after",
): [number, number] {
  const span = (kernel - 1) * dilation + 1;
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + span - size, 0);
  const half = Math.floor(total / 2);
  return extra === "after" ? [half, total - half] : [total - half, half];
}

/**
 * The seven loops. x[N, C, H, W], weight[M, C/groups, R, S], bias[M] or null to y[N, M, P, Q]:
 *
 *   y[n, m, p, q] = bias[m] + sum over c, r, s of
 *                   x[n, c, p*stride + r*dilation - top, q*stride + s*dilation - left] * weight[m, c, r, s]
 *
 * What lies outside of the image is zero. With groups, an output channel sees only the input channels of its
 * own group.
 */
export function conv2d(x: Ref, weight: Ref, bias: Ref | null, options: Conv2dOptions = {}): Ref {
  const { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1 } = options;
  const [N, C, H, W] = rank4(x);
  const [M, groupC, R, S] = rank4(weight);
  const [top, left, bottom, right] = padding;
  const P = convOutputSize(H, R, stride[0], top + bottom, dilation[0]);
  const Q = convOutputSize(W, S, stride[1], left + right, dilation[1]);
  const groupM = M / groups;
  same("channels", C, groupC * groups);
  same("filters per group", groupM, Math.floor(groupM));
  if (bias) same("bias", bias.data.length, M);

  const y = new Float64Array(N * M * P * Q);
  let i = 0;
  for (let n = 0; n < N; n++) {
    for (let m = 0; m < M; m++) {
      const firstC = Math.floor(m / groupM) * groupC;
      for (let p = 0; p < P; p++) {
        for (let q = 0; q < Q; q++) {
          let sum = bias ? at(bias, m) : 0;
          for (let c = 0; c < groupC; c++) {
            for (let r = 0; r < R; r++) {
              for (let s = 0; s < S; s++) {
                const h = p * stride[0] + r * dilation[0] - top;
                const w = q * stride[1] + s * dilation[1] - left;
                if (h < 0 || h >= H || w < 0 || w >= W) continue;
                sum += at(x, n, firstC + c, h, w) * at(weight, m, c, r, s);
              }
            }
          }
          y[i++] = sum;
        }
      }
    }
  }
  return ref([N, M, P, Q], y);
}

export interface Conv1dOptions {
  readonly stride?: number;
  /** [before, after] */
  readonly padding?: Pair;
  readonly dilation?: number;
  readonly groups?: number;
}

/** x[N, C, L], weight[M, C/groups, K], bias[M] or null to y[N, M, P]. */
export function conv1d(x: Ref, weight: Ref, bias: Ref | null, options: Conv1dOptions = {}): Ref {
  const { stride = 1, padding = [0, 0], dilation = 1, groups = 1 } = options;
  const [N, C, L] = rank3(x);
  const [M, groupC, K] = rank3(weight);
  const P = convOutputSize(L, K, stride, padding[0] + padding[1], dilation);
  const groupM = M / groups;
  same("channels", C, groupC * groups);
  same("filters per group", groupM, Math.floor(groupM));
  if (bias) same("bias", bias.data.length, M);

  return build([N, M, P], (n, m, p) => {
    const firstC = Math.floor(m / groupM) * groupC;
    let sum = bias ? at(bias, m) : 0;
    for (let c = 0; c < groupC; c++) {
      for (let k = 0; k < K; k++) {
        const l = p * stride + k * dilation - padding[0];
        if (l < 0 || l >= L) continue;
        sum += at(x, n, firstC + c, l) * at(weight, m, c, k);
      }
    }
    return sum;
  });
}

export interface ConvTranspose2dOptions extends Conv2dOptions {
  /**
   * Rows and columns added at the bottom and the right: pixels that a strided convolution would have skipped.
   */
  readonly outputPadding?: Pair;
}

/** A size that a convolution of the same options takes to `size`; `outputPadding` tells which one of them. */
export function convTransposeOutputSize(
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
  outputPadding: number,
): number {
  return (size - 1) * stride + (kernel - 1) * dilation + 1 - padding + outputPadding;
}

/**
 * x[N, C, H, W], weight[C, M/groups, R, S], bias[M] or null to y[N, M, P, Q]: a convolution run backwards.
 * Where a convolution gathers many inputs into one output, here every input pixel scatters a stamp of the
 * kernel, times its value, over the output:
 *
 *   y[n, m, h*stride + r*dilation - top, ...] += x[n, c, h, w] * weight[c, m, r, s]
 */
export function convTranspose2d(x: Ref, weight: Ref, bias: Ref | null, options: ConvTranspose2dOptions = {}): Ref {
  const { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1, outputPadding = [0, 0] } = options;
  const [N, C, H, W] = rank4(x);
  const [weightC, groupM, R, S] = rank4(weight);
  const [top, left, bottom, right] = padding;
  const M = groupM * groups;
  const P = convTransposeOutputSize(H, R, stride[0], top + bottom, dilation[0], outputPadding[0]);
  const Q = convTransposeOutputSize(W, S, stride[1], left + right, dilation[1], outputPadding[1]);
  const groupC = C / groups;
  same("channels", C, weightC);
  same("channels per group", groupC, Math.floor(groupC));
  if (bias) same("bias", bias.data.length, M);

  const y = build([N, M, P, Q], (_n, m) => (bias ? at(bias, m) : 0));
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) {
      const firstM = Math.floor(c / groupC) * groupM;
      for (let h = 0; h < H; h++) {
        for (let w = 0; w < W; w++) {
          for (let m = 0; m < groupM; m++) {
            for (let r = 0; r < R; r++) {
              for (let s = 0; s < S; s++) {
                const p = h * stride[0] + r * dilation[0] - top;
                const q = w * stride[1] + s * dilation[1] - left;
                if (p < 0 || p >= P || q < 0 || q >= Q) continue;
                const offset = offsetOf(y, [n, firstM + m, p, q]);
                y.data[offset] = (y.data[offset] as number) + at(x, n, c, h, w) * at(weight, c, m, r, s);
              }
            }
          }
        }
      }
    }
  }
  return y;
}

/** The sum of |products| behind every output of conv2d: what its rounding errors are measured by. */
export function conv2dMagnitude(x: Ref, weight: Ref, bias: Ref | null, options: Conv2dOptions = {}): Ref {
  return conv2d(abs(x), abs(weight), abs(bias), options);
}

export function conv1dMagnitude(x: Ref, weight: Ref, bias: Ref | null, options: Conv1dOptions = {}): Ref {
  return conv1d(abs(x), abs(weight), abs(bias), options);
}

export function convTranspose2dMagnitude(
  x: Ref,
  weight: Ref,
  bias: Ref | null,
  options: ConvTranspose2dOptions = {},
): Ref {
  return convTranspose2d(abs(x), abs(weight), abs(bias), options);
}

// ---- pooling ----

export interface PoolOptions {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding?: Sides;
  /** Maximum only. */
  readonly dilation?: Pair;
  /** Round the output size up, as long as the last window starts in the image or in the padding before it. */
  readonly ceilMode?: boolean;
  /** Average only: divide by the window's size in the padded image, not by the number of pixels it met. */
  readonly countIncludePad?: boolean;
}

/** PyTorch's rule: with ceilMode a last window that would start behind the image is dropped. */
export function poolOutputSize(
  size: number,
  kernel: number,
  stride: number,
  before: number,
  after: number,
  dilation: number,
  ceilMode: boolean,
): number {
  const span = (kernel - 1) * dilation + 1;
  const steps = (size + before + after - span) / stride;
  if (!ceilMode) return Math.floor(steps) + 1;
  const rounded = Math.ceil(steps) + 1;
  return (rounded - 1) * stride >= before + size ? rounded - 1 : rounded;
}

/** x[N, C, H, W] to y[N, C, P, Q]: the largest pixel in each window. Padding never wins; NaN always does. */
export function maxPool2d(x: Ref, options: PoolOptions): Ref {
  const { kernel, stride, padding = [0, 0, 0, 0], dilation = [1, 1], ceilMode = false } = options;
  const [N, C, H, W] = rank4(x);
  const [top, left, bottom, right] = padding;
  const P = poolOutputSize(H, kernel[0], stride[0], top, bottom, dilation[0], ceilMode);
  const Q = poolOutputSize(W, kernel[1], stride[1], left, right, dilation[1], ceilMode);
  return build([N, C, P, Q], (n, c, p, q) => {
    let max = -Infinity;
    for (let r = 0; r < kernel[0]; r++) {
      for (let s = 0; s < kernel[1]; s++) {
        const h = p * stride[0] + r * dilation[0] - top;
        const w = q * stride[1] + s * dilation[1] - left;
        if (h < 0 || h >= H || w < 0 || w >= W) continue;
        max = Math.max(max, at(x, n, c, h, w));
      }
    }
    return max;
  });
}

/**
 * x[N, C, H, W] to y[N, C, P, Q]: the mean of each window. With ceilMode a window may hang over the padded
 * image: that part never counts. A window that meets no pixel at all gives 0.
 */
export function avgPool2d(x: Ref, options: PoolOptions): Ref {
  const { kernel, stride, padding = [0, 0, 0, 0], ceilMode = false, countIncludePad = false } = options;
  const [N, C, H, W] = rank4(x);
  const [top, left, bottom, right] = padding;
  const P = poolOutputSize(H, kernel[0], stride[0], top, bottom, 1, ceilMode);
  const Q = poolOutputSize(W, kernel[1], stride[1], left, right, 1, ceilMode);
  return build([N, C, P, Q], (n, c, p, q) => {
    let sum = 0;
    let pixels = 0;
    let padded = 0;
    for (let r = 0; r < kernel[0]; r++) {
      for (let s = 0; s < kernel[1]; s++) {
        const h = p * stride[0] + r - top;
        const w = q * stride[1] + s - left;
        if (h >= H + bottom || w >= W + right) continue;
        padded++;
        if (h < 0 || h >= H || w < 0 || w >= W) continue;
        pixels++;
        sum += at(x, n, c, h, w);
      }
    }
    if (pixels === 0) return 0;
    return sum / (countIncludePad ? padded : pixels);
  });
}

/** f of the pixels that each of P x Q equal parts of the image covers, wholly or in part. */
function adaptivePool2d(x: Ref, output: Pair, f: (pixels: number[]) => number): Ref {
  const [N, C, H, W] = rank4(x);
  const [P, Q] = output;
  return build([N, C, P, Q], (n, c, p, q) => {
    const pixels: number[] = [];
    for (let h = Math.floor((p * H) / P); h < Math.ceil(((p + 1) * H) / P); h++) {
      for (let w = Math.floor((q * W) / Q); w < Math.ceil(((q + 1) * W) / Q); w++) {
        pixels.push(at(x, n, c, h, w));
      }
    }
    return f(pixels);
  });
}

export function adaptiveAvgPool2d(x: Ref, output: Pair): Ref {
  return adaptivePool2d(x, output, meanOf);
}

export function adaptiveMaxPool2d(x: Ref, output: Pair): Ref {
  return adaptivePool2d(x, output, maxOf);
}

/** x[N, C, H, W] to [N, C, 1, 1]. */
export function globalAvgPool(x: Ref): Ref {
  return adaptivePool2d(x, [1, 1], meanOf);
}

export function globalMaxPool(x: Ref): Ref {
  return adaptivePool2d(x, [1, 1], maxOf);
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
}

function meanOf(values: ArrayLike<number>): number {
  return sumOf(values) / values.length;
}

/** The mean squared distance from the mean (divided by n, not n - 1). */
function varianceOf(values: ArrayLike<number>): number {
  const mean = meanOf(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += ((values[i] as number) - mean) ** 2;
  return sum / values.length;
}

function maxOf(values: ArrayLike<number>): number {
  let max = -Infinity;
  for (let i = 0; i < values.length; i++) max = Math.max(max, values[i] as number);
  return max;
}

// ---- normalisation ----

/** x[N, C, ...], all else per channel: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta. */
export function batchNorm(x: Ref, mean: Ref, variance: Ref, gamma: Ref | null, beta: Ref | null, epsilon: number): Ref {
  for (const parameter of [mean, variance, gamma, beta]) {
    if (parameter) same("parameter", parameter.data.length, x.shape[1] as number);
  }
  const y = x.data.map((value, offset) => {
    const c = channelOf(x, offset);
    const normal = (value - at(mean, c)) / Math.sqrt(at(variance, c) + epsilon);
    return normal * (gamma ? at(gamma, c) : 1) + (beta ? at(beta, c) : 0);
  });
  return ref(x.shape, y);
}

export interface BatchNormTrainOptions {
  readonly epsilon: number;
  /** Share of this batch in the running statistics, as in PyTorch (ONNX's momentum is 1 minus this one). */
  readonly momentum: number;
}

export interface BatchNormTrainResult {
  readonly y: Ref;
  /** Of this batch; the variance is divided by n. */
  readonly mean: Ref;
  readonly variance: Ref;
  /** The running variance takes the batch variance divided by n - 1, as in PyTorch. */
  readonly runningMean: Ref;
  readonly runningVariance: Ref;
}

/**
 * Batch normalisation in the training phase: by the batch's own statistics, keeping running ones for later.
 */
export function batchNormTrain(
  x: Ref,
  gamma: Ref | null,
  beta: Ref | null,
  runningMean: Ref,
  runningVariance: Ref,
  options: BatchNormTrainOptions,
): BatchNormTrainResult {
  const { epsilon, momentum } = options;
  const C = x.shape[1] as number;
  const n = x.data.length / C;
  const values = (c: number) => x.data.filter((_, offset) => channelOf(x, offset) === c);
  const mean = build([C], (c) => meanOf(values(c)));
  const variance = build([C], (c) => varianceOf(values(c)));
  return {
    y: batchNorm(x, mean, variance, gamma, beta, epsilon),
    mean,
    variance,
    runningMean: build([C], (c) => (1 - momentum) * at(runningMean, c) + momentum * at(mean, c)),
    runningVariance: build([C], (c) => {
      const unbiased = (at(variance, c) * n) / (n - 1);
      return (1 - momentum) * at(runningVariance, c) + momentum * unbiased;
    }),
  };
}

/** Every `length` consecutive elements to mean 0 and variance 1. */
function standardize(x: Ref, length: number, epsilon: number): Ref {
  const y = new Float64Array(x.data.length);
  for (let start = 0; start < y.length; start += length) {
    const values = x.data.slice(start, start + length);
    const mean = meanOf(values);
    const deviation = Math.sqrt(varianceOf(values) + epsilon);
    for (let i = 0; i < length; i++) y[start + i] = ((values[i] as number) - mean) / deviation;
  }
  return ref(x.shape, y);
}

/** Normalises over the axes from `axis` to the last one; gamma and beta have the shape of those axes. */
export function layerNorm(x: Ref, gamma: Ref | null, beta: Ref | null, epsilon: number, axis = -1): Ref {
  const length = count(x.shape.slice(axisOf(axis, x.shape.length)));
  for (const parameter of [gamma, beta]) if (parameter) same("parameter", parameter.data.length, length);
  const y = standardize(x, length, epsilon).data.map((value, offset) => {
    const scaled = value * (gamma ? (gamma.data[offset % length] as number) : 1);
    return scaled + (beta ? (beta.data[offset % length] as number) : 0);
  });
  return ref(x.shape, y);
}

/** x[N, C, ...]: normalises over the channels of a group and all their pixels; gamma and beta per channel. */
export function groupNorm(x: Ref, groups: number, gamma: Ref | null, beta: Ref | null, epsilon: number): Ref {
  const C = x.shape[1] as number;
  same("channels per group", C / groups, Math.floor(C / groups));
  for (const parameter of [gamma, beta]) if (parameter) same("parameter", parameter.data.length, C);
  const length = count(x.shape.slice(1)) / groups;
  const y = standardize(x, length, epsilon).data.map((value, offset) => {
    const c = channelOf(x, offset);
    return value * (gamma ? at(gamma, c) : 1) + (beta ? at(beta, c) : 0);
  });
  return ref(x.shape, y);
}

/** x[N, C, ...]: normalises every channel of every image by itself. */
export function instanceNorm(x: Ref, gamma: Ref | null, beta: Ref | null, epsilon: number): Ref {
  return groupNorm(x, x.shape[1] as number, gamma, beta, epsilon);
}

/** Input positions and weights of one output position. */
export interface ResampleTaps {
  readonly at: readonly number[];
  readonly weights: readonly number[];
}

/** [N, C, H, W]: each output pixel a weighted sum of rows and columns. */
export function resample(x: Ref, rows: readonly ResampleTaps[], columns: readonly ResampleTaps[]): Ref {
  const [N, C] = x.shape as [number, number];
  return build([N, C, rows.length, columns.length], (n, c, p, q) => {
    const [row, column] = [rows[p] as ResampleTaps, columns[q] as ResampleTaps];
    let sum = 0;
    row.at.forEach((h, r) => {
      column.at.forEach((w, s) => {
        sum += (row.weights[r] as number) * (column.weights[s] as number) * at(x, n as number, c as number, h, w);
      });
    });
    return sum;
  });
}

export interface ResizeOptions {
  readonly mode: "nearest" | "linear" | "cubic";
  /** Where output pixels lie in the input; names as in ONNX. */
  readonly coordinates?:
    | "half_pixel"
    | "half_pixel_symmetric"
    | "pytorch_half_pixel"
    | "align_corners"
    | "asymmetric"
    | "tf_crop_and_resize";
  readonly nearest?: "round_prefer_floor" | "round_prefer_ceil" | "floor" | "ceil";
  /** The a of Keys' cubic kernel (1981). */
  readonly cubicA?: number;
  /** Pixels outside of the image weigh nothing, rather than repeat its edge. */
  readonly excludeOutside?: boolean;
  /** Shrinking, the kernel is as wide as an output pixel. */
  readonly antialias?: boolean;
  /** Of a crop: [top, left, bottom, right], as shares of the last row and column; and what lies outside of the image. */
  readonly crop?: Sides;
  readonly outside?: number;
}

/** The place of output pixel o of a line of `out` pixels, between the pixels of a line of `size`. */
function resizedPlace(
  o: number,
  size: number,
  out: number,
  scale: number,
  coordinates: ResizeOptions["coordinates"],
  [start, end]: Pair,
): number {
  const last = size - 1;
  if (coordinates === "asymmetric") return o / scale;
  if (coordinates === "align_corners") return out === 1 ? 0 : (o * last) / (out - 1);
  if (coordinates === "pytorch_half_pixel" && out === 1) return 0;
  if (coordinates === "tf_crop_and_resize")
    return out === 1 ? ((start + end) * last) / 2 : start * last + (o * (end - start) * last) / (out - 1);
  // Pixels are little squares whose middles meet. Symmetric: a size that was rounded is centred on the one that was asked for.
  const moved = coordinates === "half_pixel_symmetric" ? (size - out / scale) / 2 : 0;
  return moved + (o + 0.5) / scale - 0.5;
}

/** Weight of a pixel at a distance. */
function resizeKernel(distance: number, { mode, cubicA: a = -0.75 }: ResizeOptions): number {
  const d = Math.abs(distance);
  if (mode === "linear") return Math.max(1 - d, 0);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
}

/** Input positions and weights of every output position along one axis; none where a crop sticks out of the image. */
export function resizeTaps(
  size: number,
  out: number,
  scale: number,
  options: ResizeOptions,
  crop: Pair = [0, 1],
): ResampleTaps[] {
  const { mode, coordinates = "half_pixel", nearest = "round_prefer_floor" } = options;
  const inside = (i: number) => Math.min(Math.max(i, 0), size - 1);
  return Array.from({ length: out }, (_, o) => {
    const x = resizedPlace(o, size, out, scale, coordinates, crop);
    if (coordinates === "tf_crop_and_resize" && (x < 0 || x > size - 1)) return { at: [], weights: [] };
    if (mode === "nearest") {
      const below = Math.floor(x);
      const rest = x - below;
      const isUp = { floor: false, ceil: rest > 0, round_prefer_floor: rest > 0.5, round_prefer_ceil: rest >= 0.5 };
      return { at: [inside(isUp[nearest] ? below + 1 : below)], weights: [1] };
    }
    const width = options.antialias && scale < 1 ? 1 / scale : 1;
    const taps: { i: number; weight: number }[] = [];
    // Every pixel that could have a share, and those outside that repeat the edge.
    for (let i = -3 * Math.ceil(width); i < size + 3 * width; i++) {
      if (options.excludeOutside && i !== inside(i)) continue;
      taps.push({ i: inside(i), weight: resizeKernel((i - x) / width, options) });
    }
    const isShare = options.excludeOutside || width !== 1;
    const total = isShare ? taps.reduce((sum, { weight }) => sum + weight, 0) : 1;
    return { at: taps.map(({ i }) => i), weights: taps.map(({ weight }) => weight / total) };
  });
}

/** x[N, C, H, W] to y[N, C, P, Q] as ONNX resizes images: rows, then columns. */
export function resize(x: Ref, [P, Q]: Pair, [scaleH, scaleW]: Pair, options: ResizeOptions): Ref {
  const [, , H, W] = rank4(x);
  const [top, left, bottom, right] = options.crop ?? [0, 0, 1, 1];
  const rows = resizeTaps(H, P, scaleH, options, [top, bottom]);
  const columns = resizeTaps(W, Q, scaleW, options, [left, right]);
  const y = resample(x, rows, columns);
  const isOut = (p: number, q: number) => rows[p]?.at.length === 0 || columns[q]?.at.length === 0;
  return build(y.shape, (n, c, p, q) =>
    isOut(p as number, q as number)
      ? (options.outside ?? 0)
      : at(y, n as number, c as number, p as number, q as number),
  );
}

export interface LocalResponseNormOptions {
  /**
   * Channels in the window: floor((size - 1) / 2) before the channel at hand, ceil((size - 1) / 2) after it.
   */
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly bias: number;
}

/** x[N, C, H, W]: y = x / (bias + alpha / size * sum of x^2 over a window of channels)^beta (ONNX, Caffe). */
export function localResponseNorm(x: Ref, options: LocalResponseNormOptions): Ref {
  const { size, alpha, beta, bias } = options;
  const [N, C, H, W] = rank4(x);
  return build([N, C, H, W], (n, c, h, w) => {
    let squares = 0;
    const first = c - Math.floor((size - 1) / 2);
    for (let k = Math.max(first, 0); k < Math.min(first + size, C); k++) squares += at(x, n, k, h, w) ** 2;
    return at(x, n, c, h, w) / (bias + (alpha / size) * squares) ** beta;
  });
}

// ---- matrix products ----

/** x[..., K], weight[M, K], bias[M] or null to y[..., M]. */
export function linear(x: Ref, weight: Ref, bias: Ref | null): Ref {
  const [M, K] = weight.shape as [number, number];
  same("weight rank", weight.shape.length, 2);
  same("features", x.shape[x.shape.length - 1] ?? 0, K);
  if (bias) same("bias", bias.data.length, M);
  return build([...x.shape.slice(0, -1), M], (...index) => {
    const m = index.pop() as number;
    let sum = bias ? at(bias, m) : 0;
    for (let k = 0; k < K; k++) sum += at(x, ...index, k) * at(weight, m, k);
    return sum;
  });
}

/**
 * numpy's matmul: a[..., I, K] times b[..., K, J], leading axes broadcast; 1-D is a row as a, a column as b.
 */
export function matmul(a: Ref, b: Ref): Ref {
  if (b.shape.length === 1) {
    const y = matmul(a, reshape(b, [-1, 1]));
    return reshape(y, y.shape.slice(0, -1));
  }
  if (a.shape.length === 1) {
    const y = matmul(reshape(a, [1, -1]), b);
    return reshape(y, [...y.shape.slice(0, -2), ...y.shape.slice(-1)]);
  }
  const [I, K] = a.shape.slice(-2) as [number, number];
  const [rows, J] = b.shape.slice(-2) as [number, number];
  same("inner size", rows, K);
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return build([...batch, I, J], (...index) => {
    const [i, j] = index.splice(-2) as [number, number];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += broadcastAt(a, [...index, i, k]) * broadcastAt(b, [...index, k, j]);
    return sum;
  });
}

export function linearMagnitude(x: Ref, weight: Ref, bias: Ref | null): Ref {
  return linear(abs(x), abs(weight), abs(bias));
}

export function matmulMagnitude(a: Ref, b: Ref): Ref {
  return matmul(abs(a), abs(b));
}

// ---- quantised numbers ----

/** To the nearest whole number; of two that are as near, the even one. */
export function roundToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** round(x / scale) + zero, kept between low and high; scale and zero broadcast to x. */
export function quantize(x: Ref, scale: Ref, zero: Ref, [low, high]: Pair): Ref {
  return build(x.shape, (...index) => {
    const steps = roundToEven(at(x, ...index) / broadcastAt(scale, index)) + broadcastAt(zero, index);
    return Math.min(Math.max(steps, low), high);
  });
}

/** (x - zero) * scale. */
export function dequantize(x: Ref, scale: Ref, zero: Ref): Ref {
  return mul(sub(x, zero), scale);
}

// ---- activations ----

export function relu(x: Ref): Ref {
  return map(x, (v) => Math.max(v, 0));
}

export function relu6(x: Ref): Ref {
  return clip(x, 0, 6);
}

/** NaN stays NaN. */
export function clip(x: Ref, min = -Infinity, max = Infinity): Ref {
  return map(x, (v) => Math.min(Math.max(v, min), max));
}

export function leakyRelu(x: Ref, alpha = 0.01): Ref {
  return map(x, (v) => (v < 0 ? alpha * v : v));
}

/**
 * A slope of rank 1 is per channel of x[N, C, ...] (PyTorch); any other is broadcast by numpy's rule (ONNX).
 */
export function prelu(x: Ref, slope: Ref): Ref {
  const perChannel = slope.shape.length === 1 && slope.data.length > 1;
  const full = perChannel ? reshape(slope, [slope.data.length, ...x.shape.slice(2).map(() => 1)]) : slope;
  same("rank", broadcastShape(x.shape, full.shape).length, x.shape.length);
  return build(x.shape, (...index) => {
    const v = at(x, ...index);
    return v < 0 ? broadcastAt(full, index) * v : v;
  });
}

export function elu(x: Ref, alpha = 1): Ref {
  return map(x, (v) => (v > 0 ? v : alpha * Math.expm1(v)));
}

export function sigmoid(x: Ref): Ref {
  return map(x, (v) => 1 / (1 + Math.exp(-v)));
}

export function hardSigmoid(x: Ref, alpha = 1 / 6, beta = 0.5): Ref {
  return map(x, (v) => Math.min(Math.max(alpha * v + beta, 0), 1));
}

export function tanh(x: Ref): Ref {
  return map(x, Math.tanh);
}

/** x * sigmoid(x), also called swish. */
export function silu(x: Ref): Ref {
  return map(x, (v) => v / (1 + Math.exp(-v)));
}

/** x * hardSigmoid(x) */
export function hardSwish(x: Ref): Ref {
  return map(x, (v) => v * Math.min(Math.max(v / 6 + 0.5, 0), 1));
}

/** x times the share of a normal distribution that lies below x; "tanh" is the usual approximation of it. */
export function gelu(x: Ref, approximate: "none" | "tanh" = "none"): Ref {
  if (approximate === "tanh") {
    return map(x, (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))));
  }
  return map(x, (v) => 0.5 * v * erfc(-v / Math.SQRT2));
}

/** 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x, to 1e-15. */
export function erf(x: number): number {
  return x < 0 ? -erf(-x) : x < 2 ? erfSeries(x) : 1 - erfcFraction(x);
}

/** 1 - erf(x), without the cancellation where erf(x) is next to 1. */
export function erfc(x: number): number {
  return x < 0 ? 2 - erfc(-x) : x < 2 ? 1 - erfSeries(x) : erfcFraction(x);
}

/**
 * 2/sqrt(pi) * e^(-x^2) * (x + x * 2x^2/3 + x * 2x^2/3 * 2x^2/5 + ...): all terms are positive, nothing
 * cancels.
 */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 3; term > 1e-17 * sum; n += 2) {
    term *= (2 * x * x) / n;
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** e^(-x^2)/sqrt(pi) / (x + 1/2 / (x + 2/2 / (x + 3/2 / (x + ...)))); 100 levels do from x = 2 on. */
function erfcFraction(x: number): number {
  let fraction = x;
  for (let n = 100; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}

/** Activations by name, with their default parameters: those that a convolution can apply to its result. */
export const activations = {
  none: (x: Ref) => x,
  relu,
  relu6,
  leakyRelu: (x: Ref) => leakyRelu(x),
  elu: (x: Ref) => elu(x),
  sigmoid,
  hardSigmoid: (x: Ref) => hardSigmoid(x),
  tanh,
  silu,
  hardSwish,
  gelu: (x: Ref) => gelu(x),
} as const;

export type ActivationName = keyof typeof activations;

/** Applies f to every line of x along an axis. */
function alongAxis(x: Ref, axis: number, f: (line: readonly number[]) => readonly number[]): Ref {
  const counted = axisOf(axis, x.shape.length);
  const length = x.shape[counted] as number;
  const step = count(x.shape.slice(counted + 1));
  const y = new Float64Array(x.data.length);
  for (let start = 0; start < y.length; start++) {
    // A line starts where the index on the axis is 0.
    if (Math.floor(start / step) % length !== 0) continue;
    const line = Array.from({ length }, (_, i) => x.data[start + i * step] as number);
    f(line).forEach((value, i) => {
      y[start + i * step] = value;
    });
  }
  return ref(x.shape, y);
}

/** e^x over the sum of e^x along an axis; taking off the maximum first changes nothing but the overflow. */
export function softmax(x: Ref, axis = -1): Ref {
  return alongAxis(x, axis, (line) => {
    const max = maxOf(line);
    const sum = sumOf(line.map((v) => Math.exp(v - max)));
    return line.map((v) => Math.exp(v - max) / sum);
  });
}

export function logSoftmax(x: Ref, axis = -1): Ref {
  return alongAxis(x, axis, (line) => {
    const max = maxOf(line);
    const sum = sumOf(line.map((v) => Math.exp(v - max)));
    return line.map((v) => v - max - Math.log(sum));
  });
}

// ---- arithmetic of elements ----

/** numpy's rule: shapes are aligned at their last axis; a missing axis or one of size 1 is repeated. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const sizeA = a[axis - (rank - a.length)] ?? 1;
    const sizeB = b[axis - (rank - b.length)] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw new RangeError(`"shapes" expected to broadcast, got [${a}] and [${b}]`);
    }
    return sizeA === 1 ? sizeB : sizeA;
  });
}

/** x at an index of the shape it is broadcast to. */
function broadcastAt(x: Ref, index: readonly number[]): number {
  const own = index.slice(index.length - x.shape.length);
  return at(x, ...own.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)));
}

function elementwise(a: Ref, b: Ref, f: (a: number, b: number) => number): Ref {
  const shape = broadcastShape(a.shape, b.shape);
  return build(shape, (...index) => f(broadcastAt(a, index), broadcastAt(b, index)));
}

export function add(a: Ref, b: Ref): Ref {
  return elementwise(a, b, (u, v) => u + v);
}

export function sub(a: Ref, b: Ref): Ref {
  return elementwise(a, b, (u, v) => u - v);
}

export function mul(a: Ref, b: Ref): Ref {
  return elementwise(a, b, (u, v) => u * v);
}

export function div(a: Ref, b: Ref): Ref {
  return elementwise(a, b, (u, v) => u / v);
}

/** The larger; NaN where either is. */
export function maximum(a: Ref, b: Ref): Ref {
  return elementwise(a, b, (u, v) => Math.max(u, v));
}

export function minimum(a: Ref, b: Ref): Ref {
  return elementwise(a, b, (u, v) => Math.min(u, v));
}

// ---- shapes ----

/** Tensors one after the other along an axis; all other axes agree. */
export function concat(tensors: readonly Ref[], axis: number): Ref {
  const [first] = tensors;
  if (!first) throw new RangeError(`"tensors" expected at least one, got none`);
  const counted = axisOf(axis, first.shape.length);
  for (const { shape } of tensors) {
    same("rank", shape.length, first.shape.length);
    shape.forEach((size, i) => {
      if (i !== counted) same("size", size, first.shape[i] as number);
    });
  }
  const total = sumOf(tensors.map(({ shape }) => shape[counted] as number));
  return build(
    first.shape.map((size, i) => (i === counted ? total : size)),
    (...index) => {
      let i = index[counted] as number;
      for (const tensor of tensors) {
        const size = tensor.shape[counted] as number;
        if (i < size) return at(tensor, ...index.map((own, axis) => (axis === counted ? i : own)));
        i -= size;
      }
      throw new RangeError("not reached");
    },
  );
}

/**
 * numpy's x[start:end:step] on the given axes, or on the first ones; what lies beyond the tensor means its
 * edge.
 */
export function slice(
  x: Ref,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] = starts.map((_, i) => i),
  steps: readonly number[] = starts.map(() => 1),
): Ref {
  const first = x.shape.map(() => 0);
  const step = x.shape.map(() => 1);
  const shape = [...x.shape];
  axes.forEach((given, i) => {
    const axis = axisOf(given, x.shape.length);
    const size = x.shape[axis] as number;
    const by = steps[i] as number;
    if (by === 0) throw new RangeError(`"steps" expected nonzero integers, got [${steps}]`);
    // Going up, start and end lie in 0..size; going down in -1..size-1, where -1 is the place before the
    // first.
    const [low, high] = by > 0 ? [0, size] : [-1, size - 1];
    const place = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, low), high);
    const start = place(starts[i] as number);
    const end = place(ends[i] as number);
    first[axis] = start;
    step[axis] = by;
    shape[axis] = Math.max(Math.ceil((end - start) / by), 0);
  });
  return build(shape, (...index) =>
    at(x, ...index.map((i, axis) => (first[axis] as number) + i * (step[axis] as number))),
  );
}

/**
 * begin[i] elements before and end[i] after axis i: a constant, the edge element, or a mirror image around
 * it.
 */
export function pad(
  x: Ref,
  begin: readonly number[],
  end: readonly number[],
  mode: "constant" | "reflect" | "edge" = "constant",
  value = 0,
): Ref {
  same("begin", begin.length, x.shape.length);
  same("end", end.length, x.shape.length);
  const shape = x.shape.map((size, axis) => (begin[axis] as number) + size + (end[axis] as number));
  return build(shape, (...index) => {
    const from = index.map((i, axis) => i - (begin[axis] as number));
    if (mode === "constant" && from.some((i, axis) => i < 0 || i >= (x.shape[axis] as number))) return value;
    return at(
      x,
      ...from.map((i, axis) => {
        const last = (x.shape[axis] as number) - 1;
        if (mode === "edge") return Math.min(Math.max(i, 0), last);
        let mirrored = last === 0 ? 0 : i;
        while (mirrored < 0 || mirrored > last) mirrored = mirrored < 0 ? -mirrored : 2 * last - mirrored;
        return mirrored;
      }),
    );
  });
}

/** Axis i of the result is axis perm[i] of x; without perm the axes are reversed. */
export function transpose(x: Ref, perm: readonly number[] = x.shape.map((_, i) => i).reverse()): Ref {
  same("perm", perm.length, x.shape.length);
  return build(
    perm.map((axis) => x.shape[axis] as number),
    (...index) => {
      const from = index.map(() => 0);
      perm.forEach((axis, i) => {
        from[axis] = index[i] as number;
      });
      return at(x, ...from);
    },
  );
}

/** The same elements in the same order; one size of -1 is what is left. */
export function reshape(x: Ref, shape: readonly number[]): Ref {
  const known = count(shape.filter((size) => size !== -1));
  return ref(
    shape.map((size) => (size === -1 ? x.data.length / known : size)),
    x.data,
  );
}

/** Two axes: those before `axis` as one, and the others as one. */
export function flatten(x: Ref, axis = 1): Ref {
  const counted = axis < 0 ? axis + x.shape.length : axis;
  return reshape(x, [count(x.shape.slice(0, counted)), count(x.shape.slice(counted))]);
}
