// An ONNX graph for given input shapes: constants folded, shapes worked out, every node a layer of kernels, a step in
// JavaScript, or, where even its shape depends on what is computed, left for after the run ("late"). Pure.
import { ModelError, show, UnsupportedError } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import type { MemoryFormat, TensorSpec } from "../base/spec.js";
import type { GraphOutput } from "../model/graph.js";
import type { GraphLayers } from "../model/layers.js";
import type { WeightMap } from "../model/weights.js";
import { Draft, type Dynamic, STORED } from "./draft.js";
import { NotLoaded } from "./families/table.js";
import type { Budget } from "./file/budget.js";
import type { Checked } from "./file/check.js";
import type { ElementType } from "./file/element-type.js";
import { atNode, isHeavy, isIf, isStandard, mayWait, nodeName, operatorName, opsetOf } from "./file/node.js";
import { readsOf, sorted } from "./file/order.js";
import { materialised, type PlainTensor } from "./file/plain-tensor.js";
import type { NodeProto, TensorProto } from "./file/proto.js";
import { readTensorProto } from "./file/tensor.js";
import { Context } from "./host/context.js";
import { make } from "./host/make.js";
import { hostStep } from "./host-step.js";
import type { Behind, Site } from "./lower/site.js";
import { Memo } from "./memo.js";
import { named, type Operators, type Parts } from "./operators.js";
import { Pointwise } from "./rewrite/pointwise.js";
import { shapeInputsOf } from "./steering.js";

/** How one output of the model comes about. */
export type Result =
  | { readonly name: string; readonly from: "model"; readonly type: ElementType }
  | { readonly name: string; readonly from: "constant"; readonly tensor: PlainTensor }
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
  readonly constants: ReadonlyMap<string, PlainTensor>;
}

/** A branch that is known, with shapes that are not: the whole of it is for after the run. */
class LateBranch extends UnsupportedError {
  constructor() {
    super(`"branch" expected shapes that are known before a run, got some that are computed`);
  }
}

export type Known = PlainTensor | Dynamic | "late";

/** How often a value is read, by its name. */
type Reads = ReadonlyMap<string, number>;

/** Where a value comes from, with the reads of the nodes it stands among: a file's, or those that are in a node's place. */
interface Origin {
  readonly site: Site;
  readonly output: number;
  readonly reads: Reads;
}

/** The same as lowerings ask for it. */
function told({ site, output, reads }: Origin): Behind {
  const name = site.c.node.outputs[output] as string;
  return { site, output, isReadOnce: reads.get(name) === 1 };
}

function counted(names: readonly string[]): Reads {
  const reads = new Map<string, number>();
  for (const name of names) reads.set(name, (reads.get(name) ?? 0) + 1);
  return reads;
}

const NOTHING: ReadonlyMap<string, PlainTensor> = new Map();

/**
 * Compiles for inputs of these shapes, and for values that inputs decide; optimised, or as the file stands. memo: of other shapes
 * before. Throws NotLoaded; ModelError, ShapeError and UnsupportedError with the node's name in front.
 */
export function compile(
  model: Checked,
  shapes: ReadonlyMap<string, readonly number[]>,
  operators: Operators,
  budget: Budget,
  isOptimised = true,
  memo = new Memo(),
  decided: ReadonlyMap<string, PlainTensor> = NOTHING,
): Compiled {
  return new Compiler(model, operators, budget, isOptimised, memo, decided).compile(shapes);
}

class Compiler {
  readonly #model: Checked;
  readonly #operators: Operators;
  readonly #budget: Budget;
  readonly #memo: Memo;
  readonly #decided: ReadonlyMap<string, PlainTensor>;
  readonly #draft: Draft;
  readonly #pointwise: Pointwise | undefined;
  readonly #isOptimised: boolean;
  #values: Map<string, Known>;
  readonly #constants = new Map<string, PlainTensor>();
  readonly #late: NodeProto[] = [];
  readonly #behind = new Map<Known, Origin>();
  /** Of a value whose node is one of those in another node's place, that other node. */
  readonly #formed = new Map<Known, Origin>();
  #reads: Reads;
  readonly #floats = (operator: string) => this.#operators.lowering(operator, true);

