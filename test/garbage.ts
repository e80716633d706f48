// What calls leave for the collector.
const { gc } = globalThis as unknown as { gc(): void };

/** Rounds, of which a compiler that others leave no time may allocate in many. */
const ROUNDS = 50;

/**
 * Least bytes that so many calls leave behind on a heap that was just swept, of rounds until one leaves no more than `enough`: a compiler
 * allocates, too, but not in every round. One that leaves less than nothing does not count: something else was freed meanwhile.
 */
export function garbageOf(call: () => unknown, count: number, enough: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS && least > enough; round++) {
    gc();
    const before = process.memoryUsage();
    for (let i = 0; i < count; i++) call();
    const after = process.memoryUsage();
    const left = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
    if (left >= 0) least = Math.min(least, left);
  }
  return least;
}
