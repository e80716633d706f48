// The graph compiler: every rule on plain graphs, before and after, what must be left alone, and that models answer the same
// with and without.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createModel,
  createRuntime,
  Graph,
  type HostTensor,
  type Runtime,
  summarize,
  type Value,
} from "../src/index.js";
import { inferGraph } from "../src/model/infer-graph.js";
import { type Rule, rewrite } from "../src/model/rewrite.js";
import { foldNormalisation, fuseActivation, fuseResidual, joinSeparable, RULES } from "../src/model/rules.js";
import { sourceOf } from "../src/model/weights.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import { ref } from "./reference.js";
import { expectClose } from "./tolerance.js";

function host(shape: readonly number[], seed = String(shape)): HostTensor {
  return { shape, dtype: "float32", data: fill(shape, seed) };
}

const WEIGHTS = {
  w: host([6, 6, 3, 3]),
  wide: host([6, 6, 1, 1]),
  b: host([6], "b"),
  d: host([6, 1, 3, 3], "d"),
  line: host([6, 6, 3], "line"),
  square: host([6, 6], "square"),
  flat: host([5, 120], "flat"),
  flatB: host([5], "flatB"),
  mean: host([6], "mean"),
  variance: { ...host([6]), data: fill([6], "variance").map((v) => 0.5 + v * v) },
  gamma: host([6], "gamma"),
  beta: host([6], "beta"),
  constant: host([2, 6, 5, 4], "constant"),
  scale: host([6, 1, 1], "scale"),
};

/** One line a node: name = op(inputs; params) options. */
function text({ nodes }: Pick<Graph, "nodes">): string[] {
  return nodes.map(({ name, op, inputs, params, options, outputs }) => {
    const given = params.filter((param) => param !== null).join(" ");
    const shown = Object.keys(options).length > 0 ? ` ${JSON.stringify(options)}` : "";
    return `${outputs[0]} = ${name}: ${op}(${inputs.join(" ")}; ${given})${shown}`;
  });
}

type Make = (g: Graph, x: Value) => Value;

function graphOf(make: Make, shape: readonly number[] = [2, 6, 5, 4]): Graph {
  const g = new Graph();
  g.output("y", make(g, g.input("x", shape)));
  return g;
}

const NORM = ["mean", "variance", "gamma", "beta"] as const;

