// createRuntime: picks a binary by what the engine has, compiles it, tests it.
import { integer, isBytes, knownOptions, oneOf, tagOf } from "../base/check.js";
import { show, UnsupportedError } from "../base/errors.js";
import type { WasmModule, WasmSource } from "../base/globals.js";
import { PAGE_BYTES } from "../engine/allocator.js";
import { Engine, type Variant } from "../engine/engine.js";
import { detectFeatures, isFused } from "../engine/features.js";
import { MAX_MEMORY_BYTES } from "../engine/heap.js";
import { PACK_NAMES, type PackName } from "../kernels/table.js";
import { type Loader, packLoader } from "./packs.js";
import { type ChoiceDefaults, choiceDefaults, Runtime, type RuntimeOptions } from "./runtime.js";
import { selfTest } from "./self-test.js";

/** The packs that a runtime may lack. */
const OTHER_PACKS = PACK_NAMES.filter((pack) => pack !== "float");

/** What a caller gives for a binary as bytes of one. Throws TypeError or UnsupportedError. `name`: what it is called in errors. */
export function binaryOf(name: string, bytes: unknown): Uint8Array<ArrayBuffer> {
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
  return view as Uint8Array<ArrayBuffer>;
}

/** Why bytes, or the package's own, did not become a module, and what to do about it. */
export function notCompiled(name: string, cause: unknown, bytes?: Uint8Array): UnsupportedError {
  const { message } = cause as Error;
  const cure = /import/.test(message)
    ? "; take lanewise/inline"
    : /policy|disallowed|unsafe-eval/i.test(message)
      ? "; allow 'wasm-unsafe-eval' or give a WebAssembly.Module"
      : "";
  const got = bytes ? `${bytes.length} bytes` : "its own";
  const sentence = `"${name}" expected a binary this engine compiles, got ${got}: ${message}${cure}`;
  return new UnsupportedError(sentence, { cause });
}

async function compile(name: string, wasm: WasmSource): Promise<WasmModule> {
  if (tagOf(wasm) === "WebAssembly.Module") return wasm as WasmModule;
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
  const view = binaryOf(name, bytes);
  try {
    return await WebAssembly.compile(view);
  } catch (cause) {
    throw notCompiled(name, cause, view);
  }
}

/** An engine that passed the self-test, and why it is this one. */
interface Chosen {
  readonly engine: Engine;
  readonly reason: string;
}

/** What createRuntime() does when its options are checked. Yields the variant that it wants loaded, and goes on with the module. */
export function* choosing({ variant, maxBytes }: Checked, given?: WasmModule): Generator<Variant, Chosen, WasmModule> {
  const features = detectFeatures();
  if (!features.simd) throw new UnsupportedError(`"engine" expected WebAssembly SIMD, got an engine without it`);
  const tested = (module: WasmModule, reason: string): Chosen => {
    const engine = new Engine(module, maxBytes);
    if (given && variant !== "auto" && engine.variant !== variant)
      throw new UnsupportedError(`"wasm" expected the ${variant} binary, got ${engine.variant}`);
    selfTest(engine);
    return { engine, reason };
  };
  if (given) return tested(given, "binary given by the caller");
  if (variant === "relaxed" && !features.relaxed) {
    throw new UnsupportedError(`"variant" expected an engine with relaxed SIMD, got one without it`);
  }
  if (variant === "simd") return tested(yield "simd", "asked for");
  if (variant === "auto" && !(features.relaxed && isFused())) {
    const lacks = features.relaxed ? "fused multiply-add" : "relaxed SIMD";
    return tested(yield "simd", `the engine has no ${lacks}`);
  }
  const relaxed = yield "relaxed";
  try {
    return tested(relaxed, variant === "auto" ? "the engine fuses multiply-add" : "asked for");
  } catch (error) {
    if (variant !== "auto") throw error;
    return tested(yield "simd", `fell back from relaxed: ${(error as Error).message}`);
  }
}

/** Options of a runtime. */
export interface Checked {
  readonly variant: Variant | "auto";
  readonly maxBytes: number;
  readonly defaults: ChoiceDefaults;
  readonly wasm: RuntimeOptions["wasm"];
  /** Those that the caller gives. */
  readonly packs: readonly (readonly [PackName, WasmSource])[];
}

/** Throws for options that are none, and where nothing can run. */
export function checkedOptions(options: RuntimeOptions): Checked {
  if (typeof WebAssembly !== "object")
    throw new UnsupportedError(`"engine" expected WebAssembly, got none, as with --jitless or in lockdown mode`);
  knownOptions("runtime options", options, [
    "variant",
    "wasm",
    "packs",
    "maxBytes",
    "threads",
    "precision",
    "memory",
    "tune",
  ]);
  const { packs = {}, wasm } = options;
  knownOptions("packs", packs, OTHER_PACKS);
  const variant = oneOf("variant", options.variant ?? "auto", ["auto", "simd", "relaxed"]);
  const maxBytes = integer("maxBytes", options.maxBytes ?? MAX_MEMORY_BYTES, PAGE_BYTES, MAX_MEMORY_BYTES);
  integer("threads", options.threads ?? 1, 1, 1);
  const given = OTHER_PACKS.flatMap((pack) => (packs[pack] === undefined ? [] : [[pack, packs[pack]] as const]));
  return { variant, maxBytes, defaults: choiceDefaults(options), wasm, packs: given };
}

/** The runtime that came of it all. */
export function runtimeOf(
  { engine, reason }: Chosen,
  { maxBytes, defaults }: Checked,
  packs: readonly (readonly [PackName, WasmModule])[],
  load: Loader,
): Runtime {
  for (const [pack, module] of packs) engine.load(pack, module);
  return new Runtime(engine, { reason, maxBytes, defaults, loadPack: packLoader(engine, load) });
}

/** createRuntime for an entry that loads its binaries with `load`. */
export function makeCreateRuntime(load: Loader): (options?: RuntimeOptions) => Promise<Runtime> {
  return async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
    const checked = checkedOptions(options);
    const packs: [PackName, WasmModule][] = [];
    for (const [pack, binary] of checked.packs) packs.push([pack, await compile(`packs.${pack}`, binary)]);
    const { wasm } = checked;
    const choice = choosing(checked, wasm === undefined ? undefined : await compile("wasm", wasm));
    let step = choice.next();
    while (!step.done) {
      const module = await load("float", step.value).catch((cause: unknown) => {
        throw notCompiled("wasm", cause);
      });
      step = choice.next(module);
    }
    return runtimeOf(step.value, checked, packs, load);
  };
}
