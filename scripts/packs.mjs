// The kernel packs: each is one wasm module over a runtime's one memory. What a pack holds is what its entry exports. The
// build, the generated sources (scripts/generate.mjs) and the bundle (rollup.config.mjs) all go by this table.

/**
 * The first is what every runtime has; the others are loaded by whoever needs them. `variants`: the binaries that are shipped,
 * beside the debug one of the tests; `budget`: most bytes of one.
 */
export const PACKS = [
  { name: "float", entry: "assembly/packs/float.ts", variants: ["simd", "relaxed"], budget: 58 * 1024 },
  { name: "numeric", entry: "assembly/packs/numeric.ts", variants: ["simd", "relaxed"], budget: 5 * 1024 },
  { name: "recurrent", entry: "assembly/packs/recurrent.ts", variants: ["simd", "relaxed"], budget: 5 * 1024 },
];

/** The file of a binary without its extension: the first pack's are called by their variant alone. */
export const binaryName = (pack, variant) => (pack === PACKS[0].name ? variant : `${pack}-${variant}`);

/** All binaries that are shipped: { pack, file, budget }. */
export const BINARIES = PACKS.flatMap(({ name, variants, budget }) =>
  variants.map((variant) => ({ pack: name, file: binaryName(name, variant), budget })),
);
