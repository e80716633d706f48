// A graph and the shapes of its weights, planned completely before anything is allocated: every layer lowered, memory
// formats chosen, every byte and every multiply-accumulate counted. Pure, but for what target.measure may be asked.

import { sameShape } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import { bytesOf, type MemoryFormat, makeSpec, type TensorSpec } from "../base/spec.js";
import { Allocator, alignUp } from "../engine/allocator.js";
import { OPERATORS } from "../ops/index.js";
import { build, type Operator } from "../ops/operator.js";
import { isChannelsLast } from "../ops/parts/image.js";
import { Builder, type Planning } from "../plan/builder.js";
import { type ArenaPlan, type Lifetime, planArena } from "./arena.js";
import { checkGraph } from "./check-graph.js";
import type { GraphData, GraphNode } from "./graph.js";

/** Where a value lies: in a block of the arena, or in a parameter that stays in memory as it is. */
export type Place = { readonly block: number } | { readonly param: string };

export interface PlannedStep {
  /** The layer this belongs to, or undefined for a change of memory format between layers. */
  readonly node: GraphNode | undefined;
  readonly builder: Builder;
  readonly inputs: readonly Place[];
  readonly outputs: readonly Place[];
  readonly params: readonly (string | undefined)[];
  /** Where each parameter that is packed lies meanwhile; undefined for those that stay. */
  readonly windows: readonly (Window | undefined)[];
  /** The arena block of its scratch and workspace. */
  readonly run: number;
}

/** A stretch of the arena, beside a step's scratch and workspace, with room for a parameter or for pieces of it. */
export interface Window {
  readonly offset: number;
  readonly room: number;
}

export interface PlannedInput {
  readonly name: string;
  readonly spec: TensorSpec;
  readonly place: Place;
  /** Changes the other memory format into this one on the way in; undefined where both lie alike. */
  readonly convert: Builder | undefined;
}

export interface PlannedOutput {
  readonly name: string;
  readonly spec: TensorSpec;
  readonly place: Place;
}

export interface ModelPlan {
  readonly inputs: readonly PlannedInput[];
  readonly outputs: readonly PlannedOutput[];
  readonly steps: readonly PlannedStep[];
  readonly arena: ArenaPlan;
  /** Parameters that stay in memory as the weight map has them, since a step reads them in place. */
  readonly resident: ReadonlySet<string>;
  /** Every named value and parameter of the graph. */
  readonly specs: ReadonlyMap<string, TensorSpec>;
  /** Every parameter that a layer uses. */
  readonly parameters: ReadonlyMap<string, TensorSpec>;
  readonly report: ModelReport;
}

/** Bytes are what the runtime's bytesInUse rises by, alignment and slack included. */
export interface ModelReport {
  /** Packed weights, weights read in place, tables and descriptors. */
  readonly weightBytes: number;
  /** Activations and workspace. */
  readonly arenaBytes: number;
  /** weightBytes + arenaBytes: what the model holds until it is disposed. */
  readonly totalBytes: number;
  /** Multiply-accumulates of one run, by the layers' definitions. */
  readonly macs: number;
  /** Numbers learned in training, each counted once. */
  readonly parameters: number;
}

/** A tensor while planning; `root` is the one whose bytes it shares. */
interface Item {
  readonly spec: TensorSpec;
  readonly root: number;
  readonly param: string | undefined;
}

