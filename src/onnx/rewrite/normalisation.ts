// Layer normalisation as exporters spell it out:
//
//   x ─▶ ReduceMean ─▶ Sub ─▶ Mul (itself) ─▶ ReduceMean ─▶ Add epsilon ─▶ Sqrt ─▶ Div (Sub by it) ─▶ Mul ─▶ Add
//
// is one kernel, with factors and shifts where those are constants along its lines. The same without Sub is RMS normalisation.
import { countOf } from "../../base/shape.js";
import { type LayerNode, operatorOf } from "../../model/layers.js";
import type { Rule, Scope } from "../../model/rewrite.js";
import type { WeightMap } from "../../model/weights.js";
import { type Normalise, normalise } from "../layers/normalise.js";

/** The rules for a graph with these constants. */
export function normalisationRules(weights: WeightMap): readonly Rule[] {
  return [joinNormalisation(weights), takeFactors(weights)];
}

function inputOf(node: LayerNode | undefined, name: string): string | undefined {
  return node && operatorOf(node).name === name && !("activation" in node.options) ? node.inputs[0] : undefined;
}

/** Elements of a line of `value` that `mean` is the mean of: its last axes. */
function lineOf(value: string, mean: string, scope: Scope): number | undefined {
  const [shape, means] = [value, mean].map((name) => scope.specOf(name).shape) as [number[], number[]];
  if (shape.length !== means.length) return undefined;
  const first = shape.findIndex((size, axis) => size !== means[axis]);
  if (first < 0 || means.slice(first).some((size) => size !== 1)) return undefined;
  return countOf(shape.slice(first));
}

/** x of x - mean(x). */
function centered(node: LayerNode | undefined, scope: Scope): string | undefined {
  const [x, mean] = node?.op === "sub" && !("activation" in node.options) ? node.inputs : [];
  return x !== undefined && inputOf(scope.producer(mean as string), "ReduceMean") === x ? x : undefined;
}

function joinNormalisation(weights: WeightMap): Rule {
  return (node, scope) => {
    if (node.op !== "div" || "activation" in node.options) return undefined;
    const [top, root] = node.inputs as [string, string];
    const sum = inputOf(scope.producer(root), "Sqrt");
    const added = sum === undefined ? undefined : scope.producer(sum);
    if (added?.op !== "add" || "activation" in added.options) return undefined;
    const [mean, epsilon] = added.inputs.toSorted((a, b) => Number(weights.has(a)) - Number(weights.has(b))) as [
      string,
      string,
    ];
    const constant = weights.get(epsilon);
    const squares = inputOf(scope.producer(mean), "ReduceMean");
    const squared = squares === undefined ? undefined : scope.producer(squares);
    if (constant?.dtype !== "float32" || constant.data.length !== 1 || squared?.op !== "mul") return undefined;
    const [left, right] = squared.inputs as [string, string];
    if (left !== right || "activation" in squared.options) return undefined;
    // The deviations that are squared may be computed a second time for the quotient.
    const isSame = (a: string | undefined, b: string | undefined) => a !== undefined && a === b;
    const x = centered(scope.producer(top), scope);
    const isCentered = isSame(x, centered(scope.producer(left), scope));
    if (!isCentered && left !== top) return undefined;
    const input = isCentered ? (x as string) : top;
    const length = lineOf(input, mean, scope);
    const first = isCentered ? scope.producer(top)?.inputs[1] : mean;
    if (length === undefined || lineOf(input, first as string, scope) !== length) return undefined;
    const name = isCentered ? "LayerNormalization" : "RMSNormalization";
    return {
      ...node,
      op: normalise({ name, length, inner: 1, period: 1, isCentered, epsilon: constant.data[0] as number }),
      inputs: [input],
      params: [],
      options: {},
    };
  };
}

/** normalise ─▶ mul by factors of a line ─▶ add of shifts   ==>   normalise with both */
function takeFactors(weights: WeightMap): Rule {
  return (node, scope) => {
    const at = node.op === "mul" ? 0 : node.op === "add" ? 1 : undefined;
    if (at === undefined || "activation" in node.options) return undefined;
    for (const [input, other] of [node.inputs, node.inputs.toReversed()] as [string, string][]) {
      const before = scope.soleProducer(input);
      const { normalisation } = (before ? operatorOf(before) : {}) as Partial<Normalise>;
      const factors = weights.get(other);
      if (before === undefined || normalisation?.inner !== 1 || factors?.dtype !== "float32") continue;
      // Shifts come last; of a line's axes they have every element.
      const isFree = before.params[at] == null && before.params[1] == null;
      const { shape } = scope.specOf(input);
      const isLine =
        factors.shape.length <= shape.length &&
        countOf(factors.shape) === normalisation.length &&
        normalisation.period === 1 &&
        factors.shape.toReversed().every((size, i) => size === 1 || size === shape.at(-1 - i));
      if (!isFree || !isLine) continue;
      const params = [before.params[0] ?? null, before.params[1] ?? null];
      params[at] = other;
      return { ...before, params, outputs: node.outputs };
    }
    return undefined;
  };
}
