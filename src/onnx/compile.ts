// An ONNX graph for given input shapes: constants folded, shapes worked out, every node a layer of kernels, a step in
// JavaScript, or, where even its shape depends on what is computed, left for after the run ("late"). Pure.
import { ModelError, ShapeError, show, UnsupportedError } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import type { MemoryFormat, TensorSpec } from "../base/spec.js";
import type { GraphOutput } from "../model/graph.js";
import type { GraphLayers } from "../model/layers.js";
import type { WeightMap } from "../model/weights.js";
import type { GraphProto, ModelProto, NodeProto, TensorProto } from "./file/proto.js";
import { Context } from "./host/context.js";
import { evaluate, hostOp } from "./host/index.js";
import {
  checkedBytes,
  ELEMENT_TYPES,
  type ElementType,
  elementType,
  type HostTensor,
  later,
  make,
  readTensorProto,
  settled,
  trying,
} from "./host/tensor.js";
import { loweringOf } from "./lower/index.js";
import type { Site } from "./lower/site.js";
import { type Dynamic, Network, STORED } from "./network.js";
import { Pointwise } from "./rewrite/pointwise.js";

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
  readonly initializers: ReadonlyMap<string, HostTensor>;
}

/** How one output of the model comes about. */
export type Result =
  | { readonly name: string; readonly from: "model"; readonly type: ElementType }
  | { readonly name: string; readonly from: "constant"; readonly tensor: HostTensor }
  | { readonly name: string; readonly from: "late" };

export interface Compiled {
  readonly graph: GraphLayers;
  readonly weights: WeightMap;
  /** Of every value and weight of the graph; memory formats are chosen later. */
  readonly specs: ReadonlyMap<string, TensorSpec>;
  readonly results: readonly Result[];
  /** Nodes to evaluate in JavaScript after a run, and the values they start from. */
  readonly late: readonly NodeProto[];
  /** Values of the model that late nodes read: names in ONNX, and their element types. */
  readonly taps: readonly { readonly name: string; readonly type: ElementType; readonly output: string }[];
  /** Inputs that late nodes read, or that have no elements. */
  readonly constants: ReadonlyMap<string, HostTensor>;
}

/** Inputs from which an operator's output shape follows. */
const SHAPE_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1, 2],
  Range: [0, 1, 2],
  ConstantOfShape: [0],
  Slice: [1, 2, 3, 4],
  Pad: [1, 3],
  Resize: [1, 2, 3],
  Upsample: [1],
  TopK: [1],
  OneHot: [1],
  Unsqueeze: [1],
  Squeeze: [1],
  Split: [1],
  CenterCropPad: [1],
  MaxUnpool: [2],
  CumSum: [1],
};

/** Operators whose output has as many elements as the data says. */
const DATA_SHAPED = new Set(["NonZero", "NonMaxSuppression", "Compress"]);

/** Compiled as the one of its branches that its condition, which has to be known then, says. */
const isIf = (node: NodeProto): boolean => node.opType === "If" && isStandard(node);

const isStandard = (node: NodeProto): boolean => node.domain === "" || node.domain === "ai.onnx";

