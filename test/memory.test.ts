// The allocator on a fake memory, where 4 GiB cost nothing.
import { describe, expect, it } from "vitest";
import { OutOfMemoryError } from "../src/base/errors.js";
import { Allocator, type GrowableMemory, PAGE_BYTES } from "../src/engine/allocator.js";
import { random } from "./random.js";

class FakeMemory implements GrowableMemory {
  buffer = { byteLength: PAGE_BYTES };
  grown = 0;
  constructor(readonly limit = 2 ** 32) {}
  grow(pages: number): number {
    const before = this.buffer.byteLength;
    if (!Number.isInteger(pages)) throw new TypeError("pages");
    if (before + pages * PAGE_BYTES > this.limit) throw new RangeError("refused");
    this.buffer = { byteLength: before + pages * PAGE_BYTES };
    this.grown++;
    return before / PAGE_BYTES;
  }
}

describe("Allocator", () => {
  it("answers 64-byte aligned blocks with room to read behind them", () => {
    const allocator = new Allocator(new FakeMemory(), 1024, 2 ** 20);
    const blocks = [1, 63, 64, 65, 1000].map((bytes) => [allocator.allocate(bytes), bytes] as const);
    for (const [i, [ptr, bytes]] of blocks.entries()) {
      expect(ptr % 64).toBe(0);
      expect(ptr).toBeGreaterThanOrEqual(1024);
      const next = blocks[i + 1];
      if (next) expect(next[0]).toBeGreaterThanOrEqual(ptr + bytes + 64);
    }
    expect(allocator.bytesInUse).toBe(blocks.reduce((sum, [, bytes]) => sum + Allocator.sizeOf(bytes), 0));
  });

  it("joins neighbours and gives the end back, in any order of freeing", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [0, 2, 1],
    ]) {
      const allocator = new Allocator(new FakeMemory(), 1024, 2 ** 20);
      const blocks = [100, 200, 300].map((bytes) => allocator.allocate(bytes));
      for (const i of order) allocator.free(blocks[i] as number);
      expect(allocator.bytesInUse).toBe(0);
      expect(allocator.allocate(5000)).toBe(blocks[0]);
    }
  });

  it("reaches the last byte of 4 GiB and not one further", () => {
    const memory = new FakeMemory();
    const allocator = new Allocator(memory, 1024, 2 ** 32);
    const half = allocator.allocate(2 ** 31);
    const rest = 2 ** 32 - half - Allocator.sizeOf(2 ** 31);
    const high = allocator.allocate(rest - 64);
    expect(high).toBeGreaterThan(2 ** 31);
    expect(memory.buffer.byteLength).toBe(2 ** 32);
    expect(() => allocator.allocate(1)).toThrow(OutOfMemoryError);
    allocator.free(high);
    expect(allocator.allocate(1)).toBe(high);
  });

  it("keeps to its limit, and changes nothing when it refuses", () => {
    const memory = new FakeMemory();
    const allocator = new Allocator(memory, 1024, 2 * PAGE_BYTES);
    allocator.allocate(1000);
    const { bytesInUse, peakBytes } = allocator;
    expect(() => allocator.allocate(2 * PAGE_BYTES)).toThrow(
      /"maxBytes" expected room for \d+ bytes more, got a limit of 131072/,
    );
    expect(allocator).toMatchObject({ bytesInUse, peakBytes });
    expect(memory.grown).toBe(0);
    allocator.allocate(1000);
  });

  it("takes the exact need when the engine refuses more, and an engine's refusal is an OutOfMemoryError", () => {
    const memory = new FakeMemory(10 * PAGE_BYTES);
    const allocator = new Allocator(memory, 1024, 2 ** 32);
    allocator.allocate(8.5 * PAGE_BYTES);
    allocator.allocate(PAGE_BYTES - 64); // a quarter more would be refused
    expect(memory.buffer.byteLength).toBe(10 * PAGE_BYTES);
    const before = allocator.bytesInUse;
    expect(() => allocator.allocate(PAGE_BYTES)).toThrow(OutOfMemoryError);
    expect(allocator.bytesInUse).toBe(before);
  });

  it("refuses to free what it did not give out", () => {
    const allocator = new Allocator(new FakeMemory(), 1024, 2 ** 20);
    const ptr = allocator.allocate(8);
    allocator.free(ptr);
    expect(() => allocator.free(ptr)).toThrow(/not allocated/);
  });

  it.each([1, 2, 3, 4])("never overlaps, counts right and comes back to nothing (seed %i)", (seed) => {
    const rng = random(seed);
    const allocator = new Allocator(new FakeMemory(), 1024, 2 ** 28);
    const live = new Map<number, number>();
    for (let step = 0; step < 2000; step++) {
      const pick = [...live.keys()][rng.integer(0, Math.max(live.size - 1, 0))];
      if (pick !== undefined && rng.uniform() < 0.48) {
        allocator.free(pick);
        live.delete(pick);
      } else {
        const bytes = Math.floor(2 ** rng.uniform(0, 16));
        const ptr = allocator.allocate(bytes);
        for (const [other, size] of live) expect(ptr + bytes <= other || other + size <= ptr).toBe(true);
        live.set(ptr, bytes);
      }
    }
    expect(allocator.bytesInUse).toBe([...live.values()].reduce((sum, bytes) => sum + Allocator.sizeOf(bytes), 0));
    const first = Math.min(...live.keys());
    for (const ptr of live.keys()) allocator.free(ptr);
    expect(allocator.bytesInUse).toBe(0);
    expect(allocator.allocate(2 ** 20)).toBeLessThanOrEqual(first);
  });
});
