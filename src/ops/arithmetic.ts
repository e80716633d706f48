// Arithmetic of elements with numpy's broadcasting, and prelu, which is one more of it: one kernel, seven codes.
import { type Broadcast, broadcast, type Loop } from "../base/broadcast.js";
import { sameShape } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import { makeSpec } from "../base/spec.js";
import { BinaryDesc } from "../kernels/gen/desc.js";
import type { Builder } from "../plan/builder.js";
import type { Operand } from "../plan/operand.js";
import { defineOperator, requireFloat } from "./operator.js";
import { type Activation, epilogue } from "./parts/epilogue.js";

/** Codes of assembly/elementwise.ts. */
const OPERATIONS = { add: 0, sub: 1, mul: 2, div: 3, prelu: 4, maximum: 5, minimum: 6 } as const;
/** Longest run of a work item, in elements: 24 KB of both operands and the output. */
const CHUNK = 2048;

/** Of add, sub, mul, div, maximum and minimum. */
export interface ArithmeticOptions {
  /** Applied to the result before it is stored; default none. */
  readonly activation?: Activation;
}

function lowerBinary(
  b: Builder,
  operation: number,
  [left, right]: readonly [Operand, Operand],
  { shape, memoryFormat, loops }: Broadcast,
  activation: Activation | undefined,
): void {
  const output = b.output(makeSpec(shape, "float32", memoryFormat, "output"));
  b.inPlace = [0, 1];
  const inner = loops.at(-1) as Loop;
  const chunkCols = Math.min(inner.size, CHUNK);
  const chunks = Math.ceil(inner.size / chunkCols);
  // Short runs by as many of the next loop as divide it.
  const next = loops.at(-2) ?? { size: 1, aStride: 0, bStride: 0 };
  let rows = Math.max(1, Math.min(next.size, Math.floor(CHUNK / inner.size)));
  while (next.size % rows !== 0) rows--;
  const blocks = { size: next.size / rows, aStride: next.aStride * rows, bStride: next.bStride * rows };
  const outer = [...loops.slice(0, -2), blocks];
  const values = {
    aPtr: left.ref,
    bPtr: right.ref,
    yPtr: output.ref,
    loopsPtr: b.table(
      Int32Array.from([...outer].reverse().flatMap((loop) => [loop.size, loop.aStride * 4, loop.bStride * 4])),
    ),
    operation,
    cols: inner.size,
    aStepBytes: inner.aStride * 4,
    bStepBytes: inner.bStride * 4,
    rows,
    aRowBytes: next.aStride * 4,
    bRowBytes: next.bStride * 4,
    chunks,
    chunkCols,
    ...epilogue(activation),
  };
  b.step(
    "binary_f32",
    BinaryDesc,
    values,
    outer.reduce((items, loop) => items * loop.size, chunks),
    // A chunk of each operand, and a vector behind each.
    inner.aStride === 1 && inner.bStride === 1 ? 0 : 2 * (chunkCols * 4 + 16),
  );
}

function arithmetic<const Name extends keyof typeof OPERATIONS>(name: Name) {
  return defineOperator({
    name,
    inputs: ["a", "b"],
    params: [],
    required: 0,
    options: ["activation"],
    lower(b: Builder, options: ArithmeticOptions) {
      const [left, right] = b.inputs as unknown as readonly [Operand, Operand];
      requireFloat("a", left.spec);
      requireFloat("b", right.spec);
      lowerBinary(b, OPERATIONS[name], [left, right], broadcast(left.spec, right.spec), options.activation);
    },
  });
}

export const add = arithmetic("add");
export const sub = arithmetic("sub");
export const mul = arithmetic("mul");
export const div = arithmetic("div");
export const maximum = arithmetic("maximum");
export const minimum = arithmetic("minimum");

export const prelu = defineOperator({
  name: "prelu",
  inputs: ["input"],
  params: ["slope"],
  required: 1,
  options: [],
  lower(b) {
    const [input] = b.inputs as unknown as readonly [Operand];
    const [slope] = b.params as unknown as readonly [Operand];
    requireFloat("input", input.spec);
    requireFloat("slope", slope.spec);
    const { shape } = input.spec;
    const [length = 1, ...more] = slope.spec.shape;
    const perChannel = more.length === 0 && length > 1 && shape.length > 1;
    // [C] is [C, 1, ..., 1] against [N, C, ...].
    const spec = perChannel ? makeSpec([length, ...shape.slice(2).map(() => 1)]) : slope.spec;
    const plan = broadcast(input.spec, spec);
    if (!sameShape(plan.shape, shape)) {
      throw new ShapeError(`"slope" expected a shape that broadcasts to ${show(shape)}, got ${show(slope.spec.shape)}`);
    }
    lowerBinary(b, OPERATIONS.prelu, [input, slope], plan, undefined);
  },
});
