// Shapes that operators ask for: pure numbers.
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Attributes } from "./attributes.js";

/** The shape that Reshape means: 0 copies a size (unless allowZero), -1 takes what is left. */
export function reshapeTo(from: readonly number[], wanted: readonly number[], allowZero: boolean): number[] {
  const shape = wanted.map((size, i) => (size === 0 && !allowZero ? (from[i] ?? 0) : size));
  const open = shape.indexOf(-1);
  if (open >= 0) {
    const rest = shape.reduce((product, size, i) => (i === open ? product : product * size), 1);
    shape[open] = rest === 0 ? 0 : countOf(from) / rest;
  }
  if (!shape.every((size) => Number.isInteger(size) && size >= 0) || countOf(shape) !== countOf(from)) {
    throw new ModelError(`"shape" expected the element count of ${show([...from])}, got ${show([...wanted])}`);
  }
  return shape;
}

/** Axes of size 1 put into a shape. */
export function unsqueezeTo(c: Attributes, from: readonly number[], wanted: readonly number[]): number[] {
  const rank = from.length + wanted.length;
  const axes = c.axes("axes", wanted, rank);
  const rest = [...from];
  return Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (rest.shift() as number)));
}

export function squeezeTo(c: Attributes, from: readonly number[], wanted: readonly number[] | undefined): number[] {
  if (wanted === undefined) return from.filter((size) => size !== 1);
  const axes = c.axes("axes", wanted, from.length);
  for (const axis of axes) {
    if (from[axis] !== 1)
      throw new ModelError(`"axes" expected axes of size 1, got axis ${axis} of ${show([...from])}`);
  }
  return from.filter((_, i) => !axes.includes(i));
}

export function flattenTo(c: Attributes, from: readonly number[]): number[] {
  const given = c.int("axis", 1);
  const axis = given === from.length ? given : c.axis("axis", given, from.length);
  return [countOf(from.slice(0, axis)), countOf(from.slice(axis))];
}

/** The sizes of the parts of an axis. */
export function splitSizes(c: Attributes, size: number, given: readonly number[] | undefined): readonly number[] {
  if (given !== undefined) {
    if (given.reduce((a, b) => a + b, 0) !== size || given.some((part) => part < 0)) {
      throw new ModelError(`"split" expected sizes that add up to ${size}, got ${show([...given])}`);
    }
    return given;
  }
  const parts = c.int("num_outputs", c.node.outputs.length);
  const part = Math.ceil(size / parts);
  if (parts < 1 || part * (parts - 1) > size)
    throw new ModelError(`"num_outputs" expected at most ${size} parts, got ${parts}`);
  return Array.from({ length: parts }, (_, i) => Math.min(part, size - part * i));
}

/** The shape that all broadcast to, as NumPy has it. Throws ModelError. */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const shape of shapes) {
      const own = shape[i - rank + shape.length] ?? 1;
      if (own !== 1 && size !== 1 && own !== size) {
        throw new ModelError(
          `"shape" expected shapes that broadcast, got ${shapes.map((s) => show([...s])).join(" and ")}`,
        );
      }
      if (own !== 1) size = own;
    }
    return size;
  });
}
