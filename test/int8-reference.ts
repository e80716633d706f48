// What products of bytes are: plain sums of whole numbers, and what becomes of them. Imports types alone.
import type { Addition, Ending } from "../src/onnx/layers/int8/form.js";

/** To the nearest whole number, halves to even. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/** A sum of filter m as an ending has it; floats are float32 at every step. */
export function ended(sum: number, m: number, ending: Ending): number {
  if (ending.type === "int32") return sum;
  const scaled = Math.fround(Math.fround(sum) * (ending.scale[ending.scale.length > 1 ? m : 0] as number));
  if (ending.type === "float32") return clamp(scaled, Math.fround(ending.low), Math.fround(ending.high));
  return clamp(roundEven(scaled) + ending.zero, ending.low, ending.high);
}

/** Two bytes added. */
export function added(a: number, b: number, { ra, rb, aZero, bZero, offset, shift, low, high }: Addition): number {
  const f = Math.fround;
  return clamp(roundEven(f(f(f((a - aZero) * f(ra)) + f((b - bZero) * f(rb))) + f(offset))) + shift, low, high);
}

export interface Conv {
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly M: number;
  readonly R: number;
  readonly S: number;
  readonly strides: readonly [number, number];
  /** Top, left, bottom, right. */
  readonly padding: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly groups: number;
}

export const outSize = (size: number, before: number, after: number, taps: number, stride: number, dilation: number) =>
  Math.floor((size + before + after - (taps - 1) * dilation - 1) / stride) + 1;

/** Sums [N, M, P, Q], in that order: x [N, C, H, W] and w [M, C/groups, R, S] less their zero points, and the bias. */
export function convSums(
  c: Conv,
  x: ArrayLike<number>,
  xZero: number,
  w: ArrayLike<number>,
  wZero: readonly number[],
  bias: ArrayLike<number> | undefined,
): number[] {
  const [top, left, bottom, right] = c.padding;
  const P = outSize(c.H, top, bottom, c.R, c.strides[0], c.dilations[0]);
  const Q = outSize(c.W, left, right, c.S, c.strides[1], c.dilations[1]);
  const [own, filters] = [c.C / c.groups, c.M / c.groups];
  const sums: number[] = [];
  for (let n = 0; n < c.N; n++) {
    for (let m = 0; m < c.M; m++) {
      const group = Math.floor(m / filters);
      const zero = wZero[wZero.length > 1 ? m : 0] as number;
      for (let p = 0; p < P; p++) {
        for (let q = 0; q < Q; q++) {
          let sum = bias?.[m] ?? 0;
          for (let k = 0; k < own; k++) {
            for (let r = 0; r < c.R; r++) {
              for (let s = 0; s < c.S; s++) {
                const h = p * c.strides[0] - top + r * c.dilations[0];
                const v = q * c.strides[1] - left + s * c.dilations[1];
                if (h < 0 || h >= c.H || v < 0 || v >= c.W) continue;
                const at = ((n * c.C + group * own + k) * c.H + h) * c.W + v;
                const weight = w[((m * own + k) * c.R + r) * c.S + s] as number;
                sum += ((x[at] as number) - xZero) * (weight - zero);
              }
            }
          }
          sums.push(sum);
        }
      }
    }
  }
  return sums;
}
