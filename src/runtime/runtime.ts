// The runtime as users see it: one instance of a kernel binary, its memory, its tensors and plans.
import { boolean, knownOptions, oneOf } from "../base/check.js";
import { DisposedError, show } from "../base/errors.js";
import {
  bytesOf,
  DTYPES,
  type DType,
  type DTypeOf,
  dtypeOf,
  type Elements,
  heldAs,
  isBig,
  type MemoryFormat,
  makeSpec,
  type TensorData,
  type TensorSpec,
} from "../base/spec.js";
import type { ThreadsReport } from "../engine/crew.js";
import type { Engine, Variant } from "../engine/engine.js";
import type { Memory } from "../kernels/select.js";
import type { PackName } from "../kernels/table.js";
import { MEMORY_NAMES, PRECISION_NAMES } from "../ops/conv/conv2d.js";
import { addMethods, OPERATORS, type PlanOperations } from "../ops/index.js";
import type { Operations } from "../ops/operations.js";
import { build, type Operator, outputNames, type QuantizedWeights, splitExtras } from "../ops/operator.js";
import type { Planning } from "../plan/builder.js";
import { Plan, type PlanOwner } from "../plan/plan.js";
import { OWNER, Tensor, type TensorOwner } from "../plan/tensor.js";
import type { ChoiceDefaults, RuntimeReport } from "./options.js";
import { type Tuner, tuner } from "./tune.js";

/** What a new tensor is. */
export interface TensorOptions<D extends DType = DType> {
  /** Default: the data's own (float32 for numbers); "float32" for zeros and empty. */
  readonly dtype?: D;
  /** Default "contiguous". */
  readonly memoryFormat?: MemoryFormat;
}

/** What models and importers need of a runtime, and users do not. */
export interface RuntimeInternals {
  readonly engine: Engine;
  /** What one plan, or one model with defaults of its own, is planned by. memory: where neither it nor the runtime says one. */
  planning(own?: ChoiceDefaults, memory?: Memory): Planning;
  /** Times convolutions for one plan or model. */
  readonly time: Tuner;
  /** Loads a pack of kernels that the engine lacks. */
  readonly loadPack: (pack: PackName) => Promise<void>;
  /** What computes layers on weights of fewer bits, once it is loaded. */
  readonly quantizedWeights: QuantizedWeights;
  /** RuntimeReport.notes, by model. */
  readonly notes: Map<object, string>;
  /** An eager call: "plan, run, dispose the plan". */
  apply(operator: Operator, args: readonly unknown[]): Tensor<DType> | Record<string, Tensor<DType>>;
}

/** What a runtime is made of, beside its engine. */
interface Setup extends Pick<RuntimeInternals, "loadPack"> {
  /** With several threads. */
  readonly threads?: Threads;
  readonly reason: string;
  readonly maxBytes: number;
  readonly defaults?: ChoiceDefaults;
  readonly time?: Tuner;
}

/** How plans are split, and what report() says. */
export interface Threads extends Pick<Planning, "threads" | "split"> {
  report(): ThreadsReport;
}

const INTERNALS = Symbol("internals");

/** What is behind a runtime. Entries do not export it. */
export function internalsOf(runtime: Runtime): RuntimeInternals {
  return runtime[INTERNALS];
}

/** One kernel binary over one linear memory, with its tensors and plans. Made by createRuntime(). */
export interface Runtime extends Operations<Tensor, Tensor<DType>> {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the operator methods are made from the registry below.
export class Runtime {
  /** Plans by operator: fixed shapes and parameters by name, then run many times. They throw as the operator's method does. */
  readonly plan: PlanOperations;
  /** @internal */
  readonly [INTERNALS]: RuntimeInternals;
  readonly #engine: Engine;
  readonly #reason: string;
  readonly #maxBytes: number;
  readonly #threads: Threads | undefined;
  readonly #plans = new Set<Plan<DType>>();
  readonly #tensors = new Set<Tensor<DType>>();
  /** Tensors and plans hold on to this, and report their end to it. */
  readonly #owner: TensorOwner & PlanOwner;
  #disposed = false;

