// Depthwise-separable convolution: a depthwise one, then a pointwise one, in one plan. What lies between stays in workspace,
// or, by rows, in scratch that holds a few rows of it: assembly/conv-separable.ts.
// Source: Howard et al., MobileNets (2017). Work against a full convolution: (HWCRS + HWCM) / (HWCMRS).
import { oneOf, type Pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import { type ConvShape, convMacs, type Padding, roundUp } from "../../base/shape.js";
import { bytesOf, makeSpec } from "../../base/spec.js";
import { ConvDesc, SeparableDesc } from "../../kernels/gen/desc.js";
import type { Precision } from "../../kernels/select.js";
import type { Builder } from "../../plan/builder.js";
import { descBytes, NONE, type Operand } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank, requireShape } from "../operator.js";
import type { Activation } from "../parts/epilogue.js";
import { channelsLastOutput } from "../parts/image.js";
import { packMatrix } from "../parts/matrix-product.js";
import { packBias, ROW_TABLE_BYTES } from "../parts/panels.js";
import { depthwiseCall, lowerBy } from "./algorithms.js";
import { acceptResidual, chooseConv, outputOf } from "./conv2d.js";
import type { ConvOperands } from "./lowering.js";

/** Of a depthwise convolution and the pointwise one behind it. */
export interface SeparableConv2dOptions {
  /** Of the depthwise half; default 1. */
  readonly stride?: Pair;
  /** Of the depthwise half; default 0. */
  readonly padding?: Padding;
  /** Of the depthwise half; default 1. */
  readonly dilation?: Pair;
  /** Between the halves; default none. */
  readonly depthwiseActivation?: Activation;
  /** After both; default none. */
  readonly activation?: Activation;
  /** Of both halves, as conv2d's. */
  readonly precision?: Precision;
  /** Of both halves, as conv2d's. */
  readonly tune?: boolean;
  /** "rows": both halves at once, a few rows at a time; "halves": one after the other; default "auto": the faster one. */
  readonly algorithm?: (typeof ALGORITHMS)[number];
}

const ALGORITHMS = ["auto", "rows", "halves"] as const;
/** Of rows between the halves at a time; 16 to 256 KB were equally fast. */
const BLOCK_BYTES = 64 * 1024;
/** Least pixels of a block: 8 tiles of the matrix product for each panel of weights. */
const BLOCK_PIXELS = 48;
/** What lies between the halves is faster by rows when it outgrows an L2 of 1 MB: 1 to 10 %. Smaller, the two are level. */
const LEAST_BYTES = 768 * 1024;
/** Every block reads all pointwise weights: 1 MB of them are up to 7 % slower by rows. */
const MOST_WEIGHT_BYTES = 512 * 1024;

/** Rows to take at a time, or undefined where the halves are as fast one after the other. */
export function separableRows({ N, P, Q, M: wide }: ConvShape, M: number): number | undefined {
  const isFaster = N * P * Q * wide * 4 > LEAST_BYTES && wide * M * 4 <= MOST_WEIGHT_BYTES;
  return isFaster ? blockRows(Q, wide) : undefined;
}

function blockRows(Q: number, wide: number): number {
  return Math.max(Math.ceil(BLOCK_PIXELS / Q), Math.floor(BLOCK_BYTES / (Q * wide * 4)));
}

