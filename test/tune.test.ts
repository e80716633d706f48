// Choice by measurement: with forced times, so that what it should choose is known, and once with the real clock.
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { Engine } from "../src/engine/engine.js";
import { createModel, createRuntime, Graph, Runtime, summarize } from "../src/index.js";
import type { ConvAlgorithm } from "../src/kernels/table.js";
import type { ChoiceDefaults } from "../src/runtime/options.js";
import { type Stopwatch, tuner } from "../src/runtime/tune.js";
import { fill } from "./random.js";

const module = new WebAssembly.Module(readFileSync(new URL("../build/wasm/simd.wasm", import.meta.url)));
const INPUT = [1, 64, 28, 28] as const;
const WEIGHT = [64, 64, 3, 3] as const;
const BY_TABLE = "winograd43";

const forced: Partial<Record<ConvAlgorithm, number>> = {};
let measured: ConvAlgorithm[][] = [];

/** Forced milliseconds, but every program does run. */
const fake: Stopwatch = (programs) => {
  measured.push([...programs.keys()]);
  for (const program of programs.values()) program.run();
  return new Map([...programs.keys()].map((algorithm) => [algorithm, forced[algorithm] ?? 9]));
};

function runtime({ maxBytes = 2 ** 28, defaults = {} as ChoiceDefaults, now = () => performance.now() } = {}): Runtime {
  const engine = new Engine(module, maxBytes);
  const loadPack = async () => {};
  return new Runtime(engine, {
    reason: "test",
    maxBytes,
    defaults,
    loadPack,
    time: tuner(engine, maxBytes, now, fake),
  });
}

function planned(rt: Runtime, options: Partial<Parameters<Runtime["plan"]["conv2d"]>[0]> = {}) {
  using weight = rt.zeros(WEIGHT);
  using plan = rt.plan.conv2d({
    input: INPUT,
    memoryFormat: "channelsLast",
    weight,
    padding: 1,
    tune: true,
    ...options,
  });
  return plan.describe();
}

/** Three equal layers and one of its own. */
function graph(): Graph {
  const g = new Graph();
  let x = g.input("x", INPUT);
  for (const name of ["a", "b", "c"])
    x = g.layer(name).conv2d(x, `${name}.w`, null, { padding: 1, activation: "relu" });
  g.output("y", g.layer("d").conv2d(x, "d.w"));
  return g;
}
const WEIGHTS = Object.fromEntries(
  ["w", "a.w", "b.w", "c.w", "d.w"].map((name) => [
    name,
    { shape: WEIGHT, dtype: "float32", data: fill(WEIGHT, name) } as const,
  ]),
);
const algorithmsOf = (rows: readonly { readonly layer: string; readonly algorithm: string }[]) =>
  rows.filter(({ layer }) => layer !== "" && layer.length === 1).map(({ algorithm }) => algorithm);

beforeEach(() => {
  for (const name of Object.keys(forced)) delete forced[name as ConvAlgorithm];
  measured = [];
});

