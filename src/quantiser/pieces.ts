// The messages of a file that the quantiser writes: tensors, nodes, outputs.

import { isStandard } from "../onnx/file/node.js";
import type { NodeProto } from "../onnx/file/proto.js";
import { type Field, fieldsOf, joined, nested, written } from "./wire.js";

/** Fields of GraphProto and NodeProto. */
export const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const;

const TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6 } as const;
type Type = keyof typeof TYPES;

/** An initialiser; elements lie little-endian, as wasm has them. */
export function tensor(name: string, type: Type, dims: readonly number[], data: ArrayBufferView): Uint8Array {
  const head = written((w) => {
    for (const size of dims) w.writeVarintField(1, size);
    w.writeVarintField(2, TYPES[type]);
    w.writeStringField(8, name);
  });
  const elements = nested(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
  return joined(nested(GRAPH.initializer, [head, ...elements]));
}

/** A graph's output of float32 of any shape. */
export function output(name: string): Uint8Array {
  const type = written((w) => w.writeVarintField(1, TYPES.float32));
  const value = joined(nested(2, nested(1, [type])));
  return joined(nested(GRAPH.output, [written((w) => w.writeStringField(1, name)), value]));
}

/** A node with the same inputs and outputs as its name says; axis where it has one. */
export function node(
  opType: "QuantizeLinear" | "DequantizeLinear",
  domain: string,
  inputs: readonly string[],
  name: string,
  axis?: number,
): Uint8Array {
  const message = written((w) => {
    for (const input of inputs) w.writeStringField(NODE.input, input);
    w.writeStringField(NODE.output, name);
    w.writeStringField(NODE.name, `${name}_${opType}`);
    w.writeStringField(NODE.opType, opType);
    if (domain !== "") w.writeStringField(NODE.domain, domain);
  });
  return joined(nested(GRAPH.node, axis === undefined ? [message] : [message, attribute("axis", axis)]));
}

function attribute(name: string, value: number): Uint8Array {
  const message = written((w) => {
    w.writeStringField(1, name);
    w.writeVarintField(3, value);
    w.writeVarintField(20, 2); // INT
  });
  return joined(nested(NODE.attribute, [message]));
}

/** A node of the file with other inputs and outputs. */
export function rewired({ content }: Field, inputs: readonly string[], outputs: readonly string[]): Uint8Array {
  const names = written((w) => {
    for (const input of inputs) w.writeStringField(NODE.input, input);
    for (const name of outputs) w.writeStringField(NODE.output, name);
  });
  const others = fieldsOf(content).filter(({ tag }) => tag !== NODE.input && tag !== NODE.output);
  return joined(nested(GRAPH.node, [names, ...others.map(({ whole }) => whole)]));
}

/** A constant under another name, or a constant: nothing is missed where nobody reads it. */
export const isConstantNode = (node: NodeProto): boolean =>
  isStandard(node) && /^(Constant|Identity)$/.test(node.opType);
