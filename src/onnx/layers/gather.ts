// Elements at constant indices along one axis, as strided copies.

import { stridesOf } from "../../base/spec.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";
import { copyStrided, elementRef } from "../../ops/parts/strided.js";

/** Indices `step` apart. */
export interface Stretch {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The fewest stretches that are found from left to right. */
export function stretchesOf(indices: readonly number[]): readonly Stretch[] {
  const stretches: { start: number; step: number; count: number }[] = [];
  for (const index of indices) {
    const last = stretches.at(-1);
    const isNext = last && (last.count === 1 || index === last.start + last.count * last.step);
    if (!isNext) stretches.push({ start: index, step: 1, count: 1 });
    else {
      if (last.count === 1) last.step = index - last.start;
      last.count++;
    }
  }
  return stretches;
}

/** One input → the same but for `axis`, which has the elements of all stretches. */
export function gather(axis: number, stretches: readonly Stretch[]): Operator {
  const total = stretches.reduce((sum, { count }) => sum + count, 0);
  return defineOperator({
    name: "Gather",
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputSpec(input.shape.with(axis, total), input)] }),
    lower(b, { input: { spec, ref } }) {
      const { output } = b;
      const [from, to] = [stridesOf(spec), stridesOf(output.spec)];
      let at = 0;
      for (const { start, step, count } of stretches) {
        const corner = (index: number) => spec.shape.map((_, i) => (i === axis ? index : 0));
        const loops = spec.shape.map((s, i) => ({
          size: i === axis ? count : s,
          src: (from[i] as number) * (i === axis ? step : 1),
          dst: to[i] as number,
        }));
        copyStrided(
          b,
          spec.dtype,
          elementRef(ref, spec.dtype, from, corner(start)),
          elementRef(output.ref, spec.dtype, to, corner(at)),
          loops,
        );
        at += count;
      }
    },
  });
}
