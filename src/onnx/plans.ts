// A file's models, one for each set of shapes that it has run on. Where memory ends, they make room for each other.
import { OutOfMemoryError } from "../base/errors.js";
import { checkedModelOptions, type Model, type ModelOptions, modelOf } from "../model/model.js";
import { byRules, PASSES } from "../model/optimize.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Compiled, compile } from "./compile.js";
import { budgetOf, DEFAULT_BYTES } from "./file/budget.js";
import type { Checked } from "./file/check.js";
import type { PlainTensor } from "./file/plain-tensor.js";
import type { Operators } from "./operators.js";
import { routeChannels } from "./rewrite/channels.js";
import { exporterRules } from "./rewrite/rules.js";
import { moveOnce } from "./rewrite/views.js";

/** The model for one set of shapes, with what a run of it leaves to do. */
export interface Ready extends Omit<Compiled, "weights" | "specs"> {
  /** undefined where every output is known before a run. */
  readonly model: Model | undefined;
}

/** Values that inputs decide, by name: see deciding.ts. */
export type Decided = ReadonlyMap<string, PlainTensor>;

function keyOf(decided: Decided = new Map()): string {
  return JSON.stringify([...decided].map(([name, { shape, data }]) => [name, shape, String(data)]));
}

export class Plans {
  readonly #runtime: Runtime;
  readonly #operators: Operators;
  readonly #options: ModelOptions;
  readonly #ready = new Map<string, Ready>();
  /** The values that it is for. */
  #decided = keyOf();
  /** The one that was chosen last. */
  current: Ready | undefined;

  constructor(runtime: Runtime, operators: Operators, options: ModelOptions) {
    this.#runtime = runtime;
    this.#operators = operators;
    this.#options = options;
  }

  /** The model for inputs of these shapes, and for what they decide, from the cache where it has run before. */
  choose(checked: Checked, shapes: readonly (readonly number[])[], decided?: Decided): Ready {
    const names = checked.inputs.map(({ name }) => name); // runs may bring defaults, too
    this.#decided = keyOf(decided);
    const key = JSON.stringify([names, shapes, this.#decided]);
    this.current = this.#ready.get(key) ?? this.#prepare(checked, shapes, decided);
    this.#ready.set(key, this.current);
    return this.current;
  }

  /** Whether what was chosen last is for these values. */
  isFor(decided: Decided | undefined): boolean {
    return this.#decided === keyOf(decided);
  }

  #prepare(checked: Checked, shapes: readonly (readonly number[])[], decided?: Decided): Ready {
    const byName = new Map(checked.inputs.map(({ name }, i) => [name, shapes[i] as readonly number[]]));
    const budget = budgetOf(this.#options);
    const { optimize } = this.#options;
    const { weights, specs, ...compiled } = compile(checked, byName, this.#operators, budget, optimize, decided);
    const passes = [byRules(exporterRules(weights)), ...PASSES, routeChannels, moveOnce];
    const plan = () => {
      // The models for all shapes share what there may be.
      let maxBytes = this.#options.maxBytes ?? DEFAULT_BYTES;
      for (const { model } of this.#ready.values()) maxBytes -= model?.plan.totalBytes ?? 0;
      const options = checkedModelOptions(this.#runtime, { ...this.#options, maxBytes });
      return modelOf(this.#runtime, compiled.graph, weights, options, passes, specs);
    };
    const model = compiled.graph.outputs.length > 0 ? this.roomFor(plan) : undefined;
    return { ...compiled, model };
  }

  /** What `make` makes; where memory ends, the models for all shapes but `kept` make room for it. */
  roomFor<T>(make: () => T, kept?: Ready): T {
    try {
      return make();
    } catch (error) {
      const others = [...this.#ready].filter(([, ready]) => ready !== kept);
      if (!(error instanceof OutOfMemoryError) || others.length === 0) throw error;
      for (const [key, { model }] of others) {
        model?.dispose();
        this.#ready.delete(key);
      }
      this.current = kept;
      return make();
    }
  }

  dispose(): void {
    for (const { model } of this.#ready.values()) model?.dispose();
  }
}
