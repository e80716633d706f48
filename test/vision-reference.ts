// Pillow's resize in plain loops: two passes, weights in float64, then whole numbers of 22 bits, bytes in between. Imports nothing.

type Window = (x: number) => number;
const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Half a filter's width, and its weight at x. */
const WINDOWS: Readonly<Record<string, readonly [number, Window]>> = {
  box: [0.5, (x) => (-0.5 < x && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0)],
  hamming: [
    1,
    (x) => {
      if (x === 0) return 1;
      return Math.abs(x) < 1 ? sinc(x) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(Math.PI * x)) : 0;
    },
  ],
  bicubic: [
    2,
    (x) => {
      const d = Math.abs(x);
      if (d < 1) return 1.5 * d * d * d - 2.5 * d * d + 1;
      return d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2 : 0;
    },
  ],
  lanczos: [3, (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

/** Of an output pixel: [input pixel, weight in 2^-22]. */
function weightsOf(filter: string, at: number, size: number, scale: number, from: number): [number, number][] {
  const [support, window] = WINDOWS[filter] as (typeof WINDOWS)[string];
  const wide = Math.max(scale, 1);
  const center = from + (at + 0.5) * scale;
  const low = Math.max(0, Math.trunc(center - support * wide + 0.5));
  const high = Math.min(size, Math.trunc(center + support * wide + 0.5));
  const pixels = Array.from({ length: high - low }, (_, i) => low + i);
  const raw = pixels.map((x) => window((x - center + 0.5) / wide));
  const sum = raw.reduce((a, b) => a + b, 0);
  const whole = (w: number) => Math.sign(w) * Math.floor(Math.abs(w) * 2 ** 22 + 0.5);
  return pixels.map((x, i) => [x, whole(sum === 0 ? (raw[i] as number) : (raw[i] as number) / sum)]);
}

const clip = (sum: number): number => Math.min(255, Math.max(0, Math.floor((sum + 2 ** 21) / 2 ** 22)));

/** [width, height] to [outWidth, outHeight], of the part `box` [x0, y0, x1, y1] of the picture. */
export function resizeReference(
  data: Uint8Array,
  [width, height]: readonly [number, number],
  channels: number,
  [outWidth, outHeight]: readonly [number, number],
  filter: string,
  box: readonly [number, number, number, number] = [0, 0, width, height],
): Uint8Array {
  const columns = Array.from({ length: outWidth }, (_, q) =>
    weightsOf(filter, q, width, (box[2] - box[0]) / outWidth, box[0]),
  );
  const rows = Array.from({ length: outHeight }, (_, p) =>
    weightsOf(filter, p, height, (box[3] - box[1]) / outHeight, box[1]),
  );
  const narrow = new Uint8Array(outWidth * height * channels);
  for (let y = 0; y < height; y++)
    for (let q = 0; q < outWidth; q++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [x, w] of columns[q] as [number, number][])
          sum += w * (data[(y * width + x) * channels + c] as number);
        narrow[(y * outWidth + q) * channels + c] = clip(sum);
      }
  const out = new Uint8Array(outWidth * outHeight * channels);
  for (let p = 0; p < outHeight; p++)
    for (let q = 0; q < outWidth; q++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [y, w] of rows[p] as [number, number][])
          sum += w * (narrow[(y * outWidth + q) * channels + c] as number);
        out[(p * outWidth + q) * channels + c] = clip(sum);
      }
  return out;
}
