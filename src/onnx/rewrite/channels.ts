// Channels that are only moved: ShuffleNet's shuffles, written as Reshape, Transpose and Reshape or Gather, with the Concat before
// and the Split after them. Every channel of a moved value is followed to the layer that computes it; what a layer reads is then
// put together at once, from whole runs of channels, since filters may come in any order:
//
//   a ─▶ concat ─▶ reshape ─▶ transpose ─▶ reshape ─▶ slice ─▶ conv        a ─▶ channels ─▶ conv   (a's and b's filters and
//   b ───▲                                                         ==>     b ───▲                   conv's weights reordered)

import { columnText } from "../../base/digest.js";
import { stridesOf, type TensorSpec } from "../../base/spec.js";
import type { LayerNode } from "../../model/layers.js";
import { type SourcedGraph, withDerived } from "../../model/optimize.js";
import type { DerivedParameter } from "../../model/rewrite.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";
import { copyStrided, elementRef } from "../../ops/parts/strided.js";
import type { Operand } from "../../plan/operand.js";
import { cutsOf, type Span, type View, viewThrough } from "./views.js";

interface Channel {
  readonly source: string;
  readonly channel: number;
}

/** What a value is put together from. */
interface Moved {
  readonly channels: readonly Channel[];
  /** Whether their order was changed on the way; else they were only joined and cut. */
  readonly isShuffled: boolean;
}

/** Channels `from`, from + srcStep, ... of an input, which become `to`, to + dstStep, ... */
interface ChannelRun {
  readonly input: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly srcStep: number;
  readonly dstStep: number;
}

/** Most copies that put one value together. */
const MOST_RUNS = 32;
/** Most channels of a value that is followed. */
const MOST_CHANNELS = 2 ** 14;

type Specs = ReadonlyMap<string, TensorSpec>;

/** Answers the network itself where nothing is shuffled. */
export function routeChannels(network: SourcedGraph, specs: Specs): SourcedGraph {
  const { graph, source } = network;
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  // Shuffles have more axes than images, or fewer: most graphs have none.
  const isShuffle = ({ op, outputs: [output] }: LayerNode) =>
    op === "transpose" && specs.get(output as string)?.shape.length !== 4;
  if (!graph.nodes.some(isShuffle)) return network;
  const moved = movedValues(graph.nodes, specs);

  const shown = new Set(graph.outputs.map(({ value }) => value));
  const { gathered, sources, readers, live } = gatheredValues(shown, producers, moved);
  if (gathered.size === 0) return network;

  // Orders: stored channel i is channel order[i]. Free where only dense convolutions read a value.
  const isFree = (value: string) =>
    !shown.has(value) && (readers.get(value) ?? []).every(([node, index]) => index === 0 && isDense(node));
  const orders = new Map<string, readonly number[]>();
  // Of every source its channels, in the order in which layers come to read them.
  const taken = new Map([...sources].map((from) => [from, new Set<number>()] as const));
  const inOrder = graph.nodes.flatMap(({ outputs }) => outputs.filter((output) => gathered.has(output)));
  const kept = new Set<string>();
  for (const value of inOrder) {
    const own = isFree(value);
    const ascending = [...(gathered.get(value) as readonly Channel[])].sort((a, b) => a.channel - b.channel);
    for (const { source: from, channel } of ascending) {
      taken.get(from)?.add(channel);
      if (!own) kept.add(from);
    }
  }
  for (const [from, channels] of taken) {
    const node = producers.get(from);
    const isSeen = kept.has(from) || readers.has(from) || shown.has(from);
    if (node === undefined || !isDense(node) || node.inputs.length > 1 || isSeen) continue;
    const M = (specs.get(from) as TensorSpec).shape[1] as number;
    for (let channel = 0; channel < M; channel++) channels.add(channel);
    orders.set(from, [...channels]);
  }
  const stored = new Map([...orders].map(([value, order]) => [value, inverse(order)] as const));
  const derived = new Map<string, DerivedParameter>();
  const nodes = graph.nodes.flatMap((node): LayerNode[] => {
    const [output] = node.outputs as [string];
    const given = gathered.get(output);
    if (given !== undefined) {
      const placed = given.map(({ source: from, channel }, i) => ({
        source: from,
        channel: stored.get(from)?.[channel] ?? channel,
        original: i,
      }));
      if (isFree(output)) {
        const firsts = new Map<string, number>();
        for (const one of placed) firsts.set(one.source, firsts.get(one.source) ?? one.original);
        const first = (one: Channel) => firsts.get(one.source) as number;
        placed.sort((a, b) => first(a) - first(b) || a.channel - b.channel);
        orders.set(
          output,
          placed.map((one) => one.original),
        );
      }
      const { inputs, runs } = channelRuns(placed);
      const op = channels(runs, placed.length);
      return [{ name: node.name, op, inputs, params: [], options: {}, outputs: [output] }];
    }
    if (!live.has(node)) return [];
    const [rows, columns] = [orders.get(output), orders.get(node.inputs[0] as string)];
    return isDense(node) && (rows ?? columns) ? [reordered(node, specs, derived, rows, columns)] : [node];
  });
  const parameters = [...graph.parameters, ...[...derived.keys()].map((name) => ({ name }))];
  return { graph: { ...graph, nodes, parameters }, source: withDerived(source, derived) };
}

