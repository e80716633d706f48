// linear and matmul on every case, all binaries, against the float64 reference.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Graph, type Runtime, ShapeError, summarize, type TensorSpec } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { LINEAR_CASES, MATMUL_CASES, showCase } from "./cases.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose } from "./tolerance.js";

describe.each(BINARIES)("products on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
  });

  const lengths = [1, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31].map((K) => ({
    name: `K = ${K}`,
    x: [2, K],
    M: 5,
    bias: true,
  }));
  it.each([...LINEAR_CASES, ...lengths].map((c) => [showCase(c), c] as const))("linear %s", (label, c) => {
    const K = c.x.at(-1) as number;
    const [x, w, b] = [
      fill(c.x, `${c.name} x`),
      fill([c.M, K], `${c.name} w`),
      c.bias ? fill([c.M], `${c.name} b`) : null,
    ];
    const operands = [refOf(x, c.x), refOf(w, [c.M, K]), b && refOf(b, [c.M])] as const;
    const expected = reference.linear(...operands);
    const tolerance = dotTolerance(K, reference.linearMagnitude(...operands));
    using weight = rt.tensor(w, [c.M, K]);
    using bias = b ? rt.tensor(b, [c.M]) : null;
    for (const format of FORMATS.filter((f) => f === "contiguous" || c.x.length >= 3)) {
      using input = tensorOf(rt, x, c.x, format);
      using y = rt.linear(input, weight, bias);
      expect(y.shape).toEqual(expected.shape);
      expectClose(y.toArray() as Float32Array, expected, tolerance, `${label} ${format}`);
      using plan = rt.plan.linear({ input: c.x, memoryFormat: format, weight, bias, activation: "relu" });
      using r = rt.empty(plan.outputs[0] as TensorSpec);
      plan.run(input, r);
      expectClose(r.toArray() as Float32Array, reference.relu(expected), tolerance, `${label} relu`);
    }
  });

  it("linear of 1 to 4 rows and up to 41 outputs; NaN behind a row stays there", () => {
    const K = 7;
    for (const M of [...Array.from({ length: 17 }, (_, i) => i + 1), 24, 25, 32, 33, 36, 41]) {
      const w = fill([M, K], M);
      // The last lanes of a row of w are the first of the next row: a NaN there must not reach this one.
      if (M > 1) w[(M - 1) * K] = NaN;
      using weight = rt.tensor(w, [M, K]);
      for (let N = 1; N <= 4; N++) {
        const x = fill([N, K], 100 * M + N);
        using input = rt.tensor(x, [N, K]);
        using y = rt.linear(input, weight, null, { activation: "relu6" });
        const operands = [refOf(x, [N, K]), refOf(w, [M, K]), null] as const;
        const expected = reference.relu6(reference.linear(...operands));
        const tolerance = dotTolerance(K, reference.linearMagnitude(...operands));
        expectClose(y.toArray() as Float32Array, expected, tolerance, `${N} rows, ${M} outputs`);
        using plan = rt.plan.linear({ input: [N, K], weight, activation: "relu6" });
        expect(plan.describe().algorithm).toBe(N < 4 ? "panels" : "gemm");
        plan.run(input, y);
        expectClose(y.toArray() as Float32Array, expected, tolerance, `${N} rows, ${M} outputs, planned`);
      }
    }
  });

  it("plans give the same bits run after run, and give their memory back", () => {
    using w = rt.tensor(fill([11, 13], "w"), [11, 13]);
    using x = rt.tensor(fill([2, 13], "x"), [2, 13]);
    using z = rt.tensor(fill([13, 11], "z"), [13, 11]);
    using y = rt.empty([2, 11]);
    const before = rt.report();
    for (const plan of [rt.plan.linear({ input: [2, 13], weight: w }), rt.plan.matmul({ a: [2, 13], b: [13, 11] })]) {
      const operands = plan.describe().op === "linear" ? [x] : [x, z];
      const first = plan.run(...operands, y).toArray();
      expect(plan.run(...operands, y).toArray()).toEqual(first);
      plan.dispose();
    }
    expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0 });
  });

  it("matmul refuses batches too uneven to walk, whatever their number, at once", () => {
    const before = rt.report();
    for (const size of [8192, 2 ** 20]) {
      expect(() => rt.plan.matmul({ a: [size, 1, 1, 1], b: [size, 1, 1] })).toThrow(/"b" expected|"output" expected/);
    }
    using plan = rt.plan.matmul({ a: [2, 1, 3, 1, 4, 5], b: [1, 7, 1, 2, 5, 3] });
    expect(plan.describe().output).toEqual([2, 7, 3, 2, 4, 3]);
    plan.dispose();
    expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0 });
  });

  const alternating = { name: "batches that broadcast by turns", a: [2, 1, 3, 1, 4, 5], b: [1, 7, 1, 2, 5, 3] };
  const uneven = { name: "uneven broadcast", a: [2, 3, 1, 4, 5], b: [3, 2, 5, 3] };
  it.each([...MATMUL_CASES, uneven, alternating].map((c) => [showCase(c), c] as const))("matmul %s", (label, c) => {
    const [a, b] = [fill(c.a, `${c.name} a`), fill(c.b, `${c.name} b`)];
    const operands = [refOf(a, c.a), refOf(b, c.b)] as const;
    const expected = reference.matmul(...operands);
    const tolerance = dotTolerance(c.a.at(-1) as number, reference.matmulMagnitude(...operands));
    for (const format of FORMATS) {
      using left = tensorOf(rt, a, c.a, c.a.length >= 3 ? format : "contiguous");
      using right = tensorOf(rt, b, c.b, c.b.length >= 3 ? format : "contiguous");
      using y = rt.matmul(left, right);
      expect(y.shape).toEqual(expected.shape);
      expectClose(y.toArray() as Float32Array, expected, tolerance, `${label} ${format}`);
    }
  });

  it("an eager call and a model's large weights are read in place", () => {
    const graph = new Graph();
    const rows = graph.input("x", [1, 2048]);
    graph.output("y", graph.linear(rows, graph.parameter("w", [1032, 2048])));
    const { rows: layers } = summarize(rt, graph);
    expect(layers[0]?.algorithm).toBe("rows");
  });

  it("refuses shapes that do not fit, with nothing changed", () => {
    using x = rt.zeros([2, 5]);
    using w = rt.zeros([3, 4]);
    using v = rt.zeros([2, 4, 5]);
    using u = rt.zeros([3, 5, 4]);
    using scalar = rt.zeros([]);
    const before = rt.report();
    expect(() => rt.linear(x, w)).toThrow(/"input" expected shape \[..., 4\], got \[2, 5\]/);
    expect(() => rt.linear(x, v)).toThrow(ShapeError);
    expect(() => rt.matmul(x, w)).toThrow(/"b" expected 5 rows/);
    expect(() => rt.matmul(v, u)).toThrow(/broadcast/);
    expect(() => rt.matmul(scalar, x)).toThrow(ShapeError);
    expect(rt.report()).toMatchObject({ bytesInUse: before.bytesInUse, livePlans: 0 });
  });
});
