// What a model is made with, and what that comes to.
import { integer, knownOptions, oneOf } from "../base/check.js";
import { UnsupportedError } from "../base/errors.js";
import type { Memory, Precision } from "../kernels/select.js";
import type { WeightType } from "../ops/operator.js";
import { internalsOf, type Runtime, requireRuntime } from "../runtime/runtime.js";
import type { ModelPlanning } from "./lower-graph.js";

/** Limits of a model, and how it is planned. */
export interface ModelOptions {
  /** Most bytes the model may hold (model.plan.totalBytes). Default: what the runtime's memory has room for. */
  readonly maxBytes?: number;
  /** Most multiply-accumulates of one run. Default: any number. */
  readonly maxMacs?: number;
  /** Of its convolutions that say nothing themselves; default: the runtime's. */
  readonly precision?: Precision;
  /**
   * Of its convolutions that say nothing themselves: "fast": what runs fastest, F(4,3) with four times the weights; "default":
   * more than the weights' own where it saves time enough; "small": the fewest bytes. Default: the runtime's, if that says one.
   */
  readonly memory?: Memory;
  /**
   * Of its convolutions that say nothing themselves; default: the runtime's. Where the fastest need more memory than there
   * is, all are chosen as if it were false.
   */
  readonly tune?: boolean;
  /**
   * Default true: layers are merged where the result is the same but for rounding, so that fewer steps run (activations,
   * additions and batch normalisations into the layer before them, separable blocks). false: the graph as it stands.
   */
  readonly optimize?: boolean;
  /**
   * Weights of fully connected layers and 1x1 convolutions in fewer bytes, rounded when they are packed. "int8", "int16": whole numbers, a
   * scale for each 128 of a filter: a quarter of float32's, and the largest error some 0.5 % of the largest output; half, and 0.003 %.
   * "float16": half, and 0.02 %; of a file whose weights are float16 none is rounded, and answers keep their bits. What runs is
   * faster where memory is what it waits for. loadOnnx() brings the kernels; createModel() needs loadQuantizedWeights() before.
   * Default: as they are.
   */
  readonly quantizeWeights?: "int8" | "int16" | "float16";
}

/** Options as a model is made with them. */
export interface CheckedModelOptions {
  readonly maxBytes: number;
  readonly maxMacs: number;
  readonly planning: ModelPlanning;
  readonly only: ModelOptions["optimize"];
}

/** Names of ModelOptions. */
export const MODEL_OPTIONS: readonly (keyof ModelOptions)[] = [
  "maxBytes",
  "maxMacs",
  "precision",
  "memory",
  "tune",
  "optimize",
  "quantizeWeights",
];

/** Checks the options of a model and its runtime. */
export function checkedModelOptions(runtime: Runtime, options: ModelOptions): CheckedModelOptions {
  knownOptions("model options", options, MODEL_OPTIONS);
  const maxBytes = options.maxBytes === undefined ? Infinity : integer("maxBytes", options.maxBytes, 0);
  const maxMacs = options.maxMacs === undefined ? Infinity : integer("maxMacs", options.maxMacs, 0);
  requireRuntime(runtime);
  const { planning, quantizedWeights } = internalsOf(runtime);
  const type = weightTypeOf(options);
  const instead = type && quantizedWeights[type];
  if (type && !instead)
    throw new UnsupportedError(
      `"quantizeWeights" expected loadQuantizedWeights() before, got a runtime without its kernels`,
    );
  return {
    maxBytes,
    maxMacs,
    planning: { ...planning(options, "default"), ...(instead && { instead }) },
    only: options.optimize,
  };
}

/** How weights are to be rounded; undefined: as they are. */
export function weightTypeOf({ quantizeWeights: asked }: ModelOptions): WeightType | undefined {
  return asked === undefined ? undefined : oneOf("quantizeWeights", asked, ["int8", "int16", "float16"] as const);
}
