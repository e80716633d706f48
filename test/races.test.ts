// What threads will stand on: slices of work items on different threads, each with scratch of its own, meet nowhere. A watched
// binary tells every byte that a slice loads and stores (test/watched-memory.ts); then each slice runs again on its own, with
// garbage in scratch, behind blocks and in every byte that other slices store, and has to store the same bits.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Kernel } from "../src/engine/engine.js";
import type { Runtime } from "../src/index.js";
import { KERNELS, type KernelName } from "../src/kernels/table.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { BINARIES } from "./binaries.js";
import { withDot } from "./dot.js";
import { fill, random } from "./random.js";
import { CALLS, SHAPE, tensorsOf, wrapKernels } from "./slice-calls.js";
import { FORMATS, tensorOf } from "./tensors.js";
import { instantiateWatched } from "./watched-memory.js";

/** The modules whose kernels a runtime calls, all over its one memory. */
const FILES = {
  simd: [
    "simd.wasm",
    "numeric-simd.wasm",
    "rare-simd.wasm",
    "recurrent-simd.wasm",
    "audio-simd.wasm",
    "int8-simd.wasm",
    "half-simd.wasm",
    "vision.wasm",
  ],
  relaxed: [
    "relaxed.wasm",
    "numeric-relaxed.wasm",
    "rare-relaxed.wasm",
    "recurrent-relaxed.wasm",
    "audio-relaxed.wasm",
    "int8-relaxed.wasm",
    "half-relaxed.wasm",
    "vision.wasm",
  ],
} as const;
/** Asserts of the debug binary would be watched, too. */
const RELEASES = BINARIES.filter(({ name }) => name !== "debug");

const PANEL = "the last panel of 8 columns goes on from y as a whole, and an activation takes whole vectors of it";
const ACTIVATION = "activations take whole vectors of y";
/**
 * Kernels of which a slice loads bytes that another one stores: lanes behind the last column or channel of its own rows,
 * computed along and not stored. Why each loads them; that they are dropped is what the runs with garbage show.
 */
const DROPPED: Readonly<Partial<Record<KernelName, string>>> = {
  gemm_f32: PANEL,
  conv2d_direct_f32: PANEL,
  conv2d_implicit_gemm_f32: PANEL,
  conv2d_winograd_f32: "a residual that is y is taken in whole vectors",
  conv2d_depthwise_f32: ACTIVATION,
  conv2d_fft_f32: ACTIVATION,
  separable_conv2d_f32: ACTIVATION,
  linear_panels_f32: ACTIVATION,
  conv_transpose_gather_f32: "sums of taps go on from y, and activations take whole vectors of it",
  resize_f32: "a third tap and more go on from y",
  sample_f32: "corners beyond 64 go on from y",
  blend_u8: "the last vector of a row goes on into the next",
  attention_f32: "the last panel of 8 columns goes on from y as a whole, and y is divided in whole vectors",
  softmax_f32: "in place, x is y; else exponentials are read back from y to be divided",
  product_q8: "an addition takes whole vectors of y",
  conv2d_winograd_q8: "an addition takes whole vectors of y",
  recurrent_f32:
    "the cell of LSTM stays where it is, and its last units are taken in whole vectors, of the next row's, too",
};
/** Kernels that carry along what lies behind a block, in lanes of their result that nobody reads. */
const CARRIED: readonly string[] = [
  "batch_norm_table_f32", // whole vectors of channels: the last one's lanes behind the last channel
];
/** Furthest such byte behind one of the slice's own: 7 of a panel's 8 columns. */
const TAIL = 28;

/** Readable bytes behind every block. */
const SLACK = 64;
const SCRATCH_BYTES = 2 ** 20;
/** NaN as a float, -1 as a number; and something finite. */
const GARBAGE = [0xff, 0x3f];

interface Scratch {
  /** Where what follows it begins, in the same block. */
  next: number;
  /** Furthest bytes from its start that kernels stored and loaded. */
  stored: number;
  loaded: number;
  readonly kernel: string;
}

/** Addresses below are never given out. */
const CONSTANT_BYTES = 1024;

/** One kernel call, cut. */
interface Work {
  readonly name: string;
  readonly desc: number;
  /** What the plan gives it; here every slice has scratch of the test's own. */
  readonly scratch: number;
  /** [begin, end) of each. */
  readonly slices: readonly (readonly [number, number])[];
}

/** Of all slices of a call: bytes that they stored, scratch apart, and bytes behind blocks that they loaded. */
interface Touched {
  readonly stored: readonly number[];
  readonly slack: readonly number[];
}

