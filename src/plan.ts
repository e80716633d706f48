// A plan: kernel calls whose descriptors lie ready in linear memory. An operator only *describes* its calls (Builder);
// nothing is allocated until Plan is made, so a model can add up every byte before it takes the first one.
import { type Shape, sameShape } from "./check.js";
import { DisposedError, ShapeError, show } from "./errors.js";
import type { ConvAlgorithm, KernelName } from "./kernels.js";
import type { Engine, Kernel, Target } from "./runtime/instance.js";
import { alignUp } from "./runtime/memory.js";
import type { Precision, Timings } from "./select.js";
import type { ConvShape } from "./shape.js";
import { bytesOf, DTYPES, type MemoryFormat, showSpec, type TensorData, type TensorSpec } from "./spec.js";
import type { Tensor } from "./tensor.js";

/** An address not known yet: a byte offset into one of the plan's areas. Area "none" is the address 0. */
export interface Ref {
  readonly area: "none" | "input" | "output" | "param" | "constant" | "workspace";
  readonly index: number;
  readonly offset: number;
}

export const NONE: Ref = { area: "none", index: 0, offset: 0 };

/** The address `bytes` further. */
export function shift(ref: Ref, bytes: number): Ref {
  return { ...ref, offset: ref.offset + bytes };
}

/** The fields of a descriptor struct in the order of memory, four bytes each; from src/gen/desc.ts. */
export type DescLayout = Readonly<Record<string, "ptr" | "i32" | "f32">>;

export type DescValues<D extends DescLayout> = {
  readonly [F in keyof D]: D[F] extends "ptr" ? Ref : number;
};

export function descBytes(layout: DescLayout): number {
  return 4 * Object.keys(layout).length;
}

/** A step in JavaScript: reads the addresses of its operands from `desc`. */
export type HostKernel = (engine: Engine, desc: number) => void;

interface Call {
  readonly kernel: KernelName | HostKernel;
  readonly layout: DescLayout;
  readonly values: Readonly<Record<string, Ref | number>>;
  /** Indices of the parameters whose addresses it is given. */
  readonly params: readonly number[];
  readonly items: number;
  /** Bytes of its one parameter that a work item reads, item after item; 0 where it needs the whole. */
  readonly itemBytes: number;
}

/** A parameter that is brought to `ptr` piece by piece while it is packed. */
export interface Feed {
  readonly ptr: number;
  /** Bytes that are free there. */
  readonly room: number;
  /** Bytes of the whole. */
  readonly bytes: number;
  /** Writes the bytes from `from` on. */
  write(to: Uint8Array, from: number): void;
}

interface Copy {
  readonly to: Ref;
  readonly from: Ref;
  readonly bytes: number;
}

export interface Operand {
  readonly spec: TensorSpec;
  readonly ref: Ref;
}

/** A convolution as it is timed: shapes and memory formats matter, values do not. */
export interface ConvProblem {
  readonly shape: ConvShape;
  readonly input: TensorSpec;
  readonly weight: TensorSpec;
  readonly output: TensorSpec;
}

/** Times candidates for a convolution on this machine. */
export type Measure = (problem: ConvProblem, candidates: readonly ConvAlgorithm[]) => Timings;

/** What planning goes by: the binary, the defaults of a runtime or model, and its way to measure. */
export interface Planning extends Target {
  readonly precision?: Precision;
  readonly tune?: boolean;
  readonly measure?: Measure;
  /**
   * Most bytes of weights to pack where they could be read in place as well, somewhat slower: 0 for an eager call, which
   * runs once; 8 MiB for a model, which would hold both copies while it loads; any for a plan.
   */
  readonly packBytes?: number;
  /** Operators may stop when their outputs are known: for who asks for shapes only. */
  readonly shapesOnly?: boolean;
}

