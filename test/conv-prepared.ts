// The operands of a convolution case, and its sums in float64: worked out once for all algorithms, formats and binaries.
import { type ConvCase, convShapes } from "./cases.js";
import { fill } from "./random.js";
import { conv2d, conv2dMagnitude, type Ref } from "./reference.js";
import { refOf } from "./tensors.js";

export interface PreparedConv {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly b: Float32Array | null;
  /** Before the activation. */
  readonly sums: Ref;
  readonly magnitude: Ref;
}

const known = new Map<ConvCase, PreparedConv>();

export function preparedConv(c: ConvCase): PreparedConv {
  const found = known.get(c);
  if (found) return found;
  const shapes = convShapes(c);
  const x = fill(shapes.x, `${c.name} x`);
  const w = fill(shapes.weight, `${c.name} w`);
  const b = c.bias ? fill(shapes.bias, `${c.name} b`) : null;
  const operands = [refOf(x, shapes.x), refOf(w, shapes.weight), b && refOf(b, shapes.bias), shapes.options] as const;
  const made = { x, w, b, sums: conv2d(...operands), magnitude: conv2dMagnitude(...operands) };
  known.set(c, made);
  return made;
}