  /** @internal Use createRuntime(). */
  constructor(
    engine: Engine,
    { reason, maxBytes, defaults = {}, loadPack, time = tuner(engine, maxBytes), threads }: Setup,
  ) {
    this.#engine = engine;
    this.#reason = reason;
    this.#maxBytes = maxBytes;
    this.#threads = threads;
    if (engine.crew) engine.crew.onLost = () => this.dispose();
    this[INTERNALS] = {
      engine,
      planning: (own = {}, otherwise = "fast") => {
        const { memory = otherwise, ...choice } = choiceDefaults(own, defaults);
        return { ...engine.target, ...choice, memory, threads: threads?.threads, split: threads?.split };
      },
      time,
      loadPack,
      quantizedWeights: {},
      notes: new Map(),
      apply: (operator, args) => this.#apply(operator, args),
    };
    const isDisposed = () => this.#disposed;
    this.#owner = {
      engine,
      get disposed() {
        return isDisposed();
      },
      base: 0,
      release: (tensor) => {
        engine.heap.allocator.free(tensor.ptr);
        return this.#tensors.delete(tensor);
      },
      clone: (tensor) => this.clone(tensor),
      released: (plan) => this.#plans.delete(plan),
    };
    const planners = Object.values<Operator>(OPERATORS).map((operator) => [
      operator.name,
      (args: Record<string, unknown>) => this.#planByName(operator, args),
    ]);
    this.plan = Object.fromEntries(planners) as PlanOperations;
  }

  /** The binary that runs. */
  get variant(): Variant {
    return this.#engine.variant;
  }

  /** Whether it has been disposed, and all tensors, plans and models with it. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** The binary, and memory at this moment. A disposed runtime answers too. */
  report(): RuntimeReport {
    const { allocator, memory } = this.#engine.heap;
    return {
      variant: this.variant,
      reason: this.#reason,
      ...(this.#engine.int8 && { int8: this.#engine.int8 }),
      threads: this.#threads?.report() ?? { asked: 1, running: 1 },
      bytesInUse: allocator.bytesInUse,
      peakBytes: allocator.peakBytes,
      memoryBytes: memory.buffer.byteLength,
      maxBytes: this.#maxBytes,
      liveTensors: this.#tensors.size,
      livePlans: this.#plans.size,
      notes: [...this[INTERNALS].notes.values()],
    };
  }

  /**
   * A tensor with a copy of `data`, which lies in memory order: N, C, H, W, or N, H, W, C for memoryFormat channelsLast
   * (the order of `tensor.data`). Numbers and halves become float32; a typed array brings its own dtype. With another dtype,
   * numbers are rounded to a float, and whole numbers kept or refused: never wrapped. Sizes may be 0, the rank 0 to 8.
   *
   * @example
   * ```js
   * import { createRuntime } from "lanewise";
   *
   * const rt = await createRuntime();
   * const rows = rt.tensor([1, 2, 3, 4, 5, 6], [2, 3]); // float32
   * const pixels = rt.tensor(new Uint8Array(4 * 4 * 3), [1, 3, 4, 4], { memoryFormat: "channelsLast", dtype: "float32" });
   * rt.add(rows, rt.tensor([10], [1])).toArray(); // 11, 12, 13, 14, 15, 16
   * ```
   *
   * @throws RangeError for another number of elements than the shape's or one that the dtype does not hold, ShapeError for a rank
   *   that does not do, TypeError for data that is no array of numbers or typed array, OutOfMemoryError, DisposedError.
   */
  tensor<E extends Elements, D extends DType = DTypeOf<E>>(
    data: E,
    shape: readonly number[],
    options: TensorOptions<D> = {},
  ): Tensor<D> {
    knownOptions("tensor options", options, ["dtype", "memoryFormat"]);
    const own = dtypeOf(data);
    const spec = makeSpec<D>(shape, options.dtype ?? own, options.memoryFormat, "shape", 0);
    const size = bytesOf(spec) / DTYPES[spec.dtype].BYTES_PER_ELEMENT;
    if (data.length !== size)
      throw new RangeError(`"data" expected ${size} elements for ${show(shape)}, got ${data.length}`);
    const held = heldAs(spec.dtype, data);
    const tensor = this.#allocate(spec);
    (tensor.data as TensorData as Float32Array).set(held as Float32Array);
    return tensor;
  }

  /**
   * A tensor of zeros. Sizes may be 0.
   *
   * @throws ShapeError, RangeError or TypeError for what is no shape, OutOfMemoryError, DisposedError.
   */
  zeros<D extends DType = "float32">(shape: readonly number[], options: TensorOptions<D> = {}): Tensor<D> {
    knownOptions("tensor options", options, ["dtype", "memoryFormat"]);
    const tensor = this.#allocate(makeSpec<D>(shape, options.dtype, options.memoryFormat, "shape", 0));
    (tensor.data as TensorData as Float32Array).fill(isBig(tensor.dtype) ? (0n as never) : 0);
    return tensor;
  }

  /**
   * A tensor of unspecified contents, for outputs. Takes a spec such as plan.outputs[0] too. Sizes are >= 1.
   *
   * @throws ShapeError, RangeError or TypeError for what is no shape, OutOfMemoryError, DisposedError.
   */
  empty<D extends DType = "float32">(
    shape: readonly number[] | TensorSpec<D>,
    options: TensorOptions<D> = {},
  ): Tensor<D> {
    knownOptions("tensor options", options, ["dtype", "memoryFormat"]);
    return this.#allocate(
      typeof shape === "object" && shape !== null && "dtype" in shape
        ? makeSpec<D>(shape.shape, shape.dtype, shape.memoryFormat)
        : makeSpec<D>(shape, options.dtype, options.memoryFormat),
    );
  }

