// Attention as exporters spell it out:
//
//   qkv ─▶ reshape, transpose, split ─▶ q ─▶ x scale ─▶ matmul ─▶ x scale ─▶ + masks ─▶ softmax ─▶ matmul ─▶ transpose, reshape
//                                    └▶ k, turned ───────┘                                           │
//                                    └▶ v ───────────────────────────────────────────────────────────┘
//
// is one kernel that reads q, k and v where they lie and writes rows where the next layer wants them.
import { sameShape } from "../../base/check.js";
import { countOf } from "../../base/shape.js";
import type { TensorSpec } from "../../base/spec.js";
import type { LayerNode } from "../../model/layers.js";
import type { Pass } from "../../model/optimize.js";
import type { WeightMap } from "../../model/weights.js";
import { type AttentionShape, attention, type Heads } from "../layers/attention.js";
import { neededOf, regroup, type Span, type View, viewThrough, wholeOf } from "./views.js";

/** What a softmax is of: a product, times a number, with masks on top. */
interface Scores {
  readonly product: LayerNode;
  readonly scale: number;
  readonly masks: readonly Mask[];
}

/** A value that is added to another of this shape. */
interface Mask {
  readonly value: string;
  readonly shape: readonly number[];
}

/** A matrix of every head as loops over what it is a view of. */
interface Matrix {
  readonly offset: number;
  readonly loops: readonly Span[];
  readonly size: readonly [rows: number, cols: number];
}

/** The pass for a graph with these constants. */
export const joinAttention =
  (weights: WeightMap): Pass =>
  ({ graph, source }, specs) => {
    const finder = new Finder(graph.nodes, new Set(graph.outputs.map(({ value }) => value)), specs, weights);
    const joined = new Map<LayerNode, LayerNode>();
    for (const node of graph.nodes) {
      const found = node.op === "matmul" ? finder.attention(node) : undefined;
      if (found) joined.set(finder.producer(found.outputs[0] as string) as LayerNode, found);
    }
    if (joined.size === 0) return { graph, source };
    const nodes = neededOf(
      graph,
      graph.nodes.map((node) => joined.get(node) ?? node),
    );
    return { graph: { ...graph, nodes }, source };
  };

class Finder {
  readonly #producers = new Map<string, LayerNode>();
  readonly #readers = new Map<string, LayerNode[]>();
  readonly #views = new Map<string, View>();
  /** Of values that are a view of another times a number. */
  readonly #factors = new Map<string, number>();

  constructor(
    nodes: readonly LayerNode[],
    readonly shown: ReadonlySet<string>,
    readonly specs: ReadonlyMap<string, TensorSpec>,
    readonly weights: WeightMap,
  ) {
    for (const node of nodes) {
      for (const output of node.outputs) this.#producers.set(output, node);
      for (const input of node.inputs) this.#readers.set(input, [...(this.#readers.get(input) ?? []), node]);
      const [value] = node.outputs as [string];
      const scaled = this.#scaled(node);
      const input = scaled?.input ?? (node.inputs[0] as string);
      const view = scaled ? this.#viewOf(input) : viewThrough(node, this.#views, this.#shapeOf);
      if (view === undefined) continue;
      this.#views.set(value, view);
      this.#factors.set(value, (this.#factors.get(input) ?? 1) * (scaled?.factor ?? 1));
    }
  }

  producer(value: string): LayerNode | undefined {
    return this.#producers.get(value);
  }

