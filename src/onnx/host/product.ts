// Matrix products, and sums of products over subscripts. Integers are multiplied as numbers: exact up to 2^53.

import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { isBig } from "../../base/spec.js";
import type { Budgeted } from "../file/budget.js";
import type { ElementType } from "../file/element-type.js";
import { roundToType } from "../file/halves.js";
import { numbers, type PlainTensor, reshaped } from "../file/plain-tensor.js";
import { contraction } from "../semantics/einsum.js";
import { broadcastShape } from "../semantics/shapes.js";
import { type HostOp, need } from "./context.js";
import { broadcast, transpose } from "./indexing.js";
import { cast, make } from "./make.js";

/** NumPy's matmul: the last two axes are multiplied, those before broadcast; vectors gain an axis and lose it again. */
export function matmul(
  c: Budgeted,
  first: PlainTensor,
  second: PlainTensor,
  type: ElementType = first.type,
): PlainTensor {
  const isRow = first.shape.length === 1;
  const isColumn = second.shape.length === 1;
  const a = isRow ? reshaped(first, [1, ...first.shape]) : first;
  const b = isColumn ? reshaped(second, [...second.shape, 1]) : second;
  const [rows, inner] = a.shape.slice(-2) as [number, number];
  const [depth, columns] = b.shape.slice(-2) as [number, number];
  if (a.shape.length < 2 || b.shape.length < 2 || inner !== depth) {
    throw new ModelError(`"B" expected ${inner} rows, got ${show([...second.shape])}`);
  }
  const lead = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [x, y] = [broadcast(c, a, [...lead, rows, inner]), broadcast(c, b, [...lead, inner, columns])];
  const out = make(c, type, [...lead, rows, columns]);
  const [p, q, to] = [x.data, y.data, out.data as unknown as (number | bigint)[]] as const;
  const batches = countOf(lead);
  c.budget.spend(batches * rows * columns * inner);
  for (let n = 0; n < batches; n++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < inner; k++)
          sum += Number(p[(n * rows + i) * inner + k]) * Number(q[(n * inner + k) * columns + j]);
        to[(n * rows + i) * columns + j] = isBig(type) ? BigInt(sum) : sum;
      }
    }
  }
  const shape = [...lead, ...(isRow ? [] : [rows]), ...(isColumn ? [] : [columns])];
  return roundToType(reshaped(out, shape));
}

const gemm: HostOp = (c, first, second, third) => {
  const turn = (t: PlainTensor, name: string) => (c.int(name, 0) === 1 ? transpose(c, t, [1, 0]) : t);
  const product = matmul(c, turn(need(first, "A"), "transA"), turn(need(second, "B"), "transB"));
  const [alpha, beta] = [c.float("alpha", 1), c.float("beta", 1)];
  const bias = third && numbers(broadcast(c, cast(c, third, product.type), product.shape));
  const data = numbers(product);
  if (isBig(product.type)) throw new UnsupportedError(`"A" expected at most 32 bits, got ${product.type}`);
  for (let i = 0; i < data.length; i++) data[i] = alpha * (data[i] as number) + beta * (bias?.[i] ?? 0);
  return roundToType(product);
};

/** Sums of products, an element of the output at a time. */
const einsum: HostOp = (c, ...inputs) => {
  const given = inputs.map((t) => need(t, "Inputs"));
  const { terms, output, sizes } = contraction(
    c,
    given.map(({ shape }) => shape),
  );
  const summed = [...sizes.keys()].filter((letter) => !output.includes(letter));
  const order = [...output, ...summed];
  const extents = order.map((letter) => sizes.get(letter) as number);
  const strides = given.map((t, i) =>
    order.map((letter) =>
      (terms[i] as readonly string[]).reduce(
        (stride, own, axis) =>
          own === letter && t.shape[axis] !== 1 ? stride + countOf(t.shape.slice(axis + 1)) : stride,
        0,
      ),
    ),
  );
  const shape = output.map((letter) => sizes.get(letter) as number);
  const out = make(c, (given[0] as PlainTensor).type, shape);
  const inner = countOf(extents.slice(output.length));
  const total = countOf(extents);
  c.budget.spend(total * given.length);
  const sums = numbers(make(c, "float64", out.shape)) as unknown as Float64Array;
  const places = given.map(() => 0);
  const index = extents.map(() => 0);
  for (let i = 0; i < total; i++) {
    let product = 1;
    for (let operand = 0; operand < places.length; operand++)
      product *= Number((given[operand] as PlainTensor).data[places[operand] as number]);
    const to = Math.floor(i / inner);
    sums[to] = (sums[to] as number) + product;
    for (let d = order.length - 1; d >= 0; d--) {
      const isDone = ++(index[d] as number) === extents[d];
      const steps = isDone ? 1 - (extents[d] as number) : 1;
      for (let operand = 0; operand < places.length; operand++)
        (places[operand] as number) += steps * ((strides[operand] as number[])[d] as number);
      if (!isDone) break;
      index[d] = 0;
    }
  }
  return cast(c, { type: "float64", shape: out.shape, data: sums }, out.type);
};

export const PRODUCT: Readonly<Record<string, HostOp>> = {
  MatMul: (c, a, b) => matmul(c, need(a, "A"), need(b, "B")),
  Gemm: gemm,
  Einsum: einsum,
};
