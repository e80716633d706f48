// Where slices begin and end, and what Pad adds: pure numbers.
import { ModelError } from "../../base/errors.js";
import type { Attributes } from "./attributes.js";

export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The ranges of Slice, one an axis it names. */
export function sliceRanges(
  c: Attributes,
  shape: readonly number[],
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] | undefined,
  steps: readonly number[] | undefined,
): SliceRange[] {
  const named = c.axes("axes", axes ?? starts.map((_, i) => i), shape.length);
  if (ends.length !== starts.length || named.length !== starts.length || (steps && steps.length !== starts.length)) {
    throw new ModelError(
      `"starts", "ends", "axes" and "steps" expected one length, got ${starts.length} and ${ends.length}`,
    );
  }
  return named.map((axis, i) => {
    const size = shape[axis] as number;
    const step = steps?.[i] ?? 1;
    if (step === 0) throw new ModelError(`"steps" expected steps other than 0, got 0`);
    // Forwards both ends are within [0, size]; backwards a start is an element, and only an end may lie in front of the first.
    const clamp = (value: number, low: number): number =>
      Math.min(step > 0 ? size : size - 1, Math.max(low, value < 0 ? value + size : value));
    const start = clamp(starts[i] as number, 0);
    const end = clamp(ends[i] as number, step > 0 ? 0 : -1);
    return { axis, start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
}

/** The pads of Pad for every axis: [before…, after…]. */
export function padsOf(
  c: Attributes,
  rank: number,
  pads: readonly number[] | undefined,
  axes: readonly number[] | undefined,
): number[] {
  const given = pads ?? c.ints("pads") ?? c.ints("paddings");
  if (given === undefined) throw new ModelError(`"pads" expected a list, got none`);
  const named = axes === undefined ? Array.from({ length: rank }, (_, i) => i) : c.axes("axes", axes, rank);
  if (given.length !== 2 * named.length)
    throw new ModelError(`"pads" expected ${2 * named.length} numbers, got ${given.length}`);
  const all = new Array<number>(2 * rank).fill(0);
  named.forEach((axis, i) => {
    all[axis] = given[i] as number;
    all[rank + axis] = given[named.length + i] as number;
  });
  return all;
}
