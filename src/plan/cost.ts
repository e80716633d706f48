// What a step takes on one thread, from the numbers of its descriptor: nanoseconds of the reference machine. Splitting goes by it
// (split.ts), so that only threads load it, and no bit of a result depends on it.
//
// Fitted to the steps of 39 networks in both binaries: `npm run bench:threads -- --costs` prints it beside measured times.
import { roundUp } from "../base/shape.js";
import type { Variant } from "../engine/engine.js";
import { NEIGHBOURS, PANEL } from "../kernels/gen/constants.js";
import type * as desc from "../kernels/gen/desc.js";
import type { HalfWeightsDesc } from "../kernels/gen/half/half-weights-desc.js";
import type { PackHalfWeightsDesc } from "../kernels/gen/half/pack-half-weights-desc.js";
import type { WidenDesc } from "../kernels/gen/half/widen-desc.js";
import type { BinaryBytesDesc } from "../kernels/gen/int8/binary-bytes-desc.js";
import type { ByteWeightsDesc } from "../kernels/gen/int8/byte-weights-desc.js";
import type { DepthwiseBytesDesc } from "../kernels/gen/int8/depthwise-bytes-desc.js";
import type { DepthwiseBytesWeightsDesc } from "../kernels/gen/int8/depthwise-bytes-weights-desc.js";
import type { EdgeBytesDesc } from "../kernels/gen/int8/edge-bytes-desc.js";
import type { InterleaveBytesDesc } from "../kernels/gen/int8/interleave-bytes-desc.js";
import type { MapBytesDesc } from "../kernels/gen/int8/map-bytes-desc.js";
import type { MeanBytesDesc } from "../kernels/gen/int8/mean-bytes-desc.js";
import type { PackByteWeightsDesc } from "../kernels/gen/int8/pack-byte-weights-desc.js";
import type { PackBytesDesc } from "../kernels/gen/int8/pack-bytes-desc.js";
import type { PadBytesDesc } from "../kernels/gen/int8/pad-bytes-desc.js";
import type { PoolBytesDesc } from "../kernels/gen/int8/pool-bytes-desc.js";
import type { ProductBytesDesc } from "../kernels/gen/int8/product-bytes-desc.js";
import type { QuantizeBytesDesc } from "../kernels/gen/int8/quantize-bytes-desc.js";
import type { RangeDesc } from "../kernels/gen/int8/range-desc.js";
import type { ResizeBytesDesc } from "../kernels/gen/int8/resize-bytes-desc.js";
import type { WinogradBytesDesc } from "../kernels/gen/int8/winograd-bytes-desc.js";
import type { WinogradWeightsBytesDesc } from "../kernels/gen/int8/winograd-weights-bytes-desc.js";
import type { NormaliseDesc } from "../kernels/gen/numeric/normalise-desc.js";
import type { QuantizeDesc } from "../kernels/gen/numeric/quantize-desc.js";
import type { ResizeDesc } from "../kernels/gen/numeric/resize-desc.js";
import type { RecurrentDesc } from "../kernels/gen/recurrent/recurrent-desc.js";
import type { KernelName } from "../kernels/table.js";

/** A step, whatever else it has. */
interface Described {
  readonly kernel: unknown;
  readonly values: Readonly<Record<string, unknown>>;
  readonly items: number;
}

/** What a descriptor says, but for its addresses. */
type Of<D> = { readonly [field in keyof D]: number };
/** Of so many work items, which are this share of all; rate: floating-point operations of a nanosecond. */
type Cost<D> = (numbers: Of<D>, items: number, rate: number, share: number) => number;

