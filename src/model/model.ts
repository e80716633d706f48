// A planned graph in memory: one arena, packed weights, and kernel calls bound to fixed addresses.
//
//   model.run({ image })   copy or convert each input into its slot ─▶ every step's kernels in order ─▶ output tensors
//
// Everything is allocated when the model is made; a run allocates nothing.
import { integer, knownOptions, sameShape } from "../check.js";
import { DisposedError, ModelError, OutOfMemoryError, ShapeError, show } from "../errors.js";
import type { Runtime } from "../lanewise.js";
import { isChannelsLast } from "../ops/conv-lowering.js";
import { Program } from "../plan.js";
import { Allocator, alignUp } from "../runtime/memory.js";
import { type DType, type MemoryFormat, showSpec, type TensorData } from "../spec.js";
import { Tensor, type TensorOwner } from "../tensor.js";
import type { GraphData } from "./graph.js";
import { type ModelPlan, type ModelReport, type Place, type PlannedInput, planModel } from "./planner.js";
import { type Profile, profileOf, type Summary, summaryOf } from "./summary.js";
import { specOf, type Weights, weightOf } from "./weights.js";

export interface ModelOptions {
  /** Most bytes the model may hold (model.plan.totalBytes). Default: what the runtime's memory has room for. */
  readonly maxBytes?: number;
  /** Most multiply-accumulates of one run. Default: any number. */
  readonly maxMacs?: number;
}

/** An input or output of a model; memoryFormat is how it lies in the arena, which model.input() and output() show. */
export interface ModelTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly memoryFormat: MemoryFormat;
}

/**
 * Plans a graph with its weights, then allocates it. Weights are copied; what a kernel wants packed is packed here.
 * Throws ModelError for a graph or weights that do not hold together or more than maxMacs, OutOfMemoryError for more than
 * maxBytes, and the operators' own errors with the layer's name in front; nothing stays allocated then.
 */
export function createModel(runtime: Runtime, graph: GraphData, weights: Weights, options: ModelOptions = {}): Model {
  knownOptions("model options", options, ["maxBytes", "maxMacs"]);
  const maxBytes = options.maxBytes === undefined ? Infinity : integer("maxBytes", options.maxBytes, 0);
  const maxMacs = options.maxMacs === undefined ? Infinity : integer("maxMacs", options.maxMacs, 0);
  if (runtime.disposed) throw new DisposedError(`"runtime" expected a live runtime, got a disposed one`);
  const plan = planModel(graph, (name) => specOf(weightOf(weights, name), name), runtime.engine.target);
  const { totalBytes, macs } = plan.report;
  if (macs > maxMacs) throw new ModelError(`"maxMacs" expected at least ${macs} for this model, got ${maxMacs}`);
  if (totalBytes > maxBytes)
    throw new OutOfMemoryError(`"maxBytes" expected at least ${totalBytes} for this model, got ${maxBytes}`);
  return new Model(runtime, plan, weights);
}

/** Where an input arrives, and the program that brings it there from the other memory format. */
interface Slot extends PlannedInput {
  readonly ptr: number;
  readonly program: Program | undefined;
}

export class Model {
  /** What a run takes and answers. */
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
  /** Bytes, multiply-accumulates and parameters, as worked out before anything was allocated. */
  readonly plan: ModelReport;
  readonly #runtime: Runtime;
  readonly #plan: ModelPlan;
  readonly #slots = new Map<string, Slot>();
  readonly #inputTensors = new Map<string, Tensor>();
  readonly #results: Readonly<Record<string, Tensor>>;
  readonly #programs: readonly Program[];
  readonly #taken: number[] = []; // the arena and weights read in place
  #disposed = false;

