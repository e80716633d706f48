// Nodes that scale and shift by constants.

import { sameShape } from "../../base/check.js";
import type { LayerNode } from "../../model/layers.js";
import type { Scope } from "../../model/rewrite.js";
import type { HostTensor, WeightMap } from "../../model/weights.js";

/** y = x * scale + shift: one number, or one for each index of an axis. */
export interface Affine {
  readonly input: string;
  readonly scale: ArrayLike<number>;
  readonly shift: ArrayLike<number>;
}

const IDENTITY: ArrayLike<number> = [1];
const NOTHING: ArrayLike<number> = [0];

/** Of a column of one number, or of one for each index. */
export const at = (column: ArrayLike<number>, i: number): number => column[column.length === 1 ? 0 : i] as number;

/** The nodes of a graph with these constants. */
export class Affines {
  readonly #weights: WeightMap;
  /** Constants of joined nodes, which are small and wanted at once. */
  readonly #joined = new Map<string, HostTensor>();
  /** Several rules ask, and until none fits. */
  readonly #found = new WeakMap<LayerNode, (Affine | undefined)[]>();

  constructor(weights: WeightMap) {
    this.#weights = weights;
  }

  /** A node that scales and shifts by constants along an axis. */
  of(node: LayerNode, scope: Scope, axis: number): Affine | undefined {
    const found = this.#found.get(node) ?? [];
    this.#found.set(node, found);
    if (!(axis in found)) found[axis] = this.#read(node, scope, axis);
    return found[axis];
  }

  #read(node: LayerNode, scope: Scope, axis: number): Affine | undefined {
    const { op, inputs, params, options } = node;
    const [a, b] = inputs as [string, string];
    if ("activation" in options || scope.specOf(a).dtype !== "float32") return undefined;
    if (op === "batchNorm" && axis === 1) {
      const [mean, variance, gamma, beta] = params.map(
        (name) => this.#constant(name)?.data as Float32Array | undefined,
      );
      if (mean === undefined || variance === undefined) return undefined;
      const { epsilon = 1e-5 } = options as { epsilon?: number };
      // from() with a function is ten times as slow.
      const scale = new Float64Array(variance).map((v, i) => (gamma?.[i] ?? 1) / Math.sqrt(v + epsilon));
      return { input: a, scale, shift: scale.map((s, i) => (beta?.[i] ?? 0) - (mean[i] as number) * s) };
    }
    if (op !== "add" && op !== "sub" && op !== "mul" && op !== "div") return undefined;
    const { shape } = scope.specOf(node.outputs[0] as string);
    const second = this.#column(b, shape, axis);
    if (second !== undefined && sameShape(scope.specOf(a).shape, shape)) {
      if (op === "add") return { input: a, scale: IDENTITY, shift: second };
      if (op === "sub") return { input: a, scale: IDENTITY, shift: Float64Array.from(second, (v) => -v) };
      return { input: a, scale: op === "mul" ? second : Float64Array.from(second, (v) => 1 / v), shift: NOTHING };
    }
    const first = this.#column(a, shape, axis);
    if (first === undefined || op === "div" || !sameShape(scope.specOf(b).shape, shape)) return undefined;
    if (op === "mul") return { input: b, scale: first, shift: NOTHING };
    return { input: b, scale: op === "add" ? IDENTITY : [-1], shift: first };
  }

  /** Makes a constant of a rewritten node known. */
  add(name: string, tensor: HostTensor): void {
    this.#joined.set(name, tensor);
  }

  /** A constant of one number, or of one for each index of an axis of a value of this shape. */
  #column(name: string, shape: readonly number[], axis: number): ArrayLike<number> | undefined {
    const tensor = this.#constant(name);
    if (tensor?.dtype !== "float32") return undefined;
    const ahead = shape.length - tensor.shape.length;
    const fits = tensor.shape.every((size, i) => size === 1 || (ahead + i === axis && size === shape[axis]));
    return ahead >= 0 && fits ? (tensor.data as Float32Array) : undefined;
  }

  #constant(name: string | null | undefined): HostTensor | undefined {
    return name ? (this.#joined.get(name) ?? this.#weights.get(name)) : undefined;
  }
}
