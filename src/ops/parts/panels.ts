// What matrix products read beside their rows: reductions in blocks, weights in panels of 8 columns, biases in whole panels.
import { roundUp } from "../../base/shape.js";
import { byteStrides } from "../../base/spec.js";
import { PANEL } from "../../kernels/gen/constants.js";
import { PackDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { type Operand, type Ref, shift } from "../../plan/operand.js";

/** Longest reduction of one block, but of linear: 512 * 8 floats = 16 KB of weights, half of a 32 KB L1. See assembly/lib/gemm.ts. */
export const BLOCK_K = 512;

export interface ReductionBlocks {
  readonly ref: Ref;
  readonly count: number;
  /** Sum of all blocks' lengths. */
  readonly k: number;
}

/**
 * Cuts a reduction into blocks of at most BLOCK_K. `segments`: byte offset of each contiguous run in A, all `length`
 * floats long. Layout of the table: assembly/lib/gemm.ts.
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
    table.set(
      [list * 4, block.offsets.length, block.floats * 4, block.offsets.length * block.floats * PANEL * 4],
      i * 4,
    );
    table.set(block.offsets, list);
    list += block.offsets.length;
  });
  // Packing goes by the lengths alone: where the runs lie depends on an image's width.
  const lengths = blocks.map(({ offsets, floats }) => offsets.length * floats);
  return { ref: b.table(table, lengths), count: blocks.length, k: segments.length * length };
}

export interface PackedWeights {
  readonly ref: Ref;
  readonly groupBytes: number;
}

/** Weights [M, C/groups, R, S] in panels of 8 filters, block by block. */
export function packWeights(b: Builder, weight: Operand, groups: number, blocks: ReductionBlocks): PackedWeights {
  const [M, perGroup, R, S] = weight.spec.shape as [number, number, number, number];
  const cols = M / groups;
  const panels = Math.ceil(cols / PANEL);
  const groupBytes = panels * blocks.k * PANEL * 4;
  const ref = b.packed(groups * groupBytes, true);
  const [sM, sC, sR, sS] = byteStrides(weight.spec);
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
    // Of one tap as a matrix has them: those are the same panels.
    kernelHBytes: R > 1 ? sR : 0,
    kernelWBytes: S > 1 ? sS : 0,
    srcGroupBytes: cols * sM,
    dstGroupBytes: groupBytes,
  };
  b.prepare("pack_weights_f32", PackDesc, values, groups * panels, 0, panelSource(sM, cols, groups));
  return { ref, groupBytes };
}

/** Bytes that a panel of 8 filters is packed from, where all panels are whole but the last. */
export function panelSource(filterBytes: number, filters: number, groups: number): number {
  return groups === 1 || filters % PANEL === 0 ? PANEL * filterBytes : 0;
}

export interface PackedBias {
  readonly ref: Ref;
  readonly groupBytes: number;
  /** From a bias to the slope of the same channel; 0 where there are none. */
  readonly slopeBytes: number;
}

/** The bias, each group rounded up to whole panels of 8, zeros where there is none; slopes behind it, laid out alike. */
export function packBias(
  b: Builder,
  bias: Operand | undefined,
  M: number,
  groups: number,
  slope?: Operand | undefined,
): PackedBias {
  const perGroup = M / groups;
  const groupBytes = roundUp(perGroup, PANEL) * 4;
  const bytes = groups * groupBytes;
  const slopeBytes = slope === undefined ? 0 : bytes;
  const ref = b.packed(bytes + slopeBytes);
  const pack = (operand: Operand | undefined, to: number): void => {
    for (let g = 0; operand !== undefined && g < groups; g++) {
      b.copy(shift(ref, to + g * groupBytes), shift(operand.ref, g * perGroup * 4), perGroup * 4);
    }
  };
  pack(bias, 0);
  pack(slope, slopeBytes);
  return { ref, groupBytes, slopeBytes };
}
