// Bytes by element, and where they begin and end: see assembly/kernels/int8-elements.ts and int8-edges.ts.
import { sameShape } from "../../../base/check.js";
import { ShapeError, UnsupportedError } from "../../../base/errors.js";
import { countOf, roundUp } from "../../../base/shape.js";
import { makeSpec, showSpec, type TensorSpec } from "../../../base/spec.js";
import { CHUNK } from "../../../kernels/gen/constants.js";
import { BinaryBytesDesc } from "../../../kernels/gen/int8/binary-bytes-desc.js";
import { ChangeCode } from "../../../kernels/gen/int8/change-code.js";
import { EdgeBytesDesc } from "../../../kernels/gen/int8/edge-bytes-desc.js";
import { MapBytesDesc } from "../../../kernels/gen/int8/map-bytes-desc.js";
import { defineOperator, type Operator } from "../../../ops/operator.js";
import { isChannelsLast } from "../../../ops/parts/image.js";
import type { Builder } from "../../../plan/builder.js";
import { NONE, type Operand, type Ref } from "../../../plan/operand.js";
import { endTable, isBounded } from "./bytes.js";
import type { Addition } from "./form.js";

/** Numbers that are rounded are below it: see assembly/lib/int8-bytes.ts. */
const MOST = 2 ** 22;

export interface Multiplication {
  readonly aZero: number;
  readonly bZero: number;
  /** mulFactor() of host/quantisation.ts. */
  readonly factor: number;
  /** The zero point of the output's type, where it is added before rounding: QLinearMul. Else 0. */
  readonly offset: number;
  /** Added behind rounding: 128 where offset is an int8, or the zero point where offset is 0. */
  readonly zero: number;
  readonly low: number;
  readonly high: number;
}

/** Whether the kernel rounds all sums, or products. */
export const fitsSum = ({ ra, rb, offset }: Addition): boolean =>
  255 * (Math.abs(ra) + Math.abs(rb)) + Math.abs(offset) < MOST;
export const fitsProduct = ({ factor, offset }: Multiplication): boolean =>
  255 * 255 * Math.abs(factor) + Math.abs(offset) < MOST;

/** Whether an operand's row of C channels is that of every `pixels` rows of the output, or of all; undefined: it is no such operand. */
function rowsServed({ shape }: TensorSpec, output: TensorSpec): number | undefined {
  const [N, C, ...spatial] = output.shape as [number, number, ...number[]];
  const padded = [...output.shape.slice(shape.length).map(() => 1), ...shape];
  // [C, H, W] beside [1, C, H, W] lies otherwise: its first axis is not the channels of its own pixels.
  if (sameShape(padded, output.shape))
    return shape.length === output.shape.length || spatial.every((n) => n === 1) ? 1 : undefined;
  const [n, c, ...rest] = padded as [number, number, ...number[]];
  if (c !== C || rest.some((size) => size !== 1)) return undefined;
  return n === N ? countOf(spatial) : n === 1 ? N * countOf(spatial) : undefined;
}

/** The larger of two shapes that broadcast(), as both operands must be of: same, [N, C, 1, 1] or [C, 1, 1] beside [N, C, H, W]. */
export function broadcastOf(a: TensorSpec, b: TensorSpec): TensorSpec | undefined {
  const output = countOf(a.shape) >= countOf(b.shape) ? a : b;
  return [a, b].every((spec) => rowsServed(spec, output) !== undefined) ? output : undefined;
}

type Factors = Pick<
  { [F in keyof typeof BinaryBytesDesc]: number },
  "aZero" | "bZero" | "aFactor" | "bFactor" | "offset" | "product" | "bounded"
>;

function emitBinary(b: Builder, left: Operand, right: Operand, end: Ref, factors: Factors): void {
  const { spec } = b.output;
  const count = countOf(spec.shape);
  const [aServed, bServed] = [left, right].map((operand) => rowsServed(operand.spec, spec) as number) as [
    number,
    number,
  ];
  // Without an operand that repeats, rows are chunks.
  const isWhole = aServed === 1 && bServed === 1 && sameShape(left.spec.shape, right.spec.shape);
  const cols = isWhole ? Math.min(count, CHUNK) : (spec.shape[1] as number);
  const values = {
    aPtr: left.ref,
    bPtr: right.ref,
    yPtr: b.output.ref,
    endPtr: end,
    count,
    cols,
    aPeriod: aServed,
    bPeriod: bServed,
    ...factors,
  };
  b.step("binary_q8", BinaryBytesDesc, values, Math.ceil(count / cols));
}

