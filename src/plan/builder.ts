// An operator only *describes* its kernel calls to a Builder; nothing is allocated until a Program is made of it, so a model
// can add up every byte before it takes the first one.

import type { Shape } from "../base/check.js";
import type { ConvShape } from "../base/shape.js";
import { bytesOf, DTYPES, type MemoryFormat, type TensorData, type TensorSpec } from "../base/spec.js";
import { alignUp } from "../engine/allocator.js";
import { STEP_BYTES } from "../engine/crew.js";
import type { Engine, Target } from "../engine/engine.js";
import { SLACK_BYTES } from "../kernels/gen/constants.js";
import type { Memory, Precision, Timings } from "../kernels/select.js";
import type { ConvAlgorithm, KernelName } from "../kernels/table.js";
import { type DescLayout, type DescValues, descBytes, type Operand, PTR, type Ref } from "./operand.js";

/** A step in JavaScript: reads the addresses of its operands from `desc`. */
export type HostKernel = (engine: Engine, desc: number) => void;

/** Bytes that last as long as a plan, filled from here. */
export interface Table {
  readonly at: number;
  readonly data: Int32Array | Float32Array;
  /** What packing depends on of it; undefined: all of it. */
  readonly packing: readonly number[] | undefined;
}

/** A packed form of parameters. */
export interface Pack {
  readonly bytes: number;
  /** Whether prepare() calls write all of it. */
  readonly isWhole: boolean;
}

export interface Call {
  readonly kernel: KernelName | HostKernel;
  readonly layout: DescLayout;
  readonly values: Readonly<Record<string, Ref | number>>;
  /** Indices of the parameters whose addresses it is given. */
  readonly params: readonly number[];
  readonly items: number;
  /** Bytes of its one parameter that a work item reads, item after item; 0 where it needs the whole. */
  readonly itemBytes: number;
  /** The packed form that it writes, of calls at plan time; else -1. */
  readonly pack: number;
  /** Bytes of scratch that one caller of the kernel takes, with what has to lie between two callers'. */
  readonly stride: number;
  /** Work items that a thread takes at a time: all of them where it is not split. */
  readonly unit: number;
  /** Of a call at plan time: what does the same with the transposed parameter. */
  readonly turned?: Call | undefined;
}

export interface Copy {
  readonly to: Ref;
  readonly from: Ref;
  readonly bytes: number;
}

/** A convolution as it is timed: shapes and memory formats matter, values do not. */
export interface ConvProblem {
  readonly shape: ConvShape;
  readonly input: TensorSpec;
  readonly weight: TensorSpec;
  readonly output: TensorSpec;
}

/** A convolution that is to be chosen by time, and the algorithms that may be the fastest. */
export interface TimingRequest {
  readonly problem: ConvProblem;
  readonly candidates: readonly ConvAlgorithm[];
}

/** What planning goes by: the binary, the defaults of a runtime or model, and times where some were taken. */
export interface Planning extends Target {
  readonly precision?: Precision;
  readonly memory?: Memory;
  readonly tune?: boolean;
  /** Packed weights must not depend on the shapes of values, since plans for others share them. */
  readonly isShared?: boolean;
  /** Times of convolutions that are chosen by time. Without it the table chooses, and a builder notes what to time. */
  readonly timings?: (problem: ConvProblem) => Timings;
  /**
   * Most bytes of weights to pack where they could be read in place as well, somewhat slower: 0 for an eager call, which
   * runs once; 8 MiB for a model, which would hold both copies while it loads; any for a plan.
   */
  readonly packBytes?: number;
  /** Threads, where there are several, and how many work items of a call one of them takes at a time. */
  readonly threads?: number;
  readonly split?: (builder: Builder, call: Omit<Call, "unit">) => number;
}

/** What a plan says of itself. */
export interface PlanDescription {
  /** The operator's name. */
  readonly op: string;
  /** What runs; the operator's name where there is only one way. */
  readonly algorithm: string;
  /** Why this algorithm, with estimated or measured milliseconds where several do. */
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
  /** Shape, dtype and memory format of every output. */
  readonly outputs: readonly TensorSpec[];
  /** Of the (first) output. */
  readonly memoryFormat: MemoryFormat;
}

