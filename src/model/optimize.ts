// From the graph as it was written to the one that is planned: src/model/rules.ts applied by src/model/rewrite.ts.
import { boolean } from "../base/check.js";
import type { TensorSpec } from "../base/spec.js";
import { inferGraph } from "./infer-graph.js";
import type { GraphLayers } from "./layers.js";
import { type DerivedParameter, type Rule, rewrite } from "./rewrite.js";
import { RULES } from "./rules.js";
import type { Source } from "./weights.js";

/** A graph, and where its parameters come from. */
export interface SourcedGraph {
  readonly graph: GraphLayers;
  readonly source: Source;
}

/** Answers a graph that computes the same. `specs`: of every value and parameter; parameters of its own are added to it. */
export type Pass = (given: SourcedGraph, specs: Map<string, TensorSpec>) => SourcedGraph;

/** The pass of these rules. */
export function byRules(rules: readonly Rule[]): Pass {
  return ({ graph, source }, specs) => {
    const { graph: rewritten, derived } = rewrite(graph, specs, rules);
    for (const [name, { spec }] of derived) specs.set(name, spec);
    return { graph: rewritten, source: withDerived(source, derived) };
  };
}

/** A source that has these parameters too. */
export function withDerived(source: Source, derived: ReadonlyMap<string, DerivedParameter>): Source {
  const specOf = (name: string) => derived.get(name)?.spec ?? source.specOf(name);
  const tensorOf = (name: string) => derived.get(name)?.compute(tensorOf) ?? source.tensorOf(name);
  const identityOf = (name: string): string => {
    const one = derived.get(name);
    if (one === undefined) return source.identityOf(name);
    return one.identity?.(identityOf) ?? source.identityOf(name, () => one.compute(tensorOf));
  };
  return { specOf, tensorOf, identityOf };
}

/** What every model is compiled by. No call stands here: esbuild would keep it, and all rules, in a page without a model (2 KB gzip). */
export const PASSES: readonly Pass[] = [(given, specs) => byRules(RULES)(given, specs)];

/**
 * `known`: specs of every value and parameter; without them throws what planning the graph as it stands throws, but for what an
 * algorithm refuses.
 */
export function optimize(
  given: SourcedGraph,
  isWanted: unknown = true,
  passes = PASSES,
  known?: ReadonlyMap<string, TensorSpec>,
): SourcedGraph {
  if (!boolean("optimize", isWanted)) return given;
  const specs = new Map(known ?? inferGraph(given.graph, given.source.specOf).specs);
  return passes.reduce((before, pass) => pass(before, specs), given);
}
