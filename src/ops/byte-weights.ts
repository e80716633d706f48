// Fully connected layers and 1x1 convolutions on weights of 8 bits, or of 16 in two planes of 8, and rows of 16: see
// assembly/kernels/int8-weights.ts. A model asks for them (quantizeWeights); code and kernels are there for who does.
import { roundUp } from "../base/shape.js";
import { BYTE_WEIGHTS_BLOCK, CHUNK, PANEL } from "../kernels/gen/constants.js";
import { ActivationDesc } from "../kernels/gen/desc.js";
import { ByteWeightsDesc } from "../kernels/gen/int8/byte-weights-desc.js";
import { PackByteWeightsDesc } from "../kernels/gen/int8/pack-byte-weights-desc.js";
import type { Builder } from "../plan/builder.js";
import { NONE, type Operand, type Ref } from "../plan/operand.js";
import type { FoundConv } from "./conv/conv2d.js";
import type { Inference, Operator } from "./operator.js";
import type { Product } from "./parts/matrix-product.js";
import { packBias } from "./parts/panels.js";
import { contiguousInput, contiguousOutput } from "./parts/strided.js";

/** Elements of K that have a scale, at most: 3 % more bytes, and a fifth less error than one scale for all. */
const BLOCK = 128;
/** Up to so many rows whole numbers are faster: 8 rows of 4096 x 4096 twice. */
const FEW_ROWS = 16;
/** And more, where they are so long: 49 of 320 x 1280 and 196 of 576 x 96 are as fast, 784 of 144 x 32 take 1.3 times as long. */
const LONG = 256;
/** Largest error on random normal data by planes, as a share of the largest output. */
const ERRORS = [0, 1e-2, 1e-4] as const;

/** What `lower` of linear and conv2d is given. */
export interface Operands {
  readonly input: Operand;
  readonly weight: Operand;
  readonly bias: Operand | undefined;
  readonly slope: Operand | undefined;
  readonly residual?: Operand | undefined;
}

/** The operator on weights of so many planes, where it is one that has such, and those of its layers that do. */
export function withByteWeights(operator: Operator, planes: number): Operator {
  const { name } = operator;
  if (name !== "linear" && name !== "conv2d") return operator;
  const lower = (b: Builder, given: unknown, found: Inference): void => {
    const operands = given as Operands;
    const product =
      name === "linear" ? (found as Inference & { product: Product }).product : pointwise(operands, found as never);
    const isFaster = product && (product.rows <= FEW_ROWS || (planes === 1 && product.K >= LONG));
    if (isFaster && !operands.slope && !operands.residual) multiply(b, operands, product, planes, name === "linear");
    else {
      operator.lower(b, given as never, found);
      if (product)
        b.reason += `; float32 weights, since ${product.rows} rows of ${product.K} are ${isFaster ? "fused with more" : "faster so"}`;
    }
  };
  return { ...operator, lower };
}

/** A convolution that is one product of all pixels, which lie channels-last. */
export function pointwise({ input, weight }: Operands, { shape, epilogue }: FoundConv): Product | undefined {
  const { N, C, H, W, M, R, S, P, Q, strideH, strideW, groups } = shape;
  const isProduct = R * S * groups * strideH * strideW === 1 && P === H && Q === W;
  const liesAlike = input.spec.memoryFormat === "channelsLast" || H * W === 1;
  if (!isProduct || !liesAlike || weight.spec.dtype !== "float32") return undefined;
  return { rows: N * P * Q, cols: M, K: C, epilogue };
}

function multiply(
  b: Builder,
  { input, weight, bias }: Operands,
  { rows, cols, K, epilogue }: Product,
  planes: number,
  isLinear: boolean,
): void {
  const blocks = Math.ceil(K / BLOCK);
  const block = roundUp(Math.ceil(K / blocks), 4);
  const x = isLinear ? contiguousInput(b, input) : input.ref;
  const y = isLinear ? contiguousOutput(b, b.output) : { ref: b.output.ref, finish() {} };
  const panels = Math.ceil(cols / PANEL);
  const packed = b.packed(panels * planes * (blocks * PANEL * 4 + roundUp(K, 4) * PANEL), true);
  const packing = { srcPtr: weight.ref, dstPtr: packed, length: K, filters: cols, block, planes };
  b.prepare("pack_weights_int8", PackByteWeightsDesc, packing, panels, block * 4, PANEL * K * 4);
  const { lo, hi, activation, alpha, beta } = epilogue;
  const halves = b.workspace(rows * roundUp(K, 4) * 2);
  const scales = b.workspace(rows * blocks * 4);
  const values = { rows, length: K, filters: cols, block, planes, lo, hi, xScalesPtr: scales };
  const none: Ref = NONE;
  b.step("rows_to_int16", ByteWeightsDesc, { ...values, xPtr: x, wPtr: none, biasPtr: none, yPtr: halves }, rows);
  const biasPtr = packBias(b, bias, cols, 1).ref;
  const items = rows * Math.ceil(cols / BYTE_WEIGHTS_BLOCK);
  b.step("linear_int8", ByteWeightsDesc, { ...values, xPtr: halves, wPtr: packed, biasPtr, yPtr: y.ref }, items);
  if (activation !== 0) {
    const count = rows * cols;
    const code = { activation, alpha, beta };
    b.step("activation_f32", ActivationDesc, { xPtr: y.ref, yPtr: y.ref, count, ...code }, Math.ceil(count / CHUNK));
  }
  y.finish();
  b.algorithm = planes === 1 ? "int8 weights" : "int16 weights";
  b.reason = `asked for: ${planes * 8} bits a weight, a scale for each ${block} of a filter`;
  b.error = ERRORS[planes];
}
