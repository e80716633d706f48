// Layers of quantised networks, on bytes. The relaxed binary multiplies by the relaxed dot product: it is taken where that is exact.
export { ABI } from "../gen/abi-int8";
export { RELAXED } from "../lib/simd";
export { dot } from "../lib/dot"; // no kernel: what tells whether it is exact

// Products
export { pad_image_q8 } from "../kernels/int8-pad"; // a border of zero points, bytes made wider where products want it
export { pack_product_q8 } from "../kernels/int8-pack"; // weights to panels of 8 filters
export { product_q8 } from "../kernels/int8-product"; // matrices, and convolutions by pixels: sums that end in bytes, floats or as they are
export { conv2d_winograd_q8, pack_winograd_q8 } from "../kernels/int8-winograd"; // F(4,3) on whole numbers, exact

// Weights of 8 bits under layers of float32
export { linear_int8, pack_weights_int8, rows_to_int16 } from "../kernels/int8-weights"; // rows in int16 times weights in int8, a scale a block of K
