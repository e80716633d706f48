// Convolution over any number of spatial axes, for the shapes and element types that no kernel does. Sums in float64. Images are
// [N, C, spatial…], weights [M, C/groups, taps…].
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { roundToType } from "../file/halves.js";
import { numbers, type PlainTensor } from "../file/plain-tensor.js";
import { transposedAxes, type WindowAxis, windowAxes } from "../semantics/windows.js";
import { type Context, type HostOp, need } from "./context.js";
import { elementStrides } from "./indexing.js";
import { make } from "./make.js";
import { positions } from "./taps.js";

export function requireBias(bias: PlainTensor | undefined, filters: number): void {
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

const deformConv: HostOp = (c, input, weight, offsetInput, bias, mask) => {
  const x = need(input, "X");
  const w = need(weight, "W");
  const offset = need(offsetInput, "offset");
  const [n = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [filters = 0, perGroup = 0, kh = 0, kw = 0] = w.shape;
  if (x.shape.length !== 4) throw new UnsupportedError(`"X" expected [N, C, H, W], got ${show([...x.shape])}`);
  const groups = c.int("group", 1);
  const offsetGroups = c.int("offset_group", 1);
  const axes = windowAxes(c, [height, width], [kh, kw]);
  const [ah, aw] = axes as [WindowAxis, WindowAxis];
  const out = make(c, x.type, [n, filters, ah.out, aw.out]);
  const taps = kh * kw;
  const outs = ah.out * aw.out;
  if (perGroup * groups !== channels || filters % groups !== 0 || channels % offsetGroups !== 0)
    throw new ModelError(`"group" expected a divisor of ${channels} channels and ${filters} filters, got ${groups}`);
  for (const [name, given, count] of [
    ["offset", offset, 2],
    ["mask", mask, 1],
  ] as const) {
    const wanted = n * offsetGroups * count * taps * outs;
    if (given && countOf(given.shape) !== wanted)
      throw new ModelError(`"${name}" expected ${wanted} values, got ${show([...given.shape])}`);
  }
  requireBias(bias, filters);
  c.budget.spend(n * filters * outs * perGroup * taps);
  const perOffset = channels / offsetGroups;
  const each = filters / groups;
  const value = (b: number, channel: number, y: number, z: number): number =>
    y < 0 || y >= height || z < 0 || z >= width
      ? 0
      : (numbers(x)[((b * channels + channel) * height + y) * width + z] as number);
  for (let b = 0; b < n; b++) {
    for (let m = 0; m < filters; m++) {
      for (let o = 0; o < outs; o++) {
        let sum = bias === undefined ? 0 : (numbers(bias)[m] as number);
        for (let k = 0; k < perGroup; k++) {
          const channel = Math.floor(m / each) * perGroup + k;
          const group = Math.floor(channel / perOffset);
          for (let t = 0; t < taps; t++) {
            const at = (direction: number) => ((b * offsetGroups + group) * 2 * taps + 2 * t + direction) * outs + o;
            const y =
              Math.floor(o / aw.out) * ah.stride -
              ah.before +
              Math.floor(t / kw) * ah.dilation +
              (numbers(offset)[at(0)] as number);
            const z =
              (o % aw.out) * aw.stride - aw.before + (t % kw) * aw.dilation + (numbers(offset)[at(1)] as number);
            if (y <= -1 || y >= height || z <= -1 || z >= width) continue;
            const [y0, z0] = [Math.floor(y), Math.floor(z)];
            const [fy, fz] = [y - y0, z - z0];
            const sample =
              (1 - fy) * ((1 - fz) * value(b, channel, y0, z0) + fz * value(b, channel, y0, z0 + 1)) +
              fy * ((1 - fz) * value(b, channel, y0 + 1, z0) + fz * value(b, channel, y0 + 1, z0 + 1));
            const factor =
              mask === undefined ? 1 : (numbers(mask)[((b * offsetGroups + group) * taps + t) * outs + o] as number);
            sum += sample * factor * (numbers(w)[(m * perGroup + k) * taps + t] as number);
          }
        }
        numbers(out)[(b * filters + m) * outs + o] = sum;
      }
    }
  }
  return roundToType(out);
};

export const CONVOLUTION: Readonly<Record<string, HostOp>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  DeformConv: deformConv,
  // What forms are made of, for shapes that no kernel does.
  ConvOfTwo: conv,
  ConvTransposeOfTwo: convTranspose,
};
