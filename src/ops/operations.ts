// The operators as a user calls them, documented once: T is Tensor for eager calls on a runtime, Value in a graph.
import type { DType } from "../base/spec.js";
import type { ClipOptions, EluOptions, GeluOptions, HardSigmoidOptions, LeakyReluOptions } from "./activations.js";
import type { ArithmeticOptions } from "./arithmetic.js";
import type { BatchNormOptions, BatchNormTrainOptions } from "./batch-norm.js";
import type { ConvTranspose2dOptions } from "./conv/conv-transpose2d.js";
import type { Conv1dOptions } from "./conv/conv1d.js";
import type { Conv2dOptions } from "./conv/conv2d.js";
import type { SeparableConv2dOptions } from "./conv/separable-conv2d.js";
import type { CustomOptions } from "./custom.js";
import type { LinearOptions } from "./linear.js";
import type { LocalResponseNormOptions } from "./local-response-norm.js";
import type {
  ConcatOptions,
  FlattenOptions,
  MemoryFormatOptions,
  PadOptions,
  ReshapeOptions,
  SliceOptions,
  TransposeOptions,
} from "./movement.js";
import type { AdaptivePoolOptions, AvgPoolOptions, MaxPoolOptions } from "./pool.js";
import type { SoftmaxOptions } from "./softmax.js";

/** A further operand, given among the options. */
export interface WithResidual<T> {
  /** Added to the sum before the activation: of the output's shape and memory format; default none. */
  readonly residual?: T | null;
}

/**
 * The operators. Those that compute take and answer float32; an output takes its first input's memory format. On a runtime
 * every one also throws TypeError for an operand that is no tensor of it or an option that is not known, DisposedError for a
 * tensor that is gone, OutOfMemoryError where the output or workspace has no room; nothing is allocated then. In a graph,
 * shapes and options are checked when a model is made of it. T: an operand of float32; A: one of any dtype.
 */
export interface Operations<T extends A, A = T> {
  /**
   * input [N, C, H, W], weight [M, C/groups, R, S], bias [M] → [N, M, P, Q]. A cross-correlation, as in all
   * frameworks: P = floor((H + padding - dilation (R - 1) - 1) / stride) + 1. A call of a runtime packs the weights each time: for the
   * same layer many times, make a plan.
   *
   * @example
   * ```js
   * import { createRuntime } from "lanewise";
   *
   * const rt = await createRuntime();
   * const image = rt.zeros([1, 3, 224, 224]);
   * const weight = rt.zeros([64, 3, 7, 7]);
   * const y = rt.conv2d(image, weight, null, { stride: 2, padding: 3, activation: "relu" });
   * y.shape; // [1, 64, 112, 112]
   * ```
   *
   * @throws ShapeError where operands do not fit each other or the window the padded input, RangeError for an option out of
   *   range, UnsupportedError for an `algorithm` that does not do the shape or a dtype that is not float32.
   */
  conv2d(input: T, weight: T, bias?: T | null, options?: Conv2dOptions & WithResidual<T>): T;
  /**
   * input [N, C, L], weight [M, C/groups, K], bias [M] → [N, M, Q]: conv2d of [N, C, 1, L].
   *
   * @throws as conv2d.
   */
  conv1d(input: T, weight: T, bias?: T | null, options?: Conv1dOptions & WithResidual<T>): T;
  /**
   * input [N, C, H, W], weight [C, M/groups, R, S], bias [M] → [N, M, P, Q] with
   * P = (H - 1) stride - padding + dilation (R - 1) + outputPadding + 1.
   *
   * @throws ShapeError where operands do not fit each other or nothing is left of the output, RangeError for an option out of
   *   range, UnsupportedError for a dtype that is not float32.
   */
  convTranspose2d(input: T, weight: T, bias?: T | null, options?: ConvTranspose2dOptions): T;
  /**
   * A depthwise convolution, then a pointwise one: input [N, C, H, W], depthwiseWeight [kC, 1, R, S], pointwiseWeight
   * [M, kC, 1, 1], bias [M], depthwiseBias [kC] → [N, M, P, Q].
   *
   * @throws as conv2d.
   */
  separableConv2d(
    input: T,
    depthwiseWeight: T,
    pointwiseWeight: T,
    bias?: T | null,
    depthwiseBias?: T | null,
    options?: SeparableConv2dOptions & WithResidual<T>,
  ): T;

  /**
   * input [..., K], weight [M, K], bias [M] → [..., M]: y = x w^T + b.
   *
   * @throws ShapeError where operands do not fit each other, UnsupportedError for a dtype that is not float32.
   */
  linear(input: T, weight: T, bias?: T | null, options?: LinearOptions): T;
  /**
   * numpy's matmul: a [..., P, K], b [..., K, Q] → [..., P, Q]. Axes before the last two broadcast; a vector is a row (a) or a
   * column (b).
   *
   * @throws ShapeError where operands do not fit each other, UnsupportedError for a dtype that is not float32 or batches that
   *   broadcast crosswise in more than 4,096 pieces.
   */
  matmul(a: T, b: T, options?: LinearOptions): T;

