// A network from an ONNX file: planned and packed once for each set of input shapes, then run like any model.
import { elements, integer, knownOptions } from "../base/check.js";
import { DisposedError, ModelError, OutOfMemoryError, ShapeError, show } from "../base/errors.js";
import { DTYPES, type DType, type MemoryFormat, type TensorData } from "../base/spec.js";
import { type Model, type ModelOptions, modelOf, type RunAsyncOptions } from "../model/model.js";
import { byRules, PASSES } from "../model/optimize.js";
import type { ModelReport } from "../model/planner.js";
import type { Profile, Summary } from "../model/summary.js";
import { Tensor } from "../plan/tensor.js";
import { type Runtime, requireRuntime } from "../runtime/runtime.js";
import { type Checked, type Compiled, checkModel, compile, type Declared, nodeName, opsetOf } from "./compile.js";
import { parseModel } from "./file/proto.js";
import { evaluate } from "./host/index.js";
import { type Budget, type ElementType, type HostTensor, within } from "./host/tensor.js";
import { STORED } from "./network.js";
import { routeChannels } from "./rewrite/channels.js";
import { exporterRules } from "./rewrite/rules.js";
import { moveOnce } from "./rewrite/views.js";

/** Limits and open sizes of a network from a file. */
export interface OnnxOptions extends ModelOptions {
  /** Sizes of named dimensions, or whole shapes of inputs by name, where the file leaves them open. Default: none. */
  readonly shapes?: Readonly<Record<string, number | readonly number[]>>;
  /** Bytes of the file as they arrive: { loaded, total }, total undefined where it is not known. */
  readonly onProgress?: (progress: { readonly loaded: number; readonly total: number | undefined }) => void;
  /** Answers bytes of tensors kept in other files, beside the model's: a relative path, never out of its folder. */
  readonly externalData?: (location: string, offset: number, length: number | undefined) => Uint8Array;
}

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

/** What a run takes for an input: a tensor, or { data, shape }, plain data in logical order, which may be empty. */
export type OnnxInput = Tensor | { readonly data: TensorData | readonly number[]; readonly shape: readonly number[] };

/** Where a file comes from: its bytes, or a stream or response that brings them. */
export type OnnxSource = Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | Response;

/**
 * Reads an ONNX file and plans it. Where every input shape is known, the model is ready then, and nothing of the file is kept;
 * else it is planned when a run brings the first shapes, and again for others, from a copy of the file.
 *
 * @throws (rejects with) ModelError for a file that does not hold together, asks for more than maxMacs or has a tensor beyond
 *   what maxBytes (default: a GiB) allows; UnsupportedError naming every operator that is missing; OutOfMemoryError for more
 *   than maxBytes in all.
 */
export async function loadOnnx(runtime: Runtime, source: OnnxSource, options: OnnxOptions = {}): Promise<OnnxModel> {
  requireRuntime(runtime);
  knownOptions("model options", options, [
    "maxBytes",
    "maxMacs",
    "precision",
    "tune",
    "optimize",
    "shapes",
    "onProgress",
    "externalData",
  ]);
  const { shapes = {}, onProgress, externalData, ...modelOptions } = options;
  if (typeof shapes !== "object" || shapes === null || Array.isArray(shapes))
    throw new TypeError(`"shapes" expected an object of sizes by name, got ${show(shapes)}`);
  for (const [name, f] of Object.entries({ onProgress, externalData })) {
    if (f !== undefined && typeof f !== "function")
      throw new TypeError(`"${name}" expected a function, got ${show(f)}`);
  }
  const bytes = await bytesOf(source, onProgress);
  const read = (from: Uint8Array) => within(budgetOf(modelOptions), () => checkModel(parseModel(from), externalData));
  const checked = read(bytes);
  const isOurs = !(source instanceof Uint8Array || source instanceof ArrayBuffer);
  return new OnnxModel(runtime, checked, () => (isOurs ? checked : read(bytes.slice())), shapes, modelOptions);
}

/** Bytes of linear memory for a file without maxBytes: a few bytes can ask for any amount. */
const DEFAULT_BYTES = 2 ** 30;

/**
 * What JavaScript may take for constants and shapes while a model is loaded or planned, and for outputs after a run: as many
 * bytes, or four times the caller's maxBytes, since constants are transposed and merged on their way into the model; and
 * 2^32 multiply-accumulates, some ten seconds.
 */
