import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vitest/config";

// Node 20 has relaxed SIMD behind a flag that later versions do not know.
const relaxedFlag = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];

/** Binaries inlined as rollup.config.mjs does it: compiled by who imports them; pictures at once. */
const binaries: Plugin = {
  name: "binaries",
  // before Vite's own handling of .wasm, which compiles it in a process without that flag
  enforce: "pre",
  load(id) {
    if (!id.endsWith(".wasm")) return null;
    const compile = id.endsWith("vision.wasm") ? "new WebAssembly.Module" : "WebAssembly.compile";
    const bytes = `Uint8Array.from(Buffer.from("${readFileSync(id, "base64")}", "base64"))`;
    return `export default (twin = (bytes) => bytes) => ${compile}(twin(${bytes}));`;
  },
};

export default defineConfig({
  plugins: [binaries],
  test: {
    include: ["test/*.test.ts", "test/threads/*.test.ts", "test/cli/*.test.ts"],
    // Brought through the plugin above, for the binary that it imports.
    server: { deps: { inline: ["@jsquash/jpeg"] } },
    pool: "forks",
    execArgv: [...relaxedFlag, "--expose-gc"],
    // Of a test that hangs: many times what the longest takes, on a machine that has other things to do.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    teardownTimeout: 120_000,
    passWithNoTests: false,
  },
});
