// How finely steps are split: costs that are numbers for every kernel, units that reach all items, shares that are even.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/engine/engine.js";
import { Runtime } from "../../src/index.js";
import { KERNELS } from "../../src/kernels/table.js";
import type { Builder, Call } from "../../src/plan/builder.js";
import { costOf } from "../../src/plan/cost.js";
import { split } from "../../src/plan/split.js";
import { fill } from "../random.js";
import { CALLS, SHAPE, tensorsOf } from "../slice-calls.js";
import { FORMATS, tensorOf } from "../tensors.js";

const PACKS = ["numeric", "rare", "recurrent", "audio", "int8", "half"] as const;
const compiled = (file: string) =>
  new WebAssembly.Module(readFileSync(new URL(`../../build/wasm/${file}.wasm`, import.meta.url)));

/** A runtime of one thread whose plans are made for four: what it splits, and how. */
function planner(threads: number) {
  const made: { readonly builder: Builder; readonly call: Omit<Call, "unit">; readonly unit: number }[] = [];
  const engine = new Engine(compiled("simd"), 2 ** 28);
  for (const pack of PACKS) engine.load(pack, compiled(`${pack}-simd`));
  const rt = new Runtime(engine, {
    reason: "test",
    maxBytes: 2 ** 28,
    loadPack: async () => {},
    threads: {
      threads,
      split: (builder, call) => {
        const unit = split(builder, call, threads);
        made.push({ builder, call, unit });
        return unit;
      },
      report: () => ({ asked: threads, running: 1 }),
    },
  });
  return { rt, made };
}

describe("every kernel's steps", () => {
  const { rt, made } = planner(4);
  beforeAll(async () => {
    for (const memoryFormat of FORMATS) {
      for (const [, call] of CALLS) {
        using x = tensorOf(rt, fill(SHAPE, "x"), SHAPE, memoryFormat);
        for (const y of tensorsOf(await call(rt, x))) y.dispose();
      }
    }
  });
  afterAll(() => rt.dispose());

  it("are all asked about, but for pictures', which no plan has", () => {
    const asked = new Set(made.map(({ call }) => call.kernel));
    expect(KERNELS.filter((name) => !asked.has(name) && !/_u8$/.test(name))).toEqual([]);
  });

  it("cost nanoseconds: more for more items, and slices together about what the whole does", () => {
    const odd = made
      .filter(({ call }) => call.items > 1)
      .filter(({ call }) => {
        const half = call.items >> 1;
        const [whole, first, second] = [call.items, half, call.items - half].map((n) => costOf(call, "simd", n));
        const sum = (first as number) + (second as number);
        return !(
          (whole as number) > 0 &&
          (first as number) <= (whole as number) * 1.001 &&
          sum >= 0.75 * (whole as number)
        );
      });
    expect(odd.map(({ call }) => [call.kernel, call.items])).toEqual([]);
    expect(made.every(({ call }) => Number.isFinite(costOf(call, "relaxed")) && costOf(call, "relaxed") > 0)).toBe(
      true,
    );
  });

  it("are cut into units that reach all items, as many as fit a range", () => {
    const wrong = made.filter(({ call, unit }) => {
      const units = Math.ceil(call.items / unit);
      return !(Number.isInteger(unit) && unit >= 1 && unit <= call.items && units <= 4095);
    });
    expect(wrong.map(({ call, unit }) => [call.kernel, call.items, unit])).toEqual([]);
  });
});

describe.each([2, 3, 4, 7, 16])("for %i threads", (threads) => {
  const { rt, made } = planner(threads);
  afterAll(() => rt.dispose());
  const unitsOf = (
    plan: () => Disposable,
  ): readonly { kernel: unknown; items: number; unit: number; units: number }[] => {
    made.length = 0;
    plan()[Symbol.dispose]();
    return made.map(({ call: { kernel, items }, unit }) => ({ kernel, items, unit, units: Math.ceil(items / unit) }));
  };
  const conv = (input: readonly number[], weight: readonly number[], options = {}) =>
    unitsOf(() => {
      using w = rt.zeros(weight);
      return rt.plan.conv2d({ input, memoryFormat: "channelsLast", weight: w, ...options });
    }).find(({ kernel }) => /^conv2d/.test(String(kernel)));

  it("large layers give every thread an even share", () => {
    for (const step of [
      conv([1, 64, 56, 56], [64, 64, 3, 3], { padding: 1, algorithm: "implicit-gemm" }),
      conv([1, 64, 56, 56], [64, 64, 1, 1]),
      conv([1, 256, 22, 22], [256, 256, 1, 1]),
      conv([1, 64, 112, 112], [64, 64, 3, 3], { padding: 1, algorithm: "winograd43" }),
      conv([1, 144, 112, 112], [144, 1, 3, 3], { padding: 1, groups: 144 }),
    ]) {
      const { items, unit, units } = step as NonNullable<typeof step>;
      expect(units).toBeGreaterThanOrEqual(threads);
      const most = Math.ceil(units / threads) * unit; // items of the thread that has the most
      expect(most / (items / threads)).toBeLessThan(1.25);
    }
  });

  it("what takes no longer than telling others stays whole", () => {
    expect(conv([1, 8, 4, 4], [8, 8, 1, 1])).toMatchObject({ units: 1 });
    expect(unitsOf(() => rt.plan.relu({ input: [4096] }))).toMatchObject([{ units: 1 }]);
    expect(unitsOf(() => rt.plan.softmax({ input: [1, 10] }))).toMatchObject([{ units: 1 }]);
  });

  it("a copy of one outer dimension is shared", () => {
    const [step] = unitsOf(() => rt.plan.slice({ input: [2_000_000], starts: [1], ends: [2_000_000] }));
    expect(step?.units).toBeGreaterThanOrEqual(threads);
  });
});
