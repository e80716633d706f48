// Sums, means and maxima over any axes. In memory order a tensor is groups of neighbouring axes that are reduced or kept by
// turns; each reduced group, the fastest first, is one pass of a pooling kernel over [outer, size, inner].

import { axisOrder } from "../../base/spec.js";
import { GlobalPoolDesc, PoolDesc } from "../../kernels/gen/desc.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";
import type { Builder } from "../../plan/builder.js";
import type { Ref } from "../../plan/operand.js";

export type Reduction = "sum" | "mean" | "max";

/** One pass: y[o, i] over x[o, ..., i]. */
function pass(b: Builder, xPtr: Ref, yPtr: Ref, outer: number, size: number, inner: number, kind: Reduction): void {
  if (inner === 1) {
    const divisor = kind === "mean" ? size : 1;
    const values = { xPtr, yPtr, length: size, maximum: Number(kind === "max"), divisor };
    b.step("global_pool_f32", GlobalPoolDesc, values, outer);
    return;
  }
  // One row of `size` pixels with `inner` channels, under one window.
  const values = {
    xPtr,
    yPtr,
    channels: inner,
    height: 1,
    width: size,
    outH: 1,
    outW: 1,
    kernelH: 1,
    kernelW: size,
    strideH: 1,
    strideW: 1,
    dilationH: 1,
    dilationW: 1,
    padTop: 0,
    padLeft: 0,
    padBottom: 0,
    // The divisor counts what is left of the window in the padded image: one, where it is a sum.
    padRight: kind === "sum" ? 1 - size : 0,
    adaptive: 0,
    countPadding: Number(kind === "sum"),
  };
  b.step(kind === "max" ? "max_pool_f32" : "avg_pool_f32", PoolDesc, values, outer);
}

/** One input → the same shape with ones at `axes`. */
export function reduce(kind: Reduction, axes: readonly number[], label: string): Operator {
  return defineOperator({
    name: label,
    inputs: ["input"],
    infer({ input }) {
      const shape = input.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
      return { outputs: [outputSpec(shape, input)] };
    },
    lower(b, { input }) {
      const { shape, memoryFormat } = input.spec;
      const groups: { size: number; readonly isReduced: boolean }[] = [];
      for (const axis of axisOrder(shape.length, memoryFormat)) {
        const [size, isReduced, last] = [shape[axis] as number, axes.includes(axis), groups.at(-1)];
        if (size === 1) continue;
        if (last?.isReduced === isReduced) last.size *= size;
        else groups.push({ size, isReduced });
      }
      // A pass over one element copies.
      if (!groups.some(({ isReduced }) => isReduced)) groups.push({ size: 1, isReduced: true });
      const product = (some: typeof groups) => some.reduce((p, { size }) => p * size, 1);
      let from = input.ref;
      for (let at = groups.length - 1; at >= 0; at--) {
        const { size, isReduced } = groups[at] as (typeof groups)[number];
        if (!isReduced) continue;
        const [outer, inner] = [product(groups.slice(0, at)), product(groups.slice(at + 1))];
        groups.splice(at, 1);
        const isLast = !groups.some((group) => group.isReduced);
        const to = isLast ? b.output.ref : b.workspace(outer * inner * 4);
        pass(b, from, to, outer, size, inner, kind);
        from = to;
      }
    },
  });
}
