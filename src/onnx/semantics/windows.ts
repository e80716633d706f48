// Windows of convolution and pooling along any number of spatial axes: pure numbers.
import { ModelError, show } from "../../base/errors.js";
import type { Attributes } from "./attributes.js";

/** One spatial axis of a window operator. */
export interface WindowAxis {
  readonly size: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  readonly out: number;
}

/** A list attribute of one number an axis. */
export function perAxis(c: Attributes, name: string, count: number, fallback: number): readonly number[] {
  const given = c.ints(name);
  if (given === undefined || given.length === 0) return new Array<number>(count).fill(fallback);
  if (given.length !== count) throw new ModelError(`"${name}" expected ${count} numbers, got ${show([...given])}`);
  return given;
}

function requireCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw new ModelError(`"${name}" expected integers >= 1, got ${value}`);
}

/** Strides, dilations, padding and output size of every spatial axis. */
export function windowAxes(c: Attributes, spatial: readonly number[], taps: readonly number[]): WindowAxis[] {
  const count = spatial.length;
  const strides = perAxis(c, "strides", count, 1);
  const dilations = perAxis(c, "dilations", count, 1);
  const auto = c.oneOf("auto_pad", "NOTSET", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);
  const pads = auto === "NOTSET" ? perAxis(c, "pads", 2 * count, 0) : new Array<number>(2 * count).fill(0);
  const isCeil = c.int("ceil_mode", 0) === 1;
  return spatial.map((size, i) => {
    const [tap, stride, dilation] = [taps[i], strides[i], dilations[i]] as [number, number, number];
    requireCount("strides", stride);
    requireCount("dilations", dilation);
    requireCount("kernel_shape", tap);
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

/** Sizes and padding of a transposed convolution. */
export function transposedAxes(
  c: Attributes,
  spatial: readonly number[],
  taps: readonly number[],
): (WindowAxis & { readonly extra: number })[] {
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
