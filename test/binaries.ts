// The binaries that every operator is tested on: the debug build with asserts alive, and both release builds.
import { readFileSync } from "node:fs";
import { createRuntime, type Runtime } from "../src/index.js";
import { withDot } from "./dot.js";

export interface Binary {
  readonly name: "debug" | "simd" | "relaxed";
  create(): Promise<Runtime>;
}

/** Of bytes: the relaxed one with the dot product of VNNI, since this engine's may saturate. */
const int8Of = (name: string) => (name === "relaxed" ? withDot(read("int8-relaxed"), "uint8") : read(`int8-${name}`));
const read = (name: string) => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));

export const BINARIES: readonly Binary[] = (["debug", "simd", "relaxed"] as const).map((name) => ({
  name,
  create: async () =>
    createRuntime({
      wasm: read(name),
      packs: {
        numeric: read(`numeric-${name}`),
        rare: read(`rare-${name}`),
        recurrent: read(`recurrent-${name}`),
        audio: read(`audio-${name}`),
        int8: int8Of(name),
      },
    }),
}));
