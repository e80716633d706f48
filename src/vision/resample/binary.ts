// The pack `vision` over a runtime's memory: one binary for both variants.

import { isBytes, tagOf } from "../../base/check.js";
import { show, UnsupportedError } from "../../base/errors.js";
import type { Bytes, WasmModule } from "../../base/globals.js";
import type { Engine, Kernel } from "../../engine/engine.js";
import { PACK } from "../../kernels/gen/vision/pack.js";
import type { Twin } from "../../runtime/packs.js";
import { internalsOf, type Runtime, requireRuntime } from "../../runtime/runtime.js";

/** Answers the compiled binary. Each entry of the package has its own way; those that have bytes take a twin for shared memory. */
export type Binary = (twin?: Twin) => WasmModule;

/** Where kernels come from. */
export interface KernelOptions {
  /** The binary of pictures (lanewise/wasm/vision.wasm), compiled or its bytes, for a runtime that has none yet. Default: the package's own. */
  readonly wasm?: WasmModule | Bytes;
}

export interface Kernels {
  readonly engine: Engine;
  readonly resample: Kernel;
  readonly blend: Kernel;
}

const bytesOf = (wasm: BufferSource): Uint8Array<ArrayBuffer> =>
  ArrayBuffer.isView(wasm) ? new Uint8Array(wasm.buffer, wasm.byteOffset, wasm.byteLength) : new Uint8Array(wasm);

function compiled(wasm: unknown, twin: Twin | undefined): WebAssembly.Module {
  if (tagOf(wasm) === "WebAssembly.Module") {
    if (twin === undefined) return wasm as WebAssembly.Module;
    throw new UnsupportedError(`"wasm" expected bytes for a runtime with threads, got a compiled module`);
  }
  if (!ArrayBuffer.isView(wasm) && !isBytes(wasm))
    throw new TypeError(`"wasm" expected a WebAssembly.Module or bytes, got ${show(wasm)}`);
  try {
    return new WebAssembly.Module(twin ? twin(bytesOf(wasm as BufferSource)) : (wasm as BufferSource));
  } catch (cause) {
    throw new UnsupportedError(`"wasm" expected a binary this engine compiles, got ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** The kernels of a runtime, loaded once. Throws DisposedError, and for a binary that is not this version's. */
export function kernelsOf(runtime: Runtime, binary: Binary, wasm: KernelOptions["wasm"]): Kernels {
  requireRuntime(runtime);
  const { engine } = internalsOf(runtime);
  if (!engine.has(PACK.name)) {
    const twin = engine.crew?.twin;
    engine.load(PACK.name, wasm === undefined ? binary(twin) : compiled(wasm, twin), PACK, "wasm");
  }
  return { engine, resample: engine.kernels.resample_u8 as Kernel, blend: engine.kernels.blend_u8 as Kernel };
}
