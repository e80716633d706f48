// Heads that are images: a number of channels at each cell of one feature map.

import { finite, oneOf } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { Box } from "../view.js";
import { at, bestClass, type DetectionOptions, detectionOptions, detectionsOf, noneFound } from "./detections.js";
import { type Planes, planesOf, requireLabels, requireNumber, type Shaped } from "./numbers.js";
import { logistic } from "./scores.js";
import { addTo, type Detection } from "./suppress.js";

/** Heads of CenterNet (Zhou et al. 2019): a heatmap a class, and what each cell says of a box around it. */
export interface PeakHeads {
  /** [1, C, H, W]; from 0 to 1, or logits with `activation`. */
  readonly heatmap: Shaped;
  /** Of shape [1, 2, H, W]: width and height, in cells. */
  readonly sizes: Shaped;
  /** Of shape [1, 2, H, W]: x and y of the centre in its cell. Default: 0. */
  readonly offsets?: Shaped;
}

/** Of decodeGrid(). */
export interface GridOptions extends DetectionOptions {
  /** Pixels of the model's input a cell. Default 16, of peaks 4. */
  readonly stride?: number;
  /** Of peaks: "sigmoid" for a heatmap of logits. Default "none". */
  readonly activation?: "sigmoid" | "none";
  /** 1 for [1, C, H, W], -1 for [1, H, W, C]. Default 1. */
  readonly axis?: 1 | -1;
}

/**
 * Boxes from [1, 5 + C, H, W] as FastestDet has it: objectness, tanh() of the centre's way from its cell, logits of width and height
 * as shares of the input, classes; score objectness^0.6 * class^0.4. Or from the peaks of heatmaps, cells of which no neighbour has
 * more, as CenterNet has it; these suppress nothing further unless `iou` says so.
 *
 * @throws ShapeError for shapes that do not fit and labels that are not one a class, RangeError for NaN and options out of range,
 *   TypeError for options of the wrong kind.
 */
export function decodeGrid(output: Shaped | PeakHeads, options: GridOptions = {}): Detection[] {
  const isPeaks = output !== null && typeof output === "object" && "heatmap" in output;
  const checked = detectionOptions("decodeGrid", options, ["stride", "activation", "axis"], isPeaks ? 1 : undefined);
  const activation = oneOf("activation", options.activation ?? "none", ["sigmoid", "none"]);
  const { axis = 1 } = options;
  const stride = finite("stride", options.stride ?? (isPeaks ? 4 : 16));
  const found = noneFound();
  const add = (x: number, y: number, w: number, h: number, score: number, index: number, cell: number) => {
    const box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2].map((edge) => edge * stride) as unknown as Box;
    addTo(found, box, score, index, cell);
  };
  if (isPeaks) {
    const heat = planesOf("heatmap", output.heatmap, axis);
    const sizes = like(heat, "sizes", output.sizes, axis);
    const offsets = output.offsets && like(heat, "offsets", output.offsets, axis);
    requireLabels(checked.labels, heat.channels);
    eachPeak(heat, (c, x, y, value) => {
      const score = activation === "sigmoid" ? logistic(value) : value;
      if (!(score > checked.score)) return;
      const of = (planes: Planes, k: number) => valueAt(planes, k, x, y);
      const [dx, dy] = offsets ? [of(offsets, 0), of(offsets, 1)] : [0, 0];
      add(x + dx, y + dy, of(sizes, 0), of(sizes, 1), score, c, y * heat.width + x);
    });
    return detectionsOf(found, checked);
  }
  const planes = planesOf("output", output as Shaped, axis);
  const { data, width, height, cellStep: rowStep, channelStep: columnStep } = planes;
  const classes = planes.channels - 5;
  if (classes < 1)
    throw new ShapeError(`"output" expected [1, 5 + classes, H, W], got ${show((output as Shaped).shape)}`);
  requireLabels(checked.labels, classes);
  const head = { data, start: 0, rowStep, columnStep };
  for (let cell = 0; cell < width * height; cell++) {
    const index = bestClass({ ...head, start: 5 * columnStep }, cell, classes);
    if (index < 0) continue;
    const score = at(head, cell, 0) ** 0.6 * at(head, cell, 5 + index) ** 0.4;
    if (score <= checked.score) continue;
    requireNumber("output", score, cell);
    const x = (cell % width) + Math.tanh(at(head, cell, 1));
    const y = Math.floor(cell / width) + Math.tanh(at(head, cell, 2));
    add(x, y, logistic(at(head, cell, 3)) * width, logistic(at(head, cell, 4)) * height, score, index, cell);
  }
  return detectionsOf(found, checked);
}

export const valueAt = (planes: Planes, channel: number, x: number, y: number): number =>
  planes.data[channel * planes.channelStep + (y * planes.width + x) * planes.cellStep] as number;

/** Two channels of the same cells. */
function like(heat: Planes, name: string, x: Shaped, axis: number): Planes {
  const planes = planesOf(name, x, axis);
  if (planes.channels === 2 && planes.width === heat.width && planes.height === heat.height) return planes;
  throw new ShapeError(`"${name}" expected 2 channels of ${heat.height} x ${heat.width}, got ${show(x.shape)}`);
}

/** Cells of each channel that are at least all 8 neighbours. */
function eachPeak(heat: Planes, use: (channel: number, x: number, y: number, value: number) => void): void {
  const { channels, width, height } = heat;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const value = valueAt(heat, c, x, y);
        requireNumber("heatmap", value, (c * height + y) * width + x);
        let isPeak = true;
        for (let v = Math.max(y - 1, 0); isPeak && v <= Math.min(y + 1, height - 1); v++)
          for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u++)
            if (valueAt(heat, c, u, v) > value) isPeak = false;
        if (isPeak) use(c, x, y, value);
      }
}
