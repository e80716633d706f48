// createRuntime: picks a binary by what the engine has, compiles it, tests it.
import { integer, knownOptions, oneOf } from "../base/check.js";
import { show, UnsupportedError } from "../base/errors.js";
import { PAGE_BYTES } from "../engine/allocator.js";
import { Engine, type Variant } from "../engine/engine.js";
import { detectFeatures } from "../engine/features.js";
import { MAX_MEMORY_BYTES } from "../engine/heap.js";
import { choiceDefaults, Runtime, type RuntimeOptions } from "./runtime.js";
import { selfTest } from "./self-test.js";

/** Loads a compiled binary. Each entry of the package has its own way. */
export type Loader = (variant: Variant) => Promise<WebAssembly.Module>;

async function compile(wasm: NonNullable<RuntimeOptions["wasm"]>): Promise<WebAssembly.Module> {
  if (wasm instanceof WebAssembly.Module) return wasm;
  let bytes: unknown = await wasm;
  const isBytes = bytes instanceof ArrayBuffer || ArrayBuffer.isView(bytes);
  // Asked only then: naming Response makes Node load its fetch, some 10 ms.
  if (!isBytes && typeof Response === "function" && bytes instanceof Response) {
    if (!bytes.ok)
      throw new UnsupportedError(`"wasm" expected a successful response, got status ${bytes.status} from ${bytes.url}`);
    bytes = await bytes.arrayBuffer();
  }
  if (!(bytes instanceof ArrayBuffer) && !ArrayBuffer.isView(bytes)) {
    throw new TypeError(`"wasm" expected a WebAssembly.Module, bytes or a Response, got ${show(bytes)}`);
  }
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  if (view[0] !== 0 || view[1] !== 0x61 || view[2] !== 0x73 || view[3] !== 0x6d) {
    const start = [...view.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UnsupportedError(
      `"wasm" expected a wasm binary starting 00 61 73 6d, got ${view.length} bytes starting ${start}`,
    );
  }
  try {
    return await WebAssembly.compile(view as Uint8Array<ArrayBuffer>);
  } catch (cause) {
    const message = `"wasm" expected a binary this engine compiles, got ${view.length} bytes: ${(cause as Error).message}`;
    throw new UnsupportedError(message, { cause });
  }
}

/** createRuntime for an entry that loads its binaries with `load`. */
export function makeCreateRuntime(load: Loader): (options?: RuntimeOptions) => Promise<Runtime> {
  return async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
    knownOptions("runtime options", options, ["variant", "wasm", "maxBytes", "threads", "precision", "tune"]);
    const asked = oneOf("variant", options.variant ?? "auto", ["auto", "simd", "relaxed"]);
    const maxBytes = integer("maxBytes", options.maxBytes ?? MAX_MEMORY_BYTES, PAGE_BYTES, MAX_MEMORY_BYTES);
    integer("threads", options.threads ?? 1, 1, 1);
    const defaults = choiceDefaults(options);
    const features = detectFeatures();
    if (!features.simd) throw new UnsupportedError(`"engine" expected WebAssembly SIMD, got an engine without it`);

    if (options.wasm !== undefined) {
      const engine = new Engine(await compile(options.wasm), maxBytes);
      if (asked !== "auto" && engine.variant !== asked) {
        throw new UnsupportedError(`"wasm" expected the ${asked} binary, got ${engine.variant}`);
      }
      selfTest(engine);
      return new Runtime(engine, "binary given by the caller", maxBytes, defaults);
    }
    if (asked === "relaxed" && !features.relaxed) {
      throw new UnsupportedError(`"variant" expected an engine with relaxed SIMD, got one without it`);
    }
    if (asked === "relaxed" || (asked === "auto" && features.relaxed)) {
      const engine = new Engine(await load("relaxed"), maxBytes);
      try {
        selfTest(engine);
        return new Runtime(engine, asked === "auto" ? "the engine has relaxed SIMD" : "asked for", maxBytes, defaults);
      } catch (error) {
        if (asked !== "auto") throw error;
        const simd = new Engine(await load("simd"), maxBytes);
        selfTest(simd);
        return new Runtime(simd, `fell back from relaxed: ${(error as Error).message}`, maxBytes, defaults);
      }
    }
    const engine = new Engine(await load("simd"), maxBytes);
    selfTest(engine);
    return new Runtime(engine, asked === "simd" ? "asked for" : "the engine has no relaxed SIMD", maxBytes, defaults);
  };
}
