import { fileURLToPath } from "node:url";
import { wasm } from "@rollup/plugin-wasm";
import { defineConfig } from "vitest/config";

// Node 20 has relaxed SIMD behind a flag that later versions do not know.
const relaxedFlag = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];

/** Compiled at once where they are imported, as rollup.config.mjs has it. */
const sync = [fileURLToPath(new URL("build/wasm/vision.wasm", import.meta.url))];

export default defineConfig({
  // "pre": before Vite's own handling of .wasm, which compiles it in a process without that flag
  plugins: [{ ...wasm({ targetEnv: "browser", maxFileSize: 2 ** 31, sync }), enforce: "pre" }],
  test: {
    include: ["test/*.test.ts"],
    pool: "forks",
    execArgv: [...relaxedFlag, "--expose-gc"],
    testTimeout: 120_000,
    passWithNoTests: false,
  },
});
