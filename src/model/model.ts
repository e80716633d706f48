// A planned graph in memory: one arena, packed weights, and kernel calls bound to fixed addresses.
//
//   model.run({ image })   copy or convert each input into its slot ─▶ every step's kernels in order ─▶ output tensors
//
// Everything is allocated when the model is made; a run allocates nothing.
import { integer, knownOptions, sameShape } from "../base/check.js";
import { DisposedError, ModelError, OutOfMemoryError, ShapeError, show } from "../base/errors.js";
import { type DType, type MemoryFormat, showSpec, type TensorData, type TensorSpec } from "../base/spec.js";
import type { Engine } from "../engine/engine.js";
import type { Program } from "../plan/program.js";
import { OWNER, Tensor, type TensorOwner } from "../plan/tensor.js";
import { internalsOf, type Runtime } from "../runtime/runtime.js";
import type { Tuner } from "../runtime/tune.js";
import { checkGraph } from "./check-graph.js";
import type { GraphData } from "./graph.js";
import { inferGraph, liesAlike } from "./infer-graph.js";
import { type Loaded, loadPlan } from "./load.js";
import { type LoweredGraph, lowerGraph, type ModelPlanning, retimed, untimed } from "./lower-graph.js";
import { type CheckedModelOptions, checkedModelOptions, type ModelOptions } from "./model-options.js";
import { optimize, PASSES, type Pass, type SourcedGraph } from "./optimize.js";
import { type ModelPlan, type ModelReport, type PlannedInput, type PlannedStep, planModel } from "./planner.js";
import { picker, type RunAsyncOptions, requireGoing, runOptions } from "./run-options.js";
import { Shared } from "./shared.js";
import { noted, type Profile, profileFrom, type Summary, summaryOf } from "./summary.js";
import { now, partsOf, turn } from "./turns.js";
import { type Source, sourceOf, type Weights } from "./weights.js";

export { checkedModelOptions, type ModelOptions, weightTypeOf } from "./model-options.js";

/** An input or output of a model; memoryFormat is how it lies in the arena, which model.input() and output() show. */
export interface ModelTensor {
  /** Its name in the graph. */
  readonly name: string;
  /** Logical dimensions. */
  readonly shape: readonly number[];
  /** Kind of its elements. */
  readonly dtype: DType;
  /** The order of model.input() or output(). */
  readonly memoryFormat: MemoryFormat;
}

/**
 * Plans a graph with its weights, then allocates it. Weights are copied; what a kernel wants packed is packed here.
 *
 * @example
 * ```js
 * import { createModel, createRuntime, lenet5, randomWeights } from "lanewise";
 *
 * const rt = await createRuntime();
 * const graph = lenet5({ batch: 1 }); // or new Graph(), sequential(…)
 * const model = createModel(rt, graph, randomWeights(graph), { maxBytes: 8e6 }); // or readSafetensors(file)
 * console.log(String(model.summary()));
 * ```
 *
 * @throws ModelError for a graph or weights that do not hold together or more than maxMacs, OutOfMemoryError for more than
 *   maxBytes, and the operators' own errors with the layer's name in front; nothing stays allocated then.
 */
export function createModel(runtime: Runtime, graph: GraphData, weights: Weights, options: ModelOptions = {}): Model {
  const checked = checkedModelOptions(runtime, options);
  checkGraph(graph);
  const { plan, source } = planOf(runtime, { graph, source: sourceOf(weights) }, checked, PASSES);
  return new Model(runtime, plan, source);
}

/** Compiled by these passes, which are told the specs of every value and parameter where they are known. */
export function planOf(
  runtime: Runtime,
  given: SourcedGraph,
  { maxBytes, maxMacs, planning, only }: CheckedModelOptions,
  passes: readonly Pass[],
  specs?: ReadonlyMap<string, TensorSpec>,
): { readonly plan: ModelPlan; readonly source: Source } {
  const { graph, source } = optimize(given, only, passes, specs);
  const inferred = inferGraph(graph, source.specOf);
  const { macs } = inferred;
  if (macs > maxMacs) throw new ModelError(`"maxMacs" expected at least ${macs} for this model, got ${maxMacs}`);
  const lowered = lowerGraph(inferred, planning, source.tensorOf);
  const { maxBytes: most, bytesInUse } = runtime.report();
  const room = Math.min(maxBytes, most - bytesInUse);
  const plan = planTimed(lowered, planning, internalsOf(runtime).time, room, source);
  const { totalBytes } = plan.report;
  if (totalBytes > maxBytes)
    throw new OutOfMemoryError(`"maxBytes" expected at least ${totalBytes} for this model, got ${maxBytes}`);
  return { plan, source };
}