/** Collects what an operator needs: workspace, constants, and the kernel calls of plan time and of run time. */
export class Builder {
  readonly inputs: readonly Operand[];
  readonly params: readonly (Operand | undefined)[];
  readonly planning: Planning;
  readonly outputs: readonly Operand[];
  readonly copies: Copy[] = [];
  readonly prepares: Call[] = [];
  readonly steps: Call[] = [];
  readonly tables: Table[] = [];
  /** Packed forms of parameters. */
  readonly packs: Pack[] = [];
  workspaceBytes = 0;
  constantBytes = 0;
  /** Scratch of a run and of packing, every thread's. */
  scratchBytes = 0;
  algorithm = "";
  reason = "the only one";
  error: number | undefined;
  macs = 0;
  /** Inputs whose own memory the (first) output may be. */
  inPlace: readonly number[] = [];
  /** Convolutions that the table chose though they are to be chosen by time. */
  readonly untimed: TimingRequest[] = [];
  /** Of the descriptors of a run. */
  descBytes = 0;
  /** Of its steps as threads read them. */
  stepBytes = 0;

  constructor(
    readonly op: string,
    inputs: readonly TensorSpec[],
    params: readonly (TensorSpec | undefined)[],
    outputs: readonly TensorSpec[],
    planning: Planning,
  ) {
    this.inputs = inputs.map((spec, index) => ({ spec, ref: { area: "input", index, offset: 0 } }));
    this.params = params.map((spec, index) => spec && { spec, ref: { area: "param", index, offset: 0 } });
    this.outputs = outputs.map((spec, index) => ({ spec, ref: { area: "output", index, offset: 0 } }));
    this.planning = planning;
  }

  /** The first output. */
  get output(): Operand {
    return this.outputs[0] as Operand;
  }

  /** Uninitialised bytes that last for one run; 64-byte aligned, with readable slack behind them. */
  workspace(bytes: number): Ref {
    const offset = this.workspaceBytes;
    this.workspaceBytes = alignUp(offset + bytes + SLACK_BYTES);
    return { area: "workspace", index: 0, offset };
  }

  /** Zeroed bytes that last as long as the plan. */
  constant(bytes: number): Ref {
    const offset = this.constantBytes;
    this.constantBytes = alignUp(offset + bytes + SLACK_BYTES);
    return { area: "constant", index: 0, offset };
  }

  /** A constant filled from here. packing: what prepare() calls that read it depend on, where that is not all of it. */
  table(data: Int32Array | Float32Array, packing?: readonly number[]): Ref {
    const ref = this.constant(data.byteLength);
    this.tables.push({ at: ref.offset, data, packing });
    return ref;
  }

  /**
   * Bytes that hold parameters as kernels want them, written by copy() and prepare() alone: the plans of a model share those
   * that are made alike of the same parameters. They are zeroed before, which touches their memory twice, unless isWhole:
   * prepare() calls write every byte.
   */
  packed(bytes: number, isWhole = false): Ref {
    return { area: "packed", index: this.packs.push({ bytes, isWhole }) - 1, offset: 0 };
  }

  /** Copies bytes at plan time. */
  copy(to: Ref, from: Ref, bytes: number): void {
    this.copies.push({ to, from, bytes });
  }