describe("rewrites", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await createRuntime();
  });
  afterAll(() => rt.dispose());

  const apply = (g: Graph, ...rules: Rule[]) => {
    const { specs } = inferGraph(g, sourceOf(WEIGHTS).specOf);
    const frozen = JSON.stringify(g);
    const result = rewrite(g, specs, rules);
    expect(JSON.stringify(g)).toBe(frozen); // pure
    return result;
  };

  it.each<readonly [string, Rule, Make, before: readonly string[], after: readonly string[]]>([
    [
      "an activation goes into the layer before it",
      fuseActivation,
      (g, x) => g.layer("act").relu(g.layer("conv").conv2d(x, "w", "b", { padding: 1 })),
      ['conv = conv: conv2d(x; w b) {"padding":1}', "act = act: relu(conv; )"],
      ['act = conv: conv2d(x; w b) {"padding":1,"activation":"relu"}'],
    ],
    [
      "an activation's parameters go with it",
      fuseActivation,
      (g, x) => g.layer("act").leakyRelu(g.layer("sum").add(x, "scale"), { alpha: 0.2 }),
      ["sum = sum: add(x scale; )", 'act = act: leakyRelu(sum; ) {"alpha":0.2}'],
      ['act = sum: add(x scale; ) {"activation":{"type":"leakyRelu","alpha":0.2}}'],
    ],
    [
      "an addition goes into the convolution before it, and what the sum would do goes with it",
      fuseResidual,
      (g, x) => g.layer("sum").add(x, g.layer("conv").conv2d(x, "w", null, { padding: 1 }), { activation: "relu" }),
      ['conv = conv: conv2d(x; w) {"padding":1}', 'sum = sum: add(x conv; ) {"activation":"relu"}'],
      ['sum = conv: conv2d(x x; w) {"padding":1,"activation":"relu"}'],
    ],
    [
      "of two convolutions the one that comes last takes the other's sum",
      fuseResidual,
      (g, x) => g.layer("sum").add(g.layer("one").conv2d(x, "wide"), g.layer("two").conv2d(x, "wide", "b")),
      ["one = one: conv2d(x; wide)", "two = two: conv2d(x; wide b)", "sum = sum: add(one two; )"],
      ["one = one: conv2d(x; wide)", "sum = two: conv2d(x one; wide b)"],
    ],
    [
      "a batch normalisation goes into the filters before it",
      foldNormalisation,
      (g, x) => g.layer("bn").batchNorm(g.layer("conv").conv2d(x, "w", null), ...NORM, { activation: "relu" }),
      ["conv = conv: conv2d(x; w)", 'bn = bn: batchNorm(conv; mean variance gamma beta) {"activation":"relu"}'],
      ['bn = conv: conv2d(x; w (bn) conv.bias (bn)) {"activation":"relu"}'],
    ],
    [
      "all of them, until none fits",
      (node, scope) => {
        for (const rule of RULES) {
          const found = rule(node, scope);
          if (found !== undefined) return found;
        }
        return undefined;
      },
      (g, x) => {
        const first = g.layer("bn").batchNorm(g.layer("conv").conv2d(x, "w", "b", { padding: 1 }), ...NORM);
        return g.layer("act").relu(g.layer("sum").add(first, x));
      },
      [
        'conv = conv: conv2d(x; w b) {"padding":1}',
        "bn = bn: batchNorm(conv; mean variance gamma beta)",
        "sum = sum: add(bn x; )",
        "act = act: relu(sum; )",
      ],
      ['act = conv: conv2d(x x; w (bn) conv.bias (bn)) {"padding":1,"activation":"relu"}'],
    ],
  ])("%s", (_, rule, make, before, after) => {
    const g = graphOf(make);
    expect(text(g)).toEqual(before);
    expect(text(apply(g, rule).graph as Graph)).toEqual(after);
  });

  it("a depthwise and a pointwise convolution become one block", () => {
    const make: Make = (g, x) => {
      const deep = g.layer("dw").conv2d(x, "d", "b", { groups: 6, padding: 1, stride: 2, activation: "relu6" });
      return g.layer("pw").conv2d(deep, "wide", null, { activation: "relu" });
    };
    const g = graphOf(make, [1, 6, 440, 440]);
    expect(text(g)).toEqual([
      'dw = dw: conv2d(x; d b) {"groups":6,"padding":1,"stride":2,"activation":"relu6"}',
      'pw = pw: conv2d(dw; wide) {"activation":"relu"}',
    ]);
    expect(text(apply(g, joinSeparable).graph as Graph)).toEqual([
      "pw = dw + pw: separableConv2d(x; d wide b) " +
        '{"padding":1,"stride":2,"depthwiseActivation":"relu6","activation":"relu"}',
    ]);
  });

  it.each<readonly [string, Make]>([
    [
      "a value that is read twice",
      (g, x) => {
        const conv = g.conv2d(x, "w", null, { padding: 1 });
        return g.concat([g.relu(conv), g.batchNorm(conv, "mean", "variance"), g.add(conv, conv)]);
      },
    ],
    ["a value that is an output", (g, x) => g.relu(g.output("shown", g.conv2d(x, "w")))],
    ["a second activation", (g, x) => g.sigmoid(g.conv2d(x, "w", null, { activation: "relu" }))],
    [
      "what comes after an activation",
      (g, x) => {
        const conv = g.conv2d(x, "w", null, { padding: 1, activation: "relu" });
        return g.add(g.batchNorm(conv, "mean", "variance"), x);
      },
    ],
    ["a normalised sum", (g, x) => g.batchNorm(g.conv2d(x, "wide", null, { residual: x }), "mean", "variance")],
    ["a second residual", (g, x) => g.add(g.conv2d(x, "wide", null, { residual: x }), "constant")],
    ["an addition that broadcasts", (g, x) => g.add(g.conv2d(x, "wide"), "scale")],
    ["an addition to a depthwise convolution", (g, x) => g.add(g.conv2d(x, "d", null, { groups: 6, padding: 1 }), x)],
    [
      "a depthwise and a pointwise convolution that the cache holds",
      (g, x) => g.conv2d(g.conv2d(x, "d", null, { groups: 6, padding: 1 }), "wide"),
    ],
    ["activations of inputs and views", (g, x) => g.relu(g.flatten(g.sigmoid(x)))],
  ])("leaves alone: %s", (_, make) => {
    const g = graphOf(make);
    const { graph, derived } = apply(g, ...RULES);
    expect(graph).toBe(g);
    expect(derived.size).toBe(0);
  });

  it("gives derived parameters names of their own", () => {
    const g = graphOf((graph, x) => {
      const twin = graph.parameter("wide (bn)", [6, 6, 1, 1]);
      return graph.layer("bn").batchNorm(graph.layer("conv").conv2d(graph.conv2d(x, twin), "wide"), "mean", "variance");
    });
    const { specs } = inferGraph(g, sourceOf({ ...WEIGHTS, "wide (bn)": WEIGHTS.wide }).specOf);
    expect([...rewrite(g, specs, RULES).derived.keys()]).toEqual(["wide (bn)'", "conv.bias (bn)"]);
  });
});

