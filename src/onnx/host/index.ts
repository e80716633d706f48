// Every operator in plain JavaScript: constants are folded with these, and what no kernel does runs on them.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import type { NodeProto } from "../file/proto.js";
import { ALGEBRA, MICROSOFT } from "./algebra.js";
import { Context, type HostOp } from "./context.js";
import { ELEMENTWISE } from "./elementwise.js";
import { IMAGE } from "./image.js";
import { MOVEMENT } from "./movement.js";
import { REDUCTION } from "./reduction.js";
import { type HostTensor, settled } from "./tensor.js";
import { WINDOW } from "./window.js";

const STANDARD: Readonly<Record<string, HostOp>> = {
  ...ELEMENTWISE,
  ...MOVEMENT,
  ...REDUCTION,
  ...WINDOW,
  ...ALGEBRA,
  ...IMAGE,
};

/** The operator of a node, or undefined where there is none. */
export function hostOp(node: NodeProto): HostOp | undefined {
  const table =
    node.domain === "" || node.domain === "ai.onnx" ? STANDARD : node.domain === "com.microsoft" ? MICROSOFT : {};
  return Object.hasOwn(table, node.opType) ? (table as Record<string, HostOp>)[node.opType] : undefined;
}

/** Computes a node. Throws ModelError and UnsupportedError; so does an element type that the operator cannot compute with. */
export function evaluate(node: NodeProto, opset: number, inputs: readonly (HostTensor | undefined)[]): HostTensor[] {
  const op = hostOp(node);
  if (op === undefined) throw new ModelError(`"opType" expected a known operator, got ${show(node.opType)}`);
  try {
    const answer = op(new Context(node, opset), ...inputs.map((input) => input && settled(input)));
    return Array.isArray(answer) ? answer : [answer];
  } catch (error) {
    if (error instanceof ModelError || error instanceof UnsupportedError) throw error;
    const given = inputs.map((input) => (input ? `${input.type} ${show([...input.shape])}` : "none")).join(", ");
    throw new ModelError(`"inputs" expected what ${node.opType} computes with, got ${given}`, { cause: error });
  }
}
