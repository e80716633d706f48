// What every entry of lanewise/onnx exports, but for loadOnnx.

import type { DType, TensorData } from "../base/spec.js";
import { STORED } from "./draft.js";
import { Budget } from "./file/budget.js";
import { parseTensor } from "./file/proto.js";
import { readTensorProto } from "./file/tensor.js";

export type { OnnxOptions } from "./load.js";
export { type OnnxInput, OnnxModel, type OnnxReport, type OnnxTensor } from "./model.js";
export type { OnnxDescription, OnnxOperator, OnnxValue } from "./outside/describe.js";
export type { OnnxSource } from "./outside/source.js";

/**
 * Reads a serialised TensorProto, such as the .pb files of ONNX test data: its shape, dtype (float16 and bfloat16 become
 * float32) and data in logical order.
 *
 * @throws ModelError for what does not hold together, UnsupportedError for a type that is not read.
 */
export function readTensorFile(bytes: Uint8Array): {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: TensorData;
} {
  const { shape, type, data } = readTensorProto(parseTensor(bytes), new Budget());
  return { shape, dtype: STORED[type], data };
}