/** A plan whose convolutions are those that were measured to be the fastest, or, where these need more bytes, the table's. */
function planTimed(
  lowered: LoweredGraph,
  planning: ModelPlanning,
  time: Tuner,
  maxBytes: number,
  { identityOf, tensorOf }: Source,
): ModelPlan {
  const requests = untimed(lowered);
  const by = (timings: ModelPlanning["timings"]) =>
    planModel(retimed(lowered, { ...planning, ...(timings && { timings }) }, tensorOf), identityOf);
  if (requests.length === 0) return planModel(lowered, identityOf);
  const plan = by(time(requests));
  if (plan.report.totalBytes <= maxBytes) return plan;
  return by(() => "the fastest do not fit in memory together");
}

/** Where an input arrives, and the program that brings it there from the other memory format. */
interface Slot extends PlannedInput {
  readonly program: Program | undefined;
}

/** A planned network in linear memory. Made by createModel(). */
export class Model {
  /** What a run takes. */
  readonly inputs: readonly ModelTensor[];
  /** What a run answers. */
  readonly outputs: readonly ModelTensor[];
  /** Bytes, multiply-accumulates and parameters, as worked out before anything was allocated. */
  readonly plan: ModelReport;
  readonly #runtime: Runtime;
  readonly #engine: Engine;
  readonly #planned: ModelPlan;
  readonly #slots = new Map<string, Slot>();
  readonly #inputTensors = new Map<string, Tensor<DType>>();
  readonly #results: Readonly<Record<string, Tensor<DType>>>;
  readonly #loaded: Loaded;
  #holds = 0;
  #disposed = false;

