// The operators that there are for one file: what is always there, and the families that were loaded.
import { ModelError, show, UnsupportedError } from "../base/errors.js";
import type { PackName } from "../kernels/table.js";
import type { Pass } from "../model/optimize.js";
import type { Rule } from "../model/rewrite.js";
import type { WeightMap } from "../model/weights.js";
import type { QuantizedWeights } from "../ops/operator.js";
import type { Deciding } from "./deciding.js";
import * as base from "./families/base.js";
import { FAMILIES, FAMILY_OF, type FamilyName, type FamilyRow, NotLoaded, type Role } from "./families/table.js";
import type { Budget } from "./file/budget.js";
import type { ElementType } from "./file/element-type.js";
import { mayWait, operatorName } from "./file/node.js";
import { materialised, type PlainTensor } from "./file/plain-tensor.js";
import type { ModelProto, NodeProto } from "./file/proto.js";
import { Context, type HostOp } from "./host/context.js";
import type { NodeLowering, WholeLowering } from "./lower/site.js";
import type { Stages } from "./stages.js";

/** float16 as Cast says it. */
const FLOAT16 = 10n;

/** What is known of an input: all of a constant, type and shape of what is computed. */
export interface Part {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/**
 * What an operator computes for such inputs, as nodes of the standard's, so that kernels, folding and rewriting meet what they know.
 * Its inputs are called "0", "1", and so on there.
 */
export type Parts = (
  c: Context,
  inputs: readonly (Part | undefined)[],
) => {
  readonly nodes: readonly NodeProto[];
  readonly constants: ReadonlyMap<string, PlainTensor>;
  /** Names, "" for one that is left out. */
  readonly outputs: readonly string[];
};

/** The same for a form of an operator that no layer does as it stands; undefined where JavaScript is to do it. */
export type Form = (...given: Parameters<Parts>) => ReturnType<Parts> | undefined;

/** What a module of families/ exports. */
export interface Family {
  readonly HOST?: Readonly<Record<string, HostOp>>;
  readonly FLOATS?: Readonly<Record<string, NodeLowering>>;
  readonly OTHERS?: Readonly<Record<string, NodeLowering>>;
  readonly WHOLE?: Readonly<Record<string, WholeLowering>>;
  readonly PARTS?: Readonly<Record<string, Parts>>;
  readonly FORMS?: Readonly<Record<string, Form>>;
  /** Rewrites of what its layers are spelled out with, for a graph with these constants. */
  readonly RULES?: (weights: WeightMap) => readonly Rule[];
  /** Rewrites around constants and padding, for a graph with these constants; those of what moves elements; of attention. */
  readonly FOLDS?: NonNullable<Family["RULES"]>;
  readonly MOVES?: readonly Pass[];
  readonly JOIN?: (weights: WeightMap) => Pass;
  /** What goes on after data has decided shapes, and what small inputs decide. */
  readonly STAGES?: typeof Stages;
  readonly DECIDING?: typeof Deciding;
  /** What computes layers of float32 on weights of fewer bits. */
  readonly WEIGHTS?: QuantizedWeights;
  /** The file with nodes that stand for functions of its own as the nodes of these. */
  readonly INLINED?: (model: ModelProto) => ModelProto;
}

export type Loaders = Readonly<Record<FamilyName, () => Promise<Family>>>;

export class Operators {
  readonly #loaders: Loaders;
  readonly #loadPacks: (packs: Iterable<PackName>) => Promise<void>;
  readonly #host = new Map<string, HostOp>();
  readonly #floats = new Map<string, NodeLowering>();
  readonly #others = new Map<string, NodeLowering>();
  readonly #whole = new Map<string, WholeLowering>();
  readonly #parts = new Map<string, Parts>();
  readonly #forms = new Map<string, Form>();
  readonly #loaded = new Map<FamilyName, Family>();
  /** Nothing more is loaded. */
  #isComplete = false;

  /** loadPacks: loads kernels for layers of a family, beside its code. */
  constructor(loaders: Loaders, loadPacks: (packs: Iterable<PackName>) => Promise<void>) {
    this.#loaders = loaders;
    this.#loadPacks = loadPacks;
    this.#add(base);
  }

  /** Plans what waits for data, where it is loaded. */
  get stages(): typeof Stages | undefined {
    return this.#loaded.get("late-stages")?.STAGES;
  }

