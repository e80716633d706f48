// The packs of kernels that a file needs.
import type { PackName } from "../kernels/table.js";
import { internalsOf, type Runtime, requireRuntime } from "../runtime/runtime.js";

/** Loads the packs that the runtime lacks. Throws DisposedError where the runtime has ended, also in between. */
export async function requirePacks(runtime: Runtime, packs: Iterable<PackName>): Promise<void> {
  requireRuntime(runtime);
  await Promise.all([...packs].map(internalsOf(runtime).loadPack));
  requireRuntime(runtime);
}
