// One block of memory for all that a model needs only for a while: activations and workspace. Two blocks may share bytes
// when no step needs both. Pure: lifetimes in, offsets out.
//
//   offset ▲            greedy by size (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net
//          │ ┌──C──┐    Inference"): the largest block first, each into the smallest gap between the blocks already
//          │ └─────┘┌D┐ placed whose lifetimes meet its own, or behind them.
//          │┌──A──┐┌B─┴┐
//          └┴─────┴┴───┴─▶ step
import { alignUp } from "../engine/allocator.js";
import { SLACK_BYTES } from "../kernels/gen/constants.js";

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

/** Places blocks so that those alive together do not overlap, each with its slack behind it. */
export function planArena(blocks: readonly Lifetime[]): ArenaPlan {
  const offsets = new Array<number>(blocks.length).fill(0);
  const sized = blocks.map(({ bytes, first, last }, index) => {
    return { index, first, last, size: alignUp(bytes + SLACK_BYTES), start: 0 };
  });
  sized.sort((a, b) => b.size - a.size || a.index - b.index);
  const placed: typeof sized = []; // sorted by start
  let total = 0;
  for (const block of sized) {
    const start = smallestGap(placed, block);
    block.start = start;
    offsets[block.index] = start;
    let at = placed.length;
    while (at > 0 && (placed[at - 1] as Placed).start > start) at--;
    placed.splice(at, 0, block);
    total = Math.max(total, start + block.size);
  }
  return { offsets, bytes: total };
}

interface Placed {
  readonly first: number;
  readonly last: number;
  readonly size: number;
  readonly start: number;
}

/** Where the smallest gap starts that a block fits into, between the blocks whose lifetimes meet its own; else their end. */
function smallestGap(placed: readonly Placed[], { first, last, size }: Placed): number {
  let best = -1;
  let bestGap = Infinity;
  let free = 0; // end of the blocks met so far
  for (const other of placed) {
    if (other.last < first || other.first > last) continue;
    const gap = other.start - free;
    if (gap >= size && gap < bestGap) {
      best = free;
      bestGap = gap;
    }
    free = Math.max(free, other.start + other.size);
  }
  return best >= 0 ? best : free;
}
