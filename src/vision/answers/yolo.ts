// Heads of the YOLO family: one tensor, boxes as centre and size, a score a class.
import { finite, integer } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import {
  at,
  bestClass,
  type Checked,
  type Columns,
  cellsOf,
  checkedStrides,
  type DetectionOptions,
  detectionOptions,
  detectionsOf,
  noneFound,
  pointsOf,
  sizeOf,
} from "./detections.js";
import { type Matrix, matrixOf, requireLabels, requireNumber, type Shaped } from "./numbers.js";
import { addTo, type Detection } from "./suppress.js";

/** Of decodeYolo(). */
export interface YoloOptions extends DetectionOptions {
  /**
   * 5: [1, N, 5 + C], box, objectness, classes (v5, v6, v7). 8: [1, 4 + C, N], no objectness (v8, v9, v11, v12). "x": as 5, boxes
   * relative to cells (YOLOX, and the Megvii exports of others).
   */
  readonly version: 5 | 8 | "x";
  /** Coefficients of masks behind the classes, kept as they are: 32 of segmentation models. Default 0. */
  readonly masks?: number;
  /** Key points behind the classes, as Ultralytics' kpt_shape: [17, 3] of pose models. Default none. */
  readonly points?: readonly [count: number, values: number];
  /** Of "x": of its feature maps. Default [8, 16, 32]. */
  readonly strides?: readonly number[];
  /** Of "x": [height, width] of the model's input. Default: the view's, or a square with so many cells. */
  readonly size?: number | readonly [number, number];
}

/**
 * Boxes of one picture from [1, N, 5 + C] or [1, 4 + C, N]. Of each row only the best class counts, as in Ultralytics' predict().
 *
 * @example
 * ```js
 * import { decodeYolo } from "lanewise/vision";
 *
 * // Of YOLOv8 with two classes and three places: x, y, width, height and two scores, a row of three each.
 * const output = { shape: [1, 6, 3], data: [9, 50, 9, 9, 60, 9, 9, 20, 9, 9, 40, 9, 0, 0.1, 0, 0, 0.9, 0] };
 * decodeYolo(output, { version: 8, labels: ["cat", "dog"] }); // [{ box: [40, 40, 60, 80], score: 0.9, index: 1, label: "dog" }]
 * ```
 *
 * @throws ShapeError for other shapes, a size that does not have so many cells and labels that are not one a class, RangeError for
 *   NaN and options out of range, TypeError for options of the wrong kind.
 */
export function decodeYolo(output: Shaped, options: YoloOptions): Detection[] {
  const checked = detectionOptions("decodeYolo", options, ["version", "masks", "points", "strides", "size"]);
  const { version, masks = 0, points: [count, values] = [0, 3], strides = [8, 16, 32], size } = options;
  if (version !== 5 && version !== 8 && version !== "x")
    throw new RangeError(`"version" expected 5, 8 or "x", got ${show(version)}`);
  integer("masks", masks, 0);
  integer("points[0]", count, 0);
  integer("points[1]", values, 2, 3);
  const first = version === 8 ? 4 : 5;
  const form = version === 8 ? "[1, 4 + classes, N]" : "[1, N, 5 + classes]";
  const matrix = matrixOf("output", output, form);
  const [rows, columns] = version === 8 ? [matrix.columns, matrix.rows] : [matrix.rows, matrix.columns];
  const classes = columns - first - masks - count * values;
  // A head has far more places than classes: the other way round it is that of another version.
  if (classes < 1 || columns > 4 * Math.max(rows, 64))
    throw new ShapeError(
      `"output" expected ${form}${masks || count ? " with masks and points" : ""}, got ${show(output.shape)}`,
    );
  requireLabels(checked.labels, classes);
  const head: Columns = {
    data: matrix.data,
    start: 0,
    rowStep: version === 8 ? 1 : columns,
    columnStep: version === 8 ? rows : 1,
  };
  const cell = version === "x" ? cellsOf(rows, checkedStrides(strides), sizeOf(size, checked.view)) : undefined;
  const found = noneFound();
  const add = (row: number, score: number, index: number) => {
    let [x, y, w, h] = [0, 1, 2, 3].map((k) => at(head, row, k)) as [number, number, number, number];
    if (cell) {
      const place = cell(row);
      [x, y] = [(x + place.x) * place.stride, (y + place.y) * place.stride];
      [w, h] = [Math.exp(w) * place.stride, Math.exp(h) * place.stride];
    }
    addTo(found, [x - w / 2, y - h / 2, x + w / 2, y + h / 2], score, index, row);
  };
  if (version === 8) scanPlanes(matrix, classes, checked.score, add);
  else scanRows(head, rows, classes, checked, add);
  const behind = first + classes;
  return detectionsOf(found, checked, (row) => ({
    ...(masks > 0 && { coefficients: Float32Array.from({ length: masks }, (_, k) => at(head, row, behind + k)) }),
    ...(count > 0 && {
      points: pointsOf(count, values, (p, k) => finite("points", at(head, row, behind + masks + p * values + k))),
    }),
  }));
}

type Add = (row: number, score: number, index: number) => void;

/** Class by class, as memory lies: 84 x 8400 in 1 ms, and 4 to 6 times that place by place. */
function scanPlanes({ data, columns }: Matrix, classes: number, least: number, add: Add): void {
  const best = new Float64Array(columns).fill(least);
  const index = new Int32Array(columns).fill(-1);
  for (let c = 0; c < classes; c++) {
    const start = (4 + c) * columns;
    for (let i = 0; i < columns; i++) {
      const value = data[start + i] as number;
      if (value <= (best[i] as number)) continue;
      requireNumber("output", value, i);
      best[i] = value;
      index[i] = c;
    }
  }
  for (let i = 0; i < columns; i++) if ((index[i] as number) >= 0) add(i, best[i] as number, index[i] as number);
}

/** Rows whose objectness is above the score, times the best class. */
function scanRows(head: Columns, rows: number, classes: number, { score: least }: Checked, add: Add): void {
  const scores = { ...head, start: 5 };
  for (let row = 0; row < rows; row++) {
    const objectness = at(head, row, 4);
    if (objectness <= least) continue;
    requireNumber("output", objectness, row);
    const index = bestClass(scores, row, classes);
    const score = objectness * at(scores, row, index);
    if (index >= 0 && score > least) add(row, score, index);
  }
}
