// A lowered graph planned completely before anything is allocated: which values share bytes, where weights are packed, and
// every byte counted. Pure.
import { sameShape } from "../base/check.js";
import { countOf } from "../base/shape.js";
import { bytesOf, type TensorSpec } from "../base/spec.js";
import { Allocator, alignUp } from "../engine/allocator.js";
import type { Builder, Pack } from "../plan/builder.js";
import { packKeys } from "../plan/pack-key.js";
import { type ArenaPlan, type Lifetime, planArena } from "./arena.js";
import type { Item } from "./infer-graph.js";
import type { LayerNode } from "./layers.js";
import type { LoweredGraph, LoweredStep } from "./lower-graph.js";

/** Where a value lies: in a block of the arena, or in a parameter that stays in memory as it is. */
export type Place = { readonly block: number } | { readonly param: string };

export interface PlannedStep {
  /** The layer this belongs to, or undefined for a change of memory format between layers. */
  readonly node: LayerNode | undefined;
  readonly builder: Builder;
  readonly inputs: readonly Place[];
  readonly outputs: readonly Place[];
  readonly params: readonly (string | undefined)[];
  /** What each of the builder's packed forms is called: those of the same name are one. */
  readonly packKeys: readonly string[];
  /** Where each parameter that is packed lies meanwhile; undefined for those that stay. */
  readonly feedRooms: readonly (FeedRoom | undefined)[];
  /** The arena block of its scratch and workspace. */
  readonly run: number;
}

