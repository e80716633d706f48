// Bytes that move: channels in turn, parts joined and taken out, images of other sizes. See assembly/kernels/int8-moves.ts. Along axes
// that are no channels, runs are long, and the operators of all types (src/ops/movement.ts) are as fast.
import { ShapeError, show, UnsupportedError } from "../../../base/errors.js";
import { countOf } from "../../../base/shape.js";
import { showSpec, type TensorSpec } from "../../../base/spec.js";
import { CHUNK } from "../../../kernels/gen/constants.js";
import { InterleaveBytesDesc } from "../../../kernels/gen/int8/interleave-bytes-desc.js";
import { ResizeBytesDesc } from "../../../kernels/gen/int8/resize-bytes-desc.js";
import { defineOperator, type Operator } from "../../../ops/operator.js";
import type { Builder } from "../../../plan/builder.js";
import { NONE, type Ref, shift } from "../../../plan/operand.js";
import type { Taps } from "../resize.js";
import { bytesSpec, endTable, imageOf } from "./bytes.js";
import { type Change, emitChange } from "./elements.js";

interface Interleaving {
  readonly groups: number;
  /** Channels of each. */
  readonly each: number;
  readonly from: Ref;
  readonly fromPixel: number;
  /** Of two groups: where the second one is; of more: bytes from group to group in `from`. */
  readonly second?: Ref;
  readonly secondPixel?: number;
  readonly groupBytes?: number;
  readonly to: Ref;
}

function emitInterleaving(b: Builder, pixels: number, i: Interleaving): void {
  const cols = Math.min(pixels, Math.max(1, Math.floor(CHUNK / (i.groups * i.each))));
  const values = {
    xPtr: i.from,
    yPtr: i.to,
    groupPtr: i.second ?? NONE,
    count: pixels,
    cols,
    groups: i.groups,
    each: i.each,
    xPixelBytes: i.fromPixel,
    groupPixelBytes: i.secondPixel ?? 0,
    groupBytes: i.groupBytes ?? 0,
  };
  b.step("interleave_q8", InterleaveBytesDesc, values, Math.ceil(pixels / cols));
}

/** uint8 [N, C, H, W] → the same with channel g * C/groups + c at c * groups + g. */
export function interleave(groups: number): Operator {
  return defineOperator({
    name: "interleave q8",
    inputs: ["input"],
    infer({ input }) {
      const [, C] = imageOf("input", input);
      if (C % groups !== 0) throw new ShapeError(`"groups" expected a divisor of ${C}, got ${groups}`);
      return { outputs: [input] };
    },
    lower(b, { input }) {
      const [N, C, H, W] = input.spec.shape as [number, number, number, number];
      const each = C / groups;
      const second = groups === 2 ? { second: shift(input.ref, each), secondPixel: C } : { groupBytes: each };
      emitInterleaving(b, N * H * W, { groups, each, from: input.ref, fromPixel: C, ...second, to: b.output.ref });
    },
  });
}

/**
 * Two uint8 [N, C, H, W] → [N, 2C, H, W], a channel of a, a channel of b in turn: joined and interleaved. half: its first or second half
 * alone, [N, C, H, W], of an even C.
 */
export function zip(half?: 0 | 1): Operator {
  return defineOperator({
    name: "zip q8",
    inputs: ["a", "b"],
    infer({ a, b }) {
      const [N, C, H, W] = imageOf("a", a);
      if (show(imageOf("b", b)) !== show(a.shape))
        throw new ShapeError(`"b" expected shape ${show(a.shape)}, got ${show(b.shape)}`);
      if (half !== undefined && C % 2 !== 0) throw new ShapeError(`"a" expected an even number of channels, got ${C}`);
      return { outputs: [half === undefined ? bytesSpec([N, 2 * C, H, W]) : a] };
    },
    lower(builder, { a, b }) {
      const [N, C, H, W] = a.spec.shape as [number, number, number, number];
      const each = half === undefined ? C : C / 2;
      const [from, second] = [a.ref, b.ref].map((ref) => shift(ref, (half ?? 0) * each)) as [Ref, Ref];
      const pixels = { groups: 2, each, fromPixel: C, secondPixel: C };
      emitInterleaving(builder, N * H * W, { ...pixels, from, second, to: builder.output.ref });
    },
  });
}

/** Elements in front of an axis and behind it, as tensors of bytes lie. */
function around({ shape, memoryFormat }: TensorSpec, axis: number): { outer: number; inner: number } {
  const lying = memoryFormat === "channelsLast" ? [0, ...shape.map((_, i) => i).slice(2), 1] : shape.map((_, i) => i);
  const at = lying.indexOf(axis);
  const sizes = lying.map((i) => shape[i] as number);
  return { outer: countOf(sizes.slice(0, at)), inner: countOf(sizes.slice(at + 1)) };
}

const requireBytes = (name: string, spec: TensorSpec): void => {
  if (spec.dtype !== "uint8") throw new ShapeError(`"${name}" expected uint8, got ${showSpec(spec)}`);
};

