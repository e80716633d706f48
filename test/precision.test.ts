// The documented error of every convolution algorithm, held to what is measured; the table of docs/convolution.md, held to the
// documented one; and the `precision` option.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import { createModel, createRuntime, Graph, type Precision, type Runtime } from "../src/index.js";
import { PRECISIONS, select } from "../src/kernels/select.js";
import { CONV_ROWS, type ConvAlgorithm } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";

interface Layer {
  readonly C: number;
  readonly H: number;
  readonly R: number;
  readonly groups: number;
}

/** C filters, padding "same". */
const LAYERS: readonly Layer[] = [
  { C: 64, H: 28, R: 3, groups: 1 },
  { C: 128, H: 28, R: 3, groups: 1 },
  { C: 256, H: 14, R: 3, groups: 1 },
  { C: 512, H: 7, R: 3, groups: 1 },
  { C: 96, H: 28, R: 3, groups: 96 },
  { C: 96, H: 28, R: 11, groups: 96 },
];
/** Outputs of each layer computed in float64; a prime step, so that they lie at every place of a tile. */
const SAMPLES = 2000;
const stepOf = ({ C, H }: Layer) => Math.max(1, Math.floor((C * H * H) / SAMPLES)) | 1;

const nameOf = ({ C, H, R, groups }: Layer) => `${R}x${R} ${C}@${H}${groups > 1 ? ` in ${groups} groups` : ""}`;
const shapesOf = ({ C, H, R, groups }: Layer) => ({ input: [1, C, H, H], weight: [C, C / groups, R, R] });

/** Output `index` of [C, H, H], in float64. */
function outputAt({ C, H, R, groups }: Layer, x: Float32Array, w: Float32Array, index: number): number {
  const [q, p, m] = [index % H, Math.floor(index / H) % H, Math.floor(index / H / H)];
  const perGroup = C / groups;
  const first = Math.floor(m / perGroup) * perGroup;
  const padding = (R - 1) / 2;
  let sum = 0;
  for (let c = 0; c < perGroup; c++) {
    for (let r = 0; r < R; r++) {
      for (let s = 0; s < R; s++) {
        const [h, v] = [p + r - padding, q + s - padding];
        if (h < 0 || h >= H || v < 0 || v >= H) continue;
        sum += (x[((first + c) * H + h) * H + v] as number) * (w[((m * perGroup + c) * R + r) * R + s] as number);
      }
    }
  }
  return sum;
}

const DATA = LAYERS.map((layer) => {
  const shapes = shapesOf(layer);
  const x = fill(shapes.input, `${nameOf(layer)} x`);
  const w = fill(shapes.weight, `${nameOf(layer)} w`);
  const indices = Array.from({ length: Math.floor(x.length / stepOf(layer)) }, (_, i) => i * stepOf(layer));
  return { layer, shapes, x, w, indices, expected: indices.map((index) => outputAt(layer, x, w, index)) };
});

const worst = new Map<ConvAlgorithm, number>();

describe.each(BINARIES.filter(({ name }) => name !== "debug"))("errors on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  describe.each(CONV_ROWS)("$algorithm", ({ algorithm, error, accepts }) => {
    const accepted = DATA.filter(({ layer: { groups }, shapes }) => {
      return accepts(convShape(shapes.input, shapes.weight, { padding: "same", groups })) === true;
    });
    it.each(accepted.map((data) => [nameOf(data.layer), data] as const))(
      "%s",
      (_, { layer, shapes, x, w, indices, expected }) => {
        using input = rt.tensor(x, shapes.input);
        using weight = rt.tensor(w, shapes.weight);
        using y = rt.conv2d(input, weight, null, { padding: "same", groups: layer.groups, algorithm });
        const outputs = y.toArray() as Float32Array;
        const largest = outputs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const off = indices.map((index, i) => Math.abs((outputs[index] as number) - (expected[i] as number)));
        const share = Math.max(...off) / largest;
        expect(share).toBeLessThanOrEqual(error);
        worst.set(algorithm, Math.max(worst.get(algorithm) ?? 0, share));
      },
    );
  });
});

