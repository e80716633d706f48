// What goes on after data has decided shapes or branches: the nodes that had to wait are a network of their own, with what is known
// by then for inputs, planned for its shapes and small values as the first one is. A chunk of its own, as deciding.ts is: only files
// with such nodes ask for it.
import { digest } from "../base/digest.js";
import { countOf } from "../base/shape.js";
import type { DType } from "../base/spec.js";
import type { Model, ModelOptions } from "../model/model.js";
import { Tensor } from "../plan/tensor.js";
import type { Runtime } from "../runtime/runtime.js";
import { Deciding } from "./deciding.js";
import { STORED } from "./draft.js";
import { budgetOf, DEFAULT_BYTES } from "./file/budget.js";
import type { Checked } from "./file/check.js";
import { isHeavy, isIf, mayWait } from "./file/node.js";
import { readsOf } from "./file/order.js";
import type { PlainTensor } from "./file/plain-tensor.js";
import type { NodeProto } from "./file/proto.js";
import type { Operators } from "./operators.js";
import { Plans, type Ready } from "./plans.js";

/** A run of a model that somebody else does, at once or in turns. */
export interface Run {
  readonly model: Model;
  readonly tensors: Readonly<Record<string, Tensor<DType>>>;
}

export type Results = Readonly<Record<string, Tensor<DType>>>;

/** What goes on: asks for runs, is told their results, answers its own. */
export type Work = Generator<Run, Results, Results>;

/** What of a plan's late nodes JavaScript computes, and the network that the others are. */
export interface Stage {
  readonly first: readonly NodeProto[];
  readonly rest: readonly NodeProto[];
  /** What the first nodes of the rest wait for is known then: those that wait still are for JavaScript. */
  readonly tried: ReadonlySet<NodeProto>;
  /** What the rest reads, and its results. */
  readonly reads: readonly string[];
  readonly outputs: readonly string[];
  /** Of the values that the model computes, by name. */
  readonly taps: ReadonlyMap<string, Ready["taps"][number]>;
  /** The network that the rest is. */
  readonly key: string;
}

/** A network that goes on: the same for the plans of all shapes that leave the same nodes. */
interface Network {
  readonly plans: Plans;
  readonly deciding: Deciding | undefined;
  /** Of the first plan that came here. */
  readonly constants: Ready["constants"];
}

const NONE: ReadonlySet<NodeProto> = new Set();

export class Stages {
  readonly #runtime: Runtime;
  readonly #operators: Operators;
  readonly #options: ModelOptions;
  readonly #stages = new WeakMap<Ready, Stage | null>();
  readonly #networks = new Map<string, Network>();
  /** Numbers of plans whose constants are not those of others. */
  readonly #numbers = new WeakMap<Ready, number>();
  #count = 0;

  constructor(runtime: Runtime, operators: Operators, options: ModelOptions) {
    this.#runtime = runtime;
    this.#operators = operators;
    this.#options = options;
  }

  /** Undefined where JavaScript does all that waits: nothing of it is work to speak of. */
  of(ready: Ready, tried = NONE): Stage | undefined {
    const known = this.#stages.get(ready);
    const stage = known === undefined ? split(ready, tried) : known;
    this.#stages.set(ready, stage);
    return stage ?? undefined;
  }

