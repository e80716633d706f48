// Fully connected layers and 1x1 convolutions on weights of float16, all else float32: see assembly/kernels/half-weights.ts. A model
// asks for them (quantizeWeights).
import { roundUp } from "../base/shape.js";
import { bytesOf } from "../base/spec.js";
import { CHUNK, PANEL } from "../kernels/gen/constants.js";
import { ActivationDesc, GemmDesc, GemmRun } from "../kernels/gen/desc.js";
import { HalfWeightsDesc } from "../kernels/gen/half/half-weights-desc.js";
import { PackHalfWeightsDesc } from "../kernels/gen/half/pack-half-weights-desc.js";
import { WidenDesc } from "../kernels/gen/half/widen-desc.js";
import type { Builder } from "../plan/builder.js";
import { descBytes, NONE, type Ref, shift } from "../plan/operand.js";
import { type Operands, pointwise } from "./byte-weights.js";
import type { FoundConv } from "./conv/conv2d.js";
import { FEW_ROWS, isPackedForFew, BLOCK_K as LINEAR_BLOCK_K } from "./linear.js";
import type { Inference, Operator } from "./operator.js";
import type { Product } from "./parts/matrix-product.js";
import { BLOCK_K, packBias, reductionBlocks } from "./parts/panels.js";
import { contiguousInput, contiguousOutput } from "./parts/strided.js";

/** A half's bits that are a float32's, in their places. */
const HALF_MASK = 0x8fffe000 | 0;
/** Weights that are wide at a time: half of an L2 of 1 MB. */
const WIDE_BYTES = 2 ** 19;
/** Largest error on random normal data, as a share of the largest output, where weights are rounded. */
const ERROR = 3e-4;

/** Operands, and where rows of x and y lie one after the other. */
interface Places extends Operands {
  readonly x: Ref;
  readonly y: Ref;
  /** Of the reduction: what is added comes behind the first block. */
  readonly blockK: number;
}

/** How large weights are, in all of a layer. */
export interface WeightRange {
  /** The largest is below 2^exponent; undefined: not all are finite. */
  readonly exponent: number | undefined;
  /** All are halves. */
  readonly isExact: boolean;
}

/** The operator on weights of float16, where it is one that has such, and its layers' weights are so large. */
export function withHalfWeights(operator: Operator, range: (bytes: number) => WeightRange): Operator {
  const { name, params } = operator;
  if (!params.some((param) => /weight$/i.test(param))) return operator;
  const isLinear = name === "linear";
  const lower = (b: Builder, given: unknown, found: Inference): void => {
    const operands = given as Operands;
    let product: Product | undefined;
    if (isLinear) product = (found as Inference & { product: Product }).product;
    else if (name === "conv2d") product = pointwise(operands, found as Inference & FoundConv);
    const { exponent, isExact } = product ? range(bytesOf(operands.weight.spec)) : {};
    // Sums have room for these and rows of any size.
    if (product && exponent !== undefined && Math.abs(exponent) <= 30) {
      const [x, y] = isLinear
        ? [contiguousInput(b, operands.input), contiguousOutput(b, b.output)]
        : [operands.input.ref, { ref: b.output.ref, finish() {} }];
      const isFew = isLinear && product.rows <= FEW_ROWS && !operands.slope;
      const places = { ...operands, x, y: y.ref, blockK: isLinear ? LINEAR_BLOCK_K : BLOCK_K };
      (isFew ? multiplyFew : multiplyMany)(b, places, product, 16 - exponent);
      y.finish();
      b.algorithm = "float16 weights";
      b.reason = `asked for: 16 bits a weight, ${isExact ? "as they were" : "the nearest"}`;
      if (!isExact) b.error = ERROR;
      return;
    }
    operator.lower(b, given as never, found);
    let why = `the largest is near 2^${exponent}`;
    if (exponent === undefined)
      why = product ? "some are not finite" : "they are no matrix that pixels are multiplied by";
    b.reason += `; float32 weights, since ${why}`;
  };
  return { ...operator, lower };
}