/** From the outputs backwards: what is put together, what it is made of, who reads what else, and the nodes that are needed. */
function gatheredValues(
  outputs: ReadonlySet<string>,
  producers: ReadonlyMap<string, LayerNode>,
  moved: ReadonlyMap<string, Moved>,
) {
  const gathered = new Map<string, readonly Channel[]>();
  const sources = new Set<string>();
  const readers = new Map<string, (readonly [node: LayerNode, index: number])[]>();
  const live = new Set<LayerNode>();
  const waiting = [...outputs];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    const channels = moved.get(value)?.isShuffled ? moved.get(value)?.channels : undefined;
    if (channels !== undefined && channelRuns(channels).runs.length <= MOST_RUNS) {
      if (gathered.has(value)) continue;
      gathered.set(value, channels);
      for (const { source: from } of channels) {
        if (!sources.has(from)) waiting.push(from);
        sources.add(from);
      }
      continue;
    }
    const node = producers.get(value);
    if (node === undefined || live.has(node)) continue;
    live.add(node);
    node.inputs.forEach((input, i) => {
      readers.set(input, [...(readers.get(input) ?? []), [node, i]]);
      waiting.push(input);
    });
  }
  return { gathered, sources, readers, live };
}

/** A convolution in which every filter sees every channel. */
function isDense({ op, options }: LayerNode): boolean {
  const { groups = 1 } = options as { groups?: number };
  return op === "conv2d" && groups === 1;
}

function inverse(order: readonly number[]): number[] {
  const places: number[] = [];
  order.forEach((channel, i) => {
    places[channel] = i;
  });
  return places;
}

/** A convolution with its filters in the order of `rows`, and their channels in that of `columns`. */
function reordered(
  node: LayerNode,
  specs: Specs,
  derived: Map<string, DerivedParameter>,
  rows: readonly number[] | undefined,
  columns: readonly number[] | undefined,
): LayerNode {
  const [weight, bias, ...others] = node.params as [string, string | null | undefined, ...(string | null)[]];
  const add = (
    suffix: string,
    from: string,
    move: (old: Float32Array, data: Float32Array, shape: readonly number[]) => void,
  ) => {
    let name = `${node.name}.${suffix} (ordered)`;
    while (specs.has(name) || derived.has(name)) name += "'";
    const spec = derived.get(from)?.spec ?? (specs.get(from) as TensorSpec);
    const { shape } = spec;
    derived.set(name, {
      spec,
      compute(weightOf) {
        const old = weightOf(from).data as Float32Array;
        const data = new Float32Array(old.length);
        move(old, data, shape);
        return { shape, dtype: "float32", data };
      },
      identity: (identityOf) => `ordered ${identityOf(from)} ${shape} ${columnText(rows ?? [], columns ?? [])}`,
    });
    return name;
  };
  const ordered = add("weight", weight, (old, data, [M = 0, C = 0, R = 1, S = 1]) => {
    const taps = R * S;
    const places = columns && Int32Array.from(columns, (column) => column * taps);
    for (let m = 0, to = 0; m < M; m++) {
      const row = (rows === undefined ? m : (rows[m] as number)) * C * taps;
      if (places === undefined) {
        data.set(old.subarray(row, row + C * taps), to);
        to += C * taps;
        continue;
      }
      for (let c = 0; c < C; c++) {
        const from = row + (places[c] as number);
        for (let i = from; i < from + taps; i++) data[to++] = old[i] as number;
      }
    }
  });
  const orderedBias =
    bias && rows
      ? add("bias", bias, (old, data) => {
          rows.forEach((row, m) => {
            data[m] = old[row] as number;
          });
        })
      : (bias ?? null);
  return { ...node, params: [ordered, orderedBias, ...others] };
}

/** The values that channels come from, and the fewest runs of them that are found by going along either side. */
function channelRuns(channels: readonly Channel[]): {
  readonly inputs: readonly string[];
  readonly runs: readonly ChannelRun[];
} {
  const inputs = [...new Set(channels.map(({ source }) => source))];
  const indices = new Map(inputs.map((source, i) => [source, i]));
  const moves = channels.map(({ source, channel }, to) => ({
    input: indices.get(source) as number,
    from: channel,
    to,
  }));
  const byOutput = joined(moves);
  if (byOutput.length === inputs.length) return { inputs, runs: byOutput };
  const byInput = joined(moves.sort((a, b) => a.input - b.input || a.from - b.from));
  return { inputs, runs: byInput.length < byOutput.length ? byInput : byOutput };
}

