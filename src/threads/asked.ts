// What `threads` asks for.
import { integer, knownOptions } from "../base/check.js";
import { show } from "../base/errors.js";
import type { RuntimeOptions } from "../runtime/options.js";
import type { Threads } from "../runtime/runtime.js";
import { type Asked, withoutOthers } from "./alone.js";

/** Bits of the word in which the leader notes who is there. */
const MOST_THREADS = 64;

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
    return withoutOthers({ min, max }, `${why} (options got ${show(threads)})`);
  };
