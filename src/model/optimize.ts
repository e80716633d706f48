// From the graph as it was written to the one that is planned: src/model/rules.ts applied by src/model/rewrite.ts.
import { boolean } from "../check.js";
import type { Planning } from "../plan.js";
import type { GraphData } from "./graph.js";
import { specsOf } from "./planner.js";
import { type Rule, rewrite } from "./rewrite.js";
import { RULES } from "./rules.js";
import type { Source } from "./weights.js";

export interface Network {
  readonly graph: GraphData;
  readonly source: Source;
}

/**
 * `ahead`: rules of who brings the graph, applied before RULES. Throws what planning the graph as it stands throws, but for
 * what an algorithm refuses.
 */
export function optimize(
  network: Network,
  target: Planning,
  isWanted: unknown = true,
  ahead: readonly Rule[] = [],
): Network {
  if (!boolean("optimize", isWanted)) return network;
  const { measure: _, ...byTable } = target;
  const specs = new Map(specsOf(network.graph, network.source.specOf, byTable));
  return [ahead, RULES].reduce(({ graph, source }, rules) => {
    const { graph: rewritten, derived } = rewrite(graph, specs, rules);
    const specOf = (name: string) => derived.get(name)?.spec ?? source.specOf(name);
    const tensorOf = (name: string) => derived.get(name)?.compute(tensorOf) ?? source.tensorOf(name);
    for (const [name, { spec }] of derived) specs.set(name, spec);
    return { graph: rewritten, source: { specOf, tensorOf } };
  }, network);
}
