// Window operators over any number of axes by their definitions, in float64, for what test/reference.ts has for images only.
// Images are [N, C, spatial…].
import { at, build, type Ref } from "./reference.js";

/** One spatial axis. */
export interface Axis {
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly pads?: readonly [number, number];
  /** Of transposed convolutions. */
  readonly extra?: number;
}

const spatialOf = ({ shape }: Ref) => shape.slice(2);
const product = (sizes: readonly number[]) => sizes.reduce((count, size) => count * size, 1);

/** Every index of a box. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  for (let i = 0; i < product(shape); i++) {
    let rest = i;
    yield [...shape]
      .reverse()
      .map((size) => {
        const index = rest % size;
        rest = Math.floor(rest / size);
        return index;
      })
      .reverse();
  }
}

const span = ({ kernel, dilation = 1 }: Axis) => (kernel - 1) * dilation + 1;

/** How many windows there are; isCeil: a last one may stick out, if it starts inside. */
function outputs(sizes: readonly number[], axes: readonly Axis[], isCeil = false): number[] {
  return axes.map((axis, i) => {
    const { stride = 1, pads: [before, after] = [0, 0] } = axis;
    const free = ((sizes[i] as number) + before + after - span(axis)) / stride;
    const count = (isCeil ? Math.ceil(free) : Math.floor(free)) + 1;
    return isCeil && (count - 1) * stride >= (sizes[i] as number) + before ? count - 1 : count;
  });
}

/** Where a tap of a window lies, one number an axis; undefined outside of the image. */
function place(sizes: readonly number[], axes: readonly Axis[], out: readonly number[], tap: readonly number[]) {
  const found = axes.map(
    ({ stride = 1, dilation = 1, pads: [before] = [0, 0] }, i) =>
      (out[i] as number) * stride + (tap[i] as number) * dilation - before,
  );
  return found.every((p, i) => p >= 0 && p < (sizes[i] as number)) ? found : undefined;
}

export function conv(x: Ref, w: Ref, bias: Ref | null, axes: readonly Axis[], groups = 1): Ref {
  const [filters = 0, perGroup = 0] = w.shape;
  const sizes = spatialOf(x);
  return build([x.shape[0] as number, filters, ...outputs(sizes, axes)], (n = 0, m = 0, ...out) => {
    let sum = bias ? (bias.data[m] as number) : 0;
    const first = Math.floor(m / (filters / groups)) * perGroup;
    for (const tap of indices(axes.map(({ kernel }) => kernel))) {
      const from = place(sizes, axes, out, tap);
      for (let c = 0; from && c < perGroup; c++) sum += at(x, n, first + c, ...from) * at(w, m, c, ...tap);
    }
    return sum;
  });
}

/** Every pixel spread by the weights: w is [C, M/groups, taps…]. */
export function convTranspose(x: Ref, w: Ref, bias: Ref | null, axes: readonly Axis[], groups = 1): Ref {
  const [channels = 0, perGroup = 0] = w.shape;
  const sizes = spatialOf(x);
  const outs = axes.map((axis, i) => {
    const { stride = 1, pads: [before, after] = [0, 0], extra = 0 } = axis;
    return ((sizes[i] as number) - 1) * stride + span(axis) + extra - before - after;
  });
  return build([x.shape[0] as number, perGroup * groups, ...outs], (n = 0, m = 0, ...out) => {
    let sum = bias ? (bias.data[m] as number) : 0;
    const group = Math.floor(m / perGroup);
    for (const tap of indices(axes.map(({ kernel }) => kernel))) {
      const from = axes.map(
        ({ stride = 1, dilation = 1, pads: [before] = [0, 0] }, i) =>
          ((out[i] as number) + before - (tap[i] as number) * dilation) / stride,
      );
      if (from.some((p, i) => !Number.isInteger(p) || p < 0 || p >= (sizes[i] as number))) continue;
      const each = channels / groups;
      for (let c = group * each; c < (group + 1) * each; c++)
        sum += at(x, n, c, ...from) * at(w, c, m % perGroup, ...tap);
    }
    return sum;
  });
}

export interface Pooling {
  readonly isCeil?: boolean;
  /** Averages count the padding. */
  readonly countsPadding?: boolean;
}

/** What a window has inside of the image, with each value's place in [N, C, spatial…]. */
function windows(
  x: Ref,
  axes: readonly Axis[],
  isCeil: boolean,
  f: (found: [number, number][], out: number[]) => number,
): Ref {
  const sizes = spatialOf(x);
  const area = product(sizes);
  return build([...x.shape.slice(0, 2), ...outputs(sizes, axes, isCeil)], (n = 0, c = 0, ...out) => {
    const found: [number, number][] = [];
    for (const tap of indices(axes.map(({ kernel }) => kernel))) {
      const from = place(sizes, axes, out, tap);
      if (!from) continue;
      const inside = from.reduce((offset, p, i) => offset * (sizes[i] as number) + p, 0);
      found.push([at(x, n, c, ...from), (n * (x.shape[1] as number) + c) * area + inside]);
    }
    return f(found, out);
  });
}

export const maxPool = (x: Ref, axes: readonly Axis[], { isCeil = false }: Pooling = {}): Ref =>
  windows(x, axes, isCeil, (found) => Math.max(...found.map(([value]) => value)));

/** The place of each maximum, the first of several. */
export const maxPlaces = (x: Ref, axes: readonly Axis[], { isCeil = false }: Pooling = {}): Ref =>
  windows(x, axes, isCeil, (found) => found.reduce((best, next) => (next[0] > best[0] ? next : best))[1]);

export function avgPool(x: Ref, axes: readonly Axis[], { isCeil = false, countsPadding = false }: Pooling = {}): Ref {
  const sizes = spatialOf(x);
  return windows(x, axes, isCeil, (found, out) => {
    // Padding ends where it ends: a window that sticks out counts less.
    const padded = axes.map(({ kernel, stride = 1, pads: [before, after] = [0, 0] }, i) => {
      const start = (out[i] as number) * stride - before;
      return Math.min(start + kernel, (sizes[i] as number) + after) - start;
    });
    return found.reduce((sum, [value]) => sum + value, 0) / (countsPadding ? product(padded) : found.length);
  });
}
