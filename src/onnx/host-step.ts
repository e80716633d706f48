// A node that no kernel computes as a step of the model in JavaScript.
import { countOf } from "../base/shape.js";
import type { TensorData } from "../base/spec.js";
import type { Known } from "./compile.js";
import { type Draft, type Dynamic, STORED } from "./draft.js";
import { atNode } from "./file/node.js";
import { materialised, type PlainTensor } from "./file/plain-tensor.js";
import type { Context } from "./host/context.js";
import { make } from "./host/make.js";
import type { Operators } from "./operators.js";

/** The layer of a node in JavaScript. Its output shapes are found by running it once on zeros. */
export function hostStep(
  c: Context,
  operators: Operators,
  draft: Draft,
  layer: string,
  inputs: readonly (PlainTensor | Dynamic | undefined)[],
): readonly Known[] {
  const { node, opset, budget } = c;
  const held = inputs.map((value) => (value !== undefined && "data" in value ? materialised(value) : value));
  // What it does may depend on data: every run has what is left now.
  const left = budget.copy();
  const compute = (
    views: readonly { readonly length: number }[],
    outputs: readonly { set(values: never): void }[],
  ): void => {
    let next = 0;
    const given = held.map((value) =>
      value === undefined || "data" in value
        ? value
        : ({ type: value.type, shape: value.shape, data: views[next++] } as PlainTensor),
    );
    const own = left.copy();
    own.room = [...outputs] as unknown as TensorData[];
    const answers = atNode(node, () => operators.evaluate(node, opset, given, own));
    // What was made in the room of another output moves before that is written.
    const elements = outputs.map((output, i) => {
      const { data } = answers[i] as PlainTensor;
      return (data as unknown) !== output && outputs.includes(data as never) ? data.slice() : data;
    });
    outputs.forEach((output, i) => {
      if ((elements[i] as unknown) !== output) output.set(elements[i] as never);
    });
  };
  const trial = budget.trying(() => {
    const zeros = inputs.map((value) =>
      value === undefined || "data" in value ? value : make(c, value.type, value.shape),
    );
    return operators.evaluate(node, opset, zeros, budget);
  });
  const wanted = trial.slice(0, node.outputs.length);
  if (wanted.some((tensor) => countOf(tensor.shape) === 0)) return wanted; // nothing to compute
  const dynamic = inputs.filter((value): value is Dynamic => value !== undefined && !("data" in value));
  const outputs = wanted.map(({ shape, type }) => ({ shape, dtype: STORED[type] }));
  const answers = draft.add(layer, "custom", dynamic, [], { outputs, compute, label: node.opType });
  return answers.map((answer, i) => ({ ...answer, type: (wanted[i] as PlainTensor).type }));
}
