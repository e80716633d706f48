// The operators as a user calls them, documented once: T is Tensor for eager calls on a runtime, Value in a graph.
// All compute in float32. An output takes its first input's memory format. Bad shapes throw ShapeError, bad options
// TypeError or RangeError, what an algorithm cannot do UnsupportedError; nothing is allocated then.
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

export interface WithResidual<T> {
  /** Added to the sum before the activation: of the output's shape and memory format. */
  readonly residual?: T | null;
}

export interface Operations<T> {
  /**
   * input [N, C, H, W], weight [M, C/groups, R, S], bias [M] → [N, M, P, Q]. A cross-correlation, as in all
   * frameworks.
   */
  conv2d(input: T, weight: T, bias?: T | null, options?: Conv2dOptions & WithResidual<T>): T;
  /** input [N, C, L], weight [M, C/groups, K], bias [M] → [N, M, Q]. */
  conv1d(input: T, weight: T, bias?: T | null, options?: Conv1dOptions & WithResidual<T>): T;
  /**
   * input [N, C, H, W], weight [C, M/groups, R, S], bias [M] → [N, M, P, Q] with
   * P = (H - 1) stride - padding + dilation (R - 1) + outputPadding + 1.
   */
  convTranspose2d(input: T, weight: T, bias?: T | null, options?: ConvTranspose2dOptions): T;
  /** input [N, C, H, W], depthwiseWeight [kC, 1, R, S], pointwiseWeight [M, kC, 1, 1], bias [M], depthwiseBias [kC] → [N, M, P, Q]. */
  separableConv2d(
    input: T,
    depthwiseWeight: T,
    pointwiseWeight: T,
    bias?: T | null,
    depthwiseBias?: T | null,
    options?: SeparableConv2dOptions & WithResidual<T>,
  ): T;

  /** input [..., K], weight [M, K], bias [M] → [..., M]: y = x w^T + b. */
  linear(input: T, weight: T, bias?: T | null, options?: LinearOptions): T;
  /** numpy's matmul: the last two axes are matrices, those before broadcast; a vector is a row (a) or a column (b). */
  matmul(a: T, b: T, options?: LinearOptions): T;

  // Elements moved, of any dtype. Indices and shapes are logical, whatever the memory format.

  concat(inputs: readonly T[], options?: ConcatOptions): T;
  /** numpy's x[start:end:step] on some axes. An empty result is refused. */
  slice(input: T, options: SliceOptions): T;
  pad(input: T, options: PadOptions): T;
  transpose(input: T, options?: TransposeOptions): T;
  reshape(input: T, options: ReshapeOptions): T;
  /** → [product of axes before, product of the others] */
  flatten(input: T, options?: FlattenOptions): T;
  /** A copy that lies in memory otherwise; rank >= 3 for channelsLast. */
  toMemoryFormat(input: T, options: MemoryFormatOptions): T;

  /** A function in JavaScript as an operator: one output as such, more as { 0, 1, … }. */
  custom(inputs: readonly T[], options: CustomOptions): T;

  // Pooling: [N, C, H, W] → [N, C, P, Q]. Windows are clipped to the input. The maximum of a window with a NaN is NaN.

  maxPool2d(input: T, options: MaxPoolOptions): T;
  avgPool2d(input: T, options: AvgPoolOptions): T;
  /** Window p spans floor(p H / P) to ceil((p + 1) H / P). */
  adaptiveMaxPool2d(input: T, options: AdaptivePoolOptions): T;
  adaptiveAvgPool2d(input: T, options: AdaptivePoolOptions): T;
  /** → [N, C, 1, 1] */
  globalMaxPool(input: T): T;
  globalAvgPool(input: T): T;

  // Activations: any shape, element by element. NaN stays NaN.

  /** max(x, 0) */
  relu(input: T): T;
  /** min(max(x, 0), 6) */
  relu6(input: T): T;
  /** min(max(x, min), max) */
  clip(input: T, options?: ClipOptions): T;
  /** x, or alpha x where x < 0 */
  leakyRelu(input: T, options?: LeakyReluOptions): T;
  /** x, or alpha (e^x - 1) where x <= 0 */
  elu(input: T, options?: EluOptions): T;
  /** 1 / (1 + e^-x) */
  sigmoid(input: T): T;
  /** min(max(alpha x + beta, 0), 1) */
  hardSigmoid(input: T, options?: HardSigmoidOptions): T;
  tanh(input: T): T;
  /** x sigmoid(x), also called swish */
  silu(input: T): T;
  /** x min(max(x + 3, 0), 6) / 6 */
  hardSwish(input: T): T;
  /** x/2 (1 + erf(x / sqrt 2)), or 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks and Gimpel (2016). */
  gelu(input: T, options?: GeluOptions): T;
  /**
   * x, or slope x where x < 0. slope: one value, [C] for x [N, C, ...], or any shape that broadcasts to x's. He et al.
   * (2015).
   */
  prelu(input: T, slope: T): T;

  // Arithmetic by element, shapes broadcast as numpy has it (rank <= 8). The output takes the memory format of the
  // first operand that has the output's shape, else of the first that has its rank.

  add(a: T, b: T, options?: ArithmeticOptions): T;
  sub(a: T, b: T, options?: ArithmeticOptions): T;
  mul(a: T, b: T, options?: ArithmeticOptions): T;
  div(a: T, b: T, options?: ArithmeticOptions): T;
  /** NaN where either is. */
  maximum(a: T, b: T, options?: ArithmeticOptions): T;
  minimum(a: T, b: T, options?: ArithmeticOptions): T;

  // Normalisation.

  /** e^x over the sum of e^x along an axis; the maximum is taken off first, so nothing overflows. */
  softmax(input: T, options?: SoftmaxOptions): T;
  /** log(softmax(x)), exact where the softmax itself is next to 0 or 1. */
  logSoftmax(input: T, options?: SoftmaxOptions): T;
  /**
   * Test phase. input [N, C, ...], all else [C]: (x - mean) / sqrt(variance + epsilon) * gamma + beta. Ioffe and
   * Szegedy (2015).
   */
  batchNorm(input: T, mean: T, variance: T, gamma?: T | null, beta?: T | null, options?: BatchNormOptions): T;
  /**
   * Training phase: by the batch's own mean and variance (divided by n), which are answered too, with the running
   * statistics after this batch: (1 - momentum) * running + momentum * batch, the variance divided by n - 1 there, as
   * PyTorch has it. Without running statistics they start from 0 and 1.
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
   */
  localResponseNorm(input: T, options: LocalResponseNormOptions): T;
}
