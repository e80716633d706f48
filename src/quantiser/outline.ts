// A file's graph as the quantiser looks at it: who computes a value, who reads it, what is constant.

import { Budget } from "../onnx/file/budget.js";
import { isStandard, opsetOf } from "../onnx/file/node.js";
import { readsOf } from "../onnx/file/order.js";
import type { PlainTensor } from "../onnx/file/plain-tensor.js";
import type { GraphProto, ModelProto, NodeProto } from "../onnx/file/proto.js";
import { readTensorProto } from "../onnx/file/tensor.js";
import { Context } from "../onnx/host/context.js";

export class Outline {
  readonly nodes: readonly NodeProto[];
  /** Inputs that runs bring. */
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  /** The node that computes a value. */
  readonly producer = new Map<string, NodeProto>();
  /** Nodes that read a value, each as often as it does, branches and bodies too. */
  readonly readers = new Map<string, NodeProto[]>();
  /** Whether initialisers are of 16 bits. */
  readonly hasHalves: boolean;
  readonly #model: ModelProto;
  readonly #budget = new Budget();
  readonly #constants = new Map<string, () => PlainTensor>();
  readonly #names = new Set<string>();

  constructor(model: ModelProto) {
    this.#model = model;
    const { nodes, inputs, outputs, initializers } = model.graph as GraphProto;
    this.nodes = nodes;
    this.hasHalves = initializers.some(({ dataType }) => dataType === 10 || dataType === 16);
    for (const proto of initializers) this.#constants.set(proto.name, () => readTensorProto(proto, this.#budget));
    for (const node of nodes) {
      const value =
        isStandard(node) && node.opType === "Constant" && node.attributes.find(({ name }) => name === "value");
      const proto = value ? value.t : null;
      if (proto) this.#constants.set(node.outputs[0] as string, () => readTensorProto(proto, this.#budget));
      for (const name of node.outputs) this.producer.set(name, node);
      for (const name of readsOf(node)) this.readers.set(name, [...(this.readers.get(name) ?? []), node]);
    }
    this.inputs = new Set(inputs.map(({ name }) => name).filter((name) => !this.#constants.has(name)));
    this.outputs = new Set(outputs.map(({ name }) => name));
    const all = [...this.#constants.keys(), ...inputs.map(({ name }) => name), ...this.producer.keys()];
    for (const name of [...all, ...this.readers.keys()]) this.#names.add(name);
  }

  /** The constant of this name, also behind Identity, where it is of float32. */
  constant(name: string | undefined): PlainTensor | undefined {
    if (!name) return undefined;
    const read = this.#constants.get(name);
    if (read) {
      const tensor = read();
      return tensor.type === "float32" ? tensor : undefined;
    }
    const from = this.producer.get(name);
    return from?.opType === "Identity" && isStandard(from) ? this.constant(from.inputs[0]) : undefined;
  }

  isConstant(name: string | undefined): boolean {
    return this.constant(name) !== undefined;
  }

  context(node: NodeProto): Context {
    return new Context(node, opsetOf(this.#model.opsets, node), this.#budget);
  }

  /** The one node that reads a value, where nobody else does. */
  onlyReader(name: string): NodeProto | undefined {
    const readers = this.readers.get(name) ?? [];
    return readers.length === 1 && !this.outputs.has(name) ? readers[0] : undefined;
  }

  /** A name that nothing else has. */
  name(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.#names.has(name); i++) name = `${wanted}_${i}`;
    this.#names.add(name);
    return name;
  }
}
