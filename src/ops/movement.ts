// Operators that only move elements, of any dtype: each is a handful of strided copies.

import { axisOf, elements, integer, oneOf, sameShape } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import {
  bytesOf,
  type DType,
  MEMORY_FORMATS,
  type MemoryFormat,
  makeSpec,
  stridesOf,
  type TensorSpec,
} from "../base/spec.js";
import type { Builder } from "../plan/builder.js";
import type { Operand, Ref } from "../plan/operand.js";
import { defineOperator, outputSpec } from "./operator.js";
import { contiguousInput, contiguousOutput, copyStrided, elementRef } from "./parts/strided.js";

function integers(name: string, value: unknown, min = Number.MIN_SAFE_INTEGER): readonly number[] {
  if (!Array.isArray(value)) throw new TypeError(`"${name}" expected an array of integers, got ${show(value)}`);
  return value.map((item, i) => integer(`${name}[${i}]`, item, min));
}

/** Copies a box of `shape` elements from one tensor into another: `from`, `to` are the corners, `steps` src's. */
function copyBox(
  b: Builder,
  src: Operand,
  dst: Operand,
  shape: readonly number[],
  from: readonly number[],
  to: readonly number[],
  steps?: readonly number[],
): void {
  const srcStrides = stridesOf(src.spec);
  const dstStrides = stridesOf(dst.spec);
  copyStrided(
    b,
    dst.spec.dtype,
    elementRef(src.ref, src.spec.dtype, srcStrides, from),
    elementRef(dst.ref, dst.spec.dtype, dstStrides, to),
    shape.map((size, i) => ({
      size,
      src: (srcStrides[i] as number) * (steps?.[i] ?? 1),
      dst: dstStrides[i] as number,
    })),
  );
}

/** Where to join. */
export interface ConcatOptions {
  /** Axis along which to join; negative counts from the end; default 1, the channels. */
  readonly axis?: number;
}

export const concat = defineOperator({
  name: "concat",
  inputs: ["inputs"],
  variadic: true,
  options: ["axis"],
  movesElements: true,
  infer({ inputs }, options: ConcatOptions) {
    const first = inputs[0] as TensorSpec;
    const axis = axisOf("axis", options.axis ?? 1, first.shape.length);
    const shape = [...first.shape];
    shape[axis] = 0;
    inputs.forEach((spec, i) => {
      const fits = spec.shape.length === shape.length && spec.shape.every((size, a) => a === axis || size === shape[a]);
      if (!fits || spec.dtype !== first.dtype) {
        throw new ShapeError(
          `"inputs[${i}]" expected ${first.dtype} ${show(first.shape)} but for axis ${axis}, got ${spec.dtype} ${show(spec.shape)}`,
        );
      }
      (shape[axis] as number) += spec.shape[axis] as number;
    });
    return { outputs: [outputSpec(shape, first)], axis };
  },
  lower(b, { inputs }, { axis }) {
    const corner = b.output.spec.shape.map(() => 0);
    for (const input of inputs) {
      copyBox(b, input, b.output, input.spec.shape, [], corner);
      (corner[axis] as number) += input.spec.shape[axis] as number;
    }
  },
});

/** As ONNX's Slice: one number an axis that is cut. */
export interface SliceOptions {
  /** First index along each axis; negative counts from the end, beyond the tensor means its edge. */
  readonly starts: readonly number[];
  /** Index to stop before, one a start; negative counts from the end, beyond the tensor means its edge. */
  readonly ends: readonly number[];
  /** Axes that starts and ends speak of, each once; negative counts from the end; default the first ones. */
  readonly axes?: readonly number[];
  /** Distance of the elements taken, one a start; negative goes backwards; default 1. */
  readonly steps?: readonly number[];
}

