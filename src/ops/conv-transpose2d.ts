// Transposed convolution: a matrix product into columns, then a gather. See assembly/conv-transpose.ts.
import { integer, type Pair, pair } from "../check.js";
import { ShapeError, show } from "../errors.js";
import { GatherDesc, GemmDesc, PackDesc } from "../gen/desc.js";
import { NONE, type Operand, shift } from "../plan.js";
import { extent, paddingSides } from "../shape.js";
import { stridesOf } from "../spec.js";
import { type Activation, epilogue } from "./activation.js";
import {
  channelsLastImage,
  channelsLastOutput,
  packBias,
  ROW_TABLE_BYTES,
  reductionBlocks,
  roundUp,
} from "./conv-lowering.js";
import { defineOperator, outputSpec, requireRank, requireShape } from "./operator.js";

export interface ConvTranspose2dOptions {
  /** Step of the convolution whose transpose this is: the enlargement; default 1. */
  readonly stride?: Pair;
  /** What that convolution padded, taken off the output; default 0. */
  readonly padding?: Pair | readonly [number, number, number, number];
  /** Rows and columns more at the end, less than stride or dilation; default 0. */
  readonly outputPadding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
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
    const output = b.output(outputSpec([N, M, P, Q], input.spec));
    const end = epilogue(options.activation);
    b.algorithm = "gemm-gather";
    b.macs = N * H * W * C * perGroup * R * S;

    const taps = R * S;
    const K = C / groups;
    const pixels = N * H * W;
    const image = channelsLastImage(b, input, 1, [0, 0, 0, 0]);
    const blocks = reductionBlocks(b, [0], K);
    const tapBytes = Math.ceil(perGroup / 8) * K * 32;
    const packed = b.constant(groups * taps * tapBytes);
    const [sC, sM, , sS] = stridesOf(weight.spec).map((s) => s * 4) as [number, number, number, number];
    const columns = b.workspace(pixels * taps * M * 4);
    const zeros = b.constant(roundUp(perGroup, 8) * 4);
    for (let g = 0; g < groups; g++) {
      // Taps are the "groups" of packing and the batches of the product: taps lie sS bytes apart in either format.
      b.prepare(
        "pack_weights_f32",
        PackDesc,
        {
          srcPtr: shift(weight.ref, g * K * sC),
          dstPtr: shift(packed, g * taps * tapBytes),
          blocksPtr: blocks.ref,
          blockCount: blocks.count,
          cols: perGroup,
          channels: K,
          kernelW: 1,
          colBytes: sM,
          channelBytes: sC,
          kernelHBytes: 0,
          kernelWBytes: 0,
          srcGroupBytes: sS,
          dstGroupBytes: tapBytes,
        },
        taps * Math.ceil(perGroup / 8),
      );
      b.step(
        "gemm_f32",
        GemmDesc,
        {
          aPtr: shift(image.ref, g * K * 4),
          bPtr: shift(packed, g * taps * tapBytes),
          cPtr: shift(columns, g * perGroup * 4),
          biasPtr: zeros,
          residualPtr: NONE,
          blocksPtr: blocks.ref,
          blockCount: blocks.count,
          rows: pixels,
          cols: perGroup,
          aStrideBytes: C * 4,
          cStrideBytes: taps * M * 4,
          aBatchBytes: 0,
          bBatchBytes: tapBytes,
          biasBatchBytes: 0,
          cBatchBytes: M * 4,
          tileRows: b.target.tileRows,
          ...epilogue(undefined),
        },
        taps * pixels,
        ROW_TABLE_BYTES,
      );
    }
    const y = channelsLastOutput(b, output);
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
      roundUp(M, 4) * 4,
    );
    y.finish();
  },
});
