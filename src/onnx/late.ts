// What depends on a run: nodes whose outputs' shapes follow from data are computed after it, in JavaScript; outputs that no model
// owns get tensors here.
import { DisposedError, ModelError, show } from "../base/errors.js";
import type { DType } from "../base/spec.js";
import type { Model, ModelOptions } from "../model/model.js";
import type { RunAsyncOptions } from "../model/run-options.js";
import { type LayerRow, type Summary, summaryFrom } from "../model/summary.js";
import type { Tensor } from "../plan/tensor.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Result } from "./compile.js";
import { STORED } from "./draft.js";
import { budgetOf } from "./file/budget.js";
import type { ElementType } from "./file/element-type.js";
import { isHeavy, nodeName, opsetOf } from "./file/node.js";
import { readsOf } from "./file/order.js";
import type { PlainTensor } from "./file/plain-tensor.js";
import type { NodeProto } from "./file/proto.js";
import type { Operators } from "./operators.js";
import type { Ready } from "./plans.js";
import type { Results, Run, Stage, Stages, Work } from "./stages.js";

export class Late {
  readonly #runtime: Runtime;
  readonly #operators: Operators;
  readonly #options: ModelOptions;
  /** Where some of it is work for kernels. */
  #stages: Stages | undefined;
  /** The plan of the last run, and what went on with it: runs of models, and nodes in JavaScript. */
  #begun: Ready | undefined;
  #further: (Run | readonly NodeProto[])[] = [];
  /** Output tensors that no model owns: constants, and what is computed after a run. */
  readonly #tensors = new Map<string, Tensor<DType>>();
  /** And those of networks that went on in the last run. */
  #given = new Map<string, Tensor<DType>>();
  #isDisposed = false;

  constructor(runtime: Runtime, operators: Operators, options: ModelOptions) {
    this.#runtime = runtime;
    this.#operators = operators;
    this.#options = options;
  }

  /** Evaluates what depends on the run, and gives every output a tensor. */
  finish(...given: Parameters<Late["finishing"]>): Results {
    const work = this.finishing(...given);
    [this.#begun, this.#further] = [given[0], []];
    let step = work.next();
    while (!step.done) {
      const { model, tensors } = this.#noted(step.value);
      step = resumed(work, () => model.run(tensors));
    }
    return step.value;
  }

  /** As finish(), where models run in turns with others; until it is done, what they computed stays. */
  async finishAsync(options: RunAsyncOptions, ...given: Parameters<Late["finishing"]>): Promise<Results> {
    const work = this.finishing(...given);
    [this.#begun, this.#further] = [given[0], []];
    const held: Model[] = [];
    try {
      let step = work.next();
      while (!step.done) {
        const { model, tensors } = this.#noted(step.value);
        const running = heldRun(model, tensors, options, held);
        const answered = await running.then(
          (results) => () => results,
          (error) => () => {
            throw error;
          },
        );
        step = resumed(work, answered);
      }
      return step.value;
    } finally {
      for (const model of held) model.hold(-1);
    }
  }

  #noted(run: Run): Run {
    this.#further.push(run);
    return run;
  }

  /** The summary of a plan, and of what went on with it in the last run. */
  summaryOf(ready: Ready, { rows, totals, arena }: Summary): Summary {
    const all = [...rows, ...lateRows(this.nodesOf(ready))];
    const sums = { ...totals };
    for (const part of ready === this.#begun ? this.#further : []) {
      if (!("model" in part)) all.push(...lateRows(part));
      else if (!part.model.disposed) {
        const further = part.model.summary();
        all.push(...further.rows);
        for (const name in sums) sums[name as keyof typeof sums] += further.totals[name as keyof typeof sums];
      }
    }
    return summaryFrom(all, sums, arena);
  }

  /** Bytes of linear memory of networks that went on. */
  get bytes(): number {
    return this.#stages?.bytes ?? 0;
  }

  /** Of a plan's late nodes those that JavaScript computes. */
  nodesOf(ready: Ready): readonly NodeProto[] {
    return this.#stageOf(ready)?.first ?? ready.late;
  }

  #stageOf(ready: Ready, tried?: ReadonlySet<NodeProto>): Stage | undefined {
    const { stages } = this.#operators;
    if (stages && ready.late.some(isHeavy)) this.#stages ??= new stages(this.#runtime, this.#operators, this.#options);
    return this.#stages?.of(ready, tried);
  }

