// What a file holds, checked: operators that there are, names that go together, initialisers that are read.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import type { Budget } from "./budget.js";
import { ELEMENT_TYPES, type ElementType, elementType } from "./element-type.js";
import type { External } from "./external.js";
import { operatorOf } from "./node.js";
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
  readonly outputs: readonly string[];
  /** The outputs as the file declares them. */
  readonly declared: readonly Declared[];
  readonly initializers: ReadonlyMap<string, PlainTensor>;
}

/** Checks a file's graph and reads its initialisers. Throws ModelError, and UnsupportedError naming every operator there is none for. */
export function checkModel(
  model: ModelProto,
  has: (node: NodeProto) => boolean,
  budget: Budget,
  external?: External,
): Checked {
  const { graph } = model;
  if (graph === null) throw new ModelError(`"model" expected a graph, got none`);
  if (model.opsets.size === 0 && model.irVersion >= 3)
    throw new ModelError(`"model" expected an operator set, got none`);
  refuseUnsupported(graph, has);
  const initializers = new Map<string, PlainTensor>();
  for (const proto of graph.initializers) {
    if (initializers.has(proto.name))
      throw new ModelError(`"initializer" expected each name once, got ${show(proto.name)} twice`);
    initializers.set(proto.name, readTensorProto(proto as TensorProto, budget, external));
  }
  const inputs = graph.inputs
    .filter(({ name }) => !initializers.has(name))
    .map(({ name, elementType: code, dims }): Declared => {
      if (code === 0) throw new UnsupportedError(`"${name}" expected a tensor input, got another kind`);
      return { name, type: elementType(code, name), dims: dims ?? [] };
    });
  const names = new Set<string>();
  for (const { name } of inputs) {
    if (names.has(name)) throw new ModelError(`"inputs" expected each name once, got ${show(name)} twice`);
    names.add(name);
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
  return { nodes, opsets, inputs, outputs: declared.map(({ name }) => name), declared, initializers };
}

function refuseUnsupported(graph: GraphProto, has: (node: NodeProto) => boolean): void {
  const missing = new Set<string>();
  const look = ({ nodes, sparse }: GraphProto): void => {
    if (sparse > 0) missing.add("sparse initializers");
    for (const node of nodes) {
      if (!has(node)) missing.add(operatorOf(node));
      for (const { g } of node.attributes) if (g !== null) look(g); // branches and bodies
    }
  };
  look(graph);
  if (missing.size === 0) return;
  throw new UnsupportedError(`"model" expected operators of this importer, got ${[...missing].sort().join(", ")}`);
}
