// Fourier transforms in float64: of any length, in n log n (radix 2; other lengths as a convolution of chirps, Bluestein 1970); and
// the windows and weights that spectrograms are made with.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { elementType } from "../file/element-type.js";
import { roundToType } from "../file/halves.js";
import { numbers, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { type Context, type HostOp, need } from "./context.js";
import { along } from "./indexing.js";
import { make } from "./make.js";

/** sum of x[k] exp(-2 pi i j k / n) in place, for n a power of two. */
function radix2(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j] as number, re[i] as number];
      [im[i], im[j]] = [im[j] as number, im[i] as number];
    }
  }
  for (let length = 2; length <= n; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos((-2 * Math.PI * k) / length), Math.sin((-2 * Math.PI * k) / length)];
      for (let i = k; i < n; i += length) {
        const [x, y] = [re[i + half] as number, im[i + half] as number];
        const [p, q] = [x * c - y * s, x * s + y * c];
        re[i + half] = (re[i] as number) - p;
        im[i + half] = (im[i] as number) - q;
        re[i] = (re[i] as number) + p;
        im[i] = (im[i] as number) + q;
      }
    }
  }
}

/** The transform of n numbers, in place: its tables are made once. */
function transformOf(n: number): (re: Float64Array, im: Float64Array) => void {
  if ((n & (n - 1)) === 0) return radix2;
  let m = 1;
  while (m < 2 * n - 1) m *= 2;
  const [c, s, chirpRe, chirpIm, re, im] = [n, n, m, m, m, m].map((size) => new Float64Array(size)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let k = 0; k < n; k++) {
    const angle = (Math.PI * ((k * k) % (2 * n))) / n;
    c[k] = Math.cos(angle);
    s[k] = Math.sin(angle);
    for (const at of [k, (m - k) % m]) {
      chirpRe[at] = c[k] as number;
      chirpIm[at] = s[k] as number;
    }
  }
  radix2(chirpRe, chirpIm);
  return (outRe, outIm) => {
    re.fill(0);
    im.fill(0);
    for (let k = 0; k < n; k++)
      turn(re, im, k, outRe[k] as number, outIm[k] as number, c[k] as number, -(s[k] as number));
    radix2(re, im);
    // Backwards as forwards, with the conjugate before and after.
    for (let k = 0; k < m; k++) {
      turn(re, im, k, re[k] as number, im[k] as number, chirpRe[k] as number, chirpIm[k] as number);
      im[k] = -(im[k] as number);
    }
    radix2(re, im);
    for (let k = 0; k < n; k++)
      turn(outRe, outIm, k, (re[k] as number) / m, -(im[k] as number) / m, c[k] as number, -(s[k] as number));
  };
}

/** Writes (x + iy)(c + is). */
function turn(re: Float64Array, im: Float64Array, at: number, x: number, y: number, c: number, s: number): void {
  re[at] = x * c - y * s;
  im[at] = x * s + y * c;
}

const positive = (name: string, t: PlainTensor | undefined, fallback: number): number => {
  const value = t ? Number(t.data[0]) : fallback;
  if (!(Number.isInteger(value) && value >= 1)) throw new ModelError(`"${name}" expected at least 1, got ${value}`);
  return value;
};

/** Multiplications of a transform, about. */
const macsOf = (n: number): number => 8 * n * Math.ceil(Math.log2(n) + 1);

/** Along an axis, of real numbers ([..., 1]) or complex ones ([..., 2]); answers complex ones. */
const dft: HostOp = (c, input, length, axisIn) => {
  const x = need(input, "input");
  const rank = x.shape.length;
  const wide = x.shape[rank - 1];
  if (rank < 2 || (wide !== 1 && wide !== 2))
    throw new ModelError(`"input" expected [..., 1] or [..., 2], got ${show([...x.shape])}`);
  const axis = c.axis("axis", c.opset < 20 ? c.int("axis", 1) : axisIn ? Number(axisIn.data[0]) : -2, rank);
  if (axis === rank - 1) throw new ModelError(`"axis" expected one before the last, got ${axis}`);
  const [isInverse, isOneSided] = [c.int("inverse", 0) === 1, c.int("onesided", 0) === 1];
  if (isInverse && isOneSided) throw new UnsupportedError(`"onesided" expected 0 for an inverse, got 1`);
  if (isOneSided && wide === 2) throw new ModelError(`"onesided" expected real numbers, got complex ones`);
  const n = positive("dft_length", length, x.shape[axis] as number);
  const bins = isOneSided ? Math.floor(n / 2) + 1 : n;
  const out = make(c, x.type, [...x.shape.with(axis, bins).slice(0, -1), 2]);
  const { outer, size, inner } = along(x.shape.slice(0, -1), axis);
  c.budget.spend(outer * inner * macsOf(n));
  const [from, to] = [numbers(x), numbers(out)];
  c.budget.bytesOf("float64", [8 * n]);
  const transform = transformOf(n);
  const [re, im] = [new Float64Array(n), new Float64Array(n)];
  const [sign, scale] = isInverse ? [-1, 1 / n] : [1, 1];
  for (let row = 0; row < outer * inner; row++) {
    const [o, i] = [Math.floor(row / inner), row % inner];
    re.fill(0);
    im.fill(0);
    for (let k = 0; k < Math.min(n, size); k++) {
      const at = ((o * size + k) * inner + i) * wide;
      re[k] = from[at] as number;
      if (wide === 2) im[k] = sign * (from[at + 1] as number);
    }
    transform(re, im);
    for (let k = 0; k < bins; k++) {
      const at = ((o * bins + k) * inner + i) * 2;
      to[at] = scale * (re[k] as number);
      to[at + 1] = sign * scale * (im[k] as number);
    }
  }
  return roundToType(out);
};

