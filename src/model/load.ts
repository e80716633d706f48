// A model plan brought into linear memory: weights packed or in place where no other plan of the model has them yet, an arena, and
// a program a step.

import { bytesOf, type TensorSpec } from "../base/spec.js";
import type { Work } from "../engine/crew.js";
import type { Engine } from "../engine/engine.js";
import type { Pack } from "../plan/builder.js";
import { type Feed, Program } from "../plan/program.js";
import type { ModelPlan, Place, PlannedStep } from "./planner.js";
import type { Arena, Block, Shared } from "./shared.js";
import { DeferredTensor, type HostTensor, writerOf } from "./weights.js";

/** What a model holds in linear memory. Nothing here leads back to the weights it was loaded from. */
export class Loaded {
  /** The steps, in order, bound to their addresses. */
  readonly programs: Program[] = [];
  /** Of every input, in order: brings it into its slot from the other memory format. */
  readonly converts: (Program | undefined)[] = [];
  /** Runs all steps, where there are threads. */
  joined: (() => void) | undefined;
  readonly shared: Shared;
  readonly #plan: Pick<ModelPlan, "arena"> & { readonly steps: readonly Omit<PlannedStep, "packKeys" | "feedRooms">[] };
  readonly #blocks = new Map<string, Block>();
  readonly #resident = new Map<string, Block>();
  readonly #kept: (readonly [ptr: number, bytes: number])[] = [];
  #arena: Arena | undefined;
  /** Where the arena lies that the programs are bound to. */
  base = -1;

  constructor(shared: Shared, plan: ModelPlan) {
    this.shared = shared;
    this.#plan = plan;
  }

  block(key: string, bytes: number): Block {
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const block = this.shared.take(key, bytes);
    this.#blocks.set(key, block);
    return block;
  }

  keep(bytes: number): number {
    const ptr = this.shared.allocate(bytes);
    this.#kept.push([ptr, bytes]);
    return ptr;
  }

  stay(name: string, block: Block): void {
    this.#resident.set(name, block);
  }

  /** From `base` on, but for parameters. */
  offsetOf(place: Place): number {
    return "param" in place
      ? (this.#resident.get(place.param) as Block).ptr - this.base
      : (this.#plan.arena.offsets[place.block] as number);
  }

  addressOf(place: Place): number {
    return this.base + this.offsetOf(place);
  }

  /** An arena that no run is in; answers whether it is another than before. Throws OutOfMemoryError. */
  enter(): boolean {
    const before = this.base;
    this.#arena = this.shared.arenaFor(this.#plan.arena.bytes, this.#arena);
    this.base = this.#arena.ptr;
    return this.base !== before;
  }

  /** Before a run, or inputs are written: the programs in an arena that no other run is in. Throws OutOfMemoryError. */
  bind(): void {
    if (!this.enter()) return;
    this.programs.forEach((program, i) => {
      this.bindStep(program, this.#plan.steps[i] as PlannedStep);
    });
    for (const program of this.converts) program?.move(this.base);
  }

  /** Runs all steps, bound. */
  run(): void {
    if (this.joined) this.joined();
    else for (const program of this.programs) program.run();
  }

  bindStep(program: Program, { inputs, outputs, run }: Pick<PlannedStep, "inputs" | "outputs" | "run">): void {
    program.move(this.addressOf({ block: run }));
    const operands = [...inputs, ...outputs].map((operand) => this.addressOf(operand));
    program.bind(operands, inputs.length);
  }

  /** Says whether a run in turns is under way: nothing else takes its arena then. */
  set isBusy(value: boolean) {
    (this.#arena as Arena).isBusy = value;
  }

  /** Gives back what no other plan has. */
  free(): void {
    for (const key of this.#blocks.keys()) this.shared.drop(key);
    for (const [ptr, bytes] of this.#kept) this.shared.free(ptr, bytes);
    this.shared.leave();
  }
}

/** Allocates and fills everything; gives it all back when it throws. A weight is asked for when it is copied. */
export function loadPlan(
  engine: Engine,
  plan: ModelPlan,
  tensorOf: (name: string) => HostTensor,
  shared: Shared,
): Loaded {
  const { heap } = engine;
  if (shared.bytes === 0) heap.allocator.reserve(plan.report.totalBytes);
  const loaded = new Loaded(shared, plan);

  /** A parameter's bytes, to be brought to `ptr`. */
  const feed = (name: string, ptr: number, room?: number): Feed => {
    const bytes = bytesOf(plan.parameters.get(name) as TensorSpec);
    const tensor = tensorOf(name);
    const turned = tensor instanceof DeferredTensor ? tensor.turned : undefined;
    return { ptr, room: room ?? bytes, bytes, write: writerOf(tensor), turned };
  };
  const bring = ({ ptr, bytes, write }: Feed): number => {
    write(heap.u8.subarray(ptr, ptr + bytes), 0);
    return ptr;
  };

  /** Brings the weights to pack beside the step's own workspace, whole or in pieces, and packs them. */
  const loadStep = (step: PlannedStep, kept: number, packs: readonly Block[]): Program => {
    const { builder, params, feedRooms, run } = step;
    const given = params.map((name, i) => {
      if (name === undefined) return undefined;
      const feedRoom = feedRooms[i];
      if (feedRoom === undefined) return loaded.addressOf({ param: name });
      if (!builder.isWanted(i, packs)) return undefined;
      const fed = feed(name, loaded.base + feedRoom.offset, feedRoom.room);
      return fed.turned || fed.room < fed.bytes ? fed : bring(fed);
    });
    const program = new Program(engine, builder, given, { kept, packs, run: loaded.addressOf({ block: run }) });
    for (const block of packs) block.isNew = false;
    loaded.bindStep(program, step);
    return program;
  };

  try {
    const resident = [...plan.resident].map(([name, key]) => {
      const block = loaded.block(key, bytesOf(plan.parameters.get(name) as TensorSpec));
      loaded.stay(name, block);
      return { name, block };
    });
    const places = plan.steps.map(({ builder, packKeys }) => ({
      kept: loaded.keep(builder.keptBytes),
      packs: packKeys.map((key, i) => loaded.block(key, (builder.packs[i] as Pack).bytes)),
    }));
    const converts = plan.inputs.map(({ convert }) => convert && loaded.keep(convert.keptBytes));
    // Behind everything else, so that it grows in place as a rule.
    loaded.enter();
    for (const { name, block } of resident) {
      if (block.isNew) bring(feed(name, block.ptr));
      block.isNew = false;
    }
    plan.steps.forEach((step, i) => {
      const { kept, packs } = places[i] as (typeof places)[number];
      loaded.programs.push(loadStep(step, kept, packs));
    });
    plan.inputs.forEach(({ convert }, i) => {
      const kept = converts[i];
      const places = kept !== undefined && { kept, packs: [], run: loaded.base }; // a copy needs no scratch
      loaded.converts.push(places ? new Program(engine, convert as never, [], places) : undefined);
    });
    loaded.joined = engine.crew?.join(loaded.programs.map(({ work }) => work as Work));
    for (const { builder } of plan.steps) builder.forget(); // only now: who failed may try again
    return loaded;
  } catch (error) {
    loaded.free();
    throw error;
  }
}
