// The binaries that every operator is tested on: the debug build with asserts alive, and both release builds.
import { readFileSync } from "node:fs";
import { createRuntime, type Runtime } from "../src/index.js";
import { type DotKind, withDot } from "./dot.js";

export interface Binary {
  readonly name: "debug" | "simd" | "relaxed";
  create(): Promise<Runtime>;
}

const read = (name: string) => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));

const dots = new Map<DotKind, Uint8Array<ArrayBuffer>>();
/** The relaxed kernels of bytes with a dot product of a kind, whatever this engine's does. */
function int8Relaxed(kind: DotKind): Uint8Array<ArrayBuffer> {
  const made = dots.get(kind) ?? withDot(read("int8-relaxed"), kind);
  dots.set(kind, made);
  return made;
}

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
        half: read(`half-${name}`),
        int8: name === "relaxed" ? int8Relaxed("uint8") : read(`int8-${name}`),
      },
    }),
}));

/** Those of bytes: also with the dot product of ARM, of fixed width in a relaxed runtime, and with as little memory as can be. */
export const INT8_BINARIES: readonly { readonly name: string; create(): Promise<Runtime> }[] = [
  ...BINARIES,
  {
    name: "relaxed, int8 bytes",
    create: () => createRuntime({ wasm: read("relaxed"), packs: { int8: int8Relaxed("int8") } }),
  },
  {
    name: "relaxed, fixed width",
    create: () => createRuntime({ wasm: read("relaxed"), packs: { int8: read("int8-simd") } }),
  },
  {
    name: "simd, small memory",
    create: () => createRuntime({ wasm: read("simd"), packs: { int8: read("int8-simd") }, memory: "small" }),
  },
];