export const separableConv2d = defineOperator({
  name: "separableConv2d",
  inputs: ["input"],
  extras: ["residual"],
  params: ["depthwiseWeight", "pointwiseWeight", "bias", "depthwiseBias"],
  required: 2,
  options: ["stride", "padding", "dilation", "depthwiseActivation", "activation", "precision", "tune", "algorithm"],
  lower(b, options: SeparableConv2dOptions) {
    const [input, residual] = b.inputs as unknown as [Operand, Operand | undefined];
    const [depthwise, pointwise, bias, depthwiseBias] = b.params as [
      Operand,
      Operand,
      Operand | undefined,
      Operand | undefined,
    ];
    const C = requireRank("input", input.spec, 4, "[N, C, H, W]")[1] as number;
    const [wide, perGroup] = requireRank("depthwiseWeight", depthwise.spec, 4, "[kC, 1, R, S]") as [number, number];
    if (perGroup !== 1 || wide % C !== 0) {
      throw new ShapeError(`"depthwiseWeight" expected shape [k * ${C}, 1, R, S], got ${show(depthwise.spec.shape)}`);
    }
    const M = requireRank("pointwiseWeight", pointwise.spec, 4, "[M, kC, 1, 1]")[0] as number;
    requireShape("pointwiseWeight", pointwise.spec, [M, wide, 1, 1]);
    if (depthwiseBias) requireShape("depthwiseBias", depthwiseBias.spec, [wide]);
    const algorithm = oneOf("algorithm", options.algorithm ?? "auto", ALGORITHMS);
    const { stride, padding, dilation, depthwiseActivation, activation, precision, tune } = options;
    const kernels = algorithm === "rows" ? (["depthwise", "implicit-gemm"] as const) : [];
    const [windows, point] = [
      { stride, padding, dilation, groups: C, activation: depthwiseActivation, precision, tune, algorithm: kernels[0] },
      { activation, precision, tune, algorithm: kernels[1] },
    ];
    const one = chooseConv(b, input.spec, depthwise.spec, depthwiseBias?.spec, windows, "channelsLast");
    const middle = makeSpec(outputOf(one.shape), "float32", "channelsLast", "output");
    const { memoryFormat } = input.spec;
    const two = chooseConv(b, middle, pointwise.spec, bias?.spec, point, memoryFormat);
    const output = b.output(outputSpec(outputOf(two.shape), input.spec));
    acceptResidual(b, residual, output);
    const names = `${one.row.algorithm} + ${two.row.algorithm}`;
    const reasons = `depthwise: ${one.reason}; pointwise: ${two.reason}`;
    b.error = Math.max(one.row.error, two.row.error);
    b.macs = convMacs(one.shape) + convMacs(two.shape);
    const first = { ...one, input, weight: depthwise, bias: depthwiseBias };
    const second = { ...two, weight: pointwise, bias, residual, output };
    const canFuse = names === "depthwise + implicit-gemm";
    const isFaster = separableRows(one.shape, M) !== undefined;
    if (canFuse && (algorithm === "rows" || (algorithm === "auto" && isFaster))) {
      const rows = lowerRows(b, first, second);
      b.algorithm = `rows: ${names}`;
      b.reason = `${rows} of ${one.shape.N * one.shape.P} rows at a time; ${reasons}`;
      return;
    }
    b.algorithm = names;
    b.reason = canFuse && algorithm === "auto" ? `by rows is no faster; ${reasons}` : reasons;
    const between = { spec: middle, ref: b.workspace(bytesOf(middle)) };
    lowerBy(one.row.algorithm, b, { ...first, residual: undefined, output: between });
    lowerBy(two.row.algorithm, b, { ...second, input: between });
  },
});

/** Both halves as one kernel. Answers how many rows it takes at a time. */
function lowerRows(
  b: Builder,
  first: ConvOperands,
  second: Omit<ConvOperands, "input"> & { readonly residual: Operand | undefined; readonly output: Operand },
): number {
  const { N, P, Q, M: wide } = first.shape;
  const { M } = second.shape;
  const call = depthwiseCall(b, { ...first, yPtr: NONE, residualPtr: NONE });
  const packed = packMatrix(b, "prepare", second.weight.ref, { cols: M, K: wide }, { col: wide * 4, k: 4 });
  const y = channelsLastOutput(b, second.output, second.residual);
  const rowBytes = Q * wide * 4;
  const rows = Math.min(N * P, blockRows(Q, wide));
  const { lo, hi, activation, alpha, beta } = second.epilogue;
  const values = {
    ...call.values,
    pointPtr: packed.ref,
    pointBiasPtr: packBias(b, second.bias, M, 1).ref,
    pointBlocksPtr: packed.blocks.ref,
    pointBlockCount: packed.blocks.count,
    pointFilters: M,
    pointLo: lo,
    pointHi: hi,
    pointActivation: activation,
    pointAlpha: alpha,
    pointBeta: beta,
    outPtr: y.ref,
    outResidualPtr: y.residualPtr,
    blockRows: rows,
    depthwiseScratchBytes: roundUp(call.scratchBytes, 64),
  };
  const scratchBytes =
    roundUp(descBytes(ConvDesc), 64) + ROW_TABLE_BYTES + values.depthwiseScratchBytes + rows * rowBytes;
  b.step("separable_conv2d_f32", SeparableDesc, values, call.items, scratchBytes);
  y.finish();
  return rows;
}
