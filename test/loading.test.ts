// Binaries that are not what they should be, and engines that lack something: made here, since none is at hand.
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createRuntime, ModelError, UnsupportedError } from "../src/index.js";
import { PACKS } from "../src/kernels/gen/packs.js";
import { makeCreateRuntime } from "../src/runtime/create.js";
import { oneThread } from "../src/threads/asked.js";

const read = (name: "simd" | "relaxed") => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));

/** A release binary after a change. */
function changed(name: "simd" | "relaxed", change: (module: binaryen.Module) => void): Uint8Array<ArrayBuffer> {
  const module = binaryen.readBinary(read(name));
  change(module);
  const bytes = Uint8Array.from(module.emitBinary());
  module.dispose();
  return bytes;
}

/** Takes the body out of one kernel. */
function emptied(name: "simd" | "relaxed", kernel: string): Uint8Array<ArrayBuffer> {
  return changed(name, (module) => {
    const internal = binaryen.getExportInfo(module.getExport(kernel)).value;
    module.removeExport(kernel);
    const signature = binaryen.createType([binaryen.i32, binaryen.i32, binaryen.i32, binaryen.i32]);
    module.addFunction(`empty_${internal}`, signature, binaryen.none, [], module.nop());
    module.addFunctionExport(`empty_${internal}`, kernel);
  });
}

afterEach(() => vi.restoreAllMocks());

describe("a wrong binary", () => {
  it("that is cut short is refused in one sentence", async () => {
    for (const bytes of [100, 5000]) {
      const refusal = expect(createRuntime({ wasm: read("simd").subarray(0, bytes) })).rejects;
      await refusal.toThrow(UnsupportedError);
      await refusal.toThrow(/^"wasm" expected a binary this engine compiles, got \d+ bytes: /);
    }
  });

  it("that wants other imports is refused in one sentence", async () => {
    const module = new binaryen.Module();
    module.addFunctionImport("log", "console", "log", binaryen.none, binaryen.none);
    module.addFunctionExport("log", "log");
    const refusal = expect(createRuntime({ wasm: Uint8Array.from(module.emitBinary()) })).rejects;
    await refusal.toThrow(UnsupportedError);
    await refusal.toThrow('"wasm" expected a binary that imports env.memory alone, got ["console.log"]');
  });

  it("of another version is refused by its ABI", async () => {
    const wasm = changed("simd", (module) => {
      module.removeExport("ABI");
      module.addGlobal("other", binaryen.i32, false, module.i32.const(PACKS.float.abi ^ 1));
      module.addGlobalExport("other", "ABI");
    });
    await expect(createRuntime({ wasm })).rejects.toThrow(ModelError);
    await expect(createRuntime({ wasm })).rejects.toThrow(`(ABI ${PACKS.float.abi}), got ABI ${PACKS.float.abi ^ 1}`);
  });

  it("that lacks a kernel is refused by its name", async () => {
    const wasm = changed("simd", (module) => module.removeExport("softmax_f32"));
    await expect(createRuntime({ wasm })).rejects.toThrow(/"wasm" expected an export softmax_f32, got undefined/);
  });

  it("that computes wrongly does not pass the self-test", async () => {
    const wasm = emptied("simd", "conv2d_implicit_gemm_f32");
    await expect(createRuntime({ wasm })).rejects.toThrow(/start-up self-test of the simd binary/);
  });
});

describe("choosing a binary", () => {
  const modules = { simd: new WebAssembly.Module(read("simd")), relaxed: new WebAssembly.Module(read("relaxed")) };
  const loaded: string[] = [];
  const create = makeCreateRuntime(async (_, variant) => {
    loaded.push(variant);
    return modules[variant];
  }, oneThread("none"));

  it("falls back from a relaxed binary that computes wrongly, and says so", async () => {
    const wrong = new WebAssembly.Module(emptied("relaxed", "conv2d_winograd_f32"));
    const createWrong = makeCreateRuntime(
      async (_, variant) => (variant === "relaxed" ? wrong : modules.simd),
      oneThread("none"),
    );
    using rt = await createWrong();
    expect(rt.report()).toMatchObject({ variant: "simd", bytesInUse: 0 });
    expect(rt.report().reason).toMatch(/^fell back from relaxed: "winograd43" expected /);
    await expect(createWrong({ variant: "relaxed" })).rejects.toThrow(/self-test of the relaxed binary/);
  });

  it("takes simd where the engine has no relaxed instructions, and never loads the other", async () => {
    const { validate } = WebAssembly;
    vi.spyOn(WebAssembly, "validate").mockImplementation(
      (bytes) => (bytes as Uint8Array).length < 40 && validate(bytes),
    );
    loaded.length = 0;
    using rt = await create();
    expect(rt.report()).toMatchObject({ variant: "simd", reason: "the engine has no relaxed SIMD" });
    expect(loaded).toEqual(["simd"]);
    await expect(create({ variant: "relaxed" })).rejects.toThrow(UnsupportedError);
    await expect(create({ variant: "relaxed" })).rejects.toThrow(/"variant" expected an engine with relaxed SIMD/);
  });

  it("refuses an engine without SIMD", async () => {
    vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    await expect(create()).rejects.toThrow(UnsupportedError);
    await expect(create()).rejects.toThrow(/"engine" expected WebAssembly SIMD/);
  });
});
