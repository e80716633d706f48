// The default entry: kernel bytes travel inside the JavaScript, one chunk a binary, so there is no path to get wrong.
import { makeCreateRuntime } from "./runtime/create.js";

export * from "./api.js";

/**
 * Makes a runtime: picks a binary, compiles it (about a millisecond), tests it.
 *
 * @throws (rejects with) UnsupportedError where the engine has no WebAssembly SIMD, not the variant asked for, or `wasm` is no
 *   binary it compiles, ModelError where `wasm` is another version's, TypeError or RangeError for an option.
 */
export const createRuntime = makeCreateRuntime(async (variant) => {
  const { default: module } = await (variant === "relaxed"
    ? import("../build/wasm/relaxed.wasm")
    : import("../build/wasm/simd.wasm"));
  return module();
});
