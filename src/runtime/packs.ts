// Packs beyond the one that every runtime has: brought by the caller, or loaded the entry's way when somebody needs them.
import type { Engine, Variant } from "../engine/engine.js";
import type { PackName } from "../kernels/table.js";
import { type Runtime, requireRuntime } from "./runtime.js";

/** Loads a compiled binary. Each entry of the package has its own way. */
export type Loader = (pack: PackName, variant: Variant) => Promise<WebAssembly.Module>;

interface Source {
  readonly engine: Engine;
  readonly load: Loader;
  /** Loads under way. */
  readonly pending: Map<PackName, Promise<void>>;
}

/** How each runtime comes by its packs: known here, and to nobody who holds a runtime. */
const sources = new WeakMap<Runtime, Source>();

/** Packs that are missing later will be loaded with `load`. */
export function loadPacksBy(load: Loader, runtime: Runtime, engine: Engine): Runtime {
  sources.set(runtime, { engine, load, pending: new Map() });
  return runtime;
}

/**
 * Loads the packs that the runtime lacks, each once, however many ask for it at a time. What fails may be asked for again.
 * Throws DisposedError where the runtime has ended, also in between.
 */
export async function requirePacks(runtime: Runtime, packs: Iterable<PackName>): Promise<void> {
  requireRuntime(runtime);
  const wanted = [...packs];
  if (wanted.length === 0) return;
  const source = sources.get(runtime);
  if (source === undefined) throw new Error("internal: the runtime was not made by createRuntime");
  await Promise.all(wanted.map((pack) => loadPack(source, pack)));
  requireRuntime(runtime);
}

function loadPack({ engine, load, pending }: Source, pack: PackName): Promise<void> | undefined {
  if (engine.has(pack)) return undefined;
  const started =
    pending.get(pack) ??
    load(pack, engine.variant)
      .then((module) => engine.load(pack, module))
      .finally(() => pending.delete(pack));
  pending.set(pack, started);
  return started;
}
