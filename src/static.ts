// The entry for workerd, which forbids compiling bytes: all binaries are static imports that arrive compiled.

import audioRelaxed from "../build/wasm/audio-relaxed.wasm?static";
import audioSimd from "../build/wasm/audio-simd.wasm?static";
import halfRelaxed from "../build/wasm/half-relaxed.wasm?static";
import halfSimd from "../build/wasm/half-simd.wasm?static";
import int8Relaxed from "../build/wasm/int8-relaxed.wasm?static";
import int8Simd from "../build/wasm/int8-simd.wasm?static";
import numericRelaxed from "../build/wasm/numeric-relaxed.wasm?static";
import numericSimd from "../build/wasm/numeric-simd.wasm?static";
import rareRelaxed from "../build/wasm/rare-relaxed.wasm?static";
import rareSimd from "../build/wasm/rare-simd.wasm?static";
import recurrentRelaxed from "../build/wasm/recurrent-relaxed.wasm?static";
import recurrentSimd from "../build/wasm/recurrent-simd.wasm?static";
import relaxed from "../build/wasm/relaxed.wasm?static";
import simd from "../build/wasm/simd.wasm?static";
import type { Variant } from "./engine/engine.js";
import type { PackName } from "./kernels/table.js";
import { makeCreateRuntime } from "./runtime/create.js";
import { oneThread } from "./threads/asked.js";

export * from "./api.js";

const MODULES: Readonly<Record<PackName, Readonly<Record<Variant, WebAssembly.Module>>>> = {
  float: { simd, relaxed },
  numeric: { simd: numericSimd, relaxed: numericRelaxed },
  rare: { simd: rareSimd, relaxed: rareRelaxed },
  recurrent: { simd: recurrentSimd, relaxed: recurrentRelaxed },
  audio: { simd: audioSimd, relaxed: audioRelaxed },
  int8: { simd: int8Simd, relaxed: int8Relaxed },
  half: { simd: halfSimd, relaxed: halfRelaxed },
};

export const createRuntime = makeCreateRuntime(
  async (pack, variant) => MODULES[pack][variant],
  oneThread("edge workers have one thread"),
);
