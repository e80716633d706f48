// Operators that are made of others: com.microsoft's merged ones, attention and rotary embedding, against the reference; on kernels
// where every shape is known and where only a run brings it, and folded where all is constant.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countOf } from "../src/base/shape.js";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Attribute, type Constant, onnxFile, typed } from "./onnx-file.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";

type Ref = reference.Ref;

interface Case {
  readonly name: string;
  readonly op: string;
  readonly domain?: "com.microsoft";
  /** Of every input; null for one that is left out. */
  readonly shapes: readonly (readonly number[] | null)[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** How many of the first inputs a run brings; the rest is constant. Default 1. */
  readonly given?: number;
  /** The last ones are int64: these. */
  readonly places?: Readonly<Record<number, readonly number[]>>;
  readonly outputs?: number;
  readonly expected: (...inputs: Ref[]) => Ref | readonly Ref[];
}

const ms = "com.microsoft" as const;
const scaled = (x: Ref, factor: number): Ref => reference.map(x, (v) => v * factor);
const swapped = (x: Ref): Ref => {
  const axes = x.shape.map((_, i) => i);
  return reference.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
};
const heads = (x: Ref, count: number): Ref => {
  const [batch, length, hidden] = x.shape as [number, number, number];
  return reference.transpose(reference.reshape(x, [batch, length, count, hidden / count]), [0, 2, 1, 3]);
};
const joined = (x: Ref): Ref => {
  const [batch, count, length, size] = x.shape as [number, number, number, number];
  return reference.reshape(reference.transpose(x, [0, 2, 1, 3]), [batch, length, count * size]);
};

/** softmax(scale q k^T + mask) v, an element at a time. */
function attend(
  q: Ref,
  k: Ref,
  v: Ref,
  mask: (n: number, h: number, i: number, j: number) => number,
  scale?: number,
): Ref {
  const [, , , size] = q.shape as [number, number, number, number];
  const keys = k.shape[2] as number;
  const factor = scale ?? 1 / Math.sqrt(size);
  return reference.build([...q.shape.slice(0, 3), v.shape[3] as number], (n, h, i, d) => {
    const [own, share] = [k.shape[1] as number, (q.shape[1] as number) / (k.shape[1] as number)];
    const head = Math.min(own - 1, Math.floor((h as number) / share));
    let [top, bottom] = [0, 0];
    for (let j = 0; j < keys; j++) {
      let score = 0;
      for (let e = 0; e < size; e++)
        score += reference.at(q, n as number, h as number, i as number, e) * reference.at(k, n as number, head, j, e);
      const weight = Math.exp(score * factor + mask(n as number, h as number, i as number, j));
      top += weight * reference.at(v, n as number, head, j, d as number);
      bottom += weight;
    }
    return top / bottom;
  });
}

const open = () => 0;
const causal = (_n: number, _h: number, i: number, j: number) => (j > i ? -Infinity : 0);
const image = [1, 3, 7, 6];
const conv = (x: Ref, w: Ref, b: Ref | null) => reference.conv2d(x, w, b, { padding: [1, 1, 1, 1] });

/** x1 cos - x2 sin, x1 sin + x2 cos over pairs of the first 2 * pairs elements. */
function rotated(
  x: Ref,
  cos: (n: number, t: number, p: number) => number,
  sin: typeof cos,
  pairs: number,
  isInterleaved: boolean,
): Ref {
  return reference.build(x.shape, (...index) => {
    const [n, h, t, e] = index as [number, number, number, number];
    if (e >= 2 * pairs) return reference.at(x, n, h, t, e);
    const pair = isInterleaved ? Math.floor(e / 2) : e % pairs;
    const isFirst = isInterleaved ? e % 2 === 0 : e < pairs;
    const [a, b] = isInterleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + pairs];
    const [x1, x2] = [reference.at(x, n, h, t, a), reference.at(x, n, h, t, b)];
    return isFirst ? x1 * cos(n, t, pair) - x2 * sin(n, t, pair) : x1 * sin(n, t, pair) + x2 * cos(n, t, pair);
  });
}

