// The default entry: kernel bytes travel inside the JavaScript, one chunk a binary, so there is no path to get wrong.

/**
 * Tensors, operators, plans, graphs and models. Begin with {@link createRuntime}.
 *
 * @module lanewise
 */

import type { Variant } from "./engine/engine.js";
import type { PackName } from "./kernels/table.js";
import { makeCreateRuntime } from "./runtime/create.js";
import type { RuntimeOptions } from "./runtime/options.js";
import type { Twin } from "./runtime/packs.js";
import { withoutOthers } from "./threads/alone.js";

export * from "./api.js";

type Chunk = () => Promise<{ readonly default: (twin?: Twin) => Promise<WebAssembly.Module> }>;

const CHUNKS: Readonly<Record<PackName, Readonly<Record<Variant, Chunk>>>> = {
  float: {
    simd: () => import("../build/wasm/simd.wasm"),
    relaxed: () => import("../build/wasm/relaxed.wasm"),
  },
  numeric: {
    simd: () => import("../build/wasm/numeric-simd.wasm"),
    relaxed: () => import("../build/wasm/numeric-relaxed.wasm"),
  },
  rare: {
    simd: () => import("../build/wasm/rare-simd.wasm"),
    relaxed: () => import("../build/wasm/rare-relaxed.wasm"),
  },
  recurrent: {
    simd: () => import("../build/wasm/recurrent-simd.wasm"),
    relaxed: () => import("../build/wasm/recurrent-relaxed.wasm"),
  },
  audio: {
    simd: () => import("../build/wasm/audio-simd.wasm"),
    relaxed: () => import("../build/wasm/audio-relaxed.wasm"),
  },
  int8: {
    simd: () => import("../build/wasm/int8-simd.wasm"),
    relaxed: () => import("../build/wasm/int8-relaxed.wasm"),
  },
  half: {
    simd: () => import("../build/wasm/half-simd.wasm"),
    relaxed: () => import("../build/wasm/half-relaxed.wasm"),
  },
};

/**
 * Makes a runtime, on which everything else is done: picks the kernel binary for this engine, compiles it (about a millisecond), tests
 * it. One for a program is enough.
 *
 * @example
 * ```js
 * import { createRuntime } from "lanewise";
 *
 * const rt = await createRuntime({ maxBytes: 256e6, threads: "auto" }); // both may be left out
 * rt.report(); // { variant: "relaxed" or "simd", reason, threads, bytesInUse, … }
 * rt.dispose();
 * ```
 *
 * @throws (rejects with) UnsupportedError where the engine has no WebAssembly SIMD, not the variant asked for, or `wasm` is no
 *   binary it compiles, ModelError where `wasm` is another version's, TypeError or RangeError for an option.
 * @function
 */
export const createRuntime = makeCreateRuntime(
  async (pack, variant, twin) => {
    const { default: module } = await CHUNKS[pack][variant]();
    return module(twin);
  },
  async (options) => {
    const { hire } = await import("./threads/hire.js").catch(({ message }: Error) => ({
      // What checks the option is not there either, as where import() is forbidden: it is taken as it is.
      hire: ({ threads }: RuntimeOptions) =>
        withoutOthers({ min: 1, max: Number(threads) || 2, ...Object(threads) }, message),
    }));
    return hire(options);
  },
);