interface Lowered {
  readonly node: GraphNode | undefined;
  readonly builder: Builder;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** Operators whose kernels read pixels as channel vectors: of another format they would change every input and output. */
const READS_PIXELS = /2d$|^global/;

/** A graph lowered, before its tensors have places. */
interface LoweredGraph {
  readonly items: readonly Item[];
  readonly named: ReadonlyMap<string, number>;
  readonly lowered: readonly Lowered[];
  readonly parameters: ReadonlyMap<string, TensorSpec>;
  readonly inputs: readonly (Omit<PlannedInput, "place"> & { readonly id: number })[];
  readonly outputs: readonly { readonly name: string; readonly id: number }[];
}

/** Every named value and parameter of a graph. Throws what planning it throws, but for what an algorithm refuses. */
export function specsOf(
  graph: GraphData,
  specOf: (name: string) => TensorSpec,
  target: Planning,
): ReadonlyMap<string, TensorSpec> {
  return allSpecs(lowerGraph(graph, specOf, { ...target, shapesOnly: true }));
}

function allSpecs({ items, named, parameters }: LoweredGraph): ReadonlyMap<string, TensorSpec> {
  const specs = new Map(parameters);
  for (const [name, id] of named) specs.set(name, (items[id] as Item).spec);
  return specs;
}

function lowerGraph(graph: GraphData, specOf: (name: string) => TensorSpec, target: Planning): LoweredGraph {
  checkGraph(graph);
  const items: Item[] = [];
  const named = new Map<string, number>();
  const lowered: Lowered[] = [];
  const parameters = new Map<string, TensorSpec>();
  const declared = new Map(graph.parameters.map(({ name, shape }) => [name, shape]));

  const add = (spec: TensorSpec, param?: string): number => items.push({ spec, root: items.length, param }) - 1;
  const item = (id: number): Item => items[id] as Item;
  /** The same bytes seen as another tensor. */
  const share = (id: number, spec: TensorSpec): number => items.push({ ...item(id), spec }) - 1;
  const define = (name: string, id: number): void => {
    if (named.has(name) || declared.has(name))
      throw new ModelError(`"graph" expected each value once, got ${show(name)} twice`);
    named.set(name, id);
  };
  const parameter = (name: string): TensorSpec => {
    const known = parameters.get(name);
    if (known !== undefined) return known;
    const spec = specOf(name);
    const shape = declared.get(name);
    if (shape !== undefined && !sameShape(shape, spec.shape)) {
      throw new ModelError(`"${name}" expected shape ${show(shape)}, got ${show(spec.shape)}`);
    }
    parameters.set(name, spec);
    return spec;
  };
  const operand = (node: string, name: string): number => {
    const id = named.get(name);
    if (id !== undefined) return id;
    if (!declared.has(name)) throw new ModelError(`"${node}" expected a value that comes before it, got ${show(name)}`);
    const constant = add(parameter(name), name);
    named.set(name, constant);
    return constant;
  };
  const changed = new Map<number, number>();
  /** The same tensor in another memory format: relabelled where both lie alike, else by one step for all who want it. */
  const inFormat = (id: number, memoryFormat: MemoryFormat): number => {
    const { spec } = item(id);
    if (spec.memoryFormat === memoryFormat || spec.shape.length < 3) return id;
    const wanted = { ...spec, memoryFormat };
    if (isChannelsLast(spec) && isChannelsLast(wanted)) return share(id, wanted);
    const known = changed.get(id);
    if (known !== undefined) return known;
    const output = add(wanted);
    changed.set(id, output);
    lowered.push({ node: undefined, builder: formatChange(spec, wanted, target), inputs: [id], outputs: [output] });
    return output;
  };

  const inputs = graph.inputs.map(({ name, shape, dtype, memoryFormat }) => {
    const format = memoryFormat ?? (shape.length === 4 && dtype === "float32" ? "channelsLast" : "contiguous");
    const spec = makeSpec(shape, dtype, format, name);
    const id = add(spec);
    define(name, id);
    const other: TensorSpec = { ...spec, memoryFormat: otherFormat(format) };
    const isAlike = shape.length < 3 || (isChannelsLast(spec) && isChannelsLast(other));
    return { name, id, spec, convert: isAlike ? undefined : formatChange(other, spec, target) };
  });

  for (const node of graph.nodes) {
    const operator = OPERATORS[node.op] as unknown as Operator;
    const given = node.inputs.map((name) => operand(node.name, name));
    const channelsLast =
      READS_PIXELS.test(node.op) || given.some((id) => item(id).spec.memoryFormat === "channelsLast");
    const aligned = given.map((id, i) => {
      if (channelsLast && item(id).spec.shape.length === 4) return inFormat(id, "channelsLast");
      // A residual lies as the output does, which lies as the input.
      return i < operator.inputs.length || operator.variadic
        ? id
        : inFormat(id, item(given[0] as number).spec.memoryFormat);
    });
    const params = node.params.map((name) => (name === null ? undefined : weight(node.name, name)));
    const specs = aligned.map((id) => item(id).spec);
    const lower = (options: object) => located(node, () => build(operator, specs, params, options, target));
    let full = lower(node.options);
    if (node.op === "transpose" && specs[0]?.shape.length === 4 && !full.isView) {
      // [N, H, W, C] is [N, C, H, W] in channels-last, and the other way round.
      const other = lower({ outputFormat: otherFormat(specs[0].memoryFormat), ...node.options });
      if (other.isView) full = other;
    }
    const builder = full.isView ? viewOf(full, specs, target) : full;
    const outputs = builder.outputs.map(({ spec }) => (full.isView ? share(aligned[0] as number, spec) : add(spec)));
    node.outputs.forEach((name, i) => {
      define(name, outputs[i] as number);
    });
    lowered.push({ node, builder, inputs: aligned, outputs });
  }

  function weight(node: string, name: string): TensorSpec {
    if (!declared.has(name)) throw new ModelError(`"${node}" expected a parameter, got ${show(name)}`);
    return parameter(name);
  }

  if (graph.outputs.length === 0) throw new ModelError(`"graph" expected at least one output, got none`);
  const outputs = graph.outputs.map(({ name, value, memoryFormat }, i) => {
    if (graph.outputs.findIndex((output) => output.name === name) !== i) {
      throw new ModelError(`"graph" expected each output once, got ${show(name)} twice`);
    }
    const id = named.get(value);
    if (id === undefined) throw new ModelError(`"${name}" expected a value of the graph, got ${show(value)}`);
    if (item(id).param !== undefined)
      throw new ModelError(`"${name}" expected a value that a layer computes, got parameter ${show(value)}`);
    return { name, id: inFormat(id, memoryFormat) };
  });

  return { items, named, lowered, parameters, inputs, outputs };
}

/** Plans a graph. specOf answers a weight's spec, or throws. Throws ModelError for a graph that does not hold together. */
export function planModel(graph: GraphData, specOf: (name: string) => TensorSpec, target: Planning): ModelPlan {
  const whole = lowerGraph(graph, specOf, target);
  const { items, lowered, parameters, inputs, outputs } = whole;
  const item = (id: number): Item => items[id] as Item;

  // The last step that reads each tensor, by root.
  const lastUse = new Map<number, number>();
  lowered.forEach((step, i) => {
    for (const id of step.inputs) lastUse.set(item(id).root, i);
  });
  for (const { id } of outputs) lastUse.set(item(id).root, lowered.length);

  const blocks: { bytes: number; first: number; last: number }[] = [];
  const blockOf = new Map<number, number>(); // root → block
  const place = (id: number): Place => {
    const { root, param } = item(id);
    return param === undefined ? { block: blockOf.get(root) as number } : { param };
  };
  const reserve = (bytes: number, first: number, last: number): number => blocks.push({ bytes, first, last }) - 1;
  for (const { id, spec } of inputs) blockOf.set(id, reserve(bytesOf(spec), -1, lastUse.get(id) ?? -1));

  const placed = lowered.map(({ node, builder, inputs, outputs }, i) => {
    outputs.forEach((id, o) => {
      const { spec, root: own } = item(id);
      if (own !== id) return; // a view
      const last = lastUse.get(id) ?? i;
      // An input whose bytes nobody needs any more, this step's other inputs included, gives them to the output.
      const mayBe = (index: number) => o === 0 && builder.inPlace.includes(index);
      const donor = inputs.find((input, index) => {
        const { root, param, spec: from } = item(input);
        const isAlike =
          sameShape(from.shape, spec.shape) && from.memoryFormat === spec.memoryFormat && from.dtype === spec.dtype;
        const isLast = lastUse.get(root) === i && inputs.every((id, k) => item(id).root !== root || mayBe(k));
        return mayBe(index) && param === undefined && isAlike && isLast;
      });
      if (donor === undefined) {
        blockOf.set(id, reserve(bytesOf(spec), i, last));
        return;
      }
      const block = blockOf.get(item(donor).root) as number;
      blockOf.set(id, block);
      (blocks[block] as { last: number }).last = last;
    });
    const params = node?.params.map((name) => name ?? undefined) ?? [];
    return {
      node,
      builder,
      inputs: inputs.map(place),
      outputs: outputs.map(place),
      params,
      run: reserve(builder.runBytes, i, i),
    };
  });

  const resident = new Set<string>();
  for (const { inputs, builder, params } of placed) {
    for (const input of inputs) if ("param" in input) resident.add(input.param);
    params.forEach((name, i) => {
      if (name !== undefined && builder.readsParam(i)) resident.add(name);
    });
  }
  const arena = planArena(blocks satisfies Lifetime[]);
  let arenaEnd = arena.bytes;
  const steps = placed.map((step): PlannedStep => {
    const packed = step.params.map((name) =>
      name === undefined || resident.has(name) ? undefined : bytesOf(parameters.get(name) as TensorSpec),
    );
    const { windows, end } = windowsOf(step.builder, packed, arena.offsets[step.run] as number, arena.bytes);
    arenaEnd = Math.max(arenaEnd, end);
    return { ...step, windows };
  });
  const converts = inputs.flatMap(({ convert }) => (convert ? [convert] : []));
  const kept = [...steps.map((step) => step.builder), ...converts].reduce((sum, b) => sum + keptBytes(b), 0);
  const weightBytes = [...resident].reduce(
    (sum, name) => sum + Allocator.sizeOf(bytesOf(parameters.get(name) as TensorSpec)),
    kept,
  );
  const arenaBytes = Allocator.sizeOf(arenaEnd);
  return {
    inputs: inputs.map(({ name, id, spec, convert }) => ({ name, spec, convert, place: place(id) })),
    outputs: outputs.map(({ name, id }) => ({ name, spec: item(id).spec, place: place(id) })),
    steps,
    arena: { ...arena, bytes: arenaEnd },
    resident,
    specs: allSpecs(whole),
    parameters,
    report: {
      weightBytes,
      arenaBytes,
      totalBytes: weightBytes + arenaBytes,
      macs: steps.reduce((sum, step) => sum + step.builder.macs, 0),
      parameters: [...parameters.values()].reduce((sum, spec) => sum + countOf(spec.shape), 0),
    },
  };
}

/**
 * Places for the parameters of a step while they are packed: nothing runs yet, so all of the arena is free but the step's own
 * scratch and workspace from `run` on. Whole where they fit; else in pieces, or behind the arena's end. Answers that end too.
 */
function windowsOf(builder: Builder, packed: readonly (number | undefined)[], run: number, end: number) {
  const gaps = [
    { from: 0, to: run },
    { from: alignUp(run + builder.runBytes), to: end },
  ] as [{ from: number; to: number }, { from: number; to: number }];
  const windows = packed.map((bytes, index): Window | undefined => {
    if (bytes === undefined) return undefined;
    const least = builder.feedBytes(index) || bytes;
    const fits = (size: number) => gaps.find(({ from, to }) => to - from >= Allocator.sizeOf(size));
    const gap = fits(bytes) ?? fits(least) ?? gaps[1];
    gap.to = Math.max(gap.to, gap.from + Allocator.sizeOf(least));
    const offset = gap.from;
    const room = Math.min(bytes, gap.to - offset - Allocator.sizeOf(0));
    gap.from += Allocator.sizeOf(room);
    return { offset, room };
  });
  return { windows, end: gaps[1].to };
}

/** What a program of this builder takes from the allocator for as long as it lives. */
export function keptBytes(builder: Builder): number {
  return Allocator.sizeOf(builder.keptBytes);
}

function otherFormat(format: MemoryFormat): MemoryFormat {
  return format === "contiguous" ? "channelsLast" : "contiguous";
}

/** The same tensor in another memory format. */
function formatChange(from: TensorSpec, to: TensorSpec, target: Planning): Builder {
  const { memoryFormat } = to;
  const builder = build(OPERATORS.toMemoryFormat as unknown as Operator, [from], [], { memoryFormat }, target);
  builder.algorithm = memoryFormat;
  return builder;
}

/** The same layer without its steps. */
function viewOf(full: Builder, inputs: readonly TensorSpec[], target: Planning): Builder {
  const view = new Builder(full.op, inputs, [], target);
  for (const { spec } of full.outputs) view.output(spec);
  view.algorithm = "view";
  return view;
}

/** Puts the layer's name before an error's sentence. */
function located<T>(node: GraphNode, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof Error && !error.message.startsWith("internal")) {
      error.message = `layer ${show(node.name)} (${node.op}): ${error.message}`;
    }
    throw error;
  }
}