/** Of the GEMM's tile: simd's is that of newer engines, Node 20 takes a third longer. */
const RATES: Readonly<Record<Variant, number>> = { simd: 46, relaxed: 58 };
/** A call, and finding one's place in it. */
const CALL_NS = 80;
/** Floats that a core keeps near by: what goes beyond takes longer. */
const NEAR = 2 ** 17;
const FAR = 2.2;
/** Reading and writing a float that is near. */
const MOVED_NS = 0.055;
/** Bytes of a nanosecond, of weights that are read once: near by, and from memory. */
const WEIGHTS_RATE = 45;
const MEMORY_RATE = 25;
/** Rows of a micro-tile, and how many the last one counts for at least: weights are read for it as well. */
const TILE_ROWS = 6;
const LEAST_ROWS = 3;
/** Steps of k that starting and storing a micro-tile costs. */
const TILE_OVERHEAD = 6;
/** Storing a part of a panel, a row. */
const PART_NS = 5;
/** A byte that is copied, flipped, looked up or mapped: ChangeCode. */
const MAP_NS = [0.04, 0.04, 0.42, 0.25];
/** Winograd's transforms, by outputs of a tile along one axis: an element of the input, and of the output. */
const TRANSFORM_NS: Readonly<Record<number, readonly [number, number]>> = {
  2: [0.31, 0.22],
  4: [0.38, 0.27],
  6: [0.6, 0.42],
};

/** An element of an activation behind a kernel, by ActivationCode. Clamps are part of the kernel's own sums. */
function functionNs(code: number): number {
  if (code === 0) return 0;
  return [3, 4, 6, 7, 9, 10].includes(code) ? 0.7 : 0.05; // those that take an exponential
}

/** So many floats read and written. */
function moved(count: number): number {
  return MOVED_NS * (count + Math.max(0, count - NEAR) * (FAR - 1));
}

function product(rows: number, k: number, cols: number, rate: number): number {
  const rest = rows % TILE_ROWS;
  const width = roundUp(cols, PANEL);
  const counted = rows - rest + (rest && Math.max(rest, LEAST_ROWS));
  const compute = (2 * counted * k * width * (1 + TILE_OVERHEAD / k)) / rate;
  const memory = (k * width * 4) / WEIGHTS_RATE;
  const stores = moved(rows * cols) + (width > cols ? rows * PART_NS : 0);
  return Math.max(compute, memory) + 0.3 * Math.min(compute, memory) + stores;
}

/** Of so many output rows. */
function depthwise(v: Of<typeof desc.DepthwiseDesc>, rows: number, rate: number): number {
  const outputs = rows * v.outW * roundUp(v.groups * v.filters, 4);
  const isNear = v.strideW === 1;
  let share = 0.42;
  if (v.filters > 1) share = 0.14;
  else if (v.kernelW === 3) share = isNear ? 0.75 : 0.55;
  else if (v.kernelW === 5) share = isNear ? 0.95 : 0.75;
  const compute = (2 * outputs * v.kernelH * v.kernelW * (1 + 2 / v.outW)) / (rate * share);
  return compute + moved((rows / v.outH) * v.height * v.width * v.groups) + outputs * functionNs(v.activation);
}

/** Points of F(m, 3) along one axis; a last tile of F(4,3) with one or two outputs does without two of its points. */
function points(m: number, outputs: number): number {
  if (m === 1) return outputs;
  const rest = outputs % m;
  return (m + 2) * Math.ceil(outputs / m) - (m === 4 && (rest === 1 || rest === 2) ? 2 : 0);
}

function winograd(v: Of<typeof desc.WinogradDesc>, items: number, rate: number, share: number): number {
  const { tileH, tileW, channels, groups } = v;
  const outputs = share * v.batch * v.outH * v.outW;
  const computed = share * v.batch * points(tileH, v.outH) * points(tileW, v.outW);
  const M = roundUp(v.filters, PANEL);
  const [input = 0, output = 0] = TRANSFORM_NS[Math.max(tileH, tileW)] ?? [];
  const transforms = computed * (channels * input + M * output);
  const products = (2 * computed * channels * M * (1 + TILE_OVERHEAD / channels)) / rate;
  const weights = ((tileH > 1 ? tileH + 2 : 1) * (tileW > 1 ? tileW + 2 : 1) * channels * M * 4) / WEIGHTS_RATE;
  const reads = 0.3 * Math.ceil(items / v.blockTiles) * weights; // beside products
  return groups * (transforms + products + reads + outputs * M * functionNs(v.activation));
}

/** Pairs of tiles: transforms by the levels of their size, and a product a point. */
function fft(v: Of<typeof desc.FftDesc>, items: number, rate: number): number {
  const size = 2 ** (v.logH + v.logW);
  const isDepthwise = v.channels === 1;
  const transforms =
    items * (Math.ceil(v.channels / 4) + Math.ceil(v.filters / 4)) * size * (2 + 0.8 * (v.logH + v.logW));
  const products = isDepthwise ? 0 : (16 * items * v.points * v.channels * roundUp(v.filters, PANEL)) / rate;
  return v.groups * (transforms + products);
}

