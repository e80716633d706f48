// A network as plain data: inputs, parameters by name, and nodes in the order they run. No memory, no runtime, no shapes
// worked out; createModel() does that with the weights at hand. Written by hand here, read from files elsewhere.
import { elements, oneOf, type Shape, sameShape } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import { DTYPES, type DType, MEMORY_FORMATS, type MemoryFormat, makeSpec } from "../base/spec.js";
import { addMethods, OPERATORS, type OperatorName } from "../ops/index.js";
import type { Operations } from "../ops/operations.js";
import { type Operator, outputNames, splitExtras, type TypedOperator } from "../ops/operator.js";

/** What every run brings. memoryFormat: how it lies in the model's arena; undefined: the model chooses. */
export interface GraphInput {
  /** What model.run() calls it; one name a graph. */
  readonly name: string;
  /** Logical dimensions, each >= 1. */
  readonly shape: Shape;
  /** Of the tensor that a run brings. */
  readonly dtype: DType;
  /** How it lies in the arena; a run may bring either. */
  readonly memoryFormat?: MemoryFormat;
}

/** A tensor of the weight map. The shape is the weight map's own when it is not declared. */
export interface GraphParameter {
  /** Its name in the weight map. */
  readonly name: string;
  /** What the weight map's must be; default: any. */
  readonly shape?: Shape;
}

/** One layer: operands and results are names of values. Parameters left out are null. */
export interface GraphNode {
  /** The layer's name, one a graph. */
  readonly name: string;
  /** Which operator. */
  readonly op: OperatorName;
  /** Values or parameters, in the operator's order; a residual comes last. */
  readonly inputs: readonly string[];
  /** Parameters in the operator's order. */
  readonly params: readonly (string | null)[];
  /** The operator's options, as a call has them. */
  readonly options: object;
  /** Names of the values it makes: the layer's own, or "<layer>:<output>" where there are several. */
  readonly outputs: readonly string[];
}

/** What every run answers. */
export interface GraphOutput {
  /** Its name in the answer of model.run(). */
  readonly name: string;
  /** The value, input or parameter that it is. */
  readonly value: string;
  /** How its tensor lies. */
  readonly memoryFormat: MemoryFormat;
}

/** A network as plain data, as createModel takes it. */
export interface GraphData {
  /** What every run brings. */
  readonly inputs: readonly GraphInput[];
  /** Every tensor of the weight map that nodes read. */
  readonly parameters: readonly GraphParameter[];
  /** Layers in the order they run: each after those whose values it reads. */
  readonly nodes: readonly GraphNode[];
  /** What every run answers. */
  readonly outputs: readonly GraphOutput[];
}

const GRAPH = Symbol("graph");
const APPLY = Symbol("apply");

/** A value of a graph: an input, a parameter, or what a layer answers. */
export class Value {
  /** The input's, the parameter's, or the layer's (with ":<output>" where it makes several). */
  readonly name: string;
  /** @internal */
  readonly [GRAPH]: Graph;

  /** @internal Graphs make their values. */
  constructor(graph: Graph, name: string) {
    this[GRAPH] = graph;
    this.name = name;
  }
}

/** An operand of a graph's operator: a value, or a parameter's name. */
type Given<T> = T extends Value ? Value | string : T extends readonly Value[] ? readonly (Value | string)[] : T;

/** Every operator as a method: as on a runtime, on values instead of tensors. A string names a parameter. */
export type GraphOperations = {
  readonly [K in keyof Operations<Value>]: Operations<Value>[K] extends (...args: infer A) => infer R
    ? (...args: { [I in keyof A]: Given<A[I]> }) => R
    : never;
};

/** The operators once more, for a layer that has a name: graph.layer("conv1").conv2d(...). */
export interface Layer extends GraphOperations {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the operator methods are made by addOperators().
export class Layer {
  /** @internal Use graph.layer(). */
  constructor(
    /** The graph that it adds to. */
    readonly graph: Graph,
    /** The name that its node gets. */
    readonly name: string,
  ) {}
}

/** The operators of a graph: graph.conv2d(...) and so on. */
export interface Graph extends GraphOperations {}

/**
 * Builds a graph layer by layer:
 *
 *     const g = new Graph();
 *     const x = g.input("image", [1, 1, 28, 28]);
 *     g.output("features", g.layer("conv1").conv2d(x, "conv1.weight", "conv1.bias", { padding: 2, activation: "relu" }));
 *
 * Its operators throw ModelError for names used twice, TypeError for operands of a wrong kind; shapes and options are checked
 * when a model is made of it.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the operator methods are made by addOperators().
export class Graph implements GraphData {
  /** In the order of input(). */
  readonly inputs: GraphInput[] = [];
  /** In the order in which they were first named. */
  readonly parameters: GraphParameter[] = [];
  /** Layers, in the order of calls. */
  readonly nodes: GraphNode[] = [];
  /** In the order of output(). */
  readonly outputs: GraphOutput[] = [];
  readonly #values = new Map<string, Value>();
  readonly #layers = new Set<string>();
  readonly #counts = new Map<string, number>();

