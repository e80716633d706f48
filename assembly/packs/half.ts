// Layers of float32 on weights of float16.
export { ABI } from "../gen/abi-half";
export { RELAXED } from "../lib/simd";

export { linear_f16, pack_weights_f16, scale_rows_f16, widen_weights_f16 } from "../kernels/half-weights"; // few rows; panels; rows times a power of two; panels of float32
