// The entry for edge-light (Vercel): `?module` imports arrive compiled. Only simd binaries, since that runtime's host may lack
// relaxed SIMD and validates static imports at build time.

import audio from "../build/wasm/audio-simd.wasm?module";
import half from "../build/wasm/half-simd.wasm?module";
import int8 from "../build/wasm/int8-simd.wasm?module";
import numeric from "../build/wasm/numeric-simd.wasm?module";
import rare from "../build/wasm/rare-simd.wasm?module";
import recurrent from "../build/wasm/recurrent-simd.wasm?module";
import float from "../build/wasm/simd.wasm?module";
import { UnsupportedError } from "./base/errors.js";
import type { PackName } from "./kernels/table.js";
import { makeCreateRuntime } from "./runtime/create.js";
import { oneThread } from "./threads/asked.js";

export * from "./api.js";

const MODULES: Readonly<Record<PackName, WebAssembly.Module>> = { float, numeric, rare, recurrent, audio, int8, half };

const create = makeCreateRuntime(
  async (pack, variant) => {
    if (variant === "simd") return MODULES[pack];
    throw new UnsupportedError(`"packs.${pack}" expected the relaxed binary from the caller in this entry, got none`);
  },
  oneThread("edge workers have one thread"),
  "edge workers get the simd binary alone",
);

export const createRuntime: typeof create = async (options = {}) => {
  if (options.variant === "relaxed" && options.wasm === undefined) {
    throw new UnsupportedError(`"variant" expected simd in this entry, got relaxed`);
  }
  return create(options);
};