export const slice = defineOperator({
  name: "slice",
  inputs: ["input"],
  options: ["starts", "ends", "axes", "steps"],
  movesElements: true,
  infer({ input }, options: SliceOptions) {
    const rank = input.shape.length;
    const starts = integers("starts", options.starts);
    const ends = integers("ends", options.ends);
    const axes = integers("axes", options.axes ?? starts.map((_, i) => i)).map((axis, i) =>
      axisOf(`axes[${i}]`, axis, rank),
    );
    const given = integers("steps", options.steps ?? starts.map(() => 1));
    if (ends.length !== starts.length || axes.length !== starts.length || given.length !== starts.length) {
      throw new RangeError(`"starts" expected as many numbers as ends, axes and steps, got ${show(starts)}`);
    }
    if (new Set(axes).size !== axes.length) throw new RangeError(`"axes" expected different axes, got ${show(axes)}`);
    const from = input.shape.map(() => 0);
    const steps = input.shape.map(() => 1);
    const shape = [...input.shape];
    axes.forEach((axis, i) => {
      const size = input.shape[axis] as number;
      const step = given[i] as number;
      if (step === 0) throw new RangeError(`"steps[${i}]" expected a nonzero integer, got 0`);
      const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
      const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, low), high);
      const start = clamp(starts[i] as number);
      const count = Math.ceil((clamp(ends[i] as number) - start) / step);
      if (count < 1) throw new ShapeError(`"ends[${i}]" expected at least one element of axis ${axis}, got none`);
      from[axis] = start;
      steps[axis] = step;
      shape[axis] = count;
    });
    // Exporters cut where nothing is to be cut.
    const isView = sameShape(shape, input.shape) && steps.every((step) => step === 1);
    return { outputs: [outputSpec(shape, input)], isView, from, steps };
  },
  lower(b, { input }, { from, steps }) {
    copyBox(b, input, b.output, b.output.spec.shape, from, [], steps);
  },
});

/** How much border, and of what. */
export interface PadOptions {
  /** Elements to add before each axis, then after each: [begin0, begin1, …, end0, end1, …], as in ONNX. */
  readonly pads: readonly number[];
  /** "constant" (default), "reflect" (mirrored about the edge element) or "edge". */
  readonly mode?: "constant" | "reflect" | "edge";
  /** Of mode constant; default 0. A number that the dtype can hold. */
  readonly value?: number;
}

const RANGES = {
  uint8: [0, 255],
  int8: [-128, 127],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 2 ** 32 - 1],
  uint64: [0, Number.MAX_SAFE_INTEGER],
} as const;

/** `value` as one element of dtype; a shorter one is its first bytes. */
function cellOf(dtype: DType, value: unknown): Int32Array | Float32Array {
  if (dtype !== "float32" && dtype !== "float64") {
    const [least, most] = RANGES[dtype];
    return new Int32Array(BigInt64Array.of(BigInt(integer("value", value, least, most))).buffer);
  }
  if (typeof value === "number") {
    return dtype === "float32" ? Float32Array.of(value) : new Int32Array(Float64Array.of(value).buffer);
  }
  throw new TypeError(`"value" expected a number, got ${show(value)}`);
}

