// What is asked of a node everywhere: its operator, its name, where an error comes from.
import { ModelError, ShapeError, show, UnsupportedError } from "../../base/errors.js";
import { NotLoaded } from "../families/table.js";
import type { GraphProto, NodeProto } from "./proto.js";

export const isStandard = ({ domain }: NodeProto): boolean => domain === "" || domain === "ai.onnx";

/** The operator as tables name it; those of other domains have theirs in front. */
export function operatorName(node: NodeProto): string {
  return isStandard(node) ? node.opType : `${node.domain}.${node.opType}`;
}

/** Compiled as the one of its branches that its condition, which has to be known then, says. */
export const isIf = (node: NodeProto): boolean => operatorName(node) === "If";

/** Whether a node has branches or a body. */
export const hasGraphs = ({ attributes }: NodeProto): boolean => attributes.some(({ g }) => g !== null);

/** Operators whose output has as many elements as the data says. */
const DATA_SHAPED = /^(NonZero|NonMaxSuppression|Compress|Unique)$/;

/** Whether a node's outputs have shapes that no plan may know. */
export const mayWait = (node: NodeProto): boolean => DATA_SHAPED.test(node.opType) || hasGraphs(node);

/** Work for which a plan pays, which costs some 50 us a node. */
const HEAVY = /Conv|MatMul|Gemm|LSTM|GRU|RNN|Attention|Einsum|Resize|Upsample|Pool|Norm|Softmax/;

export const isHeavy = ({ opType, attributes }: NodeProto): boolean =>
  HEAVY.test(opType) || attributes.some(({ g }) => g?.nodes.some(isHeavy));

/** Nodes of a graph and of the branches and bodies in it. */
export function* everyNode({ nodes }: GraphProto): Generator<NodeProto> {
  for (const node of nodes) {
    yield node;
    for (const { g } of node.attributes) if (g !== null) yield* everyNode(g);
  }
}

/** The version of a node's operator set. */
export function opsetOf(opsets: ReadonlyMap<string, number>, { domain, opset }: NodeProto): number {
  return opset ?? opsets.get(domain === "ai.onnx" ? "" : domain) ?? 1;
}

export function nodeName(node: NodeProto): string {
  return node.name || `${node.opType} ${node.outputs[0] ?? ""}`;
}

/** Puts the node before an error's sentence; errors of kinds that are not the package's become ModelErrors. */
export function atNode<T>(node: NodeProto, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof NotLoaded) throw error;
    const prefix = `node ${show(nodeName(node))} (${node.part ?? node.opType}): `;
    const isOwn = error instanceof ModelError || error instanceof UnsupportedError || error instanceof ShapeError;
    const message = error instanceof Error ? error.message : String(error);
    if (isOwn) {
      if (!message.startsWith("node ")) (error as Error).message = prefix + message;
      throw error;
    }
    throw new ModelError(prefix + message, { cause: error });
  }
}