describe("the documented errors", () => {
  it.each(CONV_ROWS)("of $algorithm is not far from the largest seen", ({ algorithm, error }) => {
    expect(worst.get(algorithm)).toBeGreaterThan(error / 3);
  });

  it("keep the project's promises", () => {
    const errorOf = (name: ConvAlgorithm) => CONV_ROWS.find((row) => row.algorithm === name)?.error;
    expect(errorOf("winograd43")).toBeLessThanOrEqual(1e-5);
    expect(errorOf("winograd23")).toBeLessThanOrEqual(2e-6);
    expect(errorOf("implicit-gemm")).toBeLessThanOrEqual(PRECISIONS.high); // so that something is always left
  });

  it("are those of docs/convolution.md", () => {
    const page = readFileSync(new URL("../docs/convolution.md", import.meta.url), "utf8");
    const stated = new Map<string, readonly [number, number]>();
    const [table] = page.slice(page.indexOf("| `algorithm`")).split("\n\n");
    for (const line of (table as string).split("\n").filter((text) => text.startsWith("| `"))) {
      const cells = line.split("|").map((cell) => cell.trim());
      const names = [...(cells[1] as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
      const errors = (cells.at(-2) as string).split(", ").map(Number);
      const reach = cells.at(-3) as string;
      names.forEach((name, i) => {
        const tile = Number(reach.match(/\d/g)?.[i] ?? (reach === "outputs that see it" ? 1 : Infinity));
        stated.set(name, [errors[i] as number, tile]);
      });
    }
    for (const { algorithm, error, spread } of CONV_ROWS)
      expect(stated.get(algorithm), algorithm).toEqual([error, spread]);
  });
});

// One value of an image of ones, and weights of ones: whatever an output does not see must not reach it.
describe.each(BINARIES.filter(({ name }) => name !== "debug"))("one pixel on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  const [H, at] = [23, 11];
  const CASES = [
    { C: 8, R: 3, groups: 1 },
    { C: 5, R: 5, groups: 1 },
    { C: 8, R: 3, groups: 8 },
    { C: 6, R: 7, groups: 6 },
  ];
  const cases = CONV_ROWS.flatMap((row) =>
    CASES.filter(
      ({ C, R, groups }) => row.accepts(convShape([1, C, H, H], [C, C / groups, R, R], { groups })) === true,
    ).map((layer) => [row.algorithm, nameOf({ ...layer, H }), row, layer] as const),
  );

  it.each(cases)("%s, %s: reaches what the table says", (algorithm, _, { spread }, { C, R, groups }) => {
    const reached = (value: number) => {
      const x = new Float32Array(C * H * H).fill(1);
      x[(C - 1) * H * H + at * H + at] = value;
      using input = rt.tensor(x, [1, C, H, H]);
      using weight = rt.tensor(new Float32Array((C * C * R * R) / groups).fill(1), [C, C / groups, R, R]);
      using y = rt.conv2d(input, weight, null, { groups, algorithm });
      return y.toArray() as Float32Array;
    };
    const P = H - R + 1;
    const sees = (i: number) => {
      const [q, p, m] = [i % P, Math.floor(i / P) % P, Math.floor(i / P / P)];
      return p <= at && at < p + R && q <= at && at < q + R && (groups === 1 || m === C - 1);
    };
    const terms = (C / groups) * R * R;
    for (const value of [NaN, Infinity, 2 ** 20]) {
      const y = reached(value);
      // Without spreading everything else is exact: sums of ones.
      const off = [...y].filter((v, i) => !sees(i) && v !== terms).length;
      if (spread <= 2) expect(off, `${value}`).toBe(0);
      else if (Number.isNaN(value)) expect(off).toBeGreaterThan(0);
      const seen = [...y].filter((_, i) => sees(i));
      if (Number.isNaN(value)) expect(seen.every(Number.isNaN)).toBe(true);
      else if (spread === 1) expect(seen.every((v) => v === Math.fround(value + terms - 1))).toBe(true);
      else if (value === Infinity) expect(seen.every(Number.isFinite)).toBe(false);
    }
  });
});

describe("precision: exact", () => {
  it.each(["simd", "relaxed"] as const)("takes what stays within its windows, in %s", (variant) => {
    for (const [C, H, R, groups] of [
      [64, 28, 3, 1],
      [16, 14, 3, 1],
      [32, 56, 7, 1],
      [8, 56, 7, 8],
      [64, 112, 11, 64],
      [3, 32, 1, 1],
    ] as const) {
      const shape = convShape([1, C, H, H], [C, C / groups, R, R], { padding: "same", groups });
      const { row, reason } = select(shape, variant, { precision: "exact" });
      expect(row.spread).toBe(1);
      if (R > 1) expect(reason).toMatch(/; precision exact leaves out /);
    }
  });

  it("has all of the accuracy of precision: high", () => {
    for (const { spread, error } of CONV_ROWS) if (spread === 1) expect(error).toBeLessThanOrEqual(PRECISIONS.high);
  });

  it("keeps a NaN where it is seen, asked for from runtime, model, layer, conv1d and separableConv2d", async () => {
    const input = [1, 16, 14, 14];
    const x = fill(input, "x");
    x[3 * 196 + 5 * 14 + 6] = NaN;
    const data = fill([16, 16, 3, 3], "w");
    const count = (values: Float32Array) => values.filter(Number.isNaN).length;
    using plain = await createRuntime({ variant: "simd" });
    using exact = await createRuntime({ variant: "simd", precision: "exact" });
    const seen = (rt: Runtime, precision?: Precision) => {
      using weight = rt.tensor(data, [16, 16, 3, 3]);
      using image = rt.tensor(x, input);
      using y = rt.conv2d(image, weight, null, { padding: 1, ...(precision && { precision }) });
      return count(y.toArray() as Float32Array);
    };
    expect(seen(plain)).toBeGreaterThan(9 * 16);
    expect(seen(plain, "exact")).toBe(9 * 16);
    expect(seen(exact)).toBe(9 * 16);

    const weights = { w: { shape: [16, 16, 3, 3], dtype: "float32", data } } as const;
    const run = (own: object, options: object) => {
      const graph = new Graph();
      graph.output("y", graph.layer("a").conv2d(graph.input("x", input), "w", null, { padding: 1, ...own }));
      using model = createModel(plain, graph, weights, options);
      using image = plain.tensor(x, input);
      return count(model.run({ x: image })["y"]?.toArray() as Float32Array);
    };
    expect(run({}, {})).toBeGreaterThan(9 * 16);
    expect(run({ precision: "exact" }, {})).toBe(9 * 16);
    expect(run({}, { precision: "exact" })).toBe(9 * 16);

    using line = plain.tensor(x, [1, 16, 196]);
    using taps = plain.tensor(fill([16, 16, 3], "w"), [16, 16, 3]);
    using one = plain.conv1d(line, taps, null, { padding: 1, precision: "exact" });
    expect(count(one.toArray() as Float32Array)).toBe(3 * 16);
    using image = plain.tensor(x, input);
    using depthwise = plain.tensor(fill([16, 1, 7, 7], "d"), [16, 1, 7, 7]);
    using pointwise = plain.tensor(fill([16, 16, 1, 1], "p"), [16, 16, 1, 1]);
    for (const algorithm of ["rows", "halves"] as const) {
      const options = { padding: 3, precision: "exact", algorithm } as const;
      using two = plain.separableConv2d(image, depthwise, pointwise, null, null, options);
      // Row 5 and column 6 are seen by rows 2 to 8 and columns 3 to 9, of all filters.
      expect(count(two.toArray() as Float32Array)).toBe(49 * 16);
    }
  });
});

describe("precision: high", () => {
  it.each(["simd", "relaxed"] as const)("spreads nothing further than the default does, in %s", (variant) => {
    for (const groups of [1, 0])
      for (const C of [4, 8, 16, 32, 64, 256])
        for (const H of [6, 7, 14, 28, 56])
          for (const R of [1, 3, 5, 7, 9]) {
            const by = groups || C;
            const shape = convShape([1, C, H, H], [C, C / by, R, R], { padding: "same", groups: by });
            const high = select(shape, variant, { precision: "high" }).row.spread;
            expect(high).toBeLessThanOrEqual(select(shape, variant).row.spread);
          }
  });

  const layer = { input: [1, 64, 28, 28], weight: [64, 64, 3, 3] };
  const shape = convShape(layer.input, layer.weight, { padding: 1 });

  it.each(["simd", "relaxed"] as const)("leaves out what rounds more, and says so, in %s", (variant) => {
    const plain = select(shape, variant);
    expect(plain.row.error).toBeGreaterThan(PRECISIONS.high);
    expect(plain.reason).not.toMatch(/precision/);
    const high = select(shape, variant, { precision: "high" });
    expect(high.row.error).toBeLessThanOrEqual(PRECISIONS.high);
    expect(high.reason).toMatch(/; precision high leaves out winograd43, winograd63, fft$/);
  });

  it("says nothing where it leaves out nothing, and does not touch a named algorithm", () => {
    const strided = convShape(layer.input, layer.weight, { stride: 2 });
    expect(select(strided, "simd", { precision: "high" }).reason).not.toMatch(/precision/);
    expect(select(shape, "simd", { precision: "high", algorithm: "winograd63" }).row.algorithm).toBe("winograd63");
  });

  it("reaches plans, eager calls, graphs and models, from the runtime, the model or the layer", async () => {
    using plain = await createRuntime({ variant: "simd" });
    using high = await createRuntime({ variant: "simd", precision: "high" });
    const planned = (rt: Runtime, precision?: Precision) => {
      using weight = rt.zeros(layer.weight);
      using plan = rt.plan.conv2d({ input: layer.input, weight, padding: 1, ...(precision && { precision }) });
      return plan.describe();
    };
    expect(planned(plain)).toMatchObject({ algorithm: "winograd43", error: 5.5e-6 });
    expect(planned(plain, "high").reason).toMatch(/precision high/);
    expect(planned(high).reason).toMatch(/precision high/);
    expect(planned(high, "default").algorithm).toBe("winograd43");

    const graph = new Graph();
    const x = graph.input("x", layer.input);
    const a = graph.layer("a").conv2d(x, "w", null, { padding: 1 });
    graph.output("y", graph.layer("b").conv2d(a, "w", null, { padding: 1, precision: "high" }));
    const weights = { w: { shape: layer.weight, dtype: "float32", data: new Float32Array(64 * 64 * 9) } } as const;
    const errors = (rt: Runtime, precision?: Precision) => {
      using model = createModel(rt, graph, weights, { ...(precision && { precision }) });
      const layers = model.summary().rows.filter(({ error }) => error !== undefined);
      return layers.map(({ error }) => (error as number) <= PRECISIONS.high);
    };
    expect(errors(plain)).toEqual([false, true]);
    expect(errors(plain, "high")).toEqual([true, true]);
    expect(errors(high)).toEqual([true, true]);
    expect(errors(high, "default")).toEqual([false, true]);

    using image = plain.tensor(fill(layer.input, "x"), layer.input);
    using weight = plain.tensor(fill(layer.weight, "w"), layer.weight);
    using eager = plain.conv2d(image, weight, null, { padding: 1, precision: "high" });
    const { algorithm } = select(shape, "simd", { precision: "high", memory: "fast" }).row;
    using named = plain.conv2d(image, weight, null, { padding: 1, algorithm });
    expect(eager.toArray()).toEqual(named.toArray());
  });

  it("reaches conv1d and both halves of separableConv2d, and describe() says the larger error", async () => {
    using rt = await createRuntime({ variant: "simd" });
    using line = rt.zeros([64, 64, 3]);
    using one = rt.plan.conv1d({ input: [1, 64, 256], weight: line, padding: 1, precision: "high" });
    expect(one.describe().reason).toMatch(/precision high/);
    using depthwiseWeight = rt.zeros([64, 1, 3, 3]);
    using pointwiseWeight = rt.zeros([64, 64, 1, 1]);
    const options = { depthwiseWeight, pointwiseWeight, precision: "high" } as const;
    using two = rt.plan.separableConv2d({ input: [1, 64, 28, 28], ...options });
    expect(two.describe().reason).toMatch(/depthwise: .*precision high.*pointwise: /);
    const gemm = CONV_ROWS.find(({ algorithm }) => algorithm === "implicit-gemm");
    expect(two.describe()).toMatchObject({ algorithm: "depthwise + implicit-gemm", error: gemm?.error });
    using other = rt.plan.relu({ input: [4] });
    expect(other.describe()).not.toHaveProperty("error");
  });
});
