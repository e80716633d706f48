// PReLU by channel in the store of a sum: every algorithm, with and without a residual, against the float64 reference; and what the
// rewrite has to leave alone.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import { createModel, Graph, type HostTensor, type Runtime, type Value } from "../src/index.js";
import { CONV_ROWS } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";
import { CONV_CASES, convShapes, showCase } from "./cases.js";
import { preparedConv } from "./conv-prepared.js";
import { fill } from "./random.js";
import { abs, add, conv1d, linear, prelu } from "./reference.js";
import { refOf, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose, expectExact, normTolerance, TRANSFORM_FACTORS } from "./tolerance.js";

const host = (shape: readonly number[], data: Float32Array): HostTensor => ({ shape, dtype: "float32", data });
/** Slopes of both signs, of at most 1 as fill has them: no larger than what they are multiplied with. */
const slopesOf = (M: number) => fill([M], `slopes ${M}`);
const MOST_GROUPS = 64;
const CASES = CONV_CASES.filter(
  ({ activation, name, R }, i) => activation === "none" && R < 13 && (i % 6 === 0 || /600|521|groups/.test(name)),
);

describe.each(BINARIES)("slopes on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
    rt.dispose();
  });

  /** y of a graph, the operators it runs, and y of the same graph as it stands. */
  function both(g: Graph, weights: Record<string, HostTensor>, inputs: Record<string, HostTensor>) {
    const answers = [true, false].map((optimize) => {
      using model = createModel(rt, g, weights, { optimize });
      const given = Object.entries(inputs).map(([name, { data, shape }]) => {
        return [
          name,
          tensorOf(rt, data as Float32Array, shape, model.inputs.find((i) => i.name === name)?.memoryFormat),
        ];
      });
      const tensors = Object.fromEntries(given) as Record<string, ReturnType<typeof tensorOf>>;
      const y = model.run(tensors)["y"]?.toArray() as Float32Array;
      for (const tensor of Object.values(tensors)) tensor.dispose();
      const ops = model.summary().rows.map(({ op }) => op);
      return { y, ops: ops.filter((op) => op !== "toMemoryFormat") };
    }) as [{ y: Float32Array; ops: string[] }, { y: Float32Array; ops: string[] }];
    return { ...answers[0], plain: answers[1] };
  }

  const rows = CONV_ROWS.flatMap((row) =>
    CASES.filter((c) => row.accepts(convShape(convShapes(c).x, convShapes(c).weight, c)) === true)
      .filter((c) => c.groups <= MOST_GROUPS || row.algorithm === "depthwise")
      .map((c) => [row.algorithm, showCase(c), c] as const),
  );
  it("has cases of every algorithm", () => expect(new Set(rows.map(([algorithm]) => algorithm)).size).toBe(8));

  it.each(rows)("%s: %s", (algorithm, label, c) => {
    const shapes = convShapes(c);
    const { x, w, b, sums, magnitude } = preparedConv(c);
    const slopes = slopesOf(c.M);
    const r = fill(shapes.y, `${c.name} r`);
    const factor = TRANSFORM_FACTORS[algorithm];
    const { stride, padding, dilation, groups } = c;
    const weights = {
      w: host(shapes.weight, w),
      slope: host([c.M, 1, 1], slopes),
      ...(b && { b: host(shapes.bias, b) }),
    };
    for (const hasResidual of c.groups > 1 && c.groups === c.C ? [false] : [false, true]) {
      const g = new Graph();
      let value: Value = g
        .layer("conv")
        .conv2d(g.input("x", shapes.x), "w", b && "b", { stride, padding, dilation, groups, algorithm });
      if (hasResidual) value = g.add(value, g.input("r", shapes.y));
      g.output("y", g.prelu(value, "slope"));
      const inputs = { x: host(shapes.x, x), ...(hasResidual && { r: host(shapes.y, r) }) };
      const { y, ops } = both(g, weights, inputs);
      expect(ops).toEqual(["conv2d"]);
      const residual = refOf(r, shapes.y);
      const all = hasResidual ? add(sums, residual) : sums;
      const size = hasResidual ? add(magnitude, abs(residual)) : magnitude;
      const expected = prelu(all, refOf(slopes, [c.M, 1, 1]));
      const tolerance = (
        factor === undefined
          ? dotTolerance(shapes.reduction + 1, size)
          : normTolerance(shapes.reduction + 1, size, factor)
      ).map((t, i) => t + 2e-7 * Math.abs(expected.data[i] as number));
      expectClose(y, expected, tolerance, `${label} ${hasResidual}`);
    }
  });

  it.each([1, 3, 4, 9])("linear of %i rows", (N) => {
    const [K, M] = [45, 37];
    const [x, w, b, slopes] = [fill([N, K], "x"), fill([M, K], "w"), fill([M], "b"), slopesOf(M)];
    const weights = { w: host([M, K], w), b: host([M], b), slope: host([M], slopes) };
    const g = new Graph();
    g.output("y", g.prelu(g.linear(g.input("x", [N, K]), "w", "b"), "slope"));
    const { y, ops } = both(g, weights, { x: host([N, K], x) });
    expect(ops).toEqual(["linear"]);
    const sums = linear(refOf(x, [N, K]), refOf(w, [M, K]), refOf(b, [M]));
    expectClose(y, prelu(sums, refOf(slopes, [M])), 2e-5, `${N} rows`);
  });

  it("conv1d, and a separable block by rows with a residual", () => {
    const [x, w, slopes] = [fill([2, 6, 40], "x"), fill([11, 6, 3], "w"), slopesOf(11)];
    const line = new Graph();
    line.output("y", line.prelu(line.conv1d(line.input("x", [2, 6, 40]), "w", null, { padding: 1 }), "slope"));
    const found = both(line, { w: host([11, 6, 3], w), slope: host([11, 1], slopes) }, { x: host([2, 6, 40], x) });
    expect(found.ops).toEqual(["conv1d"]);
    const sums = conv1d(refOf(x, [2, 6, 40]), refOf(w, [11, 6, 3]), null, { padding: [1, 1] });
    expectClose(found.y, prelu(sums, refOf(slopes, [11, 1])), 2e-5, "conv1d");

    const image = [1, 64, 56, 60];
    const g = new Graph();
    const input = g.input("x", image);
    const between = g.conv2d(input, "d", null, { padding: 1, groups: 64 });
    g.output("y", g.prelu(g.add(g.conv2d(between, "p", "b"), input), "slope"));
    const weights = {
      d: host([64, 1, 3, 3], fill([64, 1, 3, 3], "d")),
      p: host([64, 64, 1, 1], fill([64, 64, 1, 1], "p")),
      b: host([64], fill([64], "b")),
      slope: host([64, 1, 1], slopesOf(64)),
    };
    const { y, ops, plain } = both(g, weights, { x: host(image, fill(image, "image")) });
    expect(ops).toEqual(["separableConv2d"]);
    expect(plain.ops.length).toBe(4);
    expectExact(y, plain.y, "the same kernels, the same bits");
  });

  it("leaves slopes alone that are not one a channel, and sums that others read", () => {
    const shape = [1, 4, 3, 4];
    const weights = (slope: readonly number[]) => ({
      w: host([4, 4, 1, 1], fill([4, 4, 1, 1], "w")),
      slope: host(slope, fill(slope, "slope")),
    });
    const inputs = { x: host(shape, fill(shape, "x")) };
    const make = (end: (g: Graph, conv: Value) => void) => {
      const g = new Graph();
      end(g, g.conv2d(g.input("x", shape), "w"));
      return g;
    };
    const plain = (end: (g: Graph, conv: Value) => void, slope: readonly number[]) => {
      const { y, ops, plain } = both(make(end), weights(slope), inputs);
      expect(ops).toContain("prelu");
      expectExact(y, plain.y, "as it stands");
    };
    plain((g, conv) => g.output("y", g.prelu(conv, "slope")), [1, 1, 1, 4]); // by column
    plain((g, conv) => g.output("y", g.prelu(conv, "slope")), [4, 3, 4]); // by element
    plain((g, conv) => g.output("y", g.prelu(conv, "slope")), [1]);
    plain((g, conv) => g.output("y", g.prelu(g.relu(conv), "slope")), [4]); // the store is taken
    plain(
      (g, conv) => {
        g.output("y", g.prelu(conv, "slope"));
        g.output("sums", conv);
      },
      [4, 1, 1],
    );
  });
});
