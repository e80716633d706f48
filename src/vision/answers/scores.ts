// Scores of classes: what a classifier answers, and what two embeddings have in common.
import { integer, knownOptions, oneOf } from "../../base/check.js";
import { ShapeError } from "../../base/errors.js";
import { type Numbers, numbersOf, requireLabels, requireNumber, type Shaped, valuesOf } from "./numbers.js";

/** What makes scores from 0 to 1 of what a model answers; "none" where it does so itself. */
export type ScoreActivation = "softmax" | "sigmoid" | "none";

export const ACTIVATIONS: readonly ScoreActivation[] = ["softmax", "sigmoid", "none"];

/** Row by row exp(x - max) / sum, in float64. */
function softmaxRows(data: Numbers, columns: number): Float32Array {
  const answer = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += columns) {
    const row = Array.from({ length: columns }, (_, i) => data[start + i] as number);
    const max = row.reduce((a, b) => Math.max(a, b));
    if (!Number.isFinite(max)) throw new RangeError(`"values" expected finite numbers, got ${max} at ${start}`);
    const shares = row.map((value) => Math.exp(value - max));
    const sum = shares.reduce((a, b) => a + b);
    answer.set(
      shares.map((share) => share / sum),
      start,
    );
  }
  return answer;
}

/**
 * exp(x) / sum of exp(x), over all of a list, over the last axis of a tensor, in logical order. Computed in float64.
 *
 * @throws RangeError for NaN and for an infinite largest value, TypeError, ShapeError for what is no tensor or list of numbers.
 */
export function softmax(values: Shaped | Numbers): Float32Array {
  if (Array.isArray(values) || ArrayBuffer.isView(values)) {
    const data = valuesOf("values", values);
    return softmaxRows(data, data.length);
  }
  const data = numbersOf("values", values as Shaped);
  return softmaxRows(data, (values as Shaped).shape.at(-1) ?? 1);
}

/** 1 / (1 + exp(-x)). */
export const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * 1 / (1 + exp(-x)) of each value, in logical order. Computed in float64.
 *
 * @throws RangeError for NaN, TypeError, ShapeError for what is no tensor or list of numbers.
 */
export function sigmoid(values: Shaped | Numbers): Float32Array {
  const isList = Array.isArray(values) || ArrayBuffer.isView(values);
  const data = isList ? valuesOf("values", values) : numbersOf("values", values as Shaped);
  return Float32Array.from(data, (value, i) => {
    requireNumber("values", value, i);
    return logistic(value);
  });
}

/**
 * The place of the largest value, the first of equals.
 *
 * @throws RangeError for NaN, ShapeError for no values or more than one row of them, TypeError for what is no list of numbers.
 */
export function argmax(values: Shaped | Numbers): number {
  return (topK(values, 1)[0] as ClassScore).index;
}

/** A class with its score. */
export interface ClassScore {
  /** Of the class. */
  readonly index: number;
  /** After the activation. */
  readonly score: number;
  /** Its name, where labels are given. */
  readonly label?: string;
}

/** What topK() answers. */
export interface TopKOptions {
  /** Names of the classes, one each. */
  readonly labels?: readonly string[];
  /** Least score, after the activation. Default: any. */
  readonly threshold?: number;
  /** Makes scores of logits. Default "none". */
  readonly activation?: ScoreActivation;
}

/**
 * The k best of one row of scores, best first, the first of equals first.
 *
 * @example
 * ```js
 * import { topK } from "lanewise/vision";
 *
 * topK([0.1, 4, 0.3], 1, { labels: ["cat", "dog", "bird"], activation: "softmax" }); // [{ index: 1, score: 0.95…, label: "dog" }]
 * ```
 *
 * @throws ShapeError where labels are not one a score, and for no values or more than one row of them; RangeError for NaN; TypeError.
 */
export function topK(values: Shaped | Numbers, k: number, options: TopKOptions = {}): ClassScore[] {
  knownOptions("topK options", options, ["labels", "threshold", "activation"]);
  const { labels, threshold = Number.NEGATIVE_INFINITY } = options;
  const activation = oneOf("activation", options.activation ?? "none", ACTIVATIONS);
  integer("k", k, 1);
  requireNumber("threshold", threshold);
  const data = valuesOf("values", values);
  requireLabels(labels, data.length);
  const best: number[] = [];
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    requireNumber("values", value, i);
    let at = best.length;
    while (at > 0 && value > (data[best[at - 1] as number] as number)) at--;
    if (at < k) best.splice(at, 0, i);
    best.length = Math.min(best.length, k);
  }
  const top = data[best[0] as number] as number;
  let sum = 0;
  if (activation === "softmax") for (let i = 0; i < data.length; i++) sum += Math.exp((data[i] as number) - top);
  return best
    .map((index) => {
      const value = data[index] as number;
      const score =
        activation === "softmax" ? Math.exp(value - top) / sum : activation === "none" ? value : logistic(value);
      requireNumber("values", score, index); // of infinities
      return { index, score, ...(labels && { label: labels[index] as string }) };
    })
    .filter(({ score }) => score >= threshold);
}

/**
 * a·b / (|a| |b|), from -1 to 1: how alike two embeddings are. 0 where one of them is all zeros.
 *
 * @throws ShapeError for lengths that differ, RangeError for NaN, TypeError for what is no list of numbers.
 */
export function cosineSimilarity(a: Shaped | Numbers, b: Shaped | Numbers): number {
  const [x, y] = [valuesOf("a", a), valuesOf("b", b)];
  if (x.length !== y.length) throw new ShapeError(`"b" expected ${x.length} numbers, as "a" has, got ${y.length}`);
  let [dot, squareX, squareY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [p, q] = [x[i] as number, y[i] as number];
    requireNumber("a", p, i);
    requireNumber("b", q, i);
    dot += p * q;
    squareX += p * p;
    squareY += q * q;
  }
  return squareX === 0 || squareY === 0 ? 0 : dot / Math.sqrt(squareX) / Math.sqrt(squareY);
}
