// A model of one fully connected layer, "fc": x [..., K], weights [M, K] and a bias [M] to y.
import { type Activation, createModel, Graph, type Model, type ModelOptions, type Runtime } from "../src/index.js";

export interface LinearLayer {
  readonly x: readonly number[];
  readonly M: number;
  readonly activation?: Activation;
  /** Without a bias. */
  readonly isBare?: boolean;
}

export function linearModel(
  rt: Runtime,
  { x, M, activation, isBare }: LinearLayer,
  w: Float32Array,
  b: Float32Array,
  options: ModelOptions,
): Model {
  const g = new Graph();
  const K = x.at(-1) as number;
  const bias = isBare ? null : g.parameter("b", [M]);
  const own = activation ? { activation } : {};
  g.output("y", g.layer("fc").linear(g.input("x", x), g.parameter("w", [M, K]), bias, own));
  const float = (shape: number[], data: Float32Array) => ({ shape, dtype: "float32", data }) as const;
  return createModel(rt, g, { w: float([M, K], w), ...(!isBare && { b: float([M], b) }) }, options);
}
