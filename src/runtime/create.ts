// createRuntime: picks a binary by what the engine has, compiles it, tests it.
import { integer, isBytes, knownOptions, oneOf, tagOf } from "../base/check.js";
import { show, UnsupportedError } from "../base/errors.js";
import type { WasmModule, WasmSource } from "../base/globals.js";
import { PAGE_BYTES } from "../engine/allocator.js";
import type { Hire } from "../engine/crew.js";
import { Engine, type Variant } from "../engine/engine.js";
import { detectFeatures } from "../engine/features.js";
import { MAX_MEMORY_BYTES } from "../engine/heap.js";
import { PACK_NAMES, type PackName } from "../kernels/table.js";
import type { ChoiceDefaults, RuntimeOptions } from "./options.js";
import { type Loader, packLoader, type Twin } from "./packs.js";
import { choiceDefaults, Runtime, type Threads } from "./runtime.js";
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
export function notCompiled(name: string, cause: unknown, got = "its own"): UnsupportedError {
  const { message } = cause as Error;
  const cure = /import/.test(message)
    ? "; take lanewise/inline"
    : /policy|disallowed|unsafe-eval|CSP/i.test(message)
      ? "; allow 'wasm-unsafe-eval' or give a WebAssembly.Module"
      : "";
  const sentence = `"${name}" expected a binary this engine compiles, got ${got}: ${message}${cure}`;
  return new UnsupportedError(sentence, { cause });
}

async function compile(name: string, wasm: WasmSource, twin: Twin = (binary) => binary): Promise<WasmModule> {
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
    return await WebAssembly.compile(twin(view));
  } catch (cause) {
    throw notCompiled(name, cause, `${view.length} bytes`);
  }
}

/** An engine that passed the self-test, and why it is this one. */
interface Chosen {
  readonly engine: Engine;
  readonly reason: string;
}

/** WebKit compiles what a policy forbids, and refuses to instantiate it. */
function engineOf(...args: ConstructorParameters<typeof Engine>): Engine {
  try {
    return new Engine(...args);
  } catch (cause) {
    throw cause instanceof WebAssembly.CompileError ? notCompiled("wasm", cause, "one without instances") : cause;
  }
}

/** What createRuntime() does when its options are checked. Yields the variant that it wants loaded, and goes on with the module; only: why that is simd. */
export function* choosing(
  { variant, maxBytes }: Checked,
  given?: WasmModule,
  hire?: Hire,
  only?: string,
): Generator<Variant, Chosen, WasmModule> {
  const features = detectFeatures();
  if (!features.simd) throw new UnsupportedError(`"engine" expected WebAssembly SIMD, got an engine without it`);
  const tested = (module: WasmModule, reason: string): Chosen => {
    const engine = engineOf(module, hire?.maxBytes ?? maxBytes, hire?.bytes);
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
  if (only) return tested(yield "simd", only);
  if (variant === "auto" && !features.fused) {
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

/** Options of a runtime, but for what `threads` asks for. */
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
    "worker",
    "precision",
    "memory",
    "tune",
  ]);
  const { packs = {}, wasm } = options;
  knownOptions("packs", packs, OTHER_PACKS);
  const variant = oneOf("variant", options.variant ?? "auto", ["auto", "simd", "relaxed"]);
  const maxBytes = integer("maxBytes", options.maxBytes ?? MAX_MEMORY_BYTES, PAGE_BYTES, MAX_MEMORY_BYTES);
  const given = OTHER_PACKS.flatMap((pack) => (packs[pack] === undefined ? [] : [[pack, packs[pack]] as const]));
  return { variant, maxBytes, defaults: choiceDefaults(options), wasm, packs: given };
}

/** Threads of a runtime that asks for others than one: what report() says, and, where there can be several, how to get them. */
export interface Hired extends Threads {
  readonly hire?: Hire;
}

/** Throws UnsupportedError, TypeError, RangeError. */
export type Hiring = (options: RuntimeOptions) => Hired | Promise<Hired>;

/** Whether there is anything to hire. */
export const isHiring = ({ threads = 1 }: RuntimeOptions): boolean => threads !== 1;

/** The runtime that came of it all; its threads end where it does not. */
export function runtimeOf(
  { engine, reason }: Chosen,
  { maxBytes, defaults }: Checked,
  packs: readonly (readonly [PackName, WasmModule])[],
  load: Loader,
  threads?: Hired,
): Runtime {
  const hire = threads?.hire;
  try {
    for (const [pack, module] of packs) engine.load(pack, module);
  } catch (error) {
    engine.crew?.end();
    throw error;
  }
  const loadPack = packLoader(engine, load, hire?.twin);
  return new Runtime(engine, { reason, maxBytes: hire?.maxBytes ?? maxBytes, defaults, loadPack, threads });
}

/**
 * createRuntime for an entry that loads its binaries with `load`, and whatever more than one thread take with `hiring`; only: why it has
 * the simd ones alone.
 */
export function makeCreateRuntime(
  load: Loader,
  hiring: Hiring,
  only?: string,
): (options?: RuntimeOptions) => Promise<Runtime> {
  return async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
    const checked = checkedOptions(options);
    const threads = isHiring(options) ? await hiring(options) : undefined;
    const hire = threads?.hire;
    const packs: [PackName, WasmModule][] = [];
    for (const [pack, binary] of checked.packs) packs.push([pack, await compile(`packs.${pack}`, binary, hire?.twin)]);
    const { wasm } = checked;
    const choice = choosing(
      checked,
      wasm === undefined ? undefined : await compile("wasm", wasm, hire?.twin),
      hire,
      only,
    );
    let step = choice.next();
    while (!step.done) {
      const module = await load("float", step.value, hire?.twin).catch((cause: unknown) => {
        throw notCompiled("wasm", cause);
      });
      step = choice.next(module);
    }
    await hire?.start(step.value.engine);
    return runtimeOf(step.value, checked, packs, load, threads);
  };
}
