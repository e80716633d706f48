// Packs of kernels beyond the one of every runtime: what is refused, and that each is loaded once, by who needs it.
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { describe, expect, it } from "vitest";
import { createRuntime, DisposedError, ModelError, type Runtime, UnsupportedError } from "../src/index.js";
import { PACKS } from "../src/kernels/gen/packs.js";
import { loadOnnx } from "../src/onnx/index.js";
import { unary } from "../src/onnx/layers/unary.js";
import { requirePacks } from "../src/onnx/packs.js";
import { makeCreateRuntime } from "../src/runtime/create.js";
import { oneThread } from "../src/threads/asked.js";
import { apply } from "./tensors.js";

const read = (name: string) => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));
const compiled = (name: string) => new WebAssembly.Module(read(name));
const MODULES = { float: compiled("simd"), numeric: compiled("numeric-simd"), recurrent: compiled("recurrent-simd") };
const { abi } = PACKS.numeric;

/** The numeric pack after a change. */
function changed(change: (module: binaryen.Module) => void): Uint8Array<ArrayBuffer> {
  const module = binaryen.readBinary(read("numeric-simd"));
  change(module);
  const bytes = Uint8Array.from(module.emitBinary());
  module.dispose();
  return bytes;
}

/** Runtimes whose packs are noted as they are loaded. */
function spied(numeric: () => Promise<WebAssembly.Module> = async () => MODULES.numeric) {
  const loaded: string[] = [];
  const create = makeCreateRuntime((pack, variant) => {
    loaded.push(`${pack} ${variant}`);
    return pack === "float" ? Promise.resolve(MODULES.float) : numeric();
  }, oneThread("none"));
  return { loaded, create: () => create({ variant: "simd" }) };
}

const absolute = (rt: Runtime) => {
  using x = rt.tensor([-1, 2, -3], [3]);
  using y = apply(rt, unary("Abs"), x);
  return [...y.toArray()];
};

const model = (name: string) =>
  new Uint8Array(readFileSync(new URL(`./conformance/models/${name}.onnx`, import.meta.url)));

/** The data that a binary writes into memory as it is loaded: its last section. */
function dataOf(name: string): string {
  const bytes = read(name);
  let at = 8;
  const number = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7;
    }
  };
  while (at < bytes.length) {
    const id = bytes[at++];
    const length = number();
    if (id === 11) return bytes.subarray(at, at + length).toString("hex");
    at += length;
  }
  return "";
}

it("packs of one memory write the same data at the same place", () => {
  const whole = dataOf("simd");
  expect(whole.length).toBeGreaterThan(2 * 35 * 4);
  for (const pack of ["numeric-", "rare-", "recurrent-", ""])
    for (const variant of ["simd", "relaxed", "debug"]) expect(dataOf(`${pack}${variant}`)).toBe(whole);
  for (const name of [
    "vision",
    "audio-simd",
    "audio-relaxed",
    "int8-simd",
    "int8-relaxed",
    "half-simd",
    "half-relaxed",
  ])
    expect(dataOf(name)).toBe("");
});

describe("a pack from the caller", () => {
  const given = (numeric: Uint8Array<ArrayBuffer>) => createRuntime({ wasm: MODULES.float, packs: { numeric } });

  it("is there at once, compiled, as bytes or as a response", async () => {
    const response = Promise.resolve(new Response(read("numeric-simd")));
    for (const numeric of [MODULES.numeric, read("numeric-simd"), response]) {
      using rt = await createRuntime({ wasm: MODULES.float, packs: { numeric } });
      expect(absolute(rt)).toEqual([1, 2, 3]);
    }
  });

  it("of another version is refused by its ABI", async () => {
    const other = changed((module) => {
      module.removeExport("ABI");
      module.addGlobal("other", binaryen.i32, false, module.i32.const(abi ^ 1));
      module.addGlobalExport("other", "ABI");
    });
    await expect(given(other)).rejects.toThrow(ModelError);
    await expect(given(other)).rejects.toThrow(
      `"packs.numeric" expected the numeric kernels of this version (ABI ${abi}), got ABI ${abi ^ 1}`,
    );
    await expect(given(read("simd"))).rejects.toThrow(/"packs\.numeric" expected the numeric kernels of this version/);
  });

  it("of the other variant is refused", async () => {
    await expect(given(read("numeric-relaxed"))).rejects.toThrow(UnsupportedError);
    await expect(given(read("numeric-relaxed"))).rejects.toThrow(
      '"packs.numeric" expected the simd binary, got relaxed',
    );
  });

  it("that wants other imports is refused", async () => {
    const module = new binaryen.Module();
    module.addFunctionImport("log", "console", "log", binaryen.none, binaryen.none);
    module.addFunctionExport("log", "log");
    await expect(given(Uint8Array.from(module.emitBinary()))).rejects.toThrow(
      '"packs.numeric" expected a binary that imports env.memory alone, got ["console.log"]',
    );
  });

  it("that lacks a kernel is refused by its name", async () => {
    const lacking = changed((module) => module.removeExport("resize_f32"));
    await expect(given(lacking)).rejects.toThrow('"packs.numeric" expected an export resize_f32, got undefined');
  });

  it("that is no binary is refused as `wasm` is", async () => {
    await expect(given(new TextEncoder().encode("<!doctype html>"))).rejects.toThrow(
      /"packs\.numeric" expected a wasm binary starting 00 61 73 6d, got 15 bytes/,
    );
    await expect(createRuntime({ packs: { other: MODULES.numeric } as never })).rejects.toThrow(/"other"/);
    await expect(createRuntime({ packs: { float: MODULES.float } as never })).rejects.toThrow(/"float"/);
    await expect(createRuntime({ packs: 3 as never })).rejects.toThrow(TypeError);
  });
});

