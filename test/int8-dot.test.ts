// Which int8 kernels run: by what the engine's dot product answers, never by its name.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createRuntime, UnsupportedError } from "../src/index.js";
import { requirePacks } from "../src/onnx/packs.js";
import { makeCreateRuntime } from "../src/runtime/create.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { oneThread } from "../src/threads/asked.js";
import { type DotKind, withDot } from "./dot.js";

const read = (name: string) => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));

/** A runtime whose engine has a dot product of a kind. `loaded`: the binaries that were fetched. */
async function create(kind: DotKind, variant: "simd" | "relaxed" = "relaxed") {
  const loaded: string[] = [];
  const start = makeCreateRuntime(async (pack, wanted) => {
    loaded.push(`${pack} ${wanted}`);
    if (pack === "float") return WebAssembly.compile(read(wanted));
    return WebAssembly.compile(wanted === "relaxed" ? withDot(read("int8-relaxed"), kind) : read("int8-simd"));
  }, oneThread("none"));
  const rt = await start({ variant });
  await requirePacks(rt, ["int8"]);
  return { rt, loaded, dot: internalsOf(rt).engine.target.dot };
}

describe("int8 kernels", () => {
  it.each(["uint8", "int8"] as const)("are the relaxed ones where its dot product is exact, of %s", async (kind) => {
    const { rt, loaded, dot } = await create(kind);
    expect(dot).toBe(kind);
    expect(rt.report().int8).toEqual({ variant: "relaxed", reason: `the dot product is exact, of ${kind}` });
    expect(loaded).toEqual(["float relaxed", "int8 relaxed"]);
    rt.dispose();
  });

  it("are those of fixed width where it saturates, and report() says why", async () => {
    const { rt, loaded, dot } = await create("saturating");
    expect(dot).toBe(undefined);
    expect(rt.report().int8).toEqual({
      variant: "simd",
      reason: 'fell back from relaxed: "packs.int8" expected an exact dot product, got one that saturates',
    });
    expect(loaded).toEqual(["float relaxed", "int8 relaxed", "int8 simd"]);
    rt.dispose();
  });

  it("are those of fixed width in a runtime that is", async () => {
    const { rt, loaded, dot } = await create("uint8", "simd");
    expect(dot).toBe(undefined);
    expect(rt.report().int8).toEqual({ variant: "simd", reason: "asked for" });
    expect(loaded).toEqual(["float simd", "int8 simd"]);
    rt.dispose();
  });

  it("are no news to a runtime without", async () => {
    using rt = await createRuntime();
    expect(rt.report()).not.toHaveProperty("int8");
  });

  it("from the caller are asked as well, and either binary does", async () => {
    const given = (int8: Uint8Array<ArrayBuffer>, variant: string) =>
      createRuntime({ wasm: read(variant), packs: { int8 } });
    await expect(given(withDot(read("int8-relaxed"), "saturating"), "relaxed")).rejects.toThrow(UnsupportedError);
    for (const variant of ["simd", "relaxed"]) {
      using exact = await given(withDot(read("int8-relaxed"), "int8"), variant);
      expect(exact.report().int8?.variant).toBe("relaxed");
      using fixed = await given(read("int8-simd"), variant);
      expect(fixed.report().int8?.variant).toBe("simd");
    }
  });
});
