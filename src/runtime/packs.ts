// Packs beyond the one that every runtime has, loaded the entry's way when somebody needs them.
import { UnsupportedError } from "../base/errors.js";
import type { WasmModule } from "../base/globals.js";
import type { Engine, Variant } from "../engine/engine.js";
import type { PackName } from "../kernels/table.js";

/** What becomes of a binary before it is compiled. */
export type Twin = (binary: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
/** Loads a compiled binary. Each entry of the package has its own way; those that have bytes take a twin. */
export type Loader = (pack: PackName, variant: Variant, twin?: Twin) => Promise<WasmModule>;

/** Loads a pack that an engine lacks, once, however many ask for it at a time. What failed may be asked for again. Throws UnsupportedError. */
export function packLoader(engine: Engine, load: Loader, twin?: Twin): (pack: PackName) => Promise<void> {
  const pending = new Map<PackName, Promise<void>>();
  return async (pack) => {
    if (engine.has(pack)) return;
    const tryIt = (variant: Variant) =>
      load(pack, variant, twin)
        .catch((cause: unknown) => {
          if (cause instanceof UnsupportedError) throw cause;
          const message = `"packs.${pack}" expected to be given where it cannot be loaded: ${(cause as Error).message}`;
          throw new UnsupportedError(message, { cause });
        })
        .then((module) => engine.load(pack, module));
    const started =
      pending.get(pack) ??
      tryIt(engine.variant)
        .catch(async (error: Error) => {
          // Of bytes the other binary has the same bits, and asks nothing of the engine.
          if (pack !== "int8" || engine.variant === "simd") throw error;
          await tryIt("simd");
          engine.int8 = { variant: "simd", reason: `fell back from relaxed: ${error.message}` };
        })
        .finally(() => pending.delete(pack));
    pending.set(pack, started);
    await started;
  };
}