  /** Goes on with the rest. finish: does the same with what waits of that. */
  *goOn(
    stage: Stage,
    ready: Ready,
    opsets: ReadonlyMap<string, number>,
    results: Results,
    values: ReadonlyMap<string, PlainTensor>,
    finish: (next: Ready, results: Results, values: Map<string, PlainTensor>, tried: ReadonlySet<NodeProto>) => Work,
  ): Work {
    const { taps, reads } = stage;
    const find = (name: string): Tensor<DType> | PlainTensor => {
      const tap = taps.get(name);
      return tap ? (results[tap.output] as Tensor<DType>) : (values.get(name) as PlainTensor);
    };
    const typeOf = (name: string) => taps.get(name)?.type ?? (values.get(name) as PlainTensor).type;
    const checked: Checked = {
      nodes: stage.rest,
      opsets,
      inputs: reads.map((name) => ({ name, type: typeOf(name), dims: [] })),
      defaults: [],
      fixed: [],
      outputs: stage.outputs,
      declared: [],
      metadata: {},
      initializers: ready.constants,
    };
    const { plans, deciding, constants } = this.#network(stage.key, ready, checked);
    const decided = new Map(deciding?.values(checked, find, this.#operators, budgetOf(this.#options)));
    if (!isSame(constants, ready.constants)) decided.set("", this.#numberOf(ready));
    const next = plans.choose(
      checked,
      reads.map((name) => find(name).shape),
      decided,
    );
    const own: Tensor<DType>[] = [];
    const tensorOf = (name: string): Tensor<DType> => {
      const found = find(name);
      if (found instanceof Tensor) return found;
      const { data, shape, type } = found;
      const tensor = plans.roomFor(() => this.#runtime.tensor(data, shape, { dtype: STORED[type] }), next);
      own.push(tensor);
      return tensor;
    };
    const { model } = next;
    let further: Results = {};
    try {
      if (model) {
        const tensors = Object.fromEntries(model.inputs.map(({ name }) => [name, tensorOf(name)]));
        further = yield { model, tensors };
      }
    } finally {
      for (const tensor of own) tensor.dispose();
    }
    const known = new Map(next.constants);
    for (const { name, type, output } of next.taps) {
      const found = output === "" ? find(name) : undefined;
      if (found) known.set(name, found instanceof Tensor ? { type, shape: found.shape, data: found.toArray() } : found);
    }
    return yield* finish(next, further, known, stage.tried);
  }

  #network(key: string, { model, constants }: Ready, checked: Checked): Network {
    const known = this.#networks.get(key);
    if (known) return known;
    const maxBytes = (this.#options.maxBytes ?? DEFAULT_BYTES) - (model?.plan.totalBytes ?? 0);
    const options = { ...this.#options, maxBytes: Math.max(0, maxBytes) };
    const plans = new Plans(this.#runtime, this.#operators, options, true);
    const made: Network = { plans, deciding: Deciding.of(checked), constants };
    this.#networks.set(key, made);
    return made;
  }

  /** For the key of a plan. */
  #numberOf(ready: Ready): PlainTensor {
    const number = this.#numbers.get(ready) ?? this.#count++;
    this.#numbers.set(ready, number);
    return { type: "float64", shape: [], data: Float64Array.of(number) };
  }

  /** Bytes of linear memory. */
  get bytes(): number {
    return [...this.#networks.values()].reduce((sum, { plans }) => sum + plans.bytes, 0);
  }

  dispose(): void {
    for (const { plans } of this.#networks.values()) plans.dispose();
  }
}

/** Nodes that nothing before a run makes known are for JavaScript, where they wait for no other; the rest is a network. */
function split({ late, taps, results }: Ready, tried: ReadonlySet<NodeProto>): Stage | null {
  const waiting = new Set(late.flatMap(({ outputs }) => outputs));
  const ready = late.filter((node) => !readsOf(node).some((name) => name !== "" && waiting.has(name)));
  const first = ready.filter((node) => tried.has(node) || (mayWait(node) && !isIf(node)));
  const rest = late.filter((node) => !first.includes(node));
  if (!rest.some(isHeavy)) return null;
  const given = new Set([...taps.map(({ name }) => name), ...first.flatMap(({ outputs }) => outputs)]);
  const made = new Set(rest.flatMap(({ outputs }) => outputs));
  return {
    first,
    rest,
    tried: new Set(ready),
    reads: [...new Set(rest.flatMap(readsOf))].filter((name) => name !== "" && given.has(name)),
    outputs: results.filter(({ from, name }) => from === "late" && made.has(name)).map(({ name }) => name),
    taps: new Map(taps.filter(({ output }) => output !== "").map((tap) => [tap.name, tap])),
    key: JSON.stringify(rest.map(({ outputs }) => outputs)),
  };
}

/** Whether constants are the same numbers, for which one plan will do: those of the file, and equal small ones. */
function isSame(a: Ready["constants"], b: Ready["constants"]): boolean {
  const isEqual = (x: PlainTensor, y: PlainTensor | undefined): boolean =>
    x === y ||
    (x.type === y?.type &&
      x.shape.join() === y.shape.join() &&
      countOf(x.shape) <= MOST_COMPARED &&
      digest(x.data) === digest(y.data));
  return a === b || (a.size === b.size && [...a].every(([name, value]) => isEqual(value, b.get(name))));
}

/** Elements. */
const MOST_COMPARED = 1024;
