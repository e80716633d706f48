// How large the weights of a layer are: read once, a piece at a time, for what rounds them to float16.
import type { WeightRange } from "../ops/half-weights.js";
import type { DeferredTensor } from "./weights.js";

const PIECE_BYTES = 2 ** 16;
/** By what writes them: tensors of a file are read once for all shapes. */
const known = new WeakMap<DeferredTensor["write"], WeightRange>();

/** Of so many bytes of float32 that `write` writes. */
export function rangeOf(write: DeferredTensor["write"], bytes: number): WeightRange {
  const found = known.get(write) ?? read(write, bytes);
  known.set(write, found);
  return found;
}

function read(write: DeferredTensor["write"], bytes: number): WeightRange {
  const piece = new Int32Array(Math.min(bytes, PIECE_BYTES) / 4);
  let [most, least, all] = [0, 0x7fffffff, 0];
  for (let from = 0; from < bytes; from += PIECE_BYTES) {
    const count = Math.min(PIECE_BYTES, bytes - from) / 4;
    write(new Uint8Array(piece.buffer, 0, count * 4), from);
    for (let i = 0; i < count; i++) {
      // Bits are in the order of what they mean.
      const size = (piece[i] as number) & 0x7fffffff;
      if (size > most) most = size;
      if (size !== 0 && size < least) least = size;
      all |= size;
    }
  }
  if (most === 0) return { exponent: 0, isExact: true };
  if (most >= 0x7f800000) return { exponent: undefined, isExact: false };
  const exponent = (most >>> 23) - 126;
  // A half has 10 bits of a fraction, all of them down to 2^-14: of the largest, as they are packed, 2^16.
  return { exponent, isExact: (all & 0x1fff) === 0 && (least >>> 23) - 127 >= exponent - 30 };
}
