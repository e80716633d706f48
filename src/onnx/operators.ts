// The operators that there are for one file: what is always there, and the families that were loaded.
import { ModelError, show, UnsupportedError } from "../base/errors.js";
import * as base from "./families/base.js";
import { FAMILY_OF, type FamilyName, NotLoaded, type Role } from "./families/table.js";
import type { Budget } from "./file/budget.js";
import { operatorOf } from "./file/node.js";
import { materialised, type PlainTensor } from "./file/plain-tensor.js";
import type { NodeProto } from "./file/proto.js";
import { Context, type HostOp } from "./host/context.js";
import type { NodeLowering } from "./lower/site.js";

/** What a module of families/ exports. */
export interface Family {
  readonly HOST?: Readonly<Record<string, HostOp>>;
  readonly FLOATS?: Readonly<Record<string, NodeLowering>>;
  readonly OTHERS?: Readonly<Record<string, NodeLowering>>;
}

export type Loaders = Readonly<Record<FamilyName, () => Promise<Family>>>;

export class Operators {
  readonly #loaders: Loaders;
  readonly #host = new Map<string, HostOp>();
  readonly #floats = new Map<string, NodeLowering>();
  readonly #others = new Map<string, NodeLowering>();

  constructor(loaders: Loaders) {
    this.#loaders = loaders;
    this.#add(base);
  }

  /** Whether there is such an operator, loaded or not. */
  has(node: NodeProto): boolean {
    const operator = operatorOf(node);
    return this.#host.has(operator) || FAMILY_OF.HOST.has(operator);
  }

  /** Loads families that are not there yet. */
  async load(families: Iterable<FamilyName>): Promise<void> {
    const loading = [...new Set(families)].map(async (family) => this.#add(await this.#loaders[family]()));
    await Promise.all(loading);
  }

  /**
   * The families that nodes need: those of operators that only they have. `isOpen`: all that nodes may come to need, for shapes
   * that only a run brings, which waits for nothing.
   */
  familiesFor(nodes: Iterable<NodeProto>, isOpen: boolean): Set<FamilyName> {
    const families = new Set<FamilyName | undefined>();
    for (const node of nodes) {
      const operator = operatorOf(node);
      const [floats, others] = [FAMILY_OF.FLOATS.get(operator), FAMILY_OF.OTHERS.get(operator)];
      const isHere = this.#floats.has(operator) || this.#others.has(operator);
      if (isOpen || !isHere) families.add(floats).add(others);
      if (isOpen || !(isHere || floats || others)) families.add(FAMILY_OF.HOST.get(operator));
    }
    families.delete(undefined);
    return families as Set<FamilyName>;
  }

  /** How a node becomes layers, if it may. isFloat: all that varies is float32. Throws NotLoaded. */
  lowering(node: NodeProto, isFloat: boolean): NodeLowering | undefined {
    return (isFloat ? this.#find("FLOATS", this.#floats, node) : undefined) ?? this.#find("OTHERS", this.#others, node);
  }

  /** The operator in JavaScript. Throws NotLoaded, and ModelError where there is none. */
  host(node: NodeProto): HostOp {
    const op = this.#find("HOST", this.#host, node);
    if (op === undefined) throw new ModelError(`"opType" expected a known operator, got ${show(node.opType)}`);
    return op;
  }

  /**
   * Computes a node. Throws NotLoaded, ModelError and UnsupportedError; so does an element type that the operator cannot compute
   * with.
   */
  evaluate(
    node: NodeProto,
    opset: number,
    inputs: readonly (PlainTensor | undefined)[],
    budget: Budget,
  ): PlainTensor[] {
    const op = this.host(node);
    try {
      const answer = op(new Context(node, opset, budget), ...inputs.map((input) => input && materialised(input)));
      return Array.isArray(answer) ? answer : [answer];
    } catch (error) {
      if (error instanceof ModelError || error instanceof UnsupportedError) throw error;
      const given = inputs.map((input) => (input ? `${input.type} ${show([...input.shape])}` : "none")).join(", ");
      throw new ModelError(`"inputs" expected what ${node.opType} computes with, got ${given}`, { cause: error });
    }
  }

  #find<T>(role: Role, loaded: ReadonlyMap<string, T>, node: NodeProto): T | undefined {
    const operator = operatorOf(node);
    const found = loaded.get(operator);
    const family = found === undefined ? FAMILY_OF[role].get(operator) : undefined;
    if (family !== undefined) throw new NotLoaded(family);
    return found;
  }

  #add({ HOST = {}, FLOATS = {}, OTHERS = {} }: Family): void {
    for (const [name, op] of Object.entries(HOST)) this.#host.set(name, op);
    for (const [name, lowering] of Object.entries(FLOATS)) this.#floats.set(name, lowering);
    for (const [name, lowering] of Object.entries(OTHERS)) this.#others.set(name, lowering);
  }
}
