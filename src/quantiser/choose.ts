// Which nodes compute on whole numbers, and which values are quantised for it. Convolutions and products with constant weights
// are what pays; what stands between two of them follows, so that bytes stay bytes on the way.

import { ModelError, UnsupportedError } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import { isStandard } from "../onnx/file/node.js";
import type { PlainTensor } from "../onnx/file/plain-tensor.js";
import type { NodeProto } from "../onnx/file/proto.js";
import { chainsOf } from "./functions.js";
import type { Outline } from "./outline.js";

/** A convolution or a product: what it is written with, a batch normalisation behind it folded in. */
export interface Product {
  readonly node: NodeProto;
  readonly weight: PlainTensor;
  /** The axis of the weight along which filters lie. */
  readonly axis: number;
  readonly filters: number;
  readonly bias: PlainTensor | undefined;
  /** The normalisation that is folded in, whose output is this node's then. */
  readonly folded: NodeProto | undefined;
  readonly output: string;
}

export interface Choice {
  readonly products: ReadonlyMap<NodeProto, Product>;
  /** Products and what stands between them, each with the values that it reads as whole numbers. */
  readonly nodes: ReadonlyMap<NodeProto, readonly string[]>;
  /** Values that are quantised: each with the one whose quanta it has, mostly itself. */
  readonly values: ReadonlyMap<string, string>;
}

/** Outputs are elements of the input: its quanta are theirs. Inputs behind the first say where. */
const MOVES =
  /^(MaxPool|Reshape|Flatten|Transpose|Squeeze|Unsqueeze|Slice|Split|DepthToSpace|SpaceToDepth|Pad|Resize|Identity|Dropout|Gather|Expand)$/;
/** Outputs have quanta of their own. */
const ELEMENTS =
  /^(Add|Mul|Concat|AveragePool|GlobalAveragePool|Relu|Clip|Sigmoid|HardSigmoid|HardSwish|LeakyRelu|Tanh|Elu)$/;
/** What runtimes do in the store of a sum. */
const STORED = /^(Relu|Clip)$/;
/** All inputs of these are values; of the others the first. */
const SEVERAL = /^(Add|Mul|Concat)$/;

/** The product that a node is, where its weights are constant and it does nothing else. */
function productOf(outline: Outline, node: NodeProto): Product | undefined {
  const { opType, inputs, outputs } = node;
  if (!/^(Conv|Gemm|MatMul)$/.test(opType) || outline.isConstant(inputs[0])) return undefined;
  const weight = outline.constant(inputs[1]);
  const c = outline.context(node);
  const given = inputs[2] ? outline.constant(inputs[2]) : undefined;
  if (!weight || (inputs[2] && !given) || weight.shape.length < 2 || countOf(weight.shape) === 0) return undefined;
  if (opType !== "Conv" && weight.shape.length !== 2) return undefined;
  if (opType === "Gemm" && (c.float("alpha", 1) !== 1 || c.float("beta", 1) !== 1 || c.int("transA", 0) !== 0))
    return undefined;
  const axis = opType === "Conv" || (opType === "Gemm" && c.int("transB", 0) === 1) ? 0 : 1;
  const filters = weight.shape[axis] as number;
  if (given && countOf(given.shape) !== filters) return undefined;
  const plain: Product = { node, weight, axis, filters, bias: given, folded: undefined, output: outputs[0] as string };
  return opType === "Conv" ? withNormalisation(outline, plain) : plain;
}

/** A convolution with the batch normalisation that alone reads it. */
function withNormalisation(outline: Outline, plain: Product): Product {
  const next = outline.onlyReader(plain.output);
  if (next?.opType !== "BatchNormalization" || !isStandard(next) || next.inputs[0] !== plain.output) return plain;
  const c = outline.context(next);
  const given = [1, 2, 3, 4].map((i) => outline.constant(next.inputs[i])?.data as Float32Array | undefined);
  if (next.outputs.slice(1).some((name) => name !== "") || c.isTraining) return plain;
  if (c.opset < 9 && c.int("spatial", 1) === 0) return plain;
  if (given.some((list) => list?.length !== plain.filters)) return plain;
  const [scale, shift, mean, variance] = given as [Float32Array, Float32Array, Float32Array, Float32Array];
  const factor = scale.map((s, m) => s / Math.sqrt((variance[m] as number) + c.float("epsilon", 1e-5)));
  const { weight, bias, filters } = plain;
  const length = countOf(weight.shape) / filters;
  const was = bias?.data as Float32Array | undefined;
  return {
    ...plain,
    folded: next,
    output: next.outputs[0] as string,
    weight: {
      ...weight,
      data: (weight.data as Float32Array).map((w, i) => w * (factor[Math.floor(i / length)] as number)),
    },
    bias: {
      type: "float32",
      shape: [filters],
      data: factor.map((f, m) => ((was?.[m] ?? 0) - (mean[m] as number)) * f + (shift[m] as number)),
    },
  };
}

