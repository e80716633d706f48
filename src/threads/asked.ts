// What `threads` asks for.
import { integer, knownOptions } from "../base/check.js";
import { show } from "../base/errors.js";
import type { RuntimeOptions } from "../runtime/options.js";
import type { Threads } from "../runtime/runtime.js";
import { withoutOthers } from "./alone.js";

/** Bits of the word in which the leader notes who is there. */
const MOST_THREADS = 64;

export interface Asked {
  readonly min: number;
  /** undefined: the cores that help. */
  readonly max: number | undefined;
}

/** Of a runtime with one thread that asked for no other. */
export const ONE: Threads = { report: () => ({ asked: 1, running: 1 }) };

/** Throws TypeError or RangeError. */
export function askedThreads(threads: RuntimeOptions["threads"]): Asked {
  if (threads === "auto") return { min: 1, max: undefined };
  if (typeof threads !== "object" || threads === null)
    return { min: 1, max: integer("threads", threads, 1, MOST_THREADS) };
  knownOptions("threads", threads, ["min", "max"]);
  const min = integer("threads.min", threads.min ?? 1, 1, MOST_THREADS);
  return { min, max: threads.max === undefined ? undefined : integer("threads.max", threads.max, min, MOST_THREADS) };
}

/** Of an entry that has one thread, and why. */
export const oneThread =
  (why: string) =>
  ({ threads }: RuntimeOptions): Threads => {
    const { min, max = Math.max(min, 2) } = askedThreads(threads);
    return max === 1 ? ONE : withoutOthers({ min, max }, `${why} (options got ${show(threads)})`);
  };
