// Transposed convolution: a matrix product into columns, then a gather (see assembly/kernels/conv-transpose.ts); where windows do not
// overlap, products straight into the output.
import { integer, type Pair, pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import { extent, MOST_PIXELS, paddingSides, roundUp, type Sides } from "../../base/shape.js";
import { byteStrides } from "../../base/spec.js";
import { PANEL } from "../../kernels/gen/constants.js";
import { GatherDesc, GemmDesc, GemmRun, PackDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { descBytes, NONE, type Operand, type Ref, shift } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank, requireShape } from "../operator.js";
import { type Activation, type Epilogue, epilogue } from "../parts/epilogue.js";
import { channelsLastImage, channelsLastOutput } from "../parts/image.js";
import { packBias, reductionBlocks } from "../parts/panels.js";
import { copyStrided } from "../parts/strided.js";

/** Of a transposed convolution. Numbers stand for both directions, pairs are [h, w]. */
export interface ConvTranspose2dOptions {
  /** Step of the convolution whose transpose this is: the enlargement; default 1. */
  readonly stride?: Pair;
  /** What that convolution padded, taken off the output: n, [h, w] or [top, left, bottom, right]; default 0. */
  readonly padding?: Pair | readonly [number, number, number, number];
  /** Rows and columns more at the end, less than stride or dilation, whichever is more; default 0. */
  readonly outputPadding?: Pair;
  /** Distance between taps in output pixels; default 1. */
  readonly dilation?: Pair;
  /** Channel groups, a divisor of C; weights are [C, M/groups, R, S]; default 1. */
  readonly groups?: number;
  /** Applied to the sum before it is stored; default none. */
  readonly activation?: Activation;
}

/** A transposed convolution whose operands fit: N images of C x H x W, M filters of R x S, P x Q outputs. */
interface Transposed {
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly M: number;
  readonly R: number;
  readonly S: number;
  readonly P: number;
  readonly Q: number;
  readonly groups: number;
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: Sides;
  /** Windows lie side by side: every product is an output, written where it belongs. */
  readonly isApart: boolean;
  readonly epilogue: Epilogue;
}

export const convTranspose2d = defineOperator({
  name: "convTranspose2d",
  inputs: ["input"],
  params: ["weight"],
  optional: ["bias"],
  options: ["stride", "padding", "outputPadding", "dilation", "groups", "activation"],
  readsPixels: true,
  filters: { weight: "weight", bias: "bias", layout: "second", axis: 1 },
  infer({ input, weight, bias }, options: ConvTranspose2dOptions) {
    const [N, C, H, W] = requireRank("input", input, 4, "[N, C, H, W]") as [number, number, number, number];
    const weightShape = requireRank("weight", weight, 4, "[C, M/groups, R, S]");
    const [rows, perGroup, R, S] = weightShape as [number, number, number, number];
    const groups = integer("groups", options.groups ?? 1, 1);
    if (C % groups !== 0) throw new ShapeError(`"groups" expected a divisor of C = ${C}, got ${groups}`);
    if (rows !== C) throw new ShapeError(`"weight" expected shape [${C}, M/groups, R, S], got ${show(weight.shape)}`);
    const M = perGroup * groups;
    if (bias) requireShape("bias", bias, [M]);
    const stride = pair("stride", options.stride ?? 1, 1);
    const dilation = pair("dilation", options.dilation ?? 1, 1);
    const extra = pair("outputPadding", options.outputPadding ?? 0, 0);
    if (typeof options.padding === "string") {
      throw new TypeError(
        `"padding" expected a number, [h, w] or [top, left, bottom, right], got ${show(options.padding)}`,
      );
    }
    const padding = paddingSides(options.padding, [H, W], [R, S], stride, dilation);
    const [top, left, bottom, right] = padding;
    const [P, Q] = ([0, 1] as const).map((i) => {
      if (extra[i] >= Math.max(stride[i], dilation[i])) {
        throw new RangeError(`"outputPadding" expected less than stride or dilation, got ${show(extra)}`);
      }
      const [size, sides, taps] = i === 0 ? [H, top + bottom, R] : [W, left + right, S];
      const out = (size - 1) * stride[i] - sides + extent(taps, dilation[i]) + extra[i];
      if (out < 1) throw new ShapeError(`"padding" expected an output of at least one pixel, got ${out}`);
      return out;
    }) as [number, number];
    const [longest, reach] = [Math.max(P + top + bottom, Q + left + right), Math.max(...stride, ...dilation)];
    if (Math.max(longest, reach) > MOST_PIXELS)
      throw new RangeError(
        `"stride" expected at most ${MOST_PIXELS} pixels with the padding, got ${show([...stride])}`,
      );
    const isWithin = [...padding, ...extra].every((count) => count === 0);
    const isApart = isWithin && stride[0] === R && stride[1] === S && P === H * R && Q === W * S;
    const end = epilogue(options.activation);
    return {
      outputs: [outputSpec([N, M, P, Q], input)],
      macs: N * H * W * C * perGroup * R * S,
      ...{ N, C, H, W, M, R, S, P, Q, groups, stride, dilation, padding, isApart, epilogue: end },
    };
  },
  lower(b, operands, found) {
    b.algorithm = found.isApart ? "gemm-scatter" : "gemm-gather";
    const y = channelsLastOutput(b, b.output);
    (found.isApart ? (found.M === 1 ? lowerOneFilter : lowerScatter) : lowerGather)(b, operands, found, y.ref);
    y.finish();
  },
});

interface Operands {
  readonly input: Operand;
  readonly weight: Operand;
  readonly bias: Operand | undefined;
}

/** Weights in panels, one matrix [K, cols] of them for each of `packs` taps of a group; of one filter one for all. */
interface PackedTaps {
  /** Filters, or taps where there is one filter. */
  readonly cols: number;
  readonly packs: number;
  readonly colBytes: number;
  readonly packBytes: number;
}

/** Packs the taps and answers the descriptor fields of a product of group `g` with matrix `pack`. */
function packTaps(b: Builder, { input, weight }: Operands, { C, groups }: Transposed, taps: PackedTaps) {
  const { cols, packs, colBytes, packBytes } = taps;
  const K = C / groups;
  const image = channelsLastImage(b, input, 1, [0, 0, 0, 0]);
  const blocks = reductionBlocks(b, [0], K);
  const channelBytes = byteStrides(weight.spec)[0];
  const panels = Math.ceil(cols / PANEL);
  const tapBytes = panels * K * PANEL * 4;
  const packed = b.packed(groups * packs * tapBytes, true);
  for (let g = 0; g < groups; g++) {
    // Taps are the "groups" of packing: they lie `packBytes` apart in either format.
    const values = {
      srcPtr: shift(weight.ref, g * K * channelBytes),
      dstPtr: shift(packed, g * packs * tapBytes),
      blocksPtr: blocks.ref,
      blockCount: blocks.count,
      cols,
      channels: K,
      kernelW: 1,
      colBytes,
      channelBytes,
      kernelHBytes: 0,
      kernelWBytes: 0,
      srcGroupBytes: packBytes,
      dstGroupBytes: tapBytes,
    };
    b.prepare("pack_weights_f32", PackDesc, values, packs * panels);
  }
  const product = (g: number, pack: number) => ({
    aPtr: shift(image.ref, g * K * 4),
    bPtr: shift(packed, (g * packs + pack) * tapBytes),
    residualPtr: NONE,
    blocksPtr: blocks.ref,
    blockCount: blocks.count,
    aStrideBytes: C * 4,
    tileRows: b.planning.tileRows,
    biasBatchBytes: 0,
  });
  return { product, tapBytes, isOneBlock: blocks.count === 1 };
}

/** Products straight into the output. */
function lowerScatter(b: Builder, operands: Operands, found: Transposed, y: Ref): void {
  const { N, C, H, W, M, R, S, Q, groups, epilogue: end } = found;
  const perGroup = M / groups;
  const [, sM, , sS] = byteStrides(operands.weight.spec);
  // Columns of a product are filters, of all taps of a row where whole panels follow each other.
  const packed = packTaps(b, operands, found, { cols: perGroup, packs: R * S, colBytes: sM, packBytes: sS });
  const repeats = groups === 1 && M % PANEL === 0 && packed.isOneBlock ? S : 1;
  const biases = repeatedBias(b, operands.bias, M, repeats);
  for (let g = 0; g < groups; g++) {
    for (let tap = 0; tap < R * S; tap += repeats) {
      const [r, s] = [Math.floor(tap / S), tap % S];
      const values = {
        ...packed.product(g, tap),
        cPtr: shift(y, ((r * Q + s) * M + g * perGroup) * 4),
        biasPtr: shift(biases, g * perGroup * 4),
        rows: W,
        cols: perGroup * repeats,
        cStrideBytes: S * M * 4,
        aBatchBytes: W * C * 4,
        bBatchBytes: 0,
        cBatchBytes: R * Q * M * 4,
        ...end,
      };
      b.step("gemm_f32", GemmDesc, values, N * H * W, descBytes(GemmRun));
    }
  }
}

/** The bias, so many times, in whole panels. */
function repeatedBias(b: Builder, bias: Operand | undefined, M: number, repeats: number): Ref {
  const biases = b.packed(roundUp(M * repeats, PANEL) * 4);
  for (let i = 0; bias !== undefined && i < repeats; i++) b.copy(shift(biases, i * M * 4), bias.ref, M * 4);
  return biases;
}

/** Of one filter: one product, whose columns are all taps, so that panels are full; then rows of taps go to rows of pixels. */
function lowerOneFilter(b: Builder, operands: Operands, { N, H, W, R, S, ...found }: Transposed, y: Ref): void {
  const taps = R * S;
  const [, , , sS] = byteStrides(operands.weight.spec);
  const layout = { cols: taps, packs: 1, colBytes: sS, packBytes: 0 };
  const { product } = packTaps(b, operands, { N, H, W, R, S, ...found }, layout);
  const pixels = N * H * W;
  const columns = b.workspace(pixels * taps * 4);
  const values = {
    ...product(0, 0),
    cPtr: columns,
    biasPtr: repeatedBias(b, operands.bias, 1, taps),
    rows: pixels,
    cols: taps,
    cStrideBytes: taps * 4,
    aBatchBytes: 0,
    bBatchBytes: 0,
    cBatchBytes: 0,
    ...found.epilogue,
  };
  b.step("gemm_f32", GemmDesc, values, pixels, descBytes(GemmRun));
  copyStrided(b, "float32", columns, y, [
    { size: N * H, src: W * taps, dst: W * taps },
    { size: R, src: S, dst: W * S },
    { size: W, src: taps, dst: S },
    { size: S, src: 1, dst: 1 },
  ]);
}

/** Products into columns, [pixel][tap][filter], which are then summed by output. */
function lowerGather(b: Builder, operands: Operands, found: Transposed, y: Ref): void {
  const { N, H, W, M, R, S, P, Q, groups, stride, dilation, padding, epilogue: end } = found;
  const perGroup = M / groups;
  const taps = R * S;
  const [, sM, , sS] = byteStrides(operands.weight.spec);
  const layout = { cols: perGroup, packs: taps, colBytes: sM, packBytes: sS };
  const { product, tapBytes } = packTaps(b, operands, found, layout);
  const pixels = N * H * W;
  const columns = b.workspace(pixels * taps * M * 4);
  const zeros = b.constant(roundUp(perGroup, PANEL) * 4);
  for (let g = 0; g < groups; g++) {
    // Taps are the batches of the product.
    const values = {
      ...product(g, 0),
      cPtr: shift(columns, g * perGroup * 4),
      biasPtr: zeros,
      rows: pixels,
      cols: perGroup,
      cStrideBytes: taps * M * 4,
      aBatchBytes: 0,
      bBatchBytes: tapBytes,
      cBatchBytes: M * 4,
      ...epilogue(undefined),
    };
    b.step("gemm_f32", GemmDesc, values, taps * pixels, descBytes(GemmRun));
  }
  const values = {
    columnsPtr: columns,
    biasPtr: packBias(b, operands.bias, M, 1).ref,
    yPtr: y,
    height: H,
    width: W,
    filters: M,
    outH: P,
    outW: Q,
    kernelH: R,
    kernelW: S,
    strideH: stride[0],
    strideW: stride[1],
    dilationH: dilation[0],
    dilationW: dilation[1],
    padTop: padding[0],
    padLeft: padding[1],
    ...end,
  };
  b.step("conv_transpose_gather_f32", GatherDesc, values, N * P);
}
