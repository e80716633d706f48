// The graph compiler: a graph in, a graph out that computes the same in fewer steps. Rules look at one node each and at the
// nodes it reads; they know no memory and no kernels, and every one is a row of RULES in rules.ts.
//
//   conv1 ─▶ bn1 ─▶ add ─▶ relu          conv1 (folded weights; residual, relu in its store)
//                    ▲            ==>       ▲
//   shortcut ────────┘                   shortcut
import type { TensorSpec } from "../base/spec.js";
import type { GraphParameter } from "./graph.js";
import type { GraphLayers, LayerNode } from "./layers.js";
import type { HostTensor } from "./weights.js";

/** A parameter that no weight map has: computed from others when it is loaded. */
export interface DerivedParameter {
  readonly spec: TensorSpec;
  compute(weightOf: (name: string) => HostTensor): HostTensor;
  /** What it holds, by what the others do: how it is computed, in words. Left out where computing it says that as fast. */
  identity?(identityOf: (name: string) => string): string;
}

/** What a rule may ask. Specs are those of the graph as it was given: a rewrite changes no value's shape. */
export interface Scope {
  /** The node of a value, its first output. */
  producer(value: string): LayerNode | undefined;
  /** The same where the value is read once and is no output of the graph. */
  soleProducer(value: string): LayerNode | undefined;
  specOf(value: string): TensorSpec;
  /** A place in the order of the graph; parameters and inputs come before all nodes. */
  orderOf(value: string): number;
  /** Adds a parameter; answers its name. */
  derive(name: string, parameter: DerivedParameter): string;
}

/** Answers a node to put in the place of the one at hand, with the same outputs. What nobody reads then is dropped. */
export type Rule = (node: LayerNode, scope: Scope) => LayerNode | undefined;

export interface Rewritten {
  readonly graph: GraphLayers;
  readonly derived: ReadonlyMap<string, DerivedParameter>;
}

/**
 * Applies rules from the first node to the last, to each until none fits: what a node reads is final then. `specs`: of every
 * value and parameter that the graph uses. Answers the graph itself when no rule fits.
 */
export function rewrite(graph: GraphLayers, specs: ReadonlyMap<string, TensorSpec>, rules: readonly Rule[]): Rewritten {
  const reads = new Map<string | null, number>();
  const read = ({ inputs, params }: LayerNode, by: number) => {
    for (const value of inputs) reads.set(value, (reads.get(value) ?? 0) + by);
    for (const value of params) reads.set(value, (reads.get(value) ?? 0) + by);
  };
  for (const node of graph.nodes) read(node, 1);
  const shown = new Set(graph.outputs.map(({ value }) => value));
  let names: Set<string> | undefined;
  /** What is taken: most rules of most graphs derive nothing. */
  const taken = () =>
    new Set([
      ...[...graph.inputs, ...graph.parameters].map(({ name }) => name),
      ...graph.nodes.flatMap(({ outputs }) => outputs),
    ]);

  const nodes = new Map<string, LayerNode>(); // by their first output, in order
  const order = new Map<string, number>();
  const derived = new Map<string, DerivedParameter>();
  const scope: Scope = {
    producer: (value) => nodes.get(value),
    soleProducer: (value) => (reads.get(value) === 1 && !shown.has(value) ? nodes.get(value) : undefined),
    specOf: (value) => (specs.get(value) ?? derived.get(value)?.spec) as TensorSpec,
    orderOf: (value) => order.get(value) ?? -1,
    derive(name, parameter) {
      names ??= taken();
      let free = name;
      while (names.has(free)) free += "'";
      names.add(free);
      derived.set(free, parameter);
      return free;
    },
  };
  /** Forgets a node, and those before it that nobody reads any more. */
  const drop = (node: LayerNode) => {
    read(node, -1);
    for (const value of node.inputs) {
      const before = nodes.get(value);
      if (before === undefined || before.outputs.some((output) => reads.get(output) || shown.has(output))) continue;
      nodes.delete(value);
      drop(before);
    }
  };
  let isRewritten = false;
  for (const [index, given] of graph.nodes.entries()) {
    let node = given;
    for (let found = first(rules, node, scope); found !== undefined; found = first(rules, node, scope)) {
      isRewritten = true;
      read(found, 1);
      drop(node);
      node = found;
    }
    nodes.set(node.outputs[0] as string, node);
    for (const output of node.outputs) order.set(output, index);
  }
  if (!isRewritten) return { graph, derived };
  const parameters: GraphParameter[] = [...derived]
    .filter(([name]) => reads.get(name))
    .map(([name, { spec }]) => ({ name, shape: spec.shape }));
  return {
    graph: { ...graph, parameters: [...graph.parameters, ...parameters], nodes: [...nodes.values()] },
    derived,
  };
}

function first(rules: readonly Rule[], node: LayerNode, scope: Scope): LayerNode | undefined {
  for (const rule of rules) {
    const found = rule(node, scope);
    if (found !== undefined) return found;
  }
  return undefined;
}