/** A stretch of the arena, beside a step's scratch and workspace, with room for a parameter or for pieces of it. */
export interface FeedRoom {
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

/** What lies in the arena for a while: a value, or scratch and workspace of a step. */
export interface PlannedValue {
  /** Undefined for scratch and workspace, and for a value in another memory format. */
  readonly name: string | undefined;
  readonly bytes: number;
  readonly block: number;
  readonly first: number;
  readonly last: number;
}

export interface ModelPlan {
  readonly inputs: readonly PlannedInput[];
  readonly outputs: readonly PlannedOutput[];
  readonly steps: readonly PlannedStep[];
  readonly arena: ArenaPlan;
  readonly values: readonly PlannedValue[];
  /** Parameters that stay in memory as the weight map has them, since a step reads them in place; by what they are called there. */
  readonly resident: ReadonlyMap<string, string>;
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

/**
 * Places a lowered graph: lifetimes, the arena, and every byte counted. identityOf: what a parameter holds, the same for the same
 * bytes; its name says that within one graph.
 */
export function planModel(whole: LoweredGraph, identityOf: (name: string) => string = String): ModelPlan {
  const { parameters, inputs, outputs } = whole;
  const { placed, arena, values, place } = placeSteps(whole);
  const resident = new Map<string, string>();
  const stay = (name: string) => resident.set(name, `in place ${identityOf(name)}`);
  for (const { inputs, builder, params } of placed) {
    for (const input of inputs) if ("param" in input) stay(input.param);
    params.forEach((name, i) => {
      if (name !== undefined && builder.readsParam(i)) stay(name);
    });
  }
  const specOf = (name: string) => parameters.get(name) as TensorSpec;
  let arenaEnd = arena.bytes;
  const steps = placed.map((step): PlannedStep => {
    const packed = step.params.map((name) =>
      name === undefined || resident.has(name) ? undefined : bytesOf(specOf(name)),
    );
    const { feedRooms, end } = feedRoomsOf(step.builder, packed, arena.offsets[step.run] as number, arena.bytes);
    arenaEnd = Math.max(arenaEnd, end);
    const { builder, params } = step;
    const named = builder.packs.length > 0 ? params.map((name) => name && identityOf(name)) : [];
    return { ...step, feedRooms, packKeys: packKeys(builder, named) };
  });
  const builders = [...steps.map(({ builder }) => builder), ...inputs.flatMap(({ convert }) => convert ?? [])];
  const kept = builders.reduce((sum, builder) => sum + Allocator.sizeOf(builder.keptBytes), 0);
  const shared = new Map([...resident].map(([name, key]) => [key, bytesOf(specOf(name))]));
  for (const { builder, packKeys } of steps)
    packKeys.forEach((key, i) => {
      shared.set(key, (builder.packs[i] as Pack).bytes);
    });
  const weightBytes = [...shared.values()].reduce((sum, bytes) => sum + Allocator.sizeOf(bytes), kept);
  const arenaBytes = Allocator.sizeOf(arenaEnd);
  return {
    inputs: inputs.map(({ name, id, spec, convert }) => ({ name, spec, convert, place: place(id) })),
    outputs: outputs.map(({ name, id }) => ({ name, spec: (whole.items[id] as Item).spec, place: place(id) })),
    steps,
    arena: { ...arena, bytes: arenaEnd },
    values,
    resident,
    parameters,
    report: {
      weightBytes,
      arenaBytes,
      totalBytes: weightBytes + arenaBytes,
      macs: whole.macs,
      parameters: [...parameters.values()].reduce((sum, spec) => sum + countOf(spec.shape), 0),
    },
  };
}

/** Gives every tensor, and the scratch and workspace of every step, a block of the arena for its lifetime. */
function placeSteps({ items, names, steps, inputs, outputs }: LoweredGraph) {
  const item = (id: number): Item => items[id] as Item;
  // The last step that reads each tensor, by root.
  const lastUse = new Map<number, number>();
  steps.forEach((step, i) => {
    for (const id of step.inputs) lastUse.set(item(id).root, i);
  });
  for (const { id } of outputs) lastUse.set(item(id).root, steps.length);

  const blocks: { bytes: number; first: number; last: number }[] = [];
  const blockOf = new Map<number, number>(); // root → block
  const place = (id: number): Place => {
    const { root, param } = item(id);
    return param === undefined ? { block: blockOf.get(root) as number } : { param };
  };
  const values: PlannedValue[] = [];
  const put = (name: string | undefined, bytes: number, block: number, first: number, last: number): number => {
    values.push({ name, bytes, block, first, last });
    return block;
  };
  const reserve = (name: string | undefined, bytes: number, first: number, last: number): number =>
    put(name, bytes, blocks.push({ bytes, first, last }) - 1, first, last);
  for (const { id, name, spec } of inputs) blockOf.set(id, reserve(name, bytesOf(spec), -1, lastUse.get(id) ?? -1));

  /** An input of step i whose bytes nobody needs any more, the step's other inputs included: it may give them to the output. */
  const donorOf = ({ inputs, builder }: LoweredStep, i: number, spec: TensorSpec): number | undefined =>
    inputs.find((input, index) => {
      const { root, param, spec: from } = item(input);
      const isAlike =
        sameShape(from.shape, spec.shape) && from.memoryFormat === spec.memoryFormat && from.dtype === spec.dtype;
      const mayBe = (at: number) => builder.inPlace.includes(at);
      const isLast = lastUse.get(root) === i && inputs.every((id, k) => item(id).root !== root || mayBe(k));
      return mayBe(index) && param === undefined && isAlike && isLast;
    });

  const placed = steps.map((step, i) => {
    const { node, builder } = step;
    step.outputs.forEach((id, o) => {
      const { spec, root } = item(id);
      if (root !== id) return; // a view
      const last = lastUse.get(id) ?? i;
      const donor = o === 0 ? donorOf(step, i, spec) : undefined;
      if (donor === undefined) {
        blockOf.set(id, reserve(names.get(id), bytesOf(spec), i, last));
        return;
      }
      const block = blockOf.get(item(donor).root) as number;
      blockOf.set(id, put(names.get(id), bytesOf(spec), block, i, last));
      (blocks[block] as { last: number }).last = last;
    });
    return {
      node,
      builder,
      inputs: step.inputs.map(place),
      outputs: step.outputs.map(place),
      params: node?.params.map((name) => name ?? undefined) ?? [],
      run: reserve(undefined, builder.runBytes, i, i),
    };
  });
  return { placed, arena: planArena(blocks satisfies Lifetime[]), values, place };
}

/** Of a parameter that may be packed piece by piece, a piece: it is packed while an L2 of 1 MB still has it. */
const PIECE_BYTES = 2 ** 18;

/**
 * Places for the parameters of a step while they are packed: nothing runs yet, so all of the arena is free but the step's own
 * scratch and workspace from `run` on. Whole or in pieces, where these fit; else
 * behind the arena's end. Answers that end too.
 */
function feedRoomsOf(builder: Builder, packed: readonly (number | undefined)[], run: number, end: number) {
  const gaps = [
    { from: 0, to: run },
    { from: alignUp(run + builder.runBytes), to: end },
  ] as [{ from: number; to: number }, { from: number; to: number }];
  const feedRooms = packed.map((bytes, index): FeedRoom | undefined => {
    if (bytes === undefined) return undefined;
    const least = builder.feedBytes(index) || bytes;
    const wanted = Math.min(bytes, Math.max(least, PIECE_BYTES));
    const fits = (size: number) => gaps.find(({ from, to }) => to - from >= Allocator.sizeOf(size));
    const gap = fits(wanted) ?? fits(least) ?? gaps[1];
    gap.to = Math.max(gap.to, gap.from + Allocator.sizeOf(least));
    const offset = gap.from;
    const room = Math.min(wanted, gap.to - offset - Allocator.sizeOf(0));
    gap.from += Allocator.sizeOf(room);
    return { offset, room };
  });
  return { feedRooms, end: gaps[1].to };
}