/** x [N, K] times weights as they are streamed from memory, in the order of sums that linear has for as many rows. */
function multiplyFew(b: Builder, { x, y, weight, bias }: Places, product: Product, exponent: number): void {
  const { rows, cols, K, epilogue } = product;
  const lanes = isPackedForFew(b, product) ? 0 : 1;
  const panels = Math.ceil(cols / PANEL);
  const { packed, factor } = packHalves(b, weight.ref, product, lanes, exponent);
  const scaled = b.workspace(rows * (paddedTo(K, lanes) << (lanes ? 2 : 4)));
  const { lo, hi, activation, alpha, beta } = epilogue;
  const values = {
    xScalesPtr: b.workspace(rows * 4),
    wPtr: packed,
    biasPtr: packBias(b, bias, cols, 1).ref,
    rows,
    length: K,
    filters: cols,
    lanes,
    mask: HALF_MASK,
    factor,
    lo,
    hi,
  };
  b.step("scale_rows_f16", HalfWeightsDesc, { ...values, xPtr: x, yPtr: scaled }, rows);
  const items = rows * (lanes ? panels : Math.ceil(panels / 4));
  b.step("linear_f16", HalfWeightsDesc, { ...values, xPtr: scaled, yPtr: y }, items);
  if (activation !== 0) {
    const count = rows * cols;
    const code = { activation, alpha, beta };
    b.step("activation_f32", ActivationDesc, { xPtr: y, yPtr: y, count, ...code }, Math.ceil(count / CHUNK));
  }
}

/** More rows share weights that are wide for the time of a step, some panels after others: gemm_f32, with its bits. */
function multiplyMany(
  b: Builder,
  { x, y, blockK, weight, bias, slope, residual }: Places,
  product: Product,
  exponent: number,
): void {
  const { rows, cols, K, epilogue } = product;
  const { packed, panelBytes, factor } = packHalves(b, weight.ref, product, 0, exponent);
  const { ref: biasRef, slopeBytes } = packBias(b, bias, cols, 1, slope);
  const panels = Math.ceil(cols / PANEL);
  const wideBytes = K * PANEL * 4;
  const { threads = 1, tileRows } = b.planning;
  const most = Math.max(4, Math.floor(WIDE_BYTES / wideBytes)) * threads;
  const count = Math.ceil(panels / Math.ceil(panels / most)); // even shares
  const wide = b.workspace(count * wideBytes);
  const { ref: blocksPtr, count: blockCount } = reductionBlocks(b, [0], K, blockK);
  const block = roundUp(Math.ceil(K / Math.ceil(K / blockK)), 4);
  for (let panel = 0; panel < panels; panel += count) {
    const some = Math.min(count, panels - panel);
    const at = (ref: Ref) => shift(ref, panel * PANEL * 4);
    b.step(
      "widen_weights_f16",
      WidenDesc,
      {
        srcPtr: shift(packed, panel * panelBytes),
        dstPtr: wide,
        panels: some,
        length: K,
        block,
        mask: HALF_MASK,
        factor,
      },
      some,
    );
    b.step(
      "gemm_f32",
      GemmDesc,
      {
        aPtr: x,
        bPtr: wide,
        cPtr: at(y),
        biasPtr: at(biasRef),
        residualPtr: residual ? at(residual.ref) : NONE,
        blocksPtr,
        blockCount,
        rows,
        cols: Math.min(some * PANEL, cols - panel * PANEL),
        aStrideBytes: K * 4,
        cStrideBytes: cols * 4,
        aBatchBytes: 0,
        bBatchBytes: 0,
        biasBatchBytes: 0,
        cBatchBytes: 0,
        tileRows,
        ...epilogue,
        slopeBytes,
      },
      rows,
      descBytes(GemmRun),
    );
  }
}

const paddedTo = (K: number, lanes: number): number => (lanes ? Math.ceil(K / 8) * 8 : K + (K & 1));

/** Weights in panels of halves, times 2^exponent. */
function packHalves(b: Builder, weight: Ref, { cols, K }: Product, lanes: number, exponent: number) {
  const panels = Math.ceil(cols / PANEL);
  const panelBytes = paddedTo(K, lanes) * PANEL * 2;
  const packed = b.packed(panels * panelBytes, true);
  const values = { srcPtr: weight, dstPtr: packed, length: K, filters: cols, lanes, scale: 2 ** exponent };
  b.prepare("pack_weights_f16", PackHalfWeightsDesc, values, panels, 0, PANEL * K * 4);
  return { packed, panelBytes, factor: 2 ** (112 - exponent) };
}
