// A graph and the specs of its weights, walked from the first node to the last: every value's shape and memory format, and what
// every layer's operator makes of its operands. No kernels, no memory: see lower-graph.ts for these.
import { type Shape, sameShape } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import { type MemoryFormat, makeSpec, type TensorSpec } from "../base/spec.js";
import { OPERATORS } from "../ops/index.js";
import { type Inference, infer, type Operator } from "../ops/operator.js";
import { isChannelsLast } from "../ops/parts/image.js";
import type { GraphInput } from "./graph.js";
import { type GraphLayers, type LayerNode, operatorOf } from "./layers.js";

/** A tensor of a graph; `root` is the one whose bytes it shares. */
export interface Item {
  readonly spec: TensorSpec;
  readonly root: number;
  readonly param: string | undefined;
}

/** A layer, or a change of memory format between layers. Operands are indices of items. */
export interface InferredStep {
  /** Undefined for a change of memory format. */
  readonly node: LayerNode | undefined;
  readonly operator: Operator;
  readonly found: Inference;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly inputSpecs: readonly TensorSpec[];
  readonly params: readonly (TensorSpec | undefined)[];
}

export interface InferredGraph {
  readonly items: readonly Item[];
  readonly steps: readonly InferredStep[];
  readonly parameters: ReadonlyMap<string, TensorSpec>;
  readonly inputs: readonly { readonly name: string; readonly spec: TensorSpec; readonly id: number }[];
  readonly outputs: readonly { readonly name: string; readonly id: number }[];
  /** Every named value and parameter. */
  readonly specs: ReadonlyMap<string, TensorSpec>;
  /** What named values are, by index of items. */
  readonly names: ReadonlyMap<number, string>;
  /** Multiply-accumulates of one run, by the layers' definitions. */
  readonly macs: number;
}

/** specOf answers a weight's spec, or throws. Throws ModelError for a graph that does not hold together, and what layers refuse. */
export function inferGraph(graph: GraphLayers, specOf: (name: string) => TensorSpec): InferredGraph {
  const walk = new Walk(graph, specOf);
  const inputs = graph.inputs.map((input) => walk.input(input));
  for (const node of graph.nodes) walk.layer(node);
  if (graph.outputs.length === 0) throw new ModelError(`"graph" expected at least one output, got none`);
  const outputs = graph.outputs.map(({ name, value, memoryFormat }, i) => {
    if (graph.outputs.findIndex((output) => output.name === name) !== i) {
      throw new ModelError(`"graph" expected each output once, got ${show(name)} twice`);
    }
    return { name, id: walk.output(name, value, memoryFormat) };
  });
  const { items, steps, parameters, named } = walk;
  const specs = new Map(parameters);
  const names = new Map<number, string>();
  for (const [name, id] of named) {
    specs.set(name, (items[id] as Item).spec);
    names.set(id, name);
  }
  const macs = steps.reduce((sum, { found }) => sum + (found.macs ?? 0), 0);
  return { items, steps, parameters, inputs, outputs, specs, names, macs };
}

class Walk {
  readonly items: Item[] = [];
  readonly steps: InferredStep[] = [];
  readonly named = new Map<string, number>();
  readonly parameters = new Map<string, TensorSpec>();
  readonly #declared: ReadonlyMap<string, Shape | undefined>;
  readonly #specOf: (name: string) => TensorSpec;
  /** Tensors that are there in the other memory format too. */
  readonly #changed = new Map<number, number>();

  constructor(graph: GraphLayers, specOf: (name: string) => TensorSpec) {
    this.#declared = new Map(graph.parameters.map(({ name, shape }) => [name, shape]));
    this.#specOf = specOf;
  }

  input({ name, shape, dtype, memoryFormat }: GraphInput) {
    const format = memoryFormat ?? (shape.length === 4 && dtype === "float32" ? "channelsLast" : "contiguous");
    const spec = makeSpec(shape, dtype, format, name);
    const id = this.#add(spec);
    this.#define(name, id);
    return { name, id, spec };
  }

