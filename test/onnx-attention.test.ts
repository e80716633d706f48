// Attention as exporters spell it out is one kernel: held to softmax(scale q k^T + masks) v in float64, and to the same file as it
// stands; what it must leave alone.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Constant, integers, type Node, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import { at, build, type Ref, ref } from "./reference.js";
import { expectClose, UNIT_ROUNDOFF } from "./tolerance.js";

interface Case {
  readonly nodes: readonly Node[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly constants: Readonly<Record<string, Constant>>;
  readonly outputs?: readonly string[];
  /** Whether one kernel does all of it. */
  readonly isJoined: boolean;
  /** y in float64, and a bound on how far float32 may be off. */
  readonly expected: (given: Readonly<Record<string, Ref>>) => { readonly y: Ref; readonly tolerance: number };
}

const node = (op: string, inputs: string, output: string, attributes: Node["attributes"] = {}): Node => ({
  op,
  inputs: inputs.split(" "),
  outputs: output.split(" "),
  attributes,
});
const number = (value: number): Constant => ({ dims: [], data: Float32Array.of(value) });
const shapes = (given: Readonly<Record<string, readonly number[]>>): Record<string, Constant> =>
  Object.fromEntries(Object.entries(given).map(([name, dims]) => [name, integers(...dims)]));
const transpose = (input: string, output: string, ...perm: number[]) => node("Transpose", input, output, { perm });

type Element = (batch: number, head: number, row: number, col: number) => number;

interface Heads {
  readonly batch: number;
  readonly heads: number;
  readonly rows: number;
  readonly keys: number;
  readonly depth: number;
  readonly cols: number;
  readonly scale: number;
  readonly q: Element;
  readonly k: Element;
  readonly v: Element;
  readonly mask?: Element;
}

/** [batch, heads, rows, cols] by the definition. */
function attention({ batch, heads, rows, keys, depth, cols, scale, q, k, v, mask }: Heads) {
  let [largestScore, largestValue] = [0, 0];
  const y = build([batch, heads, rows, cols], (b, h, row, col) => {
    const scores: number[] = [];
    for (let key = 0; key < keys; key++) {
      let [sum, magnitude] = [0, 0];
      for (let d = 0; d < depth; d++) {
        const product = scale * q(b, h, row, d) * k(b, h, key, d);
        sum += product;
        magnitude += Math.abs(product);
      }
      const added = mask?.(b, h, row, key) ?? 0;
      largestScore = Math.max(largestScore, magnitude + (Number.isFinite(added) ? Math.abs(added) : 0));
      largestValue = Math.max(largestValue, Math.abs(v(b, h, key, col)));
      scores.push(sum + added);
    }
    const most = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - most));
    const total = weights.reduce((a, w) => a + w, 0);
    return weights.reduce((a, w, key) => a + w * v(b, h, key, col), 0) / total;
  });
  // An error of a score is one of every digit of its weight and of the sum of all.
  const roundings = (K: number) => Math.min(K, 4 * Math.sqrt(K)) + 2;
  const share = 2 * (roundings(depth) + 4) * largestScore + 2 * roundings(keys) + 8;
  return { y, tolerance: share * UNIT_ROUNDOFF * largestValue };
}

/** [batch, heads, rows, cols] as [batch, rows, heads * cols]. */
function merged({ shape, data }: Ref): Ref {
  const [batch, heads, rows, cols] = shape as [number, number, number, number];
  const y = ref(shape, data);
  return build([batch, rows, heads * cols], (b, row, i) => at(y, b, Math.floor(i / cols), row, i % cols));
}

interface Options {
  /** More nodes between the product and softmax: the last one makes "scores". */
  readonly between?: readonly Node[];
  readonly constants?: Readonly<Record<string, Constant>>;
  readonly mask?: Element;
  readonly scale?: number;
  readonly axis?: number;
  readonly outputs?: readonly string[];
  readonly isJoined?: boolean;
  /** Nodes that make "value" of "v". */
  readonly values?: readonly Node[];
  readonly factor?: number;
}

/** One tensor with q, k and v of all heads, cut after a transposition, as vision transformers have it. */
function packed(batch: number, rows: number, heads: number, depth: number, options: Options = {}): Case {
  const { between, values, mask, isJoined = true, axis = -1, factor = 1, outputs = ["y"] } = options;
  const { scale = 1 / Math.sqrt(depth) } = options;
  const width = heads * depth;
  return {
    inputs: { x: [batch, rows, 3 * width] },
    outputs,
    isJoined,
    constants: {
      ...shapes({ apart: [batch, rows, 3, heads, depth], together: [batch, rows, width], first: [0] }),
      scale: number(scale),
      ...options.constants,
    },
    nodes: [
      node("Reshape", "x apart", "parts"),
      transpose("parts", "turned", 2, 0, 3, 1, 4),
      node("Split", "turned", "q5 k5 v5", { axis: 0 }),
      node("Squeeze", "q5 first", "q"),
      node("Squeeze", "k5 first", "k"),
      node("Squeeze", "v5 first", "v"),
      transpose("k", "kt", 0, 1, 3, 2),
      node("MatMul", "q kt", "product"),
      ...(between ?? [node("Mul", "product scale", "scores")]),
      node("Softmax", "scores", "weights", { axis }),
      ...(values ?? [node("Identity", "v", "value")]),
      node("MatMul", "weights value", "sums"),
      transpose("sums", "rows", 0, 2, 1, 3),
      node("Reshape", "rows together", "y"),
    ],
    expected: ({ x }) => {
      const part =
        (p: number): Element =>
        (b, h, row, d) =>
          at(x as Ref, b, row, (p * heads + h) * depth + d);
      const v: Element = (...place) => factor * part(2)(...place);
      const sizes = { batch, heads, rows, keys: rows, depth, cols: depth };
      const { y, tolerance } = attention({ ...sizes, scale, q: part(0), k: part(1), v, ...(mask && { mask }) });
      return { y: merged(y), tolerance };
    },
  };
}

