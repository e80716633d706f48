// createRuntime: picks a binary by what the engine has, compiles it, tests it.
import { integer, isBytes, knownOptions, oneOf, tagOf } from "../base/check.js";
import { show, UnsupportedError } from "../base/errors.js";
import type { WasmSource } from "../base/globals.js";
import { PAGE_BYTES } from "../engine/allocator.js";
import type { Hire } from "../engine/crew.js";
import { Engine, type Variant } from "../engine/engine.js";
import { detectFeatures } from "../engine/features.js";
import { MAX_MEMORY_BYTES } from "../engine/heap.js";
import { PACK_NAMES, type PackName } from "../kernels/table.js";
import type { RuntimeOptions } from "./options.js";
import { type Loader, packLoader, type Twin } from "./packs.js";
import { choiceDefaults, Runtime, type Threads } from "./runtime.js";
import { selfTest } from "./self-test.js";

/** The packs that a runtime may lack. */
const OTHER_PACKS = PACK_NAMES.filter((pack) => pack !== "float");

/** `name`: what the binary is called in errors. */
async function compile(name: string, wasm: WasmSource, twin: Twin = (binary) => binary): Promise<WebAssembly.Module> {
  if (tagOf(wasm) === "WebAssembly.Module") return wasm as WebAssembly.Module;
  let bytes: unknown = await wasm;
  if (tagOf(bytes) === "Response") {
    const response = bytes as Response;
    if (!response.ok) {
      throw new UnsupportedError(
        `"${name}" expected a successful response, got status ${response.status} from ${response.url}`,
      );
    }
    bytes = await response.arrayBuffer();
  }
  if (!ArrayBuffer.isView(bytes) && !isBytes(bytes)) {
    throw new TypeError(`"${name}" expected a WebAssembly.Module, bytes or a Response, got ${show(bytes)}`);
  }
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  if (view[0] !== 0 || view[1] !== 0x61 || view[2] !== 0x73 || view[3] !== 0x6d) {
    const start = [...view.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UnsupportedError(
      `"${name}" expected a wasm binary starting 00 61 73 6d, got ${view.length} bytes starting ${start}`,
    );
  }
  try {
    return await WebAssembly.compile(twin(view as Uint8Array<ArrayBuffer>));
  } catch (cause) {
    const message = `"${name}" expected a binary this engine compiles, got ${view.length} bytes: ${(cause as Error).message}`;
    throw new UnsupportedError(message, { cause });
  }
}

/** An engine that passed the self-test, and why it is this one. */
interface Chosen {
  readonly engine: Engine;
  readonly reason: string;
}

async function choose(
  load: Loader,
  asked: Variant | "auto",
  wasm: RuntimeOptions["wasm"],
  maxBytes: number,
  hire: Hire | undefined,
): Promise<Chosen> {
  const features = detectFeatures();
  if (!features.simd) throw new UnsupportedError(`"engine" expected WebAssembly SIMD, got an engine without it`);
  const tested = (engine: Engine, reason: string): Chosen => {
    selfTest(engine);
    return { engine, reason };
  };
  if (wasm !== undefined) {
    const engine = new Engine(await compile("wasm", wasm, hire?.twin), maxBytes, hire?.bytes);
    if (asked !== "auto" && engine.variant !== asked)
      throw new UnsupportedError(`"wasm" expected the ${asked} binary, got ${engine.variant}`);
    return tested(engine, "binary given by the caller");
  }
  const own = async (variant: Variant) => new Engine(await load("float", variant, hire?.twin), maxBytes, hire?.bytes);
  if (asked === "relaxed" && !features.relaxed) {
    throw new UnsupportedError(`"variant" expected an engine with relaxed SIMD, got one without it`);
  }
  if (asked === "simd") return tested(await own("simd"), "asked for");
  if (asked === "auto" && !features.fused) {
    const lacks = features.relaxed ? "fused multiply-add" : "relaxed SIMD";
    return tested(await own("simd"), `the engine has no ${lacks}`);
  }
  const relaxed = await own("relaxed");
  try {
    return tested(relaxed, asked === "auto" ? "the engine fuses multiply-add" : "asked for");
  } catch (error) {
    if (asked !== "auto") throw error;
    return tested(await own("simd"), `fell back from relaxed: ${(error as Error).message}`);
  }
}

/** Threads that were asked for: how to get them, or what report() says where there is but one. Throws UnsupportedError, TypeError, RangeError. */
export type Hiring = (options: RuntimeOptions) => Promise<Threads & { readonly hire?: Hire }>;

/** createRuntime for an entry that loads its binaries with `load`, and whatever more than one thread take with `hiring`. */
export function makeCreateRuntime(load: Loader, hiring: Hiring): (options?: RuntimeOptions) => Promise<Runtime> {
  return async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
    knownOptions("runtime options", options, [
      "variant",
      "wasm",
      "packs",
      "maxBytes",
      "threads",
      "worker",
      "precision",
      "memory",
      "tune",
    ]);
    const { packs = {}, wasm } = options;
    knownOptions("packs", packs, OTHER_PACKS);
    const variant = oneOf("variant", options.variant ?? "auto", ["auto", "simd", "relaxed"]);
    const asked = integer("maxBytes", options.maxBytes ?? MAX_MEMORY_BYTES, PAGE_BYTES, MAX_MEMORY_BYTES);
    const defaults = choiceDefaults(options);
    const threads = (options.threads ?? 1) === 1 ? undefined : await hiring(options);
    const hire = threads?.hire;
    const maxBytes = hire?.maxBytes ?? asked;
    const given: [PackName, WebAssembly.Module][] = [];
    for (const pack of OTHER_PACKS) {
      const binary = packs[pack];
      if (binary !== undefined) given.push([pack, await compile(`packs.${pack}`, binary, hire?.twin)]);
    }
    const { engine, reason } = await choose(load, variant, wasm, maxBytes, hire);
    await hire?.start(engine);
    try {
      for (const [pack, module] of given) engine.load(pack, module);
    } catch (error) {
      engine.crew?.end();
      throw error;
    }
    const loadPack = packLoader(engine, load, hire?.twin);
    return new Runtime(engine, { reason, maxBytes, defaults, loadPack, threads });
  };
}
