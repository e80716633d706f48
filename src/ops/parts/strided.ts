// Strided copies: dimensions ordered and merged here, once, and moved by one kernel (assembly/kernels/copy.ts).

import { bytesOf, DTYPES, type DType, stridesOf } from "../../base/spec.js";
import { COPY_BLOCK, COPY_TILE } from "../../kernels/gen/constants.js";
import { CopyDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { type DescValues, type Operand, type Ref, shift } from "../../plan/operand.js";

/** One loop of a copy; strides in elements, src's may be negative or 0. */
export interface CopyLoop {
  readonly size: number;
  readonly src: number;
  readonly dst: number;
}

/** The descriptor's fields of each dimension, slowest first. */
const FIELDS = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [`dim${i}`, `srcStride${i}`, `dstStride${i}`] as const);

const ONCE: CopyLoop = { size: 1, src: 1, dst: 1 };

/**
 * The fewest loops for the same copy, slowest first: ones dropped, neighbours merged where both sides go on without a gap.
 * The last loop is dst's fastest; the last but one is src's fastest, so that the kernel sees runs or a block to transpose.
 */
export function mergeLoops(loops: readonly CopyLoop[]): readonly CopyLoop[] {
  const ordered = loops.filter((loop) => loop.size > 1).sort((a, b) => b.dst - a.dst);
  const merged: CopyLoop[] = [];
  for (const loop of ordered) {
    const last = merged.at(-1);
    if (last && last.dst === loop.dst * loop.size && last.src === loop.src * loop.size) {
      merged[merged.length - 1] = { ...loop, size: last.size * loop.size };
    } else merged.push(loop);
  }
  const fastest = merged.findIndex((loop) => loop.src === 1);
  if (fastest >= 0 && fastest < merged.length - 2) merged.splice(merged.length - 2, 0, ...merged.splice(fastest, 1));
  return merged;
}

/** `size` in the fewest equal parts of at most `most`, whole tiles. */
function even(size: number, most: number, tile: number): number {
  const tiles = Math.ceil(size / tile);
  return Math.ceil(tiles / Math.ceil(size / Math.max(most, tile))) * tile;
}

/**
 * Rows and columns of a work item: COPY_BLOCK elements at most, whole tiles of what is transposed. One run is cut into four times
 * as much: memory.copy of 32 KB at a time takes 10 % longer than of the whole.
 */
function blockOf(rows: CopyLoop, cols: CopyLoop, bytes: number): readonly [number, number] {
  const isTurned = rows.size > 1 && rows.src === 1 && cols.dst === 1 && bytes === 4;
  const tile = isTurned ? COPY_TILE : 1;
  const blockCols = even(cols.size, isTurned ? COPY_BLOCK / Math.min(rows.size, tile) : 4 * COPY_BLOCK, tile);
  return [even(rows.size, COPY_BLOCK / Math.min(blockCols, cols.size), tile), blockCols];
}

/** Emits a copy of `loops` between two addresses. */
export function copyStrided(b: Builder, dtype: DType, src: Ref, dst: Ref, loops: readonly CopyLoop[]): void {
  const bytes = DTYPES[dtype].BYTES_PER_ELEMENT;
  const merged = mergeLoops(loops);
  const [rows = ONCE, cols = ONCE] = [merged.at(-2), merged.at(-1)];
  const [blockRows, blockCols] = blockOf(rows, cols, bytes);
  const values: Record<string, Ref | number> = { srcPtr: src, dstPtr: dst, elementBytes: bytes, blockRows, blockCols };
  const first = FIELDS.length - merged.length;
  let items = Math.ceil(rows.size / blockRows) * Math.ceil(cols.size / blockCols); // times the loops before
  FIELDS.forEach(([dim, srcStride, dstStride], i) => {
    const loop = i < first ? ONCE : (merged[i - first] as CopyLoop);
    values[dim] = loop.size;
    values[srcStride] = loop.src * bytes;
    values[dstStride] = loop.dst * bytes;
    if (i < FIELDS.length - 2) items *= loop.size;
  });
  b.step("copy_nd", CopyDesc, values as DescValues<typeof CopyDesc>, items);
}

/** The operand's elements in logical order: itself when it is contiguous, else a copy in workspace. */
export function contiguousInput(b: Builder, { spec, ref }: Operand): Ref {
  if (spec.memoryFormat === "contiguous") return ref;
  const copy = b.workspace(bytesOf(spec));
  const to = stridesOf({ ...spec, memoryFormat: "contiguous" });
  const from = stridesOf(spec);
  copyStrided(
    b,
    spec.dtype,
    ref,
    copy,
    spec.shape.map((size, i) => ({ size, src: from[i] as number, dst: to[i] as number })),
  );
  return copy;
}

/** Where to write a result in logical order; `finish` brings it into the output's own format. */
export function contiguousOutput(b: Builder, { spec, ref }: Operand): { ref: Ref; finish(): void } {
  if (spec.memoryFormat === "contiguous") return { ref, finish() {} };
  const copy = b.workspace(bytesOf(spec));
  const from = stridesOf({ ...spec, memoryFormat: "contiguous" });
  const to = stridesOf(spec);
  const loops = spec.shape.map((size, i) => ({ size, src: from[i] as number, dst: to[i] as number }));
  return { ref: copy, finish: () => copyStrided(b, spec.dtype, copy, ref, loops) };
}

/** The address of element `index` (per axis, in elements) of a tensor with these strides. */
export function elementRef(ref: Ref, dtype: DType, strides: readonly number[], index: readonly number[]): Ref {
  const elements = strides.reduce((sum, stride, i) => sum + stride * (index[i] ?? 0), 0);
  return shift(ref, elements * DTYPES[dtype].BYTES_PER_ELEMENT);
}