/** What a plan says of itself. */
export interface PlanDescription {
  readonly op: string;
  /** The algorithm that runs, and why it was chosen. */
  readonly algorithm: string;
  readonly reason: string;
  /**
   * Of a convolution: the algorithm's largest error on random normal data, as a share of the largest output, as documented
   * for 64 to 512 channels. Of a separable one, the larger of its halves'.
   */
  readonly error?: number;
  /** Multiply-accumulates of the operator's definition, whatever the algorithm saves. */
  readonly macs: number;
  /** Bytes used only while it runs. */
  readonly workspaceBytes: number;
  /** Bytes of packed weights and tables. */
  readonly constantBytes: number;
  /** Shape of the (first) output. */
  readonly output: Shape;
  readonly outputs: readonly TensorSpec[];
  readonly memoryFormat: MemoryFormat;
}

/** Collects what an operator needs: outputs, workspace, constants, and the kernel calls of plan time and of run time. */
export class Builder {
  readonly inputs: readonly Operand[];
  readonly params: readonly (Operand | undefined)[];
  readonly target: Planning;
  readonly outputs: Operand[] = [];
  readonly copies: Copy[] = [];
  readonly prepares: Call[] = [];
  readonly steps: Call[] = [];
  readonly tables: { readonly at: number; readonly data: Int32Array | Float32Array }[] = [];
  workspaceBytes = 0;
  constantBytes = 0;
  scratchBytes = 0;
  algorithm = "";
  reason = "the only one";
  error: number | undefined;
  macs = 0;
  /** Inputs whose own memory the (first) output may be. */
  inPlace: readonly number[] = [];
  /** The output is the input's bytes as they lie: a model takes them as they are and runs no step. */
  isView = false;

  constructor(
    readonly op: string,
    inputs: readonly TensorSpec[],
    params: readonly (TensorSpec | undefined)[],
    target: Planning,
  ) {
    this.inputs = inputs.map((spec, index) => ({ spec, ref: { area: "input", index, offset: 0 } }));
    this.params = params.map((spec, index) => spec && { spec, ref: { area: "param", index, offset: 0 } });
    this.target = target;
  }

  output(spec: TensorSpec): Operand {
    const operand: Operand = { spec, ref: { area: "output", index: this.outputs.length, offset: 0 } };
    this.outputs.push(operand);
    return operand;
  }

  /** Uninitialised bytes that last for one run; 64-byte aligned, with readable slack behind them. */
  workspace(bytes: number): Ref {
    const offset = this.workspaceBytes;
    this.workspaceBytes = alignUp(offset + bytes + 64);
    return { area: "workspace", index: 0, offset };
  }

  /** Zeroed bytes that last as long as the plan. */
  constant(bytes: number): Ref {
    const offset = this.constantBytes;
    this.constantBytes = alignUp(offset + bytes + 64);
    return { area: "constant", index: 0, offset };
  }

  /** A constant filled from here. */
  table(data: Int32Array | Float32Array): Ref {
    const ref = this.constant(data.byteLength);
    this.tables.push({ at: ref.offset, data });
    return ref;
  }

  /** Copies bytes at plan time. */
  copy(to: Ref, from: Ref, bytes: number): void {
    this.copies.push({ to, from, bytes });
  }

  /**
   * A kernel call at plan time, after the copies: packing weights, mostly. itemBytes: where items read one parameter, and each
   * its own bytes of it, one after the other, how many.
   */
  prepare<D extends DescLayout>(
    kernel: KernelName,
    layout: D,
    values: DescValues<D>,
    items: number,
    scratchBytes = 0,
    itemBytes = 0,
  ): void {
    this.scratchBytes = Math.max(this.scratchBytes, scratchBytes);
    this.prepares.push({ kernel, layout, values, params: paramsOf(values), items, itemBytes });
  }

  /** A kernel call of every run. scratchBytes: what one caller of the kernel needs for itself. */
  step<D extends DescLayout>(
    kernel: KernelName,
    layout: D,
    values: DescValues<D>,
    items: number,
    scratchBytes = 0,
  ): void {
    this.scratchBytes = Math.max(this.scratchBytes, scratchBytes);
    this.steps.push({ kernel, layout, values, params: paramsOf(values), items, itemBytes: 0 });
  }