  // Elements moved, of any dtype. Indices and shapes are logical, whatever the memory format.

  /**
   * Tensors one after the other along an axis, where alone their sizes may differ; the first gives dtype and memory format.
   *
   * @throws ShapeError where another size or the dtype differs, RangeError for an axis that is not there.
   */
  concat<X extends A>(inputs: readonly X[], options?: ConcatOptions): X;
  /**
   * numpy's x[start:end:step] on some axes.
   *
   * @throws ShapeError where nothing is left, RangeError for a step of 0, an axis that is not there or twice, or lists of
   *   different lengths.
   */
  slice<X extends A>(input: X, options: SliceOptions): X;
  /**
   * A border around the elements: of a value, of the elements mirrored, or of those at the edge.
   *
   * @throws RangeError for other than two numbers >= 0 an axis or a value that the dtype does not hold, ShapeError for mode
   *   "reflect" with as many elements as the axis has, or more.
   */
  pad<X extends A>(input: X, options: PadOptions): X;
  /**
   * The axes in another order.
   *
   * @throws ShapeError where the permutation has not each axis once, RangeError for an axis that is not there.
   */
  transpose<X extends A>(input: X, options?: TransposeOptions): X;
  /**
   * The same elements in logical order under another shape.
   *
   * @throws ShapeError for another number of elements or more than one -1, RangeError for a size below -1.
   */
  reshape<X extends A>(input: X, options: ReshapeOptions): X;
  /**
   * → [product of the sizes before `axis`, product of the others], in logical order.
   *
   * @throws RangeError for an axis outside -rank to rank.
   */
  flatten<X extends A>(input: X, options?: FlattenOptions): X;
  /**
   * A copy of the same shape that lies in memory otherwise.
   *
   * @throws ShapeError for channelsLast of a rank below 3, RangeError for a format that is not known.
   */
  toMemoryFormat<X extends A>(input: X, options: MemoryFormatOptions): X;

  /**
   * A function in JavaScript as an operator, of tensors of any dtype: answers one output as such, more as { 0, 1, … }.
   *
   * @throws TypeError where `outputs` or `compute` is missing, ShapeError or RangeError for an output's shape, and what
   *   `compute` throws.
   */
  custom<X extends A, O extends DType = "float32", R extends A = "float32" extends O ? T : A>(
    inputs: readonly X[],
    options: CustomOptions<X extends { readonly dtype: infer I extends DType } ? I : DType, O | "float32">,
  ): R;

  // Pooling: [N, C, H, W] → [N, C, P, Q]. The maximum of a window with a NaN is NaN.

  /**
   * The largest element of every window: input [N, C, H, W] → [N, C, P, Q]. Padding never wins.
   *
   * @throws ShapeError for another rank, a window larger than the padded input, or padding as large as the window; RangeError
   *   for an option out of range; UnsupportedError for a dtype that is not float32.
   */
  maxPool2d(input: T, options: MaxPoolOptions): T;
  /**
   * The mean of every window: input [N, C, H, W] → [N, C, P, Q].
   *
   * @throws as maxPool2d.
   */
  avgPool2d(input: T, options: AvgPoolOptions): T;
  /**
   * The largest element of windows that cover the input: [N, C, H, W] → [N, C, P, Q]. Window p spans floor(p H / P) to
   * ceil((p + 1) H / P).
   *
   * @throws ShapeError for another rank, RangeError for an output size below 1, UnsupportedError for a dtype that is not
   *   float32.
   */
  adaptiveMaxPool2d(input: T, options: AdaptivePoolOptions): T;
  /**
   * The mean of the windows of adaptiveMaxPool2d: [N, C, H, W] → [N, C, P, Q].
   *
   * @throws as adaptiveMaxPool2d.
   */
  adaptiveAvgPool2d(input: T, options: AdaptivePoolOptions): T;
  /**
   * The largest element of every channel: [N, C, H, W] → [N, C, 1, 1].
   *
   * @throws ShapeError for another rank, UnsupportedError for a dtype that is not float32.
   */
  globalMaxPool(input: T): T;
  /**
   * The mean of every channel: [N, C, H, W] → [N, C, 1, 1].
   *
   * @throws as globalMaxPool.
   */
  globalAvgPool(input: T): T;

  // Activations: any shape, element by element, output of the same. NaN stays NaN.

