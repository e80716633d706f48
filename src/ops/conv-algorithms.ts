// The lowerings of the convolution algorithms of src/kernels.ts, by name.

import { ConvDesc, DepthwiseWeightsDesc, GemmDesc } from "../gen/desc.js";
import type { ConvAlgorithm } from "../kernels.js";
import type { Builder, Operand } from "../plan.js";
import { stridesOf } from "../spec.js";
import { lowerFft } from "./conv-fft.js";
import {
  type Conv,
  type ConvOperands,
  channelsLastImage,
  channelsLastOutput,
  convValues,
  packBias,
  packWeights,
  patchSegments,
  ROW_TABLE_BYTES,
  reductionBlocks,
  roundUp,
} from "./conv-lowering.js";
import { lowerWinograd } from "./conv-winograd.js";

type Lowering = (b: Builder, conv: Conv) => void;

/** Padded image, one reduction block of panels, the seven loops. */
const direct: Lowering = (b, conv) => {
  const { shape: s } = conv;
  const image = channelsLastImage(b, conv.input, s.groups, s.padding);
  const k = (s.C / s.groups) * s.R * s.S;
  const blocks = reductionBlocks(b, [0], k, k);
  const values = convValues(
    b,
    conv,
    image,
    packWeights(b, conv.weight, s.groups, blocks),
    packBias(b, conv.bias, s.M, s.groups),
    blocks,
  );
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
  const bias = packBias(b, conv.bias, s.M, s.groups);
  b.step(
    "im2col_f32",
    ConvDesc,
    { ...convValues(b, conv, image, weights, bias, blocks), yPtr: patches, yPixelBytes: rowBytes },
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
      tileRows: b.target.tileRows,
      ...epilogue,
    },
    s.groups * rows,
    ROW_TABLE_BYTES,
  );
};

/** Patches read where they lie. */
const implicitGemm: Lowering = (b, conv) => {
  const { shape: s } = conv;
  const image = channelsLastImage(b, conv.input, s.groups, s.padding);
  const blocks = patchSegments(b, s, image);
  const values = convValues(
    b,
    conv,
    image,
    packWeights(b, conv.weight, s.groups, blocks),
    packBias(b, conv.bias, s.M, s.groups),
    blocks,
  );
  b.step("conv2d_implicit_gemm_f32", ConvDesc, values, s.N * s.P * s.Q, ROW_TABLE_BYTES);
};

/** The tensor itself, weights in blocks of 4 filters. */
const depthwise: Lowering = (b, conv) => {
  const { shape: s } = conv;
  const image = channelsLastImage(b, conv.input, 1, [0, 0, 0, 0]);
  const weights = { ref: b.constant(s.R * s.S * roundUp(s.M, 4) * 4), groupBytes: 0 };
  const [sM, , sR, sS] = stridesOf(conv.weight.spec).map((stride) => stride * 4) as [number, number, number, number];
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
  b.step(
    "conv2d_depthwise_f32",
    ConvDesc,
    convValues(b, conv, image, weights, packBias(b, conv.bias, s.M, 1), undefined),
    s.N * s.P,
    64,
  );
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