  /** A step in JavaScript: `compute` is given a view of the elements at every address. */
  hostStep(operands: readonly Operand[], compute: (views: readonly TensorData[]) => void): void {
    const layout: DescLayout = Object.fromEntries(operands.map((_, i) => [i, "ptr"]));
    const values = Object.fromEntries(operands.map(({ ref }, i) => [i, ref]));
    const sizes = operands.map(({ spec }) => bytesOf(spec) / DTYPES[spec.dtype].BYTES_PER_ELEMENT);
    const kernel: HostKernel = ({ heap }, desc) => {
      compute(
        operands.map(({ spec }, i) => heap.view(spec.dtype, heap.i32[(desc >>> 2) + i] as number, sizes[i] as number)),
      );
    };
    this.steps.push({ kernel, layout, values, params: paramsOf(values), items: 1, itemBytes: 0 });
  }

  /** Bytes to reserve for a run: scratch, then workspace. */
  get runBytes(): number {
    return alignUp(this.scratchBytes + 64) + this.workspaceBytes;
  }

  /** Bytes that the plan keeps: descriptors, then constants. */
  get keptBytes(): number {
    return this.descBytes + this.constantBytes;
  }

  get descBytes(): number {
    return this.steps.reduce((sum, step) => sum + alignUp(descBytes(step.layout), 16), 0);
  }

  /** True when a run reads parameter `index` itself, not a packed copy of it. */
  readsParam(index: number): boolean {
    return this.steps.some(({ params }) => params.includes(index));
  }

  /** Bytes that are the least room for a Feed of parameter `index`, or 0 where it is needed as a whole. */
  feedBytes(index: number): number {
    if (this.copies.some(({ from }) => from.area === "param" && from.index === index)) return 0;
    const sizes = this.prepares.filter(({ params }) => params.includes(index)).map((call) => call.itemBytes);
    return sizes.includes(0) ? 0 : Math.max(0, ...sizes);
  }

  describe(): PlanDescription {
    const outputs = this.outputs.map((output) => output.spec);
    const first = outputs[0] as TensorSpec;
    return {
      op: this.op,
      algorithm: this.algorithm || this.op,
      reason: this.reason,
      ...(this.error !== undefined && { error: this.error }),
      macs: this.macs,
      workspaceBytes: this.runBytes,
      constantBytes: this.constantBytes,
      output: first.shape,
      outputs,
      memoryFormat: first.memoryFormat,
    };
  }
}

function paramsOf(values: Call["values"]): readonly number[] {
  const params: number[] = [];
  for (const field in values) {
    const value = values[field] as Ref | number;
    if (typeof value === "object" && value.area === "param") params.push(value.index);
  }
  return params;
}

/** Where a run finds the operands whose addresses may change from run to run. */
interface Patch {
  readonly at: number; // index into the i32 view
  readonly area: "input" | "output";
  readonly index: number;
  readonly offset: number;
}

/** Kernel calls bound to memory: made once from a Builder, run many times. Knows addresses, not tensors. */
export class Program {
  readonly #engine: Engine;
  readonly #kept: number;
  readonly #ownRun: number | undefined;
  readonly #scratch: number;
  readonly #kernels: Kernel[] = [];
  readonly #descs: number[] = [];
  readonly #items: number[] = [];
  readonly #patches: Patch[] = [];

