// Images sampled at fractional places.
import { countOf } from "../../base/shape.js";
import { roundToEven, roundToType } from "../file/halves.js";
import { numbers, toNumbers } from "../file/plain-tensor.js";
import { cubic } from "../semantics/resize.js";
import { boxesOf, gridOf, requireImage } from "../semantics/sampling.js";
import { type HostOp, need } from "./context.js";
import { elementStrides } from "./indexing.js";
import { make } from "./make.js";

/** A place folded back into [low, high] by reflection. */
function reflect(x: number, low: number, high: number): number {
  const span = high - low;
  if (span === 0) return low;
  const folded = Math.abs(x - low) % (2 * span);
  return low + (folded > span ? 2 * span - folded : folded);
}

/** Samples [N, C, spatial…] at a grid of places from -1 to 1, [N, out…, axes], the last axis first. */
const gridSample: HostOp = (c, input, gridInput) => {
  const x = need(input, "X");
  const grid = need(gridInput, "grid");
  const spatial = x.shape.slice(2);
  const dims = spatial.length;
  const { mode, padding, isAligned } = gridOf(c, x, grid);
  const outSpatial = grid.shape.slice(1, -1);
  const [n = 0, channels = 0] = x.shape;
  const out = make(c, x.type, [n, channels, ...outSpatial]);
  const strides = elementStrides(spatial);
  const area = countOf(spatial);
  const places = countOf(outSpatial);
  const fold = (at: number, size: number): number =>
    padding === "border"
      ? Math.max(0, Math.min(size - 1, at))
      : padding === "reflection"
        ? isAligned
          ? reflect(at, 0, size - 1)
          : Math.max(0, Math.min(size - 1, reflect(at, -0.5, size - 0.5)))
        : at;
  const tapsOf = (place: number, size: number): readonly (readonly [number, number])[] => {
    const base = Math.floor(place);
    const rest = place - base;
    const taps: readonly (readonly [number, number])[] =
      mode === "nearest"
        ? [[roundToEven(place), 1]]
        : mode === "linear"
          ? [
              [base, 1 - rest],
              [base + 1, rest],
            ]
          : [-1, 0, 1, 2].map((i) => [Math.round(fold(base + i, size)), cubic(rest - i, -0.75)] as const);
    return taps.filter(([tap, weight]) => tap >= 0 && tap < size && weight !== 0);
  };
  const corners = new Corners(mode === "cubic" ? 4 ** dims : 2 ** dims);
  const [data, samples, grids] = [numbers(x), numbers(out), numbers(grid)];
  for (let b = 0; b < n; b++) {
    for (let p = 0; p < places; p++) {
      corners.start();
      for (let d = 0; d < dims; d++) {
        const size = spatial[d] as number;
        const g = grids[(b * places + p) * dims + (dims - 1 - d)] as number;
        const raw = isAligned ? ((g + 1) / 2) * (size - 1) : ((g + 1) * size - 1) / 2;
        corners.split(tapsOf(mode === "cubic" ? raw : fold(raw, size), size), strides[d] as number);
      }
      for (let k = 0; k < channels; k++)
        samples[(b * channels + k) * places + p] = corners.sum(data, (b * channels + k) * area);
    }
  }
  return roundToType(out);
};

/** The elements around a place, and what each weighs: those of every channel lie alike. */
class Corners {
  readonly #at: Int32Array;
  readonly #weights: Float64Array;
  #count = 0;

  constructor(most: number) {
    this.#at = new Int32Array(most);
    this.#weights = new Float64Array(most);
  }

  start(): void {
    this.#at[0] = 0;
    this.#weights[0] = 1;
    this.#count = 1;
  }

  /** Each corner at every tap along one more axis. */
  split(taps: readonly (readonly [number, number])[], stride: number): void {
    const [at, weights, count] = [this.#at, this.#weights, this.#count];
    // From the last on: what is read has not been written yet.
    for (let i = count - 1; i >= 0; i--) {
      const [from, weight] = [at[i] as number, weights[i] as number];
      taps.forEach(([tap, w], t) => {
        at[i * taps.length + t] = from + tap * stride;
        weights[i * taps.length + t] = weight * w;
      });
    }
    this.#count = count * taps.length;
  }

  sum(data: Float32Array, start: number): number {
    const at = this.#at;
    const weights = this.#weights;
    const count = this.#count;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (weights[i] as number) * (data[start + (at[i] as number)] as number);
    return sum;
  }
}

const roiAlign: HostOp = (c, input, roisInput, batchInput) => {
  const x = need(input, "X");
  const rois = need(roisInput, "rois");
  const batches = toNumbers(need(batchInput, "batch_indices"));
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const { rows, columns, scale, ratio, isMax, isHalf } = boxesOf(c);
  const offset = isHalf ? 0.5 : 0;
  const count = rois.shape[0] ?? 0;
  const out = make(c, x.type, [count, channels, rows, columns]);
  const [data, answers] = [numbers(x), numbers(out)];
  for (let r = 0; r < count; r++) {
    const [x1, y1, x2, y2] = [0, 1, 2, 3].map((i) => (numbers(rois)[r * 4 + i] as number) * scale - offset) as [
      number,
      number,
      number,
      number,
    ];
    const b = batches[r] as number;
    requireImage(b, batch);
    const [w, h] = isHalf ? [x2 - x1, y2 - y1] : [Math.max(x2 - x1, 1), Math.max(y2 - y1, 1)];
    const [binW, binH] = [w / columns, h / rows];
    const [nx, ny] = ratio > 0 ? [ratio, ratio] : [Math.ceil(binW), Math.ceil(binH)];
    c.budget.spend(channels * rows * columns * nx * ny);
    const [at, weights] = [new Int32Array(4 * ny * nx), new Float64Array(4 * ny * nx)];
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        let found = 0;
        for (let i = 0; i < ny; i++) {
          for (let j = 0; j < nx; j++) {
            const y = y1 + p * binH + ((i + 0.5) * binH) / ny;
            const z = x1 + q * binW + ((j + 0.5) * binW) / nx;
            if (y < -1 || y > height || z < -1 || z > width) continue;
            const [top, bottom, fy] = between(y, height);
            const [left, right, fz] = between(z, width);
            at.set([top * width + left, top * width + right, bottom * width + left, bottom * width + right], found);
            weights.set([(1 - fy) * (1 - fz), (1 - fy) * fz, fy * (1 - fz), fy * fz], found);
            found += 4;
          }
        }
        for (let k = 0; k < channels; k++) {
          const plane = (b * channels + k) * height * width;
          // What lies outside is 0. The maximum is over the weighted corners, as the standard's reference has it.
          let [total, most] = [0, found < at.length ? 0 : -Infinity];
          for (let i = 0; i < found; i++) {
            const part = (weights[i] as number) * (data[plane + (at[i] as number)] as number);
            total += part;
            if (isMax) most = Math.max(most, part);
          }
          answers[((r * channels + k) * rows + p) * columns + q] = isMax ? most : total / Math.max(1, nx * ny);
        }
      }
    }
  }
  return roundToType(out);
};

/** The elements before and after a place along an axis, and how far it is from the first. */
function between(place: number, size: number): readonly [number, number, number] {
  const at = Math.max(0, place);
  const first = Math.floor(at);
  return first >= size - 1 ? [size - 1, size - 1, 0] : [first, first + 1, at - first];
}

export const SAMPLING: Readonly<Record<string, HostOp>> = {
  GridSample: gridSample,
  RoiAlign: roiAlign,
};
