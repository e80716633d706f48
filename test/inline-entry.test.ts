// createRuntimeSync, and what createRuntime says of places that compile nothing. The entry lanewise/inline is run from dist by
// test/runtimes: what is inlined there is the build's.
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { binaryName } from "../scripts/packs.mjs";
import { createRuntime, UnsupportedError } from "../src/index.js";
import { makeCreateRuntime } from "../src/runtime/create.js";
import { makeCreateRuntimeSync } from "../src/runtime/create-sync.js";
import { oneThread } from "../src/threads/asked.js";

const bytesOf = (name: string) => Uint8Array.from(readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url)));
const alone = oneThread("worklets start no workers");
const createRuntimeSync = makeCreateRuntimeSync(
  (pack, variant) => new WebAssembly.Module(bytesOf(binaryName(pack, variant))),
  alone,
);

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("createRuntimeSync", () => {
  it("makes what createRuntime makes, at once", async () => {
    using now = createRuntimeSync({ maxBytes: 2 ** 24 });
    using later = await createRuntime({ maxBytes: 2 ** 24 });
    expect(now.report()).toEqual(later.report());
    const shape = [1, 8, 9, 9];
    const data = Float32Array.from({ length: 648 }, (_, i) => Math.fround(i / 7));
    const [a, b] = [now, later].map((rt) => {
      using x = rt.tensor(data, shape);
      using w = rt.tensor(data.subarray(0, 576), [8, 8, 3, 3]);
      using y = rt.conv2d(x, w, null, { padding: 1 });
      return y.toArray();
    }) as [Float32Array, Float32Array];
    expect(Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer))).toBe(0);
  });

  it("takes a variant, a module or bytes, and packs", () => {
    using simd = createRuntimeSync({ variant: "simd" });
    expect(simd.report()).toMatchObject({ variant: "simd", reason: "asked for" });
    for (const wasm of [bytesOf("simd"), bytesOf("simd").buffer, new WebAssembly.Module(bytesOf("simd"))]) {
      using rt = createRuntimeSync({ wasm, packs: { numeric: bytesOf("numeric-simd") } });
      expect(rt.report().reason).toBe("binary given by the caller");
    }
  });

  it("has one thread, and says why where others are asked for", () => {
    using one = createRuntimeSync();
    expect(one.report().threads).toEqual({ asked: 1, running: 1 });
    const reason = expect.stringMatching(/^worklets start no workers/);
    for (const threads of [3, { max: 3 }] as const) {
      using rt = createRuntimeSync({ threads });
      expect(rt.report().threads).toEqual({ asked: 3, running: 1, reason });
    }
    using auto = createRuntimeSync({ threads: "auto" });
    expect(auto.report().threads).toMatchObject({ running: 1, reason });
    expect(() => createRuntimeSync({ threads: { min: 2 } })).toThrow(
      /^"threads" expected at least 2, got 1: worklets start no workers/,
    );
    expect(() => createRuntimeSync({ threads: 0 })).toThrow(RangeError);
    expect(() => createRuntimeSync({ threads: "many" as never })).toThrow(TypeError);
  });

  it("refuses what is no binary, or has to be waited for", () => {
    expect(() => createRuntimeSync({ wasm: Promise.resolve(new Response("")) as never })).toThrow(
      '"wasm" expected a WebAssembly.Module, bytes or a Response, got a promise',
    );
    expect(() => createRuntimeSync({ wasm: Uint8Array.of(60, 33) })).toThrow(
      '"wasm" expected a wasm binary starting 00 61 73 6d, got 2 bytes starting 3c 21',
    );
    expect(() => createRuntimeSync({ packs: { rare: Uint8Array.of(0, 0x61, 0x73, 0x6d, 9, 0, 0, 0) } })).toThrow(
      /^"packs\.rare" expected a binary this engine compiles, got 8 bytes: /,
    );
    expect(() => createRuntimeSync({ wasm: bytesOf("simd"), variant: "relaxed" })).toThrow(
      '"wasm" expected the relaxed binary, got simd',
    );
  });
});

