// Transposed convolution: a matrix product into columns, then a gather (see assembly/conv-transpose.ts); where windows do not
// overlap, products straight into the output.
import { integer, type Pair, pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import { extent, MOST_PIXELS, paddingSides, roundUp } from "../../base/shape.js";
import { stridesOf } from "../../base/spec.js";
import { GatherDesc, GemmDesc, PackDesc } from "../../kernels/gen/desc.js";
import { NONE, type Operand, shift } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank, requireShape } from "../operator.js";
import { type Activation, epilogue } from "../parts/epilogue.js";
import { channelsLastImage, channelsLastOutput } from "../parts/image.js";
import { packBias, ROW_TABLE_BYTES, reductionBlocks } from "../parts/panels.js";

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

export const convTranspose2d = defineOperator({
  name: "convTranspose2d",
  inputs: ["input"],
  params: ["weight", "bias"],
  required: 1,
  options: ["stride", "padding", "outputPadding", "dilation", "groups", "activation"],
  lower(b, options: ConvTranspose2dOptions) {
    const [input] = b.inputs as [Operand];
    const [weight, bias] = b.params as [Operand, Operand | undefined];
    const [N, C, H, W] = requireRank("input", input.spec, 4, "[N, C, H, W]") as [number, number, number, number];
    const [rows, perGroup, R, S] = requireRank("weight", weight.spec, 4, "[C, M/groups, R, S]") as [
      number,
      number,
      number,
      number,
    ];
    const groups = integer("groups", options.groups ?? 1, 1);
    if (C % groups !== 0) throw new ShapeError(`"groups" expected a divisor of C = ${C}, got ${groups}`);
    if (rows !== C)
      throw new ShapeError(`"weight" expected shape [${C}, M/groups, R, S], got ${show(weight.spec.shape)}`);
    const M = perGroup * groups;
    if (bias) requireShape("bias", bias.spec, [M]);
    const stride = pair("stride", options.stride ?? 1, 1);
    const dilation = pair("dilation", options.dilation ?? 1, 1);
    const extra = pair("outputPadding", options.outputPadding ?? 0, 0);
    if (typeof options.padding === "string") {
      throw new TypeError(
        `"padding" expected a number, [h, w] or [top, left, bottom, right], got ${show(options.padding)}`,
      );
    }
    const [top, left, bottom, right] = paddingSides(options.padding, [H, W], [R, S], stride, dilation);
    const [P, Q] = ([0, 1] as const).map((i) => {
      if ((extra[i] as number) >= Math.max(stride[i] as number, dilation[i] as number)) {
        throw new RangeError(`"outputPadding" expected less than stride or dilation, got ${show(extra)}`);
      }
      const [size, sides, taps] = i === 0 ? [H, top + bottom, R] : [W, left + right, S];
      const out =
        (size - 1) * (stride[i] as number) - sides + extent(taps, dilation[i] as number) + (extra[i] as number);
      if (out < 1) throw new ShapeError(`"padding" expected an output of at least one pixel, got ${out}`);
      return out;
    }) as [number, number];
    const [longest, reach] = [Math.max(P + top + bottom, Q + left + right), Math.max(...stride, ...dilation)];
    if (Math.max(longest, reach) > MOST_PIXELS)
      throw new RangeError(
        `"stride" expected at most ${MOST_PIXELS} pixels with the padding, got ${show([...stride])}`,
      );
    const output = b.output(outputSpec([N, M, P, Q], input.spec));
    const end = epilogue(options.activation);
    b.macs = N * H * W * C * perGroup * R * S;

    // Windows that lie side by side: every product is an output, written where it belongs.
    const isWithin = [top, left, bottom, right, ...extra].every((count) => count === 0);
    const isApart = isWithin && stride[0] === R && stride[1] === S && P === H * R && Q === W * S;
    b.algorithm = isApart ? "gemm-scatter" : "gemm-gather";
    const taps = R * S;
    const K = C / groups;
    const image = channelsLastImage(b, input, 1, [0, 0, 0, 0]);
    const blocks = reductionBlocks(b, [0], K);
    const [sC, sM, sR, sS] = stridesOf(weight.spec).map((s) => s * 4) as [number, number, number, number];
    // Columns of a product are filters, of all taps of a row where whole panels follow each other; or the taps of one filter.
    const isRow = isApart && M === 1;
    const isWhole = isApart && groups === 1 && M % 8 === 0 && blocks.count === 1;
    const cols = isRow ? S : perGroup;
    const tapBytes = Math.ceil(cols / 8) * K * 32;
    const packs = isRow ? R : taps;
    const packed = b.constant(groups * packs * tapBytes);
    for (let g = 0; g < groups; g++) {
      // Taps are the "groups" of packing: they lie sS bytes apart in either format.
      b.prepare(
        "pack_weights_f32",
        PackDesc,
        {
          srcPtr: shift(weight.ref, g * K * sC),
          dstPtr: shift(packed, g * packs * tapBytes),
          blocksPtr: blocks.ref,
          blockCount: blocks.count,
          cols,
          channels: K,
          kernelW: 1,
          colBytes: isRow ? sS : sM,
          channelBytes: sC,
          kernelHBytes: 0,
          kernelWBytes: 0,
          srcGroupBytes: isRow ? sR : sS,
          dstGroupBytes: tapBytes,
        },
        packs * Math.ceil(cols / 8),
      );
    }
    const product = (g: number, tap: number) => ({
      aPtr: shift(image.ref, g * K * 4),
      bPtr: shift(packed, (g * packs + tap) * tapBytes),
      residualPtr: NONE,
      blocksPtr: blocks.ref,
      blockCount: blocks.count,
      aStrideBytes: C * 4,
      tileRows: b.target.tileRows,
    });
    const y = channelsLastOutput(b, output);
    if (isApart) {
      const repeats = isRow || isWhole ? S : 1;
      const biases = b.constant(roundUp(M * repeats, 8) * 4);
      for (let i = 0; bias !== undefined && i < repeats; i++) b.copy(shift(biases, i * M * 4), bias.ref, M * 4);
      for (let g = 0; g < groups; g++) {
        for (let tap = 0; tap < taps; tap += repeats) {
          const [r, s] = [Math.floor(tap / S), tap % S];
          b.step(
            "gemm_f32",
            GemmDesc,
            {
              ...product(g, isRow ? r : tap),
              cPtr: shift(y.ref, ((r * Q + s) * M + g * perGroup) * 4),
              biasPtr: shift(biases, g * perGroup * 4),
              rows: W,
              cols: perGroup * repeats,
              cStrideBytes: S * M * 4,
              aBatchBytes: W * C * 4,
              bBatchBytes: 0,
              biasBatchBytes: 0,
              cBatchBytes: R * Q * M * 4,
              ...end,
            },
            N * H * W,
            ROW_TABLE_BYTES,
          );
        }
      }
      y.finish();
      return;
    }
    const pixels = N * H * W;
    const columns = b.workspace(pixels * taps * M * 4);
    const zeros = b.constant(roundUp(perGroup, 8) * 4);
    for (let g = 0; g < groups; g++) {
      // Taps are the batches of the product.
      b.step(
        "gemm_f32",
        GemmDesc,
        {
          ...product(g, 0),
          cPtr: shift(columns, g * perGroup * 4),
          biasPtr: zeros,
          rows: pixels,
          cols: perGroup,
          cStrideBytes: taps * M * 4,
          aBatchBytes: 0,
          bBatchBytes: tapBytes,
          biasBatchBytes: 0,
          cBatchBytes: M * 4,
          ...epilogue(undefined),
        },
        taps * pixels,
        ROW_TABLE_BYTES,
      );
    }
    b.step(
      "conv_transpose_gather_f32",
      GatherDesc,
      {
        columnsPtr: columns,
        biasPtr: packBias(b, bias, M, 1).ref,
        yPtr: y.ref,
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
        padTop: top,
        padLeft: left,
        ...end,
      },
      N * P,
    );
    y.finish();
  },
});
