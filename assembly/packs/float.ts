// The pack that every runtime has: what eager calls, plans and graphs name. Every kernel of a pack is
// `name(desc: usize, begin: i32, end: i32, scratch: usize): void`; this list is the pack's ABI (scripts/packs.mjs).
export { ABI } from "../gen/abi-float";
export { RELAXED } from "../lib/simd";

export { gemm_f32 } from "../kernels/gemm"; // batched matrix product, B in packed panels
export { pack_rows_f32, pack_weights_f32, pad_image_f32, transpose_f32 } from "../kernels/pack"; // weights to panels; changes of layout
export { conv2d_direct_f32 } from "../kernels/conv-direct"; // seven nested loops, 4 pixels x 8 filters in registers
export { im2col_f32 } from "../kernels/conv-im2col"; // the patch matrix in memory
export { conv2d_implicit_gemm_f32 } from "../kernels/conv-implicit-gemm"; // GEMM over row pointers into the image
export { conv2d_winograd_f32 } from "../kernels/conv-winograd"; // F(2,3), F(4,3) and F(6,3)
export { winograd_weights_f32 } from "../kernels/conv-winograd-weights"; // their weights, in float64
export { conv2d_depthwise_f32, depthwise_weights_f32 } from "../kernels/conv-depthwise"; // lanes are channels, nothing copied
export { separable_conv2d_f32 } from "../kernels/conv-separable"; // depthwise and pointwise by rows, what lies between in cache
export { conv2d_fft_f32, fft_weights_f32 } from "../kernels/conv-fft"; // overlap-save FFT, two tiles as one complex tile
export { conv_transpose_gather_f32 } from "../kernels/conv-transpose"; // columns of a transposed convolution summed by output
export { activation_f32 } from "../kernels/activation"; // an activation by element, in place where wanted
export { binary_f32 } from "../kernels/elementwise"; // add, sub, mul, div, prelu, maximum and minimum by element, broadcast
export { softmax_f32 } from "../kernels/softmax"; // softmax or its logarithm, lanes along the axis or across it
export { attention_f32 } from "../kernels/attention"; // softmax(scale q k^T + masks) v, rows of scores in cache
export { avg_pool_f32, global_pool_f32, max_pool_f32 } from "../kernels/pool"; // maximum or mean over windows
export { batch_norm_f32, batch_norm_table_f32, batch_statistics_f32 } from "../kernels/batch-norm"; // by channel
export { local_response_norm_f32 } from "../kernels/local-response-norm"; // x over a power of neighbours' squares
export { copy_nd } from "../kernels/copy"; // strided copy of up to 8 dimensions, any element size
export { linear_f32, linear_panels_f32 } from "../kernels/linear"; // fully connected, few rows: weights as they lie, in panels
