// Layers of quantised networks, on bytes. The relaxed binary multiplies by the relaxed dot product: it is taken where that is exact.
export { ABI } from "../gen/abi-int8";
export { RELAXED } from "../lib/simd";
export { dot } from "../lib/dot"; // no kernel: what tells whether it is exact

// Products
export { pad_image_q8 } from "../kernels/int8-pad"; // a border of zero points, bytes made wider where products want it
export { pack_product_q8 } from "../kernels/int8-pack"; // weights to panels of 8 filters
export { product_q8 } from "../kernels/int8-product"; // matrices, and convolutions by pixels: sums that end in bytes, floats or as they are
export { conv2d_winograd_q8, pack_winograd_q8 } from "../kernels/int8-winograd"; // F(4,3) on whole numbers, exact

// Bytes
export { depthwise_fits_q8, depthwise_q8, depthwise_weights_q8 } from "../kernels/int8-depthwise"; // depthwise convolution: lanes are filters, rows of 3x3 and 5x5 unrolled
export { avg_pool_q8, max_pool_q8, mean_q8 } from "../kernels/int8-pool"; // maximum or mean over windows, mean over all pixels
export { binary_q8, map_q8 } from "../kernels/int8-elements"; // sums and products by element, broadcast; tables, affine maps and moves
export { from_float_q8, to_float_q8 } from "../kernels/int8-edges"; // float32 to bytes and back
export { factors_q8, quantize_q8, range_q8 } from "../kernels/int8-dynamic"; // bytes whose scale and zero point a run computes, and what products take of these
export { interleave_q8, resize_q8 } from "../kernels/int8-moves"; // channels of groups in turn; images of another size, nearest and linear

// Weights of 8 bits under layers of float32
export { linear_int8, pack_weights_int8, rows_to_int16 } from "../kernels/int8-weights"; // rows in int16 times weights in int8, a scale a block of K