const CASES: readonly Case[] = [
  ...(
    [
      ["Relu", [], (y) => reference.relu(y)],
      ["Sigmoid", [], (y) => reference.sigmoid(y)],
      ["Tanh", [], (y) => reference.tanh(y)],
      ["LeakyRelu", [0.3], (y) => reference.leakyRelu(y, Math.fround(0.3))],
      ["HardSigmoid", [0.25, 0.4], (y) => reference.hardSigmoid(y, 0.25, Math.fround(0.4))],
      ["Clip", [-0.5, 1.5], (y) => reference.clip(y, -0.5, 1.5)],
    ] as [string, number[], (y: Ref) => Ref][]
  ).map(
    ([activation, params, f]): Case => ({
      name: `FusedConv with ${activation}`,
      op: "FusedConv",
      domain: ms,
      shapes: [image, [4, 3, 3, 3], [4]],
      attributes: {
        activation,
        pads: [1, 1, 1, 1],
        ...(params.length > 0 && { activation_params: { floats: params } }),
      },
      expected: (x, w, b) => f(conv(x, w, b)),
    }),
  ),
  {
    name: "FusedConv with what is added, and no bias",
    op: "FusedConv",
    domain: ms,
    shapes: [image, [4, 3, 3, 3], null, [1, 4, 7, 6]],
    attributes: { activation: "Relu", pads: [1, 1, 1, 1] },
    expected: (x, w, z) => reference.relu(reference.add(conv(x, w, null), z)),
  },
  {
    name: "FusedMatMul of two activations, turned and scaled",
    op: "FusedMatMul",
    domain: ms,
    shapes: [
      [2, 5, 4],
      [2, 3, 5],
    ],
    given: 2,
    attributes: { transA: 1, transB: 1, alpha: { float: 0.5 } },
    expected: (a, b) => scaled(reference.matmul(swapped(a), swapped(b)), 0.5),
  },
  {
    name: "FusedMatMul by weights",
    op: "FusedMatMul",
    domain: ms,
    shapes: [
      [2, 5, 4],
      [6, 4],
    ],
    attributes: { transB: 1, alpha: { float: -2 } },
    expected: (a, b) => scaled(reference.matmul(a, swapped(b)), -2),
  },
  {
    name: "FusedMatMul whose rows are the first axis",
    op: "FusedMatMul",
    domain: ms,
    shapes: [
      [5, 2, 4],
      [2, 4, 3],
    ],
    given: 2,
    attributes: { transBatchA: 1 },
    expected: (a, b) => reference.matmul(reference.transpose(a, [1, 0, 2]), b),
  },
  {
    name: "FusedGemm",
    op: "FusedGemm",
    domain: ms,
    shapes: [[4, 5], [3, 5], [3]],
    attributes: { transB: 1, activation: "LeakyRelu", activation_alpha: { float: 0.25 }, alpha: { float: 0.5 } },
    expected: (a, b, c) => reference.leakyRelu(reference.add(scaled(reference.matmul(a, swapped(b)), 0.5), c), 0.25),
  },
  {
    name: "QuickGelu",
    op: "QuickGelu",
    domain: ms,
    shapes: [[3, 9]],
    expected: (x) => reference.map(x, (v) => v / (1 + Math.exp(-Math.fround(1.702) * v))),
  },
  { name: "Gelu", op: "Gelu", domain: ms, shapes: [[3, 9]], expected: (x) => reference.gelu(x) },
  {
    name: "BiasGelu",
    op: "BiasGelu",
    domain: ms,
    shapes: [[3, 9], [9]],
    expected: (x, b) => reference.gelu(reference.add(x, b)),
  },
  {
    name: "FastGelu with a bias",
    op: "FastGelu",
    domain: ms,
    shapes: [[3, 9], [9]],
    expected: (x, b) => reference.gelu(reference.add(x, b), "tanh"),
  },
  {
    name: "Swish of another steepness",
    op: "Swish",
    shapes: [[3, 9]],
    attributes: { alpha: { float: 0.5 } },
    expected: (x) => reference.map(x, (v) => v / (1 + Math.exp(-v / 2))),
  },
  {
    name: "SkipLayerNormalization",
    op: "SkipLayerNormalization",
    domain: ms,
    shapes: [[2, 3, 8], [2, 3, 8], [8], [8], [8]],
    given: 2,
    attributes: { epsilon: { float: 0.0009765625 } },
    expected: (x, skip, gamma, beta, bias) =>
      reference.layerNorm(reference.add(reference.add(x, skip), bias), gamma, beta, 0.0009765625),
  },
  {
    name: "SkipLayerNormalization, with its sum",
    op: "SkipLayerNormalization",
    domain: ms,
    shapes: [[2, 3, 8], [2, 3, 8], [8]],
    given: 2,
    outputs: 4,
    expected: (x, skip, gamma) => {
      const sum = reference.add(x, skip);
      return [reference.layerNorm(sum, gamma, null, 1e-12), sum];
    },
  },
  {
    name: "SkipSimplifiedLayerNormalization",
    op: "SkipSimplifiedLayerNormalization",
    domain: ms,
    shapes: [[2, 3, 8], [2, 3, 8], [8]],
    given: 2,
    attributes: { epsilon: { float: 0.25 } },
    expected: (x, skip, gamma) => {
      const sum = reference.add(x, skip);
      return reference.build(sum.shape, (n, t, e) => {
        let squares = 0;
        for (let i = 0; i < 8; i++) squares += reference.at(sum, n as number, t as number, i) ** 2;
        const root = Math.sqrt(squares / 8 + 0.25);
        return (reference.at(sum, n as number, t as number, e as number) / root) * (gamma.data[e as number] as number);
      });
    },
  },
  {
    name: "Attention of heads",
    op: "Attention",
    shapes: [
      [2, 3, 4, 8],
      [2, 3, 6, 8],
      [2, 3, 6, 5],
    ],
    given: 3,
    expected: (q, k, v) => attend(q, k, v, open),
  },
  {
    name: "Attention of rows, fewer heads of keys, with a mask, causal",
    op: "Attention",
    shapes: [
      [2, 4, 12],
      [2, 4, 6],
      [2, 4, 6],
      [4, 4],
    ],
    given: 3,
    attributes: { q_num_heads: 4, kv_num_heads: 2, is_causal: 1, scale: { float: 0.75 } },
    expected: (q, k, v, mask) => {
      const added = (n: number, h: number, i: number, j: number) => causal(n, h, i, j) + reference.at(mask, i, j);
      return joined(attend(heads(q, 4), heads(k, 2), heads(v, 2), added, 0.75));
    },
  },
  {
    name: "com.microsoft Attention",
    op: "Attention",
    domain: ms,
    shapes: [[2, 3, 6], [6, 24], [24]],
    attributes: { num_heads: 2, unidirectional: 1 },
    expected: (x, w, b) => {
      const all = reference.add(reference.matmul(x, w), b);
      const part = (i: number) =>
        heads(
          reference.build([2, 3, 8], (n, t, e) => reference.at(all, n as number, t as number, 8 * i + (e as number))),
          2,
        );
      return joined(attend(part(0), part(1), part(2), causal));
    },
  },
  {
    name: "com.microsoft MultiHeadAttention",
    op: "MultiHeadAttention",
    domain: ms,
    shapes: [[1, 3, 8], [1, 5, 8], [1, 5, 4], [20], null, [1, 2, 3, 5]],
    given: 3,
    attributes: { num_heads: 2 },
    expected: (q, k, v, b, bias) => {
      const plus = (x: Ref, from: number) =>
        heads(
          reference.add(x, reference.ref([x.shape[2] as number], b.data.slice(from, from + (x.shape[2] as number)))),
          2,
        );
      const added = (n: number, h: number, i: number, j: number) => reference.at(bias, n, h, i, j);
      return joined(attend(plus(q, 0), plus(k, 8), plus(v, 16), added));
    },
  },
  {
    name: "RotaryEmbedding of a part of each head",
    op: "RotaryEmbedding",
    shapes: [
      [2, 3, 4, 8],
      [2, 4, 3],
      [2, 4, 3],
    ],
    attributes: { rotary_embedding_dim: 6 },
    expected: (x, cos, sin) =>
      rotated(
        x,
        (n, t, p) => reference.at(cos, n, t, p),
        (n, t, p) => reference.at(sin, n, t, p),
        3,
        false,
      ),
  },
  {
    name: "RotaryEmbedding of neighbours, by position",
    op: "RotaryEmbedding",
    shapes: [
      [1, 3, 8],
      [6, 2],
      [6, 2],
      [1, 3],
    ],
    attributes: { interleaved: 1, num_heads: 2 },
    places: { 3: [5, 0, 2] },
    expected: (x, cos, sin) => {
      const at = (table: Ref) => (_: number, t: number, p: number) => reference.at(table, [5, 0, 2][t] as number, p);
      return joined(rotated(heads(x, 2), at(cos), at(sin), 2, true));
    },
  },
  {
    name: "com.microsoft RotaryEmbedding from a position on",
    op: "RotaryEmbedding",
    domain: ms,
    shapes: [[1, 2, 3, 4], [1], [6, 2], [6, 2]],
    places: { 1: [2] },
    expected: (x, cos, sin) => {
      const at = (table: Ref) => (_: number, t: number, p: number) => reference.at(table, 2 + t, p);
      return rotated(x, at(cos), at(sin), 2, false);
    },
  },
];

