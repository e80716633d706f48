// Photos to a model's input: what lanewise/vision loads, and no model needs. Integers but for the last product and sum, so that one
// binary, of fixed-width SIMD, serves both variants of a runtime: it says nothing of RELAXED.
export { ABI } from "../gen/abi-vision";

export { resample_u8 } from "../kernels/resample"; // pictures by any filter, in Pillow's bits, to tensors of any layout
export { blend_u8 } from "../kernels/blend"; // pixels laid on a colour by their alpha, in place
