// One layer by its definition, as it is read: which products make an output, in plain JavaScript.
import type { Setting } from "../engine/arithmetic.js";

/** One product of a sum, or one candidate of a maximum. `inside`: not padding. */
export interface Term {
  readonly c: number;
  readonly r: number;
  readonly s: number;
  readonly h: number;
  readonly w: number;
  readonly inside: boolean;
  readonly x: number;
  readonly weight: number;
}

export const isPooling = ({ kind }: Pick<Setting, "kind">) => kind === "max" || kind === "average";

/** Numbers of a channel that batch normalisation has, in the order in which they stand. */
export const NORM = ["γ", "β", "μ", "σ²"] as const;
export const EPSILON = 1e-5;

/** γ, β, μ and σ² of a channel. */
export function normOf({ w }: Pick<Setting, "w">, c: number) {
  const [gamma = 1, beta = 0, mean = 0, variance = 1] = w.subarray(4 * c, 4 * c + 4);
  return { gamma, beta, mean, variance };
}

/** Outputs along an axis; 0 or less: none. */
export function outputs(setting: Setting, axis: 0 | 1): number {
  const { kind, stride, padding, dilation, input, weight } = setting;
  const size = input[axis + 1] as number;
  if (kind === "norm") return size;
  const kernel = weight[axis + 2] as number;
  const extent = dilation * (kernel - 1) + 1;
  if (kind === "transposed") return (size - 1) * stride - 2 * padding + extent;
  return Math.floor((size + 2 * padding - extent) / stride) + 1;
}

export function filters({ kind, weight, groups, input }: Setting): number {
  if (kind === "max" || kind === "average" || kind === "norm") return input[0];
  return kind === "transposed" ? weight[1] * groups : weight[0];
}

/** What makes output (m, p, q), in the order of the loops c, r, s. */
export function termsOf(setting: Setting, m: number, p: number, q: number): Term[] {
  const { kind, x, w, input, weight, stride, padding, dilation, groups } = setting;
  const [C, H, W] = input;
  if (kind === "norm") {
    const { gamma } = normOf(setting, m);
    return [{ c: m, r: m, s: 0, h: p, w: q, inside: true, x: x[(m * H + p) * W + q] as number, weight: gamma }];
  }
  const [, , R, S] = weight;
  const each = C / groups;
  const eachM = filters(setting) / groups;
  const group = Math.floor(m / eachM);
  const channels = isPooling(setting) ? [m] : Array.from({ length: each }, (_, i) => group * each + i);
  const terms: Term[] = [];
  for (const c of channels)
    for (let r = 0; r < R; r++)
      for (let s = 0; s < S; s++) {
        const at = (out: number, tap: number) =>
          kind === "transposed" ? (out + padding - tap * dilation) / stride : out * stride + tap * dilation - padding;
        const [h, v] = [at(p, r), at(q, s)];
        if (!Number.isInteger(h) || !Number.isInteger(v)) continue;
        const inside = h >= 0 && h < H && v >= 0 && v < W;
        if (kind === "transposed" && !inside) continue;
        const index =
          kind === "transposed"
            ? ((c * eachM + (m % eachM)) * R + r) * S + s
            : ((m * each + (c % each)) * R + r) * S + s;
        const one = isPooling(setting) ? 1 : (w[index] as number);
        terms.push({ c, r, s, h, w: v, inside, x: inside ? (x[(c * H + h) * W + v] as number) : 0, weight: one });
      }
  return terms;
}

/** An output's value: a sum, the largest that is no padding, the mean, zeros of the padding with it, or one value, normalised. */
export function resultOf(setting: Setting, terms: readonly Term[]): number {
  if (setting.kind === "max") return Math.max(...terms.filter(({ inside }) => inside).map(({ x }) => x));
  const [first] = terms;
  if (setting.kind === "norm" && first) {
    const { gamma, beta, mean, variance } = normOf(setting, first.c);
    return (gamma * (first.x - mean)) / Math.sqrt(variance + EPSILON) + beta;
  }
  const sum = terms.reduce((total, { x, weight }) => total + x * weight, 0);
  return setting.kind === "average" ? sum / terms.length : sum;
}

/** All outputs, [M, P, Q]. */
export function compute(setting: Setting): Float32Array {
  const [P, Q] = [outputs(setting, 0), outputs(setting, 1)];
  const values = new Float32Array(filters(setting) * P * Q);
  return values.map((_, i) =>
    resultOf(setting, termsOf(setting, Math.floor(i / (P * Q)), Math.floor(i / Q) % P, i % Q)),
  );
}

/** Whether an output sees the input (c, h, w). */
export function sees(terms: readonly Term[], c: number, h: number, w: number): boolean {
  return terms.some((term) => term.inside && term.c === c && term.h === h && term.w === w);
}

/** Why there is no output, or undefined. */
export function whyNone(setting: Setting): string | undefined {
  for (const axis of [0, 1] as const) {
    if (outputs(setting, axis) >= 1) continue;
    const [what, size, taps] = axis === 0 ? ["rows", "H", "R"] : ["columns", "W", "S"];
    const extent = setting.dilation * ((setting.weight[axis + 2] as number) - 1) + 1;
    const length = setting.input[axis + 1] as number;
    if (setting.kind === "transposed")
      return `No output: the padding takes off all ${what} (${size} = ${length}, stride ${setting.stride}, padding ${setting.padding}).`;
    return `No output: the window spans ${extent} ${what} (${taps} = ${setting.weight[axis + 2]}, dilation ${setting.dilation}), and the input has ${length + 2 * setting.padding} with its padding. Make it larger, or the window smaller.`;
  }
  const extents = [2, 3].map((axis) => setting.dilation * ((setting.weight[axis] as number) - 1) + 1);
  if (isPooling(setting) && setting.padding >= Math.min(...extents))
    return "No output: a pooling's padding has to be smaller than its window, or some windows would hold nothing but padding.";
  return undefined;
}
