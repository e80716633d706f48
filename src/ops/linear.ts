// Fully connected layers and matrix products.
import { ShapeError, show } from "../errors.js";
import { GemmDesc, LinearDesc, PackDesc } from "../gen/desc.js";
import { type Builder, NONE, type Operand, type Ref, shift } from "../plan.js";
import { makeSpec } from "../spec.js";
import { type Activation, type Epilogue, epilogue } from "./activation.js";
import { packBias, ROW_TABLE_BYTES, reductionBlocks, roundUp } from "./conv-lowering.js";
import { defineOperator, outputSpec, requireFloat, requireRank, requireShape } from "./operator.js";
import { contiguousInput, contiguousOutput } from "./strided.js";

/** Up to so many rows the weights are read in place; from there on packing and the GEMM tile pay. */
const IN_PLACE_ROWS = 3;

export interface LinearOptions {
  /** Applied to the sum before it is stored; default none. */
  readonly activation?: Activation;
}

interface Product {
  readonly rows: number;
  readonly cols: number;
  readonly K: number;
  readonly epilogue: Epilogue;
}

/** Packs `count` matrices B [K, N] of given strides (bytes) into panels: at plan time, or as a step of every run. */
function packMatrix(
  b: Builder,
  when: "prepare" | "step",
  src: Ref,
  { cols, K }: Product,
  strides: { readonly col: number; readonly k: number },
  count = 1,
) {
  const blocks = reductionBlocks(b, [0], K);
  const panels = Math.ceil(cols / 8);
  const bytes = panels * K * 32;
  const ref = when === "prepare" ? b.constant(count * bytes) : b.workspace(count * bytes);
  const values = {
    srcPtr: src,
    dstPtr: ref,
    blocksPtr: blocks.ref,
    blockCount: blocks.count,
    cols,
    channels: K,
    kernelW: 1,
    colBytes: strides.col,
    channelBytes: strides.k,
    kernelHBytes: 0,
    kernelWBytes: 0,
    srcGroupBytes: K * cols * 4,
    dstGroupBytes: bytes,
  };
  b[when]("pack_weights_f32", PackDesc, values, count * panels);
  return { ref, bytes, blocks };
}

/** C = A B for `batches` pairs of matrices; strides from pair to pair in bytes. */
function multiply(
  b: Builder,
  a: Ref,
  packed: ReturnType<typeof packMatrix>,
  bias: Ref,
  c: Ref,
  { rows, cols, K, epilogue: end }: Product,
  batches = 1,
  aBatchBytes = 0,
  bBatchBytes = 0,
): void {
  b.step(
    "gemm_f32",
    GemmDesc,
    {
      aPtr: a,
      bPtr: packed.ref,
      cPtr: c,
      biasPtr: bias,
      residualPtr: NONE,
      blocksPtr: packed.blocks.ref,
      blockCount: packed.blocks.count,
      rows,
      cols,
      aStrideBytes: K * 4,
      cStrideBytes: cols * 4,
      aBatchBytes,
      bBatchBytes,
      biasBatchBytes: 0,
      cBatchBytes: rows * cols * 4,
      tileRows: b.target.tileRows,
      ...end,
    },
    batches * rows,
    ROW_TABLE_BYTES,
  );
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
    const rows = shape.slice(0, -1).reduce((count, size) => count * size, 1);
    const product: Product = { rows, cols: M, K, epilogue: epilogue(options.activation) };
    b.macs = rows * M * K;
    const x = contiguousInput(b, input);
    const y = contiguousOutput(b, output);
    const biasRef = packBias(b, bias, M, 1).ref;
    if (rows <= IN_PLACE_ROWS) {
      b.algorithm = "rows";
      b.reason = `${rows} of at most ${IN_PLACE_ROWS} rows: each weight is read once, where it lies`;
      b.step(
        "linear_f32",
        LinearDesc,
        { xPtr: x, wPtr: weight.ref, biasPtr: biasRef, yPtr: y.ref, length: K, filters: M, ...product.epilogue },
        rows * Math.ceil(M / 4),
      );
    } else {
      b.algorithm = "gemm";
      b.reason = `${rows} rows share packed weights`;
      multiply(b, x, packMatrix(b, "prepare", weight.ref, product, { col: K * 4, k: 4 }), biasRef, y.ref, product);
    }
    y.finish();
  },
});

