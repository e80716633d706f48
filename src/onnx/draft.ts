// A graph of lanewise operators while it is being made from ONNX nodes: every value's shape is known, since every operator
// is asked for its outputs on the way.

import { ModelError } from "../base/errors.js";
import { type DType, type MemoryFormat, makeSpec, type TensorSpec } from "../base/spec.js";
import type { GraphInput, GraphOutput, GraphParameter } from "../model/graph.js";
import type { GraphLayers, LayerNode } from "../model/layers.js";
import { DeferredTensor, type HostTensor as Weight } from "../model/weights.js";
import { OPERATORS, type OperatorName } from "../ops/index.js";
import { infer, type Operator } from "../ops/operator.js";
import type { ElementType } from "./file/element-type.js";
import { Deferred, type PlainTensor } from "./file/plain-tensor.js";

/** How an element type is held in linear memory. */
export const STORED: Readonly<Record<ElementType, DType>> = {
  float32: "float32",
  float16: "float32",
  bfloat16: "float32",
  float64: "float64",
  uint8: "uint8",
  int8: "int8",
  uint16: "uint16",
  int16: "int16",
  int32: "int32",
  uint32: "uint32",
  int64: "int64",
  uint64: "uint64",
  bool: "bool",
  uint4: "uint8",
  int4: "int8",
};

/** A value that runs compute. */
export interface Dynamic {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

export class Draft {
  readonly inputs: GraphInput[] = [];
  readonly nodes: LayerNode[] = [];
  /** Of every value and constant that layers have; memory formats are chosen later. */
  readonly specs = new Map<string, TensorSpec>();
  readonly weights = new Map<string, Weight>();
  readonly #names = new Set<string>();
  readonly #constants = new Map<PlainTensor, string>();

  /** A name that nothing else has. */
  name(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.#names.has(name); i++) name = `${wanted}/${i}`;
    this.#names.add(name);
    return name;
  }

  input(name: string, type: ElementType, shape: readonly number[], memoryFormat: MemoryFormat | undefined): Dynamic {
    if (this.#names.has(name)) throw new ModelError(`"inputs" expected each name once, got ${name} twice`);
    this.#names.add(name);
    this.inputs.push({ name, shape, dtype: STORED[type], ...(memoryFormat && { memoryFormat }) });
    return { name, type, shape };
  }

  /** The name of a constant in the weight map; the same tensor has one name. */
  constant(tensor: PlainTensor, wanted: string): string {
    const known = this.#constants.get(tensor);
    if (known !== undefined) return known;
    const name = this.name(wanted);
    this.#constants.set(tensor, name);
    const { type, shape } = tensor;
    const dtype = STORED[type];
    this.weights.set(
      name,
      tensor instanceof Deferred
        ? new DeferredTensor(shape, dtype, tensor.write, tensor.turned)
        : { shape, dtype, data: tensor.data },
    );
    return name;
  }

  /** Adds a layer. Throws what the operator throws, and nothing is added then. */
  add(
    layer: string,
    op: OperatorName | Operator,
    inputs: readonly (Dynamic | string)[],
    params: readonly (string | null)[] = [],
    options: object = {},
    type?: ElementType,
  ): Dynamic[] {
    const specs = inputs.map((operand) => this.#specOf(operand));
    const paramSpecs = params.map((name) => (name === null ? undefined : this.#specOf(name)));
    const { outputs } = infer(typeof op === "string" ? OPERATORS[op] : op, specs, paramSpecs, options);
    const name = this.name(layer);
    const names: string[] = [];
    let like = type;
    for (const operand of inputs) {
      if (typeof operand !== "string") like ??= operand.type;
      names.push(typeof operand === "string" ? operand : operand.name);
    }
    const answers = outputs.map((spec, i): Dynamic => {
      const value = outputs.length === 1 ? name : this.name(`${name}:${i}`);
      this.specs.set(value, spec);
      return { name: value, type: like as ElementType, shape: spec.shape };
    });
    this.nodes.push({ name, op, inputs: names, params, options, outputs: answers.map((answer) => answer.name) });
    return answers;
  }

  /** Takes back what was added since `mark` layers. */
  rewind(mark: number): void {
    this.nodes.length = mark;
  }

  /** Says why the layers since `mark` compute as they do. */
  note(mark: number, why: string): void {
    for (let i = mark; i < this.nodes.length; i++) this.nodes[i] = { ...(this.nodes[i] as LayerNode), note: why };
  }

  /** The graph of what the outputs need. */
  graph(outputs: readonly GraphOutput[]): GraphLayers {
    const needed = new Set(outputs.map((output) => output.value));
    const nodes: LayerNode[] = [];
    for (const node of [...this.nodes].reverse()) {
      if (!node.outputs.some((name) => needed.has(name))) continue;
      nodes.push(node);
      for (const name of [...node.inputs, ...node.params]) if (name !== null) needed.add(name);
    }
    const parameters: GraphParameter[] = [...this.weights.keys()]
      .filter((name) => needed.has(name))
      .map((name) => ({ name }));
    return { inputs: this.inputs, parameters, nodes: nodes.reverse(), outputs };
  }

  /** Checked when it is first asked for. */
  #specOf(operand: Dynamic | string): TensorSpec {
    const name = typeof operand === "string" ? operand : operand.name;
    const known = this.specs.get(name);
    if (known !== undefined) return known;
    const { shape, dtype } =
      typeof operand === "string"
        ? (this.weights.get(name) as Weight)
        : { shape: operand.shape, dtype: STORED[operand.type] };
    const spec = makeSpec(shape, dtype, "contiguous", name);
    this.specs.set(name, spec);
    return spec;
  }
}
