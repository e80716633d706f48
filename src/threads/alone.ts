// One thread where others were asked for: in entries that have one, and where the chunk of threads is not to be had.
import { UnsupportedError } from "../base/errors.js";
import type { Threads } from "../runtime/runtime.js";

/** What `threads` asks for. */
export interface Asked {
  readonly min: number;
  /** undefined: the cores that help. */
  readonly max: number | undefined;
}

/** Of a runtime with one thread where others were asked for. Throws UnsupportedError where more have to be. */
export function withoutOthers({ min, max = 1 }: Asked, reason: string): Threads {
  if (min > 1) throw new UnsupportedError(`"threads" expected at least ${min}, got 1: ${reason}`);
  return { report: () => ({ asked: max, running: 1, ...(max > 1 && { reason }) }) };
}
