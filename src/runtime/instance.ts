// One instance of a kernel binary over one heap.
import { KERNELS, type KernelName } from "../kernels.js";
import { ABI } from "../gen/desc.js";
import { ModelError, UnsupportedError, show } from "../errors.js";
import { Heap } from "./heap.js";

export type Variant = "simd" | "relaxed";
/** kernel(desc, begin, end, scratch): work items [begin, end) of what desc describes; scratch is this caller's own. */
export type Kernel = (desc: number, begin: number, end: number, scratch: number) => void;
export type Kernels = Readonly<Record<KernelName, Kernel>>;

export class Engine {
  readonly heap: Heap;
  readonly kernels: Kernels;
  readonly variant: Variant;

  constructor(module: WebAssembly.Module, maxBytes: number) {
    this.heap = new Heap(maxBytes);
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.heap.memory } });
    const constant = (name: string): unknown => {
      const value = exports[name];
      return value instanceof WebAssembly.Global ? value.value : undefined;
    };
    if (constant("ABI") !== ABI) {
      throw new ModelError(`"wasm" expected the kernel binary of this version (ABI ${ABI}), got ABI ${show(constant("ABI"))}`);
    }
    for (const { name } of KERNELS) {
      if (typeof exports[name] !== "function") {
        throw new UnsupportedError(`"wasm" expected an export ${name}, got ${show(exports[name])}`);
      }
    }
    this.kernels = exports as unknown as Kernels; // every name was just checked
    this.variant = constant("RELAXED") === 1 ? "relaxed" : "simd";
  }
}
