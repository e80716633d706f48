// What a host operator is given: a node's attributes and inputs.
import { ModelError } from "../../base/errors.js";
import type { Budget, Budgeted } from "../file/budget.js";
import { type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { attribute, type NodeProto } from "../file/proto.js";
import { readTensorProto } from "../file/tensor.js";
import { Attributes } from "../semantics/attributes.js";

/** A node's attributes, tensors among them, and the budget that its operator works within. */
export class Context extends Attributes implements Budgeted {
  constructor(
    node: NodeProto,
    opset: number,
    readonly budget: Budget,
    /** Computes a node of a branch or body. */
    readonly evaluate?: (node: NodeProto, opset: number, inputs: readonly (PlainTensor | undefined)[]) => PlainTensor[],
  ) {
    super(node, opset);
  }

  /** The same node as if an attribute were not there. */
  without(name: string): Context {
    const attributes = this.node.attributes.filter((attribute) => attribute.name !== name);
    return new Context({ ...this.node, attributes }, this.opset, this.budget);
  }

  /** The same node with an attribute of whole numbers. */
  with(name: string, values: readonly number[]): Context {
    const { node, opset, budget } = this.without(name);
    const own = { ...attribute(), name, type: 7, ints: values.map(BigInt) };
    return new Context({ ...node, attributes: [...node.attributes, own] }, opset, budget);
  }

  /** The same node as of another operator set. */
  asOf(opset: number): Context {
    return new Context(this.node, opset, this.budget);
  }

  tensor(name: string): PlainTensor | undefined {
    const proto = this.find(name, "t", 4)?.t;
    return proto ? readTensorProto(proto, this.budget) : undefined;
  }

  /** A list that newer operator sets pass as an input and older ones as an attribute. */
  list(name: string, input: PlainTensor | undefined): readonly number[] | undefined {
    return input === undefined ? this.ints(name) : toNumbers(input);
  }
}

/** A host operator: inputs in the node's order, undefined where one is left out; answers every output. */
export type HostOp = (c: Context, ...inputs: (PlainTensor | undefined)[]) => PlainTensor | PlainTensor[];

/** Requires an input that the node may have left out. */
export function need(t: PlainTensor | undefined, name: string): PlainTensor {
  if (t === undefined) throw new ModelError(`"${name}" expected an input, got none`);
  return t;
}
