// lanewise/quantize: a float network in an ONNX file to the same in whole numbers of 8 bits. A tool: nothing else loads it.

/**
 * A float network in an ONNX file to one that computes on 8-bit integers: {@link quantize}.
 *
 * @module lanewise/quantize
 */

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
 *
 * @example
 * ```js
 * import { readFile } from "node:fs/promises";
 * import { quantize } from "lanewise/quantize";
 *
 * const images = Array.from({ length: 20 }, () => Float32Array.from({ length: 3 * 16 * 16 }, Math.random)); // take real ones
 * const calibration = images.map((data) => ({ image: { data, shape: [1, 3, 16, 16] } })); // what run() takes
 * const small = await quantize(await readFile("model.onnx"), { calibration }); // bytes of a file
 * ```
 * @function
 */
export const quantize = /* @__PURE__ */ makeQuantize(createRuntime, loadOnnx);
