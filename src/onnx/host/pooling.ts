// Pooling over any number of spatial axes, for the shapes and element types that no kernel does. Images are [N, C, spatial…].
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Budgeted } from "../file/budget.js";
import { roundToType } from "../file/halves.js";
import { int64s, numbers, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { perAxis, type WindowAxis, windowAxes } from "../semantics/windows.js";
import { type Context, type HostOp, need } from "./context.js";
import { elementStrides, toIndices } from "./indexing.js";
import { make } from "./make.js";
import { positions } from "./taps.js";

/** The windows of a pooling operator. */
function poolAxes(c: Context, x: PlainTensor): WindowAxis[] {
  const spatial = x.shape.slice(2);
  const kernel = c.ints("kernel_shape");
  if (kernel === undefined || kernel.length !== spatial.length || spatial.length === 0) {
    throw new ModelError(`"kernel_shape" expected ${spatial.length} numbers, got ${show(kernel && [...kernel])}`);
  }
  return windowAxes(c, spatial, kernel);
}

function pool(
  c: Budgeted,
  x: PlainTensor,
  axes: readonly WindowAxis[],
  f: (plane: Float32Array, taps: Int32Array, output: number) => number,
): PlainTensor {
  const [n = 0, channels = 0] = x.shape;
  const { table, outs, taps } = positions(c, axes);
  const out = make(c, x.type, [n, channels, ...axes.map((axis) => axis.out)]);
  c.budget.spend(n * channels * outs * taps);
  const area = countOf(x.shape.slice(2));
  for (let plane = 0; plane < n * channels; plane++) {
    const from = numbers(x).subarray(plane * area, (plane + 1) * area);
    for (let o = 0; o < outs; o++)
      numbers(out)[plane * outs + o] = f(from, table.subarray(o * taps, (o + 1) * taps), o);
  }
  return roundToType(out);
}

const maxPool: HostOp = (c, input) => {
  const x = need(input, "X");
  const axes = poolAxes(c, x);
  const area = countOf(x.shape.slice(2));
  const isColumnMajor = c.int("storage_order", 0) === 1;
  const strides = elementStrides(x.shape.slice(2));
  const turned = elementStrides([...x.shape.slice(2)].reverse()).reverse();
  const found: number[] = [];
  let count = 0;
  const outs = countOf(axes.map((axis) => axis.out));
  const out = pool(c, x, axes, (plane, taps) => {
    let best = -1;
    for (const at of taps)
      if (at >= 0 && (best < 0 || (plane[at] as number) > (plane[best] as number) || Number.isNaN(plane[at])))
        best = at;
    if (c.outputs > 1) {
      const index = isColumnMajor
        ? strides.reduce(
            (sum, stride, d) => sum + (Math.floor(best / stride) % (x.shape[2 + d] as number)) * (turned[d] as number),
            0,
          )
        : best;
      found.push(Math.floor(count++ / outs) * area + index);
    }
    return best < 0 ? -Infinity : (plane[best] as number);
  });
  return c.outputs > 1 ? [out, int64s(found, out.shape)] : out;
};

const averagePool: HostOp = (c, input) => {
  const x = need(input, "X");
  const axes = poolAxes(c, x);
  const isPadCounted = c.int("count_include_pad", 0) === 1;
  const outStrides = elementStrides(axes.map((axis) => axis.out));
  return pool(c, x, axes, (plane, taps, output) => {
    let sum = 0;
    let count = 0;
    for (const at of taps) {
      if (at < 0) continue;
      sum += plane[at] as number;
      count++;
    }
    if (isPadCounted) {
      // Padding counts, but not what ceil_mode reaches behind it.
      count = axes.reduce((product, axis, d) => {
        const start = (Math.floor(output / (outStrides[d] as number)) % axis.out) * axis.stride - axis.before;
        const limit = axis.size + axis.after;
        return (
          product *
          Array.from({ length: axis.taps }, (_, t) => start + t * axis.dilation).filter((p) => p < limit).length
        );
      }, 1);
    }
    return sum / count;
  });
};

const lpPool: HostOp = (c, input) => {
  const x = need(input, "X");
  const p = c.int("p", 2);
  return pool(c, x, poolAxes(c, x), (plane, taps) => {
    let sum = 0;
    for (const at of taps) if (at >= 0) sum += Math.abs(plane[at] as number) ** p;
    return sum ** (1 / p);
  });
};

function globalPool(f: (plane: Float32Array) => number): HostOp {
  return (c, input) => {
    const x = need(input, "X");
    const area = countOf(x.shape.slice(2));
    const out = make(
      c,
      x.type,
      x.shape.map((size, i) => (i < 2 ? size : 1)),
    );
    for (let i = 0; i < out.data.length; i++) numbers(out)[i] = f(numbers(x).subarray(i * area, (i + 1) * area));
    return roundToType(out);
  };
}

const maxUnpool: HostOp = (c, input, indices, shapeInput) => {
  const x = need(input, "X");
  const at = toIndices(need(indices, "I"));
  const spatial = x.shape.slice(2);
  const kernel = perAxis(c, "kernel_shape", spatial.length, 1);
  const strides = perAxis(c, "strides", spatial.length, 1);
  const pads = perAxis(c, "pads", 2 * spatial.length, 0);
  const inferred = spatial.map(
    (size, i) =>
      (size - 1) * (strides[i] as number) +
      (kernel[i] as number) -
      (pads[i] as number) -
      (pads[spatial.length + i] as number),
  );
  const shape = shapeInput === undefined ? [...x.shape.slice(0, 2), ...inferred] : toNumbers(shapeInput);
  const out = make(c, x.type, shape);
  // Indices count elements of the output that the attributes imply; a larger output_shape keeps rows and columns apart.
  const implied = [...x.shape.slice(0, 2), ...inferred];
  const [from, to] = [elementStrides(implied), elementStrides(shape)];
  const isImplied = shape.join() === implied.join();
  const [values, answers] = [numbers(x), numbers(out)];
  for (let i = 0; i < at.length; i++) {
    const index = at[i] as number;
    const target = isImplied
      ? index
      : from.reduce(
          (sum, stride, d) => sum + (Math.floor(index / stride) % (implied[d] as number)) * (to[d] as number),
          0,
        );
    if (!(target >= 0 && target < answers.length))
      throw new ModelError(`"I" expected indices below ${answers.length}, got ${index}`);
    answers[target] = values[i] as number;
  }
  return out;
};

export const POOLING: Readonly<Record<string, HostOp>> = {
  MaxPool: maxPool,
  MaxPoolOfPlaces: maxPool, // what a form of it is made of
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalMaxPool: globalPool((plane) => plane.reduce((a, b) => Math.max(a, b), -Infinity)),
  GlobalAveragePool: globalPool((plane) => plane.reduce((a, b) => a + b, 0) / plane.length),
  GlobalLpPool: (c, x) =>
    globalPool((plane) => plane.reduce((a, b) => a + Math.abs(b) ** c.int("p", 2), 0) ** (1 / c.int("p", 2)))(c, x),
  MaxUnpool: maxUnpool,
};
