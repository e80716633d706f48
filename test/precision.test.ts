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
    const stated = new Map<string, number>();
    for (const line of page.split("\n").filter((text) => text.startsWith("| `"))) {
      const cells = line.split("|").map((cell) => cell.trim());
      const names = [...(cells[1] as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
      const errors = (cells.at(-2) as string).split(", ").map(Number);
      names.forEach((name, i) => {
        stated.set(name, errors[i] as number);
      });
    }
    for (const { algorithm, error } of CONV_ROWS) expect(stated.get(algorithm), algorithm).toBe(error);
  });
});

describe("precision: high", () => {
  const layer = { input: [1, 64, 28, 28], weight: [64, 64, 3, 3] };
  const shape = convShape(layer.input, layer.weight, { padding: 1 });

  it.each(["simd", "relaxed"] as const)("leaves out what rounds more, and says so, in %s", (variant) => {
    const plain = select(shape, variant);
    expect(plain.row.error).toBeGreaterThan(PRECISIONS.high);
    expect(plain.reason).not.toMatch(/precision/);
    const high = select(shape, variant, { precision: "high" });
    expect(high.row.error).toBeLessThanOrEqual(PRECISIONS.high);
    expect(high.reason).toMatch(/; precision high leaves out winograd43, winograd63$/);
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
