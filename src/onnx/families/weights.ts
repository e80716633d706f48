// What computes layers of float32 on weights of fewer bits: no operators.
import { rangeOf } from "../../model/weight-range.js";
import { withByteWeights } from "../../ops/byte-weights.js";
import { withHalfWeights } from "../../ops/half-weights.js";
import type { QuantizedWeights } from "../../ops/operator.js";

export const WEIGHTS: QuantizedWeights = {
  int8: (operator) => withByteWeights(operator, 1),
  int16: (operator) => withByteWeights(operator, 2),
  float16: (operator, write) => withHalfWeights(operator, (bytes) => rangeOf(write(), bytes)),
};