function budgetOf({ maxBytes, maxMacs }: ModelOptions): Budget {
  return {
    bytes: maxBytes === undefined ? DEFAULT_BYTES : Math.max(4 * integer("maxBytes", maxBytes, 0), 2 ** 24),
    macs: maxMacs === undefined ? 2 ** 32 : Math.min(integer("maxMacs", maxMacs, 0), 2 ** 32),
  };
}

async function bytesOf(source: unknown, onProgress: OnnxOptions["onProgress"]): Promise<Uint8Array> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    const bytes = new Uint8Array(
      source instanceof ArrayBuffer ? source : source.buffer,
      ...(source instanceof ArrayBuffer ? [] : [source.byteOffset, source.byteLength]),
    );
    onProgress?.({ loaded: bytes.length, total: bytes.length });
    return bytes;
  }
  let stream: unknown = source;
  let total: number | undefined;
  if (typeof Response === "function" && source instanceof Response) {
    if (!source.ok) throw new ModelError(`"source" expected a response with the model, got status ${source.status}`);
    stream = source.body;
    const length = Number(source.headers.get("content-length"));
    if (length > 0 && source.headers.get("content-encoding") === null) total = length;
  }
  if (!(stream instanceof ReadableStream)) {
    throw new TypeError(`"source" expected bytes, a ReadableStream or a Response, got ${show(source)}`);
  }
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) throw new TypeError(`"source" expected chunks of bytes, got ${show(value)}`);
      chunks.push(value);
      loaded += value.length;
      onProgress?.({ loaded, total });
    }
  } catch (error) {
    reader.cancel(error).catch(() => {}); // nobody waits for the rest
    throw error;
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The model for one set of shapes. */
interface Ready extends Omit<Compiled, "weights" | "specs"> {
  readonly model: Model | undefined;
}

/** A network from an ONNX file, planned for the shapes at hand: those of the file and of `shapes`, then those of the last run. */
export class OnnxModel {
  /** What a run answers. */
  readonly outputs: readonly OnnxTensor[];
  readonly #inputs: readonly OnnxTensor[];
  readonly #runtime: Runtime;
  #checked: Checked;
  readonly #options: ModelOptions;
  readonly #given: Readonly<Record<string, number | readonly number[]>>;
  readonly #ready = new Map<string, Ready>();
  #current: Ready | undefined;
  /** Output tensors that no model owns: constants, and what is computed after a run. */
  #loose = new Map<string, Tensor>();
  #disposed = false;

  /** Internal: use loadOnnx(). ownChecked: the same on bytes that are nobody else's, for a model that is planned again. */
  constructor(
    runtime: Runtime,
    checked: Checked,
    ownChecked: () => Checked,
    shapes: Readonly<Record<string, number | readonly number[]>>,
    options: ModelOptions,
  ) {
    this.#runtime = runtime;
    this.#checked = checked;
    this.#options = options;
    this.#given = shapes;
    const sizes = new Set(checked.inputs.flatMap(({ dims }) => dims.filter((dim) => typeof dim === "string")));
    for (const [name, given] of Object.entries(shapes)) {
      const input = checked.inputs.find((one) => one.name === name);
      if (input && (Array.isArray(given) || !sizes.has(name))) {
        elements(`shapes.${name}`, given, 1, 0);
        requireFit(name, openDims(input.dims), given as readonly number[]);
      } else if (sizes.has(name)) integer(`shapes.${name}`, given, 0);
      else {
        const known = [...checked.inputs.map((one) => one.name), ...sizes].join(", ");
        throw new ModelError(`"shapes" expected names of inputs or dimensions (${known}), got ${show(name)}`);
      }
    }
    this.#inputs = checked.inputs.map((input) => ({
      name: input.name,
      shape: this.#openShape(input),
      dtype: STORED[input.type],
    }));
    const first = this.#inputs.map(({ shape }) => shape);
    if (first.every((shape) => shape.every((size) => typeof size === "number"))) {
      this.#current = this.#prepare(first as readonly (readonly number[])[]);
    }
    // Of weights there is one copy: packed, where no other shapes can come, else also as the file has them.
    const isFixed = this.#current !== undefined && first.every((shape) => shape.length > 0);
    this.#checked = isFixed ? { ...checked, nodes: [], initializers: new Map() } : ownChecked();
    const outputs = this.#current;
    this.outputs = checked.declared.map((declared) => {
      const { name } = declared;
      const found = outputs?.model?.outputs.find((output) => output.name === name);
      const result = outputs?.results.find((entry) => entry.name === name);
      const constant = result?.from === "constant" ? result.tensor : undefined;
      return {
        name,
        shape: found?.shape ?? constant?.shape ?? this.#openShape(declared),
        dtype: found?.dtype ?? STORED[constant?.type ?? declared.type],
      };
    });
  }

  /** What a run takes. */
  get inputs(): readonly OnnxTensor[] {
    const planned = this.#current?.model?.inputs;
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
   * Bytes, multiply-accumulates and parameters for the shapes at hand.
   *
   * @throws ModelError where no shapes are known yet or nothing runs on kernels, DisposedError.
   */
  get plan(): ModelReport {
    return this.#model().plan;
  }

  /**
   * One row a layer; operators that run in JavaScript say so in `reason`. See Model.summary().
   *
   * @throws ModelError where no shapes are known yet or nothing runs on kernels, DisposedError.
   */
  summary(): Summary {
    return this.#model().summary();
  }

  /**
   * The summary with microseconds and GFLOP/s of every layer, from `runs` runs, default 5; see Model.profile().
   *
   * @throws what run() throws, ModelError where nothing runs on kernels, RangeError for `runs` outside 1 to 10,000.
   */
  profile(inputs: Readonly<Record<string, OnnxInput>>, options: { readonly runs?: number } = {}): Profile {
    this.#choose(inputs);
    return this.#withTensors(inputs, (tensors) => this.#model().profile(tensors, options));
  }

  /**
   * A view of where an input lies, in memory order (model.inputs says which); see Model.input().
   *
   * @throws ModelError for an unknown name or where no shapes are known yet, DisposedError.
   */
  input(name: string): TensorData {
    return this.#model().input(name);
  }

  /**
   * A view of an output; see Model.output(). One that kernels do not compute is there after a run.
   *
   * @throws ModelError for an unknown name or where no shapes are known yet, DisposedError.
   */
  output(name: string): TensorData {
    const loose = this.#loose.get(name);
    return loose && !loose.disposed ? loose.data : this.#model().output(name);
  }

  /**
   * Runs on one tensor an input, by name. Answers the model's own output tensors by name: they hold this run's values until
   * the next run. Synchronous; allocates nothing unless shapes change or an output's shape depends on the data.
   *
   * @throws ModelError for missing or unknown names, ShapeError for a shape that the file does not allow or another dtype,
   *   TypeError for what is no input, DisposedError; where new shapes are planned, what loadOnnx() throws.
   */
  run(inputs?: Readonly<Record<string, OnnxInput>>): Readonly<Record<string, Tensor>> {
    const ready = this.#readyFor(inputs);
    const { model } = ready;
    if (isAll(ready) && model !== undefined) return this.#withTensors(inputs, (tensors) => model.run(tensors));
    const [values, results] = this.#withTensors(inputs, (tensors) => [tapped(ready, tensors), model?.run(tensors)]);
    return this.#finish(ready, results ?? {}, values);
  }

  /**
   * As run(), in turns with everything else that waits in this thread; see Model.runAsync().
   *
   * @throws (rejects with) what run() throws, the signal's reason when it is aborted.
   */
  async runAsync(
    inputs?: Readonly<Record<string, OnnxInput>>,
    options: RunAsyncOptions = {},
  ): Promise<Readonly<Record<string, Tensor>>> {
    const ready = this.#readyFor(inputs);
    const { model } = ready;
    // Inputs are in their slots when the model answers its promise: tensors made for the call can go then.
    const [values, running] = this.#withTensors(inputs, (tensors) => [
      tapped(ready, tensors),
      model?.runAsync(tensors, options),
    ]);
    const results = (await running) ?? {};
    return isAll(ready) ? results : this.#finish(ready, results, values);
  }

  /** Gives all memory back, of every set of shapes. Disposing twice is harmless. */
  dispose(): void {
    if (this.disposed) return;
    this.#disposed = true;
    for (const { model } of this.#ready.values()) model?.dispose();
    for (const tensor of this.#loose.values()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The model for the shapes of these inputs; without inputs, the one that ran last. */
  #readyFor(inputs: Readonly<Record<string, OnnxInput>> | undefined): Ready {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
    if (inputs !== undefined) this.#choose(inputs);
    if (this.#current === undefined)
      throw new ModelError(`"inputs" expected tensors for a model with open shapes, got none`);
    return this.#current;
  }

  #model(): Model {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
    const model = this.#current?.model;
    if (model === undefined)
      throw new ModelError(`"model" expected shapes that are known, got a model that has not run yet`);
    return model;
  }

  #openShape({ name, dims }: Declared): readonly (number | string | null)[] {
    const given = this.#given[name];
    if (Array.isArray(given)) return given as readonly number[];
    return openDims(dims).map((dim) => {
      const size = typeof dim === "string" ? this.#given[dim] : undefined;
      return typeof size === "number" ? size : dim;
    });
  }

  /** The model for the shapes of these inputs, from the cache where it has run before. */
  #choose(inputs: Readonly<Record<string, OnnxInput>>): void {
    if (this.disposed) throw new DisposedError(`"model" expected a live model, got a disposed one`);
    if (typeof inputs !== "object" || inputs === null || inputs instanceof Tensor)
      throw new TypeError(`"inputs" expected an object of tensors by name, got ${show(inputs)}`);
    for (const name of Object.keys(inputs)) {
      if (!this.#inputs.some((input) => input.name === name)) {
        throw new ModelError(
          `"input" expected one of ${this.#inputs.map((input) => input.name).join(", ")}, got ${show(name)}`,
        );
      }
    }
    const shapes = this.#checked.inputs.map((declared) => {
      const input = Object.hasOwn(inputs, declared.name) ? inputs[declared.name] : undefined;
      if (input === undefined)
        throw new ModelError(`${show(declared.name)} expected a tensor for this input, got none`);
      const shape: unknown = input?.shape;
      if (!Array.isArray(shape))
        throw new TypeError(`${show(declared.name)} expected a tensor, or data and shape, got ${show(input)}`);
      requireFit(declared.name, this.#openShape(declared), shape);
      return shape as readonly number[];
    });
    this.#current = this.#prepare(shapes);
  }

  #prepare(shapes: readonly (readonly number[])[]): Ready {
    const key = shapes.map((shape) => shape.join("x")).join(";");
    const known = this.#ready.get(key);
    if (known !== undefined) return known;
    const byName = new Map(this.#checked.inputs.map(({ name }, i) => [name, shapes[i] as readonly number[]]));
    const { target } = this.#runtime.engine;
    const { weights, specs, ...compiled } = within(budgetOf(this.#options), () =>
      compile(this.#checked, byName, target, this.#options.optimize),
    );
    const passes = [byRules(exporterRules(weights)), ...PASSES, routeChannels, moveOnce];
    const plan = () => {
      // The models for all shapes share what there may be.
      let maxBytes = this.#options.maxBytes ?? DEFAULT_BYTES;
      for (const { model } of this.#ready.values()) maxBytes -= model?.plan.totalBytes ?? 0;
      return modelOf(this.#runtime, compiled.graph, weights, { ...this.#options, maxBytes }, passes, specs);
    };
    const model = compiled.graph.outputs.length > 0 ? this.#roomFor(plan) : undefined;
    const ready = { ...compiled, model };
    this.#ready.set(key, ready);
    return ready;
  }

  /** What `make` makes; where memory ends, the models for all shapes but `kept` make room for it. */
  #roomFor<T>(make: () => T, kept?: Ready): T {
    try {
      return make();
    } catch (error) {
      const others = [...this.#ready].filter(([, ready]) => ready !== kept);
      if (!(error instanceof OutOfMemoryError) || others.length === 0) throw error;
      for (const [key, { model }] of others) {
        model?.dispose();
        this.#ready.delete(key);
      }
      this.#current = kept;
      return make();
    }
  }

  /** Plain data as tensors for the time of a call. */
  #withTensors<T>(
    inputs: Readonly<Record<string, OnnxInput>> | undefined,
    use: (tensors: Readonly<Record<string, Tensor>>) => T,
  ): T {
    if (inputs === undefined) return use(undefined as never); // on what was written to input()
    const own: Tensor[] = [];
    try {
      const tensors: Record<string, Tensor> = {};
      const current = this.#current as Ready;
      for (const { name, dtype } of current.graph.inputs) {
        const input = inputs[name] as OnnxInput;
        if (input instanceof Tensor) {
          if (input.dtype !== dtype) throw new ShapeError(`${show(name)} expected ${dtype}, got ${input.dtype}`);
          tensors[name] = input;
        } else {
          const { data, shape } = input;
          const tensor = this.#roomFor(() => this.#runtime.tensor(dataOf(data, dtype), shape, { dtype }), current);
          own.push(tensor);
          tensors[name] = tensor;
        }
      }
      return use(tensors);
    } finally {
      for (const tensor of own) tensor.dispose();
    }
  }

  /** Evaluates what depends on the run, and gives every output a tensor. */
  #finish(
    ready: Ready,
    results: Readonly<Record<string, Tensor>>,
    values: Map<string, HostTensor>,
  ): Readonly<Record<string, Tensor>> {
    for (const { name, type, output } of ready.taps)
      if (output !== "") values.set(name, hostTensor(results[output] as Tensor, type));
    for (const node of ready.late) {
      const opset = opsetOf(this.#checked, node);
      let answers: HostTensor[];
      try {
        const given = node.inputs.map((name) => (name === "" ? undefined : values.get(name)));
        answers = within(budgetOf(this.#options), () => evaluate(node, opset, given));
      } catch (error) {
        if (error instanceof Error) error.message = `node ${show(nodeName(node))} (${node.opType}): ${error.message}`;
        throw error;
      }
      node.outputs.forEach((name, i) => {
        if (name !== "" && answers[i]) values.set(name, answers[i]);
      });
    }
    const all: Record<string, Tensor> = {};
    for (const result of ready.results) {
      if (result.from === "model") all[result.name] = results[result.name] as Tensor;
      else
        all[result.name] = this.#tensorFor(
          result.name,
          result.from === "constant" ? result.tensor : (values.get(result.name) as HostTensor),
        );
    }
    return all;
  }

  /** A tensor of this model with these values: the last run's where it fits. */
  #tensorFor(name: string, { type, shape, data }: HostTensor): Tensor {
    const dtype = STORED[type];
    const known = this.#loose.get(name);
    if (known !== undefined && !known.disposed && known.dtype === dtype && known.shape.join() === shape.join()) {
      (known.data as Float32Array).set(data as Float32Array);
      return known;
    }
    known?.dispose();
    const tensor = this.#runtime.tensor(data, shape, { dtype });
    this.#loose.set(name, tensor);
    return tensor;
  }
}

/** Whether a run of the model alone makes every output. */
function isAll({ late, results }: Ready): boolean {
  return late.length === 0 && results.every((result) => result.from === "model");
}

/** What late nodes read that is known before a run: constants, and inputs. */
function tapped({ constants, taps }: Ready, inputs: Readonly<Record<string, Tensor>> = {}): Map<string, HostTensor> {
  const values = new Map<string, HostTensor>(constants);
  for (const { name, type, output } of taps) {
    if (output !== "") continue;
    const source = inputs[name];
    if (source === undefined) throw new ModelError(`${show(name)} expected a tensor for this input, got none`);
    values.set(name, hostTensor(source, type));
  }
  return values;
}

function hostTensor(source: Tensor, type: ElementType): HostTensor {
  return { type, shape: source.shape, data: source.toArray() };
}

/** The data, with numbers as bigints where the type has 64 bits. */
function dataOf(given: TensorData | readonly number[], dtype: DType): TensorData | readonly number[] {
  if (!Array.isArray(given) || !/int64/.test(dtype)) return given;
  return (DTYPES[dtype] as BigInt64ArrayConstructor).from(given as readonly number[], BigInt);
}

/** What a file says of sizes; one that is no size is left open. */
function openDims(dims: Declared["dims"]): readonly (number | string | null)[] {
  return dims.map((dim) => (typeof dim === "number" && dim <= 0 ? null : dim));
}

/** A file that says nothing of an input's shape takes any. */
function requireFit(name: string, open: readonly (number | string | null)[], shape: readonly unknown[]): void {
  const fits =
    open.length === 0 ||
    (open.length === shape.length && open.every((size, i) => typeof size !== "number" || size === shape[i]));
  if (!fits) throw new ShapeError(`${show(name)} expected shape ${show([...open])}, got ${show([...shape])}`);
}
