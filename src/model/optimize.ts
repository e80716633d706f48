// From the graph as it was written to the one that is planned: src/model/rules.ts applied by src/model/rewrite.ts.
import { boolean } from "../base/check.js";
import type { TensorSpec } from "../base/spec.js";
import type { Planning } from "../plan/builder.js";
import type { GraphData } from "./graph.js";
import { specsOf } from "./planner.js";
import { type Rule, rewrite } from "./rewrite.js";
import { RULES } from "./rules.js";
import type { Source } from "./weights.js";

export interface Network {
  readonly graph: GraphData;
  readonly source: Source;
}

/** Answers a network that computes the same. `specs`: of every value and parameter; parameters of its own are added to it. */
export type Pass = (network: Network, specs: Map<string, TensorSpec>) => Network;

/** The pass of these rules. */
export function byRules(rules: readonly Rule[]): Pass {
  return ({ graph, source }, specs) => {
    const { graph: rewritten, derived } = rewrite(graph, specs, rules);
    const specOf = (name: string) => derived.get(name)?.spec ?? source.specOf(name);
    const tensorOf = (name: string) => derived.get(name)?.compute(tensorOf) ?? source.tensorOf(name);
    for (const [name, { spec }] of derived) specs.set(name, spec);
    return { graph: rewritten, source: { specOf, tensorOf } };
  };
}

/** What every model is compiled by. */
export const PASSES: readonly Pass[] = [byRules(RULES)];

/**
 * `known`: specs of every value and parameter; without them throws what planning the graph as it stands throws, but for what an
 * algorithm refuses.
 */
export function optimize(
  network: Network,
  target: Planning,
  isWanted: unknown = true,
  passes = PASSES,
  known?: ReadonlyMap<string, TensorSpec>,
): Network {
  if (!boolean("optimize", isWanted)) return network;
  const { measure: _, ...byTable } = target;
  const specs = new Map(known ?? specsOf(network.graph, network.source.specOf, byTable));
  return passes.reduce((before, pass) => pass(before, specs), network);
}