  /** max(x, 0). @throws UnsupportedError for a dtype that is not float32. */
  relu(input: T): T;
  /** min(max(x, 0), 6). @throws UnsupportedError for a dtype that is not float32. */
  relu6(input: T): T;
  /**
   * min(max(x, min), max).
   *
   * @throws TypeError for a bound that is NaN or no number, UnsupportedError for a dtype that is not float32.
   */
  clip(input: T, options?: ClipOptions): T;
  /**
   * x, or alpha x where x < 0.
   *
   * @throws RangeError for an alpha that is not finite, UnsupportedError for a dtype that is not float32.
   */
  leakyRelu(input: T, options?: LeakyReluOptions): T;
  /**
   * x, or alpha (e^x - 1) where x <= 0.
   *
   * @throws as leakyRelu.
   */
  elu(input: T, options?: EluOptions): T;
  /** 1 / (1 + e^-x). @throws UnsupportedError for a dtype that is not float32. */
  sigmoid(input: T): T;
  /**
   * min(max(alpha x + beta, 0), 1).
   *
   * @throws RangeError for an alpha or beta that is not finite, UnsupportedError for a dtype that is not float32.
   */
  hardSigmoid(input: T, options?: HardSigmoidOptions): T;
  /** (e^x - e^-x) / (e^x + e^-x). @throws UnsupportedError for a dtype that is not float32. */
  tanh(input: T): T;
  /** x sigmoid(x), also called swish. @throws UnsupportedError for a dtype that is not float32. */
  silu(input: T): T;
  /** x min(max(x + 3, 0), 6) / 6. @throws UnsupportedError for a dtype that is not float32. */
  hardSwish(input: T): T;
  /**
   * x/2 (1 + erf(x / sqrt 2)), or 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks and Gimpel (2016).
   *
   * @throws RangeError for an approximation that is not known, UnsupportedError for a dtype that is not float32.
   */
  gelu(input: T, options?: GeluOptions): T;
  /**
   * x, or slope x where x < 0. slope: one value, [C] for x [N, C, ...], or any shape that broadcasts to x's. He et al.
   * (2015).
   *
   * @throws ShapeError for a slope that does not broadcast to x's shape, UnsupportedError for a dtype that is not float32.
   */
  prelu(input: T, slope: T): T;

  // Arithmetic by element, shapes broadcast as numpy has it (rank <= 8). The output takes the memory format of the
  // first operand that has the output's shape, else of the first that has its rank.

  /**
   * a + b.
   *
   * @throws ShapeError for shapes that do not broadcast to each other, UnsupportedError for a dtype that is not float32.
   */
  add(a: T, b: T, options?: ArithmeticOptions): T;
  /** a - b. @throws as add. */
  sub(a: T, b: T, options?: ArithmeticOptions): T;
  /** a b. @throws as add. */
  mul(a: T, b: T, options?: ArithmeticOptions): T;
  /** a / b. @throws as add. */
  div(a: T, b: T, options?: ArithmeticOptions): T;
  /** The larger one; NaN where either is. @throws as add. */
  maximum(a: T, b: T, options?: ArithmeticOptions): T;
  /** The smaller one; NaN where either is. @throws as add. */
  minimum(a: T, b: T, options?: ArithmeticOptions): T;

  // Normalisation.

  /**
   * e^x over the sum of e^x along an axis, of any shape; the maximum is taken off first, so nothing overflows.
   *
   * @throws RangeError for an axis that is not there, ShapeError for rank 0, UnsupportedError for a dtype that is not float32.
   */
  softmax(input: T, options?: SoftmaxOptions): T;
  /**
   * log(softmax(x)), exact where the softmax itself is next to 0 or 1.
   *
   * @throws as softmax.
   */
  logSoftmax(input: T, options?: SoftmaxOptions): T;
  /**
   * Test phase. input [N, C, ...], all else [C]: (x - mean) / sqrt(variance + epsilon) * gamma + beta. Ioffe and
   * Szegedy (2015).
   *
   * @throws ShapeError for a rank below 2 or statistics that are not [C], RangeError for an epsilon below 0, UnsupportedError
   *   for a dtype that is not float32.
   */
  batchNorm(input: T, mean: T, variance: T, gamma?: T | null, beta?: T | null, options?: BatchNormOptions): T;
  /**
   * Training phase: input [N, C, ...], all else [C]. `output` is normalised by the batch's own `mean` and `variance` (divided by
   * n), which are answered too, with the statistics after this batch, `runningMean` and `runningVariance`: (1 - momentum) *
   * running + momentum * batch, the variance divided by n - 1 there, as PyTorch has it. Without running statistics they start
   * from 0 and 1.
   *
   * @throws as batchNorm; ShapeError also where a channel has one value only.
   */
  batchNormTrain(
    input: T,
    gamma?: T | null,
    beta?: T | null,
    runningMean?: T | null,
    runningVariance?: T | null,
    options?: BatchNormTrainOptions,
  ): { output: T; mean: T; variance: T; runningMean: T; runningVariance: T };
  /**
   * input [N, C, ...]: x / (bias + alpha / size * sum of x^2 over `size` channels)^beta, floor((size - 1) / 2) of them
   * before the channel at hand, as ONNX and Caffe have it. Krizhevsky et al. (2012).
   *
   * @throws ShapeError for a rank below 2, RangeError for a size below 1 or a number that is not finite, UnsupportedError for a
   *   dtype that is not float32.
   */
  localResponseNorm(input: T, options: LocalResponseNormOptions): T;
}