/** Whether a node does what its name says and no more. */
function isPlain(outline: Outline, node: NodeProto): boolean {
  if (!isStandard(node)) return false;
  const c = outline.context(node);
  switch (node.opType) {
    case "MaxPool":
      return !node.outputs[1]; // places
    case "Dropout":
      return !node.outputs[1] && !node.inputs[2];
    case "Pad": // the zero point is what stands for 0
      return (
        c.string("mode", "constant") !== "constant" ||
        (node.inputs[2] ? outline.constant(node.inputs[2])?.data[0] === 0 : c.float("value", 0) === 0)
      );
    case "Resize":
      return (
        c.string("mode", "nearest") !== "cubic" &&
        c.string("coordinate_transformation_mode", "") !== "tf_crop_and_resize"
      );
    case "Clip":
      return node.inputs.slice(1).every((name) => name === "" || outline.isConstant(name));
    default:
      return MOVES.test(node.opType) || ELEMENTS.test(node.opType);
  }
}

/** Throws ModelError where nothing can be quantised, UnsupportedError for a file of halves, which have no weights of float32. */
export function choose(outline: Outline, isExcluded: (node: NodeProto) => boolean): Choice {
  const products = new Map<NodeProto, Product>();
  for (const node of outline.nodes) {
    const product = isStandard(node) && !isExcluded(node) && productOf(outline, node);
    if (product) products.set(node, product);
  }
  if (products.size === 0) {
    const message = `"model" expected convolutions or products with constant float32 weights, got none to quantise`;
    throw outline.hasHalves ? new UnsupportedError(message) : new ModelError(message);
  }
  return new Chooser(outline, products, isExcluded).choice();
}

class Chooser {
  /** Nodes as candidates, each with the inputs that are values to quantise. */
  readonly #nodes = new Map<NodeProto, readonly string[]>();
  readonly #chains: ReadonlyMap<NodeProto, string>;
  readonly #folded: ReadonlySet<NodeProto | undefined>;

  constructor(
    readonly outline: Outline,
    readonly products: ReadonlyMap<NodeProto, Product>,
    isExcluded: (node: NodeProto) => boolean,
  ) {
    this.#folded = new Set([...products.values()].map((product) => product.folded));
    this.#chains = chainsOf(outline, (node) => {
      const from = this.#producer(node.inputs[0] as string);
      return STORED.test(node.opType) && from !== undefined && products.has(from);
    });
    const isValue = (name: string) => name !== "" && !outline.isConstant(name);
    for (const node of outline.nodes) {
      if (isExcluded(node) && !products.has(node)) continue;
      const isChain = this.#chains.has(node);
      const values = isChain
        ? node.inputs.filter(isValue)
        : SEVERAL.test(node.opType)
          ? node.inputs
          : node.inputs.slice(0, 1);
      if (products.has(node) || ((isChain || isPlain(outline, node)) && values.some(isValue)))
        this.#nodes.set(node, values);
    }
  }

  choice(): Choice {
    this.#narrow();
    const reads = new Map<NodeProto, readonly string[]>();
    const values = new Map<string, string>();
    for (const [node, inputs] of this.#nodes) {
      const read = inputs.filter((name) => !this.#isBetween(node, name));
      reads.set(node, read);
      for (const name of read) values.set(name, this.#rootOf(name));
    }
    return { products: this.products, nodes: reads, values };
  }

  /** The node that computes a value: of a normalisation that is folded in, the convolution. */
  #producer(name: string): NodeProto | undefined {
    const { producer } = this.outline;
    const node = producer.get(name);
    return this.#folded.has(node) ? producer.get(node?.inputs[0] as string) : node;
  }

  /** Takes out what has an input that nobody quantises, or no reader that reads bytes, until nothing changes. */
  #narrow(): void {
    const nodes = this.#nodes;
    const isRead = (name: string, only: { has(node: NodeProto): boolean }) =>
      (this.outline.readers.get(name) ?? []).some((node) => only.has(node) && nodes.get(node)?.includes(name));
    const isThere = (name: string) =>
      this.outline.isConstant(name) || nodes.has(this.#producer(name) as NodeProto) || isRead(name, this.products);
    for (let before = -1; before !== nodes.size; ) {
      before = nodes.size;
      for (const [node, values] of nodes) {
        if (this.products.has(node)) continue;
        if (!values.every(isThere) || !node.outputs.some((name) => isRead(name, nodes))) nodes.delete(node);
      }
    }
  }

  /** Whether a value stays real: between a sum and what its store does, or inside a chain. */
  #isBetween(node: NodeProto, name: string): boolean {
    const from = this.#producer(name);
    if (!from || !this.#nodes.has(from)) return false;
    const isSum = this.products.has(from) || from.opType === "Add";
    if (isSum && STORED.test(node.opType) && this.outline.onlyReader(name) === node) return true;
    const start = this.#chains.get(from);
    const isInside = (reader: NodeProto) => this.#nodes.has(reader) && this.#chains.get(reader) === start;
    return (
      start !== undefined && !this.outline.outputs.has(name) && (this.outline.readers.get(name) ?? []).every(isInside)
    );
  }

  #rootOf(name: string): string {
    const from = this.#producer(name);
    const isMove = from !== undefined && this.#nodes.has(from) && MOVES.test(from.opType);
    return isMove ? this.#rootOf(from.inputs[0] as string) : name;
  }
}
