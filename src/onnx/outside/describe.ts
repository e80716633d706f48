// What a file says of itself, without planning it. A chunk of its own: loadOnnx() needs none of it.
import { isBytes } from "../../base/check.js";
import { countOf } from "../../base/shape.js";
import { ELEMENT_TYPES } from "../file/element-type.js";
import { everyNode, nodeName, operatorName } from "../file/node.js";
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from "../file/proto.js";
import { atOnce, type Describing, parsed } from "../load.js";
import { isKnown } from "../operators.js";
import type { OnnxSource } from "./source.js";

/** An input or output as the file declares it. */
export interface OnnxValue {
  /** Its name. */
  readonly name: string;
  /** Sizes; an open one is its name, or null. null as a whole where the file says nothing of the shape. */
  readonly shape: readonly (number | string | null)[] | null;
  /** Of its elements, as the file has them: "float16" too; "string" and others that are not read are "other". */
  readonly type: string;
}

/** An operator of a file, with those in branches, bodies and functions. */
export interface OnnxOperator {
  /** As the standard has it; of other domains "com.microsoft.QLinearAdd". */
  readonly name: string;
  /** How many nodes are of it. */
  readonly count: number;
  /** Whether loadOnnx() has it. */
  readonly supported: boolean;
  /** Names of these nodes, where it is not supported. */
  readonly nodes: readonly string[];
}

/** What a file says of itself. */
export interface OnnxDescription {
  /** What wrote the file; "" where it doesn't say. */
  readonly producer: string;
  /** That program's version, or "". */
  readonly producerVersion: string;
  /** Version of the file format. */
  readonly irVersion: number;
  /** Operator sets by domain; the standard's is "ai.onnx". */
  readonly opsets: Readonly<Record<string, number>>;
  /** What a run needs: without initialisers that are listed as inputs. */
  readonly inputs: readonly OnnxValue[];
  /** What a run answers. */
  readonly outputs: readonly OnnxValue[];
  /** The most frequent first. */
  readonly operators: readonly OnnxOperator[];
  /** Nodes in all, those in branches, bodies and functions included. */
  readonly nodes: number;
  /** Constants that the file names. */
  readonly initializers: number;
  /** Elements of these in all: what learned, mostly. */
  readonly elements: number;
  /** Other files, beside this one, that have constants of it. */
  readonly external: readonly string[];
  /** What the exporter says beside the network, texts by name. */
  readonly metadata: Readonly<Record<string, string>>;
}

const declared = ({ name, dims, elementType }: ValueInfoProto): OnnxValue => ({
  name,
  shape: dims,
  type: ELEMENT_TYPES[elementType] ?? "other",
});

function operatorsOf(nodes: readonly NodeProto[]): OnnxOperator[] {
  const found = new Map<string, { count: number; supported: boolean; nodes: string[] }>();
  for (const node of nodes) {
    const name = operatorName(node);
    const one = found.get(name) ?? { count: 0, supported: isKnown(node), nodes: [] };
    found.set(name, one);
    one.count++;
    if (!one.supported) one.nodes.push(nodeName(node));
  }
  return [...found].map(([name, one]) => ({ name, ...one })).sort((a, b) => b.count - a.count);
}

/** See describeOnnx(). */
export async function describe(parts: Describing, source: OnnxSource): Promise<OnnxDescription> {
  const { bytes, from } = isBytes(source)
    ? atOnce(source, undefined)
    : await (await parts.source()).bytesFrom(source, undefined);
  const file = await parsed(bytes, from, parts);
  const { INLINED: inlined = (model: ModelProto) => model } = file.functions.length > 0 ? await parts.functions() : {};
  const { graph, producer, irVersion, opsets, external, metadata } = inlined(file);
  const { inputs, outputs, initializers } = graph as GraphProto;
  const nodes = [...everyNode(graph as GraphProto)];
  const constant = new Set(initializers.map(({ name }) => name));
  return {
    producer: producer[0] as string,
    producerVersion: producer[1] as string,
    irVersion,
    opsets: Object.fromEntries([...opsets].map(([domain, version]) => [domain || "ai.onnx", version])),
    inputs: inputs.filter(({ name }) => !constant.has(name)).map(declared),
    outputs: outputs.map(declared),
    operators: operatorsOf(nodes),
    nodes: nodes.length,
    initializers: initializers.length,
    elements: initializers.reduce((sum, { dims }) => sum + countOf(dims), 0),
    external: [...new Set([...external].map((tensor) => tensor.external?.["location"] ?? ""))],
    metadata: { ...metadata },
  };
}
