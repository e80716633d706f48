// The lowerings of the convolution algorithms of src/kernels/table.ts, by name.

import { type ConvShape, extent, roundUp } from "../../base/shape.js";
import { byteStrides } from "../../base/spec.js";
import { CACHE_LINE, DEPTHWISE_SPARE_VECTORS } from "../../kernels/gen/constants.js";
import { ConvDesc, DepthwiseDesc, DepthwiseWeightsDesc, GemmDesc, GemmRun } from "../../kernels/gen/desc.js";
import type { ConvAlgorithm } from "../../kernels/table.js";
import type { Builder } from "../../plan/builder.js";
import { descBytes, type Operand } from "../../plan/operand.js";
import { channelsLastImage, channelsLastOutput } from "../parts/image.js";
import { packBias, packWeights, reductionBlocks } from "../parts/panels.js";
import { lowerFft } from "./fft.js";
import { implicitGemm } from "./implicit-gemm.js";
import { type Conv, type ConvOperands, clipping, convValues } from "./lowering.js";
import { lowerWinograd } from "./winograd.js";

type Lowering = (b: Builder, conv: Conv) => void;

/** Padded image, one reduction block of panels, the seven loops. */
const direct: Lowering = (b, conv) => {
  const { shape: s } = conv;
  const image = channelsLastImage(b, conv.input, s.groups, s.padding);
  const k = (s.C / s.groups) * s.R * s.S;
  const blocks = reductionBlocks(b, [0], k, k);
  const weights = packWeights(b, conv.weight, s.groups, blocks);
  const values = convValues(conv, image, weights, packBias(b, conv.bias, s.M, s.groups, conv.slope));
  b.step("conv2d_direct_f32", ConvDesc, values, s.N * s.P);
};

/** Patches written to memory, then a matrix product per group. */
const im2col: Lowering = (b, conv) => {
  const { shape: s, yPtr, residualPtr, epilogue } = conv;
  const image = channelsLastImage(b, conv.input, s.groups, s.padding);
  const k = (s.C / s.groups) * s.R * s.S;
  const rows = s.N * s.P * s.Q;
  const rowBytes = s.groups * k * 4;
  const patches = b.workspace(rows * rowBytes);
  const blocks = reductionBlocks(b, [0], k);
  const weights = packWeights(b, conv.weight, s.groups, blocks);
  const bias = packBias(b, conv.bias, s.M, s.groups, conv.slope);
  b.step(
    "im2col_f32",
    ConvDesc,
    { ...convValues(conv, image, weights, bias), yPtr: patches, yPixelBytes: rowBytes },
    rows,
  );
  b.step(
    "gemm_f32",
    GemmDesc,
    {
      aPtr: patches,
      bPtr: weights.ref,
      cPtr: yPtr,
      biasPtr: bias.ref,
      residualPtr,
      blocksPtr: blocks.ref,
      blockCount: blocks.count,
      rows,
      cols: s.M / s.groups,
      aStrideBytes: rowBytes,
      cStrideBytes: s.M * 4,
      aBatchBytes: k * 4,
      bBatchBytes: weights.groupBytes,
      biasBatchBytes: bias.groupBytes,
      cBatchBytes: (s.M / s.groups) * 4,
      tileRows: b.planning.tileRows,
      ...epilogue,
      slopeBytes: bias.slopeBytes,
    },
    s.groups * rows,
    descBytes(GemmRun),
  );
};

/** Lines of the L1 cache: 64 sets of 8 lines of 64 bytes. */
const L1 = { sets: 64, ways: 8, line: CACHE_LINE };
/** Output rows whose input the depthwise kernel copies at a time. Their windows overlap, so that fewer are copied more often. */
const COPIED_ROWS = 8;

/**
 * How many outputs the depthwise kernel takes at a time, and whether it copies. Pixels lie C * 4 bytes apart, so that a power
 * of two of channels leaves them few sets of L1. Thresholds measured on Zen 4. Runs add in another order than tiles; tiles
 * of any size, copied or not, give the same bits.
 */
function depthwiseTiling(s: ConvShape) {
  const pixelBytes = s.C * 4;
  const lines = (L1.sets * L1.ways) / Math.max(1, (pixelBytes & -pixelBytes) / L1.line);
  const linesOf = (outputs: number) => s.R * ((outputs - 1) * s.strideW + s.S) + outputs;
  const isRun = s.R === 3 && s.S === 3 && s.strideW === 1 && lines >= 128;
  const isSmall = !isRun && linesOf(7) > 1.5 * lines;
  const isCopied = isSmall && s.M === s.C && linesOf(4) > (s.S === 3 ? 1.5 : 1.25) * lines;
  const tileOutputs = isRun ? Math.min(56, Math.floor((lines - 6) / 4)) : isSmall && !isCopied ? 4 : 7;
  const copiedRows = isCopied ? Math.min(COPIED_ROWS, s.P) : 0;
  const inputRows = isCopied ? Math.min(s.H, (copiedRows - 1) * s.strideH + extent(s.R, s.dilationH)) : 0;
  const scratchBytes = 16 * (tileOutputs + DEPTHWISE_SPARE_VECTORS) + inputRows * s.W * L1.line;
  return { tileOutputs, copiedRows, scratchBytes };
}

/** The tensor itself, weights in blocks of 4 filters. Answers what the kernel takes. */
export function depthwiseCall(b: Builder, conv: Conv) {
  const { shape: s } = conv;
  const image = channelsLastImage(b, conv.input, 1, [0, 0, 0, 0]);
  const weights = { ref: b.packed(s.R * s.S * roundUp(s.M, 4) * 4, true), groupBytes: 0 };
  const [sM, , sR, sS] = byteStrides(conv.weight.spec);
  b.prepare(
    "depthwise_weights_f32",
    DepthwiseWeightsDesc,
    {
      srcPtr: conv.weight.ref,
      dstPtr: weights.ref,
      filters: s.M,
      kernelH: s.R,
      kernelW: s.S,
      filterBytes: sM,
      kernelHBytes: sR,
      kernelWBytes: sS,
    },
    Math.ceil(s.M / 4),
  );
  const { scratchBytes, ...tiling } = depthwiseTiling(s);
  const values = convValues(conv, image, weights, packBias(b, conv.bias, s.M, 1, conv.slope));
  return { values: { ...values, ...clipping(conv), ...tiling }, items: s.N * s.P, scratchBytes };
}

const depthwise: Lowering = (b, conv) => {
  const { values, items, scratchBytes } = depthwiseCall(b, conv);
  b.step("conv2d_depthwise_f32", DepthwiseDesc, values, items, scratchBytes);
};

export const LOWERINGS: Readonly<Record<ConvAlgorithm, Lowering>> = {
  direct,
  im2col,
  "implicit-gemm": implicitGemm,
  depthwise,
  fft: lowerFft,
  winograd23: (b, conv) => lowerWinograd(b, conv, 2),
  winograd43: (b, conv) => lowerWinograd(b, conv, 4),
  winograd63: (b, conv) => lowerWinograd(b, conv, 6),
};

/** A convolution by a named algorithm, into an output of either memory format. */
export function lowerBy(
  algorithm: ConvAlgorithm,
  b: Builder,
  { output, residual, ...conv }: ConvOperands & { readonly output: Operand; readonly residual: Operand | undefined },
): void {
  const y = channelsLastOutput(b, output, residual);
  LOWERINGS[algorithm](b, { ...conv, yPtr: y.ref, residualPtr: y.residualPtr });
  y.finish();
}
