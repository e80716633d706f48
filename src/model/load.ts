// A model plan brought into linear memory: the arena, weights packed or in place, and a program a step.
import { Program } from "../plan.js";
import type { Engine } from "../runtime/instance.js";
import { Allocator, alignUp } from "../runtime/memory.js";
import { bytesOf, type TensorSpec } from "../spec.js";
import type { ModelPlan, Place, PlannedStep } from "./planner.js";
import type { HostTensor } from "./weights.js";

export interface Loaded {
  /** The steps, in order, bound to their addresses. */
  readonly programs: readonly Program[];
  /** Of every input, in order: brings it into its slot from the other memory format. */
  readonly converts: readonly (Program | undefined)[];
  addressOf(place: Place): number;
  /** Gives everything back. */
  free(): void;
}

/** Allocates and fills everything; gives it all back when it throws. A weight is asked for when it is copied. */
export function loadPlan(engine: Engine, plan: ModelPlan, tensorOf: (name: string) => HostTensor): Loaded {
  const { heap } = engine;
  const taken: number[] = [];
  const programs: Program[] = [];
  const free = () => {
    for (const program of programs) program.dispose();
    for (const ptr of taken) heap.allocator.free(ptr);
  };
  const allocate = (bytes: number, owner: number[]): number => {
    const ptr = heap.allocator.allocate(bytes);
    owner.push(ptr);
    return ptr;
  };
  const bytesOfWeight = (name: string) => bytesOf(plan.parameters.get(name) as TensorSpec);
  const copyWeight = (name: string, ptr: number): number => {
    const { data } = tensorOf(name);
    heap.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), ptr);
    return ptr;
  };

  try {
    const arena = allocate(plan.arena.bytes, taken);
    const resident = new Map<string, number>();
    for (const name of plan.resident) resident.set(name, copyWeight(name, allocate(bytesOfWeight(name), taken)));
    const addressOf = (place: Place): number =>
      "param" in place ? (resident.get(place.param) as number) : arena + (plan.arena.offsets[place.block] as number);
    const isPacked = (name: string | undefined): name is string => name !== undefined && !resident.has(name);

    /** Copies the weights to pack, packs them, and forgets the copies. */
    const loadStep = (step: PlannedStep): Program => {
      const run = addressOf({ block: step.run });
      // Nothing runs yet, so the copies go to the arena, beside the step's own workspace, where they fit there.
      const gaps = [
        { from: arena, to: run },
        { from: alignUp(run + step.builder.runBytes), to: arena + plan.arena.bytes },
      ];
      const temporary: number[] = [];
      const place = (name: string): number => {
        const bytes = Allocator.sizeOf(bytesOfWeight(name));
        const gap = gaps.find(({ from, to }) => to - from >= bytes);
        if (gap === undefined) return allocate(bytes, temporary);
        gap.from += bytes;
        return gap.from - bytes;
      };
      try {
        const params = step.params.map((name) =>
          isPacked(name) ? copyWeight(name, place(name)) : name && resident.get(name),
        );
        const program = new Program(engine, step.builder, params as (number | undefined)[], run);
        programs.push(program);
        program.bind([...step.inputs, ...step.outputs].map(addressOf), step.inputs.length);
        return program;
      } finally {
        for (const ptr of temporary) heap.allocator.free(ptr);
      }
    };

    // Largest weights first: what later layers take then fits into the room that a copy left behind.
    const rawBytes = plan.steps.map(({ params }) =>
      params.filter(isPacked).reduce((sum, name) => sum + bytesOfWeight(name), 0),
    );
    const order = [...rawBytes.keys()].sort((a, b) => (rawBytes[b] as number) - (rawBytes[a] as number) || a - b);
    const steps = new Array<Program>(plan.steps.length);
    for (const index of order) steps[index] = loadStep(plan.steps[index] as PlannedStep);

    const converts = plan.inputs.map(({ convert }) => {
      if (convert === undefined) return undefined;
      const program = new Program(engine, convert, [], arena); // a copy needs no scratch
      programs.push(program);
      return program;
    });
    return { programs: steps, converts, addressOf, free };
  } catch (error) {
    free();
    throw error;
  }
}
