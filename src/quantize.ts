// lanewise/quantize: a float network in an ONNX file to the same in whole numbers of 8 bits. A tool: nothing else loads it.

import { createRuntime } from "./index.js";
import { loadOnnx } from "./onnx/index.js";
import { makeQuantize } from "./quantiser/quantize.js";

export type { CalibrationInput, QuantizableNode, QuantizeOptions } from "./quantiser/quantize.js";

/**
 * The bytes of an ONNX file in QDQ form, which any runtime of such files takes: convolutions and products with constant weights, and
 * what stands between them, on values of uint8, weights of int8, one scale a filter, and biases of int32. All else stays float32.
 *
 * @throws (rejects with) ModelError for a file that does not hold together, is quantised or has nothing to quantise, for
 *   calibration without inputs or with what is not finite, and for an unknown name in `exclude`; what loadOnnx() and
 *   OnnxModel.run() throw for the file and the inputs; UnsupportedError for tensors in other files; TypeError or RangeError for an
 *   option.
 */
export const quantize = /* @__PURE__ */ makeQuantize(createRuntime, loadOnnx);