  /**
   * A new tensor with the same shape, dtype, memory format and elements.
   *
   * @throws TypeError for what is no tensor of this runtime, DisposedError, OutOfMemoryError.
   */
  clone<D extends DType>(tensor: Tensor<D>): Tensor<D> {
    const source = this.#own("tensor", tensor).ptr;
    const copy = this.#allocate(tensor.spec);
    this.#engine.heap.u8.copyWithin(copy.ptr, source, source + tensor.bytes);
    return copy;
  }

  /** Ends every tensor and plan of this runtime. Drop all references to it, and the engine takes its memory back. */
  dispose(): void {
    this.#disposed = true;
    this.#engine.crew?.end();
    this.#tensors.clear();
    this.#plans.clear();
    this[INTERNALS].notes.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #allocate<D extends DType>(spec: TensorSpec<D>): Tensor<D> {
    if (this.#disposed) throw new DisposedError(`"runtime" expected a live runtime, got a disposed one`);
    const tensor = new Tensor(this.#owner, spec, this.#engine.heap.allocator.allocate(bytesOf(spec)));
    this.#tensors.add(tensor);
    return tensor;
  }

  #own(name: string, value: unknown): Tensor<DType> {
    if (value instanceof Tensor && value[OWNER].engine === this.#engine) {
      value.ptr; // throws when disposed
      return value;
    }
    throw new TypeError(
      `"${name}" expected a tensor of this runtime, got ${value instanceof Tensor ? "another runtime's" : show(value)}`,
    );
  }

  #plan(
    operator: Operator,
    inputs: readonly TensorSpec[],
    params: readonly (Tensor<DType> | undefined)[],
    options: object,
    packBytes = Infinity,
  ): Plan {
    if (this.#disposed) throw new DisposedError(`"runtime" expected a live runtime, got a disposed one`);
    const { planning, time } = this[INTERNALS];
    const specs = params.map((tensor) => tensor?.spec);
    const describe = (by: Planning) => build(operator, inputs, specs, options, { ...by, packBytes });
    let builder = describe(planning());
    if (builder.untimed.length > 0) builder = describe({ ...planning(), timings: time(builder.untimed) });
    const plan = new Plan(this.#owner, builder, params);
    this.#plans.add(plan);
    return plan;
  }

  #planByName(operator: Operator, args: Record<string, unknown>): Plan {
    const { memoryFormat, dtype, ...rest } = args ?? {};
    // toMemoryFormat has an option of that name: it is planned for inputs of the other format.
    const converts = operator.options.includes("memoryFormat");
    const other = memoryFormat === "channelsLast" ? "contiguous" : "channelsLast";
    const take = (name: string): unknown => {
      const value = rest[name];
      delete rest[name];
      return value;
    };
    const shapes = operator.variadic ? take("inputs") : operator.inputs.map(take);
    if (!Array.isArray(shapes)) throw new TypeError(`"inputs" expected an array of shapes, got ${show(shapes)}`);
    const specOf = (name: string, shape: unknown) => {
      const format = Array.isArray(shape) && shape.length < 3 ? "contiguous" : converts ? other : memoryFormat;
      return makeSpec(shape, dtype, format, name);
    };
    const inputs = shapes.map((shape, i) => specOf(operator.inputs[i] ?? `inputs[${i}]`, shape));
    for (const name of operator.extras) {
      const shape = take(name);
      if (shape !== undefined && shape !== null) inputs.push(specOf(name, shape));
    }
    const params = operator.params.map((name) => {
      const value = take(name);
      return value === undefined || value === null ? undefined : this.#own(name, value);
    });
    return this.#plan(operator, inputs, params, converts ? { ...rest, memoryFormat } : rest);
  }

  #apply(operator: Operator, args: readonly unknown[]): Tensor<DType> | Record<string, Tensor<DType>> {
    const count = operator.variadic ? 1 : operator.inputs.length;
    const given = operator.variadic ? args[0] : args.slice(0, count);
    if (!Array.isArray(given))
      throw new TypeError(`"${operator.inputs[0]}" expected an array of tensors, got ${show(given)}`);
    const inputs = given.map((value, i) => this.#own(operator.inputs[i] ?? `${operator.inputs[0]}[${i}]`, value));
    const params = operator.params.map((name, i) => {
      const value = args[count + i];
      return value === undefined || value === null ? undefined : this.#own(name, value);
    });
    const { extras, options } = splitExtras(operator, args[count + operator.params.length] ?? {});
    inputs.push(...extras.map(([name, value]) => this.#own(name, value)));
    const plan = this.#plan(
      operator,
      inputs.map((tensor) => tensor.spec),
      params,
      options,
      0,
    );
    const outputs: Tensor<DType>[] = [];
    try {
      for (const spec of plan.outputs) outputs.push(this.#allocate(spec));
      plan.run(...inputs, ...outputs);
    } catch (error) {
      for (const output of outputs) output.dispose();
      throw error;
    } finally {
      plan.dispose();
    }
    const names = outputNames(operator, options);
    if (names === undefined) return outputs[0] as Tensor<DType>;
    return Object.fromEntries(names.map((name, i) => [name, outputs[i] as Tensor<DType>]));
  }
}

addMethods(Runtime.prototype, (runtime, operator, args) => runtime[INTERNALS].apply(operator, args));

/** Throws TypeError for what is no runtime, DisposedError for one that is gone. */
export function requireRuntime(value: unknown): asserts value is Runtime {
  if (!(value instanceof Runtime)) throw new TypeError(`"runtime" expected a runtime, got ${show(value)}`);
  if (value.disposed) throw new DisposedError(`"runtime" expected a live runtime, got a disposed one`);
}

/** Checked; what is not given, from `otherwise`. */
export function choiceDefaults(given: ChoiceDefaults, otherwise: ChoiceDefaults = {}): ChoiceDefaults {
  const {
    precision = otherwise.precision ?? "default",
    memory = otherwise.memory,
    tune = otherwise.tune ?? false,
  } = given;
  return {
    precision: oneOf("precision", precision, PRECISION_NAMES),
    ...(memory !== undefined && { memory: oneOf("memory", memory, MEMORY_NAMES) }),
    tune: boolean("tune", tune),
  };
}