/** uint8 tensors that differ in one axis → joined along it, each with its own change, of which a missing one is none. */
export function concat(axis: number, changes: readonly (Change | undefined)[] = []): Operator {
  return defineOperator({
    name: "concat q8",
    inputs: ["inputs"],
    variadic: true,
    infer({ inputs }) {
      const first = inputs[0] as TensorSpec;
      inputs.forEach((spec, i) => {
        requireBytes(`inputs[${i}]`, spec);
        const fits = spec.shape.length === first.shape.length && spec.memoryFormat === first.memoryFormat;
        if (!fits || spec.shape.some((size, at) => at !== axis && size !== first.shape[at]))
          throw new ShapeError(
            `"inputs[${i}]" expected ${showSpec(first)} but for axis ${axis}, got ${showSpec(spec)}`,
          );
      });
      const total = inputs.reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
      return { outputs: [bytesSpec(first.shape.map((size, at) => (at === axis ? total : size)))] };
    },
    lower(b, { inputs }) {
      const { spec } = b.output;
      const { outer, inner } = around(spec, axis);
      const toStep = (spec.shape[axis] as number) * inner;
      let at = 0;
      inputs.forEach((input, i) => {
        const bytes = (input.spec.shape[axis] as number) * inner;
        const rows = { count: outer, bytes, from: input.ref, fromStep: bytes, to: shift(b.output.ref, at), toStep };
        emitChange(b, changes[i] ?? { type: "copy" }, rows);
        at += bytes;
      });
    },
  });
}

/** uint8 → its parts along an axis, each from `start` on `size` long. */
export function parts(axis: number, ranges: readonly { readonly start: number; readonly size: number }[]): Operator {
  return defineOperator({
    name: "parts q8",
    inputs: ["input"],
    outputs: ranges.length > 1 ? ranges.map((_, i) => `part${i}`) : (undefined as never),
    infer({ input }) {
      requireBytes("input", input);
      const whole = input.shape[axis] as number;
      for (const { start, size } of ranges)
        if (size < 1 || start < 0 || start + size > whole)
          throw new ShapeError(`"ranges" expected parts of ${whole}, got ${size} from ${start} on`);
      return { outputs: ranges.map(({ size }) => bytesSpec(input.shape.map((all, at) => (at === axis ? size : all)))) };
    },
    lower(b, { input }) {
      const { outer, inner } = around(input.spec, axis);
      const fromStep = (input.spec.shape[axis] as number) * inner;
      b.outputs.forEach((output, i) => {
        const { start, size } = ranges[i] as { start: number; size: number };
        const from = shift(input.ref, start * inner);
        const rows = { count: outer, bytes: size * inner, from, fromStep, to: output.ref, toStep: size * inner };
        emitChange(b, { type: "copy" }, rows);
      });
    },
  });
}

/** Of linear resizing: quanta of the input and of the output. */
export interface Reals {
  readonly xScale: number;
  readonly xZero: number;
  readonly yScale: number;
  readonly yZero: number;
}

/** Two taps a position that weigh something; undefined where more do. */
function twoOf({ at, weights }: Taps): readonly (readonly [at: number, weight: number])[] | undefined {
  const sums = new Map<number, number>();
  at.forEach((place, i) => {
    if (weights[i] !== 0) sums.set(place, (sums.get(place) ?? 0) + (weights[i] as number));
  });
  const taps = [...sums].sort(([a], [b]) => a - b);
  return taps.length === 0 || taps.length > 2 ? undefined : taps;
}

/** Whether resize() does it: one tap that weighs 1 everywhere, or at most two. */
export const fitsResize = (taps: readonly Taps[], isLinear: boolean): boolean =>
  taps.every((position) => {
    const two = twoOf(position);
    return two !== undefined && (isLinear || (two.length === 1 && two[0]?.[1] === 1));
  });

/** Entries of an axis of `size` positions, `step` bytes apart. */
function entries(taps: readonly Taps[], size: number, step: number): Int32Array {
  const table = new Int32Array(taps.length * 4);
  const weights = new Float32Array(table.buffer);
  taps.forEach((position, i) => {
    const [[first, weight], second] = twoOf(position) as [readonly [number, number], (readonly [number, number])?];
    // onnxruntime weighs the last position twice by a half each, which rounds in another way than once by 1.
    const isLast = second === undefined && first === size - 1;
    table.set([first * step, (second?.[0] ?? first) * step], 4 * i);
    weights.set([isLast ? weight / 2 : weight, isLast ? weight / 2 : (second?.[1] ?? 0)], 4 * i + 2);
  });
  return table;
}

/**
 * uint8 [N, C, H, W] → [N, C, P, Q]; rows and columns have the taps of each output position. Without `reals` pixels are copied; with
 * them it is linear: clamp(round(sum / yScale) + yZero, 0, 255) of the reals (x - xZero) * xScale, to the bit of onnxruntime.
 */
export function resize(rows: readonly Taps[], columns: readonly Taps[], reals?: Reals): Operator {
  const [outH, outW] = [rows.length, columns.length];
  return defineOperator({
    name: "resize q8",
    inputs: ["input"],
    infer({ input }) {
      const [N, C] = imageOf("input", input);
      if (![rows, columns].every((taps) => fitsResize(taps, reals !== undefined)))
        throw new UnsupportedError(`"rows" expected ${reals ? "at most two taps" : "one tap"} a position, got more`);
      return { outputs: [bytesSpec([N, C, outH, outW])] };
    },
    lower(b, { input }) {
      const [N, C, H, W] = input.spec.shape as [number, number, number, number];
      const values = {
        xPtr: input.ref,
        yPtr: b.output.ref,
        endPtr: reals ? endTable(b, reals.yZero, 0, 255) : NONE,
        rowsPtr: b.table(entries(rows, H, W * C)),
        columnsPtr: b.table(entries(columns, W, C)),
        channels: C,
        imageBytes: H * W * C,
        outH,
        outW,
        linear: Number(reals !== undefined),
        zero: reals?.xZero ?? 0,
        scale: reals?.xScale ?? 0,
        divisor: reals?.yScale ?? 0,
      };
      b.step("resize_q8", ResizeBytesDesc, values, N * outH);
    },
  });
}
