// The kernel table and the binaries, held to each other.
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { binaryName, PACKS } from "../scripts/packs.mjs";
import { detectFeatures, FUSION, RELAXED_OPCODES } from "../src/engine/features.js";
import { PACKS as OF_RUNTIMES } from "../src/kernels/gen/packs.js";
import { PACK } from "../src/kernels/gen/vision/pack.js";
import { CONV_ALGORITHMS, CONV_ROWS, KERNELS, PACK_NAMES, packOf } from "../src/kernels/table.js";
import { LOWERINGS } from "../src/ops/conv/algorithms.js";

const read = (name: string) => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));
/** Names of the relaxed instructions by opcode, as far as we use any. */
const RELAXED_NAMES: Readonly<Record<number, string>> = { 261: "f32x4.relaxed_madd", 262: "f32x4.relaxed_nmadd" };

/** Of all packs, the layer's own too. */
const TABLE = { ...OF_RUNTIMES, vision: PACK };

/** Every binary that the build makes. */
const BUILT = PACKS.flatMap(({ name: pack, variants, budget }) =>
  ["debug", ...variants].map((variant) => ({
    pack: pack as keyof typeof TABLE,
    isSingle: variants.length === 1,
    variant,
    budget,
    file: binaryName(pack, variant),
  })),
);

