// One block of memory for all that a model needs only for a while: activations and workspace. Two blocks may share bytes
// when no step needs both. Pure: lifetimes in, offsets out.
//
//   offset ▲            greedy by size (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net
//          │ ┌──C──┐    Inference"): the largest block first, each into the smallest gap between the blocks already
//          │ └─────┘┌D┐ placed whose lifetimes meet its own, or behind them.
//          │┌──A──┐┌B─┴┐
//          └┴─────┴┴───┴─▶ step
import { alignUp } from "../runtime/memory.js";

/** Readable bytes behind every block, as the allocator keeps them: kernels may load whole vectors at its end. */
const SLACK_BYTES = 64;

/** Bytes needed from the start of step `first` to the end of step `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface ArenaPlan {
  /** Where each block starts, in the order given; multiples of 64. */
  readonly offsets: readonly number[];
  /** Bytes of the whole arena, the slack of every block included. */
  readonly bytes: number;
}

/** Places blocks so that those alive together do not overlap, each with 64 bytes of slack behind it. */
export function planArena(blocks: readonly Lifetime[]): ArenaPlan {
  const offsets = new Array<number>(blocks.length).fill(0);
  const sizeOf = (block: Lifetime) => alignUp(block.bytes + SLACK_BYTES);
  const bySize = blocks.map((_, i) => i).sort((a, b) => sizeOf(at(blocks, b)) - sizeOf(at(blocks, a)) || a - b);
  const placed: { start: number; end: number; block: Lifetime }[] = []; // sorted by start
  let total = 0;
  for (const index of bySize) {
    const block = at(blocks, index);
    const size = sizeOf(block);
    let best = -1;
    let bestGap = Infinity;
    let free = 0; // end of the blocks met so far
    for (const other of placed) {
      if (other.block.last < block.first || other.block.first > block.last) continue;
      const gap = other.start - free;
      if (gap >= size && gap < bestGap) {
        best = free;
        bestGap = gap;
      }
      free = Math.max(free, other.end);
    }
    const start = best >= 0 ? best : free;
    offsets[index] = start;
    const where = placed.findIndex((other) => other.start > start);
    placed.splice(where < 0 ? placed.length : where, 0, { start, end: start + size, block });
    total = Math.max(total, start + size);
  }
  return { offsets, bytes: total };
}

function at<T>(list: readonly T[], index: number): T {
  return list[index] as T;
}
