// The kernel table and the binaries, held to each other.
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { RELAXED_OPCODES } from "../src/engine/features.js";
import { PACKS } from "../src/kernels/gen/packs.js";
import { CONV_ALGORITHMS, CONV_ROWS, KERNELS } from "../src/kernels/table.js";
import { LOWERINGS } from "../src/ops/conv/algorithms.js";

const read = (name: string) => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));
/** Names of the relaxed instructions by opcode, as far as we use any. */
const RELAXED_NAMES: Readonly<Record<number, string>> = { 261: "f32x4.relaxed_madd", 262: "f32x4.relaxed_nmadd" };
const names = [...KERNELS].sort();

describe.each(["debug", "simd", "relaxed"])("the %s binary", (name) => {
  const bytes = read(name);
  const module = binaryen.readBinary(bytes);
  const text = module.emitText();

  it("exports every kernel of the table and nothing else", () => {
    const exported = [...text.matchAll(/\(export "([^"]+)" \((func|global|memory|table)/g)].map(
      ([, key, kind]) => `${kind} ${key}`,
    );
    expect(exported.sort()).toEqual(
      [...names.map((kernel) => `func ${kernel}`), "global ABI", "global RELAXED"].sort(),
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

  it("imports memory and nothing else, and keeps no state: no data, no mutable global, no table", () => {
    expect([...text.matchAll(/\(import "([^"]+)" "([^"]+)"/g)].map(([, from, key]) => `${from}.${key}`)).toEqual([
      "env.memory",
    ]);
    expect(text).not.toMatch(/\(data |\(mut |\(table /);
  });

  it("carries the ABI of the descriptors", () => {
    expect(text).toMatch(new RegExp(`\\(global \\S+ i32 \\(i32\\.const ${PACKS.float.abi}\\)\\)`));
  });

  it("uses exactly the relaxed instructions that the probe asks for", () => {
    const used = [...new Set([...text.matchAll(/\b\w+\.relaxed_\w+/g)].map(([instruction]) => instruction))].sort();
    expect(used).toEqual(name === "relaxed" ? RELAXED_OPCODES.map((opcode) => RELAXED_NAMES[opcode]) : []);
  });

  it("is within its size budget", () => {
    if (name !== "debug") expect(bytes.length).toBeLessThanOrEqual(64 * 1024);
  });
});

describe("the table", () => {
  it("names every kernel once", () => {
    expect(new Set(names).size).toBe(names.length);
  });

  it("has a lowering for every algorithm", () => {
    expect(Object.keys(LOWERINGS).sort()).toEqual([...CONV_ALGORITHMS].sort());
    expect(CONV_ROWS.length).toBe(8);
  });
});
