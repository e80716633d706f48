// Depthwise-separable convolution: a depthwise one, then a pointwise one, in one plan. What lies between stays in workspace,
// or, by rows, in scratch that holds a few rows of it: assembly/kernels/conv-separable.ts.
// Source: Howard et al., MobileNets (2017). Work against a full convolution: (HWCRS + HWCM) / (HWCMRS).
import { oneOf, type Pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import { type ConvShape, convMacs, type Padding, roundUp } from "../../base/shape.js";
import { bytesOf, makeSpec } from "../../base/spec.js";
import { DepthwiseDesc, GemmRun, SeparableDesc } from "../../kernels/gen/desc.js";
import type { Memory, Precision } from "../../kernels/select.js";
import type { Builder } from "../../plan/builder.js";
import { descBytes, NONE, type Operand } from "../../plan/operand.js";
import { defineOperator, outputSpec, requireRank, requireShape } from "../operator.js";
import type { Activation } from "../parts/epilogue.js";
import { channelsLastOutput } from "../parts/image.js";
import { packMatrix } from "../parts/matrix-product.js";
import { packBias } from "../parts/panels.js";
import { depthwiseCall, lowerBy } from "./algorithms.js";
import { chooseConv, inferConv, inPlaceOf, outputShape } from "./conv2d.js";
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
  /** As conv2d's, of both halves. */
  readonly memory?: Memory;
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
export function separableRows({ N, P, Q, M: kC }: ConvShape, M: number): number | undefined {
  const isFaster = N * P * Q * kC * 4 > LEAST_BYTES && kC * M * 4 <= MOST_WEIGHT_BYTES;
  return isFaster ? blockRows(Q, kC) : undefined;
}

function blockRows(Q: number, kC: number): number {
  return Math.max(Math.ceil(BLOCK_PIXELS / Q), Math.floor(BLOCK_BYTES / (Q * kC * 4)));
}

export const separableConv2d = defineOperator({
  name: "separableConv2d",
  inputs: ["input"],
  extras: ["residual"],
  params: ["depthwiseWeight", "pointwiseWeight"],
  optional: ["bias", "depthwiseBias"],
  inner: ["slope"],
  options: [
    "stride",
    "padding",
    "dilation",
    "depthwiseActivation",
    "activation",
    "precision",
    "memory",
    "tune",
    "algorithm",
  ],
  readsPixels: true,
  filters: { weight: "pointwiseWeight", bias: "bias", layout: "first", axis: 1 },
  infer({ input, depthwiseWeight, pointwiseWeight, bias, depthwiseBias, residual }, options: SeparableConv2dOptions) {
    const C = requireRank("input", input, 4, "[N, C, H, W]")[1] as number;
    const [kC, perGroup] = requireRank("depthwiseWeight", depthwiseWeight, 4, "[kC, 1, R, S]") as [number, number];
    if (perGroup !== 1 || kC % C !== 0) {
      throw new ShapeError(`"depthwiseWeight" expected shape [k * ${C}, 1, R, S], got ${show(depthwiseWeight.shape)}`);
    }
    const M = requireRank("pointwiseWeight", pointwiseWeight, 4, "[M, kC, 1, 1]")[0] as number;
    requireShape("pointwiseWeight", pointwiseWeight, [M, kC, 1, 1]);
    if (depthwiseBias) requireShape("depthwiseBias", depthwiseBias, [kC]);
    const algorithm = oneOf("algorithm", options.algorithm ?? "auto", ALGORITHMS);
    const { stride, padding, dilation, depthwiseActivation, activation, precision, memory, tune } = options;
    const kernels = algorithm === "rows" ? (["depthwise", "implicit-gemm"] as const) : [];
    const windows = { stride, padding, dilation, groups: C, activation: depthwiseActivation };
    const depthwise = inferConv(input, depthwiseWeight, depthwiseBias, {
      ...windows,
      precision,
      memory,
      tune,
      algorithm: kernels[0],
    });
    const between = makeSpec(outputShape(depthwise.shape), "float32", "channelsLast", "output");
    const pointwise = inferConv(between, pointwiseWeight, bias, {
      activation,
      precision,
      memory,
      tune,
      algorithm: kernels[1],
    });
    const output = outputSpec(outputShape(pointwise.shape), input);
    const macs = convMacs(depthwise.shape) + convMacs(pointwise.shape);
    return { outputs: [output], macs, inPlace: inPlaceOf(residual, output), algorithm, depthwise, between, pointwise };
  },
  lower(b, { input, depthwiseWeight, pointwiseWeight, bias, depthwiseBias, residual, slope }, found) {
    const { algorithm, depthwise, between, pointwise } = found;
    const output = b.output;
    const dw = chooseConv(b, depthwise, { input: input.spec, weight: depthwiseWeight.spec, output: between });
    const pw = chooseConv(b, pointwise, { input: between, weight: pointwiseWeight.spec, output: output.spec });
    const names = `${dw.row.algorithm} + ${pw.row.algorithm}`;
    const reasons = `depthwise: ${dw.reason}; pointwise: ${pw.reason}`;
    b.error = Math.max(dw.row.error, pw.row.error);
    const first = { ...depthwise, input, weight: depthwiseWeight, bias: depthwiseBias };
    const second = { ...pointwise, weight: pointwiseWeight, bias, slope, residual, output };
    const canFuse = names === "depthwise + implicit-gemm";
    const isFaster = separableRows(depthwise.shape, pointwise.shape.M) !== undefined;
    if (canFuse && (algorithm === "rows" || (algorithm === "auto" && isFaster))) {
      const rows = lowerRows(b, first, second);
      b.algorithm = `rows: ${names}`;
      b.reason = `${rows} of ${depthwise.shape.N * depthwise.shape.P} rows at a time; ${reasons}`;
      return;
    }
    b.algorithm = names;
    b.reason = canFuse && algorithm === "auto" ? `by rows is no faster; ${reasons}` : reasons;
    const middle = { spec: between, ref: b.workspace(bytesOf(between)) };
    lowerBy(dw.row.algorithm, b, { ...first, residual: undefined, output: middle });
    lowerBy(pw.row.algorithm, b, { ...second, input: middle });
  },
});

/** Both halves as one kernel. Answers how many rows it takes at a time. */
function lowerRows(
  b: Builder,
  first: ConvOperands,
  second: Omit<ConvOperands, "input"> & { readonly residual: Operand | undefined; readonly output: Operand },
): number {
  const { N, P, Q, M: kC } = first.shape;
  const { M } = second.shape;
  const call = depthwiseCall(b, { ...first, yPtr: NONE, residualPtr: NONE });
  const packed = packMatrix(b, "prepare", second.weight.ref, { cols: M, K: kC }, { col: kC * 4, k: 4 });
  const bias = packBias(b, second.bias, M, 1, second.slope);
  const y = channelsLastOutput(b, second.output, second.residual);
  const rowBytes = Q * kC * 4;
  const rows = Math.min(N * P, blockRows(Q, kC));
  const { lo, hi, activation, alpha, beta } = second.epilogue;
  const values = {
    ...call.values,
    pointPtr: packed.ref,
    pointBiasPtr: bias.ref,
    pointBlocksPtr: packed.blocks.ref,
    pointBlockCount: packed.blocks.count,
    pointFilters: M,
    pointLo: lo,
    pointHi: hi,
    pointActivation: activation,
    pointAlpha: alpha,
    pointBeta: beta,
    pointSlopeBytes: bias.slopeBytes,
    outPtr: y.ref,
    outResidualPtr: y.residualPtr,
    blockRows: rows,
    tileRows: b.planning.tileRows,
    depthwiseScratchBytes: roundUp(call.scratchBytes, 64),
  };
  const scratchBytes =
    roundUp(descBytes(DepthwiseDesc), 64) +
    roundUp(descBytes(GemmRun), 64) +
    values.depthwiseScratchBytes +
    rows * rowBytes;
  b.step("separable_conv2d_f32", SeparableDesc, values, call.items, scratchBytes);
  y.finish();
  return rows;
}
