// Heads whose boxes are ready: rows after the model's own suppression, and tables of boxes and scores.

import { integer, oneOf, pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { Box } from "../view.js";
import {
  bestClass,
  type DetectionOptions,
  detectionOptions,
  detectionsOf,
  noneFound,
  pointsOf,
  rowsOf,
  scoreOf,
} from "./detections.js";
import { matrixOf, numbersOf, requireLabels, requireNumber, type Shaped } from "./numbers.js";
import { ACTIVATIONS, type ScoreActivation } from "./scores.js";
import { addTo, type Detection } from "./suppress.js";

/** What a column of decodeRows() holds; "image": which of a batch. */
export type RowColumn = "x0" | "y0" | "x1" | "y1" | "score" | "class" | "image";

/** Of decodeRows(). */
export interface RowsOptions extends DetectionOptions {
  /**
   * What columns hold, in order. Default: x0, y0, x1, y1, score, class (YOLOv10, YOLO26), and for 7 columns image, class, score, x0,
   * y0, x1, y1 (SSD's DetectionOutput). PaddleDetection: class, score, x0, y0, x1, y1. YOLOv7: image, x0, y0, x1, y1, class, score.
   */
  readonly columns?: readonly RowColumn[];
  /** Of a batch, the picture whose rows are read. Default 0. */
  readonly image?: number;
  /** [height, width] of the model's input where boxes are shares of it. Default: boxes are pixels. */
  readonly size?: number | readonly [number, number];
  /** Coefficients of masks behind these columns. Default 0. */
  readonly masks?: number;
  /** Key points behind these columns, [17, 3] of pose models. Default none. */
  readonly points?: readonly [count: number, values: number];
}

const ROW_6: readonly RowColumn[] = ["x0", "y0", "x1", "y1", "score", "class"];
const ROW_7: readonly RowColumn[] = ["image", "class", "score", "x0", "y0", "x1", "y1"];

/**
 * Boxes from [1, N, 6] or [1, 1, N, 7]: models that suppress themselves. Rows that score no more than `score` fill the tensor up and
 * are passed over. Nothing is suppressed again unless `iou` says so.
 *
 * @throws ShapeError for other shapes and for a class that labels do not have, RangeError for NaN and options out of range, TypeError
 *   for options of the wrong kind.
 */
export function decodeRows(output: Shaped, options: RowsOptions = {}): Detection[] {
  const checked = detectionOptions("decodeRows", options, ["columns", "image", "size", "masks", "points"], 1);
  const { masks = 0, points: [count, values] = [0, 3], image = 0 } = options;
  integer("masks", masks, 0);
  integer("points[0]", count, 0);
  integer("points[1]", values, 2, 3);
  const matrix = matrixOf("output", output, "[1, N, 6] or [1, N, 7]");
  const own = matrix.columns - masks - count * values;
  const names = options.columns ?? (own === 7 ? ROW_7 : ROW_6);
  if (!Array.isArray(names)) throw new TypeError(`"columns" expected a list of names, got ${show(names)}`);
  for (const name of names) oneOf("columns", name, [...ROW_6, "image"]);
  const absent = ROW_6.find((name) => !names.includes(name));
  if (absent) throw new RangeError(`"columns" expected ${ROW_6.join(", ")} among them, got no ${absent}`);
  if (own !== names.length)
    throw new ShapeError(
      `"output" expected rows of ${names.length + masks + count * values}, got ${show(output.shape)}`,
    );
  const [height, width] = pair("size", options.size ?? 1, 1);
  const found = noneFound();
  const value = (row: number, name: RowColumn) => matrix.data[row * matrix.columns + names.indexOf(name)] as number;
  for (let row = 0; row < matrix.rows; row++) {
    const score = value(row, "score");
    if (score <= checked.score || (names.includes("image") && value(row, "image") !== image)) continue;
    requireNumber("output", score, row);
    const index = value(row, "class");
    const classes = checked.labels?.length ?? Number.MAX_SAFE_INTEGER;
    if (!(Number.isInteger(index) && index >= 0 && index < classes))
      throw new ShapeError(
        `"output" expected classes that ${checked.labels ? `${classes} labels have` : "are whole numbers"}, got ${index} in row ${row}`,
      );
    const box: Box = [
      value(row, "x0") * width,
      value(row, "y0") * height,
      value(row, "x1") * width,
      value(row, "y1") * height,
    ];
    addTo(found, box, score, index, row);
  }
  const extra = (row: number, k: number) => matrix.data[row * matrix.columns + names.length + k] as number;
  return detectionsOf(found, checked, (row) => ({
    ...(masks > 0 && { coefficients: Float32Array.from({ length: masks }, (_, k) => extra(row, k)) }),
    ...(count > 0 && {
      points: pointsOf(
        count,
        values,
        (p, k) => extra(row, masks + p * values + k) * (k === 0 ? width : k === 1 ? height : 1),
      ),
    }),
  }));
}

/** Numbers of a box: corners [x0, y0, x1, y1], "centre" [x, y, width, height], "yx" [y0, x0, y1, x1] as TensorFlow has it. */
export type BoxFormat = "corners" | "centre" | "yx";

/** Of decodeBoxes(). */
export interface BoxesOptions extends DetectionOptions {
  /** What the four numbers are. Default "corners". */
  readonly format?: BoxFormat;
  /** [height, width] of the model's input where boxes are shares of it. Default: boxes are pixels. */
  readonly size?: number | readonly [number, number];
  /** Makes scores of logits. Default "none". */
  readonly activation?: ScoreActivation;
  /** A class that is none: 0 of UltraFace, the last of DETR. Default: all are classes. */
  readonly background?: number;
  /** Class of each box, where the model has chosen it and `scores` is [N]: torchvision, TensorFlow's detection models. */
  readonly classes?: Shaped;
}

/**
 * Boxes from [1, N, 4] and scores [1, N, C], both ready: UltraFace, EfficientDet, DETR (`iou: 1`, which suppresses nothing).
 *
 * @throws ShapeError for shapes that do not fit and labels that are not one a class, RangeError for NaN and options out of range,
 *   TypeError for options of the wrong kind.
 */
export function decodeBoxes(boxes: Shaped, scores: Shaped, options: BoxesOptions = {}): Detection[] {
  const own = ["format", "size", "activation", "background", "classes"];
  const checked = detectionOptions("decodeBoxes", options, own);
  const format = oneOf("format", options.format ?? "corners", ["corners", "centre", "yx"]);
  const activation = oneOf("activation", options.activation ?? "none", ACTIVATIONS);
  const [height, width] = pair("size", options.size ?? 1, 1);
  const { background } = options;
  const corners = matrixOf("boxes", boxes, "[1, N, 4]");
  if (corners.columns !== 4) throw new ShapeError(`"boxes" expected [1, N, 4], got ${show(boxes.shape)}`);
  const data = numbersOf("scores", scores);
  const chosen = options.classes && numbersOf("classes", options.classes);
  const { rows } = corners;
  const classes = rows === 0 ? (scores.shape.at(-1) as number) : data.length / rows;
  if (!Number.isInteger(classes) || (chosen && (classes !== 1 || chosen.length !== rows)))
    throw new ShapeError(`"scores" expected ${rows} rows, one a box, got ${show(scores.shape)}`);
  if (background !== undefined) integer("background", background, 0, classes - 1);
  if (!chosen && rows > 0) requireLabels(checked.labels, classes);
  const columns = rowsOf({ data, rows, columns: classes });
  const found = noneFound();
  for (let row = 0; row < rows; row++) {
    const best = bestClass(columns, row, classes, background);
    if (best < 0) continue;
    const score = scoreOf(columns, row, best, classes, activation);
    if (!(score > checked.score)) continue;
    const index = chosen ? (chosen[row] as number) : best;
    if (chosen && checked.labels && checked.labels[index] === undefined)
      throw new ShapeError(`"labels" expected a name for class ${index}, got ${checked.labels.length} names`);
    const [a, b, c, d] = Array.from({ length: 4 }, (_, k) => corners.data[4 * row + k]) as [
      number,
      number,
      number,
      number,
    ];
    const [x0, y0, x1, y1] =
      format === "yx"
        ? [b, a, d, c]
        : format === "corners"
          ? [a, b, c, d]
          : [a - c / 2, b - d / 2, a + c / 2, b + d / 2];
    addTo(found, [x0 * width, y0 * height, x1 * width, y1 * height], score, index, row);
  }
  return detectionsOf(found, checked);
}