describe("a place that does not do", () => {
  const refusal = (create: () => Promise<unknown>) =>
    create().then(
      () => undefined,
      (error: unknown) => {
        expect(error).toBeInstanceOf(UnsupportedError);
        return (error as Error).message;
      },
    );

  it("without WebAssembly is called so", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    const sentence = '"engine" expected WebAssembly, got none, as with --jitless or in lockdown mode';
    expect(await refusal(() => createRuntime())).toBe(sentence);
    expect(() => createRuntimeSync()).toThrow(sentence);
  });

  it("without SIMD is called so", async () => {
    vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    const sentence = '"engine" expected WebAssembly SIMD, got an engine without it';
    expect(await refusal(() => createRuntime())).toBe(sentence);
    expect(() => createRuntimeSync()).toThrow(sentence);
  });

  const csp =
    "WebAssembly.compile(): Refused to compile or instantiate WebAssembly module because 'unsafe-eval' is not an allowed source of script in the following Content Security Policy directive";
  it.each([
    csp,
    "WebAssembly.compile(): Wasm code generation disallowed by embedder",
    "call to WebAssembly.Module() blocked by CSP",
  ])("that compiles no bytes is told the cure: %s", async (message) => {
    const forbidden = async () => {
      throw new WebAssembly.CompileError(message);
    };
    const cure = "; allow 'wasm-unsafe-eval' or give a WebAssembly.Module";
    expect(await refusal(() => makeCreateRuntime(forbidden, alone)())).toBe(
      `"wasm" expected a binary this engine compiles, got its own: ${message}${cure}`,
    );
    vi.spyOn(WebAssembly, "compile").mockImplementation(forbidden);
    expect(await refusal(() => createRuntime({ wasm: bytesOf("simd") }))).toContain(cure);
    const module = new WebAssembly.Module(bytesOf("simd"));
    using rt = await createRuntime({ wasm: module }); // the cure
    expect(rt.variant).toBe("simd");
  });

  it("that compiles nothing for threads is told the same", async () => {
    const message = "WebAssembly.compile(): Wasm code generation disallowed by embedder";
    vi.spyOn(WebAssembly, "compile").mockRejectedValue(new WebAssembly.CompileError(message));
    expect(await refusal(() => createRuntime({ threads: 2, wasm: bytesOf("simd") }))).toBe(
      `"threads" expected a binary this engine compiles, got its own: ${message}; allow 'wasm-unsafe-eval' or give a WebAssembly.Module`,
    );
  });

  it("with one binary alone says so where none is asked for", async () => {
    const load = async () => new WebAssembly.Module(bytesOf("simd"));
    const create = makeCreateRuntime(load, alone, "edge workers get the simd binary alone");
    using rt = await create();
    expect(rt.report()).toMatchObject({ variant: "simd", reason: "edge workers get the simd binary alone" });
    using asked = await create({ variant: "simd" });
    expect(asked.report().reason).toBe("asked for");
    using given = await create({ wasm: bytesOf("simd") });
    expect(given.report().reason).toBe("binary given by the caller");
  });

  it("that compiles and then makes no instance, as WebKit does under a policy, is told the cure", async () => {
    const message =
      "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script";
    vi.spyOn(WebAssembly, "Instance").mockImplementation(function refuse() {
      throw new WebAssembly.CompileError(message);
    });
    expect(await refusal(() => createRuntime({ wasm: bytesOf("simd") }))).toBe(
      `"wasm" expected a binary this engine compiles, got one without instances: ${message}; allow 'wasm-unsafe-eval' or give a WebAssembly.Module`,
    );
  });

  it("without import() is told of lanewise/inline", async () => {
    const create = makeCreateRuntime(async () => {
      throw new TypeError("import() is disallowed on ServiceWorkerGlobalScope by the HTML specification");
    }, alone);
    expect(await refusal(create)).toMatch(/^"wasm" expected .*, got its own: import\(\) .*; take lanewise\/inline$/);
  });
});
