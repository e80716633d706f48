// What every convolution algorithm shares: its operands, the contiguous runs of a patch, and the descriptor's fields.
import type { ConvShape } from "../../base/shape.js";
import type { ConvDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import type { DescValues, Operand, Ref } from "../../plan/operand.js";
import type { Epilogue } from "../parts/epilogue.js";
import type { Image } from "../parts/image.js";
import { type PackedBias, type PackedWeights, type ReductionBlocks, reductionBlocks } from "../parts/panels.js";

export interface ConvOperands {
  readonly shape: ConvShape;
  readonly input: Operand;
  readonly weight: Operand;
  readonly bias: Operand | undefined;
  /** Of a leakyRelu, by channel. */
  readonly slope?: Operand | undefined;
  readonly epilogue: Epilogue;
}

export interface Conv extends ConvOperands {
  /** Where the channels-last output goes. */
  readonly yPtr: Ref;
  /** What is added before the epilogue, laid out as the output: NONE, or any address, yPtr too. */
  readonly residualPtr: Ref;
}

/** The contiguous runs of a patch of the image: R of S*C floats, or R*S of C when dilated, strided in groups or 1x1. */
export function patchSegments(b: Builder, shape: ConvShape, image: Image): ReductionBlocks {
  const perGroup = shape.C / shape.groups;
  const rows = Array.from({ length: shape.R }, (_, r) => r * shape.dilationH * image.rowBytes);
  if (shape.groups === 1 && (shape.dilationW === 1 || shape.S === 1) && image.pixelBytes === perGroup * 4) {
    return reductionBlocks(b, rows, shape.S * perGroup);
  }
  const columns = Array.from({ length: shape.S }, (_, s) => s * shape.dilationW * image.pixelBytes);
  return reductionBlocks(
    b,
    rows.flatMap((row) => columns.map((column) => row + column)),
    perGroup,
  );
}

/** What every algorithm's descriptor has; each adds its own. */
export function convValues(
  { shape: s, yPtr, residualPtr, epilogue }: Conv,
  image: Image,
  weights: PackedWeights,
  bias: PackedBias,
): DescValues<typeof ConvDesc> {
  return {
    xPtr: image.ref,
    wPtr: weights.ref,
    biasPtr: bias.ref,
    residualPtr,
    yPtr,
    batch: s.N,
    channels: s.C / s.groups,
    height: image.height,
    width: image.width,
    xPixelBytes: image.pixelBytes,
    xRowBytes: image.rowBytes,
    xImageBytes: image.imageBytes,
    xGroupBytes: image.groupBytes,
    filters: s.M / s.groups,
    outH: s.P,
    outW: s.Q,
    yPixelBytes: s.M * 4,
    groups: s.groups,
    kernelH: s.R,
    kernelW: s.S,
    strideH: s.strideH,
    strideW: s.strideW,
    dilationH: s.dilationH,
    dilationW: s.dilationW,
    wGroupBytes: weights.groupBytes,
    biasGroupBytes: bias.groupBytes,
    ...epilogue,
    slopeBytes: bias.slopeBytes,
  };
}

/** Of an algorithm that reads the user's own image: where its first tap lies outside of it. */
export function clipping({ shape }: Conv) {
  const [padTop, padLeft] = shape.padding;
  return { padTop, padLeft };
}

/** Of an algorithm that multiplies matrices. */
export function product(b: Builder, blocks: ReductionBlocks) {
  return { blocksPtr: blocks.ref, blockCount: blocks.count, tileRows: b.planning.tileRows };
}