/** Transforms of stretches of a signal, each times a window. */
const stft: HostOp = (c, input, stepIn, windowIn, lengthIn) => {
  const x = need(input, "signal");
  const [batch = 0, samples = 0, wide = 1] = x.shape;
  if (x.shape.length < 2 || x.shape.length > 3 || (wide !== 1 && wide !== 2))
    throw new ModelError(`"signal" expected [batch, length, 1 or 2], got ${show([...x.shape])}`);
  const step = positive("frame_step", need(stepIn, "frame_step"), 1);
  const n = positive("frame_length", lengthIn, windowIn?.data.length ?? samples);
  if (windowIn && windowIn.data.length !== n)
    throw new ModelError(`"window" expected ${n} elements, got ${windowIn.data.length}`);
  const isOneSided = c.int("onesided", 1) === 1;
  if (isOneSided && wide === 2) throw new ModelError(`"onesided" expected a real signal, got a complex one`);
  const frames = Math.max(0, Math.floor((samples - n) / step) + 1);
  const bins = isOneSided ? Math.floor(n / 2) + 1 : n;
  const out = make(c, x.type, [batch, frames, bins, 2]);
  c.budget.spend(batch * frames * macsOf(n));
  const [from, to, window] = [numbers(x), numbers(out), windowIn && numbers(windowIn)];
  c.budget.bytesOf("float64", [8 * n]);
  const transform = transformOf(n);
  const [re, im] = [new Float64Array(n), new Float64Array(n)];
  for (let frame = 0, at = 0; frame < batch * frames; frame++) {
    const start = (Math.floor(frame / frames) * samples + (frame % frames) * step) * wide;
    for (let k = 0; k < n; k++) {
      const factor = window ? (window[k] as number) : 1;
      re[k] = factor * (from[start + k * wide] as number);
      im[k] = wide === 2 ? factor * (from[start + 2 * k + 1] as number) : 0;
    }
    transform(re, im);
    for (let k = 0; k < bins; k++) {
      to[at++] = re[k] as number;
      to[at++] = im[k] as number;
    }
  }
  return roundToType(out);
};

const typeOf = (c: Context) => elementType(c.int("output_datatype", 1), "output_datatype");

/** A sum of cosines: weights of 1, cos t, cos 2t. */
function window(weights: readonly number[]): HostOp {
  return (c, sizeIn) => {
    const size = toNumbers(need(sizeIn, "size"))[0] as number;
    const out = make(c, typeOf(c), [size]);
    const period = c.int("periodic", 1) === 1 ? size : size - 1;
    for (let i = 0; i < size; i++) {
      const angle = (2 * Math.PI * i) / period;
      numbers(out)[i] = weights.reduce((sum, weight, k) => sum + weight * Math.cos(k * angle), 0);
    }
    return roundToType(out);
  };
}

/** Triangles that are evenly spaced in mel, over the bins of a spectrum: [dft_length / 2 + 1, num_mel_bins]. */
const melWeights: HostOp = (c, ...inputs) => {
  const names = ["num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"];
  const [count, length, rate, lower, upper] = names.map((name, i) => Number(need(inputs[i], name).data[0])) as [
    number,
    number,
    number,
    number,
    number,
  ];
  c.budget.bytesOf("float64", [8 * count]);
  const bins = Math.floor(length / 2) + 1;
  const out = make(c, typeOf(c), [bins, count]);
  const mel = (hertz: number) => 2595 * Math.log10(1 + hertz / 700);
  const step = (mel(upper) - mel(lower)) / (count + 2);
  const places = Array.from({ length: count + 2 }, (_, i) => {
    const hertz = 700 * (10 ** ((i * step + mel(lower)) / 2595) - 1);
    return Math.floor(((length + 1) * hertz) / rate);
  });
  c.budget.spend((bins + 1) * (count + 2));
  const to = numbers(out);
  const put = (bin: number, i: number, value: number) => {
    if (bin >= 0 && bin < bins) to[bin * count + i] = value;
  };
  for (let i = 0; i < count; i++) {
    const [low, centre, high] = places.slice(i, i + 3) as [number, number, number];
    if (centre === low) put(centre, i, 1);
    else for (let j = Math.max(low, 0); j <= Math.min(centre, bins - 1); j++) put(j, i, (j - low) / (centre - low));
    for (let j = Math.max(centre, 0); j < Math.min(high, bins); j++) put(j, i, (high - j) / (high - centre));
  }
  return roundToType(out);
};

export const SIGNAL: Readonly<Record<string, HostOp>> = {
  DFT: dft,
  STFT: stft,
  MelWeightMatrix: melWeights,
  HannWindow: window([0.5, -0.5]),
  HammingWindow: window([25 / 46, -21 / 46]),
  BlackmanWindow: window([0.42, -0.5, 0.08]),
};
