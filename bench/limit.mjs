// Builds limit.ts, and opens it under Node; limit-meter.mjs measures.
import { mkdirSync, readFileSync } from "node:fs";
import { bandwidths, limitMeter } from "./limit-meter.mjs";

const binary = (variant) => new URL(`../build/bench/limit-${variant}.wasm`, import.meta.url);

/** Compiles limit.ts for both variants. */
export async function buildLimit() {
  const { default: asc } = await import("assemblyscript/asc");
  process.chdir(new URL("..", import.meta.url).pathname);
  mkdirSync("build/bench", { recursive: true });
  for (const [variant, features] of [
    ["simd", ["simd"]],
    ["relaxed", ["simd", "relaxed-simd"]],
  ]) {
    const { error, stderr } = await asc.main([
      "bench/limit.ts",
      "-o",
      `build/bench/limit-${variant}.wasm`,
      "--runtime",
      "stub",
      "--importMemory",
      "--noExportMemory",
      "--zeroFilledMemory",
      "--noAssert",
      "-O2",
      ...features.flatMap((feature) => ["--enable", feature]),
    ]);
    if (error) throw new Error(`bench/limit.ts does not compile: ${stderr}`);
  }
}

const compiled = (variant) => new WebAssembly.Module(readFileSync(binary(variant)));

/** Answers a function that measures { gflops, readGBs, l2GBs } anew. */
export function makeLimit(variant) {
  return limitMeter(compiled(variant));
}

/** Rates of memory: [{ bytes, readGBs, copyGBs }]. */
export function makeBandwidths(variant) {
  return bandwidths(compiled(variant));
}
