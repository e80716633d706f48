// Chains of nodes that compute one value from another, element by element, with constants of one element: a hard swish or a GELU as
// exporters write it out. All of a chain is one function of 256 numbers, so only its ends are quantised.

import { countOf } from "../base/shape.js";
import { isStandard } from "../onnx/file/node.js";
import type { NodeProto } from "../onnx/file/proto.js";
import type { Outline } from "./outline.js";

const PAIRS = /^(Add|Sub|Mul|Div)$/;
const FUNCTIONS =
  /^(Add|Sub|Mul|Div|Clip|Relu|Sigmoid|HardSigmoid|HardSwish|LeakyRelu|Tanh|Elu|Erf|Sqrt|Exp|Abs|Neg|Softplus)$/;

/** Nodes of such chains, each with the value that the chain starts from. stores: nodes that runtimes do in the store of a sum. */
export function chainsOf(outline: Outline, stores: (node: NodeProto) => boolean): ReadonlyMap<NodeProto, string> {
  const from = new Map<NodeProto, string>();
  const isChain = new Set<string>();
  for (const node of outline.nodes) {
    if (!isStandard(node) || !FUNCTIONS.test(node.opType) || stores(node)) continue;
    const given = node.inputs.filter((name) => name !== "");
    const constants = given.flatMap((name) => outline.constant(name) ?? []);
    const values = given.filter((name) => !outline.isConstant(name));
    const starts = new Set(values.map((name) => from.get(outline.producer.get(name) as NodeProto) ?? name));
    if (starts.size !== 1 || constants.some(({ shape }) => countOf(shape) !== 1)) continue;
    const [start] = starts as Set<string>;
    from.set(node, start as string);
    if (constants.length > 0 && PAIRS.test(node.opType)) isChain.add(start as string);
  }
  for (const [node, start] of from) if (!isChain.has(start)) from.delete(node);
  return from;
}
