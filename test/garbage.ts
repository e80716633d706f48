// What calls leave for the collector.
const { gc } = globalThis as unknown as { gc(): void };

/** Bytes that so many calls leave behind on a heap that was just swept: the least of ten rounds, since a compiler allocates too. */
export function garbageOf(call: () => unknown, count: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    gc();
    const before = process.memoryUsage();
    for (let i = 0; i < count; i++) call();
    const after = process.memoryUsage();
    least = Math.min(least, after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers);
  }
  return least;
}
