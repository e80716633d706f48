// What every convolution algorithm shares: the operands in view, the padded channels-last image, the reduction blocks and
// the packed weights. The algorithms themselves are in conv-<algorithm>.ts, one file each.
import { type ConvDesc, PackDesc, PadImageDesc, TransposeDesc } from "../gen/desc.js";
import { type Builder, type DescValues, NONE, type Operand, type Ref, shift } from "../plan.js";
import type { ConvShape } from "../shape.js";
import { stridesOf, type TensorSpec } from "../spec.js";
import type { Epilogue } from "./activation.js";

/** Longest reduction of one block: 512 * 8 floats = 16 KB of weights, half of a 32 KB L1. See assembly/gemm.ts. */
const BLOCK_K = 512;
/** Scratch of every kernel that calls gemmRows: one i32 a row of a block. */
export const ROW_TABLE_BYTES = 384 * 4;

export interface ConvOperands {
  readonly shape: ConvShape;
  readonly input: Operand;
  readonly weight: Operand;
  readonly bias: Operand | undefined;
  readonly epilogue: Epilogue;
}

export interface Conv extends ConvOperands {
  /** Where the channels-last output goes. */
  readonly yPtr: Ref;
  /** What is added before the epilogue, laid out as the output: NONE, or any address, yPtr too. */
  readonly residualPtr: Ref;
}

/** A channels-last image in memory. Strides in bytes. */
export interface Image {
  readonly ref: Ref;
  readonly height: number;
  readonly width: number;
  readonly pixelBytes: number;
  readonly rowBytes: number;
  readonly imageBytes: number;
  readonly groupBytes: number;
}

export function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/**
 * The input as a channels-last image with room for `padding` around it. `lanes` rounds each group's channels up (4 for
 * kernels whose lanes are channels). Copies only when it must.
 */
export function channelsLastImage(
  b: Builder,
  input: Operand,
  groups: number,
  padding: readonly [number, number, number, number],
  lanes = 1,
): Image {
  const [N, C, H, W] = input.spec.shape as [number, number, number, number];
  const [top, left, bottom, right] = padding;
  const perGroup = roundUp(C / groups, lanes);
  const height = H + top + bottom;
  const width = W + left + right;
  const pixelBytes = perGroup * groups * 4;
  const layout = {
    height,
    width,
    pixelBytes,
    rowBytes: width * pixelBytes,
    imageBytes: height * width * pixelBytes,
    groupBytes: perGroup * 4,
  };
  const isCopy = height !== H || width !== W || perGroup * groups !== C || !isChannelsLast(input.spec);
  if (!isCopy) return { ref: input.ref, ...layout };
  const ref = b.workspace(N * layout.imageBytes);
  const [sN, sC, sH, sW] = stridesOf(input.spec).map((stride) => stride * 4) as [number, number, number, number];
  const values = {
    srcPtr: input.ref,
    dstPtr: ref,
    channels: C,
    height: H,
    width: W,
    srcImageBytes: sN,
    srcRowBytes: sH,
    srcPixelBytes: sW,
    srcChannelBytes: isChannelsLast(input.spec) ? 4 : sC,
    dstHeight: height,
    dstWidth: width,
    padTop: top,
    padLeft: left,
    groups,
    groupChannelsPadded: perGroup,
  };
  b.step("pad_image_f32", PadImageDesc, values, N * height);
  return { ref, ...layout };
}

/** A contiguous tensor whose channels are one, or whose images are one pixel, lies as a channels-last one does. */
export function isChannelsLast(spec: TensorSpec): boolean {
  const [, C, ...spatial] = spec.shape;
  return spec.memoryFormat === "channelsLast" || C === 1 || spatial.every((size) => size === 1);
}

/**
 * Where an algorithm writes its channels-last result: the output itself, or workspace that `finish` transposes into it.
 * Call `finish` after the steps that write. A residual of the output's spec is brought there first: every kernel reads an
 * element of it before it stores that element, and stores it once.
 */
export function channelsLastOutput(
  b: Builder,
  output: Operand,
  residual?: Operand,
): { readonly ref: Ref; readonly residualPtr: Ref; finish(): void } {
  if (isChannelsLast(output.spec)) return { ref: output.ref, residualPtr: residual?.ref ?? NONE, finish() {} };
  const [N, C, ...spatial] = output.spec.shape as [number, number, ...number[]];
  const pixels = spatial.reduce((a, c) => a * c, 1);
  const bytes = C * pixels * 4;
  const ref = b.workspace(N * bytes);
  const transpose = (srcPtr: Ref, dstPtr: Ref, rows: number, cols: number): void => {
    const values = { srcPtr, dstPtr, rows, cols, srcBatchBytes: bytes, dstBatchBytes: bytes };
    b.step("transpose_f32", TransposeDesc, values, N * Math.ceil(rows / 4));
  };
  if (residual) transpose(residual.ref, ref, C, pixels);
  return { ref, residualPtr: residual ? ref : NONE, finish: () => transpose(ref, output.ref, pixels, C) };
}