/** What a sum or product of bytes answers for operands of these specs. */
function inferBinary(a: TensorSpec, b: TensorSpec) {
  const output = broadcastOf(a, b);
  if (
    !output ||
    a.dtype !== "uint8" ||
    b.dtype !== "uint8" ||
    (output.shape.length > 2 && output.memoryFormat !== "channelsLast")
  )
    throw new ShapeError(`"b" expected uint8 of the shape ${showSpec(a)}, or of its channels, got ${showSpec(b)}`);
  const inPlace = (["a", "b"] as const).filter((_, i) => sameShape([a, b][i]?.shape ?? [], output.shape));
  return { outputs: [output], inPlace };
}

/** Two uint8 operands, either of which may be of the other's channels only → what Addition says. */
export function add(sum: Addition): Operator {
  const { ra, rb, aZero, bZero, offset, shift, low, high } = sum;
  return defineOperator({
    name: "add q8",
    inputs: ["a", "b"],
    infer({ a, b }) {
      if (!fitsSum(sum)) throw new UnsupportedError(`"ra" expected sums below 2^22, got factors ${ra} and ${rb}`);
      return inferBinary(a, b);
    },
    lower(builder, { a, b }) {
      const factors = {
        product: 0,
        bounded: isBounded(sum),
        aZero,
        bZero,
        aFactor: ra,
        bFactor: rb,
        offset,
      };
      emitBinary(builder, a, b, endTable(builder, shift, low, high), factors);
    },
  });
}

/** Two uint8 operands, either of which may be of the other's channels only → clamp(round((a - aZero) * (b - bZero) * factor + offset) + zero). */
export function multiply(product: Multiplication): Operator {
  const { aZero, bZero, factor, offset, zero, low, high } = product;
  return defineOperator({
    name: "multiply q8",
    inputs: ["a", "b"],
    infer({ a, b }) {
      if (!fitsProduct(product))
        throw new UnsupportedError(`"factor" expected products below 2^22, got a factor ${factor}`);
      return inferBinary(a, b);
    },
    lower(builder, { a, b }) {
      const factors = { product: 1, bounded: isBounded(product), aZero, bZero, aFactor: factor, bFactor: 0, offset };
      emitBinary(builder, a, b, endTable(builder, zero, low, high), factors);
    },
  });
}

/** What becomes of each byte: table[x], or round(x * ratio + offset), saturated; float32. */
export type Change =
  | { readonly type: "table"; readonly table: Uint8Array }
  | { readonly type: "affine"; readonly ratio: number; readonly offset: number }
  | { readonly type: "copy" | "flip" };

/** Rows of bytes: how many, how long, and how far apart on both sides. */
export interface Rows {
  readonly count: number;
  readonly bytes: number;
  readonly from: Ref;
  readonly fromStep: number;
  readonly to: Ref;
  readonly toStep: number;
}

/** Emits a change of rows of bytes; of rows without gaps chunks. */
export function emitChange(b: Builder, change: Change, rows: Rows): void {
  const all = rows.count * rows.bytes;
  const isDense = rows.count === 1 || (rows.fromStep === rows.bytes && rows.toStep === rows.bytes);
  const cols = isDense ? Math.min(all, CHUNK) : rows.bytes;
  const values = {
    xPtr: rows.from,
    yPtr: rows.to,
    tablePtr: changeTable(b, change),
    count: all,
    cols,
    xRowBytes: isDense ? cols : rows.fromStep,
    yRowBytes: isDense ? cols : rows.toStep,
    change: ChangeCode[change.type],
    ratio: change.type === "affine" ? change.ratio : 0,
    offset: change.type === "affine" ? change.offset : 0,
  };
  b.step("map_q8", MapBytesDesc, values, Math.ceil(all / cols));
}

function changeTable(b: Builder, change: Change): Ref {
  if (change.type === "table") return b.table(new Int32Array(change.table.slice().buffer));
  return change.type === "affine" ? endTable(b, 0, 0, 255) : NONE;
}

