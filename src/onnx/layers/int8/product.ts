// Convolutions and matrix products of bytes: see assembly/lib/int8.ts.
import { ShapeError, show, UnsupportedError } from "../../../base/errors.js";
import { type ConvShape, convMacs, convShape, countOf, roundUp, type Sides } from "../../../base/shape.js";
import { type DType, makeSpec, type TensorSpec } from "../../../base/spec.js";
import type { Dot } from "../../../engine/engine.js";
import { PANEL } from "../../../kernels/gen/constants.js";
import { ProductBytesDesc } from "../../../kernels/gen/int8/product-bytes-desc.js";
import { SumEnd } from "../../../kernels/gen/int8/sum-end.js";
import { defineOperator, type Operator } from "../../../ops/operator.js";
import { isChannelsLast } from "../../../ops/parts/image.js";
import type { Builder } from "../../../plan/builder.js";
import { NONE, type Operand, type Ref } from "../../../plan/operand.js";
import { endTable, isBounded } from "./bytes.js";
import { type Computed, computedInputs, emitFactors, type Given, requireComputed } from "./dynamic.js";
import { farthest, fewestParts } from "./fits.js";
import type { Addition, Ending } from "./form.js";
import { bytesImage } from "./image.js";
import { byFilter, packed, type Segments, type WeightForm, weightForm } from "./weights.js";
import { isWinograd, winograd, winogradReason } from "./winograd.js";

export { type ByteWeights, exactParts, fits, weightRange } from "./fits.js";

/** What both products have. */
export interface ProductOptions {
  readonly xZero: number;
  /** One, or one a filter. */
  readonly wZero: readonly number[];
  readonly ending: Ending;
  /** What further inputs are, in place of xZero, which is 0 then: of a product without a bias that ends in int32 or float32. */
  readonly computed?: Computed | undefined;
  /** The least and the most of weights less their zero points, where it is known: weightRange(). Default: what their type allows. */
  readonly range?: readonly [number, number];
}

export interface ConvolutionOptions extends ProductOptions {
  readonly strides: readonly [number, number];
  /** Top, left, bottom, right. */
  readonly padding: Sides;
  readonly dilations: readonly [number, number];
  readonly groups: number;
  /** Ends in uint8, and adds the addend: a is the byte of the sum, b that of the addend. */
  readonly addition?: Addition | undefined;
  /** How few parts of the channels F(4,3) is exact in, where it is known: exactParts(). Default: what the types need. */
  readonly parts?: number;
  /** Default "auto": by estimated cost. */
  readonly algorithm?: "auto" | "product" | "winograd43";
}

const DTYPES: Readonly<Record<Ending["type"], DType>> = { uint8: "uint8", int32: "int32", float32: "float32" };
const ENDS = { uint8: SumEnd.bytes, float32: SumEnd.floats, int32: SumEnd.sums } as const;

/** Bytes of A that a block of rows reads: half of a small L2. */
const BLOCK_BYTES = 2 ** 18;
/** Most and least rows of a block. */
const BLOCK_ROWS = [48, 384] as const;

function requireBytes(name: string, spec: TensorSpec, dtypes: readonly DType[]): void {
  if (!dtypes.includes(spec.dtype)) {
    throw new UnsupportedError(`"${name}" expected dtype ${dtypes.join(" or ")}, got ${spec.dtype}`);
  }
}

/** Rows of A: how many, and where each starts. */
interface Rows {
  readonly xPtr: Ref;
  readonly count: number;
  readonly perImage: number;
  readonly outW: number;
  readonly imageBytes: number;
  readonly rowBytes: number;
  readonly pixelBytes: number;
  readonly groupBytes: number;
  /** Bytes of a row that is made wider in scratch. */
  readonly widened: number;
  /** Whether the zero point is off them already. */
  readonly isCentred: boolean;
}

/** What a step's descriptor says of how its sums end. */
function endValues(
  b: Builder,
  ending: Ending,
  addition: Addition | undefined,
  addend: Operand | undefined,
  [filters, groups]: readonly [number, number],
) {
  const isBytes = ending.type === "uint8";
  return {
    endPtr: isBytes ? endTable(b, ending.zero, ending.low, ending.high) : NONE,
    bounded: isBytes ? isBounded(ending) : 0,
    scalePtr: ending.type === "int32" ? NONE : b.table(byFilter(ending.scale, filters, groups, Float32Array)),
    addPtr: addend?.ref ?? NONE,
    addTermsPtr: addition ? b.table(termsOf(addition)) : NONE,
    addEndPtr: addition ? endTable(b, addition.shift, addition.low, addition.high) : NONE,
    addBounded: addition ? isBounded(addition) : 0,
  };
}

