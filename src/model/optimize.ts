// From the graph as it was written to the one that is planned: src/model/rules.ts applied by src/model/rewrite.ts.
import { boolean } from "../check.js";
import type { Planning } from "../plan.js";
import type { GraphData } from "./graph.js";
import { specsOf } from "./planner.js";
import { rewrite } from "./rewrite.js";
import { RULES } from "./rules.js";
import type { Source } from "./weights.js";

export interface Network {
  readonly graph: GraphData;
  readonly source: Source;
}

/** Throws what planning the graph as it stands throws, but for what an algorithm refuses. */
export function optimize({ graph, source }: Network, target: Planning, isWanted: unknown = true): Network {
  if (!boolean("optimize", isWanted)) return { graph, source };
  const { measure: _, ...byTable } = target;
  const specs = specsOf(graph, source.specOf, byTable);
  const { graph: rewritten, derived } = rewrite(graph, specs, RULES);
  const specOf = (name: string) => derived.get(name)?.spec ?? source.specOf(name);
  const tensorOf = (name: string) => derived.get(name)?.compute(tensorOf) ?? source.tensorOf(name);
  return { graph: rewritten, source: { specOf, tensorOf } };
}
