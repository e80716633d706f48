// Convolution over any number of spatial axes, for the shapes and element types that no kernel does. Sums in float64. Images are
// [N, C, spatial…], weights [M, C/groups, taps…].
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { roundToType } from "../file/halves.js";
import { numbers, type PlainTensor } from "../file/plain-tensor.js";
import { patchesOf } from "../semantics/sampling.js";
import { transposedAxes, type WindowAxis, windowAxes } from "../semantics/windows.js";
import { type Context, type HostOp, need } from "./context.js";
import { elementStrides } from "./indexing.js";
import { make } from "./make.js";
import { positions } from "./taps.js";

function requireBias(bias: PlainTensor | undefined, filters: number): void {
  if (bias && countOf(bias.shape) !== filters)
    throw new ModelError(`"B" expected ${filters} values, got ${show([...bias.shape])}`);
}

export function convolve(c: Context, x: PlainTensor, w: PlainTensor, bias: PlainTensor | undefined): PlainTensor {
  const [n = 0, channels = 0, ...spatial] = x.shape;
  const [filters = 0, perGroup = 0, ...kernel] = w.shape;
  const groups = c.int("group", 1);
  if (
    spatial.length < 1 ||
    kernel.length !== spatial.length ||
    perGroup * groups !== channels ||
    filters % groups !== 0
  ) {
    throw new ModelError(
      `"W" expected [M, ${channels}/${groups}, taps…] for ${show([...x.shape])}, got ${show([...w.shape])}`,
    );
  }
  requireBias(bias, filters);
  const axes = windowAxes(c, spatial, kernel);
  const { table, outs, taps } = positions(c, axes);
  const out = make(c, x.type, [n, filters, ...axes.map((axis) => axis.out)]);
  c.budget.spend(n * filters * outs * taps * perGroup);
  const [from, weights, to] = [numbers(x), numbers(w), numbers(out)];
  const area = countOf(spatial);
  const each = filters / groups;
  for (let b = 0; b < n; b++) {
    for (let m = 0; m < filters; m++) {
      const first = Math.floor(m / each) * perGroup;
      for (let o = 0; o < outs; o++) {
        let sum = bias === undefined ? 0 : (numbers(bias)[m] as number);
        for (let t = 0; t < taps; t++) {
          const at = table[o * taps + t] as number;
          if (at < 0) continue;
          for (let k = 0; k < perGroup; k++) {
            sum +=
              (from[(b * channels + first + k) * area + at] as number) *
              (weights[(m * perGroup + k) * taps + t] as number);
          }
        }
        to[(b * filters + m) * outs + o] = sum;
      }
    }
  }
  return roundToType(out);
}

export const conv: HostOp = (c, x, w, b) => convolve(c, need(x, "X"), need(w, "W"), b);

const convTranspose: HostOp = (c, input, weight, bias) => {
  const x = need(input, "X");
  const w = need(weight, "W");
  const [n = 0, channels = 0, ...spatial] = x.shape;
  const [rows = 0, each = 0, ...kernel] = w.shape;
  const groups = c.int("group", 1);
  if (rows !== channels || kernel.length !== spatial.length || channels % groups !== 0) {
    throw new ModelError(`"W" expected [${channels}, M/${groups}, taps…], got ${show([...w.shape])}`);
  }
  requireBias(bias, each * groups);
  const axes = transposedAxes(c, spatial, kernel);
  const outSpatial = axes.map((axis) => axis.out);
  const outs = countOf(outSpatial);
  const filters = each * groups;
  const sums = numbers(make(c, "float64", [n, filters, outs])) as unknown as Float64Array;
  const area = countOf(spatial);
  const taps = countOf(kernel);
  c.budget.spend(n * channels * each * area * taps);
  const inStrides = elementStrides(spatial);
  const tapStrides = elementStrides(kernel);
  const outStrides = elementStrides(outSpatial);
  const perGroup = channels / groups;
  for (let i = 0; i < area; i++) {
    for (let t = 0; t < taps; t++) {
      let at = 0;
      for (let d = 0; d < axes.length && at >= 0; d++) {
        const axis = axes[d] as WindowAxis;
        const p =
          (Math.floor(i / (inStrides[d] as number)) % axis.size) * axis.stride +
          (Math.floor(t / (tapStrides[d] as number)) % axis.taps) * axis.dilation -
          axis.before;
        at = p < 0 || p >= axis.out ? -1 : at + p * (outStrides[d] as number);
      }
      if (at < 0) continue;
      for (let b = 0; b < n; b++) {
        for (let k = 0; k < channels; k++) {
          const value = numbers(x)[(b * channels + k) * area + i] as number;
          const group = Math.floor(k / perGroup);
          for (let m = 0; m < each; m++) {
            const p = (b * filters + group * each + m) * outs + at;
            sums[p] = (sums[p] as number) + value * (numbers(w)[(k * each + m) * taps + t] as number);
          }
        }
      }
    }
  }
  const out = make(c, x.type, [n, filters, ...outSpatial]);
  const b = bias && numbers(bias);
  for (let i = 0; i < sums.length; i++)
    numbers(out)[i] = (sums[i] as number) + (b?.[Math.floor(i / outs) % filters] ?? 0);
  return roundToType(out);
};

