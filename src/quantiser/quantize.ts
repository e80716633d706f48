// From a float network in an ONNX file and inputs as it will see them to the same network in whole numbers of 8 bits.

import { asBytes, boolean, knownOptions, oneOf } from "../base/check.js";
import { ModelError, OutOfMemoryError, show, UnsupportedError } from "../base/errors.js";
import { everyNode, nodeName, operatorName } from "../onnx/file/node.js";
import { type ModelProto, type NodeProto, parseModel } from "../onnx/file/proto.js";
import type { LoadOnnx } from "../onnx/load.js";
import type { OnnxInput, OnnxModel } from "../onnx/model.js";
import { Tensor } from "../plan/tensor.js";
import type { RuntimeOptions } from "../runtime/options.js";
import type { Runtime } from "../runtime/runtime.js";
import { choose } from "./choose.js";
import { Outline } from "./outline.js";
import { type Quantum, quantumOf, Range } from "./ranges.js";
import { LEAST_OPSET, quantised, withOutputs } from "./write.js";

/** What one run takes: see OnnxModel.run(). */
export type CalibrationInput = Readonly<Record<string, OnnxInput>>;

/** A node as `exclude` sees it. */
export interface QuantizableNode {
  /** Its name, or its operator and first output where it has none. */
  readonly name: string;
  /** Its operator; those of other domains than ONNX's own have theirs in front. */
  readonly opType: string;
  /** The values that it computes. */
  readonly outputs: readonly string[];
}

/** How a network is quantised. */
export interface QuantizeOptions {
  /** Inputs as the network will see them, some hundred at best: what one run takes each. Read once. */
  readonly calibration: Iterable<CalibrationInput> | AsyncIterable<CalibrationInput>;
  /** One scale a filter, or false: one for all filters of a layer; default true. */
  readonly perChannel?: boolean;
  /** Nodes to leave in float32: their names, or what answers true for them. Default: none. */
  readonly exclude?: readonly string[] | ((node: QuantizableNode) => boolean);
  /**
   * Where the ends of a value's range are: at its least and largest ("minmax", the default), or where all but (100 - percentile) %
   * of its elements are within, on either side; what is beyond is clamped.
   */
  readonly method?: "minmax" | { readonly percentile: number };
  /** Values between layers: "uint8", with a zero point where the range asks for it, the default; "int8", with 0 in the middle. */
  readonly activations?: "uint8" | "int8";
  /** Where calibration runs. Default: a runtime of its own, of the variant that computes the same everywhere. */
  readonly runtime?: Runtime;
}

/** What an entry exports as quantize(): see there. */
export type Quantize = (model: Uint8Array | ArrayBuffer, options: QuantizeOptions) => Promise<Uint8Array>;

/** Calibration keeps all values of a run at once, up to so many bytes; those of larger networks are looked at in several runs. */
const RUN_BYTES = 2 ** 29;
/** Inputs that these several runs have in common. */
const BATCH = 16;

/** quantize() with these; runBytes: most that calibration takes for a run. */
export function makeQuantize(
  createRuntime: (options: RuntimeOptions) => Promise<Runtime>,
  loadOnnx: LoadOnnx,
  runBytes = RUN_BYTES,
): Quantize {
  return async (source, options) => {
    const { percentile, ...checked } = checkedOptions(options);
    const bytes = asBytes(source, "model");
    const model = parseModel(bytes);
    requireFloat(model);
    const outline = new Outline(model);
    const choice = choose(outline, excluded(outline, checked.exclude));
    const ranges = new Map<string, Range>();
    for (const root of choice.values.values()) {
      if (!outline.isConstant(root)) ranges.set(root, new Range(root, percentile !== undefined));
    }
    const runtime = checked.runtime ?? (await createRuntime({ variant: "simd" }));
    try {
      const run = new Calibration(bytes, outline, ranges, (file, hasLimit) =>
        loadOnnx(runtime, file, hasLimit ? { maxBytes: runBytes } : {}),
      );
      await run.all(checked.calibration);
    } finally {
      if (runtime !== checked.runtime) runtime.dispose();
    }
    const format = { perChannel: checked.perChannel, isSigned: checked.activations === "int8" };
    const quanta = new Map<string, Quantum>();
    for (const [name, range] of ranges) quanta.set(name, quantumOf(range.of(percentile), format.isSigned));
    return quantised(bytes, model, outline, choice, quanta, format);
  };
}

