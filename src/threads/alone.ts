// One thread where others were asked for: in entries that have one, and where the chunk of threads is not to be had.
import { UnsupportedError } from "../base/errors.js";
import type { Threads } from "../runtime/runtime.js";

/** Of a runtime with one thread where others were asked for. Throws UnsupportedError where more have to be. */
export function withoutOthers(
  { min, max: asked }: { readonly min: number; readonly max: number },
  reason: string,
): Threads {
  if (min > 1) throw new UnsupportedError(`"threads" expected at least ${min}, got 1: ${reason}`);
  return { report: () => ({ asked, running: 1, reason }) };
}