/**
 * Patches of taps at places of their own, sampled: [N, outs, taps * C]. What lies outside of the image is 0. Inputs: X, offset, mask;
 * kernel_shape is needed.
 */
const deformColumns: HostOp = (c, input, offsetInput, mask) => {
  const x = need(input, "X");
  const offset = need(offsetInput, "offset");
  const { axes, groups, taps, outs } = patchesOf(c, x, offset, mask);
  const [n = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [ah, aw] = axes;
  c.budget.spend(n * channels * taps * outs);
  const out = make(c, x.type, [n, outs, taps * channels]);
  const [data, to, offsets, factors] = [numbers(x), numbers(out), numbers(offset), mask && numbers(mask)];
  const perOffset = channels / groups;
  const [at, weights] = [new Int32Array(4), new Float64Array(4)];
  for (let row = 0; row < n * groups * taps; row++) {
    const [t, first] = [row % taps, Math.floor(row / taps) * perOffset];
    const image = Math.floor(first / channels);
    const places = (Math.floor(row / taps) * 2 * taps + 2 * t) * outs;
    for (let o = 0; o < outs; o++) {
      const y =
        Math.floor(o / aw.out) * ah.stride -
        ah.before +
        Math.floor(t / aw.taps) * ah.dilation +
        (offsets[places + o] as number);
      const z =
        (o % aw.out) * aw.stride - aw.before + (t % aw.taps) * aw.dilation + (offsets[places + outs + o] as number);
      if (!(y > -1 && y < height && z > -1 && z < width)) continue;
      const factor = factors === undefined ? 1 : (factors[row * outs + o] as number);
      const [top, left] = [Math.floor(y), Math.floor(z)];
      let found = 0;
      for (let corner = 0; corner < 4; corner++) {
        const [p, q] = [top + (corner >> 1), left + (corner & 1)];
        if (p < 0 || p >= height || q < 0 || q >= width) continue;
        at[found] = p * width + q;
        weights[found++] = factor * (1 - Math.abs(y - p)) * (1 - Math.abs(z - q));
      }
      for (let k = first; k < first + perOffset; k++) {
        let sum = 0;
        for (let i = 0; i < found; i++)
          sum += (weights[i] as number) * (data[k * height * width + (at[i] as number)] as number);
        to[((image * outs + o) * taps + t) * channels + (k % channels)] = sum;
      }
    }
  }
  return out;
};

const deformConv: HostOp = (c, input, weight, offset, bias, mask) => {
  const [x, w] = [need(input, "X"), need(weight, "W")];
  const [n = 0, channels = 0] = x.shape;
  const [filters = 0, perGroup = 0, ...kernel] = w.shape;
  const groups = c.int("group", 1);
  if (perGroup * groups !== channels || filters % groups !== 0)
    throw new ModelError(`"group" expected a divisor of ${channels} channels and ${filters} filters, got ${groups}`);
  requireBias(bias, filters);
  const axes = windowAxes(c, x.shape.slice(2), kernel);
  const columns = deformColumns(c.with("kernel_shape", kernel), input, offset, mask) as PlainTensor;
  const taps = countOf(kernel);
  const outs = countOf(axes.map((axis) => axis.out));
  c.budget.spend(n * filters * outs * perGroup * taps);
  const out = make(c, x.type, [n, filters, ...axes.map((axis) => axis.out)]);
  const [from, weights, to] = [numbers(columns), numbers(w), numbers(out)];
  for (let i = 0; i < to.length; i++) {
    const [row, o] = [Math.floor(i / outs), i % outs];
    const [image, m] = [Math.floor(row / filters), row % filters];
    const first = Math.floor(m / (filters / groups)) * perGroup;
    let sum = bias === undefined ? 0 : (numbers(bias)[m] as number);
    for (let t = 0; t < taps; t++) {
      const patch = ((image * outs + o) * taps + t) * channels + first;
      for (let k = 0; k < perGroup; k++)
        sum += (weights[(m * perGroup + k) * taps + t] as number) * (from[patch + k] as number);
    }
    to[i] = sum;
  }
  return roundToType(out);
};

export const CONVOLUTION: Readonly<Record<string, HostOp>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  DeformConv: deformConv,
  DeformColumns: deformColumns,
  // What forms are made of, for shapes that no kernel does.
  ConvOfTwo: conv,
  ConvTransposeOfTwo: convTranspose,
};