/** SumTerms of assembly/abi/int8-bytes.ts. */
function termsOf({ aZero, bZero, ra, rb, offset }: Addition): Int32Array {
  const words = Int32Array.of(aZero, bZero, 0, 0, 0);
  new Float32Array(words.buffer).set([ra, rb, offset], 2);
  return words;
}

/** The one step of a product whose A lies ready. */
function emit(
  b: Builder,
  rows: Rows,
  segments: Segments & { readonly places: readonly number[] },
  operands: Omit<Operands, "input">,
  options: ProductOptions & Pick<ConvolutionOptions, "addition">,
  form: WeightForm,
  { filters, groups }: { readonly filters: number; readonly groups: number },
): void {
  const { dot } = b.planning;
  const { ending, xZero } = options;
  const weights = packed(b, operands, segments, form, {
    filters,
    groups,
    xZero: !operands.zero ? inDot(xZero, dot) : rows.isCentred ? 0 : -1, // -1: the sums of weights
    wZero: options.wZero,
  });
  const ends = endValues(b, ending, options.addition, operands.addend, [filters, groups]);
  const { biasPtr, factorsPtr } = emitFactors(b, operands, {
    sums: weights.biasRef,
    scales: ends.scalePtr,
    ending,
    count: groups * roundUp(filters / groups, PANEL),
    lower: dot === "int8" ? 128 : 0,
  });
  const places = Array.from({ length: form.planes }, () => segments.places).flat();
  const segBytes = weights.segmentSteps * (dot ? 1 : 2);
  const blockRows = Math.min(
    rows.count,
    Math.max(BLOCK_ROWS[0], Math.min(BLOCK_ROWS[1], Math.floor(BLOCK_BYTES / (2 * rows.widened || 1)))),
  );
  const values = {
    ...ends,
    scalePtr: factorsPtr,
    offsetPtr:
      ending.type === "float32" && ending.offset
        ? b.table(byFilter(ending.offset, filters, groups, Float32Array))
        : NONE,
    end: ENDS[ending.type],
    lo: ending.type === "float32" ? ending.low : 0,
    hi: ending.type === "float32" ? ending.high : 0,
    segsPtr: b.table(Int32Array.from(places, (place, i) => place - (i > 0 ? (places[i - 1] as number) + segBytes : 0))),
    segCount: places.length,
    segBytes,
    xPtr: rows.xPtr,
    wPtr: weights.ref,
    biasPtr,
    yPtr: b.output.ref,
    rows: rows.perImage,
    outW: rows.outW,
    xImageBytes: rows.imageBytes,
    xRowBytes: rows.rowBytes,
    xPixelBytes: rows.pixelBytes,
    widened: rows.widened,
    zero: xZero,
    groups,
    filters: filters / groups,
    xGroupBytes: rows.groupBytes,
    panelBytes: weights.panelBytes,
    yPixelBytes: filters * (ending.type === "uint8" ? 1 : 4),
    wide: Number(form.isWide),
    tileRows: dot ? 6 : form.isWide || b.planning.isSpilling ? 4 : 5,
    blockRows,
  };
  const sums = ending.type === "uint8" ? 0 : 32;
  b.step("product_q8", ProductBytesDesc, values, rows.count, blockRows * (4 + sums + 2 * rows.widened));
}

/** The zero point as the bytes are multiplied: 0 where it is subtracted before; 128 lower where they are. */
const inDot = (xZero: number, dot: Dot | undefined): number => (dot ? xZero - (dot === "int8" ? 128 : 0) : 0);

/** The output of an ending. */
function endSpec(shape: readonly number[], ending: Ending, memoryFormat: TensorSpec["memoryFormat"]): TensorSpec {
  return makeSpec(shape, DTYPES[ending.type], memoryFormat, "output");
}

