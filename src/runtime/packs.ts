// Packs beyond the one that every runtime has, loaded the entry's way when somebody needs them.
import type { Engine, Variant } from "../engine/engine.js";
import type { PackName } from "../kernels/table.js";

/** Loads a compiled binary. Each entry of the package has its own way. */
export type Loader = (pack: PackName, variant: Variant) => Promise<WebAssembly.Module>;

/** Loads a pack that an engine lacks, once, however many ask for it at a time. What failed may be asked for again. */
export function packLoader(engine: Engine, load: Loader): (pack: PackName) => Promise<void> {
  const pending = new Map<PackName, Promise<void>>();
  return async (pack) => {
    if (engine.has(pack)) return;
    const started =
      pending.get(pack) ??
      load(pack, engine.variant)
        .then((module) => engine.load(pack, module))
        .finally(() => pending.delete(pack));
    pending.set(pack, started);
    await started;
  };
}