  /** tried: nodes that are for JavaScript now, see stages.ts. done: told of each of the plan's own nodes when it is. */
  *finishing(
    ready: Ready,
    opsets: ReadonlyMap<string, number>,
    results: Results,
    values: Map<string, PlainTensor>,
    tried?: ReadonlySet<NodeProto>,
    done?: (node: number) => void,
  ): Work {
    if (this.#isDisposed) throw new DisposedError(`"model" expected a live model, got one disposed while it ran`);
    const stage = this.#stageOf(ready, tried);
    const nodes = stage?.first ?? ready.late;
    if (tried) this.#further.push(nodes);
    const reads = new Set(nodes.flatMap(readsOf));
    for (const { name, type, output } of ready.taps)
      if (output !== "" && reads.has(name)) values.set(name, plainOf(results[output] as Tensor<DType>, type));
    nodes.forEach((node, i) => {
      this.#evaluate(node, opsets, values);
      done?.(i);
    });
    const next = (after: Ready, answers: Results, known: Map<string, PlainTensor>, waited: ReadonlySet<NodeProto>) =>
      this.finishing(after, opsets, answers, known, waited);
    const further = stage && (yield* (this.#stages as Stages).goOn(stage, ready, opsets, results, values, next));
    this.#given = new Map(Object.entries(further ?? {}));
    const tensorOf = (result: Result): Tensor<DType> => {
      const { name } = result;
      if (result.from === "model") return results[name] as Tensor<DType>;
      if (result.from === "constant") return this.#tensorFor(name, result.tensor);
      return this.#given.get(name) ?? this.#tensorFor(name, values.get(name) as PlainTensor);
    };
    return Object.fromEntries(ready.results.map((result) => [result.name, tensorOf(result)]));
  }

  #evaluate(node: NodeProto, opsets: ReadonlyMap<string, number>, values: Map<string, PlainTensor>): void {
    let answers: PlainTensor[];
    try {
      const given = readsOf(node).map((name) => (name === "" ? undefined : values.get(name)));
      answers = this.#operators.evaluate(node, opsetOf(opsets, node), given, budgetOf(this.#options));
      if (node.outputs.slice(answers.length).some(Boolean))
        throw new ModelError(`"outputs" expected at most ${answers.length}, got ${node.outputs.length}`);
    } catch (error) {
      if (error instanceof Error) error.message = `node ${show(nodeName(node))} (${node.opType}): ${error.message}`;
      throw error;
    }
    node.outputs.forEach((name, i) => {
      if (name !== "" && answers[i]) values.set(name, answers[i]);
    });
  }

  /** An output of the last run that is not the model's own, if it is there. */
  output(name: string): Tensor<DType> | undefined {
    const tensor = this.#given.get(name) ?? this.#tensors.get(name);
    return tensor?.disposed ? undefined : tensor;
  }

  /** A tensor with these values: the last run's where it fits. */
  #tensorFor(name: string, { type, shape, data }: PlainTensor): Tensor<DType> {
    const dtype = STORED[type];
    const known = this.#tensors.get(name);
    if (known && !known.disposed && known.dtype === dtype && known.shape.join() === shape.join()) {
      (known.data as Float32Array).set(data as Float32Array);
      return known;
    }
    known?.dispose();
    const tensor = this.#runtime.tensor(data, shape, { dtype });
    this.#tensors.set(name, tensor);
    return tensor;
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#stages?.dispose();
  }
}

/** A run of a model that nobody else runs, nor reuses the memory of, before it is let go. */
export function heldRun(
  model: Model,
  tensors: Run["tensors"],
  options: RunAsyncOptions,
  held: Model[],
): Promise<Results> {
  const isFree = !model.isRunning;
  const running = model.runAsync(tensors, options);
  if (isFree) {
    model.hold(1);
    held.push(model);
  }
  return running;
}

/** Goes on with what `answer` answers, or throws. */
function resumed(work: Work, answer: () => Results): IteratorResult<Run, Results> {
  let results: Results;
  try {
    results = answer();
  } catch (error) {
    return work.throw(error);
  }
  return work.next(results);
}

/** What is evaluated after a run, as rows of a summary: shapes are not known before. */
export function lateRows(nodes: readonly NodeProto[]): LayerRow[] {
  const none = {
    op: "custom",
    reason: "JavaScript",
    outputShape: [],
    macs: 0,
    ungroupedMacs: 0,
    parameters: 0,
    bytes: 0,
  };
  return nodes.map((node) => ({ ...none, layer: nodeName(node), algorithm: node.opType }));
}

/** Whether a run of the model alone makes every output. */
export function isAll({ late, results }: Ready): boolean {
  return late.length === 0 && results.every((result) => result.from === "model");
}

/** What late nodes read that is known before a run: constants, and inputs. */
export function tapped(
  { constants, taps }: Ready,
  inputs: Readonly<Record<string, Tensor<DType>>> = {},
): Map<string, PlainTensor> {
  const values = new Map<string, PlainTensor>(constants);
  for (const { name, type, output } of taps) {
    if (output !== "") continue;
    const source = inputs[name];
    if (source === undefined) throw new ModelError(`${show(name)} expected a tensor for this input, got none`);
    values.set(name, plainOf(source, type));
  }
  return values;
}

function plainOf(source: Tensor<DType>, type: ElementType): PlainTensor {
  return { type, shape: source.shape, data: source.toArray() };
}
