// Heads without anchors, one a stride: each cell says how far the edges of its box are (Tian et al. 2019).
import { finite, oneOf, pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import {
  at,
  bestClass,
  type Cell,
  type Checked,
  type Columns,
  cellsOf,
  checkedStrides,
  type DetectionOptions,
  detectionOptions,
  detectionsOf,
  noneFound,
  pointsOf,
  rowsOf,
  scoreOf,
  sizeOf,
} from "./detections.js";
import { matrixOf, requireLabels, requireNumber, type Shaped } from "./numbers.js";
import { ACTIVATIONS, type ScoreActivation } from "./scores.js";
import { addTo, type Detection } from "./suppress.js";

/** What a model says of the cells of one stride. */
export interface DistanceHead {
  /** [1, cells, C] */
  readonly scores: Shaped;
  /** [1, cells, 4], or [1, cells, 4 * bins] where each distance is a softmax over bins (Li et al. 2020). */
  readonly boxes: Shaped;
  /** Of shape [1, cells, 1]: YuNet's objectness, FCOS' centreness. A score is the root of the product then. */
  readonly objectness?: Shaped;
  /** [1, cells, 2 * points] */
  readonly points?: Shaped;
}

/** Of decodeDistances(). */
export interface DistanceOptions extends DetectionOptions {
  /** Of the heads. Default: 8, 16, 32 and so on, as many as there are heads; [8, 16, 32, 64] for one tensor. */
  readonly strides?: readonly number[];
  /** [height, width] of the model's input. Default: the view's, or a square with so many cells. */
  readonly size?: number | readonly [number, number];
  /**
   * "distances": left, top, right, bottom from the cell's middle, in strides. "exp": offset of the centre in strides, and exp() of
   * the sizes, as YuNet has it. Default "distances".
   */
  readonly boxes?: "distances" | "exp";
  /** Where in its cell a distance starts: 0.5 in the middle (FCOS, PicoDet), 0 (SCRFD, NanoDet-Plus, YuNet). Default 0.5. */
  readonly offset?: number;
  /** Bins of a distance, of one tensor for all strides: 8 of NanoDet. Default 1. */
  readonly bins?: number;
  /** Makes scores of logits. Default "none". */
  readonly activation?: ScoreActivation;
}

interface Level {
  readonly rows: number;
  readonly scores: Columns;
  readonly boxes: Columns;
  readonly bins: number;
  readonly objectness?: Columns;
  readonly points?: Columns;
  readonly count: number;
  readonly cell: (row: number) => Cell;
}

/**
 * Boxes from one head a stride, or from one tensor [1, cells of all strides, C + 4 * bins]: SCRFD, YuNet, NanoDet, PicoDet, FCOS.
 * Where a stride has several rows a cell, anchors, they lie together.
 *
 * @throws ShapeError for counts that do not fit, RangeError for NaN and options out of range, TypeError for options of the wrong kind.
 */
export function decodeDistances(heads: readonly DistanceHead[] | Shaped, options: DistanceOptions = {}): Detection[] {
  const own = ["strides", "size", "boxes", "offset", "bins", "activation"];
  const checked = detectionOptions("decodeDistances", options, own);
  const activation = oneOf("activation", options.activation ?? "none", ACTIVATIONS);
  const isExp = oneOf("boxes", options.boxes ?? "distances", ["distances", "exp"]) === "exp";
  const offset = finite("offset", options.offset ?? 0.5);
  const { levels, classes } = Array.isArray(heads)
    ? levelsOf(heads as readonly DistanceHead[], options, checked)
    : oneTensor(heads as Shaped, options, checked);
  requireLabels(checked.labels, classes);
  const found = noneFound();
  const places: { readonly level: Level; readonly row: number }[] = [];
  for (const level of levels) {
    for (let row = 0; row < level.rows; row++) {
      const best = bestClass(level.scores, row, classes);
      if (best < 0) continue;
      let score = scoreOf(level.scores, row, best, classes, activation);
      if (level.objectness) score = Math.sqrt(clamped(score) * clamped(at(level.objectness, row, 0)));
      if (score <= checked.score) continue;
      requireNumber("scores", score, row);
      const { x, y, stride } = level.cell(row);
      const [a, b, c, d] = distancesOf(level, row);
      const [left, top] = [(x + offset) * stride, (y + offset) * stride];
      const [w, h] = [(Math.exp(c) * stride) / 2, (Math.exp(d) * stride) / 2];
      const [cx, cy] = [left + a * stride, top + b * stride];
      addTo(
        found,
        isExp
          ? [cx - w, cy - h, cx + w, cy + h]
          : [left - a * stride, top - b * stride, left + c * stride, top + d * stride],
        score,
        best,
        places.push({ level, row }) - 1,
      );
    }
  }
  return detectionsOf(found, checked, (place) => {
    const { level, row } = places[place] as (typeof places)[number];
    const { points, count, cell } = level;
    if (!points) return {};
    const { x, y, stride } = cell(row);
    const value = (p: number, k: number) => ((k === 0 ? x : y) + offset + at(points, row, 2 * p + k)) * stride;
    return { points: pointsOf(count, 2, (p, k) => finite("points", value(p, k))) };
  });
}

const clamped = (x: number): number => Math.min(Math.max(x, 0), 1);

/** The four numbers of a box, in strides; of bins the mean place of their softmax. */
function distancesOf({ boxes, bins }: Level, row: number): [number, number, number, number] {
  const one = (side: number): number => {
    if (bins === 1) return at(boxes, row, side);
    let [max, sum, total] = [Number.NEGATIVE_INFINITY, 0, 0];
    for (let i = 0; i < bins; i++) max = Math.max(max, at(boxes, row, side * bins + i));
    for (let i = 0; i < bins; i++) {
      const share = Math.exp(at(boxes, row, side * bins + i) - max);
      sum += share;
      total += i * share;
    }
    return total / sum;
  };
  return [one(0), one(1), one(2), one(3)];
}

/** Heads of strides: rows a cell, of which there may be several, follow from the size. */
function levelsOf(heads: readonly DistanceHead[], options: DistanceOptions, { view }: Checked) {
  const strides = checkedStrides(options.strides ?? heads.map((_, i) => 8 * 2 ** i));
  if (strides.length !== heads.length)
    throw new ShapeError(`"strides" expected ${heads.length} numbers, one a head, got ${strides.length}`);
  const size = sizeOf(options.size, view);
  let classes = 0;
  const levels = heads.map((head, i): Level => {
    const matrix = (name: keyof DistanceHead) => matrixOf(name, head?.[name] as Shaped, "[1, cells, columns]");
    const [scores, boxes] = [matrix("scores"), matrix("boxes")];
    const objectness = head.objectness && matrix("objectness");
    const points = head.points && matrix("points");
    const { rows } = scores;
    if (i === 0) classes = scores.columns;
    if (
      boxes.columns % 4 !== 0 ||
      boxes.columns === 0 ||
      scores.columns !== classes ||
      (points && points.columns % 2 !== 0)
    )
      throw new ShapeError(`"boxes" expected rows of 4 numbers or 4 times bins, got ${show(head.boxes.shape)}`);
    for (const [name, { rows: got }] of Object.entries({
      boxes,
      objectness: objectness ?? scores,
      points: points ?? scores,
    }))
      if (got !== rows) throw new ShapeError(`"${name}" expected ${rows} rows, as "scores" has, got ${got}`);
    const stride = strides[i] as number;
    const anchors = anchorsOf(rows, stride, size);
    const cell = cellsOf(rows / anchors, [stride], size);
    return {
      rows,
      scores: rowsOf(scores),
      boxes: rowsOf(boxes),
      bins: boxes.columns / 4,
      ...(objectness && { objectness: rowsOf(objectness) }),
      ...(points && { points: rowsOf(points) }),
      count: (points?.columns ?? 0) / 2,
      cell: (row) => cell(Math.floor(row / anchors)),
    };
  });
  return { levels, classes };
}

/** Rows of a cell: of a square input the fewest with which cells make a square. */
function anchorsOf(rows: number, stride: number, size: unknown): number {
  if (size !== undefined) {
    const [height, width] = pair("size", size, 1);
    const anchors = rows / Math.ceil(height / stride) / Math.ceil(width / stride);
    if (Number.isInteger(anchors)) return anchors;
  } else for (let anchors = 1; anchors < 10; anchors++) if (Number.isInteger(Math.sqrt(rows / anchors))) return anchors;
  return 1; // and cellsOf() says what is wrong
}

/** [1, cells of all strides, C + 4 * bins]: scores before distances. */
function oneTensor(output: Shaped, options: DistanceOptions, { view }: Checked) {
  const { strides = [8, 16, 32, 64], bins = 1 } = options;
  const matrix = matrixOf("output", output, "[1, cells, C + 4 * bins]");
  const classes = matrix.columns - 4 * bins;
  if (!(classes >= 1 && Number.isInteger(classes)))
    throw new ShapeError(`"output" expected rows of C + 4 * ${bins} numbers, got ${show(output.shape)}`);
  const cell = cellsOf(matrix.rows, checkedStrides(strides), sizeOf(options.size, view));
  const level: Level = {
    rows: matrix.rows,
    scores: rowsOf(matrix),
    boxes: rowsOf(matrix, classes),
    bins,
    count: 0,
    cell,
  };
  return { levels: [level], classes };
}
