// One instance of a kernel binary over one heap.

import { ModelError, show, UnsupportedError } from "../base/errors.js";
import { ABI } from "../kernels/gen/desc.js";
import { KERNELS, type KernelName } from "../kernels/table.js";
import { detectFeatures, type Features } from "./features.js";
import { Heap } from "./heap.js";

/** Kernel binaries: "simd" gives the same bits on every engine; "relaxed" is faster, with fused multiply-add. */
export type Variant = "simd" | "relaxed";
/** kernel(desc, begin, end, scratch): work items [begin, end) of what desc describes; scratch is this caller's own. */
export type Kernel = (desc: number, begin: number, end: number, scratch: number) => void;
export type Kernels = Readonly<Record<KernelName, Kernel>>;

/** What planning needs to know of the binary and the engine that runs it. */
export interface Target {
  readonly variant: Variant;
  /** Most rows of a GEMM micro-tile; changes speed, never bits. */
  readonly tileRows: number;
}

/**
 * 6 rows with FMA. Without it 5, but 4 on engines without relaxed SIMD: the V8 of Node 20 spills in a 5-row tile (54 % of
 * the machine's limit, 75 % with 4 rows; the V8 of Node 24 has 89 % with 5 and 77 % with 4).
 */
function tileRows(variant: Variant, features: Features): number {
  if (variant === "relaxed") return 6;
  return features.relaxed ? 5 : 4;
}

export class Engine {
  readonly heap: Heap;
  readonly kernels: Kernels;
  readonly target: Target;

  constructor(
    readonly module: WebAssembly.Module,
    maxBytes: number,
  ) {
    this.heap = new Heap(maxBytes);
    const imports = WebAssembly.Module.imports(module).map((entry) => `${entry.module}.${entry.name}`);
    if (imports.some((name) => name !== "env.memory")) {
      throw new UnsupportedError(`"wasm" expected a binary that imports env.memory alone, got ${show(imports)}`);
    }
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.heap.memory } });
    const constant = (name: string): unknown => {
      const value = exports[name];
      return value instanceof WebAssembly.Global ? value.value : undefined;
    };
    if (constant("ABI") !== ABI) {
      throw new ModelError(
        `"wasm" expected the kernel binary of this version (ABI ${ABI}), got ABI ${show(constant("ABI"))}`,
      );
    }
    for (const name of KERNELS) {
      if (typeof exports[name] !== "function") {
        throw new UnsupportedError(`"wasm" expected an export ${name}, got ${show(exports[name])}`);
      }
    }
    this.kernels = exports as unknown as Kernels; // every name was just checked
    const variant = constant("RELAXED") === 1 ? "relaxed" : "simd";
    this.target = { variant, tileRows: tileRows(variant, detectFeatures()) };
  }

  get variant(): Variant {
    return this.target.variant;
  }
}
