// Threads for a runtime that asks for several: whether they can be, and the crew of its engine.
import crewModule from "../../build/wasm/crew.wasm";
import { tagOf } from "../base/check.js";
import { UnsupportedError } from "../base/errors.js";
import { PAGE_BYTES } from "../engine/allocator.js";
import { split } from "../plan/split.js";
import { type Hiring, notCompiled } from "../runtime/create.js";
import type { RuntimeOptions } from "../runtime/options.js";
import { withoutOthers } from "./alone.js";
import { askedThreads, ONE } from "./asked.js";
import { Threads } from "./crew.js";
import { meetingBytes, Pool } from "./pool.js";
import { sharedTwin } from "./twin.js";

/** Of "auto": more than these share the memory's bandwidth, and on phones the others are slow. */
const MOST_AUTO = 8;
/** A shared memory reserves what it may grow to. */
const DEFAULT_BYTES = 2 ** 30;

/** Ends the workers of engines that were dropped without dispose(). */
const dropped =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry<Pool>((pool) => pool.end("the runtime was dropped"))
    : undefined;

function cores(): number {
  const { process, navigator } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
    navigator?: { hardwareConcurrency?: number };
  };
  const os = process?.getBuiltinModule?.("node:os") as { availableParallelism?: () => number } | undefined;
  return os?.availableParallelism?.() ?? navigator?.hardwareConcurrency ?? 1;
}

/** Why there can be no shared memory here. */
function obstacle({ wasm, packs = {} }: RuntimeOptions): string | undefined {
  const { crossOriginIsolated, process } = globalThis as {
    crossOriginIsolated?: boolean;
    process?: { getBuiltinModule?: unknown };
  };
  if (typeof SharedArrayBuffer === "undefined" || (crossOriginIsolated === false && !process?.getBuiltinModule))
    return "no SharedArrayBuffer: the page is not cross-origin isolated";
  if ([wasm, ...Object.values(packs)].some((binary) => tagOf(binary) === "WebAssembly.Module"))
    return "a compiled module is for memory that is not shared: give its bytes";
  return undefined;
}

/** Bytes of a memory that the engine reserves, or undefined. */
function reserved(maxBytes: number | undefined): number | undefined {
  for (const bytes of maxBytes === undefined ? [DEFAULT_BYTES, DEFAULT_BYTES / 4] : [maxBytes]) {
    try {
      new WebAssembly.Memory({ initial: 1, maximum: Math.floor(bytes / PAGE_BYTES), shared: true });
      return bytes;
    } catch {}
  }
  return undefined;
}

/** See Hiring. */
export const hire: Hiring = async (options) => {
  const asked = askedThreads(options.threads);
  const { min } = asked;
  const max = asked.max ?? Math.max(min, Math.min(cores(), MOST_AUTO));
  if (max === 1) return ONE;
  const why = obstacle(options);
  if (why !== undefined) return withoutOthers({ min, max }, why);
  const maxBytes = reserved(options.maxBytes);
  if (maxBytes === undefined) return withoutOthers({ min, max }, "the engine reserves no shared memory of that size");
  const module = await crewModule().catch((cause: unknown) => {
    throw notCompiled("threads", cause);
  });
  let pool: Pool | undefined;
  return {
    threads: max,
    split: (builder, call) => split(builder, call, max),
    report: () => {
      const running = pool?.running ?? 1;
      const reason = pool?.reason ?? "others are starting";
      return { asked: max, running, ...(running < max && { reason }) };
    },
    hire: {
      bytes: meetingBytes(max),
      maxBytes,
      twin: sharedTwin,
      start: async (engine) => {
        pool = new Pool(engine.heap.memory, module, max);
        const crew = new Threads(engine, pool);
        engine.crew = crew;
        dropped?.register(crew, pool);
        pool.start(options.worker);
        await pool.arrived(min);
        if (pool.running >= min) return;
        const { running, reason } = pool;
        pool.end("too few");
        throw new UnsupportedError(`"threads" expected at least ${min}, got ${running}: ${reason}`);
      },
    },
  };
};
