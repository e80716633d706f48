// The default entry: kernel bytes travel inside the JavaScript, one chunk a binary, so there is no path to get wrong.
import type { Variant } from "./engine/engine.js";
import type { PackName } from "./kernels/table.js";
import { makeCreateRuntime, notCompiled } from "./runtime/create.js";
import type { Twin } from "./runtime/packs.js";

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
 * Makes a runtime: picks a binary, compiles it (about a millisecond), tests it.
 *
 * @throws (rejects with) UnsupportedError where the engine has no WebAssembly SIMD, not the variant asked for, or `wasm` is no
 *   binary it compiles, ModelError where `wasm` is another version's, TypeError or RangeError for an option.
 */
export const createRuntime = makeCreateRuntime(
  async (pack, variant, twin) => {
    const { default: module } = await CHUNKS[pack][variant]();
    return module(twin);
  },
  async (options) => {
    const { hire } = await import("./threads/hire.js").catch((cause: unknown) => {
      throw notCompiled("threads", cause);
    });
    return hire(options);
  },
);
