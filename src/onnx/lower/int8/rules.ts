// Layers of bytes that are one with those behind them, whatever form of the file they come from.
//
//   a ─▶ convolution ─▶ add          convolution that adds     a ─▶ concat ─▶ reshape ─▶ transpose ─▶ reshape ─▶ slice     zip of halves
//                        ▲      ==>     ▲                      b ───▲                                                 ==>
//   shortcut ────────────┘           shortcut
import type { TensorSpec } from "../../../base/spec.js";
import type { LayerNode } from "../../../model/layers.js";
import type { Rule, Scope } from "../../../model/rewrite.js";
import type { Operator } from "../../../ops/operator.js";
import { add } from "../../layers/int8/elements.js";
import type { Addition } from "../../layers/int8/form.js";
import { interleave, zip } from "../../layers/int8/moves.js";
import { type ConvolutionOptions, convolution } from "../../layers/int8/product.js";
import { onPixels } from "./held.js";

/** What operators were made of: a rule makes others of it. */
const CONVOLUTIONS = new WeakMap<object, ConvolutionOptions>();
const SUMS = new WeakMap<object, Addition>();
const ZIPS = new WeakSet<object>();

function known<T>(map: WeakMap<object, T>, node: LayerNode | undefined): T | undefined {
  return node && typeof node.op === "object" ? map.get(node.op) : undefined;
}

export function convolutionOf(options: ConvolutionOptions): Operator {
  const op = onPixels(convolution(options));
  CONVOLUTIONS.set(op, options);
  return op;
}

export function sumOf(sum: Addition): Operator {
  const op = onPixels(add(sum));
  SUMS.set(op, sum);
  return op;
}

/** The later of the two convolutions that a sum has, where only the sum reads it. */
const joinSum: Rule = (node, scope) => {
  const sum = known(SUMS, node);
  if (!sum) return undefined;
  const [a, b] = node.inputs as [string, string];
  const shape = scope.specOf(node.outputs[0] as string).shape.join();
  if ([a, b].some((name) => scope.specOf(name).shape.join() !== shape)) return undefined;
  const latest = scope.orderOf(a) > scope.orderOf(b) ? [a, b] : [b, a];
  for (const own of latest) {
    const before = scope.soleProducer(own);
    const options = known(CONVOLUTIONS, before);
    if (!before || options?.ending.type !== "uint8" || options.addition) continue;
    const { ra, rb, aZero, bZero } = sum;
    const addition = own === a ? sum : { ...sum, ra: rb, rb: ra, aZero: bZero, bZero: aZero };
    const inputs = [before.inputs[0] as string, own === a ? b : a];
    return { ...node, op: onPixels(convolution({ ...options, addition })), inputs, params: before.params };
  }
  return undefined;
};

const isBytes = ({ dtype, shape }: TensorSpec): boolean => dtype === "uint8" && shape.length === 4;

function through(scope: Scope, value: string, op: LayerNode["op"]): LayerNode | undefined {
  const node = scope.producer(value);
  return node?.op === op ? node : undefined;
}

/** Channels of groups in turn, which ShuffleNet spells out; those of two values that were joined before need no joining. */
const shuffle: Rule = (node, scope) => {
  const [output] = node.outputs as [string];
  if (node.op !== "reshape" || !isBytes(scope.specOf(output))) return undefined;
  const turned = through(scope, node.inputs[0] as string, "transpose");
  const { permutation } = (turned?.options ?? {}) as { permutation?: readonly number[] };
  const split = turned && through(scope, turned.inputs[0] as string, "reshape");
  if (!split || permutation?.join() !== "0,2,1,3,4") return undefined;
  const [from] = split.inputs as [string];
  const [N, C, H, W] = scope.specOf(output).shape;
  const [n, groups = 0, , h, w] = scope.specOf(split.outputs[0] as string).shape;
  if (scope.specOf(from).shape.join() !== [N, C, H, W].join() || n !== N || h !== H || w !== W) return undefined;
  const joined = through(scope, from, "concat");
  const { axis = 1 } = (joined?.options ?? {}) as { axis?: number };
  const parts = joined?.inputs ?? [];
  const isPair = groups === 2 && axis === 1 && parts.length === 2;
  if (!isPair || scope.specOf(parts[0] as string).shape[1] !== (C as number) / 2)
    return { ...node, op: onPixels(interleave(groups)), inputs: [from], options: {} };
  const op = onPixels(zip());
  ZIPS.add(op);
  return { ...node, op, inputs: parts, options: {} };
};

/** A half of two values' channels in turn: of halves of both. */
const halve: Rule = (node, scope) => {
  if (node.op !== "slice") return undefined;
  const [input] = node.inputs as [string];
  const before = scope.producer(input);
  if (typeof before?.op !== "object" || !ZIPS.has(before.op)) return undefined;
  const { axes, starts, ends, steps = [1] } = node.options as Readonly<Record<string, readonly number[]>>;
  const half = (scope.specOf(input).shape[1] as number) / 2;
  const [start, end] = [starts?.[0] as number, ends?.[0] as number];
  const isHalf = axes?.join() === "1" && steps.join() === "1" && half % 2 === 0 && start % half === 0;
  return isHalf && end === start + half
    ? { ...node, op: onPixels(zip(start === 0 ? 0 : 1)), inputs: before.inputs, options: {} }
    : undefined;
};

export const INT8_RULES = (): readonly Rule[] => [joinSum, shuffle, halve];