  /** Internal: use createModel(). */
  constructor(runtime: Runtime, plan: ModelPlan, weights: Weights) {
    this.#runtime = runtime;
    this.#plan = plan;
    this.plan = plan.report;
    const { engine } = runtime;
    const { allocator } = engine.heap;
    const programs: Program[] = [];
    try {
      const arena = this.#allocate(plan.arena.bytes, this.#taken);
      const resident = new Map(
        [...plan.resident].map((name) => {
          const ptr = this.#allocate(weightOf(weights, name).data.byteLength, this.#taken);
          return [name, this.#load(weights, name, ptr)];
        }),
      );
      const at = (place: Place) =>
        "param" in place ? (resident.get(place.param) as number) : arena + (plan.arena.offsets[place.block] as number);

      // Largest weights first: each later layer then fits into the room that a raw copy left behind.
      const rawBytes = plan.steps.map(({ params }) =>
        params.reduce(
          (sum, name) => sum + (name === undefined || resident.has(name) ? 0 : weightOf(weights, name).data.byteLength),
          0,
        ),
      );
      const order = plan.steps
        .map((_, i) => i)
        .sort((a, b) => (rawBytes[b] as number) - (rawBytes[a] as number) || a - b);
      const made = new Array<Program>(plan.steps.length);
      for (const index of order) {
        const step = plan.steps[index] as ModelPlan["steps"][number];
        const run = at({ block: step.run });
        const temporary: number[] = [];
        // Nothing runs yet, so raw weights wait in the arena, but for the step's own workspace, where they fit there.
        const gaps = [
          { from: arena, to: run },
          { from: alignUp(run + step.builder.runBytes), to: arena + plan.arena.bytes },
        ];
        const raw = (name: string): number => {
          const bytes = Allocator.sizeOf(weightOf(weights, name).data.byteLength);
          const gap = gaps.find(({ from, to }) => to - from >= bytes);
          if (gap === undefined) return this.#load(weights, name, this.#allocate(bytes, temporary));
          gap.from += bytes;
          return this.#load(weights, name, gap.from - bytes);
        };
        try {
          const params = step.params.map((name) =>
            name === undefined ? undefined : (resident.get(name) ?? raw(name)),
          );
          const program = new Program(engine, step.builder, params, run);
          programs.push(program);
          program.bind(step.inputs.map(at), step.outputs.map(at));
          made[index] = program;
        } finally {
          for (const ptr of temporary) allocator.free(ptr);
        }
      }
      this.#programs = made;

      const owner = this.#owner();
      for (const input of plan.inputs) {
        const ptr = at(input.place);
        const program = input.convert && new Program(engine, input.convert, [], arena); // a copy needs no scratch
        if (program) programs.push(program);
        this.#slots.set(input.name, { ...input, ptr, program });
        this.#inputTensors.set(input.name, new Tensor(owner, input.spec, ptr));
      }
      this.#results = Object.freeze(
        Object.fromEntries(plan.outputs.map(({ name, spec, place }) => [name, new Tensor(owner, spec, at(place))])),
      );
    } catch (error) {
      for (const program of programs) program.dispose();
      for (const ptr of this.#taken) allocator.free(ptr);
      throw error;
    }
    const shown = ({ name, spec }: { name: string; spec: Tensor["spec"] }): ModelTensor => ({ name, ...spec });
    this.inputs = plan.inputs.map(shown);
    this.outputs = plan.outputs.map(shown);
  }

  get disposed(): boolean {
    return this.#disposed || this.#runtime.disposed;
  }

  /**
   * Runs on one tensor an input, by name, in either memory format; without tensors, on what was written to model.input().
   * Answers the model's own output tensors by name: they hold this run's values until the next run; clone() or toArray()
   * keeps a copy; disposing them is harmless, disposing the model ends them. Synchronous; allocates nothing.
   * Throws ModelError for missing or unknown names, ShapeError for a tensor of another shape or dtype, DisposedError.
   */
  run(tensors?: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> {
    this.#accept(tensors);
    for (const program of this.#programs) program.run();
    return this.#results;
  }

  /**
   * A view of where an input lies, in memory order (model.inputs says which): write it before every run() without tensors,
   * since later layers may take its place. Ask anew after anything that may allocate.
   */
  input(name: string): TensorData {
    return this.#find(this.#inputTensors.get(name), "input", name, this.inputs).data;
  }

  /** A view of an output, contiguous unless the graph asked otherwise. Ask anew after anything that may allocate. */
  output(name: string): TensorData {
    return this.#find(
      Object.hasOwn(this.#results, name) ? this.#results[name] : undefined,
      "output",
      name,
      this.outputs,
    ).data;
  }

  /** One row a layer: algorithm, output shape, multiply-accumulates, parameters, bytes; and totals. String() makes a table. */
  summary(): Summary {
    return summaryOf(this.#plan);
  }

  /** The summary with microseconds (the median of `runs` runs) and GFLOP/s of every layer. Times are as fine as the clock. */
  profile(tensors: Readonly<Record<string, Tensor>>, options: { readonly runs?: number } = {}): Profile {
    knownOptions("profile options", options, ["runs"]);
    const runs = integer("runs", options.runs ?? 5, 1, 10_000);
    this.run(tensors);
    const times = this.#programs.map(() => new Float64Array(runs));
    for (let i = 0; i < runs; i++) {
      this.#accept(tensors);
      this.#programs.forEach((program, step) => {
        const start = performance.now();
        program.run();
        (times[step] as Float64Array)[i] = (performance.now() - start) * 1e3;
      });
    }
    return profileOf(
      this.#plan,
      times.map((step) => step.sort()[runs >> 1] as number),
    );
  }

  /** Gives all memory back. Disposing twice is harmless. */
  dispose(): void {
    if (this.disposed) return;
    this.#disposed = true;
    const { allocator } = this.#runtime.engine.heap;
    for (const program of this.#programs) program.dispose();
    for (const { program } of this.#slots.values()) program?.dispose();
    for (const ptr of this.#taken) allocator.free(ptr);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Allocates; the address goes to `taken` too. */
  #allocate(bytes: number, taken: number[]): number {
    const ptr = this.#runtime.engine.heap.allocator.allocate(bytes);
    taken.push(ptr);
    return ptr;
  }

  /** Copies a weight into linear memory and answers its address. */
  #load(weights: Weights, name: string, ptr: number): number {
    const { data } = weightOf(weights, name);
    this.#runtime.engine.heap.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), ptr);
    return ptr;
  }

  #owner(): TensorOwner {
    const model = this;
    return {
      engine: this.#runtime.engine,
      get disposed() {
        return model.disposed;
      },
      release: () => false,
      clone: (tensor) => this.#runtime.clone(tensor),
    };
  }

  #alive(): void {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
  }

  #find<T>(found: T | undefined, kind: string, name: string, known: readonly ModelTensor[]): T {
    this.#alive();
    if (found !== undefined) return found;
    throw new ModelError(
      `"${kind}" expected one of ${known.map((tensor) => tensor.name).join(", ")}, got ${show(name)}`,
    );
  }

  /** Checks every tensor, then brings every one into its slot. */
  #accept(tensors: Readonly<Record<string, Tensor>> | undefined): void {
    this.#alive();
    if (tensors === undefined) return;
    if (typeof tensors !== "object" || tensors === null || tensors instanceof Tensor) {
      throw new TypeError(
        `"inputs" expected an object of tensors by name, got ${tensors instanceof Tensor ? "a tensor" : show(tensors)}`,
      );
    }
    for (const name of Object.keys(tensors)) this.#find(this.#slots.get(name), "input", name, this.inputs);
    for (const slot of this.#slots.values())
      this.#check(slot, Object.hasOwn(tensors, slot.name) ? tensors[slot.name] : undefined);
    const { heap } = this.#runtime.engine;
    for (const { name, spec, ptr, program } of this.#slots.values()) {
      const tensor = tensors[name] as Tensor;
      if (program !== undefined && tensor.memoryFormat !== spec.memoryFormat) {
        program.bind([tensor.ptr], [ptr]);
        program.run();
      } else if (tensor.ptr !== ptr) heap.u8.copyWithin(ptr, tensor.ptr, tensor.ptr + tensor.bytes);
    }
  }

  #check({ name, spec, convert }: Slot, tensor: unknown): void {
    if (tensor === undefined) throw new ModelError(`"${name}" expected a tensor for this input, got none`);
    if (!(tensor instanceof Tensor)) throw new TypeError(`"${name}" expected a tensor, got ${show(tensor)}`);
    if (tensor.owner.engine !== this.#runtime.engine)
      throw new TypeError(`"${name}" expected a tensor of this runtime, got another runtime's`);
    tensor.ptr; // throws when disposed
    if (Object.values(this.#results).includes(tensor)) {
      throw new RangeError(
        `"${name}" expected a tensor that a run does not overwrite, got an output of this model (clone it)`,
      );
    }
    const isSame = sameShape(tensor.shape, spec.shape) && tensor.dtype === spec.dtype;
    const isReadable = tensor.memoryFormat === spec.memoryFormat || convert !== undefined || isAlike(spec);
    if (!isSame || !isReadable)
      throw new ShapeError(`"${name}" expected ${showSpec(spec)}, got ${showSpec(tensor.spec)}`);
  }
}

/** Whether both memory formats of a tensor are the same bytes. */
function isAlike(spec: Tensor["spec"]): boolean {
  return isChannelsLast({ ...spec, memoryFormat: "contiguous" });
}
