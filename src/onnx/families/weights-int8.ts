// What computes layers of float32 on weights of 8 bits: no operators.
export { withByteWeights as WEIGHTS } from "../../ops/byte-weights.js";
