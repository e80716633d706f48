// Which products of bytes have sums that 32 bits hold, and that end in bytes as floats do: asked of weights before a layer is made.
import { roundUp } from "../../../base/shape.js";
import type { Ending } from "./form.js";

/** Weights as a file has them, less their zero points: one, or one a filter. */
export interface ByteWeights {
  readonly data: Uint8Array | Int8Array;
  readonly zero: readonly number[];
  /** M. */
  readonly filters: number;
  /** Filters are the last axis: [K, M]. */
  readonly isLast?: boolean;
  readonly bias?: Int32Array | undefined;
}

/** Of each filter, the sum of what its weights are away from their zero point. */
function weightSums({ data, zero, filters, isLast }: ByteWeights): Float64Array {
  const sums = new Float64Array(filters);
  const length = data.length / filters;
  for (let m = 0; m < filters; m++) {
    const z = zero[zero.length > 1 ? m : 0] ?? 0;
    const [from, step] = isLast ? [m, filters] : [m * length, 1];
    let sum = 0;
    for (let k = 0; k < length; k++) sum += Math.abs((data[from + k * step] as number) - z);
    sums[m] = sum;
  }
  return sums;
}

export const farthest = (xZero: number) => Math.max(xZero, 255 - xZero);

/** Outputs of F(4,3) beyond are not exact: assembly/kernels/int8-winograd.ts. */
const MOST = 2 ** 25;

/** Channels of each of so many parts, in whole vectors where there are more than one. */
export const channelsOfParts = (channels: number, parts: number): number =>
  parts > 1 ? roundUp(Math.ceil(channels / parts), 8) : roundUp(channels, 2);

/**
 * How few parts sums of products are exact in under F(4,3): Infinity where those of 8 channels are not, of large kernels. most: what those
 * of a part can be, of so many channels from one on.
 */
export function fewestParts(channels: number, most: (each: number) => number): number {
  let parts = 1;
  for (; most(channelsOfParts(channels, parts)) >= MOST; parts++) if (parts >= channels / 8) return Infinity;
  return parts;
}

/** The same of weights [M, C, R, S] that are known. A filter's may all be in a few channels. */
export function exactParts(xZero: number, { data, zero, filters }: ByteWeights, channels: number): number {
  const length = data.length / filters;
  const taps = length / channels;
  return fewestParts(channels, (each) => {
    let most = 0;
    for (let m = 0; m < filters; m++) {
      const z = zero[zero.length > 1 ? m : 0] ?? 0;
      for (let from = 0; from < length; from += each * taps) {
        let sum = 0;
        const end = Math.min(length, from + each * taps);
        for (let k = from; k < end; k++) sum += Math.abs((data[m * length + k] as number) - z);
        most = Math.max(most, sum);
      }
    }
    return farthest(xZero) * most;
  });
}

/** The least and the most of weights less their zero points. */
export function weightRange({ data, zero, filters, isLast }: ByteWeights): readonly [number, number] {
  const length = data.length / filters;
  let [low, high] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const v = (data[i] as number) - (zero[zero.length > 1 ? (isLast ? i % filters : Math.floor(i / length)) : 0] ?? 0);
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return [low, high];
}

/** Undefined, or why a product is not one of bytes. */
export function fits(xZero: number, weights: ByteWeights, ending: Ending): string | undefined {
  const sums = weightSums(weights);
  for (let m = 0; m < sums.length; m++) {
    const scale = ending.type === "uint8" ? Math.abs(ending.scale[ending.scale.length > 1 ? m : 0] as number) : 1;
    // Filters that training left dead: of their scale whatever 32 bits hold is nothing.
    if (2 ** 31 * scale < 0.5) continue;
    const most = farthest(xZero) * (sums[m] as number) + Math.abs(weights.bias?.[m] ?? 0);
    if (most >= 2 ** 31) return `sums up to ${most.toPrecision(3)} are beyond 32 bits`;
    if (ending.type !== "uint8") continue;
    const scaled = most * scale;
    if (!(scaled < 2 ** 22)) return `outputs up to ${scaled.toPrecision(3)} quanta are beyond 2^22`;
  }
  return undefined;
}