  layer(node: LayerNode): void {
    const operator = operatorOf(node);
    const given = node.inputs.map((name) => this.#operand(node.name, name));
    const isImage =
      operator.readsPixels === true || given.some((id) => this.#item(id).spec.memoryFormat === "channelsLast");
    const inputs = given.map((id, i) => {
      // Lines and volumes lie as they were made, but for who reads pixels of them.
      const isOne = this.#item(id).spec.shape.length === 4 ? isImage : operator.readsPixels === true;
      if (isOne) return this.#inFormat(id, "channelsLast");
      // A residual lies as the output does, which lies as the input.
      return i < operator.inputs.length || operator.variadic
        ? id
        : this.#inFormat(id, this.#item(given[0] as number).spec.memoryFormat);
    });
    const params = node.params.map((name) => (name === null ? undefined : this.#weight(node.name, name)));
    const inputSpecs = inputs.map((id) => this.#item(id).spec);
    const ask = (options: object) => inLayer(node, () => infer(operator, inputSpecs, params, options));
    let found = ask(node.options);
    const [first] = inputSpecs;
    if (operator === OPERATORS.transpose && first?.shape.length === 4 && !found.isView) {
      // [N, H, W, C] is [N, C, H, W] in channels-last, and the other way round.
      const other = ask({ outputFormat: otherFormat(first.memoryFormat), ...node.options });
      if (other.isView) found = other;
    }
    const { isView } = found;
    const outputs = found.outputs.map((spec) => (isView ? this.#share(inputs[0] as number, spec) : this.#add(spec)));
    node.outputs.forEach((name, i) => {
      this.#define(name, outputs[i] as number);
    });
    this.steps.push({ node, operator, found, inputs, outputs, inputSpecs, params });
  }

  output(name: string, value: string, memoryFormat: MemoryFormat): number {
    const id = this.named.get(value);
    if (id === undefined) throw new ModelError(`"${name}" expected a value of the graph, got ${show(value)}`);
    if (this.#item(id).param !== undefined)
      throw new ModelError(`"${name}" expected a value that a layer computes, got parameter ${show(value)}`);
    return this.#inFormat(id, memoryFormat);
  }

  #item(id: number): Item {
    return this.items[id] as Item;
  }

  #add(spec: TensorSpec, param?: string): number {
    return this.items.push({ spec, root: this.items.length, param }) - 1;
  }

  /** The same bytes seen as another tensor. */
  #share(id: number, spec: TensorSpec): number {
    return this.items.push({ ...this.#item(id), spec }) - 1;
  }

  #define(name: string, id: number): void {
    if (this.named.has(name) || this.#declared.has(name))
      throw new ModelError(`"graph" expected each value once, got ${show(name)} twice`);
    this.named.set(name, id);
  }

  #parameter(name: string): TensorSpec {
    const known = this.parameters.get(name);
    if (known !== undefined) return known;
    const spec = this.#specOf(name);
    const shape = this.#declared.get(name);
    if (shape !== undefined && !sameShape(shape, spec.shape)) {
      throw new ModelError(`"${name}" expected shape ${show(shape)}, got ${show(spec.shape)}`);
    }
    this.parameters.set(name, spec);
    return spec;
  }

  #weight(layer: string, name: string): TensorSpec {
    if (!this.#declared.has(name)) throw new ModelError(`"${layer}" expected a parameter, got ${show(name)}`);
    return this.#parameter(name);
  }

  #operand(layer: string, name: string): number {
    const id = this.named.get(name);
    if (id !== undefined) return id;
    if (!this.#declared.has(name))
      throw new ModelError(`"${layer}" expected a value that comes before it, got ${show(name)}`);
    const constant = this.#add(this.#parameter(name), name);
    this.named.set(name, constant);
    return constant;
  }

  /** The same tensor in another memory format: relabelled where both lie alike, else by one step for all who want it. */
  #inFormat(id: number, memoryFormat: MemoryFormat): number {
    const { spec } = this.#item(id);
    if (spec.memoryFormat === memoryFormat || spec.shape.length < 3) return id;
    const wanted = { ...spec, memoryFormat };
    if (liesAlike(spec)) return this.#share(id, wanted);
    const known = this.#changed.get(id);
    if (known !== undefined) return known;
    const output = this.#add(wanted);
    this.#changed.set(id, output);
    this.steps.push({ node: undefined, ...formatChange(spec, memoryFormat), inputs: [id], outputs: [output] });
    return output;
  }
}

/** Whether both memory formats of a tensor are the same bytes. */
export function liesAlike(spec: TensorSpec): boolean {
  return spec.shape.length < 3 || isChannelsLast({ ...spec, memoryFormat: "contiguous" });
}

export function otherFormat(format: MemoryFormat): MemoryFormat {
  return format === "contiguous" ? "channelsLast" : "contiguous";
}

/** The step that brings a tensor into another memory format. */
export function formatChange(from: TensorSpec, memoryFormat: MemoryFormat) {
  const operator: Operator = OPERATORS.toMemoryFormat;
  return { operator, found: infer(operator, [from], [], { memoryFormat }), inputSpecs: [from], params: [] };
}

/** Puts the layer's name before an error's sentence. */
export function inLayer<T>(node: LayerNode | undefined, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (node !== undefined && error instanceof Error && !error.message.startsWith("internal")) {
      error.message = `layer ${show(node.name)} (${operatorOf(node).name}): ${error.message}`;
    }
    throw error;
  }
}
