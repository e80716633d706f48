// Arithmetic, comparisons and choices by element of any type, broadcast: see assembly/kernels/typed.ts.
import { broadcastShape } from "../../base/broadcast.js";
import { ShapeError, UnsupportedError } from "../../base/errors.js";
import { axisOrder, DTYPES, type DType, makeSpec, stridesOf, type TensorSpec } from "../../base/spec.js";
import { BINARY_SPARE_BYTES, CHUNK } from "../../kernels/gen/constants.js";
import { ElementCode } from "../../kernels/gen/rare/element-code.js";
import { TypedCode } from "../../kernels/gen/rare/typed-code.js";
import { TypedDesc } from "../../kernels/gen/rare/typed-desc.js";
import { defineOperator, type Operator } from "../../ops/operator.js";
import type { Builder } from "../../plan/builder.js";
import type { Operand } from "../../plan/operand.js";

export type TypedName = keyof typeof TypedCode;

/** One loop: so many steps, and elements from one to the next in each operand. */
interface Loop {
  readonly size: number;
  readonly strides: readonly number[];
}

/** The fewest loops over operands that are repeated along axes, in the order of a result that lies as the first whole one of them. */
function walk(specs: readonly TensorSpec[]) {
  const shape = specs.map((spec) => spec.shape).reduce(broadcastShape);
  const whole = specs.find((spec) => spec.shape.join() === shape.join());
  const memoryFormat = whole?.memoryFormat ?? "contiguous";
  const strides = specs.map((spec) => {
    const own = stridesOf(spec).map((stride, axis) => (spec.shape[axis] === 1 ? 0 : stride));
    return [...new Array<number>(shape.length - own.length).fill(0), ...own];
  });
  const loops: Loop[] = [];
  for (const axis of axisOrder(shape.length, memoryFormat)) {
    const loop = { size: shape[axis] as number, strides: strides.map((own) => own[axis] as number) };
    if (loop.size === 1) continue;
    const outer = loops.at(-1);
    if (outer?.strides.every((stride, i) => stride === (loop.strides[i] as number) * loop.size))
      loops[loops.length - 1] = { ...loop, size: outer.size * loop.size };
    else loops.push(loop);
  }
  return { shape, memoryFormat, loops: loops.length > 0 ? loops : [{ size: 1, strides: specs.map(() => 1) }] };
}

const CODES: Readonly<Partial<Record<DType, number>>> = {
  float32: ElementCode.float32,
  int32: ElementCode.int32,
  int64: ElementCode.int64,
  uint8: ElementCode.uint8,
  int8: ElementCode.int8,
  bool: ElementCode.uint8,
};

/** How kernels call an element type. Throws UnsupportedError for one that they do not know. */
export function elementCode(dtype: DType): number {
  const code = CODES[dtype];
  if (code === undefined)
    throw new UnsupportedError(`"dtype" expected one of ${Object.keys(CODES).join(", ")}, got ${dtype}`);
  return code;
}

function emit(b: Builder, operation: number, operands: readonly Operand[], loops: readonly Loop[]): void {
  const [first, second, third = first] = operands as [Operand, Operand, Operand?];
  const sizes = [first, second, third].map(({ spec }) => DTYPES[spec.dtype].BYTES_PER_ELEMENT);
  const bytes = ({ strides }: Loop, i: number) => (strides[i] ?? 0) * (sizes[i] as number);
  const inner = loops.at(-1) as Loop;
  const next = loops.at(-2) ?? { size: 1, strides: [0, 0, 0] };
  const chunkCols = Math.min(inner.size, CHUNK);
  // Short runs by as many of the next loop as divide it.
  let rows = Math.max(1, Math.min(next.size, Math.floor(CHUNK / inner.size)));
  while (next.size % rows !== 0) rows--;
  const outer = [
    ...loops.slice(0, -2),
    { size: next.size / rows, strides: next.strides.map((stride) => stride * rows) },
  ];
  const chunks = Math.ceil(inner.size / chunkCols);
  const table = [...outer].reverse().flatMap((loop) => [loop.size, bytes(loop, 0), bytes(loop, 1), bytes(loop, 2)]);
  const values = {
    aPtr: first.ref,
    bPtr: second.ref,
    cPtr: third.ref,
    yPtr: b.output.ref,
    loopsPtr: b.table(Int32Array.from(table)),
    operation,
    type: elementCode(first.spec.dtype),
    cols: inner.size,
    aStepBytes: bytes(inner, 0),
    bStepBytes: bytes(inner, 1),
    cStepBytes: bytes(inner, 2),
    rows,
    aRowBytes: bytes(next, 0),
    bRowBytes: bytes(next, 1),
    cRowBytes: bytes(next, 2),
    chunks,
    chunkCols,
  };
  const items = outer.reduce((count, { size }) => count * size, chunks);
  b.step("typed_binary", TypedDesc, values, items, 2 * (chunkCols * 4 + BINARY_SPARE_BYTES));
}

/** a op b; Where takes its condition last. */
export function typed(name: TypedName, label: string = name): Operator {
  const isTruth = TypedCode[name] <= TypedCode.Xor;
  return defineOperator({
    name: label,
    inputs: name === "Where" ? ["a", "b", "condition"] : ["a", "b"],
    infer(operands: Readonly<Record<string, TensorSpec>>) {
      const specs = Object.values(operands);
      const { a, b } = operands as { a: TensorSpec; b: TensorSpec };
      if (a.dtype !== b.dtype) throw new ShapeError(`"b" expected ${a.dtype}, got ${b.dtype}`);
      elementCode(a.dtype);
      const { shape, memoryFormat, loops } = walk(specs);
      const dtype = isTruth ? "bool" : a.dtype;
      return { outputs: [makeSpec(shape, dtype, memoryFormat, "output")], loops };
    },
    lower(b, operands, { loops }) {
      emit(b, TypedCode[name], Object.values(operands), loops);
    },
  });
}