  /** What does the work of softmax(…) v and of all before and after it; undefined where that is not known. */
  attention(node: LayerNode): LayerNode | undefined {
    const [left, right] = node.inputs as [string, string];
    const { product, scale, masks } = this.#scoresOf(left, node) ?? {};
    if (product === undefined || masks === undefined || masks.length > 2) return undefined;
    const [q, k] = product.inputs as [string, string];
    const values = [q, k, right];
    const factors = values.map((value) => this.#factors.get(value) ?? 1) as [number, number, number];
    if (factors[2] !== 1 || !this.#isOfHeads(node) || !this.#isOfHeads(product)) return undefined;
    const [rows, depth] = this.#shapeOf(q).slice(-2) as [number, number];
    const [keys, cols] = this.#shapeOf(right).slice(-2) as [number, number];
    const { value: last, matrix } = this.#placed(node.outputs[0] as string, [rows, cols]);
    const matrices = [...values.map((value) => this.#matrixOf(value)), matrix];
    for (const mask of masks) {
      const found = this.#maskOf(mask, [rows, keys]);
      if (found === undefined) return undefined;
      matrices.push(found);
    }
    const heads = headsOf(matrices);
    if (heads === undefined) return undefined;
    const { outer, inner, places } = heads;
    const [qAt, kAt, vAt, y, ...maskAt] = places as [Heads, Heads, Heads, Heads, ...Heads[]];
    // A line that is read or written in vectors.
    if ([qAt, y, ...maskAt].some(({ col }) => col !== 1)) return undefined;
    const shape: AttentionShape = {
      outer,
      inner,
      rows,
      keys,
      depth,
      cols,
      scale: (scale as number) * factors[0] * factors[1],
      q: qAt,
      k: kAt,
      v: vAt,
      masks: maskAt,
      y,
      shape: this.#shapeOf(last),
    };
    const roots = values.map((value) => this.#viewOf(value).root);
    return {
      name: node.name,
      op: attention(shape),
      inputs: [...roots, ...masks.map(({ value }) => value)],
      params: [],
      options: {},
      outputs: [last],
    };
  }

  #shapeOf = (value: string): readonly number[] => (this.specs.get(value) as TensorSpec).shape;

  #viewOf(value: string): View {
    return this.#views.get(value) ?? wholeOf(value, this.#shapeOf(value));
  }

  /** The only node that reads a value. */
  #soleReader(value: string): LayerNode | undefined {
    const readers = this.#readers.get(value);
    return readers?.length === 1 && !this.shown.has(value) ? readers[0] : undefined;
  }

  /** x times a number, or divided by one. */
  #scaled({ op, inputs, options, outputs }: LayerNode): { input: string; factor: number } | undefined {
    if ((op !== "mul" && op !== "div") || "activation" in options) return undefined;
    const [a, b] = inputs as [string, string];
    for (const [input, name] of op === "mul"
      ? ([
          [a, b],
          [b, a],
        ] as const)
      : ([[a, b]] as const)) {
      const constant = this.weights.get(name);
      if (constant?.dtype !== "float32" || constant.data.length !== 1) continue;
      if (!sameShape(this.#shapeOf(input), this.#shapeOf(outputs[0] as string))) continue;
      const number = constant.data[0] as number;
      return { input, factor: op === "mul" ? number : 1 / number };
    }
    return undefined;
  }

  /** One product a head: none is broadcast. */
  #isOfHeads({ inputs, outputs, options }: LayerNode): boolean {
    const counts = [...inputs, ...outputs].map((value) => {
      const shape = this.#shapeOf(value);
      return shape.length < 2 ? -1 : countOf(shape.slice(0, -2));
    });
    return !("activation" in options) && counts.every((count) => count === counts[0] && count > 0);
  }

  /** What is softmaxed to become this value, which only `reader` reads. */
  #scoresOf(value: string, reader: LayerNode): Scores | undefined {
    const node = this.#soleReader(value) === reader ? this.#producers.get(value) : undefined;
    if (node?.op === "reshape" && this.#keepsMatrix(node)) return this.#scoresOf(node.inputs[0] as string, node);
    if (node?.op !== "softmax") return undefined;
    const { axis = -1 } = node.options as { axis?: number };
    const isLast = axis === -1 || axis === this.#shapeOf(value).length - 1;
    return isLast ? this.#sumOf(node.inputs[0] as string, node, false) : undefined;
  }

  /** isScaled: times a number later, so that nothing may be added. */
  #sumOf(value: string, reader: LayerNode, isScaled: boolean): Scores | undefined {
    const node = this.#soleReader(value) === reader ? this.#producers.get(value) : undefined;
    if (node === undefined || "activation" in node.options) return undefined;
    if (node.op === "matmul") return { product: node, scale: 1, masks: [] };
    if (node.op === "reshape")
      return this.#keepsMatrix(node) ? this.#sumOf(node.inputs[0] as string, node, isScaled) : undefined;
    const scaled = this.#scaled(node);
    if (scaled) {
      const inner = this.#sumOf(scaled.input, node, true);
      return inner && { ...inner, scale: inner.scale * scaled.factor };
    }
    if (node.op !== "add" || isScaled) return undefined;
    const shape = this.#shapeOf(value);
    const [a, b] = node.inputs as [string, string];
    for (const [sum, mask] of [
      [a, b],
      [b, a],
    ] as const) {
      const inner = sameShape(this.#shapeOf(sum), shape) ? this.#sumOf(sum, node, false) : undefined;
      if (inner) return { ...inner, masks: [...inner.masks, { value: mask, shape }] };
    }
    return undefined;
  }

  #keepsMatrix({ inputs, outputs }: LayerNode): boolean {
    const [before, after] = [inputs[0], outputs[0]].map((value) => this.#shapeOf(value as string).slice(-2));
    return sameShape(before as number[], after as number[]);
  }

  #matrixOf(value: string): Matrix {
    const { offset, axes } = this.#viewOf(value);
    return { offset, loops: axes.flat(), size: this.#shapeOf(value).slice(-2) as [number, number] };
  }

  /** Zeros are the strides along axes that a mask repeats. */
  #maskOf({ value, shape }: Mask, size: readonly [number, number]): Matrix | undefined {
    const own = this.#shapeOf(value);
    if (own.length === 0 || own.at(-1) !== size[1]) return undefined;
    let stride = 1;
    const loops = shape.toReversed().map((count, i): Span => {
      const length = own.at(-1 - i) ?? 1;
      const loop = { size: count, stride: length === 1 ? 0 : stride };
      stride *= length;
      return loop;
    });
    return { offset: 0, loops: loops.toReversed().filter((loop) => loop.size > 1), size };
  }

  /** The last value that a row of reshapes and transposes makes of the product, and where the product's elements lie in it. */
  #placed(product: string, size: readonly [number, number]): { value: string; matrix: Matrix } {
    const shape = this.#shapeOf(product);
    const views = new Map<string, View>();
    let found = { value: product, matrix: { offset: 0, loops: wholeOf(product, shape).axes.flat(), size } };
    let value = product;
    for (;;) {
      const node = this.#soleReader(value);
      const view = node && node.op !== "slice" ? viewThrough(node, views, this.#shapeOf) : undefined;
      if (node === undefined || view === undefined) return found;
      value = node.outputs[0] as string;
      views.set(value, view);
      let stride = 1;
      const loops = view.axes.flat().toReversed();
      const placed = loops.map((loop) => {
        const own = { size: loop.size, stride, root: loop.stride };
        stride *= loop.size;
        return own;
      });
      const matrix = { offset: 0, loops: placed.sort((a, b) => b.root - a.root), size };
      if (headsOf([matrix])?.places[0]?.col === 1) found = { value, matrix };
    }
  }
}

/** The same two loops over heads for all matrices, and where each lies; undefined where one has no such loops. */
function headsOf(matrices: readonly Matrix[]) {
  let most: readonly number[] = [];
  for (const { loops, size } of matrices) {
    const heads = countOf(loops.map((loop) => loop.size)) / (size[0] * size[1]);
    const sizes: number[] = [];
    for (let i = 0, left = heads; left > 1; i++) {
      const count = Math.min(loops[i]?.size ?? 0, left);
      if (left % count !== 0) return undefined;
      sizes.push(count);
      left /= count;
    }
    if (sizes.length > most.length) most = sizes;
  }
  if (most.length > 2) return undefined;
  const [outer, inner] = [1, 1, ...most].slice(-2) as [number, number];
  const places: Heads[] = [];
  for (const { offset, loops, size } of matrices) {
    const axes = regroup(loops, [outer, inner, ...size]);
    if (axes === undefined || axes.some((axis) => axis.length > 1)) return undefined;
    const strides = axes.map(([loop]) => loop?.stride);
    const [o = 0, i = 0, row = 0, col = 1] = strides;
    places.push({ offset, outer: o, inner: i, row, col });
  }
  return { outer, inner, places };
}