describe("tune", () => {
  it.each(["implicit-gemm", "winograd23", "winograd63", "fft"] as const)(
    "takes %s when that is the fastest",
    (name) => {
      using rt = runtime();
      forced[name] = 1.25;
      forced.winograd43 = 2;
      const { algorithm, reason } = planned(rt);
      expect(algorithm).toBe(name);
      expect(reason).toMatch(/^fastest measured: 1\.25 ms against 2\.00 ms for winograd43, 9\.00 ms for /);
      expect(planned(rt, { tune: false })).toMatchObject({
        algorithm: BY_TABLE,
        reason: expect.stringMatching(/estimated/),
      });
      expect(planned(rt, { algorithm: "direct" })).toMatchObject({ algorithm: "direct", reason: "asked for" });
    },
  );

  it("measures equal layers once, whatever their activation, and others anew", () => {
    using rt = runtime();
    const first = planned(rt);
    expect(planned(rt, { activation: "relu" }).reason).toBe(first.reason);
    expect(measured.length).toBe(1);
    planned(rt, { padding: 2 });
    planned(rt, { memoryFormat: "contiguous" });
    expect(measured.length).toBe(3);
  });

  it("leaves memory as it was, but for the plan", () => {
    using rt = runtime();
    using weight = rt.zeros(WEIGHT);
    forced.winograd23 = 1;
    const before = rt.report();
    const named = rt.plan.conv2d({ input: INPUT, weight, padding: 1, algorithm: "winograd23" });
    const after = rt.report();
    named.dispose();
    using tuned = rt.plan.conv2d({ input: INPUT, weight, padding: 1, tune: true });
    expect(measured.length).toBe(1);
    expect(rt.report()).toEqual(after);
    tuned.dispose();
    expect(rt.report()).toEqual({ ...before, memoryBytes: after.memoryBytes, peakBytes: after.peakBytes });
  });

  it("does not measure what the estimate leaves no chance, nor what precision forbids", () => {
    using rt = runtime();
    using weight = rt.zeros([64, 64, 1, 1]);
    using pointwise = rt.plan.conv2d({ input: INPUT, weight, tune: true });
    expect(pointwise.describe().algorithm).toBe("implicit-gemm");
    expect(measured).toEqual([]);
    forced.winograd63 = 1;
    forced.fft = 2;
    forced.winograd23 = 3;
    const high = planned(rt, { precision: "high" });
    expect(measured[0]).not.toContain("winograd63");
    expect(measured[0]).not.toContain("fft"); // reaches further than F(4,3), which the table takes
    expect(high.algorithm).toBe("winograd23");
    expect(high.reason).toMatch(/; precision high leaves out winograd43, winograd63, fft$/);
    expect(planned(rt).algorithm).toBe("winograd63"); // now measured too
    expect(measured[1]?.toSorted()).toEqual(["fft", "winograd43", "winograd63"]);
    expect(planned(rt, { precision: "high" }).algorithm).toBe("winograd23");
    expect(measured.length).toBe(2);
    expect(planned(rt, { precision: "exact" }).reason).toMatch(/precision exact leaves out .*winograd23.*fft$/);
  });

  it("skips what does not fit in memory", () => {
    using rt = runtime({ maxBytes: 2 ** 20 });
    using weight = rt.zeros(WEIGHT);
    const plan = () => rt.plan.conv2d({ input: [1, 64, 6, 6], weight, padding: 1, tune: true });
    forced.winograd63 = 1; // 1 MiB of packed weights
    forced["implicit-gemm"] = 2;
    {
      using some = plan();
      expect(measured).toEqual([expect.not.arrayContaining(["winograd63"])]);
      expect(some.describe().algorithm).toBe("implicit-gemm");
    }
    const left = 320_000; // room for the plan, but not for packed weights and what they are packed from
    using _ = rt.zeros([(2 ** 20 - rt.report().bytesInUse - left) >> 2]);
    using one = rt.plan.conv2d({ input: [1, 64, 3, 3], weight, tune: true });
    expect(measured[1]).toEqual([]);
    expect(one.describe().reason).toMatch(/^no memory to measure in: least estimated cost/);
  });

  it("leaves the choice to the table where the clock stands still", () => {
    using rt = runtime({ now: () => 0 });
    expect(planned(rt)).toMatchObject({
      algorithm: BY_TABLE,
      reason: expect.stringMatching(/^the clock is too coarse to measure by: least estimated cost: /),
    });
    expect(measured).toEqual([]);
  });

  it.each([
    [1, "fastest measured"],
    [100, "the clock is too coarse"],
  ])("measures by a clock of %d ms a tick or not: %s", (tick, expected) => {
    let readings = 0;
    using rt = runtime({ now: () => Math.floor(readings++ / 5_000) * tick + (readings > 100 ? 50 : 0) }); // one pause
    expect(planned(rt).reason.startsWith(expected)).toBe(true);
  });

  it("reaches eager calls, conv1d and both halves of separableConv2d", () => {
    using rt = runtime({ defaults: { tune: true } });
    forced.winograd23 = 1;
    using x = rt.tensor(fill(INPUT, "x"), INPUT);
    using w = rt.tensor(fill(WEIGHT, "w"), WEIGHT);
    using tuned = rt.conv2d(x, w, null, { padding: 1 });
    using named = rt.conv2d(x, w, null, { padding: 1, algorithm: "winograd23" });
    expect(tuned.toArray()).toEqual(named.toArray());
    using line = rt.zeros([64, 64, 3]);
    using one = rt.plan.conv1d({ input: [1, 64, 784], weight: line, padding: 1 });
    expect(one.describe()).toMatchObject({
      algorithm: "winograd23",
      reason: expect.stringMatching(/^fastest measured/),
    });
    using depthwiseWeight = rt.zeros([64, 1, 3, 3]);
    using pointwiseWeight = rt.zeros([64, 64, 1, 1]);
    forced.depthwise = 0.5;
    using two = rt.plan.separableConv2d({ input: INPUT, depthwiseWeight, pointwiseWeight });
    expect(two.describe().reason).toMatch(/depthwise: fastest measured: 0\.500 ms/);
  });
});

