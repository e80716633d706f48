// The public names of every entry, all but createRuntime, which each entry makes with its own way to load a binary.

export type { Shape } from "./base/check.js";
export {
  DataError,
  DisposedError,
  ModelError,
  OutOfMemoryError,
  ShapeError,
  ThreadError,
  UnsupportedError,
} from "./base/errors.js";
export type { WasmSource } from "./base/globals.js";
export type { Padding } from "./base/shape.js";
export type { DType, DTypeOf, Elements, Float16Data, MemoryFormat, TensorData, TensorSpec } from "./base/spec.js";
export type { ThreadsReport } from "./engine/crew.js";
export type { Int8Report, Variant } from "./engine/engine.js";
export type { Precision } from "./kernels/select.js";
export { CONV_ALGORITHMS, type ConvAlgorithm } from "./kernels/table.js";
export {
  Graph,
  type GraphData,
  type GraphInput,
  type GraphNode,
  type GraphOperations,
  type GraphOutput,
  type GraphParameter,
  Layer,
  type SequentialLayer,
  sequential,
  Value,
} from "./model/graph.js";
export { createModel, Model, type ModelOptions, type ModelTensor } from "./model/model.js";
export type { ModelReport } from "./model/planner.js";
export type { RunAsyncOptions } from "./model/run-options.js";
export { readSafetensors, writeSafetensors } from "./model/safetensors.js";
export {
  type ArenaBlock,
  type LayerRow,
  type Profile,
  type ProfileRow,
  type Summary,
  summarize,
  type Trace,
} from "./model/summary.js";
export type { HostTensor, WeightMap, Weights } from "./model/weights.js";
export { alexnet, alexnetTextbook, lenet5, randomWeights, type TextbookRow, type ZooOptions } from "./model/zoo.js";
export type { ClipOptions, EluOptions, GeluOptions, HardSigmoidOptions, LeakyReluOptions } from "./ops/activations.js";
export type { ArithmeticOptions } from "./ops/arithmetic.js";
export {
  type BatchNormOptions,
  type BatchNormParameters,
  type BatchNormTrainOptions,
  foldBatchNorm,
} from "./ops/batch-norm.js";
export type { ConvTranspose2dOptions } from "./ops/conv/conv-transpose2d.js";
export type { Conv1dOptions } from "./ops/conv/conv1d.js";
export type { Conv2dOptions } from "./ops/conv/conv2d.js";
export type { SeparableConv2dOptions } from "./ops/conv/separable-conv2d.js";
export type { CustomOptions } from "./ops/custom.js";
export type { OperatorName, PlanOperations } from "./ops/index.js";
export type { LinearOptions } from "./ops/linear.js";
export type { LocalResponseNormOptions } from "./ops/local-response-norm.js";
export type {
  ConcatOptions,
  FlattenOptions,
  MemoryFormatOptions,
  PadOptions,
  ReshapeOptions,
  SliceOptions,
  TransposeOptions,
} from "./ops/movement.js";
export type { Operations, WithResidual } from "./ops/operations.js";
export type { Activation } from "./ops/parts/epilogue.js";
export type { AdaptivePoolOptions, AvgPoolOptions, MaxPoolOptions, PoolOptions } from "./ops/pool.js";
export type { SoftmaxOptions } from "./ops/softmax.js";
export type { PlanDescription } from "./plan/builder.js";
export { Plan } from "./plan/plan.js";
export { Tensor } from "./plan/tensor.js";
export type { RuntimeOptions, RuntimeReport, ThreadsRange } from "./runtime/options.js";
export { Runtime, type TensorOptions } from "./runtime/runtime.js";
