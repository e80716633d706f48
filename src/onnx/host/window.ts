// Convolution and pooling over any number of spatial axes, for the shapes and element types that no kernel does. Sums in
// float64. Images are [N, C, spatial…], weights [M, C/groups, taps…].
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { type Context, type HostOp, need } from "./context.js";
import { type HostTensor, int64s, make, numbers, settle, spend, stridesOf, toNumbers } from "./tensor.js";

/** One spatial axis of a window operator. */
export interface Axis {
  readonly size: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  readonly out: number;
}

/** A list attribute of one number an axis. */
function perAxis(c: Context, name: string, count: number, fallback: number): readonly number[] {
  const given = c.ints(name);
  if (given === undefined || given.length === 0) return new Array<number>(count).fill(fallback);
  if (given.length !== count) throw new ModelError(`"${name}" expected ${count} numbers, got ${show([...given])}`);
  return given;
}

/** Strides, dilations, padding and output size of every spatial axis. */
export function windowAxes(c: Context, spatial: readonly number[], taps: readonly number[]): Axis[] {
  const count = spatial.length;
  const strides = perAxis(c, "strides", count, 1);
  const dilations = perAxis(c, "dilations", count, 1);
  const auto = c.oneOf("auto_pad", "NOTSET", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);
  const pads = auto === "NOTSET" ? perAxis(c, "pads", 2 * count, 0) : new Array<number>(2 * count).fill(0);
  const isCeil = c.int("ceil_mode", 0) === 1;
  return spatial.map((size, i) => {
    const [tap, stride, dilation] = [taps[i], strides[i], dilations[i]] as [number, number, number];
    for (const [name, value] of Object.entries({ strides: stride, dilations: dilation, kernel_shape: tap })) {
      if (!Number.isInteger(value) || value < 1) throw new ModelError(`"${name}" expected integers >= 1, got ${value}`);
    }
    const extent = (tap - 1) * dilation + 1;
    let [before, after] = [pads[i] as number, pads[count + i] as number];
    if (before < 0 || after < 0) throw new ModelError(`"pads" expected integers >= 0, got ${show([...pads])}`);
    if (auto.startsWith("SAME")) {
      const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
      before = auto === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
      after = total - before;
    }
    const free = (size + before + after - extent) / stride;
    let out = (isCeil ? Math.ceil(free) : Math.floor(free)) + 1;
    // A window must start inside the image or the padding before it.
    if (isCeil && (out - 1) * stride >= size + before) out--;
    if (out < 1)
      throw new ModelError(`"kernel_shape" expected at most ${size + before + after} taps an axis, got ${extent}`);
    return { size, taps: tap, stride, dilation, before, after, out };
  });
}

/** The taps of each output position that lie inside the image: calls f(output, tap, input) with flat positions. */
function eachTap(axes: readonly Axis[], f: (output: number, tap: number, input: number) => void): void {
  const outs = countOf(axes.map((axis) => axis.out));
  const taps = countOf(axes.map((axis) => axis.taps));
  for (let o = 0; o < outs; o++) {
    for (let t = 0; t < taps; t++) {
      let [restO, restT, at, step] = [o, t, 0, 1];
      for (let i = axes.length - 1; i >= 0 && at >= 0; i--) {
        const axis = axes[i] as Axis;
        const position = (restO % axis.out) * axis.stride - axis.before + (restT % axis.taps) * axis.dilation;
        at = position < 0 || position >= axis.size ? -1 : at + position * step;
        step *= axis.size;
        restO = Math.floor(restO / axis.out);
        restT = Math.floor(restT / axis.taps);
      }
      if (at >= 0) f(o, t, at);
    }
  }
}

/** The input position of every tap of every output, -1 outside the image. */
function positions(axes: readonly Axis[]): { table: Int32Array; outs: number; taps: number } {
  const outs = countOf(axes.map((axis) => axis.out));
  const taps = countOf(axes.map((axis) => axis.taps));
  const table = (make("int32", [outs, taps]).data as Int32Array).fill(-1);
  eachTap(axes, (o, t, at) => {
    table[o * taps + t] = at;
  });
  return { table, outs, taps };
}

