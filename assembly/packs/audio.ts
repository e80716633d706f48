// What only networks that take sound reach.
export { ABI } from "../gen/abi-audio";
export { RELAXED } from "../lib/simd";

export { spectrum_f32 } from "../kernels/spectrum"; // short-time spectra of real signals by FFT, four frames at once
