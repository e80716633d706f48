// The `memory` option: what weights take in every algorithm, as the table says it, and whose wish counts.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import { createModel, createRuntime, Graph, type Runtime, randomWeights, summarize } from "../src/index.js";
import { CONV_ROWS } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";

const [, simd] = BINARIES;
/** Biases, tables of blocks and twiddles, slack. */
const OTHER_BYTES = 16 * 1024;
const DEEP = { input: [1, 256, 7, 7], weight: [256, 256, 3, 3] } as const;

/** A deep small layer, where F(4,3) keeps 4 times the weights for little, and a wide one. */
function graph(options: object = {}): Graph {
  const g = new Graph();
  const w = g.parameter("w", DEEP.weight);
  g.output("y", g.layer("deep").conv2d(g.input("x", DEEP.input), w, null, { padding: 1, ...options }));
  return g;
}

describe("memory of weights", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await (simd as (typeof BINARIES)[number]).create();
  });
  afterAll(() => rt.dispose());
  const algorithmOf = (model: {
    summary(): { rows: readonly { readonly layer: string; readonly algorithm: string }[] };
  }) => model.summary().rows.find(({ layer }) => layer === "deep")?.algorithm;

  it.each([
    [[1, 13, 20, 21], [37, 13, 3, 3], 1],
    [[1, 24, 9, 9], [24, 8, 3, 3], 3],
    [[1, 20, 17, 17], [20, 1, 5, 5], 20],
    [[2, 5, 11, 12], [9, 5, 1, 3], 1],
  ] as const)("is what the table says, for %j with %j", (input, weight, groups) => {
    const shape = convShape(input, weight, { padding: "same", groups });
    using w = rt.zeros(weight);
    for (const row of CONV_ROWS) {
      if (row.accepts(shape) !== true) continue;
      using plan = rt.plan.conv2d({ input, weight: w, padding: "same", groups, algorithm: row.algorithm });
      const { constantBytes } = plan.describe();
      const bytes = row.weightBytes(shape);
      expect(constantBytes, row.algorithm).toBeGreaterThanOrEqual(bytes);
      expect(constantBytes, row.algorithm).toBeLessThan(bytes + OTHER_BYTES);
    }
  });

  it("falls from fast over default to small, and a model's bytes are what it then holds", () => {
    const before = rt.report().bytesInUse;
    const held = (["fast", "default", "small"] as const).map((memory) => {
      using model = createModel(rt, graph(), randomWeights(graph()), { memory });
      expect(rt.report().bytesInUse - before).toBe(model.plan.totalBytes);
      return [algorithmOf(model), model.plan.weightBytes] as const;
    });
    const own = 4 * 256 * 256 * 9;
    expect(held.map(([algorithm]) => algorithm)).toEqual(["winograd43", "winograd23", "implicit-gemm"]);
    expect(held[0]?.[1]).toBeGreaterThan(4 * own);
    expect(held[1]?.[1]).toBeLessThan(1.8 * own);
    expect(held[2]?.[1]).toBeLessThan(1.02 * own);
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("is the node's wish before the model's, that before the runtime's; plans are fast and models are not", async () => {
    const weights = randomWeights(graph());
    const chosen = (of: Runtime, options: object, node: object = {}) => {
      using model = createModel(of, graph(node), weights, options);
      return algorithmOf(model);
    };
    expect(chosen(rt, {})).toBe("winograd23");
    expect(chosen(rt, { memory: "small" }, { memory: "fast" })).toBe("winograd43");
    using w = rt.zeros(DEEP.weight);
    const planned = (options: object = {}) => {
      using plan = rt.plan.conv2d({ input: DEEP.input, weight: w, padding: 1, ...options });
      return plan.describe();
    };
    expect(planned().algorithm).toBe("winograd43");
    expect(planned({ memory: "default" }).reason).toMatch(/; winograd43 takes [\d.]+ ms and 5\.2 MB more$/);
    expect(algorithmOf({ summary: () => summarize(rt, graph()) })).toBe("winograd23");
    using small = await createRuntime({ variant: "simd", memory: "small" });
    expect(chosen(small, {})).toBe("implicit-gemm");
    expect(chosen(small, { memory: "fast" })).toBe("winograd43");
  });

  it.each([
    ["least", RangeError],
    [1, TypeError],
  ])("refuses %j everywhere, with nothing leaked", async (memory, type) => {
    using w = rt.zeros(DEEP.weight);
    const before = rt.report();
    const message = /"memory" expected one of fast, default, small, got /;
    const wrong = { memory } as never as object;
    for (const act of [
      () => rt.plan.conv2d({ input: DEEP.input, weight: w, ...wrong }),
      () => createModel(rt, graph(), randomWeights(graph()), wrong),
      () => createModel(rt, graph(wrong), randomWeights(graph())),
    ]) {
      expect(act).toThrow(type);
      expect(act).toThrow(message);
    }
    await expect(createRuntime(wrong)).rejects.toThrow(message);
    expect(rt.report()).toEqual(before);
  });
});