  /** Throws NotLoaded. */
  requireStages(): void {
    if (!this.#isComplete) this.family("late-stages");
  }

  /** What a family exports. Throws NotLoaded. */
  family(name: FamilyName): Family {
    const family = this.#loaded.get(name);
    if (!family) throw new NotLoaded(name);
    return family;
  }

  /** Loads families that are not there yet, with the kernels that their layers need. */
  async load(families: Iterable<FamilyName>): Promise<void> {
    const missing = [...families].filter((family) => !this.#loaded.has(family));
    const rows = missing.map((family): FamilyRow => FAMILIES[family]);
    await Promise.all([
      this.#loadPacks(new Set(rows.flatMap(({ pack }) => pack ?? []))),
      ...missing.map(async (family) => {
        const loaded = await this.#loaders[family]();
        this.#add(loaded);
        this.#loaded.set(family, loaded);
      }),
    ]);
  }

  /** Loads what operators need that are not there at all; what else a node needs, compiling it tells (NotLoaded). */
  async loadFor(nodes: Iterable<NodeProto>): Promise<void> {
    const families = new Set<FamilyName | undefined>();
    for (const operator of usesOf(nodes)) {
      families.add(FAMILY_OF.GRAPHS.get(operator));
      const whole = FAMILY_OF.WHOLE.get(operator);
      if (whole) {
        families.add(whole).add(FAMILY_OF.HOST.get(operator)); // of constants beside it, as a rule
        continue;
      }
      // Which branch it is, is known before a run, as a rule.
      if (operator === "If" || this.#floats.has(operator) || this.#others.has(operator)) continue;
      const [floats, others] = [FAMILY_OF.FLOATS.get(operator), FAMILY_OF.OTHERS.get(operator)];
      // Shapes are computed with comparisons and choices, which are constants, as a rule.
      families.add(floats).add(this.#host.has(operator) ? undefined : others);
      if (floats || others) continue;
      families.add(FAMILY_OF.FORMS.get(operator) ?? FAMILY_OF.HOST.get(operator)).add(FAMILY_OF.PARTS.get(operator));
    }
    await this.load(known(families));
  }

  /**
   * Loads all that nodes may come to need, for shapes that only a run brings: it waits for nothing. isFloat: inputs are float32.
   * Layers of other types are left out then, where float32 has its own; should there be such a value after all, JavaScript
   * computes it.
   */
  async loadAll(nodes: readonly NodeProto[], isFloat: boolean): Promise<void> {
    await this.loadFor(nodes);
    const own = [...usesOf(nodes)];
    const inner = new Set(own.flatMap((operator) => (operator === "Cast" ? [] : usedBy(operator))));
    const layers: (FamilyName | undefined)[] = ["graph-folds", "graph-moves"];
    for (const operator of inner)
      layers.push(
        ...[FAMILY_OF.FLOATS, FAMILY_OF.OTHERS, FAMILY_OF.WHOLE, FAMILY_OF.GRAPHS].map((families) =>
          families.get(operator),
        ),
      );
    // Casts of a run are few: those that layers leave, JavaScript does.
    const formed = [...own, ...inner].filter((operator) => operator !== "Cast");
    layers.push(...formed.map((operator) => FAMILY_OF.FORMS.get(operator)));
    await this.load(known(new Set(layers)));
    const hasOthers = [...this.#loaded.keys()].some((family) => "OTHERS" in FAMILIES[family]);
    const families = new Set<FamilyName | undefined>(nodes.some(mayWait) ? ["late-stages"] : []);
    for (const operator of [...own, ...inner]) {
      families.add(FAMILY_OF.HOST.get(operator));
      const isElsewhere = this.#floats.has(operator) || FAMILY_OF.FLOATS.has(operator);
      if (!isFloat || hasOthers || !isElsewhere) families.add(FAMILY_OF.OTHERS.get(operator));
    }
    await this.load(known(families));
    this.#isComplete = true;
  }

  /** How an operator becomes layers, if it may. isFloat: all that varies is float32. Throws NotLoaded. */
  lowering(operator: string, isFloat: boolean): NodeLowering | undefined {
    return (
      (isFloat ? this.#find("FLOATS", this.#floats, operator) : undefined) ??
      this.#find("OTHERS", this.#others, operator)
    );
  }

  /** How an operator becomes layers of whole numbers, if it may. Throws NotLoaded. */
  whole(operator: string): WholeLowering | undefined {
    return this.#find("WHOLE", this.#whole, operator);
  }

  /** What an operator is made of, where it is made of others. Throws NotLoaded. */
  parts(node: NodeProto): Parts | undefined {
    return this.#find("PARTS", this.#parts, operatorName(node));
  }

  /** What a form of an operator that no layer does is made of. Throws NotLoaded. */
  form(node: NodeProto): Form | undefined {
    return this.#find("FORMS", this.#forms, operatorName(node));
  }

  /** The operator in JavaScript. Throws NotLoaded, and ModelError where there is none. */
  host(node: NodeProto): HostOp {
    const op = this.#find("HOST", this.#host, operatorName(node));
    if (op === undefined) throw new ModelError(`"opType" expected a known operator, got ${show(node.opType)}`);
    return op;
  }

  /** Throws NotLoaded where a node cannot be computed in JavaScript yet, all that is in it included. */
  requireHost(node: NodeProto): void {
    if (this.parts(node)) for (const used of usedBy(operatorName(node))) this.#find("HOST", this.#host, used);
    else this.host(node);
    for (const { g } of node.attributes)
      g?.nodes.forEach((inner) => {
        this.requireHost(inner);
      });
  }

  /**
   * Computes a node. Throws NotLoaded, ModelError and UnsupportedError; so does an element type that the operator cannot compute
   * with.
   */
  evaluate(
    node: NodeProto,
    opset: number,
    inputs: readonly (PlainTensor | undefined)[],
    budget: Budget,
  ): PlainTensor[] {
    const context = new Context(node, opset, budget, (inner, version, given) =>
      this.evaluate(inner, version, given, budget),
    );
    const parts = this.parts(node);
    if (parts) {
      const { constants, nodes, outputs } = parts(context, inputs);
      const values = named(constants, inputs);
      for (const part of nodes) {
        const given = part.inputs.map((name) => values.get(name));
        this.evaluate(part, part.opset as number, given, budget).forEach((answer, i) => {
          if (part.outputs[i] !== undefined) values.set(part.outputs[i], answer);
        });
      }
      return outputs.map((name) => values.get(name) as PlainTensor);
    }
    const op = this.host(node);
    try {
      const answer = op(context, ...inputs.map((input) => input && materialised(input)));
      return Array.isArray(answer) ? answer : [answer];
    } catch (error) {
      if (error instanceof ModelError || error instanceof UnsupportedError) throw error;
      const given = inputs.map((input) => (input ? `${input.type} ${show([...input.shape])}` : "none")).join(", ");
      throw new ModelError(`"inputs" expected what ${node.opType} computes with, got ${given}`, { cause: error });
    }
  }

  /** The rewrites that came with families. */
  rules(weights: WeightMap): readonly Rule[] {
    return [...this.#loaded.values()].flatMap(({ RULES }) => RULES?.(weights) ?? []);
  }

  #find<T>(role: Role, loaded: ReadonlyMap<string, T>, operator: string): T | undefined {
    const found = loaded.get(operator);
    const family = found === undefined && !this.#isComplete ? FAMILY_OF[role].get(operator) : undefined;
    if (family !== undefined) throw new NotLoaded(family);
    return found;
  }

  #add({ HOST = {}, FLOATS = {}, OTHERS = {}, WHOLE = {}, PARTS = {}, FORMS = {} }: Family): void {
    for (const [name, form] of Object.entries(FORMS)) this.#forms.set(name, form);
    for (const [name, parts] of Object.entries(PARTS)) this.#parts.set(name, parts);
    for (const [name, op] of Object.entries(HOST)) this.#host.set(name, op);
    for (const [name, lowering] of Object.entries(FLOATS)) this.#floats.set(name, lowering);
    for (const [name, lowering] of Object.entries(WHOLE)) this.#whole.set(name, lowering);
    for (const [name, lowering] of Object.entries(OTHERS)) this.#others.set(name, lowering);
  }
}

/** Whether there is such an operator, loaded or not. */
export function isKnown(node: NodeProto): boolean {
  const operator = operatorName(node);
  return Object.hasOwn(base.HOST, operator) || FAMILY_OF.HOST.has(operator) || FAMILY_OF.PARTS.has(operator);
}

/** What an operator is made of, one of each family. */
function usedBy(operator: string): readonly string[] {
  const family = FAMILY_OF.PARTS.get(operator) ?? FAMILY_OF.FORMS.get(operator);
  const row: FamilyRow | undefined = FAMILIES[family as FamilyName];
  return row?.uses?.split(" ") ?? [];
}

/** Constants and inputs of an operator that is made of others, by name. */
export function named<V>(constants: ReadonlyMap<string, PlainTensor>, inputs: readonly (V | undefined)[]) {
  const values = new Map<string, V | PlainTensor>(constants);
  inputs.forEach((value, i) => {
    if (value !== undefined) values.set(String(i), value);
  });
  return values;
}

/** A window of one axis that may be as long as a frame of sound. */
const isLongLine = ({ name, ints }: NodeProto["attributes"][number]) =>
  name === "kernel_shape" && ints.length === 1 && (ints[0] as bigint) >= 64n;

/** The operators of nodes; a Cast to float16 asks for another, and so do places of maxima, patches and long filters. */
function* usesOf(nodes: Iterable<NodeProto>): Generator<string> {
  for (const node of nodes) {
    yield operatorName(node);
    if (node.opType === "Cast" && node.attributes.some(({ name, i }) => name === "to" && i === FLOAT16)) yield "Half";
    if (node.opType === "Conv" && node.attributes.some(isLongLine)) yield "Spectra";
    if (node.opType === "MaxPool" && node.outputs[1]) yield "MaxPoolOfPlaces";
    if (node.opType === "DeformConv") yield "DeformColumns";
  }
}

function known(families: Set<FamilyName | undefined>): Set<FamilyName> {
  families.delete(undefined);
  return families as Set<FamilyName>;
}
