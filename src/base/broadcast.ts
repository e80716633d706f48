// numpy's broadcasting, worked out to the fewest nested loops over memory. Pure.
import type { Shape } from "./check.js";
import { ShapeError, show } from "./errors.js";
import { axisOrder, type MemoryFormat, stridesOf, type TensorSpec } from "./spec.js";

/** One loop: so many steps, each so many elements further in both operands. */
export interface BroadcastLoop {
  readonly size: number;
  readonly aStride: number;
  readonly bStride: number;
}

export interface Broadcast {
  readonly shape: Shape;
  readonly memoryFormat: MemoryFormat;
  /** Slowest first, at least one; together they walk the output in memory order. */
  readonly loops: readonly BroadcastLoop[];
}

/** Shapes are aligned at their last axis; a missing axis or one of size 1 is repeated. Throws ShapeError. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const sizeA = a[axis - rank + a.length] ?? 1;
    const sizeB = b[axis - rank + b.length] ?? 1;
    if (sizeA === sizeB || sizeB === 1) return sizeA;
    if (sizeA === 1) return sizeB;
    throw new ShapeError(`"shapes" expected to broadcast to each other, got ${show(a)} and ${show(b)}`);
  });
}

/**
 * The output lies as the first operand that has its shape, or else its rank; a smaller one doesn't set the order of a
 * larger.
 */
export function broadcast(a: TensorSpec, b: TensorSpec): Broadcast {
  const shape = broadcastShape(a.shape, b.shape);
  const isWhole = ({ shape: own }: TensorSpec) =>
    own.length === shape.length && own.every((size, i) => size === shape[i]);
  const like = [a, b].find(isWhole) ?? [a, b].find((operand) => operand.shape.length === shape.length);
  const memoryFormat = shape.length < 3 || like === undefined ? "contiguous" : like.memoryFormat;
  const aStrides = stretchedStrides(a, shape.length);
  const bStrides = stretchedStrides(b, shape.length);
  const loops: BroadcastLoop[] = [];
  for (const axis of axisOrder(shape.length, memoryFormat)) {
    const loop = { size: shape[axis] as number, aStride: aStrides[axis] as number, bStride: bStrides[axis] as number };
    if (loop.size === 1) continue;
    const outer = loops.at(-1);
    // One loop does for two where the outer step is the whole of the inner walk, in both operands.
    if (outer && outer.aStride === loop.aStride * loop.size && outer.bStride === loop.bStride * loop.size) {
      loops[loops.length - 1] = { ...loop, size: outer.size * loop.size };
    } else loops.push(loop);
  }
  return { shape, memoryFormat, loops: loops.length > 0 ? loops : [{ size: 1, aStride: 1, bStride: 1 }] };
}

/** The element stride of every output axis in an operand; 0 where it is repeated. */
function stretchedStrides(operand: TensorSpec, rank: number): readonly number[] {
  const strides = stridesOf(operand).map((stride, axis) => (operand.shape[axis] === 1 ? 0 : stride));
  return [...new Array<number>(rank - strides.length).fill(0), ...strides];
}