  /** Empty. */
  constructor() {
    addOperators();
  }

  /**
   * A tensor that every run brings. Images are [N, C, H, W], whatever their memory format. memoryFormat: how it lies in the
   * model's arena; default: the model chooses. dtype: default "float32".
   *
   * @throws ModelError for a name used before; ShapeError or RangeError for what is no shape with sizes >= 1.
   */
  input(
    name: string,
    shape: Shape,
    options: { readonly memoryFormat?: MemoryFormat; readonly dtype?: DType } = {},
  ): Value {
    const spec = makeSpec(shape, options.dtype, options.memoryFormat, name);
    const value = this.#define(name);
    const memoryFormat = options.memoryFormat && spec.memoryFormat;
    this.inputs.push({ name, shape: spec.shape, dtype: spec.dtype, ...(memoryFormat && { memoryFormat }) });
    return value;
  }

  /**
   * A tensor of the weight map; with a shape, the weight map's must be the same. Asking twice answers the same value.
   *
   * @throws ModelError for a name used before for something else, or with another shape.
   */
  parameter(name: string, shape?: Shape): Value {
    const known = this.parameters.find((parameter) => parameter.name === name);
    if (known !== undefined && (shape === undefined || (known.shape !== undefined && sameShape(known.shape, shape)))) {
      return this.#values.get(name) as Value;
    }
    if (shape !== undefined) elements(name, shape, DTYPES.float32.BYTES_PER_ELEMENT);
    const value = this.#define(name);
    this.parameters.push({ name, ...(shape && { shape: [...shape] }) });
    return value;
  }

  /** The operators for a layer of this name; without one, a layer is called by its operator and a number. */
  layer(name: string): Layer {
    return new Layer(this, name);
  }