const NETWORKS: Readonly<Record<string, { make: Make; shape?: readonly number[]; steps: number }>> = {
  "a residual block with a shortcut of its own": {
    steps: 3,
    make: (g, x) => {
      const bn = (value: Value) => g.batchNorm(value, ...NORM);
      const first = g.relu(bn(g.conv2d(x, "w", null, { padding: 1 })));
      const second = bn(g.conv2d(first, "w", "b", { padding: 1 }));
      return g.relu(g.add(second, bn(g.conv2d(x, "wide"))));
    },
  },
  "an inverted residual": {
    steps: 3,
    make: (g, x) => {
      const wide = g.relu6(g.batchNorm(g.conv2d(x, "wide"), "mean", "variance", null, null, { epsilon: 0.1 }));
      const deep = g.relu6(g.batchNorm(g.conv2d(wide, "d", "b", { groups: 6, padding: 1 }), ...NORM));
      return g.add(x, g.batchNorm(g.conv2d(deep, "wide"), ...NORM));
    },
  },
  "an inverted residual, by rows": {
    steps: 2,
    shape: [1, 6, 209, 211],
    make: (g, x) => {
      const wide = g.relu6(g.batchNorm(g.conv2d(x, "wide"), ...NORM));
      const deep = g.relu6(g.batchNorm(g.conv2d(wide, "d", "b", { groups: 6, padding: 1 }), ...NORM));
      return g.add(x, g.batchNorm(g.conv2d(deep, "wide"), ...NORM));
    },
  },
  "activations that are no clamp": {
    steps: 3,
    make: (g, x) => {
      const first = g.silu(g.conv2d(x, "w", "b", { padding: 1 }));
      return g.hardSwish(g.add(g.gelu(g.conv2d(first, "wide"), { approximate: "tanh" }), x));
    },
  },
  "a constant as residual, and chains of normalisations": {
    steps: 1,
    make: (g, x) => {
      const twice = g.batchNorm(g.batchNorm(g.conv2d(x, "w", null, { padding: 1 }), ...NORM), ...NORM);
      return g.clip(g.add("constant", twice), { min: -1, max: 2 });
    },
  },
  "lines and matrices": {
    steps: 3,
    shape: [4, 6, 20],
    make: (g, x) => {
      const line = g.relu(g.add(g.batchNorm(g.conv1d(x, "line", null, { padding: 1 }), ...NORM), x));
      const matrix = g.tanh(g.linear(g.flatten(line), "flat", "flatB"));
      return g.add(matrix, "flatB", { activation: "relu" });
    },
  },
  "a normalised fully connected layer": {
    steps: 1,
    shape: [4, 6],
    make: (g, x) => g.elu(g.batchNorm(g.linear(x, "square", "b"), ...NORM), { alpha: 0.5 }),
  },
};

describe.each(BINARIES)("models on $name, optimised and as they stand", ({ create }) => {
  it.each(Object.entries(NETWORKS))("%s", async (_, { make, shape = [2, 6, 5, 4], steps }) => {
    const rt = await create();
    const g = graphOf(make, shape);
    using plain = createModel(rt, g, WEIGHTS, { optimize: false });
    using merged = createModel(rt, g, WEIGHTS);
    const layers = (model: { summary(): { rows: readonly { layer: string; algorithm: string }[] } }) =>
      model.summary().rows.filter(({ layer, algorithm }) => layer !== "" && algorithm !== "view");
    expect(layers(plain).length).toBe(g.nodes.filter(({ op }) => op !== "flatten").length);
    expect(layers(merged).length).toBe(steps);
    expect(merged.plan.totalBytes).toBeLessThanOrEqual(plain.plan.totalBytes);
    expect(String(summarize(rt, g, WEIGHTS))).toBe(String(merged.summary()));
    expect(String(summarize(rt, g, WEIGHTS, { optimize: false }))).toBe(String(plain.summary()));
    using x = rt.tensor(fill(shape, "x"), shape);
    for (let run = 0; run < 2; run++) {
      const expected = plain.run({ x })["y"]?.toArray() as Float32Array;
      const actual = merged.run({ x })["y"]?.toArray() as Float32Array;
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expectClose(actual, ref([actual.length], expected), 1e-5 * largest, "y");
    }
    rt.dispose();
  });
});

describe("optimize", () => {
  it("takes a residual's memory for the output where nobody else needs it", async () => {
    const rt = await createRuntime();
    const make: Make = (g, x) => {
      const first = g.layer("first").conv2d(x, "wide"); // read by the second convolution and by the sum
      return g.add(g.conv2d(first, "w", null, { padding: 1, algorithm: "implicit-gemm" }), first);
    };
    using kept = createModel(rt, graphOf(make, [1, 6, 40, 40]), WEIGHTS);
    // Three images: x, the first sum, which becomes the second one, and the padded input of the second convolution at most.
    expect(kept.plan.arenaBytes).toBeLessThan(3.5 * 6 * 40 * 40 * 4);
    expect(() => createModel(rt, graphOf(make), WEIGHTS, { optimize: 1 as never })).toThrow(
      /"optimize" expected true or false/,
    );
    rt.dispose();
  });
});
