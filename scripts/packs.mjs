// The kernel packs: each is one wasm module over a runtime's one memory. What a pack holds is what its entry exports. The
// build, the generated sources (scripts/generate.mjs) and the bundle (rollup.config.mjs) all go by this table.

/**
 * The first is what every runtime has; the others are loaded by whoever needs them. `variants`: the binaries that there are; a
 * pack without a relaxed one serves relaxed runtimes with its simd one, too.
 */
export const PACKS = [{ name: "float", entry: "assembly/packs/float.ts", variants: ["simd", "relaxed"] }];

/** The file of a binary without its extension: the first pack's are called by their variant alone. */
export const binaryName = (pack, variant) => (pack === PACKS[0].name ? variant : `${pack}-${variant}`);

/** Files of all binaries that are shipped, without their extension. */
export const BINARIES = PACKS.flatMap(({ name, variants }) => variants.map((variant) => binaryName(name, variant)));
