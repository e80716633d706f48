// createRuntime() for places that cannot wait: what processes audio, what is called back and has to answer. No response, no promise.
import { tagOf } from "../base/check.js";
import type { Bytes, WasmModule } from "../base/globals.js";
import type { Variant } from "../engine/engine.js";
import type { PackName } from "../kernels/table.js";
import { binaryOf, checkedOptions, choosing, isHiring, notCompiled, runtimeOf } from "./create.js";
import type { RuntimeOptions } from "./options.js";
import type { Runtime, Threads } from "./runtime.js";

/** RuntimeOptions with binaries that are there. */
export interface SyncRuntimeOptions extends RuntimeOptions {
  /** The kernel binary itself, compiled or its bytes; default: the package's own. */
  readonly wasm?: WasmModule | Bytes;
  /** Further kernels, as `wasm`, of its variant; default: the package's own, when a model needs them. */
  readonly packs?: { readonly [pack in Exclude<PackName, "float">]?: WasmModule | Bytes };
}

function compile(name: string, wasm: unknown): WasmModule {
  if (tagOf(wasm) === "WebAssembly.Module") return wasm as WasmModule;
  const bytes = binaryOf(name, wasm);
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    throw notCompiled(name, cause, `${bytes.length} bytes`);
  }
}

/** createRuntimeSync for an entry that has its binaries at hand, and one thread: `alone` has what is said where others are asked for. */
export function makeCreateRuntimeSync(
  moduleOf: (pack: PackName, variant: Variant) => WasmModule,
  alone: (options: RuntimeOptions) => Threads,
): (options?: SyncRuntimeOptions) => Runtime {
  return function createRuntimeSync(options: SyncRuntimeOptions = {}): Runtime {
    const checked = checkedOptions(options);
    const threads = isHiring(options) ? alone(options) : undefined;
    const packs = checked.packs.map(([pack, binary]) => [pack, compile(`packs.${pack}`, binary)] as const);
    const { wasm } = checked;
    const choice = choosing(checked, wasm === undefined ? undefined : compile("wasm", wasm));
    const own = (pack: PackName, variant: Variant): WasmModule => {
      try {
        return moduleOf(pack, variant);
      } catch (cause) {
        throw notCompiled("wasm", cause);
      }
    };
    let step = choice.next();
    while (!step.done) step = choice.next(own("float", step.value));
    return runtimeOf(step.value, checked, packs, async (pack, variant) => own(pack, variant), threads);
  };
}
