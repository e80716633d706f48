// Depthwise convolutions of bytes: see assembly/kernels/int8-depthwise.ts.
import { ShapeError, show } from "../../../base/errors.js";
import { extent, roundUp } from "../../../base/shape.js";
import { stridesOf, type TensorSpec } from "../../../base/spec.js";
import { DepthwiseBytesDesc } from "../../../kernels/gen/int8/depthwise-bytes-desc.js";
import { DepthwiseBytesWeightsDesc } from "../../../kernels/gen/int8/depthwise-bytes-weights-desc.js";
import { EndingCode } from "../../../kernels/gen/int8/ending-code.js";
import { defineOperator, type Operator } from "../../../ops/operator.js";
import type { Builder } from "../../../plan/builder.js";
import { NONE, type Operand, shift } from "../../../plan/operand.js";
import {
  bytesSpec,
  endTable,
  goesOutside,
  imageOf,
  isBounded,
  outputsOf,
  spread,
  type WindowOptions,
} from "./bytes.js";
import { type Computed, computedInputs, emitFactors, type Given, requireComputed } from "./dynamic.js";
import type { Ending } from "./form.js";

export interface DepthwiseOptions extends WindowOptions {
  readonly xZero: number;
  /** One, or one a filter. */
  readonly wZero: readonly number[];
  readonly ending: Ending;
  /** As ProductOptions has it. */
  readonly computed?: Computed | undefined;
}

/** Of a cache line. */
const LINE = 64;
/** What lies in scratch before all else. */
const SUMS_BYTES = 64;

type Four = readonly [number, number, number, number];

/** The ways of the kernel. run: unrolled rows do the shape; flip: of the bytes that its dot reads. */
function waysOf(b: Builder, { strides, dilations, ending }: DepthwiseOptions, [M, , R, S]: Four) {
  const isSquare = R === S && (R === 3 || R === 5) && strides[0] === strides[1] && strides[1] <= 2;
  const run = Number(isSquare && dilations[1] === 1 && ending.type === "uint8" && M >= 8);
  return { run, flip: run && b.planning.dot === "int8" ? 0x80 : 0 };
}

/** Weights and bias as the kernel has them. */
function packed(
  b: Builder,
  weight: Operand,
  bias: Operand | undefined,
  { xZero, wZero, computed }: DepthwiseOptions,
  { run, flip }: { readonly run: number; readonly flip: number },
) {
  const [M, , R, S] = weight.spec.shape as unknown as Four;
  const [m, , r, s] = stridesOf(weight.spec) as [number, number, number, number]; // of bytes
  const blocks = Math.ceil(M / 8);
  const blockBytes = Math.ceil(R / 2) * S * 32;
  const biasAt = roundUp(blocks * blockBytes, LINE);
  const fitsAt = biasAt + roundUp(4 * M, LINE);
  const wPtr = b.packed(fitsAt + 4 * blocks);
  const [biasPtr, fitsPtr] = [shift(wPtr, biasAt), shift(wPtr, fitsAt)];
  const values = {
    srcPtr: weight.ref,
    biasPtr: bias?.ref ?? NONE,
    zerosPtr: b.table(Int32Array.from(spread(wZero, M))),
    dstPtr: wPtr,
    dstBiasPtr: biasPtr,
    fitsPtr,
    filterBytes: m,
    kernelHBytes: r,
    kernelWBytes: s,
    filters: M,
    kernelH: R,
    kernelW: S,
    signed: Number(weight.spec.dtype === "int8"),
    // -1: biases are the sums of weights.
    zero: computed ? -1 : xZero,
    dotZero: computed ? -1 : xZero - flip,
    blockBytes,
    run,
  };
  b.prepare("depthwise_fits_q8", DepthwiseBytesWeightsDesc, values, blocks);
  b.prepare("depthwise_weights_q8", DepthwiseBytesWeightsDesc, values, blocks);
  return { wPtr, biasPtr, fitsPtr, blockBytes };
}