  /**
   * A kernel call at plan time, after the copies, that writes one packed form: weights, mostly. itemBytes: where items read one
   * parameter, and each its own bytes of it, one after the other, how many. turned: a call that was never added, for the
   * transposed parameter.
   */
  prepare<D extends DescLayout>(
    kernel: KernelName,
    layout: D,
    values: DescValues<D>,
    items: number,
    scratchBytes = 0,
    itemBytes = 0,
    turned?: Pick<Call, "kernel" | "layout" | "values" | "items" | "itemBytes">,
  ): void {
    const [pack = -1] = indicesOf(values, "packed");
    const params = indicesOf(values, "param");
    const call = this.#split({ kernel, layout, values, params, items, itemBytes, pack, stride: scratchBytes });
    this.prepares.push({ ...call, turned: turned && this.#split({ ...turned, params, pack, stride: 0 }) });
  }

  /** A kernel call of every run. scratchBytes: what one caller of the kernel needs for itself. */
  step<D extends DescLayout>(
    kernel: KernelName,
    layout: D,
    values: DescValues<D>,
    items: number,
    scratchBytes = 0,
  ): void {
    const params = indicesOf(values, "param");
    this.#add(this.#split({ kernel, layout, values, params, items, itemBytes: 0, pack: -1, stride: scratchBytes }));
  }

  /** stride: bytes of scratch of one caller. */
  #split(call: Omit<Call, "unit">): Call {
    const { threads = 1, split } = this.planning;
    const unit = split?.(this, call) ?? call.items;
    const stride = unit < call.items ? alignUp(call.stride + SLACK_BYTES) : 0;
    this.scratchBytes = Math.max(this.scratchBytes, call.stride + stride * (threads - 1));
    return { ...call, unit, stride };
  }

  /** A step in JavaScript: `compute` is given a view of the elements at every address. */
  hostStep(operands: readonly Operand[], compute: (views: readonly TensorData[]) => void): void {
    const layout: DescLayout = Object.fromEntries(operands.map((_, i) => [i, PTR]));
    const values = Object.fromEntries(operands.map(({ ref }, i) => [i, ref]));
    const sizes = operands.map(({ spec }) => bytesOf(spec) / DTYPES[spec.dtype].BYTES_PER_ELEMENT);
    const kernel: HostKernel = ({ heap }, desc) => {
      compute(
        operands.map(({ spec }, i) => heap.view(spec.dtype, heap.i32[(desc >>> 2) + i] as number, sizes[i] as number)),
      );
    };
    const params = indicesOf(values, "param");
    this.#add({ kernel, layout, values, params, items: 1, itemBytes: 0, pack: -1, stride: 0, unit: 1 });
  }

  #add(call: Call): void {
    this.steps.push(call);
    this.descBytes += alignUp(descBytes(call.layout), 16);
    if (this.planning.split) this.stepBytes += STEP_BYTES;
  }

  /** Puts these calls of every run in the place of all. */
  replaceSteps(calls: readonly Call[]): void {
    [this.steps.length, this.descBytes, this.stepBytes] = [0, 0, 0];
    for (const call of calls) this.#add(call);
  }

  /** Bytes to reserve for a run: scratch, then workspace. */
  get runBytes(): number {
    return alignUp(this.scratchBytes + SLACK_BYTES) + this.workspaceBytes;
  }

  /** Bytes that the plan keeps for itself: descriptors, then constants, then steps as threads read them. */
  get keptBytes(): number {
    return this.descBytes + this.constantBytes + this.stepBytes;
  }

  /** Bytes of packed forms, one behind the other. */
  get packedBytes(): number {
    return this.packs.reduce((sum, { bytes }) => sum + alignUp(bytes + SLACK_BYTES), 0);
  }

  /** Lets go of all that only binding it to memory takes: what it says of itself stays. */
  forget(): void {
    for (const list of [this.copies, this.prepares, this.steps, this.tables]) list.length = 0;
  }

  /** True when a run reads parameter `index` itself, not a packed copy of it. */
  readsParam(index: number): boolean {
    return this.steps.some(({ params }) => params.includes(index));
  }

  /** Whether parameter `index` is wanted for a packed form that is new. */
  isWanted(index: number, packs: readonly { readonly isNew: boolean }[]): boolean {
    const isParam = ({ area, index: i }: Ref) => area === "param" && i === index;
    return (
      this.prepares.some(({ params, pack }) => params.includes(index) && packs[pack]?.isNew) ||
      this.copies.some(({ to, from }) => isParam(from) && packs[to.index]?.isNew)
    );
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
      constantBytes: this.constantBytes + this.packedBytes,
      output: first.shape,
      outputs,
      memoryFormat: first.memoryFormat,
    };
  }
}

function indicesOf(values: Call["values"], area: Ref["area"]): readonly number[] {
  const indices: number[] = [];
  for (const field in values) {
    const value = values[field] as Ref | number;
    if (typeof value === "object" && value.area === area) indices.push(value.index);
  }
  return indices;
}
