// Reshapes, transposes and slices as views: a row of them is one set of loops over what it starts from, so that it moves elements
// once, or not at all.
import { countOf } from "../../base/shape.js";
import { makeSpec, stridesOf, type TensorSpec } from "../../base/spec.js";
import type { LayerNode } from "../../model/layers.js";
import type { SourcedGraph } from "../../model/optimize.js";
import { defineOperator, type Operator } from "../../ops/operator.js";
import { type CopyLoop, copyStrided, elementRef } from "../../ops/parts/strided.js";

/** `size` elements of a value in logical order, `stride` apart. */
export interface Span {
  readonly size: number;
  readonly stride: number;
}

/** A value as a view of `root`: the loops of each axis, outer first, and where they begin. */
export interface View {
  readonly root: string;
  readonly offset: number;
  readonly axes: readonly (readonly Span[])[];
}

/** What a reshape, transpose or slice makes, as a view of what a row of them starts from; undefined where it is none. */
export function viewThrough(
  node: LayerNode,
  views: ReadonlyMap<string, View>,
  shapeOf: (value: string) => readonly number[],
): View | undefined {
  if (node.op !== "reshape" && node.op !== "transpose" && node.op !== "slice") return undefined;
  const [[input], [value]] = [node.inputs, node.outputs] as [[string], [string]];
  const before = views.get(input) ?? wholeOf(input, shapeOf(input));
  if (node.op === "reshape") {
    const axes = regroup(before.axes.flat(), shapeOf(value));
    return axes && { ...before, axes };
  }
  if (node.op === "transpose") {
    const { permutation } = node.options as { permutation?: readonly number[] };
    return permutation && { ...before, axes: permutation.map((axis) => before.axes[axis] as readonly Span[]) };
  }
  let { offset } = before;
  const axes = [...before.axes];
  for (const { axis, from, count, step } of cutsOf(node, shapeOf(input), shapeOf(value))) {
    const [loop, ...more] = axes[axis] as readonly Span[];
    if (loop === undefined || more.length > 0) return undefined;
    offset += from * loop.stride;
    axes[axis] = count === 1 ? [] : [{ size: count, stride: loop.stride * step }];
  }
  return { ...before, offset, axes };
}

/** What a slice takes of the axes that it does not leave whole. */
export function cutsOf({ options }: LayerNode, input: readonly number[], output: readonly number[]) {
  const { starts, axes, steps } = options as {
    starts: readonly number[];
    axes?: readonly number[];
    steps?: readonly number[];
  };
  return starts.flatMap((start, i) => {
    const axis = axes?.[i] ?? i;
    const [size, count, step] = [input[axis] as number, output[axis] as number, steps?.[i] ?? 1];
    const from = start < 0 ? Math.max(start + size, 0) : Math.min(start, size - 1);
    return size === count && step === 1 ? [] : [{ axis, from, count, step }];
  });
}

/** All of a value, as a view of itself. */
export function wholeOf(root: string, shape: readonly number[]): View {
  let stride = 1;
  const axes = [...shape].reverse().map((size) => {
    const loops = size === 1 ? [] : [{ size, stride }];
    stride *= size;
    return loops;
  });
  return { root, offset: 0, axes: axes.reverse() };
}

/** Loops cut and put together to axes of these sizes; undefined where a loop would have to be cut unevenly. */
export function regroup(loops: readonly Span[], shape: readonly number[]): readonly (readonly Span[])[] | undefined {
  const left = [...loops];
  const axes: Span[][] = [];
  for (const size of shape) {
    const axis: Span[] = [];
    for (let rest = size; rest > 1; ) {
      const loop = left.shift();
      if (loop === undefined) return undefined;
      if (rest % loop.size === 0) {
        axis.push(loop);
        rest /= loop.size;
      } else if (loop.size % rest === 0) {
        const inner = loop.size / rest;
        axis.push({ size: rest, stride: loop.stride * inner });
        left.unshift({ size: inner, stride: loop.stride });
        rest = 1;
      } else return undefined;
    }
    axes.push(merged(axis));
  }
  return axes;
}

function merged(loops: readonly Span[]): Span[] {
  const all: Span[] = [];
  for (const loop of loops) {
    const last = all.at(-1);
    if (last?.stride === loop.stride * loop.size)
      all[all.length - 1] = { size: last.size * loop.size, stride: loop.stride };
    else all.push(loop);
  }
  return all;
}

/** A loop along one axis of an image. */
interface Step {
  readonly size: number;
  readonly axis: number;
  readonly step: number;
}