class Races {
  /** What should not be, each with its first place. */
  readonly found = new Map<string, string>();
  /** Kernels that loaded what another slice stores. */
  readonly foreign = new Set<string>();
  readonly reached = new Set<string>();
  current = "";
  readonly #rt: Runtime;
  readonly #scratchPtr: number;
  /** Live blocks by address: bytes asked for. The first is what lies below all of the allocator's: constants of kernels. */
  readonly #blocks = new Map([[0, CONSTANT_BYTES]]);
  /** What kernels were given as scratch, by its address. */
  readonly #scratches = new Map<number, Scratch>();
  /** A bit for each of at most 8 slices, for every byte of memory. */
  #loads = new Uint8Array();
  #stores = new Uint8Array();
  #bit = 0;
  #low = 0;
  #high = 0;

  constructor(rt: Runtime, files: readonly string[]) {
    this.#rt = rt;
    const { allocator, memory } = internalsOf(rt).engine.heap;
    const { allocate, free } = allocator;
    vi.spyOn(allocator, "allocate").mockImplementation((bytes) => {
      const ptr = allocate.call(allocator, bytes);
      this.#blocks.set(ptr, bytes);
      return ptr;
    });
    vi.spyOn(allocator, "free").mockImplementation((ptr) => {
      this.#endScratch(ptr);
      this.#blocks.delete(ptr);
      free.call(allocator, ptr);
    });
    this.#scratchPtr = allocator.allocate(SCRATCH_BYTES);
    const mark = (marks: Uint8Array, at: number, bytes: number): void => {
      for (let i = at; i < at + bytes; i++) marks[i] = (marks[i] as number) | this.#bit;
      this.#low = Math.min(this.#low, at);
      this.#high = Math.max(this.#high, at + bytes);
    };
    const exports: WebAssembly.Exports = {};
    for (const file of files) {
      const watcher = {
        load: (at: number, bytes: number) => mark(this.#loads, at, bytes),
        store: (at: number, bytes: number) => mark(this.#stores, at, bytes),
      };
      const bytes = readFileSync(new URL(`../build/wasm/${file}`, import.meta.url));
      // As test/binaries.ts has it.
      const binary = file === "int8-relaxed.wasm" ? withDot(bytes, "uint8") : bytes;
      Object.assign(exports, instantiateWatched(binary, memory, watcher));
    }
    const { uniform } = random("races");
    wrapKernels(rt, (name, plain) => (desc, begin, end, scratch) => {
      this.reached.add(name);
      const anywhere = Array.from({ length: 4 }, () => Math.floor(uniform(begin, end)));
      const evenly = [1, 2, 3].map((i) => begin + Math.floor(((end - begin) * i) / 4));
      const edges = [...new Set([begin, ...anywhere, ...evenly, end])].sort((a, b) => a - b);
      const slices = edges.slice(1).map((to, i) => [edges[i] as number, to] as const);
      this.#check({ name, desc, scratch, slices }, plain, exports[name] as Kernel);
    });
  }

  /** Ends what the last calls left, too. */
  end(): void {
    for (const ptr of this.#scratches.keys()) this.#endScratch(ptr);
  }

  #find(what: string, where: string): void {
    if (!this.found.has(what)) this.found.set(what, `${this.current}: ${where}`);
  }

  /** Runs all slices watched, then each alone among garbage; memory holds what they answered in the end. */
  #check(work: Work, plain: Kernel, watched: Kernel): void {
    const { u8 } = internalsOf(this.#rt).engine.heap;
    const before = u8.slice();
    if (this.#loads.length < u8.length) {
      this.#loads = new Uint8Array(u8.length);
      this.#stores = new Uint8Array(u8.length);
    }
    [this.#low, this.#high] = [u8.length, 0];
    work.slices.forEach(([begin, end], i) => {
      this.#bit = 1 << i;
      watched(work.desc, begin, end, this.#scratchPtr);
    });
    const { stored, slack } = this.#judge(work);
    const after = u8.slice();
    work.slices.forEach(([begin, end], i) => {
      const isOwn = (at: number) => this.#stores[at] === 1 << i;
      for (const garbage of GARBAGE) {
        for (const at of stored) u8[at] = isOwn(at) ? (before[at] as number) : garbage;
        if (!CARRIED.includes(work.name)) for (const at of slack) u8[at] = garbage;
        u8.fill(garbage, this.#scratchPtr, this.#scratchPtr + SCRATCH_BYTES);
        plain(work.desc, begin, end, this.#scratchPtr);
        const wrong = stored.find((at) => isOwn(at) && u8[at] !== after[at]);
        if (wrong !== undefined)
          this.#find(`${work.name}: depends on what is not its own`, `byte ${wrong}, slice ${i}`);
      }
    });
    u8.set(after);
    this.#loads.fill(0, this.#low, this.#high);
    this.#stores.fill(0, this.#low, this.#high);
  }

  #judge({ name, scratch }: Work): Touched {
    const blocks = [...this.#blocks].sort(([a], [b]) => a - b);
    // A kernel that takes no scratch may be given any address as such: a converted input's lies where its copy goes.
    const taken = { stored: 0, loaded: 0, next: Infinity };
    const stored: number[] = [];
    const slack: number[] = [];
    let next = -1;
    let [ptr, end] = [0, 0];
    for (let at = this.#low; at < this.#high; at++) {
      const [loads, stores] = [this.#loads[at] as number, this.#stores[at] as number];
      if (loads === 0 && stores === 0) continue;
      while (next + 1 < blocks.length && (blocks[next + 1] as [number, number])[0] <= at) {
        const [from, bytes] = blocks[++next] as [number, number];
        [ptr, end] = [from, from + bytes];
      }
      if (loads !== 0 && at >= end + SLACK) this.#find(`${name}: loads outside of every block`, `byte ${at}`);
      if (stores !== 0 && (at >= end || at < CONSTANT_BYTES))
        this.#find(`${name}: stores outside of every block`, `byte ${at}`);
      if (ptr === this.#scratchPtr) {
        if (loads !== 0) taken.loaded = at + 1 - ptr;
        if (stores !== 0) taken.stored = at + 1 - ptr;
        continue;
      }
      if (at >= scratch && ptr <= scratch && at < taken.next) taken.next = at;
      if (stores === 0) {
        if (at >= end) slack.push(at);
        continue;
      }
      stored.push(at);
      if ((stores & (stores - 1)) !== 0) this.#find(`${name}: two slices store the same byte`, `byte ${at}`);
      const foreign = loads & ~stores;
      if (foreign === 0) continue;
      this.foreign.add(name);
      let near = 0;
      for (let behind = at - 1; behind >= at - TAIL; behind--) near |= this.#stores[behind] as number;
      if ((foreign & ~near) !== 0) this.#find(`${name}: loads what another slice stores, not next to its own`, `${at}`);
    }
    if (taken.stored > 0 || taken.loaded > 0) {
      const own = this.#scratchOf(name, scratch);
      own.stored = Math.max(own.stored, taken.stored);
      own.loaded = Math.max(own.loaded, taken.loaded);
      own.next = Math.min(own.next, taken.next);
    }
    return { stored, slack };
  }

  #scratchOf(kernel: string, ptr: number): Scratch {
    const known = this.#scratches.get(ptr);
    if (known !== undefined) return known;
    const block = [...this.#blocks].find(([from, bytes]) => from <= ptr && ptr < from + bytes);
    const made = { next: block ? block[0] + block[1] : ptr, stored: 0, loaded: 0, kernel };
    this.#scratches.set(ptr, made);
    return made;
  }

  /** Scratch is what lies between its address and what comes next in the block, with slack. */
  #endScratch(ptr: number): void {
    const scratch = this.#scratches.get(ptr);
    if (scratch === undefined) return;
    this.#scratches.delete(ptr);
    const { next, stored, loaded, kernel } = scratch;
    const reserved = next - ptr;
    if (stored > Math.max(0, reserved - SLACK) || loaded > reserved)
      this.#find(`${kernel}: goes beyond its scratch`, `${stored} stored, ${loaded} loaded of ${reserved}`);
  }
}

describe.each(RELEASES)("slices of work items on $name", ({ name: binary, create }) => {
  let rt: Runtime;
  let races: Races;
  beforeAll(async () => {
    rt = await create();
    races = new Races(rt, FILES[binary as keyof typeof FILES]);
    for (const memoryFormat of FORMATS) {
      for (const [name, call] of CALLS) {
        races.current = `${name} ${memoryFormat}`;
        using x = tensorOf(rt, fill(SHAPE, "x"), SHAPE, memoryFormat);
        for (const y of tensorsOf(await call(rt, x))) y.dispose();
        races.end();
      }
    }
  });
  afterAll(() => rt.dispose());

  it("were watched of every kernel", () => {
    expect(KERNELS.filter((name) => !races.reached.has(name))).toEqual([]);
  });

  it("store no byte twice, stay in blocks and scratch, and depend on no other slice", () => {
    expect(Object.fromEntries(races.found)).toEqual({});
  });

  it("load what another slice stores only where it is known why that is dropped", () => {
    expect([...races.foreign].sort()).toEqual(Object.keys(DROPPED).sort());
  });
});