/** Windows of an image, with a bias by head and a mask by window, q scaled before the product. */
function windows(images: number, count: number, rows: number, heads: number, depth: number): Case {
  const [batch, scale] = [images * count, 1 / Math.sqrt(depth)];
  const bias = ref([1, heads, rows, rows], fill([1, heads, rows, rows], "bias"));
  const masked = ref(
    [1, count, 1, rows, rows],
    fill([1, count, 1, rows, rows], "mask").map((v) => (v > 0 ? 0 : -100)),
  );
  const constant = ({ shape, data }: Ref): Constant => ({ dims: shape, data: Float32Array.from(data) });
  const given = packed(batch, rows, heads, depth, {
    scale,
    constants: {
      bias: constant(bias),
      mask: constant(masked),
      ...shapes({ wide: [images, count, heads, rows, rows], narrow: [batch, heads, rows, rows] }),
    },
    mask: (b, h, row, key) => at(bias, 0, h, row, key) + at(masked, 0, b % count, 0, row, key),
    between: [
      node("Add", "product bias", "biased"),
      node("Reshape", "biased wide", "windows"),
      node("Add", "windows mask", "masked"),
      node("Reshape", "masked narrow", "scores"),
    ],
  });
  // q is scaled instead of the product.
  const nodes = given.nodes.flatMap((one) =>
    one.outputs[0] === "product" ? [node("Mul", "q scale", "scaled"), { ...one, inputs: ["scaled", "kt"] }] : one,
  );
  return { ...given, nodes };
}

/** Rows before heads, q, k and v cut from columns, and q divided: torch's MultiheadAttention. */
function columns(rows: number, heads: number, depth: number): Case {
  const width = heads * depth;
  const cut = (name: string, i: number) => node("Slice", `x at${i} at${i + 1} axis`, name);
  return {
    inputs: { x: [rows, 1, 3 * width] },
    isJoined: true,
    constants: {
      ...shapes({ at0: [0], at1: [width], at2: [2 * width], at3: [3 * width], axis: [2] }),
      ...shapes({ apart: [rows, heads, depth], together: [rows, width] }),
      root: number(Math.sqrt(depth)),
    },
    nodes: [
      ...["a", "b", "c"].map(cut),
      ...["a", "b", "c"].map((name) => node("Reshape", `${name} apart`, `${name}3`)),
      transpose("a3", "q", 1, 0, 2),
      transpose("b3", "k", 1, 0, 2),
      transpose("c3", "v", 1, 0, 2),
      node("Div", "q root", "scaled"),
      transpose("k", "kt", 0, 2, 1),
      node("MatMul", "scaled kt", "scores"),
      node("Softmax", "scores", "weights"),
      node("MatMul", "weights v", "sums"),
      transpose("sums", "rows", 1, 0, 2),
      node("Reshape", "rows together", "y"),
    ],
    expected: ({ x }) => {
      const part =
        (p: number): Element =>
        (_, h, row, d) =>
          at(x as Ref, row, 0, (p * heads + h) * depth + d);
      const sizes = { batch: 1, heads, rows, keys: rows, depth, cols: depth, scale: 1 / Math.sqrt(depth) };
      const { y, tolerance } = attention({ ...sizes, q: part(0), k: part(1), v: part(2) });
      const { data } = merged(y);
      return { y: ref([rows, width], data), tolerance };
    },
  };
}