const fitsChange = (change: Change): boolean =>
  change.type !== "affine" || 255 * Math.abs(change.ratio) + Math.abs(change.offset) < MOST;

/** By element, any shape, in place where wanted. */
function byElement(name: string, change: Change, typeOf: (spec: TensorSpec) => TensorSpec["dtype"]): Operator {
  return defineOperator({
    name,
    inputs: ["input"],
    infer({ input }) {
      if (input.dtype !== "uint8" && input.dtype !== "int8")
        throw new ShapeError(`"input" expected uint8, got ${showSpec(input)}`);
      if (!fitsChange(change))
        throw new UnsupportedError(`"ratio" expected numbers below 2^22, got ${JSON.stringify(change)}`);
      return { outputs: [makeSpec(input.shape, typeOf(input), input.memoryFormat, "output")], inPlace: ["input"] };
    },
    lower(b, { input }) {
      const bytes = countOf(input.spec.shape);
      emitChange(b, change, { count: 1, bytes, from: input.ref, fromStep: bytes, to: b.output.ref, toStep: bytes });
    },
  });
}

/** uint8 → table[x]: any function by element. */
export function table(entries: Uint8Array): Operator {
  if (entries.length !== 256) throw new RangeError(`"table" expected 256 entries, got ${entries.length}`);
  return byElement("table q8", { type: "table", table: entries }, () => "uint8");
}

/** uint8 → clamp(round(x * ratio + offset), 0, 255), in float32: faster than a table. */
export const affine = (map: { readonly ratio: number; readonly offset: number }): Operator =>
  byElement("affine q8", { type: "affine", ratio: map.ratio, offset: map.offset }, () => "uint8");

/** int8 as uint8 128 higher, or back. */
export const flip = (): Operator =>
  byElement("flip q8", { type: "flip" }, ({ dtype }) => (dtype === "int8" ? "uint8" : "int8"));

/** One of the tensor. */
export interface Quantum {
  readonly scale: number;
  readonly zero: number;
}

function emitEdge(
  b: Builder,
  kernel: "from_float_q8" | "to_float_q8",
  x: Ref,
  { scale, zero }: Quantum,
  channels: number,
  pixels: number,
  images: number,
): void {
  const chunkPixels = Math.min(pixels, Math.max(8, Math.floor(CHUNK / channels)));
  const chunks = Math.ceil(pixels / chunkPixels);
  const endPtr = kernel === "from_float_q8" ? endTable(b, zero, 0, 255) : NONE;
  const values = { xPtr: x, yPtr: b.output.ref, endPtr, channels, pixels, chunks, chunkPixels, zero, scale };
  b.step(kernel, EdgeBytesDesc, values, images * chunks, channels > 1 ? channels * roundUp(chunkPixels, 8) : 0);
}

/** float32 → uint8, clamp(round(x / scale) + zero, 0, 255), channels-last whatever the input is; NaN is 0. */
export function fromFloat(quantum: Quantum): Operator {
  return defineOperator({
    name: "fromFloat q8",
    inputs: ["input"],
    infer({ input }) {
      if (input.dtype !== "float32") throw new ShapeError(`"input" expected float32, got ${showSpec(input)}`);
      const format = input.shape.length < 3 ? "contiguous" : "channelsLast";
      return { outputs: [makeSpec(input.shape, "uint8", format, "output")] };
    },
    lower(b, { input }) {
      const { shape } = input.spec;
      const count = countOf(shape);
      if (shape.length < 3 || isChannelsLast(input.spec)) emitEdge(b, "from_float_q8", input.ref, quantum, 1, count, 1);
      else {
        const [N, C] = shape as [number, number];
        emitEdge(b, "from_float_q8", input.ref, quantum, C, count / (N * C), N);
      }
    },
  });
}

/** uint8 → float32, (x - zero) * scale, in the input's memory format. */
export function toFloat(quantum: Quantum): Operator {
  return defineOperator({
    name: "toFloat q8",
    inputs: ["input"],
    infer({ input }) {
      if (input.dtype !== "uint8") throw new ShapeError(`"input" expected uint8, got ${showSpec(input)}`);
      return { outputs: [makeSpec(input.shape, "float32", input.memoryFormat, "output")] };
    },
    lower: (b, { input }) => emitEdge(b, "to_float_q8", input.ref, quantum, 1, countOf(input.spec.shape), 1),
  });
}
