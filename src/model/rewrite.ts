// The graph compiler: a graph in, a graph out that computes the same in fewer steps. Rules look at one node each and at the
// nodes it reads; they know no memory and no kernels, and every one is a row of RULES in rules.ts.
//
//   conv1 ─▶ bn1 ─▶ add ─▶ relu          conv1 (folded weights; residual, relu in its store)
//                    ▲            ==>       ▲
//   shortcut ────────┘                   shortcut
import type { TensorSpec } from "../spec.js";
import type { GraphData, GraphNode, GraphParameter } from "./graph.js";
import type { HostTensor } from "./weights.js";

/** A parameter that no weight map has: computed from others when it is loaded. */
export interface DerivedParameter {
  readonly spec: TensorSpec;
  compute(weightOf: (name: string) => HostTensor): HostTensor;
}

/** What a rule may ask. Specs are those of the graph as it was given: a rewrite changes no value's shape. */
export interface Scope {
  /** The node of a value that is read once and is no output of the graph. */
  soleProducer(value: string): GraphNode | undefined;
  specOf(value: string): TensorSpec;
  /** A place in the order of the graph; parameters and inputs come before all nodes. */
  orderOf(value: string): number;
  /** Adds a parameter; answers its name. */
  derive(name: string, parameter: DerivedParameter): string;
}

/** A node that does the work of `absorbed` and of the node at hand, in its place. */
export interface Rewrite {
  readonly node: GraphNode;
  readonly absorbed: GraphNode;
}

export type Rule = (node: GraphNode, scope: Scope) => Rewrite | undefined;

export interface Rewritten {
  readonly graph: GraphData;
  readonly derived: ReadonlyMap<string, DerivedParameter>;
}

/**
 * Applies rules from the first node to the last, to each until none fits: what a node reads is final then. `specs`: of every
 * value and parameter that the graph uses. Answers the graph itself when no rule fits.
 */
export function rewrite(graph: GraphData, specs: ReadonlyMap<string, TensorSpec>, rules: readonly Rule[]): Rewritten {
  const reads = new Map<string, number>();
  const read = (value: string | null) => value !== null && reads.set(value, (reads.get(value) ?? 0) + 1);
  for (const { inputs, params } of graph.nodes) for (const value of [...inputs, ...params]) read(value);
  const shown = new Set(graph.outputs.map(({ value }) => value));
  const names = new Set([
    ...[...graph.inputs, ...graph.parameters].map(({ name }) => name),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);

  const nodes = new Map<string, GraphNode>(); // by their first output, in order
  const order = new Map<string, number>();
  const derived = new Map<string, DerivedParameter>();
  const scope: Scope = {
    soleProducer: (value) => (reads.get(value) === 1 && !shown.has(value) ? nodes.get(value) : undefined),
    specOf: (value) => (specs.get(value) ?? derived.get(value)?.spec) as TensorSpec,
    orderOf: (value) => order.get(value) ?? -1,
    derive(name, parameter) {
      let free = name;
      while (names.has(free)) free += "'";
      names.add(free);
      derived.set(free, parameter);
      read(free);
      return free;
    },
  };
  let isRewritten = false;
  for (const [index, given] of graph.nodes.entries()) {
    let node = given;
    for (let found = first(rules, node, scope); found !== undefined; found = first(rules, node, scope)) {
      isRewritten = true;
      nodes.delete(found.absorbed.outputs[0] as string);
      node = found.node;
    }
    nodes.set(node.outputs[0] as string, node);
    for (const output of node.outputs) order.set(output, index);
  }
  if (!isRewritten) return { graph, derived };
  const parameters: GraphParameter[] = [...derived].map(([name, { spec }]) => ({ name, shape: spec.shape }));
  return {
    graph: { ...graph, parameters: [...graph.parameters, ...parameters], nodes: [...nodes.values()] },
    derived,
  };
}

function first(rules: readonly Rule[], node: GraphNode, scope: Scope): Rewrite | undefined {
  for (const rule of rules) {
    const found = rule(node, scope);
    if (found !== undefined) return found;
  }
  return undefined;
}