function requireBias(bias: HostTensor | undefined, filters: number): void {
  if (bias && countOf(bias.shape) !== filters)
    throw new ModelError(`"B" expected ${filters} values, got ${show([...bias.shape])}`);
}

export function convolve(c: Context, x: HostTensor, w: HostTensor, bias: HostTensor | undefined): HostTensor {
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
  const { table, outs, taps } = positions(axes);
  const out = make(x.type, [n, filters, ...axes.map((axis) => axis.out)]);
  spend(n * filters * outs * taps * perGroup);
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
  return settle(out);
}

const conv: HostOp = (c, x, w, b) => convolve(c, need(x, "X"), need(w, "W"), b);

/** Sizes and padding of a transposed convolution. */
export function transposedAxes(
  c: Context,
  spatial: readonly number[],
  taps: readonly number[],
): (Axis & { readonly extra: number })[] {
  const count = spatial.length;
  const strides = perAxis(c, "strides", count, 1);
  const dilations = perAxis(c, "dilations", count, 1);
  const extra = perAxis(c, "output_padding", count, 0);
  const auto = c.oneOf("auto_pad", "NOTSET", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);
  const pads = auto === "NOTSET" ? perAxis(c, "pads", 2 * count, 0) : new Array<number>(2 * count).fill(0);
  const wanted = c.ints("output_shape")?.slice(-count);
  return spatial.map((size, i) => {
    const [tap, stride, dilation] = [taps[i], strides[i], dilations[i]] as [number, number, number];
    if (!(stride >= 1 && dilation >= 1 && tap >= 1))
      throw new ModelError(`"strides" expected integers >= 1, got ${show([...strides])}`);
    const full = (size - 1) * stride + (tap - 1) * dilation + 1 + (extra[i] as number);
    let [before, after] = [pads[i] as number, pads[count + i] as number];
    const target = wanted?.[i] ?? (auto.startsWith("SAME") ? size * stride : undefined);
    if (target !== undefined) {
      const total = full - target;
      before = auto === "SAME_UPPER" ? Math.floor(total / 2) : total - Math.floor(total / 2);
      after = total - before;
    }
    const out = full - before - after;
    if (!(out >= 1)) throw new ModelError(`"pads" expected to leave an output, got ${show([...pads])}`);
    return { size, taps: tap, stride, dilation, before, after, out, extra: extra[i] as number };
  });
}

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
  const sums = numbers(make("float64", [n, filters, outs])) as unknown as Float64Array;
  const area = countOf(spatial);
  const taps = countOf(kernel);
  spend(n * channels * each * area * taps);
  const inStrides = stridesOf(spatial);
  const tapStrides = stridesOf(kernel);
  const outStrides = stridesOf(outSpatial);
  const perGroup = channels / groups;
  for (let i = 0; i < area; i++) {
    for (let t = 0; t < taps; t++) {
      let at = 0;
      for (let d = 0; d < axes.length && at >= 0; d++) {
        const axis = axes[d] as Axis;
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
  const out = make(x.type, [n, filters, ...outSpatial]);
  const b = bias && numbers(bias);
  for (let i = 0; i < sums.length; i++)
    numbers(out)[i] = (sums[i] as number) + (b?.[Math.floor(i / outs) % filters] ?? 0);
  return settle(out);
};

/** The windows of a pooling operator. */
function poolAxes(c: Context, x: HostTensor): Axis[] {
  const spatial = x.shape.slice(2);
  const kernel = c.ints("kernel_shape");
  if (kernel === undefined || kernel.length !== spatial.length || spatial.length === 0) {
    throw new ModelError(`"kernel_shape" expected ${spatial.length} numbers, got ${show(kernel && [...kernel])}`);
  }
  return windowAxes(c, spatial, kernel);
}

function pool(
  x: HostTensor,
  axes: readonly Axis[],
  f: (plane: Float32Array, taps: Int32Array, output: number) => number,
): HostTensor {
  const [n = 0, channels = 0] = x.shape;
  const { table, outs, taps } = positions(axes);
  const out = make(x.type, [n, channels, ...axes.map((axis) => axis.out)]);
  spend(n * channels * outs * taps);
  const area = countOf(x.shape.slice(2));
  for (let plane = 0; plane < n * channels; plane++) {
    const from = numbers(x).subarray(plane * area, (plane + 1) * area);
    for (let o = 0; o < outs; o++)
      numbers(out)[plane * outs + o] = f(from, table.subarray(o * taps, (o + 1) * taps), o);
  }
  return settle(out);
}

const maxPool: HostOp = (c, input) => {
  const x = need(input, "X");
  const axes = poolAxes(c, x);
  const area = countOf(x.shape.slice(2));
  const isColumnMajor = c.int("storage_order", 0) === 1;
  const strides = stridesOf(x.shape.slice(2));
  const turned = stridesOf([...x.shape.slice(2)].reverse()).reverse();
  const found: number[] = [];
  let count = 0;
  const outs = countOf(axes.map((axis) => axis.out));
  const out = pool(x, axes, (plane, taps) => {
    let best = -1;
    for (const at of taps)
      if (at >= 0 && (best < 0 || (plane[at] as number) > (plane[best] as number) || Number.isNaN(plane[at])))
        best = at;
    if (c.node.outputs.length > 1) {
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
  return c.node.outputs.length > 1 ? [out, int64s(found, out.shape)] : out;
};

const averagePool: HostOp = (c, input) => {
  const x = need(input, "X");
  const axes = poolAxes(c, x);
  const isPadCounted = c.int("count_include_pad", 0) === 1;
  const outStrides = stridesOf(axes.map((axis) => axis.out));
  return pool(x, axes, (plane, taps, output) => {
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
  return pool(x, poolAxes(c, x), (plane, taps) => {
    let sum = 0;
    for (const at of taps) if (at >= 0) sum += Math.abs(plane[at] as number) ** p;
    return sum ** (1 / p);
  });
};

function globalPool(f: (plane: Float32Array) => number): HostOp {
  return (_, input) => {
    const x = need(input, "X");
    const area = countOf(x.shape.slice(2));
    const out = make(
      x.type,
      x.shape.map((size, i) => (i < 2 ? size : 1)),
    );
    for (let i = 0; i < out.data.length; i++) numbers(out)[i] = f(numbers(x).subarray(i * area, (i + 1) * area));
    return settle(out);
  };
}

const maxUnpool: HostOp = (c, input, indices, shapeInput) => {
  const x = need(input, "X");
  const at = toNumbers(need(indices, "I"));
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
  const out = make(x.type, shape);
  // Indices count elements of the output that the attributes imply; a larger output_shape keeps rows and columns apart.
  const implied = [...x.shape.slice(0, 2), ...inferred];
  const [from, to] = [stridesOf(implied), stridesOf(shape)];
  at.forEach((index, i) => {
    const target = from.reduce(
      (sum, stride, d) => sum + (Math.floor(index / stride) % (implied[d] as number)) * (to[d] as number),
      0,
    );
    if (!(target >= 0 && target < out.data.length))
      throw new ModelError(`"I" expected indices below ${out.data.length}, got ${index}`);
    numbers(out)[target] = numbers(x)[i] as number;
  });
  return out;
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
  const [ah, aw] = axes as [Axis, Axis];
  const out = make(x.type, [n, filters, ah.out, aw.out]);
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
  spend(n * filters * outs * perGroup * taps);
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
  return settle(out);
};

export const WINDOW: Readonly<Record<string, HostOp>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalMaxPool: globalPool((plane) => plane.reduce((a, b) => Math.max(a, b), -Infinity)),
  GlobalAveragePool: globalPool((plane) => plane.reduce((a, b) => a + b, 0) / plane.length),
  GlobalLpPool: (c, x) =>
    globalPool((plane) => plane.reduce((a, b) => a + Math.abs(b) ** c.int("p", 2), 0) ** (1 / c.int("p", 2)))(c, x),
  MaxUnpool: maxUnpool,
  DeformConv: deformConv,
};
