// Seeded numbers: the same data on every machine and every run, so that a failure can be repeated.

export interface Random {
  /** At least `low`, below `high`. */
  uniform(low?: number, high?: number): number;
  /** Normally distributed with mean 0 and variance 1. */
  normal(): number;
  /** From `low` to `high`, both included. */
  integer(low: number, high: number): number;
}

/** A 32-bit seed from a text, so that every case of a table can have its own (FNV-1a). */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** mulberry32: 32 bits of state, every one of the 2^32 states once. Good enough to fill tensors. */
export function random(seed: number | string): Random {
  let state = typeof seed === "string" ? seedOf(seed) : seed >>> 0;

  /** In [0, 1). */
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };

  return {
    uniform: (low = 0, high = 1) => low + (high - low) * next(),
    // Box and Muller: a random radius and a random angle. 1 - next() is never 0, so its logarithm is finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    integer: (low, high) => low + Math.floor((high - low + 1) * next()),
  };
}

/**
 * Normally distributed float32 data. Any 16 neighbours differ, none is zero: swapped, repeated or dropped
 * SIMD lanes cannot give the right answer by luck. Give each tensor of a case its own seed.
 */
export function fill(shape: readonly number[], seed: number | string): Float32Array {
  const { normal } = random(seed);
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let i = 0; i < data.length; i++) {
    let value = 0;
    while (value === 0 || repeats(data, i, value)) value = Math.fround(normal());
    data[i] = value;
  }
  return data;
}

/** Whole numbers from `low` to `high`, both included. */
export function draw(count: number, low: number, high: number, seed: string): number[] {
  const { integer } = random(seed);
  return Array.from({ length: count }, () => integer(low, high));
}

function repeats(data: Float32Array, i: number, value: number): boolean {
  for (let before = Math.max(i - 15, 0); before < i; before++) if (data[before] === value) return true;
  return false;
}
