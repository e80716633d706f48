// The kernel packs: each is one wasm module over a runtime's one memory. What a pack holds is what its entry exports. The
// build, the generated sources (scripts/generate.mjs) and the bundle (rollup.config.mjs) all go by this table.

/**
 * The first is what every runtime has; the others are loaded by whoever needs them. `variants`: the binaries that are shipped,
 * beside the debug one of the tests; a pack of one, fixed-width variant goes with both of a runtime, and exports no RELAXED.
 * `budget`: most bytes of one. `layer`: the folder of src that alone knows the pack and loads it, so that runtimes carry nothing of it.
 */
export const PACKS = [
  { name: "float", entry: "assembly/packs/float.ts", variants: ["simd", "relaxed"], budget: 70 * 1024 },
  { name: "numeric", entry: "assembly/packs/numeric.ts", variants: ["simd", "relaxed"], budget: 7 * 1024 },
  { name: "rare", entry: "assembly/packs/rare.ts", variants: ["simd", "relaxed"], budget: 20 * 1024 },
  { name: "recurrent", entry: "assembly/packs/recurrent.ts", variants: ["simd", "relaxed"], budget: 5 * 1024 },
  { name: "audio", entry: "assembly/packs/audio.ts", variants: ["simd", "relaxed"], budget: 3 * 1024 },
  { name: "int8", entry: "assembly/packs/int8.ts", variants: ["simd", "relaxed"], budget: 29 * 1024 },
  { name: "half", entry: "assembly/packs/half.ts", variants: ["simd", "relaxed"], budget: 4.25 * 1024 },
  { name: "vision", entry: "assembly/packs/vision.ts", variants: ["simd"], budget: 6 * 1024, layer: "vision" },
];

/** What leads threads through steps: no pack, and never a file of its own; most bytes. */
export const CREW = { file: "crew", entry: "assembly/crew/crew.ts", budget: 1044 };

/** The file of a binary without its extension: the first pack's are called by their variant alone, a single one by its pack. */
export function binaryName(pack, variant) {
  if (pack === PACKS[0].name) return variant;
  const { variants } = PACKS.find(({ name }) => name === pack);
  return variants.length === 1 && variant === variants[0] ? pack : `${pack}-${variant}`;
}

/** All binaries that are shipped: { pack, file, budget }. */
export const BINARIES = PACKS.flatMap(({ name, variants, budget }) =>
  variants.map((variant) => ({ pack: name, file: binaryName(name, variant), budget })),
);