/** Rows of reshapes, transposes and slices of an image become one copy each, or none where the bytes lie so already. */
export function moveOnce({ graph, source }: SourcedGraph, specs: ReadonlyMap<string, TensorSpec>): SourcedGraph {
  const shapeOf = (value: string) => (specs.get(value) as TensorSpec).shape;
  const views = new Map<string, View>();
  /** Values of views with a transpose among them. */
  const turned = new Set<string>();
  const read = new Set(graph.outputs.map(({ value }) => value));
  for (const node of graph.nodes) {
    const [value] = node.outputs as [string];
    const [input] = node.inputs as [string];
    const view = viewThrough(node, views, shapeOf);
    if (view === undefined) for (const name of node.inputs) read.add(name);
    else {
      views.set(value, view);
      if (node.op === "transpose" || turned.has(input)) turned.add(value);
    }
  }
  const nodes: readonly LayerNode[] = graph.nodes.map((node) => {
    const [value] = node.outputs as [string];
    const view = views.get(value);
    if (view === undefined || !read.has(value) || !turned.has(value) || !views.has(node.inputs[0] as string))
      return node;
    const op = copyOf(view, shapeOf(view.root), shapeOf(value));
    return op ? { ...node, op, inputs: [view.root], options: {} } : node;
  });
  if (nodes.every((node, i) => node === graph.nodes[i])) return { graph, source };
  return { graph: { ...graph, nodes: neededOf(graph, nodes) }, source };
}

/** Those of a graph's rewritten nodes that an output needs. */
export function neededOf({ outputs }: SourcedGraph["graph"], nodes: readonly LayerNode[]): readonly LayerNode[] {
  const needed = new Set(outputs.map(({ value }) => value));
  return [...nodes]
    .reverse()
    .filter(({ inputs, outputs }) => {
      const isNeeded = outputs.some((output) => needed.has(output));
      if (isNeeded) for (const input of inputs) needed.add(input);
      return isNeeded;
    })
    .reverse();
}

/** A view of an image [N, C, H, W] as one copy from where its elements lie; undefined where its loops cross rows unevenly. */
function copyOf({ axes, offset }: View, root: readonly number[], shape: readonly number[]): Operator | undefined {
  if (root.length !== 4) return undefined;
  const strides = [1, 2, 3, 4].map((from) => countOf(root.slice(from)));
  const start = root.map((size, axis) => Math.floor(offset / (strides[axis] as number)) % size);
  const ends = [...start];
  const steps: Step[][] = [];
  for (const loops of axes) {
    const own = loops.map((loop) => stepsOf(loop, root, strides, start));
    if (own.includes(undefined)) return undefined;
    steps.push(own.flat() as Step[]);
  }
  for (const { size, axis, step } of steps.flat()) (ends[axis] as number) += (size - 1) * step;
  if (ends.some((end, axis) => end >= (root[axis] as number))) return undefined;
  return moved(steps, start, shape, countOf(shape) === countOf(root));
}

/** A loop over an image's elements as loops along its axes. */
function stepsOf(
  { size, stride }: Span,
  root: readonly number[],
  strides: readonly number[],
  start: readonly number[],
): Step[] | undefined {
  const steps: Step[] = [];
  while (size > 1) {
    const axis = strides.findIndex((one) => one <= stride);
    const [length, unit] = [root[axis] as number, strides[axis] as number];
    const step = stride / unit;
    if (axis < 0 || !Number.isInteger(step)) return undefined;
    const count = Math.min(size, length / step);
    if (!Number.isInteger(count) || size % count !== 0 || (count < size && start[axis] !== 0)) return undefined;
    steps.unshift({ size: count, axis, step });
    size /= count;
    stride = unit * length;
  }
  return steps;
}

/** One copy of the elements that `steps` reach from `start` on, each axis of `shape` by its own. */
function moved(
  steps: readonly (readonly Step[])[],
  start: readonly number[],
  shape: readonly number[],
  isWhole: boolean,
): Operator {
  const loopsOf = (input: TensorSpec, output: TensorSpec): CopyLoop[] => {
    const [from, to] = [stridesOf(input), stridesOf(output)];
    return steps.flatMap((own, i) => {
      let dst = to[i] as number;
      const copies: CopyLoop[] = [];
      for (const { size, axis, step } of [...own].reverse()) {
        copies.unshift({ size, src: step * (from[axis] as number), dst });
        dst *= size;
      }
      return copies;
    });
  };
  return defineOperator({
    name: "moved",
    inputs: ["input"],
    infer({ input }) {
      const inOrder = makeSpec(shape, input.dtype, "contiguous", "output");
      const isView = isWhole && loopsOf(input, inOrder).every(({ src, dst }) => src === dst);
      // What is copied anyway lies as images do.
      const output = isView || shape.length !== 4 ? inOrder : { ...inOrder, memoryFormat: input.memoryFormat };
      return { outputs: [output], isView };
    },
    lower(b, { input: { spec, ref } }) {
      const src = elementRef(ref, spec.dtype, stridesOf(spec), start);
      copyStrided(b, spec.dtype, src, b.output.ref, loopsOf(spec, b.output.spec));
    },
  });
}
