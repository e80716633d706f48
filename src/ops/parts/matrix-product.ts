// What linear and matmul share: B in panels, and gemm_f32 over batches of matrices.
import { PANEL } from "../../kernels/gen/constants.js";
import { GemmDesc, GemmRun, PackDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { descBytes, NONE, type Ref } from "../../plan/operand.js";
import type { Epilogue } from "./epilogue.js";
import { reductionBlocks } from "./panels.js";

export interface Product {
  readonly rows: number;
  readonly cols: number;
  readonly K: number;
  readonly epilogue: Epilogue;
}

/** Packs `count` matrices B [K, N] of given strides (bytes) into panels: at plan time, or as a step of every run. */
export function packMatrix(
  b: Builder,
  when: "prepare" | "step",
  src: Ref,
  { cols, K }: Pick<Product, "cols" | "K">,
  strides: { readonly col: number; readonly k: number },
  count = 1,
  blockK?: number,
) {
  const blocks = reductionBlocks(b, [0], K, blockK);
  const panels = Math.ceil(cols / PANEL);
  const bytes = panels * K * PANEL * 4;
  const ref = when === "prepare" ? b.packed(count * bytes, true) : b.workspace(count * bytes);
  const values = {
    srcPtr: src,
    dstPtr: ref,
    blocksPtr: blocks.ref,
    blockCount: blocks.count,
    cols,
    channels: K,
    kernelW: 1,
    colBytes: strides.col,
    channelBytes: strides.k,
    kernelHBytes: 0,
    kernelWBytes: 0,
    srcGroupBytes: K * cols * 4,
    dstGroupBytes: bytes,
  };
  const itemBytes = count === 1 && strides.k === 4 ? PANEL * strides.col : 0;
  const rowBytes = cols * 4;
  const rows = { ...values, colBytes: 4, channelBytes: rowBytes };
  const turned = { kernel: "pack_rows_f32", layout: PackDesc, values: rows, items: K, itemBytes: rowBytes } as const;
  b[when]("pack_weights_f32", PackDesc, values, count * panels, 0, itemBytes, itemBytes > 0 ? turned : undefined);
  return { ref, bytes, blocks };
}

/** A loop over pairs of matrices; strides from pair to pair in matrices. */
export interface Batch {
  readonly size: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const SINGLE: Batch = { size: 1, a: 1, b: 0, c: 1 };

/** C = A B for a batch of pairs: rows that go on from pair to pair of one B are one long A. */
export function multiply(
  b: Builder,
  a: Ref,
  packed: ReturnType<typeof packMatrix>,
  bias: Ref,
  c: Ref,
  { rows, cols, K, epilogue: end }: Product,
  batch = SINGLE,
): void {
  const isOne = batch.a === 1 && batch.b === 0 && batch.c === 1;
  const [height, count] = isOne ? [batch.size * rows, 1] : [rows, batch.size];
  b.step(
    "gemm_f32",
    GemmDesc,
    {
      aPtr: a,
      bPtr: packed.ref,
      cPtr: c,
      biasPtr: bias,
      residualPtr: NONE,
      blocksPtr: packed.blocks.ref,
      blockCount: packed.blocks.count,
      rows: height,
      cols,
      aStrideBytes: K * 4,
      cStrideBytes: cols * 4,
      aBatchBytes: batch.a * rows * K * 4,
      bBatchBytes: batch.b * packed.bytes,
      biasBatchBytes: 0,
      cBatchBytes: batch.c * rows * cols * 4,
      tileRows: b.planning.tileRows,
      ...end,
    },
    count * height,
    descBytes(GemmRun),
  );
}
