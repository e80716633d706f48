// The file with what was chosen between whole numbers: values through QuantizeLinear and DequantizeLinear, weights and biases behind
// DequantizeLinear. All else stays as it stands in the file. A value keeps its name behind the two, so that whoever reads it, an
// output or a branch too, reads what the whole numbers say; what computes it writes under another name.

import { textOf } from "../base/check.js";
import { countOf } from "../base/shape.js";
import { roundToEven } from "../onnx/file/halves.js";
import { readsOf } from "../onnx/file/order.js";
import type { PlainTensor } from "../onnx/file/plain-tensor.js";
import type { GraphProto, ModelProto, NodeProto } from "../onnx/file/proto.js";
import { along } from "../onnx/host/indexing.js";
import type { Choice, Product } from "./choose.js";
import type { Outline } from "./outline.js";
import { GRAPH, isConstantNode, node as nodeBytes, output, rewired, tensor } from "./pieces.js";
import { type Quantum, quantumOf, Range } from "./ranges.js";
import { type Field, fieldsOf, joined, nested, numberOf, written } from "./wire.js";

/** Fields of ModelProto. */
const MODEL = { irVersion: 1, graph: 7, opset: 8 } as const;
/** From here on DequantizeLinear has an axis; before, that of com.microsoft, which is the same, has. */
const OPSET_OF_AXES = 13;
const MICROSOFT = "com.microsoft";
/** The first with operators on whole numbers, which runtimes put in the place of what is written here. */
export const LEAST_OPSET = 10;
/** From here on initialisers are constants; before, all are inputs, too. */
const IR_OF_CONSTANTS = 4;
/** A bias in quanta of input times weight, at most: sums have as much room beside it. */
const MOST_BIAS = 2 ** 30;

export interface Format {
  readonly perChannel: boolean;
  /** Values as int8 with zero in the middle. */
  readonly isSigned: boolean;
}

function withGraph(
  bytes: Uint8Array,
  rewrite: (fields: Field[]) => Uint8Array[],
  other = (field: Field) => field.whole,
) {
  return joined(
    fieldsOf(bytes).flatMap((field) =>
      field.tag === MODEL.graph ? nested(MODEL.graph, rewrite(fieldsOf(field.content))) : [other(field)],
    ),
  );
}

/** The file with further outputs of float32. */
export function withOutputs(bytes: Uint8Array, names: readonly string[]): Uint8Array {
  return withGraph(bytes, (fields) => [...fields.map(({ whole }) => whole), ...names.map(output)]);
}

/** The file, quantised as `choice` says. quanta: of values by name. */
export function quantised(
  bytes: Uint8Array,
  model: ModelProto,
  outline: Outline,
  choice: Choice,
  quanta: ReadonlyMap<string, Quantum>,
  format: Format,
): Uint8Array {
  const opset = model.opsets.get("") ?? 1;
  const isOld = opset < OPSET_OF_AXES;
  const writer = new Writer(model.graph as GraphProto, outline, choice, quanta, format, isOld ? MICROSOFT : "");
  const isConstant = model.irVersion < IR_OF_CONSTANTS;
  const file = withGraph(
    bytes,
    (fields) => writer.graph(fields, isConstant),
    (field) => {
      if (field.tag === MODEL.irVersion)
        return written((w) => w.writeVarintField(MODEL.irVersion, Math.max(numberOf(field), IR_OF_CONSTANTS)));
      const isOwn = field.tag === MODEL.opset && /^(ai\.onnx)?$/.test(domainOf(field));
      return isOwn && opset < LEAST_OPSET ? operatorSet("", LEAST_OPSET) : field.whole;
    },
  );
  return isOld && !model.opsets.has(MICROSOFT) ? joined([file, operatorSet(MICROSOFT, 1)]) : file;
}

function operatorSet(domain: string, version: number): Uint8Array {
  const message = written((w) => {
    if (domain !== "") w.writeStringField(1, domain);
    w.writeVarintField(2, version);
  });
  return joined(nested(MODEL.opset, [message]));
}

const domainOf = ({ content }: Field): string =>
  textOf(fieldsOf(content).find(({ tag }) => tag === 1)?.content ?? content.subarray(0, 0));

/** A node as it is written, with what stands before and behind it. */
interface Piece {
  readonly node: NodeProto;
  readonly bytes: Uint8Array;
  readonly reads: readonly string[];
}

class Writer {
  readonly #initializers: Uint8Array[] = [];
  /** Nodes before all others: of inputs and constants. */
  readonly #first: Uint8Array[] = [];
  /** What chosen nodes read in the place of inputs and constants. */
  readonly #behind = new Map<string, string>();
  /** What a node writes in the place of a value that is quantised. */
  readonly #raw = new Map<string, string>();
  /** Names of scale and zero point of values with quanta of their own. */
  readonly #points = new Map<string, readonly string[]>();
  readonly #folded: ReadonlySet<NodeProto | undefined>;

