// lanewise/onnx: networks as training tools export them.

import type { DType, TensorData } from "../base/spec.js";
import { parseTensor } from "./file/proto.js";
import { type HostTensor, readTensorProto } from "./host/tensor.js";
import { STORED } from "./network.js";

export { loadOnnx, type OnnxInput, OnnxModel, type OnnxOptions, type OnnxSource, type OnnxTensor } from "./model.js";

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
  const { shape, type, data }: HostTensor = readTensorProto(parseTensor(bytes));
  return { shape, dtype: STORED[type], data };
}