class Calibration {
  readonly #bytes: Uint8Array;
  readonly #outline: Outline;
  readonly #ranges: ReadonlyMap<string, Range>;
  readonly #load: (file: Uint8Array, hasLimit: boolean) => Promise<OnnxModel>;
  /** Values that one run answers; more of them when one answered too much. */
  #groups: readonly (readonly string[])[];
  /** The model of the one group that there is. */
  #model: OnnxModel | undefined;

  constructor(
    bytes: Uint8Array,
    outline: Outline,
    ranges: ReadonlyMap<string, Range>,
    load: (file: Uint8Array, hasLimit: boolean) => Promise<OnnxModel>,
  ) {
    this.#bytes = bytes;
    this.#outline = outline;
    this.#ranges = ranges;
    this.#load = load;
    this.#groups = [[...ranges.keys()].filter((name) => !outline.inputs.has(name))];
  }

  /** Throws (rejects with) ModelError for none or for what is not finite, and what OnnxModel.run() throws. */
  async all(calibration: QuantizeOptions["calibration"]): Promise<void> {
    let [count, batch] = [0, [] as CalibrationInput[]];
    try {
      for await (const inputs of calibration) {
        this.#look(inputs, count++);
        batch.push(inputs);
        if (this.#groups.length > 1 && batch.length < BATCH) continue;
        await this.#run(batch);
        batch = [];
      }
      if (batch.length > 0) await this.#run(batch);
    } finally {
      this.#model?.dispose();
    }
    if (count === 0) throw new ModelError(`"calibration" expected at least one input, got none`);
  }

  /** Ranges of what is brought itself. */
  #look(inputs: CalibrationInput, index: number): void {
    if (typeof inputs !== "object" || inputs === null || inputs instanceof Tensor)
      throw new TypeError(`"calibration" expected objects of inputs by name, got ${show(inputs)}`);
    for (const name of this.#outline.inputs) {
      const input = inputs[name];
      const data = input instanceof Tensor ? input.toArray() : input?.data;
      if (typeof data !== "object" || data === null) continue; // run() says what is wrong
      const numbers = Array.from(data as ArrayLike<number | bigint>, Number);
      const bad = numbers.findIndex((v) => !Number.isFinite(v));
      if (bad >= 0)
        throw new ModelError(
          `"calibration" expected finite numbers, got ${numbers[bad]} in ${show(name)} of input ${index}`,
        );
      this.#ranges.get(name)?.add(numbers);
    }
  }

  /** Runs these inputs once a group. A group whose values do not fit is two from then on. */
  async #run(batch: readonly CalibrationInput[]): Promise<void> {
    const groups: (readonly string[])[] = [];
    const waiting = [...this.#groups];
    for (let group = waiting.shift(); group; group = waiting.shift()) {
      try {
        await this.#runGroup(group, batch);
        groups.push(group);
      } catch (error) {
        if (!(error instanceof OutOfMemoryError) || group.length < 2) throw error;
        const half = group.length >> 1;
        waiting.unshift(group.slice(0, half), group.slice(half));
      }
    }
    this.#groups = groups;
  }

  async #runGroup(names: readonly string[], batch: readonly CalibrationInput[]): Promise<void> {
    const further = names.filter((name) => !this.#outline.outputs.has(name));
    const model = this.#model ?? (await this.#load(withOutputs(this.#bytes, further), names.length > 1));
    const isOnly = this.#groups.length === 1 && names === this.#groups[0];
    this.#model = isOnly ? model : undefined;
    let isDone = false;
    try {
      for (const inputs of batch) {
        const values = model.run(inputs, names.length > 0 ? names : undefined);
        for (const name of names) this.#ranges.get(name)?.add(values[name]?.toArray() as Float32Array);
      }
      isDone = true;
    } finally {
      if (!isOnly || !isDone) {
        model.dispose();
        this.#model = undefined;
      }
    }
  }
}

