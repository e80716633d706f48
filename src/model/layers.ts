// Graphs while they are compiled: as they were written, but that a layer's operator may be one that no facade shows (what
// importers have kernels for).
import { OPERATORS, type OperatorName } from "../ops/index.js";
import type { Operator } from "../ops/operator.js";
import type { GraphData, GraphNode } from "./graph.js";

export interface LayerNode extends Omit<GraphNode, "op"> {
  readonly op: OperatorName | Operator;
  /** Why it computes as it does, in front of what its plan says. */
  readonly note?: string;
}

export interface GraphLayers extends Omit<GraphData, "nodes"> {
  readonly nodes: readonly LayerNode[];
}

export function operatorOf({ op }: LayerNode): Operator {
  return typeof op === "string" ? OPERATORS[op] : op;
}
