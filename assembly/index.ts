// This file is the ABI: every kernel is `name(desc: usize, begin: i32, end: i32, scratch: usize): void`, and has one row in
// src/kernels/table.ts. A test holds both lists to each other.
export { ABI } from "./gen/abi";
export { RELAXED } from "./simd";

export { gemm_f32 } from "./gemm";
export { pack_weights_f32, pad_image_f32, transpose_f32 } from "./pack";
export { conv2d_direct_f32 } from "./conv-direct";
export { im2col_f32 } from "./conv-im2col";
export { conv2d_implicit_gemm_f32 } from "./conv-implicit-gemm";
export { conv2d_winograd_f32, winograd_weights_f32 } from "./conv-winograd";
export { conv2d_depthwise_f32, depthwise_weights_f32 } from "./conv-depthwise";
export { separable_conv2d_f32 } from "./conv-separable";
export { activation_f32 } from "./activation";
export { unary_f32 } from "./unary";
export { binary_f32 } from "./elementwise";
export { dequantize_f32, quantize_f32 } from "./quantize";
export { softmax_f32 } from "./softmax";
export { avg_pool_f32, global_pool_f32, max_pool_f32 } from "./pool";
export { resize_f32 } from "./resize";
export { batch_norm_f32, batch_norm_table_f32, batch_statistics_f32 } from "./batch-norm";
export { local_response_norm_f32 } from "./local-response-norm";
export { copy_nd } from "./copy";
export { linear_f32, linear_panels_f32 } from "./linear";
export { conv_transpose_gather_f32 } from "./conv-transpose";
export { conv2d_fft_f32, fft_weights_f32 } from "./conv-fft";
