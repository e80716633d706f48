// What a network from a file is compiled by. Rewrites that find nothing in most networks are families, fetched for those that have a
// place for them.
import type { LayerNode } from "../../model/layers.js";
import { byRules, PASSES, type Pass } from "../../model/optimize.js";
import type { WeightMap } from "../../model/weights.js";
import type { Operators } from "../operators.js";

const ARITHMETIC = new Set<LayerNode["op"]>(["add", "sub", "mul", "div"]);

/** Whether exporterRules() may find something from this node on: see rules.ts and affine.ts. */
const mayFold = ({ op, inputs }: LayerNode, weights: WeightMap): boolean =>
  op === "pad" || op === "batchNorm" || (ARITHMETIC.has(op) && inputs.some((name) => weights.has(name)));

/** The passes for graphs with these constants, which throw NotLoaded. */
export function passesFor(operators: Operators, weights: WeightMap): readonly Pass[] {
  const folds: Pass = (given, specs) => {
    const isWanted = given.graph.nodes.some((node) => mayFold(node, weights));
    const rules = isWanted ? operators.family("graph-folds").FOLDS?.(weights) : undefined;
    return byRules([...operators.rules(weights), ...(rules ?? [])])(given, specs);
  };
  // Views move nothing, and channels stay where they are, where nothing is transposed.
  const moves: Pass = (given, specs) => {
    const isWanted = given.graph.nodes.some(({ op }) => op === "transpose");
    const passes = isWanted ? operators.family("graph-moves").MOVES : undefined;
    return passes?.reduce((before, pass) => pass(before, specs), given) ?? given;
  };
  const joins: Pass = (given, specs) => {
    const has = (wanted: LayerNode["op"]) => given.graph.nodes.some(({ op }) => op === wanted);
    const join = has("softmax") && has("matmul") ? operators.family("graph-attention").JOIN : undefined;
    return join?.(weights)(given, specs) ?? given;
  };
  return [folds, ...PASSES, joins, moves];
}
