// A network from an ONNX file: planned and packed once for each set of input shapes, then run like any model.
import { now } from "../base/clock.js";
import { DisposedError, ModelError, ShapeError, show } from "../base/errors.js";
import { type DType, type Elements, holds, type MemoryFormat, type TensorData } from "../base/spec.js";
import type { Model, ModelOptions } from "../model/model.js";
import type { ModelReport } from "../model/planner.js";
import { picker, type RunAsyncOptions, runOptions } from "../model/run-options.js";
import { noted, type Profile, profileFrom, type Summary, summaryFrom } from "../model/summary.js";
import { Tensor } from "../plan/tensor.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Deciding } from "./deciding.js";
import { STORED } from "./draft.js";
import { budgetOf } from "./file/budget.js";
import { type Checked, withInputs } from "./file/check.js";
import { type ElementType, isHalf } from "./file/element-type.js";
import { bfloatToNumber, halfToNumber } from "./file/halves.js";
import type { InputShapes } from "./input-shapes.js";
import { heldRun, isAll, Late, lateRows, tapped } from "./late.js";
import type { Operators } from "./operators.js";
import { type Decided, Plans, type Ready } from "./plans.js";

/**
 * An input or output. A size that the file leaves open is its name, or null; a shape of which it says nothing is [].
 * memoryFormat is how an input lies for the shapes at hand, which model.input() shows; outputs are contiguous.
 */
export interface OnnxTensor {
  /** As the file has it. */
  readonly name: string;
  /** Logical dimensions; open ones as said above. */
  readonly shape: readonly (number | string | null)[];
  /** Of the tensor that a run takes or answers; float16 and bfloat16 are float32 here. */
  readonly dtype: DType;
  /** Of inputs whose shapes are known. */
  readonly memoryFormat?: MemoryFormat;
}

/** Bytes, multiply-accumulates and parameters for one set of input shapes, as if there were no others. */
export interface OnnxReport extends ModelReport {
  /**
   * Bytes that the model holds now, for all sets of shapes that it is planned for: weights and arena once, descriptors and tables
   * for each. What the runtime's bytesInUse falls by when it is disposed, but for outputs that kernels do not compute.
   */
  readonly heldBytes: number;
}

/**
 * What a run takes for an input: a tensor, or { data, shape }, plain data in logical order, which may be empty. Data becomes the
 * input's dtype where that holds it (see Runtime.tensor()); for a float16 or bfloat16 input a Uint16Array is the bits of such
 * numbers.
 */
export type OnnxInput = Tensor<DType> | { readonly data: Elements; readonly shape: readonly number[] };

/** A network from an ONNX file, planned for the shapes at hand: those of the file and of `shapes`, then those of the last run. */
export class OnnxModel {
  /** What a run answers. */
  readonly outputs: readonly OnnxTensor[];
  /** Initialisers of the file that are inputs, too: what they hold is a default, in whose place a run may bring a tensor. */
  readonly defaults: readonly OnnxTensor[];
  /**
   * What the exporter says beside the network, texts by name: of Ultralytics names (labelsOf() of lanewise/vision reads them), task,
   * imgsz, stride. {} where it says nothing.
   */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #inputs: readonly OnnxTensor[];
  readonly #runtime: Runtime;
  readonly #shapes: InputShapes;
  /** Of inputs and defaults, as the file has them. */
  readonly #types: ReadonlyMap<string, ElementType>;
  #checked: Checked;
  /** With the inputs that were brought last. */
  #planned: Checked;
  readonly #plans: Plans;
  readonly #late: Late;
  readonly #operators: Operators;
  readonly #options: ModelOptions;
  readonly #deciding: Deciding | undefined;
  #disposed = false;

