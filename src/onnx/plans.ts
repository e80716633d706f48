// A file's models, one for each set of shapes that it has run on. They share weights and arena (src/model/shared.ts), and make room
// for each other.
import { digest } from "../base/digest.js";
import { OutOfMemoryError } from "../base/errors.js";
import type { GraphInput } from "../model/graph.js";
import { checkedModelOptions, Model, type ModelOptions, planOf } from "../model/model.js";
import type { ModelPlan } from "../model/planner.js";
import { SharedByPlans } from "../model/shared.js";
import { Identities, sourceOf } from "../model/weights.js";
import { internalsOf, type Runtime } from "../runtime/runtime.js";
import { type Compiled, compile } from "./compile.js";
import { budgetOf, DEFAULT_BYTES } from "./file/budget.js";
import type { Checked } from "./file/check.js";
import type { PlainTensor } from "./file/plain-tensor.js";
import { Memo } from "./memo.js";
import type { Operators } from "./operators.js";
import { passesFor } from "./rewrite/passes.js";

/** Plans hold at most so many times what the largest takes by itself, or so many bytes more. */
const MOST_HELD = 1.5;
const MOST_MORE = 2 ** 22;
/** And there are at most so many: one is 5 KB a layer in JavaScript. */
const MOST_PLANS = 64;

/** The model for one set of shapes, with what a run of it leaves to do. */
export interface Ready extends Omit<Compiled, "weights" | "specs" | "graph"> {
  readonly inputs: readonly GraphInput[];
  /** undefined where every output is known before a run. */
  readonly model: Model | undefined;
}

/** Values that inputs decide, by name: see deciding.ts. */
export type Decided = ReadonlyMap<string, PlainTensor>;

function keyOf(decided: Decided = new Map()): string {
  return JSON.stringify([...decided].map(([name, { shape, data }]) => [name, shape, digest(data)]));
}

export class Plans {
  readonly #runtime: Runtime;
  readonly #operators: Operators;
  readonly #options: ModelOptions;
  /** Undefined where only one set of shapes can come. */
  readonly #identities: Identities | undefined;
  readonly #memo = new Memo();
  readonly #shared: SharedByPlans;
  /** The one that was used last comes last. */
  readonly #ready = new Map<string, Ready>();
  /** The one that was chosen last, and the values that it is for. */
  current: Ready | undefined;
  #decided = keyOf();

  constructor(runtime: Runtime, operators: Operators, options: ModelOptions, isOpen: boolean) {
    this.#runtime = runtime;
    this.#operators = operators;
    this.#options = options;
    this.#identities = isOpen ? new Identities() : undefined;
    this.#shared = new SharedByPlans(internalsOf(runtime).engine, options.maxBytes ?? DEFAULT_BYTES);
  }

  /** Bytes of linear memory that all plans hold together. */
  get bytes(): number {
    return this.#shared.bytes;
  }

  /** The model for inputs of these shapes, and for what they decide, from the cache where it has run before. */
  choose(checked: Checked, shapes: readonly (readonly number[])[], decided?: Decided): Ready {
    const names = checked.inputs.map(({ name }) => name); // runs may bring defaults, too
    const values = keyOf(decided);
    const key = JSON.stringify([names, shapes, values]);
    const known = this.#ready.get(key);
    const ready = known ?? this.#prepare(checked, shapes, decided);
    this.#ready.delete(key);
    this.#ready.set(key, ready);
    this.current = ready;
    this.#decided = values;
    if (known === undefined) this.#limit(ready);
    this.enter(ready);
    return ready;
  }

  /** Whether what was chosen last is for these values. */
  isFor(decided: Decided | undefined): boolean {
    return this.#decided === keyOf(decided);
  }

  /** Before a run: the arena of other shapes may be too small for it, or another run's. Throws OutOfMemoryError. */
  enter(ready: Ready): void {
    this.roomFor(bind, ready);
  }

  #prepare(checked: Checked, shapes: readonly (readonly number[])[], decided?: Decided): Ready {
    const byName = new Map(checked.inputs.map(({ name }, i) => [name, shapes[i] as readonly number[]]));
    const budget = budgetOf(this.#options);
    const { optimize, maxBytes = DEFAULT_BYTES } = this.#options;
    const { weights, specs, graph, ...compiled } = compile(
      checked,
      byName,
      this.#operators,
      budget,
      optimize,
      this.#memo,
      decided,
    );
    const { inputs } = graph;
    if (graph.outputs.length === 0) return { ...compiled, inputs, model: undefined };
    const options = checkedModelOptions(this.#runtime, { ...this.#options, maxBytes });
    const isShared = this.#identities !== undefined;
    const { plan, source } = planOf(
      this.#runtime,
      { graph, source: sourceOf(weights, this.#identities) },
      { ...options, planning: { ...options.planning, isShared } },
      passesFor(this.#operators, weights),
      specs,
    );
    this.#requireRoom(plan);
    const model = this.roomFor(() => new Model(this.#runtime, plan, source, this.#shared));
    return { ...compiled, inputs, model };
  }

  /** Nobody makes room in vain. */
  #requireRoom({ report: { totalBytes } }: ModelPlan): void {
    const { maxBytes, bytesInUse } = this.#runtime.report();
    const room = maxBytes - bytesInUse + this.bytes;
    if (totalBytes > room)
      throw new OutOfMemoryError(`"maxBytes" expected room for ${totalBytes} bytes for this model, got ${room}`);
  }

  /** Plans that were not used for longest go where all hold too much: what one takes by itself is never that. */
  #limit(newest: Ready): void {
    for (;;) {
      const most = this.#most((model) => model.plan.totalBytes);
      const isFew = this.#ready.size <= MOST_PLANS && this.bytes <= Math.max(MOST_HELD * most, most + MOST_MORE);
      if (isFew || !this.#giveUp(newest)) return;
      this.#trim();
    }
  }

  #most(bytesOf: (model: Model) => number): number {
    return Math.max(0, ...[...this.#ready.values()].map(({ model }) => (model ? bytesOf(model) : 0)));
  }

  /** What `make` makes; where memory ends, models for other shapes than `kept` make room for it, that used last at last. */
  roomFor<T>(make: (kept: Ready | undefined) => T, kept?: Ready): T {
    for (;;) {
      try {
        return make(kept);
      } catch (error) {
        const isTried = error instanceof OutOfMemoryError && this.#giveUp(kept);
        this.#trim();
        if (!isTried) throw error;
      }
    }
  }

  /** Whether there was a model that is not kept and not running. */
  #giveUp(kept?: Ready): boolean {
    for (const [key, ready] of this.#ready) {
      if (ready === kept || ready.model?.isRunning) continue;
      ready.model?.dispose();
      this.#ready.delete(key);
      if (this.current === ready) this.current = undefined;
      return true;
    }
    return false;
  }

  /** Arenas no larger than the models want that are left. */
  #trim(): void {
    this.#shared.trim(this.#most(({ arenaBytes }) => arenaBytes));
  }

  dispose(): void {
    for (const { model } of this.#ready.values()) model?.dispose();
    this.#shared.dispose();
  }
}

/** Closes over nothing, since every run does it. */
const bind = (ready: Ready | undefined) => ready?.model?.bind();
