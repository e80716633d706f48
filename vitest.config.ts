import { wasm } from "@rollup/plugin-wasm";
import { defineConfig } from "vitest/config";

// Node 20 has relaxed SIMD behind a flag that later versions do not know.
const relaxedFlag = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];

export default defineConfig({
  // "pre": before Vite's own handling of .wasm, which compiles it in a process without that flag
  plugins: [{ ...wasm({ targetEnv: "browser", maxFileSize: 2 ** 31 }), enforce: "pre" }],
  test: {
    include: ["test/*.test.ts"],
    pool: "forks",
    execArgv: [...relaxedFlag, "--expose-gc"],
    testTimeout: 120_000,
    passWithNoTests: false,
  },
});