/** What a convolution's operands are; throws for others. */
function convolutionShape(
  specs: {
    readonly input: TensorSpec;
    readonly weight: TensorSpec;
    readonly bias?: TensorSpec | undefined;
    readonly addend?: TensorSpec | undefined;
  },
  { strides, padding, dilations, groups }: ConvolutionOptions,
): ConvShape {
  const { input, weight, bias, addend } = specs;
  requireBytes("input", input, ["uint8"]);
  requireBytes("weight", weight, ["uint8", "int8"]);
  if (input.shape.length !== 4 || weight.shape.length !== 4)
    throw new ShapeError(`"input" expected rank 4 [N, C, H, W], got ${show(input.shape)}`);
  if (!isChannelsLast(input)) throw new UnsupportedError(`"input" expected channelsLast, got ${input.memoryFormat}`);
  const shape = convShape(input.shape, weight.shape, { stride: strides, padding, dilation: dilations, groups });
  if (bias !== undefined) requireBytes("bias", bias, ["int32"]);
  if (bias !== undefined && countOf(bias.shape) !== shape.M)
    throw new ShapeError(`"bias" expected shape ${show([shape.M])}, got ${show(bias.shape)}`);
  if (addend !== undefined) {
    const wanted = [shape.N, shape.M, shape.P, shape.Q];
    requireBytes("addend", addend, ["uint8"]);
    if (show(addend.shape) !== show(wanted) || !isChannelsLast(addend))
      throw new ShapeError(`"addend" expected shape ${show(wanted)} channelsLast, got ${show(addend.shape)}`);
  }
  return shape;
}

/** Where the pixels of a convolution's patches start, and its segments: pieces of a patch that lie together. */
function patches(b: Builder, input: Operand, s: ConvShape, xZero: number | Ref) {
  const { dot } = b.planning;
  const perGroup = s.C / s.groups;
  const isPoint = s.R * s.S === 1 && s.groups === 1 && s.padding.every((side) => side === 0);
  const image = bytesImage(b, input, s.padding, xZero, isPoint ? "in scratch" : "copied");
  const size = image.elementBytes;
  const isWhole = s.groups === 1 && (s.dilationW === 1 || s.S === 1);
  const down = Array.from({ length: s.R }, (_, r) => r * s.dilationH * image.rowBytes);
  const across = Array.from({ length: isWhole ? 1 : s.S }, (_, t) => t * s.dilationW * image.pixelBytes);
  const rows: Rows = {
    xPtr: image.ref,
    count: s.N * s.P * s.Q,
    perImage: s.P * s.Q,
    outW: s.Q,
    imageBytes: image.imageBytes,
    rowBytes: s.strideH * image.rowBytes,
    pixelBytes: s.strideW * image.pixelBytes,
    groupBytes: perGroup * size,
    widened: isPoint && !dot ? s.C : 0,
    isCentred: size > 1,
  };
  const places = down.flatMap((row) => across.map((column) => row + column));
  return { rows, segments: { places, taps: isWhole ? s.S : 1, channels: perGroup } };
}

/**
 * uint8 [N, C, H, W] channels-last, weights uint8 or int8 [M, C/groups, R, S], bias int32 [M] → as the ending has it, channels-last.
 * Padding is the zero point. With an addition there is a second input, of the output's shape.
 */
export function convolution(options: ConvolutionOptions): Operator {
  const { xZero, wZero, ending, addition, groups, computed, algorithm = "auto" } = options;
  return defineOperator({
    name: "convolution of bytes",
    inputs: addition ? ["input", "addend"] : ["input", ...computedInputs(computed)],
    params: ["weight"],
    optional: ["bias"],
    infer(specs: Specs) {
      requireComputed(specs.zero, specs.scale);
      const s = convolutionShape(specs, options);
      return { outputs: [endSpec([s.N, s.M, s.P, s.Q], ending, "channelsLast")], macs: convMacs(s), shape: s };
    },
    lower(b, operands: Operands, { shape: s }) {
      const { input, weight, bias, addend, zero, scale } = operands;
      const parts = options.parts ?? partsOf(weight.spec, s, options);
      const isAble = ending.type === "uint8" && isWinograd(s, parts);
      if (algorithm === "winograd43" && !isAble)
        throw new UnsupportedError(
          `"algorithm" expected kernels of 3x3 or more, of stride 1, that end in bytes, got ${show(weight.spec.shape)}`,
        );
      let reason: string | undefined;
      if (algorithm === "winograd43") reason = "asked for";
      else if (algorithm === "auto" && isAble) reason = winogradReason(s, parts, b.planning);
      if (reason !== undefined) {
        b.algorithm = "bytes, winograd43";
        b.reason = reason;
        const ends = endValues(b, ending, addition, addend, [s.M, 1]);
        winograd(b, { input, weight, bias }, s, { xZero, wZero, parts, ends });
        return;
      }
      const K = countOf(weight.spec.shape.slice(1));
      const form = weightForm(rangeOf(weight.spec, options), { rows: s.N * s.P * s.Q, K }, b.planning);
      const { rows, segments } = patches(b, input, s, zero?.ref ?? xZero);
      b.algorithm = `bytes, ${form.name}`;
      b.reason = form.reason;
      emit(b, rows, segments, { weight, bias, addend, zero, scale }, options, form, { filters: s.M, groups });
    },
  });
}

