// softmax(scale q k^T + masks) v of every head, read where q, k, v and the masks lie. See assembly/kernels/attention.ts.
import { roundUp } from "../../base/shape.js";
import { makeSpec } from "../../base/spec.js";
import { ATTENTION_ROWS, ATTENTION_RUN_BYTES, PANEL } from "../../kernels/gen/constants.js";
import { AttentionDesc, PackDesc } from "../../kernels/gen/desc.js";
import { defineOperator, type Operator, requireFloat } from "../../ops/operator.js";
import { type ReductionBlocks, reductionBlocks } from "../../ops/parts/panels.js";
import { contiguousInput } from "../../ops/parts/strided.js";
import type { Builder } from "../../plan/builder.js";
import { NONE, type Ref, shift } from "../../plan/operand.js";

/** Where a matrix of every head lies in a tensor in logical order, in elements: head (o, i) from offset + o outer + i inner on. */
export interface Heads {
  readonly offset: number;
  readonly outer: number;
  readonly inner: number;
  readonly row: number;
  readonly col: number;
}

export interface AttentionShape {
  /** Heads lie in two loops. */
  readonly outer: number;
  readonly inner: number;
  readonly rows: number;
  readonly keys: number;
  readonly depth: number;
  readonly cols: number;
  readonly scale: number;
  /** [rows, depth], elements of a row side by side. */
  readonly q: Heads;
  /** [depth, keys] */
  readonly k: Heads;
  /** [keys, cols] */
  readonly v: Heads;
  /** [rows, keys], at most two; elements of a row side by side. */
  readonly masks: readonly Heads[];
  /** [rows, cols] of the output, elements of a row side by side. */
  readonly y: Heads;
  /** Of the output. */
  readonly shape: readonly number[];
}

/** Scores of a block of rows fill an L2 of 1 MB by an eighth at most, as long as a block has as many rows as two tiles. */
const SCORE_BYTES = 2 ** 17;
const LEAST_ROWS = 12;

/** The operator of q, k, v and masks. */
export function attention(found: AttentionShape): Operator {
  const { outer, inner, rows, keys, depth, cols, shape } = found;
  return defineOperator({
    name: "attention",
    inputs: ["inputs"],
    variadic: true,
    infer({ inputs }) {
      inputs.forEach((spec, i) => {
        requireFloat(`inputs[${i}]`, spec);
      });
      const macs = outer * inner * rows * keys * (depth + cols);
      return { outputs: [makeSpec(shape, "float32", "contiguous", "output")], macs };
    },
    lower(b, { inputs }) {
      const [q, k, v, ...masks] = inputs.map((input) => contiguousInput(b, input)) as [Ref, Ref, Ref, ...Ref[]];
      const [kBlocks, vBlocks] = [depth, keys].map((length) => reductionBlocks(b, [0], length)) as [
        ReductionBlocks,
        ReductionBlocks,
      ];
      const packedK = packHeads(b, k, found, found.k, keys, kBlocks);
      const packedV = packHeads(b, v, found, found.v, cols, vBlocks);
      const { stride, blockRows } = blockOf(rows, keys, b.planning.tileRows);
      b.step(
        "attention_f32",
        AttentionDesc,
        {
          qPtr: shift(q, found.q.offset * 4),
          kPtr: packedK.ref,
          vPtr: packedV.ref,
          yPtr: shift(b.output.ref, found.y.offset * 4),
          zerosPtr: b.constant(roundUp(Math.max(keys, cols), PANEL) * 4),
          kBlocksPtr: kBlocks.ref,
          vBlocksPtr: vBlocks.ref,
          kBlockCount: kBlocks.count,
          vBlockCount: vBlocks.count,
          inner,
          rows,
          keys,
          cols,
          blockRows,
          qOuterBytes: found.q.outer * 4,
          qInnerBytes: found.q.inner * 4,
          qStrideBytes: found.q.row * 4,
          yOuterBytes: found.y.outer * 4,
          yInnerBytes: found.y.inner * 4,
          yStrideBytes: found.y.row * 4,
          kBytes: packedK.bytes,
          vBytes: packedV.bytes,
          ...maskFields(0, masks[0], found.masks[0]),
          ...maskFields(1, masks[1], found.masks[1]),
          tileRows: b.planning.tileRows,
          scale: found.scale,
        },
        outer * inner * Math.ceil(rows / blockRows),
        ATTENTION_RUN_BYTES + blockRows * (stride + 4),
      );
    },
  });
}

/** Bytes of a row of scores, and rows of a block: whole tiles. */
function blockOf(rows: number, keys: number, tileRows: number): { stride: number; blockRows: number } {
  const stride = roundUp(keys, 4) * 4;
  const most = Math.min(ATTENTION_ROWS, Math.max(LEAST_ROWS, Math.floor(SCORE_BYTES / stride)));
  return { stride, blockRows: Math.min(rows, most - (most % tileRows)) };
}

function maskFields<N extends 0 | 1>(n: N, mask: Ref | undefined, heads: Heads | undefined) {
  const { offset, outer, inner, row } = heads ?? { offset: 0, outer: 0, inner: 0, row: 0 };
  return {
    [`mask${n}Ptr`]: mask ? shift(mask, offset * 4) : NONE,
    [`mask${n}OuterBytes`]: outer * 4,
    [`mask${n}InnerBytes`]: inner * 4,
    [`mask${n}StrideBytes`]: row * 4,
  } as Record<`mask${N}Ptr`, Ref> & Record<`mask${N}${"Outer" | "Inner" | "Stride"}Bytes`, number>;
}

/** Packs a matrix B [blocks.k, cols] of every head into panels: the longer loop over heads in the kernel, the other in calls. */
function packHeads(
  b: Builder,
  src: Ref,
  { outer, inner }: AttentionShape,
  heads: Heads,
  cols: number,
  blocks: ReductionBlocks,
): { ref: Ref; bytes: number } {
  const panels = Math.ceil(cols / PANEL);
  const bytes = panels * blocks.k * PANEL * 4;
  const ref = b.workspace(outer * inner * bytes);
  const loops = [
    { size: outer, src: heads.outer * 4, dst: inner * bytes },
    { size: inner, src: heads.inner * 4, dst: bytes },
  ] as const;
  const [longer, shorter] = outer > inner ? loops : ([loops[1], loops[0]] as const);
  for (let i = 0; i < shorter.size; i++) {
    const values = {
      srcPtr: shift(src, heads.offset * 4 + i * shorter.src),
      dstPtr: shift(ref, i * shorter.dst),
      blocksPtr: blocks.ref,
      blockCount: blocks.count,
      cols,
      channels: blocks.k,
      kernelW: 1,
      colBytes: heads.col * 4,
      channelBytes: heads.row * 4,
      kernelHBytes: 0,
      kernelWBytes: 0,
      srcGroupBytes: longer.src,
      dstGroupBytes: longer.dst,
    };
    b.step("pack_weights_f32", PackDesc, values, longer.size * panels);
  }
  return { ref, bytes };
}