  /** @internal Use loadOnnx(). ownChecked: the same on bytes that are nobody else's, for a model that is planned again. */
  constructor(
    runtime: Runtime,
    operators: Operators,
    checked: Checked,
    ownChecked: () => Checked,
    shapes: InputShapes,
    options: ModelOptions,
    deciding?: Deciding,
  ) {
    this.#runtime = runtime;
    this.#operators = operators;
    this.#options = options;
    this.#deciding = deciding;
    this.metadata = checked.metadata;
    this.#shapes = shapes;
    this.#types = new Map([...checked.inputs, ...checked.defaults].map(({ name, type }) => [name, type]));
    const isFixed = !deciding && shapes.isFixed(checked);
    // What is planned in runs reads bytes that nobody else has.
    const own = isFixed && !operators.stages ? checked : ownChecked();
    this.#plans = new Plans(runtime, operators, options, !isFixed);
    this.#late = new Late(runtime, operators, options);
    [this.#inputs, this.defaults] = [checked.inputs, checked.defaults].map((list) =>
      list.map((declared) => ({ name: declared.name, shape: shapes.of(declared), dtype: STORED[declared.type] })),
    ) as [OnnxTensor[], OnnxTensor[]];
    const first = deciding ? undefined : shapes.known(checked.inputs);
    const ready = first && this.#plans.choose(own, first);
    // Of weights there is one copy: packed, where no other shapes can come, else also as the file has them.
    this.#checked = isFixed ? { ...checked, nodes: [], initializers: new Map() } : own;
    this.#planned = this.#checked;
    this.outputs = checked.declared.map((declared) => {
      const { name } = declared;
      const found = ready?.model?.outputs.find((output) => output.name === name);
      const result = ready?.results.find((entry) => entry.name === name);
      const constant = result?.from === "constant" ? result.tensor : undefined;
      return {
        name,
        shape: found?.shape ?? constant?.shape ?? shapes.of(declared),
        dtype: found?.dtype ?? STORED[constant?.type ?? declared.type],
      };
    });
  }

