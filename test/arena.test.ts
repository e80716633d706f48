import { describe, expect, it } from "vitest";
import { type Lifetime, planArena } from "../src/model/arena.js";
import { random } from "./random.js";

const SLACK = 64;

/** Blocks alive at a step need at least this much together. */
function mostAtOnce(blocks: readonly Lifetime[]): number {
  const steps = blocks.flatMap((block) => [block.first, block.last]);
  return Math.max(
    ...steps.map((step) =>
      blocks.reduce((sum, b) => sum + (b.first <= step && step <= b.last ? b.bytes + SLACK : 0), 0),
    ),
  );
}

function overlap(blocks: readonly Lifetime[], offsets: readonly number[]): string | undefined {
  for (let i = 0; i < blocks.length; i++) {
    for (let j = i + 1; j < blocks.length; j++) {
      const [a, b] = [blocks[i] as Lifetime, blocks[j] as Lifetime];
      const [x, y] = [offsets[i] as number, offsets[j] as number];
      const isTogether = a.first <= b.last && b.first <= a.last;
      if (isTogether && x < y + b.bytes + SLACK && y < x + a.bytes + SLACK) return `${JSON.stringify({ a, x, b, y })}`;
    }
  }
  return undefined;
}

describe("planArena", () => {
  it("needs nothing for no blocks", () => {
    expect(planArena([])).toEqual({ offsets: [], bytes: 0 });
  });

  it("lets a chain of equal activations share two places", () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 1000, first: i, last: i + 1 }));
    expect(planArena(chain).bytes).toBe(2 * 1088);
  });

  it("puts a small block into the smallest gap that fits", () => {
    const blocks = [
      { bytes: 960, first: 0, last: 9 }, // 1024 with slack: at 0
      { bytes: 896, first: 0, last: 1 }, // 960: at 1024
      { bytes: 832, first: 0, last: 9 }, // 896: at 1984
      { bytes: 704, first: 5, last: 6 }, // 768: where the second one was
    ];
    expect(planArena(blocks)).toEqual({ offsets: [0, 1024, 1984, 1024], bytes: 2880 });
  });

  it("keeps live blocks apart, aligned, and within a little of what must be there at once", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { integer } = random(seed);
      const blocks = Array.from({ length: integer(1, 40) }, () => {
        const first = integer(-1, 30);
        return { bytes: integer(1, 5000), first, last: first + integer(0, 6) };
      });
      const { offsets, bytes } = planArena(blocks);
      expect(overlap(blocks, offsets), `seed ${seed}`).toBeUndefined();
      for (const [i, offset] of offsets.entries()) {
        expect(offset % 64).toBe(0);
        expect(offset + (blocks[i] as Lifetime).bytes + SLACK).toBeLessThanOrEqual(bytes);
      }
      const needed = mostAtOnce(blocks);
      expect(bytes).toBeGreaterThanOrEqual(needed);
      expect(bytes, `seed ${seed}`).toBeLessThanOrEqual(1.5 * needed + 64 * blocks.length);
    }
  });
});
