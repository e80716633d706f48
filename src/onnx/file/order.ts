// Nodes in an order in which they can run.
import { ModelError, show } from "../../base/errors.js";
import { hasGraphs, nodeName } from "./node.js";
import type { GraphProto, NodeProto } from "./proto.js";

/** The values that a node reads, and after them those that its branches or body name, their own among them. */
export function readsOf(node: NodeProto): readonly string[] {
  if (!hasGraphs(node)) return node.inputs;
  const inner = node.attributes.flatMap(({ g }) =>
    g ? [...g.nodes.flatMap(readsOf), ...g.outputs.map(({ name }) => name)] : [],
  );
  return [...node.inputs, ...inner];
}

/** The nodes of a graph without further outputs that nobody reads, as if they were left out; the first names the node. */
function withoutUnread({ nodes, outputs }: Pick<GraphProto, "nodes" | "outputs">): readonly NodeProto[] {
  const read = new Set<string>();
  const look = (graph: Pick<GraphProto, "nodes" | "outputs">): void => {
    for (const { name } of graph.outputs) read.add(name);
    for (const { inputs, attributes } of graph.nodes) {
      for (const name of inputs) read.add(name);
      for (const { g } of attributes) if (g !== null) look(g);
    }
  };
  look({ nodes, outputs });
  return nodes.map((node) =>
    node.outputs.length < 2
      ? node
      : { ...node, outputs: node.outputs.map((name, i) => (i === 0 || read.has(name) ? name : "")) },
  );
}

/** Nodes after those whose values they read, with the outputs that somebody reads. Throws ModelError for values that nothing computes, twice computed, or in a circle. */
export function sorted(graph: GraphProto, given: { has(name: string): boolean }): readonly NodeProto[] {
  const producer = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (producer.has(name) || given.has(name))
        throw new ModelError(`"${nodeName(node)}" expected a new output name, got ${show(name)} again`);
      producer.set(name, i);
    }
  });
  const known = (name: string) => name === "" || given.has(name) || producer.has(name);
  for (const node of graph.nodes) {
    for (const name of node.inputs) {
      if (!known(name))
        throw new ModelError(`"${nodeName(node)}" expected an input that something computes, got ${show(name)}`);
    }
  }
  for (const { name } of graph.outputs)
    if (name === "" || !known(name))
      throw new ModelError(`"outputs" expected a value that something computes, got ${show(name)}`);
  const isOrdered = graph.nodes.every((node, i) => readsOf(node).every((name) => (producer.get(name) ?? -1) < i));
  if (isOrdered) return withoutUnread(graph);
  const waiting = graph.nodes.map((node) => readsOf(node).filter((name) => producer.has(name)).length);
  const readers = new Map<number, number[]>();
  graph.nodes.forEach((node, i) => {
    for (const name of readsOf(node)) {
      const from = producer.get(name);
      if (from !== undefined) readers.set(from, [...(readers.get(from) ?? []), i]);
    }
  });
  const order: NodeProto[] = [];
  const ready = waiting.flatMap((count, i) => (count === 0 ? [i] : []));
  for (let at = 0; at < ready.length; at++) {
    const i = ready[at] as number;
    order.push(graph.nodes[i] as NodeProto);
    // An edge counted once for every time it is read.
    for (const reader of readers.get(i) ?? []) if (--(waiting[reader] as number) === 0) ready.push(reader);
  }
  if (order.length !== graph.nodes.length) {
    const stuck = graph.nodes.filter((_, i) => (waiting[i] as number) > 0).map(nodeName);
    throw new ModelError(`"nodes" expected no circle, got one through ${stuck.slice(0, 4).map(show).join(", ")}`);
  }
  return withoutUnread({ nodes: order, outputs: graph.outputs });
}
