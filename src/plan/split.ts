// How finely a step is split among threads: how many of its work items one thread takes at a time.
//
//   split(builder, call, threads)   call.items: the step stays whole, on the thread that leads
//                                   fewer: a unit of so many items, ceil(items / unit) units, 2,048 at most
//
// Called when a plan is made, before anything is in memory; the answer decides how much scratch is reserved (every thread has its own
// for a step that is split), and no bit of any result. Ranges of the same extent are cut at the same shares, so that a thread goes on
// with the rows that it has just written.
import type { Builder, Call } from "./builder.js";
import { costOf } from "./cost.js";

/** Publishing a step, and what others wrote of its input, which comes from their caches. */
const STEP_NS = 600;
/** Taking a unit: an atomic addition, a call, and the count of what is done. */
const UNIT_NS = 250;
/** A thread is slower than the others by so much, now and then: with more units, they take some of its own. */
const LATE = 0.06;
/** It has to be faster by so much. */
const LEAST_GAIN = 0.9;
/** Units of a thread that are considered. */
const TURNS = [1, 2, 3, 4, 6, 8, 12, 16];
const MOST_UNITS = 4095;
/** Items that a kernel computes together, of those where a rest costs more than its share. */
const GRAIN = 6;

/** Nanoseconds of a call in units of so many items. */
function timeOf(call: Omit<Call, "unit">, variant: "simd" | "relaxed", unit: number, threads: number): number {
  const units = Math.ceil(call.items / unit);
  const turns = Math.ceil(units / threads);
  const share = turns * costOf(call, variant, unit);
  return STEP_NS + share * (1 + LATE / turns) + turns * UNIT_NS;
}

/** Work items of a unit. */
export function split({ planning }: Builder, call: Omit<Call, "unit">, threads: number): number {
  const { items, kernel } = call;
  if (typeof kernel !== "string" || threads < 2 || items < 2) return items;
  const { variant } = planning;
  let best = items;
  let least = LEAST_GAIN * costOf(call, variant);
  for (const turns of TURNS) {
    const even = Math.ceil(items / Math.min(items, turns * threads, MOST_UNITS));
    for (const unit of [even, Math.ceil(even / GRAIN) * GRAIN]) {
      if (unit >= items) continue;
      const ns = timeOf(call, variant, unit, threads);
      if (ns < least) [best, least] = [unit, ns];
    }
  }
  return best;
}