/** Inputs of a case, and the file where the first are inputs and the rest constants. */
function fileOf(
  { op, domain = "" as never, shapes, attributes = {}, places = {}, outputs = 1 }: Case,
  given: number,
  isOpen: boolean,
) {
  const names = shapes.map((shape, i) => (shape ? `i${i}` : ""));
  const constants: Record<string, Constant> = {};
  const inputs: Record<string, readonly (number | string)[]> = {};
  const feeds: Record<string, { data: Float32Array; shape: readonly number[] }> = {};
  const refs: Ref[] = [];
  shapes.forEach((shape, i) => {
    if (!shape) return;
    const place = places[i];
    if (place) {
      constants[`i${i}`] = typed("int64", shape, place);
      return;
    }
    const data = fill(shape, `${op} ${i} ${shape}`);
    refs.push(reference.ref(shape, data));
    if (i < given) {
      inputs[`i${i}`] = isOpen ? shape.map((_, d) => `s${i}${d}`) : shape;
      feeds[`i${i}`] = { data, shape };
    } else constants[`i${i}`] = { dims: shape, data };
  });
  const asked = outputs === 1 ? ["y"] : ["y", "", "", "sum"];
  const nodes = [{ op, inputs: names, outputs: asked, attributes, domain }];
  const bytes = onnxFile({ nodes, inputs, outputs: asked.filter(Boolean), constants, opset: 24 });
  return { bytes, feeds, refs };
}

