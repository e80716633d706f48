// What few networks from files reach: comparisons, whole numbers, places of maxima.
export { ABI } from "../gen/abi-rare";
export { RELAXED } from "../lib/simd";

export { typed_binary } from "../kernels/typed"; // comparisons, logic, arithmetic of whole numbers, powers and choices by element, broadcast
export { convert } from "../kernels/convert"; // elements of one type as another
export { along_f32 } from "../kernels/along"; // products, running sums and places of extremes along an axis
export { max_pool_places_f32 } from "../kernels/pool-places"; // maxima over windows of up to three axes, with their places
export { function_f32 } from "../kernels/function"; // softplus, mish, shrink and thresholds by element
export { sample_f32 } from "../kernels/sample"; // images at fractional places: by a grid, in boxes, around what a deformable convolution reads
export { gather, index_places } from "../kernels/gather"; // elements at indices that a run computes, checked before anything is read