export const pad = defineOperator({
  name: "pad",
  inputs: ["input"],
  options: ["pads", "mode", "value"],
  movesElements: true,
  infer({ input }, options: PadOptions) {
    const { shape, dtype } = input;
    const rank = shape.length;
    const pads = integers("pads", options.pads, 0);
    if (pads.length !== 2 * rank) throw new RangeError(`"pads" expected ${2 * rank} numbers, got ${show(pads)}`);
    const mode = oneOf("mode", options.mode ?? "constant", ["constant", "reflect", "edge"]);
    const cell = cellOf(dtype, options.value ?? 0);
    const before = pads.slice(0, rank);
    const after = pads.slice(rank);
    const output = outputSpec(
      shape.map((n, i) => n + (before[i] as number) + (after[i] as number)),
      input,
    );
    shape.forEach((n, axis) => {
      const count = [before[axis], after[axis]].find((side) => (side as number) >= n);
      if (mode === "reflect" && count !== undefined)
        throw new ShapeError(`"pads" expected less than ${n} on axis ${axis} to reflect, got ${count}`);
    });
    return { outputs: [output], isView: pads.every((count) => count === 0), before, after, mode, cell };
  },
  lower(b, { input }, { before, after, mode, cell }) {
    const { output } = b;
    copyBox(b, input, output, input.spec.shape, [], before);
    const value = mode === "constant" ? b.table(cell) : undefined;
    // The border, axis by axis, each from what is there already: later axes take whole slabs, corners included.
    input.spec.shape.forEach((n, axis) => {
      const start = before[axis] as number;
      const sides: readonly [count: number, to: number, from: number][] = [
        [start, 0, mode === "edge" ? start : 2 * start],
        [after[axis] as number, start + n, start + n - (mode === "edge" ? 1 : 2)],
      ];
      for (const [count, to, from] of sides) {
        if (count > 0) padSide(b, input.spec.shape, before, axis, count, to, value ?? (mode === "edge" ? 0 : -1), from);
      }
    });
  },
});

/**
 * Fills `count` indices of the output's axis from `to` on: with one value, or with what lies from `from` on, in steps of 0 (edge)
 * or -1 (reflect).
 */
function padSide(
  b: Builder,
  size: readonly number[],
  before: readonly number[],
  axis: number,
  count: number,
  to: number,
  value: Ref | 0 | -1,
  from: number,
): void {
  const { output } = b;
  const { shape, dtype } = output.spec;
  const box = shape.map((all, i) => (i < axis ? all : i === axis ? count : (size[i] as number)));
  const corner = (at: number) => shape.map((_, i) => (i < axis ? 0 : i === axis ? at : (before[i] as number)));
  if (typeof value === "number") {
    const steps = shape.map((_, i) => (i === axis ? value : 1));
    copyBox(b, output, output, box, corner(from), corner(to), steps);
    return;
  }
  const strides = stridesOf(output.spec);
  const loops = box.map((n, i) => ({ size: n, src: 0, dst: strides[i] as number }));
  copyStrided(b, dtype, value, elementRef(output.ref, dtype, strides, corner(to)), loops);
}

/** Order of the axes. */
export interface TransposeOptions {
  /** Axis i of the output is axis permutation[i] of the input; every axis once; default reversed. */
  readonly permutation?: readonly number[];
  /** The output's memory format; default the input's. Where the bytes then lie as they did, a model's layer moves nothing. */
  readonly outputFormat?: MemoryFormat;
}

export const transpose = defineOperator({
  name: "transpose",
  inputs: ["input"],
  options: ["permutation", "outputFormat"],
  movesElements: true,
  infer({ input }, options: TransposeOptions) {
    const { shape } = input;
    const reversed = shape.map((_, i) => shape.length - 1 - i);
    const permutation = integers("permutation", options.permutation ?? reversed).map((axis, i) =>
      axisOf(`permutation[${i}]`, axis, shape.length),
    );
    if (permutation.length !== shape.length || new Set(permutation).size !== shape.length) {
      throw new ShapeError(`"permutation" expected each of ${shape.length} axes once, got ${show(permutation)}`);
    }
    const moved = permutation.map((axis) => shape[axis] as number);
    const output =
      options.outputFormat === undefined
        ? outputSpec(moved, input)
        : makeSpec(moved, input.dtype, options.outputFormat, "output");
    const from = stridesOf(input);
    const to = stridesOf(output);
    const loops = permutation.map((axis, i) => ({
      size: shape[axis] as number,
      src: from[axis] as number,
      dst: to[i] as number,
    }));
    return { outputs: [output], isView: loops.every(({ size, src, dst }) => src === dst || size === 1), loops };
  },
  lower(b, { input }, { loops }) {
    copyStrided(b, input.spec.dtype, input.ref, b.output.ref, loops);
  },
});