describe.each([...BINARIES])("operators made of others, $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  describe.each(CASES)("$name", (test) => {
    it.each(["known shapes", "open shapes", "constants"])("%s", async (way) => {
      const given = way === "constants" ? 0 : (test.given ?? 1);
      const { bytes, feeds, refs } = fileOf(test, given, way === "open shapes");
      const model = await loadOnnx(rt, bytes);
      try {
        const answers = model.run(feeds);
        const expected = [test.expected(...refs)].flat() as Ref[];
        model.outputs.forEach(({ name }, i) => {
          const [got, want] = [answers[name] as Tensor, expected[i] as Ref];
          expect([...got.shape]).toEqual([...want.shape]);
          const data = got.toArray();
          const most = want.data.reduce((top, v) => Math.max(top, Math.abs(v)), 1);
          for (let e = 0; e < countOf(want.shape); e++)
            expect(Math.abs(Number(data[e]) - (want.data[e] as number))).toBeLessThan(4e-6 * most);
        });
      } finally {
        model.dispose();
      }
    });
  });

  it("a convolution takes its activation and what is added with it", async () => {
    const [w, x] = [fill([3, 3, 3, 3], "w"), fill(image, "x")];
    const attributes = { activation: "Relu", pads: [1, 1, 1, 1] };
    const file = onnxFile({
      nodes: [
        { op: "Tanh", inputs: ["x"], outputs: ["t"] },
        { op: "FusedConv", domain: ms, inputs: ["t", "w", "", "t"], outputs: ["y"], attributes },
      ],
      inputs: { x: image },
      outputs: ["y"],
      constants: { w: { dims: [3, 3, 3, 3], data: w } },
    });
    const model = await loadOnnx(rt, file);
    expect(model.summary().rows.map(({ op }) => op)).toEqual(["tanh", "conv2d", "toMemoryFormat"]);
    const { y } = model.run({ x: { data: x, shape: image } }) as { y: Tensor };
    const t = reference.tanh(reference.ref(image, x));
    const want = reference.relu(reference.add(conv(t, reference.ref([3, 3, 3, 3], w), null), t));
    y.toArray().forEach((value, i) => {
      expect(Number(value)).toBeCloseTo(want.data[i] as number, 4);
    });
    model.dispose();
  });

  it.each<readonly [string, Case, RegExp]>([
    [
      "an activation that there is none of",
      { ...(CASES[0] as Case), attributes: { activation: "Magic" } },
      /node "FusedConv-y" \(FusedConv\): "activation" expected one of .*, got Magic/,
    ],
    [
      "what came before",
      {
        name: "",
        op: "Attention",
        shapes: [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], null, [1, 2, 3, 4]],
        expected: (x) => x,
      },
      /\(Attention\): "past_key" expected no input, got one/,
    ],
  ])("refuses %s", async (_, test, message) => {
    await expect(loadOnnx(rt, fileOf(test, 1, false).bytes)).rejects.toThrow(message);
  });
});
