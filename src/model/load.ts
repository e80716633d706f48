// A model plan brought into linear memory: the arena, weights packed or in place, and a program a step.

import { bytesOf, type TensorSpec } from "../base/spec.js";
import type { Engine } from "../engine/engine.js";
import { type Feed, Program } from "../plan/program.js";
import type { ModelPlan, Place, PlannedStep } from "./planner.js";
import { DeferredTensor, type HostTensor, writerOf } from "./weights.js";

/** What a model holds in linear memory. Nothing here leads back to the weights it was loaded from. */
export class Loaded {
  /** The steps, in order, bound to their addresses. */
  readonly programs: Program[] = [];
  /** Of every input, in order: brings it into its slot from the other memory format. */
  readonly converts: (Program | undefined)[] = [];
  readonly arena: number;
  readonly resident = new Map<string, number>();
  readonly #engine: Engine;
  readonly #offsets: readonly number[];
  readonly #taken: number[] = [];

  constructor(engine: Engine, { arena }: ModelPlan) {
    this.#engine = engine;
    this.#offsets = arena.offsets;
    this.arena = this.allocate(arena.bytes);
  }

  allocate(bytes: number): number {
    const ptr = this.#engine.heap.allocator.allocate(bytes);
    this.#taken.push(ptr);
    return ptr;
  }

  addressOf(place: Place): number {
    return "param" in place
      ? (this.resident.get(place.param) as number)
      : this.arena + (this.#offsets[place.block] as number);
  }

  /** Gives everything back. */
  free(): void {
    for (const program of [...this.programs, ...this.converts]) program?.dispose();
    for (const ptr of this.#taken) this.#engine.heap.allocator.free(ptr);
  }
}

/** Allocates and fills everything; gives it all back when it throws. A weight is asked for when it is copied. */
export function loadPlan(engine: Engine, plan: ModelPlan, tensorOf: (name: string) => HostTensor): Loaded {
  const { heap } = engine;
  heap.allocator.reserve(plan.report.totalBytes);
  const loaded = new Loaded(engine, plan);
  const { arena, resident } = loaded;

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
  const loadStep = ({ builder, params, feedRooms, inputs, outputs, run }: PlannedStep): Program => {
    const given = params.map((name, i) => {
      if (name === undefined) return undefined;
      const feedRoom = feedRooms[i];
      if (feedRoom === undefined) return resident.get(name);
      const fed = feed(name, arena + feedRoom.offset, feedRoom.room);
      return fed.turned || fed.room < fed.bytes ? fed : bring(fed);
    });
    const program = new Program(engine, builder, given, loaded.addressOf({ block: run }));
    program.bind(
      [...inputs, ...outputs].map((operand) => loaded.addressOf(operand)),
      inputs.length,
    );
    return program;
  };

  try {
    for (const name of plan.resident) {
      const fed = feed(name, 0);
      resident.set(name, bring({ ...fed, ptr: loaded.allocate(fed.bytes) }));
    }
    for (const step of plan.steps) loaded.programs.push(loadStep(step));
    for (const { convert } of plan.inputs) loaded.converts.push(convert && new Program(engine, convert, [], arena)); // a copy needs no scratch
    return loaded;
  } catch (error) {
    loaded.free();
    throw error;
  }
}
