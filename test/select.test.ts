// The choice of algorithm, on plain numbers: no memory, no wasm.
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../src/base/errors.js";
import { convShape } from "../src/base/shape.js";
import { type Memory, select } from "../src/kernels/select.js";
import { CONV_ROWS, RATES } from "../src/kernels/table.js";
import { MEMORY_NAMES } from "../src/ops/conv/conv2d.js";

const VARIANTS = Object.keys(RATES) as (keyof typeof RATES)[];
const shape = (C: number, H: number, M: number, R: number, options: Parameters<typeof convShape>[2] = {}) =>
  convShape([1, C, H, H], [M, C / (options.groups ?? 1), R, R], { padding: "same", ...options });

describe.each(VARIANTS)("select for %s", (variant) => {
  const pick = (...args: Parameters<typeof shape>) => select(shape(...args), variant).row.algorithm;

  it("takes Winograd for the 3x3 stride-1 layers of ResNet and VGG", () => {
    for (const [C, H] of [
      [64, 56],
      [128, 28],
      [256, 14],
      [512, 7],
      [64, 224],
      [256, 56],
    ] as const) {
      expect(pick(C, H, C, 3)).toMatch(/^winograd[24]3$/);
    }
  });

  it("takes implicit GEMM for pointwise, strided, dilated and first layers", () => {
    expect(pick(256, 56, 64, 1)).toBe("implicit-gemm");
    expect(pick(128, 56, 128, 3, { stride: 2 })).toBe("implicit-gemm");
    expect(pick(256, 28, 256, 3, { dilation: 2 })).toBe("implicit-gemm");
    expect(pick(3, 224, 64, 7, { stride: 2 })).toBe("implicit-gemm");
  });

  it("takes the depthwise kernel for 3x3 and 5x5 with one group a channel", () => {
    expect(pick(96, 56, 96, 3, { groups: 96 })).toBe("depthwise");
    expect(pick(96, 56, 96, 5, { groups: 96, stride: 2 })).toBe("depthwise");
  });

  it("says why", () => {
    expect(select(shape(64, 56, 64, 3), variant).reason).toMatch(/least estimated cost: .* ms against .* ms for /);
    expect(select(shape(64, 56, 64, 3), variant, { algorithm: "direct" }).reason).toBe("asked for");
  });

  it("answers every row that accepts a shape, and refuses the others", () => {
    const s = shape(64, 56, 64, 5, { stride: 2 });
    for (const row of CONV_ROWS) {
      if (row.accepts(s) === true) expect(select(s, variant, { algorithm: row.algorithm }).row).toBe(row);
      else expect(() => select(s, variant, { algorithm: row.algorithm })).toThrow(UnsupportedError);
    }
  });

  it("keeps fewer weights where more gain little, and the fewest where asked", () => {
    const deep = shape(512, 7, 512, 3);
    const pick = (memory: Memory) => select(deep, variant, { memory });
    const [fast, middle, small] = MEMORY_NAMES.map((memory) => pick(memory).row);
    expect([fast?.algorithm, middle?.algorithm, small?.algorithm]).toEqual([
      "winograd43",
      "winograd23",
      "implicit-gemm",
    ]);
    expect(pick("fast").reason).not.toMatch(/MB/);
    expect(pick("default").reason).toMatch(/; winograd43 takes [\d.]+ ms and 21\.0 MB more$/); // (36 - 16) * 512 * 512 * 4 B
    expect(small?.weightBytes(deep)).toBe(9 * 512 * 512 * 4);
    // Wide maps keep F(4,3): 0.7 MB for a fifth of the time.
    expect(select(shape(64, 56, 64, 3), variant, { memory: "default" }).row.algorithm).toBe("winograd43");
  });

  it("never takes more memory for a stricter wish, and knows what weights take", () => {
    for (const [C, H, M, R] of [
      [3, 32, 8, 3],
      [37, 14, 19, 3],
      [64, 28, 64, 5],
      [16, 9, 16, 1],
      [256, 14, 256, 3],
    ] as const) {
      const s = shape(C, H, M, R);
      const bytes = MEMORY_NAMES.map((memory) => select(s, variant, { memory }).row.weightBytes(s));
      expect([...bytes].sort((a, b) => b - a)).toEqual(bytes);
      for (const row of CONV_ROWS)
        if (row.accepts(s) === true) expect(row.weightBytes(s)).toBeGreaterThanOrEqual(M * 4);
    }
  });
});
