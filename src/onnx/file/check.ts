// What a file holds, checked: operators that there are, names that go together, initialisers that are read.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import type { Budget } from "./budget.js";
import { ELEMENT_TYPES, type ElementType, elementType } from "./element-type.js";
import { operatorName } from "./node.js";
import { sorted } from "./order.js";
import type { PlainTensor } from "./plain-tensor.js";
import type { GraphProto, ModelProto, NodeProto, TensorProto } from "./proto.js";
import { readTensorProto } from "./tensor.js";

export interface Declared {
  readonly name: string;
  readonly type: ElementType;
  /** A number, the name of a size, or null. */
  readonly dims: readonly (number | string | null)[];
}

/** What a file holds, checked: nodes in an order in which they can run. */
export interface Checked {
  readonly nodes: readonly NodeProto[];
  readonly opsets: ReadonlyMap<string, number>;
  readonly inputs: readonly Declared[];
  /** Initialisers that the file lists among its inputs: what they hold is what they are when nobody brings another. */
  readonly defaults: readonly Declared[];
  /** The same, but constant: the file is not kept for other values. */
  readonly fixed: readonly Declared[];
  readonly outputs: readonly string[];
  /** The outputs as the file declares them. */
  readonly declared: readonly Declared[];
  readonly initializers: ReadonlyMap<string, PlainTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Operator sets of the standard that are read: of a later one nobody knows what its operators mean. */
const OPSETS = [1, 28] as const;

/** Throws ModelError for a file without a graph, UnsupportedError for an unknown operator set or naming every operator there is none for. */
export function requireSupported(model: ModelProto, has: (node: NodeProto) => boolean): GraphProto {
  const { graph, opsets } = model;
  if (graph === null) throw new ModelError(`"model" expected a graph, got none`);
  if (opsets.size === 0 && model.irVersion >= 3) throw new ModelError(`"model" expected an operator set, got none`);
  const opset = opsets.get("") ?? 1;
  if (!(opset >= OPSETS[0] && opset <= OPSETS[1]))
    throw new UnsupportedError(`"model" expected an operator set from ${OPSETS.join(" to ")}, got ${opset}`);
  refuseUnsupported(graph, has);
  return graph;
}

/** Checks the graph of a file that is supported, and reads its initialisers. Throws ModelError. */
export function checkModel(model: ModelProto, budget: Budget): Checked {
  const graph = model.graph as GraphProto;
  const initializers = new Map<string, PlainTensor>();
  for (const proto of graph.initializers) {
    if (initializers.has(proto.name))
      throw new ModelError(`"initializer" expected each name once, got ${show(proto.name)} twice`);
    initializers.set(proto.name, readTensorProto(proto as TensorProto, budget));
  }
  const inputs: Declared[] = [];
  const defaults: Declared[] = [];
  const names = new Set<string>();
  for (const { name, elementType: code, dims } of graph.inputs) {
    if (names.has(name)) throw new ModelError(`"inputs" expected each name once, got ${show(name)} twice`);
    names.add(name);
    const hasDefault = initializers.has(name);
    if (code === 0 && !hasDefault) throw new UnsupportedError(`"${name}" expected a tensor input, got another kind`);
    const type = hasDefault ? (initializers.get(name) as PlainTensor).type : elementType(code, name);
    (hasDefault ? defaults : inputs).push({ name, type, dims: dims ?? [] });
  }
  if (graph.outputs.length === 0) throw new ModelError(`"outputs" expected at least one output, got none`);
  const opsets = new Map(model.opsets);
  if (!opsets.has("")) opsets.set("", 1);
  const nodes = sorted(graph, new Set([...names, ...initializers.keys()]));
  const declared = graph.outputs.map(
    ({ name, elementType: code, dims }): Declared => ({
      name,
      type: ELEMENT_TYPES[code] ?? "float32",
      dims: dims ?? [],
    }),
  );
  return {
    nodes,
    opsets,
    inputs,
    defaults,
    fixed: [],
    outputs: declared.map(({ name }) => name),
    declared,
    initializers,
    metadata: model.metadata,
  };
}

/** The same where these of its defaults are inputs like the others, which every run brings. */
export function withInputs(checked: Checked, isInput: (name: string) => boolean): Checked {
  const chosen = checked.defaults.filter(({ name }) => isInput(name));
  if (chosen.length === 0) return checked;
  const initializers = new Map(checked.initializers);
  for (const { name } of chosen) initializers.delete(name);
  const defaults = checked.defaults.filter((one) => !chosen.includes(one));
  return { ...checked, inputs: [...checked.inputs, ...chosen], defaults, initializers };
}

function refuseUnsupported(graph: GraphProto, has: (node: NodeProto) => boolean): void {
  const missing = new Set<string>();
  const look = ({ nodes, sparse }: GraphProto): void => {
    if (sparse > 0) missing.add("sparse initializers");
    for (const node of nodes) {
      if (!has(node)) missing.add(operatorName(node));
      for (const { g } of node.attributes) if (g !== null) look(g); // branches and bodies
    }
  };
  look(graph);
  if (missing.size === 0) return;
  throw new UnsupportedError(`"model" expected operators of this importer, got ${[...missing].sort().join(", ")}`);
}