/**
 * input uint8 [N, C, H, W], weight uint8 or int8 [C * multiplier, 1, R, S], bias int32 [C * multiplier] → [N, C * multiplier, P, Q] of the
 * ending's type. All sums fit int32, and of a uint8 ending |sum * scale| < 2^22: fits() of product.ts says so.
 */
export function depthwise(options: DepthwiseOptions): Operator {
  const { strides, padding, dilations, xZero, ending, computed } = options;
  return defineOperator({
    name: "depthwise q8",
    inputs: ["input", ...computedInputs(computed)],
    params: ["weight"],
    optional: ["bias"],
    infer({ input, weight, bias, zero, scale }: Given<TensorSpec>) {
      requireComputed(zero, scale);
      const [N, C, H, W] = imageOf("input", input);
      const [M, one, R, S] = weight.shape as unknown as Four;
      const isByte = weight.dtype === "uint8" || weight.dtype === "int8";
      if (weight.shape.length !== 4 || one !== 1 || M % C !== 0 || !isByte)
        throw new ShapeError(
          `"weight" expected uint8 or int8 [M, 1, R, S] with M a multiple of ${C}, got ${weight.dtype} ${show(weight.shape)}`,
        );
      if (bias && (bias.dtype !== "int32" || bias.shape.length !== 1 || bias.shape[0] !== M))
        throw new ShapeError(`"bias" expected int32 [${M}], got ${bias.dtype} ${show(bias.shape)}`);
      const [P, Q] = outputsOf([H, W], [R, S], options);
      return { outputs: [bytesSpec([N, M, P, Q], ending.type)], macs: N * M * P * Q * R * S };
    },
    lower(b, { input, weight, bias, zero, scale }: Given<Operand>) {
      const [N, C, H, W] = input.spec.shape as unknown as Four;
      const [M, , R, S] = weight.spec.shape as unknown as Four;
      const [P, Q] = b.output.spec.shape.slice(2) as [number, number];
      const ways = waysOf(b, options, [M, 1, R, S]);
      // To the sides of a row is padding, or bytes have to be others: rows are copied.
      const width = Math.max(padding[1] + W, (Q - 1) * strides[1] + extent(S, dilations[1]));
      const rowBytes = roundUp(width * M + LINE, LINE);
      const copyBytes = width > W || M !== C || ways.flip ? rowBytes : 0;
      const emptyBytes = goesOutside(H, padding[0], R, strides[0], dilations[0], P) ? rowBytes : 0;
      const weights = packed(b, weight, bias, options, ways);
      const table = (numbers: ArrayLike<number>) => b.table(Float32Array.from(spread(numbers, M)));
      const { biasPtr, factorsPtr } = emitFactors(
        b,
        { zero, scale },
        {
          sums: weights.biasPtr,
          scales: ending.type === "int32" ? NONE : table(ending.scale),
          ending,
          count: roundUp(M, 8),
          lower: 0,
        },
      );
      const values = {
        xPtr: input.ref,
        ...weights,
        biasPtr,
        ...ways,
        scalesPtr: factorsPtr,
        offsetsPtr: ending.type === "float32" && ending.offset ? table(ending.offset) : NONE,
        endPtr: ending.type === "uint8" ? endTable(b, ending.zero, ending.low, ending.high) : NONE,
        yPtr: b.output.ref,
        height: H,
        width: W,
        channels: C,
        multiplier: M / C,
        outH: P,
        outW: Q,
        kernelH: R,
        kernelW: S,
        strideH: strides[0],
        strideW: strides[1],
        dilationH: dilations[0],
        dilationW: dilations[1],
        padTop: padding[0],
        padLeft: padding[1],
        copyBytes,
        emptyBytes,
        zero: xZero,
        zeroPtr: zero?.ref ?? NONE,
        ending: EndingCode[ending.type],
        bounded: ending.type === "uint8" ? isBounded(ending) : 0,
        lo: ending.type === "float32" ? ending.low : 0,
        hi: ending.type === "float32" ? ending.high : 0,
      };
      const scratchBytes = SUMS_BYTES + roundUp(8 * R, LINE) + emptyBytes + R * copyBytes;
      b.step("depthwise_q8", DepthwiseBytesDesc, values, N * P, scratchBytes);
    },
  });
}
