// The machine's limit, measured in the same process as the kernels: see limit.ts.
import { mkdirSync, readFileSync } from "node:fs";

const TURNS = 20_000;
const MEMORY_BYTES = 64 * 2 ** 20;
const L2_BYTES = 384 * 2 ** 10;
const BASE = 65536;

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

/** Answers a function that measures { gflops, readGBs, l2GBs } anew. */
export function makeLimit(variant) {
  const memory = new WebAssembly.Memory({ initial: (MEMORY_BYTES + 2 * BASE) / 65536 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(binary(variant))), {
    env: { memory },
  });
  exports.touch(BASE, MEMORY_BYTES);
  const least = (times, call) => {
    let best = Infinity;
    for (let i = 0; i < times; i++) {
      const start = performance.now();
      call();
      best = Math.min(best, performance.now() - start);
    }
    return best;
  };
  return () => {
    // Many calls: V8 replaces its first code after some.
    const rate = (chains) =>
      (TURNS * chains * 8) / least(200, () => exports[`multiply_add_${chains}`](TURNS, 0.7)) / 1e6;
    const l2 = least(300, () => exports.read_sum(BASE, L2_BYTES));
    const read = least(12, () => exports.read_sum(BASE, MEMORY_BYTES));
    return {
      gflops: Math.max(rate(12), rate(13)),
      l2GBs: L2_BYTES / l2 / 1e6,
      readGBs: MEMORY_BYTES / read / 1e6,
    };
  };
}
