// What only networks from files reach: no operator of a runtime or a graph names these.
export { ABI } from "../gen/abi-numeric";
export { RELAXED } from "../lib/simd";

export { unary_f32 } from "../kernels/unary"; // exp, log, sin, cos, erf, sqrt, abs, rounding, sign and reciprocal by element
export { dequantize_f32, quantize_f32 } from "../kernels/quantize"; // float32 to uint8, int8 or int32 and back
export { resize_f32 } from "../kernels/resize"; // nearest, linear, cubic: separable taps from tables, lanes are channels
export { normalise_f32 } from "../kernels/normalise"; // layer, RMS, group and instance normalisation: lines in two passes