/** The same elements in logical order under another shape. */
function inferReshape(input: TensorSpec, shape: readonly number[]) {
  const output = outputSpec(shape, input);
  if (bytesOf(output) !== bytesOf(input)) {
    throw new ShapeError(`"shape" expected as many elements as ${show(input.shape)}, got ${show(shape)}`);
  }
  return { outputs: [output], isView: sameLayout(input, output) };
}

function lowerReshape(b: Builder, input: Operand, isView: boolean): void {
  const { dtype, shape } = input.spec;
  const run = [{ size: countOf(shape), src: 1, dst: 1 }];
  if (isView) {
    copyStrided(b, dtype, input.ref, b.output.ref, run);
    return;
  }
  const y = contiguousOutput(b, b.output);
  copyStrided(b, dtype, contiguousInput(b, input), y.ref, run);
  y.finish();
}

/** Whether logical order is memory order on both sides, or the shapes are the same. */
function sameLayout(a: TensorSpec, b: TensorSpec): boolean {
  const inOrder = (spec: TensorSpec) => {
    const strides = stridesOf({ ...spec, memoryFormat: "contiguous" });
    return stridesOf(spec).every((stride, i) => stride === strides[i] || spec.shape[i] === 1);
  };
  return (inOrder(a) && inOrder(b)) || (sameShape(a.shape, b.shape) && a.memoryFormat === b.memoryFormat);
}

/** The new shape. */
export interface ReshapeOptions {
  /** As many elements as the input has. One size may be -1: what is left. */
  readonly shape: readonly number[];
}

export const reshape = defineOperator({
  name: "reshape",
  inputs: ["input"],
  options: ["shape"],
  movesElements: true,
  infer({ input }, options: ReshapeOptions) {
    const shape = [...integers("shape", options.shape, -1)];
    const free = shape.indexOf(-1);
    if (free !== shape.lastIndexOf(-1)) throw new ShapeError(`"shape" expected at most one -1, got ${show(shape)}`);
    if (free >= 0) {
      const total = elements("input", input.shape);
      shape[free] = 1;
      const known = elements("shape", shape);
      if (total % known !== 0) {
        throw new ShapeError(`"shape" expected a divisor of ${total} elements, got ${show(options.shape)}`);
      }
      shape[free] = total / known;
    }
    return inferReshape(input, shape);
  },
  lower(b, { input }, { isView }) {
    lowerReshape(b, input, isView);
  },
});

/** Where the two axes of the result part. */
export interface FlattenOptions {
  /** Axes before it become one, and the others one; from -rank to rank; default 1. */
  readonly axis?: number;
}

export const flatten = defineOperator({
  name: "flatten",
  inputs: ["input"],
  options: ["axis"],
  movesElements: true,
  infer({ input }, options: FlattenOptions) {
    const { shape } = input;
    const given = integer("axis", options.axis ?? 1, -shape.length, shape.length);
    const axis = given < 0 ? given + shape.length : given;
    return inferReshape(input, [countOf(shape.slice(0, axis)), countOf(shape.slice(axis))]);
  },
  lower(b, { input }, { isView }) {
    lowerReshape(b, input, isView);
  },
});

/** The order in memory to bring a tensor into. */
export interface MemoryFormatOptions {
  /** Of the output; channelsLast has rank >= 3. No default. */
  readonly memoryFormat: MemoryFormat;
}

export const toMemoryFormat = defineOperator({
  name: "toMemoryFormat",
  inputs: ["input"],
  options: ["memoryFormat"],
  movesElements: true,
  infer({ input }, options: MemoryFormatOptions) {
    const memoryFormat = oneOf("memoryFormat", options.memoryFormat, MEMORY_FORMATS);
    const output = makeSpec(input.shape, input.dtype, memoryFormat, "input");
    return { outputs: [output], isView: memoryFormat === input.memoryFormat };
  },
  lower(b, { input }) {
    copyBox(b, input, b.output, input.spec.shape, [], []);
  },
});
