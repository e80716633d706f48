// A graph whose shapes are known, as kernel calls: one builder a step. Pure; what is to be chosen by time is timed elsewhere, and
// those layers are lowered once more (`retimed`).
import type { TensorSpec } from "../base/spec.js";
import { emit, type QuantizedWeights, type WeightType } from "../ops/operator.js";
import { Builder, type Planning, type TimingRequest } from "../plan/builder.js";
import { formatChange, type InferredGraph, type InferredStep, inLayer, liesAlike, otherFormat } from "./infer-graph.js";
import { type HostTensor, type Source, writerOf } from "./weights.js";

export interface LoweredStep extends InferredStep {
  readonly builder: Builder;
}

export interface LoweredGraph extends Omit<InferredGraph, "inputs"> {
  readonly steps: readonly LoweredStep[];
  readonly inputs: readonly (InferredGraph["inputs"][number] & {
    /** Changes the other memory format into this one on the way in; undefined where both lie alike. */
    readonly convert: Builder | undefined;
  })[];
}

/** What a model is planned by. */
export interface ModelPlanning extends Planning {
  /** What computes a layer in its operator's place, or itself. */
  readonly instead?: QuantizedWeights[WeightType];
}

/**
 * Throws what an algorithm refuses, with the layer's name in front. Parameters, which it may look at, are no part of the planning: builders
 * keep that, and with it they would keep the file.
 */
export function lowerGraph(
  inferred: InferredGraph,
  planning: ModelPlanning,
  tensorOf: Source["tensorOf"],
): LoweredGraph {
  const { steps, inputs } = inferred;
  return {
    ...inferred,
    steps: steps.map((step) => ({ ...step, builder: lowerStep(step, planning, tensorOf) })),
    inputs: inputs.map((input) => ({ ...input, convert: inputChange(input.spec, planning, tensorOf) })),
  };
}

/** Convolutions that the table chose and that are to be chosen by time. */
export function untimed({ steps }: LoweredGraph): readonly TimingRequest[] {
  return steps.flatMap(({ builder }) => builder.untimed);
}

/** The same graph, with those layers lowered anew that were to be chosen by time: by the planning's timings. */
export function retimed(lowered: LoweredGraph, planning: ModelPlanning, tensorOf: Source["tensorOf"]): LoweredGraph {
  const steps = lowered.steps.map((step) =>
    step.builder.untimed.length > 0 ? { ...step, builder: lowerStep(step, planning, tensorOf) } : step,
  );
  return { ...lowered, steps };
}

function lowerStep(step: InferredStep, planning: ModelPlanning, tensorOf: Source["tensorOf"]): Builder {
  const { node, found, inputSpecs, params } = step;
  const operator =
    planning.instead?.(step.operator, () => writerOf(tensorOf(node?.params[0] as string) as HostTensor)) ??
    step.operator;
  if (found.isView && node !== undefined) {
    const view = new Builder(operator.name, inputSpecs, [], found.outputs, planning);
    view.algorithm = "view";
    return view;
  }
  const builder = inLayer(node, () => emit(operator, inputSpecs, params, found, planning));
  if (node === undefined) builder.algorithm = builder.output.spec.memoryFormat;
  return builder;
}

function inputChange(spec: TensorSpec, planning: ModelPlanning, tensorOf: Source["tensorOf"]): Builder | undefined {
  if (liesAlike(spec)) return undefined;
  const from: TensorSpec = { ...spec, memoryFormat: otherFormat(spec.memoryFormat) };
  return lowerStep(
    { node: undefined, ...formatChange(from, spec.memoryFormat), inputs: [], outputs: [] },
    planning,
    tensorOf,
  );
}
