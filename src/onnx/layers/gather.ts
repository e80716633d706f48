// Elements at constant indices along one axis, as strided copies.

import { stridesOf } from "../../base/spec.js";
import type { LoweredOptions } from "../../ops/custom.js";
import { outputSpec } from "../../ops/operator.js";
import { copyStrided, elementRef } from "../../ops/parts/strided.js";
import type { Operand } from "../../plan/operand.js";

/** Indices `step` apart. */
export interface Run {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The fewest runs that are found from left to right. */
export function runsOf(indices: readonly number[]): readonly Run[] {
  const runs: { start: number; step: number; count: number }[] = [];
  for (const index of indices) {
    const last = runs.at(-1);
    const isNext = last && (last.count === 1 || index === last.start + last.count * last.step);
    if (!isNext) runs.push({ start: index, step: 1, count: 1 });
    else {
      if (last.count === 1) last.step = index - last.start;
      last.count++;
    }
  }
  return runs;
}

/** One input → the same but for `axis`, which has the elements of all runs. */
export function gather(axis: number, runs: readonly Run[]): LoweredOptions {
  return {
    label: "Gather",
    lower(b) {
      const { spec, ref } = b.inputs[0] as Operand;
      const size = runs.reduce((sum, { count }) => sum + count, 0);
      const output = b.output(
        outputSpec(
          spec.shape.map((s, i) => (i === axis ? size : s)),
          spec,
        ),
      );
      const [from, to] = [stridesOf(spec), stridesOf(output.spec)];
      let at = 0;
      for (const { start, step, count } of runs) {
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
  };
}