  constructor(
    readonly file: GraphProto,
    readonly outline: Outline,
    readonly choice: Choice,
    readonly quanta: ReadonlyMap<string, Quantum>,
    readonly format: Format,
    readonly domain: string,
  ) {
    this.#folded = new Set([...choice.products.values()].map((product) => product.folded));
  }

  /** isConstant: initialisers are no inputs. */
  graph(fields: readonly Field[], isConstant: boolean): Uint8Array[] {
    const { outline, file } = this;
    for (const name of this.choice.values.keys()) this.#begin(name);
    const ofNodes = fields.filter(({ tag }) => tag === GRAPH.node);
    const pieces = file.nodes.flatMap((node, i) => this.#piece(node, ofNodes[i] as Field) ?? []);
    const read = new Set(outline.outputs);
    for (const { node, reads } of pieces) if (!isConstantNode(node)) for (const name of reads) read.add(name);
    // From the last on, since one constant may be another under a second name.
    const nodes = pieces.reverse().flatMap(({ node, bytes, reads }) => {
      if (isConstantNode(node) && !read.has(node.outputs[0] as string)) return [];
      for (const name of reads) read.add(name);
      return [bytes];
    });
    const constants = new Set(file.initializers.map(({ name }) => name));
    const isInput = (name: string) => !constants.has(name) || (!isConstant && read.has(name));
    const [initializers, inputs] = [file.initializers.values(), file.inputs.values()];
    const nameOf = (list: Iterator<{ readonly name: string }>) => list.next().value?.name as string;
    const others = fields.filter(({ tag }) => {
      if (tag === GRAPH.initializer) return read.has(nameOf(initializers));
      return tag === GRAPH.input ? isInput(nameOf(inputs)) : tag !== GRAPH.node;
    });
    return [...this.#first, ...nodes.reverse(), ...others.map(({ whole }) => whole), ...this.#initializers];
  }

  /** What chosen nodes read in the place of an input or a constant, or what writes a value in its place. */
  #begin(name: string): void {
    const { outline, domain } = this;
    const constant = outline.constant(name);
    if (!constant && !outline.inputs.has(name)) {
      this.#raw.set(name, outline.name(`${name}_float`));
      return;
    }
    const [whole, real] = [outline.name(`${name}_quantized`), outline.name(`${name}_dequantized`)];
    this.#behind.set(name, real);
    if (constant) {
      const range = new Range(name, false);
      range.add(constant.data as Float32Array);
      const quantum = quantumOf(range, this.format.isSigned);
      const data = this.#wholeOf(constant.data as Float32Array, quantum);
      this.#initializers.push(tensor(whole, this.#type, constant.shape, data));
      this.#first.push(nodeBytes("DequantizeLinear", domain, [whole, ...this.#pointOf(name, quantum)], real));
    } else this.#first.push(this.#through(name, name, whole, real));
  }

  get #type() {
    return this.format.isSigned ? "int8" : "uint8";
  }