/** The data of the first binary: a table of constants (assembly/lib/math.ts), the same in each. */
const CONSTANTS = [
  ...binaryen
    .readBinary(read((BUILT[0] as (typeof BUILT)[0]).file))
    .emitText()
    .matchAll(/\(data .*/g),
].map(([line]) => line);

describe.each(BUILT)("the $file binary", ({ pack, isSingle, variant, budget, file }) => {
  const bytes = read(file);
  const { kernels, abi } = TABLE[pack];
  const names = [...kernels].sort();
  const module = binaryen.readBinary(bytes);
  const text = module.emitText();

  it("exports every kernel of its pack and nothing else", () => {
    const exported = [...text.matchAll(/\(export "([^"]+)" \((func|global|memory|table)/g)].map(
      ([, key, kind]) => `${kind} ${key}`,
    );
    expect(exported.sort()).toEqual(
      [
        ...names.map((kernel) => `func ${kernel}`),
        ...(pack === "int8" ? ["func dot"] : []), // what asks the engine for an exact dot product
        "global ABI",
        ...(isSingle ? [] : ["global RELAXED"]),
      ].sort(),
    );
  });

  it("has one signature for every kernel: desc, begin, end, scratch", () => {
    for (const kernel of names) {
      const { params, results } = binaryen.getFunctionInfo(
        module.getFunction(binaryen.getExportInfo(module.getExport(kernel)).value),
      );
      expect(binaryen.expandType(params), kernel).toEqual([binaryen.i32, binaryen.i32, binaryen.i32, binaryen.i32]);
      expect(results, kernel).toBe(binaryen.none);
    }
  });

  it("imports memory and nothing else, and keeps no state: no data but the constants that all share, no mutable global, no table", () => {
    expect([...text.matchAll(/\(import "([^"]+)" "([^"]+)"/g)].map(([, from, key]) => `${from}.${key}`)).toEqual([
      "env.memory",
    ]);
    expect(text).not.toMatch(/\(mut |\(table /);
    const data = [...text.matchAll(/\(data .*/g)].map(([line]) => line);
    expect(data).toEqual(data.length === 0 ? [] : CONSTANTS);
    if (data.length === 0) return;
    // Below what the allocator gives out, so that a pack that is loaded later changes nothing.
    const [memory, [, from] = []] = [
      new WebAssembly.Memory({ initial: 1 }),
      /i32\.const (\d+)/.exec(data[0] as string) ?? [],
    ];
    new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    const written = new Uint8Array(memory.buffer);
    expect(written.findIndex((byte) => byte !== 0)).toBeGreaterThanOrEqual(Number(from));
    expect(written.findLastIndex((byte) => byte !== 0)).toBeLessThan(1024);
  });

  it("carries the ABI of the pack, and says which variant it is", () => {
    const globalOf = (key: string) => {
      const [, global] = new RegExp(`\\(export "${key}" \\(global (\\S+)\\)\\)`).exec(text) ?? [];
      return new RegExp(`\\(global ${global?.replaceAll("$", "\\$")} i32 \\(i32\\.const (\\d+)\\)\\)`).exec(text)?.[1];
    };
    expect(globalOf("ABI")).toBe(String(abi));
    expect(globalOf("RELAXED")).toBe(isSingle ? undefined : variant === "relaxed" ? "1" : "0");
  });

  it("uses exactly the relaxed instructions that the probe asks for", () => {
    const used = [...new Set([...text.matchAll(/\b\w+\.relaxed_\w+/g)].map(([instruction]) => instruction))].sort();
    const asked =
      pack === "int8"
        ? ["i32x4.relaxed_dot_i8x16_i7x16_add_s"]
        : RELAXED_OPCODES.map((opcode) => RELAXED_NAMES[opcode]).filter(
            (name) => pack !== "half" || name === "f32x4.relaxed_madd",
          );
    expect(used).toEqual(variant === "relaxed" ? asked : []);
  });

  it("is within its size budget", () => {
    if (variant !== "debug") expect(bytes.length).toBeLessThanOrEqual(budget);
  });
});

describe("the probe of fused multiply-add", () => {
  const run = (bytes: Uint8Array<ArrayBuffer>) =>
    (new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as { f: () => number }).f();

  it("is 1 where (1 + 2^-12)^2 - (1 + 2^-11) keeps its last bit, as this engine's relaxed binary does or does not", () => {
    expect(binaryen.readBinary(FUSION).emitText()).toMatch(/v128\.any_true\s+\(f32x4\.relaxed_madd/);
    if (detectFeatures().relaxed) expect(run(FUSION)).toBe(detectFeatures().fused ? 1 : 0);
    else expect(() => run(FUSION)).toThrow(WebAssembly.CompileError);
  });

  it("is 0 of a product that is rounded before the sum", () => {
    // relaxed_madd (0xfd 0x85 0x02) of a, b, c as mul (0xfd 0xe6 0x01) and add (0xfd 0xe4 0x01): c stands before the two then.
    const at = FUSION.findIndex((byte, i) => byte === 0xfd && FUSION[i + 1] === 0x85);
    const [a, b, c] = [at - 21, at - 14, at - 7].map((from) => [...FUSION.slice(from, from + 7)]) as [
      number[],
      number[],
      number[],
    ];
    const code = [0, ...c, ...a, ...b, 0xfd, 0xe6, 1, 0xfd, 0xe4, 1, ...FUSION.slice(at + 3)];
    const from = FUSION.indexOf(10, 24); // the code section
    expect(run(Uint8Array.from([...FUSION.slice(0, from), 10, code.length + 2, 1, code.length, ...code]))).toBe(0);
  });
});

describe("the table", () => {
  it("names every kernel once, and knows its pack", () => {
    expect(new Set(KERNELS).size).toBe(KERNELS.length);
    const own: readonly string[] = PACK.kernels;
    for (const kernel of KERNELS) if (!own.includes(kernel)) expect(TABLE[packOf(kernel)].kernels).toContain(kernel);
    expect(KERNELS.filter((kernel) => own.includes(kernel))).toEqual(own);
    expect(packOf("gemm_f32")).toBe("float");
    expect(packOf("resize_f32")).toBe("numeric");
  });

  it("has packs whose ABI numbers differ", () => {
    expect(PACK_NAMES).toEqual(["float", "numeric", "rare", "recurrent", "audio", "int8", "half"]);
    expect(new Set(Object.values(TABLE).map(({ abi }) => abi)).size).toBe(8);
  });

  it("has a lowering for every algorithm", () => {
    expect(Object.keys(LOWERINGS).sort()).toEqual([...CONV_ALGORITHMS].sort());
    expect(CONV_ROWS.length).toBe(8);
  });
});
