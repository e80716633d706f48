// The entry for edge-light (Vercel): `?module` imports arrive compiled. Only the simd binary, since that runtime's host
// may lack relaxed SIMD and validates static imports at build time.

import simd from "../build/wasm/simd.wasm?module";
import { UnsupportedError } from "./base/errors.js";
import { makeCreateRuntime } from "./runtime/create.js";

export * from "./api.js";

const create = makeCreateRuntime(async () => simd);

export const createRuntime: typeof create = async (options = {}) => {
  if (options.variant === "relaxed" && options.wasm === undefined) {
    throw new UnsupportedError(`"variant" expected simd in this entry, got relaxed`);
  }
  return create({ ...options, variant: options.wasm === undefined ? "simd" : (options.variant ?? "auto") });
};