/** numpy's broadcast of batch axes: the flat index into a and b for every batch of the result. */
function batchIndices(a: readonly number[], b: readonly number[]) {
  const rank = Math.max(a.length, b.length);
  const full = (dims: readonly number[]) => [...Array<number>(rank - dims.length).fill(1), ...dims];
  const [left, right] = [full(a), full(b)];
  const shape = left.map((size, i) => {
    const other = right[i] as number;
    if (size !== other && size !== 1 && other !== 1) {
      throw new ShapeError(`"b" expected batch axes that broadcast with ${show(a)}, got ${show(b)}`);
    }
    return Math.max(size, other);
  });
  let pairs: readonly (readonly [number, number])[] = [[0, 0]];
  shape.forEach((size, i) => {
    const [l, r] = [left[i] as number, right[i] as number];
    pairs = pairs.flatMap(([p, q]) =>
      Array.from({ length: size }, (_, k) => [p * l + (l > 1 ? k : 0), q * r + (r > 1 ? k : 0)] as const),
    );
  });
  return { shape, pairs };
}

export const matmul = defineOperator({
  name: "matmul",
  inputs: ["a", "b"],
  params: [],
  required: 0,
  options: ["activation"],
  lower(b, options: LinearOptions) {
    const [left, right] = b.inputs as unknown as readonly [Operand, Operand];
    requireFloat("a", left.spec);
    requireFloat("b", right.spec);
    if (left.spec.shape.length === 0) throw new ShapeError(`"a" expected rank >= 1, got []`);
    if (right.spec.shape.length === 0) throw new ShapeError(`"b" expected rank >= 1, got []`);
    // A vector is a row on the left, a column on the right; its axis is taken off the result again.
    const rowVector = left.spec.shape.length === 1;
    const columnVector = right.spec.shape.length === 1;
    const a = rowVector ? [1, ...left.spec.shape] : left.spec.shape;
    const w = columnVector ? [...right.spec.shape, 1] : right.spec.shape;
    const [rows, K] = a.slice(-2) as [number, number];
    const [inner, cols] = w.slice(-2) as [number, number];
    if (inner !== K)
      throw new ShapeError(
        `"b" expected ${K} rows to go with a of ${show(left.spec.shape)}, got ${show(right.spec.shape)}`,
      );
    const { shape: batch, pairs } = batchIndices(a.slice(0, -2), w.slice(0, -2));
    const shape = [...batch, ...(rowVector ? [] : [rows]), ...(columnVector ? [] : [cols])];
    const like = left.spec.shape.length >= right.spec.shape.length ? left.spec : right.spec;
    const output = b.output(
      shape.length < 3 ? makeSpec(shape, "float32", "contiguous", "output") : outputSpec(shape, like),
    );
    b.macs = pairs.length * rows * cols * K;

    const x = contiguousInput(b, left);
    const y = contiguousOutput(b, output);
    const product: Product = { rows, cols, K, epilogue: epilogue(options.activation) };
    const count = w.slice(0, -2).reduce((n, size) => n * size, 1);
    const packed = packMatrix(b, "step", contiguousInput(b, right), product, { col: 4, k: cols * 4 }, count);
    const zeros = b.constant(roundUp(cols, 8) * 4);
    if (count === 1) {
      multiply(b, x, packed, zeros, y.ref, { ...product, rows: pairs.length * rows });
    } else {
      const [aStep, bStep] = pairs[1] as readonly [number, number];
      const even = pairs.every(([p, q], i) => p === i * aStep && q === i * bStep);
      const aBytes = rows * K * 4;
      if (even) multiply(b, x, packed, zeros, y.ref, product, pairs.length, aStep * aBytes, bStep * packed.bytes);
      else {
        pairs.forEach(([p, q], i) => {
          const of = { ...packed, ref: shift(packed.ref, q * packed.bytes) };
          multiply(b, shift(x, p * aBytes), of, zeros, shift(y.ref, i * rows * cols * 4), product);
        });
      }
    }
    y.finish();
  },
});