  /** Allocates, fills descriptors and packs parameters. runPtr: memory of builder.runBytes that somebody else owns. */
  constructor(engine: Engine, builder: Builder, params: readonly (number | Feed | undefined)[], runPtr?: number) {
    this.#engine = engine;
    const { allocator } = engine.heap;
    const taken: number[] = [];
    const take = (bytes: number): number => {
      const ptr = allocator.allocate(bytes);
      taken.push(ptr);
      return ptr;
    };
    try {
      this.#kept = take(builder.keptBytes);
      this.#ownRun = runPtr === undefined ? take(builder.runBytes) : undefined;
      this.#scratch = runPtr ?? (this.#ownRun as number);
      const addresses = params.map((param) => (typeof param === "object" ? param.ptr : param));
      const constants = this.#kept + builder.descBytes;
      const workspace = this.#scratch + alignUp(builder.scratchBytes + 64);
      const resolve = (ref: Ref): number => {
        if (ref.area === "none") return 0;
        if (ref.area === "constant") return constants + ref.offset;
        if (ref.area === "workspace") return workspace + ref.offset;
        const param = addresses[ref.index];
        if (ref.area !== "param" || param === undefined)
          throw new Error(`internal: ${ref.area} is not known at plan time`);
        return param + ref.offset;
      };
      const write = (call: Call, desc: number): void => {
        const { i32, f32 } = engine.heap;
        let at = desc >>> 2;
        for (const field in call.layout) {
          const value = call.values[field];
          if (typeof value === "number") (call.layout[field] === "f32" ? f32 : i32)[at] = value;
          else if (value === undefined) throw new Error(`internal: ${String(call.kernel)}: ${field} is missing`);
          else if (value.area === "input" || value.area === "output") {
            this.#patches.push({ at, area: value.area, index: value.index, offset: value.offset });
          } else i32[at] = resolve(value);
          at++;
        }
      };

      engine.heap.u8.fill(0, constants, constants + builder.constantBytes);
      for (const { at, data } of builder.tables) {
        engine.heap.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), constants + at);
      }
      for (const { to, from, bytes } of builder.copies) {
        const source = resolve(from);
        engine.heap.u8.copyWithin(resolve(to), source, source + bytes);
      }
      if (builder.prepares.length > 0) {
        // The descriptors of a run are not written yet.
        const needed = Math.max(...builder.prepares.map((call) => descBytes(call.layout)));
        const temporary = needed <= builder.descBytes ? this.#kept : take(needed);
        for (const call of builder.prepares) {
          const kernel = engine.kernels[call.kernel as KernelName];
          const fed = params.findIndex((param, i) => typeof param === "object" && call.params.includes(i));
          if (fed < 0) {
            write(call, temporary);
            kernel(temporary, 0, call.items, this.#scratch);
            continue;
          }
          const { ptr, room, bytes, write: bring } = params[fed] as Feed;
          const each = Math.floor(room / call.itemBytes);
          for (let item = 0; item < call.items; item += each) {
            const end = Math.min(item + each, call.items);
            const from = item * call.itemBytes;
            bring(engine.heap.u8.subarray(ptr, ptr + Math.min(end * call.itemBytes, bytes) - from), from);
            addresses[fed] = ptr - from; // item `item` finds its bytes at ptr
            write(call, temporary);
            kernel(temporary, item, end, this.#scratch);
          }
        }
        if (temporary !== this.#kept) {
          taken.pop();
          allocator.free(temporary);
        }
      }
      let desc = this.#kept;
      for (const step of builder.steps) {
        write(step, desc);
        const { kernel } = step;
        this.#kernels.push(typeof kernel === "string" ? engine.kernels[kernel] : (desc) => kernel(engine, desc));
        this.#descs.push(desc);
        this.#items.push(step.items);
        desc += alignUp(descBytes(step.layout), 16);
      }
    } catch (error) {
      for (const ptr of taken) allocator.free(ptr);
      throw error;
    }
  }

  /** Writes the operands' addresses into the descriptors: `inputs` inputs, then outputs. */
  bind(operands: readonly number[], inputs: number): void {
    const { i32 } = this.#engine.heap;
    for (const { at, area, index, offset } of this.#patches) {
      i32[at] = (operands[area === "input" ? index : inputs + index] as number) + offset;
    }
  }

