// The entry for workerd, which forbids compiling bytes: both binaries are static imports that arrive compiled.

import relaxed from "../build/wasm/relaxed.wasm?static";
import simd from "../build/wasm/simd.wasm?static";
import { makeCreateRuntime } from "./runtime/create.js";

export * from "./api.js";

export const createRuntime = makeCreateRuntime(async (variant) => (variant === "relaxed" ? relaxed : simd));
