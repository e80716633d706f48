// Fully connected layers.
import { ShapeError, show } from "../errors.js";
import { LinearDesc } from "../gen/desc.js";
import type { Operand } from "../plan.js";
import { type Activation, epilogue } from "./activation.js";
import { packBias } from "./conv-lowering.js";
import { multiply, type Product, packMatrix, sizeOf } from "./matrix-product.js";
import { defineOperator, outputSpec, requireFloat, requireRank, requireShape } from "./operator.js";
import { contiguousInput, contiguousOutput } from "./strided.js";

/**
 * Up to so many rows the weights are read in place: no second copy of them, at a third more time than packed ones take
 * (weights [4096, 4096], 2 rows: 4.6 ms against 3.4). One row is faster in place.
 */
const IN_PLACE_ROWS = 3;

export interface LinearOptions {
  /** Applied to the sum before it is stored; default none. */
  readonly activation?: Activation;
}

export const linear = defineOperator({
  name: "linear",
  inputs: ["input"],
  params: ["weight", "bias"],
  required: 1,
  options: ["activation"],
  lower(b, options: LinearOptions) {
    const [input] = b.inputs as [Operand];
    const [weight, bias] = b.params as [Operand, Operand | undefined];
    requireFloat("input", input.spec);
    const [M, K] = requireRank("weight", weight.spec, 2, "[M, K]") as [number, number];
    const { shape } = input.spec;
    if (shape.at(-1) !== K) throw new ShapeError(`"input" expected shape [..., ${K}], got ${show(shape)}`);
    if (bias) requireShape("bias", bias.spec, [M]);
    const output = b.output(outputSpec([...shape.slice(0, -1), M], input.spec));
    const rows = sizeOf(shape.slice(0, -1));
    const product: Product = { rows, cols: M, K, epilogue: epilogue(options.activation) };
    b.macs = rows * M * K;
    const x = contiguousInput(b, input);
    const y = contiguousOutput(b, output);
    const biasRef = packBias(b, bias, M, 1).ref;
    if (rows <= IN_PLACE_ROWS) {
      b.algorithm = "rows";
      b.reason = `${rows} of at most ${IN_PLACE_ROWS} rows: weights are read from memory once, where they lie`;
      b.step(
        "linear_f32",
        LinearDesc,
        { xPtr: x, wPtr: weight.ref, biasPtr: biasRef, yPtr: y.ref, rows, length: K, filters: M, ...product.epilogue },
        rows * Math.ceil(M / 8),
      );
    } else {
      b.algorithm = "gemm";
      b.reason = `${rows} rows share packed weights`;
      multiply(b, x, packMatrix(b, "prepare", weight.ref, product, { col: K * 4, k: 4 }), biasRef, y.ref, product);
    }
    y.finish();
  },
});
