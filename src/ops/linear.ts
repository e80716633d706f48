// Fully connected layers.
import { ShapeError, show } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import { LINEAR_BLOCK, LINEAR_PANELS_BLOCK } from "../kernels/gen/constants.js";
import { LinearDesc } from "../kernels/gen/desc.js";
import type { Builder } from "../plan/builder.js";
import { defineOperator, outputSpec, requireFloat, requireRank, requireShape } from "./operator.js";
import { type Activation, epilogue } from "./parts/epilogue.js";
import { multiply, type Product, packMatrix } from "./parts/matrix-product.js";
import { packBias } from "./parts/panels.js";
import { contiguousInput, contiguousOutput } from "./parts/strided.js";

/** Up to so many rows of x, weights are streamed from memory; from there on a matrix product is faster. */
export const FEW_ROWS = 3;
/** Weights that a model packs, at most; see Planning.packBytes. */
const MODEL_BYTES = 8 * 2 ** 20;
/**
 * Longest reduction of one block, 24 KB of weights: 768 is one pass over the output, where a convolution's blocks of 512 are two.
 * 197 and 384 rows x 768 x 768: 3 % faster, 784 x 768 x 192 3 %, 49 x 3072 x 768 3 %, swin_t 2 %; 3136 x 768 x 96 2 % slower.
 */
export const BLOCK_K = 768;

/** Whether few rows are multiplied by panels, lanes filters, or by weights as they lie, lanes elements of K. */
export const isPackedForFew = (b: Builder, { cols, K }: Product): boolean =>
  cols * K * 4 <= (b.planning.packBytes ?? MODEL_BYTES);

/** Of linear and matmul. */
export interface LinearOptions {
  /** Applied to the sum before it is stored; default none. */
  readonly activation?: Activation;
}

export const linear = defineOperator({
  name: "linear",
  inputs: ["input"],
  params: ["weight"],
  optional: ["bias"],
  inner: ["slope"],
  options: ["activation"],
  filters: { weight: "weight", bias: "bias", layout: "first", axis: -1 },
  infer({ input, weight, bias }, options: LinearOptions) {
    requireFloat("input", input);
    const [M, K] = requireRank("weight", weight, 2, "[M, K]") as [number, number];
    const { shape } = input;
    if (shape.at(-1) !== K) throw new ShapeError(`"input" expected shape [..., ${K}], got ${show(shape)}`);
    if (bias) requireShape("bias", bias, [M]);
    const rows = countOf(shape.slice(0, -1));
    const product: Product = { rows, cols: M, K, epilogue: epilogue(options.activation) };
    return { outputs: [outputSpec([...shape.slice(0, -1), M], input)], macs: rows * M * K, product };
  },
  lower(b, { input, weight, bias, slope }, { product }) {
    const { rows, cols: M, K } = product;
    const { ref: biasRef, slopeBytes } = packBias(b, bias, M, 1, slope);
    const end = { ...product.epilogue, slopeBytes };
    const x = contiguousInput(b, input);
    const y = contiguousOutput(b, b.output);
    const strides = { col: K * 4, k: 4 };
    if (rows <= FEW_ROWS) {
      const isPacked = isPackedForFew(b, product);
      b.algorithm = isPacked ? "panels" : "rows";
      b.reason = isPacked ? "few rows: packed weights are read once" : "few rows: weights are read where they lie";
      const wPtr = isPacked ? packMatrix(b, "prepare", weight.ref, product, strides, 1, K).ref : weight.ref;
      b.step(
        isPacked ? "linear_panels_f32" : "linear_f32",
        LinearDesc,
        { xPtr: x, wPtr, biasPtr: biasRef, yPtr: y.ref, rows, length: K, filters: M, ...end },
        rows * Math.ceil(M / (isPacked ? LINEAR_PANELS_BLOCK : LINEAR_BLOCK)),
      );
    } else {
      b.algorithm = "gemm";
      b.reason = `${rows} rows share packed weights`;
      multiply(b, x, packMatrix(b, "prepare", weight.ref, product, strides, 1, BLOCK_K), biasRef, y.ref, {
        ...product,
        epilogue: end,
      });
    }
    y.finish();
  },
});
