// The registry: every operator once. runtime.<name>, runtime.plan.<name> and graph.<name> are made from it.

import type { DType } from "../base/spec.js";
import type { Plan } from "../plan/plan.js";
import * as activations from "./activations.js";
import * as arithmetic from "./arithmetic.js";
import { batchNorm, batchNormTrain } from "./batch-norm.js";
import { convTranspose2d } from "./conv/conv-transpose2d.js";
import { conv1d } from "./conv/conv1d.js";
import { conv2d } from "./conv/conv2d.js";
import { separableConv2d } from "./conv/separable-conv2d.js";
import { custom } from "./custom.js";
import { linear } from "./linear.js";
import { localResponseNorm } from "./local-response-norm.js";
import { matmul } from "./matmul.js";
import * as movement from "./movement.js";
import type { Operator, PlanArguments } from "./operator.js";
import * as pools from "./pool.js";
import { logSoftmax, softmax } from "./softmax.js";

export const OPERATORS = {
  conv2d,
  conv1d,
  convTranspose2d,
  separableConv2d,
  linear,
  matmul,
  ...pools,
  ...activations,
  ...arithmetic,
  softmax,
  logSoftmax,
  batchNorm,
  batchNormTrain,
  localResponseNorm,
  ...movement,
  custom,
} as const;

/** Makes every operator a method of what has this prototype. */
export function addMethods<T extends object>(
  prototype: T,
  apply: (self: T, operator: Operator, args: readonly unknown[]) => unknown,
): void {
  for (const operator of Object.values<Operator>(OPERATORS)) {
    Object.defineProperty(prototype, operator.name, {
      value(this: T, ...args: unknown[]) {
        return apply(this, operator, args);
      },
    });
  }
}

/** Names of the operators: methods of a runtime, of runtime.plan and of graphs. */
export type OperatorName = keyof typeof OPERATORS;

/** runtime.plan: one function an operator, operands and options by name. */
export type PlanOperations = {
  readonly [K in OperatorName]: <D extends DType = "float32">(
    args: PlanArguments<(typeof OPERATORS)[K], D>,
  ) => Plan<K extends "custom" ? DType : D>;
};
