// Matrix products of two run-time operands, batches broadcast. B is packed by a step of every run.
import { type BroadcastLoop, broadcast } from "../base/broadcast.js";
import { ShapeError, show, UnsupportedError } from "../base/errors.js";
import { countOf, roundUp } from "../base/shape.js";
import { makeSpec } from "../base/spec.js";
import { PANEL } from "../kernels/gen/constants.js";
import { shift } from "../plan/operand.js";
import type { LinearOptions } from "./linear.js";
import { defineOperator, outputSpec, requireFloat } from "./operator.js";
import { epilogue } from "./parts/epilogue.js";
import { type Batch, multiply, type Product, packMatrix } from "./parts/matrix-product.js";
import { contiguousInput, contiguousOutput } from "./parts/strided.js";

/** Kernel calls of one matmul, where no single loop walks its batches: half a megabyte of descriptors. */
const MOST_CALLS = 4096;

/** The longest loop over batches goes into the kernel; every index of the others is a call of its own. */
function products(loops: readonly BroadcastLoop[]): { longest: Batch; calls: readonly Omit<Batch, "size">[] } {
  let c = countOf(loops.map((loop) => loop.size));
  const batches = loops.map(({ size, aStride, bStride }): Batch => {
    c /= size;
    return { size, a: aStride, b: bStride, c };
  });
  const longest = batches.reduce((most, batch) => (batch.size > most.size ? batch : most));
  const others = batches.filter((batch) => batch !== longest);
  const count = countOf(others.map((batch) => batch.size));
  if (count > MOST_CALLS) {
    throw new UnsupportedError(`"b" expected batch axes that broadcast in at most ${MOST_CALLS} calls, got ${count}`);
  }
  let calls = [{ a: 0, b: 0, c: 0 }];
  for (const { size, a, b, c } of others) {
    calls = calls.flatMap((at) =>
      Array.from({ length: size }, (_, i) => ({ a: at.a + i * a, b: at.b + i * b, c: at.c + i * c })),
    );
  }
  return { longest, calls };
}

export const matmul = defineOperator({
  name: "matmul",
  inputs: ["a", "b"],
  options: ["activation"],
  infer({ a: left, b: right }, options: LinearOptions) {
    requireFloat("a", left);
    requireFloat("b", right);
    if (left.shape.length === 0) throw new ShapeError(`"a" expected rank >= 1, got []`);
    if (right.shape.length === 0) throw new ShapeError(`"b" expected rank >= 1, got []`);
    // A vector is a row on the left, a column on the right; its axis is taken off the result again.
    const rowVector = left.shape.length === 1;
    const columnVector = right.shape.length === 1;
    const a = rowVector ? [1, ...left.shape] : left.shape;
    const w = columnVector ? [...right.shape, 1] : right.shape;
    const [rows, K] = a.slice(-2) as [number, number];
    const [depth, cols] = w.slice(-2) as [number, number];
    if (depth !== K)
      throw new ShapeError(`"b" expected ${K} rows to go with a of ${show(left.shape)}, got ${show(right.shape)}`);
    const { shape: batch, loops } = broadcast(makeSpec(a.slice(0, -2)), makeSpec(w.slice(0, -2)));
    const shape = [...batch, ...(rowVector ? [] : [rows]), ...(columnVector ? [] : [cols])];
    const like = left.shape.length >= right.shape.length ? left : right;
    const output = shape.length < 3 ? makeSpec(shape, "float32", "contiguous", "output") : outputSpec(shape, like);
    const product: Product = { rows, cols, K, epilogue: epilogue(options.activation) };
    const matrices = countOf(w.slice(0, -2));
    return { outputs: [output], macs: countOf(batch) * rows * cols * K, product, matrices, ...products(loops) };
  },
  lower(b, { a: left, b: right }, { product, matrices, longest, calls }) {
    const { rows, cols, K } = product;
    const x = contiguousInput(b, left);
    const y = contiguousOutput(b, b.output);
    const packed = packMatrix(b, "step", contiguousInput(b, right), product, { col: 4, k: cols * 4 }, matrices);
    const zeros = b.constant(roundUp(cols, PANEL) * 4);
    for (const at of calls) {
      multiply(
        b,
        shift(x, at.a * rows * K * 4),
        { ...packed, ref: shift(packed.ref, at.b * packed.bytes) },
        zeros,
        shift(y.ref, at.c * rows * cols * 4),
        product,
        longest,
      );
    }
    y.finish();
  },
});