  /**
   * Makes a value a result of the model; memoryFormat: how its tensor lies, default "contiguous".
   *
   * @throws ModelError for an output's name used before, TypeError for what is no value of this graph.
   */
  output(name: string, value: Value, options: { readonly memoryFormat?: MemoryFormat } = {}): Value {
    requireName(name);
    if (this.outputs.some((output) => output.name === name)) {
      throw new ModelError(`"output" expected a name not used before, got ${show(name)}`);
    }
    const memoryFormat = oneOf("memoryFormat", options.memoryFormat ?? "contiguous", MEMORY_FORMATS);
    this.outputs.push({ name, value: this.#nameOf("value", value), memoryFormat });
    return value;
  }

  /** @internal What every operator method does. */
  [APPLY](operator: Operator, args: readonly unknown[], layer?: string): Value | Record<string, Value> {
    const count = operator.variadic ? 1 : operator.inputs.length;
    const given = operator.variadic ? args[0] : args.slice(0, count);
    if (!Array.isArray(given))
      throw new TypeError(`"${operator.inputs[0]}" expected an array of values, got ${show(given)}`);
    const inputs = given.map((value, i) => this.#nameOf(operator.inputs[i] ?? `${operator.inputs[0]}[${i}]`, value));
    const params = operator.params.map((param, i) => {
      const value = args[count + i];
      return value === undefined || value === null ? null : this.#nameOf(param, value);
    });
    const { extras, options } = splitExtras(operator, args[count + operator.params.length] ?? {});
    inputs.push(...extras.map(([extra, value]) => this.#nameOf(extra, value)));
    const name = layer ?? this.#freeName(operator.name);
    requireName(name);
    if (this.#layers.has(name)) throw new ModelError(`"layer" expected a name not used before, got ${show(name)}`);
    const answers = outputNames(operator, options);
    const outputs = answers?.map((output) => `${name}:${output}`) ?? [name];
    const values = outputs.map((output) => this.#define(output));
    this.#layers.add(name);
    this.nodes.push({
      name,
      op: operator.name as OperatorName,
      inputs,
      params,
      options: { ...options },
      outputs,
    });
    if (answers === undefined) return values[0] as Value;
    return Object.fromEntries(answers.map((output, i) => [output, values[i] as Value]));
  }

  #define(name: string): Value {
    requireName(name);
    if (this.#values.has(name)) throw new ModelError(`"name" expected one not used before, got ${show(name)}`);
    const value = new Value(this, name);
    this.#values.set(name, value);
    return value;
  }

  #nameOf(operand: string, value: unknown): string {
    if (typeof value === "string") return this.parameter(value).name;
    if (value instanceof Value && value[GRAPH] === this) return value.name;
    const got = value instanceof Value ? "another graph's" : show(value);
    throw new TypeError(`"${operand}" expected a value of this graph or a parameter's name, got ${got}`);
  }

  #freeName(op: string): string {
    let name: string;
    do {
      const count = (this.#counts.get(op) ?? 0) + 1;
      this.#counts.set(op, count);
      name = `${op}${count}`;
    } while (this.#values.has(name) || this.#layers.has(name));
    return name;
  }
}

/** Makes the operators methods: for the first graph, since bundlers keep what modules do, and leave out classes that nobody uses. */
function addOperators(): void {
  if (Object.hasOwn(Graph.prototype, "conv2d")) return;
  addMethods(Graph.prototype, (graph, operator, args) => graph[APPLY](operator, args));
  addMethods(Layer.prototype, ({ graph, name }, operator, args) => graph[APPLY](operator, args, name));
}

/** The options of an operator and the names of its parameters. */
type RowOf<O> =
  O extends TypedOperator<string, infer Param, infer Optional, string, infer Options>
    ? {
        /** Names of the parameters it has; default: all that the operator takes. */
        readonly params?: readonly (Param | Optional)[];
      } & Options
    : never;

/** One row of sequential(): the operator, its options, and which of its parameters it has (default: all). */
export type SequentialLayer = {
  [K in OperatorName]: {
    /** Which operator: of one input and one output. */
    readonly op: K;
    /** The layer's name; needed where it has parameters; default "<op><number>". */
    readonly name?: string;
  } & RowOf<(typeof OPERATORS)[K]>;
}[OperatorName];

/**
 * A graph of layers one after the other. A layer's parameters are "<layer name>.<parameter>", as training tools name them:
 *
 *     sequential({ image: [1, 1, 28, 28] }, [
 *       { op: "conv2d", name: "conv1", padding: 2, activation: "relu" },   // conv1.weight, conv1.bias
 *       { op: "conv2d", name: "conv2", params: ["weight"] },                // no bias
 *     ]);
 *
 * The output's name is "output".
 *
 * @throws TypeError where `input` has not exactly one name, an operator has several inputs or outputs, or a layer with
 *   parameters has no name; RangeError for an operator or parameter that is not known; ModelError for a name used twice.
 */
export function sequential(input: Readonly<Record<string, Shape>>, layers: readonly SequentialLayer[]): Graph {
  if (typeof input !== "object" || input === null) {
    throw new TypeError(`"input" expected one name with its shape, got ${show(input)}`);
  }
  if (!Array.isArray(layers)) throw new TypeError(`"layers" expected an array of layers, got ${show(layers)}`);
  const entries = Object.entries(input);
  const [first] = entries;
  if (first === undefined || entries.length !== 1) {
    throw new TypeError(`"input" expected one name with its shape, got ${entries.length} names`);
  }
  const graph = new Graph();
  let value = graph.input(...first);
  for (const { op, name, params, ...options } of layers) {
    const operator: Operator = OPERATORS[oneOf("op", op, Object.keys(OPERATORS) as OperatorName[])];
    if (operator.inputs.length !== 1 || operator.variadic || operator.outputs !== undefined) {
      throw new TypeError(`"op" expected an operator of one input and one output, got ${operator.name}`);
    }
    const wanted = params ?? operator.params;
    for (const param of wanted) oneOf("params", param, operator.params);
    if (wanted.length > 0 && name === undefined)
      throw new TypeError(`"name" expected the name of a layer that has parameters, got undefined`);
    const operands = operator.params.map((param) => (wanted.includes(param) ? `${name}.${param}` : null));
    value = graph[APPLY](operator, [value, ...operands, options], name) as Value;
  }
  graph.output("output", value);
  return graph;
}

function requireName(name: unknown): void {
  if (typeof name !== "string" || name === "") throw new TypeError(`"name" expected a name, got ${show(name)}`);
}
