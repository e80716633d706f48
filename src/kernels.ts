// The one table of kernels: every wasm export has one row here, every row one export (test/kernels.test.ts).
import type { ConvShape } from "./shape.js";
import { convMacs, extent } from "./shape.js";

export interface KernelRow {
  /** Name of the wasm export: operator, algorithm, dtype. */
  readonly name: string;
  readonly operator: string;
  readonly summary: string;
}

export const KERNELS = [
  { name: "gemm_f32", operator: "matmul", summary: "batched matrix product, B in packed panels" },
  { name: "pack_weights_f32", operator: "conv2d", summary: "weights to panels of 8 filters (plan time)" },
  { name: "pad_image_f32", operator: "conv2d", summary: "any image to padded channels-last" },
  { name: "transpose_f32", operator: "transpose", summary: "contiguous to channels-last and back" },
  { name: "conv2d_direct_f32", operator: "conv2d", summary: "seven nested loops, 4 pixels x 8 filters in registers" },
  { name: "im2col_f32", operator: "conv2d", summary: "the patch matrix in memory" },
  { name: "conv2d_implicit_gemm_f32", operator: "conv2d", summary: "GEMM over row pointers into the image" },
] as const satisfies readonly KernelRow[];

export type KernelName = (typeof KERNELS)[number]["name"];

export type ConvAlgorithm =
  | "direct" | "im2col" | "implicit-gemm" | "winograd23" | "winograd43" | "winograd63" | "fft" | "depthwise";

/** One way to compute a convolution. */
export interface ConvRow {
  readonly algorithm: ConvAlgorithm;
  readonly summary: string;
  /** True, or what the algorithm expects of a shape that it does not get. */
  accepts(shape: ConvShape): true | string;
  /** Estimated milliseconds on the reference machine; undefined: never chosen by itself. */
  cost(shape: ConvShape, rates: Rates): number | undefined;
}

/** Fixed per binary, so that a model computes the same bits everywhere: GFLOP/s of the GEMM tile and GB/s of memory. */
export interface Rates {
  readonly gflops: number;
  readonly gbps: number;
}

export const RATES: Readonly<Record<"simd" | "relaxed", Rates>> = {
  simd: { gflops: 22.5, gbps: 8.5 },
  relaxed: { gflops: 44, gbps: 8.5 },
};

function gemmCost(macs: number, weightBytes: number, { gflops, gbps }: Rates): number {
  const compute = (2 * macs) / gflops / 1e6;
  const memory = weightBytes / gbps / 1e6;
  return Math.max(compute, memory) + 0.5 * Math.min(compute, memory);
}

export const CONV_ROWS: readonly ConvRow[] = [
  {
    algorithm: "implicit-gemm",
    summary: "GEMM over row pointers into the image, nothing copied but the padding",
    accepts: () => true,
    cost: (s, rates) => gemmCost(convMacs(s), (s.M * s.C * s.R * s.S * 4) / s.groups, rates),
  },
  {
    algorithm: "direct",
    summary: "the seven nested loops, tiled by registers",
    accepts: () => true,
    cost: () => undefined,
  },
  {
    algorithm: "im2col",
    summary: "patch matrix in memory, then one matrix product",
    accepts: () => true,
    cost: () => undefined,
  },
];
void extent;
