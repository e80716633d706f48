// What inputs decide: sizes of outputs, amounts of padding, which branch is taken. Such values are known when a run brings its inputs,
// so that they are planned for as shapes are: everything that follows stays on kernels. A chunk of its own: only a file with a small
// input asks for it.
import { countOf } from "../base/shape.js";
import { DTYPES, type DType, type Elements, heldAs } from "../base/spec.js";
import { STORED } from "./draft.js";
import type { Budget } from "./file/budget.js";
import type { Checked, Declared } from "./file/check.js";
import type { ElementType } from "./file/element-type.js";
import { hasGraphs, isIf, isStandard, opsetOf } from "./file/node.js";
import type { PlainTensor } from "./file/plain-tensor.js";
import type { NodeProto } from "./file/proto.js";
import { isSmall, MOST_DECIDING } from "./input-shapes.js";
import type { Operators } from "./operators.js";
import { steering } from "./steering.js";

/**
 * What a value follows from: constants and shapes of inputs; small inputs, too; shapes that planning works out; small inputs and
 * such shapes; data, so that nothing is known before a run.
 */
type Source = "constant" | "inputs" | "shapes" | "both" | "data";

/** A graph's values as its nodes see them, those of graphs around it among them. */
class Scope {
  readonly #producers: ReadonlyMap<string, NodeProto>;
  readonly #sources = new Map<string, Source>();
  readonly #outer: Scope | undefined;
  readonly #inputs: ReadonlySet<string>;
  readonly #steerers: ReadonlySet<string>;

  constructor(nodes: readonly NodeProto[], inputs: readonly Declared[], outer?: Scope) {
    this.#producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
    this.#inputs = new Set(inputs.map(({ name }) => name));
    this.#steerers = new Set(inputs.filter(isSmall).map(({ name }) => name));
    this.#outer = outer;
  }

  producer(name: string): NodeProto | undefined {
    return this.#producers.get(name);
  }

  /** The scope that has a name. */
  of(name: string): Scope {
    return this.#outer && !this.#producers.has(name) ? this.#outer.of(name) : this;
  }

  source(name: string): Source {
    const home = this.of(name);
    if (home !== this) return home.source(name);
    const known = this.#sources.get(name);
    if (known !== undefined) return known;
    this.#sources.set(name, "data"); // of a name that is asked for on the way to itself; files in order have none
    const found = this.#find(name);
    this.#sources.set(name, found);
    return found;
  }

  #find(name: string): Source {
    const node = this.#producers.get(name);
    if (node === undefined) return this.#steerers.has(name) ? "inputs" : this.#inputs.has(name) ? "data" : "constant";
    if (isStandard(node) && (node.opType === "Shape" || node.opType === "Size")) {
      const [of = ""] = node.inputs;
      return this.of(of).#inputs.has(of) ? "constant" : "shapes";
    }
    if (hasGraphs(node)) return "data";
    const sources = new Set(node.inputs.filter((input) => input !== "").map((input) => this.source(input)));
    if (sources.has("data")) return "data";
    const [hasInputs, hasShapes] = [sources.has("inputs"), sources.has("shapes")];
    if (sources.has("both") || (hasInputs && hasShapes)) return "both";
    return hasInputs ? "inputs" : hasShapes ? "shapes" : "constant";
  }
}

/** A tensor, or data and shape. */
interface Brought {
  readonly shape: readonly number[];
  readonly data: Elements;
  readonly dtype?: DType;
}

/** What a run brings for an input; a large one, and what is no such input, as its shape alone. */
function plainOf({ shape, data, dtype }: Brought, type: ElementType): PlainTensor {
  const wanted = STORED[type];
  const count = countOf(shape);
  const isRead = shape.length <= 2 && count <= MOST_DECIDING && data?.length === count && (dtype ?? wanted) === wanted;
  const own = new DTYPES[wanted](isRead ? count : 0);
  if (isRead) own.set(heldAs(wanted, data) as never);
  return { type, shape, data: own };
}

export class Deciding {
  /** Values of the graph itself that something follows from. */
  readonly #names = new Set<string>();
  /** The nodes that compute them, in order. */
  readonly #nodes: readonly NodeProto[];

  private constructor({ nodes, inputs }: Checked) {
    const scope = new Scope(nodes, inputs);
    this.#look(nodes, scope, scope);
    const needed = new Set(this.#names);
    this.#nodes = [...nodes]
      .reverse()
      .filter((node) => {
        if (!node.outputs.some((name) => needed.has(name))) return false;
        for (const name of node.inputs) needed.add(name);
        return true;
      })
      .reverse();
  }

  /** Undefined where inputs decide nothing. */
  static of(checked: Checked): Deciding | undefined {
    const deciding = new Deciding(checked);
    return deciding.#names.size > 0 ? deciding : undefined;
  }

  #look(nodes: readonly NodeProto[], scope: Scope, outermost: Scope): void {
    for (const node of nodes) {
      for (const name of steering(node)) this.#collect(name, scope, outermost);
      if (!isIf(node)) continue; // bodies of loops are not planned
      for (const { g } of node.attributes) if (g) this.#look(g.nodes, new Scope(g.nodes, [], scope), outermost);
    }
  }

  /** What of a value's making follows from inputs alone, as late as possible: a condition has two values, what it compares many. */
  #collect(name: string, scope: Scope, outermost: Scope): void {
    const source = name === "" ? "constant" : scope.source(name);
    if (source !== "inputs" && source !== "both") return;
    const home = scope.of(name);
    if (source === "inputs" && home === outermost) this.#names.add(name);
    else for (const input of home.producer(name)?.inputs ?? []) this.#collect(input, home, outermost);
  }

  /**
   * The values that inputs decide, those that are small: what a plan is for, beside its shapes. Throws TypeError and RangeError for
   * data that an input does not hold.
   */
  values(
    { initializers, opsets, inputs: declared }: Checked,
    brought: (name: string) => Brought,
    operators: Operators,
    budget: Budget,
  ): ReadonlyMap<string, PlainTensor> {
    const inputs = new Map(declared.map(({ name, type }) => [name, plainOf(brought(name), type)]));
    const fits = ({ shape, data }: PlainTensor): boolean =>
      data.length === countOf(shape) && data.length <= MOST_DECIDING;
    const values = new Map<string, PlainTensor>();
    const known = (name: string) => values.get(name) ?? initializers.get(name);
    for (const [name, input] of inputs) if (fits(input)) values.set(name, input);
    for (const node of this.#nodes) {
      const isShape = node.opType === "Shape" || node.opType === "Size";
      const given = node.inputs.map((name) => (isShape ? inputs.get(name) : known(name)));
      if (given.some((value, i) => value === undefined && node.inputs[i] !== "")) continue;
      try {
        const answers = budget.trying(() => operators.evaluate(node, opsetOf(opsets, node), given, budget));
        answers.forEach((answer, i) => {
          values.set(node.outputs[i] as string, answer);
        });
      } catch {
        // Planning meets the same, and says it of the node.
      }
    }
    const decided = [...this.#names].flatMap((name) => {
      const value = values.get(name);
      return value && fits(value) ? [[name, value] as const] : [];
    });
    return new Map(decided);
  }
}
