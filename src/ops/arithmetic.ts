// Arithmetic of elements with numpy's broadcasting, and prelu, which is one more of it: one kernel, seven codes.
import { type Broadcast, type BroadcastLoop, broadcast } from "../base/broadcast.js";
import { sameShape } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import { makeSpec } from "../base/spec.js";
import { BINARY_SPARE_BYTES, BinaryCode, CHUNK } from "../kernels/gen/constants.js";
import { BinaryDesc } from "../kernels/gen/desc.js";
import type { Builder } from "../plan/builder.js";
import type { Operand } from "../plan/operand.js";
import { defineOperator, requireFloat } from "./operator.js";
import { type Activation, type Epilogue, epilogue } from "./parts/epilogue.js";

/** Of add, sub, mul, div, maximum and minimum. */
export interface ArithmeticOptions {
  /** Applied to the result before it is stored; default none. */
  readonly activation?: Activation;
}

function lowerBinary(
  b: Builder,
  operation: number,
  [left, right]: readonly [Operand, Operand],
  { loops }: Broadcast,
  end: Epilogue,
): void {
  const inner = loops.at(-1) as BroadcastLoop;
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
    yPtr: b.output.ref,
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
    ...end,
  };
  b.step(
    "binary_f32",
    BinaryDesc,
    values,
    outer.reduce((items, loop) => items * loop.size, chunks),
    // A chunk of each operand.
    inner.aStride === 1 && inner.bStride === 1 ? 0 : 2 * (chunkCols * 4 + BINARY_SPARE_BYTES),
  );
}

function arithmetic<const Name extends keyof typeof BinaryCode>(name: Name) {
  return defineOperator({
    name,
    inputs: ["a", "b"],
    options: ["activation"],
    infer({ a, b }, options: ArithmeticOptions) {
      requireFloat("a", a);
      requireFloat("b", b);
      const walk = broadcast(a, b);
      const output = makeSpec(walk.shape, "float32", walk.memoryFormat, "output");
      return { outputs: [output], inPlace: ["a", "b"], walk, epilogue: epilogue(options.activation) };
    },
    lower(builder, { a, b }, { walk, epilogue: end }) {
      lowerBinary(builder, BinaryCode[name], [a, b], walk, end);
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
  infer({ input, slope }) {
    requireFloat("input", input);
    requireFloat("slope", slope);
    const { shape } = input;
    const [length = 1, ...more] = slope.shape;
    const perChannel = more.length === 0 && length > 1 && shape.length > 1;
    // [C] is [C, 1, ..., 1] against [N, C, ...].
    const spec = perChannel ? makeSpec([length, ...shape.slice(2).map(() => 1)]) : slope;
    const walk = broadcast(input, spec);
    if (!sameShape(walk.shape, shape)) {
      throw new ShapeError(`"slope" expected a shape that broadcasts to ${show(shape)}, got ${show(slope.shape)}`);
    }
    return { outputs: [makeSpec(walk.shape, "float32", walk.memoryFormat, "output")], inPlace: ["input"], walk };
  },
  lower(b, { input, slope }, { walk }) {
    lowerBinary(b, BinaryCode.prelu, [input, slope], walk, epilogue(undefined));
  },
});
