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

/** Those of bytes: the relaxed one also with the dot product of ARM, and where it saturates, which is where it falls back. */
export const INT8_BINARIES: readonly { readonly name: string; create(): Promise<Runtime> }[] = [
  ...BINARIES,
  {
    name: "relaxed, int8 bytes",
    create: () => createRuntime({ wasm: read("relaxed"), packs: { int8: withDot(read("int8-relaxed"), "int8") } }),
  },
  {
    name: "relaxed, int8 fixed",
    create: () => createRuntime({ wasm: read("relaxed"), packs: { int8: read("int8-simd") } }),
  },
];