/** The least and the most of weights less their zero points: as given, or by their type. */
function rangeOf({ dtype }: TensorSpec, { wZero, range }: ProductOptions): readonly [number, number] {
  const [low, high] = dtype === "int8" ? [-128, 127] : [0, 255];
  return range ?? [low - Math.max(...wZero), high - Math.min(...wZero)];
}

/** How few parts F(4,3) is exact in whatever the weights are. */
function partsOf(weight: TensorSpec, { R, S, C }: ConvShape, options: ProductOptions): number {
  const [low, high] = rangeOf(weight, options);
  return fewestParts(C, (each) => each * R * S * farthest(options.xZero) * Math.max(high, -low));
}

/** Named as operators with and without an addend have them. */
interface Specs extends Given<TensorSpec> {
  readonly addend?: TensorSpec | undefined;
}
interface Operands extends Given<Operand> {
  readonly addend?: Operand | undefined;
}

/** uint8 [..., K], weights uint8 or int8 [K, M] or, transposed, [M, K], bias int32 [M] → [..., M] as the ending has it. */
export function product(options: ProductOptions & { readonly transposed: boolean }): Operator {
  const { xZero, ending, transposed, computed } = options;
  return defineOperator({
    name: "product of bytes",
    inputs: ["input", ...computedInputs(computed)],
    params: ["weight"],
    optional: ["bias"],
    infer({ input, weight, bias, zero, scale }: Specs) {
      requireComputed(zero, scale);
      requireBytes("input", input, ["uint8"]);
      requireBytes("weight", weight, ["uint8", "int8"]);
      const K = input.shape.at(-1) as number;
      const [k, M] = transposed ? [weight.shape[1], weight.shape[0]] : weight.shape;
      if (weight.shape.length !== 2 || k !== K || M === undefined)
        throw new ShapeError(
          `"weight" expected shape ${transposed ? `[M, ${K}]` : `[${K}, M]`}, got ${show(weight.shape)}`,
        );
      if (input.memoryFormat !== "contiguous" && input.shape.length > 2)
        throw new UnsupportedError(`"input" expected contiguous, got ${input.memoryFormat}`);
      if (bias !== undefined) requireBytes("bias", bias, ["int32"]);
      if (bias !== undefined && countOf(bias.shape) !== M)
        throw new ShapeError(`"bias" expected shape ${show([M])}, got ${show(bias.shape)}`);
      const outer = input.shape.slice(0, -1);
      return { outputs: [endSpec([...outer, M], ending, "contiguous")], macs: countOf(outer) * K * M, K, M };
    },
    lower(b, { input, weight, bias, zero, scale }: Operands, { K, M }) {
      const count = countOf(input.spec.shape) / K;
      const form = weightForm(rangeOf(weight.spec, options), { rows: count, K }, b.planning);
      const { ref } = bytesImage(
        b,
        { spec: { ...input.spec, shape: [1, K, 1, count] }, ref: input.ref },
        [0, 0, 0, 0],
        xZero,
        "in scratch",
      );
      const rows: Rows = {
        xPtr: ref,
        count,
        perImage: count,
        outW: count,
        imageBytes: count * K,
        rowBytes: count * K,
        pixelBytes: K,
        groupBytes: 0,
        widened: b.planning.dot ? 0 : K,
        isCentred: false,
      };
      b.algorithm = `bytes, ${form.name}`;
      b.reason = form.reason;
      const strides = transposed ? { filter: K, channel: 1 } : { filter: 1, channel: M };
      emit(b, rows, { places: [0], taps: 1, channels: K, strides }, { weight, bias, zero, scale }, options, form, {
        filters: M,
        groups: 1,
      });
    },
  });
}