  constructor(
    model: Checked,
    operators: Operators,
    budget: Budget,
    isOptimised: boolean,
    memo: Memo,
    decided: ReadonlyMap<string, PlainTensor>,
  ) {
    this.#model = model;
    this.#decided = decided;
    this.#operators = operators;
    this.#budget = budget;
    this.#memo = memo;
    this.#draft = new Draft();
    this.#isOptimised = isOptimised;
    this.#pointwise = isOptimised ? new Pointwise(model, operators, budget, memo) : undefined;
    this.#values = new Map<string, Known>(model.initializers);
    this.#reads = counted([...model.nodes.flatMap(readsOf), ...model.outputs]);
  }

  compile(shapes: ReadonlyMap<string, readonly number[]>): Compiled {
    for (const { name, type } of this.#model.inputs) {
      const shape = shapes.get(name) as readonly number[];
      if (countOf(shape) === 0) {
        const empty = make({ budget: this.#budget }, type, shape);
        this.#values.set(name, empty);
        this.#constants.set(name, empty);
      } else this.#values.set(name, this.#draft.input(name, type, shape, formatOf(this.#model, name, shape)));
    }
    for (const [name, value] of this.#decided) if (this.#values.has(name)) this.#values.set(name, value);
    this.#add(this.#model.nodes, false);
    const outputs: GraphOutput[] = [];
    const results = this.#model.outputs.map((name): Result => {
      const value = this.#values.get(name) as Known;
      if (value === "late") return { name, from: "late" };
      if ("data" in value) return { name, from: "constant", tensor: shown(name, value) };
      return { name, from: "model", type: this.#expose(name, outputs).type };
    });
    const late = this.#readLate(results);
    if (late.some(isHeavy)) this.#operators.requireStages();
    const taps = this.#tapLate(late, outputs);
    const { weights, specs } = this.#draft;
    const graph = this.#draft.graph(outputs);
    return { graph, weights, specs, results, late, taps, constants: this.#constants };
  }

  /** Gives every output of these nodes a value. */
  #add(nodes: readonly NodeProto[], isBranch: boolean): void {
    for (const node of nodes) {
      if (node.outputs.every((name) => name === "" || this.#decided.has(name))) {
        for (const name of node.outputs)
          if (name !== "") this.#values.set(name, this.#decided.get(name) as PlainTensor);
        continue;
      }
      const answers = atNode(node, () => (isIf(node) ? this.#branch(node) : this.#answersOf(node, isBranch)));
      if (answers === "late") {
        if (isBranch) throw new LateBranch();
        this.#operators.requireHost(node);
        this.#late.push(node);
      }
      node.outputs.forEach((name, i) => {
        if (name === "") return;
        const answer = this.#decided.get(name) ?? (answers === "late" ? "late" : answers[i]);
        if (answer === undefined) {
          const message = `"outputs" expected at most ${answers.length}, got ${node.outputs.length}`;
          throw new ModelError(`node ${show(nodeName(node))} (${node.opType}): ${message}`);
        }
        this.#values.set(name, answer);
        if (answer !== "late" && !("data" in answer))
          atNode(node, () => this.#budget.bytesOf(answer.type, answer.shape));
      });
    }
  }

  /** The outputs of the branch that is taken; its nodes read what comes before them outside, too. Its names end with it. */
  #branch(node: NodeProto): readonly Known[] | "late" {
    const values = this.#values;
    const condition = values.get(node.inputs[0] as string);
    if (condition === undefined) throw new ModelError(`"cond" expected an input, got none`);
    if (condition === "late" || !("data" in condition)) return "late";
    const name = condition.data[0] ? "then_branch" : "else_branch";
    const graph = node.attributes.find((attribute) => attribute.name === name)?.g;
    if (!graph) throw new ModelError(`"${name}" expected a graph, got none`);
    for (const proto of graph.initializers) {
      if (values.has(proto.name))
        throw new ModelError(`"initializer" expected a new name, got ${show(proto.name)} again`);
      const read = () => readTensorProto(proto as TensorProto, this.#budget);
      values.set(proto.name, this.#memo.of(proto, "", [], read));
    }
    const nodes = sorted(graph, values);
    try {
      this.#add(nodes, true);
      const answers = graph.outputs.map((output) => values.get(output.name) as Known);
      return answers.includes("late") ? "late" : answers;
    } catch (error) {
      if (!(error instanceof LateBranch)) throw error;
      return "late";
    } finally {
      for (const own of graph.initializers) values.delete(own.name);
      for (const own of nodes.flatMap(({ outputs }) => outputs)) values.delete(own);
    }
  }

  /** The values of a node's outputs: folded, as layers, in JavaScript, or late. */
  #answersOf(node: NodeProto, isBranch: boolean): readonly Known[] | "late" {
    const inputs = readsOf(node).map((name) => (name === "" ? undefined : this.#values.get(name)));
    if (inputs.includes("late")) return "late";
    const site = this.#siteOf(node, inputs as Site["inputs"]);
    const answers = this.#answersAt(site, isBranch);
    // What is answered as it came was made elsewhere.
    if (answers !== "late")
      answers.forEach((answer, i) => {
        const known = this.#behind.get(answer);
        const origin = { site, output: i, reads: this.#reads };
        if (!known) this.#behind.set(answer, origin);
        else if (known.site.c.node.part && known.site.layer === site.layer && !this.#formed.has(answer))
          this.#formed.set(answer, origin);
      });
    return answers;
  }

  #siteOf(node: NodeProto, inputs: Site["inputs"]): Site {
    const opset = opsetOf(this.#model.opsets, node);
    return {
      c: new Context(node, opset, this.#budget),
      budget: this.#budget,
      memo: this.#memo,
      draft: this.#draft,
      layer: nodeName(node),
      inputs,
      lowering: this.#floats,
      behind: (value) => {
        const [found, formed] = [this.#behind.get(value), this.#formed.get(value)];
        return found && { ...told(found), whole: formed && told(formed) };
      },
      evaluate: (given) => this.#operators.evaluate(node, opset, given, this.#budget),
    };
  }

  #answersAt(site: Site, isBranch: boolean): readonly Known[] | "late" {
    const { c, draft, layer, inputs: known } = site;
    const { node, opset } = c;
    const isGiven = (value: Site["inputs"][number]): value is PlainTensor | undefined =>
      value === undefined || "data" in value;
    const fold = (given: readonly (PlainTensor | undefined)[]) =>
      this.#memo.tensors(node, "", given, this.#budget, (budget) =>
        this.#operators.evaluate(node, opset, given, budget),
      );
    if (known.every(isGiven)) return fold(known);
    if (mayWait(node)) return "late";
    const parts = this.#operators.parts(node);
    if (parts) return this.#composed(parts(c, known), known);
    if (isStandard(node) && (node.opType === "Shape" || node.opType === "Size")) {
      return fold([shell(known[0] as Dynamic)]);
    }
    const shapeInputs = shapeInputsOf(node);
    if (shapeInputs.some((i) => !isGiven(known[i]))) return "late";

    const replaced =
      isStandard(node) && !isBranch ? this.#pointwise?.replace(node, opset, draft, layer, known) : undefined;
    if (replaced) return [replaced];
    // Of what only says how to do it, an empty list is one that is left out.
    const isEmpty = known.some((value, i) => !shapeInputs.includes(i) && value?.shape.includes(0));
    const layers = isEmpty ? undefined : this.#layersOf(site);
    if (layers) return layers;
    const made = isEmpty ? undefined : this.#operators.form(node)?.(c, known);
    return made ? this.#composed(made, known) : hostStep(c, this.#operators, draft, layer, known);
  }

  /** The outputs of an operator that is made of others, whose values have names of their own. */
  #composed(
    { constants, nodes, outputs }: ReturnType<Parts>,
    known: readonly (PlainTensor | Dynamic | undefined)[],
  ): readonly Known[] {
    const [outer, reads] = [this.#values, this.#reads];
    const values = named<Known>(constants, known);
    this.#values = values;
    // Outputs count twice: who else reads them is not known here.
    this.#reads = counted([...nodes.flatMap(readsOf), ...outputs, ...outputs]);
    try {
      this.#add(nodes, true);
      return outputs.map((name) => values.get(name) as Known);
    } finally {
      this.#values = outer;
      this.#reads = reads;
    }
  }

  /** What a node's lowering answers, where it has one and that does what the node asks. */
  #layersOf(site: Site): readonly Dynamic[] | undefined {
    const isFloat = site.inputs.every(
      (value) => value === undefined || "data" in value || STORED[value.type] === "float32",
    );
    const operator = operatorName(site.c.node);
    const whole = this.#isOptimised ? tried(() => this.#operators.whole(operator)?.(site)) : undefined;
    if (typeof whole === "object") return whole;
    const mark = this.#draft.nodes.length;
    const layers = tried(() => this.#operators.lowering(operator, isFloat)?.(site));
    if (!layers) this.#draft.rewind(mark);
    else if (whole) this.#draft.note(mark, whole);
    return layers;
  }

  /** Makes a value an output of the model. */
  #expose(name: string, outputs: GraphOutput[]): Dynamic {
    const value = this.#values.get(name) as Dynamic;
    const isInput = this.#draft.inputs.some((input) => input.name === value.name);
    // A model's outputs are what layers compute.
    const from = isInput
      ? (this.#draft.add(`${name}:copy`, "toMemoryFormat", [value], [], { memoryFormat: "contiguous" })[0] as Dynamic)
      : value;
    if (!outputs.some((output) => output.name === name))
      outputs.push({ name, value: from.name, memoryFormat: "contiguous" });
    return value;
  }

  /** The late nodes that an output needs. */
  #readLate(results: readonly Result[]): readonly NodeProto[] {
    const needed = new Set(results.filter(({ from }) => from === "late").map(({ name }) => name));
    const late = this.#late.reverse().filter((node) => {
      const isNeeded = node.outputs.some((name) => needed.has(name));
      if (isNeeded) for (const name of readsOf(node)) needed.add(name);
      return isNeeded;
    });
    return late.reverse();
  }

  /** The values of the model that late nodes read, which become outputs of it; constants among them are kept. */
  #tapLate(late: readonly NodeProto[], outputs: GraphOutput[]): Compiled["taps"] {
    const taps: { name: string; type: ElementType; output: string }[] = [];
    for (const name of late.flatMap(readsOf)) {
      const value = this.#values.get(name);
      if (value === undefined || value === "late" || taps.some((tap) => tap.name === name)) continue;
      if ("data" in value) {
        this.#constants.set(name, materialised(value));
        continue;
      }
      const isInput = this.#model.inputs.some((input) => input.name === name);
      if (isInput) taps.push({ name, type: value.type, output: "" });
      else taps.push({ name, type: this.#expose(name, outputs).type, output: name });
    }
    return taps;
  }
}

/** Undefined where it throws: what a node says is wrong stays wrong; what a kernel does not do, the host operator may. */
function tried<T>(lower: () => T): T | undefined {
  try {
    return lower();
  } catch (error) {
    if (error instanceof ModelError || error instanceof NotLoaded) throw error;
    return undefined;
  }
}

/** What reads pixels, by the names of operators. */
const PIXELS = /Conv|Pool|Norm|LRN|Resize|Upsample|Depth|Grid|Roi/;

/**
 * An image whose first layer wants it channels-last lies so, unless the first layer is the change to it, or its shape says that
 * [1, H, W, C] is its logical order, and the change comes later.
 */
function formatOf(model: Checked, name: string, shape: readonly number[]): MemoryFormat | undefined {
  const [, height = 0, width = 0, channels] = shape;
  if (shape.length !== 4) return undefined;
  if (!model.nodes.some((node) => PIXELS.test(node.opType))) return "contiguous";
  const readers = model.nodes.filter((node) => node.inputs.includes(name));
  const turns = readers.some(
    (node) => node.opType === "Transpose" || node.opType === "Reshape" || node.opType === "Flatten",
  );
  return turns || ((channels as number) < 5 && height > 4 && width > 4) ? "contiguous" : undefined;
}

/** A constant as an output. Throws UnsupportedError for one of more axes than tensors have. */
function shown(name: string, value: PlainTensor): PlainTensor {
  if (value.shape.length > 8)
    throw new UnsupportedError(`${show(name)} expected rank 0 to 8, got rank ${value.shape.length}`);
  return materialised(value);
}

/** A tensor of the value's shape without elements to speak of. */
function shell({ type, shape }: Dynamic): PlainTensor {
  return { type, shape, data: new Float32Array() };
}
