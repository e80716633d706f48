// Kernels over one heap: an instance of every pack that is loaded.

import { ModelError, show, UnsupportedError } from "../base/errors.js";
import type { WasmModule } from "../base/globals.js";
import { PACKS } from "../kernels/gen/packs.js";
import { type KernelName, type PackName, packOf } from "../kernels/table.js";
import type { Crew } from "./crew.js";
import { detectFeatures, type Features } from "./features.js";
import { Heap } from "./heap.js";

/** Kernel binaries: "simd" gives the same bits on every engine; "relaxed" is faster, with fused multiply-add. */
export type Variant = "simd" | "relaxed";
/** kernel(desc, begin, end, scratch): work items [begin, end) of what desc describes; scratch is this caller's own. */
export type Kernel = (desc: number, begin: number, end: number, scratch: number) => void;
export type Kernels = { [name in KernelName]?: Kernel };

/** What makes a module a version of a pack. */
export interface Facts {
  readonly abi: number;
  readonly kernels: readonly KernelName[];
}

/** What planning needs to know of the binary and the engine that runs it. */
export interface Target {
  readonly variant: Variant;
  /** Most rows of a GEMM micro-tile; changes speed, never bits. */
  readonly tileRows: number;
  /** Engines without fused multiply-add, as the V8 of Node 20 is, spill where loops have all registers in use. */
  readonly isSpilling: boolean;
  /** How bytes are read that the loaded int8 kernels multiply: by an exact dot product. Undefined: made wider before. */
  readonly dot?: Dot | undefined;
}

/** Which kernels of quantised layers run, and why. Their bits are the same. */
export interface Int8Report {
  /** The binary. */
  readonly variant: Variant;
  /** Why it and not the other. */
  readonly reason: string;
}

/** Whose bytes an exact relaxed dot product multiplies by int8. */
export type Dot = "uint8" | "int8";

/** By what the relaxed int8 binary answers: assembly/lib/dot.ts. */
const DOTS = [undefined, "uint8", "int8"] as const;

/**
 * 6 rows with FMA; without it a product needs a register, too: 5. Bun's JavaScriptCore, which knows relaxed SIMD and does not fuse, keeps
 * four of ten sums on the stack then: networks are 1.21 to 1.24 times faster with 4 there. WebKitGTK's and SpiderMonkey's are not.
 */
const tileRows = (variant: Variant, { relaxed, fused }: Features): number =>
  variant === "relaxed" ? 6 : relaxed && !fused ? 4 : 5;

/** One memory, the packs of kernels that are loaded over it, and what planning needs to know of them. */
export class Engine {
  readonly heap: Heap;
  /** Of all loaded packs, by name. */
  readonly kernels: Kernels = {};
  target: Target;
  /** Threads that compute beside this one. */
  crew: Crew | undefined;
  /** Which int8 kernels are loaded, and why. */
  int8: Int8Report | undefined;
  readonly #packs = new Set<string>();

  /** With the kernels that every runtime has. sharedBytes: see Heap. */
  constructor(
    readonly module: WasmModule,
    maxBytes: number,
    sharedBytes?: number,
  ) {
    this.heap = new Heap(maxBytes, sharedBytes);
    const variant = this.#instantiate("float", PACKS.float, module, "wasm");
    const features = detectFeatures();
    this.target = { variant, tileRows: tileRows(variant, features), isSpilling: !features.fused };
  }

  get variant(): Variant {
    return this.target.variant;
  }

  has(pack: string): boolean {
    return this.#packs.has(pack);
  }

  /**
   * Adds a pack. Throws for a module that is not this version's and variant's, and changes nothing then. Of a pack that runtimes
   * do not know, facts and what the module is called in errors.
   */
  load(pack: string, module: WasmModule, facts = PACKS[pack as PackName] as Facts, given = `packs.${pack}`): void {
    const variant = this.#instantiate(pack, facts, module, given, this.variant);
    if (pack === "int8") {
      const { dot } = this.target;
      const plain = this.variant === "simd" ? "the runtime is simd" : "binary given by the caller";
      this.int8 = { variant, reason: dot ? `the dot product is exact, of ${dot}` : plain };
    }
    this.crew?.add(module, this.kernels);
  }

  /** A kernel to call. Throws UnsupportedError where its pack is not loaded. */
  kernel(name: KernelName): Kernel {
    const kernel = this.kernels[name];
    if (kernel !== undefined) return kernel;
    const pack = packOf(name);
    throw new UnsupportedError(
      `"${name}" expected the ${pack} kernels, which loadOnnx loads and createRuntime takes as packs.${pack}, got a runtime without`,
    );
  }

  /** `given`: what the module is called in errors; `wanted`: the variant that it has to be. Answers the one that it is. */
  #instantiate(pack: string, { abi, kernels }: Facts, module: WasmModule, given: string, wanted?: Variant): Variant {
    const imports = WebAssembly.Module.imports(module).map((entry) => `${entry.module}.${entry.name}`);
    if (imports.some((name) => name !== "env.memory")) {
      throw new UnsupportedError(`"${given}" expected a binary that imports env.memory alone, got ${show(imports)}`);
    }
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.heap.memory } });
    const constant = (name: string): unknown => {
      const value = exports[name];
      return value instanceof WebAssembly.Global ? value.value : undefined;
    };
    if (constant("ABI") !== abi) {
      throw new ModelError(
        `"${given}" expected the ${pack} kernels of this version (ABI ${abi}), got ABI ${show(constant("ABI"))}`,
      );
    }
    for (const name of kernels) {
      if (typeof exports[name] !== "function") {
        throw new UnsupportedError(`"${given}" expected an export ${name}, got ${show(exports[name])}`);
      }
    }
    const variant = constant("RELAXED") === 1 ? "relaxed" : "simd";
    // A pack of one binary for both says nothing.
    // int8 has the same bits in both.
    if (wanted !== undefined && variant !== wanted && "RELAXED" in exports && !("dot" in exports)) {
      throw new UnsupportedError(`"${given}" expected the ${wanted} binary, got ${variant}`);
    }
    const { dot: asked } = exports;
    if (asked && variant === "relaxed") {
      const dot = DOTS[(asked as (zero: number) => 0 | 1 | 2)(0)];
      if (!dot) throw new UnsupportedError(`"${given}" expected an exact dot product, got one that saturates`);
      this.target = { ...this.target, dot };
    }
    for (const name of kernels) this.kernels[name] = exports[name] as Kernel;
    this.#packs.add(pack);
    return variant;
  }
}
