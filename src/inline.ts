// lanewise/inline: the default entry for where import() is forbidden (service workers, extensions, worklets) or one file is wanted:
// both variants of every pack inside, compiled when they are needed, at once where that is asked for.

/**
 * All of lanewise for places that forbid `import()` (service workers, extensions, worklets), and {@link createRuntimeSync}. All binaries are
 * inside. For ONNX files there, `lanewise/inline/onnx` is `lanewise/onnx` with every operator inside.
 *
 * @module lanewise/inline
 */

import { bytes as audioRelaxed } from "../build/wasm/audio-relaxed.wasm";
import { bytes as audioSimd } from "../build/wasm/audio-simd.wasm";
import { bytes as halfRelaxed } from "../build/wasm/half-relaxed.wasm";
import { bytes as halfSimd } from "../build/wasm/half-simd.wasm";
import { bytes as int8Relaxed } from "../build/wasm/int8-relaxed.wasm";
import { bytes as int8Simd } from "../build/wasm/int8-simd.wasm";
import { bytes as numericRelaxed } from "../build/wasm/numeric-relaxed.wasm";
import { bytes as numericSimd } from "../build/wasm/numeric-simd.wasm";
import { bytes as rareRelaxed } from "../build/wasm/rare-relaxed.wasm";
import { bytes as rareSimd } from "../build/wasm/rare-simd.wasm";
import { bytes as recurrentRelaxed } from "../build/wasm/recurrent-relaxed.wasm";
import { bytes as recurrentSimd } from "../build/wasm/recurrent-simd.wasm";
import { bytes as relaxed } from "../build/wasm/relaxed.wasm";
import { bytes as simd } from "../build/wasm/simd.wasm";
import type { WasmModule } from "./base/globals.js";
import type { Variant } from "./engine/engine.js";
import type { PackName } from "./kernels/table.js";
import { makeCreateRuntime } from "./runtime/create.js";
import { makeCreateRuntimeSync } from "./runtime/create-sync.js";
import { oneThread } from "./threads/asked.js";

export * from "./api.js";
export type { SyncRuntimeOptions } from "./runtime/create-sync.js";

const BYTES: Readonly<Record<PackName, Readonly<Record<Variant, () => Uint8Array<ArrayBuffer>>>>> = {
  float: { simd, relaxed },
  numeric: { simd: numericSimd, relaxed: numericRelaxed },
  rare: { simd: rareSimd, relaxed: rareRelaxed },
  recurrent: { simd: recurrentSimd, relaxed: recurrentRelaxed },
  audio: { simd: audioSimd, relaxed: audioRelaxed },
  int8: { simd: int8Simd, relaxed: int8Relaxed },
  half: { simd: halfSimd, relaxed: halfRelaxed },
};

const alone = /* @__PURE__ */ oneThread(
  "service workers and worklets start no workers: lanewise/inline has one thread",
);

/**
 * Binaries that a runtime has or had a moment ago: the next one need not compile them, nor has the engine to warm them up: WebKitGTK
 * makes it in 2 ms, not in 10.
 */
const known = /* @__PURE__ */ new Map<string, WeakRef<WasmModule>>();
const knownAs = (pack: PackName, variant: Variant): WasmModule | undefined => known.get(pack + variant)?.deref();
function keep(pack: PackName, variant: Variant, module: WasmModule): WasmModule {
  known.set(pack + variant, new WeakRef(module));
  return module;
}

/**
 * See lanewise.
 *
 * @throws (rejects with) as there.
 * @function
 */
export const createRuntime = /* @__PURE__ */ makeCreateRuntime(
  async (pack, variant) =>
    knownAs(pack, variant) ?? keep(pack, variant, await WebAssembly.compile(BYTES[pack][variant]())),
  alone,
);

/**
 * Makes a runtime at once: a few milliseconds that the thread waits. Pages' engines compile so up to 8 MB.
 *
 * @throws what createRuntime() rejects with; TypeError also for a `wasm` that is no module and no bytes.
 * @function
 */
export const createRuntimeSync = /* @__PURE__ */ makeCreateRuntimeSync(
  (pack, variant) => knownAs(pack, variant) ?? keep(pack, variant, new WebAssembly.Module(BYTES[pack][variant]())),
  alone,
);