describe("tune of a model", () => {
  it("measures equal layers once and takes exactly the bytes it planned", () => {
    using rt = runtime();
    forced.winograd23 = 1;
    const before = rt.report().bytesInUse;
    const model = createModel(rt, graph(), WEIGHTS, { tune: true });
    expect(algorithmsOf(model.summary().rows)).toEqual(["winograd23", "winograd23", "winograd23", "winograd23"]);
    expect(measured.length).toBe(2);
    expect(rt.report().bytesInUse - before).toBe(model.plan.totalBytes);
    model.dispose();
    expect(rt.report().bytesInUse).toBe(before);
    expect(algorithmsOf(createModel(rt, graph(), WEIGHTS).summary().rows)).toContain(BY_TABLE);
  });

  it("comes from the runtime too, and for the summary", () => {
    using rt = runtime({ defaults: { tune: true } });
    forced.fft = 1;
    expect(algorithmsOf(summarize(rt, graph(), WEIGHTS).rows)).toEqual(["fft", "fft", "fft", "fft"]);
    expect(rt.report().bytesInUse).toBe(0);
    using model = createModel(rt, graph(), WEIGHTS, { tune: false });
    expect(algorithmsOf(model.summary().rows)[0]).toBe(BY_TABLE);
  });

  it("measures nothing for a model that is refused", () => {
    using rt = runtime({ defaults: { tune: true } });
    expect(() => createModel(rt, graph(), WEIGHTS, { maxMacs: 1e6 })).toThrow(/"maxMacs" expected at least/);
    expect(measured).toEqual([]);
  });

  it("falls back to the table where the fastest are larger than maxBytes", () => {
    using rt = runtime();
    forced.fft = 1; // more bytes than F(4,3)
    const bytesOf = (options: ChoiceDefaults) => {
      using model = createModel(rt, graph(), WEIGHTS, options);
      return model.plan.totalBytes;
    };
    const [small, large] = [bytesOf({}), bytesOf({ tune: true })];
    expect(large).toBeGreaterThan(small);
    const expectTable = (own: Runtime, maxBytes?: number) => {
      using model = createModel(own, graph(), WEIGHTS, { tune: true, maxBytes });
      expect(model.plan.totalBytes).toBe(small);
      const [first] = model.summary().rows.filter(({ layer }) => layer === "a");
      expect(first?.reason).toMatch(/^the fastest do not fit in memory together: least estimated cost: /);
    };
    expectTable(rt, large - 1);
    // So where the runtime's memory is the limit, some of it in use.
    using tight = runtime({ maxBytes: 2 ** 25 });
    using _taken = tight.zeros([(2 ** 25 - tight.report().bytesInUse - large) >> 2]);
    expect(tight.report().bytesInUse + large).toBeGreaterThan(tight.report().maxBytes - 2 ** 16);
    expectTable(tight);
    expect(() => createModel(rt, graph(), WEIGHTS, { tune: true, maxBytes: small - 1 })).toThrow(
      new RegExp(`"maxBytes" expected at least ${small} for this model`),
    );
  });
});

it("measures with the real clock", async () => {
  using rt = await createRuntime({ variant: "simd", tune: true });
  using x = rt.tensor(fill(INPUT, "x"), INPUT, { memoryFormat: "channelsLast" });
  using weight = rt.tensor(fill(WEIGHT, "w"), WEIGHT);
  using plan = rt.plan.conv2d({ input: INPUT, memoryFormat: "channelsLast", weight, padding: 1 });
  const { algorithm, reason, outputs } = plan.describe();
  expect(reason).toMatch(/^fastest measured: [\d.]+ ms against [\d.]+ ms for /);
  const times = [...reason.matchAll(/([\d.]+) ms/g)].map(([, ms]) => Number(ms));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  using y = rt.empty(outputs[0] as (typeof outputs)[number]);
  plan.run(x, y);
  using named = rt.conv2d(x, weight, null, { padding: 1, algorithm: algorithm as ConvAlgorithm });
  expect(y.toArray()).toEqual(named.toArray());
});

describe("bad values", () => {
  const BAD = [
    [{ precision: "low" }, RangeError, '"precision" expected one of default, high, exact, got "low"'],
    [{ precision: 1 }, TypeError, '"precision" expected one of default, high, exact, got 1'],
    [{ tune: "yes" }, TypeError, '"tune" expected true or false, got "yes"'],
    [{ tune: 1 }, TypeError, '"tune" expected true or false, got 1'],
  ] as const;

  it.each(BAD)("%j are refused everywhere, with nothing leaked", async (options, type, message) => {
    using rt = runtime();
    using w = rt.zeros(WEIGHT);
    using line = rt.zeros([64, 64, 3]);
    using depthwiseWeight = rt.zeros([64, 1, 3, 3]);
    using pointwiseWeight = rt.zeros([64, 64, 1, 1]);
    using x = rt.zeros(INPUT);
    const wrong = options as never as object;
    const before = rt.report();
    for (const act of [
      () => rt.conv2d(x, w, null, wrong),
      () => rt.plan.conv2d({ input: INPUT, weight: w, ...wrong }),
      () => rt.plan.conv1d({ input: [1, 64, 9], weight: line, ...wrong }),
      () => rt.plan.separableConv2d({ input: INPUT, depthwiseWeight, pointwiseWeight, ...wrong }),
      () => createModel(rt, graph(), WEIGHTS, wrong),
    ]) {
      expect(act).toThrow(type);
      expect(act).toThrow(message);
    }
    expect(rt.report()).toEqual(before);
    await expect(createRuntime(wrong)).rejects.toThrow(message);
    const g = new Graph();
    g.output("y", g.layer("one").conv2d(g.input("x", INPUT), "w", null, wrong));
    expect(() => createModel(rt, g, WEIGHTS)).toThrow(`layer "one" (conv2d): ${message}`);
  });
});