/** Operators that mean another thing from operator set 8, 9 or 10 on. */
const CHANGED = /^(Slice|TopK|Upsample|Scan|Resize)$/;
/** From here on what else there was reads the same in LEAST_OPSET. */
const OPSET_OF_BROADCASTS = 7;

/** Throws UnsupportedError for tensors in other files and for operator sets that cannot be raised, ModelError for a file that is quantised. */
function requireFloat(model: ModelProto): void {
  if (model.graph === null) throw new ModelError(`"model" expected a graph, got none`);
  if (model.external.size > 0)
    throw new UnsupportedError(`"model" expected all tensors in one file, got ${model.external.size} in others`);
  const opset = model.opsets.get("") ?? 1;
  for (const node of everyNode(model.graph)) {
    if (/^(De)?QuantizeLinear$|^QLinear|^QGemm$|Integer$/.test(node.opType))
      throw new ModelError(`"model" expected a float32 network, got one that is quantised (${operatorName(node)})`);
    const isChanged = CHANGED.test(node.opType) || node.attributes.some(({ name }) => name === "spatial");
    if (opset < OPSET_OF_BROADCASTS || (opset < LEAST_OPSET && isChanged))
      throw new UnsupportedError(
        `"model" expected an operator set from ${LEAST_OPSET} on, got ${opset} with ${operatorName(node)}`,
      );
  }
}

function excluded({ nodes }: Outline, exclude: QuantizeOptions["exclude"] = []): (node: NodeProto) => boolean {
  if (typeof exclude === "function")
    return (node) => exclude({ name: nodeName(node), opType: operatorName(node), outputs: node.outputs });
  const names = new Set(nodes.map(nodeName));
  const unknown = exclude.find((name) => !names.has(name));
  if (unknown !== undefined) throw new ModelError(`"exclude" expected names of nodes, got ${show(unknown)}`);
  return (node) => exclude.includes(nodeName(node));
}

function checkedOptions(options: QuantizeOptions) {
  knownOptions("options", options, ["calibration", "perChannel", "exclude", "method", "activations", "runtime"]);
  const { calibration, perChannel = true, exclude, method = "minmax", activations = "uint8", runtime } = options;
  const isIterable = (of: object, symbol: symbol) => typeof (of as Record<symbol, unknown>)[symbol] === "function";
  const isSome = typeof calibration === "object" && calibration !== null;
  if (!isSome || !(isIterable(calibration, Symbol.iterator) || isIterable(calibration, Symbol.asyncIterator)))
    throw new TypeError(`"calibration" expected an iterable of inputs, got ${show(calibration)}`);
  const isList = Array.isArray(exclude) && exclude.every((name) => typeof name === "string");
  if (exclude !== undefined && typeof exclude !== "function" && !isList)
    throw new TypeError(`"exclude" expected names of nodes or a function, got ${show(exclude)}`);
  return {
    calibration,
    perChannel: boolean("perChannel", perChannel),
    exclude,
    percentile: percentileOf(method),
    activations: oneOf("activations", activations, ["uint8", "int8"]),
    runtime,
  };
}

function percentileOf(method: unknown): number | undefined {
  if (typeof method !== "object" || method === null) {
    oneOf("method", method, ["minmax"]);
    return undefined;
  }
  knownOptions("method", method, ["percentile"]);
  const { percentile } = method as { readonly percentile?: unknown };
  if (typeof percentile === "number" && percentile > 50 && percentile <= 100) return percentile;
  const message = `"percentile" expected a number above 50, at most 100, got ${show(percentile)}`;
  throw typeof percentile === "number" ? new RangeError(message) : new TypeError(message);
}