export interface ReductionBlocks {
  readonly ref: Ref;
  readonly count: number;
  /** Sum of all blocks' lengths. */
  readonly k: number;
}

/**
 * Cuts a reduction into blocks of at most BLOCK_K. `segments`: byte offset of each contiguous run in A, all `length`
 * floats long. Layout of the table: assembly/gemm.ts.
 */
export function reductionBlocks(
  b: Builder,
  segments: readonly number[],
  length: number,
  blockK = BLOCK_K,
): ReductionBlocks {
  const blocks: { offsets: number[]; floats: number }[] = [];
  if (length > blockK) {
    const pieces = Math.ceil(length / blockK);
    const piece = roundUp(Math.ceil(length / pieces), 4);
    for (const segment of segments) {
      for (let at = 0; at < length; at += piece) {
        blocks.push({ offsets: [segment + at * 4], floats: Math.min(piece, length - at) });
      }
    }
  } else {
    const perBlock = Math.floor(blockK / length);
    const count = Math.ceil(segments.length / perBlock);
    const even = Math.ceil(segments.length / count);
    for (let at = 0; at < segments.length; at += even)
      blocks.push({ offsets: segments.slice(at, at + even), floats: length });
  }
  const head = blocks.length * 4;
  const table = new Int32Array(head + blocks.reduce((sum, block) => sum + block.offsets.length, 0));
  let list = head;
  blocks.forEach((block, i) => {
    table.set([list * 4, block.offsets.length, block.floats * 4, block.offsets.length * block.floats * 32], i * 4);
    table.set(block.offsets, list);
    list += block.offsets.length;
  });
  return { ref: b.table(table), count: blocks.length, k: segments.length * length };
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

export interface PackedWeights {
  readonly ref: Ref;
  readonly groupBytes: number;
}

/** Weights [M, C/groups, R, S] in panels of 8 filters, block by block. */
export function packWeights(b: Builder, weight: Operand, groups: number, blocks: ReductionBlocks): PackedWeights {
  const [M, perGroup, , S] = weight.spec.shape as [number, number, number, number];
  const cols = M / groups;
  const panels = Math.ceil(cols / 8);
  const groupBytes = panels * blocks.k * 32;
  const ref = b.constant(groups * groupBytes);
  const [sM, sC, sR, sS] = stridesOf(weight.spec).map((stride) => stride * 4) as [number, number, number, number];
  const values = {
    srcPtr: weight.ref,
    dstPtr: ref,
    blocksPtr: blocks.ref,
    blockCount: blocks.count,
    cols,
    channels: perGroup,
    kernelW: S,
    colBytes: sM,
    channelBytes: sC,
    kernelHBytes: sR,
    kernelWBytes: sS,
    srcGroupBytes: cols * sM,
    dstGroupBytes: groupBytes,
  };
  b.prepare("pack_weights_f32", PackDesc, values, groups * panels, 0, panelSource(sM, cols, groups));
  return { ref, groupBytes };
}

/** Bytes that a panel of 8 filters is packed from, where all panels are whole but the last. */
export function panelSource(filterBytes: number, filters: number, groups: number): number {
  return groups === 1 || filters % 8 === 0 ? 8 * filterBytes : 0;
}

export interface PackedBias {
  readonly ref: Ref;
  readonly groupBytes: number;
}

/** The bias, each group rounded up to whole panels of 8, zeros where there is none. */
export function packBias(b: Builder, bias: Operand | undefined, M: number, groups: number): PackedBias {
  const perGroup = M / groups;
  const groupBytes = roundUp(perGroup, 8) * 4;
  const ref = b.constant(groups * groupBytes);
  for (let g = 0; bias !== undefined && g < groups; g++) {
    b.copy(shift(ref, g * groupBytes), shift(bias.ref, g * perGroup * 4), perGroup * 4);
  }
  return { ref, groupBytes };
}

/** The descriptor fields that follow from the shape; an algorithm overrides what it means differently. */
export function convValues(
  b: Builder,
  conv: Conv,
  image: Image,
  weights: PackedWeights,
  bias: PackedBias,
  blocks: ReductionBlocks | undefined,
): DescValues<typeof ConvDesc> {
  const { shape: s, yPtr, residualPtr, epilogue } = conv;
  return {
    xPtr: image.ref,
    wPtr: weights.ref,
    biasPtr: bias.ref,
    residualPtr,
    yPtr,
    blocksPtr: blocks?.ref ?? NONE,
    blockCount: blocks?.count ?? 0,
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
    padTop: s.padding[0],
    padLeft: s.padding[1],
    wGroupBytes: weights.groupBytes,
    biasGroupBytes: bias.groupBytes,
    tileH: 0,
    tileW: 0,
    tileBlock: 0,
    zerosPtr: NONE,
    twiddlesPtr: NONE,
    pointsPtr: NONE,
    points: 0,
    tileRows: b.target.tileRows,
    colBlock: 0,
    ...epilogue,
  };
}