/** Three inputs, keys of another number than rows, values of another width, and a mask that is an input; y stays by head. */
function across(batch: number, rows: number, keys: number, heads: number, depth: number, cols: number): Case {
  const apart = (name: string) => [
    node("Reshape", `${name} ${name}4`, `${name}r`),
    transpose(`${name}r`, `${name}h`, 0, 2, 1, 3),
  ];
  return {
    inputs: {
      q: [batch, rows, heads * depth],
      k: [batch, keys, heads * depth],
      v: [batch, keys, heads * cols],
      mask: [batch, 1, 1, keys],
    },
    isJoined: true,
    constants: shapes({
      q4: [batch, rows, heads, depth],
      k4: [batch, keys, heads, depth],
      v4: [batch, keys, heads, cols],
    }),
    nodes: [
      ...["q", "k", "v"].flatMap(apart),
      transpose("kh", "kt", 0, 1, 3, 2),
      node("MatMul", "qh kt", "product"),
      node("Add", "mask product", "scores"),
      node("Softmax", "scores", "weights"),
      node("MatMul", "weights vh", "y"),
    ],
    expected: ({ q, k, v, mask }) =>
      attention({
        ...{ batch, heads, rows, keys, depth, cols, scale: 1 },
        q: (b, h, row, d) => at(q as Ref, b, row, h * depth + d),
        k: (b, h, key, d) => at(k as Ref, b, key, h * depth + d),
        v: (b, h, key, col) => at(v as Ref, b, key, h * cols + col),
        mask: (b, _, __, key) => at(mask as Ref, b, 0, 0, key),
      }),
  };
}

const CASES: Readonly<Record<string, Case>> = {
  "q, k and v in one": packed(2, 16, 4, 24),
  "odd sizes": packed(3, 37, 2, 7),
  "one row": packed(1, 1, 3, 5),
  "one head of one number": packed(2, 9, 1, 1),
  "more keys than a reduction block": packed(1, 530, 1, 6),
  "a scale and its masks": windows(1, 4, 9, 3, 8),
  "windows of two images": { ...windows(2, 3, 7, 2, 5), isJoined: false },
  "rows before heads": columns(29, 4, 6),
  "keys of their own": across(2, 5, 11, 3, 4, 9),
  "keys of their own, whole vectors": across(1, 70, 40, 2, 16, 32),
  "weights that are read elsewhere": packed(1, 6, 2, 4, { outputs: ["y", "weights"], isJoined: false }),
  "a sum that is scaled": packed(1, 6, 2, 4, {
    between: [node("Add", "product one", "more"), node("Mul", "more scale", "scores")],
    constants: { one: { dims: [1, 1, 6, 6], data: fill([6, 6], "one") } },
    mask: (_, __, row, key) => (fill([6, 6], "one")[row * 6 + key] as number) / 2,
    isJoined: false,
  }),
  "values that are scaled": packed(1, 6, 2, 4, {
    values: [node("Mul", "v scale", "value")],
    factor: 0.5,
    isJoined: false,
  }),
};

describe.each(BINARIES)("attention on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(Object.entries(CASES))("%s", async (_, { nodes, inputs, constants, outputs = ["y"], isJoined, expected }) => {
    const bytes = onnxFile({ nodes, inputs, outputs, constants });
    using plain = await loadOnnx(rt, bytes, { optimize: false });
    using joined = await loadOnnx(rt, bytes);
    const steps = joined.summary().rows.map(({ op }) => op);
    expect(steps.includes("attention")).toBe(isJoined);
    if (isJoined) expect(steps.filter((op) => /matmul|softmax|transpose|slice|mul|add/.test(op))).toEqual([]);
    const tensors: Record<string, Tensor> = {};
    const given: Record<string, Ref> = {};
    for (const [name, shape] of Object.entries(inputs)) {
      // Masks of keys that are wanted or not; the first is wanted always.
      const isMask = name === "mask";
      const data = fill(shape, name).map((v, i) =>
        isMask ? (v > 0 || i % (shape.at(-1) as number) === 0 ? 0 : -Infinity) : 2 * v,
      );
      tensors[name] = rt.tensor(data, shape);
      given[name] = ref(shape, data);
    }
    const { y, tolerance } = expected(given);
    const bounds = y.data.map(() => tolerance);
    for (const model of [plain, joined]) {
      const answer = model.run(tensors)["y"] as Tensor;
      expect(answer.shape).toEqual(y.shape);
      expectClose(answer.toArray() as Float32Array, y, bounds, "y");
    }
    for (const tensor of Object.values(tensors)) tensor.dispose();
  });

  it("keeps NaN to its row, whatever its bits, and weighs what is far below with 0", async () => {
    const { nodes, inputs, constants } = across(1, 3, 6, 1, 4, 4);
    using model = await loadOnnx(rt, onnxFile({ nodes, inputs, outputs: ["y"], constants }));
    const q = new Float32Array(12).fill(1);
    new Int32Array(q.buffer)[4] = 0x7fc00001;
    const data: Record<string, Float32Array> = {
      q,
      k: fill([6, 4], "k"),
      v: Float32Array.from({ length: 24 }, (_, i) => (i < 4 ? i : Number.MAX_VALUE ** 0.1)),
      mask: Float32Array.of(0, -1e9, -Infinity, -200, -1e9, -1e9),
    };
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, shape]) => [name, rt.tensor(data[name] as Float32Array, shape)]),
    );
    const rows = model.run(tensors)["y"]?.toArray() as Float32Array;
    expect([...rows]).toEqual([0, 1, 2, 3, NaN, NaN, NaN, NaN, 0, 1, 2, 3]);
    for (const tensor of Object.values(tensors)) tensor.dispose();
  });
});