  /** Calls every kernel once over all of its work items. Allocates nothing. */
  run(): void {
    for (let i = 0; i < this.#kernels.length; i++) {
      (this.#kernels[i] as Kernel)(this.#descs[i] as number, 0, this.#items[i] as number, this.#scratch);
    }
  }

  /** As run(), every kernel's work items in so many parts; yields before each. */
  *runInParts(parts: number): Generator<void> {
    for (let i = 0; i < this.#kernels.length; i++) {
      const items = this.#items[i] as number;
      const size = Math.ceil(items / Math.min(items, parts));
      for (let begin = 0; begin < items; begin += size) {
        yield;
        const end = Math.min(begin + size, items);
        (this.#kernels[i] as Kernel)(this.#descs[i] as number, begin, end, this.#scratch);
      }
    }
  }

  /** Calls every kernel over work items [begin, end) of each. Answers end. */
  runSlice(begin: number, end: number): number {
    for (let i = 0; i < this.#kernels.length; i++) {
      (this.#kernels[i] as Kernel)(this.#descs[i] as number, begin, end, this.#scratch);
    }
    return end;
  }

  dispose(): void {
    const { allocator } = this.#engine.heap;
    allocator.free(this.#kept);
    if (this.#ownRun !== undefined) allocator.free(this.#ownRun);
  }
}

/** What a plan needs of the runtime that made it. */
export interface PlanOwner {
  readonly engine: Engine;
  readonly disposed: boolean;
  releasePlan(plan: Plan): void;
}

/** One operator, planned for fixed shapes: validated, algorithm chosen, weights packed, workspace reserved. */
export class Plan {
  readonly #owner: PlanOwner;
  readonly #builder: Builder;
  readonly #program: Program;
  readonly #pointers: number[] = []; // of the operands of a run: inputs, then outputs
  readonly #resident: Tensor[]; // parameters that a run reads in place
  #disposed = false;

  /** Internal: use runtime.plan.*. */
  constructor(owner: PlanOwner, builder: Builder, params: readonly (Tensor | undefined)[]) {
    this.#owner = owner;
    this.#builder = builder;
    this.#program = new Program(
      owner.engine,
      builder,
      params.map((tensor) => tensor?.ptr),
    );
    this.#resident = params.filter((tensor, i): tensor is Tensor => tensor !== undefined && builder.readsParam(i));
  }

  /** Algorithm, reason, MACs, workspace bytes and output shape. */
  describe(): PlanDescription {
    return this.#builder.describe();
  }

  /** The specs that run() wants for its outputs. */
  get outputs(): readonly TensorSpec[] {
    return this.#builder.outputs.map((output) => output.spec);
  }

  /**
   * Runs on inputs and writes the outputs, given in this order; answers the first output. Allocates nothing.
   * Throws ShapeError when a tensor is not as planned, DisposedError when one is gone.
   */
  run(...tensors: Tensor[]): Tensor {
    if (this.#disposed || this.#owner.disposed)
      throw new DisposedError(`"plan" expected a live plan, got a disposed one`);
    const { inputs, outputs, inPlace } = this.#builder;
    if (tensors.length !== inputs.length + outputs.length) {
      throw new TypeError(
        `"run" expected ${inputs.length} input and ${outputs.length} output tensors, got ${tensors.length} tensors`,
      );
    }
    for (let i = 0; i < tensors.length; i++) {
      const output = i - inputs.length;
      const { spec } = (output < 0 ? inputs[i] : outputs[output]) as Operand;
      this.#check(output < 0 ? "input" : "output", output < 0 ? i : output, spec, tensors[i] as Tensor);
      if (output < 0) continue;
      const first = tensors.indexOf(tensors[i] as Tensor);
      if (first < i && !inPlace.includes(first)) {
        const taken = first < inputs.length ? "an input" : "another output";
        throw new RangeError(`"output ${output}" expected a tensor of its own, got ${taken}`);
      }
    }
    for (const tensor of this.#resident) tensor.ptr; // throws when disposed
    for (let i = 0; i < tensors.length; i++) this.#pointers[i] = (tensors[i] as Tensor).ptr;
    this.#program.bind(this.#pointers, inputs.length);
    this.#program.run();
    return tensors[inputs.length] as Tensor;
  }

  #check(kind: "input" | "output", index: number, spec: TensorSpec, tensor: Tensor): void {
    if (tensor?.owner?.engine !== this.#owner.engine) {
      throw new TypeError(`"${kind} ${index}" expected a tensor of this runtime, got ${show(tensor)}`);
    }
    tensor.ptr; // throws when disposed
    if (
      sameShape(tensor.shape, spec.shape) &&
      tensor.dtype === spec.dtype &&
      tensor.memoryFormat === spec.memoryFormat
    ) {
      return;
    }
    throw new ShapeError(`"${kind} ${index}" expected ${showSpec(spec)}, got ${showSpec(tensor.spec)}`);
  }

  /** Gives the memory back. Disposing twice is harmless. */
  dispose(): void {
    if (this.#disposed || this.#owner.disposed) return;
    this.#disposed = true;
    this.#program.dispose();
    this.#owner.releasePlan(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
