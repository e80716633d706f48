// How a run lets others have their turn: in how many parts a layer runs, and what waits in between.
import { countOf } from "../base/shape.js";
import type { Builder } from "../plan/builder.js";

export { now } from "../base/clock.js";

/** Multiply-accumulates of a millisecond where kernels are slow; an element that is stored takes as long as five. */
const MACS_PER_MS = 5e6;

/** In how many parts a layer runs so that each takes less than so many milliseconds. */
export function partsOf({ macs, outputs }: Builder, ms: number): number {
  const stored = outputs.reduce((sum, { spec }) => sum + countOf(spec.shape), 0);
  return ms > 0 ? Math.max(1, Math.ceil((macs + 5 * stored) / (MACS_PER_MS * ms))) : 1;
}

/** Resolves when what else waits in this thread has had its turn; worklets, which have no setTimeout, let promises go on only. */
export function turn(): Promise<void> {
  const { scheduler } = globalThis as { scheduler?: { yield?: () => Promise<void> } };
  return (
    scheduler?.yield?.() ??
    new Promise((resolve) => (typeof setTimeout === "function" ? setTimeout(resolve) : resolve()))
  );
}