function pool(v: Of<typeof desc.PoolDesc>, items: number, ns: number): number {
  const windows = items * v.outW;
  const taps = v.adaptive
    ? Math.ceil(v.height / v.outH) * Math.ceil(v.width / v.outW)
    : Math.min(v.kernelH, v.height) * Math.min(v.kernelW, v.width);
  return windows * (v.channels * taps * ns + 6) + moved((items / v.outH) * v.height * v.width * v.channels) / 2;
}

function copy(v: Of<typeof desc.CopyDesc>, share: number): number {
  const lines = share * v.dim0 * v.dim1 * v.dim2 * v.dim3 * v.dim4 * v.dim5 * v.dim6;
  const count = lines * v.dim7;
  if (v.srcStride7 === v.elementBytes && v.dstStride7 === v.elementBytes && v.dim7 > 3)
    return 1.4 * moved((count * v.elementBytes) / 4) + 4 * lines;
  const isTurned = v.elementBytes === 4 && v.dstStride7 === 4 && v.srcStride6 === 4;
  return count * (isTurned ? 0.15 : 0.7) + 2 * moved(count);
}

const COSTS = {
  gemm_f32: (v: Of<typeof desc.GemmDesc>, items, rate) =>
    product(items, v.aStrideBytes / 4, v.cols, rate) + items * v.cols * functionNs(v.activation),
  conv2d_implicit_gemm_f32: (v: Of<typeof desc.ImplicitGemmDesc>, items, rate) =>
    v.groups * product(items, v.channels * v.kernelH * v.kernelW, v.filters, rate) +
    items * v.groups * v.filters * functionNs(v.activation),
  conv2d_direct_f32: (v: Of<typeof desc.ConvDesc>, items, rate) =>
    items * v.outW * v.groups * roundUp(v.filters, PANEL) * (0.4 + (2 * v.channels * v.kernelH * v.kernelW) / rate),
  conv2d_winograd_f32: winograd,
  conv2d_fft_f32: fft,
  conv2d_depthwise_f32: depthwise,
  separable_conv2d_f32: (v: Of<typeof desc.SeparableDesc>, items, rate) =>
    depthwise(v, items, rate) +
    product(items * v.outW, v.groups * v.filters, v.pointFilters, rate) +
    items * v.outW * v.pointFilters * functionNs(v.pointActivation),
  conv_transpose_gather_f32: (v: Of<typeof desc.GatherDesc>, items) =>
    items * v.outW * v.filters * (0.1 * v.kernelH * v.kernelW + functionNs(v.activation)),
  linear_panels_f32: (v: Of<typeof desc.LinearDesc>, _, __, share) => share * linear(v, 25),
  linear_f32: (v: Of<typeof desc.LinearDesc>, _, __, share) => share * linear(v, 20),
  linear_int8: (v: Of<typeof ByteWeightsDesc>, items) =>
    items * PANEL * 4 * v.length * v.planes * Math.max(1 / RATES.simd / 1.2, 1 / MEMORY_RATE / v.rows),
  linear_f16: (v: Of<typeof HalfWeightsDesc>, items) =>
    items * v.length * (v.lanes ? PANEL : 4 * PANEL) * Math.max(0.07, 2 / MEMORY_RATE / v.rows),
  scale_rows_f16: (v: Of<typeof HalfWeightsDesc>, items) => items * (v.length * 0.4 + 10),
  widen_weights_f16: (v: Of<typeof WidenDesc>, items) => items * PANEL * v.length * 0.1,
  rows_to_int16: (v: Of<typeof ByteWeightsDesc>, items) => items * (v.length * 0.35 + 10),
  max_pool_f32: (v: Of<typeof desc.PoolDesc>, items) => pool(v, items, 0.035),
  avg_pool_f32: (v: Of<typeof desc.PoolDesc>, items) => pool(v, items, 0.06),
  global_pool_f32: (v: Of<typeof desc.GlobalPoolDesc>, items) => items * (v.length * 0.1 + 20),
  copy_nd: (v: Of<typeof desc.CopyDesc>, _, __, share) => copy(v, share),
  pad_image_f32: (v: Of<typeof desc.PadImageDesc>, items) => {
    // Rows are copied as they lie, by groups of channels, or turned.
    const isWhole = v.groupChannelsPadded * v.groups === v.channels;
    const run = v.srcChannelBytes === 4 ? (isWhole ? 0 : 6 * v.groups) : 0.5 * v.channels;
    return items * (60 + v.dstWidth * run) + 1.3 * moved(items * v.dstWidth * v.channels);
  },
  transpose_f32: (v: Of<typeof desc.TransposeDesc>, items) => 0.2 * items * 4 * v.cols,
  resize_f32: (v: Of<typeof ResizeDesc>, items) => {
    const sums = 0.12 * (v.columnPairs * v.outW + v.rowPairs * v.width);
    return items * (v.channels * (sums + MOVED_NS * 2 * v.outW) + 5 * v.outW);
  },
  softmax_f32: (v: Of<typeof desc.SoftmaxDesc>, items) =>
    items * (v.size * (v.inner === 1 ? 1 : NEIGHBOURS) * 0.9 + 20) * (v.logarithm ? 1.3 : 1),
  activation_f32: (v: Of<typeof desc.ActivationDesc>, _, __, share) =>
    share * v.count * (2 * functionNs(v.activation) + MOVED_NS),
  unary_f32: (v: Of<typeof desc.ActivationDesc>, _, __, share) => share * v.count * (v.activation < 5 ? 1.4 : 0.2), // from Sqrt on one instruction
  binary_f32: (v: Of<typeof desc.BinaryDesc>, items) => {
    const isApart = [v.aStepBytes, v.bStepBytes].some((step) => step !== 4 && step !== 0);
    const count = items * v.rows * Math.min(v.cols, v.chunkCols);
    return count * ((isApart ? 0.3 : 0) + functionNs(v.activation)) + 2 * moved(count) + items * v.rows * 4;
  },
  quantize_f32: (v: Of<typeof QuantizeDesc>, items) => items * (Math.min(v.cols, v.chunkCols) * 0.55 + 10),
  dequantize_f32: (v: Of<typeof QuantizeDesc>, items) => items * (Math.min(v.cols, v.chunkCols) * 0.25 + 10),
  batch_norm_f32: (v: Of<typeof desc.BatchNormDesc>, items) => {
    const length = v.inner === 1 ? v.channels : v.inner;
    return items * (length * functionNs(v.activation) + 5) + 2.5 * moved(items * length);
  },
  local_response_norm_f32: (v: Of<typeof desc.LocalResponseNormDesc>, items) =>
    items * v.channels * (v.inner === 1 ? 2 : 2 * NEIGHBOURS),
  normalise_f32: (v: Of<typeof NormaliseDesc>, items) => items * (v.length * 0.5 + 30),
  depthwise_q8: (v: Of<typeof DepthwiseBytesDesc>, items) => {
    const taps = v.kernelH * v.kernelW;
    return items * v.outW * v.channels * v.multiplier * (0.1 + taps * (v.run ? 0.042 : 0.06));
  },
  max_pool_q8: (v: Of<typeof PoolBytesDesc>, items) =>
    items * (v.channels * (0.02 * v.width * v.kernelH + 0.03 * v.outW * v.kernelW) + 5 * v.outW),
  avg_pool_q8: (v: Of<typeof PoolBytesDesc>, items) =>
    items * v.outW * v.channels * (0.3 + 0.25 * v.kernelH * v.kernelW),
  mean_q8: (v: Of<typeof MeanBytesDesc>, items) => items * (v.pixels + 30),
  binary_q8: (v: Of<typeof BinaryBytesDesc>, items) => items * (0.4 * v.cols + 5),
  map_q8: (v: Of<typeof MapBytesDesc>, items) => items * (v.cols * (MAP_NS[v.change] as number) + 5),
  from_float_q8: (v: Of<typeof EdgeBytesDesc>, items) => items * v.chunkPixels * v.channels * 0.45,
  range_q8: (v: Of<typeof RangeDesc>, items) => items * v.cols * 0.1,
  quantize_q8: (v: Of<typeof QuantizeBytesDesc>, items) => items * v.cols * 0.45,
  factors_q8: (_, items) => items * 4,
  to_float_q8: (v: Of<typeof EdgeBytesDesc>, items) => items * v.chunkPixels * 0.17,
  interleave_q8: (v: Of<typeof InterleaveBytesDesc>, items) =>
    items * v.cols * (5 + v.groups * v.each * (v.groups === 2 && v.each > 7 ? 0.06 : 1)),
  resize_q8: (v: Of<typeof ResizeBytesDesc>, items) => items * v.outW * (8 + v.channels * (v.linear ? 2 : 0.05)),
  recurrent_f32: (v: Of<typeof RecurrentDesc>, items) => items * 4 * PANEL * 0.1 * (v.hidden + 8),
  product_q8: (v: Of<typeof ProductBytesDesc>, items) => {
    const k = v.segCount * v.segBytes;
    const isWhole = v.end === 0;
    const perRow =
      v.groups * roundUp(v.filters, PANEL) * (k / (v.tileRows === 6 ? 105 : v.wide ? 92 : 84) + (isWhole ? 0.2 : 0.6));
    return items * (perRow + 0.1 * v.widened + (v.addPtr ? 0.25 * v.yPixelBytes : 0) + 3);
  },
  conv2d_winograd_q8: (v: Of<typeof WinogradBytesDesc>, items) => {
    const [width, channels] = [roundUp(v.filters, PANEL), v.pieces * v.channels];
    return items * ((36 * channels * width) / 44 + 1.2 * 8 * channels + 3 * 8 * width * v.parts);
  },
  pad_image_q8: (v: Of<typeof PadBytesDesc>, items) => items * (20 + 0.06 * (v.rowBytes + v.leftBytes + v.rightBytes)),
  // At plan time, mostly.
  pack_winograd_q8: (v: Of<typeof WinogradWeightsBytesDesc>, items) => items * PANEL * v.partChannels * v.parts * 80,
  pack_product_q8: (v: Of<typeof PackBytesDesc>, items) => items * PANEL * v.segments * v.taps * v.channels * 1.5,
  winograd_weights_f32: (v: Of<typeof desc.WinogradWeightsDesc>, items) =>
    items * PANEL * v.channels * (v.tileH > 1 ? v.tileH + 2 : 1) * (v.tileW > 1 ? v.tileW + 2 : 1),
  fft_weights_f32: (v: Of<typeof desc.FftWeightsDesc>, items) =>
    items * 4 * v.channels * 2 ** (v.logH + v.logW) * (1 + 0.3 * (v.logH + v.logW)),
  depthwise_fits_q8: (v: Of<typeof DepthwiseBytesWeightsDesc>, items) => items * PANEL * v.kernelH * v.kernelW,
  depthwise_weights_q8: (v: Of<typeof DepthwiseBytesWeightsDesc>, items) => items * PANEL * v.kernelH * v.kernelW * 3,
  depthwise_weights_f32: (v: Of<typeof desc.DepthwiseWeightsDesc>, items) => items * 4 * v.kernelH * v.kernelW,
  pack_weights_int8: (v: Of<typeof PackByteWeightsDesc>, items) => items * PANEL * v.length * v.planes * 0.5,
  pack_weights_f16: (v: Of<typeof PackHalfWeightsDesc>, items) => items * PANEL * v.length * 0.8,
  pack_weights_f32: (v: Of<typeof desc.PackDesc>, items) => items * PANEL * v.channels * 0.25,
} satisfies { readonly [kernel in KernelName]?: Cost<never> };

function linear({ rows, length, filters }: Of<typeof desc.LinearDesc>, rate: number): number {
  return roundUp(filters, PANEL) * length * Math.max((2 * rows) / rate, 4 / MEMORY_RATE);
}

/** A work item of a kernel that nothing is known of. */
const ITEM_NS = 200;

/** Nanoseconds of a call on one thread, or of so many of its work items. */
export function costOf(call: Described, variant: Variant, items = call.items): number {
  const cost = COSTS[call.kernel as keyof typeof COSTS] as Cost<unknown> | undefined;
  const ns = cost?.(call.values as never, items, RATES[variant], items / call.items);
  return CALL_NS + (ns ?? items * ITEM_NS);
}
