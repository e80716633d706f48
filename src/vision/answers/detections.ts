// What decoders of boxes have in common: options, the best class of a row, cells of feature maps, and the way to the photo.

import { integer, knownOptions, pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { Box } from "../view.js";
import { type Matrix, requireNumber, type Shaped } from "./numbers.js";
import { logistic, type ScoreActivation } from "./scores.js";
import {
  checkedSuppression,
  type Detection,
  type Found,
  SUPPRESSION_OPTIONS,
  type Suppression,
  type SuppressionOptions,
  suppressed,
} from "./suppress.js";

/** The way from a model's pixels to the photo's: what a preprocessor's run() answers. */
export interface AnswerView {
  /** A point of the model's input as one of the photo. */
  readonly toImage: (point: readonly [x: number, y: number]) => readonly [x: number, y: number];
  /** A box of the model's input as one of the photo. */
  readonly boxToImage: (box: Box) => Box;
  /** Columns of the model's input: what `size` is where it is left out. */
  readonly modelWidth?: number;
  /** Rows of the model's input. */
  readonly modelHeight?: number;
}

/** What all decoders of boxes take. */
export interface DetectionOptions extends SuppressionOptions {
  /** Takes boxes and points to the photo. Default: they stay in the model's pixels. */
  readonly view?: AnswerView;
  /** Names of the classes, one each. */
  readonly labels?: readonly string[];
  /** Detections score more than this. Default 0.25. */
  readonly score?: number;
}

export interface Checked extends Suppression {
  readonly view: AnswerView | undefined;
  readonly labels: readonly string[] | undefined;
}

/** Checked options of a decoder; `more`: those that are its own. */
export function detectionOptions(
  decoder: string,
  options: DetectionOptions,
  more: readonly string[],
  iou?: number,
): Checked {
  knownOptions(`${decoder} options`, options, ["view", "labels", ...SUPPRESSION_OPTIONS, ...more]);
  const { view, labels } = options;
  return { ...checkedSuppression(iou === undefined ? options : { iou, ...options }, 0.25), view: viewOf(view), labels };
}

/** [height, width] of the model's input, as an option or the view says. */
export const sizeOf = (size: unknown, view: AnswerView | undefined): unknown =>
  size ?? (view?.modelHeight && [view.modelHeight, view.modelWidth]);

/** Throws TypeError for what is no view. */
export function viewOf(view: AnswerView | undefined): AnswerView | undefined {
  if (view === undefined || (typeof view?.toImage === "function" && typeof view.boxToImage === "function")) return view;
  throw new TypeError(`"view" expected what a preprocessor's run() answers, got ${show(view)}`);
}

export const noneFound = (): Found => ({ boxes: [], scores: [], classes: [], rows: [] });

/** Numbers of a head: element `column` of `row` is at start + row * rowStep + column * columnStep. */
export interface Columns {
  readonly data: ArrayLike<number>;
  readonly start: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

export const at = ({ data, start, rowStep, columnStep }: Columns, row: number, column: number): number =>
  data[start + row * rowStep + column * columnStep] as number;

/** The best class of a row, -1 where there is none. Throws RangeError for NaN. */
export function bestClass(columns: Columns, row: number, classes: number, background?: number): number {
  const { data, columnStep } = columns;
  const start = columns.start + row * columns.rowStep;
  let best = Number.NEGATIVE_INFINITY;
  let index = -1;
  for (let c = 0; c < classes; c++) {
    const value = data[start + c * columnStep] as number;
    if (value <= best || c === background) continue;
    requireNumber("scores", value, row);
    best = value;
    index = c;
  }
  return index;
}

/** The score of a class of a row, after the activation. */
export function scoreOf(columns: Columns, row: number, index: number, classes: number, kind: ScoreActivation): number {
  const value = at(columns, row, index);
  if (kind !== "softmax") return kind === "sigmoid" ? logistic(value) : value;
  let sum = 0;
  for (let c = 0; c < classes; c++) sum += Math.exp(at(columns, row, c) - value);
  return 1 / sum;
}

/** Where the cell of a row of the output is: its column and row in the feature map of this stride. */
export interface Cell {
  readonly x: number;
  readonly y: number;
  readonly stride: number;
}

/**
 * Cells of feature maps as heads list them: level by level, rows of cells from the top. `size`: of the model's input; without it
 * the side of a square that has these rows.
 */
export function cellsOf(rows: number, strides: readonly number[], size: unknown): (row: number) => Cell {
  const side = Math.round(Math.sqrt(rows / strides.reduce((sum, stride) => sum + stride ** -2, 0)));
  const [height, width] = pair("size", size ?? side, 1);
  const ends: number[] = [];
  for (const stride of strides) ends.push((ends.at(-1) ?? 0) + Math.ceil(height / stride) * Math.ceil(width / stride));
  if (ends.at(-1) !== rows)
    throw new ShapeError(
      `"size" expected [height, width] of a model's input with ${rows} cells of strides ${strides.join(", ")}, got ${size === undefined ? "none" : `${show(size)}, which has ${ends.at(-1)}`}`,
    );
  return (row) => {
    const level = ends.findIndex((end) => row < end);
    const stride = strides[level] as number;
    const cell = row - (ends[level - 1] ?? 0);
    const across = Math.ceil(width / stride);
    return { x: cell % across, y: Math.floor(cell / across), stride };
  };
}

/** Points of a row, [x, y] or [x, y, score], by how their numbers are read. */
export const pointsOf = (count: number, values: number, value: (point: number, k: number) => number): number[][] =>
  Array.from({ length: count }, (_, p) => Array.from({ length: values }, (_, k) => value(p, k)));

/** What is left of candidates, in the photo's pixels. `more`: points and coefficients of a row. */
export function detectionsOf(
  found: Found,
  { view, labels, ...options }: Checked,
  more?: (row: number) => Pick<Detection, "points" | "coefficients">,
): Detection[] {
  const detections = suppressed(found, options, (i): Detection => {
    const index = found.classes[i] as number;
    return {
      box: found.boxes.slice(4 * i, 4 * i + 4) as unknown as Box,
      score: found.scores[i] as number,
      index,
      ...(labels && { label: labels[index] as string }),
      ...more?.(found.rows[i] as number),
    };
  });
  if (view === undefined) return detections;
  return detections.map(({ box, points, ...rest }) => ({
    ...rest,
    box: view.boxToImage(box),
    ...(points && { points: points.map(([x = 0, y = 0, ...score]) => [...view.toImage([x, y]), ...score]) }),
  }));
}

/** Heads of several levels may come one tensor each: a list of them. */
export const listOf = (x: Shaped | readonly Shaped[]): readonly Shaped[] => (Array.isArray(x) ? x : [x as Shaped]);

/** Throws RangeError unless strides are whole numbers. */
export function checkedStrides(strides: readonly number[]): readonly number[] {
  if (!Array.isArray(strides) || strides.length === 0)
    throw new TypeError(`"strides" expected a list of numbers, got ${show(strides)}`);
  for (const stride of strides) integer("strides", stride, 1);
  return strides;
}

/** [N, columns] as the columns of rows. */
export const rowsOf = ({ data, columns }: Matrix, start = 0): Columns => ({
  data,
  start,
  rowStep: columns,
  columnStep: 1,
});
