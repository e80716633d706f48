// Functions of a file: every node that stands for one becomes the function's nodes, with its attributes bound and names of their own.
import { ModelError, show } from "../../base/errors.js";
import { nodeName, operatorName } from "./node.js";
import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto } from "./proto.js";

/** Functions in functions, at most. */
const MAX_DEPTH = 32;
/** Nodes that all become, at most: each function may stand for several of the next. */
const MOST_NODES = 2 ** 16;

const keyOf = ({ domain, name }: { readonly domain: string; readonly name: string }): string =>
  `${domain === "ai.onnx" ? "" : domain} ${name}`;

/** Attributes of a node that stands for a function, with the defaults of those that it leaves out. */
type Bound = ReadonlyMap<string, AttributeProto>;

class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  /** All values of the file. */
  readonly #names = new Set<string>();
  #count = 0;

  constructor({ functions, graph }: ModelProto) {
    this.#functions = new Map(functions.map((entry) => [keyOf(entry), entry]));
    if (graph) this.#take(graph);
  }

  /** A graph whose nodes stand for no function any more. */
  graph(graph: GraphProto, depth = 0): GraphProto {
    return { ...graph, nodes: graph.nodes.flatMap((node) => this.#nodes(node, depth)) };
  }

  #take({ nodes, inputs, initializers }: GraphProto): void {
    for (const { name } of [...inputs, ...initializers]) this.#names.add(name);
    for (const { outputs, attributes } of nodes) {
      for (const name of outputs) this.#names.add(name);
      for (const { g } of attributes) if (g) this.#take(g);
    }
  }

  #nodes(node: NodeProto, depth: number): NodeProto[] {
    const found = this.#functions.get(keyOf({ domain: node.domain, name: node.opType }));
    if (++this.#count > MOST_NODES)
      throw new ModelError(`"functions" expected at most ${MOST_NODES} nodes in all, got more`);
    if (found === undefined) {
      const attributes = node.attributes.map((own) => (own.g ? { ...own, g: this.graph(own.g, depth) } : own));
      return [{ ...node, attributes }];
    }
    if (depth === MAX_DEPTH)
      throw new ModelError(
        `"functions" expected at most ${MAX_DEPTH} in each other, got ${operatorName(node)} in more`,
      );
    return this.#body(node, found).flatMap((inner) => this.#nodes(inner, depth + 1));
  }

  /** The nodes of a function in place of this one. */
  #body(node: NodeProto, { name, inputs, outputs, attributes, nodes, opsets }: FunctionProto): NodeProto[] {
    const where = nodeName(node);
    if (node.inputs.length > inputs.length || node.outputs.length > outputs.length) {
      const most = `${inputs.length} inputs and ${outputs.length} outputs`;
      throw new ModelError(`node ${show(where)} (${name}): "function" expected at most ${most}, got more`);
    }
    const bound = new Map([...attributes, ...node.attributes].map((own) => [own.name, own]));
    const scope = new Map<string, string>([["", ""]]);
    inputs.forEach((input, i) => {
      scope.set(input, node.inputs[i] ?? "");
    });
    const copies: NodeProto[] = [];
    outputs.forEach((output, i) => {
      const wanted = node.outputs[i] ?? "";
      if (wanted === "") return;
      if (!scope.has(output)) scope.set(output, wanted);
      else {
        const from = scope.get(output) as string; // an input, or an output before it
        copies.push({
          name: where,
          opType: "Identity",
          domain: "",
          inputs: [from],
          outputs: [wanted],
          attributes: [],
          opset: 1,
        });
      }
    });
    this.#define(nodes, where, scope);
    return [...nodes.map((inner) => this.#renamed(inner, where, scope, bound, opsets)), ...copies];
  }

  /** Names for all that nodes compute, before one reads it. */
  #define(nodes: readonly NodeProto[], where: string, scope: Map<string, string>): void {
    for (const { outputs } of nodes) for (const name of outputs) this.#nameOf(name, where, scope);
  }

  #renamed(
    node: NodeProto,
    where: string,
    scope: Map<string, string>,
    bound: Bound,
    opsets: FunctionProto["opsets"],
  ): NodeProto {
    const read = (name: string) => this.#nameOf(name, where, scope);
    const attributes = node.attributes.flatMap((own): AttributeProto[] => {
      if (own.ref !== "") {
        const value = bound.get(own.ref);
        return value ? [{ ...value, name: own.name }] : [];
      }
      return [own.g ? { ...own, g: this.#branch(own.g, where, scope, bound, opsets) } : own];
    });
    const opset = opsets.get(node.domain === "ai.onnx" ? "" : node.domain);
    return {
      ...node,
      name: `${where}/${nodeName(node)}`,
      inputs: node.inputs.map(read),
      outputs: node.outputs.map(read),
      attributes,
      ...(opset !== undefined && { opset }),
    };
  }

  /** A branch or body: what it names itself has other names inside it. */
  #branch(
    graph: GraphProto,
    where: string,
    scope: ReadonlyMap<string, string>,
    bound: Bound,
    opsets: FunctionProto["opsets"],
  ): GraphProto {
    const inner = new Map(scope);
    for (const { name } of [...graph.inputs, ...graph.initializers]) inner.delete(name);
    for (const { outputs } of graph.nodes) for (const name of outputs) if (name !== "") inner.delete(name);
    this.#define(graph.nodes, where, inner);
    const name = <T extends { readonly name: string }>(entry: T): T => ({
      ...entry,
      name: this.#nameOf(entry.name, where, inner),
    });
    return {
      ...graph,
      inputs: graph.inputs.map(name),
      initializers: graph.initializers.map(name),
      nodes: graph.nodes.map((node) => this.#renamed(node, where, inner, bound, opsets)),
      outputs: graph.outputs.map(name),
    };
  }

  /** What a value of a function is called in the file. */
  #nameOf(name: string, where: string, scope: Map<string, string>): string {
    const known = scope.get(name);
    if (known !== undefined) return known;
    let fresh = `${where}/${name}`;
    for (let i = 2; this.#names.has(fresh); i++) fresh = `${where}/${name}/${i}`;
    this.#names.add(fresh);
    scope.set(name, fresh);
    return fresh;
  }
}

/** The file with its functions expanded. Throws ModelError for functions of themselves, and for more than 65,536 nodes. */
export function inlined(model: ModelProto): ModelProto {
  return model.graph ? { ...model, graph: new Inliner(model).graph(model.graph), functions: [] } : model;
}