describe("a pack that is loaded", () => {
  it("is loaded once, by who needs it, whoever asks at the same time", async () => {
    const { loaded, create } = spied();
    using rt = await create();
    expect(loaded).toEqual(["float simd"]);
    await Promise.all([requirePacks(rt, ["numeric"]), requirePacks(rt, ["numeric", "float"])]);
    await requirePacks(rt, ["numeric"]);
    expect(loaded).toEqual(["float simd", "numeric simd"]);
    expect(absolute(rt)).toEqual([1, 2, 3]);
  });

  it("shares the memory of the runtime, and takes none", async () => {
    const { create } = spied();
    using rt = await create();
    const before = rt.report();
    await requirePacks(rt, ["numeric"]);
    expect(rt.report()).toEqual(before);
  });

  it("can be asked for again when loading failed", async () => {
    let failures = 1;
    const { loaded, create } = spied(async () => {
      if (failures-- > 0) throw new Error("no network");
      return MODULES.numeric;
    });
    using rt = await create();
    const both = await Promise.allSettled([requirePacks(rt, ["numeric"]), requirePacks(rt, ["numeric"])]);
    for (const one of both) {
      const { reason } = one as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(UnsupportedError);
      expect(reason.message).toBe('"packs.numeric" expected to be given where it cannot be loaded: no network');
    }
    expect(() => absolute(rt)).toThrow(UnsupportedError);
    await requirePacks(rt, ["numeric"]);
    expect(absolute(rt)).toEqual([1, 2, 3]);
    expect(loaded).toEqual(["float simd", "numeric simd", "numeric simd"]);
  });

  it("of the other variant or version fails the load, not the runtime", async () => {
    const wrong = [compiled("numeric-relaxed"), MODULES.float, MODULES.numeric];
    const { create } = spied(async () => wrong.shift() as WebAssembly.Module);
    using rt = await create();
    await expect(requirePacks(rt, ["numeric"])).rejects.toThrow(/expected the simd binary, got relaxed/);
    await expect(requirePacks(rt, ["numeric"])).rejects.toThrow(/of this version/);
    await requirePacks(rt, ["numeric"]);
    expect(absolute(rt)).toEqual([1, 2, 3]);
  });

  it("is refused by a runtime that has ended, before or in between", async () => {
    let answer: (module: WebAssembly.Module) => void = () => {};
    const { loaded, create } = spied(() => new Promise((resolve) => (answer = resolve)));
    const rt = await create();
    const waiting = requirePacks(rt, ["numeric"]);
    rt.dispose();
    answer(MODULES.numeric);
    await expect(waiting).rejects.toThrow(DisposedError);
    await expect(requirePacks(rt, ["numeric"])).rejects.toThrow(DisposedError);
    expect(loaded).toEqual(["float simd", "numeric simd"]);
  });

  it("is tried the entry's way where only `wasm` is given", async () => {
    using rt = await createRuntime({ wasm: MODULES.float });
    await requirePacks(rt, ["numeric"]);
    expect(absolute(rt)).toEqual([1, 2, 3]);
  });
});

describe("a kernel whose pack is not loaded", () => {
  it("says which, and what brings it", async () => {
    const { create } = spied();
    using rt = await create();
    expect(() => absolute(rt)).toThrow(
      '"unary_f32" expected the numeric kernels, which loadOnnx loads and createRuntime takes as packs.numeric, got a runtime without',
    );
    expect(rt.report().bytesInUse).toBe(0);
  });
});

describe("loadOnnx", () => {
  it("loads no further pack for a float network", async () => {
    const { loaded, create } = spied();
    using rt = await create();
    using network = await loadOnnx(rt, model("residual-float"));
    expect(network.outputs.length).toBeGreaterThan(0);
    expect(loaded).toEqual(["float simd"]);
  });

  it("loads that of bytes for a quantised network, once for two", async () => {
    const { loaded, create } = spied(async () => compiled("int8-simd"));
    using rt = await create();
    const both = await Promise.all([loadOnnx(rt, model("conv-qdq")), loadOnnx(rt, model("conv-qdq"))]);
    for (const network of both) network.dispose();
    expect(loaded).toEqual(["float simd", "int8 simd"]);
  });
});
