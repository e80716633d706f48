// Which products of bytes have sums that 32 bits hold, and that end in bytes as floats do: asked of weights before a layer is made.
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

const farthest = (xZero: number) => Math.max(xZero, 255 - xZero);

/** The most that a sum of products can be, whatever the bytes are, without the bias. */
export function sumBound(xZero: number, weights: ByteWeights): number {
  return farthest(xZero) * weightSums(weights).reduce((most, sum) => Math.max(most, sum), 0);
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
    const most = farthest(xZero) * (sums[m] as number) + Math.abs(weights.bias?.[m] ?? 0);
    if (most >= 2 ** 31) return `sums up to ${most.toPrecision(3)} are beyond 32 bits`;
    if (ending.type !== "uint8") continue;
    const scaled = most * Math.abs(ending.scale[ending.scale.length > 1 ? m : 0] as number);
    if (!(scaled < 2 ** 22)) return `outputs up to ${scaled.toPrecision(3)} quanta are beyond 2^22`;
  }
  return undefined;
}