  /** What a run takes. */
  get inputs(): readonly OnnxTensor[] {
    const planned = this.#plans.current?.model?.inputs;
    return this.#inputs.map((input) => {
      const found = planned?.find(({ name }) => name === input.name);
      return found ? { ...input, memoryFormat: found.memoryFormat } : input;
    });
  }

  /** Whether the model or its runtime has been disposed. */
  get disposed(): boolean {
    return this.#disposed || this.#runtime.disposed;
  }

  /**
   * Bytes, multiply-accumulates and parameters for the shapes at hand, and the bytes held for all.
   *
   * @throws ModelError where no shapes are known yet or nothing runs on kernels, DisposedError.
   */
  get plan(): OnnxReport {
    return { ...this.#model().plan, heldBytes: this.#plans.bytes + this.#late.bytes };
  }

  /**
   * One row a layer; operators that run in JavaScript say so in `reason`, those after the run too. See Model.summary(). After a run
   * also the layers that it went on with when data had decided shapes or branches.
   *
   * @throws ModelError where no shapes are known yet or nothing runs on kernels, DisposedError.
   */
  summary(): Summary {
    const summary = this.#model().summary();
    return this.#late.summaryOf(this.#plans.current as Ready, summary);
  }

  /**
   * The summary with microseconds and GFLOP/s of every layer, from `runs` runs, default 5; see Model.profile(). Without what goes on
   * on kernels after data has decided shapes or branches.
   *
   * @throws what run() throws, ModelError where nothing runs on kernels, RangeError for `runs` outside 1 to 10,000.
   */
  profile(inputs: Readonly<Record<string, OnnxInput>>, options: { readonly runs?: number } = {}): Profile {
    this.#choose(inputs);
    const ready = this.#plans.current as Ready;
    return this.#withTensors(inputs, (tensors) => {
      const model = this.#model();
      const profile = model.profile(tensors, options);
      if (ready.late.length === 0) return profile;
      const results = model.run(tensors);
      const nodes = this.#late.nodesOf(ready);
      const times = nodes.map(() => Infinity); // the least: what is made new each time varies more than kernels
      for (let i = 0; i < 3; i++) {
        let last = now();
        this.#late.finish(ready, this.#checked.opsets, results, tapped(ready, tensors), undefined, (node) => {
          times[node] = Math.min(times[node] as number, (now() - last) * 1e3);
          last = now();
        });
      }
      const { rows, totals, arena } = model.summary();
      const microseconds = [...profile.rows.map((row) => row.microseconds), ...times];
      const whole = summaryFrom([...rows, ...lateRows(nodes)], totals, arena);
      return noted(this.#runtime, model, profileFrom(whole, microseconds));
    });
  }

  /**
   * A view of where an input lies, in memory order (model.inputs says which); see Model.input().
   *
   * @throws ModelError for an unknown name or where no shapes are known yet, DisposedError.
   */
  input<D extends DType = "float32">(name: string): TensorData<D> {
    return this.#model().input(name);
  }

  /**
   * A view of an output; see Model.output(). One that kernels do not compute is there after a run.
   *
   * @throws ModelError for an unknown name or where no shapes are known yet, DisposedError.
   */
  output<D extends DType = "float32">(name: string): TensorData<D> {
    const isOwn = this.#plans.current?.results.some((result) => result.name === name && result.from === "model");
    return ((isOwn ? undefined : this.#late.output(name)?.data) ?? this.#model().output(name)) as TensorData<D>;
  }

  /**
   * Runs on one tensor an input, by name, and on what the file has for initialisers that are inputs, unless they are among them.
   * Answers the model's own output tensors by name, or only those named in `outputs`: they hold this run's values until the next
   * run, of whatever shapes. Synchronous; allocates nothing unless shapes change or an output's shape depends on the data.
   *
   * @example
   * ```js
   * import { readFile } from "node:fs/promises";
   * import { createRuntime } from "lanewise";
   * import { loadOnnx } from "lanewise/onnx";
   *
   * const model = await loadOnnx(await createRuntime(), await readFile("model.onnx"));
   * const { logits } = model.run({ image: { data: new Float32Array(3 * 16 * 16), shape: [1, 3, 16, 16] } });
   * const scores = logits.toArray(); // a copy
   * ```
   *
   * @throws ModelError for missing or unknown names, ShapeError for a shape that the file does not allow or another dtype,
   *   TypeError for what is no input, RangeError for data that an input does not hold, DisposedError; where new shapes are
   *   planned, what loadOnnx() throws.
   */
  run<D extends DType = "float32">(
    inputs?: Readonly<Record<string, OnnxInput>>,
    outputs?: readonly string[],
  ): Readonly<Record<string, Tensor<D>>> {
    const pick = picker<D>(outputs, this.outputs);
    const ready = this.#readyFor(inputs);
    // Without closures: an AudioWorklet's block makes no garbage.
    const isWritten = inputs === undefined && ready.model !== undefined && isAll(ready);
    return pick(isWritten ? (ready.model as Model).run() : this.#runWith(inputs, ready));
  }

  #runWith(
    inputs: Readonly<Record<string, OnnxInput>> | undefined,
    ready: Ready,
  ): Readonly<Record<string, Tensor<DType>>> {
    const { model } = ready;
    if (isAll(ready) && model !== undefined) return this.#withTensors(inputs, (tensors) => model.run(tensors));
    const [values, results] = this.#withTensors(inputs, (tensors) => [tapped(ready, tensors), model?.run(tensors)]);
    return this.#late.finish(ready, this.#checked.opsets, results ?? {}, values);
  }

  /**
   * As run(), in turns with everything else that waits in this thread; see Model.runAsync(). Runs of other shapes may begin
   * meanwhile, each in an arena of its own: where memory does not suffice for that, they are refused, and this run goes on.
   *
   * @throws (rejects with) what run() throws, the signal's reason when it is aborted.
   */
  async runAsync<D extends DType = "float32">(
    inputs?: Readonly<Record<string, OnnxInput>>,
    options: RunAsyncOptions = {},
  ): Promise<Readonly<Record<string, Tensor<D>>>> {
    const { outputs, ...rest } = runOptions(options);
    const pick = picker<D>(outputs, this.outputs);
    const ready = this.#readyFor(inputs);
    const { model } = ready;
    // Inputs are in their slots when the model answers its promise: tensors made for the call can go then.
    const held: Model[] = [];
    const [values, running] = this.#withTensors(inputs, (tensors) => [
      tapped(ready, tensors),
      model && heldRun(model, tensors, rest, held),
    ]);
    try {
      const results = (await running) ?? {};
      return pick(
        isAll(ready) ? results : await this.#late.finishAsync(rest, ready, this.#checked.opsets, results, values),
      );
    } finally {
      for (const one of held) one.hold(-1);
    }
  }

  /** Gives all memory back, of every set of shapes. Disposing twice is harmless. */
  dispose(): void {
    if (this.disposed) return;
    this.#disposed = true;
    this.#plans.dispose();
    this.#late.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The model for the shapes of these inputs; without inputs, the one that ran last. */
  #readyFor(inputs: Readonly<Record<string, OnnxInput>> | undefined): Ready {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
    if (inputs !== undefined) this.#choose(inputs);
    const { current } = this.#plans;
    if (current === undefined) throw new ModelError(`"inputs" expected tensors for a model with open shapes, got none`);
    if (inputs === undefined) this.#enterAgain(current);
    return current;
  }

  /** For a run on what was written to input(). */
  #enterAgain(current: Ready): void {
    this.#plans.enter(current);
    const { model } = current;
    if (!model || !this.#deciding) return;
    const written = this.#decided(this.#planned, (name) => {
      const found = model.inputs.find((input) => input.name === name);
      return { shape: found?.shape ?? [0], data: found ? model.input<DType>(name) : [] };
    });
    if (!this.#plans.isFor(written))
      throw new ModelError(`"inputs" expected tensors, since other values than the last run's decide shapes, got none`);
  }

  #model(): Model {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
    const model = this.#plans.current?.model;
    if (model === undefined)
      throw new ModelError(`"model" expected shapes that are known, got a model that has not run yet`);
    return model;
  }

  /** The model for the shapes of these inputs, from the cache where it has run before. */
  #choose(inputs: Readonly<Record<string, OnnxInput>>): void {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
    if (typeof inputs !== "object" || inputs === null || inputs instanceof Tensor)
      throw new TypeError(`"inputs" expected an object of tensors by name, got ${show(inputs)}`);
    const checked = withInputs(this.#checked, (name) => Object.hasOwn(inputs, name));
    for (const name of Object.keys(inputs)) {
      if (checked.inputs.some((input) => input.name === name)) continue;
      const known = [...checked.inputs, ...checked.defaults].map((input) => input.name);
      const hint = this.#checked.fixed.some((input) => input.name === name)
        ? ` (a constant, unless "shapes" has it when the file is loaded)`
        : "";
      throw new ModelError(`"input" expected one of ${known.join(", ")}, got ${show(name)}${hint}`);
    }
    const shapes = checked.inputs.map((declared) => {
      const input = Object.hasOwn(inputs, declared.name) ? inputs[declared.name] : undefined;
      if (input === undefined)
        throw new ModelError(`${show(declared.name)} expected a tensor for this input, got none`);
      const shape: unknown = input?.shape;
      if (!Array.isArray(shape))
        throw new TypeError(`${show(declared.name)} expected a tensor, or data and shape, got ${show(input)}`);
      this.#shapes.require(declared, shape);
      return shape as readonly number[];
    });
    const decided = this.#decided(checked, (name) => read(inputs[name] as OnnxInput, this.#types.get(name)));
    this.#plans.choose(checked, shapes, decided);
    this.#planned = checked;
  }

  /** What inputs decide beside shapes. */
  #decided(checked: Checked, brought: Parameters<Deciding["values"]>[1]): Decided | undefined {
    return this.#deciding?.values(checked, brought, this.#operators, budgetOf(this.#options));
  }

  /** Plain data as tensors for the time of a call. */
  #withTensors<T>(
    inputs: Readonly<Record<string, OnnxInput>> | undefined,
    use: (tensors: Readonly<Record<string, Tensor<DType>>>) => T,
  ): T {
    if (inputs === undefined) return use(undefined as never); // on what was written to input()
    const own: Tensor<DType>[] = [];
    try {
      const current = this.#plans.current as Ready;
      const tensorOf = ({ name, dtype }: { readonly name: string; readonly dtype: DType }): Tensor<DType> => {
        const input = inputs[name] as OnnxInput;
        if (input instanceof Tensor) {
          if (input.dtype === dtype) return input;
          throw new ShapeError(`${show(name)} expected ${dtype}, got ${input.dtype}`);
        }
        const { data, shape } = input;
        const numbers = dataOf(data, this.#types.get(name));
        const tensor = this.#plans.roomFor(() => this.#runtime.tensor(numbers, shape, { dtype }), current);
        own.push(tensor);
        return tensor;
      };
      return use(Object.fromEntries(current.inputs.map((input) => [input.name, tensorOf(input)])));
    } finally {
      for (const tensor of own) tensor.dispose();
    }
  }
}

/** What is brought for an input, halves as numbers. */
function read(input: OnnxInput, type: ElementType | undefined) {
  return input instanceof Tensor ? input : { shape: input.shape, data: dataOf(input.data, type) };
}

/** The data, with numbers for the bits of halves. */
function dataOf(data: Elements, type: ElementType | undefined): Elements {
  if (type === undefined || !isHalf(type) || !holds("uint16", data)) return data;
  return Float32Array.from(data as Uint16Array, type === "float16" ? halfToNumber : bfloatToNumber);
}