  /** @internal Use createModel(). shared: what it has in memory together with others, which somebody else disposes. */
  constructor(runtime: Runtime, plan: ModelPlan, { tensorOf }: Source, shared?: Shared) {
    this.#runtime = runtime;
    this.#engine = internalsOf(runtime).engine;
    this.#planned = plan;
    this.plan = plan.report;
    this.#loaded = loadPlan(this.#engine, plan, tensorOf, shared ?? new Shared(this.#engine));
    const loaded = this.#loaded;
    const owner = this.#owner();
    plan.inputs.forEach((input, i) => {
      this.#slots.set(input.name, { ...input, program: loaded.converts[i] });
      this.#inputTensors.set(input.name, new Tensor(owner, input.spec, loaded.offsetOf(input.place)));
    });
    this.#results = Object.freeze(
      Object.fromEntries(
        plan.outputs.map(({ name, spec, place }) => [name, new Tensor(owner, spec, loaded.offsetOf(place))]),
      ),
    );
    const shown = ({ name, spec }: { name: string; spec: TensorSpec }): ModelTensor => ({ name, ...spec });
    this.inputs = plan.inputs.map(shown);
    this.outputs = plan.outputs.map(shown);
  }

  /** Whether the model or its runtime has been disposed. */
  get disposed(): boolean {
    return this.#disposed || this.#runtime.disposed;
  }

  /** @internal Of the arena, as it is allocated. */
  get arenaBytes(): number {
    return this.#planned.arena.bytes;
  }

  /** @internal Makes sure of the arena before a run. */
  bind(): void {
    if (!this.isRunning) this.#loaded.bind();
  }

  /** @internal Whether runAsync() runs, or somebody reads on. */
  get isRunning(): boolean {
    return this.#holds > 0;
  }

  /** @internal Nothing else runs where its outputs lie, from 1 to -1. */
  hold(by: 1 | -1): void {
    this.#holds += by;
    this.#loaded.isBusy = this.isRunning;
  }

  /**
   * Runs on one tensor an input, by name, in either memory format; without tensors, on what was written to model.input().
   * Answers the model's own output tensors by name, or only those named in `outputs`, though all are computed: they hold this
   * run's values until the next run; clone() or toArray() keeps a copy; disposing them is harmless, disposing the model ends
   * them. Synchronous; allocates nothing. D: see input().
   *
   * @example
   * ```js
   * import { createModel, createRuntime, lenet5, randomWeights } from "lanewise";
   *
   * const rt = await createRuntime();
   * const graph = lenet5({ batch: 1 });
   * const model = createModel(rt, graph, randomWeights(graph));
   * const { logits } = model.run({ image: rt.zeros([1, 1, 28, 28]) });
   * const kept = logits.toArray();
   * model.input("image").fill(0.5); // without a copy: written where the input lies,
   * model.run(); // and run on that
   * ```
   *
   * @throws ModelError for missing or unknown names, ShapeError for a tensor of another shape or dtype, RangeError for an
   *   output of this model as input, DisposedError.
   */
  run<D extends DType = "float32">(
    tensors?: Readonly<Record<string, Tensor<DType>>>,
    outputs?: readonly string[],
  ): Readonly<Record<string, Tensor<D>>> {
    const pick = picker<D>(outputs, this.outputs);
    this.#accept(tensors);
    this.#loaded.run();
    return pick(this.#results);
  }

  /**
   * As run(), in turns with everything else that waits in this thread: between layers and parts of large ones, whenever
   * yieldEvery milliseconds have passed. Inputs are taken at once; the model answers nothing else until it is done. An
   * aborted model can run again.
   *
   * @throws (rejects with) the signal's reason when that is aborted, DisposedError when the model is disposed meanwhile, and
   *   what run() throws.
   */
  async runAsync<D extends DType = "float32">(
    tensors?: Readonly<Record<string, Tensor<DType>>>,
    options: RunAsyncOptions = {},
  ): Promise<Readonly<Record<string, Tensor<D>>>> {
    const { signal, yieldEvery, outputs } = runOptions(options);
    const pick = picker<D>(outputs, this.outputs);
    requireGoing(signal);
    this.#accept(tensors);
    this.hold(1);
    try {
      let rested = now();
      for (const [i, program] of this.#loaded.programs.entries()) {
        const { builder } = this.#planned.steps[i] as PlannedStep;
        for (const _ of program.runInParts(partsOf(builder, yieldEvery))) {
          if (now() - rested < yieldEvery) continue;
          await turn();
          requireGoing(signal);
          if (this.disposed) throw new DisposedError(`"model" expected a live model, got one disposed while it ran`);
          rested = now();
        }
      }
      return pick(this.#results);
    } finally {
      this.hold(-1);
    }
  }

  /**
   * A view of where an input lies, in memory order (model.inputs says which): write it before every run() without tensors,
   * since later layers may take its place. Ask anew after anything that may allocate. D: model.input<"int32">("ids").
   *
   * @throws ModelError for an unknown name or while runAsync() runs, DisposedError.
   */
  input<D extends DType = "float32">(name: string): TensorData<D> {
    const tensor = this.#find(this.#inputTensors.get(name), "input", name, this.inputs);
    this.#loaded.bind();
    return tensor.data as TensorData<D>;
  }

  /**
   * A view of an output, contiguous unless the graph asked otherwise. Ask anew after anything that may allocate. D: see input().
   *
   * @throws ModelError for an unknown name or while runAsync() runs, DisposedError.
   */
  output<D extends DType = "float32">(name: string): TensorData<D> {
    const found = Object.hasOwn(this.#results, name) ? this.#results[name] : undefined;
    return this.#find(found, "output", name, this.outputs).data as TensorData<D>;
  }

  /** One row a layer: algorithm, output shape, multiply-accumulates, parameters, bytes; and totals. String() makes a table. */
  summary(): Summary {
    return summaryOf(this.#planned);
  }

  /**
   * The summary with microseconds (the median of `runs` runs, default 5, after one that is not timed) and GFLOP/s of every
   * layer. Times are as fine as the clock. Where more than 5 % of them are JavaScript's, RuntimeReport.notes says so from then on.
   *
   * @throws what run() throws; RangeError for `runs` outside 1 to 10,000.
   */
  profile(tensors: Readonly<Record<string, Tensor<DType>>>, options: { readonly runs?: number } = {}): Profile {
    knownOptions("profile options", options, ["runs"]);
    const runs = integer("runs", options.runs ?? 5, 1, 10_000);
    this.run(tensors);
    const times = this.#loaded.programs.map(() => new Float64Array(runs));
    for (let i = 0; i < runs; i++) {
      this.#accept(tensors);
      this.#loaded.programs.forEach((program, step) => {
        const start = now();
        program.run();
        (times[step] as Float64Array)[i] = (now() - start) * 1e3;
      });
    }
    const medians = times.map((step) => step.sort()[runs >> 1] as number);
    return noted(this.#runtime, this, profileFrom(this.summary(), medians));
  }

  /** Gives all memory back. Disposing twice is harmless. */
  dispose(): void {
    if (this.disposed) return;
    this.#disposed = true;
    internalsOf(this.#runtime).notes.delete(this);
    this.#engine.crew?.settle(); // of a run in turns
    this.#loaded.free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #owner(): TensorOwner {
    const model = this;
    const loaded = this.#loaded;
    return {
      engine: this.#engine,
      shared: loaded.shared,
      get base() {
        return loaded.base;
      },
      get disposed() {
        return model.disposed;
      },
      release: () => false,
      clone: (tensor) => this.#runtime.clone(tensor),
    };
  }

  #alive(): void {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
    if (this.isRunning)
      throw new ModelError(`"model" expected one run at a time, got another before the first was done`);
  }

  #find<T>(found: T | undefined, kind: string, name: string, known: readonly ModelTensor[]): T {
    this.#alive();
    if (found !== undefined) return found;
    throw new ModelError(
      `"${kind}" expected one of ${known.map((tensor) => tensor.name).join(", ")}, got ${show(name)}`,
    );
  }

  /** Checks every tensor, then brings every one into its slot. */
  #accept(tensors: Readonly<Record<string, Tensor<DType>>> | undefined): void {
    this.#alive();
    if (tensors === undefined) {
      this.#loaded.bind();
      return;
    }
    if (typeof tensors !== "object" || tensors === null || tensors instanceof Tensor) {
      throw new TypeError(
        `"inputs" expected an object of tensors by name, got ${tensors instanceof Tensor ? "a tensor" : show(tensors)}`,
      );
    }
    for (const name of Object.keys(tensors)) this.#find(this.#slots.get(name), "input", name, this.inputs);
    for (const slot of this.#slots.values())
      this.#check(slot, Object.hasOwn(tensors, slot.name) ? tensors[slot.name] : undefined);
    this.#loaded.bind();
    const { heap } = this.#engine;
    for (const { name, spec, place, program } of this.#slots.values()) {
      const tensor = tensors[name] as Tensor<DType>;
      const ptr = this.#loaded.addressOf(place);
      if (program !== undefined && tensor.memoryFormat !== spec.memoryFormat) {
        program.bind([tensor.ptr, ptr], 1);
        program.run();
      } else if (tensor.ptr !== ptr) heap.u8.copyWithin(ptr, tensor.ptr, tensor.ptr + tensor.bytes);
    }
  }

  #check({ name, spec, convert }: Slot, tensor: unknown): void {
    if (tensor === undefined) throw new ModelError(`"${name}" expected a tensor for this input, got none`);
    if (!(tensor instanceof Tensor)) throw new TypeError(`"${name}" expected a tensor, got ${show(tensor)}`);
    if (tensor[OWNER].engine !== this.#engine)
      throw new TypeError(`"${name}" expected a tensor of this runtime, got another runtime's`);
    tensor.ptr; // throws when disposed
    if (tensor[OWNER].shared === this.#loaded.shared) {
      throw new RangeError(
        `"${name}" expected a tensor that a run does not overwrite, got an output of this model (clone it)`,
      );
    }
    const isSame = sameShape(tensor.shape, spec.shape) && tensor.dtype === spec.dtype;
    const isReadable = tensor.memoryFormat === spec.memoryFormat || convert !== undefined || liesAlike(spec);
    if (!isSame || !isReadable)
      throw new ShapeError(`"${name}" expected ${showSpec(spec)}, got ${showSpec(tensor.spec)}`);
  }
}