/** Checks a file's graph and reads its initialisers. Throws ModelError, and UnsupportedError naming every operator there is none for. */
export function checkModel(
  model: ModelProto,
  external?: (location: string, offset: number, length: number | undefined) => Uint8Array,
): Checked {
  const { graph } = model;
  if (graph === null) throw new ModelError(`"model" expected a graph, got none`);
  if (model.opsets.size === 0 && model.irVersion >= 3)
    throw new ModelError(`"model" expected an operator set, got none`);
  refuseUnsupported(model, graph);
  const initializers = new Map<string, HostTensor>();
  for (const proto of graph.initializers) {
    if (initializers.has(proto.name))
      throw new ModelError(`"initializer" expected each name once, got ${show(proto.name)} twice`);
    initializers.set(proto.name, readTensorProto(proto as TensorProto, external));
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

function refuseUnsupported(model: ModelProto, graph: GraphProto): void {
  const missing = new Set<string>();
  let hasIf = false;
  const look = ({ nodes, sparse }: GraphProto): void => {
    if (sparse > 0) missing.add("sparse initializers");
    for (const node of nodes) {
      if (isIf(node)) hasIf = true;
      else if (hostOp(node) === undefined)
        missing.add(isStandard(node) ? node.opType : `${node.domain}.${node.opType}`);
      for (const { g } of node.attributes) if (g !== null) look(g); // branches and bodies
    }
  };
  look(graph);
  if (missing.size === 0) return;
  if (hasIf) missing.add("If"); // not in general
  const what = model.functions > 0 ? " (functions of the model are not expanded)" : "";
  throw new UnsupportedError(
    `"model" expected operators of this importer${what}, got ${[...missing].sort().join(", ")}`,
  );
}

/** The values that a node reads, in its branches too. */
function readsOf(node: NodeProto): readonly string[] {
  if (!isIf(node)) return node.inputs;
  return [...node.inputs, ...node.attributes.flatMap(({ g }) => g?.nodes.flatMap(readsOf) ?? [])];
}

/** Nodes after those whose values they read. Throws ModelError for values that nothing computes, twice computed, or in a circle. */
function sorted(graph: GraphProto, given: { has(name: string): boolean }): readonly NodeProto[] {
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
  if (isOrdered) return graph.nodes;
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
  return order;
}

/** The version of a node's operator set. */
export function opsetOf({ opsets }: Pick<Checked, "opsets">, { domain }: NodeProto): number {
  return opsets.get(domain === "ai.onnx" ? "" : domain) ?? 1;
}

export function nodeName(node: NodeProto): string {
  return node.name || `${node.opType} ${node.outputs[0] ?? ""}`;
}

/** Puts the node before an error's sentence; errors of kinds that are not the package's become ModelErrors. */
function located<T>(node: NodeProto, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const prefix = `node ${show(nodeName(node))} (${node.opType}): `;
    const isOwn = error instanceof ModelError || error instanceof UnsupportedError || error instanceof ShapeError;
    const message = error instanceof Error ? error.message : String(error);
    if (isOwn) {
      if (!message.startsWith("node ")) (error as Error).message = prefix + message;
      throw error;
    }
    throw new ModelError(prefix + message, { cause: error });
  }
}

type Known = HostTensor | Dynamic | "late";

/** Compiles for inputs of these shapes; optimised, or as the file stands. Throws ModelError, ShapeError and UnsupportedError with the node's name in front. */
export function compile(model: Checked, shapes: ReadonlyMap<string, readonly number[]>, isOptimised = true): Compiled {
  const network = new Network();
  const pointwise = isOptimised ? new Pointwise(model.nodes, model.outputs) : undefined;
  const values = new Map<string, Known>(model.initializers);
  const constants = new Map<string, HostTensor>();
  for (const { name, type } of model.inputs) {
    const shape = shapes.get(name) as readonly number[];
    if (countOf(shape) === 0) {
      const empty = make(type, shape);
      values.set(name, empty);
      constants.set(name, empty);
    } else values.set(name, network.input(name, type, shape, formatOf(model, name, shape)));
  }
  const late: NodeProto[] = [];
  const add = (nodes: readonly NodeProto[], isBranch: boolean): void => {
    for (const node of nodes) {
      const answers = located(node, () =>
        isIf(node) ? branch(node) : answersOf(node, model, network, values, isBranch ? undefined : pointwise),
      );
      if (answers === "late") {
        if (isBranch || isIf(node))
          throw new UnsupportedError(
            `"branch" expected shapes that are known before a run, got some that are computed`,
          );
        late.push(node);
      }
      node.outputs.forEach((name, i) => {
        if (name === "") return;
        const answer = answers === "late" ? "late" : answers[i];
        if (answer === undefined) {
          const message = `"outputs" expected at most ${answers.length}, got ${node.outputs.length}`;
          throw new ModelError(`node ${show(nodeName(node))} (${node.opType}): ${message}`);
        }
        values.set(name, answer);
        if (answer !== "late" && !("data" in answer)) located(node, () => checkedBytes(answer.type, answer.shape));
      });
    }
  };
  /** The outputs of the branch that is taken; its nodes read what comes before them outside, too. Its names end with it. */
  const branch = (node: NodeProto): readonly Known[] | "late" => {
    const condition = values.get(node.inputs[0] as string);
    if (condition === undefined || condition === "late" || !("data" in condition))
      throw new UnsupportedError(`"cond" expected a value that is known before a run, got one that is computed`);
    const name = condition.data[0] ? "then_branch" : "else_branch";
    const graph = node.attributes.find((attribute) => attribute.name === name)?.g;
    if (!graph) throw new ModelError(`"${name}" expected a graph, got none`);
    for (const proto of graph.initializers) {
      if (values.has(proto.name))
        throw new ModelError(`"initializer" expected a new name, got ${show(proto.name)} again`);
      values.set(proto.name, readTensorProto(proto as TensorProto));
    }
    const nodes = sorted(graph, values);
    add(nodes, true);
    const answers = graph.outputs.map((output) => values.get(output.name) as Known);
    for (const own of graph.initializers) values.delete(own.name);
    for (const own of nodes.flatMap(({ outputs }) => outputs)) values.delete(own);
    return answers.includes("late") ? "late" : answers;
  };
  add(model.nodes, false);

  const outputs: GraphOutput[] = [];
  const taps: { name: string; type: ElementType; output: string }[] = [];
  const expose = (name: string, wanted: string): Dynamic => {
    const value = values.get(name) as Dynamic;
    const isInput = network.inputs.some((input) => input.name === value.name);
    // A model's outputs are what layers compute.
    const from = isInput
      ? (network.add(`${name}:copy`, "toMemoryFormat", [value], [], { memoryFormat: "contiguous" })[0] as Dynamic)
      : value;
    if (!outputs.some((output) => output.name === wanted))
      outputs.push({ name: wanted, value: from.name, memoryFormat: "contiguous" });
    return value;
  };
  const results = model.outputs.map((name): Result => {
    const value = values.get(name) as Known;
    if (value === "late") return { name, from: "late" };
    if ("data" in value) return { name, from: "constant", tensor: settled(value) };
    return { name, from: "model", type: expose(name, name).type };
  });
  for (const node of late) {
    for (const name of node.inputs) {
      const value = values.get(name);
      if (value === undefined || value === "late" || taps.some((tap) => tap.name === name)) continue;
      if ("data" in value) {
        constants.set(name, settled(value));
        continue;
      }
      const isInput = model.inputs.some((input) => input.name === name);
      if (isInput) taps.push({ name, type: value.type, output: "" });
      else taps.push({ name, type: expose(name, name).type, output: name });
    }
  }
  return {
    graph: network.graph(outputs),
    weights: network.weights,
    specs: network.specs,
    results,
    late,
    taps,
    constants,
  };
}

/** An image whose first layer wants it channels-last lies so, unless the first layer is the change to it. */
function formatOf(model: Checked, name: string, shape: readonly number[]): MemoryFormat | undefined {
  if (shape.length !== 4) return undefined;
  const readers = model.nodes.filter((node) => node.inputs.includes(name));
  const turns = readers.some(
    (node) => node.opType === "Transpose" || node.opType === "Reshape" || node.opType === "Flatten",
  );
  return turns ? "contiguous" : undefined;
}

/** The values of a node's outputs. */
function answersOf(
  node: NodeProto,
  model: Checked,
  network: Network,
  values: ReadonlyMap<string, Known>,
  pointwise: Pointwise | undefined,
): readonly Known[] | "late" {
  const inputs = node.inputs.map((name) => (name === "" ? undefined : values.get(name)));
  if (inputs.includes("late")) return "late";
  const opset = opsetOf(model, node);
  const known = inputs as (HostTensor | Dynamic | undefined)[];
  const isConstant = (value: HostTensor | Dynamic | undefined): value is HostTensor | undefined =>
    value === undefined || "data" in value;
  if (known.every(isConstant)) return evaluate(node, opset, known);
  if (isStandard(node) && (node.opType === "Shape" || node.opType === "Size")) {
    return evaluate(node, opset, [shell(known[0] as Dynamic)]);
  }
  const shapeInputs = node.opType.startsWith("Reduce") ? [1] : (SHAPE_INPUTS[node.opType] ?? []);
  if (DATA_SHAPED.has(node.opType) || shapeInputs.some((i) => !isConstant(known[i]))) return "late";

  const layer = nodeName(node);
  const replaced = isStandard(node) ? pointwise?.replace(node, opset, network, layer, known) : undefined;
  if (replaced) return [replaced];
  const isFloat = known.every((value) => isConstant(value) || STORED[value.type] === "float32");
  // Of what only says how to do it, an empty list is one that is left out.
  const isEmpty = known.some((value, i) => !shapeInputs.includes(i) && value?.shape.includes(0));
  const lowering = isEmpty ? undefined : loweringOf(node, isFloat);
  if (lowering) {
    const mark = network.nodes.length;
    try {
      const site: Site = { c: new Context(node, opset), network, layer, inputs: known };
      const answers = lowering(site);
      if (answers) return answers;
    } catch (error) {
      // What the node says is wrong stays wrong; what a kernel does not do, the host operator may.
      if (error instanceof ModelError) throw error;
    }
    network.rewind(mark);
  }
  return onHost(node, opset, network, layer, known);
}

/** A tensor of the value's shape without elements to speak of. */
function shell({ type, shape }: Dynamic): HostTensor {
  return { type, shape, data: new Float32Array() };
}

/** The node as a step in JavaScript. Its output shapes are found by running it once on zeros. */
function onHost(
  node: NodeProto,
  opset: number,
  network: Network,
  layer: string,
  inputs: readonly (HostTensor | Dynamic | undefined)[],
): Known[] {
  const held = inputs.map((value) => (value !== undefined && "data" in value ? settled(value) : value));
  const compute = later(
    (views: readonly { readonly length: number }[], outputs: readonly { set(values: never): void }[]) => {
      let next = 0;
      const given = held.map((value) =>
        value === undefined || "data" in value
          ? value
          : ({ type: value.type, shape: value.shape, data: views[next++] } as HostTensor),
      );
      const answers = located(node, () => evaluate(node, opset, given));
      outputs.forEach((output, i) => {
        output.set((answers[i] as HostTensor).data as never);
      });
    },
  );
  const trial = trying(() =>
    evaluate(
      node,
      opset,
      inputs.map((value) => (value === undefined || "data" in value ? value : make(value.type, value.shape))),
    ),
  );
  const wanted = trial.slice(0, node.outputs.length);
  if (wanted.some((tensor) => countOf(tensor.shape) === 0)) return wanted; // nothing to compute
  const dynamic = inputs.filter((value): value is Dynamic => value !== undefined && !("data" in value));
  const outputs = wanted.map(({ shape, type }) => ({ shape, dtype: STORED[type] }));
  const answers = network.add(layer, "custom", dynamic, [], { outputs, compute, label: node.opType });
  return answers.map((answer, i) => ({ ...answer, type: (wanted[i] as HostTensor).type }));
}
