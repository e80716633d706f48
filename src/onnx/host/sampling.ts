// Images sampled at fractional places.
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { roundToEven, roundToType } from "../file/halves.js";
import { numbers, toNumbers } from "../file/plain-tensor.js";
import { cubic } from "../semantics/resize.js";
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
  if (grid.shape.length !== dims + 2 || grid.shape.at(-1) !== dims || grid.shape[0] !== x.shape[0]) {
    throw new ModelError(
      `"grid" expected [${x.shape[0]}, ${"out, ".repeat(dims)}${dims}], got ${show([...grid.shape])}`,
    );
  }
  const modes = ["linear", "nearest", "cubic", "bilinear", "bicubic"] as const;
  const mode = c.oneOf("mode", c.opset < 20 ? "bilinear" : "linear", modes).replace(/^bi/, "");
  const padding = c.oneOf("padding_mode", "zeros", ["zeros", "border", "reflection"]);
  const isAligned = c.int("align_corners", 0) === 1;
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
  for (let b = 0; b < n; b++) {
    for (let p = 0; p < places; p++) {
      let corners: { at: number; weight: number }[] = [{ at: 0, weight: 1 }];
      for (let d = 0; d < dims; d++) {
        const size = spatial[d] as number;
        const g = numbers(grid)[(b * places + p) * dims + (dims - 1 - d)] as number;
        const raw = isAligned ? ((g + 1) / 2) * (size - 1) : ((g + 1) * size - 1) / 2;
        const place = mode === "cubic" ? raw : fold(raw, size);
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
              : [-1, 0, 1, 2].map((i) => [base + i, cubic(rest - i, -0.75)] as const);
        corners = corners.flatMap(({ at, weight }) =>
          taps.map(([tap, w]) => {
            const inside = mode === "cubic" ? Math.round(fold(tap, size)) : tap;
            const isIn = inside >= 0 && inside < size;
            return { at: isIn ? at + inside * (strides[d] as number) : 0, weight: isIn ? weight * w : 0 };
          }),
        );
      }
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (const { at, weight } of corners)
          if (weight !== 0) sum += weight * (numbers(x)[(b * channels + k) * area + at] as number);
        numbers(out)[(b * channels + k) * places + p] = sum;
      }
    }
  }
  return roundToType(out);
};

const roiAlign: HostOp = (c, input, roisInput, batchInput) => {
  const x = need(input, "X");
  const rois = need(roisInput, "rois");
  const batches = toNumbers(need(batchInput, "batch_indices"));
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [rows, columns] = [c.int("output_height", 1), c.int("output_width", 1)];
  const scale = c.float("spatial_scale", 1);
  const ratio = c.int("sampling_ratio", 0);
  const isMax = c.oneOf("mode", "avg", ["avg", "max"]) === "max";
  const mode = c.oneOf("coordinate_transformation_mode", "half_pixel", ["half_pixel", "output_half_pixel"]);
  const isHalf = c.opset >= 16 && mode === "half_pixel";
  const offset = isHalf ? 0.5 : 0;
  const count = rois.shape[0] ?? 0;
  const out = make(c, x.type, [count, channels, rows, columns]);
  const data = numbers(x);
  for (let r = 0; r < count; r++) {
    const [x1, y1, x2, y2] = [0, 1, 2, 3].map((i) => (numbers(rois)[r * 4 + i] as number) * scale - offset) as [
      number,
      number,
      number,
      number,
    ];
    const b = batches[r] as number;
    if (!(b >= 0 && b < batch)) throw new ModelError(`"batch_indices" expected from 0 to ${batch - 1}, got ${b}`);
    const [w, h] = isHalf ? [x2 - x1, y2 - y1] : [Math.max(x2 - x1, 1), Math.max(y2 - y1, 1)];
    const [binW, binH] = [w / columns, h / rows];
    const [nx, ny] = ratio > 0 ? [ratio, ratio] : [Math.ceil(binW), Math.ceil(binH)];
    c.budget.spend(channels * rows * columns * nx * ny);
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        for (let k = 0; k < channels; k++) {
          const plane = (b * channels + k) * height * width;
          let [total, top] = [0, -Infinity];
          for (let i = 0; i < ny; i++) {
            for (let j = 0; j < nx; j++) {
              let y = y1 + p * binH + ((i + 0.5) * binH) / ny;
              let z = x1 + q * binW + ((j + 0.5) * binW) / nx;
              if (y < -1 || y > height || z < -1 || z > width) {
                top = Math.max(top, 0);
                continue;
              }
              y = Math.max(0, y);
              z = Math.max(0, z);
              let [y0, z0] = [Math.floor(y), Math.floor(z)];
              let [yNext, zNext] = [y0 + 1, z0 + 1];
              if (y0 >= height - 1) [y0, yNext, y] = [height - 1, height - 1, height - 1];
              if (z0 >= width - 1) [z0, zNext, z] = [width - 1, width - 1, width - 1];
              const [fy, fz] = [y - y0, z - z0];
              const parts = [
                (1 - fy) * (1 - fz) * (data[plane + y0 * width + z0] as number),
                (1 - fy) * fz * (data[plane + y0 * width + zNext] as number),
                fy * (1 - fz) * (data[plane + yNext * width + z0] as number),
                fy * fz * (data[plane + yNext * width + zNext] as number),
              ];
              // The maximum is over the weighted corners, as the standard's reference has it.
              top = Math.max(top, ...parts);
              total += parts.reduce((s, v) => s + v, 0);
            }
          }
          numbers(out)[((r * channels + k) * rows + p) * columns + q] = isMax ? top : total / Math.max(1, nx * ny);
        }
      }
    }
  }
  return roundToType(out);
};

export const SAMPLING: Readonly<Record<string, HostOp>> = {
  GridSample: gridSample,
  RoiAlign: roiAlign,
};
