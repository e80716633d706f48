// What a runtime is made with, and what it reports.
import type { WasmSource } from "../base/globals.js";
import type { ThreadsReport } from "../engine/crew.js";
import type { Int8Report, Variant } from "../engine/engine.js";
import type { Memory, Precision } from "../kernels/select.js";
import type { PackName } from "../kernels/table.js";

/** Fewest and most threads. */
export interface ThreadsRange {
  /** Fewer are an UnsupportedError, and createRuntime() waits for so many; default 1. */
  readonly min?: number;
  /** Default: as "auto". */
  readonly max?: number;
}

/** Which binary, how much memory, and what convolutions are chosen by. */
export interface RuntimeOptions {
  /** Which binary: "auto" (default) takes relaxed where the engine has its instructions, "simd" gives the same bits everywhere. */
  readonly variant?: "auto" | Variant;
  /** The kernel binary itself, where compiling inlined bytes is forbidden or a separate file is preferred. */
  readonly wasm?: WasmSource;
  /** Further kernels, as `wasm`, of its variant: what loadOnnx would else load itself for a file that needs them. */
  readonly packs?: { readonly [pack in Exclude<PackName, "float">]?: WasmSource };
  /** Most bytes of linear memory; largest, and with one thread the default, 4 GiB. With more they are reserved: default 1 GiB. */
  readonly maxBytes?: number;
  /**
   * Threads that compute, 1 to 64, this one among them; "auto": the cores that help, at most 8. Default 1. Where there cannot be so
   * many there are fewer (report() says why); fewer than `min` are an UnsupportedError. More than one are workers over shared memory:
   * `tensor.data` is a view of a SharedArrayBuffer then.
   */
  readonly threads?: number | "auto" | ThreadsRange;
  /** Makes a worker that runs lanewise/worker.js, where the ways that are tried by themselves (docs/threads.md) do not do. */
  readonly worker?: () => object;
  /**
   * Of every convolution that says nothing itself: "high" keeps `algorithm: "auto"` to a documented error of at most 4e-6,
   * "exact" to outputs that depend on their own windows only; default "default", any algorithm.
   */
  readonly precision?: Precision;
  /**
   * Of every convolution that says nothing itself, how much more memory than the weights' own an algorithm may take: "fast" (of
   * plans and eager calls the default): what runs fastest; "default" (of models): more where it saves time enough; "small".
   */
  readonly memory?: Memory;
  /** Of every convolution that says nothing itself: true times algorithms on this machine; default false, a fixed table. */
  readonly tune?: boolean;
}

/** What convolutions are chosen by when they say nothing themselves. */
export type ChoiceDefaults = Pick<RuntimeOptions, "precision" | "memory" | "tune">;

/** Which binary runs and why, and what memory is taken. */
export interface RuntimeReport {
  /** The binary that runs. */
  readonly variant: Variant;
  /** Why it and not the other. */
  readonly reason: string;
  /** The kernels of quantised layers that run, where a model has loaded them: relaxed only where its dot product is exact. */
  readonly int8?: Int8Report;
  /** Threads that compute, and why fewer than were asked for. */
  readonly threads: ThreadsReport;
  /** Bytes of live tensors, plans and models, alignment and slack included. */
  readonly bytesInUse: number;
  /** The most that bytesInUse has been. */
  readonly peakBytes: number;
  /** Bytes that the engine has reserved: linear memory grows and never shrinks. */
  readonly memoryBytes: number;
  /** Bytes that linear memory may grow to. */
  readonly maxBytes: number;
  /** Tensors not disposed, but for those of models. */
  readonly liveTensors: number;
  /** Plans not disposed. */
  readonly livePlans: number;
  /** Of each live model of which profile() found more than 5 % of the time in JavaScript, a sentence with its operators. */
  readonly notes: readonly string[];
}
