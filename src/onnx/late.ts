// What depends on a run: nodes whose outputs' shapes follow from data are computed after it, in JavaScript; outputs that no model
// owns get tensors here.
import { ModelError, show } from "../base/errors.js";
import type { ModelOptions } from "../model/model.js";
import type { LayerRow } from "../model/summary.js";
import type { Tensor } from "../plan/tensor.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Result } from "./compile.js";
import { STORED } from "./draft.js";
import { budgetOf } from "./file/budget.js";
import type { ElementType } from "./file/element-type.js";
import { nodeName, opsetOf } from "./file/node.js";
import { readsOf } from "./file/order.js";
import type { PlainTensor } from "./file/plain-tensor.js";
import type { Operators } from "./operators.js";
import type { Ready } from "./plans.js";

export class Late {
  readonly #runtime: Runtime;
  readonly #operators: Operators;
  readonly #options: ModelOptions;
  /** Output tensors that no model owns: constants, and what is computed after a run. */
  readonly #tensors = new Map<string, Tensor>();

  constructor(runtime: Runtime, operators: Operators, options: ModelOptions) {
    this.#runtime = runtime;
    this.#operators = operators;
    this.#options = options;
  }

  /** Evaluates what depends on the run, and gives every output a tensor. done: told of each node when it is. */
  finish(
    ready: Ready,
    opsets: ReadonlyMap<string, number>,
    results: Readonly<Record<string, Tensor>>,
    values: Map<string, PlainTensor>,
    done?: (node: number) => void,
  ): Readonly<Record<string, Tensor>> {
    for (const { name, type, output } of ready.taps)
      if (output !== "") values.set(name, plainOf(results[output] as Tensor, type));
    for (const [at, node] of ready.late.entries()) {
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
      done?.(at);
    }
    const tensorOf = (result: Result): Tensor => {
      const { name } = result;
      if (result.from === "model") return results[name] as Tensor;
      return this.#tensorFor(name, result.from === "constant" ? result.tensor : (values.get(name) as PlainTensor));
    };
    return Object.fromEntries(ready.results.map((result) => [result.name, tensorOf(result)]));
  }

  /** An output that no model owns, if it is there. */
  output(name: string): Tensor | undefined {
    const tensor = this.#tensors.get(name);
    return tensor?.disposed ? undefined : tensor;
  }

  /** A tensor with these values: the last run's where it fits. */
  #tensorFor(name: string, { type, shape, data }: PlainTensor): Tensor {
    const dtype = STORED[type];
    const known = this.output(name);
    if (known?.dtype === dtype && known.shape.join() === shape.join()) {
      (known.data as Float32Array).set(data as Float32Array);
      return known;
    }
    known?.dispose();
    const tensor = this.#runtime.tensor(data, shape, { dtype });
    this.#tensors.set(name, tensor);
    return tensor;
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
  }
}

/** What is evaluated after a run, as rows of a summary: shapes are not known before. */
export function lateRows({ late }: Ready): LayerRow[] {
  const none = {
    op: "custom",
    reason: "JavaScript",
    outputShape: [],
    macs: 0,
    ungroupedMacs: 0,
    parameters: 0,
    bytes: 0,
  };
  return late.map((node) => ({ ...none, layer: nodeName(node), algorithm: node.opType }));
}

/** Whether a run of the model alone makes every output. */
export function isAll({ late, results }: Ready): boolean {
  return late.length === 0 && results.every((result) => result.from === "model");
}

/** What late nodes read that is known before a run: constants, and inputs. */
export function tapped(
  { constants, taps }: Ready,
  inputs: Readonly<Record<string, Tensor>> = {},
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

function plainOf(source: Tensor, type: ElementType): PlainTensor {
  return { type, shape: source.shape, data: source.toArray() };
}