function joined(moves: readonly Pick<ChannelRun, "input" | "from" | "to">[]): ChannelRun[] {
  const runs: ChannelRun[] = [];
  let last: { -readonly [K in keyof ChannelRun]: ChannelRun[K] } | undefined;
  for (const { input, from, to } of moves) {
    if (last?.input === input) {
      const [srcStep, dstStep] = [from - last.from, to - last.to];
      if (last.count === 1 && srcStep > 0 && dstStep > 0) Object.assign(last, { srcStep, dstStep });
      if (srcStep === last.count * last.srcStep && dstStep === last.count * last.dstStep) {
        last.count++;
        continue;
      }
    }
    last = { input, from, to, count: 1, srcStep: 1, dstStep: 1 };
    runs.push(last);
  }
  return runs;
}

/** Inputs [N, *, H, W] → [N, count, H, W] of runs of their channels. */
function channels(runs: readonly ChannelRun[], count: number): Operator {
  return defineOperator({
    name: "channels",
    inputs: ["inputs"],
    variadic: true,
    infer({ inputs: [first] }) {
      const [N, , H, W] = (first as TensorSpec).shape as [number, number, number, number];
      return { outputs: [outputSpec([N, count, H, W], first as TensorSpec)] };
    },
    lower(b, { inputs }) {
      const { output } = b;
      const { dtype, shape } = output.spec;
      const to = stridesOf(output.spec);
      for (const run of runs) {
        const input = inputs[run.input] as Operand;
        const from = stridesOf(input.spec);
        const loops = shape.with(1, run.count).map((size, i) => ({
          size,
          src: (from[i] as number) * (i === 1 ? run.srcStep : 1),
          dst: (to[i] as number) * (i === 1 ? run.dstStep : 1),
        }));
        const src = elementRef(input.ref, dtype, from, [0, run.from]);
        copyStrided(b, dtype, src, elementRef(output.ref, dtype, to, [0, run.to]), loops);
      }
    },
  });
}

/** What values are put together from; those are left out that are computed, or cannot be followed. */
function movedValues(nodes: readonly LayerNode[], specs: Specs): ReadonlyMap<string, Moved> {
  const moved = new Map<string, Moved>();
  const views = new Map<string, View>();
  const shapeOf = (value: string) => (specs.get(value) as TensorSpec).shape;
  /** Its own channels where it is not moved. */
  const channelsOf = (value: string): Moved =>
    moved.get(value) ?? {
      channels: Array.from({ length: shapeOf(value)[1] as number }, (_, channel) => ({ source: value, channel })),
      isShuffled: false,
    };
  const follow = (node: LayerNode, value: string): Moved | undefined => {
    const shape = shapeOf(value);
    if (node.op === "concat") {
      const { axis = 1 } = node.options as { axis?: number };
      if (axis !== 1) return undefined;
      const parts = node.inputs.map(channelsOf);
      return { channels: parts.flatMap((part) => part.channels), isShuffled: parts.some((part) => part.isShuffled) };
    }
    if (node.op === "slice") {
      const [input] = node.inputs as [string];
      const [cut, ...more] = cutsOf(node, shapeOf(input), shape);
      if (cut?.axis === 1 && more.length === 0) {
        const { channels, isShuffled } = channelsOf(input);
        const part = Array.from({ length: cut.count }, (_, i) => channels[cut.from + i * cut.step] as Channel);
        return { channels: part, isShuffled };
      }
    }
    const view = views.get(value);
    const order = view && channelOrder(view, shapeOf(view.root), shape);
    if (view === undefined || order === undefined) return undefined;
    const whole = channelsOf(view.root);
    const isShuffled = whole.isShuffled || order.some((channel, i) => channel !== (order[0] as number) + i);
    return { channels: order.map((channel) => whole.channels[channel] as Channel), isShuffled };
  };
  for (const node of nodes) {
    const [value] = node.outputs as [string];
    const sizes = [value, ...node.inputs].map((name) => (specs.get(name)?.shape[1] ?? 0) as number);
    if (sizes.some((size) => size > MOST_CHANNELS)) continue;
    const view = viewThrough(node, views, shapeOf);
    if (view !== undefined) views.set(value, view);
    const found = shapeOf(value).length === 4 ? follow(node, value) : undefined;
    if (found !== undefined) moved.set(value, found);
  }
  return moved;
}

/** The root's channel of each of the view's, where the view is of images and moves nothing but channels. */
function channelOrder(
  { axes, offset }: View,
  root: readonly number[],
  shape: readonly number[],
): readonly number[] | undefined {
  const [N = 0, C = 0, H = 0, W = 0] = root;
  const strides = [C * H * W, H * W, W, 1];
  const isKept = (axis: number) => {
    const [loop, ...more] = axes[axis] as readonly Span[];
    return shape[axis] === root[axis] && more.length === 0 && (loop === undefined || loop.stride === strides[axis]);
  };
  if (root.length !== 4 || shape.length !== 4 || ![0, 2, 3].every(isKept) || N === 0) return undefined;
  const places = (axes[1] as readonly Span[]).reduce(
    (all, { size, stride }) => all.flatMap((at) => Array.from({ length: size }, (_, i) => at + i * stride)),
    [offset],
  );
  const order = places.map((at) => at / (H * W));
  return order.every((channel) => Number.isInteger(channel) && channel >= 0 && channel < C) ? order : undefined;
}