  #wholeOf(data: Float32Array, { scale, zero }: Quantum): Uint8Array | Int8Array {
    const [low, high] = this.format.isSigned ? [-127, 127] : [0, 255];
    const whole = Array.from(data, (v) => Math.min(high, Math.max(low, roundToEven(v / scale) + zero)));
    return this.format.isSigned ? Int8Array.from(whole) : Uint8Array.from(whole);
  }

  /** Scale and zero point of a value as initialisers. */
  #pointOf(name: string, quantum = this.quanta.get(name) as Quantum): readonly string[] {
    const known = this.#points.get(name);
    if (known) return known;
    const { isSigned } = this.format;
    const names = [this.outline.name(`${name}_scale`), this.outline.name(`${name}_zero_point`)] as const;
    this.#points.set(name, names);
    const zero = isSigned ? Int8Array.of(quantum.zero) : Uint8Array.of(quantum.zero);
    this.#initializers.push(tensor(names[0], "float32", [], Float32Array.of(quantum.scale)));
    this.#initializers.push(tensor(names[1], this.#type, [], zero));
    return names;
  }

  /** To whole numbers and back. */
  #through(value: string, from: string, whole: string, real: string): Uint8Array {
    const point = this.#pointOf(this.choice.values.get(value) as string);
    return joined([
      nodeBytes("QuantizeLinear", this.domain, [from, ...point], whole),
      nodeBytes("DequantizeLinear", this.domain, [whole, ...point], real),
    ]);
  }

  /** Undefined for what is folded into another. */
  #piece(node: NodeProto, field: Field): Piece | undefined {
    if (this.#folded.has(node)) return undefined;
    const product = this.choice.products.get(node);
    const values = this.choice.nodes.get(node) ?? [];
    const own = product ? this.#operands(product) : { bytes: [], inputs: node.inputs };
    const inputs = own.inputs.map((name) => (values.includes(name) && this.#behind.get(name)) || name);
    const outputs = product ? [product.output] : node.outputs;
    const written = outputs.map((name) => this.#raw.get(name) ?? name);
    const isSame = (a: readonly string[], b: readonly string[]) => a.every((name, i) => name === b[i]);
    const isKept = isSame(inputs, node.inputs) && isSame(node.outputs, written) && inputs.length === node.inputs.length;
    const behind = outputs.flatMap((name) => {
      const raw = this.#raw.get(name);
      return raw ? [this.#through(name, raw, this.outline.name(`${name}_quantized`), name)] : [];
    });
    const bytes = joined([...own.bytes, isKept ? field.whole : rewired(field, inputs, written), ...behind]);
    return { node, bytes, reads: [...inputs, ...readsOf(node).slice(node.inputs.length)] };
  }

  /** Weights of int8 and a bias of int32, as initialisers behind DequantizeLinear; what the node reads then. */
  #operands(product: Product): { readonly bytes: readonly Uint8Array[]; readonly inputs: readonly string[] } {
    const { node, weight, bias, filters, axis } = product;
    const [input, w] = node.inputs as [string, string];
    const quantum = this.quanta.get(this.choice.values.get(input) as string) as Quantum;
    const list = bias?.data as Float32Array | undefined;
    const scales = scalesOf(product, quantum.scale, this.format.perChannel);
    const name = node.name ? `${node.name}_${w}` : w;
    const [weights, weightsNode] = this.#constant(name, weightsOf(weight, axis, scales), weight.shape, scales, axis);
    if (!list) return { bytes: [weightsNode], inputs: [input, weights] };
    const factors = scales.map((scale) => scale * quantum.scale);
    const whole = Int32Array.from(list, (b, m) => roundToEven(b / (factors[m % factors.length] as number)));
    const [biases, biasNode] = this.#constant(`${name}_bias`, whole, [filters], factors, 0);
    return { bytes: [weightsNode, biasNode], inputs: [input, weights, biases] };
  }

  /** Whole numbers as an initialiser, and the node that makes them real again: its output, its bytes. Zero points are 0. */
  #constant(
    name: string,
    data: Int8Array | Int32Array,
    shape: readonly number[],
    scales: Float32Array,
    axis: number,
  ): readonly [name: string, node: Uint8Array] {
    const type = data instanceof Int8Array ? "int8" : "int32";
    const [whole, scale, zero] = ["_quantized", "_scale", "_zero_point"].map((end) =>
      this.outline.name(name + end),
    ) as [string, string, string];
    const isOne = scales.length === 1;
    const size = isOne ? [] : [scales.length];
    const zeros = type === "int8" ? new Int8Array(scales.length) : new Int32Array(scales.length);
    this.#initializers.push(tensor(whole, type, shape, data));
    this.#initializers.push(tensor(scale, "float32", size, scales), tensor(zero, type, size, zeros));
    const real = this.outline.name(`${name}_dequantized`);
    return [real, nodeBytes("DequantizeLinear", this.domain, [whole, scale, zero], real, isOne ? undefined : axis)];
  }
}

/** Scales of weights, one a filter or one for all, so that the largest is 127, or the bias at most MOST_BIAS. */
function scalesOf({ weight, bias, axis, filters }: Product, input: number, perChannel: boolean): Float32Array {
  const { inner } = along(weight.shape, axis);
  const most = new Float64Array(filters);
  (weight.data as Float32Array).forEach((w, i) => {
    const m = Math.floor(i / inner) % filters;
    if (Math.abs(w) > (most[m] as number)) most[m] = Math.abs(w);
  });
  const scales = most.map((w, m) => {
    const b = Math.abs(((bias?.data as Float32Array | undefined)?.[m] ?? 0) as number);
    return Math.max(w / 127, b / (input * MOST_BIAS)) || 1;
  });
  return Float32Array.from(perChannel ? scales : [scales.reduce((a, b) => Math.max(a, b))]);
}

function weightsOf({ data, shape }: PlainTensor, axis: number, scales: Float32Array): Int8Array {
  const { inner } = along(shape, axis);
  const filters = scales.length;
  const whole = new Int8Array(countOf(shape));
  (data as Float32Array).forEach((w, i) => {
    const scale = scales[Math.floor(i / inner) % filters] as number;
    whole[i] = Math.min(127, Math.max(-127, roundToEven(w / scale)));
  });
  return whole;
}
